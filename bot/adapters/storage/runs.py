"""Runs and how they are found; their law is in ``law.py``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from bot.adapters.storage.law import SqlLaw
from bot.adapters.storage.places import REPOSITORY
from bot.adapters.storage.rows import ONE, LockKind, Query, columns_of, values_of
from bot.adapters.storage.stops import stands
from bot.adapters.tables import LIVING, outbox, repositories, runs
from bot.domain.errors import InternalError, StaleFence
from bot.domain.workflow import QUEUED, holds_slot
from bot.ports.records import Repository, Run

_COLUMNS = columns_of(runs, Run)
# The database writes state*, the journal writes money, and what a run is for never changes.
_MUTABLE = (
    "branch", "updated_at", "paused", "mode", "risk", "snapshot_sha256", "budget_micro_dollars", "halted_from",
    "halt_reason", "rounds", "known", "wakes_at",
)  # fmt: skip
DRY_RUN = "dry-run"


def _pull_number(run: Run) -> int | None:
    pull = run.known.get("pull")
    return pull if isinstance(pull, int) and not isinstance(pull, bool) and pull > 0 else None


_GET = Query(Run, runs, "id")
_LOCK = _GET.statement.with_for_update()
_WIDTH = len(_COLUMNS)


def _newest(*those: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Built once, as are those that routing asks: to put a statement together takes longer than the answer."""
    found = sa.select(*_COLUMNS, *columns_of(repositories, Repository))
    found = found.select_from(runs.join(repositories, repositories.c.id == runs.c.repository_id)).where(*those)
    newest = found.order_by(runs.c.created_at.desc(), runs.c.id.desc())
    return newest.limit(sa.bindparam("at_most", type_=sa.Integer))


_NEWEST = _newest()
_OF_STATE = _newest(runs.c.state == sa.bindparam("state", type_=sa.Text))
_LAST = (runs.c.created_at.desc(), runs.c.id.desc())
_OF_BRANCH = Query(Run, runs, "repository_id", "branch", order=_LAST, limit=ONE)
_OF_PULL = Query(Run, runs, "repository_id", "pull_number", order=_LAST, limit=ONE)
_OF_ISSUE = Query(Run, runs, "repository_id", "issue_number", order=(runs.c.created_at, runs.c.id))


class SqlRuns(SqlLaw):
    """`bot.ports.storage.Runs`."""

    def add(self, run: Run) -> None:
        """Store; the database refuses a second living run of one issue."""
        self._link.run(sa.insert(runs).values(**values_of(run), pull_number=_pull_number(run)))

    def get(self, run_id: str) -> Run | None:
        return self._link.one(Run, _GET.statement, {"id": run_id})

    def lock(self, run_id: str) -> Run | None:
        """SQLite drops FOR UPDATE: its write transaction is already the only one."""
        self._link.forget()
        return self._link.one(Run, _LOCK, {"id": run_id})

    def save(self, run: Run) -> Run:
        """Money and ``state*`` come back as the database has them, ``version`` one higher."""
        if run.paused:
            # After this commits no claim that saw the run running can still be under way.
            self._link.lock(LockKind.SWITCHES)
        update = sa.update(runs).where(runs.c.id == run.id, runs.c.version == run.version)
        new: dict[str, Any] = {name: getattr(run, name) for name in _MUTABLE}
        new |= {"version": runs.c.version + 1, "pull_number": _pull_number(run)}
        stored = self._link.one(Run, update.values(new).returning(*_COLUMNS))
        if stored is None:
            raise StaleFence(
                f"Run {run.id} has changed since version {run.version} was read; read it again.",
                {"run": run.id, "version": str(run.version)},
            )
        held = 1 if run.mode == DRY_RUN else 0
        undone = outbox.c.state.in_(("staged", "allowed"))
        rows = sa.update(outbox).where(outbox.c.run_id == run.id, outbox.c.held != held, undone)
        self._link.run(rows.values(held=held))
        return stored

    def of_issue(self, repository_id: int, issue_number: int) -> list[Run]:
        """Oldest first."""
        asked = {"repository_id": repository_id, "issue_number": issue_number}
        return self._link.all(Run, _OF_ISSUE.statement, asked)

    def of_branch(self, repository_id: int, branch: str) -> Run | None:
        """The newest with that branch."""
        return self._link.one(Run, _OF_BRANCH.statement, {"repository_id": repository_id, "branch": branch})

    def of_pull(self, repository_id: int, pull: int) -> Run | None:
        """The newest with that pull request."""
        return self._link.one(Run, _OF_PULL.statement, {"repository_id": repository_id, "pull_number": pull})

    def holding_slots(self, repository_id: int) -> list[str]:
        """What holds a slot is the domain's to say."""
        working = runs.c.state != QUEUED
        return [run_id for run_id, state in self._living(repository_id, working) if holds_slot(state)]

    def waiting_for_slot(self, repository_id: int) -> list[str]:
        """One that may not begin now would keep a free slot from those behind it."""
        may_begin = sa.and_(runs.c.paused.is_(False), sa.not_(stands("run", runs.c.id)))
        return [run_id for run_id, state in self._living(repository_id, may_begin) if state == QUEUED]

    def _living(self, repository_id: int, *those: sa.ColumnElement[bool]) -> list[tuple[str, str]]:
        found = sa.select(runs.c.id, runs.c.state).where(runs.c.repository_id == repository_id, sa.text(LIVING), *those)
        rows = self._link.run(found.order_by(runs.c.created_at, runs.c.id)).all()
        return [(str(row[0]), str(row[1])) for row in rows]

    def started_today(self, repository_id: int, requester_id: int, since: int) -> int:
        """Cancelled ones count too."""
        found = sa.select(sa.func.count()).where(
            runs.c.repository_id == repository_id, runs.c.requester_id == requester_id, runs.c.created_at >= since
        )
        return int(self._link.value(found))

    def revised_today(self, repository_id: int, person_id: int, since: int) -> int:
        """Over all runs of the repository that changed since, those that have ended too: they are few."""
        found = sa.select(runs.c.known).where(runs.c.repository_id == repository_id, runs.c.updated_at >= since)
        asked = [one for row in self._link.run(found).all() for one in row[0].get("revises", [])]
        return sum(1 for one in asked if one["by"] == str(person_id) and one["at"] >= since)

    def wake(self, run_id: str, at: int) -> None:
        later = sa.or_(runs.c.wakes_at == 0, runs.c.wakes_at > at)
        update = sa.update(runs).where(runs.c.id == run_id, later)
        self._link.run(update.values(wakes_at=at))

    def living_of_repository(self, repository_id: int) -> list[Run]:
        """Oldest first."""
        found = sa.select(*_COLUMNS).where(runs.c.repository_id == repository_id, sa.text(LIVING))
        return self._link.all(Run, found.order_by(runs.c.created_at, runs.c.id))

    def due(self, now: int, limit: int) -> list[str]:
        """Earliest first."""
        found = sa.select(runs.c.id).where(sa.text("wakes_at > 0"), runs.c.wakes_at <= now)
        return self._link.column(found.order_by(runs.c.wakes_at).limit(limit))

    def recent(self, *, states: Sequence[str] = (), limit: int = 100) -> list[Run]:
        """Newest first, and each one's repository with it: whoever lists runs names their places.

        One query a state, so that each walks its own index and stops at ``limit``.
        """
        if limit < 1:
            raise InternalError(f"A list of {limit} runs cannot be read: ask for at least one.")
        if not states:
            return self._listed(_NEWEST, {"at_most": limit})
        found = [run for state in set(states) for run in self._listed(_OF_STATE, {"state": state, "at_most": limit})]
        return sorted(found, key=lambda run: (run.created_at, run.id), reverse=True)[:limit]

    def _listed(self, statement: sa.Select[Any], asked: dict[str, Any]) -> list[Run]:
        rows = self._link.run(statement, asked).all()
        for place in {tuple(row[_WIDTH:]) for row in rows}:
            repository = Repository(*place)
            self._link.keep(REPOSITORY, [repository], id=repository.id)
        return [Run(*row[:_WIDTH]) for row in rows]
