"""Every text that people read on GitHub, as committed files. `UPDATE_SNAPSHOTS=1` writes them anew; read the diff."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from bot.domain.commands import parse_commands
from bot.domain.plan import Plan
from bot.domain.subject import PlanSubject
from bot.domain.workflow import SOFTWARE
from bot.wording import checks, labels, mentions, replies, titles
from bot.wording.bodies import plan_body, result_body
from bot.wording.ledger_table import ledger_table
from bot.wording.status import RunView, status_comment
from bot.wording.view import FindingView

SNAPSHOTS = Path(__file__).parent / "snapshots"
TOKEN = "0123456789abcdef0123456789abcdef"
COMMIT = "a" * 40
NOTES = ("2 comments were left out: they are newer than the label or by people without write permission.",)


@dataclass(frozen=True)
class Run:
    id: str = "r7k2"
    state: str = "plan.approval"
    spent_micro_dollars: int = 420_000
    budget_micro_dollars: int = 10_000_000
    halt_reason: str = ""
    known: dict[str, Any] = field(default_factory=lambda: {"pull": 8})


PLAN = {
    "summary": "Add `subtract(a, b)` to calc.py beside add, with a test, because @mallory asked for it in #7.",
    "acceptance": [
        {"id": "A1", "text": "subtract(5, 3) gives 2.", "proof": {"test": "tests/test_calc.py::test_subtract"}},
        {"id": "A2", "text": "All tests pass.", "proof": {"command": "python -m pytest -q"}},
    ],
    "steps": [
        {
            "id": "S1",
            "title": "Write subtract",
            "intent": "Mirror add.\n\nNo other function changes.",
            "paths": [{"path": "calc.py", "use": "edit"}],
            "covers": ["A1"],
        },
        {
            "id": "S2",
            "title": "Test it",
            "intent": "One test for each sign.",
            "paths": [{"path": "tests/test_calc.py", "use": "edit"}],
            "depends_on": ["S1"],
            "covers": ["A1", "A2"],
        },
    ],
    "grounds": [{"path": "calc.py", "start_line": 1, "end_line": 2, "quote": "def add(a, b):\n    return a + b"}],
    "verify": ["python -m pytest -q"],
    "tests": [{"path": "tests/test_calc.py", "change": "edit", "why": "The new function needs a test."}],
    "risks": [{"text": "Callers may expect floats.", "mitigation": "Behave as add does."}],
    "out_of_scope": ["Multiplication."],
}
SUBJECT = PlanSubject(
    plan=Plan.model_validate(PLAN),
    blobs={"calc.py": "b" * 40},
    verify=("python -m pytest -q",),
    setup=("pip install -e .",),
    config_sha256="c" * 64,
    risk="high",
    risk_reasons=("pyproject.toml is a dependency manifest or lock file.",),
    issue_sha256="d" * 64,
    budget_micro_dollars=10_000_000,
)
FINDINGS = (
    FindingView(
        id="F1",
        status="fixed",
        severity="major",
        category="tests",
        title="The negative case | is not tested",
        claim="Nothing proves subtract(3, 5).",
        reason="S2 names it now.",
        raised_by=("plan_reviewer.1", "plan_reviewer.2"),
        source="reviewer",
        round=1,
        pointer="/steps/1/intent",
        quote="One test",
    ),
    FindingView(
        id="F2",
        status="withdrawn",
        severity="blocker",
        category="security",
        title="made up",
        claim="never shown",
        reason="unproven",
        raised_by=("plan_reviewer.2",),
        source="reviewer",
        round=1,
        unproven=True,
    ),
    FindingView(
        id="F3",
        status="justified",
        severity="minor",
        category="readability",
        title="The name is short",
        claim="a and b say little.",
        reason="add uses the same names.",
        raised_by=("@ana",),
        source="human",
        round=2,
        path="calc.py",
        start_line=1,
        end_line=2,
        quote="def add(a, b):\n    return a + b",
        suggestion="left and right",
    ),
)
OPEN = (replace(FINDINGS[0], status="open", path="calc.py", start_line=2, end_line=2, reason=""), *FINDINGS[1:])
VIEW = RunView(
    run_id="r7k2",
    state="plan.draft",
    paused=False,
    requester="ana",
    stage="plan",
    round=1,
    why="",
    open_findings=1,
    settled_findings=2,
    spent=420_000,
    budget=10_000_000,
    pull=8,
    plan_hash=SUBJECT.sha256[:8],
    mode="active",
    notes=NOTES,
    page="https://conductor.example/runs/r7k2",
)


def of_status(state: str, **changes: Any) -> str:
    stage = state.partition(".")[0] if "." in state else ""
    return status_comment(replace(VIEW, state=state, stage=stage, **changes))


def bodies() -> dict[str, str]:
    plan = plan_body(SUBJECT, issue=7, run_id="r7k2", findings=FINDINGS, spent=420_000, notes=NOTES)
    done = [("S1", "Wrote subtract, mirrored on add.\nfixes #3"), ("S2", "Two tests.")]
    result = result_body(
        SUBJECT, issue=7, run_id="r7k2", findings=FINDINGS, summaries=done, notes=NOTES, approver="ana"
    )
    return {"plan_body.md": plan, "result_body.md": result, "ledger_table.md": ledger_table(OPEN)}


def statuses() -> dict[str, str]:
    why = "Two rounds are spent and F1 is open."
    told = {f"status_{state}.md": of_status(state, why=why) for state in SOFTWARE.states}
    first = replace(VIEW, state="queued", stage="", round=0, open_findings=0, settled_findings=0)
    told["status_queued.md"] = status_comment(
        replace(first, spent=0, budget=0, pull=0, plan_hash="", notes=(), page="")
    )
    return told | {"status_paused.md": of_status("code.draft", paused=True, mode="dry-run")}


def people() -> dict[str, str]:
    why = "The budget of $10 is spent."
    return {
        f"mention_{state}.md": text
        for state in SOFTWARE.states
        if (text := mentions.for_state(state, requester="ana", issue=7, pull=8, why=why))
    }


def answers() -> dict[str, str]:
    run = Run()
    stopped = replace(run, state="needs_human", halt_reason="The budget is spent.")
    [wrong] = parse_commands("/conductor aprove")
    return {
        "already_running": replies.already_running("r7k2", "plan.draft"),
        "too_many_starts": replies.too_many_starts(20),
        "misread": replies.misread(wrong),  # type: ignore[arg-type]  # it is one
        "unheard": replies.unheard("ana"),
        "no_run": replies.no_run(),
        "nothing_to_approve": replies.nothing_to_approve(replace(run, state="code.review")),
        "cannot_revise": replies.cannot_revise(replace(run, state="code.draft")),
        "cannot_retry": replies.cannot_retry(run),
        "already_over": replies.already_over(replace(run, state="cancelled")),
        "needs_maintain": replies.needs_maintain(),
        "finding_not_settled": replies.finding_not_settled("F9", "F9 is not in the ledger."),
        "help_text": replies.help_text(),
        "second_approval_needed": replies.second_approval_needed("ana"),
        "approval_refused": replies.approval_refused("ana", "plan", ["The issue's title changed; /conductor revise."]),
        "not_taken_in": replies.not_taken_in("The review by `ana`", "GitHub refused with 404: Not Found"),
        "outside_plan": replies.outside_plan(["README.md", "docs/a b.md"]),
        "status": replies.status(run, 420_000),
        "status_stopped": replies.status(stopped, 10_000_000),
        "cost": replies.cost(run, 420_000),
    }


def all_checks() -> dict[str, Any]:
    return {
        "plan_waiting": checks.plan_waiting(SUBJECT, SUBJECT.sha256),
        "diff_waiting": checks.diff_waiting("e" * 40, "--- a/calc.py\n+++ b/calc.py\n@@ -1 +1 @@\n-a\n+b\u202e\n"),
        "plan_approved": checks.plan_approved(SUBJECT, SUBJECT.sha256, "ana"),
        "plan_changing": checks.plan_changing(),
        "plan_closed": checks.plan_closed("ana asked for it"),
        "not_reviewed": checks.not_reviewed(COMMIT),
        "ledger_open": checks.ledger(OPEN, over=""),
        "annotations": [checks.annotation(one) for one in checks.annotatable(OPEN, {"calc.py": 2})],
        "ledger_settled": checks.ledger(FINDINGS, over=""),
        "ledger_over": checks.ledger(OPEN, over="ana asked for it"),
    }


def everything() -> dict[str, str]:
    fixed = {
        "pull": titles.pull(7, "Add subtraction (fixes #3)"),
        "plan_commit": titles.plan_commit(7, "Add subtraction", TOKEN),
        "code_commit": titles.code_commit(7, "Add subtraction", TOKEN, "ana", "101"),
        "labels": "\n".join(f"{state}: {labels.phase(state, paused=False)}" for state in SOFTWARE.states),
    }
    told = {f"title_{name}.txt": text for name, text in fixed.items()}
    told |= {f"reply_{name}.md": text for name, text in answers().items()}
    jsons = {name: json.dumps(value, indent=2, ensure_ascii=False) for name, value in all_checks().items()}
    return told | {f"check_{name}.json": text for name, text in jsons.items()} | bodies() | statuses() | people()


@pytest.mark.parametrize("name", sorted(everything()))
def test_text_is_as_committed(name: str) -> None:
    said = everything()[name] + "\n"
    path = SNAPSHOTS / name
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(said, "utf-8")
    assert path.read_text("utf-8") == said


def test_no_snapshot_is_left_over() -> None:
    assert {path.name for path in SNAPSHOTS.iterdir()} == set(everything())
