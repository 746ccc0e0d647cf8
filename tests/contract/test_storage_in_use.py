"""The records while processes come and go: migrated under their hands, given back by who leaves, mended when the clock is set back."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from bot.adapters.storage import SqlStorage, engine, migrate
from bot.adapters.storage.migrating import newest
from bot.domain.errors import InternalError, StaleFence, StorageBusy
from bot.domain.workflow import SOFTWARE
from tests.contract.databases import (
    INSTALLATION,
    KINDS,
    NOW,
    REPOSITORY,
    HeardNudges,
    allow,
    as_process,
    delivery,
    empty_url,
    fresh_url,
    furnished,
    job,
    plain,
    run,
    write,
)

WORKERS = 3
LEAST = 20
"""Jobs that each worker does, however quick the migration is."""


def before_the_newest(url: str) -> None:
    """The schema as the release before the last migration left it."""
    config = Config()
    config.set_main_option("script_location", str(files("bot.migrations")))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config).get_revision(newest())
    assert script is not None
    assert isinstance(script.down_revision, str)
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, script.down_revision)
    engine.dispose()


def as_before(url: str) -> SqlStorage:
    """Places as the release before stored them: it knows none of the newer columns."""
    storage = SqlStorage(url, HeardNudges())
    with storage.begin() as tx:
        tx.runs._link.run(
            sa.text(
                "INSERT INTO installations (id, account, suspended, created_at, blocked_until, last_write_at, lease_owner,"
                f" lease_until, fence) VALUES ({INSTALLATION}, 'octo', false, {NOW}, 0, 0, '', 0, 0)"
            )
        )
        tx.runs._link.run(
            sa.text(
                "INSERT INTO repositories (id, installation_id, full_name, default_branch, private, wip)"
                f" VALUES ({REPOSITORY}, {INSTALLATION}, 'octo/calc', 'main', false, 1)"
            )
        )
        tx.runs.add_edges(SOFTWARE)
    return storage


def work(url: str, worker: int, migrated: threading.Event, begun: threading.Barrier) -> int:
    """As one process does: take a delivery and a job, and settle both; until the migration is over, and a while longer."""
    storage = SqlStorage(url, HeardNudges())
    count = 0
    while not migrated.is_set() or count < LEAST:
        name = f"{worker}-{count}"
        with storage.begin() as tx:
            assert tx.deliveries.add(delivery(f"d{name}"))
            assert tx.jobs.add(job(f"J{name}"))
        with storage.begin() as tx:
            heard = tx.deliveries.claim(f"d{name}", owner=name, now=NOW, lease_ms=60_000)
            held = tx.jobs.claim(f"J{name}", owner=name, now=NOW, lease_ms=60_000)
        assert heard is not None
        assert held is not None
        if count == 0:
            begun.wait()
        with storage.begin() as tx:
            tx.deliveries.settle(heard.id, fence=1, state="done")
            tx.jobs.settle(held.id, fence=1, state="done", now=NOW)
        count += 1
    storage.close()
    return count


@pytest.mark.parametrize("kind", KINDS)
def test_processes_work_on_while_the_records_are_migrated(kind: str, tmp_path: Path) -> None:
    url = empty_url(kind, tmp_path)
    before_the_newest(url)
    storage = as_before(url)
    with storage.begin() as tx:
        tx.runs.add(run())
    migrated, begun = threading.Event(), threading.Barrier(WORKERS + 1)
    with ThreadPoolExecutor(WORKERS) as pool:
        working = [pool.submit(work, url, worker, migrated, begun) for worker in range(WORKERS)]
        # Each has claimed and not settled: the migration comes in between.
        begun.wait()
        try:
            migrate(url)
        finally:
            migrated.set()
        counts = [one.result() for one in working]
    assert min(counts) >= LEAST
    with storage.read() as tx:
        assert {(one.state, one.fence) for one in tx.jobs.of_run("R1")} == {("done", 1)}
        assert len(tx.jobs.of_run("R1")) == sum(counts)
        assert tx.deliveries.unsettled() == 0
        place = tx.places.repository(REPOSITORY)
        assert place is not None
        assert place.retention_days == 90
        installation = tx.places.installation(INSTALLATION)
        assert installation is not None
        assert installation.changed_at == 0
    storage.close()
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_heads() == (newest(),)
    engine.dispose()


def as_user(url: str, process: str) -> SqlStorage:
    """The records as a process sees them: on PostgreSQL with the rights of that process alone."""
    return SqlStorage(url if url.startswith("sqlite") else as_process(url, process), HeardNudges())


@pytest.mark.parametrize("kind", KINDS)
def test_each_process_gives_back_what_is_its_own_and_nobody_elses(kind: str, tmp_path: Path) -> None:
    url = fresh_url(kind, tmp_path)
    owner = furnished(url)
    with owner.begin() as tx:
        tx.runs.add(run())
        for name in ("J1", "J2"):
            tx.jobs.add(job(name))
        tx.deliveries.add(delivery("d1"))
        row_id = tx.outbox.add(write("w1"))
        assert row_id is not None
        allow(tx, row_id)
    agents, control, github = (as_user(url, process) for process in ("agents", "control", "github"))
    with agents.begin() as tx:
        assert tx.jobs.claim("J1", owner="leaves:1:", now=NOW, lease_ms=60_000)
        assert tx.jobs.claim("J2", owner="leaves:12:", now=NOW, lease_ms=60_000)
    with control.begin() as tx:
        assert tx.deliveries.claim("d1", owner="leaves:1:", now=NOW, lease_ms=60_000)
    with github.begin() as tx:
        assert tx.outbox.claim(row_id, owner="leaves:1:", now=NOW, lease_ms=60_000, answers_stop=False)
    for storage, among in ((agents, ("jobs",)), (control, ("deliveries",)), (github, ("outbox",))):
        with storage.begin() as tx:
            assert tx.jobs.let_go("leaves:1:", among) == 1
            assert tx.jobs.let_go("leaves:1:", among) == 0
    with owner.read() as tx:
        assert tx.jobs.owners() == ["leaves:12:"]
        assert [one for one, _ in tx.jobs.due(NOW, 9)] == ["J1"]
        assert (tx.deliveries.due(NOW, 9), tx.outbox.due(NOW, 9)) == (["d1"], [INSTALLATION])
        row = tx.outbox.get(row_id)
    assert row is not None
    assert (row.state, row.fence, row.attempts) == ("sending", 2, 0)
    with pytest.raises(StaleFence), github.begin() as tx:
        tx.outbox.settle(row_id, fence=1, state="confirmed", now=NOW)
    with pytest.raises(InternalError, match="nobody's are everybody's"), owner.begin() as tx:
        tx.jobs.let_go("")
    for storage in (agents, control, github, owner):
        storage.close()


@pytest.mark.parametrize("kind", KINDS)
def test_what_waits_is_pulled_in_by_whose_it_is(kind: str, tmp_path: Path) -> None:
    url, day = fresh_url(kind, tmp_path), 86_400_000
    ahead = NOW + day
    owner = furnished(url)
    with owner.begin() as tx:
        tx.runs.add(run())
        tx.runs.wake("R1", ahead + 7)
        tx.jobs.add(job("J1", not_before=ahead + 1))
        tx.jobs.add(job("J2"))
        tx.deliveries.add(delivery("d1", not_before=ahead + 2))
        row_id = tx.outbox.add(write("w1", not_before=ahead + 3))
        assert row_id is not None
        allow(tx, row_id)
        tx.outbox.block(INSTALLATION, ahead + 4)
        tx.places.wrote(INSTALLATION, ahead)
        assert tx.jobs.claim("J2", owner="w", now=ahead, lease_ms=60_000)
        assert tx.waits.latest(("jobs",)) == 0
        for at in (ahead + 8, ahead + 5):
            tx.journal.audit(at=at, kind="x", subject="S", body={})
    control, github = as_user(url, "control"), as_user(url, "github")
    with control.read() as tx, github.read() as theirs:
        assert tx.waits.latest(("jobs", "deliveries", "runs")) == ahead + 5, "the newest link's, not the highest"
        assert theirs.waits.latest(("outbox", "installations")) == write("w1").created_at > 0
    with control.begin() as tx:
        assert tx.waits.pull_in(now=NOW, back_ms=day, lease_ms=5_000, among=("jobs", "deliveries", "runs")) == 4
        tx.jobs.hurry("J2")
    with github.begin() as tx:
        assert tx.waits.pull_in(now=NOW, back_ms=day, lease_ms=5_000, among=("outbox", "installations")) == 3
    with owner.read() as tx:
        waits, held, heard, row = tx.jobs.get("J1"), tx.jobs.get("J2"), tx.deliveries.get("d1"), tx.outbox.get(row_id)
        place, woken = tx.places.installation(INSTALLATION), tx.runs.due(NOW + 7, 9)
    assert waits is not None
    assert held is not None
    assert heard is not None
    assert row is not None
    assert place is not None
    assert (waits.not_before, heard.not_before, row.not_before) == (NOW + 1, NOW + 2, NOW + 3)
    assert (held.lease_until, held.fence, held.not_before) == (NOW + 5_000, 1, 0)
    assert (place.blocked_until, place.last_write_at, woken) == (NOW + 4, NOW, ["R1"])
    with control.begin() as tx:
        tx.jobs.hurry("J1")
        assert [one for one, _ in tx.jobs.due(NOW, 9)] == ["J1"]
    for storage in (control, github, owner):
        storage.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_is_kept_by_its_sender_and_sent_again_by_control(kind: str, tmp_path: Path) -> None:
    url = fresh_url(kind, tmp_path)
    owner = furnished(url)
    with owner.begin() as tx:
        tx.runs.add(run())
        ids = [tx.outbox.add(write(name)) for name in ("w1", "w2")]
        sent, barred = (one for one in ids if one is not None)
        allow(tx, sent)
        tx.outbox.decide(
            barred, decision="deny", decision_sha256="cd" * 32, policy_ids=[], policy_set_sha256="ef" * 32, reason=""
        )
    control, github = as_user(url, "control"), as_user(url, "github")
    with github.begin() as tx:
        row = tx.outbox.claim(sent, owner="w", now=NOW, lease_ms=5, answers_stop=False)
        assert row is not None
        tx.outbox.renew(sent, fence=row.fence, until=NOW + 9)
    with github.begin() as tx:
        assert tx.outbox.next(INSTALLATION, NOW + 8) is None
        with pytest.raises(StaleFence):
            tx.outbox.renew(sent, fence=row.fence + 1, until=NOW + 99)
    with control.begin() as tx:
        assert not tx.outbox.send_again(sent, "it is on its way")
        assert not tx.outbox.send_again(barred, "it was never allowed")
    with github.begin() as tx:
        tx.outbox.settle(sent, fence=row.fence, state="dead", now=NOW, response={"unknown": True}, reason="403")
    with control.begin() as tx:
        assert tx.outbox.send_again(sent, "a person asked")
        again = tx.outbox.get(sent)
    assert again is not None
    assert (again.state, again.reason, again.decision, again.response) == (
        "allowed",
        "a person asked",
        "allow",
        {"unknown": True},
    )
    with github.begin() as tx:
        assert tx.outbox.next(INSTALLATION, NOW + 9) == again
        held = tx.outbox.claim(sent, owner="w", now=NOW, lease_ms=5, answers_stop=False)
        assert held is not None
        tx.outbox.settle(sent, fence=held.fence, state="confirmed", now=NOW)
    with control.begin() as tx:
        assert not tx.outbox.send_again(sent, "GitHub has it")
    for storage in (control, github, owner):
        storage.close()


def _cut_all(url: str) -> None:
    """End every connection to the database, as a restart of its server does."""
    with psycopg.connect(plain(url), autocommit=True) as link:
        link.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_who_comes_back_after_a_rest_does_not_notice_that_the_server_was_restarted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = fresh_url("postgres", tmp_path)
    storage = furnished(url)
    monkeypatch.setattr(engine, "ASKED_AFTER_S", 0.0)
    with storage.read() as tx:
        assert tx.places.repository(REPOSITORY) is not None
    _cut_all(url)
    with storage.begin() as tx:
        tx.runs.add(run())
    with storage.read() as tx:
        assert tx.runs.get(run().id) is not None
    storage.close()


def test_who_is_at_work_then_is_told_once_to_try_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = fresh_url("postgres", tmp_path)
    storage = furnished(url)
    monkeypatch.setattr(engine, "ASKED_AFTER_S", 3_600.0)
    _two_at_once(storage)
    _cut_all(url)
    with pytest.raises(StorageBusy, match="try again"), storage.begin() as tx:
        tx.runs.add(run())
    # None of the other connections that rest is handed out any more.
    _two_at_once(storage)
    with storage.begin() as tx:
        tx.runs.add(run())
    with storage.read() as tx:
        assert tx.runs.get(run().id) is not None
    storage.close()


def _two_at_once(storage: SqlStorage) -> None:
    with storage.begin() as one, ThreadPoolExecutor(1) as other:
        assert one.places.repository(REPOSITORY) is not None
        other.submit(_ask, storage).result()


def _ask(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        assert tx.places.repository(REPOSITORY) is not None
