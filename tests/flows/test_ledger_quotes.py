"""Quotes and places that do not hold, over the real App: each is recorded as unproven, and none of them stops anything."""

from __future__ import annotations

import base64
from typing import Any

from tests.harness.flow import ASKED, HAPPY, flow
from tests.harness.reviews import (
    ONE,
    READ_CALC,
    TWO,
    cited,
    finding,
    judged,
    ledger_checks,
    pointed,
    reads,
    review,
    rows,
    says,
)
from tests.harness.scenarios import APPROVE, CALC, MODEL, PLAN, calc, plan

OLD = "".join(f"value_{number} = {number}\n" for number in range(8))
FILES: dict[str, Any] = {
    "accents.py": "# caf\u00e9 au lait\nx = 1\n",
    "dos.py": "first = 10_000\r\nsecond = 20_000\r\n",
    "link.py": {"link": "calc.py"},
    "blob.bin": {"base64": base64.b64encode(b"return a + b\n\0").decode()},
    "old.py": "obsolete = 'yes'\n",
    "name.py": OLD,
}
STEP = PLAN["steps"][0]
MOVING = plan(
    steps=[
        {
            **STEP,
            "paths": [
                *STEP["paths"],
                {"path": "old.py", "use": "delete"},
                {"path": "name.py", "use": "delete"},
                {"path": "renamed.py", "use": "create"},
            ],
        }
    ]
)
GOOD = cited("return a + b", 2)
BAD: dict[str, list[dict[str, Any]]] = {
    "one character": [cited("return a * b", 2)],
    "a tab for spaces": [cited("def add(a, b):\n\treturn a + b", 1, 2)],
    "another indent": [cited("def add(a, b):\n   return a + b", 1, 2)],
    "a carriage return for a line end": [cited("def add(a, b):\r    return a + b", 1, 2)],
    "a line end within a line": [cited("first = 10_000\nsecond\n= 20_000", 1, 2, path="dos.py")],
    "decomposed letters": [cited("# cafe\u0301 au lait", 1, path="accents.py")],
    "a Cyrillic letter": [cited("return \u0430 + b", 2)],
    "a hidden character": [cited("return a\u200b + b", 2)],
    "one line off": [cited("return a + b", 3)],
    "beyond the end": [cited("return a + b", 2, 999)],
    "the last line before the first": [cited("return a + b", 2, 1)],
    "out of the repository": [cited("return a + b", 2, path="../calc.py")],
    "from the root": [cited("return a + b", 2, path="/calc.py")],
    "by a detour": [cited("return a + b", 2, path="tests/../calc.py")],
    "in other case": [cited("return a + b", 2, path="CALC.py")],
    "through a link": [cited("calc.py is cited", 1, path="link.py")],
    "a link's own target": [cited("calc.py", 1, path="link.py"), GOOD],
    "a deleted file": [cited("obsolete = 'yes'", 1, path="old.py")],
    "a renamed file's old name": [cited("value_1 = 1", 2, path="name.py")],
    "a binary file": [cited("return a + b", 1, path="blob.bin")],
    "too short": [cited("a + b", 2)],
    "a pointer into no document": [pointed("/summary", "add() subtracts")],
    "no evidence": [],
    "one piece of two": [GOOD, cited("return a * b", 2)],
    "line ends and a letter": [cited("first = 10_000\r\nsecond = 20_001", 1, 2, path="dos.py")],
}


def test_what_is_not_verbatim_at_its_place_is_withdrawn_and_counted_only() -> None:
    thousand = [finding(f"Number {number}", GOOD) for number in range(1_000)]
    model = {
        "planner": MOVING,
        "implementer": [
            {"tool": "run", "input": {"command": "mv name.py renamed.py"}},
            {"tool": "run", "input": {"command": "rm old.py"}},
            *MODEL["implementer"],
        ],
        ONE: reads(review("approve", *(finding(title, *evidence) for title, evidence in BAD.items()))),
        TWO: reads(review("approve", *thousand), review("approve")),
    }
    with flow(calc(APPROVE, files=FILES, model=model)) as seen:
        assert seen.path == HAPPY
        report = seen.report
        assert rows(report) == [(f"F{number + 1}", "withdrawn", "unproven") for number in range(len(BAD))]
        assert [one["title"] for one in report["ledger"]] == list(BAD)
        assert {(*one["raised_by"], one["round"], one["source"]) for one in report["ledger"]} == {(ONE, 1, "reviewer")}
        back, taken = ("deny", "submission.invalid"), ("allow", "submission.accepted")
        assert judged(report, ONE) == [back, back, back, taken], "sent back three times, recorded once"
        assert judged(report, TWO) == [back, taken], "a thousand findings are no review"
        check = ledger_checks(report)[-1]
        assert (check["status"], check["conclusion"], check["title"]) == ("completed", "success", "No open findings")
        assert "25 claims could not be proved" in check["summary"]
        assert check["annotations"] == []
        body = report["github"]["pulls"][0]["body"]
        assert not any(title in body + check["summary"] for title in ("one character", "a Cyrillic letter"))
        seen.expect_comment(ASKED)
        seen.expect_comment("is ready for review")
        seen.expect_comment("Ready for review")


def test_findings_about_the_plan_need_a_pointer_that_resolves_and_approving_with_a_blocker_approves_nothing() -> None:
    clearer = "add(a, b) subtracts; make it add."
    first = [
        finding("A pointer to nowhere", pointed("/steps/7/intent", "Use plus, and test it")),
        finding("Another word", pointed("/steps/0/intent", "Use minus, and test it")),
        finding("No pointer", cited("def add(a, b):", 1)),
        finding("Vague", pointed("/summary", "make it add"), severity="blocker", category="plan"),
        finding("Untested", pointed("/steps/0/intent", "Use plus, and test it"), severity="minor"),
    ]
    mended = [says("F4", "fixed", pointed("/summary", clearer)), says("F99", "fixed", pointed("/summary", clearer))]
    again = [says("F5", "fixed", pointed("/steps/0/intent", "Use plus, test add and sub"))]
    model = {
        "planner": [
            plan(),
            plan(summary=clearer, steps=[{**STEP, "intent": "Use plus, test add and sub"}]),
        ],
        "plan_reviewer.1": [
            reads(review("approve", *first), first=READ_CALC),
            reads(review("approve", resolutions=[*mended, *again]), first=READ_CALC),
        ],
        "plan_reviewer.2": [
            reads(review("approve"), first=READ_CALC),
            # What another raised is not this seat's to take back, least of all without evidence.
            reads(review("approve", resolutions=[*mended[:1], says("F5", "withdrawn")]), first=READ_CALC),
        ],
    }
    with flow(calc(until="plan.approval", model=model)) as seen:
        report = seen.report
        assert seen.path == ("plan.draft", "plan.review", "plan.draft", "plan.review", "plan.approval")
        assert rows(report) == [
            ("F1", "withdrawn", "unproven"),
            ("F2", "withdrawn", "unproven"),
            ("F3", "withdrawn", "unproven"),
            ("F4", "fixed", "F4 is fixed"),
            ("F5", "fixed", "F5 is fixed"),
        ]
        check = ledger_checks(report)[-1]
        assert check["conclusion"] == "success"
        assert "plan /summary" in check["summary"]
        # What reviewers say in the first round stays between them and the ledger.
        asked = {(one["role"], one["round"]): one["text"] for one in report["model_requests"]}
        assert "earlier findings" not in asked["plan_reviewer.2", 1]
        assert "Vague" not in asked["plan_reviewer.2", 1]
        assert "Vague" in asked["plan_reviewer.2", 2]
        assert CALC.splitlines()[1].strip() in asked["plan_reviewer.2", 1], "what it opened"
        seen.expect_comment("Plan ready for approval")
        seen.expect_comment(ASKED)
