"""Many claim at once: exactly one wins, on both databases, with threads and with processes; locks end in ``StorageBusy``."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from bot.adapters import tables
from bot.adapters.storage import InboxWriter, SqlStorage, migrate
from bot.adapters.storage.migrating import newest
from bot.adapters.storage.rows import LockKind
from bot.domain.audit_chain import verify_chain
from bot.domain.errors import ConductorError, InternalError, OverBudget, SettingsError, StaleFence, StorageBusy
from bot.domain.events import Actor, BranchPushed, ButtonPressed, Event, InstallationChanged, Origin, RepositoryRef
from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.services.intake import _learn_places
from bot.services.routing import Router
from tests.contract.databases import (
    INSTALLATION,
    KINDS,
    NOW,
    REPOSITORY,
    HeardNudges,
    allow,
    call,
    delivery,
    empty_url,
    fresh_url,
    furnished,
    job,
    plain,
    run,
    write,
)

RACERS = 6
JOBS = 40


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return fresh_url(request.param, tmp_path)


def together(work: Callable[[int], int]) -> list[int]:
    """Run it in threads that start at one moment."""
    gate = threading.Barrier(RACERS)

    def racer(number: int) -> int:
        gate.wait()
        return work(number)

    with ThreadPoolExecutor(RACERS) as pool:
        return list(pool.map(racer, range(RACERS)))


def claim_all(url: str, name: str) -> list[str]:
    """Try every job, as one worker process does."""
    storage = SqlStorage(url, HeardNudges())
    won = []
    for number in range(JOBS):
        with storage.begin() as tx:
            if tx.jobs.claim(f"J{number}", owner=name, now=NOW, lease_ms=60_000) is not None:
                won.append(f"J{number}")
    storage.close()
    return won


def filled(url: str) -> SqlStorage:
    storage = furnished(url)
    with storage.begin() as tx:
        tx.runs.add(run())
        for number in range(JOBS):
            tx.jobs.add(job(f"J{number}"))
    return storage


def test_every_job_is_claimed_once_by_processes(url: str) -> None:
    storage = filled(url)
    context = multiprocessing.get_context("spawn")
    with context.Pool(3) as pool:
        won = pool.starmap(claim_all, [(url, f"w{number}") for number in range(3)])
        pool.close()
        pool.join()
    assert Counter(name for names in won for name in names) == Counter(f"J{number}" for number in range(JOBS))
    with storage.read() as tx:
        assert {one.fence for one in tx.jobs.of_run("R1")} == {1}
    storage.close()


def test_every_job_and_delivery_is_claimed_once_by_threads(url: str) -> None:
    storage = filled(url)
    with storage.begin() as tx:
        for number in range(10):
            tx.deliveries.add(delivery(f"d{number}"))

    def claim(racer: int) -> int:
        won = 0
        for number in range(10):
            with storage.begin() as tx:
                won += tx.deliveries.claim(f"d{number}", owner=f"w{racer}", now=NOW, lease_ms=9) is not None
                won += tx.jobs.claim(f"J{number}", owner=f"w{racer}", now=NOW, lease_ms=9) is not None
        return won

    assert sum(together(claim)) == 20
    storage.close()


def test_one_sender_wins_an_installation(url: str) -> None:
    storage = furnished(url)
    with storage.begin() as tx:
        tx.runs.add(run())
        ids = [tx.outbox.add(write(f"k{n}", order_key=f"issue:{n}")) for n in range(RACERS)]
        for row_id in ids:
            assert row_id is not None
            allow(tx, row_id)

    def send(racer: int) -> int:
        row_id = ids[racer]
        assert row_id is not None
        with storage.begin() as tx:
            claimed = tx.outbox.claim(row_id, owner=f"w{racer}", now=NOW, lease_ms=9, answers_stop=False)
        return int(claimed is not None)

    assert sum(together(send)) == 1
    storage.close()


@pytest.mark.parametrize("looks_first", [True, False])
def test_a_claim_of_a_write_holds_off_stops_and_the_installations_other_senders(
    looks_first: bool, tmp_path: Path
) -> None:
    """PostgreSQL: until it commits. The race above is too short to tell."""
    storage = furnished(fresh_url("postgres", tmp_path))
    with storage.begin() as tx:
        tx.runs.add(run())
        row_id = tx.outbox.add(write("k"))
        assert row_id is not None
        allow(tx, row_id)
    # An advisory lock of one number: its upper half is classid, its lower objid.
    asked = (
        "SELECT (classid::bigint << 32) + objid::bigint, mode, granted FROM pg_locks JOIN pg_database d ON d.oid = database"
        " WHERE locktype = 'advisory' AND datname = current_database()"
    )
    switches, sender = LockKind.SWITCHES.first, LockKind.SENDER.first + INSTALLATION
    with storage.begin() as tx:
        if looks_first:
            waiting = tx.outbox.next(INSTALLATION, NOW)
            assert waiting is not None
            assert waiting.id == row_id
        assert tx.outbox.claim(row_id, owner="w", now=NOW, lease_ms=9, answers_stop=False) is not None
        with storage._reader.connect() as link:
            held = {tuple(one) for one in link.exec_driver_sql(asked)}
    assert held == {(switches, "ShareLock", True), (sender, "ExclusiveLock", True)}
    storage.close()


def test_the_last_reservation_of_a_budget_goes_to_one(url: str) -> None:
    storage = furnished(url)
    with storage.begin() as tx:
        for number in range(RACERS):
            tx.runs.add(run(number))

    def reserve(racer: int) -> int:
        try:
            with storage.begin() as tx:
                tx.journal.reserve(call(run_id=f"R{racer}"), run_cap=9_000_000, day_cap=2_000_000, day_start=NOW)
        except OverBudget:
            return 0
        return 1

    assert sum(together(reserve)) == 2
    storage.close()


def test_the_chain_has_one_writer(url: str) -> None:
    storage = furnished(url)

    def append(racer: int) -> int:
        for number in range(5):
            with storage.begin() as tx:
                tx.journal.audit(at=NOW, kind="race", subject=f"w{racer}", body={"n": number})
        return 0

    together(append)
    with storage.read() as tx:
        rows = tx.journal.audit_rows()
    assert len(rows) == RACERS * 5
    assert verify_chain(rows) == ""
    storage.close()


def test_numbers_of_one_run_do_not_collide(url: str) -> None:
    storage = furnished(url)
    with storage.begin() as tx:
        tx.runs.add(run())

    def stage(racer: int) -> int:
        with storage.begin() as tx:
            assert tx.outbox.add(write(f"k{racer}")) is not None
            tx.outbox.add(write("shared"))
            return tx.journal.add_artifact(r.ArtifactRow(11, f"{racer:064}", "subject", 1, NOW, "R1", "plan"))

    assert sorted(together(stage)) == list(range(1, RACERS + 1))
    with storage.read() as tx:
        assert [one.seq for one in tx.outbox.of_run("R1")] == list(range(1, RACERS + 2))
    storage.close()


def test_the_slower_save_is_told(url: str) -> None:
    storage = furnished(url)
    with storage.begin() as tx:
        tx.runs.add(run())
        seen = tx.runs.get("R1")
    assert seen is not None

    def save(racer: int) -> int:
        try:
            with storage.begin() as tx:
                tx.runs.save(replace(seen, halt_reason=f"w{racer}"))
        except StaleFence:
            return 0
        return 1

    assert sum(together(save)) == 1
    storage.close()


def test_no_claim_that_did_not_see_a_stop_outlives_its_commit(url: str) -> None:
    """A claim is held open; the stop has to wait for it, so that after its commit nothing enters."""
    storage = filled(url)
    claimed, stopping, stopped = threading.Event(), threading.Event(), threading.Event()
    order: list[str] = []

    def stop() -> None:
        claimed.wait()
        stopping.set()
        with storage.begin() as tx:
            tx.journal.set_switch(r.Switch("repository", str(REPOSITORY), True, "ana", "", NOW))
        order.append("stopped")
        stopped.set()

    thread = threading.Thread(target=stop)
    thread.start()
    with storage.begin() as tx:
        assert tx.jobs.claim("J1", owner="w", now=NOW, lease_ms=9) is not None
        claimed.set()
        stopping.wait()
        assert not stopped.wait(0.3)
        order.append("claimed")
    thread.join()
    assert order == ["claimed", "stopped"]
    with storage.begin() as tx:
        assert tx.jobs.claim("J2", owner="w", now=NOW, lease_ms=9) is None
    storage.close()


# --- errors, migrations, the receiver's writer


def test_a_locked_database_is_busy_and_nothing_is_written(url: str) -> None:
    storage = furnished(url)
    with storage.begin() as tx:
        tx.runs.add(run())
    busy = SqlStorage(url, HeardNudges(), busy_ms=50)
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageBusy, match="try again"), busy.begin() as tx:
                tx.deliveries.add(delivery("d1"))
            other.execute("ROLLBACK")
    else:
        with psycopg.connect(plain(url)) as other:
            other.execute("SELECT 1 FROM runs FOR UPDATE")
            with pytest.raises(StorageBusy, match="try again"), busy.begin() as tx:
                tx.runs.lock("R1")
    with busy.begin() as tx:
        assert tx.deliveries.add(delivery("d1"))
    busy.close()
    storage.close()


def test_a_transaction_inside_another_is_busy_not_stuck(tmp_path: Path) -> None:
    url = fresh_url("sqlite", tmp_path)
    storage = SqlStorage(url, HeardNudges(), busy_ms=50)
    with storage.begin(), pytest.raises(StorageBusy), storage.begin():
        pass
    storage.close()


def test_a_server_that_is_not_there_is_busy() -> None:
    storage = SqlStorage("postgresql+psycopg://a:b@127.0.0.1:1/none", HeardNudges())
    with pytest.raises(StorageBusy, match="cannot be reached"), storage.begin():
        pass
    storage.close()


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "sqlite:///:memory:", "nonsense"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="sqlite:///"):
        SqlStorage(url, HeardNudges())


def test_a_full_database_is_said(tmp_path: Path) -> None:
    url = fresh_url("sqlite", tmp_path)
    storage = SqlStorage(url, HeardNudges(), pool_size=1)
    with storage.begin():
        pass
    with storage._writer.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 10")
    with pytest.raises(ConductorError, match="full"), storage.begin() as tx:
        tx.deliveries.add(delivery("d1", body=bytes(1_000_000)))
    storage.close()


@pytest.mark.parametrize("kind", KINDS)
def test_migrations_make_the_tables_and_may_come_at_once(kind: str, tmp_path: Path) -> None:
    url = empty_url(kind, tmp_path)

    def bring(_racer: int) -> int:
        migrate(url)
        return 1

    assert sum(together(bring)) == RACERS
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []
        assert context.get_current_heads() == (newest(),)
        names = set(sa.inspect(connection).get_table_names())
    engine.dispose()
    assert names - {"alembic_version"} == {
        *("installations", "repositories", "deliveries", "runs", "edges", "transitions", "evidence", "approvals"),
        *("jobs", "artifacts", "findings", "finding_events", "outbox", "model_calls", "tool_calls", "switches"),
        "audit",
    }


@pytest.mark.parametrize("kind", KINDS)
def test_the_previous_release_starts_on_a_newer_schema(kind: str, tmp_path: Path) -> None:
    url = fresh_url(kind, tmp_path)
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    migrate(url)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar() == "9999"
    engine.dispose()


def test_a_server_lost_while_committing_is_not_said_to_have_written_nothing(tmp_path: Path) -> None:
    url = fresh_url("postgres", tmp_path)
    storage = furnished(url)
    with pytest.raises(InternalError, match="not known"), storage.begin() as tx:
        cut_connections(url, tx)
    storage.close()


def cut_connections(url: str, tx: Transaction) -> None:
    """End every other session of the database, that of the open transaction too."""
    assert tx.runs.get("R1") is None
    with psycopg.connect(plain(url), autocommit=True) as link:
        link.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_sqlite_is_durable_and_minds_its_keys(tmp_path: Path) -> None:
    storage = SqlStorage(fresh_url("sqlite", tmp_path), HeardNudges())
    with storage._writer.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "query_only")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "query_only": 0}
    storage.close()


def test_the_receiver_stores_a_batch_in_one_commit(url: str) -> None:
    storage = furnished(url)
    with storage.begin() as tx:
        tx.deliveries.add(delivery("old"))
        tx.deliveries.add(delivery("dead"))
        assert tx.deliveries.claim("dead", owner="w", now=NOW, lease_ms=9)
        tx.deliveries.settle("dead", fence=1, state="dead", reason="boom")
    inbox = InboxWriter(url)
    odd = delivery("odd", body=bytes(range(256)), event="a\0b", received_at=NOW + 1)
    batch = [
        delivery("n1"),
        delivery("old", body=b"x"),
        delivery("n2"),
        delivery("n1", body=b"y"),
        odd,
        delivery("dead"),
    ]
    assert inbox.store(batch) == [True, False, True, False, True, False]
    assert inbox.store(batch) == [False] * 6
    assert inbox.store([]) == []
    with storage.read() as tx:
        assert tx.deliveries.get("n1") == delivery("n1")
        assert tx.deliveries.get("old") == delivery("old")
        assert tx.deliveries.get("odd") == replace(odd, event="a\ufffdb")
        assert tx.deliveries.get("dead") == delivery("dead", fence=1)
        # All but one are of issues, and labels go last.
        assert tx.deliveries.due(NOW, 10) == ["odd", "dead", "n1", "n2", "old"]
    inbox.close()
    storage.close()


def test_the_receiver_stores_all_or_none(url: str) -> None:
    storage = furnished(url)
    inbox = InboxWriter(url)
    with pytest.raises(ConductorError):
        inbox.store([delivery("d1"), delivery("d2", state="no such state")])
    with storage.read() as tx:
        assert tx.deliveries.known(["d1", "d2"]) == set()
    assert inbox.store([delivery("d1")]) == [True]
    inbox.close()
    storage.close()


def test_the_receiver_comes_back_after_its_connection_was_cut(tmp_path: Path) -> None:
    url = fresh_url("postgres", tmp_path)
    inbox = InboxWriter(url)
    assert inbox.store([delivery("d1")]) == [True]
    with psycopg.connect(plain(url), autocommit=True) as link:
        link.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert inbox.store([delivery("d1"), delivery("d2")]) == [False, True]
    inbox.close()


def test_who_presses_a_button_while_the_run_changes_meets_the_changed_run(tmp_path: Path) -> None:
    """On PostgreSQL, where one transaction reads while the other has not ended: the press waits for it."""
    storage = furnished(fresh_url("postgres", tmp_path))
    with storage.begin() as tx:
        tx.runs.add(run())
    changed, router = threading.Event(), Router(*[mock.Mock()] * 3)
    ref = RepositoryRef(REPOSITORY, "acme/calc", "main", private=False)
    pressed = ButtonPressed(Origin(1, ref, Actor(1, "ana", "User")), 1, "plan", "", 1, f"{run().id}:plan:x", "approve")

    def change() -> None:
        with storage.begin() as tx:
            locked = tx.runs.lock(run().id)
            assert locked is not None
            tx.runs.save(replace(locked, paused=True))
            changed.set()
            # So long the press must wait, or it reads what was.
            time.sleep(0.3)

    with ThreadPoolExecutor(1) as other:
        ended = other.submit(change)
        assert changed.wait(10)
        with storage.begin() as tx:
            met = router._run_of_check(tx, pressed)
        ended.result()
    storage.close()
    assert met is not None
    assert met.paused


@pytest.mark.parametrize("is_known", [True, False])
def test_of_two_news_of_an_installation_at_one_moment_the_newer_stays(tmp_path: Path, is_known: bool) -> None:
    """PostgreSQL: the second has read what was there before the first, and waits for the row."""
    storage = furnished(fresh_url("postgres", tmp_path))
    number = INSTALLATION if is_known else 99
    first = InstallationChanged(number, "octo", "unsuspend" if is_known else "suspend", 20_000)
    pushed = Origin(number, RepositoryRef(REPOSITORY, "octo/calc", "main", False), Actor(1, "ana", "User"))
    second: Event = (
        InstallationChanged(number, "octo", "suspend", 10_000)
        if is_known
        else BranchPushed(pushed, "refs/heads/x", "0" * 40, "1" * 40)
    )

    def other() -> None:
        with storage.begin() as tx:
            _learn_places(tx, second, NOW)

    with ThreadPoolExecutor(1) as pool:
        with storage.begin() as tx:
            _learn_places(tx, first, NOW)
            told = pool.submit(other)
            _until(lambda: bool(_waiting(storage)))
        told.result()
    with storage.read() as tx:
        found = tx.places.installation(number)
    assert found is not None
    assert (found.suspended, found.changed_at) == (not is_known, 20_000)
    storage.close()


def _waiting(storage: SqlStorage) -> list[Any]:
    asked = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with storage._reader.connect() as link:
        return list(link.exec_driver_sql(asked))


def _until(holds: Callable[[], bool]) -> None:
    for _ in range(200):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("nobody waits")
