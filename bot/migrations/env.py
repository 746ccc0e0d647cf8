"""Alembic's way in: runs over the connection, and inside the transaction, that ``bot.adapters.storage.migrate`` made."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
