"""Reviewers, the ledger and rework: what is proven blocks and is mended by the steps concerned, what is not counts for nothing."""

from __future__ import annotations

from bot.domain.outcome import NeedsHuman
from tests.harness.house import House
from tests.harness.house_agents import (
    APPROVE,
    FIXED,
    NEW_TEST,
    PLAN,
    TWO_STEPS,
    approves,
    changes,
    finding,
    fixed,
    fixed_plan,
    plan_finding,
)

ONE, TWO = "code_reviewer.1", "code_reviewer.2"


def test_an_open_finding_reworks_only_the_steps_concerned_until_it_is_fixed() -> None:
    bad, good = f"NUMBERS = 10\n{FIXED}", f"NUMBERS = 20\n{FIXED}"
    with House() as house:
        house.agents.plans = [TWO_STEPS]
        house.agents.works = {"S1": [{"calc.py": bad}, {"calc.py": good}], "S2": [{"tests/test_add.py": NEW_TEST}]}
        house.agents.reviews = {
            ONE: [
                changes(finding(line=1, quote="NUMBERS = 10", title="A remark")),
                approves(fixed("F1", 1, "NUMBERS = 20")),
            ]
        }
        house.published()
        assert [job.step for job in house.agents.of("step")] == ["S1", "S2", "S1"]
        assert "code.rework code.draft" in house.path()
        told = house.agents.of("step")[-1].payload["feedback"]
        assert len(told) == 1
        assert told[0].startswith("F1 (major, correctness, calc.py:1-1): A remark.")
        assert house.findings()["F1"].status == "fixed"
        second = house.agents.of("review", ONE)[-1].payload["ledger"]
        assert [(one["id"], one["raised_by_you"]) for one in second] == [("F1", True)]
        other = house.agents.of("review", TWO)[-1].payload["ledger"]
        assert [one["raised_by_you"] for one in other] == [False]
        assert len(house.rows("branch.update")) == 1, "only reviewed code is published"


def test_a_finding_about_the_plan_makes_another_plan() -> None:
    with House() as house:
        house.agents.plans = [PLAN, {**PLAN, "summary": "Sum both, precisely"}]
        house.agents.reviews = {
            "plan_reviewer.2": [changes(plan_finding()), approves(fixed_plan("F1", "Sum both, precisely"))]
        }
        house.planned()
        assert "plan.rework plan.draft" in house.path()
        assert "Too vague" in house.agents.of("draft")[-1].payload["feedback"][0]
        assert house.agents.of("draft")[-1].payload["previous"]
        assert house.findings()["F1"].status == "fixed"
        assert "precisely" in house.pull["body"]


def test_an_unproven_finding_is_withdrawn_and_stops_nothing_by_itself() -> None:
    ghost = {**APPROVE, "findings": [finding(quote="this line is nowhere", title="A ghost")]}
    with House() as house:
        house.agents.reviews = {ONE: [ghost]}
        house.published()
        assert "code.rework code.draft" not in house.path()
        row = house.findings()["F1"]
        assert (row.status, row.reason) == ("withdrawn", "unproven")
        assert "A ghost" not in house.pull["body"]


def test_asking_for_changes_without_proof_is_no_counting_review_and_gets_a_new_context_then_a_person() -> None:
    ghost = changes(finding(quote="this line is nowhere"))
    with House() as house:
        house.agents.reviews = {ONE: [ghost]}
        house.planned().say("/conductor approve")
        assert house.path()[-2:] == ["code.rereview code.review", "halt needs_human"]
        assert len(house.agents.of("review", ONE)) == 2
        assert len(house.agents.of("review", TWO)) == 1, "who answered is not asked again"
        assert ONE in house.run.halt_reason
        house.agents.reviews = {ONE: [APPROVE]}
        house.say("/conductor retry")
        assert house.state == "in_review"


def test_no_counting_review_gets_a_new_context_and_then_goes_on() -> None:
    with House() as house:
        house.agents.reviews = {"plan_reviewer.1": [None, APPROVE]}
        house.planned()
        assert "plan.rereview plan.review" in house.path()
        assert len(house.agents.of("review", "plan_reviewer.1")) == 2


def test_approving_what_was_never_opened_is_no_review() -> None:
    with House() as house:
        house.agents.blind = {TWO}
        house.planned().say("/conductor approve")
        assert house.path()[-2:] == ["code.rereview code.review", "halt needs_human"]
        assert "never opened" in house.run.halt_reason


def test_a_quarrel_is_taken_to_a_person() -> None:
    first = f"# the first way\n{FIXED}"
    second = f"# the second way\n{FIXED}"
    with House(config="rounds: 6\n") as house:
        house.agents.works = {
            "S1": [{"calc.py": text, "tests/test_add.py": NEW_TEST} for text in (first, second, first, second)]
        }
        house.agents.reviews = {
            ONE: [
                changes(
                    finding(line=1, quote="# the first way", title="Not one"), says=[fixed("F2", 1, "# the first way")]
                ),
                changes(
                    finding(line=1, quote="# the second way", title="Not two"),
                    says=[fixed("F1", 1, "# the second way")],
                ),
            ]
            * 3
        }
        house.planned().say("/conductor approve")
        assert house.state == "needs_human"
        assert len(house.agents.of("step")) < 6, house.story()
        assert "F1" in house.run.halt_reason
        assert len(house.comments("@ana")) == 2


def test_rounds_of_rework_are_bounded_and_the_ledger_can_be_settled_by_a_person() -> None:
    bad = {"calc.py": f"# it adds numbers\n{FIXED}", "tests/test_add.py": NEW_TEST}
    remark = finding(line=1, quote="# it adds numbers", title="A remark")
    with House(config="rounds: 1\n") as house:
        house.agents.works = {"S1": [bad]}
        house.agents.reviews = {ONE: [changes(remark), APPROVE]}
        house.planned().say("/conductor approve")
        assert house.state == "needs_human"
        assert "open findings after 1 round" in house.run.halt_reason
        house.say("/conductor justify F1 the remark may stay")
        assert (house.findings()["F1"].status, house.findings()["F1"].source) == ("justified", "reviewer")
        house.say("/conductor retry")
        assert house.state == "in_review", house.story()
        assert "the remark may stay" in house.pull["body"]
        notes = house.checks("Conductor: review ledger")[-1]["annotations"]
        assert [(one["path"], one["start_line"], one["annotation_level"]) for one in notes] == [
            ("calc.py", 1, "notice")
        ]


def test_more_than_fifty_annotations_go_in_several_requests() -> None:
    text = "".join(f"# remark {number:03}\n" for number in range(60)) + FIXED
    remarks = [finding(line=n + 1, quote=f"# remark {n:03}", title=f"Remark {n}") for n in range(60)]
    with House(config="rounds: 1\n") as house:
        house.agents.works = {"S1": [{"calc.py": text, "tests/test_add.py": NEW_TEST}]}
        house.agents.reviews = {
            ONE: [changes(*remarks[:20]), APPROVE],
            TWO: [changes(*remarks[20:40]), APPROVE],
        }
        house.planned().say("/conductor approve")
        assert house.state == "needs_human"
        house.say("\n".join(f"/conductor justify F{n} fine" for n in range(1, 41)))
        house.agents.reviews = {ONE: [changes(*remarks[40:])], TWO: [APPROVE]}
        house.say("/conductor retry")
        assert house.state == "needs_human", house.story()
        house.say("\n".join(f"/conductor justify F{n} fine" for n in range(41, 61)))
        house.agents.reviews = {}
        house.say("/conductor retry")
        assert house.state == "in_review", house.run.halt_reason
        assert len(house.checks("Conductor: review ledger")[-1]["annotations"]) == 60
        assert [row.state for row in house.rows() if ":annotations:" in row.dedupe_key] == ["confirmed"]


def test_a_red_work_gate_drafts_again_with_its_reasons() -> None:
    with House() as house:
        house.agents.works = {
            "S1": [{"calc.py": FIXED, "other.py": "x = 1\n"}, {"calc.py": FIXED, "tests/test_add.py": NEW_TEST}]
        }
        house.published()
        assert "code.redraft code.draft" in house.path()
        assert any("other.py" in one for one in house.agents.of("step")[-1].payload["feedback"])


def test_a_canary_or_an_agent_that_gives_up_asks_for_a_person() -> None:
    with House() as house:
        house.agents.step_facts = {"S1": [{"canaries": ["AWS_SECRET"]}, {}]}
        house.planned().say("/conductor approve")
        assert house.state == "needs_human"
        assert "planted secret" in house.run.halt_reason
        house.agents.outcomes["step"] = [NeedsHuman("the model refused")]
        house.say("/conductor retry")
        assert (house.state, house.run.halt_reason) == ("needs_human", "the model refused")
        house.say("/conductor retry")
        assert house.state == "in_review"
