"""An index over the rows that answer somebody: whether one waits is asked before each write, and must not grow with those that wait.

SQLite makes it here; on PostgreSQL `bot.adapters.storage.indices` does, as those of revision 0005.
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision: str | None = "0006"
branch_labels: str | None = None
depends_on: str | None = None

_ANSWERS = (
    "dedupe_key LIKE 'reply:%' OR dedupe_key LIKE 'ack:%' OR dedupe_key LIKE 'stop:%' OR dedupe_key LIKE 'decline:%'"
    " OR dedupe_key LIKE '%:comment:%'"
)
MADE = {
    "ix_outbox_answers": (
        f"outbox (installation_id, id) WHERE state IN ('staged', 'allowed', 'sending') AND held = 0 AND ({_ANSWERS})"
    )
}


def upgrade() -> None:
    """On SQLite."""
    link = op.get_bind()
    if link.dialect.name == "sqlite":
        for name, on in MADE.items():
            # Not by `op.execute`, which takes a colon for a parameter.
            link.exec_driver_sql(f"CREATE INDEX {name} ON {on}")


def downgrade() -> None:
    """Nothing rests on an index, and the law before it has no way back."""
    raise NotImplementedError("revision 0007 adds an index; the release before it runs on it as it is")
