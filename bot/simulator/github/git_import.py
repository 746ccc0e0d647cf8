"""Brings a folder, a git repository or a map of files into a simulated repository as its one base commit."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from bot.simulator.github.git_objects import (
    EXECUTABLE,
    FILE,
    LINK,
    SUBMODULE,
    GitObject,
    GitRepository,
    Person,
    environment,
    object_id,
)

BASE_AUTHOR: Final = "octo-maintainer"
BASE_MESSAGE: Final = "Base\n"


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link; its target is kept as it is written."""

    target: str


FileSpec: TypeAlias = str | bytes | Link | tuple[str, str | bytes]
"""Text, bytes, a link, or (git mode, content); for mode `160000` (a submodule) the content is the commit's sha."""
Source: TypeAlias = Path | Mapping[str, FileSpec]


class BadSource(ValueError):
    """The source of a repository cannot be read; the sentence says which and why."""


def import_source(repository: GitRepository, source: Source, at: int) -> str | None:
    """Stores the source's tree under one parentless commit and returns its sha; None for a repository without commits."""
    person = Person(BASE_AUTHOR, f"{BASE_AUTHOR}@users.noreply.github.com", at)
    if isinstance(source, Path):
        if not source.is_dir():
            raise BadSource(f"the repository {source} is not a folder: name one that exists")
        if (source / ".git").exists() or ((source / "HEAD").is_file() and (source / "objects").is_dir()):
            tree = _fetch_tree(repository, source)
            return None if tree is None else repository.write_commit(tree, (), person, person, BASE_MESSAGE)
        contents = _folder(source)
    else:
        contents = {os.fsencode(path): _spec(value) for path, value in source.items()}
    blobs = {path: _blob(mode, data) for path, (mode, data) in contents.items()}
    repository.write_many(one for _, _, one in blobs.values() if one is not None)
    tree = repository.write_tree({path: (mode, sha) for path, (mode, sha, _) in blobs.items()})
    return repository.write_commit(tree, (), person, person, BASE_MESSAGE)


def stored_entry(repository: GitRepository, spec: FileSpec) -> tuple[str, str]:
    """Stores one file and returns its (mode, sha)."""
    mode, data = _spec(spec)
    return (mode, data.decode("ascii")) if mode == SUBMODULE else (mode, repository.write("blob", data))


def _blob(mode: str, data: bytes) -> tuple[str, str, GitObject | None]:
    if mode == SUBMODULE:
        return mode, data.decode("ascii"), None
    return mode, object_id("blob", data), GitObject("blob", data)


def _spec(value: FileSpec) -> tuple[str, bytes]:
    match value:
        case str():
            return FILE, value.encode("utf-8", "surrogateescape")
        case bytes():
            return FILE, value
        case Link():
            return LINK, os.fsencode(value.target)
        case (mode, content):
            return mode, content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content


def _folder(source: Path) -> dict[bytes, tuple[str, bytes]]:
    found: dict[bytes, tuple[str, bytes]] = {}
    root = os.fsencode(source)
    for above, folders, names in os.walk(root):
        folders[:] = [one for one in folders if one != b".git"]
        linked = [one for one in folders if os.path.islink(os.path.join(above, one))]  # noqa: PTH114, PTH118  (names are bytes)
        for name in [*names, *linked]:
            path = os.path.join(above, name)  # noqa: PTH118  (names are bytes)
            status = os.lstat(path)
            relative = os.path.relpath(path, root)
            if stat.S_ISLNK(status.st_mode):
                found[relative] = (LINK, os.readlink(path))  # noqa: PTH115  (names are bytes)
            elif stat.S_ISREG(status.st_mode):
                with open(path, "rb") as stream:  # noqa: PTH123  (names are bytes)
                    found[relative] = (EXECUTABLE if status.st_mode & stat.S_IXUSR else FILE, stream.read())
    return found


def _fetch_tree(repository: GitRepository, source: Path) -> str | None:
    """The tree of HEAD; its objects come as one pack. None when the source has no commit."""
    # The folder may belong to another user; git asks for a configuration file to accept that.
    trust = repository.path / "trust"
    trust.write_text("[safe]\n\tdirectory = *\n", "ascii")
    surroundings = {**environment(repository.path), "GIT_CONFIG_GLOBAL": str(trust)}
    try:
        head = subprocess.run(
            ["git", "-C", str(source), "rev-parse", "--verify", "--quiet", "HEAD"],
            check=False,
            capture_output=True,
            env=surroundings,
        )
        if head.returncode != 0:
            return None
        fetch = ["fetch", "--quiet", "--no-tags", "--depth", "1", source.resolve().as_uri(), "HEAD"]
        done = subprocess.run(
            ["git", "--git-dir", str(repository.path), *fetch], check=False, capture_output=True, env=surroundings
        )
        if done.returncode != 0:
            raise BadSource(f"the git repository {source} cannot be read: {done.stderr.decode('utf-8', 'replace')}")
        return repository.commit(head.stdout.decode("ascii").strip()).tree
    finally:
        # The fetched commit has parents that are not here; nothing refers to it but these.
        for name in ("trust", "shallow", "FETCH_HEAD"):
            (repository.path / name).unlink(missing_ok=True)
