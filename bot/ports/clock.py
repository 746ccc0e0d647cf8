"""Time and chance, handed in so that decisions can be repeated."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Wall time."""

    def now(self) -> int:
        """Milliseconds since the epoch, UTC. May jump; never used to order events of one run."""


class Chance(Protocol):
    """Randomness for names that nobody may guess or meet twice."""

    def token(self) -> str:
        """32 lower-case hex digits, 128 bits from the system's generator."""

    def name(self) -> str:
        """A short new id, as `bot.domain.ids.short_id` makes them."""

    def jitter(self, span: int) -> int:
        """A whole number from 0 to ``span`` inclusive."""
