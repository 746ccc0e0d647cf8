"""The way of an issue, as people see it: from the label to the review, with a change of mind, an end, and a second look."""

from __future__ import annotations

import re

import pytest

from bot.simulator.acts import AnyAct, Comment
from bot.simulator.github.server import SimulatedGitHub
from tests.harness.flow import ASKED, HAPPY, PUBLISHED, flow
from tests.harness.scenarios import APPROVE, DEPLOYING, START, calc, plan, says


def test_a_label_becomes_a_reviewed_pull_request_and_its_merge_ends_the_run() -> None:
    scenario = calc(
        APPROVE,
        says("/conductor approve", when="in_review"),
        says("/conductor status", when="in_review", where="issue"),
        {"when": "in_review", "merge": True, "by": "bob"},
        until="done",
    )
    with flow(scenario) as seen:
        assert seen.path == (*HAPPY, "done")
        assert [(one["by"], one["permission"], one["used"]) for one in seen.report["approvals"]] == [
            ("ana", "maintain", True)
        ]
        (pull,) = seen.report["github"]["pulls"]
        assert pull["state"] == "merged"
        assert pull["head"].startswith("conductor/7-add-subtracts")
        assert seen.report["github"]["labels"] == ["conductor: done"]
        seen.expect_comment(ASKED, "@ana")
        seen.expect_comment(PUBLISHED, "@ana")
        # Approved twice: the second one finds nothing that waits.
        seen.expect_comment("Nothing waits for approval", where="pull")
        seen.expect_comment("in review by people", "$0.")
        seen.expect_comment("Done", where="issue")


def test_a_revised_plan_is_approved_by_its_own_hash_alone() -> None:
    shown: list[str] = []

    def decide(act: AnyAct, github: SimulatedGitHub) -> AnyAct:
        """The first plan's hash is read where people read it, and named after the second plan was shown."""
        if isinstance(act, Comment) and act.where == "issue":
            shown.extend(re.findall(r"Plan \| `([0-9a-f]{8})`", str(github.snapshot()["comments"])))
        if isinstance(act, Comment) and act.comment == "/conductor approve OLD":
            return act.model_copy(update={"comment": f"/conductor approve {shown[0]}"})
        return act

    scenario = calc(
        says("/conductor revise name the function in the summary", where="issue"),
        says("/conductor approve OLD"),
        APPROVE,
        model={"planner": [plan(), plan(summary="add(a, b) subtracts; make it add.")]},
    )
    with flow(scenario, decide=decide) as seen:
        assert seen.path == (*HAPPY[:3], *HAPPY)
        assert [one["used"] for one in seen.report["approvals"]] == [True]
        assert "add(a, b) subtracts" in seen.report["github"]["pulls"][0]["body"]
        seen.expect_comment("did not count", shown[0], where="pull")
        seen.expect_comment(ASKED)
        seen.published()


@pytest.mark.parametrize("how", ["unlabel", "close", "command"])
def test_a_run_is_cancelled(how: str) -> None:
    acts: dict[str, dict[str, object]] = {
        "unlabel": {"when": "plan.approval", "unlabel": "conductor", "by": "ana"},
        "close": {"when": "plan.approval", "close": True, "by": "bob", "where": "pull"},
        "command": says("/conductor cancel", by="bob", where="issue"),
    }
    with flow(calc(acts[how], until="cancelled")) as seen:
        assert seen.path == (*HAPPY[:3], "cancelled")
        assert not any(label.startswith("conductor") for label in seen.report["github"]["labels"])
        assert seen.report["approvals"] == []
        seen.expect_comment(ASKED)
        seen.expect_comment("Cancelled")


def test_code_that_a_ci_with_secrets_would_run_waits_for_a_second_approval() -> None:
    scenario = calc(
        APPROVE,
        says("/conductor approve", when="code.approval", by="ana"),
        files={".github/workflows/deploy.yml": DEPLOYING},
    )
    with flow(scenario) as seen:
        assert seen.path == (*HAPPY[:5], "code.approval", "publishing", "in_review")
        assert [(one["stage"], one["used"]) for one in seen.report["approvals"]] == [("plan", True), ("code", True)]
        seen.expect_comment("publishing it would run it in CI beside secrets")
        seen.published()


def test_nothing_is_written_in_a_dry_run() -> None:
    with flow(calc(until="plan.approval", config={"mode": "dry-run"})) as seen:
        assert seen.path == HAPPY[:3]
        assert {row["state"] for row in seen.report["outbox"]} == {"allowed"}
        assert seen.report["github"]["writes"] == []
        assert START["label"] in seen.report["github"]["labels"]
