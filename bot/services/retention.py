"""Retention: when a run's time is up its bodies go, while rows, decisions and hashes stay, so that the chain still verifies.

Emptied are payloads of outbox rows, inputs and outputs of tool calls, bodies of deliveries, and the files of artifacts that
no other run needs. A run that is not over keeps everything, however old it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from bot.domain.jobs import QUEUE_OF, JobKind
from bot.domain.outcome import Done, Outcome
from bot.domain.writes import OPEN_ROWS
from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.services.desk import DAY_MS, Desk, ask, is_over

AT_ONCE: Final = 1_000
"""Deliveries or rows that one transaction looks at."""


def key_of(day: int) -> str:
    """One job a day empties what belongs to no run."""
    return f"retention:{day}"


def is_asked_for(desk: Desk, tx: Transaction) -> bool:
    """Whether today has its job."""
    return tx.jobs.by_key(key_of(desk.clock.now() // DAY_MS)) is not None


def ask_for_retention(desk: Desk, tx: Transaction) -> None:
    """Ask for today's; nothing happens when somebody has."""
    now, kind = desk.clock.now(), JobKind.RETENTION
    ask(tx, r.Job(desk.chance.name(), key_of(now // DAY_MS), kind, QUEUE_OF[kind], now, installation_id=0))


@dataclass(frozen=True, slots=True)
class Retention:
    """Empties what has been kept for as long as the repository's configuration says."""

    desk: Desk

    def time_is_up_at(self, tx: Transaction, run: r.Run) -> int:
        """When an ended run's bodies are to go, in milliseconds since the epoch."""
        repository = tx.places.repository(run.repository_id)
        assert repository is not None, f"run {run.id} is of no stored repository"
        return run.state_at + repository.retention_days * DAY_MS

    def empty(self, run: r.Run) -> None:
        """Files first: who dies in between finds the run due again. Rows that are still to be sent keep their payload."""
        desk = self.desk
        now = desk.clock.now()
        with desk.storage.read() as tx:
            files = tx.retention.files(run.id, now)
        dropped = sum(desk.artifacts.drop(installation, sha256) for installation, sha256 in files)
        with desk.storage.begin() as tx:
            locked = tx.runs.lock(run.id)
            if locked is None or not is_over(locked):
                return
            emptied = tx.retention.empty_run(run.id)
            if dropped or emptied:
                body = {"files": dropped, "rows": emptied}
                tx.journal.audit(at=now, kind="emptied", subject=run.id, body=body)
            waits = any(row.state in OPEN_ROWS for row in tx.outbox.of_run(run.id))
            tx.runs.save(replace(locked, wakes_at=now + DAY_MS if waits else 0))

    def sweep(self, _job: r.Job) -> Outcome:
        """Bodies of deliveries, and payloads of rows that belong to no run."""
        desk = self.desk
        now, bodies, rows = desk.clock.now(), 0, 0
        delivery = ""
        while True:
            with desk.storage.begin() as tx:
                delivery, changed = tx.retention.empty_deliveries(delivery, AT_ONCE, now)
            bodies += changed
            if not delivery:
                break
        row = 0
        while True:
            with desk.storage.begin() as tx:
                row, changed = tx.retention.empty_rows_of_nobody(row, AT_ONCE, now)
            rows += changed
            if not row:
                break
        return Done({"deliveries": bodies, "rows": rows})
