"""Many runs at once: those that `story` told are multiplied inside the database, and what they would break is asked for after.

Triggers and indices are off while rows are copied, on the bench's own database alone: through them a hundred thousand runs
take half an hour. The copies differ from rows that the law let in by ids and times only.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from bench.scale.story import INSTALLATION, NOW, REPOSITORY, STORIES, tell
from bot.adapters import tables
from bot.adapters.storage import SqlStorage, migrate
from bot.bootstrap import SweptQueue
from bot.domain.audit_chain import GENESIS, body_hash, link_hash

SPAN_MS: Final = 90 * 86_400_000
"""The runs are spread over so long."""
KEYS_UPTO: Final = 10_000
"""Up to so many runs every foreign key is followed; more runs are made by the same statements."""
STRIDE: Final = 100
"""More ids than a story uses in any table."""
NAMES: Final = frozenset(
    {"id", "run_id", "job_id", "delivery_id", "key", "dedupe_key", "order_key", "approval_id", "co_approval_id"}
)
TIMES: Final = frozenset(
    {"created_at", "updated_at", "at", "received_at", "state_at", "granted_at", "used_at", "done_at", "confirmed_at"}
)
OF_A_RUN: Final = (
    "runs", "evidence", "approvals", "transitions", "jobs", "artifacts", "findings", "finding_events", "outbox",
    "model_calls", "tool_calls", "deliveries",
)  # fmt: skip
THIN: Final = {"runs": "TRUE", "jobs": "t.id LIKE '%-j2'", "outbox": "t.seq = 8"}
"""Three rows a run; where work is due, these are the job and the write that are."""
AUDITED: Final = (
    ("delivery", {"event": "issues", "state": "done", "reason": "run started", "sha256": "a" * 64}),
    ("start", {"by": "ana", "by_id": "5", "issue": 7}),
    *(("transition", {"from": "plan.draft", "to": "plan.review", "gate": "plan.draft", "attempt": 1}),) * 3,
    *(("sent", {"kind": "comment.update", "status": 200, "payload_sha256": "b" * 64}),) * 3,
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is. ``thin``: three rows a run. ``due``: runs of these that have a job, two writes, deliveries and a wake-up due."""

    runs: int
    due: int
    thin: bool

    @property
    def repositories(self) -> int:
        """A hundred runs each."""
        return max(10, self.runs // 100)

    @property
    def installations(self) -> int:
        """Ten repositories each."""
        return max(5, self.repositories // 10)


def fill(url: str, size: Size) -> int:
    """Bring an empty database to the size; returns how many rows it holds. ``SystemExit`` when they are not what the law allows."""
    migrate(url)
    storage = SqlStorage(url, SweptQueue())
    with storage.begin() as tx:
        tell(tx)
    storage.close()
    engine = sa.create_engine(url)
    if engine.dialect.name == "sqlite":
        _quick_sqlite(engine)
    else:
        _tell_server(url, "ALTER SYSTEM SET max_wal_size = '16GB'", "SELECT pg_reload_conf()")
    with engine.connect() as link:
        again = _without_law(link)
        _places(link, size)
        _series(link, size)
        for name in THIN if size.thin else OF_A_RUN:
            _copy(link, name, THIN[name] if size.thin else "TRUE")
        if not size.thin:
            _audit(link, size)
        _sql(link, "DROP TABLE series")
        for statement in again:
            _sql(link, statement)
        if link.dialect.name == "postgresql":
            for name in ("approvals", "artifacts", "outbox", "model_calls"):
                _sql(link, f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), (SELECT max(id) FROM {name}))")
        link.commit()
        if not size.thin:
            _must_be_lawful(link, keys=size.runs <= KEYS_UPTO)
        names = (*OF_A_RUN, "audit", "repositories", "installations")
        rows = sum(int(_sql(link, f"SELECT count(*) FROM {name}").scalar_one()) for name in names)
    engine.dispose()
    _settle_down(url)
    return rows


def _sql(link: sa.Connection, statement: str) -> sa.CursorResult[Any]:
    """Run it; psycopg takes a single per cent sign for a parameter."""
    return link.exec_driver_sql(statement.replace("%", "%%") if link.dialect.name == "postgresql" else statement)


def _quick_sqlite(engine: sa.Engine) -> None:
    @sa.event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        for pragma in (
            "journal_mode = OFF",
            "synchronous = OFF",
            "foreign_keys = OFF",
            "cache_size = -1000000",
            "temp_store = MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")


def _without_law(link: sa.Connection) -> list[str]:
    """Take triggers and indices away; returns the statements that bring them back."""
    if link.dialect.name == "postgresql":
        _sql(link, "SET session_replication_role = replica")
        _sql(link, "SET maintenance_work_mem = '512MB'")
        query = (
            "SELECT 'INDEX', i.indexname, i.indexdef FROM pg_indexes i WHERE i.schemaname = 'public' AND NOT EXISTS"
            " (SELECT 1 FROM pg_constraint c WHERE c.conname = i.indexname)"
        )
    else:
        query = "SELECT type, name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL"
    found = [tuple(row) for row in _sql(link, query)]
    for kind, name, _ in found:
        _sql(link, f"DROP {kind} {name}")
    return [str(statement) for _, _, statement in found]


def _places(link: sa.Connection, size: Size) -> None:
    for number in range(2, size.installations + 1):
        values = {"id": number, "account": f"octo-{number}", "suspended": False, "created_at": NOW, "fence": 0}
        values |= {"blocked_until": 0, "last_write_at": 0, "lease_owner": "", "lease_until": 0}
        link.execute(sa.insert(tables.installations).values(values))
    rows = [
        {
            "id": number,
            "installation_id": 1 + number % size.installations,
            "full_name": f"octo-{1 + number % size.installations}/calc-{number}",
            "default_branch": "main",
            "private": False,
            "wip": 1,
        }
        for number in range(2, size.repositories + 2)
    ]
    link.execute(sa.insert(tables.repositories), rows)


def _series(link: sa.Connection, size: Size) -> None:
    """One row a run: its number, id, story, place and age."""
    numbers = "generate_series(1, {0})" if link.dialect.name == "postgresql" else "counted"
    counted = "WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < {0}) "
    hexed = "lpad(to_hex({0}), 8, '0')" if link.dialect.name == "postgresql" else "printf('%08x', {0})"
    # An odd factor: every number gets another id, in no order, as ids have none.
    rid = "'r' || " + hexed.format("(g.n * 2654435761) & 4294967295")
    repository = f"2 + g.n % {size.repositories}"
    picked = f"CASE WHEN g.n <= {size.due} THEN 'tmpl-due' "
    shares = itertools.accumulate(story.share for story in STORIES)
    picked += " ".join(
        f"WHEN g.n % 100 < {upto} THEN '{story.name}'"
        for story, upto in zip(STORIES, shares, strict=True)
        if story.share
    )
    source = numbers.format(size.runs) + (" AS g(n)" if "(" in numbers else " AS g")
    _sql(
        link,
        f"CREATE TABLE series AS {counted.format(size.runs) if numbers == 'counted' else ''}"
        f"SELECT CAST(g.n AS bigint) AS n, {rid} AS rid, {picked} END AS story, CAST({repository} AS bigint) AS repository,"
        f" CAST(1 + ({repository}) % {size.installations} AS bigint) AS installation,"
        f" CAST({size.runs} - g.n AS bigint) * {max(1, SPAN_MS // size.runs)} AS age FROM {source}",
    )


def _copy(link: sa.Connection, name: str, which: str) -> None:
    table = tables.metadata.tables[name]
    told = {"runs": "t.id = s.story", "deliveries": "substr(t.id, 1, length(s.story) + 1) = s.story || '-'"}
    belongs = told.get(name, "t.run_id = s.story")
    columns = [column.name for column in table.columns]
    values = [_value(table, column) for column in table.columns]
    _sql(link, f"CREATE TABLE told AS SELECT t.* FROM {name} t")
    _sql(
        link,
        f"INSERT INTO {name} ({', '.join(columns)}) SELECT {', '.join(values)} FROM series s JOIN told t ON {belongs}"
        f" WHERE {which} ORDER BY s.n",
    )
    _sql(link, "DROP TABLE told")


def _value(table: sa.Table, column: sa.Column[Any]) -> str:
    name, told = column.name, f"t.{column.name}"
    if name in {"repository_id", "installation_id"}:
        return f"s.{name.removesuffix('_id')}"
    if name in {"issue_number", "pull_number"}:
        return f"{told} + s.n * {STRIDE}"
    if name == "branch":
        return f"{told} || '-' || s.n"
    if name in NAMES and isinstance(column.type, tables.Words):
        return f"replace({told}, s.story, s.rid)" if not (table.name == "findings" and name == "id") else told
    if name in NAMES:
        return f"{told} + s.n * {STRIDE}"
    if name in TIMES:
        return f"CASE WHEN {told} > 0 THEN {told} - s.age ELSE 0 END"
    return told


def _links(size: Size) -> Iterator[tuple[Any, ...]]:
    """A chain that verifies."""
    hashed = [
        (kind, json.dumps(body, sort_keys=True, separators=(",", ":")), body_hash(body)) for kind, body in AUDITED
    ]
    prev, seq = GENESIS, 0
    for number in range(1, size.runs + 1):
        subject, at = (
            f"r{number * 2654435761 & 0xFFFFFFFF:08x}",
            NOW - (size.runs - number) * max(1, SPAN_MS // size.runs),
        )
        for kind, body, digest in hashed:
            seq += 1
            # The RFC 8785 bytes of such plain values, by hand: a million through the general writer take half a minute.
            text = f'{{"at":{at},"body_sha256":"{digest}","kind":"{kind}","prev":"{prev}","seq":{seq},"subject":"{subject}"}}'
            this = hashlib.sha256(text.encode()).hexdigest()
            if seq <= len(hashed):
                assert this == link_hash(prev=prev, seq=seq, at=at, kind=kind, subject=subject, body_sha256=digest)
            yield seq, at, kind, subject, body, digest, prev, this
            prev = this


def _audit(link: sa.Connection, size: Size) -> None:
    columns = ", ".join(column.name for column in tables.audit.columns)
    driver: Any = link.connection.driver_connection
    if link.dialect.name == "postgresql":
        with driver.cursor() as cursor, cursor.copy(f"COPY audit ({columns}) FROM STDIN") as copy:
            for row in _links(size):
                copy.write_row(row)
    else:
        driver.executemany(f"INSERT INTO audit ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _links(size))


def _must_be_lawful(link: sa.Connection, *, keys: bool) -> None:
    """What the triggers and keys would have refused, counted over all rows."""
    latest = "SELECT max(seq) FROM transitions l WHERE l.run_id = r.id"
    broken = {
        "runs that are not in their latest transition's state": "SELECT count(*) FROM runs r JOIN transitions t ON"
        f" t.run_id = r.id AND t.seq = ({latest}) WHERE t.to_state <> r.state OR t.seq <> r.state_seq OR t.at <> r.state_at",
        "transitions without open evidence": "SELECT count(*) FROM transitions t WHERE NOT EXISTS (SELECT 1 FROM evidence e"
        " WHERE e.run_id = t.run_id AND e.gate = t.gate AND e.attempt = t.attempt AND e.verdict = 'open'"
        " AND e.subject_sha256 = t.subject_sha256)",
        "writes sent without a decision": "SELECT count(*) FROM outbox WHERE state = 'confirmed' AND decision <> 'allow'",
        "runs elsewhere than their repository": "SELECT count(*) FROM runs r JOIN repositories p ON p.id = r.repository_id"
        " WHERE p.installation_id <> r.installation_id",
    }
    for what, query in broken.items():
        count = int(_sql(link, query).scalar_one())
        if count:
            raise SystemExit(f"bench/scale: the database was filled with {count} {what}: mend bench/scale/filling.py")
    if keys and link.dialect.name == "sqlite":
        found = _sql(link, "PRAGMA foreign_key_check").first()
        if found is not None:
            raise SystemExit(f"bench/scale: a row names another one that is not there: {found}")


def _settle_down(url: str) -> None:
    """What a server does by itself after so many rows: PostgreSQL's autovacuum; SQLite's log comes back into its file."""
    if url.startswith("sqlite"):
        _tell_server(url, "PRAGMA wal_checkpoint(TRUNCATE)")
    else:
        reset = ("ALTER SYSTEM RESET max_wal_size", "SELECT pg_reload_conf()")
        _tell_server(url, "VACUUM ANALYZE", "CHECKPOINT", *reset)


def _tell_server(url: str, *statements: str) -> None:
    """Outside a transaction."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as link:
        for statement in statements:
            _sql(link, statement)
    engine.dispose()


__all__ = ["INSTALLATION", "REPOSITORY", "Size", "fill"]
