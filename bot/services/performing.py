"""Jobs: claimed under a lease, kept alive by a heartbeat, ended with one word and a fence (STYLE rule 7)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, assert_never

import structlog

from bot.domain.errors import ConductorError, Fault, SandboxUnavailable, StaleFence, Stopped, StorageBusy
from bot.domain.jobs import AGENT_QUEUES, JobKind
from bot.domain.outcome import Done, NeedsHuman, Outcome, Retry, Snooze
from bot.ports import records as r
from bot.ports.github import GitHubBusy, GitHubLimited, RepositoryUnusable
from bot.ports.queue import Nudge
from bot.ports.storage import Transaction
from bot.services.backups import awaits_look
from bot.services.clock_watch import ClockWatch
from bot.services.desk import HOUR_MS, Desk, backoff, wake

log = structlog.get_logger()

Handler: TypeAlias = Callable[[r.Job], Outcome]
SOONEST_MS = 1_000
STOPPED_PAUSE_MS = 2_000
HELD_MS = 10_000
LONGEST_PAUSE_MS = 60_000
ENDLESS = frozenset({JobKind.RECOVERY})
"""Kinds that are never given up: each hour has one, and after its end nobody would look again until the next."""
PATIENCE_MS = 6 * HOUR_MS
"""For how long a job waits for a GitHub that does not answer before that counts as failing: outages last hours, and whoever
commanded something in one has been promised nothing less.
"""


@dataclass(frozen=True, slots=True)
class Performer:
    """Runs the handlers of one process. A job of a kind without a handler here is left to another process."""

    desk: Desk
    handlers: Mapping[str, Handler]
    watch: ClockWatch = field(default_factory=ClockWatch)

    def perform(self, job_id: str) -> None:
        """Claim, work, settle. Nothing happens when somebody else has the job, it waits, a stop stands, or this process leaves."""
        desk = self.desk
        if desk.leaving.is_set():
            return
        if JobKind.RECOVERY in self.handlers:
            # Every minute at least one of its jobs comes to `github`, whose the outbox is.
            self.watch.look(desk, ("outbox", "installations"))
        with desk.storage.begin() as tx:
            job = tx.jobs.claim(
                job_id, owner=desk.owner, now=desk.clock.now(), lease_ms=desk.limits.lease_ms, kinds=self.handlers
            )
        if job is None:
            return
        if job.attempts > desk.limits.job_attempts and job.kind not in ENDLESS:
            self._settle(
                job,
                NeedsHuman(
                    f"{job.kind} was tried {job.attempts - 1} times without an end; the last word was: {job.reason or 'its worker died'}"
                ),
            )
            return
        with _Heartbeat(desk, job):
            outcome = self._outcome(job)
        try:
            self._settle(job, outcome)
        except StaleFence:
            log.warning("job_taken_over", job=job.id, kind=job.kind)

    def _outcome(self, job: r.Job) -> Outcome:
        try:
            if job.queue in AGENT_QUEUES and self._awaits_look(job):
                return Snooze(self.desk.clock.now() + HELD_MS, "The records were restored; GitHub is looked at first.")
            return self.handlers[job.kind](job)
        except Stopped as stop:
            return Snooze(self.desk.clock.now() + STOPPED_PAUSE_MS, stop.sentence)
        except GitHubLimited as limit:
            return Snooze(self.desk.clock.now() + limit.wait_ms, limit.sentence)
        except GitHubBusy as away:
            return self._patient(job, away)
        except StorageBusy as busy:
            return Snooze(self.desk.clock.now() + STOPPED_PAUSE_MS, busy.sentence)
        except SandboxUnavailable as none:
            return NeedsHuman(none.sentence)
        except StaleFence as stale:
            # Is the job itself held by somebody else, then this outcome meets the newer fence and is dropped.
            return _again(job, stale.sentence)
        except ConductorError as error:
            return self._after(job, error)
        except Exception as error:
            log.exception("job_failed", job=job.id, kind=job.kind)
            return _again(job, f"{type(error).__name__}: {error}")

    def _awaits_look(self, job: r.Job) -> bool:
        """Nothing is paid for before it is known how far GitHub is ahead of records from a backup, however long it says nothing."""
        with self.desk.storage.read() as tx:
            run = tx.runs.get(job.run_id or "")
            return run is not None and awaits_look(tx, run)

    def _patient(self, job: r.Job, away: GitHubBusy) -> Outcome:
        """Asked again and again, ever more seldom, without spending an attempt."""
        now = self.desk.clock.now()
        age = max(now - job.created_at, 0)
        if age > PATIENCE_MS:
            return _again(job, away.sentence)
        return Snooze(now + min(max(age // 2, SOONEST_MS), LONGEST_PAUSE_MS), away.sentence)

    def _after(self, job: r.Job, error: ConductorError) -> Outcome:
        match error.fault:
            case Fault.USER | Fault.MODEL:
                return NeedsHuman(error.sentence, dict(error.fields))
            case Fault.GITHUB:
                return NeedsHuman(error.sentence) if _lasts(error) else _again(job, error.sentence)
            case Fault.US:
                return _again(job, error.sentence)
            case _:
                assert_never(error.fault)

    def _settle(self, job: r.Job, outcome: Outcome) -> None:
        now = self.desk.clock.now()
        with self.desk.storage.begin() as tx:
            match outcome:
                case Done():
                    tx.jobs.settle(job.id, fence=job.fence, state="done", now=now, result=outcome.result)
                case Snooze():
                    tx.jobs.settle(
                        job.id,
                        fence=job.fence,
                        state="queued",
                        now=now,
                        not_before=outcome.until,
                        reason=self._clean(outcome.why),
                        spend_attempt=False,
                    )
                case Retry():
                    self._retry(tx, job, outcome, now)
                case NeedsHuman():
                    tx.jobs.settle(
                        job.id,
                        fence=job.fence,
                        state="failed",
                        now=now,
                        result=outcome.detail,
                        reason=self._clean(outcome.why),
                    )
                case _:
                    assert_never(outcome)
            self._wake(tx, job)

    def _retry(self, tx: Transaction, job: r.Job, outcome: Retry, now: int) -> None:
        why = self._clean(outcome.why)
        if job.attempts >= self.desk.limits.job_attempts and job.kind not in ENDLESS:
            sentence = f"{job.kind} failed {job.attempts} times: {why}"
            tx.jobs.settle(job.id, fence=job.fence, state="failed", now=now, reason=sentence)
        else:
            tx.jobs.settle(job.id, fence=job.fence, state="queued", now=now, not_before=now + outcome.after, reason=why)

    def _clean(self, text: str) -> str:
        return self.desk.redactor.redact(text).text

    def _wake(self, tx: Transaction, job: r.Job) -> None:
        """Whoever waits for the job looks again; a delivery is armed for its second visit."""
        for run_id in [job.run_id] if job.run_id else job.payload.get("wakes", []):
            wake(tx, run_id, self.desk.clock.now())
        if job.delivery_id:
            ended = tx.jobs.get(job.id)
            if ended is not None and ended.state in {"done", "failed", "cancelled"}:
                tx.deliveries.rearm(job.delivery_id)
                tx.nudge(Nudge.ROUTE, job.delivery_id)


class _Heartbeat:
    """Renews a job's lease every third of it until the block ends; a stale fence ends the renewing."""

    def __init__(self, desk: Desk, job: r.Job) -> None:
        self._desk = desk
        self._job = job
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat-{job.id}", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _beat(self) -> None:
        lease = self._desk.limits.lease_ms
        while not self._done.wait(lease / 3_000):
            try:
                with self._desk.storage.begin() as tx:
                    tx.jobs.renew(self._job.id, fence=self._job.fence, until=self._desk.clock.now() + lease)
            except StaleFence:
                return
            except ConductorError as error:
                log.warning("heartbeat_missed", job=self._job.id, reason=str(error))


def _again(job: r.Job, why: str) -> Retry:
    return Retry(backoff(job.attempts, LONGEST_PAUSE_MS), why)


def _lasts(error: ConductorError) -> bool:
    """Whether asking again would be answered the same: a refusal, or a repository that only its people can change."""
    if isinstance(error, RepositoryUnusable):
        return error.fields["reason"] != "too_slow"
    return str(error.fields.get("status", "")).startswith("4")
