"""Rows as values: one frozen dataclass a table, fields named as columns (DESIGN section 10). Times: milliseconds since the epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Installation:
    """Where the App is installed. ``last_write_at`` counts content writes (`bot.services.dispatch`); ``blocked_until`` holds GitHub's own waits.

    ``changed_at``: GitHub's time of the newest news about the installation itself.
    """

    id: int
    account: str
    suspended: bool
    created_at: int
    blocked_until: int = 0
    last_write_at: int = 0
    lease_owner: str = ""
    lease_until: int = 0
    fence: int = 0
    changed_at: int = 0


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository that ever sent us an event."""

    id: int
    installation_id: int
    full_name: str
    default_branch: str
    private: bool
    wip: int = 1
    retention_days: int = 90


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook delivery. ``state``: received, waiting (for a permission job), done, ignored, dead. ``body`` is raw."""

    id: str
    event: str
    body: bytes
    body_sha256: str
    received_at: int
    state: str = "received"
    attempts: int = 0
    not_before: int = 0
    lease_owner: str = ""
    lease_until: int = 0
    fence: int = 0
    reason: str = ""
    installation_id: int | None = None
    repository_id: int | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One issue's way. ``state`` and ``state_seq`` are written by the database when a transition is inserted, never by us.

    ``rounds`` counts drafts per stage since the last fresh start, ``round_total`` over the whole run (``round`` of jobs).
    ``known``: what GitHub told us of things we made: ``{status_comment, pull, pull_node, head, checks: {name: id}}``.
    """

    id: str
    installation_id: int
    repository_id: int
    issue_number: int
    workflow: str
    branch: str
    requester_id: int
    requester_login: str
    delivery_id: str
    created_at: int
    updated_at: int
    state: str = "queued"
    state_seq: int = 0
    state_at: int = 0
    paused: bool = False
    mode: str = "active"
    risk: str = "normal"
    snapshot_sha256: str = ""
    budget_micro_dollars: int = 0
    spent_micro_dollars: int = 0
    reserved_micro_dollars: int = 0
    halted_from: str = ""
    halt_reason: str = ""
    rounds: dict[str, int] = field(default_factory=dict)
    known: dict[str, Any] = field(default_factory=dict)
    wakes_at: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class Transition:
    """One step of a run over an edge, with the evidence that opened it (I2)."""

    run_id: str
    seq: int
    workflow: str
    from_state: str
    to_state: str
    gate: str
    attempt: int
    subject_sha256: str
    at: int
    verdict: str = "open"
    approval_id: int | None = None
    co_approval_id: int | None = None


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """What a gate saw when it was asked. ``kinds``: the verifiers' names; ``body``: the tree of reasons."""

    run_id: str
    gate: str
    attempt: int
    subject_sha256: str
    verdict: str
    kinds: list[str]
    body: dict[str, Any]
    created_at: int


@dataclass(frozen=True, slots=True)
class ApprovalRow:
    """A person's granted approval of one subject. ``id`` is 0 until stored; ``used_at`` is 0 until its edge is taken."""

    id: int
    run_id: str
    stage: str
    subject_sha256: str
    by_id: int
    by_login: str
    permission: str
    source: str
    source_id: int
    granted_at: int
    evidence: dict[str, Any]
    used_at: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """Work for one worker. ``state``: waiting, queued, running, done, failed, cancelled. ``key`` is unique.

    ``payload`` and ``result`` are small; anything long is an artifact named in them.
    """

    id: str
    key: str
    kind: str
    queue: str
    created_at: int
    installation_id: int
    run_id: str | None = None
    delivery_id: str | None = None
    stage: str = ""
    role: str = ""
    round: int = 0
    step: str = ""
    state: str = "queued"
    attempts: int = 0
    not_before: int = 0
    lease_owner: str = ""
    lease_until: int = 0
    fence: int = 0
    payload: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    done_at: int = 0


@dataclass(frozen=True, slots=True)
class ArtifactRow:
    """A stored file. ``kind``: snapshot, bundle, plan, subject, patch, review, facts, request, response, output ...

    Subjects of a stage (``kind = 'subject'``) are numbered by ``seq`` within run and stage; the latest counts (I2).
    """

    installation_id: int
    sha256: str
    kind: str
    size: int
    created_at: int
    run_id: str | None = None
    stage: str = ""
    seq: int = 0


@dataclass(frozen=True, slots=True)
class FindingRow:
    """A finding of the ledger as it stands; its history is in ``finding_events``."""

    run_id: str
    id: str
    seq: int
    stage: str
    round: int
    status: str
    reason: str
    severity: str
    category: str
    title: str
    claim: str
    evidence: list[dict[str, Any]]
    suggestion: str
    fingerprint: str
    raised_by: list[str]
    source: str
    revision: str
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FindingEventRow:
    """One change of a finding: who, when, round, revision, evidence. Append-only."""

    run_id: str
    seq: int
    finding_id: str
    at: int
    who: str
    round: int
    revision: str
    from_status: str
    to_status: str
    reason: str
    evidence: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One intended write (DESIGN section 8). ``payload`` are the bytes that are hashed and sent; ``id`` is 0 until stored.

    ``state``: staged, allowed, denied, sending, confirmed, dead. ``token``: 32 hex digits of the row's marker.
    """

    id: int
    installation_id: int
    repository_id: int
    run_id: str | None
    seq: int
    kind: str
    target: str
    order_key: str
    payload: bytes
    payload_sha256: str
    dedupe_key: str
    token: str
    created_at: int
    decision: str = ""
    decision_sha256: str = ""
    policy_ids: list[str] = field(default_factory=list)
    policy_set_sha256: str = ""
    state: str = "staged"
    attempts: int = 0
    not_before: int = 0
    lease_owner: str = ""
    lease_until: int = 0
    fence: int = 0
    response: dict[str, Any] = field(default_factory=dict)
    github_id: str = ""
    github_url: str = ""
    reason: str = ""
    confirmed_at: int = 0


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One model call. ``state``: reserved, done, failed. Money in micro-dollars. ``turn`` counts assistant turns before it."""

    id: int
    run_id: str
    job_id: str
    role: str
    round: int
    step: str
    turn: int
    model: str
    request_sha256: str
    reserved_micro_dollars: int
    at: int
    state: str = "reserved"
    response_sha256: str = ""
    stop_reason: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_micro_dollars: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One tool call of a model: what was asked, what was decided, what came out (redacted, bounded)."""

    run_id: str
    job_id: str
    seq: int
    role: str
    round: int
    step: str
    tool: str
    input: dict[str, Any]
    output: str
    output_sha256: str
    decision: str
    rule: str
    exit_code: int | None
    raw_tokens: int
    compressed_tokens: int
    at: int


@dataclass(frozen=True, slots=True)
class Switch:
    """A stop switch. ``scope``: system, repository, run. ``key``: "" for the system, else the id."""

    scope: str
    key: str
    stopped: bool
    by: str
    reason: str
    at: int


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One link of the chain: ``hash`` = sha256 over ``prev``, ``seq``, ``at``, ``kind``, ``subject`` and ``body_sha256``."""

    seq: int
    at: int
    kind: str
    subject: str
    body: dict[str, Any]
    body_sha256: str
    prev: str
    hash: str
