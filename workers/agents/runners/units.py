"""Tests of a file as its syntax tree has them, and what was lost between two versions (DESIGN section 5, *Work gate*)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from bot.domain.facts import TestFileFact
from workers.agents.runners.unit import Unit
from workers.agents.runners.units_python import python_units
from workers.agents.runners.units_trees import go_units, java_units, javascript_units

Reader: TypeAlias = Callable[[bytes], Mapping[str, Unit] | None]


def _reader(path: str) -> Reader | None:
    ending = path.rsplit(".", 1)[-1] if "." in path else ""
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
    if role == "configuration" or kind == "added":
        return TestFileFact(path=path, role=role, kind=kind)
    reader = _reader(path)
    old = None if reader is None or before is None else reader(before)
    if reader is None or old is None:
        return TestFileFact(path=path, role=role, kind=kind, readable=False)
    if kind == "deleted" or after is None:
        return TestFileFact(path=path, role=role, kind=kind, deleted=tuple(sorted(old)))
    new = reader(after)
    if new is None:
        return TestFileFact(path=path, role=role, kind=kind, readable=False)
    lost = _Lost()
    for name, unit in old.items():
        lost.compare(name, unit, new.get(name))
    return TestFileFact(
        path=path,
        role=role,
        kind=kind,
        deleted=tuple(lost.deleted),
        skipped=tuple(lost.skipped),
        emptied=tuple(lost.emptied),
        weakened=tuple(lost.weakened),
    )


@dataclass(slots=True)
class _Lost:
    deleted: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    emptied: list[str] = field(default_factory=list)
    weakened: list[str] = field(default_factory=list)

    def compare(self, name: str, old: Unit, new: Unit | None) -> None:
        """One test before and after. An assertion that is gone or different counts as weakened: code cannot tell better."""
        if new is None:
            self.deleted.append(name)
        elif new.skipped and not old.skipped:
            self.skipped.append(name)
        elif (old.statements and not new.statements) or (old.asserts and not new.asserts):
            self.emptied.append(name)
        elif Counter(old.asserts) - Counter(new.asserts) or Counter(old.cases) - Counter(new.cases):
            self.weakened.append(name)
