"""GitHub that fails: after the effect, with limits, with old tokens, without an answer. Each write takes effect exactly once."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest
import sqlalchemy as sa

from bot.adapters.github_writer import GitHubAppWriter
from bot.adapters.tables import outbox
from bot.ports.github import Approved, OutboxWrite, Sent
from bot.simulator.github.faults import Fault
from tests.harness.house import House

AFTER = [
    "POST /repos/*/issues/7/reactions",
    "POST /repos/*/labels",
    "POST /repos/*/issues/7/labels",
    "POST /repos/*/issues/7/comments",
    "PATCH /repos/*/issues/comments/*",
    "DELETE /repos/*/labels/*",
    "POST /repos/*/git/commits",
    "POST /repos/*/git/refs",
    "POST /repos/*/pulls",
    "POST /repos/*/check-runs",
    "PATCH /repos/*/check-runs/*",
    "POST /repos/*/git/blobs",
    "POST /repos/*/git/trees",
    "PATCH /repos/*/git/refs/*",
    "PATCH /repos/*/pulls/*",
    "POST /graphql",
    "POST /repos/*/requested_reviewers",
]


@pytest.fixture(scope="module")
def calm() -> dict[str, Any]:
    """A run that nothing disturbed."""
    with House() as house:
        house.published()
        return house.effects()


@pytest.mark.parametrize("kinds", [AFTER[0::3], AFTER[1::3], AFTER[2::3]], ids=["one", "two", "three"])
def test_502_after_the_effect_leaves_exactly_one(kinds: list[str], calm: dict[str, Any]) -> None:
    faults = [Fault(kind, status=502, after_effect=True, times=2) for kind in kinds]
    with House(faults=faults) as house:
        house.published()
        assert [one.github for one in faults if not one.applied] == []
        assert house.effects() == calm
        assert max(Counter(row.dedupe_key for row in house.rows()).values()) == 1


def test_a_sender_that_was_halted_for_longer_than_its_lease_leaves_the_row_to_the_next(
    calm: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It wakes before anybody took the row over: nothing is sent by it, and nothing is given up."""
    halted: set[str] = set()
    send = GitHubAppWriter.send
    with House() as house:

        def sent(writer: GitHubAppWriter, write: Approved[OutboxWrite], *, retry: bool) -> Sent:
            if write.value.kind not in halted:
                halted.add(write.value.kind)
                house.clock.ahead_ms += house.parts.desk.limits.lease_ms + 1
            return send(writer, write, retry=retry)

        monkeypatch.setattr(GitHubAppWriter, "send", sent)
        house.published()
        assert {row.kind for row in house.rows()} == halted
        assert house.effects() == calm


def test_every_write_fails_once_before_its_effect(calm: dict[str, Any]) -> None:
    faults = [Fault(kind, status=503, times=1) for kind in AFTER]
    with House(faults=faults) as house:
        house.published()
        assert [one.github for one in faults if not one.applied] == []
        assert house.effects() == calm


def test_limits_tokens_and_silence(calm: dict[str, Any]) -> None:
    faults = [
        Fault("POST /repos/*/issues/7/comments", status=403, retry_after=120),
        Fault("POST /repos/*/pulls", status=403, reset_in_s=600),
        Fault("PATCH /repos/*/git/refs/*", status=429, retry_after=3),
        Fault("POST /repos/*/check-runs", hang_s=0.05),
        Fault("GET /repos/*/git/ref/*", status=500),
        Fault("GET /repos/*/collaborators/*", status=502, times=2),
        Fault("GET /repos/*/pulls/*", status=403, retry_after=60),
    ]
    with House(faults=faults) as house:
        house.planned()
        began = house.clock.ahead_ms
        house.github.expire_tokens()
        house.say("/conductor approve")
        assert house.state == "in_review", house.story()
        assert house.effects() == calm
        assert faults[0].applied
        assert faults[1].applied
        assert began >= 600_000, "limits were waited out"
        # An old token is answered once and replaced; that is how it is noticed.
        house.messy = True
        assert all("401" in one or "Bad credentials" in one for one in house.github.refused), house.github.refused
        assert house.github.violations == []


def test_a_comment_that_is_listed_late_is_found_by_its_marker_at_last(calm: dict[str, Any]) -> None:
    faults = [
        Fault("POST /repos/*/issues/7/comments", status=502, after_effect=True, times=1),
        Fault("GET /repos/*/issues/7/comments", status=502, times=3),
    ]
    with House(faults=faults) as house:
        house.published()
        assert house.effects() == calm


def test_nothing_is_sent_under_another_hash_or_decision() -> None:
    faults = [Fault("POST /repos/*/issues/7/reactions", status=403, retry_after=30)]
    with House(
        faults=faults, dead=["comment.create", "label.create", "label.add", "comment.update"], messy=True
    ) as house:
        done: list[str] = []

        def tamper(job: object) -> None:
            if done:
                return
            with house.parts.storage.begin() as tx:
                link = tx.runs._link
                # Somebody with the database's password is not held by its triggers.
                for name in link.column(
                    sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'outbox'")
                ):
                    link.run(sa.text(f"DROP TRIGGER {name}"))
                for kind, change in (
                    ("comment.create", {"payload": b'{"body":"something else"}'}),
                    ("label.create", {"decision_sha256": "0" * 64}),
                    ("label.add", {"target": "/repos/acme/other/issues/7/labels"}),
                ):
                    waits = (outbox.c.kind == kind) & (outbox.c.state == "allowed")
                    done.extend([kind] * link.changed(sa.update(outbox).where(waits).values(**change)))

        house.agents.hooks["draft"] = tamper
        house.start()
        assert done == ["comment.create", "label.create", "label.add"]
        changed = [row for row in house.rows() if row.state == "dead"]
        assert sorted(row.kind for row in changed) == sorted(done), house.story()
        assert house.comments("something else") == []
        assert all("hashed" in row.reason or "decided" in row.reason for row in changed)


def test_pacing_keeps_a_second_between_content_writes() -> None:
    with House(limits={"pacing_ms": 1_000}) as house:
        house.published()
        at = sorted(
            row.confirmed_at for row in house.rows() if row.kind.startswith(("comment", "pull", "branch", "check"))
        )
        assert len(at) > 10
        gaps = [after - before for before, after in itertools.pairwise(at)]
        assert min(gaps) >= 900, gaps
