"""What a test file lost between two versions (DESIGN section 5, *Work gate*): a test that changed at all is told, one that grew is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from workers.agents.runners.unit import Reading, Setting, Step, Unit

OUTSIDE: Final = "(outside of its tests)"


@dataclass(slots=True)
class Losses:
    """Names of tests; ``weakened`` also holds what tests lean on."""

    deleted: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    emptied: list[str] = field(default_factory=list)
    weakened: list[str] = field(default_factory=list)


def losses(old: Reading, new: Reading) -> Losses:
    """Everything that ``old`` checked and ``new`` does not, or not so surely."""
    found = Losses()
    for name, unit in old.tests.items():
        _compare(found, name, unit, new.tests.get(name))
    found.weakened += _settings(old, new)
    if Counter(old.loose) != Counter(new.loose):
        found.weakened.append(OUTSIDE)
    return found


def hollow(tests: Reading) -> tuple[str, ...]:
    """Tests in which nothing can fail but by an exception."""
    return tuple(name for name, unit in tests.tests.items() if not unit.asserts)


def _compare(found: Losses, name: str, old: Unit, new: Unit | None) -> None:
    """One test before and after. An assertion that is gone or different counts as weakened: code cannot tell better."""
    if new is None:
        found.deleted.append(name)
    elif Counter(new.skips) - Counter(old.skips):
        found.skipped.append(name)
    elif (old.steps and not new.steps) or (old.asserts and not new.asserts):
        found.emptied.append(name)
    elif (
        old.frame != new.frame
        or Counter(old.asserts) - Counter(new.asserts)
        or Counter(old.cases) - Counter(new.cases)
        or not _only_grew(old, new)
    ):
        found.weakened.append(name)


def _only_grew(old: Unit, new: Unit) -> bool:
    """Whether every old step stands in its order, and what came between cannot change what the old ones see."""
    waiting: Sequence[Step] = new.steps
    at = 0
    for step in old.steps:
        while at < len(waiting) and waiting[at].text != step.text:
            if not _indifferent(waiting[at], old):
                return False
            at += 1
        if at == len(waiting):
            return False
        at += 1
    # What follows the last old step comes too late to change any of them.
    return True


def _indifferent(step: Step, old: Unit) -> bool:
    return step.binds is not None and not step.binds & old.names


def _settings(old: Reading, new: Reading) -> list[str]:
    found: list[str] = []
    for name, setting in old.settings.items():
        now = new.settings.get(name)
        if now is None:
            if name in new.names or name in old.special:
                found.append(name)
        elif not _kept(setting, now):
            found.append(name)
    # A new name matters where the tests already meant something by it, or where the runner looks for it.
    heard = new.special | old.names | new.plain
    fresh = [name for name in new.settings if name not in old.settings and name in heard]
    return [*found, *(name for name in fresh if not _of_a_new_class(name, old))]


def _of_a_new_class(name: str, old: Reading) -> bool:
    owner, mark, _ = name.rpartition("::") if "::" in name else name.rpartition(".")
    return bool(mark) and owner not in old.settings


def _kept(old: Setting, new: Setting) -> bool:
    if old.parts is not None and new.parts is not None:
        return not Counter(old.parts) - Counter(new.parts)
    return old.text == new.text
