"""The sweeper: finds whatever is due, stuck or never nudged, and wakes its worker. Messages are only hints; this is the promise."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.workflow import ENDS
from bot.ports.queue import Nudge, Queue
from bot.services.desk import Desk

BATCH = 500
RECENT = 100
"""How many of the newest ended runs are looked at for something that is left to show."""


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
            over = tx.runs.recent(states=sorted(ENDS), limit=RECENT)
            installations = tx.outbox.due(now, BATCH)
        for delivery in deliveries:
            self.queue.nudge(Nudge.ROUTE, delivery)
        for job, queue in jobs:
            self.queue.nudge(Nudge.PERFORM, job, queue=queue)
        # Runs that just ended sleep on by themselves; what they still have to show is not to hang on one wake-up.
        runs += [run.id for run in over if 0 < run.wakes_at <= now]
        for run in runs:
            self.queue.nudge(Nudge.ADVANCE, run)
        for installation in installations:
            self.queue.nudge(Nudge.DISPATCH, str(installation))
        return len(deliveries) + len(jobs) + len(runs) + len(installations)
