"""PostgreSQL's newer indices are made outside the migration: once, again when a build was cut off, and never by two at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.adapters.storage import migrate
from bot.adapters.storage.indices import _KEY, GONE, MADE, make_beside, to_do
from bot.adapters.tables import metadata
from tests.contract.databases import fresh_url


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = sa.create_engine(fresh_url("postgres", tmp_path), isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


def left(owner: sa.Engine) -> list[str]:
    with owner.connect() as link:
        return to_do(link)


def text(owner: sa.Engine) -> str:
    return owner.url.render_as_string(hide_password=False)


def test_a_new_database_has_them_all(owner: sa.Engine) -> None:
    assert left(owner) == []
    named = {str(index.name) for table in metadata.tables.values() for index in table.indexes}
    assert named >= set(MADE)
    assert not named & set(GONE)


def test_what_the_release_before_had_is_brought_up_while_it_runs(owner: sa.Engine) -> None:
    with owner.connect() as link:
        link.exec_driver_sql("DROP INDEX ix_deliveries_turn")
        link.exec_driver_sql("CREATE INDEX ix_deliveries_due ON deliveries (received_at, id) WHERE state = 'received'")
    assert [one.split()[0] for one in left(owner)] == ["CREATE", "DROP"]
    # The release before writes meanwhile, and its transaction stays open: a plain build would wait for it, and all others then.
    writer = sa.create_engine(owner.url)
    with writer.connect() as link:
        link.exec_driver_sql("SELECT count(*) FROM deliveries")
        link.rollback()
        migrate(text(owner))
    writer.dispose()
    assert left(owner) == []


def test_a_build_that_was_cut_off_is_done_again(owner: sa.Engine) -> None:
    with owner.connect() as link:
        link.exec_driver_sql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_runs_changed'::regclass")
    assert len(left(owner)) == 2
    migrate(text(owner))
    assert left(owner) == []


def test_whoever_comes_second_leaves_it_to_the_first(owner: sa.Engine) -> None:
    with owner.connect() as first:
        first.exec_driver_sql("DROP INDEX ix_runs_changed")
        first.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": _KEY})
        make_beside(owner.url)
        assert len(left(owner)) == 1
        first.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": _KEY})
    make_beside(owner.url)
    assert left(owner) == []


def test_sqlite_has_nothing_left_to_do(tmp_path: Path) -> None:
    engine = sa.create_engine(fresh_url("sqlite", tmp_path))
    with engine.connect() as link:
        assert to_do(link) == []
        found = set(link.scalars(sa.text("SELECT name FROM sqlite_master WHERE type = 'index'")))
    engine.dispose()
    assert found >= set(MADE)
    assert not found & set(GONE)
