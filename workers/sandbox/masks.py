"""Names in a writable tree that agents, hooks and git obey: nobody inside can make or change one that the step may not touch.

Those that exist are mounted read-only over themselves, the best known ones that do not are taken by an unwritable mount.
What no mount can hold (a name in a new folder, another spelling, a link) is taken away before anybody outside can see it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Final

from bot.domain.paths import matches_any, shown
from bot.domain.protected_paths import AGENTS, GITHUB
from workers.sandbox.paths import folded, is_git_like
from workers.sandbox.trees import DIRECTORY, MAX_DEPTH, directory, give_owner_all, remove_at

HOOKS: Final = ("**/.husky/**", "**/.githooks/**", ".pre-commit-config.yaml", "lefthook.yml", "**/.idea/**")
HELD: Final = (*GITHUB, *AGENTS, *HOOKS)
"""Patterns that hold whatever a repository's own `protected` says: its agents and hooks run with other people's authority."""

# Each is an empty folder while a command runs, also where a file would stand: only a folder can be mounted without the
# third of a millisecond that bubblewrap takes for a file. They are few, since each folder is made and removed on the disk;
# CODEOWNERS is not among them, which a build tool would take for a package.
_TAKEN: Final = (
    ".claude", ".codex", ".cursor", ".cursorrules", ".gitattributes", ".github", ".gitmodules", ".mcp.json", ".vscode",
    "AGENTS.md", "CLAUDE.md", "GEMINI.md",
)  # fmt: skip
MOST_MOUNTS: Final = 64
"""Existing names beyond so many mounts are left to the check after return."""

_NAMES: Final = re.compile(
    "|".join(sorted({translate(next(part for part in one.split("/") if part != "**").casefold()) for one in HELD}))
)


@dataclass(frozen=True, slots=True)
class Protection:
    """`spared`: paths that the approved step may change, from the top of the tree, spelled as in the plan."""

    spared: frozenset[str] = frozenset()

    def holds(self, path: str) -> bool:
        """Whether `path` itself is held; what lies below a held folder is asked by way of the folder."""
        return _is_held(path) and path not in self.spared

    def spares_below(self, path: str) -> bool:
        """Whether the step may change something in the folder `path`."""
        return any(one.startswith(f"{path}/") for one in self.spared)

    def taken(self, tree: Path) -> Iterator[str]:
        """Names at the top that do not exist and that nobody may create."""
        for name in _TAKEN:
            if name not in self.spared and not self.spares_below(name) and not os.path.lexists(tree / name):
                yield name

    def find(self, tree: Path, skipped: Collection[str] = ()) -> dict[str, str]:
        """Give every held name with its kind: `file`, `folder`, `special`, or `link to` its target. Links are not followed.

        `skipped` are folders at the top that something else is mounted over. Folders that lie deeper than `MAX_DEPTH` are
        left out: the scan after return refuses them.
        """
        walk = _Walk(self, frozenset(skipped))
        with directory(tree) as top:
            walk.enter(top, "")
        return walk.found

    def undo(self, tree: Path, before: Mapping[str, str], skipped: Collection[str] = ()) -> list[str]:
        """Remove held names that are not as `before` says; nothing may run in `tree`. Gives the paths, in order."""
        walk = _Walk(self, frozenset(skipped), before)
        with directory(tree) as top:
            walk.enter(top, "")
        return sorted(walk.undone)


HOLD_ALL: Final = Protection()


def mounts(tree: Path, inside: str, found: Mapping[str, str]) -> Iterator[str]:
    """Arguments for bubblewrap that make what was found read-only, and keep its parents from being moved away."""
    mounted: list[str] = []
    parents: set[str] = set()
    for path in sorted(found, key=lambda path: (path.count("/"), path)):
        above = {str(parent) for parent in PurePosixPath(path).parents[:-1]}
        if found[path] not in {"file", "folder"}:
            continue
        if len(mounted) + len(parents | above) >= MOST_MOUNTS:
            break
        mounted.append(path)
        parents |= above
    for kind, paths in (("--bind", sorted(parents)), ("--ro-bind", mounted)):
        for path in paths:
            yield from (kind, f"{tree}/{path}", f"{inside}/{path}")


def undone_sentence(paths: list[str]) -> str:
    """What is said of names that were taken away; '' when there are none."""
    if not paths:
        return ""
    rest = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
    return f"taken away: {', '.join(map(shown, paths[:5]))}{rest}, protected and not among this step's paths; name it in a plan"


@lru_cache(maxsize=1 << 12)
def _is_held(path: str) -> bool:
    name = path.rpartition("/")[2]
    return _may_be_held(name) and (is_git_like(name) or matches_any(HELD, path) is not None)


@lru_cache(maxsize=1 << 16)
def _may_be_held(name: str) -> bool:
    """A look at a name that lets nothing through which `is_git_like` or `matches_any` would find; most names come again."""
    if is_git_like(name):
        return True
    plain = name.lower() if name.isascii() else folded(name)
    return any(_NAMES.match(part.rstrip(" .")) for part in plain.split("/"))


class _Walk:
    """Goes down from descriptor to descriptor; with `before` it removes what is not as it was."""

    def __init__(
        self, protection: Protection, skipped: frozenset[str], before: Mapping[str, str] | None = None
    ) -> None:
        self.found: dict[str, str] = {}
        self.undone: list[str] = []
        self._protection = protection
        self._skipped = skipped
        self._before = before

    def enter(self, parent: int, prefix: str, *, held: bool = False) -> None:
        with os.scandir(parent) as entries:
            listed = [(one.name, _kind(one)) for one in entries if prefix or one.name not in self._skipped]
        for name, kind in listed:
            path, is_folder = prefix + name, kind == "folder"
            covered = held and path not in self._protection.spared
            covered = covered or (_may_be_held(name) and self._protection.holds(path))
            if covered and not (is_folder and self._protection.spares_below(path)):
                self._meet(parent, name, path, kind)
            elif is_folder and prefix.count("/") < MAX_DEPTH:
                self._descend(parent, name, f"{path}/", held=covered)

    def _descend(self, parent: int, name: str, prefix: str, *, held: bool) -> None:
        try:
            inner = os.open(name, DIRECTORY, dir_fd=parent)
        except PermissionError:
            # A command closed it, or its folder. Nobody is alive to put a link in its place.
            give_owner_all(parent)
            os.chmod(name, stat.S_IRWXU, dir_fd=parent)
            inner = os.open(name, DIRECTORY, dir_fd=parent)
        try:
            self.enter(inner, prefix, held=held)
        finally:
            os.close(inner)

    def _meet(self, parent: int, name: str, path: str, kind: str) -> None:
        # A command may have taken the right to look into its folder, or to change it, away from us.
        give_owner_all(parent)
        if kind == "link":
            kind = f"link to {os.readlink(name, dir_fd=parent)}"
        if self._before is None:
            self.found[path] = kind
        elif self._before.get(path) != kind:
            remove_at(name, parent)
            self.undone.append(path)


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_file(follow_symlinks=False):
        return "file"
    if entry.is_dir(follow_symlinks=False):
        return "folder"
    return "link" if entry.is_symlink() else "special"
