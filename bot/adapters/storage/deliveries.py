"""The inbox: deliveries are stored before they are acknowledged and take effect once (I11)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from bot.adapters.storage.rows import Link, columns_of, values_of
from bot.adapters.tables import RECEIVED, deliveries
from bot.domain.errors import StaleFence
from bot.ports.records import Delivery

_COLUMNS = columns_of(deliveries, Delivery)
# SQLite takes 32,766 parameters a statement; GitHub lists a hundred deliveries a page.
_IDS_AT_ONCE = 1000
COMMENTS, LABELS = "issue_comment", "issues"
_TURN = sa.case((deliveries.c.event == COMMENTS, 0), (deliveries.c.event == LABELS, 2), else_=1)
_BY_AGE = (deliveries.c.received_at, deliveries.c.id)
REARMED: dict[str, Any] = {"state": "received", "attempts": 0, "not_before": 0, "reason": ""}


def _due(now: int) -> sa.Select[tuple[str]]:
    return sa.select(deliveries.c.id).where(
        sa.text(RECEIVED), deliveries.c.not_before <= now, deliveries.c.lease_until <= now
    )


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
        return self._link.one(Delivery, sa.select(*_COLUMNS).where(deliveries.c.id == delivery_id))

    def claim(self, delivery_id: str, *, owner: str, now: int, lease_ms: int) -> Delivery | None:
        """One conditional update; the loser of a race changes no row."""
        update = sa.update(deliveries).where(
            deliveries.c.id == delivery_id,
            deliveries.c.state == "received",
            deliveries.c.not_before <= now,
            deliveries.c.lease_until <= now,
        )
        update = update.values(
            lease_owner=owner,
            lease_until=now + lease_ms,
            fence=deliveries.c.fence + 1,
            attempts=deliveries.c.attempts + 1,
        )
        return self._link.one(Delivery, update.returning(*_COLUMNS))

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
        return self._link.column(_due(now).order_by(_TURN, *_BY_AGE).limit(limit))

    def before(self, delivery_id: str, now: int, limit: int) -> list[str]:
        """One query: most deliveries are no label's, and nothing goes before them."""
        mine = sa.select(deliveries.c.id).where(deliveries.c.id == delivery_id, deliveries.c.event == LABELS)
        found = _due(now).where(sa.literal(delivery_id).in_(mine), deliveries.c.event == COMMENTS)
        return self._link.column(found.order_by(*_BY_AGE).limit(limit))

    def recent(self, *, states: Sequence[str] = (), limit: int = 100) -> list[Delivery]:
        found = sa.select(*_COLUMNS).order_by(deliveries.c.received_at.desc(), deliveries.c.id).limit(limit)
        return self._link.all(Delivery, found.where(deliveries.c.state.in_(states)) if states else found)

    def unsettled(self) -> int:
        open_ones = deliveries.c.state.in_(("received", "waiting"))
        return int(self._link.value(sa.select(sa.func.count()).select_from(deliveries).where(open_ones)))

    def known(self, ids: Sequence[str]) -> set[str]:
        """Asked in pieces that fit into one statement."""
        found: set[str] = set()
        for start in range(0, len(ids), _IDS_AT_ONCE):
            piece = list(ids[start : start + _IDS_AT_ONCE])
            found.update(self._link.column(sa.select(deliveries.c.id).where(deliveries.c.id.in_(piece))))
        return found
