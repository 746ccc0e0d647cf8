"""Three-way merge of patches path by path, with git's own line merge.

``git merge-tree`` follows renames and cannot be told not to before git 2.50: a step's change would land in a file that
no step of the plan named. Path by path, nothing can move.
"""

from __future__ import annotations

import base64
import hashlib
import tempfile
from pathlib import Path

from bot.adapters.git_process import Git
from bot.domain.errors import InternalError
from bot.domain.work import REGULAR_MODES, Change, GitMode, Patch


def blob_id(data: bytes) -> str:
    """Git's name for a blob's bytes."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


class Merging:
    """What the patches merged so far change, by path, against one base."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self.changes: dict[str, Change] = {}
        self.conflicts: set[str] = set()

    def add(self, patch: Patch) -> None:
        """Take ``patch`` in, or list its conflicts and take nothing of it."""
        conflicts = self._collisions(patch)
        merged: dict[str, Change | None] = {}
        for theirs in patch.changes:
            ours = self.changes.get(theirs.path)
            if ours is None or ours == theirs:
                merged[theirs.path] = theirs
                continue
            if (ours.before, ours.before_mode) != (theirs.before, theirs.before_mode):
                raise InternalError(
                    f"Two patches name different blobs as the base of {theirs.path!r}; make them again from one tree.",
                    {"path": ascii(theirs.path)},
                )
            try:
                merged[theirs.path] = self._both(ours, theirs)
            except _Conflict:
                conflicts.add(theirs.path)
        if conflicts:
            self.conflicts |= conflicts
            return
        for path, change in merged.items():
            if change is None:
                self.changes.pop(path)
            else:
                self.changes[path] = change

    def _collisions(self, patch: Patch) -> set[str]:
        """Paths that would have to be a file and a folder at once."""
        ours = {path for path, change in self.changes.items() if change.content is not None}
        theirs = {change.path for change in patch.changes if change.content is not None}
        found = set()
        for path, other in [(path, ours) for path in theirs] + [(path, theirs) for path in ours]:
            found |= {path for above in _above(path) if above in other}
        return found

    def _both(self, ours: Change, theirs: Change) -> Change | None:
        """One path that both change, differently; None when the merge is the base again."""
        if ours.content is None or theirs.content is None:
            raise _Conflict
        mode = _three_way(ours.before_mode, ours.mode, theirs.mode)
        data = base64.b64decode(ours.content)
        if ours.content != theirs.content:
            # Links, submodules and new files have no lines to merge.
            if ours.before is None or not REGULAR_MODES.issuperset({str(ours.before_mode), ours.mode, theirs.mode}):
                raise _Conflict
            data = self._lines(ours.before, data, base64.b64decode(theirs.content))
        if (blob_id(data), mode) == (ours.before, ours.before_mode):
            return None
        return ours.model_copy(update={"mode": mode, "content": base64.b64encode(data).decode("ascii")})

    def _lines(self, base: str, ours: bytes, theirs: bytes) -> bytes:
        if base in {blob_id(ours), blob_id(theirs)}:
            # One side changed the mode alone.
            return theirs if base == blob_id(ours) else ours
        found: list[bytes] = []
        self._git.blobs([base], lambda _, data: found.append(data))
        with tempfile.TemporaryDirectory() as folder:
            names = []
            for name, data in (("ours", ours), ("base", found[0]), ("theirs", theirs)):
                (Path(folder) / name).write_bytes(data)
                names.append(str(Path(folder) / name))
            # The exit code counts the conflicts; 255 says that a side is binary.
            done = self._git.run("merge-file", "-p", "-q", *names, codes=tuple(range(256)))
        if done.returncode != 0:
            raise _Conflict
        return done.stdout


class _Conflict(Exception):
    """A path that does not merge."""


def _three_way(base: GitMode | None, ours: GitMode, theirs: GitMode) -> GitMode:
    if theirs in {ours, base}:
        return ours
    if ours == base:
        return theirs
    raise _Conflict


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]
