"""What every use case of the control plane works with, and the two ways a run's record grows: evidence and transitions."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, assert_never

from bot.domain.gate import GateResult
from bot.domain.hidden_markup import together
from bot.domain.snapshot import Snapshot
from bot.domain.subject import canonical, sha256_of
from bot.domain.workflow import ENDS, WORKFLOWS, Approval, Stage, Workflow
from bot.policy.decide import PolicySet, publishing_needs_person
from bot.ports import records as r
from bot.ports.artifacts import Artifacts
from bot.ports.clock import Chance, Clock
from bot.ports.queue import Nudge
from bot.ports.storage import Storage, Transaction
from bot.ports.trees import Trees
from bot.redaction import Redactor

HOUR_MS = 3_600_000
DAY_MS = 86_400_000
NO_SUBJECT = "0" * 64
"""Subject of evidence that is about no artifact."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that are not a repository's to set. Times in milliseconds."""

    starts_per_day: int = 20
    approval_ms: int = 14 * DAY_MS
    review_attempts: int = 2
    lease_ms: int = 60_000
    job_attempts: int = 5
    delivery_attempts: int = 6
    row_attempts: int = 8
    pacing_ms: int = 1_000
    job_ms: int = 45 * 60_000
    content_burst: int = 90
    content_kept: int = 10
    content_an_hour: int = 400
    """Content writes of an installation: so many at once, so many more for answers to people, then so many an hour. In no hour
    are there more than all three together: 500, as GitHub has it.
    """

    @property
    def content_share_ms(self) -> int:
        """What one content write takes of the hour."""
        return HOUR_MS // self.content_an_hour

    @property
    def unseen_ms(self) -> int:
        """How long what was sent may not be seen on GitHub, though it will be there: 15 seconds, less where leases are short.

        GitHub ends a request that takes longer than 10 seconds, also when its sender is dead (its REST API's troubleshooting
        page, "Timeouts"); then lists lag, of which it says nothing.
        """
        return min(15_000, self.lease_ms // 4)


@dataclass(frozen=True, slots=True)
class Desk:
    """The parts a use case needs. ``app_id`` is our App's number on GitHub, ``public_url`` where pages are served ("" for none)."""

    storage: Storage
    clock: Clock
    chance: Chance
    artifacts: Artifacts
    trees: Trees
    policies: PolicySet
    redactor: Redactor
    limits: Limits
    app_id: int
    owner: str
    public_url: str = ""
    leaving: threading.Event = field(default_factory=threading.Event)
    """Set when this process is to end: nothing new is begun, and what is in hand stops at its next step."""

    def snapshot(self, run: r.Run) -> Snapshot:
        """The run's snapshot; it must have been taken."""
        return _snapshot(self.artifacts.get(run.installation_id, run.snapshot_sha256))

    def tree(self, run: r.Run, snapshot: Snapshot) -> str:
        """Base's tree id, loaded into the tree store."""
        self.trees.load(self.artifacts.path(run.installation_id, snapshot.bundle_sha256), snapshot.base_tree)
        return snapshot.base_tree

    def keep(self, tx: Transaction, run: r.Run, kind: str, value: Any, *, stage: str = "") -> str:
        """Store a JSON value in RFC 8785 form as an artifact and record its name. Returns the sha256."""
        return self.keep_bytes(tx, run, kind, canonical(value), stage=stage)

    def keep_bytes(self, tx: Transaction, run: r.Run, kind: str, data: bytes, *, stage: str = "") -> str:
        """The same for bytes."""
        name = self.artifacts.put(run.installation_id, data)
        row = r.ArtifactRow(run.installation_id, name, kind, len(data), self.clock.now(), run.id, stage)
        tx.journal.add_artifact(row)
        return name

    def load(self, run: r.Run, sha256: str) -> Any:
        """A JSON artifact."""
        return json.loads(self.artifacts.get(run.installation_id, sha256))


@lru_cache(maxsize=32)
def _snapshot(data: bytes) -> Snapshot:
    """Read once: it is asked for many times in a transaction, and never changes."""
    return Snapshot.model_validate_json(data)


def workflow_of(run: r.Run) -> Workflow:
    """The workflow a run follows."""
    return WORKFLOWS[run.workflow]


def asks_person(desk: Desk, run: r.Run, stage: Stage) -> bool:
    """Whether a person must approve what the stage's review passed; by policy also when the risk cannot be told (DESIGN section 7)."""
    match stage.approval:
        case Approval.ALWAYS:
            return True
        case Approval.NEVER:
            return False
        case Approval.BY_POLICY:
            snapshot = desk.snapshot(run)
            return publishing_needs_person(desk.policies, snapshot.exposures, str(snapshot.config.publish))
        case _:
            assert_never(stage.approval)


def is_over(run: r.Run) -> bool:
    """Whether the run is in an end."""
    return run.state in ENDS


def record_gate(desk: Desk, tx: Transaction, run: r.Run, result: GateResult, subject: str) -> int:
    """Store a gate's answer as evidence, open or closed; returns the attempt."""
    attempt = tx.runs.next_attempt(run.id, result.gate)
    tx.runs.add_evidence(
        r.EvidenceRow(
            run.id,
            result.gate,
            attempt,
            subject,
            "open" if result.is_open else "closed",
            [reason.verifier for reason in result.reasons],
            result.as_json(),
            desk.clock.now(),
        )
    )
    tx.journal.audit(
        at=desk.clock.now(),
        kind="gate",
        subject=run.id,
        body={
            "gate": result.gate,
            "attempt": attempt,
            "open": result.is_open,
            "subject": subject,
            "closed_by": list(result.closed_by),
        },
    )
    return attempt


def take_edge(
    desk: Desk,
    tx: Transaction,
    run: r.Run,
    end: str,
    gate: str,
    *,
    subject: str = NO_SUBJECT,
    attempt: int | None = None,
    kinds: tuple[str, ...] = (),
    facts: dict[str, Any] | None = None,
    approvals: tuple[int, ...] = (),
) -> r.Run:
    """Move the run over an edge of its workflow. Without ``attempt`` the evidence is stored here: ``kinds`` and ``facts``.

    Returns the run in its new state. Raises ``KeyError`` for an edge that the workflow does not have.
    """
    workflow_of(run).edge(run.state, end, gate)
    now = desk.clock.now()
    if attempt is None:
        attempt = tx.runs.next_attempt(run.id, gate)
        tx.runs.add_evidence(r.EvidenceRow(run.id, gate, attempt, subject, "open", list(kinds), facts or {}, now))
    first, second = (*approvals, None, None)[:2]
    tx.runs.move(
        r.Transition(
            run_id=run.id,
            seq=run.state_seq + 1,
            workflow=run.workflow,
            from_state=run.state,
            to_state=end,
            gate=gate,
            attempt=attempt,
            subject_sha256=subject,
            at=now,
            approval_id=first,
            co_approval_id=second,
        )
    )
    tx.journal.audit(
        at=now,
        kind="transition",
        subject=run.id,
        body={
            "from": run.state,
            "to": end,
            "gate": gate,
            "attempt": attempt,
            "subject": subject,
            "approvals": list(approvals),
        },
    )
    return replace(run, state=end, state_seq=run.state_seq + 1, state_at=now)


def with_hidden(run: r.Run, *counts: Mapping[str, int]) -> r.Run:
    """The run with what was hidden in texts that people wrote after its snapshot was taken: they are told of it."""
    hidden = together(run.known.get("hidden", {}), *counts)
    return replace(run, known={**run.known, "hidden": hidden}) if hidden else run


def halt(desk: Desk, tx: Transaction, run: r.Run, why: str, detail: dict[str, Any] | None = None) -> r.Run:
    """To ``needs_human`` with one sentence; open jobs are cancelled. A run that is over or halted already stays as it is."""
    if is_over(run) or run.state == "needs_human":
        return run
    tx.jobs.cancel(run.id, "the run needs a person")
    came_from = run.state
    sentence = desk.redactor.redact(why).text
    run = take_edge(
        desk,
        tx,
        run,
        "needs_human",
        "halt",
        kinds=("reason",),
        facts={"why": sentence, "detail": detail or {}, "from": came_from},
    )
    return replace(run, halted_from=came_from, halt_reason=sentence)


def end(desk: Desk, tx: Transaction, run: r.Run, why: str, *, facts: dict[str, Any]) -> r.Run:
    """To ``cancelled``; open jobs are cancelled, rows that were not sent stay to be decided by what is wanted now."""
    if is_over(run):
        return run
    tx.jobs.cancel(run.id, why)
    run = take_edge(
        desk, tx, run, "cancelled", "cancel", kinds=(str(facts.get("kind", "event")),), facts={"why": why, **facts}
    )
    tx.nudge(Nudge.ADVANCE, run.id)
    if facts.get("kind") == "unlabel":
        # What a person took off is not taken off by us as well: it may be back by then, for the next run.
        run = replace(run, known={**run.known, "unlabeled": True})
    return replace(run, halt_reason=why, wakes_at=desk.clock.now())


def wake(tx: Transaction, run_id: str, now: int) -> None:
    """Have somebody look at the run soon: now by the wake-up, at the next sweep if that is lost.

    The row is what counts: an ``advance`` for a run that nobody woke since the last one reads one row and returns.
    """
    tx.runs.wake(run_id, now)
    tx.nudge(Nudge.ADVANCE, run_id)


def backoff(attempts: int, longest_ms: int = 300_000) -> int:
    """How long to wait after the given number of failures, in milliseconds: half a second, doubled with each."""
    return int(min(500 * 2 ** min(attempts, 20), longest_ms))


def new_job(desk: Desk, run: r.Run, key: str, kind: str, queue: str, **fields: Any) -> r.Job:
    """A job of a run; ``key`` is unique for ever, so that asking twice makes one job."""
    return r.Job(
        id=desk.chance.name(),
        key=f"{run.id}:{key}",
        kind=kind,
        queue=queue,
        created_at=desk.clock.now(),
        installation_id=run.installation_id,
        run_id=run.id,
        **fields,
    )


def ask(tx: Transaction, job: r.Job) -> r.Job:
    """Store the job unless its key exists, nudge its worker, and return the stored one."""
    if tx.jobs.add(job):
        if job.state == "queued":
            tx.nudge(Nudge.PERFORM, job.id, queue=job.queue)
        return job
    stored = tx.jobs.by_key(job.key)
    assert stored is not None
    return stored


def text_hash(text: str) -> str:
    """Short name of a text for dedupe keys: 16 hex digits."""
    return sha256_of(text.encode())[:16]
