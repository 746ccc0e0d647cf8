"""The records. One transaction per use case; what it stages is nudged after its commit (STYLE rule 6)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

from bot.domain.workflow import Workflow
from bot.ports import records as r

LEASED: Final = ("jobs", "deliveries", "outbox")
"""The tables whose rows are worked on under a lease."""


class Deliveries(Protocol):
    """The inbox."""

    def add(self, delivery: r.Delivery) -> bool:
        """Store; False when the id is known. A known delivery in state ``dead`` is armed again (state received, attempts 0)."""

    def get(self, delivery_id: str) -> r.Delivery | None: ...

    def claim(self, delivery_id: str, *, owner: str, now: int, lease_ms: int) -> r.Delivery | None:
        """Take it if it is received, due and not leased: one conditional UPDATE, ``fence + 1``, attempts + 1. None when not."""

    def settle(
        self,
        delivery_id: str,
        *,
        fence: int,
        state: str,
        reason: str = "",
        not_before: int = 0,
        installation_id: int | None = None,
        repository_id: int | None = None,
    ) -> None:
        """Write the end (or received again, with ``not_before``) and drop the lease. Raises ``StaleFence`` when the fence is old."""

    def rearm(self, delivery_id: str) -> None:
        """From waiting back to received, due now: its permission job has ended."""

    def due(self, now: int, limit: int) -> list[str]:
        """Ids that are received and due, or whose lease ran out: comments first, labels last, and oldest first among equals.

        A stop that somebody comments must not wait behind a hundred labels.
        """

    def before(self, delivery_id: str, now: int, limit: int) -> list[str]:
        """Comments that are received and due and go before this delivery, oldest first: none unless it is about an issue."""

    def recent(self, *, states: Sequence[str] = (), limit: int = 100) -> list[r.Delivery]:
        """Newest first."""

    def unsettled(self) -> int:
        """How many are received or wait for a permission."""

    def known(self, ids: Sequence[str]) -> set[str]:
        """Which of these ids are stored."""


class Runs(Protocol):
    """Runs, their transitions, evidence and approvals. States change only by ``move`` (I2)."""

    def add(self, run: r.Run) -> None: ...

    def get(self, run_id: str) -> r.Run | None: ...

    def lock(self, run_id: str) -> r.Run | None:
        """The run for update: on PostgreSQL a row lock; on SQLite the write transaction is begun immediately anyway."""

    def save(self, run: r.Run) -> r.Run:
        """Write the mutable columns (never ``state*``); optimistic on ``version``. Raises ``StaleFence`` when somebody was faster."""

    def of_issue(self, repository_id: int, issue_number: int) -> list[r.Run]:
        """All runs of an issue, oldest first."""

    def of_branch(self, repository_id: int, branch: str) -> r.Run | None: ...

    def of_pull(self, repository_id: int, pull: int) -> r.Run | None:
        """The newest run whose pull request has that number."""

    def holding_slots(self, repository_id: int) -> list[str]:
        """Ids of runs of the repository in a state that holds a slot."""

    def waiting_for_slot(self, repository_id: int) -> list[str]:
        """Ids of runs in ``queued`` that neither a pause nor a stop of their own holds back, oldest first."""

    def started_today(self, repository_id: int, requester_id: int, since: int) -> int:
        """How many runs this person started in the repository since then."""

    def revised_today(self, repository_id: int, person_id: int, since: int) -> int:
        """How often this person had runs of the repository revised since then, whatever became of them."""

    def wake(self, run_id: str, at: int) -> None:
        """Let the sweeper find the run at ``at`` unless it is due earlier; neither locks nor bumps ``version``."""

    def living_of_repository(self, repository_id: int) -> list[r.Run]:
        """Runs of a repository that are not over, oldest first."""

    def due(self, now: int, limit: int) -> list[str]:
        """Runs whose ``wakes_at`` has passed (0 means never), earliest first. Those that are over have something to show yet."""

    def recent(self, *, states: Sequence[str] = (), limit: int = 100) -> list[r.Run]: ...

    def add_evidence(self, row: r.EvidenceRow) -> None: ...

    def evidence(self, run_id: str, gate: str | None = None) -> list[r.EvidenceRow]: ...

    def next_attempt(self, run_id: str, gate: str) -> int:
        """1 + the highest attempt stored for that gate."""

    def move(self, transition: r.Transition) -> None:
        """Insert the transition; the database refuses it without edge, evidence, latest state or approval (``IntegrityError`` becomes ``InternalError``)."""

    def transitions(self, run_id: str) -> list[r.Transition]: ...

    def add_approval(self, row: r.ApprovalRow) -> int:
        """Store and return its id. One per (run, stage, subject, by_id)."""

    def use_approval(self, approval_id: int, now: int) -> None:
        """Set ``used_at`` once. Raises ``InternalError`` when it was used before."""

    def approvals(self, run_id: str) -> list[r.ApprovalRow]: ...

    def add_edges(self, workflow: Workflow) -> None:
        """Make the edges table hold the workflow's edges; called at start, idempotent."""


class Jobs(Protocol):
    """Durable work."""

    def add(self, job: r.Job) -> bool:
        """Store; False when its key exists."""

    def get(self, job_id: str) -> r.Job | None: ...

    def by_key(self, key: str) -> r.Job | None: ...

    def of_run(self, run_id: str) -> list[r.Job]: ...

    def of_delivery(self, delivery_id: str) -> list[r.Job]: ...

    def release(self, job_id: str) -> None:
        """From waiting to queued."""

    def hurry(self, job_id: str) -> None:
        """Due now (``not_before`` 0), if it is queued."""

    def claim(
        self, job_id: str, *, owner: str, now: int, lease_ms: int, kinds: Collection[str] | None = None
    ) -> r.Job | None:
        """Take it if it is of one of the ``kinds`` (None: of any), queued and due, or running with an expired lease, **and no stop
        switch stands** for system, its repository or its run and the run is not paused: all in one conditional UPDATE. None when
        not. Jobs without a run (permission look-ups, which only read) pass the switches, else nobody could resume.
        """

    def renew(self, job_id: str, *, fence: int, until: int) -> None:
        """Heartbeat. Raises ``StaleFence``."""

    def settle(
        self,
        job_id: str,
        *,
        fence: int,
        state: str,
        now: int,
        result: dict[str, Any] | None = None,
        reason: str = "",
        not_before: int = 0,
        spend_attempt: bool = True,
    ) -> None:
        """End it, or queue it again with ``not_before``; ``fence`` is checked in the same UPDATE. Raises ``StaleFence``."""

    def cancel(self, run_id: str, reason: str) -> int:
        """Cancel every waiting or queued job of a run, and bump the fence of running ones so that their results count for nothing."""

    def due(self, now: int, limit: int) -> list[tuple[str, str]]:
        """(id, queue) of jobs that are queued and due, or running with an expired lease."""

    def owners(self, among: Sequence[str] = LEASED) -> list[str]:
        """Who holds a live or expired lease in these tables."""

    def release_owner(self, owner_prefix: str, among: Sequence[str] = LEASED) -> int:
        """Expire the leases in these tables of owners that are known to be dead (same machine and boot)."""

    def let_go(self, owner: str, among: Sequence[str] = LEASED) -> int:
        """What an owner that leaves in order gives back: leases expired, the attempt given back, every fence bumped, so that
        whatever its threads still do counts for nothing. Returns how many rows it held.
        """


class Outbox(Protocol):
    """Intended writes, in order."""

    def add(self, row: r.OutboxRow) -> int | None:
        """Store with the next ``seq`` of its run; the id, or None when the dedupe key exists."""

    def get(self, row_id: int) -> r.OutboxRow | None: ...

    def by_key(self, dedupe_key: str) -> r.OutboxRow | None: ...

    def of_run(self, run_id: str) -> list[r.OutboxRow]: ...

    def decide(
        self,
        row_id: int,
        *,
        decision: str,
        decision_sha256: str,
        policy_ids: list[str],
        policy_set_sha256: str,
        reason: str,
    ) -> None:
        """From staged to allowed or denied."""

    def next(self, installation_id: int, now: int, *, content: bool = True) -> r.OutboxRow | None:
        """The first row that may go: state allowed (or sending with an expired lease), due, and no earlier row of its order key
        undone. Denied and dead rows do not hold others up. Answers to people go before all else, labels after it; without
        ``content`` only what GitHub does not count as such.
        """

    def is_awaited(self, row_id: int) -> bool:
        """Whether the row answers somebody, or must go before one that does."""

    def claim(self, row_id: int, *, owner: str, now: int, lease_ms: int, answers_stop: bool) -> r.OutboxRow | None:
        """To sending, ``fence + 1``, in one UPDATE that also reads the switches (unless ``answers_stop``) and the payload hash, and
        refuses while another row of the installation is sending under a live lease.
        """

    def send_again(self, row_id: int, reason: str) -> bool:
        """A dead row, or one denied when it was to be sent, back to allowed; False for every other one."""

    def renew(self, row_id: int, *, fence: int, until: int) -> None:
        """Keep it under its lease until then. Raises ``StaleFence``."""

    def note(self, row_id: int, *, fence: int, response: dict[str, Any]) -> None:
        """Store what is known in mid-flight (a commit's sha before the ref moves). Raises ``StaleFence``."""

    def settle(
        self,
        row_id: int,
        *,
        fence: int,
        state: str,
        now: int,
        response: dict[str, Any] | None = None,
        github_id: str = "",
        github_url: str = "",
        reason: str = "",
        not_before: int = 0,
    ) -> None:
        """confirmed, dead, denied, or allowed again with ``not_before``. Raises ``StaleFence``."""

    def due(self, now: int, limit: int) -> list[int]:
        """Installations that have rows to send."""

    def block(self, installation_id: int, until: int) -> None:
        """GitHub asked the whole installation to wait."""

    def recent(self, *, states: Sequence[str] = (), limit: int = 100) -> list[r.OutboxRow]: ...


class LedgerBook(Protocol):
    """Findings and their events, per run."""

    def findings(self, run_id: str) -> list[r.FindingRow]: ...

    def events(self, run_id: str) -> list[r.FindingEventRow]: ...

    def put(self, findings: Iterable[r.FindingRow], events: Iterable[r.FindingEventRow]) -> None:
        """Insert or update findings, append events."""


class Journal(Protocol):
    """Artifacts' names, model and tool calls, money, switches, audit."""

    def add_artifact(self, row: r.ArtifactRow) -> int:
        """Record; for ``kind = 'subject'`` numbers it within run and stage. Returns seq. Same (installation, sha, run, kind) again is no error."""

    def subject(self, run_id: str, stage: str) -> r.ArtifactRow | None:
        """The stage's latest subject."""

    def reserve(self, call: r.ModelCall, *, run_cap: int, day_cap: int, day_start: int) -> int:
        """Store the call as reserved if run and repository-day stay within their caps, in one transaction. Raises ``OverBudget``."""

    def settle_call(self, call: r.ModelCall) -> None:
        """Write outcome and cost; the reservation is released and the cost charged to the run."""

    def answered(self, job_id: str, turn: int, request_sha256: str) -> r.ModelCall | None:
        """A done call with that request, so that it is not paid for twice."""

    def model_calls(self, run_id: str) -> list[r.ModelCall]: ...

    def add_tool_call(self, call: r.ToolCall) -> None:
        """Append; the same (job, seq) again replaces nothing and is no error."""

    def tool_calls(self, run_id: str) -> list[r.ToolCall]: ...

    def switch(self, scope: str, key: str) -> r.Switch | None: ...

    def set_switch(self, switch: r.Switch) -> None: ...

    def stopped(self, *, repository_id: int | None, run_id: str | None) -> str:
        """Why work must not go on, or "". Reads system, repository and run switches and the run's pause flag."""

    def audit(self, *, at: int, kind: str, subject: str, body: dict[str, Any]) -> None:
        """Append one link, under the chain's single writer lock."""

    def audit_rows(self, *, after: int = 0, limit: int = 1000) -> list[r.AuditRow]: ...


class Places(Protocol):
    """Installations and repositories."""

    def put_installation(self, row: r.Installation) -> None:
        """Insert, or update account, suspension and since when they are so."""

    def put_repository(self, row: r.Repository) -> None:
        """Insert, or update name, default branch and privacy."""

    def installation(self, installation_id: int) -> r.Installation | None: ...

    def repository(self, repository_id: int) -> r.Repository | None: ...

    def wrote(self, installation_id: int, now: int) -> None:
        """Remember when the last content write began (pacing)."""

    def configure(self, repository_id: int, *, wip: int, retention_days: int) -> None:
        """What the latest snapshot's configuration says of the repository."""


class Retention(Protocol):
    """Bodies that are emptied when their time is up; nothing else of their rows changes."""

    def files(self, run_id: str, now: int) -> list[tuple[int, str]]:
        """(installation, sha256) of the run's artifacts that nobody else needs: no run whose own time is not up."""

    def empty_run(self, run_id: str) -> int:
        """Tool calls' inputs and outputs, payloads of rows at their end. Returns how many rows changed; the run must be over."""

    def empty_deliveries(self, after: str, limit: int, now: int) -> tuple[str, int]:
        """The next ``limit`` deliveries by id: the last id looked at ("" when there was none) and how many changed."""

    def empty_rows_of_nobody(self, after: int, limit: int, now: int) -> tuple[int, int]:
        """Payloads of ended outbox rows without a run, in the same way; 0 when there was none."""


class Waits(Protocol):
    """Times that rows wait for, of every table that has such."""

    def pull_in(self, *, now: int, back_ms: int, lease_ms: int, among: Sequence[str]) -> int:
        """The clock was set back by ``back_ms``: what lies ahead of ``now`` in these tables (``jobs, deliveries, runs, outbox,
        installations``) is due that much earlier, and no lease lasts longer than ``lease_ms``. Returns how many rows changed.
        """

    def latest(self, among: Sequence[str]) -> int:
        """A time that the clock has shown before, in milliseconds since the epoch, from what this process may read of its
        tables' newest records; 0 for none.
        """


class Transaction(Protocol):
    """One unit of work; committed when its block ends without an exception, rolled back otherwise."""

    @property
    def deliveries(self) -> Deliveries: ...
    @property
    def retention(self) -> Retention: ...
    @property
    def runs(self) -> Runs: ...
    @property
    def jobs(self) -> Jobs: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def ledger(self) -> LedgerBook: ...
    @property
    def journal(self) -> Journal: ...
    @property
    def places(self) -> Places: ...
    @property
    def waits(self) -> Waits: ...

    def nudge(self, what: str, subject: str, *, queue: str = "") -> None:
        """Remember a wake-up (`bot.ports.queue.Nudge`) to be sent after the commit; the same one once."""


class Storage(Protocol):
    """Where transactions come from."""

    def begin(self) -> AbstractContextManager[Transaction]:
        """A read-write transaction (SQLite: BEGIN IMMEDIATE). Retries nothing; ``StorageBusy`` when the database is locked too long."""

    def read(self) -> AbstractContextManager[Transaction]:
        """A read-only snapshot."""
