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
    fresh = _fresh(old, new)
    for name, unit in old.tests.items():
        _compare(found, name, unit, new.tests.get(name), fresh)
    found.weakened += _settings(old, new)
    # What runs around the tests of a new group runs around no old one.
    hooks = [one for one in new.hooks if not one[0] or one[0] in old.groups]
    if Counter(old.loose) != Counter(new.loose) or Counter(old.hooks) != Counter(hooks):
        found.weakened.append(OUTSIDE)
    return found


def hollow(tests: Reading) -> tuple[str, ...]:
    """Tests in which nothing can fail but by an exception."""
    return tuple(name for name, unit in tests.tests.items() if not unit.asserts)


def _compare(found: Losses, name: str, old: Unit, new: Unit | None, fresh: frozenset[str]) -> None:
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
        or (new.hoisted - old.hoisted) & old.names
        or not _only_grew(old, new, fresh)
    ):
        found.weakened.append(name)


def _only_grew(old: Unit, new: Unit, fresh: frozenset[str]) -> bool:
    """Whether every old step stands in its order, and what came between cannot change what the old ones see.

    ``fresh``: names that the old file did not know; what is called by one of them may do anything.
    """
    waiting: Sequence[Step] = new.steps
    at = 0
    made: set[str] = set()
    for step in old.steps:
        while at < len(waiting) and waiting[at].text != step.text:
            here = waiting[at]
            if here.binds is None or here.binds & old.names or (here.uses & fresh) - made:
                return False
            made |= here.binds
            at += 1
        if at == len(waiting):
            return False
        at += 1
    # What follows the last old step comes too late to change any of them.
    return True


def _fresh(old: Reading, new: Reading) -> frozenset[str]:
    """Names that mean something in the new version and nothing in the old one."""
    known = {*old.settings, *old.tests}
    found = {form for name in (*new.settings, *new.tests) if name not in known for form in _forms(name)}
    if new.open:
        found |= {name for name in new.names - old.names if not name.startswith(".")}
    return frozenset(found)


def _forms(name: str) -> frozenset[str]:
    """How code says the name of a setting: a class's also as an attribute, a group's own by its last component."""
    owner, last = _parted(name)
    return frozenset({last, f".{last}"} if owner and " > " not in name else {last})


def _parted(name: str) -> tuple[str, str]:
    mark = next((one for one in (" > ", "::", ".") if one in name), "")
    owner, _, last = name.rpartition(mark) if mark else ("", "", name)
    return owner, last


def _settings(old: Reading, new: Reading) -> list[str]:
    found: list[str] = []
    for name, setting in old.settings.items():
        now = new.settings.get(name)
        if now is None:
            if _forms(name) & new.names or name in old.special:
                found.append(name)
        elif not _kept(setting, now):
            found.append(name)
    # A new name matters where the tests already meant something by it, or where the runner looks for it.
    looked_for = new.special | new.plain
    fresh = [
        name
        for name in new.settings
        if name not in old.settings and name not in old.tests and (name in looked_for or _forms(name) & old.names)
    ]
    return [*found, *(name for name in fresh if not _of_a_new_owner(name, old, new))]


def _of_a_new_owner(name: str, old: Reading, new: Reading) -> bool:
    """Whether it stands in a class or group that this version of the file brings; one it does not name is elsewhere."""
    owner, _ = _parted(name)
    told = owner in new.settings or owner in new.groups
    return bool(owner) and told and owner not in old.settings and owner not in old.groups


def _kept(old: Setting, new: Setting) -> bool:
    if old.parts is not None and new.parts is not None:
        return not Counter(old.parts) - Counter(new.parts)
    return old.text == new.text
