"""Records that come from a backup: GitHub may be ahead of them, so nothing of theirs is sent before it was looked for there.

`conductor restore` leaves the mark; in PostgreSQL, after its own restore, `conductor restored` does.
"""

from __future__ import annotations

import hashlib
from typing import Final

from bot.domain.ids import short_id
from bot.domain.jobs import JobKind
from bot.domain.workflow import ENDS, WORKFLOWS
from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.services.desk import DAY_MS, Desk, is_over

MOST: Final = 100_000
LIVING: Final = tuple(sorted({state for one in WORKFLOWS.values() for state in one.states} - ENDS))
SCOPE: Final = "system"
KEY: Final = "restored"
"""A switch that stops nothing: its time is when the records were last restored."""
LATE_MS: Final = 4 * DAY_MS
"""How long deliveries from before a restore may come again, a day longer than GitHub repeats them."""


def restored_at(tx: Transaction) -> int:
    """When the records were restored from a backup, in milliseconds since the epoch; 0 for never."""
    mark = tx.journal.switch(SCOPE, KEY)
    return 0 if mark is None else mark.at


def comes_from(run: r.Run, mark: int) -> bool:
    """Whether a run is older than the restore at ``mark``, or was started anew by a delivery that is."""
    return run.created_at < mark or (mark > 0 and bool(run.known.get("late")))


def is_restored(tx: Transaction, run: r.Run) -> bool:
    """Whether the run comes from a backup, so that GitHub may be ahead of it."""
    return comes_from(run, restored_at(tx))


def looked_at(run: r.Run) -> int:
    """When GitHub was looked at for the run, in milliseconds since the epoch; 0 for never."""
    return int(run.known.get("looked", {}).get("at", 0))


def awaits_look(tx: Transaction, run: r.Run) -> bool:
    """Whether the run must wait: it comes from a backup, and it is not known yet how far GitHub is ahead of it."""
    mark = restored_at(tx)
    if not comes_from(run, mark) or is_over(run):
        return False
    reads = (job for job in tx.jobs.of_run(run.id) if job.kind == JobKind.PULL_STATE)
    return looked_at(run) < mark or any(job.state in {"queued", "running"} for job in reads)


def is_in_doubt(tx: Transaction, row: r.OutboxRow) -> bool:
    """Whether an earlier life of these records may have sent this row: then it is looked up before it is sent."""
    mark = restored_at(tx)
    if not mark:
        return False
    run = tx.runs.get(row.run_id) if row.run_id else None
    # What answers a delivery that GitHub repeats may have been answered before.
    return comes_from(run, mark) if run is not None else row.created_at < mark + LATE_MS


def token_of(delivery_id: str, key: str) -> str:
    """A row's marker, 128 bits as hex: the same in every life of the records, and known to nobody who lacks the delivery's id."""
    return hashlib.sha256(f"outbox:{delivery_id}:{key}".encode()).hexdigest()[:32]


def run_name(delivery_id: str) -> str:
    """The id of the run that a delivery starts: a delivery that comes again starts the same run."""
    return short_id(hashlib.sha256(f"run:{delivery_id}".encode()).digest())


def mark_restored(desk: Desk, tx: Transaction, by: str) -> int:
    """Leave the mark, and have every living run look at GitHub first. Returns how many runs live."""
    now, count = desk.clock.now(), 0
    tx.journal.set_switch(r.Switch(SCOPE, KEY, False, by, "restored from a backup", now))
    tx.journal.audit(at=now, kind="restored", subject="records", body={"by": by})
    for run in tx.runs.recent(states=LIVING, limit=MOST):
        count += 1
        tx.runs.wake(run.id, now)
    return count
