"""How a piece of work ends: with exactly one word."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Done:
    """The work is finished; ``result`` names stored artifacts and small facts (JSON values)."""

    result: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snooze:
    """Wait until ``until`` (milliseconds since the epoch); waiting spends no attempt."""

    until: int
    why: str


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again ``after`` so many milliseconds; spends an attempt."""

    after: int
    why: str


@dataclass(frozen=True, slots=True)
class NeedsHuman:
    """A person has to look; the run goes to ``needs_human`` with this sentence. ``detail`` holds what a report shows."""

    why: str
    detail: dict[str, object] = field(default_factory=dict)


Outcome: TypeAlias = Done | Snooze | Retry | NeedsHuman
