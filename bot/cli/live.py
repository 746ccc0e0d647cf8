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

from bot.domain.money import dollars
from bot.ports import records as r
from bot.ports.storage import Transaction
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
        steps.add_row(
            Text("✔", style="green"), f"{one.from_state} → {one.to_state}", Text(f"gate {one.gate}", style="dim")
        )
    jobs = Table.grid(padding=(0, 2))
    for job in tx.jobs.of_run(run.id):
        if job.state in {"running", "queued"}:
            name = " ".join(
                part for part in (job.kind, job.role, job.step, f"round {job.round}" if job.round else "") if part
            )
            jobs.add_row(Text("▶" if job.state == "running" else "…", style="yellow"), name)
    findings = Table.grid(padding=(0, 2))
    for row in tx.ledger.findings(run.id):
        style = {"open": "red", "fixed": "green"}.get(row.status, "dim")
        findings.add_row(Text(row.id, style=style), Text(row.status, style=style), row.severity, row.title[:80])
    head = Text(
        f"run {run.id}: {run.state}   cost {dollars(run.spent_micro_dollars)} of {dollars(run.budget_micro_dollars)}",
        style="bold",
    )
    return Group(head, steps, jobs, findings)


def play(scenario: Scenario, *, ask: bool, title: str) -> dict[str, Any]:
    """Run a scenario under a live view; with ``ask`` the person decides about the plan. Returns the report."""
    console = Console()
    view = View(title)
    with Live(view, console=console, refresh_per_second=REFRESH_HZ, transient=False) as live:

        def decide(state: str) -> str | None:
            if not ask or not state.endswith(".approval"):
                return None
            live.stop()
            answer = console.input("[bold]approve?[/bold] [y/n] ").strip().lower()
            live.start()
            return None if answer in {"y", "yes"} else "/conductor cancel"

        runner = Runner(scenario, "embedded", watch=view.watch, decide=decide)
        report = runner.run()
    _tables(console, report)
    if report["problem"]:
        sys.stderr.write(f"conductor: {report['problem']}\n")
    return report


def _tables(console: Console, report: dict[str, Any]) -> None:
    for pull in report["github"]["pulls"]:
        console.print(Panel(f"#{pull['number']} {pull['title']}   draft: {pull['draft']}", title="Pull request"))
    diff = report.get("diff", "")
    if diff:
        console.print(Panel(Syntax(diff, "diff", theme="ansi_dark"), title="Diff"))
    ledger = Table(title="Ledger", show_lines=False)
    for name in ("id", "status", "severity", "round", "raised by", "title", "reason"):
        ledger.add_column(name)
    for one in report["ledger"]:
        ledger.add_row(
            one["id"],
            one["status"],
            one["severity"],
            str(one["round"]),
            ", ".join(one["raised_by"]),
            one["title"],
            one["reason"],
        )
    console.print(ledger)
    outbox = Table(title="Outbox")
    for name in ("id", "kind", "target", "state", "decision", "policies", "payload sha256"):
        outbox.add_column(name)
    for row in report["outbox"]:
        outbox.add_row(
            str(row["id"]),
            row["kind"],
            row["target"],
            row["state"],
            row["decision"],
            ", ".join(row["policy_ids"]),
            row["payload_sha256"][:12],
        )
    console.print(outbox)
    cost = Table(title="Cost")
    cost.add_column("role")
    cost.add_column("dollars", justify="right")
    for role, micro in report["cost"]["by_role"].items():
        cost.add_row(role, dollars(micro))
    cost.add_row("all", dollars(report["cost"]["micro_dollars"]), style="bold")
    console.print(cost)
    console.print(
        f"state [bold]{report['state']}[/bold], {report['cost']['calls']} model calls, unmatched writes {report['unmatched_writes']}, audit verified {report['audit']['verified']}"
    )
