"""Each process's database user on a real PostgreSQL: what its work needs is granted, and everything else is refused.

That the rights suffice for a whole run is shown by the postgres topology, whose processes connect as such users
(tests/flows/test_topologies.py).
"""

from __future__ import annotations

import contextlib
import importlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql

from bot.adapters import tables
from bot.adapters.storage import InboxWriter, SqlStorage, authority, migrate
from bot.adapters.storage.authority import RIGHTS, role_of
from bot.bootstrap import LEASES
from bot.domain.errors import InternalError, SettingsError
from bot.domain.workflow import SOFTWARE, Approval, Drafting, Stage, Workflow
from bot.ports import records as r
from bot.settings import Process
from tests.contract.databases import (
    INSTALLATION,
    NOW,
    HeardNudges,
    allow,
    approval,
    as_process,
    call,
    delivery,
    empty_url,
    fresh_url,
    furnished,
    job,
    plain,
    run,
    to_plan_approval,
    write,
)

PLAN: Final = "aa" * 32
PROCESSES: Final = tuple(RIGHTS)
DENIED: Final = "permission denied|row-level security"


@cache
def _database() -> str:
    """One database for all that only asks: run R1 waits for its plan's approval, with jobs, rows and a delivery."""
    url = fresh_url("postgres", Path())
    storage = furnished(url)
    with storage.begin() as tx:
        tx.runs.add(run(1))
        to_plan_approval(tx, PLAN)
        tx.runs.add_approval(approval(PLAN))
        tx.deliveries.add(delivery("d1"))
        for number, queue in enumerate(("agents.plan", "github", "control"), 1):
            tx.jobs.add(job(f"J{number}", queue=queue))
        row_id = tx.outbox.add(write("w1"))
        assert row_id is not None
        allow(tx, row_id)
        denied = tx.outbox.add(write("w2"))
        assert denied is not None
        tx.outbox.decide(
            denied, decision="deny", decision_sha256="cd" * 32, policy_ids=[], policy_set_sha256="", reason=""
        )
        tx.journal.reserve(call(), run_cap=10**9, day_cap=10**9, day_start=0)
        finding = r.FindingRow(
            "R1", "F1", 1, "plan", 1, "open", "", "major", "plan", "t", "c", [], "", "f", ["plan_reviewer.1"], "m", PLAN
        )
        tx.ledger.put([finding], [])
        tx.journal.set_switch(r.Switch("run", "R9", True, "ana", "", NOW))
    storage.close()
    return url


@contextmanager
def acting(process: str, url: str = "") -> Iterator[psycopg.Connection[Any]]:
    """A raw connection with a process's rights; nothing that it does stays."""
    with psycopg.connect(plain(url or _database())) as link:
        link.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role_of(process))))
        yield link
        link.rollback()


@contextmanager
def working(process: str, url: str = "") -> Iterator[SqlStorage]:
    """The adapter with a process's rights."""
    storage = SqlStorage(as_process(url or _database(), process), HeardNudges(), pool_size=1)
    try:
        yield storage
    finally:
        storage.close()


@contextmanager
def storage_of(url: str) -> Iterator[SqlStorage]:
    """The adapter as the owner."""
    storage = SqlStorage(url, HeardNudges(), pool_size=1)
    try:
        yield storage
    finally:
        storage.close()


# What is granted


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_may_do_what_its_rights_say_and_nothing_else(process: str) -> None:
    engine = sa.create_engine(_database())
    with engine.connect() as connection:
        assert authority.held(connection, role_of(process)) == authority.wanted(process)
    engine.dispose()


def test_nobody_deletes_and_what_is_appended_is_nobodys_to_change() -> None:
    granted = {process: authority.wanted(process) for process in PROCESSES}
    for process, rights in granted.items():
        assert {verb for _, _, verb in rights} <= {"SELECT", "INSERT", "UPDATE"}, process
        changed = {table for table, _, verb in rights if verb == "UPDATE"}
        assert not changed & {
            "transitions", "evidence", "edges", "finding_events", "audit", "artifacts", "alembic_version",
        }, process  # fmt: skip
        # Retention empties these two, and the law in the database lets nothing else be done to them.
        calls = {column for table, column, verb in rights if (table, verb) == ("tool_calls", "UPDATE")}
        assert calls == ({"input", "output"} if process == "control" else set())
    inserts = {process: {table for table, _, verb in rights if verb == "INSERT"} for process, rights in granted.items()}
    assert inserts["web"] == {"deliveries"}
    assert inserts["agents"] == {"artifacts", "model_calls", "tool_calls", "audit"}
    assert inserts["github"] == {"audit"}
    assert inserts["beat"] == set()
    assert not any("edges" in tables_of for tables_of in inserts.values())


def test_every_right_names_a_table_and_columns_that_there_are() -> None:
    for process, rights in RIGHTS.items():
        for table, right in rights.items():
            names = set(tables.metadata.tables[table].columns.keys())
            assert {*right.read, *right.update} - {"*"} <= names, f"{process} {table}"


def test_rights_change_by_a_migration_alone() -> None:
    folder = Path(importlib.import_module("bot.migrations.versions").__path__[0])
    laid = [
        importlib.import_module(f"bot.migrations.versions.{path.stem}").RIGHTS
        for path in sorted(folder.glob("r*.py"))
        if "lay_down" in path.read_text("utf-8")
    ]
    assert laid[-1] == authority.fingerprint(), "rights were changed: write a migration that lays them down anew"


# What is refused

FORBIDDEN: Final = [
    *(
        (process, f"INSERT INTO {table} DEFAULT VALUES")
        for process in ("web", "agents", "github", "beat")
        for table in ("approvals", "transitions", "edges", "outbox", "switches", "evidence", "runs", "jobs", "findings")
    ),
    ("control", "INSERT INTO edges VALUES ('software', 'queued', 'publishing', 'start', false, '', '')"),
    *(
        ("github", f"UPDATE outbox SET {column} = DEFAULT")
        for column in (
            *("payload", "payload_sha256", "target", "kind", "decision", "decision_sha256", "policy_ids", "run_id"),
            *("repository_id", "installation_id", "dedupe_key", "token", "policy_set_sha256", "order_key", "held"),
        )
    ),
    *(("agents", f"UPDATE outbox SET {column} = DEFAULT") for column in ("state", "lease_until", "response")),
    *(("control", f"UPDATE outbox SET {column} = DEFAULT") for column in ("github_id", "response", "lease_owner")),
    ("control", "UPDATE tool_calls SET output_sha256 = ''"),
    *((process, "UPDATE runs SET state = 'done'") for process in ("web", "agents", "github", "beat")),
    *((process, "UPDATE runs SET mode = 'active', known = '{}'") for process in ("web", "agents", "github")),
    ("control", "UPDATE runs SET spent_micro_dollars = 0"),
    ("github", "UPDATE runs SET reserved_micro_dollars = 0"),
    ("agents", "UPDATE runs SET budget_micro_dollars = 999999999"),
    *((process, "UPDATE approvals SET used_at = 1") for process in ("web", "agents", "github", "beat")),
    *((process, "UPDATE switches SET stopped = false") for process in ("web", "agents", "github", "beat")),
    *((process, "UPDATE deliveries SET body = ''") for process in ("web", "agents", "github", "beat")),
    *((process, "UPDATE tool_calls SET output = ''") for process in ("web", "agents", "github", "beat")),
    ("web", "SELECT body FROM deliveries"),
    ("web", "SELECT * FROM runs"),
    ("web", "SELECT payload FROM outbox"),
    ("agents", "SELECT * FROM deliveries"),
    ("agents", "SELECT * FROM outbox"),
    ("agents", "SELECT * FROM approvals"),
    ("github", "SELECT body FROM deliveries"),
    ("github", "SELECT * FROM tool_calls"),
    ("beat", "SELECT id FROM runs"),
    ("agents", "UPDATE model_calls SET reserved_micro_dollars = 0"),
    *((process, f"DELETE FROM {table}") for process in PROCESSES for table in ("audit", "jobs", "deliveries", "switches")),
    *((process, "TRUNCATE audit") for process in PROCESSES),
    *((process, "ALTER TABLE outbox DISABLE TRIGGER ALL") for process in PROCESSES),
    *((process, "CREATE TABLE mine (n integer)") for process in PROCESSES),
    *((process, "CREATE FUNCTION mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'") for process in PROCESSES),
    *((process, "SET session_replication_role = replica") for process in PROCESSES),
    *((process, "UPDATE alembic_version SET version_num = '9999'") for process in PROCESSES),
    *((process, "CREATE ROLE mine SUPERUSER") for process in PROCESSES),
    *((process, "COPY runs TO PROGRAM 'cat'") for process in PROCESSES),
]  # fmt: skip


@pytest.mark.parametrize("process", PROCESSES)
def test_a_statement_beyond_its_rights_is_refused(process: str) -> None:
    unlike = []
    with acting(process) as link:
        for statement in (one for whose, one in FORBIDDEN if whose == process):
            try:
                with link.transaction(force_rollback=True):
                    link.execute(statement.encode())
                said = "nothing"
            except psycopg.errors.InsufficientPrivilege as error:
                said = str(error)
            if not re.search(f"{DENIED}|must be owner|must be superuser", said):
                unlike.append((statement, said))
    assert unlike == []


def test_each_statement_is_one_that_the_server_would_run_for_a_superuser() -> None:
    """Else a slip of the pen would pass for a refusal; the records' own law, which holds for superusers too, may object."""
    with psycopg.connect(plain(_database())) as link:
        for statement in dict.fromkeys(statement for _, statement in FORBIDDEN):
            with link.transaction(force_rollback=True), contextlib.suppress(psycopg.errors.IntegrityError):
                link.execute(statement.encode())


def test_a_migrated_database_is_closed_to_objects_of_anybody_but_its_owner(tmp_path: Path) -> None:
    """A temporary table would stand before the one of its name that a trigger reads."""
    url = empty_url("postgres", tmp_path)
    migrate(url)
    for process in PROCESSES:
        with (
            acting(process, url) as link,
            pytest.raises(psycopg.errors.InsufficientPrivilege, match="temporary tables"),
        ):
            link.execute("CREATE TEMP TABLE edges (workflow text)")
    with psycopg.connect(plain(url)) as link:
        asked = (
            "SELECT has_database_privilege(r.rolname, current_database(), 'CONNECT') FROM pg_roles r WHERE rolname = %s"
        )
        assert link.execute(asked, [role_of("beat")]).fetchone() == (True,)
        assert link.execute(asked, ["pg_monitor"]).fetchone() == (False,)


ROWS_OF: Final = {"agents": "J1", "github": "J2", "control": "J3"}


@pytest.mark.parametrize("process", ROWS_OF)
def test_a_worker_settles_jobs_of_its_own_queues_alone(process: str) -> None:
    """Else an agents' process could answer the look-up that an approval rests on."""
    with acting(process) as link:
        changed = {
            name: link.execute("UPDATE jobs SET result = '{}' WHERE id = %s", [name]).rowcount
            for name in ROWS_OF.values()
        }
    own = dict.fromkeys(ROWS_OF.values(), 1) if process == "control" else {ROWS_OF[process]: 1}
    assert changed == dict.fromkeys(ROWS_OF.values(), 0) | own


@pytest.mark.parametrize(("process", "kind", "allowed"), [
    ("agents", "egress", True), ("agents", "gate", False), ("agents", "sent", False), ("agents", "transition", False),
    ("github", "sent", True), ("github", "outbox", False), ("github", "stop", False), ("control", "gate", True),
])  # fmt: skip
def test_a_worker_does_not_speak_for_another_in_the_audit(process: str, kind: str, allowed: bool) -> None:
    with working(process) as storage:
        refused = contextlib.nullcontext() if allowed else pytest.raises(InternalError, match=DENIED)
        with refused, storage.begin() as tx:
            tx.journal.audit(at=NOW, kind=kind, subject="R1", body={})


def test_agents_keep_artifacts_and_name_no_subject() -> None:
    kept = r.ArtifactRow(INSTALLATION, "bb" * 32, "request", 1, NOW, "R1", "plan")
    with working("agents") as storage:
        with storage.begin() as tx:
            tx.journal.add_artifact(kept)
        with pytest.raises(InternalError, match=DENIED), storage.begin() as tx:
            tx.journal.add_artifact(replace(kept, kind="subject"))


def test_a_row_that_policy_denied_cannot_be_sent_by_whoever_sends() -> None:
    with acting("github") as link, pytest.raises(psycopg.errors.CheckViolation, match="one decision that allows it"):
        link.execute("UPDATE outbox SET state = 'sending' WHERE dedupe_key = 'w2'")


# What their work needs


def test_web_stores_deliveries_and_sees_whether_it_can(tmp_path: Path) -> None:
    url = as_process(fresh_url("postgres", tmp_path), "web")
    inbox = InboxWriter(url)
    assert inbox.store([delivery("d7"), delivery("d8")]) == [True, True]
    assert inbox.store([delivery("d7", state="dead")]) == [False]
    inbox.close()
    storage = SqlStorage(url, HeardNudges(), pool_size=1)
    with storage.read() as tx:
        assert tx.deliveries.due(NOW, 10) == ["d7", "d8"]
    storage.close()


@pytest.fixture
def furnished_url(tmp_path: Path) -> str:
    """Run R1 with a job for agents, one for github about a delivery that waits for it, and a row that may go."""
    url = fresh_url("postgres", tmp_path)
    storage = furnished(url)
    with storage.begin() as tx:
        tx.runs.add(run(1))
        tx.deliveries.add(delivery("d1"))
        claimed = tx.deliveries.claim("d1", owner="w", now=NOW, lease_ms=10)
        assert claimed is not None
        tx.deliveries.settle("d1", fence=claimed.fence, state="waiting")
        tx.jobs.add(job("J1"))
        tx.jobs.add(job("J2", queue="github", kind="permission", delivery_id="d1"))
        row_id = tx.outbox.add(write("w1"))
        assert row_id is not None
        allow(tx, row_id)
    storage.close()
    return url


def test_agents_do_their_job_and_pay_for_it(furnished_url: str) -> None:
    with working("agents", furnished_url) as storage, storage.begin() as tx:
        claimed = tx.jobs.claim("J1", owner="a", now=NOW, lease_ms=10)
        assert claimed is not None
        assert tx.jobs.claim("J2", owner="a", now=NOW, lease_ms=10) is None
        tx.jobs.renew("J1", fence=claimed.fence, until=NOW + 20)
        assert tx.journal.stopped(repository_id=1, run_id="R1") == ""
        number = tx.journal.reserve(call(), run_cap=10**9, day_cap=10**9, day_start=0)
        tx.journal.settle_call(replace(call(), id=number, state="done", cost_micro_dollars=5))
        tx.journal.add_tool_call(
            r.ToolCall("R1", "J1", 1, "planner", 1, "", "run", {}, "out", "", "allow", "", 0, 1, 1, NOW)
        )
        tx.journal.audit(at=NOW, kind="egress", subject="R1", body={})
        tx.jobs.settle("J1", fence=claimed.fence, state="done", now=NOW, result={})
        tx.runs.wake("R1", NOW)
        assert tx.jobs.owners(LEASES[Process.AGENTS]) == []
        assert tx.jobs.release_owner("nobody", LEASES[Process.AGENTS]) == 0
    with storage_of(furnished_url) as storage, storage.read() as tx:
        found = tx.runs.get("R1")
        assert found is not None
        assert (found.spent_micro_dollars, found.reserved_micro_dollars) == (5, 0)


def test_github_answers_its_job_and_sends_its_rows(furnished_url: str) -> None:
    with working("github", furnished_url) as storage, storage.begin() as tx:
        claimed = tx.jobs.claim("J2", owner="g", now=NOW, lease_ms=10)
        assert claimed is not None
        tx.jobs.settle("J2", fence=claimed.fence, state="done", now=NOW, result={})
        tx.deliveries.rearm("d1")
        waiting = tx.outbox.next(INSTALLATION, NOW)
        assert waiting is not None
        row = tx.outbox.claim(waiting.id, owner="g", now=NOW, lease_ms=10, answers_stop=False)
        assert row is not None
        assert tx.jobs.owners(LEASES[Process.GITHUB]) == ["g"]
        tx.outbox.note(row.id, fence=row.fence, response={"sha": "a"})
        tx.outbox.settle(row.id, fence=row.fence, state="confirmed", now=NOW, github_id="1")
        tx.outbox.block(INSTALLATION, NOW + 1)
        tx.places.wrote(INSTALLATION, NOW)
        tx.journal.audit(at=NOW, kind="sent", subject="outbox:1", body={})
        tx.runs.wake("R1", NOW)
        assert tx.jobs.release_owner("nobody", LEASES[Process.GITHUB]) == 0
    with storage_of(furnished_url) as storage, storage.read() as tx:
        stored = tx.deliveries.get("d1")
        assert stored is not None
        assert stored.state == "received"


def test_a_stop_from_the_shell_works_as_control(furnished_url: str) -> None:
    with working("control", furnished_url) as storage, storage.begin() as tx:
        tx.journal.set_switch(r.Switch("system", "", True, "ana (shell)", "", NOW))
        tx.journal.set_switch(r.Switch("system", "", True, "bob (shell)", "", NOW))
        assert tx.journal.stopped(repository_id=None, run_id="R1") == "Conductor was stopped by bob (shell)."
        tx.runs.add_edges(SOFTWARE)
    other = Workflow("paper", (Stage("draft", "a", "b", Drafting.DOCUMENT, Approval.NEVER),))
    with (
        working("control", furnished_url) as storage,
        pytest.raises(SettingsError, match="run `conductor migrate`"),
        storage.begin() as tx,
    ):
        tx.runs.add_edges(other)


def test_what_is_refused_is_said_in_our_words() -> None:
    with (
        working("agents") as storage,
        pytest.raises(InternalError, match="rights of one process alone") as refused,
        storage.begin() as tx,
    ):
        tx.runs.add_approval(approval("cc" * 32))
    assert refused.value.fields["law"] == "permission denied for table approvals"
