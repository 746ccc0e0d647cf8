"""Slots and rounds: how many runs of a repository work at once, and how often a stage has drafted."""

from __future__ import annotations

from dataclasses import replace

from bot.ports import records as r
from bot.ports.storage import Transaction


def slot_free(tx: Transaction, run: r.Run) -> bool:
    """Whether the repository has a slot for this run; runs that wait longer go first."""
    repository = tx.places.repository(run.repository_id)
    wip = repository.wip if repository is not None else 1
    holding = [one for one in tx.runs.holding_slots(run.repository_id) if one != run.id]
    free = wip - len(holding)
    if free <= 0:
        return False
    waiting = tx.runs.waiting_for_slot(run.repository_id)
    return run.id not in waiting or waiting.index(run.id) < free


def fresh_rounds(run: r.Run, stage: str) -> r.Run:
    """The next draft of the stage begins a new count of rounds; ``round`` itself goes on counting."""
    total = run.rounds.get(stage, 0)
    fresh = {**run.known.get("fresh", {}), stage: total}
    return replace(run, rounds={**run.rounds, stage: total + 1}, known={**run.known, "fresh": fresh})


def valid_approval(tx: Transaction, run: r.Run, stage: str) -> r.ApprovalRow | None:
    """The used approval of the stage's latest subject, or None."""
    subject = tx.journal.subject(run.id, stage)
    if subject is None:
        return None
    for row in tx.runs.approvals(run.id):
        if row.stage == stage and row.subject_sha256 == subject.sha256 and row.used_at:
            return row
    return None
