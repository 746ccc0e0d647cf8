"""`conductor why`: from whatever a person can point at to the stored records that say why it is there (I14)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bot.cli.opening import MANY, number_of, opened, repository_of, run_of
from bot.cli.showing import AsJson, as_json, say, when
from bot.domain.errors import UserError

if TYPE_CHECKING:
    from bot.ports import records as r
    from bot.ports.storage import Transaction

# Tails of addresses that GitHub gives to comments, review comments, reviews and check runs.
_FRAGMENT: Final = re.compile(r"(?:#issuecomment-|#discussion_r|#pullrequestreview-|/runs/)([0-9]{1,18})$")
_COMMIT: Final = re.compile(r"(?:^|/commits?/)([0-9a-f]{40})$")
_THREAD: Final = re.compile(
    r"(?:https?://[^/\s]+/)?([A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+)(?:/(?:issues|pull)/|#)([0-9]{1,18})"
)
_FINDING: Final = re.compile(r"[Ff]([1-9][0-9]{0,17})")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(why)


def why(
    ref: Annotated[
        str,
        typer.Argument(
            help="A run's id, a finding (F1), outbox:N, a commit or its Conductor-Row, or an id or address on GitHub."
        ),
    ],
    of_run: Annotated[str, typer.Option("--run", help="The run of a finding; else the newest run that has it.")] = "",
    json: AsJson = False,
) -> None:
    """Why something was done, from the records alone."""
    with opened() as parts, parts.storage.read() as tx:
        run, because = _answer(tx, ref.strip(), run_of(tx, of_run) if of_run else None)
    if json:
        as_json({"ref": ref, "run": run, "because": because})
    else:
        say("\n".join(f"- {line}" for line in because))


def _answer(tx: Transaction, ref: str, run: r.Run | None) -> tuple[str | None, list[str]]:
    """The run it belongs to and the sentences. Raises ``UserError`` when the records know nothing by that name."""
    if found := tx.runs.get(ref):
        return found.id, _of_run(tx, found)
    if named := _FINDING.fullmatch(ref):
        found = _with_finding(tx, f"F{named[1]}", run)
        return found.id, _lines(tx, found, f"F{named[1]}")
    rows = _rows(tx, ref)
    if rows:
        return rows[0].run_id, [line for row in rows for line in _of_row(tx, row)]
    if found := _of_thread(tx, ref):
        return found.id, _of_run(tx, found)
    raise UserError(
        f"nothing is known as {ref!r}: name a run, a finding (F1), outbox:N, a commit, or an id or address on GitHub",
        {"ref": ref},
    )


def _lines(tx: Transaction, run: r.Run, ref: str) -> list[str]:
    from bot.services.queries import explain

    return [line.removeprefix("- ") for line in explain(tx, run, ref).splitlines()]


def _of_run(tx: Transaction, run: r.Run) -> list[str]:
    where = tx.places.repository(run.repository_id)
    name = where.full_name if where is not None else f"repository {run.repository_id}"
    approved = [
        f"@{one.by_login} ({one.permission}) approved {one.stage} {one.subject_sha256[:8]} on {when(one.granted_at)}"
        for one in tx.runs.approvals(run.id)
    ]
    halted = [f"it ended or waits because {run.halt_reason}"] if run.halt_reason else []
    return [
        f"run {run.id} for {name}#{run.issue_number} was asked for by @{run.requester_login} in delivery {run.delivery_id}",
        *_lines(tx, run, run.id),
        *approved,
        *halted,
    ]


def _of_row(tx: Transaction, row: r.OutboxRow) -> list[str]:
    """A row's own facts; a row without a run answers somebody, and any run of its repository may speak for it."""
    run = tx.runs.get(row.run_id) if row.run_id is not None else None
    if run is None:
        return [
            f"outbox:{row.id} is {row.kind} on {row.target}, wanted by {row.dedupe_key}; it belongs to no run",
            f"its payload is {row.payload_sha256}",
            f"policy set {row.policy_set_sha256[:12]} answered {row.decision or 'nothing yet'} by {', '.join(row.policy_ids) or 'no policy'}",
            f"it is {row.state} after {row.attempts} tries{f': {row.reason}' if row.reason else ''}",
        ]
    return _lines(tx, run, f"outbox:{row.id}")


def _with_finding(tx: Transaction, name: str, run: r.Run | None) -> r.Run:
    for one in [run] if run is not None else tx.runs.recent(limit=MANY):
        if any(row.id == name for row in tx.ledger.findings(one.id)):
            return one
    raise UserError(
        f"{name} is in {f'the ledger of run {run.id}' if run is not None else 'no ledger'}"
        f"{', which does not hold it' if run is not None else ''}: `conductor ledger RUN` lists a run's findings",
        {"finding": name},
    )


def _rows(tx: Transaction, ref: str) -> list[r.OutboxRow]:
    """Every outbox row that made or changed what ``ref`` names, oldest first."""
    if ref.startswith("outbox:"):
        number = number_of(ref.removeprefix("outbox:"))
        row = tx.outbox.get(number) if number is not None else None
        if row is None:
            raise UserError(f"there is no {ref}; `conductor outbox` lists the rows", {"ref": ref})
        return [row]
    names = {ref}
    if tail := _FRAGMENT.search(ref):
        names.add(tail[1])
    commit = _COMMIT.search(ref)
    found = [
        row
        for row in tx.outbox.recent(limit=MANY)
        if names & {row.github_id, row.token, row.dedupe_key, row.github_url} - {""}
        or (commit is not None and row.response.get("sha") == commit[1])
    ]
    return sorted(found, key=lambda row: row.id)


def _of_thread(tx: Transaction, ref: str) -> r.Run | None:
    """The newest run of an issue or pull request: its address, or ``owner/name#7``."""
    named = _THREAD.match(ref)
    if named is None:
        return None
    where, number = repository_of(tx, named[1]), int(named[2])
    runs = tx.runs.of_issue(where.id, number)
    return tx.runs.of_pull(where.id, number) or (runs[-1] if runs else None)
