"""Things on GitHub that are kept as they should be: each has its wanted content, the row that last set it, and nothing in between.

A surface is staged anew only when its content differs and no earlier row of it is still on its way, so updates coalesce.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from bot.domain.subject import canonical, sha256_of
from bot.domain.writes import Write
from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.services.outbox import Outboxes


@dataclass(frozen=True, slots=True)
class Surface:
    """One thing on GitHub, as the run's record knows it: the last row's key and the hash of what that row holds."""

    name: str
    key: str = ""
    content: str = ""
    version: int = 0


def surface(run: r.Run, name: str) -> Surface:
    """What is known of a surface; version 0 means it was never staged."""
    kept = run.known.get("surfaces", {}).get(name)
    return Surface(name, **kept) if kept else Surface(name)


def confirmed(tx: Transaction, run: r.Run, key: str) -> r.OutboxRow | None:
    """The row under a key when GitHub has it. Rows of dry runs stop at ``allowed`` and count (DESIGN section 7)."""
    row = tx.outbox.by_key(key) if key else None
    if row is None:
        return None
    done = row.state == "confirmed" or (run.mode == "dry-run" and row.state == "allowed")
    return row if done else None


def is_wanted_again(run: r.Run, row: r.OutboxRow) -> bool:
    """Whether a row that GitHub did not take may go once more at any time: not what a later row of its surface replaced, and
    not what only publishing may send.
    """
    if row.kind in {"branch.update", "pull.ready"}:
        return False
    last = {kept["key"] for kept in run.known.get("surfaces", {}).values()}
    alone = (f"{run.id}:branch", f"{run.id}:annotations:", f"{run.id}:foreign:")
    return row.dedupe_key in last or row.dedupe_key.startswith(alone)


def content_hash(write: Write) -> str:
    """Hash of what a write would show."""
    return sha256_of(canonical([write.kind, write.target, write.payload]))


@dataclass(frozen=True, slots=True)
class Surfaces:
    """Keeps surfaces."""

    outboxes: Outboxes

    def keep(self, tx: Transaction, run: r.Run, name: str, content: str, write: Write) -> r.Run:
        """Stage ``write`` if the surface does not hold ``content`` (any string that stands for it) and nothing is on its way."""
        now = surface(run, name)
        if now.content == content:
            return run
        if now.version and not self._settled(tx, run, now.key):
            return run
        version = now.version + 1
        key = f"{run.id}:{name}:{version}"
        self.outboxes.stage(tx, run, write, key)
        kept: dict[str, Any] = {"key": key, "content": content, "version": version}
        return replace(run, known={**run.known, "surfaces": {**run.known.get("surfaces", {}), name: kept}})

    def holds(self, tx: Transaction, run: r.Run, name: str, content: str) -> r.OutboxRow | None:
        """The confirmed row, when the surface shows exactly ``content``."""
        now = surface(run, name)
        return confirmed(tx, run, now.key) if now.content == content else None

    def row(self, tx: Transaction, run: r.Run, name: str, version: int = 1) -> r.OutboxRow | None:
        """The confirmed row of one version (1 is the creation)."""
        return confirmed(tx, run, f"{run.id}:{name}:{version}")

    def _settled(self, tx: Transaction, run: r.Run, key: str) -> bool:
        row = tx.outbox.by_key(key)
        return row is None or row.state in {"confirmed", "dead", "denied"} or run.mode == "dry-run"


def repository_name(tx: Transaction, run: r.Run) -> str:
    """``owner/name`` of the run's repository, as it is called now."""
    repository = tx.places.repository(run.repository_id)
    assert repository is not None
    return repository.full_name
