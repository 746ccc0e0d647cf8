"""Installations and repositories."""

from __future__ import annotations

import sqlalchemy as sa

from bot.adapters.storage.rows import Link, Query, values_of
from bot.adapters.tables import installations, repositories
from bot.domain.errors import InternalError
from bot.ports.records import Installation, Repository

_INSTALLATION = Query(Installation, installations, "id")
REPOSITORY = Query(Repository, repositories, "id")


class SqlPlaces:
    """`bot.ports.storage.Places`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def put_installation(self, row: Installation) -> None:
        """Waits, pacing and leases of a known one stay, and all of it when what is stored is newer."""
        self._link.upsert(
            installations,
            values_of(row),
            key=("id",),
            update=("account", "suspended", "changed_at"),
            newer="changed_at",
        )

    def put_repository(self, row: Repository) -> None:
        """What a known one is configured to stays; a repository that moved belongs to its new installation."""
        changing = ("installation_id", "full_name", "default_branch", "private")
        self._link.upsert(repositories, values_of(row), key=("id",), update=changing)

    def installation(self, installation_id: int) -> Installation | None:
        return self._link.first(_INSTALLATION, id=installation_id)

    def repository(self, repository_id: int) -> Repository | None:
        return self._link.first(REPOSITORY, id=repository_id)

    def wrote(self, installation_id: int, now: int) -> None:
        """Never goes back, also when clocks differ."""
        update = sa.update(installations).where(
            installations.c.id == installation_id, installations.c.last_write_at < now
        )
        self._link.run(update.values(last_write_at=now))

    def configure(self, repository_id: int, *, wip: int, retention_days: int) -> None:
        """At least one run at a time, and at least a day."""
        if wip < 1:
            raise InternalError(
                f"A limit of {wip} runs would stop repository {repository_id}: use a stop switch for that."
            )
        if retention_days < 1:
            raise InternalError(
                f"{retention_days} days would empty the records of repository {repository_id} at once; keep them a day at least."
            )
        update = sa.update(repositories).where(repositories.c.id == repository_id)
        self._link.run(update.values(wip=wip, retention_days=retention_days))
