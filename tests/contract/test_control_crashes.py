"""A process that dies between any two transactions, again and again, with all wake-ups lost: nothing is lost or doubled (I11)."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from bot.ports.queue import Nudge
from tests.harness.house import House


@pytest.fixture(scope="module")
def calm() -> dict[str, Any]:
    """A run that nothing disturbed."""
    with House() as house:
        house.published()
        return house.effects()


@pytest.mark.parametrize(("seed", "one_in"), [(1, 6), (3, 9)])
def test_a_process_that_dies_between_transactions_again_and_again(seed: int, one_in: int, calm: dict[str, Any]) -> None:
    dice = random.Random(seed)
    with House() as house:
        house.kills = lambda number: dice.randrange(one_in) == 0
        house.published()
        assert house.deaths >= 5
        assert house.effects() == calm
        assert max(Counter(row.dedupe_key for row in house.rows()).values()) == 1
        assert [one.used_at > 0 for one in house.approvals()] == [True]


class Deaf:
    """A broker that loses every message."""

    def nudge(self, what: Nudge, subject: str, *, queue: str = "") -> None:
        pass


def test_wake_ups_that_are_all_lost_cost_only_the_time_to_the_next_sweep(calm: dict[str, Any]) -> None:
    with House() as house:
        house.parts.storage._queue = Deaf()
        house._inbox._queue = Deaf()
        house.published()
        assert house.effects() == calm


@pytest.mark.parametrize(
    "words", ["/conductor cancel", "/conductor approve", "/conductor revise more", "/conductor pause"]
)
def test_a_wake_up_lost_behind_a_command_costs_only_the_time_to_the_next_sweep(words: str) -> None:
    with House() as house:
        house.planned()
        house.parts.storage._queue = house._inbox._queue = Deaf()
        house.github.comment("issue", words, by="ana")
        assert house.github.wait_delivered()
        for _ in range(4):
            with house.parts.storage.read() as tx:
                due = tx.deliveries.due(house.clock.now(), 10)
                asked = [job for job, _ in tx.jobs.due(house.clock.now(), 10)]
            for one in due:
                house.parts.intake.route(one)
            for one in asked:
                house.performer.perform(one)
        house.parts.storage._queue = house._inbox._queue = house.queue
        house.later(11)
        state, label = {
            "cancel": ("cancelled", []),
            "approve": ("in_review", ["conductor", "conductor: in review"]),
            "revise": ("plan.approval", ["conductor", "conductor: awaiting approval"]),
            "pause": ("plan.approval", ["conductor", "conductor: paused"]),
        }[words.split()[1]]
        assert (house.state, house.labels) == (state, label)
        assert len(house.agents.of("draft")) == (2 if "revise" in words else 1)
