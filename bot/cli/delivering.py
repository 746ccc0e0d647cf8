"""The command that shows what GitHub told us and what became of it, and takes again what could not be worked off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from bot.cli.inspecting import Limit, refuse_unknown
from bot.cli.opening import opened, who
from bot.cli.showing import AsJson, as_json, table, when
from bot.domain.errors import UserError

if TYPE_CHECKING:
    from bot.bootstrap import Shell
    from bot.ports import records as r
    from bot.ports.storage import Transaction

STATES: Final = ("received", "waiting", "done", "ignored", "dead")
COLUMNS: Final = ("id", "event", "repository", "received", "state", "attempts", "reason")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(deliveries)


def deliveries(
    state: Annotated[list[str] | None, typer.Option(help="Only those in this state; may be given again.")] = None,
    retry: Annotated[str, typer.Option(help="Take this dead delivery again, from its first attempt on.")] = "",
    limit: Limit = 50,
    json: AsJson = False,
) -> None:
    """Deliveries, newest first; a dead one says why, and is taken again by `--retry` or by GitHub's own redelivery."""
    refuse_unknown(state, STATES)
    with opened() as parts:
        if retry:
            _take_again(parts, retry)
        with parts.storage.read() as tx:
            one = tx.deliveries.get(retry) if retry else None
            rows = [one] if one is not None else tx.deliveries.recent(states=tuple(state or ()), limit=limit)
            found = [_row(tx, row) for row in rows]
    if json:
        as_json(found)
    else:
        table("Deliveries", [row | {"received": when(row["received"])} for row in found], COLUMNS)


def _take_again(parts: Shell, name: str) -> None:
    """Raises ``UserError`` for a delivery that is not there or not dead."""
    with parts.storage.begin() as tx:
        delivery = tx.deliveries.get(name)
        if delivery is None or delivery.state != "dead":
            found = "not here" if delivery is None else delivery.state
            raise UserError(
                f"delivery {name} is {found}: only a dead one is taken again, and `conductor deliveries --state dead` lists them"
            )
        # As when GitHub sends it again: a known one is armed, and stays one.
        tx.deliveries.add(delivery)
        body = {"event": delivery.event, "state": "received", "reason": f"taken again by {who()}"}
        tx.journal.audit(at=parts.stopping.desk.clock.now(), kind="delivery", subject=name, body=body)


def _row(tx: Transaction, row: r.Delivery) -> dict[str, Any]:
    """Without the payload, which may hold what nobody at a terminal should see."""
    repository = None if row.repository_id is None else tx.places.repository(row.repository_id)
    return {
        "id": row.id,
        "event": row.event,
        "repository": repository.full_name if repository is not None else "",
        "received": row.received_at,
        "state": row.state,
        "attempts": row.attempts,
        "body_sha256": row.body_sha256,
        "bytes": len(row.body),
        "reason": row.reason,
    }
