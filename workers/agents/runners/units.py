"""Tests of a file as its syntax tree has them, and what was lost between two versions (DESIGN section 5, *Work gate*)."""

from __future__ import annotations

from typing import Literal, assert_never

from bot.domain.facts import TestFileFact
from workers.agents.runners.languages import language_of
from workers.agents.runners.losses import hollow, losses
from workers.agents.runners.roles import is_test_name
from workers.agents.runners.unit import Reading
from workers.agents.runners.units_go import go_units
from workers.agents.runners.units_java import java_units
from workers.agents.runners.units_javascript import javascript_units
from workers.agents.runners.units_python import python_units


def _read(path: str, data: bytes | None, fixtures: frozenset[str] | None) -> Reading | None:
    """None for a file that is not there, in no language that is read here, or not readable as a whole."""
    if data is None:
        return None
    try:
        match grammar := language_of(path).grammar:
            case "python":
                return python_units(data, fixtures)
            case "javascript" | "typescript" | "tsx":
                return javascript_units(data, grammar)
            case "go":
                return go_units(data)
            case "java":
                return java_units(data)
            case None:
                return None
            case _:
                assert_never(grammar)
    except RecursionError:
        return None  # no file that anybody wrote is nested so deeply


def fact_of(
    path: str,
    role: Literal["test", "configuration"],
    kind: Literal["added", "modified", "deleted"],
    before: bytes | None,
    after: bytes | None,
    fixtures: frozenset[str] | None = None,
) -> TestFileFact:
    """What a change did to a file's tests; ``readable`` is False where it cannot be read from a syntax tree.

    ``fixtures``: names that the repository's ``conftest.py`` files define (`fixtures_of`); without them each new fixture
    may replace one of theirs.
    """
    if role == "configuration":
        return TestFileFact(path=path, role=role, kind=kind)
    new = _read(path, after, fixtures)
    if kind == "added":
        return TestFileFact(path=path, role=role, kind=kind, hollow=() if new is None else hollow(new))
    old = _read(path, before, fixtures)
    if old is None or (is_test_name(path) and not old.tests):
        # A file that runners take for tests and in which none is seen makes its tests in a way that no reader of ours knows.
        return TestFileFact(path=path, role=role, kind=kind, readable=False)
    if kind == "deleted":
        return TestFileFact(path=path, role=role, kind=kind, deleted=tuple(sorted(old.tests)))
    if new is None:
        return TestFileFact(path=path, role=role, kind=kind, readable=False)
    lost = losses(old, new)
    return TestFileFact(
        path=path,
        role=role,
        kind=kind,
        deleted=tuple(lost.deleted),
        skipped=tuple(lost.skipped),
        emptied=tuple(lost.emptied),
        weakened=tuple(dict.fromkeys(lost.weakened)),
        hollow=hollow(new),
    )
