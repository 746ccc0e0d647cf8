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
from random import Random
from typing import Final

from bot.domain.facts import CommandRun
from workers.agents.runners.failures import Failures, endings
from workers.agents.runners.outcomes import NO_REPORT, Kind
from workers.agents.runners.roles import role_of
from workers.agents.runners.trees import root_of, text_of
from workers.agents.runners.units_javascript import body_starts
from workers.sandbox.errors import UnsafePath
from workers.sandbox.workspaces import read_bytes, write_bytes

_LEAST_NAME: Final = 8
_MOST_PLACES: Final = 3
_MOST_FILES: Final = 12
MOST_TURNED: Final = 40
_IS_ESM: Final = re.compile(rb"(?m)^\s*(?:import\s[^(]|import\{|export\s)")
_GO_PACKAGE: Final = re.compile(rb"(?m)^package\s+(\w+)")
_GO_MODULE: Final = re.compile(rb"(?m)^module\s+\"?([^\s\"]+)")
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
    chance: Random,
    turn: Collection[str] = (),
    known: Collection[str] = (),
) -> Planted | None:
    """Write failing tests into the tree at ``root``, beside and into files with tests.

    ``passed``: ids of tests that passed. ``files``: the tree's paths. ``word``: a random word of letters. ``kinds``: the
    runners whose ids can be read. ``chance``: draws names and failures; the same for the same seed. ``turn``: ids among ``passed`` that are made to fail where that can be done.
    ``known``: paths of base's tree, which are taken before others, so that the same can be planted there. None when
    nothing says where a test could stand.
    """
    assert len(word) >= _LEAST_NAME, "a planted name must not be one that anybody uses"
    listed = list(files)
    groups: list[Group] = []
    if {"pytest", "unittest", "other"} & set(kinds):
        groups += _python(root, passed, turn, word, chance, frozenset(known))
    if "node" in kinds and (paths := _node_files(root, listed)):
        turned = frozenset(test for path in paths for test in _turn_node(root, path, chance, frozenset(turn)))
        tests = list(_node(root, paths, word, chance))
        _write(root, tests)
        groups.append(Group("", tuple(one.name for one in tests), turned))
    if "go" in kinds and (tests := _go(root, listed, word, chance)):
        turned = frozenset(test for path in listed for test in _turn_go(root, path, chance, frozenset(turn)))
        _write(root, tests)
        groups.append(Group("", tuple(one.name for one in tests), turned))
    return Planted(tuple(groups)) if groups else None


def _write(root: Path, tests: Iterable[_New]) -> None:
    for one in tests:
        old = read_bytes(root, one.path) + b"\n\n" if one.append else b""
        write_bytes(root, one.path, old + one.source.encode())


def _beside(path: str, name: str) -> str:
    return str(PurePosixPath(path).with_name(name))


def _python(
    root: Path, passed: Collection[str], turn: Collection[str], word: str, chance: Random, known: frozenset[str]
) -> Iterator[Group]:
    """The first files, one a folder, in which a test passed; and every file of a test that is to be turned."""
    turned: dict[str, dict[str, list[str]]] = {}
    for test in turn:
        if (where := _place(root, test)) is not None:
            turned.setdefault(where[0], {}).setdefault(where[1], []).append(test)
    styles: dict[str, bool] = {}
    folders: set[str] = set()
    places = {test: found for test in sorted(passed) if (found := _place(root, test)) is not None}
    for test, found in sorted(places.items(), key=lambda one: (one[1][0] not in known, one[0])):
        folder = str(PurePosixPath(found[0]).parent)
        if len(styles) < _MOST_PLACES and folder not in folders:
            folders.add(folder)
            styles[found[0]] = "::" in test
    # Tests are turned before others are put behind them in the same file: those must not become unreadable.
    done = {path: _turn(root, path, chance, wanted) for path, wanted in turned.items()}
    names = iter([word + end for end in endings(chance, 2 * len(styles))])
    for path, functions in styles.items():
        new, inner = next(names), next(names)
        failures = Failures.of(chance, read_bytes(root, path))
        # One of the two is an assertion's, whatever the other is.
        bodies = chance.sample((failures.assertion(), failures.python()), 2)
        sources = [
            _python_test(failures, name, functions, body) for name, body in zip((new, inner), bodies, strict=True)
        ]
        _write(
            root,
            (
                _New(_beside(path, f"test_{new}.py"), sources[0], new, append=False),
                _New(path, sources[1], inner, append=True),
            ),
        )
        yield Group(path, (new, inner), done.pop(path, frozenset()))
    rest = frozenset(test for tests in done.values() for test in tests)
    if rest:
        yield Group("", (f"{word}_turned",), rest)


def _python_test(failures: Failures, name: str, functions: bool, body: str) -> str:
    """A function that does ``body``, or a class of methods where ``functions`` are not what the runner takes."""
    if functions:
        return f"def test_{name}():\n    {body}\n"
    calls = failures.unittest()
    methods = (
        f"    def test_{name}{end}(self):\n        {call}\n"
        for end, call in zip(endings(failures.chance, len(calls)), calls, strict=True)
    )
    head = f"import unittest as _{name}\n\n\nclass Test{name.capitalize()}(_{name}.TestCase):\n"
    return head + "\n".join(methods)


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


def _turn(root: Path, path: str, chance: Random, wanted: dict[str, list[str]]) -> frozenset[str]:
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
    failures = Failures.of(chance, data)
    for line, column, name in sorted(found, reverse=True):
        indent = lines[line - 1][:column]
        # unittest, whose ids have no colons, calls a test failed by its assertions alone; another exception is an error.
        failure = failures.python() if all("::" in test for test in wanted[name]) else failures.assertion()
        lines.insert(line - 1, indent + failure.encode() + b"\n")
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


def _node(root: Path, paths: Sequence[str], word: str, chance: Random) -> Iterator[_New]:
    """Beside and into each file."""
    names = iter([word + end for end in endings(chance, 2 * len(paths))])
    for path in paths:
        new, inner = next(names), next(names)
        data = read_bytes(root, path)
        failures = Failures.of(chance, data)
        esm = path.endswith(".mjs") or _IS_ESM.search(data) is not None
        yield _New(_beside(path, f"{new}.test.mjs"), _node_tests(failures, new, esm=True), new, append=False)
        yield _New(path, _node_tests(failures, inner, esm=esm), inner, append=True)


def _node_tests(failures: Failures, name: str, *, esm: bool) -> str:
    head, test, module = "", 'require("node:test").test', 'require("node:assert")'
    if esm:
        test, module = f"test_{name}", f"assert_{name}"
        head = f'import {{ test as {test} }} from "node:test";\nimport {module} from "node:assert";\n'
    calls = failures.node(module)
    ends = endings(failures.chance, len(calls))
    return head + "".join(
        f'{test}("{name}{end}", () => {{ {call} }});\n' for end, call in zip(ends, calls, strict=True)
    )


def _turn_node(root: Path, path: str, chance: Random, wanted: frozenset[str]) -> frozenset[str]:
    """As `_turn`, for tests that are known by their titles."""
    data = read_bytes(root, path)
    failures = Failures.of(chance, data)
    found = [(at, name) for name, at in body_starts(data) if name in wanted]
    for at, _ in sorted(found, reverse=True):
        data = data[:at] + f" {failures.javascript()}".encode() + data[at:]
    write_bytes(root, path, data)
    return frozenset(name for _, name in found)


def _go(root: Path, files: Sequence[str], word: str, chance: Random) -> list[_New]:
    """A file in each of the first packages that have tests."""
    found: dict[str, _New] = {}
    ends = endings(chance, _MOST_FILES)
    for path in files:
        folder = path.rpartition("/")[0]
        if not path.endswith("_test.go") or folder in found or len(found) >= _MOST_FILES or not _is_file(root, path):
            continue
        data = read_bytes(root, path)
        package = _GO_PACKAGE.search(data)
        if package is not None:
            lower = word + ends[len(found)]
            name = lower.capitalize()
            failure = Failures.of(chance, data).go("t")
            source = f'package {package[1].decode()}\n\nimport "testing"\n\nfunc Test{name}(t *testing.T) {{\n\t{failure}\n}}\n'
            found[folder] = _New(_beside(path, f"{lower}_test.go"), source, name, append=False)
    return list(found.values())


def _turn_go(root: Path, path: str, chance: Random, wanted: frozenset[str]) -> frozenset[str]:
    """As `_turn`, for functions whose ids are ``package/Test``. A file without a go.mod above it is asked by name alone."""
    if not wanted or not path.endswith("_test.go") or not _is_file(root, path):
        return frozenset()
    package, data = _go_package(root, path), read_bytes(root, path)
    failures = Failures.of(chance, data)
    found: list[tuple[int, str, str]] = []
    for name, testing, at in _go_starts(data):
        ids = [one for one in wanted if one.rpartition("/")[2] == name]
        found += [(at, testing, one) for one in ids if package is None or one == f"{package}/{name}"]
    for at, testing in sorted({(at, testing) for at, testing, _ in found}, reverse=True):
        data = data[:at] + f" {failures.go(testing)};".encode() + data[at:]
    write_bytes(root, path, data)
    return frozenset(test for _, _, test in found)


def _go_package(root: Path, path: str) -> str | None:
    """The import path of a file's package, from the go.mod that is nearest above it."""
    for folder in PurePosixPath(path).parents:
        name = str(folder / "go.mod")
        if _is_file(root, name):
            module = _GO_MODULE.search(read_bytes(root, name))
            inner = str(PurePosixPath(path).parent.relative_to(folder))
            return None if module is None else f"{module[1].decode()}/{inner}".removesuffix("/.")
    return None


def _go_starts(data: bytes) -> Iterator[tuple[str, str, int]]:
    """Each test function of a Go file: its name, what it calls its ``*testing.T``, and where its body begins."""
    root = root_of(data, "go")
    for node in [] if root is None else root.children:
        body, given = node.child_by_field_name("body"), text_of(node.child_by_field_name("parameters"))
        testing = re.fullmatch(r"\(\s*([^\W\d]\w*)\s+\*\w+\.T\s*,?\s*\)", given)
        if node.type == "function_declaration" and body is not None and testing is not None and testing[1] != "_":
            yield text_of(node.child_by_field_name("name")), testing[1], body.start_byte + 1


def _is_file(root: Path, name: str) -> bool:
    try:
        read_bytes(root, name, limit=1)
    except (OSError, UnsafePath):
        return False
    return True
