"""The way of a run through the whole control plane: from the label to the merge, with redrafts, revisions and halts."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest

from bot.domain.subject import sha256_of
from bot.ports import records as r
from bot.simulator.github.faults import Fault
from tests.harness.house import House
from tests.harness.house_agents import CALC, FILES, FIXED, NEW_TEST, PLAN

START = "start plan.draft"
PLANNED = [START, "plan.draft plan.review", "plan.review plan.approval"]
CODED = ["plan.approval code.draft", "code.draft code.review", "code.unattended publishing", "published in_review"]
PHASES = ("conductor: planning", "conductor: awaiting approval", "conductor: implementing", "conductor: in review")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_the_whole_way() -> None:
    with House() as house:
        house.planned()
        run = house.run
        assert house.path() == PLANNED
        assert house.branch() == {path: digest(text) for path, text in FILES.items()}
        assert run.branch == "conductor/7-add-is-wrong"
        assert house.labels == ["conductor", "conductor: awaiting approval"]
        assert house.pull["draft"]
        assert house.pull["body"].count("Closes #7") == 1
        (plan,) = house.checks("Conductor: plan")
        (ledger,) = house.checks("Conductor: review ledger")
        assert (plan["conclusion"], ledger["conclusion"]) == ("action_required", "success")
        assert len(house.comments("@ana")) == 1, "the requester is mentioned once"
        assert house.reactions() == ["eyes"]

        house.say("/conductor approve", where="pull")
        assert house.path() == PLANNED + CODED
        assert house.branch()["calc.py"] == digest(FIXED)
        assert house.branch()["tests/test_add.py"] == digest(NEW_TEST)
        assert not house.pull["draft"]
        assert "Closes #7" in house.pull["body"]
        assert house.labels == ["conductor", "conductor: in review"]
        assert [one["conclusion"] for one in house.checks("Conductor: plan")] == ["success", "success"]
        assert [one["conclusion"] for one in house.checks("Conductor: review ledger")] == ["success", "success"]
        (asked,) = house.rows("review.request")
        assert json.loads(asked.payload) == {"reviewers": ["ana"]}
        (approval,) = house.approvals()
        assert (approval.by_login, approval.permission) == ("ana", "maintain")
        assert approval.used_at

        house.github.merge(by="ana")
        house.pump()
        assert house.path()[-1] == "merged done"
        assert house.labels == ["conductor: done"], "the start label is gone"
        assert len(house.comments("Done")) == 1, "the one status comment was edited to the end"
        for row in house.rows():
            assert row.state == "confirmed"
            assert row.decision == "allow"
            assert row.policy_ids
            assert row.payload_sha256 == sha256_of(row.payload)
            assert row.policy_set_sha256
            assert row.decision_sha256


def test_one_phase_label_at_a_time() -> None:
    with House() as house:
        house.published()
        standing: set[str] = {"conductor"}
        for row in house.rows():
            if row.kind == "label.add":
                standing |= set(json.loads(row.payload)["labels"])
            if row.kind == "label.remove":
                standing -= {row.target.rpartition("/")[2].replace("%3A", ":").replace("%20", " ")}
            assert len(standing & set(PHASES)) <= 2, "only between an add and the remove that follows it"
        assert standing == {"conductor", "conductor: in review"}
        made = [json.loads(row.payload)["name"] for row in house.rows("label.create")]
        assert made == list(PHASES)


@pytest.mark.parametrize("first", ["issues.closed", "pull_request.closed"])
def test_a_merge_is_done_whichever_closing_is_told_first(first: str) -> None:
    faults = [Fault(f"DELIVER {first}", swap=True)]
    with House(faults=faults) as house:
        house.published()
        house.github.merge(by="bob")
        house.pump()
        assert house.state == "done"
        assert house.path()[-1] == "merged done"


def test_a_closed_gate_costs_a_round_and_its_reasons_go_to_the_planner() -> None:
    bad = {**PLAN, "grounds": [{**PLAN["grounds"][0], "quote": "def add(a, b):\n    return a * b"}]}
    with House() as house:
        house.agents.plans = [bad, PLAN]
        house.planned()
        assert house.path() == [START, "plan.redraft plan.draft", *PLANNED[1:]]
        first, second = house.agents.of("draft")
        assert first.payload["feedback"] == []
        assert any("calc.py" in one for one in second.payload["feedback"])
        assert (first.round, second.round) == (1, 2)


def test_rounds_that_are_spent_ask_for_a_person_and_retry_gives_fresh_ones() -> None:
    bad = {**PLAN, "steps": [{**PLAN["steps"][0], "covers": []}]}
    with House() as house:
        house.agents.plans = [bad, bad, bad, PLAN]
        house.start()
        assert house.path() == [START, "plan.redraft plan.draft", "plan.redraft plan.draft", "halt needs_human"]
        assert house.labels == ["conductor", "conductor: needs human"]
        (mention,) = house.comments("@ana")
        assert "A1" in mention
        house.say("/conductor retry")
        assert house.path()[4:] == ["retry plan.draft", *PLANNED[1:]]
        assert house.labels == ["conductor", "conductor: awaiting approval"]


def test_revise_plans_again_from_a_fresh_snapshot() -> None:
    other = {**PLAN, "summary": "Make add really add"}
    with House() as house:
        house.agents.plans = [PLAN, other]
        house.planned()
        before, snapshot = house.pull["body"], house.run.snapshot_sha256
        house.github.push("main", {"README.md": "new\n"}, by="ana")
        house.say("/conductor revise say *really*", by="bob", where="pull")
        assert house.path() == [*PLANNED, "revise plan.draft", *PLANNED[1:]]
        assert house.run.snapshot_sha256 != snapshot
        assert house.agents.of("draft")[-1].payload["revision"] == "say *really*"
        assert house.pull["body"] != before
        assert "Make add really add" in house.pull["body"]
        assert len(house.checks("Conductor: plan")) == 1, "one check, changed in place"
        house.say("/conductor approve", by="bob")
        assert house.state == "in_review", house.comments()[-1]
        assert house.branch()["README.md"] == digest("new\n")
        assert house.branch()["calc.py"] == digest(FIXED)


def test_within_120_seconds_of_another_plan_only_its_reviser_may_approve_without_its_hash() -> None:
    with House() as house:
        house.agents.plans = [PLAN, {**PLAN, "summary": "Make add really add"}]
        house.planned()
        house.say("/conductor revise say really", by="bob")
        house.say("/conductor approve", by="ana")
        assert house.state == "plan.approval"
        assert "120" in house.comments("did not count")[-1]
        shown = house.checks("Conductor: plan")[-1]["summary"]
        name = shown.partition("/conductor approve ")[2][:8]
        house.say(f"/conductor approve {name}", by="ana")
        assert house.state == "in_review"


def test_revise_in_review_makes_another_plan_and_then_another_commit() -> None:
    more = {**PLAN, "summary": "Make add add with a remark"}
    with House() as house:
        house.agents.plans = [PLAN, more]
        first = {"calc.py": FIXED, "tests/test_add.py": NEW_TEST}
        house.agents.works = {"S1": [first, {**first, "calc.py": f"# adds\n{FIXED}"}]}
        house.published()
        house.say("/conductor revise add a remark")
        assert house.state == "plan.approval"
        assert "with a remark" in house.pull["body"]
        house.later(200)
        house.say("/conductor approve")
        assert house.state == "in_review", house.story()
        assert house.branch()["calc.py"] == digest(f"# adds\n{FIXED}")
        assert len(house.rows("branch.update")) == 2


def test_an_unanswered_plan_is_cancelled_after_14_days() -> None:
    with House() as house:
        house.planned()
        house.later(13 * 86_400)
        assert house.state == "plan.approval"
        house.later(86_400)
        assert house.state == "cancelled"
        assert "14 days" in house.run.halt_reason
        assert house.labels == []


def test_a_second_issue_waits_for_the_slot_and_an_approval_waits_too() -> None:
    with House(issues={7: "add is wrong", 8: "add is still wrong"}) as house:
        house.planned()
        house.agents.hooks["draft"] = lambda job: house.github.comment("issue", "/conductor approve", "ana", 7)
        house.start(number=8)
        first, second = house.runs()
        assert (first.issue_number, second.issue_number) == (7, 8)
        assert (first.state, second.state) == ("in_review", "plan.approval"), house.story()
        moves = [row for row in house.audit("transition") if row.body["to"] in {"plan.approval", "code.draft"}]
        assert [(row.subject, row.body["to"]) for row in moves] == [
            (first.id, "plan.approval"),
            (second.id, "plan.approval"),
            (first.id, "code.draft"),
        ]


def test_a_run_that_waits_in_the_queue_starts_when_the_slot_is_free() -> None:
    with House(issues={7: "add is wrong", 8: "add is still wrong"}) as house:
        house.github.label("conductor", by="ana", number=7)
        house.start(number=8)
        assert [run.state for run in house.runs()] == ["plan.approval", "plan.approval"]
        starts = [row.body["to"] for row in house.audit("transition")]
        assert starts == ["plan.draft", "plan.review", "plan.approval"] * 2, "one after the other"


def test_two_slots_let_two_runs_work_at_once() -> None:
    with House(issues={7: "add is wrong", 8: "add is still wrong"}, config="wip: 2\n") as house:
        seen: list[list[str]] = []
        house.agents.hooks["draft"] = lambda job: seen.append([run.state for run in house.runs()])
        house.github.label("conductor", by="ana", number=7)
        house.start(number=8)
        assert len(house.runs()) == 2
        assert any(states.count("plan.draft") == 2 for states in seen)


def test_labelling_again_after_an_end_is_a_new_run_on_another_branch() -> None:
    with House() as house:
        house.planned()
        house.say("/conductor cancel")
        assert house.state == "cancelled"
        assert house.labels == []
        house.start()
        assert house.state == "plan.approval"
        assert house.run.branch == "conductor/7-add-is-wrong-2"
        assert len(house.github.snapshot()["pulls"]) == 2
        house.say("/conductor approve", where="issue")
        assert house.state == "in_review"


def test_nothing_but_base_is_on_the_branch_before_the_approval() -> None:
    with House() as house:
        house.planned()
        assert house.branch()["calc.py"] == digest(CALC)
        assert [row.kind for row in house.rows() if row.kind.startswith("branch.")] == ["branch.create"]


def test_a_later_plan_is_not_shown_before_its_reviewers_passed_it() -> None:
    with House() as house:
        house.agents.plans = [PLAN, {**PLAN, "summary": "Make add really add"}]
        house.planned()
        seen: list[tuple[bool, str]] = []

        def look(_: object) -> None:
            shown = house.checks("Conductor: plan")[-1]["title"]
            seen.append(("really" in house.pull["body"], shown))

        house.agents.hooks["review"] = look
        house.say("/conductor revise say really")
        assert [shown for shown, _ in seen] == [False, False]
        assert "really" in house.pull["body"]
        assert house.checks("Conductor: plan")[-1]["title"] == "The plan waits for approval"


def test_code_is_published_on_what_the_branch_holds_though_the_tree_store_was_lost() -> None:
    with House() as house:
        house.agents.works = {"S1": [{"calc.py": FIXED, "tests/test_add.py": NEW_TEST}, {"calc.py": f"#\n{FIXED}"}]}
        house.planned()
        house.github.push("main", {"README.md": "new\n"}, by="ana")
        house.say("/conductor revise again", by="ana")
        house.say("/conductor approve", by="ana")
        assert house.state == "in_review", house.comments()
        house.github.push("main", {"README.md": "newer\n"}, by="ana")
        house.say("/conductor revise again", by="ana")
        shutil.rmtree(house.settings.data / "trees.git")
        house.restart()
        house.say("/conductor approve", by="ana")
        assert house.state == "in_review", house.run.halt_reason
        assert house.branch()["README.md"] == digest("newer\n")
        assert house.branch()["calc.py"] == digest(f"#\n{FIXED}")


@pytest.mark.parametrize("by", ["a pause", "a stop"])
def test_a_queued_run_that_may_not_begin_keeps_the_slot_from_nobody(by: str) -> None:
    with House(issues={7: "add is wrong", 8: "add is wrong too", 9: "and again"}) as house:
        asked: list[str] = []

        def others(job: r.Job) -> None:
            if asked:
                return
            asked.append(job.id)
            for number in (8, 9):
                house.github.label("conductor", by="ana", number=number)
                house._settle()
            if by == "a pause":
                house.meanwhile("/conductor pause", number=8)
            else:
                (waits,) = (run.id for run in house.runs() if run.issue_number == 8)
                house.parts.stopping.set("run", waits, stopped=True, by="op", reason="x")

        house.agents.hooks["draft"] = others
        house.start(number=7)
        house.later(3600)
        states = {run.issue_number: run.state for run in house.runs()}
        assert states == {7: "plan.approval", 8: "queued", 9: "plan.approval"}, house.story()


def test_a_plan_that_lacks_its_second_approval_keeps_the_slot_from_nobody() -> None:
    with House(config="protected: [calc.py]\n", issues={7: "add is wrong", 8: "add is wrong too"}) as house:
        house.start(number=7)
        house.say("/conductor approve", by="bob", number=7)
        house.start(number=8)
        house.later(3600)
        states = {run.issue_number: run.state for run in house.runs()}
        assert states == {7: "plan.approval", 8: "plan.approval"}, house.story()
