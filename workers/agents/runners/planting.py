"""Run (c) of the work gate: failing tests of random names, put where the runner looks, which must be reported as failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from bot.domain.facts import CommandRun
from workers.sandbox.errors import UnsafePath
from workers.sandbox.workspaces import read_bytes, write_bytes

_LEAST_NAME: Final = 8


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


def plant(root: Path, passed: Iterable[str], word: str) -> Planted | None:
    """Write failing tests into the tree at ``root``, beside and into files whose tests passed.

    ``passed``: ids of pytest (``path::name``) or unittest (``package.module.Class.name``). ``word``: a random word of
    letters. None when no id says where a test could stand.
    """
    assert len(word) >= _LEAST_NAME, "a planted name must not be one that anybody uses"
    places = _files(root, passed)
    if not places:
        return None
    names: list[str] = []
    for number, (path, style) in enumerate(places.items()):
        own = f"{word}{chr(97 + number)}"
        beside = str(PurePosixPath(path).with_name(f"test_{own}_new.py"))
        source = _PYTEST_TEST if style == "pytest" else _UNITTEST_TEST
        write_bytes(root, beside, source.format(name=f"{own}_new").encode())
        old = read_bytes(root, path)
        write_bytes(root, path, old + b"\n\n" + source.format(name=f"{own}_in").encode())
        names += [f"{own}_new", f"{own}_in"]
    return Planted(tuple(names))


_PYTEST_TEST: Final = "def test_{name}():\n    assert [] == [0]\n"
_UNITTEST_TEST: Final = (
    "import unittest as _unittest_{name}\n\n\nclass Test_{name}(_unittest_{name}.TestCase):\n"
    "    def test_{name}(self):\n        self.assertEqual([], [0])\n"
)
_MOST_PLACES: Final = 3


def _files(root: Path, passed: Iterable[str]) -> Mapping[str, str]:
    """The first files, one a folder, in which a test passed, and the style of their tests."""
    found: dict[str, str] = {}
    folders: set[str] = set()
    for test in sorted(passed):
        path, colons, _ = test.partition("::")
        candidates = [(path, "pytest")] if colons else [(name, "unittest") for name in _module_files(test)]
        for name, style in candidates:
            folder = str(PurePosixPath(name).parent)
            if folder in folders or len(found) >= _MOST_PLACES or not name.endswith(".py") or not _is_file(root, name):
                continue
            folders.add(folder)
            found[name] = style
    return found


def _module_files(dotted: str) -> list[str]:
    parts = dotted.split(".")
    return ["/".join(parts[:end]) + ".py" for end in range(len(parts) - 1, 0, -1)]


def _is_file(root: Path, name: str) -> bool:
    try:
        read_bytes(root, name, limit=1)
    except (OSError, UnsafePath):
        return False
    return True
