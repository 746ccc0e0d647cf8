"""Commands that act on a running App: stop, resume, cancel. They write switches and records, never GitHub."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.cli.opening import opened, repository_of, run_of, who
from bot.cli.showing import AsJson, as_json, say
from bot.domain.errors import UserError

Repository = Annotated[str, typer.Option("--repository", help="Only this repository: owner/name, or its number.")]
RunId = Annotated[str, typer.Option("--run", help="Only this run.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept in the audit.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(stop)
    app.command()(resume)
    app.command()(cancel)


def stop(repository: Repository = "", run: RunId = "", reason: Reason = "", json: AsJson = False) -> None:
    """Stop everything, one repository or one run: no model call, tool call or write begins after this returns."""
    _switch(repository, run, reason, stopped=True, json=json)


def resume(repository: Repository = "", run: RunId = "", reason: Reason = "", json: AsJson = False) -> None:
    """Lift a stop that was set here or with `/conductor stop`."""
    _switch(repository, run, reason, stopped=False, json=json)


def _switch(repository: str, run: str, reason: str, *, stopped: bool, json: bool) -> None:
    if repository and run:
        raise UserError("name a repository or a run, not both")
    with opened() as parts:
        with parts.storage.read() as tx:
            if run:
                scope, key, name = "run", run_of(tx, run).id, f"run {run}"
            elif repository:
                found = repository_of(tx, repository)
                scope, key, name = "repository", str(found.id), found.full_name
            else:
                scope, key, name = "system", "", "everything"
        parts.stopping.set(scope, key, stopped=stopped, by=who(), reason=reason or "from the shell")
    if json:
        as_json({"scope": scope, "key": key, "stopped": stopped})
    else:
        say(f"{name} is {'stopped' if stopped else 'no longer stopped here'}")


def cancel(run: Annotated[str, typer.Argument(help="The run's id.")], json: AsJson = False) -> None:
    """End a run for good; its start label is taken off."""
    with opened() as parts:
        parts.stopping.cancel(run, who())
    if json:
        as_json({"run": run, "state": "cancelled"})
    else:
        say(f"run {run} is cancelled")
