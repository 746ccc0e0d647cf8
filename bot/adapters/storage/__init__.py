"""The records on SQLite and PostgreSQL: `SqlStorage` for use cases, `InboxWriter` for the receiver, `migrate` for both."""

from __future__ import annotations

from bot.adapters.storage.inbox import InboxWriter
from bot.adapters.storage.migrating import migrate
from bot.adapters.storage.transaction import SqlStorage, SqlTransaction

__all__ = ["InboxWriter", "SqlStorage", "SqlTransaction", "migrate"]
