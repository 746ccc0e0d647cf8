"""Brings a database to this release's schema."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import sqlalchemy as sa

from bot.adapters.storage.authority import may_change_tables
from bot.adapters.storage.engine import dispose, make_engine, our_errors, writing
from bot.adapters.storage.indices import make_beside, to_do
from bot.adapters.storage.rows import Link, LockKind
from bot.domain.errors import SettingsError

# Longer than any migration of small tables takes, so that processes that start together wait for the first.
PATIENCE_MS = 60_000


def migrate(url: str) -> None:
    """Run every migration that is missing, in one transaction; a second caller waits and then finds nothing to do.

    On PostgreSQL newer indices are made after it, in none, so that others go on writing meanwhile.

    Raises ``SettingsError`` for a URL we do not serve and where migrations are missing that this user may not run (only
    the tables' owner may), ``StorageBusy`` when the database stays locked for a minute.
    """
    engine = make_engine(url, busy_ms=PATIENCE_MS, pool_size=1)
    try:
        with writing(url, PATIENCE_MS), our_errors(), engine.begin() as connection:
            Link(connection).lock(LockKind.MIGRATION)
            if _at(connection) != {newest()}:
                _upgrade(connection)
            left = to_do(connection)
        if left:
            make_beside(engine.url)
    finally:
        dispose(engine)


def newest() -> str:
    """This release's last revision: files of migrations are called ``r<revision>_<what>.py``."""
    names = (Path(str(one)).name for one in files("bot.migrations.versions").iterdir())
    return max(name[1:].partition("_")[0] for name in names if name.startswith("r"))


def _at(connection: sa.Connection) -> set[str]:
    if not sa.inspect(connection).has_table("alembic_version"):
        return set()
    return set(connection.scalars(sa.text("SELECT version_num FROM alembic_version")))


def _upgrade(connection: sa.Connection) -> None:
    # A sixth of what a process takes to start would be Alembic, which it seldom needs.
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(files("bot.migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    # A newer release was here: the release before it, ours, runs on its schema (rolling restarts).
    known = {one.revision for one in ScriptDirectory.from_config(config).walk_revisions()}
    found = MigrationContext.configure(connection).get_current_heads()
    if not known.issuperset(found):
        return
    if not may_change_tables(connection):
        url = connection.engine.url
        raise SettingsError(
            f"the database {url.database} is at revision {', '.join(found) or 'none'}, this release needs {newest()}, and its"
            f" user {url.username} may not change tables: run `conductor migrate` with the owner's CONDUCTOR_DATABASE_URL"
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
