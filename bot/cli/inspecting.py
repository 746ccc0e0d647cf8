"""Commands that look: runs, one run, its ledger, cost, outbox, audit, and a live board."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from bot.cli.opening import MANY, opened, run_of
from bot.cli.showing import AsJson, as_json, cell, say, screen, table, when
from bot.domain.errors import UserError
from bot.domain.writes import OPEN_ROWS

if TYPE_CHECKING:
    from rich.console import Group

    from bot.bootstrap import Shell
    from bot.ports import records as r
    from bot.ports.storage import Transaction

RunId = Annotated[str, typer.Argument(help="The run's id.")]
OfRun = Annotated[str, typer.Option("--run", help="Only this run.")]
Limit = Annotated[int, typer.Option(min=1, max=MANY, help="At most so many, newest first.")]
RUN_COLUMNS: Final = (
    "id",
    "repository",
    "issue",
    "state",
    "column",
    "paused",
    "risk",
    "spent_dollars",
    "started",
    "note",
)
ROW_STATES: Final = (*OPEN_ROWS, "confirmed", "denied", "dead")
PAGE: Final = 1_000
DAY_MS: Final = 86_400_000


def register(app: typer.Typer) -> None:
    """Add the commands."""
    audit = typer.Typer(no_args_is_help=True, help="The hash-chained audit.")
    audit.command("verify")(audit_verify)
    for command in (runs, run, ledger, cost, outbox, top):
        app.command()(command)
    app.add_typer(audit, name="audit")


def runs(
    state: Annotated[list[str] | None, typer.Option(help="Only runs in this state; may be given again.")] = None,
    limit: Limit = 50,
    json: AsJson = False,
) -> None:
    """Runs, newest first."""
    from bot.domain.workflow import WORKFLOWS

    refuse_unknown(state, sorted({name for one in WORKFLOWS.values() for name in one.states}))
    with opened() as parts, parts.storage.read() as tx:
        found = [_run_row(tx, one) for one in tx.runs.recent(states=tuple(state or ()), limit=limit)]
    if json:
        as_json(found)
    else:
        table("Runs", found, RUN_COLUMNS)


def refuse_unknown(asked: Sequence[str] | None, states: Sequence[str]) -> None:
    """Raises ``UserError`` for a state that there is not."""
    for one in asked or ():
        if one not in states:
            raise UserError(f"{one!r} is no state: it is {', '.join(states)}", {"state": one})


def _run_row(tx: Transaction, run: r.Run) -> dict[str, Any]:
    from bot.domain.money import dollars
    from bot.domain.workflow import WORKFLOWS, board_column

    where = tx.places.repository(run.repository_id)
    stage = WORKFLOWS[run.workflow].stage_of(run.state) if run.workflow in WORKFLOWS else None
    rounds = run.rounds.get(stage.name, 0) if stage is not None else 0
    return {
        "id": run.id,
        "repository": where.full_name if where is not None else str(run.repository_id),
        "issue": run.issue_number,
        "state": run.state,
        "column": board_column(run.state, rounds=rounds),
        "paused": run.paused,
        "mode": run.mode,
        "risk": run.risk,
        "branch": run.branch,
        "pull": run.known.get("pull"),
        "requested_by": run.requester_login,
        "spent_dollars": dollars(run.spent_micro_dollars),
        "budget_dollars": dollars(run.budget_micro_dollars),
        "started": when(run.created_at),
        "note": run.halt_reason,
    }


def run(run_id: RunId, json: AsJson = False) -> None:
    """One run: where it stands, which evidence opened each of its edges, who approved what, what works on it."""
    with opened() as parts, parts.storage.read() as tx:
        found = run_of(tx, run_id)
        shown = _run_row(tx, found) | _run_detail(tx, found)
    if json:
        as_json(shown)
        return
    for name, value in shown.items():
        if not isinstance(value, list):
            say(f"{name.replace('_', ' ')}: {'' if value is None else value}")
    table("Transitions", shown["transitions"], ("at", "from", "to", "gate", "evidence", "subject"))
    table("Approvals", shown["approvals"], ("by", "permission", "stage", "subject", "granted", "used"))
    table("Open jobs", shown["jobs"], ("kind", "role", "round", "step", "state", "attempts", "reason"))


def _run_detail(tx: Transaction, run: r.Run) -> dict[str, Any]:
    kinds = {(one.gate, one.attempt): one.kinds for one in tx.runs.evidence(run.id)}
    return {
        "transitions": [
            {
                "at": when(one.at),
                "from": one.from_state,
                "to": one.to_state,
                "gate": one.gate,
                "evidence": ", ".join(kinds.get((one.gate, one.attempt), [])),
                "subject": one.subject_sha256,
            }
            for one in tx.runs.transitions(run.id)
        ],
        "approvals": [
            {
                "by": one.by_login,
                "permission": one.permission,
                "stage": one.stage,
                "subject": one.subject_sha256,
                "granted": when(one.granted_at),
                "used": when(one.used_at),
            }
            for one in tx.runs.approvals(run.id)
        ],
        "jobs": [
            {
                "kind": one.kind,
                "role": one.role,
                "round": one.round,
                "step": one.step,
                "state": one.state,
                "attempts": one.attempts,
                "reason": one.reason,
            }
            for one in tx.jobs.of_run(run.id)
            if one.state in {"waiting", "queued", "running"}
        ],
    }


def ledger(run_id: RunId, json: AsJson = False) -> None:
    """A run's review ledger with every finding's history."""
    with opened() as parts, parts.storage.read() as tx:
        run_of(tx, run_id)
        events = tx.ledger.events(run_id)
        found = [_finding(one, events) for one in sorted(tx.ledger.findings(run_id), key=lambda one: one.seq)]
    if json:
        as_json(found)
        return
    for one in found:
        one["raised by"] = ", ".join(one["raised_by"])
    table("Ledger", found, ("id", "status", "severity", "category", "round", "raised by", "title", "reason"))


def _finding(row: r.FindingRow, events: Sequence[r.FindingEventRow]) -> dict[str, Any]:
    names = ("id", "status", "reason", "severity", "category", "title", "claim", "evidence", "stage", "round")
    values: dict[str, Any] = {name: getattr(row, name) for name in (*names, "raised_by", "source", "revision")}
    history = [
        {
            "at": when(one.at),
            "who": one.who,
            "round": one.round,
            "from": one.from_status,
            "to": one.to_status,
            "reason": one.reason,
        }
        for one in events
        if one.finding_id == row.id
    ]
    return values | {"events": history}


def cost(
    of_run: OfRun = "",
    day: Annotated[bool, typer.Option("--day", help="What today (UTC) has cost, by repository.")] = False,
    limit: Limit = 50,
    json: AsJson = False,
) -> None:
    """What runs have cost, by role; with --day, what today has cost, by repository."""
    from bot.domain.money import dollars

    if of_run and day:
        raise UserError("ask for a run or for the day, not both")
    with opened() as parts, parts.storage.read() as tx:
        if day:
            _show_day(_cost_of_day(tx, int(time.time() * 1000)), json=json)
            return
        chosen = [run_of(tx, of_run)] if of_run else tx.runs.recent(limit=limit)
        found = [_cost(tx, one) for one in chosen]
    if json:
        as_json(found)
        return
    rows = [
        {"run": one["run"], "role": role, "dollars": dollars(micro)}
        for one in found
        for role, micro in (*one["by_role"].items(), ("all", one["micro_dollars"]))
    ]
    table("Cost", rows, ("run", "role", "dollars"))


def _cost_of_day(tx: Transaction, now: int) -> dict[str, Any]:
    """The day as the meter counts it for ``budget.day``: from midnight UTC."""
    start = now - now % DAY_MS
    spent: Counter[int] = Counter()
    calls: Counter[int] = Counter()
    for one in tx.runs.recent(limit=MANY):
        for call in tx.journal.model_calls(one.id):
            if call.at >= start:
                spent[one.repository_id] += call.cost_micro_dollars
                calls[one.repository_id] += 1
    named = {number: tx.places.repository(number) for number in calls}
    return {
        "day": when(start)[:10],
        "micro_dollars": spent.total(),
        "repositories": [
            {
                "repository": where.full_name if where is not None else str(number),
                "micro_dollars": spent[number],
                "calls": calls[number],
            }
            for number, where in sorted(named.items())
        ],
    }


def _show_day(found: dict[str, Any], *, json: bool) -> None:
    from bot.domain.money import dollars

    if json:
        as_json(found)
        return
    rows = [one | {"dollars": dollars(one["micro_dollars"])} for one in found["repositories"]]
    table(f"Cost of {found['day']}", rows, ("repository", "calls", "dollars"))


def _cost(tx: Transaction, run: r.Run) -> dict[str, Any]:
    calls = tx.journal.model_calls(run.id)
    by_role: Counter[str] = Counter()
    for call in calls:
        by_role[call.role] += call.cost_micro_dollars
    return {
        "run": run.id,
        "micro_dollars": sum(by_role.values()),
        "budget_micro_dollars": run.budget_micro_dollars,
        "calls": len(calls),
        "input_tokens": sum(call.input_tokens + call.cache_read_tokens + call.cache_write_tokens for call in calls),
        "output_tokens": sum(call.output_tokens for call in calls),
        "by_role": dict(sorted(by_role.items())),
    }


def outbox(
    of_run: OfRun = "",
    state: Annotated[list[str] | None, typer.Option(help="Only rows in this state; may be given again.")] = None,
    limit: Limit = 100,
    json: AsJson = False,
) -> None:
    """Intended writes with their decision, policies, hash and outcome."""
    refuse_unknown(state, ROW_STATES)
    with opened() as parts, parts.storage.read() as tx:
        if of_run:
            run_of(tx, of_run)
            rows = [one for one in tx.outbox.of_run(of_run) if not state or one.state in state][-limit:]
        else:
            rows = sorted(tx.outbox.recent(states=tuple(state or ()), limit=limit), key=lambda one: one.id)
        found = [_row(one) for one in rows]
    if json:
        as_json(found)
    else:
        found = [one | {"policy_ids": ", ".join(one["policy_ids"])} for one in found]
        table(
            "Outbox", found, ("id", "run_id", "kind", "target", "state", "decision", "policy_ids", "attempts", "reason")
        )


def _row(row: r.OutboxRow) -> dict[str, Any]:
    names = (
        "id", "run_id", "seq", "kind", "target", "payload_sha256", "dedupe_key", "decision", "decision_sha256", "policy_ids",
        "policy_set_sha256", "state", "attempts", "not_before", "github_id", "github_url", "created_at", "confirmed_at", "reason",
    )  # fmt: skip
    values: dict[str, Any] = {name: getattr(row, name) for name in names}
    return values | {"payload": row.payload.decode("utf-8", "replace")}


def audit_verify(json: AsJson = False) -> None:
    """Check every link of the chain. Exit 1 when it is broken."""
    from bot.domain.audit_chain import GENESIS, verify_chain

    last, count, head, problem = 0, 0, GENESIS, ""
    with opened() as parts, parts.storage.read() as tx:
        while not problem:
            rows = tx.journal.audit_rows(after=last, limit=PAGE)
            if not rows:
                break
            problem = verify_chain(rows, prev=head, first=last + 1)
            last, head, count = rows[-1].seq, rows[-1].hash, count + len(rows)
    if json:
        as_json({"verified": not problem, "links": count, "head": head, "problem": problem})
    else:
        say(problem or f"{count} links follow each other; the last one is {head}")
    if problem:
        raise typer.Exit(1)


def top(
    once: Annotated[bool, typer.Option("--once", help="Print once and end, as on a pipe.")] = False,
    every: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks.")] = 2.0,
    json: AsJson = False,
) -> None:
    """The board, live: living runs, their jobs, and what waits to be sent."""
    with opened() as parts:
        if json:
            as_json(_board(parts))
            return
        if once or not sys.stdout.isatty():
            screen().print(_drawn(_board(parts)))
            return
        from rich.live import Live

        with Live(_drawn(_board(parts)), screen=True, auto_refresh=False) as live:
            try:
                while True:
                    time.sleep(every)
                    live.update(_drawn(_board(parts)), refresh=True)
            except KeyboardInterrupt:
                return


def _board(parts: Shell) -> dict[str, Any]:
    from bot.domain.workflow import ENDS, WORKFLOWS

    states = {state for one in WORKFLOWS.values() for state in one.states} - ENDS
    with parts.storage.read() as tx:
        living = tx.runs.recent(states=sorted(states), limit=PAGE)
        jobs = Counter(
            (job.queue, job.state)
            for one in living
            for job in tx.jobs.of_run(one.id)
            if job.state in {"waiting", "queued", "running"}
        )
        switch = tx.journal.switch("system", "")
        return {
            "stopped": bool(switch and switch.stopped),
            "runs": [_run_row(tx, one) for one in living],
            "jobs": [{"queue": queue, "state": state, "count": n} for (queue, state), n in sorted(jobs.items())],
            "outbox": dict(
                sorted(Counter(row.state for row in tx.outbox.recent(states=OPEN_ROWS, limit=MANY)).items())
            ),
            "deliveries": tx.deliveries.unsettled(),
        }


def _drawn(board: dict[str, Any]) -> Group:
    from rich.console import Group
    from rich.table import Table

    living = Table(title="Runs that are not over")
    columns = ("column", "state", "repository", "issue", "id", "spent_dollars", "started", "note")
    for name in columns:
        living.add_column(name.replace("_", " "))
    for row in board["runs"]:
        living.add_row(*(cell(row[name]) for name in columns))
    jobs = ", ".join(f"{one['count']} {one['state']} in {one['queue']}" for one in board["jobs"]) or "none"
    rows = ", ".join(f"{count} {state}" for state, count in board["outbox"].items()) or "none"
    head = "STOPPED for everybody. " if board["stopped"] else ""
    return Group(cell(f"{head}jobs: {jobs}; outbox: {rows}; deliveries to route: {board['deliveries']}"), living)
