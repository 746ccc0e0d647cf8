"""GitHub that fails: after the effect, with limits, with old tokens, without an answer. Each write takes effect exactly once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

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


def effects(house: House) -> dict[str, Any]:
    """What stands on GitHub at the end, without names that chance gave."""
    shown = house.github.snapshot()
    run = house.run.id

    def heads(sha: str) -> int:
        return house.run.known["heads"].index(sha)

    def first_line(body: str) -> str:
        return body.replace(run, "RUN").splitlines()[0]

    return {
        "comments": [(one["where"], one["author"], first_line(one["body"])) for one in shown["comments"]],
        "labels": shown["labels"],
        "pulls": [(one["head"], one["draft"], one["state"], one["title"]) for one in shown["pulls"]],
        "checks": sorted((one["name"], heads(one["head_sha"]), str(one["conclusion"])) for one in shown["check_runs"]),
        "branches": shown["branches"],
    }


@pytest.fixture(scope="module")
def calm() -> dict[str, Any]:
    """A run that nothing disturbed."""
    with House() as house:
        house.published()
        return effects(house)


@pytest.mark.parametrize("kinds", [AFTER[0::3], AFTER[1::3], AFTER[2::3]], ids=["one", "two", "three"])
def test_502_after_the_effect_leaves_exactly_one(kinds: list[str], calm: dict[str, Any]) -> None:
    faults = [Fault(kind, status=502, after_effect=True, times=2) for kind in kinds]
    with House(faults=faults) as house:
        house.published()
        assert [one.github for one in faults if not one.applied] == []
        assert effects(house) == calm
        assert max(Counter(row.dedupe_key for row in house.rows()).values()) == 1


def test_every_write_fails_once_before_its_effect(calm: dict[str, Any]) -> None:
    faults = [Fault(kind, status=503, times=1) for kind in AFTER]
    with House(faults=faults) as house:
        house.published()
        assert [one.github for one in faults if not one.applied] == []
        assert effects(house) == calm


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
        assert effects(house) == calm
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
        assert effects(house) == calm


def test_nothing_is_sent_under_another_hash_or_decision() -> None:
    import sqlalchemy as sa

    from bot.adapters.tables import outbox

    with House(dead=["comment.update", "comment.create", "branch.create", "label.add", "label.remove"], messy=True) as house:
        changed: list[int] = []

        def tamper(job: object) -> None:
            if changed:
                return
            with house.parts.storage.begin() as tx:
                link = tx.runs._link
                rows = link.run(sa.select(outbox.c.id).where(outbox.c.state == "allowed")).all()
                changed.extend(int(row[0]) for row in rows)

        house.agents.hooks["draft"] = tamper
        house.github.label("conductor", by="ana")
        house.pump()
        assert house.state == "plan.approval"


def test_pacing_keeps_a_second_between_content_writes() -> None:
    with House(limits={"pacing_ms": 1_000}) as house:
        house.published()
        at = sorted(row.confirmed_at for row in house.rows() if row.kind.startswith(("comment", "pull", "branch", "check")))
        assert len(at) > 10
        gaps = [after - before for before, after in zip(at, at[1:], strict=False)]
        assert min(gaps) >= 900, gaps
