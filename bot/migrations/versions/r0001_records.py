"""The records: every table of DESIGN section 10 with its keys and indices; the law over them is the next revision."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

# SQLite gives ids of its own only to columns declared INTEGER.
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def texts(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def numbers(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in names]


def flags(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Boolean(), nullable=False) for name in names]


def where(predicate: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(predicate), "postgresql_where": sa.text(predicate)}


def upgrade() -> None:
    """Make them, in the order of their foreign keys."""
    audit()
    deliveries()
    edges()
    installations()
    switches()
    repositories()
    runs()
    approvals()
    artifacts()
    evidence()
    findings()
    jobs()
    model_calls()
    outbox()
    tool_calls()
    finding_events()
    transitions()


def downgrade() -> None:
    """Nobody goes back from here: the records are the truth."""
    raise NotImplementedError("revision 0001 holds all records; restore a backup in place of a downgrade")


def audit() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        *numbers("at"),
        *texts("kind", "subject", "body", "body_sha256", "prev", "hash"),
        sa.PrimaryKeyConstraint("seq", name="pk_audit"),
        sa.UniqueConstraint("prev", name="uq_audit_prev"),
    )
    op.create_index("ix_audit_subject", "audit", ["subject", "seq"])


def deliveries() -> None:
    op.create_table(
        "deliveries",
        *texts("id", "event"),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        *texts("body_sha256"),
        *numbers("received_at"),
        *texts("state"),
        *numbers("attempts", "not_before"),
        *texts("lease_owner"),
        *numbers("lease_until", "fence"),
        *texts("reason"),
        sa.Column("installation_id", sa.BigInteger(), nullable=True),
        sa.Column("repository_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("state IN ('received', 'waiting', 'done', 'ignored', 'dead')", name="ck_deliveries_state"),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
    )
    op.create_index("ix_deliveries_due", "deliveries", ["received_at", "id"], **where("state = 'received'"))


def edges() -> None:
    op.create_table(
        "edges",
        *texts("workflow", "from_state", "to_state", "gate"),
        *flags("approval"),
        *texts("subject"),
        sa.PrimaryKeyConstraint("workflow", "from_state", "to_state", "gate", name="pk_edges"),
    )


def installations() -> None:
    op.create_table(
        "installations",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        *texts("account"),
        *flags("suspended"),
        *numbers("created_at", "blocked_until", "last_write_at"),
        *texts("lease_owner"),
        *numbers("lease_until", "fence"),
        sa.PrimaryKeyConstraint("id", name="pk_installations"),
    )


def switches() -> None:
    op.create_table(
        "switches",
        *texts("scope", "key"),
        *flags("stopped"),
        *texts("by", "reason"),
        *numbers("at"),
        sa.CheckConstraint("scope IN ('system', 'repository', 'run')", name="ck_switches_scope"),
        sa.PrimaryKeyConstraint("scope", "key", name="pk_switches"),
    )


def repositories() -> None:
    op.create_table(
        "repositories",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        *numbers("installation_id"),
        *texts("full_name", "default_branch"),
        *flags("private"),
        *numbers("wip"),
        sa.ForeignKeyConstraint(["installation_id"], ["installations.id"], name="fk_repositories_installations"),
        sa.PrimaryKeyConstraint("id", name="pk_repositories"),
    )
    op.create_index("ix_repositories_installation_id", "repositories", ["installation_id"])


def runs() -> None:
    op.create_table(
        "runs",
        *texts("id"),
        *numbers("installation_id", "repository_id", "issue_number"),
        *texts("workflow", "branch"),
        *numbers("requester_id"),
        *texts("requester_login", "delivery_id"),
        *numbers("created_at", "updated_at"),
        *texts("state"),
        *numbers("state_seq", "state_at"),
        *flags("paused"),
        *texts("mode", "risk", "snapshot_sha256"),
        *numbers("budget_micro_dollars", "spent_micro_dollars", "reserved_micro_dollars"),
        *texts("halted_from", "halt_reason", "rounds", "known"),
        *numbers("wakes_at", "version"),
        sa.Column("pull_number", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("spent_micro_dollars >= 0 AND reserved_micro_dollars >= 0", name="ck_runs_money"),
        sa.ForeignKeyConstraint(["installation_id"], ["installations.id"], name="fk_runs_installations"),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name="fk_runs_repositories"),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
    )
    op.create_index("ix_runs_branch", "runs", ["repository_id", "branch"])
    op.create_index("ix_runs_created", "runs", ["created_at", "id"])
    op.create_index("ix_runs_issue", "runs", ["repository_id", "issue_number", "created_at"])
    op.create_index("ix_runs_pull", "runs", ["repository_id", "pull_number"], **where("pull_number IS NOT NULL"))
    op.create_index(
        "ix_runs_slots", "runs", ["repository_id", "created_at"], **where("state NOT IN ('done', 'cancelled')")
    )
    op.create_index("ix_runs_started", "runs", ["repository_id", "requester_id", "created_at"])
    op.create_index("ix_runs_state", "runs", ["state", "created_at", "id"])
    op.create_index("ix_runs_wakes", "runs", ["wakes_at"], **where("wakes_at > 0"))
    op.create_index(
        "uq_runs_living",
        "runs",
        ["repository_id", "issue_number"],
        unique=True,
        **where("state NOT IN ('done', 'cancelled')"),
    )


def approvals() -> None:
    op.create_table(
        "approvals",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        *texts("run_id", "stage", "subject_sha256"),
        *numbers("by_id"),
        *texts("by_login", "permission", "source"),
        *numbers("source_id", "granted_at"),
        *texts("evidence"),
        *numbers("used_at"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_approvals_runs"),
        sa.PrimaryKeyConstraint("id", name="pk_approvals"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_approvals_said",
        "approvals",
        ["run_id", "stage", "subject_sha256", "by_id", "source", "source_id"],
        unique=True,
    )
    op.create_index(
        "uq_approvals_waiting",
        "approvals",
        ["run_id", "stage", "subject_sha256", "by_id"],
        unique=True,
        **where("used_at = 0"),
    )


def artifacts() -> None:
    op.create_table(
        "artifacts",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        *numbers("installation_id"),
        *texts("sha256", "kind"),
        *numbers("size", "created_at"),
        sa.Column("run_id", sa.Text(), nullable=True),
        *texts("stage"),
        *numbers("seq"),
        sa.CheckConstraint(
            "kind <> 'subject' OR (run_id IS NOT NULL AND stage <> '' AND seq >= 1)", name="ck_artifacts_subject"
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_artifacts_runs"),
        sa.PrimaryKeyConstraint("id", name="pk_artifacts"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_artifacts_of_none",
        "artifacts",
        ["installation_id", "sha256", "kind"],
        unique=True,
        **where("run_id IS NULL AND kind <> 'subject'"),
    )
    op.create_index(
        "uq_artifacts_of_run",
        "artifacts",
        ["run_id", "installation_id", "sha256", "kind"],
        unique=True,
        **where("run_id IS NOT NULL AND kind <> 'subject'"),
    )
    op.create_index(
        "uq_artifacts_subject", "artifacts", ["run_id", "stage", "seq"], unique=True, **where("kind = 'subject'")
    )


def evidence() -> None:
    op.create_table(
        "evidence",
        *texts("run_id", "gate"),
        sa.Column("attempt", sa.BigInteger(), autoincrement=False, nullable=False),
        *texts("subject_sha256", "verdict", "kinds", "body"),
        *numbers("created_at"),
        sa.CheckConstraint("verdict IN ('open', 'closed')", name="ck_evidence_verdict"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_evidence_runs"),
        sa.PrimaryKeyConstraint("run_id", "gate", "attempt", name="pk_evidence"),
        sa.UniqueConstraint("run_id", "gate", "attempt", "subject_sha256", "verdict", name="uq_evidence_opened"),
    )


def findings() -> None:
    op.create_table(
        "findings",
        *texts("run_id", "id"),
        *numbers("seq"),
        *texts("stage"),
        *numbers("round"),
        *texts(
            "status",
            "reason",
            "severity",
            "category",
            "title",
            "claim",
            "evidence",
            "suggestion",
            "fingerprint",
            "raised_by",
            "source",
            "revision",
            "extra",
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_findings_runs"),
        sa.PrimaryKeyConstraint("run_id", "id", name="pk_findings"),
        sa.UniqueConstraint("run_id", "seq", name="uq_findings_run_id_seq"),
    )


def jobs() -> None:
    op.create_table(
        "jobs",
        *texts("id", "key", "kind", "queue"),
        *numbers("created_at", "installation_id"),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("delivery_id", sa.Text(), nullable=True),
        *texts("stage", "role"),
        *numbers("round"),
        *texts("step", "state"),
        *numbers("attempts", "not_before"),
        *texts("lease_owner"),
        *numbers("lease_until", "fence"),
        *texts("payload", "result", "reason"),
        *numbers("done_at"),
        sa.CheckConstraint(
            "state IN ('waiting', 'queued', 'running', 'done', 'failed', 'cancelled')", name="ck_jobs_state"
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_jobs_runs"),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.UniqueConstraint("key", name="uq_jobs_key"),
    )
    op.create_index("ix_jobs_delivery", "jobs", ["delivery_id"], **where("delivery_id IS NOT NULL"))
    op.create_index("ix_jobs_due", "jobs", ["not_before", "created_at"], **where("state = 'queued'"))
    op.create_index("ix_jobs_leased", "jobs", ["lease_until"], **where("state = 'running'"))
    op.create_index("ix_jobs_run", "jobs", ["run_id", "created_at"])


def model_calls() -> None:
    op.create_table(
        "model_calls",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        *texts("run_id", "job_id", "role"),
        *numbers("round"),
        *texts("step"),
        *numbers("turn"),
        *texts("model", "request_sha256"),
        *numbers("reserved_micro_dollars", "at"),
        *texts("state", "response_sha256", "stop_reason"),
        *numbers("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "cost_micro_dollars"),
        *texts("error"),
        *numbers("repository_id"),
        sa.CheckConstraint("state IN ('reserved', 'done', 'failed')", name="ck_model_calls_state"),
        sa.CheckConstraint("reserved_micro_dollars >= 0 AND cost_micro_dollars >= 0", name="ck_model_calls_money"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_model_calls_runs"),
        sa.PrimaryKeyConstraint("id", name="pk_model_calls"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_model_calls_day", "model_calls", ["repository_id", "at"])
    op.create_index("ix_model_calls_run", "model_calls", ["run_id", "id"])
    op.create_index("ix_model_calls_turn", "model_calls", ["job_id", "turn"])


def outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        *numbers("installation_id", "repository_id"),
        sa.Column("run_id", sa.Text(), nullable=True),
        *numbers("seq"),
        *texts("kind", "target", "order_key"),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        *texts("payload_sha256", "dedupe_key", "token"),
        *numbers("created_at"),
        *texts("decision", "decision_sha256", "policy_ids", "policy_set_sha256", "state"),
        *numbers("attempts", "not_before"),
        *texts("lease_owner"),
        *numbers("lease_until", "fence"),
        *texts("response", "github_id", "github_url", "reason"),
        *numbers("confirmed_at", "held"),
        sa.CheckConstraint(
            "state IN ('staged', 'allowed', 'denied', 'sending', 'confirmed', 'dead')", name="ck_outbox_state"
        ),
        sa.ForeignKeyConstraint(["installation_id"], ["installations.id"], name="fk_outbox_installations"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_outbox_runs"),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.UniqueConstraint("dedupe_key", name="uq_outbox_dedupe_key"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_outbox_order",
        "outbox",
        ["installation_id", "repository_id", "order_key", "id"],
        **where("state IN ('staged', 'allowed', 'sending') AND held = 0"),
    )
    op.create_index(
        "ix_outbox_ready", "outbox", ["not_before", "installation_id"], **where("state = 'allowed' AND held = 0")
    )
    op.create_index("ix_outbox_sending", "outbox", ["installation_id", "lease_until"], **where("state = 'sending'"))
    op.create_index("ix_outbox_open", "outbox", ["state", "id"], **where("state IN ('staged', 'allowed', 'sending')"))
    op.create_index("ix_outbox_ended", "outbox", ["state", "id"], **where("state IN ('denied', 'confirmed', 'dead')"))
    op.create_index(
        "ix_outbox_undone",
        "outbox",
        ["installation_id", "id"],
        **where("state IN ('staged', 'allowed', 'sending') AND held = 0"),
    )
    op.create_index("uq_outbox_run", "outbox", ["run_id", "seq"], unique=True, **where("run_id IS NOT NULL"))


def tool_calls() -> None:
    op.create_table(
        "tool_calls",
        *texts("run_id", "job_id"),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        *texts("role"),
        *numbers("round"),
        *texts("step", "tool", "input", "output", "output_sha256", "decision", "rule"),
        sa.Column("exit_code", sa.BigInteger(), nullable=True),
        *numbers("raw_tokens", "compressed_tokens", "at"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_tool_calls_runs"),
        sa.PrimaryKeyConstraint("job_id", "seq", name="pk_tool_calls"),
    )
    op.create_index("ix_tool_calls_run", "tool_calls", ["run_id", "at"])


def finding_events() -> None:
    op.create_table(
        "finding_events",
        *texts("run_id"),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        *texts("finding_id"),
        *numbers("at"),
        *texts("who"),
        *numbers("round"),
        *texts("revision", "from_status", "to_status", "reason", "evidence"),
        sa.ForeignKeyConstraint(
            ["run_id", "finding_id"], ["findings.run_id", "findings.id"], name="fk_finding_events_findings"
        ),
        sa.PrimaryKeyConstraint("run_id", "seq", name="pk_finding_events"),
    )


def transitions() -> None:
    op.create_table(
        "transitions",
        *texts("run_id"),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        *texts("workflow", "from_state", "to_state", "gate"),
        *numbers("attempt"),
        *texts("subject_sha256"),
        *numbers("at"),
        *texts("verdict"),
        sa.Column("approval_id", sa.BigInteger(), nullable=True),
        sa.Column("co_approval_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("verdict = 'open'", name="ck_transitions_open"),
        sa.CheckConstraint(
            "co_approval_id IS NULL OR (approval_id IS NOT NULL AND co_approval_id <> approval_id)",
            name="ck_transitions_two_approvals",
        ),
        sa.ForeignKeyConstraint(["approval_id"], ["approvals.id"], name="fk_transitions_approval"),
        sa.ForeignKeyConstraint(["co_approval_id"], ["approvals.id"], name="fk_transitions_co_approval"),
        sa.ForeignKeyConstraint(
            ["run_id", "gate", "attempt", "subject_sha256", "verdict"],
            ["evidence.run_id", "evidence.gate", "evidence.attempt", "evidence.subject_sha256", "evidence.verdict"],
            name="fk_transitions_evidence",
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_transitions_runs"),
        sa.ForeignKeyConstraint(
            ["workflow", "from_state", "to_state", "gate"],
            ["edges.workflow", "edges.from_state", "edges.to_state", "edges.gate"],
            name="fk_transitions_edges",
        ),
        sa.PrimaryKeyConstraint("run_id", "seq", name="pk_transitions"),
        sa.UniqueConstraint("approval_id", name="uq_transitions_approval"),
        sa.UniqueConstraint("co_approval_id", name="uq_transitions_co_approval"),
        sa.UniqueConstraint("run_id", "gate", "attempt", name="uq_transitions_evidence"),
    )
