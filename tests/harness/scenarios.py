"""Small scenarios for flow tests: a calculator whose `add` subtracts, a model that mends it, and people who act."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Final

CALC: Final = "def add(a, b):\n    return a - b\n\n\ndef sub(a, b):\n    return a - b\n"
FIXED: Final = CALC.replace("a - b", "a + b", 1)
OLD_TEST: Final = "from calc import sub\n\n\ndef test_sub():\n    assert sub(3, 1) == 2\n"
NEW_TEST: Final = "from calc import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n"
FILES: Final[dict[str, Any]] = {"calc.py": CALC, "tests/test_calc.py": OLD_TEST}
DEPLOYING: Final = (
    "on: [pull_request]\njobs:\n  deploy:\n    runs-on: ubuntu-latest\n    steps:\n"
    "      - run: ./deploy\n        env: {KEY: '${{ secrets.DEPLOY_KEY }}'}\n"
)
PLAN: Final[dict[str, Any]] = {
    "summary": "add() subtracts; make it add.",
    "acceptance": [{"id": "A1", "text": "add(1, 2) is 3", "proof": {"test": "tests/test_add.py::test_add"}}],
    "steps": [
        {
            "id": "S1",
            "title": "Fix add",
            "intent": "Use plus, and test it",
            "paths": [{"path": "calc.py", "use": "edit"}, {"path": "tests/test_add.py", "use": "create"}],
            "covers": ["A1"],
        }
    ],
    "grounds": [{"path": "calc.py", "start_line": 1, "end_line": 2, "quote": "def add(a, b):\n    return a - b"}],
    "verify": ["python -m pytest -q"],
    "tests": [{"path": "tests/test_add.py", "change": "add", "why": "proof of A1"}],
}
APPROVES: Final[dict[str, Any]] = {"tool": "submit_review", "input": {"verdict": "approve"}}
MODEL: Final[dict[str, Any]] = {
    "planner": [
        {"tool": "read_file", "input": {"path": "calc.py"}},
        {"tool": "submit_plan", "input": PLAN},
    ],
    "plan_reviewer": [{"tool": "read_file", "input": {"path": "calc.py"}}, APPROVES],
    "implementer": [
        {"tool": "edit_file", "input": {"path": "calc.py", "old": CALC, "new": FIXED}},
        {"tool": "write_file", "input": {"path": "tests/test_add.py", "content": NEW_TEST}},
        {"tool": "submit_work", "input": {"step": "S1", "summary": "add adds"}},
    ],
    "code_reviewer": [{"tool": "read_diff", "input": {}}, APPROVES],
}
PEOPLE: Final = {"ana": "maintain", "bob": "write", "mallory": "read", "helper[bot]": "write"}
START: Final[dict[str, Any]] = {"when": "start", "label": "conductor", "by": "ana"}


def says(body: str, *, by: str = "ana", when: str = "plan.approval", where: str = "pull") -> dict[str, Any]:
    """Somebody comments."""
    return {"when": when, "comment": body, "by": by, "where": where}


APPROVE: Final = says("/conductor approve")


def calc(
    *acts: Mapping[str, Any],
    until: Sequence[str] | str = "in_review",
    seconds: float = 90,
    files: Mapping[str, Any] = {},
    model: Mapping[str, Any] = {},
    **more: Any,
) -> dict[str, Any]:
    """A scenario: ana labels the issue, then ``acts``. ``files`` and ``model`` are laid over the calculator's."""
    made: dict[str, Any] = {
        "repo": {"name": "acme/calc", "files": {**FILES, **files}},
        "issue": {"number": 7, "title": "add() subtracts", "body": "add(1, 2) gives -1.", "author": "mallory"},
        "people": dict(PEOPLE),
        "model": {**MODEL, **model},
        "people_do": [START, *acts],
        "until": {"state": [until] if isinstance(until, str) else list(until), "seconds": seconds},
    }
    return copy.deepcopy({**made, **more})


def plan(**changes: Any) -> list[dict[str, Any]]:
    """The planner's replies with parts of the plan exchanged."""
    return [MODEL["planner"][0], {"tool": "submit_plan", "input": {**PLAN, **changes}}]
