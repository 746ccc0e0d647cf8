"""Trees on disk: base trees in a cache, writable copies for agents, what changed in one, and files that tools touch.

The control plane never runs git in a workspace; it walks it here, from descriptor to descriptor, without following links.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from workers.sandbox.errors import Problem, UnsafePath
from workers.sandbox.paths import components, folded, is_git_like
from workers.sandbox.shelf import Shelf
from workers.sandbox.trees import READ, check_depth, copy_tree, directory, kind_of, remove_tree

__all__ = [
    "Change", "Entry", "TreeCache", "TreeLimits", "Workspace", "changes", "list_dir", "read_bytes", "scan", "write_bytes",
]  # fmt: skip

Mode = Literal["100644", "100755", "120000"]
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One file or link: git's mode, blob id (sha1) and size in bytes."""

    mode: Mode
    sha1: str
    size: int


@dataclass(frozen=True, slots=True)
class Change:
    """One path that differs from base; `mode` and `content` are None when it was deleted, a link's content is its target."""

    path: str
    kind: Literal["added", "modified", "deleted"]
    mode: Mode | None
    content: bytes | None


@dataclass(frozen=True, slots=True)
class TreeLimits:
    """How large a tree may be: files, and bytes of all of them (DESIGN section 3)."""

    files: int = 200_000
    total_bytes: int = 1 << 30


DEFAULT_TREE_LIMITS = TreeLimits()


class TreeCache:
    """Unpacked base trees by key; bounded, and made again when missing."""

    def __init__(self, root: Path, max_bytes: int) -> None:
        """Keep about `max_bytes` under `root`."""
        self._shelf = Shelf(root, max_bytes)

    def lease(self, key: str, unpack: Callable[[Path], None]) -> AbstractContextManager[Path]:
        """Give the tree for a `with` statement; `unpack(dest)` fills an empty directory when it is not there yet."""
        return self._shelf.lease(key, unpack)


@dataclass(frozen=True, slots=True)
class Workspace:
    """A writable copy of a base tree, at `root`."""

    root: Path

    @staticmethod
    def create(base: Path, at: Path) -> Workspace:
        """Copy `base` to `at`, which must not exist: links stay links, modes are kept. Raises `UnsafePath`."""
        copy_tree(base, at)
        return Workspace(at)

    def remove(self) -> None:
        """Delete it, whatever a command made of its permissions."""
        remove_tree(self.root)


def scan(root: Path, limits: TreeLimits = DEFAULT_TREE_LIMITS) -> dict[str, Entry]:
    """List all files and links by path, with `/` between components (bytes that are no UTF-8 as surrogates).

    Empty directories do not exist for git and are left out. Raises `UnsafePath` with every path that is refused: special
    files, names like `.git`, names that collide when case is ignored, what cannot be read, and trees over `limits`.
    """
    walk = _Walk(limits)
    with directory(root) as top:
        walk.enter(top, "")
    if walk.problems:
        raise UnsafePath(tuple(walk.problems))
    return dict(sorted(walk.entries.items()))


class _Walk:
    """Collects entries and problems on the way down."""

    def __init__(self, limits: TreeLimits) -> None:
        self.entries: dict[str, Entry] = {}
        self.problems: list[Problem] = []
        self._limits = limits
        self._bytes = 0

    def enter(self, parent: int, prefix: str) -> None:
        check_depth(prefix)
        seen: dict[str, str] = {}
        for name in sorted(os.listdir(parent)):
            path = prefix + name
            if is_git_like(name):
                self.problems.append(Problem(path, "has a component that is like .git"))
                continue
            other = seen.setdefault(folded(name), name)
            if other != name:
                self.problems.append(Problem(path, f"collides with {prefix + other!r} where case is ignored"))
                continue
            try:
                self._visit(parent, name, path)
            except PermissionError:
                self.problems.append(Problem(path, "cannot be read; restore its permissions"))

    def _visit(self, parent: int, name: str, path: str) -> None:
        status = os.lstat(name, dir_fd=parent)
        if stat.S_ISDIR(status.st_mode):
            with directory(name, parent) as inner:
                self.enter(inner, f"{path}/")
            return
        if stat.S_ISLNK(status.st_mode):
            target = os.fsencode(os.readlink(name, dir_fd=parent))
            entry = Entry("120000", _blob_id(target), len(target))
        elif stat.S_ISREG(status.st_mode):
            self._charge(status.st_size)
            entry = _hash_file(parent, name, path)
        else:
            self.problems.append(Problem(path, kind_of(status.st_mode)))
            return
        self.entries[path] = entry
        if len(self.entries) > self._limits.files:
            raise UnsafePath((Problem(path, f"is one more than the {self._limits.files} files a tree may have"),))

    def _charge(self, size: int) -> None:
        self._bytes += size
        if self._bytes > self._limits.total_bytes:
            limit = self._limits.total_bytes >> 20
            raise UnsafePath((Problem(".", f"holds more than {limit} MiB"), *self.problems))


def _blob_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _hash_file(parent: int, name: str, path: str) -> Entry:
    """Hash as git does (`blob`, the size, a NUL, the content), in chunks."""
    with _open_regular(parent, name, path) as file:
        status = os.fstat(file.fileno())
        digest = hashlib.sha1(b"blob %d\0" % status.st_size, usedforsecurity=False)
        size = 0
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    if size != status.st_size:
        raise UnsafePath((Problem(path, "changed while it was read; nothing may run in a workspace that is scanned"),))
    return Entry("100755" if status.st_mode & stat.S_IXUSR else "100644", digest.hexdigest(), size)


def changes(base: Mapping[str, Entry], root: Path, limits: TreeLimits = DEFAULT_TREE_LIMITS) -> list[Change]:
    """Compare the tree at `root` with base's entries, by path; raises `UnsafePath` as `scan` does."""
    now = scan(root, limits)
    found: list[Change] = []
    for path in sorted(base.keys() | now.keys()):
        old, new = base.get(path), now.get(path)
        if new is None:
            found.append(Change(path, "deleted", None, None))
        elif old is None or (old.mode, old.sha1) != (new.mode, new.sha1):
            content = _content(root, path, new)
            found.append(Change(path, "added" if old is None else "modified", new.mode, content))
    return found


def _content(root: Path, path: str, entry: Entry) -> bytes:
    with _parent_of(root, path) as (parent, name):
        if entry.mode == "120000":
            data = os.fsencode(os.readlink(name, dir_fd=parent))
        else:
            data = _read(parent, name, path, entry.size + 1)
    if _blob_id(data) != entry.sha1:
        raise UnsafePath((Problem(path, "changed while it was read; nothing may run in a workspace that is scanned"),))
    return data


@contextmanager
def _parent_of(root: Path, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
    """Open the directory that holds `path`, one component after the other and never through a link."""
    parts = components(path)
    if not parts:
        raise UnsafePath((Problem(path, "is the root directory, not a file"),))
    with _directory_at(root, parts[:-1], path, make=make) as parent:
        yield parent, parts[-1]


@contextmanager
def _directory_at(root: Path, parts: tuple[str, ...], path: str, *, make: bool = False) -> Iterator[int]:
    with directory(root) as top:
        current = os.dup(top)
    try:
        for part in parts:
            if make:
                with suppress(FileExistsError):  # opened below, which refuses anything but a directory
                    os.mkdir(part, 0o755, dir_fd=current)
            _refuse_link(current, part, path)
            with directory(part, current) as inner:
                following = os.dup(inner)
            os.close(current)
            current = following
        yield current
    finally:
        os.close(current)


def _refuse_link(parent: int, name: str, path: str) -> None:
    """A link is refused even when it stays inside: its target has a name of its own, which the caller can use."""
    if stat.S_ISLNK(os.lstat(name, dir_fd=parent).st_mode):
        target = os.readlink(name, dir_fd=parent)
        raise UnsafePath((Problem(path, f"is reached through a link to {target!r}; name the file itself"),))


def _open_regular(parent: int, name: str, path: str) -> BinaryIO:
    """Open a file that is one: a fifo would block, a device would act."""
    descriptor = os.open(name, READ, dir_fd=parent)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise UnsafePath((Problem(path, _what(mode)),))
    return os.fdopen(descriptor, "rb")


def _what(mode: int) -> str:
    return "is a directory" if stat.S_ISDIR(mode) else kind_of(mode)


def _read(parent: int, name: str, path: str, limit: int | None) -> bytes:
    with _open_regular(parent, name, path) as file:
        return file.read(-1 if limit is None else limit)


def read_bytes(root: Path, path: str, *, limit: int | None = None) -> bytes:
    """Read a file (at most `limit` bytes of it) for a tool.

    Raises `UnsafePath` when the path leaves the tree, passes a link or names no file; `FileNotFoundError`,
    `NotADirectoryError`.
    """
    with _parent_of(root, path) as (parent, name):
        _refuse_link(parent, name, path)
        return _read(parent, name, path, limit)


def write_bytes(root: Path, path: str, data: bytes) -> None:
    """Write a file for a tool, whole or not at all, with its directories; permission bits of an old file are kept.

    Raises as `read_bytes` does, and never writes through a link, nor into a directory or special file.
    """
    with _parent_of(root, path, make=True) as (parent, name):
        mode = 0o644
        try:
            status = os.lstat(name, dir_fd=parent)
        except FileNotFoundError:
            pass  # a new file
        else:
            _refuse_link(parent, name, path)
            if not stat.S_ISREG(status.st_mode):
                raise UnsafePath((Problem(path, _what(status.st_mode)),))
            mode = stat.S_IMODE(status.st_mode) & 0o777
        temporary = f".writing-{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(temporary, flags, 0o600, dir_fd=parent), "wb") as file:
                file.write(data)
                os.fchmod(file.fileno(), mode)
            os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
        except OSError:
            _unlink_if_there(parent, temporary)
            raise


def _unlink_if_there(parent: int, name: str) -> None:
    """Remove what a failed write left, if it got that far."""
    try:
        os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        return


def list_dir(root: Path, path: str = ".") -> list[tuple[str, Literal["file", "directory", "link", "special"]]]:
    """List a directory for a tool: names in order, with what each is. Names like `.git` are left out; raises as `read_bytes`."""
    found: list[tuple[str, Literal["file", "directory", "link", "special"]]] = []
    with _directory_at(root, components(path), path) as descriptor:
        for name in sorted(os.listdir(descriptor)):  # noqa: PTH208  # a descriptor, not a path
            if is_git_like(name):
                continue
            mode = os.lstat(name, dir_fd=descriptor).st_mode
            if stat.S_ISLNK(mode):
                found.append((name, "link"))
            elif stat.S_ISDIR(mode):
                found.append((name, "directory"))
            else:
                found.append((name, "file" if stat.S_ISREG(mode) else "special"))
    return found
