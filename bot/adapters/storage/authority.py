"""What each process may do in PostgreSQL: one table of rights, laid down as grants and row policies (DESIGN section 3).

A process's database user is a member of its group role ``conductor_<process>`` and owns nothing; the owner of the tables
alone migrates. What no right names is refused: nobody deletes, and append-only tables are nobody's to update. A change
here needs a migration that calls `lay_down` anew and names `fingerprint`; a test holds the two together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import psycopg
import sqlalchemy as sa
from psycopg import sql

from bot.adapters.tables import metadata
from bot.domain.errors import SettingsError
from bot.domain.jobs import AGENT_QUEUES, GITHUB

Columns: TypeAlias = tuple[str, ...]
ALL: Final[Columns] = ("*",)
LEASE: Final[Columns] = ("lease_owner", "lease_until", "fence")
PERFORMING: Final[Columns] = ("state", "attempts", "not_before", *LEASE, "result", "reason", "done_at")
CHAIN_END: Final[Columns] = ("seq", "hash")
"""What an appender to the audit must read: the last link."""


@dataclass(frozen=True, slots=True)
class Right:
    """What a process may do with one table; columns that it may read and update, ``ALL`` for each."""

    read: Columns = ()
    insert: bool = False
    update: Columns = ()


RIGHTS: Final[dict[str, dict[str, Right]]] = {
    # Stores deliveries and arms dead ones again; reads what says whether they can be stored.
    "web": {
        "deliveries": Right(
            ("id", "event", "state", "received_at", "not_before", "lease_until"),
            insert=True,
            update=("state", "attempts", "not_before", "reason"),
        ),
    },
    # Decides, and empties what was kept long enough; it neither pays, nor says what GitHub answered, nor adds an edge.
    "control": {
        "installations": Right(ALL, insert=True, update=("account", "suspended", "changed_at")),
        "repositories": Right(
            ALL,
            insert=True,
            update=("installation_id", "full_name", "default_branch", "private", "wip", "retention_days"),
        ),
        "deliveries": Right(
            ALL,
            update=("state", "attempts", "not_before", *LEASE, "reason", "installation_id", "repository_id", "body"),
        ),
        "runs": Right(
            ALL,
            insert=True,
            update=(
                *(
                    "branch",
                    "updated_at",
                    "state",
                    "state_seq",
                    "state_at",
                    "paused",
                    "mode",
                    "risk",
                    "snapshot_sha256",
                ),
                *("budget_micro_dollars", "halted_from", "halt_reason", "rounds", "known", "wakes_at", "version"),
                "pull_number",
            ),
        ),
        "edges": Right(ALL),
        "evidence": Right(ALL, insert=True),
        "approvals": Right(ALL, insert=True, update=("used_at",)),
        "transitions": Right(ALL, insert=True),
        "jobs": Right(ALL, insert=True, update=PERFORMING),
        "artifacts": Right(ALL, insert=True),
        "findings": Right(
            ALL,
            insert=True,
            update=(
                *("seq", "stage", "round", "status", "reason", "severity", "category", "title", "claim", "evidence"),
                *("suggestion", "fingerprint", "raised_by", "source", "revision", "extra"),
            ),
        ),
        "finding_events": Right(ALL, insert=True),
        "outbox": Right(
            ALL,
            insert=True,
            update=(
                "decision",
                "decision_sha256",
                "policy_ids",
                "policy_set_sha256",
                "state",
                "reason",
                "held",
                "payload",
            ),
        ),
        "model_calls": Right(ALL),
        "tool_calls": Right(ALL, update=("input", "output")),
        "switches": Right(ALL, insert=True, update=("stopped", "by", "reason", "at")),
        "audit": Right(ALL, insert=True),
    },
    # Works off its own jobs, pays for calls and records them.
    "agents": {
        "runs": Right(ALL, update=("spent_micro_dollars", "reserved_micro_dollars", "wakes_at")),
        "jobs": Right(ALL, update=PERFORMING),
        "artifacts": Right(ALL, insert=True),
        "model_calls": Right(
            ALL,
            insert=True,
            update=(
                *("state", "response_sha256", "stop_reason", "input_tokens", "output_tokens", "cache_read_tokens"),
                *("cache_write_tokens", "cost_micro_dollars", "error"),
            ),
        ),
        "tool_calls": Right(ALL, insert=True),
        "switches": Right(ALL),
        "audit": Right(CHAIN_END, insert=True),
    },
    # Reads back for decisions, works off its own jobs, and says what became of rows; what a row intends is not its to write.
    "github": {
        "installations": Right(ALL, update=("blocked_until", "last_write_at")),
        "repositories": Right(ALL),
        "deliveries": Right(("id", "state"), update=("state", "not_before", "lease_owner", "lease_until")),
        "runs": Right(ALL, update=("wakes_at",)),
        "approvals": Right(ALL),
        "jobs": Right(ALL, update=PERFORMING),
        "artifacts": Right(ALL),
        "outbox": Right(
            ALL,
            update=(
                *("state", "attempts", "not_before", *LEASE, "response", "github_id", "github_url", "reason"),
                "confirmed_at",
            ),
        ),
        "switches": Right(ALL),
        "audit": Right(CHAIN_END, insert=True),
    },
    # Ticks over the broker.
    "beat": {},
}
VERSION_TABLE: Final = "alembic_version"
"""Read by every process, which asks at its start whether the schema is this release's."""

DECIDED: Final = (
    *("delivery", "gate", "transition", "start", "stop", "resume", "pause", "outbox", "dry_run"),
    *("finding", "finding.refused", "approval_refused", "emptied", "restored"),
)
"""Kinds of audit entries that only `control` may write."""
SENT: Final = ("sent", "dead", "denied")
"""Kinds that only `github` and `control` may write."""


def _in(column: str, values: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"


# (table, process, command, rows): which rows a right is about. `control` has every row, and everybody may read every row.
ROWS: Final[tuple[tuple[str, str, str, str], ...]] = (
    # Else a worker could settle the look-up that an approval rests on.
    ("jobs", "agents", "UPDATE", _in("queue", AGENT_QUEUES)),
    ("jobs", "github", "UPDATE", _in("queue", (GITHUB,))),
    # What gates and approvals are about is named by control alone.
    ("artifacts", "agents", "INSERT", "kind <> 'subject'"),
    ("audit", "agents", "INSERT", f"NOT ({_in('kind', (*DECIDED, *SENT))})"),
    ("audit", "github", "INSERT", f"NOT ({_in('kind', DECIDED)})"),
)
# A table that may be read, or updated, has_column_privilege says so of each of its columns.
_HELD: Final = """
SELECT c.relname, a.attname, p.named FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('REFERENCES')) AS p(named)
  WHERE c.relnamespace = current_schema()::text::regnamespace AND c.relname = ANY(:tables)
  AND has_column_privilege(CAST(:role AS name), c.oid, a.attnum, p.named)
UNION ALL
SELECT c.relname, '', p.named FROM pg_class c
  CROSS JOIN (VALUES ('DELETE'), ('TRUNCATE'), ('TRIGGER')) AS p(named)
  WHERE c.relnamespace = current_schema()::text::regnamespace AND c.relname = ANY(:tables)
  AND has_table_privilege(CAST(:role AS name), c.oid, p.named)
"""

Held: TypeAlias = frozenset[tuple[str, str, str]]
"""(table, column or "" for the whole table, what may be done)."""


def role_of(process: str) -> str:
    """The group role whose members the process's database users are."""
    return f"conductor_{process}"


def fingerprint() -> str:
    """Sixteen hex digits that stand for all of `RIGHTS` and `ROWS`."""
    return hashlib.sha256(repr((RIGHTS, ROWS)).encode()).hexdigest()[:16]


def wanted(process: str) -> Held:
    """What the table of rights gives a process, column by column."""
    found: set[tuple[str, str, str]] = {(VERSION_TABLE, "version_num", "SELECT")}
    for table, right in RIGHTS[process].items():
        names = tuple(metadata.tables[table].columns.keys())
        found |= {(table, name, "SELECT") for name in (names if right.read == ALL else right.read)}
        found |= {(table, name, "INSERT") for name in names if right.insert}
        found |= {(table, name, "UPDATE") for name in right.update}
    return frozenset(found)


def held(connection: sa.Connection, role: str) -> Held:
    """What a role may do with our tables in truth, by itself, as a member or as their owner."""
    asked = {"role": role, "tables": [*metadata.tables, VERSION_TABLE]}
    return frozenset((str(row[0]), str(row[1]), str(row[2])) for row in connection.execute(sa.text(_HELD), asked))


@dataclass(frozen=True, slots=True)
class Standing:
    """How a database user stands to the rights of a process. ``more`` and ``less``: what it may beyond them, and may not."""

    user: str
    more: tuple[str, ...]
    less: tuple[str, ...]


def standing(connection: sa.Connection, process: str) -> Standing:
    """Compare what this connection's user may do with what the process is meant to."""
    user, above, owns, temporary = connection.execute(
        sa.text(
            "SELECT current_user, rolsuper OR rolcreaterole OR rolbypassrls OR rolreplication,"
            " EXISTS (SELECT 1 FROM pg_class WHERE relnamespace = current_schema()::text::regnamespace"
            " AND relname = ANY(:tables) AND pg_has_role(current_user, relowner, 'USAGE')),"
            " has_database_privilege(current_database(), 'TEMP') FROM pg_roles WHERE rolname = current_user"
        ),
        {"tables": [*metadata.tables, VERSION_TABLE]},
    ).one()
    has, should = held(connection, str(user)), wanted(process)
    told = ((above, "stands above all rights (superuser or the like)"), (owns, "owns the tables"))
    more = [words for true, words in (*told, (temporary, "may make temporary tables")) if true]
    return Standing(str(user), (*more, *_in_words(has - should)), _in_words(should - has))


def _in_words(rights: Held) -> tuple[str, ...]:
    """``UPDATE runs``, each verb and table once."""
    return tuple(sorted({f"{verb} {table}" for table, _, verb in rights}))


def add_login(connection: sa.Connection, process: str, user: str, password: str) -> None:
    """A database user with the rights of one process; as deploy/postgres/users.sh makes them for a deployment."""
    driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]  # psycopg's
    named = {"user": sql.Identifier(user), "password": sql.Literal(password), "role": sql.Identifier(role_of(process))}
    driver.execute(sql.SQL("CREATE ROLE {user} LOGIN PASSWORD {password} IN ROLE {role}").format(**named))


def may_change_tables(connection: sa.Connection) -> bool:
    """Whether this user may migrate: it owns the tables (or is in the role that does), or may make the first ones."""
    if connection.dialect.name != "postgresql":
        return True
    owns = connection.scalar(
        sa.text(
            "SELECT pg_has_role(current_user, relowner, 'USAGE') FROM pg_class"
            " WHERE relnamespace = current_schema()::text::regnamespace AND relname = :name"
        ),
        {"name": VERSION_TABLE},
    )
    if owns is None:
        owns = connection.scalar(sa.text("SELECT has_schema_privilege(current_schema(), 'CREATE')"))
    return bool(owns)


def lay_down(connection: sa.Connection) -> None:
    """Make the group roles that are missing, and grant each exactly its rights over the tables that there are.

    For a migration of this or a later release, by the tables' owner. Raises ``SettingsError`` when roles are missing and
    this user may not make them.
    """
    _make_roles(connection)
    _close_the_database(connection)
    inspector = sa.inspect(connection)
    there = {name: {str(one["name"]) for one in inspector.get_columns(name)} for name in inspector.get_table_names()}
    ours = ", ".join(name for name in (*metadata.tables, VERSION_TABLE) if name in there)
    roles = ", ".join(role_of(process) for process in RIGHTS)
    connection.exec_driver_sql(f"REVOKE ALL ON TABLE {ours} FROM {roles}, PUBLIC")
    connection.exec_driver_sql(f"GRANT SELECT ON TABLE {VERSION_TABLE} TO {roles}")
    for process, rights in RIGHTS.items():
        for table, right in rights.items():
            if table in there:
                for grant in _grants(connection, table, right, there[table]):
                    connection.exec_driver_sql(f"GRANT {grant} TO {role_of(process)}")
    _lay_down_rows(connection, there)


def _make_roles(connection: sa.Connection) -> None:
    roles = [role_of(process) for process in RIGHTS]
    known = set(
        connection.scalars(sa.text("SELECT rolname FROM pg_roles WHERE rolname = ANY(:roles)"), {"roles": roles})
    )
    missing = [role for role in roles if role not in known]
    if not missing:
        return
    may = "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
    if not connection.scalar(sa.text(may)):
        raise SettingsError(
            f"PostgreSQL lacks the role {missing[0]} and this user may not create roles: run deploy/postgres/users.sh as a"
            " superuser once, then start again",
            {"role": missing[0]},
        )
    for role in missing:
        # Roles are the server's: another database of it may be migrating at the same time.
        connection.exec_driver_sql(
            f"DO $make$ BEGIN CREATE ROLE {role} NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;"
            " END $make$"
        )


def _close_the_database(connection: sa.Connection) -> None:
    """Nobody but the owner makes objects: a temporary table could stand before one that a trigger reads."""
    roles = ", ".join(role_of(process) for process in RIGHTS)
    name, schema, ours = connection.execute(
        sa.text(
            "SELECT quote_ident(datname), quote_ident(current_schema()), pg_has_role(current_user, datdba, 'USAGE')"
            " FROM pg_database WHERE datname = current_database()"
        )
    ).one()
    connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {roles}")
    # Where the database is another's, its owner has to do it; `conductor doctor` says so.
    if ours:
        connection.exec_driver_sql(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
        connection.exec_driver_sql(f"GRANT CONNECT ON DATABASE {name} TO {roles}")
        connection.exec_driver_sql(f"REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC")


def _grants(connection: sa.Connection, table: str, right: Right, columns: set[str]) -> Iterator[str]:
    for verb, names in (("SELECT", right.read), ("UPDATE", right.update)):
        if names == ALL:
            yield f"{verb} ON TABLE {table}"
        elif here := [name for name in names if name in columns]:
            yield f"{verb} ({', '.join(here)}) ON TABLE {table}"
    if right.insert:
        yield f"INSERT ON TABLE {table}"
        numbers = "id" in columns and connection.scalar(
            sa.text("SELECT pg_get_serial_sequence(:table, 'id')"), {"table": table}
        )
        if numbers:
            yield f"USAGE ON SEQUENCE {numbers}"


def _lay_down_rows(connection: sa.Connection, there: dict[str, set[str]]) -> None:
    bounded = dict.fromkeys(row[0] for row in ROWS if row[0] in there)
    for table, name in _policies(connection):
        connection.exec_driver_sql(f"DROP POLICY {name} ON {table}")
        if table not in bounded:
            connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    for table in bounded:
        connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        _policy(connection, table, "read", "SELECT TO PUBLIC USING (true)")
        _policy(connection, table, "control", f"ALL TO {role_of('control')} USING (true) WITH CHECK (true)")
    for table, process, command, rows in ROWS:
        if table in there:
            condition = f"WITH CHECK ({rows})" if command == "INSERT" else f"USING ({rows}) WITH CHECK ({rows})"
            _policy(connection, table, process, f"{command} TO {role_of(process)} {condition}")


def _policies(connection: sa.Connection) -> list[tuple[str, str]]:
    asked = sa.text(
        "SELECT tablename, policyname FROM pg_policies WHERE schemaname = current_schema() AND tablename = ANY(:tables)"
    )
    return [(str(row[0]), str(row[1])) for row in connection.execute(asked, {"tables": [*metadata.tables]})]


def _policy(connection: sa.Connection, table: str, whose: str, rest: str) -> None:
    connection.exec_driver_sql(f"CREATE POLICY {table}_{whose} ON {table} FOR {rest}")
