"""Retention: bodies may be emptied once all is over, hashes stay (DESIGN section 10).

- ``repositories.retention_days``, as the configuration says; runs that are over wake once more when their time is up,
  and those that live at once;
- a tool call's input and output, and an outbox row's payload, may be emptied when their run is over, and never change else;
- a delivery stays what came in: its body may be emptied at its end.

Column, indices and wake-ups leave everything as the previous release knows it, so it runs on meanwhile.
"""

# ruff: noqa: S608 - every piece of these statements is a constant of this file

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.adapters.storage.authority import lay_down

revision = "0006"
down_revision: str | None = "0005"
branch_labels: str | None = None
depends_on: str | None = None

RIGHTS = "e6847dc9e8f4580b"
"""What `authority.fingerprint` answers for the rights that this revision lays down."""

MADE = {"ix_artifacts_file": "artifacts (installation_id, sha256)"}
"""On PostgreSQL `bot.adapters.storage.indices` makes them, as those of revision 0005."""
DEFAULT_MS = 90 * 86_400_000
RUN_IS_OVER = "EXISTS (SELECT 1 FROM runs r WHERE r.id = OLD.run_id AND r.state IN ('done', 'cancelled'))"
CALL = (
    "run_id", "job_id", "seq", "role", "round", "step", "tool", "output_sha256", "decision", "rule", "exit_code", "raw_tokens",
    "compressed_tokens", "at",
)  # fmt: skip
INTENT = (
    "id", "installation_id", "repository_id", "run_id", "seq", "kind", "target", "order_key", "payload_sha256", "dedupe_key",
    "token", "created_at",
)  # fmt: skip


def _changed(*names: str) -> str:
    return " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in names)


CALL_LAW = (
    f"{_changed(*CALL)} OR NOT (NEW.input = '{{}}' AND NEW.output = '' AND {RUN_IS_OVER})",
    "tool_calls rows never change",
)
INTENT_LAW = (
    (
        f"{_changed(*INTENT)} OR (NEW.payload IS DISTINCT FROM OLD.payload AND NOT (length(NEW.payload) = 0"
        f" AND OLD.state IN ('denied', 'confirmed', 'dead') AND (OLD.run_id IS NULL OR {RUN_IS_OVER})))"
    ),
    "what an outbox row intends never changes",
)
ARRIVAL_LAW = (
    (
        f"{_changed('id', 'event', 'body_sha256', 'received_at')} OR (NEW.body IS DISTINCT FROM OLD.body AND NOT"
        " (length(NEW.body) = 0 AND OLD.state IN ('done', 'ignored', 'dead')))"
    ),
    "a delivery stays what came in",
)
LAWS = (
    ("tool_calls_no_update", "tool_calls", CALL_LAW),
    ("outbox_intent", "outbox", INTENT_LAW),
    ("deliveries_arrival", "deliveries", ARRIVAL_LAW),
)
REPLACED = ("tool_calls_no_update", "outbox_intent")


def upgrade() -> None:
    """Column, indexes, wake-ups, law and rights."""
    op.add_column("repositories", sa.Column("retention_days", sa.BigInteger(), nullable=False, server_default="90"))
    op.execute(
        f"UPDATE runs SET wakes_at = state_at + {DEFAULT_MS} WHERE state IN ('done', 'cancelled') AND wakes_at = 0"
    )
    # Runs that live are looked at now and then since this release; one that slept till something came would not be.
    op.execute("UPDATE runs SET wakes_at = 1 WHERE state NOT IN ('done', 'cancelled') AND wakes_at = 0")
    bind = op.get_bind()
    if bind.dialect.name == "sqlite":
        for name, on in MADE.items():
            op.execute(f"CREATE INDEX {name} ON {on}")
    for name, table, law in LAWS:
        if bind.dialect.name == "sqlite":
            _sqlite(name, table, law)
        else:
            _postgres(name, table, law)
    if bind.dialect.name == "postgresql":
        lay_down(bind)


def downgrade() -> None:
    """The law stays."""
    raise NotImplementedError("revision 0006 is law over the records; restore a backup in place of a downgrade")


def _sqlite(name: str, table: str, law: tuple[str, str]) -> None:
    broken, words = law
    if name in REPLACED:
        op.execute(f"DROP TRIGGER {name}")
    # SQLite before 3.39 does not know IS DISTINCT FROM; its IS NOT means the same.
    condition = broken.replace("IS DISTINCT FROM", "IS NOT")
    op.execute(
        f"CREATE TRIGGER {name} BEFORE UPDATE ON {table} FOR EACH ROW BEGIN"
        f" SELECT RAISE(ABORT, '{words}') WHERE {condition}; END"
    )


def _postgres(name: str, table: str, law: tuple[str, str]) -> None:
    broken, words = law
    op.execute(
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $law$ BEGIN IF {broken}"
        f" THEN RAISE EXCEPTION '{words}' USING ERRCODE = 'check_violation'; END IF; RETURN NEW; END $law$"
    )
    if name in REPLACED:
        op.execute(f"DROP TRIGGER {name} ON {table}")
    op.execute(f"CREATE TRIGGER {name} BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")
