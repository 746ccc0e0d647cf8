"""Snapshot bundles: one parentless commit with one tree, no history (DESIGN section 3, *Snapshots*).

A shallow ``git bundle`` passes ``verify`` and clone and misses its parents (DESIGN section 14); a parentless commit has none.
The file is written and read here by its format (gitformat-bundle(5), version 2), so that objects are checked on the way
in (``index-pack --strict``), which ``git bundle unbundle`` leaves out.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import IO, Final

from bot.adapters.git_process import Git, GitFailed
from bot.ports.trees import BundleRefused

_MAGIC: Final = b"# v2 git bundle\n"
_REF: Final = "refs/heads/base"
_HEADER: Final = re.compile(rb"([0-9a-f]{40}) refs/heads/base\n")
# Old trees write modes with a leading zero; harmless, and nobody can change them without changing their ids.
STRICT: Final = "--strict=zeroPaddedFilemode=ignore"


def synthetic_commit(git: Git, tree: str, *parents: str) -> str:
    """A commit of ``tree`` by a fixed author at a fixed date: the same id for the same tree and parents."""
    arguments = ["commit-tree", tree, "-m", "Snapshot"]
    for parent in parents:
        arguments += ["-p", parent]
    return git.run(*arguments).stdout.decode("ascii").strip()


def write_bundle(git: Git, tree: str, path: Path) -> str:
    """Write a bundle of one parentless commit with ``tree`` to ``path`` and return the commit's id."""
    commit = synthetic_commit(git, tree)
    with path.open("wb") as file:
        file.write(_MAGIC + f"{commit} {_REF}\n\n".encode("ascii"))
        file.flush()
        git.run(
            "pack-objects",
            "--revs",
            "--stdout",
            "--quiet",
            "--delta-base-offset",
            stdin=f"{commit}\n".encode("ascii"),
            stdout=file,
        )
    return commit


def read_bundle(git: Git, path: Path, tree: str) -> str:
    """Take a bundle's objects in, checked, and return its commit. Raises ``BundleRefused`` when anything is not as it should be."""
    with path.open("rb", buffering=0) as file:
        commit = _header(file, path)
        try:
            git.run("index-pack", STRICT, "--stdin", stdin=file)
        except GitFailed as error:
            raise _refused(path, f"git refuses its objects ({error.fields['said']})") from error
    found = git.run("cat-file", "commit", commit).stdout.partition(b"\n\n")[0].split(b"\n")
    if found[0] != f"tree {tree}".encode("ascii"):
        raise _refused(path, f"its tree is {found[0].decode('ascii', 'replace')}, wanted is {tree}")
    if any(line.startswith(b"parent ") for line in found):
        raise _refused(path, "its commit has parents")
    return commit


def _header(file: IO[bytes], path: Path) -> str:
    head = os.pread(file.fileno(), 512, 0)
    match = _HEADER.match(head, len(_MAGIC))
    if not head.startswith(_MAGIC) or match is None or head[match.end() : match.end() + 5] != b"\nPACK":
        raise _refused(path, "it is not a bundle of one parentless commit")
    os.lseek(file.fileno(), match.end() + 1, os.SEEK_SET)
    return match.group(1).decode("ascii")


def _refused(path: Path, why: str) -> BundleRefused:
    return BundleRefused(
        f"The snapshot bundle {path.name} is refused because {why}; take the snapshot again.",
        {"bundle": path.name, "why": why},
    )
