"""Durable work: claimed by one conditional update that reads the stop switches, settled under a fence."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa

from bot.adapters.storage.rows import Link, LockKind, Query, columns_of, values_of
from bot.adapters.storage.stops import run_stopped, runs_on
from bot.adapters.tables import QUEUED, RUNNING, deliveries, jobs, outbox
from bot.domain.errors import InternalError, StaleFence
from bot.domain.jobs import JobKind
from bot.ports.records import Job
from bot.ports.storage import LEASED

_COLUMNS = columns_of(jobs, Job)
_NOW = sa.bindparam("at_now", type_=sa.BigInteger)
_FREE: dict[str, Any] = {"lease_owner": "", "lease_until": 0}
# The tables that know leases, and which of their rows are held.
_LEASED = {
    "jobs": (jobs, RUNNING),
    "deliveries": (deliveries, "state = 'received'"),
    "outbox": (outbox, "state = 'sending'"),
}


def _may_run() -> sa.ColumnElement[bool]:
    """No stop stands over the job's run and it is not paused; a job without a run passes, else nobody could resume.

    A paused run still learns that its pull request was merged or closed.
    """
    halted = run_stopped(jobs.c.run_id)
    goes = sa.or_(runs_on(jobs.c.run_id), jobs.c.kind == JobKind.PULL_STATE.value)
    return sa.or_(jobs.c.run_id.is_(None), sa.and_(sa.not_(halted), goes))


@cache
def _claim(kinds: frozenset[str] | None) -> Any:
    """For each set of kinds one, kept; a process has one set. As one parameter the set would be written out at every use."""
    queued = sa.and_(jobs.c.state == "queued", jobs.c.not_before <= _NOW)
    left = sa.and_(jobs.c.state == "running", jobs.c.lease_until <= _NOW)
    update = sa.update(jobs).where(jobs.c.id == sa.bindparam("job_id"), sa.or_(queued, left), _may_run())
    if kinds is not None:
        update = update.where(sa.or_(sa.false(), *(jobs.c.kind == str(kind) for kind in sorted(kinds))))
    update = update.values(
        state="running",
        lease_owner=sa.bindparam("owner"),
        lease_until=sa.bindparam("until"),
        fence=jobs.c.fence + 1,
        attempts=jobs.c.attempts + 1,
    )
    return update.returning(*_COLUMNS)


def _due(state: str, since: sa.Column[int], *order: sa.Column[int]) -> sa.Select[Any]:
    found = sa.select(jobs.c.id, jobs.c.queue).where(sa.text(state), since <= _NOW, _may_run())
    return found.order_by(*order).limit(sa.bindparam("at_most", type_=sa.Integer))


# Built once: to put such a statement together takes longer than the database takes to answer it.
_LEFT = _due(RUNNING, jobs.c.lease_until, jobs.c.lease_until)
_QUEUED = _due(QUEUED, jobs.c.not_before, jobs.c.not_before, jobs.c.created_at)


_GET = Query(Job, jobs, "id")
_BY_KEY = Query(Job, jobs, "key")
_OF_RUN = Query(Job, jobs, "run_id", order=(jobs.c.created_at, jobs.c.id))


class SqlJobs:
    """`bot.ports.storage.Jobs`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def add(self, job: Job) -> bool:
        return self._link.insert_new(jobs, values_of(job))

    def get(self, job_id: str) -> Job | None:
        return self._link.one(Job, _GET.statement, {"id": job_id})

    def by_key(self, key: str) -> Job | None:
        return self._link.first(_BY_KEY, key=key)

    def of_run(self, run_id: str) -> list[Job]:
        """Oldest first."""
        return self._link.every(_OF_RUN, run_id=run_id)

    def of_delivery(self, delivery_id: str) -> list[Job]:
        """Oldest first."""
        found = sa.select(*_COLUMNS).where(jobs.c.delivery_id == delivery_id)
        return self._link.all(Job, found.order_by(jobs.c.created_at, jobs.c.id))

    def release(self, job_id: str) -> None:
        update = sa.update(jobs).where(jobs.c.id == job_id, jobs.c.state == "waiting")
        self._link.run(update.values(state="queued"))

    def hurry(self, job_id: str) -> None:
        queued = sa.update(jobs).where(jobs.c.id == job_id, jobs.c.state == "queued")
        self._link.run(queued.values(not_before=0))

    def claim(
        self, job_id: str, *, owner: str, now: int, lease_ms: int, kinds: Collection[str] | None = None
    ) -> Job | None:
        """The shared lock makes a stop wait for claims under way: when it commits, none that did not see it is left."""
        self._link.lock(LockKind.SWITCHES, shared=True)
        asked = {"job_id": job_id, "owner": owner, "until": now + lease_ms, "at_now": now}
        return self._link.one(Job, _claim(None if kinds is None else frozenset(kinds)), asked)

    def renew(self, job_id: str, *, fence: int, until: int) -> None:
        self._held(job_id, fence, {"lease_until": until})

    def settle(
        self,
        job_id: str,
        *,
        fence: int,
        state: str,
        now: int,
        result: dict[str, Any] | None = None,
        reason: str = "",
        not_before: int = 0,
        spend_attempt: bool = True,
    ) -> None:
        """A claim counts as an attempt, so that a job that kills its worker is counted; waiting gives it back."""
        ended = state not in ("queued", "waiting")
        new: dict[str, Any] = {"state": state, "reason": reason, "not_before": not_before, **_FREE}
        new["done_at"] = now if ended else 0
        if result is not None:
            new["result"] = result
        if not spend_attempt:
            new["attempts"] = jobs.c.attempts - 1
        self._held(job_id, fence, new)

    def _held(self, job_id: str, fence: int, new: dict[str, Any]) -> None:
        update = sa.update(jobs).where(jobs.c.id == job_id, jobs.c.fence == fence, jobs.c.state == "running")
        if self._link.changed(update.values(new)) != 1:
            raise StaleFence(
                f"Job {job_id} is no longer held under fence {fence}; its result is dropped.",
                {"job": job_id, "fence": str(fence)},
            )

    def cancel(self, run_id: str, reason: str) -> int:
        """Running ones end too: their next heartbeat and their result meet a newer fence."""
        open_states = jobs.c.state.in_(("waiting", "queued", "running"))
        update = sa.update(jobs).where(jobs.c.run_id == run_id, open_states)
        return self._link.changed(
            update.values(state="cancelled", reason=reason, fence=jobs.c.fence + 1, not_before=0, **_FREE)
        )

    def due(self, now: int, limit: int) -> list[tuple[str, str]]:
        """Abandoned ones first, then by due time and age; what a stop or a pause holds is left out, so it starves nobody."""
        found = self._link.run(_LEFT, {"at_now": now, "at_most": limit}).all()
        if len(found) < limit:
            found = [*found, *self._link.run(_QUEUED, {"at_now": now, "at_most": limit - len(found)}).all()]
        return [(str(row[0]), str(row[1])) for row in found]

    def owners(self, among: Sequence[str] = LEASED) -> list[str]:
        """Distinct, over those of the tables that know leases."""
        found: set[str] = set()
        for table, held in (_LEASED[name] for name in among):
            leased = sa.select(table.c.lease_owner).distinct().where(sa.text(held), table.c.lease_until > 0)
            found |= {str(one) for one in self._link.column(leased)}
        return sorted(found)

    def release_owner(self, owner_prefix: str, among: Sequence[str] = LEASED) -> int:
        """Expires what such owners hold in those tables."""
        if not owner_prefix:
            raise InternalError("Leases are released by their owner's prefix, and an empty one would be everybody's.")
        count = 0
        for table, held in (_LEASED[name] for name in among):
            # substr, as LIKE would read % and _ in the prefix and ignores case in SQLite.
            owned = sa.func.substr(table.c.lease_owner, 1, len(owner_prefix)) == owner_prefix
            update = sa.update(table).where(sa.text(held), table.c.lease_until > 0, owned)
            count += self._link.changed(update.values(lease_until=0))
        return count

    def let_go(self, owner: str, among: Sequence[str] = LEASED) -> int:
        """A row stays `sending`: what became of its request is unknown, and so it is looked up before it is sent again."""
        if not owner:
            raise InternalError("Leases are let go by their owner's name, and nobody's are everybody's.")
        count = 0
        for table, held in (_LEASED[name] for name in among):
            update = sa.update(table).where(sa.text(held), table.c.lease_until > 0, table.c.lease_owner == owner)
            new = {"lease_until": 0, "fence": table.c.fence + 1, "attempts": table.c.attempts - 1}
            count += self._link.changed(update.values(new))
        return count
