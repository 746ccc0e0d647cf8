"""A bounded directory of things that can be made again: made once under a lock, held while used, the oldest dropped first."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from workers.sandbox.errors import SandboxError
from workers.sandbox.trees import remove_tree, tree_bytes

_KEY = re.compile(r"[0-9a-zA-Z_-][0-9a-zA-Z._-]{0,199}\Z")


class Shelf:
    """Entries are directories `<root>/<key>`; `<key>.lock` says who makes or uses one, `<key>.size` how many bytes it has."""

    def __init__(self, root: Path, max_bytes: int) -> None:
        """Keep about `max_bytes`: what is in use is never dropped."""
        self._root = root
        self._max_bytes = max_bytes
        root.mkdir(parents=True, exist_ok=True)

    def path(self, key: str) -> Path:
        """Where an entry is; raises `SandboxError` on a key that is no plain file name."""
        if not _KEY.match(key):
            raise SandboxError(f"cache key {key!r} is no plain name; use letters, digits, '.', '_' and '-'")
        return self._root / key

    def lock_path(self, key: str) -> Path:
        """The file whose shared lock keeps an entry from being dropped."""
        return self.path(key).with_name(f"{key}.lock")

    def ensure(self, key: str, fill: Callable[[Path], None]) -> Path:
        """Make the entry unless it is there: `fill` works in a fresh directory, which then appears whole under its key.

        What `fill` raises is passed on and leaves nothing behind. Others that want the same key wait.
        """
        path = self.path(key)
        if path.exists():
            # Those who use the entry hold a shared lock, perhaps for an hour; who finds it made need not wait for them.
            os.utime(self.lock_path(key))
            return path
        with locked(self.lock_path(key), fcntl.LOCK_EX):
            if not path.exists():
                building = path.with_name(f".building-{secrets.token_hex(8)}")
                building.mkdir()
                try:
                    fill(building)
                    self._size_path(key).write_text(str(tree_bytes(building)), encoding="ascii")
                    building.rename(path)
                finally:
                    if building.exists():
                        remove_tree(building)
            os.utime(self.lock_path(key))
        self._drop_oldest(spared=key)
        return path

    @contextmanager
    def lease(self, key: str, fill: Callable[[Path], None]) -> Iterator[Path]:
        """As `ensure`, and the entry stays until the `with` statement ends."""
        while True:
            path = self.ensure(key, fill)
            with locked(self.lock_path(key), fcntl.LOCK_SH):
                if path.exists():  # it may have been dropped between the two locks
                    yield path
                    return

    def _size_path(self, key: str) -> Path:
        return self.path(key).with_name(f"{key}.size")

    def _drop_oldest(self, *, spared: str) -> None:
        kept: list[tuple[float, str, int]] = []
        for size in self._root.glob("*.size"):
            key = size.name.removesuffix(".size")
            try:
                kept.append((self.lock_path(key).stat().st_mtime, key, int(size.read_text(encoding="ascii"))))
            except FileNotFoundError:  # dropped by another worker just now
                continue
        total = sum(count for _, _, count in kept)
        for _, key, bytes_kept in sorted(kept):
            if total <= self._max_bytes:
                return
            if key != spared and self._drop(key):
                total -= bytes_kept

    def _drop(self, key: str) -> bool:
        try:
            with locked(self.lock_path(key), fcntl.LOCK_EX | fcntl.LOCK_NB):
                path = self.path(key)
                if path.exists():
                    # Renamed first, so that a crash half-way leaves no entry that looks whole.
                    going = path.with_name(f".dropping-{secrets.token_hex(8)}")
                    path.rename(going)
                    remove_tree(going)
                self._size_path(key).unlink(missing_ok=True)
                return True
        except BlockingIOError:
            return False


@contextmanager
def locked(path: Path, how: int) -> Iterator[None]:
    """Hold a lock on a file, which is made when missing and never removed; raises `BlockingIOError` with LOCK_NB."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)
