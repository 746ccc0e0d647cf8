"""A second and a third workflow, given as data, go their whole way through the very services of the first."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any
from unittest import mock

import pytest

from bot.domain.workflow import Workflow
from tests.harness.house import House, HouseClock
from tests.harness.house_agents import FIXED, NEW_TEST, PLAN, approves, changes, fixed, plan_finding
from tests.harness.workflows import EIGHT, THREE, following

BETTER = FIXED.replace("def add", "LIMIT = 100\n\n\ndef add")
DOCUMENTS = [stage.name for stage in EIGHT.stages[:-1]]


def document(summary: str) -> dict[str, Any]:
    return {**PLAN, "summary": summary}


def test_three_stages_with_two_approvals_to_the_merge() -> None:
    with following(THREE), House() as house:
        house.agents.plans = [document("An outline"), document("A plan")]
        house.start()
        assert house.path() == [
            "start outline.draft",
            "outline.draft outline.review",
            "outline.review outline.approval",
        ]
        assert "An outline" in house.pull["body"]
        assert house.labels == ["conductor", "conductor: awaiting approval"]
        assert not house.agents.of("draft", "planner"), "nothing of the plan before the outline is approved"

        house.say("/conductor approve", where="pull")
        assert house.path()[3:] == [
            "outline.approval plan.draft",
            "plan.draft plan.review",
            "plan.review plan.approval",
        ]
        assert "A plan" in house.pull["body"]
        assert "An outline" not in house.pull["body"]
        assert [one["conclusion"] for one in house.checks("Conductor: plan")] == ["action_required"]
        assert house.agents.of("step") == [], "nothing of the code before the plan is approved, too"

        house.later(200)
        house.say("/conductor approve", where="issue", by="bob")
        assert house.path()[6:] == [
            "plan.approval code.draft",
            "code.draft code.review",
            "code.unattended publishing",
            "published in_review",
        ], house.story()
        assert [(one.stage, one.by_login, one.used_at > 0) for one in house.approvals()] == [
            ("outline", "ana", True),
            ("plan", "bob", True),
        ]
        assert not house.pull["draft"]
        house.github.merge(by="ana")
        house.pump()
        assert house.state == "done"


def test_two_documents_that_were_shown_in_one_second_are_told_apart_by_their_order() -> None:
    """GitHub's times are whole seconds: of the two, the one that waits is not the older one."""
    at = time.time_ns() // 1_000_000_000 * 1000 + 500
    standing = mock.patch.object(HouseClock, "now", lambda clock: at + clock.ahead_ms)
    with following(THREE), standing, House() as house:
        house.agents.plans = [document("An outline"), document("A plan")]
        house.start()
        house.say("/conductor approve", where="pull")
        assert house.state == "plan.approval", house.story()
        house.later(200)
        house.say("/conductor approve")
        assert house.state == "in_review", house.comments("did not count")


def test_a_revision_of_a_later_stage_begins_with_the_first_and_asks_for_both_approvals_again() -> None:
    with following(THREE), House() as house:
        house.agents.plans = [document(name) for name in ("Outline 1", "Plan 1", "Outline 2", "Plan 2")]
        house.start()
        house.say("/conductor approve")
        house.say("/conductor revise from the beginning")
        assert house.state == "outline.approval"
        assert "Outline 2" in house.pull["body"]
        (check,) = house.checks("Conductor: plan")
        assert check["conclusion"] == "action_required", "the first outline's approval is not the second's"
        house.later(200)
        house.say("/conductor approve")
        assert house.state == "plan.approval", house.story()
        assert "Plan 2" in house.pull["body"]
        house.later(200)
        house.say("/conductor approve")
        assert house.state == "in_review", house.story()
        assert len([one for one in house.approvals() if one.used_at]) == 3
        assert len(house.agents.of("step")) == 1


def test_a_halt_between_two_approvals_goes_on_where_it_was() -> None:
    bad = {**PLAN, "steps": [{**PLAN["steps"][0], "covers": []}]}
    with following(THREE), House() as house:
        house.agents.plans = [document("An outline"), bad, bad, bad, document("A plan")]
        house.start()
        house.say("/conductor approve")
        assert (house.state, house.run.halted_from) == ("needs_human", "plan.draft")
        house.say("/conductor retry")
        assert house.state == "plan.approval"
        assert house.path()[-3:] == ["retry plan.draft", "plan.draft plan.review", "plan.review plan.approval"]


def test_eight_stages_with_one_approval_to_the_merge() -> None:
    with following(EIGHT), House() as house:
        house.agents.plans = [document(f"Document {name}") for name in DOCUMENTS]
        house.start()
        way = ["start question.draft", "question.draft question.review"]
        for before, after in pairwise(DOCUMENTS):
            way += [f"{before}.unattended {after}.draft", f"{after}.draft {after}.review"]
        assert house.path() == [*way, "plan.review plan.approval"], house.story()
        assert "Document plan" in house.pull["body"]
        assert len(house.comments("@ana")) == 1, "one person is asked once"
        house.say("/conductor approve", where="pull")
        assert house.path()[len(way) + 1 :] == [
            "plan.approval build.draft",
            "build.draft build.review",
            "build.unattended publishing",
            "published in_review",
        ]
        assert len(house.approvals()) == 1
        house.github.merge(by="ana")
        house.pump()
        assert house.state == "done"


def test_findings_rounds_and_new_contexts_of_eight_stages_are_counted_apart() -> None:
    """All stages share one reviewer role, so nothing but the stage keeps their seats' tries and findings apart."""
    with following(EIGHT), House() as house:
        again = plan_finding(quote="Document", title="Vague")
        # Contexts of the one seat in their order: the question's is one without a submission, then comes its second;
        # the sources' too, and then asks for changes; every later one approves.
        good: dict[str, Any] = {"verdict": "approve"}
        fix = {
            "finding": "F1",
            "status": "fixed",
            "reason": "it is mended",
            "evidence": [{"pointer": "/summary", "quote": "Better"}],
        }
        house.agents.reviews["peer.1"] = [None, good, None, changes(again), {**good, "resolutions": [fix]}, good]
        house.agents.plans = [document("Document 1"), document("Document 2"), document("Better 3"), document("Good 4")]
        house.start()
        assert house.state == "plan.approval", house.story()
        assert house.path()[:9] == [
            "start question.draft",
            "question.draft question.review",
            "question.rereview question.review",
            "question.unattended sources.draft",
            "sources.draft sources.review",
            "sources.rereview sources.review",
            "sources.rework sources.draft",
            "sources.draft sources.review",
            "sources.unattended reading.draft",
        ]
        assert {name: (row.stage, row.status) for name, row in house.findings().items()} == {"F1": ("sources", "fixed")}


@pytest.mark.parametrize("workflow", [THREE, EIGHT], ids=["three", "eight"])
def test_what_people_ask_for_in_review_returns_to_the_last_stage(workflow: Workflow) -> None:
    last = workflow.stages[-1]
    seats = [f"{last.reviewer}.{number}" for number in (1, 2)]
    before = sum(stage.reviewer == last.reviewer for stage in workflow.stages)
    with following(workflow), House() as house:
        house.agents.works["S1"] = [
            {"calc.py": FIXED, "tests/test_add.py": NEW_TEST},
            {"calc.py": BETTER, "tests/test_add.py": NEW_TEST},
        ]
        said = approves(fixed("F1", 1, "LIMIT = 100"))
        house.agents.reviews = {seat: [*([approves()] * before), said] for seat in seats}
        house.start()
        while house.state.endswith(".approval"):
            house.later(200)
            house.say("/conductor approve")
        assert house.state == "in_review", house.story()
        house.github.review("request_changes", "Bound it.", [], by="bob")
        house.pump()
        assert house.path()[-4:] == [
            f"feedback {last.draft}",
            f"{last.draft} {last.review}",
            f"{last.name}.unattended publishing",
            "published in_review",
        ], house.story()
        assert len(house.rows("branch.update")) == 2
