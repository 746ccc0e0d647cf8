"""GitHub does not answer for a while, or does not know the App: nothing that a person said is lost by it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest

from bot.domain.jobs import JobKind
from bot.domain.outcome import NeedsHuman, Outcome
from bot.ports import records as r
from bot.ports.github import GitHubBusy
from bot.services.performing import PATIENCE_MS, Handler, Performer
from bot.services.routing import Router
from bot.simulator.github.access import AuthError
from bot.simulator.github.faults import Fault
from tests.harness.house import House, Killed

MINUTES = 12
"""Times that GitHub does not answer: with growing pauses, some minutes."""


@contextmanager
def answering(house: House, permission: Handler) -> Iterator[None]:
    """Who may do what is told by this handler."""
    broken = Performer(house.parts.desk, {**house.performer.handlers, JobKind.PERMISSION: permission})
    with mock.patch.object(house, "performer", broken):
        yield


def test_a_command_in_an_outage_is_obeyed_after_it() -> None:
    outage = Fault("GET /repos/*/collaborators/*", status=502, times=MINUTES)
    with House() as house:
        house.planned()
        house.github.faults.append(outage)
        began = house.clock.ahead_ms
        house.say("/conductor cancel")
        assert outage.applied == MINUTES
        assert house.clock.ahead_ms - began > 60_000, "asked ever more seldom"
        assert house.state == "cancelled", house.story()


def test_a_review_in_an_outage_is_taken_in_after_it() -> None:
    outage = Fault("GET /repos/*/pulls/*/reviews/*/comments", status=502, times=MINUTES)
    with House() as house:
        house.published()
        house.github.faults.append(outage)
        house.github.review("changes_requested", "Please mend add.", [], "bob")
        house.pump()
        assert outage.applied == MINUTES
        assert "feedback code.draft" in house.path(), house.story()


def test_what_github_does_not_answer_for_hours_ends_with_its_reason() -> None:
    """It may be about this one thing, and no outage."""
    asked = 0

    def away(_job: r.Job) -> Outcome:
        nonlocal asked
        asked += 1
        raise GitHubBusy("GitHub did not answer as it should (502).")

    with House(dead_deliveries=1) as house:
        house.planned()
        with answering(house, away):
            house.github.comment("issue", "/conductor help", by="ana", number=7)
            house._settle()
            house.clock.ahead_ms += PATIENCE_MS
            house.pump()
        (dead,) = [one for one in house.deliveries() if one.state == "dead"]
        assert dead.reason.startswith(f"permission failed {house.parts.desk.limits.job_attempts} times")
        assert asked == 1 + house.parts.desk.limits.job_attempts


def test_while_github_does_not_know_the_app_everything_waits(calm: dict[str, Any]) -> None:
    """The key is being changed, or this machine's clock is wrong: what was said and what is to be sent is done afterwards."""
    with House() as house:
        house.planned()
        authority = house.github._authority
        judged, refused = authority.check_jwt, 0

        def unknown(header: str, now: float) -> Any:
            nonlocal refused
            if refused < MINUTES:
                refused += 1
                raise AuthError("'Issued at' claim ('iat') must be an Integer")
            return judged(header, now)

        with mock.patch.object(authority, "check_jwt", unknown):
            house.github.expire_tokens()
            house.restart()
            house.say("/conductor approve")
        assert refused == MINUTES
        assert house.state == "in_review", house.story()
        assert house.effects() == calm
        house.messy = True
        assert [row.state for row in house.rows() if row.state != "confirmed"] == []
        assert {one.state for one in house.deliveries()} == {"done", "ignored"}


@pytest.fixture(scope="module")
def calm() -> dict[str, Any]:
    """A run that nothing disturbed."""
    with House() as house:
        house.published()
        return house.effects()


def test_a_dead_delivery_that_comes_again_is_judged_anew_though_its_first_try_dies() -> None:
    """The answer that killed it is not taken for the new one."""
    with House() as house:
        house.planned()
        with answering(house, lambda _job: NeedsHuman("nobody can be asked")):
            house.say("/conductor cancel")
        (dead,) = [one for one in house.deliveries() if one.state == "dead"]
        with house._inbox.begin() as tx:
            assert not tx.deliveries.add(dead)
        decide, tries = Router.decide, 0

        def dies(router: Router, *given: Any) -> Any:
            nonlocal tries
            tries += 1
            if tries == 1:
                raise Killed
            return decide(router, *given)

        with mock.patch.object(Router, "decide", dies):
            house._alive(lambda: house.parts.intake.route(dead.id))
            house.later(house.parts.desk.limits.lease_ms / 1000 + 10)
        assert house.state == "cancelled", house.story()


def test_a_review_that_cannot_be_read_is_answered() -> None:
    """Once: who wrote it would wait for a rework that never begins."""
    gone = Fault("GET /repos/*/pulls/*/reviews/*/comments", status=404)
    with House(messy=True) as house:
        house.published()
        house.github.faults.append(gone)
        house.github.review("changes_requested", "Please mend add.", [], "bob")
        house.pump()
        assert gone.applied
        house.later(300)
        assert len(house.comments("The review by `bob` was not taken in")) == 1, house.story()
        assert house.state == "in_review", house.story()
        house.github.review("changes_requested", "Please mend add.", [], "bob")
        house.pump()
        assert "feedback code.draft" in house.path(), house.story()
