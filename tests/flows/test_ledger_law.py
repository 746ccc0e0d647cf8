"""The ledger's law over the real App: reviewers who talk defects away, bring them back, poison them, or never look."""

from __future__ import annotations

from typing import Any

from tests.harness.flow import ASKED, HAPPY, STOPPED, flow
from tests.harness.reviews import (
    ONE,
    READ_DIFF,
    TWO,
    cited,
    finding,
    judged,
    ledger_checks,
    reads,
    review,
    rows,
    says,
    writes,
)
from tests.harness.scenarios import APPROVE, APPROVES, PLAN, calc, plan
from tests.harness.scenarios import says as comments

STEP = PLAN["steps"][0]
REWORK = ("code.draft", "code.review")
LIMITS = "LIMIT = 10\nKINDS = 3\nNAMES = 4\nSIZES = 5\n\n\n"


def with_paths(*entries: dict[str, str]) -> list[dict[str, Any]]:
    """The planner names further files."""
    return plan(steps=[{**STEP, "paths": [*STEP["paths"], *entries]}])


def test_a_blocker_is_not_talked_away_nor_moved_away_and_the_quarrel_goes_to_a_person() -> None:
    leak = cited("LIMIT = 10", 1, path="limits.py")
    renamed = {"path": "bounds.py"}
    model = {
        "planner": with_paths({"path": "limits.py", "use": "create"}, {"path": "bounds.py", "use": "create"}),
        "implementer": [
            writes("", limits=LIMITS),
            # Nothing is mended: the line goes on under another name, with a comment that says otherwise.
            [
                {"tool": "run", "input": {"command": "mv limits.py bounds.py"}},
                {"tool": "submit_work", "input": {"step": "S1", "summary": "mended"}},
            ],
            [
                {
                    "tool": "edit_file",
                    "input": {"path": "bounds.py", "old": "KINDS = 3", "new": "KINDS = 33"},
                },
                {"tool": "submit_work", "input": {"step": "S1", "summary": "more kinds"}},
            ],
        ],
        ONE: [
            # It approves, and lists a blocker: that asks for changes.
            reads(review("approve", finding("The limit is too low", leak, severity="blocker"))),
            reads(
                review(
                    "approve",
                    resolutions=[says("F1", "fixed", {**leak, **renamed}, reason="it was moved")],
                )
            ),
            reads(review("approve", finding("The limit is too low", {**leak, **renamed}, severity="blocker"))),
        ],
        TWO: [
            reads(review("approve")),
            reads(review("approve", resolutions=[says("F1", "justified", {**leak, **renamed}, reason="never mind")])),
            reads(review("approve", resolutions=[says("F1", "open", reason="a person was wrong")])),
        ],
    }
    acts = (
        APPROVE,
        comments("/conductor ledger", when="needs_human", where="issue"),
        comments("/conductor justify F1 ten is what we sell", when="needs_human", where="issue"),
        comments("/conductor retry", when="needs_human", where="issue"),
    )
    with flow(calc(*acts, model=model, config={"rounds": 5}, seconds=120)) as seen:
        assert seen.path == (*HAPPY[:5], *REWORK, "needs_human", *REWORK, "publishing", "in_review")
        # A person settled it, so no reviewer opens it again with the same evidence, under whatever name of the file.
        assert rows(seen.report) == [("F1", "justified", "ten is what we sell")]
        why = seen.expect_comment(STOPPED, "F1 stayed open through rounds 1 and 2")
        assert "The limit is too low" in why
        assert f"{ONE} still holds it" in why.replace("\\", "")
        listed = seen.expect_comment("1 open finding; each blocks", "limits.py:1", "LIMIT = 10", where="issue")
        assert "blocker" in listed
        (row,) = seen.report["ledger"]
        assert (row["severity"], row["raised_by"], row["round"]) == ("blocker", [ONE], 1)
        check = ledger_checks(seen.report)[-1]
        assert check["conclusion"] == "success"
        # The quote is followed to the file and line where it stands now, or stays away.
        assert all(one["path"] != "limits.py" for one in check["annotations"])
        seen.expect_comment(ASKED)
        seen.expect_comment("is ready for review")
        seen.expect_comment("Ready for review")


def test_what_is_brought_back_opens_by_itself_and_what_is_mended_elsewhere_stays_mended() -> None:
    low = cited("LIMIT = 10", 1)
    model = {
        "implementer": [
            writes("LIMIT = 10\nSCALE = 20\n\n\n"),
            writes("LIMIT = 20\nSCALE = 20\n\n\n"),
            # The scale is mended where it is used; the limit is back.
            writes("LIMIT = 10\nSCALE = 20\nTWICE = SCALE * 2\n\n\n"),
            writes("LIMIT = 30\nSCALE = 20\nTWICE = SCALE * 2\n\n\n"),
        ],
        ONE: [
            reads(review("changes_requested", finding("Too low", low))),
            reads(review("approve", resolutions=[says("F1", "fixed", cited("LIMIT = 20", 1), reason="twenty")])),
            reads(review("approve")),
            reads(review("approve", resolutions=[says("F1", "fixed", cited("LIMIT = 30", 1), reason="thirty")])),
        ],
        TWO: [
            reads(review("approve")),
            reads(review("changes_requested", finding("Half of it", cited("SCALE = 20", 2)))),
            reads(
                review(
                    "approve",
                    resolutions=[says("F2", "fixed", cited("TWICE = SCALE * 2", 3), reason="mended where it is used")],
                )
            ),
            reads(review("approve")),
        ],
    }
    acts = (APPROVE, {"when": "in_review", "push": {"files": {"notes.txt": "mine\n"}}, "by": "bob"})
    with flow(calc(*acts, model=model, config={"rounds": 5}, seconds=150)) as seen:
        assert seen.path == (*HAPPY[:5], *REWORK * 3, "publishing", "in_review")
        assert rows(seen.report) == [("F1", "fixed", "thirty"), ("F2", "fixed", "mended where it is used")]
        told = {
            one["round"]: one["text"] for one in seen.report["model_requests"] if one["role"].startswith("implementer")
        }
        assert "F2" in told[3]
        assert "F1" in told[4], "nobody said that it was back"
        assert "F2" not in told[4]
        # The head that somebody else pushed is not covered, and says so; ours stays as it was.
        published, foreign = ledger_checks(seen.report)[-2:]
        assert (published["status"], published["conclusion"]) == ("completed", "success")
        assert [(one["path"], one["start_line"]) for one in published["annotations"]] == [
            ("calc.py", 1),
            ("calc.py", 2),
        ]
        assert (foreign["status"], foreign["conclusion"]) == ("completed", "failure")
        assert foreign["title"] == f"not reviewed at {foreign['head_sha']}"
        seen.expect_comment(ASKED)
        seen.expect_comment("is ready for review")
        seen.expect_comment("Ready for review")


def test_a_poisoned_fingerprint_silences_nobody() -> None:
    low = finding("Too low", cited("LIMIT = 10", 1))
    poison = finding("Too low", cited("LIMIT = 10", 2))
    belittled = finding("A matter of taste", cited("SCALE = 20", 2), severity="minor", category="readability")
    grave = finding("Wrong by two", cited("SCALE = 20", 2), severity="blocker", category="security")
    model = {
        "implementer": [writes("LIMIT = 10\nSCALE = 20\n\n\n"), writes("LIMIT = 20\nSCALE = 40\n\n\n")],
        ONE: [
            # A known defect, submitted badly, and another one belittled and then waved through.
            reads(review("approve", poison, belittled)),
            reads(
                review(
                    "approve",
                    resolutions=[
                        says("F2", "justified", cited("SCALE = 40", 2), reason="taste"),
                        says("F3", "fixed", cited("LIMIT = 20", 1), reason="not mine"),
                    ],
                ),
            ),
        ],
        TWO: [
            reads(review("changes_requested", grave, low)),
            reads(
                review(
                    "approve",
                    resolutions=[
                        says("F2", "fixed", cited("SCALE = 40", 2), reason="doubled"),
                        says("F3", "fixed", cited("LIMIT = 20", 1), reason="twenty"),
                    ],
                )
            ),
        ],
    }
    acts = (APPROVE, comments("/conductor cancel", when="needs_human", where="issue"))
    # Killed while reviewers work: nothing is raised twice, and no check is left hanging.
    crash = [{"kill": "agents", "when": "code.review"}]
    with flow(calc(*acts, model=model, config={"rounds": 5}, faults=crash, until="cancelled", seconds=120)) as seen:
        assert seen.path == (*HAPPY[:5], *REWORK, "needs_human", "cancelled")
        assert [one["applied"] for one in seen.report["faults"]] == [1]
        found = [(one["id"], one["status"], one["severity"], one["raised_by"]) for one in seen.report["ledger"]]
        assert found == [
            ("F1", "withdrawn", "major", [ONE]),
            # The graver word counts, so a blocker about security is for a person to justify, whoever belittled it first.
            ("F2", "open", "blocker", [ONE, TWO]),
            ("F3", "fixed", "major", [TWO]),
        ]
        assert [one["reason"] for one in seen.report["ledger"]][0::2] == ["unproven", "twenty"]
        check = ledger_checks(seen.report)[-1]
        assert (check["status"], check["conclusion"], check["title"]) == (
            "completed",
            "cancelled",
            "The run was cancelled",
        )
        assert "1 open finding" in check["summary"]
        assert check["annotations"] == [], "before anything is published it has no lines to stand on"
        seen.expect_comment(STOPPED, "F2 stayed open through rounds 1 and 2", "A matter of taste")
        seen.expect_comment("Cancelled")
        seen.expect_comment(ASKED)


def test_who_never_looks_and_who_refuses_are_no_reviewers_and_a_person_is_told_why() -> None:
    model = {
        ONE: [APPROVES],
        TWO: [READ_DIFF, {"refusal": True}],
    }
    config = {"models": {"reviewer": ["claude-fable-5-1", "claude-fable-5"]}}
    with flow(calc(APPROVE, model=model, config=config, until="needs_human")) as seen:
        assert seen.path == (*HAPPY[:5], "code.review", "needs_human")
        back, taken = ("deny", "submission.invalid"), ("allow", "submission.accepted")
        assert judged(seen.report, ONE) == [back, back, back, taken] * 2, "asked again, then no review"
        assert seen.report["ledger"] == []
        never = "it approves what it never opened: calc.py"
        seen.stopped("no counting review of the code", never, "claude-fable-5-1 refused to review")
        # Each seat has its own model, and the fallback is the other one; both refusals are shown as failed reviews.
        summary = ledger_checks(seen.report)[-1]["summary"].replace("\\", "")
        assert f"{TWO}, round 1: a failed review, the model claude-fable-5 refused" in summary
        assert f"{TWO}, round 1: a failed review, the model claude-fable-5-1 refused" in summary
        seen.expect_comment(ASKED)
