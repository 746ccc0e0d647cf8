"""The receiver's way in: many deliveries in one commit, on a connection of its own (I11).

A delivery may be acknowledged once `InboxWriter.store` has returned: SQLite has synced its log, PostgreSQL its WAL.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from bot.adapters.storage.deliveries import REARMED
from bot.adapters.storage.engine import BUSY_MS, dispose, make_engine, our_errors, writing
from bot.adapters.storage.rows import values_of
from bot.adapters.tables import deliveries
from bot.ports.records import Delivery

_NAMES = [column.name for column in deliveries.columns]
_ARRAYS = {"TEXT": "text[]", "BIGINT": "bigint[]", "BLOB": "bytea[]"}


def _postgres_insert() -> str:
    """One array a column: the statement stays the same, and is prepared once, whatever the batch's size."""
    types = [_ARRAYS[column.type.compile()] for column in deliveries.columns]
    # %b: bodies travel as bytes, not as hexadecimal text of twice their size.
    arrays = ", ".join(f"{'%b' if name == 'bytea[]' else '%s'}::{name}" for name in types)
    columns = ", ".join(_NAMES)
    return (
        f"INSERT INTO deliveries ({columns}) SELECT * FROM unnest({arrays}) "  # noqa: S608 - names of our own columns
        "ON CONFLICT (id) DO NOTHING RETURNING id"
    )


def _sqlite_insert() -> str:
    columns, marks = ", ".join(_NAMES), ", ".join("?" for _ in _NAMES)
    return f"INSERT INTO deliveries ({columns}) VALUES ({marks}) ON CONFLICT (id) DO NOTHING"  # noqa: S608 - as above


class InboxWriter:
    """Stores batches of deliveries; meant for one dedicated thread, correct from any."""

    def __init__(self, url: str, *, busy_ms: int = BUSY_MS) -> None:
        self._url = url
        self._busy_ms = busy_ms
        self._engine = make_engine(url, busy_ms=busy_ms, pool_size=1)

    def store(self, batch: Sequence[Delivery]) -> list[bool]:
        """Which of them are new, in the batch's order; dead ones among the known are armed again.

        All or none: ``StorageBusy`` or ``InternalError`` mean that nothing was stored.
        """
        if not batch:
            return []
        with writing(self._url, self._busy_ms), our_errors(), self._engine.begin() as connection:
            new = self._insert(connection, batch)
            known = [delivery.id for delivery, fresh in zip(batch, new, strict=True) if not fresh]
            if known:
                dead = sa.update(deliveries).where(deliveries.c.id.in_(known), deliveries.c.state == "dead")
                connection.execute(dead.values(REARMED))
        return new

    def _insert(self, connection: sa.Connection, batch: Sequence[Delivery]) -> list[bool]:
        rows = [self._row(connection, delivery) for delivery in batch]
        if connection.dialect.name == "sqlite":
            statement, cursor = _sqlite_insert(), connection.connection.cursor()
            try:
                return [cursor.execute(statement, row).rowcount == 1 for row in rows]
            except sqlite3.Error as error:
                raise exc.DBAPIError.instance(statement, None, error, sqlite3.Error) from error
        stored = connection.exec_driver_sql(
            _postgres_insert(), tuple(list(column) for column in zip(*rows, strict=True))
        )
        fresh = set(stored.scalars())
        new = []
        for delivery in batch:
            new.append(delivery.id in fresh)
            fresh.discard(delivery.id)
        return new

    @staticmethod
    def _row(connection: sa.Connection, delivery: Delivery) -> tuple[Any, ...]:
        values = values_of(delivery)
        for column in deliveries.columns:
            if isinstance(column.type, sa.types.TypeDecorator):
                values[column.name] = column.type.process_bind_param(values[column.name], connection.dialect)
        return tuple(values[name] for name in _NAMES)

    def close(self) -> None:
        """Close its connection."""
        dispose(self._engine)
