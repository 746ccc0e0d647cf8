"""Git trees in a bare repository of our own: no work tree, no configuration, no filters (DESIGN section 3, *Workspaces*)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bot.domain.errors import InternalError
from bot.domain.facts import BaseEntry
from bot.domain.work import FileDiff, Patch


class BundleRefused(InternalError):
    """A snapshot bundle is damaged or not what it should be. ``fields``: ``bundle``, ``why``."""


@dataclass(frozen=True, slots=True)
class Merged:
    """Result of merging patches on one base: the tree, or the paths that conflict."""

    tree: str
    conflicts: tuple[str, ...] = ()


class Trees(Protocol):
    """One store per process; rebuildable from artifacts at any time.

    ``tree`` arguments are 40-digit git tree ids; paths are UTF-8 with surrogate escapes. A tree is in the store after
    ``load`` or ``apply``; asking for another raises ``KeyError``.
    """

    def load(self, bundle: Path, tree: str) -> None:
        """Take in a snapshot bundle (one parentless commit) and check that its tree is ``tree``. Idempotent."""

    def entries(self, tree: str) -> dict[str, BaseEntry]:
        """Every file, link and submodule of a tree by path (recursive); submodules have mode 160000 and size 0."""

    def read(self, tree: str, path: str) -> bytes | None:
        """A blob's bytes (a link's target), or None when there is no such file."""

    def unpack(self, tree: str, into: Path) -> None:
        """Write all files byte-exact into the empty directory ``into``: no filters, links as links, submodules as empty directories."""

    def apply(self, patch: Patch) -> str:
        """Store a patch's blobs and return the tree id it leads to from ``patch.base_tree``."""

    def merge(self, base_tree: str, patches: Sequence[Patch]) -> Merged:
        """Three-way merge of patches that all start at ``base_tree``, in the order given, with git's own merge and no drivers."""

    def patch(self, base_tree: str, tree: str) -> Patch:
        """The difference as a patch, ordered by path."""

    def diff(self, base_tree: str, tree: str) -> tuple[FileDiff, ...]:
        """Changed files with their hunks (zero context lines), no rename detection, ordered by path."""

    def diff_text(self, base_tree: str, tree: str, path: str | None = None, *, context: int = 3) -> str:
        """Unified diff as text for readers, of one path or of all; bytes that are not UTF-8 are shown escaped."""
