"""How much a command writes into its tree: what the file system lost is asked all the time, the tree itself now and then.

A quota would be the kernel's, but needs a file system of the tree's own; free bytes and files of the whole file system are
cheap to ask and belong to everybody on it, so the tree is measured before anything is killed.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
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
_BLOCK: Final = 512


@dataclass(slots=True)
class Measured:
    """What a tree holds: bytes of disk, and files of any kind. `too_deep`: some lie deeper than a tree may."""

    bytes: int = 0
    files: int = 0
    too_deep: bool = False
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

    def __init__(self, tree: Path, limits: Limits) -> None:
        """Remember what is free now."""
        self._tree = tree
        self._limits = limits
        self._disk = os.statvfs(tree)
        self._next = time.monotonic() + _EVERY_S
        self._rested = 0.0

    def excess(self, top: int) -> str:
        """Say in one sentence what the tree exceeds, or answer ''; `top` is the sandbox's first process."""
        now = time.monotonic()
        if now < self._rested or (now < self._next and not self._dropped()):
            return ""
        self._disk = os.statvfs(self._tree)
        measured = measure(self._tree, self._limits)
        device = self._tree.stat().st_dev
        for status in _unlinked(top, device):
            measured.count(status)
        cost = time.monotonic() - now
        self._rested = now + cost * _REST / 5
        self._next = now + max(_EVERY_S, cost * _REST)
        return _sentence(measured, self._limits)

    def _dropped(self) -> bool:
        """Whether the file system lost so much that the tree may have taken a share of its limit."""
        disk = os.statvfs(self._tree)
        lost = (self._disk.f_bavail - disk.f_bavail) * disk.f_frsize
        return lost > self._limits.tree_bytes // _SHARE or (
            self._disk.f_favail - disk.f_favail > self._limits.tree_files // _SHARE
        )


def _sentence(measured: Measured, limits: Limits) -> str:
    if measured.too_deep:
        return f"killed: its tree is more than {MAX_DEPTH} directories deep"
    if measured.files > limits.tree_files:
        return f"killed: its tree holds more than {limits.tree_files} files"
    if measured.bytes > limits.tree_bytes:
        return f"killed: its tree takes more than {limits.tree_bytes >> 20} MiB of disk"
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
    for name in os.listdir(parent):
        if measured.files > limits.tree_files or measured.bytes > limits.tree_bytes or measured.too_deep:
            return
        # What went away, became something else or cannot be read meanwhile is counted the next time, or refused on return.
        with suppress(OSError):
            status = os.lstat(name, dir_fd=parent)
            measured.count(status)
            if stat.S_ISDIR(status.st_mode):
                with directory(name, parent) as inner:
                    _measure(inner, depth + 1, measured, limits)


def _unlinked(top: int, device: int) -> Iterator[os.stat_result]:
    """Files on the tree's disk that processes of the sandbox hold open and that have no name any more."""
    seen: set[int] = set()
    for pid in members_of(top):
        with suppress(OSError):  # it ended meanwhile, or made itself undumpable: the disk's floor bounds it then
            for opened in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    status = opened.stat()
                    if status.st_nlink == 0 and status.st_dev == device and status.st_ino not in seen:
                        seen.add(status.st_ino)
                        yield status
