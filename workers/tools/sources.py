"""Where tools read files: a git tree of the control plane's own store, or an implementer's workspace."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bot.domain.facts import BaseEntry
from bot.ports.trees import Trees
from workers.sandbox.paths import components, is_git_like
from workers.sandbox.workspaces import read_bytes
from workers.tools.said import Refused, shown_name

MOST_FILE_BYTES = 8 << 20
"""A larger file is not read by a tool."""


class Source(Protocol):
    """Files by path."""

    def read(self, path: str) -> bytes:
        """A file's bytes. Raises Refused (or UnsafePath) when it is no plain file or too large."""
        ...

    def paths(self) -> Iterator[str]:
        """Every file and link, in order."""
        ...


def _too_large(path: str, size: int) -> Refused:
    return Refused(f"{shown_name(path)} has {size} bytes; files of more than {MOST_FILE_BYTES} are not read.")


@dataclass(frozen=True, slots=True)
class GitSource:
    """One tree of the store."""

    trees: Trees
    tree: str
    _entries: dict[str, BaseEntry] = field(default_factory=dict)

    def entries(self) -> dict[str, BaseEntry]:
        """All entries, asked once."""
        if not self._entries:
            self._entries.update(self.trees.entries(self.tree))
        return self._entries

    def paths(self) -> Iterator[str]:
        """Every file, link and submodule."""
        yield from sorted(self.entries())

    def read(self, path: str) -> bytes:
        """As Source says."""
        name = "/".join(components(path))
        entry = self.entries().get(name)
        if entry is None:
            folder = any(other.startswith(f"{name}/") for other in self.entries())
            what = "is a folder: list_files shows what is in it" if folder else "is not in the repository"
            raise Refused(f"{shown_name(name)} {what}.")
        if entry.mode == "160000":
            raise Refused(f"{shown_name(name)} is a submodule, whose content is not here.")
        if entry.size > MOST_FILE_BYTES:
            raise _too_large(name, entry.size)
        data = self.trees.read(self.tree, name)
        if data is None:
            raise Refused(f"{shown_name(name)} cannot be read.")
        if entry.mode == "120000":
            target = data.decode("utf-8", "backslashreplace")
            raise Refused(f"{shown_name(name)} is a link to {shown_name(target)}; read the file itself.")
        return data


@dataclass(frozen=True, slots=True)
class FolderSource:
    """A workspace on disk, which commands change; links are never followed."""

    root: Path

    def read(self, path: str) -> bytes:
        """As Source says."""
        try:
            data = read_bytes(self.root, path, limit=MOST_FILE_BYTES + 1)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise Refused(f"{shown_name(path)} is not in the workspace.") from error
        except OSError as error:
            raise Refused(f"{shown_name(path)} cannot be read: {error.strerror}.") from error
        if len(data) > MOST_FILE_BYTES:
            raise _too_large(path, len(data))
        return data

    def paths(self) -> Iterator[str]:
        """Every file and link, without names like .git."""
        for folder, folders, files in os.walk(self.root, followlinks=False):
            folders[:] = sorted(name for name in folders if not is_git_like(name))
            links = [name for name in folders if (Path(folder) / name).is_symlink()]
            prefix = os.path.relpath(folder, self.root)
            for name in sorted([*files, *links]):
                yield name if prefix == "." else f"{prefix}/{name}"
