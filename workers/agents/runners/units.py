"""Tests of a file as its syntax tree has them, and what was lost between two versions (DESIGN section 5, *Work gate*)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from bot.domain.facts import TestFileFact
from workers.agents.runners.losses import hollow, losses
from workers.agents.runners.roles import is_test_name
from workers.agents.runners.unit import Reading
from workers.agents.runners.units_go import go_units
from workers.agents.runners.units_java import java_units
from workers.agents.runners.units_javascript import javascript_units
from workers.agents.runners.units_python import python_units

Reader: TypeAlias = Callable[[bytes], Reading | None]


def _read(reader: Reader | None, data: bytes | None) -> Reading | None:
    try:
        return None if reader is None or data is None else reader(data)
    except RecursionError:
        return None  # no file that anybody wrote is nested so deeply


def _reader(path: str) -> Reader | None:
    ending = path.rsplit(".", 1)[-1].lower() if "." in path else ""
    match ending:
        case "py":
            return python_units
        case "js" | "jsx" | "mjs" | "cjs":
            return lambda data: javascript_units(data, "javascript")
        case "ts" | "mts" | "cts":
            return lambda data: javascript_units(data, "typescript")
        case "tsx":
            return lambda data: javascript_units(data, "tsx")
        case "go":
            return go_units
        case "java":
            return java_units
        case _:
            return None


def fact_of(
    path: str,
    role: Literal["test", "configuration"],
    kind: Literal["added", "modified", "deleted"],
    before: bytes | None,
    after: bytes | None,
) -> TestFileFact:
    """What a change did to a file's tests; ``readable`` is False where it cannot be read from a syntax tree."""
    if role == "configuration":
        return TestFileFact(path=path, role=role, kind=kind)
    reader = _reader(path)
    new = _read(reader, after)
    if kind == "added":
        return TestFileFact(path=path, role=role, kind=kind, hollow=() if new is None else hollow(new))
    old = _read(reader, before)
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
