"""The plan gate: a plan that is vague, hostile or not of this repository is not even reviewed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from bot.domain.facts import PlanFacts
from bot.domain.gate import GateResult, Verdict
from bot.gates.plan_commands import test_id_problem as id_problem
from bot.gates.plan_gate import MAX_BODY_BYTES, MAX_DOCUMENT_BYTES, MAX_PLAN_PATHS, PLAN_GATE

QUOTE = "return items[0]"
ENTRY = {"mode": "100644", "blob": "b" * 40, "size": 300}
GOOD: dict[str, Any] = {
    "plan": {
        "summary": "Add every item.\n\tThe naïve loop takes one.",
        "acceptance": [
            {"id": "A1", "text": "All items count.", "proof": {"test": "tests/test_calc.py::test_all[x y]"}},
            {"id": "A2", "text": "It type-checks.", "proof": {"command": "python -m mypy calc.py"}},
        ],
        "steps": [
            {
                "id": "S1",
                "title": "Sum",
                "intent": "Use sum.",
                "paths": [{"path": "calc.py", "use": "edit"}, {"path": "old.py", "use": "delete"}],
                "covers": ["A1"],
            },
            {
                "id": "S2",
                "title": "Types",
                "intent": "Annotate.",
                "paths": [{"path": "types.pyi", "use": "create"}],
                "depends_on": ["S1"],
                "covers": ["A2"],
            },
        ],
        "grounds": [{"path": "calc.py", "start_line": 2, "end_line": 2, "quote": QUOTE}],
        "verify": ["python -m mypy calc.py"],
        "tests": [
            {"path": "tests/test_new.py", "change": "add", "why": "Covers A1."},
            {"path": "tests/test_calc.py", "change": "edit", "why": "Renamed."},
        ],
        "risks": [{"text": "Callers of the first item.", "mitigation": "None found."}],
    },
    "entries": {
        "calc.py": ENTRY,
        "old.py": ENTRY,
        "types.pyi": None,
        "tests/test_new.py": None,
        "tests/test_calc.py": ENTRY,
    },
    "cited": [{"path": "calc.py", "start_line": 2, "end_line": 2, "quote": QUOTE, "text": "    return items[0]"}],
    "verify_configured": ["python -m pytest"],
    "verify_detected": ["make test"],
    "verify": ["python -m pytest", "python -m mypy calc.py"],
    "guard": [
        {"command": "python -m pytest", "allowed": True, "rule": "python", "reason": ""},
        {"command": "python -m mypy calc.py", "allowed": True, "rule": "python", "reason": ""},
    ],
    "runs": [
        {"command": "python -m pytest", "exit_code": 1, "timed_out": False, "seconds": 1, "output_tail": ""},
        {"command": "python -m mypy calc.py", "exit_code": 0, "timed_out": False, "seconds": 1, "output_tail": ""},
    ],
    "protected": ["ops/**"],
    "document_bytes": 2_000,
    "body_bytes": 3_000,
}

Change = Callable[[dict[str, Any]], None]


def ask(change: Change = lambda _facts: None) -> GateResult:
    data = copy.deepcopy(GOOD)
    change(data)
    return PLAN_GATE.evaluate(PlanFacts.model_validate(data))


def put(*way: str | int, value: Any) -> Change:
    """Sets what stands at ``way`` of the facts."""

    def change(data: dict[str, Any]) -> None:
        at: Any = data
        for name in way[:-1]:
            at = at[name]
        at[way[-1]] = value

    return change


def step_path(path: str, use: str = "edit", entry: Any = ENTRY) -> Change:
    def change(data: dict[str, Any]) -> None:
        data["plan"]["steps"][0]["paths"].append({"path": path, "use": use})
        data["entries"][path] = entry
        cited = {"path": path, "start_line": 1, "end_line": 1, "quote": "something long"}
        data["plan"]["grounds"].append(cited)
        data["cited"].append(cited | {"text": "something long"})

    return change


def refused_by(result: GateResult, verifier: str, says: str, verdict: Verdict = Verdict.FAIL) -> None:
    assert not result.is_open
    reasons = [reason for reason in result.reasons if reason.verifier == verifier and reason.verdict is verdict]
    assert any(says in reason.sentence for reason in reasons), result.closed_by


def test_a_good_plan_passes() -> None:
    result = ask()
    assert result.is_open, result.closed_by
    assert len(result.reasons) == 16
    (runs,) = [reason for reason in result.reasons if reason.verifier == "runs"]
    assert runs.values["exit_codes"]["python -m pytest"] == 1, "shown, not judged"


@pytest.mark.parametrize(
    ("verifier", "says", "change"),
    [
        ("ids", "A1 is there more than once", put("plan", "acceptance", 1, "id", value="A1")),
        ("ids", "S1 is there more than once", put("plan", "steps", 1, "id", value="S1")),
        ("criteria", "no acceptance criterion", put("plan", "acceptance", value=[])),
        ("criteria", "no step covers A2", put("plan", "steps", 1, "covers", value=[])),
        ("criteria", "covers A9, which is no criterion", put("plan", "steps", 1, "covers", value=["A2", "A9"])),
        ("steps", "in a circle", put("plan", "steps", 0, "depends_on", value=["S2"])),
        ("steps", "does not have", put("plan", "steps", 0, "depends_on", value=["S7"])),
        ("steps", "no step names a path", put("plan", "steps", value=[])),
        ("paths", "'..'", step_path("../etc/passwd")),
        ("paths", "absolute", step_path("/etc/passwd")),
        ("paths", ".git", step_path("x/.GIT/config", "create", None)),
        ("paths", "\\u202e", step_path("a\u202eb")),
        ("paths", "'..'", put("plan", "tests", 0, "path", value="../t.py")),
        ("paths", "'..'", put("plan", "grounds", 0, "path", value="../t.py")),
        ("workflows", "CI workflow", step_path(".github/workflows/ci.yml", "create", None)),
        ("workflows", "CI workflow", step_path(".GitHub/Workflows/ci.yml")),
        ("workflows", "CI workflow", put("plan", "tests", 0, "path", value=".github/workflows/t.yml")),
        ("base", "new.py is not at base", step_path("new.py", "edit", None)),
        ("base", "gone.py is not at base", step_path("gone.py", "delete", None)),
        ("base", "is at base already", step_path("here.py", "create")),
        ("base", "link or a submodule", step_path("link", "edit", ENTRY | {"mode": "120000"})),
        ("base", "link or a submodule", step_path("sub", "delete", ENTRY | {"mode": "160000"})),
        ("base", "two uses: delete and edit", step_path("calc.py", "delete")),
        ("base", "collides", put("collisions", value=["Types.pyi"])),
        ("citations", "does not stand", put("cited", 0, "text", value="    return items[1]")),
        (
            "citations",
            "could not be read: too large",
            put("cited", 0, value=GOOD["cited"][0] | {"text": None, "problem": "too large"}),
        ),
        ("citations", "no such text file", put("cited", 0, "text", value=None)),
        ("citations", "5 characters", put("plan", "grounds", 0, "quote", value="items")),
        ("grounds", "calc.py is edited and not cited", put("plan", "grounds", value=[])),
        ("tests", "to be added and is at base", put("entries", "tests/test_new.py", value=ENTRY)),
        ("tests", "cannot be changed (edit)", put("entries", "tests/test_calc.py", value=None)),
        ("protected", "ops/x.py is protected by ops/** and no risk", step_path("ops/x.py")),
        ("protected", "OPS/x.py", step_path("OPS/x.py")),
        ("protected", "ops/t.py", put("plan", "tests", 0, "path", value="ops/t.py")),
        ("size", "the plan has", put("document_bytes", value=MAX_DOCUMENT_BYTES + 1)),
        ("size", "60000 are allowed", put("body_bytes", value=MAX_BODY_BYTES + 1)),
        ("characters", "/summary has characters that cannot be seen: U+202E", put("plan", "summary", value="a\u202eb")),
        ("characters", "/summary", put("plan", "summary", value="a\rb")),
        ("characters", "/steps/0/title", put("plan", "steps", 0, "title", value="a\nb")),
        ("characters", "/risks/0/text", put("plan", "risks", 0, "text", value="a\U000e0041")),
        ("characters", "/out_of_scope/0", put("plan", "out_of_scope", value=["\ue000"])),
        ("characters", "/verify/0", put("plan", "verify", 0, value="make\u200b")),
        ("characters", "/verify/0", put("plan", "verify", 0, value="make\nrm -rf /")),
        ("characters", "/grounds/0/quote", put("plan", "grounds", 0, "quote", value="return\x00 items")),
        ("proofs", "begins like an option", put("plan", "acceptance", 0, "proof", "test", value="--co")),
        ("proofs", "names a file that", put("plan", "acceptance", 0, "proof", "test", value="../x.py::t")),
        ("verify", "No verify command", put("verify", value=[])),
        ("verify", "python -m pytest is not in effect", put("verify", value=["python -m mypy calc.py"])),
        ("verify", "nobody asked", put("plan", "verify", value=[])),
        (
            "guard",
            "may not run: no shells (deny)",
            put(
                "guard",
                0,
                value={"command": "python -m pytest", "allowed": False, "rule": "deny", "reason": "no shells"},
            ),
        ),
        ("runs", "did not end in time", put("runs", 0, "timed_out", value=True)),
        ("runs", "did not start at base (exit code 127)", put("runs", 0, "exit_code", value=127)),
        ("runs", "exit code 126", put("runs", 0, "exit_code", value=126)),
    ],
)
def test_a_bad_plan_is_refused_with_the_reason(verifier: str, says: str, change: Change) -> None:
    refused_by(ask(change), verifier, says)


@pytest.mark.parametrize(
    ("verifier", "says", "change"),
    [
        ("base", "calc.py was not looked up", put("entries", value={})),
        ("tests", "was not looked up", put("entries", value={})),
        ("citations", "0 of 1 citations were read", put("cited", value=[])),
        ("citations", "calc.py:2-2 was not read", put("cited", 0, "start_line", value=1)),
        ("size", "not measured", put("document_bytes", value=0)),
        ("size", "not measured", put("body_bytes", value=0)),
        ("guard", "python -m pytest was not asked", put("guard", value=GOOD["guard"][1:])),
        ("guard", "make proof was not asked", put("plan", "acceptance", 1, "proof", "command", value="make proof")),
        ("runs", "python -m pytest was not run at base", put("runs", value=GOOD["runs"][1:])),
    ],
)
def test_what_was_not_looked_up_closes_it_too(verifier: str, says: str, change: Change) -> None:
    refused_by(ask(change), verifier, says, Verdict.UNKNOWN)


def test_a_guard_that_answers_twice_is_believed_when_it_refuses() -> None:
    refused = {"command": "python -m pytest", "allowed": False, "rule": "deny", "reason": "no"}
    for answers in ([refused, *GOOD["guard"]], [*GOOD["guard"], refused]):
        refused_by(ask(put("guard", value=answers)), "guard", "may not run")


@pytest.mark.parametrize("text", ["ops/** is touched.", "We change OPS/X.py."])
def test_a_protected_path_is_named_by_itself_or_by_its_pattern(text: str) -> None:
    def change(data: dict[str, Any]) -> None:
        step_path("ops/x.py")(data)
        data["plan"]["risks"][0]["text"] = text

    assert ask(change).is_open


def test_a_risk_that_names_another_path_does_not_count() -> None:
    def change(data: dict[str, Any]) -> None:
        step_path("ops/x.py")(data)
        data["plan"]["risks"][0]["text"] = "ops/y.py is touched."

    refused_by(ask(change), "protected", "ops/x.py")


def test_a_file_too_short_to_be_quoted_needs_no_citation() -> None:
    def change(data: dict[str, Any]) -> None:
        data["plan"]["steps"][0]["paths"].append({"path": "__init__.py", "use": "edit"})
        data["entries"]["__init__.py"] = ENTRY | {"size": 0}

    assert ask(change).is_open


def test_a_quote_may_keep_the_files_line_ends() -> None:
    def change(data: dict[str, Any]) -> None:
        for cited in (data["plan"]["grounds"][0], data["cited"][0]):
            cited["quote"] = "return items[0]\r\n"
            cited["end_line"] = 3
        data["cited"][0]["text"] = "    return items[0]\r\n"

    assert ask(change).is_open


def test_detected_commands_count_where_none_is_configured() -> None:
    refused_by(ask(put("verify_configured", value=[])), "verify", "make test is not in effect")


def test_too_many_paths() -> None:
    def change(data: dict[str, Any]) -> None:
        for number in range(MAX_PLAN_PATHS):
            step_path(f"f{number}.py", "create", None)(data)
        data["plan"]["grounds"], data["cited"] = data["plan"]["grounds"][:1], data["cited"][:1]

    refused_by(ask(change), "size", "303 paths")


@pytest.mark.parametrize(
    "name", ["tests/test_a.py::test_b", "tests/t.py::C::test_x[a-b c]", "TestAdd/sub", "adds two numbers"]
)
def test_ids_of_tests(name: str) -> None:
    assert id_problem(name) == ""


@pytest.mark.parametrize(
    "name", [" ", " a", "a ", "-k x", "a\tb", "a\u200bb", "/abs.py::t", "a.py::", "a.py::::", ".git/x.py::t"]
)
def test_what_is_no_id_of_a_test(name: str) -> None:
    assert id_problem(name)
