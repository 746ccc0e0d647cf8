"""`conductor migrate`: brings the database to this release's schema, as its owner; no process that runs need be the owner."""

from __future__ import annotations

import typer

from bot.cli.showing import AsJson, as_json, say


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(migrate)


def migrate(json: AsJson = False) -> None:
    """Bring the database to this release's schema, rights and edges; nothing happens when it is there already."""
    from bot.bootstrap import migrate_records, records_problem
    from bot.settings import Process, from_environment

    url = from_environment(Process.SHELL).database_url
    before = records_problem(url)
    migrate_records(url)
    if json:
        as_json({"migrated": bool(before)})
    else:
        say("the database was brought to this release's schema" if before else "the database has this release's schema")
