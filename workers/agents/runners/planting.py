"""Run (c) of the work gate: failing tests of random names, put where the runner looks, which must be reported as failed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from bot.domain.facts import CommandRun
from workers.agents.runners.roles import role_of
from workers.sandbox.errors import UnsafePath
from workers.sandbox.workspaces import read_bytes, write_bytes

_LEAST_NAME: Final = 8
_MOST_PLACES: Final = 3
_PYTEST_TEST: Final = "def test_{name}():\n    assert [] == [0]\n"
_UNITTEST_TEST: Final = (
    "import unittest as _unittest_{name}\n\n\nclass Test_{name}(_unittest_{name}.TestCase):\n"
    "    def test_{name}(self):\n        self.assertEqual([], [0])\n"
)
_NODE_ESM: Final = (
    'import {{ test as test_{name} }} from "node:test";\ntest_{name}("{name}", () => {{ throw new Error("no"); }});\n'
)
_NODE_COMMON: Final = 'require("node:test").test("{name}", () => {{ throw new Error("no"); }});\n'
_GO_TEST: Final = 'package {package}\n\nimport "testing"\n\nfunc Test{name}(t *testing.T) {{ t.Fatal("no") }}\n'
_IS_ESM: Final = re.compile(rb"(?m)^\s*(?:import\s[^(]|import\{|export\s)")
_GO_PACKAGE: Final = re.compile(rb"(?m)^package\s+(\w+)")


@dataclass(frozen=True, slots=True)
class Planted:
    """``names``: the random names of the failing tests; an id that holds one is a planted test's."""

    names: tuple[str, ...]

    def outcomes(self, runs: Iterable[CommandRun]) -> dict[str, str]:
        """Ids of planted tests that were reported, with their outcome."""
        return {
            test: outcome
            for run in runs
            for test, outcome in (run.tests or {}).items()
            if any(name in test for name in self.names)
        }


@dataclass(frozen=True, slots=True)
class _New:
    """A test to write: into a new file (``append`` False), or behind what a file holds."""

    path: str
    source: str
    name: str
    append: bool


def plant(root: Path, passed: Iterable[str], files: Iterable[str], word: str) -> Planted | None:
    """Write failing tests into the tree at ``root``, beside and into files with tests.

    ``passed``: ids of tests that passed. ``files``: the tree's paths. ``word``: a random word of letters. None when
    nothing says where a test could stand.
    """
    assert len(word) >= _LEAST_NAME, "a planted name must not be one that anybody uses"
    listed = list(files)
    wanted = [*_python(root, passed, word), *_node(root, listed, word), *_go(root, listed, word)]
    for one in wanted:
        old = read_bytes(root, one.path) + b"\n\n" if one.append else b""
        write_bytes(root, one.path, old + one.source.encode())
    return Planted(tuple(one.name for one in wanted)) if wanted else None


def _beside(path: str, name: str) -> str:
    return str(PurePosixPath(path).with_name(name))


def _python(root: Path, passed: Iterable[str], word: str) -> Sequence[_New]:
    """The first files, one a folder, in which a test passed."""
    styles: dict[str, str] = {}
    folders: set[str] = set()
    for test in sorted(passed):
        path, colons, _ = test.partition("::")
        candidates = [(path, _PYTEST_TEST)] if colons else [(name, _UNITTEST_TEST) for name in _module_files(test)]
        for name, style in candidates:
            folder = str(PurePosixPath(name).parent)
            if len(styles) < _MOST_PLACES and folder not in folders and name.endswith(".py") and _is_file(root, name):
                folders.add(folder)
                styles[name] = style
    found: list[_New] = []
    for number, (path, style) in enumerate(styles.items()):
        new, inner = f"{word}{chr(97 + number)}_new", f"{word}{chr(97 + number)}_in"
        found.append(_New(_beside(path, f"test_{new}.py"), style.format(name=new), new, append=False))
        found.append(_New(path, style.format(name=inner), inner, append=True))
    return found


def _module_files(dotted: str) -> list[str]:
    parts = dotted.split(".")
    return ["/".join(parts[:end]) + ".py" for end in range(len(parts) - 1, 0, -1)]


def _node(root: Path, files: Sequence[str], word: str) -> Sequence[_New]:
    """Beside and into the first test file that node's own runner would take."""
    path = next(
        (one for one in files if re.search(r"\.[cm]?js$", one) and role_of(one) == "test" and _is_file(root, one)), None
    )
    if path is None:
        return ()
    new, inner = f"{word}n_new", f"{word}n_in"
    style = _NODE_ESM if path.endswith(".mjs") or _IS_ESM.search(read_bytes(root, path)) else _NODE_COMMON
    return (
        _New(_beside(path, f"{new}.test.mjs"), _NODE_ESM.format(name=new), new, append=False),
        _New(path, style.format(name=inner), inner, append=True),
    )


def _go(root: Path, files: Sequence[str], word: str) -> Sequence[_New]:
    """A file in the first package that has tests."""
    path = next((one for one in files if one.endswith("_test.go") and _is_file(root, one)), None)
    package = None if path is None else _GO_PACKAGE.search(read_bytes(root, path))
    if path is None or package is None:
        return ()
    name = f"Planted{word}"
    return (
        _New(
            _beside(path, f"{word}_test.go"),
            _GO_TEST.format(package=package[1].decode(), name=name),
            name,
            append=False,
        ),
    )


def _is_file(root: Path, name: str) -> bool:
    try:
        read_bytes(root, name, limit=1)
    except (OSError, UnsafePath):
        return False
    return True
