"""The sweeper: finds whatever is due, stuck or never nudged, and wakes its worker. Messages are only hints; this is the promise."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.ports.queue import Nudge, Queue
from bot.services import recovering, retention
from bot.services.clock_watch import ClockWatch
from bot.services.desk import Desk

BATCH = 500


@dataclass(frozen=True, slots=True)
class Sweeper:
    """What it wakes claims for itself; all that it writes are the jobs of each hour and each day."""

    desk: Desk
    queue: Queue
    watch: ClockWatch = field(default_factory=ClockWatch)

    def recover(self) -> None:
        """Look at once for deliveries that were missed."""
        with self.desk.storage.begin() as tx:
            recovering.hurry(self.desk, tx)

    def sweep(self) -> int:
        """Nudge everything that is due now; returns how many nudges were sent."""
        self.watch.look(self.desk, ("jobs", "deliveries", "runs"))
        now = self.desk.clock.now()
        with self.desk.storage.read() as tx:
            deliveries = tx.deliveries.due(now, BATCH)
            jobs = tx.jobs.due(now, BATCH)
            runs = tx.runs.due(now, BATCH)
            installations = tx.outbox.due(now, BATCH)
            asked = recovering.is_asked_for(self.desk, tx) and retention.is_asked_for(self.desk, tx)
        if not asked:
            with self.desk.storage.begin() as tx:
                recovering.ask_for_recovery(self.desk, tx)
                retention.ask_for_retention(self.desk, tx)
        for delivery in deliveries:
            self.queue.nudge(Nudge.ROUTE, delivery)
        for job, queue in jobs:
            self.queue.nudge(Nudge.PERFORM, job, queue=queue)
        for run in runs:
            self.queue.nudge(Nudge.ADVANCE, run)
        for installation in installations:
            self.queue.nudge(Nudge.DISPATCH, str(installation))
        return len(deliveries) + len(jobs) + len(runs) + len(installations)
