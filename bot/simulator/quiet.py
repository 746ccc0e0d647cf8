"""When people act and when a scenario is over: nothing that is due, or may still become due by itself, is left."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from bot.domain.workflow import ENDS
from bot.domain.writes import OPEN_ROWS
from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.simulator.github.webhooks import Attempt

MANY: Final = 10_000


def may_act(run: r.Run | None, tx: Transaction, when: str) -> bool:
    """All earlier deliveries are processed, and the run is in the act's state with every row of its entry confirmed."""
    if tx.deliveries.unsettled():
        return False
    if when == "start":
        return True
    return run is not None and run.state == when and _rows_done(tx, run) and not _busy(tx, run)


def is_quiet(run: r.Run | None, tx: Transaction) -> bool:
    """No delivery, job or row is due, of the run or of nobody's."""
    if tx.deliveries.unsettled():
        return False
    if run is None:
        return not tx.outbox.recent(states=OPEN_ROWS, limit=1)
    others = (row for row in tx.outbox.recent(states=OPEN_ROWS, limit=MANY) if row.run_id != run.id)
    stopped = bool(tx.journal.stopped(repository_id=run.repository_id, run_id=None))
    return (stopped or not any(others)) and _rows_done(tx, run) and not _busy(tx, run)


def has_landed(run: r.Run, tx: Transaction) -> bool:
    """Whether everything that the run has to show of its states so far is shown."""
    return _rows_done(tx, run) and not _is_due(run)


def is_over(run: r.Run | None) -> bool:
    """Whether the run is in an end, which nothing leaves."""
    return run is not None and run.state in ENDS


def has_lost(attempts: Iterable[Attempt]) -> bool:
    """Whether a well signed delivery never arrived: the App may still fetch it by itself."""
    last = {one.guid: one for one in attempts if one.delivery.signature == "good"}
    return any(one.status_code == 0 or one.status_code >= 500 for one in last.values())


def _rows_done(tx: Transaction, run: r.Run) -> bool:
    """Every row of the run has come to its end; rows of dry runs end at ``allowed``, rows behind a stop wait with it."""
    held = run.mode == "dry-run" or bool(tx.journal.stopped(repository_id=run.repository_id, run_id=None))
    open_states = {"staged", "sending"} if held else set(OPEN_ROWS)
    return all(row.state not in open_states for row in tx.outbox.of_run(run.id))


def _busy(tx: Transaction, run: r.Run) -> bool:
    """Whether something can still move the run: a job, a wish or claim that is not held up, or a wake-up that is due."""
    if run.state in ENDS:
        # What an ended run still has to show is staged when it wakes.
        return _is_due(run)
    if run.paused or tx.journal.stopped(repository_id=run.repository_id, run_id=run.id):
        return False
    if any(job.state in {"running", "queued"} for job in tx.jobs.of_run(run.id)):
        return True
    return bool(run.known.get("wish") or run.known.get("claims")) or _is_due(run)


def _is_due(run: r.Run) -> bool:
    return 0 < run.wakes_at <= int(time.time() * 1000)
