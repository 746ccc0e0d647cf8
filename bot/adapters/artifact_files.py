"""Artifacts as files named by their sha256, in a directory that all workers share (DESIGN section 3)."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from bot.ports.artifacts import ArtifactDamaged, ArtifactMissing

_CHUNK: Final = 1 << 20
_FRESH_S: Final = 3_600
"""Who put a file so lately may not have recorded yet that it is needed."""
_NAME: Final = re.compile(r"[0-9a-f]{64}")


class ArtifactFiles:
    """The ``Artifacts`` port on ``root/<installation>/<2 digits>/<sha256>``.

    A file appears under its name only whole and synced. Readers on other machines (a volume, NFS) hash what they read
    before they use it, so a damaged or planted file is an error and never content.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, installation_id: int, data: bytes) -> str:
        """Store and return the hex sha256. Durable when it returns; raises ``OSError`` when the disk refuses."""
        sha256 = hashlib.sha256(data).hexdigest()
        if not self._holds(installation_id, sha256):
            self._write(self._place(installation_id, sha256), lambda file: file.write(data))
        return sha256

    def put_file(self, installation_id: int, path: Path) -> str:
        """The same for a file on this machine, which is copied; what is named is what was copied, even if it changes meanwhile."""
        folder = self._root / str(int(installation_id)) / "incoming"
        self._make(folder)
        digest = hashlib.sha256()
        handle, name = tempfile.mkstemp(prefix=".new-", dir=folder)
        try:
            with os.fdopen(handle, "wb") as target, path.open("rb") as source:
                while chunk := source.read(_CHUNK):
                    digest.update(chunk)
                    target.write(chunk)
                _sync(target)
            sha256 = digest.hexdigest()
            place = self._place(installation_id, sha256)
            if not self._holds(installation_id, sha256):
                self._publish(Path(name), place)
        finally:
            Path(name).unlink(missing_ok=True)
        return sha256

    def get(self, installation_id: int, sha256: str) -> bytes:
        """The bytes, checked against their name. Raises ``ArtifactMissing`` or ``ArtifactDamaged``."""
        try:
            data = self._place(installation_id, sha256).read_bytes()
        except FileNotFoundError as error:
            raise _missing(installation_id, sha256) from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise _damaged(installation_id, sha256)
        return data

    def path(self, installation_id: int, sha256: str) -> Path:
        """A path to the checked file, which is read-only. Raises ``ArtifactMissing`` or ``ArtifactDamaged``."""
        place = self._place(installation_id, sha256)
        try:
            matches = _digest(place) == sha256
        except FileNotFoundError as error:
            raise _missing(installation_id, sha256) from error
        if not matches:
            raise _damaged(installation_id, sha256)
        return place

    def has(self, installation_id: int, sha256: str) -> bool:
        """Whether it is there; reading it may still find it damaged."""
        return self._place(installation_id, sha256).is_file()

    def drop(self, installation_id: int, sha256: str) -> bool:
        """Set aside before it goes: who puts it again meanwhile either is seen here, or finds none and writes it.

        What a death in between left aside is seen to by the next call.
        """
        place = self._place(installation_id, sha256)
        aside = place.with_name(f".drop-{sha256}")
        try:
            if place.is_file():
                if _is_fresh(place):
                    return False
                place.replace(aside)
            if _is_fresh(aside):
                aside.replace(place)
                return False
            aside.unlink()
        except FileNotFoundError:
            # Never there, or another process is at it.
            return False
        _sync_folder(place.parent)
        return True

    def _holds(self, installation_id: int, sha256: str) -> bool:
        """Whether it is there and whole: putting the bytes again mends a damaged file, and makes it one that is needed."""
        place = self._place(installation_id, sha256)
        try:
            os.utime(place)
            return _digest(place) == sha256
        except FileNotFoundError:
            return False

    def _place(self, installation_id: int, sha256: str) -> Path:
        if not _NAME.fullmatch(sha256):
            # Names come from rows and results of workers; one with a slash must not become a path.
            raise ArtifactMissing(
                f"The artifact name {sha256!r} is not a sha256 of 64 hex digits; the row that names it is damaged.",
                {"installation_id": str(installation_id), "sha256": sha256},
            )
        return self._root / str(int(installation_id)) / sha256[:2] / sha256

    def _write(self, place: Path, fill: Callable[[BinaryIO], object]) -> None:
        self._make(place.parent)
        handle, name = tempfile.mkstemp(prefix=".new-", dir=place.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                fill(file)
                _sync(file)
            self._publish(Path(name), place)
        finally:
            Path(name).unlink(missing_ok=True)

    def _publish(self, name: Path, place: Path) -> None:
        self._make(place.parent)
        name.chmod(0o444)
        name.replace(place)
        _sync_folder(place.parent)

    def _make(self, folder: Path) -> None:
        """Make a folder and its parents, each entry synced into the one above it."""
        if folder.is_dir():
            return
        if folder != self._root:
            self._make(folder.parent)
        folder.mkdir(mode=0o750, parents=folder == self._root, exist_ok=True)
        _sync_folder(folder.parent)


def _is_fresh(file: Path) -> bool:
    return time.time() - file.stat().st_mtime < _FRESH_S


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _missing(installation_id: int, sha256: str) -> ArtifactMissing:
    return ArtifactMissing(
        f"Artifact {sha256} of installation {installation_id} is not in the artifact directory; "
        "check that all workers share one, and that retention has not purged it.",
        {"installation_id": str(installation_id), "sha256": sha256},
    )


def _damaged(installation_id: int, sha256: str) -> ArtifactDamaged:
    return ArtifactDamaged(
        f"Artifact {sha256} of installation {installation_id} does not have the hash it is named by; "
        "restore the file from a backup or retry the stage that made it.",
        {"installation_id": str(installation_id), "sha256": sha256},
    )
