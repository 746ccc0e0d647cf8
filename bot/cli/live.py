"""The live view in the terminal: where the run stands, gates, findings and cost, the question, and the end as tables."""

from __future__ import annotations

import sys
import threading
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from bot.cli.showing import cell, safe
from bot.domain.errors import UserError
from bot.domain.money import dollars
from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.simulator.acts import AnyAct, Comment
from bot.simulator.github.server import SimulatedGitHub
from bot.simulator.runner import Runner
from bot.simulator.scenario import Scenario

REFRESH_HZ = 8


class View:
    """What is drawn: refilled from the records at every look."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._lock = threading.Lock()
        self._body: Any = Text("starting the App ...")

    def watch(self, tx: Transaction, run: r.Run | None) -> None:
        """Take in the records."""
        body = Text("waiting for the first delivery ...") if run is None else _progress(tx, run)
        with self._lock:
            self._body = body

    def __rich__(self) -> Panel:
        with self._lock:
            return Panel(self._body, title=self._title)


def _progress(tx: Transaction, run: r.Run) -> Group:
    steps = Table.grid(padding=(0, 2))
    for one in tx.runs.transitions(run.id):
        steps.add_row(cell("✔", "green"), cell(f"{one.from_state} → {one.to_state}"), cell(f"gate {one.gate}", "dim"))
    jobs = Table.grid(padding=(0, 2))
    for job in tx.jobs.of_run(run.id):
        if job.state in {"running", "queued"}:
            name = " ".join(
                part for part in (job.kind, job.role, job.step, f"round {job.round}" if job.round else "") if part
            )
            jobs.add_row(cell("▶" if job.state == "running" else "…", "yellow"), cell(name))
    findings = Table.grid(padding=(0, 2))
    for row in tx.ledger.findings(run.id):
        style = {"open": "red", "fixed": "green"}.get(row.status, "dim")
        findings.add_row(cell(row.id, style), cell(row.status, style), cell(row.severity), cell(row.title[:80]))
    head = cell(
        f"run {run.id}: {run.state}   cost {dollars(run.spent_micro_dollars)} of {dollars(run.budget_micro_dollars)}",
        "bold",
    )
    return Group(head, steps, jobs, findings)


def play(scenario: Scenario, *, ask: bool, title: str) -> dict[str, Any]:
    """Run a scenario under a live view; with ``ask`` the person decides about the plan. Returns the report."""
    console = Console()
    view = View(title)
    with Live(view, console=console, refresh_per_second=REFRESH_HZ, transient=False) as live:

        def decide(act: AnyAct, _github: SimulatedGitHub) -> AnyAct:
            if not ask or not isinstance(act, Comment) or not act.when.endswith(".approval"):
                return act
            live.stop()
            try:
                answer = console.input("[bold]approve?[/bold] (y/n) ").strip().lower()
            except EOFError as error:
                raise UserError("there is nobody to ask: run it in a terminal, or approve with --yes") from error
            live.start()
            return act if answer in {"y", "yes"} else act.model_copy(update={"comment": "/conductor cancel"})

        runner = Runner(scenario, "embedded", watch=view.watch, decide=decide)
        report = runner.run()
    _tables(console, report, runner.diff)
    if report["problem"]:
        sys.stderr.write(f"conductor: {report['problem']}\n")
    return report


def _tables(console: Console, report: dict[str, Any], diff: str) -> None:
    for pull in report["github"]["pulls"]:
        console.print(Panel(cell(f"#{pull['number']} {pull['title']}   draft: {pull['draft']}"), title="Pull request"))
    if diff:
        console.print(Panel(Syntax(safe(diff), "diff", theme="ansi_dark"), title="Diff"))
    console.print(ledger_table(report), outbox_table(report["outbox"]))
    cost = Table(title="Cost")
    cost.add_column("role")
    cost.add_column("dollars", justify="right")
    for role, micro in report["cost"]["by_role"].items():
        cost.add_row(role, dollars(micro))
    cost.add_row("all", dollars(report["cost"]["micro_dollars"]), style="bold")
    console.print(cost, last_line(report))


def ledger_table(report: dict[str, Any]) -> Table:
    """A report's findings."""
    ledger = Table(title="Ledger", show_lines=False)
    for name in ("id", "status", "severity", "round", "raised by", "title", "reason"):
        ledger.add_column(name)
    for one in report["ledger"]:
        ledger.add_row(
            *(cell(one[name]) for name in ("id", "status", "severity", "round")),
            cell(", ".join(one["raised_by"])),
            cell(one["title"]),
            cell(one["reason"]),
        )
    return ledger


def outbox_table(rows: list[dict[str, Any]]) -> Table:
    """Rows of a report's outbox."""
    outbox = Table(title="Outbox")
    for name in ("id", "kind", "target", "state", "decision", "policies", "payload sha256"):
        outbox.add_column(name)
    for row in rows:
        outbox.add_row(
            *(cell(row[name]) for name in ("id", "kind", "target", "state", "decision")),
            cell(", ".join(row["policy_ids"])),
            cell(row["payload_sha256"][:12]),
        )
    return outbox


def last_line(report: dict[str, Any]) -> str:
    """Where a run ended, and whether every write is accounted for."""
    return (
        f"state [bold]{report['state']}[/bold], {report['cost']['calls']} model calls, "
        f"unmatched writes {report['unmatched_writes']}, audit verified {report['audit']['verified']}"
    )
