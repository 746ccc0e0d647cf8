"""Brings a database to this release's schema."""

from __future__ import annotations

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from bot.adapters.storage.engine import dispose, make_engine, our_errors, writing
from bot.adapters.storage.rows import Link, LockKind

# Longer than any migration of small tables takes, so that processes that start together wait for the first.
PATIENCE_MS = 60_000


def migrate(url: str) -> None:
    """Run every migration that is missing, in one transaction; a second caller waits and then finds nothing to do.

    Raises ``SettingsError`` for a URL we do not serve, ``StorageBusy`` when the database stays locked for a minute.
    """
    config = Config()
    config.set_main_option("script_location", str(files("bot.migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    engine = make_engine(url, busy_ms=PATIENCE_MS, pool_size=1)
    try:
        with writing(url, PATIENCE_MS), our_errors(), engine.begin() as connection:
            Link(connection).lock(LockKind.MIGRATION)
            # A newer release was here: the release before it, ours, runs on its schema (rolling restarts).
            known = {one.revision for one in ScriptDirectory.from_config(config).walk_revisions()}
            if known.issuperset(MigrationContext.configure(connection).get_current_heads()):
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
    finally:
        dispose(engine)
