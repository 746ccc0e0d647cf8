"""The sweeper: finds whatever is due, stuck or never nudged, and wakes its worker. Messages are only hints; this is the promise."""

from __future__ import annotations

from dataclasses import dataclass

from bot.ports.queue import Nudge, Queue
from bot.services.desk import Desk

BATCH = 500


@dataclass(frozen=True, slots=True)
class Sweeper:
    """Reads only; what it wakes claims for itself."""

    desk: Desk
    queue: Queue

    def sweep(self) -> int:
        """Nudge everything that is due now; returns how many nudges were sent."""
        now = self.desk.clock.now()
        with self.desk.storage.read() as tx:
            deliveries = tx.deliveries.due(now, BATCH)
            jobs = tx.jobs.due(now, BATCH)
            runs = tx.runs.due(now, BATCH)
            installations = tx.outbox.due(now, BATCH)
        for delivery in deliveries:
            self.queue.nudge(Nudge.ROUTE, delivery)
        for job, queue in jobs:
            self.queue.nudge(Nudge.PERFORM, job, queue=queue)
        for run in runs:
            self.queue.nudge(Nudge.ADVANCE, run)
        for installation in installations:
            self.queue.nudge(Nudge.DISPATCH, str(installation))
        return len(deliveries) + len(jobs) + len(runs) + len(installations)
