"""Which tests a command ran and how each ended: read from a report or from what the runner prints."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final, Literal, TypeAlias

from bot.domain.facts import TestOutcome

Tests: TypeAlias = dict[str, TestOutcome]
Kind: TypeAlias = Literal["pytest", "unittest", "node", "go", "other"]

NO_REPORT: Final = "(the runner did not report)"
"""Stands for a session that ended without saying how."""

_RANK: Final[Mapping[str, int]] = {"passed": 0, "skipped": 1, "failed": 2, "error": 3}
_PYTEST: Final = re.compile(
    r"(?:^|[\s;&|(])(?:[\w./-]*python[\d.]*\s+(?:-\w+\s+)*-m\s+pytest|(?:[\w./-]*/)?(?:pytest|py\.test))(?=$|[\s;&|)])"
)
_UNITTEST: Final = re.compile(r"python[\d.]*\s+-m\s+unittest(?:\s+[\w./*=-]+)*\s*")
_GO: Final = re.compile(r"go\s+test(?:\s+[\w./=-]+)*\s*")
_GO_WORDS: Final[Mapping[str, TestOutcome]] = {"pass": "passed", "fail": "failed", "skip": "skipped"}
_NODE: Final = re.compile(r"node\s+--test(?:\s+(?:[\w./*=-]+|'[\w./*=-]+'|\"[\w./*=-]+\"))*\s*")
_TAP: Final = re.compile(r"^( *)(not ok|ok) \d+ - (.*?)(?: # (SKIP|TODO).*)?$")
_SUBTEST: Final = re.compile(r"^( *)# Subtest: (.*)$")


def kind_of(command: str) -> Kind:
    """Which runner a command plainly calls; ``other`` may still call one that reports (make, a script)."""
    if _PYTEST.search(command):
        return "pytest"
    for pattern, kind in ((_UNITTEST, "unittest"), (_NODE, "node"), (_GO, "go")):
        if pattern.fullmatch(command.strip()):
            return kind  # type: ignore[return-value]  # each of the three is a Kind
    return "other"


@dataclass(frozen=True, slots=True)
class Instrumented:
    """A command made to report. ``mark``: a random word, the same nowhere else; ``argv`` is what runs in the sandbox."""

    command: str
    kind: Kind
    mark: str
    argv: tuple[str, ...]

    @property
    def plugin(self) -> str:
        """The plugin module's name."""
        return f"conductor_report_{self.mark}"


# The plugin, its path and the report lie in the sandbox's own /tmp, which nobody wrote to before and nobody reads after.
_SCRIPT: Final = """
d="/tmp/$3"; mkdir -p "$d" && printf %s "$2" >"$d/conductor_report_$3.py"
export PYTHONPATH="$d${PYTHONPATH:+:$PYTHONPATH}" PYTEST_ADDOPTS="-p conductor_report_$3 --maxfail=0"
export CONDUCTOR_REPORT="$d/report"
/bin/bash -c "$1"; code=$?
printf '\\n%s\\n' "$3"; [ -f "$d/report" ] && cat "$d/report"
exit $code
"""


def instrumented(command: str, mark: str) -> Instrumented:
    """``command`` with a report behind its output, after a line that is ``mark``."""
    kind = kind_of(command)
    text = command
    match kind:
        case "unittest":
            text = re.sub(r"-m\s+unittest", f"-m conductor_report_{mark}", command, count=1)
        case "go":
            text = command if " -json" in command else re.sub(r"go\s+test", "go test -json", command, count=1)
        case "node":
            text = re.sub(r"node\s+--test", "node --test --test-reporter=tap", command, count=1)
        case "pytest" | "other":
            # A command that sets the path itself would lose the plugin, and pytest then refuses to start.
            text = re.sub(r"(?<![\w$])PYTHONPATH=", f"PYTHONPATH=/tmp/{mark}:", command)
    reporter = "unittest_report.py" if kind == "unittest" else "pytest_report.py"
    source = (files("workers.agents.runners") / reporter).read_text("utf-8")
    return Instrumented(command, kind, mark, ("/bin/bash", "-c", _SCRIPT, "sh", text, source, mark))


def plain_argv(command: str) -> tuple[str, ...]:
    """The command as it is, without any report."""
    return ("/bin/bash", "-c", command)


def lost_plugin(made: Instrumented, output: str) -> bool:
    """Whether pytest did not start only because it did not find the plugin (another Python, another path)."""
    return f'Error importing plugin "{made.plugin}"' in output and made.kind != "unittest"


def read(made: Instrumented, output: str) -> tuple[str, Tests | None]:
    """What the command printed, without the report, and the outcome of each test; None where its ids cannot be read."""
    before, found, report = output.rpartition(f"\n{made.mark}\n")
    printed = before if found else output
    if not found:
        # The command, or something it started, ended the shell around it: nothing it says counts.
        return printed, {NO_REPORT: "error"} if made.kind != "other" else None
    match made.kind:
        case "go":
            return printed, _go(printed)
        case "node":
            return printed, _tap(printed)
        case "pytest" | "unittest" | "other":
            told = _reported(report)
            if told is None and made.kind != "other":
                return printed, {NO_REPORT: "error"}
            return printed, told


def _reported(report: str) -> Tests | None:
    """Outcomes by id; what was collected and never ended is an error, and so is a session without an end."""
    found: Tests = {}
    collected: list[str] = []
    started = finished = 0
    for line in report.splitlines():
        told = _object(line)
        if told is None:
            continue
        started += told.get("started") == 1
        finished += told.get("finished") == 1
        if isinstance(told.get("collected"), str):
            collected.append(told["collected"])
        name, outcome = told.get("id"), told.get("outcome")
        if isinstance(name, str) and isinstance(outcome, str) and outcome in _RANK:
            _worst(found, name, outcome)  # type: ignore[arg-type]  # the ranks' keys are the outcomes
    if not started:
        return None
    for name in collected:
        found.setdefault(name, "error")
    if finished < started:
        found[NO_REPORT] = "error"
    return found


def _object(line: str) -> dict[str, Any] | None:
    """A line's JSON object; None for anything else, since the code under test may write lines, too."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _worst(found: Tests, name: str, outcome: TestOutcome) -> None:
    if _RANK[outcome] >= _RANK[found.get(name, "passed")]:
        found[name] = outcome


def _go(printed: str) -> Tests | None:
    found: Tests = {}
    seen = False
    for line in printed.splitlines():
        told = _object(line) if line.startswith("{") else None
        if told is None:
            continue
        seen = True
        test, action = told.get("Test"), told.get("Action")
        if isinstance(test, str) and test and isinstance(action, str) and action in _GO_WORDS:
            _worst(found, f"{told.get('Package', '')}/{test}", _GO_WORDS[action])
    return found if seen else None


def _tap(printed: str) -> Tests | None:
    """TAP of node's runner: a test inside another is named after it."""
    found: Tests = {}
    path: list[tuple[int, str]] = []
    parents: set[str] = set()
    for line in printed.splitlines():
        if (opened := _SUBTEST.match(line)) is not None:
            depth = len(opened[1])
            path = [one for one in path if one[0] < depth]
            parents.add(" > ".join(name for _, name in path))
            path.append((depth, opened[2]))
        elif (ended := _TAP.match(line)) is not None:
            depth = len(ended[1])
            name = " > ".join([*(name for at, name in path if at < depth), ended[3]])
            outcome: TestOutcome = "passed" if ended[2] == "ok" else "failed"
            _worst(found, name, "skipped" if ended[4] else outcome)
    return (
        {name: outcome for name, outcome in found.items() if name not in parents} if "TAP version" in printed else None
    )


def single_test_command(test_id: str) -> str:
    """How one pytest id is run by itself."""
    return f"python -m pytest -q {shlex.quote(test_id)}"
