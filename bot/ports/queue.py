"""Wake-ups. A message may vanish or come twice; the row it names is the truth (DESIGN section 3)."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class Nudge(StrEnum):
    """What a message asks a worker to look at; the argument is always one id."""

    ROUTE = "route"
    """A stored delivery, queue ``control``."""
    ADVANCE = "advance"
    """A run whose next step may be due, queue ``control``."""
    PERFORM = "perform"
    """A job, on the queue its row names."""
    DISPATCH = "dispatch"
    """An installation whose outbox has rows to send, queue ``github``."""
    SWEEP = "sweep"
    """Everything that is due and was not nudged, queue ``control``."""
    RECOVER = "recover"
    """Deliveries that were missed: the receiver listens again, queue ``control``."""


class Queue(Protocol):
    """Sends wake-ups after the transaction that wants them is committed."""

    def nudge(self, what: Nudge, subject: str, *, queue: str = "") -> None:
        """Wake a worker for ``subject``. Never raises because the broker is down: the sweeper finds the row later."""
