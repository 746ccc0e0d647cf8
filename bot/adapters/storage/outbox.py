"""The outbox: intended writes in order, one sender per installation, claimed under the switches (DESIGN section 8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from bot.adapters.storage.rows import ONE, Link, LockKind, Query, columns_of, locking, values_of
from bot.adapters.storage.runs import DRY_RUN
from bot.adapters.storage.stops import stands, stopped
from bot.adapters.tables import ANSWERS, ENDED, OPEN, READY, SENDING, UNDONE, installations, outbox, runs
from bot.domain.errors import InternalError, StaleFence
from bot.domain.subject import sha256_of
from bot.domain.writes import CONTENT, LABELS, is_answer
from bot.ports.records import OutboxRow

_COLUMNS = columns_of(outbox, OutboxRow)
_ENDS = frozenset({"denied", "confirmed", "dead"})


# Built once: to put such a statement together takes longer than the database takes to answer it.
_NOW = sa.bindparam("at_now", type_=sa.BigInteger)
_INSTALLATION = sa.bindparam("at_installation", type_=sa.BigInteger)


def _answers_stop() -> sa.ColumnElement[bool]:
    """The reaction on a stop command, told by its key: the one write while stopped. It waits behind no other row."""
    return sa.and_(outbox.c.kind == "reaction.add", outbox.c.dedupe_key.startswith("stop:", autoescape=True))


def _switched_off() -> sa.ColumnElement[bool]:
    return stopped(run_id=outbox.c.run_id, repository_key=sa.cast(outbox.c.repository_id, sa.Text))


def _waits_its_turn() -> sa.ColumnElement[bool]:
    """An earlier row of the same order key is undone."""
    earlier = outbox.alias("earlier")
    found = sa.select(sa.literal(1)).where(
        sa.text(UNDONE),  # unqualified names mean the innermost table, which is this one
        earlier.c.installation_id == outbox.c.installation_id,
        earlier.c.repository_id == outbox.c.repository_id,
        earlier.c.order_key == outbox.c.order_key,
        earlier.c.id < outbox.c.id,
        # What another run's own stop holds back is nobody else's wait.
        sa.or_(earlier.c.run_id == outbox.c.run_id, sa.not_(stands("run", earlier.c.run_id))),
    )
    return sa.and_(sa.not_(_answers_stop()), found.exists())


def _somebody_sends() -> sa.ColumnElement[bool]:
    """A row of the installation is on its way under a live lease; no row that goes is, so none counts itself.

    Asked of the parameter, as `_open` is: what is the same for every row is then asked once.
    """
    other = outbox.alias("other")
    found = sa.select(sa.literal(1)).where(
        sa.text(SENDING), other.c.installation_id == _INSTALLATION, other.c.lease_until > _NOW
    )
    return found.exists()


def _goes() -> sa.ColumnElement[bool]:
    """A case, not an OR: PostgreSQL would take the OR's parts to indices over all installations, and sort what it finds."""
    due = sa.case(
        (outbox.c.state == "allowed", outbox.c.not_before <= _NOW),
        (outbox.c.state == "sending", outbox.c.lease_until <= _NOW),
        else_=sa.false(),
    )
    return sa.and_(due, outbox.c.held == 0)


def _open(installation_id: Any) -> sa.ColumnElement[bool]:
    """The installation is not suspended, and GitHub did not ask it to wait."""
    found = sa.select(sa.literal(1)).where(
        installations.c.id == installation_id,
        installations.c.suspended.is_(False),
        installations.c.blocked_until <= _NOW,
    )
    return found.exists()


# Of the innermost table, and in the index's own words: with values in it no plan could tell that the index has them all.
_IS_ANSWER: sa.ColumnElement[Any] = sa.literal_column(f"({ANSWERS})")


def _awaited() -> sa.ColumnElement[bool]:
    """It answers somebody, or must go before a row of its order key that does."""
    behind = outbox.alias("behind")
    found = sa.select(sa.literal(1)).where(
        sa.text(UNDONE),
        behind.c.installation_id == outbox.c.installation_id,
        behind.c.repository_id == outbox.c.repository_id,
        behind.c.order_key == outbox.c.order_key,
        behind.c.id > outbox.c.id,
        _IS_ANSWER,
    )
    return sa.or_(_IS_ANSWER, found.exists())


def _next(those: sa.ColumnElement[bool] | None = None) -> sa.Select[Any]:
    goes = sa.and_(sa.not_(_waits_its_turn()), sa.or_(_answers_stop(), sa.not_(_switched_off())))
    found = sa.select(*_COLUMNS).where(
        sa.text(UNDONE),
        outbox.c.installation_id == _INSTALLATION,
        _goes(),
        _open(_INSTALLATION),
        sa.not_(_somebody_sends()),
        # A case, because in it the cheaper question comes first.
        goes if those is None else sa.case((those, goes), else_=sa.false()),
    )
    return found.order_by(outbox.c.id).limit(ONE)


def _claim(may_go: sa.ColumnElement[bool]) -> Any:
    update = sa.update(outbox).where(
        outbox.c.id == sa.bindparam("row_id"),
        outbox.c.installation_id == _INSTALLATION,
        outbox.c.payload_sha256 == sa.bindparam("hashed"),
        _goes(),
        _open(_INSTALLATION),
        sa.not_(_somebody_sends()),
        sa.not_(_waits_its_turn()),
        may_go,
    )
    update = update.values(
        state="sending",
        lease_owner=sa.bindparam("owner"),
        lease_until=sa.bindparam("until"),
        fence=outbox.c.fence + 1,
        attempts=outbox.c.attempts + 1,
    )
    return update.returning(*_COLUMNS)


_TURNS, _STEP = 65_521, 40_503
"""A prime and a factor that together scatter neighbours."""


def _due() -> sa.Select[Any]:
    ready = sa.select(outbox.c.installation_id).where(sa.text(READY), outbox.c.not_before <= _NOW)
    left = sa.select(outbox.c.installation_id).where(sa.text(SENDING), outbox.c.lease_until <= _NOW)
    either = sa.union(ready, left).subquery()
    found = sa.select(either.c.installation_id).where(_open(either.c.installation_id))
    # In another order each second: where more have rows than are asked for, each comes up.
    turn = (either.c.installation_id + _NOW // 1_000) * _STEP % _TURNS
    return found.order_by(turn, either.c.installation_id).limit(sa.bindparam("at_most", type_=sa.Integer))


def _any_answer() -> sa.ColumnElement[bool]:
    """Whether an answer waits at all: mostly none does, and then nobody need look for the one that goes first."""
    other = outbox.alias("answer")
    found = sa.select(sa.literal(1)).where(sa.text(UNDONE), other.c.installation_id == _INSTALLATION, _IS_ANSWER)
    return found.exists()


_OLDEST, _DUE = _next().add_columns(_any_answer()), _due()
# Whoever asks what goes next claims it: with its locks in the answer one trip to PostgreSQL is saved of four.
_OLDEST_AND_LOCKS = _OLDEST.add_columns(
    locking(sa.literal(LockKind.SWITCHES.first, sa.BigInteger), shared=True),
    locking(LockKind.SENDER.first + _INSTALLATION),
)
_NEXT_ANSWER = _next(_awaited())
_NEXT_BUT_LABELS = _next(outbox.c.kind.not_in(LABELS))
_NEXT_BUT_CONTENT = _next(outbox.c.kind.not_in(CONTENT))
_CLAIM = {True: _claim(_answers_stop()), False: _claim(sa.not_(_switched_off()))}


_GET = Query(OutboxRow, outbox, "id")
_BY_KEY = Query(OutboxRow, outbox, "dedupe_key")
_OF_RUN = Query(OutboxRow, outbox, "run_id", order=(outbox.c.seq,))


class SqlOutbox:
    """`bot.ports.storage.Outbox`."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._locked: set[int] = set()

    def add(self, row: OutboxRow) -> int | None:
        values = values_of(row, without=frozenset({"id"}))
        values["held"] = 0
        if row.run_id is not None:
            self._link.lock_row(runs, row.run_id)
            highest = self._link.value(sa.select(sa.func.max(outbox.c.seq)).where(outbox.c.run_id == row.run_id))
            values["seq"] = int(highest or 0) + 1
            mode = self._link.value(sa.select(runs.c.mode).where(runs.c.id == row.run_id))
            values["held"] = 1 if mode == DRY_RUN else 0
        return self._link.insert_id(outbox, values)

    def get(self, row_id: int) -> OutboxRow | None:
        return self._link.one(OutboxRow, _GET.statement, {"id": row_id})

    def by_key(self, dedupe_key: str) -> OutboxRow | None:
        return self._link.first(_BY_KEY, dedupe_key=dedupe_key)

    def of_run(self, run_id: str) -> list[OutboxRow]:
        """In order."""
        return self._link.every(_OF_RUN, run_id=run_id)

    def decide(
        self,
        row_id: int,
        *,
        decision: str,
        decision_sha256: str,
        policy_ids: list[str],
        policy_set_sha256: str,
        reason: str,
    ) -> None:
        """``allow`` or ``allowed`` allows, every other word denies. Raises ``InternalError`` for a row that is not staged."""
        update = sa.update(outbox).where(outbox.c.id == row_id, outbox.c.state == "staged")
        update = update.values(
            state="allowed" if decision in ("allow", "allowed") else "denied",
            decision=decision,
            decision_sha256=decision_sha256,
            policy_ids=policy_ids,
            policy_set_sha256=policy_set_sha256,
            reason=reason,
        )
        if self._link.changed(update) != 1:
            raise InternalError(
                f"Outbox row {row_id} is not staged, so no decision can be made about it.", {"row": str(row_id)}
            )

    def next(self, installation_id: int, now: int, *, content: bool = True) -> OutboxRow | None:
        """None while another row of the installation is on its way, or all that are left wait, are held or are stopped.

        The oldest, but answers to people before all else and labels after it, each kind by age.
        """
        asked = {"at_installation": installation_id, "at_now": now}
        if not content:
            return self._link.one(OutboxRow, _NEXT_BUT_CONTENT, asked)
        self._link.forget()
        found = self._link.run(_OLDEST_AND_LOCKS if self._link.is_postgres else _OLDEST, asked).first()
        if found is None:
            return None
        self._locked.add(installation_id)
        size = len(_COLUMNS)
        first, is_any_answer = OutboxRow(*found[:size]), found[size]
        if not is_answer(first.dedupe_key):
            awaited = self._link.one(OutboxRow, _NEXT_ANSWER, asked) if is_any_answer else None
            if awaited is None and first.kind in LABELS:
                awaited = self._link.one(OutboxRow, _NEXT_BUT_LABELS, asked)
            first = awaited or first
        self._link.keep(_GET, [first], id=first.id)
        return first

    def is_awaited(self, row_id: int) -> bool:
        return self._link.value(sa.select(outbox.c.id).where(outbox.c.id == row_id, _awaited())) is not None

    def claim(self, row_id: int, *, owner: str, now: int, lease_ms: int, answers_stop: bool) -> OutboxRow | None:
        """A row whose payload is no longer what was hashed ends as dead here. Only a reaction keyed ``stop:`` answers a stop."""
        stored = self._link.first(_GET, id=row_id)
        if stored is None:
            return None
        self._lock(stored.installation_id)
        hashed = sha256_of(stored.payload)
        asked = {"row_id": row_id, "hashed": hashed, "owner": owner, "until": now + lease_ms}
        asked |= {"at_installation": stored.installation_id, "at_now": now}
        claimed = self._link.one(OutboxRow, _CLAIM[answers_stop], asked)
        if claimed is None:
            self._bury_if_changed(row_id, hashed, now)
        return claimed

    def _lock(self, installation_id: int) -> None:
        """A stop waits for claims under way, and two senders of one installation must not both see nobody sending."""
        if installation_id not in self._locked:
            self._link.lock(LockKind.SWITCHES, shared=True)
            self._link.lock(LockKind.SENDER, installation_id)
            self._locked.add(installation_id)

    def _bury_if_changed(self, row_id: int, hashed: str, now: int) -> None:
        update = sa.update(outbox).where(outbox.c.id == row_id, outbox.c.payload_sha256 != hashed, _goes())
        why = "The stored payload is not the one that was hashed and decided; it is never sent."
        dead = update.values(state="dead", reason=why, fence=outbox.c.fence + 1, lease_owner="", lease_until=0)
        self._link.run(dead, {"at_now": now})

    def send_again(self, row_id: int, reason: str) -> bool:
        """The decision stays; the sender decides anew over fresh facts. What was unknown of earlier tries stays so."""
        ended = sa.and_(outbox.c.state.in_(("dead", "denied")), outbox.c.decision.in_(("allow", "allowed")))
        update = sa.update(outbox).where(outbox.c.id == row_id, ended, sa.func.length(outbox.c.payload) > 0)
        return self._link.changed(update.values(state="allowed", reason=reason)) == 1

    def renew(self, row_id: int, *, fence: int, until: int) -> None:
        self._held(row_id, fence, {"lease_until": until})

    def note(self, row_id: int, *, fence: int, response: dict[str, Any]) -> None:
        self._held(row_id, fence, {"response": response})

    def settle(
        self,
        row_id: int,
        *,
        fence: int,
        state: str,
        now: int,
        response: dict[str, Any] | None = None,
        github_id: str = "",
        github_url: str = "",
        reason: str = "",
        not_before: int = 0,
    ) -> None:
        new: dict[str, Any] = {"state": state, "reason": reason, "not_before": not_before}
        new |= {"lease_owner": "", "lease_until": 0}
        new |= {"confirmed_at": now} if state == "confirmed" else {}
        new |= {"response": response} if response is not None else {}
        new |= {"github_id": github_id} if github_id else {}
        new |= {"github_url": github_url} if github_url else {}
        self._held(row_id, fence, new)

    def _held(self, row_id: int, fence: int, new: dict[str, Any]) -> None:
        update = sa.update(outbox).where(outbox.c.id == row_id, outbox.c.fence == fence, outbox.c.state == "sending")
        if self._link.changed(update.values(new)) != 1:
            raise StaleFence(
                f"Outbox row {row_id} is no longer held under fence {fence}; its result is dropped.",
                {"row": str(row_id), "fence": str(fence)},
            )

    def due(self, now: int, limit: int) -> list[int]:
        """Those that may send now; whether a row of theirs is stopped or waits its turn, `next` says."""
        return [int(one) for one in self._link.column(_DUE, {"at_now": now, "at_most": limit})]

    def block(self, installation_id: int, until: int) -> None:
        """Never shortens a wait."""
        update = sa.update(installations).where(
            installations.c.id == installation_id, installations.c.blocked_until < until
        )
        self._link.run(update.values(blocked_until=until))

    def recent(self, *, states: Sequence[str] = (), limit: int = 100) -> list[OutboxRow]:
        """Newest first. One query a state, so that each walks its own index and stops at ``limit``."""
        newest = sa.select(*_COLUMNS).order_by(outbox.c.id.desc()).limit(limit)
        if not states:
            return self._link.all(OutboxRow, newest)
        found: list[OutboxRow] = []
        for state in set(states):
            of_state = newest.where(outbox.c.state == state, sa.text(ENDED if state in _ENDS else OPEN))
            found += self._link.all(OutboxRow, of_state)
        return sorted(found, key=lambda row: row.id, reverse=True)[:limit]
