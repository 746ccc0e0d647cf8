"""The receiver's way in: many deliveries in one commit, on a connection of its own (I11).

A delivery may be acknowledged once `InboxWriter.store` has returned: SQLite has synced its log, PostgreSQL its WAL.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain
from operator import attrgetter
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Dialect

from bot.adapters.storage.deliveries import REARMED
from bot.adapters.storage.engine import BUSY_MS, dispose, is_sqlite, make_engine, our_errors, writing
from bot.adapters.tables import deliveries
from bot.ports.records import Delivery

_NAMES: Final = [column.name for column in deliveries.columns]
_TYPES: Final = {"TEXT": "text", "BIGINT": "bigint", "BLOB": "bytea"}
_OWN: Final = ("id", "event", "body", "body_sha256", "received_at")
"""What differs from one fresh delivery to the next; the other columns are the same for a whole batch, as a rule."""
_OTHERS: Final = [index for index, name in enumerate(_NAMES) if name not in _OWN]
_SQLITE_ROWS: Final = 512
"""Rows of one statement: SQLite takes 32,766 parameters."""

Row = tuple[Any, ...]
_values: Callable[[Delivery], Row] = attrgetter(*_NAMES)
_bound: Final = [
    (index, column.type.process_bind_param)
    for index, column in enumerate(deliveries.columns)
    if isinstance(column.type, sa.types.TypeDecorator)
]


@cache
def _postgres_store(*, alike: bool) -> str:
    """Everything in one statement, thus in one round trip and one commit; prepared once, whatever the batch's size.

    One array a column; ``alike``: what is not a delivery's own comes as one value for all. The update sees the table as it
    was before, so it arms dead ones among the known again and touches nothing that is new.
    """
    columns, arrays, picked = ", ".join(_NAMES), [], []
    for column in deliveries.columns:
        kind = _TYPES[column.type.compile()]
        # %b: bodies travel as bytes, not as hexadecimal text of twice their size.
        if alike and column.name not in _OWN:
            picked.append(f"%b::{kind}")
        else:
            arrays.append((f"%b::{kind}[]", column.name))
            picked.append(f"given.{column.name}")
    given = f"unnest({', '.join(mark for mark, _ in arrays)}) AS given({', '.join(name for _, name in arrays)})"
    arming = ", ".join(f"{name} = {value!r}" for name, value in REARMED.items())
    return (
        f"WITH new AS (INSERT INTO deliveries ({columns}) SELECT {', '.join(picked)} FROM {given} "  # noqa: S608 - our own names
        "ON CONFLICT (id) DO NOTHING RETURNING id), "
        f"armed AS (UPDATE deliveries SET {arming} WHERE id = ANY(%b::text[]) AND state = 'dead') SELECT id FROM new"
    )


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
        self._is_sqlite = is_sqlite(url)
        self._lock = threading.Lock()
        self._held: sa.Connection | None = None

    def store(self, batch: Sequence[Delivery]) -> list[bool]:
        """Which of them are new, in the batch's order; dead ones among the known are armed again.

        All or none: ``StorageBusy`` or ``InternalError`` mean that nothing was stored, or that it is stored and was not
        said to be.
        """
        if not batch:
            return []
        rows = [_row(delivery, self._engine.dialect) for delivery in batch]
        with our_errors():
            return self._on_sqlite(rows) if self._is_sqlite else self._on_postgres(rows)

    def _on_sqlite(self, rows: list[Row]) -> list[bool]:
        with writing(self._url, self._busy_ms), self._engine.begin() as connection:
            new = list(chain.from_iterable(_insert_sqlite(connection, piece) for piece in _pieces(rows)))
            known = [row[0] for row, fresh in zip(rows, new, strict=True) if not fresh]
            if known:
                dead = sa.update(deliveries).where(deliveries.c.id.in_(known), deliveries.c.state == "dead")
                connection.execute(dead.values(REARMED))
        return new

    def _on_postgres(self, rows: list[Row]) -> list[bool]:
        """On a connection that is kept, not asked before each batch whether it lives; if it was cut, once more on another.

        Storing again does no harm: what the cut one stored after all is known then.
        """
        with self._lock:
            try:
                return self._on_held(rows)
            except exc.DBAPIError as error:
                if not error.connection_invalidated:
                    raise
            return self._on_held(rows)

    def _on_held(self, rows: list[Row]) -> list[bool]:
        if self._held is None:
            # A single statement is its own transaction: no round trips for BEGIN and COMMIT.
            self._held = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            return _insert_postgres(self._held, rows)
        except BaseException:
            self._let_go()
            raise

    def _let_go(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            held.close()

    def close(self) -> None:
        """Close its connection."""
        with self._lock:
            self._let_go()
        dispose(self._engine)


def _row(delivery: Delivery, dialect: Dialect) -> Row:
    values = list(_values(delivery))
    for index, bind in _bound:
        values[index] = bind(values[index], dialect)
    return tuple(values)


def _pieces(rows: list[Row]) -> list[list[Row]]:
    return [rows[start : start + _SQLITE_ROWS] for start in range(0, len(rows), _SQLITE_ROWS)]


def _insert_sqlite(connection: sa.Connection, rows: list[Row]) -> list[bool]:
    """The write lock is held, so what is not known before the insert is new."""
    marks = ", ".join("?" for _ in rows)
    query = f"SELECT id FROM deliveries WHERE id IN ({marks})"  # noqa: S608 - nothing but question marks
    known = set(connection.exec_driver_sql(query, tuple(row[0] for row in rows)).scalars())
    connection.exec_driver_sql(_sqlite_insert(len(rows)), tuple(chain.from_iterable(rows)))
    new = []
    for row in rows:
        new.append(row[0] not in known)
        known.add(row[0])
    return new


def _insert_postgres(connection: sa.Connection, rows: list[Row]) -> list[bool]:
    columns: list[Any] = [list(column) for column in zip(*rows, strict=True)]
    ids = columns[0]
    alike = all(columns[index].count(columns[index][0]) == len(rows) for index in _OTHERS)
    # In the statement's order: values for all stand in its list of columns, arrays behind it.
    given = [columns[index][0] for index in _OTHERS] if alike else []
    given += [column for index, column in enumerate(columns) if not alike or index not in _OTHERS]
    stored = connection.exec_driver_sql(_postgres_store(alike=alike), (*given, ids))
    fresh = set(stored.scalars())
    # The server has committed; this only ends what SQLAlchemy takes for a transaction.
    connection.commit()
    new = []
    for name in ids:
        new.append(name in fresh)
        fresh.discard(name)
    return new
