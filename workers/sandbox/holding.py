"""A writable tree while a command runs in it: alone, with a place for every mount, and with its held names as they are."""

from __future__ import annotations

import errno
import fcntl
import stat
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from workers.sandbox.errors import SandboxError
from workers.sandbox.layers import Layer
from workers.sandbox.masks import Protection, mounts
from workers.sandbox.skeleton import WORKSPACE
from workers.sandbox.trees import directory, give_owner_all


@dataclass(slots=True)
class Held:
    """Names in a writable tree: taken by an empty mount, found and mounted read-only, and those that were undone."""

    taken: tuple[str, ...] = ()
    found: Mapping[str, str] = field(default_factory=dict)
    undone: list[str] = field(default_factory=list)


def workspace_mounts(tree: Path, layer: Layer | None, held: Held, *, writable: bool) -> Iterator[str]:
    """Arguments for bubblewrap: the tree, over it what nobody may change, and over that what `setup` made."""
    names = () if layer is None else layer.mounted
    if writable:
        yield from ("--bind", str(tree), WORKSPACE)
        for name in held.taken:
            yield from ("--perms", "0555", "--size", "4096", "--tmpfs", f"{WORKSPACE}/{name}")
        # The others could be made writable by their owner inside, for one command and in memory; a hook would run there.
        yield from ("--remount-ro", f"{WORKSPACE}/.git")
        yield from mounts(tree, WORKSPACE, held.found)
    elif not names:
        yield from ("--ro-bind", str(tree), WORKSPACE)
    else:
        # A shared read-only tree must not grow mount points, so its entries are mounted one by one.
        yield from ("--size", str(1 << 20), "--tmpfs", WORKSPACE)
        for path in sorted(tree.iterdir()):
            if path.is_symlink():
                yield from ("--symlink", str(path.readlink()), f"{WORKSPACE}/{path.name}")
            elif path.name not in names:
                yield from ("--ro-bind", str(path), f"{WORKSPACE}/{path.name}")
    if layer is not None:
        for name in names:
            yield from ("--ro-bind", str(layer.captured / name), f"{WORKSPACE}/{name}")
    if names and not writable:
        yield from ("--remount-ro", WORKSPACE)


class Places:
    """Empty directories that are moved into a tree to be mounted over, and out again: to make one takes much longer."""

    def __init__(self, root: Path) -> None:
        """Keep them in `root`, which is made, and is nobody else's."""
        self._root = root
        self._lock = threading.Lock()
        self._root.mkdir(parents=True)
        self._free: list[Path] = []
        self._count = 0

    @contextmanager
    def held(self, tree: Path, mounted: Sequence[str], protection: Protection | None) -> Iterator[Held]:
        """Keep a tree to one sandbox, and its held names as they are; what was undone is known afterwards.

        `mounted` are names that `setup` made. Raises `SandboxError` when the tree brings a `.git` along, or something that
        is no directory where one is mounted.
        """
        skipped = {".git", *mounted}
        with _exclusive(tree) as descriptor:
            if protection is None:
                held = Held((".git",))
            else:
                held = Held((".git", *protection.taken(tree)), protection.find(tree, skipped))
            try:
                with self._mount_points(tree, [*held.taken, *mounted]):
                    try:
                        yield held
                    finally:
                        # A command may have taken the right to change the tree away from us.
                        give_owner_all(descriptor)
            finally:
                if protection is not None:
                    held.undone += protection.undo(tree, held.found, skipped)

    @contextmanager
    def _mount_points(self, tree: Path, names: Sequence[str]) -> Iterator[None]:
        """Put directories where something is mounted, and leave none of them behind."""
        _check_mount_points(tree, names)
        try:
            for name in names:
                self._put(tree / name)
            yield
        finally:
            for name in names:
                self._take_back(tree / name)

    def _put(self, place: Path) -> None:
        if place.exists():
            return
        with self._lock:
            ready = self._free.pop() if self._free else None
        if ready is None:
            ready = self._name()
            ready.mkdir(mode=0o755)
        if not _moved(ready, place):
            place.mkdir()
            with self._lock:
                self._free.append(ready)

    def _take_back(self, place: Path) -> None:
        if not place.is_dir() or any(place.iterdir()):  # files that a tool wrote there from outside stay
            return
        free = self._name()
        if _moved(place, free):
            with self._lock:
                self._free.append(free)
        else:
            place.rmdir()

    def _name(self) -> Path:
        with self._lock:
            self._count += 1
            return self._root / str(self._count)


def _moved(source: Path, target: Path) -> bool:
    """Rename a directory; False when the two are on different file systems."""
    try:
        source.rename(target)
    except OSError as error:
        if error.errno == errno.EXDEV:
            return False
        raise
    return True


def _check_mount_points(tree: Path, names: Sequence[str]) -> None:
    for name in names:
        path = tree / name
        if path.is_symlink() or (path.exists() and not stat.S_ISDIR(path.lstat().st_mode)):
            raise SandboxError(f"{name!r} in the workspace is not a directory; remove it, the sandbox mounts there")
        if name == ".git" and path.exists() and any(path.iterdir()):
            raise SandboxError("the workspace holds a .git directory; make workspaces from snapshots, without one")


@contextmanager
def _exclusive(tree: Path) -> Iterator[int]:
    """Hold the tree alone: removing a mount point while another sandbox has it mounted would unmask it there."""
    with directory(tree) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
