"""`conductor simulate`, `demo` and `try`: the whole way without GitHub."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from bot.domain.errors import UserError

Report = Annotated[Path | None, typer.Option(help="Where the report is written.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(simulate)
    app.command()(demo)
    app.command(name="try")(try_)


def simulate(
    scenario: Annotated[Path, typer.Argument(help="The scenario, a YAML file.")],
    report: Annotated[Path, typer.Option(help="Where the report is written.")] = Path("report.json"),
    topology: Annotated[Literal["embedded", "sqlite", "postgres"], typer.Option(help="Where it runs.")] = "embedded",
) -> None:
    """Run a scenario against the real App. Exit 0: a wanted state was reached; 1: it was not, or there are violations; 2: a bad scenario."""
    from bot.simulator.report import refused
    from bot.simulator.runner import Runner
    from bot.simulator.scenario import ScenarioError, load_scenario

    try:
        loaded = load_scenario(scenario)
        found = Runner(loaded, topology).run()
    except (ScenarioError, UserError) as wrong:
        _write(report, refused(wrong.sentence))
        typer.echo(f"conductor: {wrong.sentence}", err=True)
        raise typer.Exit(2) from wrong
    _write(report, found)
    if not found["reached"] or found["violations"]:
        why = found["problem"] or "; ".join(found["violations"][:3])
        typer.echo(f"conductor: {scenario} ended in {found['state']}: {why}", err=True)
        raise typer.Exit(1)
    typer.echo(f"{scenario}: {found['state']}; report in {report}")


def _write(path: Path, report: dict[str, Any]) -> None:
    path.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", "utf-8", "surrogateescape")


def demo(
    yes: Annotated[bool, typer.Option("--yes", help="Approve the plan without asking.")] = False,
    report: Report = None,
) -> None:
    """The whole way on a bundled repository, live in the terminal, with a replayed model."""
    from bot.cli.live import play
    from bot.simulator.bundled_scenario import bundled

    found = play(bundled(), ask=not yes, title="Conductor demo: the model is a replay, everything else is real")
    if report is not None:
        _write(report, found)
    if not found["reached"]:
        raise typer.Exit(1)


def try_(
    repo: Annotated[Path, typer.Option(help="Your repository: a folder or a git checkout.")],
    issue: Annotated[Path, typer.Option(help="The issue: first line its title, the rest its body.")],
    yes: Annotated[bool, typer.Option("--yes", help="Approve the plan without asking.")] = False,
    report: Report = None,
) -> None:
    """The whole way on your own repository with your model key, without GitHub; nothing of the repository is changed."""
    from bot.cli.live import play
    from bot.simulator.bundled_scenario import own

    if not os.environ.get("ANTHROPIC_API_KEY"):
        raise UserError(
            "`conductor try` asks a live model: set ANTHROPIC_API_KEY and run it again; `conductor demo` needs none"
        )
    if not repo.is_dir():
        raise UserError(f"{repo} is no folder: name the repository to work on with --repo")
    if not issue.is_file():
        raise UserError(f"{issue} is no file: write the issue there, title first")
    found = play(own(repo, issue), ask=not yes, title=f"Conductor try on {repo}: live model, simulated GitHub")
    if report is not None:
        _write(report, found)
    if not found["reached"]:
        raise typer.Exit(1)
