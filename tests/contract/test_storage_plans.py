"""The questions that are asked all the time walk an index, whatever the tables hold (SQLite's plans)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.adapters.storage import SqlStorage
from bot.ports.storage import Transaction
from tests.contract.databases import INSTALLATION, NOW, REPOSITORY, fresh_url, furnished

QUESTIONS: dict[str, tuple[Callable[[Transaction], Any], set[str]]] = {
    "what goes next": (
        lambda tx: tx.outbox.next(INSTALLATION, NOW),
        {"ix_outbox_undone", "ix_outbox_order", "ix_outbox_sending"},
    ),
    "who may send": (lambda tx: tx.outbox.due(NOW, 5), {"ix_outbox_ready", "ix_outbox_sending"}),
    "rows at their end": (lambda tx: tx.outbox.recent(states=["dead"]), {"ix_outbox_ended"}),
    "rows on their way": (lambda tx: tx.outbox.recent(states=["allowed"]), {"ix_outbox_open"}),
    "due jobs": (lambda tx: tx.jobs.due(NOW, 5), {"ix_jobs_leased", "ix_jobs_due"}),
    "jobs of a delivery": (lambda tx: tx.jobs.of_delivery("d1"), {"ix_jobs_delivery"}),
    "due deliveries": (lambda tx: tx.deliveries.due(NOW, 5), {"ix_deliveries_due"}),
    "due runs": (lambda tx: tx.runs.due(NOW, 5), {"ix_runs_wakes"}),
    "the board": (lambda tx: tx.runs.recent(states=["done"]), {"ix_runs_state"}),
    "newest runs": (lambda tx: tx.runs.recent(), {"ix_runs_created"}),
    "slots": (lambda tx: tx.runs.holding_slots(REPOSITORY), {"ix_runs_slots"}),
    "a branch": (lambda tx: tx.runs.of_branch(REPOSITORY, "b"), {"ix_runs_branch"}),
    "a pull request": (lambda tx: tx.runs.of_pull(REPOSITORY, 1), {"ix_runs_pull"}),
    "a subject": (lambda tx: tx.journal.subject("R1", "plan"), {"uq_artifacts_subject"}),
    "an answered call": (lambda tx: tx.journal.answered("J1", 0, "x"), {"ix_model_calls_turn"}),
}


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[SqlStorage]:
    stored = furnished(fresh_url("sqlite", tmp_path))
    yield stored
    stored.close()


@pytest.mark.parametrize("question", QUESTIONS)
def test_it_walks_its_index(storage: SqlStorage, question: str) -> None:
    plans: list[str] = []

    @sa.event.listens_for(storage._reader, "before_cursor_execute")
    def _explain(connection: sa.Connection, _cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        cursor = connection.connection.cursor()
        cursor.execute(f"EXPLAIN QUERY PLAN {statement}", values)
        plans.extend(str(row[3]) for row in cursor.fetchall())

    ask, indices = QUESTIONS[question]
    with storage.read() as tx:
        ask(tx)
    for index in indices:
        assert any(index in line for line in plans), (index, plans)
    whole = [line for line in plans if line.startswith("SCAN") and "INDEX" not in line and "anon" not in line]
    assert whole == []
