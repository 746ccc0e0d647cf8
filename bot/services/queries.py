"""Questions about what happened, answered from the records: costs, and why one thing was done (I14)."""

from __future__ import annotations

from typing import Any

from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.wording.neutral import plain

LONGEST_NUMBER = len("outbox:") + 18
"""Longer numbers are no row's, and no database's."""


def sum_of_costs(tx: Transaction, run_id: str) -> int:
    """What a run has cost, in micro-dollars."""
    return sum(call.cost_micro_dollars for call in tx.journal.model_calls(run_id))


def explain(tx: Transaction, run: r.Run, ref: str) -> str:
    """Why a finding, a write, a state or the run itself is as it is: a sentence a fact, oldest first. ``ref`` as shown on GitHub."""
    wanted = ref.strip()
    if wanted[:1] in {"F", "f"} and _is_number(wanted[1:]):
        return _why_finding(tx, run, wanted.upper())
    if wanted.startswith("outbox:") and _is_number(wanted[7:]):
        row = tx.outbox.get(int(wanted[7:])) if len(wanted) <= LONGEST_NUMBER else None
        # Who may write here may not read of other repositories.
        return _why_row(row if row is not None and row.repository_id == run.repository_id else None)
    for row in tx.outbox.of_run(run.id):
        if wanted in {row.github_id, row.token, row.dedupe_key, row.github_url}:
            return _why_row(row)
    return _why_state(tx, run)


def _is_number(text: str) -> bool:
    """Digits that ``int`` takes: other scripts' and superscripts are digits to Unicode alone."""
    return text.isascii() and text.isdecimal()


def _why_finding(tx: Transaction, run: r.Run, name: str) -> str:
    events = [event for event in tx.ledger.events(run.id) if event.finding_id == name]
    if not events:
        return f"{name} is not in the ledger of run {run.id}; `conductor ledger {run.id}` lists it."
    return "\n".join(
        f"- {event.who} moved {name} from {event.from_status or 'nothing'} to {event.to_status} in round {event.round} at {event.revision[:8]}: {plain(event.reason)}"
        for event in events
    )


def _why_row(row: r.OutboxRow | None) -> str:
    if row is None:
        return "There is no such outbox row."
    return "\n".join(
        (
            f"- outbox:{row.id} is {row.kind} on {row.target}, wanted by {row.dedupe_key}",
            f"- its payload is {row.payload_sha256}",
            f"- policy set {row.policy_set_sha256[:12]} answered {row.decision} by {', '.join(row.policy_ids) or 'no policy'} ({row.decision_sha256[:12]})",
            f"- it is {row.state} after {row.attempts} tries{f': {plain(row.reason)}' if row.reason else ''}",
        )
    )


def _why_state(tx: Transaction, run: r.Run) -> str:
    lines = [
        f"- {step.from_state} -> {step.to_state} by gate {step.gate}, evidence {step.attempt} about {step.subject_sha256[:8]}"
        for step in tx.runs.transitions(run.id)
    ]
    return "\n".join(lines) or f"- run {run.id} is {run.state} and has not moved yet"


def state_counts(runs: list[r.Run]) -> dict[str, Any]:
    """How many runs are in each state."""
    found: dict[str, int] = {}
    for run in runs:
        found[run.state] = found.get(run.state, 0) + 1
    return found
