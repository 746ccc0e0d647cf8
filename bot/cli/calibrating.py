"""`conductor calibrate`: how much the code reviewers catch, measured on defects that are seeded into real diffs."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bot.cli.showing import AsJson, as_json, safe, say
from bot.domain.errors import UserError

if TYPE_CHECKING:
    from bot.settings import Settings

# What agents need of this environment; secrets of other processes may be there and are not read.
_READ: Final = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_API_KEY_FILE",
    "ANTHROPIC_BASE_URL",
    "CONDUCTOR_MODEL",
    "CONDUCTOR_POLICIES",
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(calibrate)


def calibrate(
    repo: Annotated[Path, typer.Option(help="A git repository; nothing is written to it.")],
    range_: Annotated[str, typer.Option("--range", help="Commits A..B whose diffs are reviewed.")],
    defects: Annotated[int, typer.Option(help="How many defects are seeded, one a diff.")] = 20,
    budget: Annotated[float, typer.Option(help="Dollars that all of it may cost.")] = 10.0,
    seed: Annotated[int, typer.Option(help="Another number seeds other places.")] = 1,
    json_: AsJson = False,
) -> None:
    """Measure the code reviewers: their catch rate on seeded defects and their false alarms on clean diffs.

    Exit 0: every diff was reviewed; 1: the budget was spent before that; 2: what was given cannot be used.
    """
    from bot.redaction import Redactor
    from bot.simulator.calibration.figures import Judged
    from bot.simulator.calibration.measuring import Asked
    from bot.simulator.calibration.measuring import calibrate as measure
    from bot.simulator.calibration.report import as_data, as_lines, progress
    from bot.telemetry import configure
    from workers.sandbox.trees import remove_tree

    def tell(one: Judged, total: int) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"{safe(progress(one, total))}\n")

    place = Path(tempfile.mkdtemp(prefix="conductor-calibrate-"))
    try:
        settings = settings_in(place)
        # Standard output is the report's alone.
        configure(Redactor(settings.held), level=logging.WARNING)
        done = measure(Asked(repo, range_, defects, seed, budget), settings, tell)
    finally:
        remove_tree(place)
    if json_:
        as_json(as_data(done))
    else:
        say(as_lines(done))
    if done.ended:
        raise typer.Exit(1)


def settings_in(place: Path) -> Settings:
    """Settings of an agents' process of its own, with all its records below ``place``. Raises ``UserError`` without a key."""
    from bot.settings import Process, from_environment

    if not any(os.environ.get(name) for name in _READ[:2]):
        raise UserError("`conductor calibrate` asks a live model: set ANTHROPIC_API_KEY and run it again")
    given = {name: os.environ[name] for name in _READ if name in os.environ}
    # Agents beside other processes need a broker that these share; here there are no others.
    apart = from_environment(Process.AGENTS, given | {"CONDUCTOR_DATA": str(place), "CONDUCTOR_BROKER_URL": "none://"})
    return apart.model_copy(update={"broker_url": "memory://"})
