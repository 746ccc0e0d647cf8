"""What one real run leaves in the records: the demo's, table by table, and what it writes to GitHub."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.simulator.bundled_scenario import bundled
from bot.simulator.runner import Runner

CONTENT: Final = ("comment.", "pull.", "branch.", "check_run.")
"""Kinds of writes that GitHub counts as content, and that are paced."""
END: Final = "in_review"
SHARED: Final = frozenset({"edges", "installations", "repositories", "switches", "alembic_version", "sqlite_sequence"})
"""Tables whose rows are no run's."""


def demo(directory: Path) -> dict[str, Any]:
    """Rows and bytes of each table and its indices, and the run's writes by kind. ``SystemExit`` when the demo does not end well."""
    copy = directory / "demo.db"

    def watch(tx: Transaction, run: r.Run | None) -> None:
        if run is not None and run.state == END:
            _copy(tx, copy)

    report = Runner(bundled(), "sqlite", watch=watch, in_step=False).run()
    if report["state"] != END or not copy.exists():
        raise SystemExit(f"bench/scale: the demo ended in {report['state']}: {report.get('problem', '')}")
    with closing(sqlite3.connect(copy)) as link:
        return _sizes(link)


def _copy(tx: Any, copy: Path) -> None:
    """The database as it is now; the ports have no word for its file."""
    source = tx.runs._link._connection.connection.driver_connection  # noqa: SLF001  # no port gives the driver's connection, whose backup this is
    with closing(sqlite3.connect(copy)) as target:
        source.backup(target)


def _sizes(link: sqlite3.Connection) -> dict[str, Any]:
    named = link.execute("SELECT name, tbl_name FROM sqlite_master WHERE rootpage > 0").fetchall()
    # What the rows take, not the pages: in so small a database most of them are nearly empty.
    sizes = dict(link.execute("SELECT name, sum(payload) FROM dbstat GROUP BY name").fetchall())
    tables: dict[str, dict[str, int]] = {}
    for name, table in named:
        if table in SHARED:
            continue
        one = tables.setdefault(table, {"rows": 0, "bytes": 0})
        one["bytes"] += sizes.get(name, 0)
        if name == table:
            one["rows"] = link.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    bodies = link.execute("SELECT sum(length(body)) FROM deliveries").fetchone()[0]
    kinds = dict(link.execute("SELECT kind, count(*) FROM outbox GROUP BY kind ORDER BY kind").fetchall())
    return {
        "rows": sum(one["rows"] for one in tables.values()),
        "bytes": sum(one["bytes"] for one in tables.values()),
        "delivery_bodies": bodies,
        "tables": tables,
        "writes": sum(kinds.values()),
        "content_writes": sum(count for kind, count in kinds.items() if kind.startswith(CONTENT)),
        "kinds": kinds,
    }
