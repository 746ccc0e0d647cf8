"""The tables of DESIGN section 10, as SQLAlchemy Core sees them; migrations make them, a test compares the two.

Times are milliseconds since the epoch, money is micro-dollars. Columns are named as the fields of ``bot.ports.records``;
the few that no record has are derived (``pull_number``, ``held``, ``model_calls.repository_id``) and feed indices.
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from bot.domain.writes import ANSWER_INSIDE, ANSWER_KEYS


class Words(TypeDecorator[str]):
    """Text from anywhere. PostgreSQL stores neither U+0000 nor lone surrogates, so both become U+FFFD everywhere."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        del dialect
        if value is None or value.isascii():
            return None if value is None else value.replace("\0", "\ufffd")
        return value.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


_decode = json.JSONDecoder().raw_decode


class Json(TypeDecorator[Any]):
    """A JSON value as ASCII text with sorted keys: the same bytes on both databases, whatever characters it holds."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        del dialect
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        del dialect
        if value is None:
            return None
        # Ours begin and end without white space, whose search would be half of the decoding.
        found, end = _decode(value)
        return found if end == len(value) else json.loads(value)


# SQLite gives ids of its own only to columns declared INTEGER.
Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# Index and query must spell a predicate alike, literals included, or neither database uses the partial index.
LIVING = "state NOT IN ('done', 'cancelled')"
UNDONE = "state IN ('staged', 'allowed', 'sending') AND held = 0"
OPEN = "state IN ('staged', 'allowed', 'sending')"
ENDED = "state IN ('denied', 'confirmed', 'dead')"
READY = "state = 'allowed' AND held = 0"
SENDING = "state = 'sending'"
ANSWERS = " OR ".join(
    f"dedupe_key LIKE '{pattern}'" for pattern in (*(f"{one}%" for one in ANSWER_KEYS), f"%{ANSWER_INSIDE}%")
)
"""As `bot.domain.writes.is_answer`."""
QUEUED = "state = 'queued'"
RUNNING = "state = 'running'"
RECEIVED = "state = 'received'"
HELD = "state IN ('waiting', 'dead')"

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _words(name: str, *rest: Any, **more: Any) -> sa.Column[str]:
    return sa.Column(name, Words, *rest, nullable=False, **more)


def _number(name: str, *rest: Any, **more: Any) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, *rest, nullable=False, **more)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False)


def _json(name: str) -> sa.Column[Any]:
    return sa.Column(name, Json, nullable=False)


def _id() -> sa.Column[int]:
    return sa.Column("id", Id, primary_key=True, autoincrement=True)


def _given_id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False)


def _lease() -> tuple[sa.Column[str], sa.Column[int], sa.Column[int]]:
    return _words("lease_owner"), _number("lease_until"), _number("fence")


def _run(*, nullable: bool = False) -> sa.Column[str]:
    return sa.Column("run_id", Words, sa.ForeignKey("runs.id"), nullable=nullable)


def _one_of(column: str, *values: str) -> sa.CheckConstraint:
    allowed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({allowed})", name=column)


def _where(predicate: str) -> dict[str, Any]:
    # A colon would begin a parameter.
    found = sa.text(predicate.replace(":", r"\:"))
    return {"sqlite_where": found, "postgresql_where": found}


installations = sa.Table(
    "installations",
    metadata,
    _given_id(),
    _words("account"),
    _flag("suspended"),
    _number("created_at"),
    _number("blocked_until"),
    _number("last_write_at"),
    *_lease(),
    _number("changed_at", server_default="0"),
)

repositories = sa.Table(
    "repositories",
    metadata,
    _given_id(),
    _number("installation_id", sa.ForeignKey("installations.id")),
    _words("full_name"),
    _words("default_branch"),
    _flag("private"),
    _number("wip"),
    _number("retention_days", server_default="90"),
    sa.Index(None, "installation_id"),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", Words, primary_key=True),
    _words("event"),
    sa.Column("body", sa.LargeBinary, nullable=False),
    _words("body_sha256"),
    _number("received_at"),
    _words("state"),
    _number("attempts"),
    _number("not_before"),
    *_lease(),
    _words("reason"),
    sa.Column("installation_id", sa.BigInteger),
    sa.Column("repository_id", sa.BigInteger),
    _one_of("state", "received", "waiting", "done", "ignored", "dead"),
    sa.Index("ix_deliveries_turn", "received_at", "id", "event", **_where(RECEIVED)),
    sa.Index("ix_deliveries_held", "state", "received_at", "id", **_where(HELD)),
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", Words, primary_key=True),
    _number("installation_id", sa.ForeignKey("installations.id")),
    _number("repository_id", sa.ForeignKey("repositories.id")),
    _number("issue_number"),
    _words("workflow"),
    _words("branch"),
    _number("requester_id"),
    _words("requester_login"),
    _words("delivery_id"),
    _number("created_at"),
    _number("updated_at"),
    _words("state"),
    _number("state_seq"),
    _number("state_at"),
    _flag("paused"),
    _words("mode"),
    _words("risk"),
    _words("snapshot_sha256"),
    _number("budget_micro_dollars"),
    _number("spent_micro_dollars"),
    _number("reserved_micro_dollars"),
    _words("halted_from"),
    _words("halt_reason"),
    _json("rounds"),
    _json("known"),
    _number("wakes_at"),
    _number("version"),
    sa.Column("pull_number", sa.BigInteger),
    sa.CheckConstraint("spent_micro_dollars >= 0 AND reserved_micro_dollars >= 0", name="money"),
    sa.Index("uq_runs_living", "repository_id", "issue_number", unique=True, **_where(LIVING)),
    sa.Index("ix_runs_issue", "repository_id", "issue_number", "created_at"),
    sa.Index("ix_runs_branch", "repository_id", "branch"),
    sa.Index("ix_runs_pull", "repository_id", "pull_number", **_where("pull_number IS NOT NULL")),
    sa.Index("ix_runs_slots", "repository_id", "created_at", **_where(LIVING)),
    sa.Index("ix_runs_started", "repository_id", "requester_id", "created_at"),
    sa.Index("ix_runs_changed", "repository_id", "updated_at"),
    sa.Index("ix_runs_wakes", "wakes_at", **_where("wakes_at > 0")),
    sa.Index("ix_runs_created", "created_at", "id"),
    sa.Index("ix_runs_state", "state", "created_at", "id"),
)

edges = sa.Table(
    "edges",
    metadata,
    sa.Column("workflow", Words, primary_key=True),
    sa.Column("from_state", Words, primary_key=True),
    sa.Column("to_state", Words, primary_key=True),
    sa.Column("gate", Words, primary_key=True),
    _flag("approval"),
    _words("subject"),
    _words("rests_on", server_default=""),
)

evidence = sa.Table(
    "evidence",
    metadata,
    sa.Column("run_id", Words, sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("gate", Words, primary_key=True),
    sa.Column("attempt", sa.BigInteger, primary_key=True, autoincrement=False),
    _words("subject_sha256"),
    _words("verdict"),
    _json("kinds"),
    _json("body"),
    _number("created_at"),
    _one_of("verdict", "open", "closed"),
    sa.UniqueConstraint("run_id", "gate", "attempt", "subject_sha256", "verdict", name="uq_evidence_opened"),
)

approvals = sa.Table(
    "approvals",
    metadata,
    _id(),
    _run(),
    _words("stage"),
    _words("subject_sha256"),
    _number("by_id"),
    _words("by_login"),
    _words("permission"),
    _words("source"),
    _number("source_id"),
    _number("granted_at"),
    _json("evidence"),
    _number("used_at"),
    sa.Index("uq_approvals_said", "run_id", "stage", "subject_sha256", "by_id", "source", "source_id", unique=True),
    sa.Index(
        "uq_approvals_waiting", "run_id", "stage", "subject_sha256", "by_id", unique=True, **_where("used_at = 0")
    ),
    sqlite_autoincrement=True,
)

transitions = sa.Table(
    "transitions",
    metadata,
    sa.Column("run_id", Words, sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    _words("workflow"),
    _words("from_state"),
    _words("to_state"),
    _words("gate"),
    _number("attempt"),
    _words("subject_sha256"),
    _number("at"),
    _words("verdict"),
    sa.Column("approval_id", sa.BigInteger, sa.ForeignKey("approvals.id", name="fk_transitions_approval")),
    sa.Column("co_approval_id", sa.BigInteger, sa.ForeignKey("approvals.id", name="fk_transitions_co_approval")),
    sa.CheckConstraint("verdict = 'open'", name="open"),
    sa.CheckConstraint(
        "co_approval_id IS NULL OR (approval_id IS NOT NULL AND co_approval_id <> approval_id)", name="two_approvals"
    ),
    sa.UniqueConstraint("run_id", "gate", "attempt", name="uq_transitions_evidence"),
    sa.UniqueConstraint("approval_id", name="uq_transitions_approval"),
    sa.UniqueConstraint("co_approval_id", name="uq_transitions_co_approval"),
    sa.ForeignKeyConstraint(
        ["workflow", "from_state", "to_state", "gate"],
        ["edges.workflow", "edges.from_state", "edges.to_state", "edges.gate"],
    ),
    sa.ForeignKeyConstraint(
        ["run_id", "gate", "attempt", "subject_sha256", "verdict"],
        [
            "evidence.run_id",
            "evidence.gate",
            "evidence.attempt",
            "evidence.subject_sha256",
            "evidence.verdict",
        ],
    ),
)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", Words, primary_key=True),
    _words("key"),
    _words("kind"),
    _words("queue"),
    _number("created_at"),
    _number("installation_id"),
    _run(nullable=True),
    sa.Column("delivery_id", Words),
    _words("stage"),
    _words("role"),
    _number("round"),
    _words("step"),
    _words("state"),
    _number("attempts"),
    _number("not_before"),
    *_lease(),
    _json("payload"),
    _json("result"),
    _words("reason"),
    _number("done_at"),
    _one_of("state", "waiting", "queued", "running", "done", "failed", "cancelled"),
    sa.UniqueConstraint("key"),
    sa.Index("ix_jobs_run", "run_id", "created_at"),
    sa.Index("ix_jobs_delivery", "delivery_id", **_where("delivery_id IS NOT NULL")),
    sa.Index("ix_jobs_due", "not_before", "created_at", **_where(QUEUED)),
    sa.Index("ix_jobs_leased", "lease_until", **_where(RUNNING)),
)

artifacts = sa.Table(
    "artifacts",
    metadata,
    _id(),
    _number("installation_id"),
    _words("sha256"),
    _words("kind"),
    _number("size"),
    _number("created_at"),
    _run(nullable=True),
    _words("stage"),
    _number("seq"),
    sa.Index("ix_artifacts_file", "installation_id", "sha256"),
    sa.CheckConstraint("kind <> 'subject' OR (run_id IS NOT NULL AND stage <> '' AND seq >= 1)", name="subject"),
    sa.Index("uq_artifacts_subject", "run_id", "stage", "seq", unique=True, **_where("kind = 'subject'")),
    sa.Index(
        "uq_artifacts_of_run",
        "run_id",
        "installation_id",
        "sha256",
        "kind",
        unique=True,
        **_where("run_id IS NOT NULL AND kind <> 'subject'"),
    ),
    sa.Index(
        "uq_artifacts_of_none",
        "installation_id",
        "sha256",
        "kind",
        unique=True,
        **_where("run_id IS NULL AND kind <> 'subject'"),
    ),
    sqlite_autoincrement=True,
)

findings = sa.Table(
    "findings",
    metadata,
    sa.Column("run_id", Words, sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("id", Words, primary_key=True),
    _number("seq"),
    _words("stage"),
    _number("round"),
    _words("status"),
    _words("reason"),
    _words("severity"),
    _words("category"),
    _words("title"),
    _words("claim"),
    _json("evidence"),
    _words("suggestion"),
    _words("fingerprint"),
    _json("raised_by"),
    _words("source"),
    _words("revision"),
    _json("extra"),
    sa.UniqueConstraint("run_id", "seq"),
)

finding_events = sa.Table(
    "finding_events",
    metadata,
    sa.Column("run_id", Words, primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    _words("finding_id"),
    _number("at"),
    _words("who"),
    _number("round"),
    _words("revision"),
    _words("from_status"),
    _words("to_status"),
    _words("reason"),
    _json("evidence"),
    sa.ForeignKeyConstraint(["run_id", "finding_id"], ["findings.run_id", "findings.id"]),
)

outbox = sa.Table(
    "outbox",
    metadata,
    _id(),
    _number("installation_id", sa.ForeignKey("installations.id")),
    _number("repository_id"),
    _run(nullable=True),
    _number("seq"),
    _words("kind"),
    _words("target"),
    _words("order_key"),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    _words("payload_sha256"),
    _words("dedupe_key"),
    _words("token"),
    _number("created_at"),
    _words("decision"),
    _words("decision_sha256"),
    _json("policy_ids"),
    _words("policy_set_sha256"),
    _words("state"),
    _number("attempts"),
    _number("not_before"),
    *_lease(),
    _json("response"),
    _words("github_id"),
    _words("github_url"),
    _words("reason"),
    _number("confirmed_at"),
    # 1 while the row's run is a dry run: decided, recorded, never sent, and in nobody's way.
    _number("held"),
    _one_of("state", "staged", "allowed", "denied", "sending", "confirmed", "dead"),
    sa.UniqueConstraint("dedupe_key"),
    sa.Index("uq_outbox_run", "run_id", "seq", unique=True, **_where("run_id IS NOT NULL")),
    sa.Index("ix_outbox_undone", "installation_id", "id", **_where(UNDONE)),
    sa.Index("ix_outbox_answers", "installation_id", "id", **_where(f"{UNDONE} AND ({ANSWERS})")),
    sa.Index("ix_outbox_order", "installation_id", "repository_id", "order_key", "id", **_where(UNDONE)),
    sa.Index("ix_outbox_ready", "not_before", "installation_id", **_where(READY)),
    sa.Index("ix_outbox_sending", "installation_id", "lease_until", **_where(SENDING)),
    # Two in place of one over all: SQLite would take that one for every query that names a state.
    sa.Index("ix_outbox_open", "state", "id", **_where(OPEN)),
    sa.Index("ix_outbox_ended", "state", "id", **_where(ENDED)),
    sqlite_autoincrement=True,
)

model_calls = sa.Table(
    "model_calls",
    metadata,
    _id(),
    _run(),
    _words("job_id"),
    _words("role"),
    _number("round"),
    _words("step"),
    _number("turn"),
    _words("model"),
    _words("request_sha256"),
    _number("reserved_micro_dollars"),
    _number("at"),
    _words("state"),
    _words("response_sha256"),
    _words("stop_reason"),
    _number("input_tokens"),
    _number("output_tokens"),
    _number("cache_read_tokens"),
    _number("cache_write_tokens"),
    _number("cost_micro_dollars"),
    _words("error"),
    _number("repository_id"),
    _one_of("state", "reserved", "done", "failed"),
    sa.CheckConstraint("reserved_micro_dollars >= 0 AND cost_micro_dollars >= 0", name="money"),
    sa.Index("ix_model_calls_run", "run_id", "id"),
    sa.Index("ix_model_calls_turn", "job_id", "turn"),
    sa.Index("ix_model_calls_day", "repository_id", "at"),
    sqlite_autoincrement=True,
)

tool_calls = sa.Table(
    "tool_calls",
    metadata,
    _run(),
    sa.Column("job_id", Words, primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    _words("role"),
    _number("round"),
    _words("step"),
    _words("tool"),
    _json("input"),
    _words("output"),
    _words("output_sha256"),
    _words("decision"),
    _words("rule"),
    sa.Column("exit_code", sa.BigInteger),
    _number("raw_tokens"),
    _number("compressed_tokens"),
    _number("at"),
    sa.Index("ix_tool_calls_run", "run_id", "at"),
)

switches = sa.Table(
    "switches",
    metadata,
    sa.Column("scope", Words, primary_key=True),
    sa.Column("key", Words, primary_key=True),
    _flag("stopped"),
    _words("by"),
    _words("reason"),
    _number("at"),
    _one_of("scope", "system", "repository", "run"),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    _number("at"),
    _words("kind"),
    _words("subject"),
    _json("body"),
    _words("body_sha256"),
    _words("prev"),
    _words("hash"),
    sa.UniqueConstraint("prev"),
    sa.Index("ix_audit_subject", "subject", "seq"),
)
