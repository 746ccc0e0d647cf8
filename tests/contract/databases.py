"""Fresh migrated databases of both kinds for tests, and the records that they are filled with."""

from __future__ import annotations

import atexit
import secrets
import shutil
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import psycopg

from bot.adapters.storage import SqlStorage, migrate
from bot.adapters.storage.authority import role_of
from bot.domain.subject import sha256_of
from bot.domain.workflow import SOFTWARE
from bot.ports import records as r
from bot.ports.queue import Nudge
from bot.ports.storage import Transaction
from tests.harness.services import PostgresServer

KINDS = ("sqlite", "postgres")
NOW = 1_800_000_000_000
INSTALLATION, REPOSITORY, OTHER_REPOSITORY = 11, 21, 22


class HeardNudges:
    """A queue that remembers."""

    def __init__(self) -> None:
        self.heard: list[tuple[Nudge, str, str]] = []

    def nudge(self, what: Nudge, subject: str, *, queue: str = "") -> None:
        self.heard.append((what, subject, queue))


@cache
def _sqlite_template() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="conductor-template-"))
    atexit.register(shutil.rmtree, directory)
    migrate(f"sqlite:///{directory}/template.db")
    return directory / "template.db"


@cache
def _server() -> PostgresServer:
    server = PostgresServer()
    server.__enter__()
    atexit.register(server.close)
    return server


@cache
def _postgres() -> PostgresServer:
    server = _server()
    migrate(server.url)
    return server


def plain(url: str) -> str:
    """A PostgreSQL URL as psycopg itself reads it."""
    return url.replace("postgresql+psycopg://", "postgresql://")


def fresh_url(kind: str, directory: Path) -> str:
    """A migrated database of its own: a copy of a migrated template."""
    if kind == "sqlite":
        shutil.copy(_sqlite_template(), directory / "records.db")
        return f"sqlite:///{directory}/records.db"
    server, name = _postgres(), f"t_{secrets.token_hex(6)}"
    with psycopg.connect(plain(server.url_of("postgres")), autocommit=True) as link:
        link.execute(f"CREATE DATABASE {name} TEMPLATE conductor".encode())
    return server.url_of(name)


def empty_url(kind: str, directory: Path) -> str:
    """A database without any table."""
    return f"sqlite:///{directory}/empty.db" if kind == "sqlite" else _postgres().new_database()


def as_process(url: str, process: str) -> str:
    """A PostgreSQL database as a member of the process's role sees it."""
    return f"{url}?options=-c%20role%3D{role_of(process)}"


def furnished(url: str, **options: Any) -> SqlStorage:
    """Storage with an installation, two repositories and the workflow's edges."""
    storage = SqlStorage(url, HeardNudges(), **options)
    with storage.begin() as tx:
        furnish(tx)
    return storage


def furnish(tx: Transaction) -> None:
    tx.places.put_installation(r.Installation(INSTALLATION, "octo", suspended=False, created_at=NOW))
    for repository, name in ((REPOSITORY, "octo/calc"), (OTHER_REPOSITORY, "octo/other")):
        tx.places.put_repository(r.Repository(repository, INSTALLATION, name, "main", private=False))
    tx.runs.add_edges(SOFTWARE)


def run(number: int = 1, **more: Any) -> r.Run:
    """Run R<number> on issue <number>."""
    row = r.Run(
        id=f"R{number}",
        installation_id=INSTALLATION,
        repository_id=REPOSITORY,
        issue_number=number,
        workflow="software",
        branch=f"conductor/{number}-title",
        requester_id=5,
        requester_login="ana",
        delivery_id="d1",
        created_at=NOW + number,
        updated_at=NOW,
        budget_micro_dollars=10_000_000,
    )
    return replace(row, **more)


def delivery(name: str, **more: Any) -> r.Delivery:
    return replace(r.Delivery(name, "issues", b'{"a": 1}', "ab" * 32, NOW), **more)


def job(name: str, **more: Any) -> r.Job:
    return replace(r.Job(name, f"key-{name}", "draft", "agents.plan", NOW, INSTALLATION, run_id="R1"), **more)


def write(key: str, **more: Any) -> r.OutboxRow:
    row = r.OutboxRow(
        id=0,
        installation_id=INSTALLATION,
        repository_id=REPOSITORY,
        run_id="R1",
        seq=0,
        kind="comment.create",
        target="/repos/octo/calc/issues/1/comments",
        order_key="issue:1",
        payload=b'{"body":"hello"}',
        payload_sha256=sha256_of(b'{"body":"hello"}'),
        dedupe_key=key,
        token="0" * 32,
        created_at=NOW,
    )
    return replace(row, **more)


def call(**more: Any) -> r.ModelCall:
    row = r.ModelCall(0, "R1", "J1", "planner", 1, "", 0, "model", "ab" * 32, 1_000_000, NOW)
    return replace(row, **more)


def allow(tx: Transaction, row_id: int) -> None:
    tx.outbox.decide(
        row_id, decision="allow", decision_sha256="cd" * 32, policy_ids=["p1"], policy_set_sha256="ef" * 32, reason=""
    )


def open_gate(tx: Transaction, run_id: str, gate: str, subject: str = "") -> int:
    """Store open evidence; its attempt."""
    attempt = tx.runs.next_attempt(run_id, gate)
    tx.runs.add_evidence(r.EvidenceRow(run_id, gate, attempt, subject, "open", ["asked"], {"open": True}, NOW))
    return attempt


def step(tx: Transaction, run_id: str, end: str, gate: str, subject: str = "", **more: Any) -> r.Transition:
    """The next transition of a run, over open evidence that is stored with it; not yet made."""
    before = tx.runs.get(run_id)
    assert before is not None
    attempt = open_gate(tx, run_id, gate, subject)
    row = r.Transition(
        run_id, before.state_seq + 1, before.workflow, before.state, end, gate, attempt, subject, NOW + before.state_seq
    )
    return replace(row, **more)


def subject(tx: Transaction, sha256: str, *, run_id: str = "R1", stage: str = "plan") -> int:
    return tx.journal.add_artifact(r.ArtifactRow(INSTALLATION, sha256, "subject", 10, NOW, run_id, stage))


def approval(sha256: str, **more: Any) -> r.ApprovalRow:
    row = r.ApprovalRow(0, "R1", "plan", sha256, 5, "ana", "maintain", "comment", 900, NOW, {"read_back": True})
    return replace(row, **more)


def to_plan_approval(tx: Transaction, sha256: str, run_id: str = "R1") -> None:
    """Walk a stored run from queued to where a person is asked."""
    tx.runs.move(step(tx, run_id, "plan.draft", "start"))
    subject(tx, sha256, run_id=run_id)
    tx.runs.move(step(tx, run_id, "plan.review", "plan.draft", sha256))
    tx.runs.move(step(tx, run_id, "plan.approval", "plan.review", sha256))
