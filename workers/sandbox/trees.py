"""Directory trees that a hostile project may have shaped: copied, measured and removed without following a link."""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workers.sandbox.errors import Problem, UnsafePath

MAX_DEPTH = 200
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FICLONE = 0x40049409
_NO_REFLINK = frozenset({errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.EPERM, errno.ENOSYS})
_CHUNK = 1 << 20


@contextmanager
def directory(path: str | Path, parent: int | None = None) -> Iterator[int]:
    """Open a directory, never through a link; raises `OSError` (ELOOP, ENOTDIR)."""
    descriptor = os.open(path, DIRECTORY, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def give_owner_all(descriptor: int) -> None:
    """Let the owner of an open directory, who we are, read, change and pass it."""
    mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
    if mode & stat.S_IRWXU != stat.S_IRWXU:
        os.fchmod(descriptor, mode | stat.S_IRWXU)


def copy_tree(source: Path, target: Path) -> None:
    """Copy byte for byte: links stay links, permission bits are kept, blocks are shared where the file system can.

    `target` must not exist. Raises `UnsafePath` on special files and on more than `MAX_DEPTH` levels.
    """
    target.mkdir(mode=0o700)
    with directory(source) as old, directory(target) as new:
        _copy_into(old, new, "")
        os.fchmod(new, stat.S_IMODE(os.fstat(old).st_mode) | stat.S_IRWXU)


def _copy_into(old: int, new: int, prefix: str) -> None:
    check_depth(prefix)
    for name in os.listdir(old):
        status = os.lstat(name, dir_fd=old)
        if stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(name, dir_fd=old), name, dir_fd=new)
        elif stat.S_ISDIR(status.st_mode):
            os.mkdir(name, 0o700, dir_fd=new)
            with directory(name, old) as inner_old, directory(name, new) as inner_new:
                _copy_into(inner_old, inner_new, f"{prefix}{name}/")
                os.fchmod(inner_new, stat.S_IMODE(status.st_mode))
        elif stat.S_ISREG(status.st_mode):
            _copy_file(name, old, new)
        else:
            raise UnsafePath((Problem(prefix + name, kind_of(status.st_mode)),))


def _copy_file(name: str, old: int, new: int) -> None:
    source = os.open(name, READ, dir_fd=old)
    try:
        target = os.open(name, _CREATE, 0o600, dir_fd=new)
        try:
            if not _shared_blocks(source, target):
                while os.sendfile(target, source, None, _CHUNK):
                    pass
            os.fchmod(target, stat.S_IMODE(os.fstat(source).st_mode) & 0o777)
        finally:
            os.close(target)
    finally:
        os.close(source)


def _shared_blocks(source: int, target: int) -> bool:
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno in _NO_REFLINK:
            return False
        raise
    return True


def check_depth(prefix: str) -> None:
    """Refuse trees so deep that walking them would exhaust descriptors or the stack."""
    if prefix.count("/") > MAX_DEPTH:
        raise UnsafePath((Problem(f"{prefix[:100]}...", f"is more than {MAX_DEPTH} directories deep"),))


def kind_of(mode: int) -> str:
    """Name what is neither file, directory nor link."""
    kinds = ((stat.S_ISFIFO, "is a fifo"), (stat.S_ISSOCK, "is a socket"), (stat.S_ISBLK, "is a block device"))
    return next((text for test, text in kinds if test(mode)), "is a character device")


def remove_tree(root: Path) -> None:
    """Remove a tree whatever its permissions and depth; links are removed, never followed."""
    with directory(root.parent) as parent:
        remove_at(root.name, parent)


def remove_at(name: str, parent: int) -> None:
    """Remove what stands under `name` in the open directory `parent`, as `remove_tree` does; a file or link is unlinked.

    It goes down without recursion: a tree made inside a sandbox may be deeper than any stack. A directory found inside
    another is first moved up beside `name`, so that only one level is ever open.
    """
    if not stat.S_ISDIR(os.lstat(name, dir_fd=parent).st_mode):
        os.unlink(name, dir_fd=parent)
        return
    waiting = [name]
    unique = secrets.token_hex(8)
    moves = itertools.count()
    while waiting:
        current = waiting.pop()
        # Only directories of ours get here, and nobody else is alive to swap them for links.
        with directory(".", parent) as up:
            os.chmod(current, 0o700, dir_fd=up)
            with directory(current, up) as inner:
                for entry in os.listdir(inner):  # noqa: PTH208  # a descriptor, not a path
                    if stat.S_ISDIR(os.lstat(entry, dir_fd=inner).st_mode):
                        # A directory can be moved only while it is writable itself (its '..' changes).
                        os.chmod(entry, 0o700, dir_fd=inner)
                        moved = f".removing-{unique}-{next(moves)}"
                        os.rename(entry, moved, src_dir_fd=inner, dst_dir_fd=up)
                        waiting.append(moved)
                    else:
                        os.unlink(entry, dir_fd=inner)
            os.rmdir(current, dir_fd=up)


def tree_bytes(root: Path) -> int:
    """Sum the sizes of all files, in bytes of content."""
    total = 0
    for _, _, files, descriptor in os.fwalk(root, follow_symlinks=False):
        total += sum(os.lstat(name, dir_fd=descriptor).st_size for name in files)
    return total
