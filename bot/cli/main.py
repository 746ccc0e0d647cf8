"""The `conductor` command. Every error that somebody can mend is one sentence on standard error, never a trace."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from bot.cli import (
    acting,
    backing_up,
    calibrating,
    delivering,
    doctor,
    explaining,
    inspecting,
    migrating,
    parts_alone,
    setup,
    simulating,
)
from bot.cli.showing import safe
from bot.domain.errors import ConductorError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Takes an issue to a reviewed pull request through gates that code enforces.",
)
simulating.register(app)
acting.register(app)
backing_up.register(app)
inspecting.register(app)
delivering.register(app)
explaining.register(app)
parts_alone.register(app)
calibrating.register(app)
doctor.register(app)
migrating.register(app)
setup.register(app)

Port = Annotated[int, typer.Option(help="Port of the web process.")]
Host = Annotated[str, typer.Option(help="Address the web process listens on.")]


def _serve(process: str, host: str = "127.0.0.1", port: int = 8000) -> None:
    from bot.cli.serving import run
    from bot.settings import Process, from_environment

    run(from_environment(Process(process)), host=host, port=port)


@app.command()
def up(host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Run everything in one process, on SQLite and an in-memory broker."""
    _serve("up", host, port)


@app.command()
def web(host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Receive deliveries; holds the webhook secret."""
    _serve("web", host, port)


@app.command()
def worker(kind: Annotated[str, typer.Argument(help="control, agents or github")]) -> None:
    """Run one kind of worker: control holds nothing, agents the model's key, github the App's key."""
    if kind not in {"control", "agents", "github"}:
        raise typer.BadParameter(f"{kind!r} is no kind of worker: it is control, agents or github")
    _serve(kind)


@app.command()
def beat() -> None:
    """Tick the sweeper."""
    _serve("beat")


def main() -> None:
    """Entry point. Exit 2 with one sentence for what somebody can mend; a reader that went away is no error to tell of."""
    try:
        app()
        sys.stdout.flush()
    except ConductorError as error:
        sys.stderr.write(f"conductor: {safe(error.sentence)}\n")
        raise SystemExit(2) from error
    except BrokenPipeError as error:
        # What is still buffered has no reader either; Python would complain about it at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
