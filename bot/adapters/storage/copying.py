"""A copy of the SQLite records while they are written to: one snapshot, whole, checked, on the disk when it is done."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from bot.adapters.storage.engine import parse_url
from bot.domain.errors import StorageBusy, UserError

BESIDE: Final = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database; without it the file is not whole, and beside another file it destroys it."""


def file_of(url: str) -> Path:
    """The database's file. Raises ``UserError`` for PostgreSQL, which has tools of its own for this."""
    parsed = parse_url(url)
    if parsed.get_backend_name() != "sqlite":
        raise UserError(
            f"the records are in PostgreSQL ({parsed.host or 'the default host'}/{parsed.database}): copy them with pg_dump, and"
            " the artifacts' directory after it; docs/deployment.md has the steps"
        )
    return Path(parsed.database or "").absolute()


def copy_records(source: Path, target: Path) -> str:
    """Copy a database that may be in use; returns its schema's revision. Nobody is held up: readers and a writer go on.

    Raises ``UserError`` when the source holds no records or the disk is full, ``StorageBusy`` when it stays locked.
    """
    try:
        with closing(sqlite3.connect(source)) as records, closing(sqlite3.connect(target)) as copy:
            records.execute("PRAGMA busy_timeout = 10000")
            revision = _revision(records, source)
            # In one step: in several it would begin anew with every commit of the App.
            records.backup(copy)
            problem = str(copy.execute("PRAGMA integrity_check").fetchone()[0])
    except sqlite3.Error as error:
        raise _in_our_words(error, source, target) from error
    if problem != "ok":
        raise UserError(f"the copy of {source} is damaged ({problem}), and so is {source}: use an older backup")
    handle = os.open(target, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    return revision


def _revision(records: sqlite3.Connection, source: Path) -> str:
    try:
        found = records.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        found = None
    if found is None:
        raise UserError(
            f"the database {source} holds no records of Conductor; set CONDUCTOR_DATA as for the running App"
        )
    return str(found[0])


def _in_our_words(error: sqlite3.Error, source: Path, target: Path) -> StorageBusy | UserError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StorageBusy(f"The database {source} stayed locked; nothing was copied, so try again.")
    if code == sqlite3.SQLITE_FULL:
        return UserError(
            f"there is no room for the copy at {target.parent}: free some, or name a place on another disk"
        )
    return UserError(f"{source} cannot be copied to {target}: {error}")
