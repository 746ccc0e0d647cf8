"""The stop switches as SQL, so that a claim reads them in the very update that moves a row (I10)."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from bot.adapters.tables import runs, switches


def stands(scope: str, key: Any = None) -> sa.ColumnElement[bool]:
    """Whether such a switch is set; ``key`` None: any of that scope."""
    found = sa.select(sa.literal(1)).select_from(switches)
    found = found.where(switches.c.scope == scope, switches.c.stopped.is_(True))
    return (found if key is None else found.where(switches.c.key == key)).exists()


def stopped(*, run_id: Any, repository_key: Any) -> sa.ColumnElement[bool]:
    """Whether a stop of the system, the repository or the run stands."""
    return sa.or_(stands("system"), stands("run", run_id), stands("repository", repository_key))


def run_stopped(run_id: Any) -> sa.ColumnElement[bool]:
    """The same for a row that knows its run alone."""
    # A join, not a subquery in a subquery: SQLAlchemy correlates one level by itself, and would add the table anew.
    joined = switches.join(runs, switches.c.key == sa.cast(runs.c.repository_id, sa.Text))
    of_repository = sa.select(sa.literal(1)).select_from(joined)
    of_repository = of_repository.where(
        switches.c.scope == "repository", switches.c.stopped.is_(True), runs.c.id == run_id
    )
    return sa.or_(stands("system"), stands("run", run_id), of_repository.exists())


def runs_on(run_id: Any) -> sa.ColumnElement[bool]:
    """Whether the run is there and not paused."""
    return sa.select(sa.literal(1)).where(runs.c.id == run_id, runs.c.paused.is_(False)).exists()
