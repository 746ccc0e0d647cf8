"""Moves runs: looks at what is stored, takes the edges whose evidence is there, asks for the work that is missing (DESIGN section 4).

``advance`` may be called at any time, by anybody, as often as one likes: it derives everything from the rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from bot.domain.errors import ConductorError, StaleFence, StorageBusy
from bot.domain.jobs import QUEUE_OF, JobKind
from bot.domain.money import micro_dollars
from bot.domain.workflow import DONE, IN_REVIEW, PUBLISHING, QUEUED, Drafting, holds_slot
from bot.domain.writes import OPEN_ROWS
from bot.ports import records as r
from bot.ports.queue import Nudge
from bot.ports.storage import Transaction
from bot.services.approving import Approving
from bot.services.backups import awaits_look, is_restored
from bot.services.desk import Desk, ask, backoff, end, halt, is_over, new_job, take_edge, wake, workflow_of
from bot.services.drafting import Drafting as DraftingService
from bot.services.hearing import own_heads
from bot.services.publishing import Publishing
from bot.services.reconciling import Reconciling
from bot.services.retention import Retention
from bot.services.returning import Returning
from bot.services.reviewing import Reviewing
from bot.services.slots import fresh_rounds, slot_free, valid_approval
from bot.wording import halts

log = structlog.get_logger()

WAIT_MS = 10_000
MAX_STEPS = 20
"""Edges taken in one transaction at most; more would mean two states that feed each other."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The engine's driver. Each state has one method; it returns the run, moved or not."""

    desk: Desk
    drafting: DraftingService
    reviewing: Reviewing
    approving: Approving
    publishing: Publishing
    returning: Returning
    reconciling: Reconciling
    retention: Retention

    def advance(self, run_id: str) -> None:
        """Take a run as far as its rows allow, then stage what people should see of it.

        Nudges come once for each thing that happened, so most find the run advanced already and only read that. What
        fails time after time is a person's matter (`_stumbled`).
        """
        now = self.desk.clock.now()
        with self.desk.storage.read() as tx:
            run = tx.runs.get(run_id)
            if run is None or not 0 < run.wakes_at <= now:
                return
            is_outlived = is_over(run) and self.retention.time_is_up_at(tx, run) <= now
        try:
            if is_outlived:
                self.retention.empty(run)
            else:
                self._advance(run_id)
        except (StaleFence, StorageBusy):
            raise
        except Exception as error:
            log.exception("advance_failed", run=run_id)
            self._stumbled(run_id, error)

    def _stumbled(self, run_id: str, error: Exception) -> None:
        """Come back later, and with the fifth time in a row let a person see it: the same rows would fail for ever."""
        with self.desk.storage.begin() as tx:
            run = tx.runs.lock(run_id)
            if run is None:
                return
            times = int(run.known.get("stumbles", 0)) + 1
            if times >= self.desk.limits.job_attempts:
                said = error.sentence if isinstance(error, ConductorError) else f"{type(error).__name__}: {error}"
                run = halt(self.desk, tx, run, f"Conductor failed {times} times to take this run further: {said}")
            pause = backoff(times)
            known = {**run.known, "stumbles": times}
            tx.runs.save(replace(run, known=known, wakes_at=self.desk.clock.now() + pause))

    def _advance(self, run_id: str) -> None:
        with self.desk.storage.begin() as tx:
            self.reconciling.take(tx, run_id)
            run = tx.runs.lock(run_id)
            if run is None:
                return
            run = replace(run, known={key: value for key, value in run.known.items() if key != "stumbles"})
            held, found = holds_slot(run.state), (run.state_seq, run.rounds, run.known)
            run = self.publishing.learn(tx, run)
            for _ in range(MAX_STEPS):
                before = run.state_seq
                run = self._step(tx, run)
                if run.state_seq == before:
                    break
            run = self.reconciling.keep(tx, run)
            if not awaits_look(tx, run):
                run = self.publishing.stage_wanted(tx, run)
            now = self.desk.clock.now()
            # What was learnt or moved may make more possible: a run rests when a look at it changes nothing.
            rests = (run.state_seq, run.rounds, run.known) == found
            tx.runs.save(replace(run, updated_at=now, wakes_at=self._wakes_at(tx, run) if rests else now))
            if not rests:
                tx.nudge(Nudge.ADVANCE, run.id)
            if held and not holds_slot(run.state):
                for other in tx.runs.living_of_repository(run.repository_id):
                    if _waits_for_slot(other):
                        wake(tx, other.id, now)

    def _wakes_at(self, tx: Transaction, run: r.Run) -> int:
        """When the sweeper should look again though nothing happens: slots and resumes are polled for, approvals time out,
        and GitHub is looked at. A run that is over is looked at until people see that it is, and when its bodies are to go.
        """
        now = self.desk.clock.now()
        if is_over(run):
            return self.retention.time_is_up_at(tx, run) if self.publishing.at_rest(tx, run) else now + WAIT_MS
        times = [self.reconciling.due_at(tx, run, now)]
        if _waits_for_slot(run):
            times.append(now + WAIT_MS)
        if run.state.endswith(".approval"):
            times.append(run.state_at + self.desk.limits.approval_ms)
        return min(times)

    def _step(self, tx: Transaction, run: r.Run) -> r.Run:
        if is_over(run):
            return run
        run = self._closings(tx, run)
        if is_over(run) or run.paused or awaits_look(tx, run):
            return run
        wished = self._wish(tx, run)
        if wished is not None:
            return wished
        return self._handler(run)(tx, run)

    def _handler(self, run: r.Run) -> Callable[[Transaction, r.Run], r.Run]:
        match run.state:
            case "queued":
                return self._queued
            case "publishing":
                return self._publishing
            case "in_review":
                return self.returning.in_review
            case "needs_human":
                return lambda _tx, same: same
            case _:
                return self._in_stage

    def _in_stage(self, tx: Transaction, run: r.Run) -> r.Run:
        stage = workflow_of(run).stage_of(run.state)
        assert stage is not None
        if run.state == stage.draft:
            fresh = self._fresh_snapshot(tx, run)
            if fresh is not None:
                return fresh
            if stage.drafting is Drafting.DOCUMENT:
                return self.drafting.document(tx, run, stage)
            return self.drafting.steps(tx, run, stage)
        if run.state == stage.review:
            return self.reviewing.review(tx, run, stage)
        return self.approving.waiting(tx, run, stage)

    def _queued(self, tx: Transaction, run: r.Run) -> r.Run:
        """Needs slot, not stopped, snapshot."""
        job = self._snapshot_job(tx, run)
        if job.state in {"failed", "cancelled"}:
            return halt(self.desk, tx, run, job.reason, dict(job.result))
        if job.state != "done":
            return run
        run = self._take_snapshot(tx, run, str(job.result["snapshot"]))
        if tx.journal.stopped(repository_id=run.repository_id, run_id=run.id) or not slot_free(tx, run):
            return run
        first = workflow_of(run).stages[0]
        run = replace(run, rounds={**run.rounds, first.name: 1})
        facts = {"snapshot": run.snapshot_sha256, "slots_held": tx.runs.holding_slots(run.repository_id)}
        return take_edge(
            self.desk,
            tx,
            run,
            first.draft,
            "start",
            subject=run.snapshot_sha256,
            kinds=("slot", "not_stopped", "snapshot"),
            facts=facts,
        )

    def _snapshot_job(self, tx: Transaction, run: r.Run) -> r.Job:
        number = int(run.known.get("snapshots", 1))
        found = tx.jobs.by_key(f"{run.id}:snapshot:{number}")
        assert found is not None, f"run {run.id} has no snapshot job {number}"
        return found

    def _take_snapshot(self, tx: Transaction, run: r.Run, sha256: str) -> r.Run:
        if run.snapshot_sha256 == sha256:
            return run
        run = replace(run, snapshot_sha256=sha256)
        snapshot = self.desk.snapshot(run)
        config = snapshot.config
        tx.places.configure(run.repository_id, wip=config.wip, retention_days=config.retention_days)
        for kind, name in (("snapshot", sha256), ("bundle", snapshot.bundle_sha256)):
            tx.journal.add_artifact(r.ArtifactRow(run.installation_id, name, kind, 0, self.desk.clock.now(), run.id))
        budget = micro_dollars(config.budget.run)
        return replace(
            run,
            budget_micro_dollars=budget,
            mode=str(config.mode),
            known={
                **run.known,
                "start_label": config.start_label,
                "base": snapshot.base_commit,
                "bases": {**run.known.get("bases", {}), snapshot.base_tree: sha256},
            },
        )

    def _fresh_snapshot(self, tx: Transaction, run: r.Run) -> r.Run | None:
        """After ``revise`` the draft waits for a new snapshot; None when the one at hand is current."""
        job = self._snapshot_job(tx, run)
        if job.state in {"failed", "cancelled"}:
            return halt(self.desk, tx, run, job.reason, dict(job.result))
        if job.state != "done":
            return run
        taken = str(job.result["snapshot"])
        if taken == run.snapshot_sha256:
            return None
        moved = self._take_snapshot(tx, run, taken)
        return self._in_stage(tx, moved)

    def _wish(self, tx: Transaction, run: r.Run) -> r.Run | None:
        """`revise` and `retry` wait for a slot like everything that drafts."""
        wish = run.known.get("wish")
        if not wish:
            return None
        if tx.journal.stopped(repository_id=run.repository_id, run_id=run.id) or not slot_free(tx, run):
            return run
        run = replace(run, known={key: value for key, value in run.known.items() if key != "wish"})
        return self._revise(tx, run, wish) if wish["kind"] == "revise" else self._retry(tx, run, wish)

    def _revise(self, tx: Transaction, run: r.Run, wish: dict[str, str]) -> r.Run:
        tx.jobs.cancel(run.id, "the plan is being revised")
        first = workflow_of(run).stages[0]
        number = int(run.known.get("snapshots", 1)) + 1
        first_job = tx.jobs.by_key(f"{run.id}:snapshot:1")
        assert first_job is not None
        payload = {**first_job.payload, "again": True, "at": self.desk.clock.now()}
        ask(
            tx,
            new_job(
                self.desk, run, f"snapshot:{number}", JobKind.SNAPSHOT, QUEUE_OF[JobKind.SNAPSHOT], payload=payload
            ),
        )
        run = fresh_rounds(run, first.name)
        known = {**run.known, "snapshots": number, "revision": wish["text"], "revised_by": wish["by"], "claims": []}
        known["again"] = known.get("mourned", [])
        run = replace(run, known=known, halted_from="", halt_reason="")
        return take_edge(self.desk, tx, run, first.draft, "revise", kinds=("command",), facts=dict(wish))

    def _retry(self, tx: Transaction, run: r.Run, wish: dict[str, str]) -> r.Run:
        """Back to where it came from, with fresh rounds; behind an approval only while that approval still covers the plan."""
        workflow = workflow_of(run)
        came = run.halted_from
        if came in {PUBLISHING, IN_REVIEW}:
            target = workflow.stages[-1].review
            stage = workflow.stages[-1]
        else:
            stage = workflow.stage_of(came) or workflow.stages[0]
            target = stage.draft
        rests_on = workflow.behind_approval(stage)
        facts: dict[str, object] = dict(wish)
        if rests_on is not None:
            approval = valid_approval(tx, run, rests_on.name)
            if approval is None:
                known = {
                    **run.known,
                    "refused": f"the approval of the {rests_on.name} no longer covers it: `/conductor revise` plans again",
                }
                return replace(run, known=known)
            facts["approval"] = approval.id
        if not run.snapshot_sha256 or self._snapshot_job(tx, run).state in {"failed", "cancelled"}:
            # Without one, or with one that was asked for again in vain: a new one is.
            return self._revise(tx, run, {**wish, "text": str(run.known.get("revision", ""))})
        attempt = int(run.known.get("retries", 0)) + 1
        run = fresh_rounds(run, stage.name)
        again = {"again": run.known.get("mourned", [])}
        run = replace(run, known={**run.known, **again, "retries": attempt}, halted_from="", halt_reason="")
        return take_edge(self.desk, tx, run, target, "retry", kinds=("command",), facts=facts)

    def _publishing(self, tx: Transaction, run: r.Run) -> r.Run:
        last = workflow_of(run).stages[-1]
        subject = tx.journal.subject(run.id, last.name)
        assert subject is not None
        confirmed = self.publishing.published(tx, run)
        if not confirmed:
            return run
        return take_edge(
            self.desk,
            tx,
            run,
            IN_REVIEW,
            "published",
            subject=subject.sha256,
            kinds=tuple(confirmed),
            facts={"rows": confirmed},
        )

    def _closings(self, tx: Transaction, run: r.Run) -> r.Run:
        """What the `github` worker read about our pull request after it was said to be closed, merged or moved."""
        for job in tx.jobs.of_run(run.id):
            if job.kind != JobKind.PULL_STATE or job.state != "done" or job.id in run.known.get("seen", []):
                continue
            run = replace(run, known={**run.known, "seen": [*run.known.get("seen", []), job.id]})
            seen = job.result
            if seen.get("merged"):
                return self._merged(tx, run, dict(seen))
            if seen.get("unlabeled"):
                label = str(job.payload["label"])
                return end(self.desk, tx, run, f"the label {label} was removed", facts={"kind": "unlabel", **seen})
            if seen.get("closed"):
                what = "the pull request was closed" if job.payload.get("closed") == "pull" else "the issue was closed"
                return end(self.desk, tx, run, what, facts={"kind": "closed", **seen})
            if job.payload.get("ahead"):
                number = int(job.payload["pull"])
                return halt(self.desk, tx, _strange(run, number), halts.ahead_by_pull(number), dict(seen))
            run = self._moved(tx, run, dict(seen))
        return run

    def _moved(self, tx: Transaction, run: r.Run, seen: dict[str, object]) -> r.Run:
        """A head that is not ours, or one that we made after the backup was taken that these records come from."""
        head = str(seen.get("head", ""))
        if not head or not run.known.get("head") or head in own_heads(tx, run):
            return run
        if not seen.get("ours"):
            run = _strange(run, head)
            return replace(run, known={**run.known, "foreign_head": head})
        # A row that may have made it is looked up before it is sent, and then tells.
        waits = any(row.kind.startswith("branch.") and row.state in OPEN_ROWS for row in tx.outbox.of_run(run.id))
        return run if waits else halt(self.desk, tx, _strange(run, head), halts.ahead_by_commit(head), seen)

    def _merged(self, tx: Transaction, run: r.Run, seen: dict[str, object]) -> r.Run:
        """Only a run in review can be done; a merge of anything else ends it."""
        if run.state == IN_REVIEW:
            return take_edge(self.desk, tx, run, DONE, "merged", kinds=("pull_state",), facts=seen)
        early = "the pull request was merged before the run was in review"
        return end(
            self.desk,
            tx,
            run,
            halts.merged_ahead() if is_restored(tx, run) else early,
            facts={"kind": "merged", **seen},
        )


def _strange(run: r.Run, name: str | int) -> r.Run:
    """Remember a commit or pull request on our branch that the records did not make, so that it is read once."""
    return replace(run, known={**run.known, "strange": [*run.known.get("strange", []), name]})


def _waits_for_slot(run: r.Run) -> bool:
    """Whether a free slot may let it go on: it is queued, or somebody approved, revised, retried or asked for changes."""
    return run.state == QUEUED or any(run.known.get(name) for name in ("wish", "claims", "feedback_waits"))
