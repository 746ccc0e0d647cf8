"""What comes back while people review the published code: their reviews and failing checks become findings and start a bounded round."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from bot.domain.jobs import JobKind
from bot.domain.workflow import Stage
from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.services.desk import Desk, halt, take_edge, with_hidden, workflow_of
from bot.services.drafting import next_round
from bot.services.ledgers import Ledgers
from bot.services.outbox import Outboxes
from bot.services.slots import fresh_rounds, slot_free
from bot.wording import replies
from bot.wording.neutral import code


@dataclass(frozen=True, slots=True)
class Returning:
    """From ``in_review`` back to the last draft."""

    desk: Desk
    ledgers: Ledgers
    outboxes: Outboxes

    def in_review(self, tx: Transaction, run: r.Run) -> r.Run:
        """Take in every feedback job that has ended, then draft again when something is open."""
        run = self._told_of_lost(tx, run)
        stage = workflow_of(run).stages[-1]
        seen = list(run.known.get("feedback_seen", []))
        fresh = [
            job
            for job in tx.jobs.of_run(run.id)
            if job.kind == JobKind.FEEDBACK and job.state == "done" and job.id not in seen
        ]
        if not fresh or not slot_free(tx, run):
            return replace(run, known={**run.known, "feedback_waits": bool(fresh)})
        known = {**run.known, "feedback_seen": [*seen, *(job.id for job in fresh)], "feedback_waits": False}
        run = replace(run, known=known)
        taken = [one for job in fresh for one in job.result.get("findings", [])]
        run = with_hidden(run, *(job.result.get("hidden", {}) for job in fresh))
        if not taken:
            return run
        outside = self._outside(tx, run, taken)
        if outside:
            self.outboxes.comment(
                tx,
                run,
                int(run.known.get("pull") or run.issue_number),
                f"outside:{fresh[0].id}",
                replies.outside_plan(outside),
            )
            return run
        self.ledgers.add_outside(tx, run, stage, taken)
        return self._rework(tx, run, stage, taken)

    def _told_of_lost(self, tx: Transaction, run: r.Run) -> r.Run:
        """Whose review could not be read, or was when the run stopped, learns that nothing follows from it."""
        seen = run.known.get("feedback_seen", [])
        for job in tx.jobs.of_run(run.id):
            if job.kind != JobKind.FEEDBACK or job.state not in {"failed", "cancelled"} or job.id in seen:
                continue
            by = job.payload.get("by")
            what = f"The review by {code(str(by))}" if by else f"The failing check {code(str(job.payload.get('name')))}"
            place = int(run.known.get("pull") or run.issue_number)
            self.outboxes.comment(tx, run, place, f"lost:{job.id}", replies.not_taken_in(what, job.reason))
            seen = [*seen, job.id]
            run = replace(run, known={**run.known, "feedback_seen": seen})
        return run

    def _outside(self, tx: Transaction, run: r.Run, taken: list[dict[str, Any]]) -> list[str]:
        """Anything beyond the approved paths needs `revise`."""
        approved = self.ledgers.approved_paths(tx, run)
        return sorted({str(one["path"]) for one in taken if one.get("path") and str(one["path"]) not in approved})

    def _rework(self, tx: Transaction, run: r.Run, stage: Stage, taken: list[dict[str, Any]]) -> r.Run:
        spent = int(run.known.get("returns", 0))
        if spent >= self.desk.snapshot(run).config.rounds:
            return halt(
                self.desk,
                tx,
                run,
                f"{spent} rounds of rework after publishing are spent and there is more to do: {taken[0]['title']}",
            )

        run = fresh_rounds(replace(run, known={**run.known, "returns": spent + 1}), stage.name)
        run = replace(run, rounds={**run.rounds, stage.name: run.rounds[stage.name] - 1})
        run = next_round(run, stage, [])
        return take_edge(
            self.desk,
            tx,
            run,
            stage.draft,
            "feedback",
            kinds=tuple(sorted({str(one["source"]) for one in taken})),
            facts={"findings": [one["title"] for one in taken]},
        )
