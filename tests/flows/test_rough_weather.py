"""Nothing is lost and nothing doubled: deliveries twice and out of order, answers lost after the effect, a broker that forgets,
processes that are killed."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from bot.simulator.github.faults import Fault
from tests.harness.flow import HAPPY, Seen, flow
from tests.harness.scenarios import APPROVE, calc

ONCE: Final = {"comment": 3, "pull": 1, "check": 4}
WRITES: Final = (
    "POST /repos/*/issues/*/reactions",
    "POST /repos/*/labels",
    "POST /repos/*/issues/*/labels",
    "DELETE /repos/*/issues/*/labels/*",
    "POST /repos/*/issues/*/comments",
    "PATCH /repos/*/issues/comments/*",
    "POST /repos/*/git/blobs",
    "POST /repos/*/git/trees",
    "POST /repos/*/git/commits",
    "POST /repos/*/git/refs",
    "PATCH /repos/*/git/refs/*",
    "POST /repos/*/pulls",
    "PATCH /repos/*/pulls/*",
    "POST /repos/*/pulls/*/requested_reviewers",
    "POST /repos/*/check-runs",
    "PATCH /repos/*/check-runs/*",
    "POST /graphql",
)


def _single(seen: Seen) -> None:
    """Everything is there, and once."""
    assert seen.path == HAPPY
    shown = seen.report["github"]
    assert {"comment": len(seen.comments), "pull": len(shown["pulls"]), "check": len(shown["check_runs"])} == ONCE
    kinds = Counter(row["dedupe_key"] for row in seen.report["outbox"])
    assert max(kinds.values()) == 1
    assert len(seen.report["approvals"]) == 1
    seen.published()


def test_every_kind_of_write_stays_single_when_its_answer_is_lost_after_the_effect() -> None:
    # 502 after the effect, twice each, and in the same run: what cannot be told apart from a failure is looked up first.
    faults: list[dict[str, Any]] = [{"github": one, "status": 502, "after_effect": True} for one in WRITES]
    with flow(calc(APPROVE, faults=faults, seconds=150)) as seen:
        assert [(one["github"], one["applied"]) for one in seen.report["faults"]] == [(one, 1) for one in WRITES]
        _single(seen)


def test_deliveries_that_come_twice_or_out_of_order_take_effect_once() -> None:
    faults = [
        Fault("DELIVER issues.labeled", copies=2),
        Fault("DELIVER issue_comment.created", copies=2, times=3),
        Fault("DELIVER pull_request.opened", swap=True),
        Fault("DELIVER pull_request.*", swap=True, times=3),
    ]
    with flow(calc(APPROVE), faults=faults) as seen:
        assert [one.applied > 0 for one in faults] == [True] * len(faults)
        _single(seen)


def test_a_broker_that_forgets_everything_costs_time_only() -> None:
    faults: list[dict[str, Any]] = [
        {"flush": "broker", "when": state} for state in ("plan.draft", "plan.review", "code.draft", "publishing")
    ]
    with flow(calc(APPROVE, faults=faults), topology="sqlite") as seen:
        assert [one["applied"] for one in seen.report["faults"]] == [1] * len(faults)
        _single(seen)


def test_the_one_process_is_killed_in_every_stage_and_goes_on() -> None:
    faults: list[dict[str, Any]] = [
        {"kill": "agents", "when": state} for state in ("plan.draft", "plan.approval", "code.draft", "publishing")
    ]
    with flow(calc(APPROVE, faults=faults, seconds=150)) as seen:
        assert [one["applied"] for one in seen.report["faults"]] == [1] * len(faults)
        _single(seen)
