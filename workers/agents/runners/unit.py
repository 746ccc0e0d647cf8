"""One test of a file, in the little that its changes are judged by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unit:
    """``statements``: how many do something; ``asserts`` and ``cases``: assertions and parameters in a normal form."""

    skipped: bool
    statements: int
    asserts: tuple[str, ...]
    cases: tuple[str, ...] = ()
