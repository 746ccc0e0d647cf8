"""Between records and rows: one link to the database that every table's adapter shares."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bot.adapters.storage.engine import our_errors
from bot.domain.errors import InternalError

Record = TypeVar("Record")


class LockKind(IntEnum):
    """Namespaces of advisory locks; the number is the lock's upper 16 bits."""

    AUDIT = 0x4301
    SWITCHES = 0x4302
    SENDER = 0x4303
    BUDGET_DAY = 0x4304
    MIGRATION = 0x4305
    EDGES = 0x4306

    @property
    def first(self) -> int:
        """The namespace's lowest number, of the lock that is not of any one thing."""
        return int(self) << 48


def locking(number: sa.ColumnElement[int], *, shared: bool = False) -> sa.ColumnElement[Any]:
    """A column of PostgreSQL that holds the lock of that number when it has been read."""
    return sa.func.pg_advisory_xact_lock_shared(number) if shared else sa.func.pg_advisory_xact_lock(number)


_NUMBER = sa.bindparam("number", type_=sa.BigInteger)
_LOCK = {shared: sa.select(locking(_NUMBER, shared=shared)) for shared in (True, False)}


ONE: sa.ColumnElement[int] = sa.literal_column("1", sa.Integer)
"""As a limit, written out: PostgreSQL takes one that it does not know for a tenth of the table, and plans for that."""


_names: dict[type[Any], tuple[str, ...]] = {}


def _fields(record: type[Any]) -> tuple[str, ...]:
    if record not in _names:
        _names[record] = tuple(field.name for field in dataclasses.fields(record))
    return _names[record]


def columns_of(table: sa.Table, record: type) -> list[sa.Column[Any]]:
    """The table's columns that the record has."""
    return [table.c[name] for name in _fields(record)]


def values_of(record: Any, *, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """A record as column values."""
    return {name: getattr(record, name) for name in _fields(type(record)) if name not in without}


class Query(Generic[Record]):
    """A select of one table's records, built once: to put a statement together takes longer than the database takes to answer.

    ``where`` names the columns that `Link.every` is asked by; each becomes a parameter of its name.
    """

    def __init__(
        self,
        record: type[Record],
        table: sa.Table,
        *where: str,
        order: Sequence[Any] = (),
        also: Sequence[Any] = (),
        limit: sa.ColumnElement[int] | None = None,
    ) -> None:
        self.record = record
        self.table = table
        asked = [table.c[name] == sa.bindparam(name, type_=table.c[name].type) for name in where]
        self.statement = sa.select(*columns_of(table, record)).where(*asked, *also).order_by(*order).limit(limit)


class Link:
    """A connection inside a transaction; every error comes out in our words."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.is_postgres = connection.dialect.name == "postgresql"
        self._kept: dict[str, dict[Any, Any]] = {}

    def every(self, query: Query[Record], **asked: Any) -> list[Record]:
        """The query's rows, read once until this transaction writes to their table or waits for a lock.

        Use cases derive everything from the rows, so they ask the same again and again. What a row holds is not to be changed.
        """
        kept = self._kept.setdefault(query.table.name, {})
        key = (query, *asked.values())
        if key not in kept:
            kept[key] = self.all(query.record, query.statement, asked)
        return list(kept[key])

    def first(self, query: Query[Record], **asked: Any) -> Record | None:
        """The first of `every`, or None."""
        found = self.every(query, **asked)
        return found[0] if found else None

    def keep(self, query: Query[Record], found: list[Record], **asked: Any) -> None:
        """What another statement brought along; `every` then need not ask."""
        self._kept.setdefault(query.table.name, {})[query, *asked.values()] = found

    def forget(self) -> None:
        """Others may have written while we waited."""
        self._kept.clear()

    def _execute(self, statement: sa.Executable, parameters: Any) -> sa.Result[Any]:
        if isinstance(statement, sa.Insert | sa.Update | sa.Delete):
            self._kept.pop(str(statement.table), None)
        return self._connection.execute(statement, parameters)

    def run(self, statement: sa.Executable, parameters: Any = None) -> sa.CursorResult[*tuple[Any, ...]]:
        """Execute; errors as `bot.adapters.storage.engine.in_our_words` has them."""
        with our_errors():
            result = self._execute(statement, parameters)
        assert isinstance(result, sa.CursorResult)
        return result

    def changed(self, statement: sa.Executable, parameters: Any = None) -> int:
        """Execute and count the rows it touched."""
        return self.run(statement, parameters).rowcount

    def all(self, record: type[Record], statement: sa.Executable, parameters: Any = None) -> list[Record]:
        """Every row as a record; the statement selects the record's fields in their order, as `columns_of` names them."""
        with our_errors():
            found = self._execute(statement, parameters).all()
        # By place: fifty rows of thirty columns by name take longer than the database takes to find them.
        make: Callable[..., Record] = record
        return [make(*row) for row in found]

    def one(self, record: type[Record], statement: sa.Executable, parameters: Any = None) -> Record | None:
        """The first row as a record, or None."""
        found = self.all(record, statement, parameters)
        return found[0] if found else None

    def value(self, statement: sa.Executable) -> Any:
        """The first column of the first row, or None."""
        with our_errors():
            return self._execute(statement, None).scalar()

    def column(self, statement: sa.Executable, parameters: Any = None) -> list[Any]:
        """The first column of every row."""
        with our_errors():
            return list(self._execute(statement, parameters).scalars())

    def insert_new(self, table: sa.Table, values: dict[str, Any]) -> bool:
        """Insert, or leave what any unique key already holds; says whether it was new."""
        insert = self._insert(table, values).on_conflict_do_nothing()
        # Else an INSERT's count is thrown away with its cursor.
        return self.changed(insert.execution_options(preserve_rowcount=True)) == 1

    def insert_id(self, table: sa.Table, values: dict[str, Any]) -> int | None:
        """Insert and return the id the database gave, or None when a unique key already holds it."""
        statement = self._insert(table, values).on_conflict_do_nothing().returning(table.c.id)
        found = self.value(statement)
        return None if found is None else int(found)

    def upsert(
        self, table: sa.Table, values: dict[str, Any], *, key: Sequence[str], update: Sequence[str], newer: str = ""
    ) -> None:
        """Insert, or update the named columns of the row with that key; not where the stored ``newer`` is the greater one."""
        statement = self._insert(table, values)
        new = {name: statement.excluded[name] for name in update}
        where = statement.excluded[newer] >= table.c[newer] if newer else None
        self.run(statement.on_conflict_do_update(index_elements=list(key), set_=new, where=where))

    def _insert(self, table: sa.Table, values: dict[str, Any]) -> postgresql.Insert | sqlite.Insert:
        return (postgresql.insert(table) if self.is_postgres else sqlite.insert(table)).values(**values)

    def lock(self, kind: LockKind, number: int = 0, *, shared: bool = False) -> None:
        """Until the transaction ends, nobody else holds this lock (``shared``: nobody holds it alone).

        SQLite needs none: its write transactions are one at a time.
        """
        if not self.is_postgres:
            return
        if not 0 <= number < 1 << 48:
            raise InternalError(f"{number} is no id that can be locked: ids are positive and below 2^48.")
        self.forget()
        self.run(_LOCK[shared], {"number": kind.first + number})

    def lock_row(self, table: sa.Table, key: Any) -> None:
        """Hold the row with that ``id`` until the transaction ends (PostgreSQL)."""
        if self.is_postgres:
            self.forget()
            self.run(sa.select(table.c.id).where(table.c.id == key).with_for_update())
