"""What is emptied when its time is up: bodies go, their hashes and all that was decided stay (DESIGN section 10)."""

from __future__ import annotations

import sqlalchemy as sa

from bot.adapters.storage.rows import Link
from bot.adapters.tables import ENDED, artifacts, deliveries, outbox, repositories, runs, tool_calls
from bot.domain.repo_config import RepoConfig
from bot.domain.workflow import ENDS

DAY_MS = 86_400_000
REPEATED_DAYS = 3
"""For so long GitHub may send a delivery again, and a dead one needs its body then."""
_AT_END = ("done", "ignored", "dead")


class SqlRetention:
    """`bot.ports.storage.Retention`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def files(self, run_id: str, now: int) -> list[tuple[int, str]]:
        """Also a run that is over needs its files until its own time is up, and whoever outlives it takes them along."""
        other = artifacts.alias("other")
        run_over = sa.and_(
            runs.c.state.in_(sorted(ENDS)), runs.c.state_at + repositories.c.retention_days * DAY_MS <= now
        )
        needed = (
            sa.select(sa.literal(1))
            .select_from(
                other.outerjoin(runs, runs.c.id == other.c.run_id).outerjoin(
                    repositories, repositories.c.id == runs.c.repository_id
                )
            )
            .where(
                other.c.installation_id == artifacts.c.installation_id,
                other.c.sha256 == artifacts.c.sha256,
                sa.or_(other.c.run_id.is_(None), sa.and_(other.c.run_id != run_id, sa.not_(run_over))),
            )
        )
        mine = sa.select(artifacts.c.installation_id, artifacts.c.sha256).distinct()
        found = self._link.run(mine.where(artifacts.c.run_id == run_id, ~needed.exists()))
        return [(int(row[0]), str(row[1])) for row in found]

    def empty_run(self, run_id: str) -> int:
        calls = sa.update(tool_calls).where(
            tool_calls.c.run_id == run_id, sa.or_(tool_calls.c.output != "", tool_calls.c.input != {})
        )
        rows = sa.update(outbox).where(outbox.c.run_id == run_id, sa.text(ENDED), sa.func.length(outbox.c.payload) > 0)
        return self._link.changed(calls.values(input={}, output="")) + self._link.changed(rows.values(payload=b""))

    def empty_deliveries(self, after: str, limit: int, now: int) -> tuple[str, int]:
        """Walks the primary key, so that it needs no index that every delivery would have to pay for."""
        ids = self._link.column(sa.select(deliveries.c.id).where(deliveries.c.id > after).order_by("id").limit(limit))
        if not ids:
            return "", 0
        days = _days_of(deliveries.c.repository_id)
        kept_ms = sa.case((days < REPEATED_DAYS, REPEATED_DAYS), else_=days) * DAY_MS
        update = sa.update(deliveries).where(
            deliveries.c.id > after,
            deliveries.c.id <= ids[-1],
            deliveries.c.state.in_(_AT_END),
            sa.func.length(deliveries.c.body) > 0,
            deliveries.c.received_at + kept_ms <= now,
        )
        return str(ids[-1]), self._link.changed(update.values(body=b""))

    def empty_rows_of_nobody(self, after: int, limit: int, now: int) -> tuple[int, int]:
        """Likewise."""
        ids = self._link.column(sa.select(outbox.c.id).where(outbox.c.id > after).order_by(outbox.c.id).limit(limit))
        if not ids:
            return 0, 0
        update = sa.update(outbox).where(
            outbox.c.id > after,
            outbox.c.id <= ids[-1],
            outbox.c.run_id.is_(None),
            sa.text(ENDED),
            sa.func.length(outbox.c.payload) > 0,
            outbox.c.created_at + _days_of(outbox.c.repository_id) * DAY_MS <= now,
        )
        return int(ids[-1]), self._link.changed(update.values(payload=b""))


def _days_of(repository_id: sa.Column[int] | sa.Column[int | None]) -> sa.ColumnElement[int]:
    """Of the repository, or the default where none is known."""
    days = sa.select(repositories.c.retention_days).where(repositories.c.id == repository_id)
    return sa.func.coalesce(days.scalar_subquery(), RepoConfig().retention_days)
