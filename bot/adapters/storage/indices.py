"""PostgreSQL's newer indices, made while the previous release reads and writes (`bot.migrations.versions`).

``CREATE INDEX CONCURRENTLY`` runs in no transaction, so it is no part of a migration: whoever owns the tables makes what
is missing after it. Until then answers are as right, and slower.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import URL

from bot.adapters.storage.authority import may_change_tables
from bot.adapters.storage.engine import our_errors
from bot.adapters.storage.rows import LockKind
from bot.migrations.versions import r0005_indices, r0006_retention, r0007_answers

MADE = {**r0005_indices.MADE, **r0006_retention.MADE, **r0007_answers.MADE}
GONE = r0005_indices.GONE
_VALID = sa.text(
    "SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
    " WHERE c.relnamespace = current_schema()::text::regnamespace AND c.relname = ANY(:names)"
)
_TRY = sa.text("SELECT pg_try_advisory_lock(:key)")
_KEY = LockKind.MIGRATION.first + 1


def to_do(connection: sa.Connection) -> list[str]:
    """The statements that are left to run, in order; none on SQLite."""
    if connection.dialect.name != "postgresql":
        return []
    found = {str(name): bool(valid) for name, valid in connection.execute(_VALID, {"names": [*MADE, *GONE]})}
    statements = []
    for name, on in MADE.items():
        if not found.get(name, False):
            # One that is there and not valid is what a build that was cut off left behind.
            statements += [f"DROP INDEX CONCURRENTLY IF EXISTS {name}"] if name in found else []
            statements.append(f"CREATE INDEX CONCURRENTLY {name} ON {on}")
    return statements + [f"DROP INDEX CONCURRENTLY IF EXISTS {name}" for name in GONE if name in found]


def make_beside(url: URL) -> None:
    """Run what is left, where this user may and nobody else is at it; raises as every use of storage does.

    Nobody waits for the other: a session that waits holds a snapshot, for whose end the build would wait in turn.
    """
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with our_errors(), engine.connect() as connection:
        if may_change_tables(connection) and connection.scalar(_TRY, {"key": _KEY}):
            for statement in to_do(connection):
                # As text, where a per cent sign and a colon are themselves.
                connection.execute(sa.text(statement.replace(":", r"\:")))
