"""Where transactions come from, and what happens when one ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from bot.adapters.storage.deliveries import SqlDeliveries
from bot.adapters.storage.engine import BUSY_MS, dispose, make_engine, our_errors, writing
from bot.adapters.storage.jobs import SqlJobs
from bot.adapters.storage.journal import SqlJournal
from bot.adapters.storage.ledger_book import SqlLedgerBook
from bot.adapters.storage.outbox import SqlOutbox
from bot.adapters.storage.places import SqlPlaces
from bot.adapters.storage.retention import SqlRetention
from bot.adapters.storage.rows import Link
from bot.adapters.storage.runs import SqlRuns
from bot.adapters.storage.waits import SqlWaits
from bot.domain.errors import StorageBusy, StorageLost
from bot.ports.queue import Nudge, Queue


class SqlTransaction:
    """`bot.ports.storage.Transaction` over one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        link = Link(connection)
        self.deliveries = SqlDeliveries(link)
        self.runs = SqlRuns(link)
        self.jobs = SqlJobs(link)
        self.outbox = SqlOutbox(link)
        self.ledger = SqlLedgerBook(link)
        self.journal = SqlJournal(link)
        self.places = SqlPlaces(link)
        self.retention = SqlRetention(link)
        self.waits = SqlWaits(link)
        # A dict keeps the order in which they were wanted, and each once.
        self._nudges: dict[tuple[Nudge, str, str], None] = {}

    def nudge(self, what: str, subject: str, *, queue: str = "") -> None:
        self._nudges[Nudge(what), subject, queue] = None

    def send(self, queue: Queue) -> None:
        """After the commit."""
        for what, subject, name in self._nudges:
            queue.nudge(what, subject, queue=name)


class SqlStorage:
    """`bot.ports.storage.Storage` on SQLite or PostgreSQL.

    ``url``: ``sqlite:///FILE`` or ``postgresql+psycopg://...``, migrated before (`bot.adapters.storage.migrate`).
    ``busy_ms``: how long to wait for a lock or a connection before ``StorageBusy``. Safe to share between threads; a
    forked child opens connections of its own. A transaction must not be begun inside another one of the same thread.
    """

    def __init__(self, url: str, queue: Queue, *, busy_ms: int = BUSY_MS, pool_size: int = 5) -> None:
        self._url = url
        self._queue = queue
        self._busy_ms = busy_ms
        self._writer = make_engine(url, busy_ms=busy_ms, pool_size=pool_size)
        self._reader = make_engine(url, read_only=True, busy_ms=busy_ms, pool_size=pool_size)

    @contextmanager
    def begin(self) -> Iterator[SqlTransaction]:
        """Read and write; nudges go out after the commit."""
        with writing(self._url, self._busy_ms):
            connection = _open(self._writer)
            try:
                transaction = SqlTransaction(connection)
                yield transaction
                transaction.journal.flush()
                _commit(connection)
            finally:
                # Closing rolls back whatever was not committed.
                with our_errors():
                    connection.close()
        transaction.send(self._queue)

    @contextmanager
    def read(self) -> Iterator[SqlTransaction]:
        """A snapshot; a write in it is refused. Nudges go out at its end."""
        connection = _open(self._reader)
        try:
            transaction = SqlTransaction(connection)
            yield transaction
        finally:
            with our_errors():
                connection.close()
        transaction.send(self._queue)

    def close(self) -> None:
        """Close all connections."""
        dispose(self._writer)
        dispose(self._reader)


def _open(engine: Engine) -> sa.Connection:
    """A connection whose transaction has begun."""
    with our_errors():
        connection = engine.connect()
        try:
            connection.begin()
        except BaseException:
            connection.close()
            raise
    return connection


def _commit(connection: sa.Connection) -> None:
    """Raises ``StorageLost`` when the server is lost on the way: then nobody knows whether it committed."""
    try:
        with our_errors():
            connection.commit()
    except StorageBusy as error:
        if connection.dialect.name == "sqlite":
            raise
        raise StorageLost(
            "The database was lost while it committed, so it is not known whether it did; read the records again."
        ) from error
