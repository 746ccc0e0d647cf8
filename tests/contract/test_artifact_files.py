"""Artifacts: durable, named by hash, kept apart by installation, checked when read."""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path

import pytest

from bot.adapters.artifact_files import ArtifactFiles
from bot.adapters.system_clock import SystemChance, SystemClock
from bot.ports.artifacts import ArtifactDamaged, ArtifactMissing, Artifacts
from bot.ports.clock import Chance, Clock

DATA = b"one\x00two\xff"
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def files(tmp_path: Path) -> Artifacts:
    return ArtifactFiles(tmp_path / "artifacts")


def test_what_is_put_is_got_and_named_by_its_hash(files: Artifacts) -> None:
    assert files.put(1, DATA) == SHA
    assert files.put(1, DATA) == SHA
    assert files.get(1, SHA) == DATA
    assert files.has(1, SHA)
    assert files.path(1, SHA).read_bytes() == DATA
    assert files.path(1, SHA).stat().st_mode & 0o222 == 0


def test_a_file_is_copied(files: Artifacts, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(DATA)
    assert files.put_file(1, source) == SHA
    assert files.put_file(1, source) == SHA
    source.write_bytes(b"other")
    assert files.get(1, SHA) == DATA


def test_installations_share_nothing(files: Artifacts) -> None:
    files.put(1, DATA)
    assert not files.has(2, SHA)
    with pytest.raises(ArtifactMissing, match="installation 2"):
        files.get(2, SHA)
    with pytest.raises(ArtifactMissing):
        files.path(2, SHA)


@pytest.mark.parametrize("name", ["", "..", "../" * 20 + "etc/passwd", SHA.upper(), SHA + "\n", f"x/{SHA}"])
def test_a_name_that_is_no_hash_is_never_a_path(files: Artifacts, name: str) -> None:
    files.put(1, DATA)
    with pytest.raises(ArtifactMissing, match="not a sha256"):
        files.get(1, name)


def test_a_damaged_file_is_an_error_and_putting_it_again_mends_it(files: Artifacts, tmp_path: Path) -> None:
    files.put(1, DATA)
    path = files.path(1, SHA)
    path.chmod(0o644)
    path.write_bytes(DATA[:-1])
    with pytest.raises(ArtifactDamaged) as caught:
        files.get(1, SHA)
    assert pickle.loads(pickle.dumps(caught.value)).fields == {"installation_id": "1", "sha256": SHA}
    with pytest.raises(ArtifactDamaged):
        files.path(1, SHA)
    files.put(1, DATA)
    assert files.get(1, SHA) == DATA
    path.chmod(0o644)
    path.write_bytes(b"")
    source = tmp_path / "source"
    source.write_bytes(DATA)
    files.put_file(1, source)
    assert files.get(1, SHA) == DATA


def test_a_crash_before_the_rename_leaves_no_artifact(
    files: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_self: Path, _target: Path) -> Path:
        raise OSError("power cut")

    monkeypatch.setattr(Path, "replace", crash)
    with pytest.raises(OSError, match="power cut"):
        files.put(1, DATA)
    monkeypatch.undo()
    assert not files.has(1, SHA)
    assert [entry for _, _, names in os.walk(tmp_path) for entry in names] == []


def test_data_and_folders_are_synced_before_the_name_is_told(files: Artifacts, monkeypatch: pytest.MonkeyPatch) -> None:
    acts: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def synced(handle: int) -> None:
        acts.append("sync")
        fsync(handle)

    def renamed(old: Path, new: Path) -> Path:
        acts.append("rename")
        return replace(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    files.put(7, DATA)
    at = acts.index("rename")
    assert acts[at - 1] == "sync"
    assert acts[at + 1 :] == ["sync"]


def test_clock_and_chance() -> None:
    clock: Clock = SystemClock()
    chance: Chance = SystemChance()
    assert clock.now() > 1_700_000_000_000
    assert len({chance.token() for _ in range(50)}) == 50
    assert all(len(token) == 32 and int(token, 16) >= 0 for token in (chance.token(),))
    assert len({chance.name() for _ in range(50)}) == 50
    assert {chance.jitter(1) for _ in range(100)} == {0, 1}
    assert chance.jitter(0) == 0
