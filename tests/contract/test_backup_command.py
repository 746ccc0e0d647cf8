"""`conductor backup` and `restore` as people use them: while the App writes, with bad input, and without room."""

from __future__ import annotations

import errno
import json
import shutil
import threading
from pathlib import Path
from unittest import mock

import pytest

from bot.adapters.storage import SqlStorage
from bot.bootstrap import SweptQueue
from bot.domain.audit_chain import verify_chain
from bot.domain.subject import sha256_of
from bot.ports import records as r
from tests.harness.house import _template
from tests.harness.shell import Answered, conductor


class Place:
    """A data directory with records, and the shell beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        (self.data / "artifacts" / "5" / "ab").mkdir(parents=True)
        (self.data / "artifacts" / "5" / "ab" / ("ab" * 32)).write_bytes(b"an artifact")
        (self.data / "artifacts" / "5" / "ab" / ".new-half").write_bytes(b"half")
        self.database = self.data / "conductor.db"
        self.database.write_bytes(_template())

    def run(self, *arguments: str, **more: str) -> Answered:
        return conductor(*arguments, environment={"CONDUCTOR_DATA": str(self.data), **more})

    def storage(self) -> SqlStorage:
        return SqlStorage(f"sqlite:///{self.database}", SweptQueue())

    def refused(self, *arguments: str, **more: str) -> str:
        """The one sentence."""
        answered = self.run(*arguments, **more)
        assert (answered.code, answered.out) == (2, "")
        assert answered.err.startswith("conductor: ")
        assert answered.err.count("\n") == 1
        return answered.err


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_backup_is_one_snapshot_of_records_that_are_written_to(place: Place) -> None:
    storage, ended = place.storage(), threading.Event()

    def write() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            body = str(number).encode()
            with storage.begin() as tx:
                tx.deliveries.add(r.Delivery(f"d{number}", "ping", body, sha256_of(body), number))
                tx.journal.audit(at=number, kind="test", subject=f"d{number}", body={})

    writer = threading.Thread(target=write)
    writer.start()
    try:
        answers = [place.run("backup", str(place.folder / f"b{one}"), "--json").json for one in range(3)]
    finally:
        ended.set()
        writer.join()
        storage.close()
    counts = []
    for number, answer in enumerate(answers):
        assert answer["artifacts"] == 1
        copy = SqlStorage(f"sqlite:///{place.folder / f'b{number}' / 'conductor.db'}", SweptQueue())
        with copy.read() as tx:
            rows, heard = tx.journal.audit_rows(limit=100_000), tx.deliveries.recent(limit=100_000)
        copy.close()
        assert verify_chain(rows) == ""
        assert {row.subject for row in rows} == {one.id for one in heard}
        counts.append(len(rows))
    assert counts == sorted(counts)
    assert counts[-1] > 0
    kept = [str(one.relative_to(place.folder / "b0")) for one in (place.folder / "b0").rglob("*") if one.is_file()]
    assert sorted(kept) == [f"artifacts/5/ab/{'ab' * 32}", "backup.json", "conductor.db"], (
        "nothing half, nothing beside"
    )


def test_what_was_backed_up_comes_back_with_the_mark(place: Place) -> None:
    assert place.run("backup", str(place.folder / "b")).code == 0
    shutil.rmtree(place.data)
    assert place.run("restore", str(place.folder / "b"), "--json").json == {
        "directory": str(place.folder / "b"),
        "living_runs": 0,
    }
    assert (place.data / "artifacts" / "5" / "ab" / ("ab" * 32)).read_bytes() == b"an artifact"
    assert {one.name for one in place.data.iterdir()} == {"artifacts", "conductor.db"}
    storage = place.storage()
    with storage.read() as tx:
        mark = tx.journal.switch("system", "restored")
        assert mark is not None
        assert tx.journal.stopped(repository_id=None, run_id=None) == ""
        assert [row.kind for row in tx.journal.audit_rows()] == ["restored"]
    storage.close()
    assert place.run("restored", "--json").json == {"living_runs": 0}


def test_a_backup_that_cannot_be_made_says_why_and_leaves_nothing(place: Place) -> None:
    taken = place.folder / "taken"
    taken.mkdir()
    assert "exists already" in place.refused("backup", str(taken))
    assert "make it first" in place.refused("backup", str(place.folder / "no" / "b"))
    url = "postgresql+psycopg://user@db.example/conductor"
    assert "pg_dump" in place.refused("backup", str(place.folder / "b"), CONDUCTOR_DATABASE_URL=url)
    nothing = f"sqlite:///{place.folder / 'none.db'}"
    assert "there is no database at" in place.refused("backup", str(place.folder / "b"), CONDUCTOR_DATABASE_URL=nothing)
    (place.folder / "none.db").write_bytes(b"")
    assert "holds no records" in place.refused("backup", str(place.folder / "b"), CONDUCTOR_DATABASE_URL=nothing)
    (place.folder / "none.db").write_bytes(b"not a database, but long enough to be looked at as one")
    assert "cannot be copied" in place.refused("backup", str(place.folder / "b"), CONDUCTOR_DATABASE_URL=nothing)
    usage = shutil.disk_usage(place.folder)._replace(free=1 << 20)
    with mock.patch.object(shutil, "disk_usage", return_value=usage):
        assert "1 MiB free" in place.refused("backup", str(place.folder / "b"))
    full = OSError(errno.ENOSPC, "No space left on device")
    with mock.patch.object(shutil, "copyfile", side_effect=full):
        assert "No space left" in place.refused("backup", str(place.folder / "b"))
    assert sorted(one.name for one in place.folder.iterdir()) == ["data", "none.db", "taken"]


def test_a_restore_that_cannot_be_done_says_why_and_changes_nothing(place: Place) -> None:
    good = place.folder / "good"
    assert place.run("backup", str(good)).code == 0
    assert "it is not overwritten" in place.refused("restore", str(good))
    place.database.unlink()
    (place.data / "conductor.db-wal").write_bytes(b"left behind")
    assert "conductor.db-wal is there" in place.refused("restore", str(good))
    (place.data / "conductor.db-wal").unlink()
    assert "is no backup" in place.refused("restore", str(place.folder))
    manifest = json.loads((good / "backup.json").read_text())
    for change, why in (({"revision": "9999"}, "newer release"), ({"format": 2}, "release that made it")):
        (good / "backup.json").write_text(json.dumps({**manifest, **change}))
        assert why in place.refused("restore", str(good))
    (good / "backup.json").write_text("{")
    assert "cannot be read" in place.refused("restore", str(good))
    (good / "backup.json").write_text(json.dumps(manifest))
    with (good / "conductor.db").open("ab") as file:
        file.write(b"more")
    assert "not the file that was backed up" in place.refused("restore", str(good))
    assert not place.database.exists()
