"""What waits for a time, mended when the clock was set back: else it would wait for as long as the clock was ahead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from bot.adapters.storage.rows import ONE, Link
from bot.adapters.tables import RUNNING, audit, deliveries, installations, jobs, outbox, runs

_WAITS: dict[str, tuple[sa.Table, str, sa.Column[int]]] = {
    "jobs": (jobs, "state = 'queued'", jobs.c.not_before),
    "deliveries": (deliveries, "state = 'received'", deliveries.c.not_before),
    "runs": (runs, "wakes_at > 0", runs.c.wakes_at),
    "outbox": (outbox, "state = 'allowed'", outbox.c.not_before),
    "installations": (installations, "blocked_until > 0", installations.c.blocked_until),
}
_LEASES: dict[str, tuple[sa.Table, str]] = {
    "jobs": (jobs, RUNNING),
    "deliveries": (deliveries, "state = 'received'"),
    "outbox": (outbox, "state = 'sending'"),
}


class SqlWaits:
    """`bot.ports.storage.Waits`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def pull_in(self, *, now: int, back_ms: int, lease_ms: int, among: Sequence[str]) -> int:
        """One update a table for waits, and one for leases."""
        count = 0
        for name in among:
            table, waits, column = _WAITS[name]
            count += self._changed(table, waits, column > now, {column.name: column - back_ms})
            if name in _LEASES:
                leased, held = _LEASES[name]
                longest = now + lease_ms
                count += self._changed(leased, held, leased.c.lease_until > longest, {"lease_until": longest})
        if "installations" in among:
            later = installations.c.last_write_at > now
            count += self._changed(installations, "last_write_at > 0", later, {"last_write_at": now})
        return count

    def latest(self, among: Sequence[str]) -> int:
        """Of the newest row by number: no index over times is needed. Who holds the outbox may not read the chain's times."""
        newest = (outbox.c.created_at, outbox.c.id) if "outbox" in among else (audit.c.at, audit.c.seq)
        return int(self._link.value(sa.select(newest[0]).order_by(newest[1].desc()).limit(ONE)) or 0)

    def _changed(self, table: sa.Table, which: str, late: sa.ColumnElement[bool], new: dict[str, Any]) -> int:
        return self._link.changed(sa.update(table).where(sa.text(which), late).values(new))
