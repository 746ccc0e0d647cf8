"""The inbox: deliveries are stored before they are acknowledged and take effect once (I11)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from bot.adapters.storage.rows import Link, Query, columns_of, values_of
from bot.adapters.tables import HELD, RECEIVED, deliveries
from bot.domain.errors import StaleFence
from bot.ports.records import Delivery

_COLUMNS = columns_of(deliveries, Delivery)
# SQLite takes 32,766 parameters a statement; GitHub lists a hundred deliveries a page.
_IDS_AT_ONCE = 1000
COMMENTS, LABELS = "issue_comment", "issues"
_BY_AGE = (deliveries.c.received_at, deliveries.c.id)
_NOW = sa.bindparam("at_now", type_=sa.BigInteger)
_AT_MOST = sa.bindparam("at_most", type_=sa.Integer)
REARMED: dict[str, Any] = {"state": "received", "attempts": 0, "not_before": 0, "reason": ""}


def _due(*those: sa.ColumnElement[bool]) -> sa.Select[tuple[str]]:
    """Of one turn, oldest first, so that the index is walked and left at the limit: sorting would read all that wait."""
    due = (sa.text(RECEIVED), deliveries.c.not_before <= _NOW, deliveries.c.lease_until <= _NOW)
    return sa.select(deliveries.c.id).where(*due, *those).order_by(*_BY_AGE).limit(_AT_MOST)


_TURNS = (
    _due(deliveries.c.event == COMMENTS),
    _due(deliveries.c.event.not_in((COMMENTS, LABELS))),
    _due(deliveries.c.event == LABELS),
)
_NAMED = sa.bindparam("delivery_id", type_=sa.Text)
_BEFORE = _due(
    _NAMED.in_(sa.select(deliveries.c.id).where(deliveries.c.id == _NAMED, deliveries.c.event == LABELS)),
    deliveries.c.event == COMMENTS,
)


def _claim() -> Any:
    update = sa.update(deliveries).where(
        deliveries.c.id == _NAMED,
        deliveries.c.state == "received",
        deliveries.c.not_before <= _NOW,
        deliveries.c.lease_until <= _NOW,
    )
    update = update.values(
        lease_owner=sa.bindparam("owner"),
        lease_until=sa.bindparam("until"),
        fence=deliveries.c.fence + 1,
        attempts=deliveries.c.attempts + 1,
    )
    return update.returning(*_COLUMNS)


_GET = Query(Delivery, deliveries, "id")
_CLAIM = _claim()
_UNSETTLED = ("received", "waiting")


def _in_state(state: str) -> list[sa.ColumnElement[bool]]:
    """With the predicate of the index that holds such rows, where one does."""
    named = {"received": RECEIVED} | dict.fromkeys(("waiting", "dead"), HELD)
    is_it = deliveries.c.state == state
    return [sa.and_(sa.text(named[state]), is_it) if state in named else is_it]


class SqlDeliveries:
    """`bot.ports.storage.Deliveries`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def add(self, delivery: Delivery) -> bool:
        """True when new; a dead one is armed again and is still not new."""
        if self._link.insert_new(deliveries, values_of(delivery)):
            return True
        dead = sa.update(deliveries).where(deliveries.c.id == delivery.id, deliveries.c.state == "dead")
        self._link.run(dead.values(REARMED))
        return False

    def get(self, delivery_id: str) -> Delivery | None:
        return self._link.one(Delivery, _GET.statement, {"id": delivery_id})

    def claim(self, delivery_id: str, *, owner: str, now: int, lease_ms: int) -> Delivery | None:
        """One conditional update; the loser of a race changes no row."""
        asked = {"delivery_id": delivery_id, "owner": owner, "until": now + lease_ms, "at_now": now}
        return self._link.one(Delivery, _CLAIM, asked)

    def settle(
        self,
        delivery_id: str,
        *,
        fence: int,
        state: str,
        reason: str = "",
        not_before: int = 0,
        installation_id: int | None = None,
        repository_id: int | None = None,
    ) -> None:
        """The fence is checked in the same update; a settled delivery has no owner and cannot be settled again."""
        update = sa.update(deliveries).where(
            deliveries.c.id == delivery_id, deliveries.c.fence == fence, deliveries.c.lease_owner != ""
        )
        new: dict[str, Any] = {"state": state, "reason": reason, "not_before": not_before}
        new |= {"lease_owner": "", "lease_until": 0}
        if installation_id is not None:
            new["installation_id"] = installation_id
        if repository_id is not None:
            new["repository_id"] = repository_id
        if self._link.changed(update.values(new)) != 1:
            raise StaleFence(
                f"Delivery {delivery_id} is no longer held under fence {fence}; its result is dropped.",
                {"delivery": delivery_id, "fence": str(fence)},
            )

    def rearm(self, delivery_id: str) -> None:
        """Waiting back to received, due now."""
        update = sa.update(deliveries).where(deliveries.c.id == delivery_id, deliveries.c.state == "waiting")
        self._link.run(update.values(state="received", not_before=0, lease_owner="", lease_until=0))

    def due(self, now: int, limit: int) -> list[str]:
        """Comments first, since commands stand in them; labels, which start runs, last."""
        found: list[str] = []
        for turn in _TURNS:
            if len(found) < limit:
                found += self._link.column(turn, {"at_now": now, "at_most": limit - len(found)})
        return found

    def before(self, delivery_id: str, now: int, limit: int) -> list[str]:
        """One query: most deliveries are no label's, and nothing goes before them."""
        return self._link.column(_BEFORE, {"delivery_id": delivery_id, "at_now": now, "at_most": limit})

    def recent(self, *, states: Sequence[str] = (), limit: int = 100) -> list[Delivery]:
        """Those that are received, waiting or dead walk an index; the others are read whole."""
        newest = sa.select(*_COLUMNS).order_by(deliveries.c.received_at.desc(), deliveries.c.id).limit(limit)
        if not states:
            return self._link.all(Delivery, newest)
        found = [one for state in set(states) for one in self._link.all(Delivery, newest.where(*_in_state(state)))]
        return sorted(found, key=lambda one: (-one.received_at, one.id))[:limit]

    def unsettled(self) -> int:
        counts = (sa.select(sa.func.count()).select_from(deliveries).where(*_in_state(one)) for one in _UNSETTLED)
        return sum(int(self._link.value(count)) for count in counts)

    def known(self, ids: Sequence[str]) -> set[str]:
        """Asked in pieces that fit into one statement."""
        found: set[str] = set()
        for start in range(0, len(ids), _IDS_AT_ONCE):
            piece = list(ids[start : start + _IDS_AT_ONCE])
            found.update(self._link.column(sa.select(deliveries.c.id).where(deliveries.c.id.in_(piece))))
        return found
