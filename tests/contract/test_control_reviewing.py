"""Reviewers, the ledger and rework: what is proven blocks and is mended by the steps concerned, what is not counts for nothing."""

from __future__ import annotations

from bot.domain.outcome import Done, NeedsHuman
from bot.domain.subject import canonical
from bot.ports.records import Job
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


def test_a_new_context_in_the_same_round_is_no_second_review_of_it() -> None:
    """Judged twice, a round is one review: what the second context proves is reworked, not taken for a quarrel."""
    bad, good = f"NUMBERS = 10\n{FIXED}", f"NUMBERS = 20\n{FIXED}"
    ghost, other = finding(quote="this line is nowhere"), finding(quote="nor is this line", title="Another ghost")
    with House() as house:
        house.agents.works = {"S1": [{"calc.py": text, "tests/test_add.py": NEW_TEST} for text in (bad, good)]}
        house.agents.reviews = {
            ONE: [
                changes(ghost),
                changes(ghost, finding(line=1, quote="NUMBERS = 10")),
                approves(fixed("F3", 1, "NUMBERS = 20")),
            ],
            TWO: [{**APPROVE, "findings": [other]}, APPROVE],
        }
        house.planned().say("/conductor approve")
        assert house.state == "in_review", house.story()
        assert house.path().count("code.rereview code.review") == 1
        rows = [(row.id, row.status, row.title) for row in house.findings().values()]
        assert rows == [
            ("F1", "withdrawn", "It is wrong"),
            ("F2", "withdrawn", "Another ghost"),
            ("F3", "fixed", "It is wrong"),
        ], "what is unproven is recorded once"


def test_what_a_context_without_a_review_could_not_prove_is_recorded_and_nothing_else_of_it() -> None:
    ghost, proven = finding(quote="this line is nowhere"), finding(title="Proven, and dropped")

    def gives_up(job: Job) -> None:
        if job.role == ONE and len(house.agents.of("review", ONE)) == 1:
            desk = house.parts.desk
            dropped = desk.artifacts.put(job.installation_id, canonical(changes(ghost, proven)))
            result: dict[str, object] = {
                "review": "",
                "dropped": [dropped, dropped],
                "delivered": "",
                "problem": "it gave up",
            }
            house.agents.outcomes["review"] = [Done(result)]

    with House() as house:
        house.agents.hooks["review"] = gives_up
        house.published()
        assert "code.rereview code.review" in house.path()
        assert [(row.id, row.status, row.reason) for row in house.findings().values()] == [
            ("F1", "withdrawn", "unproven")
        ]


def test_an_approval_that_never_looked_and_proves_a_defect_asks_for_changes() -> None:
    bad, good = f"NUMBERS = 10\n{FIXED}", f"NUMBERS = 20\n{FIXED}"
    blocker = finding(line=1, quote="NUMBERS = 10", severity="blocker")
    with House() as house:
        house.agents.works = {"S1": [{"calc.py": text, "tests/test_add.py": NEW_TEST} for text in (bad, good)]}
        house.agents.reviews = {ONE: [{**APPROVE, "findings": [blocker]}, approves(fixed("F1", 1, "NUMBERS = 20"))]}
        house.agents.reviews[TWO] = [APPROVE, approves(fixed("F1", 1, "NUMBERS = 20"))]
        house.agents.blind = {ONE}
        house.agents.hooks["verify"] = lambda _job: house.agents.blind.clear() if house.findings() else None
        house.planned().say("/conductor approve")
        assert "code.rereview code.review" not in house.path()
        assert "code.rework code.draft" in house.path()
        assert (house.state, house.findings()["F1"].status) == ("in_review", "fixed")


def test_a_model_that_refuses_is_a_failed_review_and_shown_as_one_beside_its_fallback() -> None:
    def refuses(job: Job) -> None:
        if job.role == TWO and not job.payload["declined"]:
            result = {"review": "", "dropped": [], "delivered": "", "problem": "no", "model": "a-1", "declined": True}
            house.agents.outcomes["review"] = [Done(result)]

    with House() as house:
        house.agents.hooks["review"] = refuses
        house.published()
        assert "code.rereview code.review" in house.path()
        assert [job.payload["declined"] for job in house.agents.of("review", TWO)] == [[], ["a-1"]]
        assert [job.payload["declined"] for job in house.agents.of("review", ONE)] == [[]]
        check = house.checks("Conductor: review ledger")[-1]
        note = f"{TWO}, round 1: a failed review, the model a-1 refused"
        assert note in check["summary"].replace("\\", "")
        assert note in house.pull["body"].replace("\\", "")


def test_each_decision_keeps_what_was_compared_and_each_refused_wish_is_on_record() -> None:
    bad, same = f"NUMBERS = 10\n{FIXED}", f"NUMBERS = 10  # enough\n{FIXED}"
    ghost = finding(line=2, quote="return a * b", title="A ghost")
    with House() as house:
        house.agents.works = {"S1": [{"calc.py": text, "tests/test_add.py": NEW_TEST} for text in (bad, same)]}
        house.agents.reviews = {
            ONE: [
                changes(finding(line=1, quote="NUMBERS = 10"), ghost),
                approves(fixed("F1", 1, "NUMBERS = 10")),
            ],
            TWO: [APPROVE, approves({"finding": "F1", "status": "withdrawn", "reason": "never mind", "evidence": []})],
        }
        house.planned().say("/conductor approve")
        assert (house.state, house.findings()["F1"].status) == ("needs_human", "open")
        with house.parts.storage.read() as tx:
            events = tx.ledger.events(house.run.id)
        compared = [(one.finding_id, one.to_status, one.evidence[0]["compared"]) for one in events]
        assert compared == [
            ("F1", "open", {"problem": "", "found": "NUMBERS = 10"}),
            (
                "F2",
                "withdrawn",
                {
                    "problem": "calc.py:2-2 is not proven: the quote does not stand in these lines",
                    "found": "def add(a, b):",
                },
            ),
        ]
        refused = [row.body for row in house.audit("finding.refused")]
        assert [(one["seat"], one["finding"]) for one in refused] == [(ONE, "F1"), (TWO, "F1")]
        assert "no quoted line of calc.py:1-1 changed" in refused[0]["refused"]
        assert "cannot take it back" in refused[1]["refused"]
        house.agents.works = {"S1": [{"calc.py": f"NUMBERS = 20\n{FIXED}"}]}
        house.agents.reviews = {ONE: [approves(fixed("F1", 1, "NUMBERS = 20"))]}
        house.say("/conductor retry")
        shown = house.agents.of("review", ONE)[-1].payload["ledger"]
        assert "no quoted line" in shown[0]["your_last_answer_was_refused"]
        assert (house.state, house.findings()["F1"].status) == ("in_review", "fixed")


def test_a_persons_line_comment_has_its_place_and_goes_to_the_step_that_owns_it() -> None:
    with House() as house:
        house.agents.plans = [TWO_STEPS]
        house.published()
        before = house.checks("Conductor: review ledger")[-1]
        house.agents.works = {"S1": [{"calc.py": FIXED.replace("a + b", "b + a")}]}
        house.agents.reviews = {ONE: [approves(fixed("F1", 2, "return b + a"))]}
        house.github.review("request_changes", "", [{"path": "calc.py", "line": 2, "body": "the other way"}], by="bob")
        house.pump()
        assert house.state == "in_review", house.story()
        row = house.findings()["F1"]
        assert (row.source, row.status, row.raised_by) == ("human", "fixed", ["@bob"])
        assert {**row.evidence[0], "key": ""} == {
            "path": "calc.py",
            "start_line": 2,
            "end_line": 2,
            "quote": "    return a + b",
            "key": "",
        }
        assert [job.step for job in house.agents.of("step")] == ["S1", "S2", "S1"]
        after = house.checks("Conductor: review ledger")[-1]
        assert before["head_sha"] != after["head_sha"]
        assert {one["conclusion"] for one in house.checks("Conductor: review ledger")} == {"success"}
        assert [(one["path"], one["start_line"]) for one in after["annotations"]] == [("calc.py", 2)]


def test_annotations_go_once_a_head_and_a_moved_line_is_followed() -> None:
    bad, good = f"NUMBERS = 10\n{FIXED}", f"# how many\n\nNUMBERS = 10\nOTHERS = 20\n{FIXED}"
    with House() as house:
        house.agents.works = {"S1": [{"calc.py": text, "tests/test_add.py": NEW_TEST} for text in (bad, good)]}
        house.agents.reviews = {
            ONE: [changes(finding(line=1, quote="NUMBERS = 10")), approves(fixed("F1", 4, "OTHERS = 20"))]
        }
        house.published()
        (note,) = house.checks("Conductor: review ledger")[-1]["annotations"]
        assert (note["path"], note["start_line"], note["end_line"]) == ("calc.py", 3, 3)
        house.say("/conductor cancel")
        check = house.checks("Conductor: review ledger")[-1]
        assert (check["status"], check["conclusion"]) == ("completed", "cancelled")
        assert len(check["annotations"]) == 1, "GitHub adds annotations; what stands there is not sent again"


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
