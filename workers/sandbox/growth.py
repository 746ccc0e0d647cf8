"""How much a command writes into its tree: what the file system lost is asked all the time, the tree itself now and then.

A quota would be the kernel's, but needs a file system of the tree's own; free bytes and files of the whole file system are
cheap to ask and belong to everybody on it, so the tree is measured before anything is killed.
"""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from workers.sandbox.trees import MAX_DEPTH, directory
from workers.sandbox.watch import Limits, members_of

_EVERY_S: Final = 5.0
_REST: Final = 20
"""The tree is not measured more than a twentieth of the time, nor a fourth of it when the disk fills."""
_SHARE: Final = 8
_HIDDEN_AGAIN: Final = 3
"""So many times in a row."""
_BLOCK: Final = 512


@dataclass(slots=True)
class Measured:
    """What a tree holds: bytes of disk, and files of any kind.

    `too_deep`: some lie deeper than a tree may. `hidden`: a folder or a process could not be looked into.
    """

    bytes: int = 0
    files: int = 0
    too_deep: bool = False
    hidden: bool = False
    _seen: set[int] = field(default_factory=set)

    def count(self, status: os.stat_result) -> None:
        """Add one file; one of several names of a file counts its bytes once."""
        self.files += 1
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            if status.st_ino in self._seen:
                return
            self._seen.add(status.st_ino)
        self.bytes += status.st_blocks * _BLOCK


class Growth:
    """Watches one tree while one command runs."""

    def __init__(self, tree: Path, limits: Limits, name: str = "its tree") -> None:
        """Remember what is free now; `name` is what the tree is called in a sentence."""
        self._tree = tree
        self._limits = limits
        self._name = name
        self._first = self._disk = os.statvfs(tree)
        self._hidden = 0
        self._next = time.monotonic() + _EVERY_S
        self._rested = 0.0

    def excess(self, top: int) -> str:
        """Say in one sentence what the tree exceeds, or answer ''; `top` is the sandbox's first process."""
        now = time.monotonic()
        if now < self._rested or (now < self._next and not self._dropped()):
            return ""
        self._disk = os.statvfs(self._tree)
        measured = measure(self._tree, self._limits)
        _count_unlinked(top, self._tree.stat().st_dev, measured)
        self._charge_hidden(measured)
        cost = time.monotonic() - now
        self._rested = now + cost * _REST / 5
        self._next = now + max(_EVERY_S, cost * _REST)
        return _sentence(measured, self._limits, self._name)

    def _charge_hidden(self, measured: Measured) -> None:
        """Whoever hides something again and again is charged for all that the disk lost.

        Once is nothing: folders come and go while a project is built.
        """
        self._hidden = self._hidden + 1 if measured.hidden else 0
        if self._hidden >= _HIDDEN_AGAIN:
            lost = self._first.f_bavail - self._disk.f_bavail
            measured.bytes = max(measured.bytes, lost * self._disk.f_frsize)
            measured.files = max(measured.files, self._first.f_favail - self._disk.f_favail)

    def _dropped(self) -> bool:
        """Whether the file system lost so much that the tree may have taken a share of its limit."""
        disk = os.statvfs(self._tree)
        lost = (self._disk.f_bavail - disk.f_bavail) * disk.f_frsize
        return lost > self._limits.tree_bytes // _SHARE or (
            self._disk.f_favail - disk.f_favail > self._limits.tree_files // _SHARE
        )


def _sentence(measured: Measured, limits: Limits, name: str) -> str:
    if measured.too_deep:
        return f"killed: {name} is more than {MAX_DEPTH} directories deep"
    if measured.files > limits.tree_files:
        return f"killed: {name} holds more than {limits.tree_files} files"
    if measured.bytes > limits.tree_bytes:
        return f"killed: {name} takes more than {limits.tree_bytes >> 20} MiB of disk"
    return ""


def measure(tree: Path, limits: Limits) -> Measured:
    """Measure a tree that changes meanwhile, without following links; no further than `limits` allow."""
    measured = Measured()
    with directory(tree) as top:
        _measure(top, 0, measured, limits)
    return measured


def _measure(parent: int, depth: int, measured: Measured, limits: Limits) -> None:
    if depth > MAX_DEPTH:
        measured.too_deep = True
        return
    with os.scandir(parent) as entries:
        listed = list(entries)
    for entry in listed:
        if measured.files > limits.tree_files or measured.bytes > limits.tree_bytes or measured.too_deep:
            return
        try:
            status = entry.stat(follow_symlinks=False)
            measured.count(status)
            if stat.S_ISDIR(status.st_mode):
                with directory(entry.name, parent) as inner:
                    _measure(inner, depth + 1, measured, limits)
        except OSError:  # it went away, became something else, or was closed to us
            measured.hidden |= entry.is_dir(follow_symlinks=False)


def _count_unlinked(top: int, device: int, measured: Measured) -> None:
    """Add the files on the tree's disk that processes of the sandbox hold open and that have no name any more."""
    seen: set[int] = set()
    for pid in members_of(top):
        try:
            opened = list(Path(f"/proc/{pid}/fd").iterdir())
        except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            continue
        except PermissionError:  # it made itself undumpable
            measured.hidden = True
            continue
        for one in opened:
            with suppress(OSError):  # it was closed meanwhile
                status = one.stat()
                if status.st_nlink == 0 and status.st_dev == device and status.st_ino not in seen:
                    seen.add(status.st_ino)
                    measured.count(status)
