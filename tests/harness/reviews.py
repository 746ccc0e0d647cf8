"""What scripted reviewers say in flow tests: findings, resolutions, reviews, and drafts round by round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tests.harness.scenarios import FIXED, NEW_TEST

READ_DIFF: Final[dict[str, Any]] = {"tool": "read_diff", "input": {}}
READ_CALC: Final[dict[str, Any]] = {"tool": "read_file", "input": {"path": "calc.py"}}
ONE, TWO = "code_reviewer.1", "code_reviewer.2"


def cited(quote: str, start: int, end: int | None = None, *, path: str = "calc.py") -> dict[str, Any]:
    """A citation."""
    return {"path": path, "start_line": start, "end_line": end or start, "quote": quote}


def pointed(pointer: str, quote: str) -> dict[str, Any]:
    """A quote from the plan."""
    return {"pointer": pointer, "quote": quote}


def finding(title: str, *evidence: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A finding; major and about correctness if nothing else is said."""
    said = {"title": title, "severity": "major", "category": "correctness", "claim": f"{title}, and that is wrong."}
    return {**said, "evidence": list(evidence), **more}


def says(name: str, status: str, *evidence: Mapping[str, Any], reason: str = "") -> dict[str, Any]:
    """What a reviewer says of an earlier finding."""
    return {
        "finding": name,
        "status": status,
        "reason": reason or f"{name} is {status}",
        "evidence": list(evidence),
    }


def review(verdict: str, *findings: Mapping[str, Any], resolutions: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """A submission: ``approve`` or ``changes_requested``."""
    given = {"verdict": verdict, "findings": list(findings), "resolutions": list(resolutions)}
    return {"tool": "submit_review", "input": given}


def reads(*submissions: Mapping[str, Any], first: Mapping[str, Any] = READ_DIFF) -> list[dict[str, Any]]:
    """A context that opens what it judges, then submits; the last submission repeats while it is sent back."""
    return [dict(first), *map(dict, submissions)]


def writes(above: str, **files: str) -> list[dict[str, Any]]:
    """An implementer's round: the mended calculator below ``above``, its test, and other files by name (``.py`` left out)."""
    made = {"calc.py": above + FIXED, "tests/test_add.py": NEW_TEST} | {
        f"{name}.py": text for name, text in files.items()
    }
    calls = [{"tool": "write_file", "input": {"path": path, "content": text}} for path, text in made.items()]
    return [*calls, {"tool": "submit_work", "input": {"step": "S1", "summary": "add adds"}}]


def rows(report: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Id, status and reason of every finding of a report."""
    return [(one["id"], one["status"], one["reason"]) for one in report["ledger"]]


def judged(report: Mapping[str, Any], role: str) -> list[tuple[str, str]]:
    """Decision and rule of every submission of a role, in order."""
    calls = (one for one in report["tool_calls"] if one["role"] == role and one["tool"] == "submit_review")
    return [(one["decision"], one["rule"]) for one in calls]


def ledger_checks(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The ledger's check runs, by head."""
    return [one for one in report["github"]["check_runs"] if one["name"] == "Conductor: review ledger"]
