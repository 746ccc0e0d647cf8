"""Who and what opens the gate behind a plan: only what DESIGN section 4 calls an approval, each tried over the real App."""

from __future__ import annotations

from typing import Any

from bot.simulator.acts import AnyAct, Deliver
from bot.simulator.github.server import SimulatedGitHub
from tests.harness.flow import ASKED, HAPPY, flow
from tests.harness.scenarios import APPROVE, calc, says

NOT_APPROVALS = (
    says("/conductor approve", by="mallory"),
    says("/conductor approve", by="helper[bot]"),
    says("> /conductor approve"),
    says("> what about\n/conductor approve"),
    says("<!--\n/conductor approve\n-->"),
    says("```\n/conductor approve"),
    says("- /conductor approve"),
    says("    /conductor approve"),
    says("<details>\n\n/conductor approve\n\n</details>"),
    says("Looks good, let us /conductor approve"),
    says("A thought."),
    {"when": "plan.approval", "edit_comment": {"match": "A thought.", "body": "/conductor approve"}, "by": "ana"},
    {"when": "plan.approval", "review": {"state": "approve", "body": "/conductor approve"}, "by": "ana"},
    {"when": "plan.approval", "permission": {"bob": "read"}},
    says("/conductor approve", by="bob"),
)


def test_none_of_these_is_an_approval_and_then_one_is() -> None:
    with flow(calc(*NOT_APPROVALS, APPROVE)) as seen:
        assert seen.path == HAPPY
        # One approval was granted: ana's, by the last comment, and it opened one edge.
        assert [(one["by"], one["used"]) for one in seen.report["approvals"]] == [("ana", True)]
        seen.published()


def test_a_button_counts_on_our_own_check_alone_and_once() -> None:
    def decide(act: AnyAct, github: SimulatedGitHub) -> AnyAct:
        """Another App copies our check with its id and button, and somebody presses that."""
        if not isinstance(act, Deliver):
            return act
        copied = _our_plan_check(github)
        github.add_check_run(copied["name"], "action_required", app="copycat", external_id=copied["external_id"])
        forged = {
            "action": "requested_action",
            "requested_action": {"identifier": copied["identifier"]},
            "check_run": {**copied, "app": {"id": 99_999, "slug": "copycat"}},
            "sender": {"login": "ana", "id": github.world.account("ana").id, "type": "User"},
        }
        return act.model_copy(update={"deliver": act.deliver.model_copy(update={"payload": forged})})

    scenario = calc(
        {"when": "plan.approval", "deliver": {"event": "check_run"}},
        {"when": "plan.approval", "press": "Approve", "by": "mallory"},
        {"when": "plan.approval", "press": "Approve", "by": "ana"},
        says("/conductor approve", when="in_review"),
    )
    with flow(scenario, decide=decide) as seen:
        assert seen.path == HAPPY
        assert [(one["by"], one["used"]) for one in seen.report["approvals"]] == [("ana", True)]
        seen.expect_comment("Nothing waits for approval")
        seen.published()


def _our_plan_check(github: SimulatedGitHub) -> dict[str, Any]:
    run = next(
        one
        for one in github.world.only_repository().checks.values()
        if one.app is github.world.app and one.name == "Conductor: plan"
    )
    return {
        "id": run.id,
        "name": run.name,
        "head_sha": run.head_sha,
        "external_id": run.external_id,
        "identifier": next(one["identifier"] for one in run.actions if one["label"] == "Approve"),
    }


def test_a_plan_whose_text_was_changed_on_github_is_not_approved_until_it_is_shown_again() -> None:
    scenario = calc(
        {"when": "plan.approval", "edit_pull": {"body": "A harmless plan."}, "by": "bob"},
        APPROVE,
        says("/conductor revise show it again", where="issue"),
        APPROVE,
    )
    with flow(scenario) as seen:
        assert seen.path == (*HAPPY[:3], *HAPPY)
        assert [(one["by"], one["used"]) for one in seen.report["approvals"]] == [("ana", True)]
        seen.expect_comment("did not count", "revise", where="pull")
        seen.expect_comment(ASKED)
        assert "A harmless plan." not in seen.report["github"]["pulls"][0]["body"]
        seen.published()


def test_an_issue_that_somebody_with_write_changed_needs_a_new_plan() -> None:
    scenario = calc(
        {"when": "plan.approval", "edit_issue": {"body": "add(1, 2) gives -1, and sub is wrong too."}, "by": "bob"},
        APPROVE,
        until="plan.approval",
    )
    with flow(scenario) as seen:
        assert seen.path == HAPPY[:3]
        assert seen.report["approvals"] == []
        seen.expect_comment("did not count", "revise", where="pull")
        seen.expect_comment(ASKED)
        seen.expect_comment("Plan ready for approval")
