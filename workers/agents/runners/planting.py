"""Run (c) of the work gate: failing tests, put where the runner looks, which must be reported as failed.

Some have random names, in new files and in existing ones, so that a runner that was made to call everything passed is
found out. Others keep a known name, with a failure put before all that they do, so that one that was made to call the
known tests passed is found out, too.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from bot.domain.facts import CommandRun
from workers.agents.runners.outcomes import NO_REPORT, Kind
from workers.agents.runners.roles import role_of
from workers.agents.runners.units_javascript import body_starts
from workers.sandbox.errors import UnsafePath
from workers.sandbox.workspaces import read_bytes, write_bytes

_LEAST_NAME: Final = 8
_MOST_PLACES: Final = 3
_MOST_FILES: Final = 12
MOST_TURNED: Final = 40
_FAILURE: Final = "assert [] == [0]"
_PYTEST_TEST: Final = "def test_{name}():\n    assert [] == [0]\n"
_UNITTEST_TEST: Final = (
    "import unittest as _unittest_{name}\n\n\nclass Test_{name}(_unittest_{name}.TestCase):\n"
    "    def test_{name}(self):\n        self.assertEqual([], [0])\n"
)
_NODE_ESM: Final = (
    'import {{ test as test_{name} }} from "node:test";\nimport assert_{name} from "node:assert";\n'
    'test_{name}("{name}", () => {{ throw new Error("no"); }});\n'
    'test_{name}("{name}b", () => {{ assert_{name}.strictEqual(1, 2); }});\n'
    'test_{name}("{name}c", () => {{ assert_{name}.equal(1, 2); }});\n'
)
_NODE_COMMON: Final = (
    'require("node:test").test("{name}", () => {{ throw new Error("no"); }});\n'
    'require("node:test").test("{name}b", () => {{ require("node:assert").strictEqual(1, 2); }});\n'
    'require("node:test").test("{name}c", () => {{ require("node:assert").equal(1, 2); }});\n'
)
_NODE_FAILURE: Final = b' throw new Error("no");'
_GO_TEST: Final = 'package {package}\n\nimport "testing"\n\nfunc Test{name}(t *testing.T) {{ t.Fatal("no") }}\n'
_IS_ESM: Final = re.compile(rb"(?m)^\s*(?:import\s[^(]|import\{|export\s)")
_GO_PACKAGE: Final = re.compile(rb"(?m)^package\s+(\w+)")
_KEEPS_OUTCOME: Final = frozenset(
    {"parametrize", "usefixtures", "asyncio", "anyio", "django_db", "slow", "unit", "integration"}
)
_BAD: Final = frozenset({"passed", "skipped"})


@dataclass(frozen=True, slots=True)
class Group:
    """Failing tests of which at least one must be seen. ``names``: random ones; ``turned``: ids that passed before.

    ``place``: the file in and beside which they stand, "" where they stand in several.
    """

    place: str
    names: tuple[str, ...]
    turned: frozenset[str] = frozenset()

    def holds(self, test: str) -> bool:
        """Whether an id is one of these tests'."""
        return test in self.turned or any(name in test for name in self.names)


@dataclass(frozen=True, slots=True)
class Planted:
    """One group for each place of a runner that names its tests by file, one for each other runner."""

    groups: tuple[Group, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The random names of all."""
        return tuple(name for group in self.groups for name in group.names)

    def outcomes(self, runs: Iterable[CommandRun]) -> dict[str, str]:
        """Ids of planted tests that were reported, with their outcome; the best of it where runs differ."""
        found: dict[str, str] = {}
        for run in runs:
            for test, outcome in (run.tests or {}).items():
                if any(group.holds(test) for group in self.groups) and found.get(test) not in _BAD:
                    found[test] = outcome
        return found

    def unseen(self, runs: Iterable[CommandRun]) -> frozenset[str]:
        """Places of which only known names were reported: a command that picks tests by name does so, a hook too."""
        seen = self.outcomes(runs)
        return frozenset(
            group.place
            for group in self.groups
            if group.place and not any(name in test for test in seen for name in group.names)
        )

    def problem(self, runs: Sequence[CommandRun]) -> str:
        """What shows that failing tests do not fail here; "" when each was reported, and its run answered so."""
        seen = self.outcomes(runs)
        green = sorted(test for test, outcome in seen.items() if outcome in _BAD)
        if green:
            return f"{green[0]} fails and was reported as {seen[green[0]]}"
        for group in self.groups:
            if not any(group.holds(test) for test in seen):
                return f"{group.names[0]} was not reported"
        if "failed" not in seen.values():
            return f"{min(seen)} was not reported as failed" if seen else "no planted test was reported"
        for run in runs:
            tests = run.tests or {}
            if NO_REPORT in tests:
                return f"{run.command} ended without its runner's word"
            if run.exit_code == 0 and any(group.holds(test) for test in tests for group in self.groups):
                return f"{run.command} answered 0 although a planted test failed"
        return ""


@dataclass(frozen=True, slots=True)
class _New:
    """A test to write: into a new file (``append`` False), or behind what a file holds."""

    path: str
    source: str
    name: str
    append: bool


def plant(
    root: Path,
    passed: Collection[str],
    files: Iterable[str],
    word: str,
    *,
    kinds: Collection[Kind],
    turn: Collection[str] = (),
    known: Collection[str] = (),
) -> Planted | None:
    """Write failing tests into the tree at ``root``, beside and into files with tests.

    ``passed``: ids of tests that passed. ``files``: the tree's paths. ``word``: a random word of letters. ``kinds``: the
    runners whose ids can be read. ``turn``: ids among ``passed`` that are made to fail where that can be done.
    ``known``: paths of base's tree, which are taken before others, so that the same can be planted there. None when
    nothing says where a test could stand.
    """
    assert len(word) >= _LEAST_NAME, "a planted name must not be one that anybody uses"
    listed = list(files)
    groups: list[Group] = []
    if {"pytest", "unittest", "other"} & set(kinds):
        groups += _python(root, passed, turn, word, frozenset(known))
    if "node" in kinds and (paths := _node_files(root, listed)):
        turned = frozenset(test for path in paths for test in _turn_node(root, path, frozenset(turn)))
        tests = list(_node(root, paths, word))
        _write(root, tests)
        groups.append(Group("", tuple(one.name for one in tests), turned))
    if "go" in kinds and (tests := _go(root, listed, word)):
        _write(root, tests)
        groups.append(Group("", tuple(one.name for one in tests)))
    return Planted(tuple(groups)) if groups else None


def _write(root: Path, tests: Iterable[_New]) -> None:
    for one in tests:
        old = read_bytes(root, one.path) + b"\n\n" if one.append else b""
        write_bytes(root, one.path, old + one.source.encode())


def _beside(path: str, name: str) -> str:
    return str(PurePosixPath(path).with_name(name))


def _python(
    root: Path, passed: Collection[str], turn: Collection[str], word: str, known: frozenset[str]
) -> Iterator[Group]:
    """The first files, one a folder, in which a test passed; and every file of a test that is to be turned."""
    turned: dict[str, dict[str, list[str]]] = {}
    for test in turn:
        if (where := _place(root, test)) is not None:
            turned.setdefault(where[0], {}).setdefault(where[1], []).append(test)
    styles: dict[str, str] = {}
    folders: set[str] = set()
    places = {test: found for test in sorted(passed) if (found := _place(root, test)) is not None}
    for test, found in sorted(places.items(), key=lambda one: (one[1][0] not in known, one[0])):
        folder = str(PurePosixPath(found[0]).parent)
        if len(styles) < _MOST_PLACES and folder not in folders:
            folders.add(folder)
            styles[found[0]] = _PYTEST_TEST if "::" in test else _UNITTEST_TEST
    # Tests are turned before others are put behind them in the same file: those must not become unreadable.
    done = {path: _turn(root, path, wanted) for path, wanted in turned.items()}
    for number, (path, style) in enumerate(styles.items()):
        new, inner = f"{word}{chr(97 + number)}_new", f"{word}{chr(97 + number)}_in"
        _write(
            root,
            (
                _New(_beside(path, f"test_{new}.py"), style.format(name=new), new, append=False),
                _New(path, style.format(name=inner), inner, append=True),
            ),
        )
        yield Group(path, (new, inner), done.pop(path, frozenset()))
    rest = frozenset(test for tests in done.values() for test in tests)
    if rest:
        yield Group("", (f"{word}_turned",), rest)


def _place(root: Path, test: str) -> tuple[str, str] | None:
    """The file of an id and the name of the test in it, as ``Class::test``."""
    path, colons, name = test.partition("[")[0].partition("::")
    if colons:
        return (path, name) if path.endswith(".py") and _is_file(root, path) else None
    parts = path.split(".")
    for end in range(len(parts) - 1, 0, -1):
        module = "/".join(parts[:end]) + ".py"
        if _is_file(root, module):
            return module, "::".join(parts[end:])
    return None


def _turn(root: Path, path: str, wanted: dict[str, list[str]]) -> frozenset[str]:
    """Put a failure before all that the named tests of a file do; the ids of those where that could be done."""
    data = read_bytes(root, path)
    lines = data.splitlines(keepends=True)
    found: list[tuple[int, int, str]] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = ast.parse(data)
        for name, node in _functions(module.body, ""):
            first = node.body[0]
            line = min([first.lineno, *(one.lineno for one in getattr(first, "decorator_list", []))])
            # A body on the line of its head has no line of its own to put anything before.
            if (
                name in wanted
                and line > node.lineno
                and _plain(node)
                and not lines[line - 1][: first.col_offset].strip()
            ):
                found.append((line, first.col_offset, name))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()
    for line, column, _ in sorted(found, reverse=True):
        indent = lines[line - 1][:column]
        lines.insert(line - 1, indent + _FAILURE.encode() + b"\n")
    write_bytes(root, path, b"".join(lines))
    return frozenset(test for _, _, name in found for test in wanted[name])


def _functions(body: Sequence[ast.stmt], prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.decorator_list:
            yield from _functions(node.body, f"{prefix}{node.name}::")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + node.name, node


def _plain(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether nothing around the function may turn its failure into something else."""
    names = [one.func if isinstance(one, ast.Call) else one for one in node.decorator_list]
    return all(isinstance(one, ast.Attribute) and one.attr in _KEEPS_OUTCOME for one in names)


def _node_files(root: Path, files: Sequence[str]) -> list[str]:
    """The first test files that node's own runner would take."""
    found = [one for one in files if re.search(r"\.[cm]?js$", one) and role_of(one) == "test" and _is_file(root, one)]
    return found[:_MOST_FILES]


def _node(root: Path, paths: Sequence[str], word: str) -> Iterator[_New]:
    """Beside and into each file."""
    for number, path in enumerate(paths):
        new, inner = f"{word}n{chr(97 + number)}_new", f"{word}n{chr(97 + number)}_in"
        style = _NODE_ESM if path.endswith(".mjs") or _IS_ESM.search(read_bytes(root, path)) else _NODE_COMMON
        yield _New(_beside(path, f"{new}.test.mjs"), _NODE_ESM.format(name=new), new, append=False)
        yield _New(path, style.format(name=inner), inner, append=True)


def _turn_node(root: Path, path: str, wanted: frozenset[str]) -> frozenset[str]:
    """As `_turn`, for tests that are known by their titles."""
    data = read_bytes(root, path)
    found = [(at, name) for name, at in body_starts(data) if name in wanted]
    for at, _ in sorted(found, reverse=True):
        data = data[:at] + _NODE_FAILURE + data[at:]
    write_bytes(root, path, data)
    return frozenset(name for _, name in found)


def _go(root: Path, files: Sequence[str], word: str) -> list[_New]:
    """A file in each of the first packages that have tests."""
    found: dict[str, _New] = {}
    for path in files:
        folder = path.rpartition("/")[0]
        if not path.endswith("_test.go") or folder in found or len(found) >= _MOST_FILES or not _is_file(root, path):
            continue
        package = _GO_PACKAGE.search(read_bytes(root, path))
        if package is not None:
            name = f"Planted{word}{chr(97 + len(found))}"
            source = _GO_TEST.format(package=package[1].decode(), name=name)
            found[folder] = _New(_beside(path, f"{word}_test.go"), source, name, append=False)
    return list(found.values())


def _is_file(root: Path, name: str) -> bool:
    try:
        read_bytes(root, name, limit=1)
    except (OSError, UnsafePath):
        return False
    return True
