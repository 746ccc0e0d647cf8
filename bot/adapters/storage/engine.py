"""Engines for both databases, and their errors put into our words.

SQLite: WAL, synchronous=FULL, foreign keys on, our own BEGIN (the driver's hidden transactions would let a claim read
before it locks). PostgreSQL: READ COMMITTED, synchronous_commit on; what must not interleave takes an advisory lock.
"""

from __future__ import annotations

import math
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine import URL, Engine, make_url

from bot.domain.errors import ConductorError, InternalError, SettingsError, StorageBusy

BUSY_MS = 10_000
ASKED_AFTER_S = 1.0
"""A connection to PostgreSQL that rested for so long is asked whether it still stands."""
PREPARED_AFTER = 1
"""Times that a connection to PostgreSQL runs a statement before it keeps it prepared; psycopg's own are five."""
PREPARED_MOST = 500
"""Statements that a connection to PostgreSQL keeps prepared. The App knows some two hundred; of psycopg's hundred one would be
dropped and another prepared anew all the time.
"""
# psycopg's SQLSTATEs that mean "not now": lock not available, deadlock, serialization, too many clients, starting up ...
_NOT_NOW = frozenset({"55P03", "40P01", "40001", "53300", "57014", "57P01", "57P02", "57P03"})
# insufficient_privilege
_NOT_OURS = "42501"
_SQLITE_NOT_NOW = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
# What an operator mends; until then nothing can be written, and afterwards all goes on by itself.
_NO_ROOM = "make room on its disk"
_NO_WRITES = "let this process's user write to its file and its directory"
_MENDS = {
    sqlite3.SQLITE_FULL: _NO_ROOM,
    sqlite3.SQLITE_READONLY: _NO_WRITES,
    sqlite3.SQLITE_CANTOPEN: _NO_WRITES,
    # disk_full, read_only_sql_transaction (a standby, or default_transaction_read_only)
    "53100": _NO_ROOM,
    "25006": "point CONDUCTOR_DATABASE_URL at the server that takes writes",
}

_writers: dict[str, threading.Lock] = {}
_engines: list[Engine] = []


def _after_fork() -> None:
    """A child shares neither connections nor held locks with its parent."""
    _writers.clear()
    for engine in _engines:
        engine.dispose(close=False)


os.register_at_fork(after_in_child=_after_fork)


def parse_url(url: str) -> URL:
    """The database URL; ``SettingsError`` for anything but a SQLite file or PostgreSQL by psycopg 3."""
    try:
        parsed = make_url(url)
    except exc.ArgumentError as error:
        raise SettingsError(
            "The database URL cannot be read: write sqlite:///FILE or postgresql+psycopg://..."
        ) from error
    if parsed.get_backend_name() == "sqlite":
        if parsed.database in (None, "", ":memory:") or "mode=memory" in url:
            raise SettingsError(f"{url!r} keeps records in memory: name a file, as in sqlite:///conductor.db")
        return parsed
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    raise SettingsError(f"No storage for {parsed.get_backend_name()!r}: use sqlite:///FILE or postgresql+psycopg://...")


def is_sqlite(url: str) -> bool:
    return parse_url(url).get_backend_name() == "sqlite"


def make_engine(url: str, *, read_only: bool = False, busy_ms: int = BUSY_MS, pool_size: int = 5) -> Engine:
    """An engine whose ``begin`` takes the write lock at once, or, when ``read_only``, a snapshot that cannot write."""
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = sa.create_engine(parsed, pool_size=pool_size, max_overflow=-1, pool_timeout=busy_ms / 1000)
        _sqlite_events(engine, read_only=read_only, busy_ms=busy_ms)
    else:
        engine = sa.create_engine(
            parsed,
            pool_size=pool_size,
            max_overflow=10,
            pool_timeout=busy_ms / 1000,
            isolation_level="REPEATABLE READ" if read_only else "READ COMMITTED",
        )
        _postgres_events(engine, read_only=read_only, busy_ms=busy_ms)
    _engines.append(engine)
    return engine


def dispose(engine: Engine) -> None:
    """Close its connections for good."""
    if engine in _engines:
        _engines.remove(engine)
    engine.dispose()


def set_up_sqlite(connection: sqlite3.Connection, *, read_only: bool, busy_ms: int) -> None:
    """The pragmas of every connection. FULL: an acknowledged commit survives a power cut also in WAL mode."""
    connection.isolation_level = None
    pragmas = (
        f"busy_timeout = {busy_ms}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        f"query_only = {'ON' if read_only else 'OFF'}",
    )
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_events(engine: Engine, *, read_only: bool, busy_ms: int) -> None:
    @event.listens_for(engine, "connect")
    def _connect(dbapi_connection: Any, _record: Any) -> None:
        set_up_sqlite(dbapi_connection, read_only=read_only, busy_ms=busy_ms)

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _postgres_events(engine: Engine, *, read_only: bool, busy_ms: int) -> None:
    @event.listens_for(engine, "connect")
    def _connect(dbapi_connection: Any, _record: Any) -> None:
        before, dbapi_connection.autocommit = dbapi_connection.autocommit, True
        dbapi_connection.execute(f"SET lock_timeout = {busy_ms}")
        dbapi_connection.execute("SET synchronous_commit = on")
        dbapi_connection.prepared_max = PREPARED_MOST
        if read_only:
            dbapi_connection.execute("SET default_transaction_read_only = on")
        else:
            # Claims and results name their rows, so a plan need not know the values: one is made, not ten before it is kept.
            dbapi_connection.execute("SET plan_cache_mode = force_generic_plan")
            dbapi_connection.prepare_threshold = PREPARED_AFTER
        dbapi_connection.autocommit = before

    @event.listens_for(engine, "checkin")
    def _checkin(_connection: Any, record: Any) -> None:
        record.info["rests_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _checkout(connection: Any, record: Any, _proxy: Any) -> None:
        """A server that was restarted is noticed before work begins; to ask it before each transaction costs a tenth of one."""
        if time.monotonic() - record.info.get("rests_since", math.inf) < ASKED_AFTER_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise exc.InvalidatePoolError from error


@cache
def _file_of(url: str) -> str | None:
    """Where SQLite keeps its records; None for PostgreSQL. Kept, as every transaction asks."""
    return str(Path(parse_url(url).database or "").absolute()) if is_sqlite(url) else None


@contextmanager
def writing(url: str, busy_ms: int = BUSY_MS) -> Iterator[None]:
    """One SQLite writer at a time in this process: threads queue here, without polling the file's lock."""
    path = _file_of(url)
    if path is None:
        yield
        return
    lock = _writers.setdefault(path, threading.Lock())
    if not lock.acquire(timeout=busy_ms / 1000):
        raise StorageBusy(f"The database {path} was busy for {busy_ms} ms; nothing was written, so try again.")
    try:
        yield
    finally:
        lock.release()


def law(error: exc.DBAPIError) -> str:
    """The database's own words for what it refuses."""
    diagnosis = getattr(error.orig, "diag", None)
    words = (diagnosis.message_primary if diagnosis else "") or str(error.orig)
    return str(words).strip().splitlines()[0] if words else "no reason given"


def in_our_words(error: exc.SQLAlchemyError) -> ConductorError:
    """The error that callers know, chained by them to its cause."""
    if isinstance(error, exc.TimeoutError):
        return StorageBusy("No database connection became free in time; nothing was written, so try again.")
    if not isinstance(error, exc.DBAPIError):
        return InternalError(f"The database layer refused a statement: {error}")
    if isinstance(error, exc.IntegrityError):
        return InternalError(f"The database refused the record: {law(error)}", {"law": law(error)})
    original = error.orig
    code = getattr(original, "sqlite_errorcode", None)
    busy = code is not None and (code & 0xFF) in _SQLITE_NOT_NOW
    state = getattr(original, "sqlstate", None) or ""
    if busy or state in _NOT_NOW or state.startswith("08") or error.connection_invalidated:
        return StorageBusy(f"The database did not let us in ({law(error)}); nothing was written, so try again.")
    mend = _MENDS.get(state if code is None else code & 0xFF)
    if mend is not None:
        return StorageBusy(
            f"The database takes no writes ({law(error)}); nothing was written: {mend}, and work goes on."
        )
    if isinstance(error, exc.OperationalError) and code is None and not state:
        return StorageBusy(f"The database cannot be reached ({law(error)}); nothing was written, so try again.")
    if state == _NOT_OURS:
        return InternalError(
            f"The database refused this process's user ({law(error)}): it has the rights of one process alone, as"
            " docs/deployment.md lists them; `conductor doctor` compares.",
            {"law": law(error)},
        )
    return InternalError(f"The database failed: {law(error)}", {"law": law(error)})


@contextmanager
def our_errors() -> Iterator[None]:
    """Turn the driver's errors into ours."""
    try:
        yield
    except exc.SQLAlchemyError as error:
        raise in_our_words(error) from error
