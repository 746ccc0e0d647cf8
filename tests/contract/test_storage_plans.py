"""The questions that are asked all the time walk an index, whatever the tables hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.adapters import tables
from bot.adapters.storage import SqlStorage
from bot.domain.writes import ANSWER_KEYS
from bot.ports import records as r
from bot.ports.storage import Transaction
from tests.contract.databases import (
    INSTALLATION,
    NOW,
    OTHER_REPOSITORY,
    REPOSITORY,
    allow,
    fresh_url,
    furnished,
    run,
    write,
)

INSTALLATIONS = 10
ANSWER = f"{ANSWER_KEYS[0]}one"
"""The key of an answer, before which nothing goes: it is found by one question."""

QUESTIONS: dict[str, tuple[Callable[[Transaction], Any], set[str]]] = {
    "what goes next": (
        lambda tx: tx.outbox.next(INSTALLATION, NOW),
        {"ix_outbox_undone", "ix_outbox_answers", "ix_outbox_order", "ix_outbox_sending"},
    ),
    "who may send": (lambda tx: tx.outbox.due(NOW, 5), {"ix_outbox_ready", "ix_outbox_sending"}),
    "rows at their end": (lambda tx: tx.outbox.recent(states=["dead"]), {"ix_outbox_ended"}),
    "rows on their way": (lambda tx: tx.outbox.recent(states=["allowed"]), {"ix_outbox_open"}),
    "due jobs": (lambda tx: tx.jobs.due(NOW, 5), {"ix_jobs_leased", "ix_jobs_due"}),
    "jobs of a delivery": (lambda tx: tx.jobs.of_delivery("d1"), {"ix_jobs_delivery"}),
    "due deliveries": (lambda tx: tx.deliveries.due(NOW, 5), {"ix_deliveries_turn"}),
    "what goes before a label": (lambda tx: tx.deliveries.before("d1", NOW, 5), {"ix_deliveries_turn"}),
    "dead deliveries": (lambda tx: tx.deliveries.recent(states=["dead"]), {"ix_deliveries_held"}),
    "deliveries to settle": (lambda tx: tx.deliveries.unsettled(), {"ix_deliveries_turn", "ix_deliveries_held"}),
    "due runs": (lambda tx: tx.runs.due(NOW, 5), {"ix_runs_wakes"}),
    "the board": (lambda tx: tx.runs.recent(states=["done"]), {"ix_runs_state"}),
    "newest runs": (lambda tx: tx.runs.recent(), {"ix_runs_created"}),
    "slots": (lambda tx: tx.runs.holding_slots(REPOSITORY), {"ix_runs_slots"}),
    "who waits for a slot": (lambda tx: tx.runs.waiting_for_slot(REPOSITORY), {"ix_runs_slots"}),
    "revises of a day": (lambda tx: tx.runs.revised_today(REPOSITORY, 5, NOW), {"ix_runs_changed"}),
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


@contextmanager
def plans_of(storage: SqlStorage) -> Iterator[list[str]]:
    """The lines of the plan of every statement that a read transaction runs."""
    plans: list[str] = []
    postgres = storage._reader.dialect.name == "postgresql"
    explain = "EXPLAIN" if postgres else "EXPLAIN QUERY PLAN"

    def _explain(connection: sa.Connection, _cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        cursor = connection.connection.cursor()
        cursor.execute(f"{explain} {statement}", values)
        plans.extend(str(row[0 if postgres else 3]) for row in cursor.fetchall())

    sa.event.listen(storage._reader, "before_cursor_execute", _explain)
    yield plans
    sa.event.remove(storage._reader, "before_cursor_execute", _explain)


@pytest.mark.parametrize("question", QUESTIONS)
def test_it_walks_its_index(storage: SqlStorage, question: str) -> None:
    ask, indices = QUESTIONS[question]
    with plans_of(storage) as plans, storage.read() as tx:
        ask(tx)
    for index in indices:
        assert any(index in line for line in plans), (index, plans)
    whole = [line for line in plans if line.startswith("SCAN") and "INDEX" not in line and "anon" not in line]
    assert whole == []


def test_what_goes_next_is_found_among_an_installations_own_rows(tmp_path: Path) -> None:
    """PostgreSQL, which plans by what it believes the tables to hold, does not look through other installations' rows."""
    url = fresh_url("postgres", tmp_path)
    storage = furnished(url)
    with storage.begin() as tx:
        for other in range(INSTALLATION + 1, INSTALLATION + INSTALLATIONS):
            tx.places.put_installation(r.Installation(other, "other", suspended=False, created_at=NOW))
        tx.runs.add(run())
        stored = tx.outbox.add(write(ANSWER))
        assert stored is not None
        allow(tx, stored)
    _multiply(url)
    with plans_of(storage) as plans, storage.read() as tx:
        found = tx.outbox.next(INSTALLATION, NOW)
    storage.close()
    assert found is not None
    assert found.id == stored
    whole = "\n".join(plans)
    assert "ix_outbox_undone" in whole
    assert "ix_outbox_answers" in whole
    # In the index's own words: else some of them are looked for elsewhere.
    assert "BitmapOr" not in whole
    assert "Sort" not in whole
    assert "ix_outbox_open" not in whole


def test_a_claims_plans_are_made_once_and_walk_indices(tmp_path: Path) -> None:
    """PostgreSQL: not ten times for each connection before one is kept, and not worse for knowing no values."""
    url = fresh_url("postgres", tmp_path)
    storage = furnished(url)
    with storage.begin() as tx:
        tx.runs.add(run())
        stored = tx.outbox.add(write(ANSWER))
        assert stored is not None
        allow(tx, stored)
    _multiply(url)
    for now in range(NOW, NOW + 40, 20):
        with storage.begin() as tx:
            assert tx.outbox.next(INSTALLATION, now) is not None
            assert tx.outbox.claim(stored, owner="w", now=now, lease_ms=10, answers_stop=False)
    with storage._writer.begin() as link:
        kept = "SELECT statement, name, generic_plans, custom_plans, array_length(parameter_types, 1) FROM pg_prepared_statements"
        known = {str(one[0]): one[1:] for one in link.exec_driver_sql(kept)}
        (claim,) = (one for one in known if one.startswith("UPDATE outbox") and "RETURNING" in one)
        (following,) = (one for one in known if one.startswith("SELECT outbox") and "ORDER BY" in one)
        walked = ((claim, "pk_outbox"), (following, "ix_outbox_undone"), (following, "ix_outbox_answers"))
        for statement, index in walked:
            name, generic, custom, values = known[statement]
            assert (generic, custom) == (1, 0)
            explained = f"EXPLAIN EXECUTE {name}({', '.join(['NULL'] * values)})"
            lines = [str(one[0]) for one in link.exec_driver_sql(explained)]
            assert any(index in line for line in lines), lines
            assert [line for line in lines if "Seq Scan on outbox" in line] == []
    storage.close()


def test_a_connection_keeps_all_statements_that_the_app_knows_prepared(tmp_path: Path) -> None:
    storage = furnished(fresh_url("postgres", tmp_path))
    with storage._writer.begin() as link:
        for number in [*range(300), *range(300)]:
            link.exec_driver_sql(f"SELECT {number}")
        kept = link.exec_driver_sql("SELECT count(*) FROM pg_prepared_statements").scalar_one()
    assert kept >= 300
    storage.close()


def _multiply(url: str) -> None:
    """Five thousand rows like the one: a tenth may go, those of ten installations in turn; the others are sent."""
    names = [column.name for column in tables.outbox.columns]
    copied = {"id": "n + 1000", "installation_id": f"{INSTALLATION} + n / 10 % {INSTALLATIONS}", "run_id": "NULL"}
    copied |= {"dedupe_key": "'k' || n", "order_key": "'o' || n"}
    copied["state"] = "CASE WHEN n % 10 = 0 THEN 'allowed' ELSE 'confirmed' END"
    picked = ", ".join(copied.get(name, name) for name in names)
    owner = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with owner.connect() as link:
        # So many rows through their triggers take seconds.
        link.exec_driver_sql("SET session_replication_role = replica")
        rows = f"FROM outbox, generate_series(1, 5000) AS g(n) WHERE dedupe_key = '{ANSWER}'"
        link.execute(sa.text(f"INSERT INTO outbox ({', '.join(names)}) SELECT {picked} {rows}"))
        link.exec_driver_sql("ANALYZE outbox")
    owner.dispose()


def test_a_list_of_runs_brings_their_repositories(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        for number in range(1, 6):
            tx.runs.add(run(number, repository_id=REPOSITORY if number % 2 else OTHER_REPOSITORY))
    with plans_of(storage) as plans, storage.read() as tx:
        listed = tx.runs.recent(limit=5)
        asked = len(plans)
        names = {found.full_name for one in listed if (found := tx.places.repository(one.repository_id))}
        assert len(plans) == asked
    assert names == {"octo/calc", "octo/other"}
    with storage.begin() as tx:
        tx.runs.recent(limit=5)
        tx.places.put_repository(r.Repository(REPOSITORY, INSTALLATION, "octo/renamed", "main", private=False))
        renamed = tx.places.repository(REPOSITORY)
    assert renamed is not None
    assert renamed.full_name == "octo/renamed"
