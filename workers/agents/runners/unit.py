"""One test file in the little that its changes are judged by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

NOT_INDIFFERENT: Final[None] = None
"""What a step binds when nobody can say that the steps around it mean the same with it."""
_MOST_LETTERS: Final = 1_000
_MOST_SHARED: Final = 200


def digest(*parts: str) -> str:
    """Stands for texts that many others would repeat: what is around a step is told once, however long it is."""
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def short(name: str) -> str:
    """A class's or group's name as part of its tests' names; beyond what anybody writes, the rest is a digest."""
    return name if len(name) <= _MOST_LETTERS else f"{name[:_MOST_LETTERS]} {digest(name)}"


def shared(items: Iterable[str]) -> tuple[str, ...]:
    """What every test of a class or group carries; beyond what anybody writes, one digest stands for all of it."""
    found = tuple(items)
    return found if len(found) <= _MOST_SHARED else (digest(*found),)


@dataclass(frozen=True, slots=True)
class Step:
    """One reachable statement in a normal form, with a digest of the conditions that stand around it.

    ``binds``: names it gives a value, when it does nothing else (an assertion binds none); None where it may change what
    the other steps see. ``asserts``: a failure of it fails the test. ``uses``: identifiers in it, told where ``binds`` is.
    """

    text: str
    binds: frozenset[str] | None = NOT_INDIFFERENT
    asserts: bool = False
    uses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Unit:
    """One test. ``skips``: all that may keep it from running; ``frame``: decorators, parameters and the class around it.

    ``cases``: its parameters; ``names``: identifiers it uses; ``hoisted``: names that mean something in it from its start,
    wherever in it they are declared.
    """

    skips: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    cases: tuple[str, ...] = ()
    frame: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    hoisted: frozenset[str] = frozenset()

    @property
    def asserts(self) -> tuple[str, ...]:
        """Assertions that can fail the test."""
        return tuple(step.text for step in self.steps if step.asserts)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a name stands for outside of tests: a helper, a constant, an import. ``parts``: elements of a list of cases."""

    text: str
    parts: tuple[str, ...] | None = None
    imported: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """A file as read. ``loose``: statements outside of tests that bind no name; ``names``: all identifiers in use, an
    attribute's with a dot before it.

    ``special``: names among ``settings`` that change tests by being there (hooks, fixtures that run by themselves).
    ``plain``: names that mean something without being bound in the file (builtins). ``groups``: groups of tests that are
    no settings; ``hooks``: a group and what runs around its tests. ``open``: names may come from other files unimported.
    """

    tests: Mapping[str, Unit]
    settings: Mapping[str, Setting] = field(default_factory=dict)
    loose: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    special: frozenset[str] = frozenset()
    plain: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    hooks: tuple[tuple[str, str], ...] = ()
    open: bool = False
