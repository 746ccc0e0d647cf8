"""Indices for what is asked all the time, so that no answer grows with the number of rows that are over.

- ``ix_deliveries_turn`` in place of ``ix_deliveries_due``: who is next among deliveries depends on their event, which the
  index then holds; without it every delivery that waits is read for each that is taken;
- ``ix_deliveries_held``: those that wait for a permission and those that are dead, counted and shown;
- ``ix_runs_changed``: which of a repository's runs changed since yesterday.

SQLite makes them here, in one transaction. PostgreSQL would keep the previous release from storing deliveries meanwhile, so
`bot.adapters.storage.indices` makes them beside it, outside a transaction.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision: str | None = "0004"
branch_labels: str | None = None
depends_on: str | None = None

MADE = {
    "ix_deliveries_turn": "deliveries (received_at, id, event) WHERE state = 'received'",
    "ix_deliveries_held": "deliveries (state, received_at, id) WHERE state IN ('waiting', 'dead')",
    "ix_runs_changed": "runs (repository_id, updated_at)",
}
GONE = ("ix_deliveries_due",)


def upgrade() -> None:
    """On SQLite."""
    if op.get_bind().dialect.name == "sqlite":
        for name, on in MADE.items():
            op.execute(f"CREATE INDEX {name} ON {on}")
        for name in GONE:
            op.execute(f"DROP INDEX {name}")


def downgrade() -> None:
    """Nothing rests on an index, and the law before it has no way back."""
    raise NotImplementedError("revision 0005 adds indices; the release before it runs on them as they are")
