"""One test file in the little that its changes are judged by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

NOT_INDIFFERENT: Final[None] = None
"""What a step binds when nobody can say that the steps around it mean the same with it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One reachable statement in a normal form, with the conditions that stand around it.

    ``binds``: names it gives a value, when it does nothing else (an assertion binds none); None where it may change what
    the other steps see. ``asserts``: a failure of it fails the test.
    """

    text: str
    binds: frozenset[str] | None = NOT_INDIFFERENT
    asserts: bool = False


@dataclass(frozen=True, slots=True)
class Unit:
    """One test. ``skips``: all that may keep it from running; ``frame``: decorators, parameters and the class around it.

    ``cases``: its parameters; ``names``: identifiers it uses.
    """

    skips: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    cases: tuple[str, ...] = ()
    frame: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()

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
    """A file as read. ``loose``: statements outside of tests that bind no name; ``names``: all identifiers in use.

    ``special``: names among ``settings`` that change tests by being there (hooks, fixtures that run by themselves).
    ``plain``: names that mean something without being bound in the file (builtins).
    """

    tests: Mapping[str, Unit]
    settings: Mapping[str, Setting] = field(default_factory=dict)
    loose: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    special: frozenset[str] = frozenset()
    plain: frozenset[str] = frozenset()
