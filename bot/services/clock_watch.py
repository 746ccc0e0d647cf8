"""A clock that was set back is noticed, and what waits is pulled in: nothing waits for as long as the clock was ahead.

A clock that was set forward needs nothing: leases run out early, and fences refuse the results of those that held them.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from bot.services.desk import Desk

log = structlog.get_logger()

TOLERATED_MS: Final = 2_000
"""Threads look one after the other, and time servers slew a clock by less."""


@dataclass(slots=True)
class ClockWatch:
    """One process's memory of the latest time that it saw; at its start that is what the records tell of those before it."""

    _latest: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self, desk: Desk, among: Sequence[str]) -> bool:
        """Whether the clock was set back since the last look. Waits and leases in these tables are then as long as they were meant.

        Where several processes notice, a wait is cut more than once: what is due too early is asked to wait again.
        """
        with self._lock:
            if not self._latest:
                with desk.storage.read() as tx:
                    self._latest = tx.waits.latest(among)
            now = desk.clock.now()
            back_ms = self._latest - now
            if back_ms < TOLERATED_MS:
                self._latest = max(self._latest, now)
                return False
            self._latest = now
        with desk.storage.begin() as tx:
            count = tx.waits.pull_in(now=now, back_ms=back_ms, lease_ms=desk.limits.lease_ms, among=among)
        log.warning("clock_set_back", milliseconds=back_ms, rows=count)
        return True
