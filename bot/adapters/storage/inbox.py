"""The receiver's way in: many deliveries in one commit, on a connection of its own (I11).

A delivery may be acknowledged once `InboxWriter.store` has returned: SQLite has synced its log, PostgreSQL its WAL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from operator import attrgetter
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from bot.adapters.storage.deliveries import REARMED
from bot.adapters.storage.engine import BUSY_MS, dispose, make_engine, our_errors, writing
from bot.adapters.tables import deliveries
from bot.ports.records import Delivery

_NAMES: Final = [column.name for column in deliveries.columns]
_ARRAYS: Final = {"TEXT": "text[]", "BIGINT": "bigint[]", "BLOB": "bytea[]"}
_SQLITE_ROWS: Final = 512
"""Rows of one statement: SQLite takes 32,766 parameters."""

Row = tuple[Any, ...]
_values: Callable[[Delivery], Row] = attrgetter(*_NAMES)
_bound: Final = [
    (index, column.type.process_bind_param)
    for index, column in enumerate(deliveries.columns)
    if isinstance(column.type, sa.types.TypeDecorator)
]


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


_POSTGRES_INSERT: Final = _postgres_insert()


@cache
def _sqlite_insert(rows: int) -> str:
    """One statement for all rows: the driver gives up the interpreter once for each that it runs."""
    columns, marks = ", ".join(_NAMES), ", ".join("?" for _ in _NAMES)
    lists = ", ".join(f"({marks})" for _ in range(rows))
    return f"INSERT INTO deliveries ({columns}) VALUES {lists} ON CONFLICT (id) DO NOTHING"  # noqa: S608 - as above


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
        with writing(self._url, self._busy_ms), our_errors(), self._engine.connect() as connection:
            rows = [_row(delivery, connection.dialect) for delivery in batch]
            with connection.begin():
                insert = _insert_sqlite if connection.dialect.name == "sqlite" else _insert_postgres
                new = insert(connection, rows)
                known = [delivery.id for delivery, fresh in zip(batch, new, strict=True) if not fresh]
                if known:
                    dead = sa.update(deliveries).where(deliveries.c.id.in_(known), deliveries.c.state == "dead")
                    connection.execute(dead.values(REARMED))
        return new

    def close(self) -> None:
        """Close its connection."""
        dispose(self._engine)


def _row(delivery: Delivery, dialect: Dialect) -> Row:
    values = list(_values(delivery))
    for index, bind in _bound:
        values[index] = bind(values[index], dialect)
    return tuple(values)


def _insert_postgres(connection: sa.Connection, rows: list[Row]) -> list[bool]:
    stored = connection.exec_driver_sql(_POSTGRES_INSERT, tuple(list(column) for column in zip(*rows, strict=True)))
    fresh = set(stored.scalars())
    new = []
    for row in rows:
        new.append(row[0] in fresh)
        fresh.discard(row[0])
    return new


def _insert_sqlite(connection: sa.Connection, rows: list[Row]) -> list[bool]:
    new: list[bool] = []
    for start in range(0, len(rows), _SQLITE_ROWS):
        piece = rows[start : start + _SQLITE_ROWS]
        ids = [row[0] for row in piece]
        marks = ", ".join("?" for _ in ids)
        found = connection.exec_driver_sql(f"SELECT id FROM deliveries WHERE id IN ({marks})", tuple(ids))  # noqa: S608
        known = set(found.scalars())
        for name in ids:
            new.append(name not in known)
            known.add(name)
        connection.exec_driver_sql(_sqlite_insert(len(piece)), tuple(value for row in piece for value in row))
    return new
