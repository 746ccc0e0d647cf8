"""The commits of a range as diffs, read through a repository of our own; the one that was given is never written to."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bot.adapters.git_process import Git, GitFailed, environment
from bot.adapters.git_trees import GitTrees
from bot.domain.errors import UserError
from bot.domain.work import FileDiff

MOST_COMMITS: Final = 200
"""The newest of a range; further ones add places, and no certainty."""
MOST_FILES: Final = 40
MOST_LINES: Final = 1_500
"""Changed lines, on both sides, of a diff that is put before reviewers; a larger one costs too much to be repeated."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit beside its first parent; ``base_tree`` is the parent's tree."""

    sha: str
    tree: str
    base_sha: str
    base_tree: str
    message: str
    files: tuple[FileDiff, ...]

    @property
    def title(self) -> str:
        return self.message.partition("\n")[0]

    @property
    def body(self) -> str:
        return self.message.partition("\n")[2].strip()


@dataclass(frozen=True, slots=True)
class History:
    """What was found. ``in_range`` counts all commits, ``commits`` are those whose diffs can be reviewed, oldest first."""

    git: Git
    trees: GitTrees
    first: str
    last: str
    in_range: int
    commits: tuple[Commit, ...]


def read_history(repository: Path, span: str, place: Path) -> History:
    """Read ``span`` (``A..B``, B may be left out for HEAD) of ``repository``; objects of ours go to ``place``.

    Merges are left out, since their sides are in the range themselves. Raises ``UserError``: no git repository, no such
    range, nothing in it, a history that is not there in full.
    """
    start, end = _ends(span)
    source = _Source(repository, place)
    first, last = source.commit(start), source.commit(end)
    git = Git(place / "history.git")
    (git.git_dir / "objects" / "info").mkdir(parents=True, exist_ok=True)
    (git.git_dir / "objects" / "info" / "alternates").write_bytes(os.fsencode(source.objects()) + b"\n")
    trees = GitTrees(git.git_dir)
    try:
        listed = git.run("rev-list", "--no-merges", "--reverse", f"{first}..{last}").stdout.decode("ascii").split()
        found = [_commit(git, trees, sha) for sha in listed[-MOST_COMMITS:]]
    except (GitFailed, KeyError) as error:
        raise UserError(
            f"the history {span} of {repository} is not there in full ({error}); fetch the rest, for example with git fetch --unshallow"
        ) from error
    if not listed:
        raise UserError(
            f"the range {span} of {repository} holds no commit that is not a merge: name one such as HEAD~20..HEAD"
        )
    return History(git, trees, first, last, len(listed), tuple(one for one in found if one is not None))


def _ends(span: str) -> tuple[str, str]:
    start, dots, end = span.partition("..")
    end = end or "HEAD"
    if not dots or not start or end.startswith(".") or any(one.startswith("-") or "\0" in one for one in (start, end)):
        raise UserError(f"{span!r} is no range: write it as A..B, for example HEAD~20..HEAD", {"range": span})
    return start, end


class _Source:
    """Questions to the repository that was given: names and places alone, which no filter or hook answers."""

    def __init__(self, repository: Path, place: Path) -> None:
        if not repository.is_dir():
            raise UserError(f"{repository} is no folder: name a git repository with --repo")
        self._repository = repository
        # The folder may belong to another user; git asks for a configuration file to accept that.
        trust = place / "trust"
        trust.write_text("[safe]\n\tdirectory = *\n", "ascii")
        self._environment = environment(place) | {"GIT_CONFIG_GLOBAL": str(trust)}
        del self._environment["GIT_DIR"]
        if self._ask("rev-parse", "--git-dir") is None:
            raise UserError(
                f"{repository} is no git repository: calibration needs its commits; name another with --repo"
            )

    def commit(self, name: str) -> str:
        """The commit's id."""
        found = self._ask("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        if found is None:
            raise UserError(f"there is no commit {name!r} in {self._repository}: see git log", {"commit": name})
        return found

    def objects(self) -> Path:
        """Where its objects are, of a linked work tree too."""
        found = self._ask("rev-parse", "--git-path", "objects")
        assert found is not None
        return (self._repository / found).resolve()

    def _ask(self, *arguments: str) -> str | None:
        argv = ["git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", *arguments]
        done = subprocess.run(
            argv, check=False, capture_output=True, env=self._environment, cwd=self._repository, timeout=60
        )
        return os.fsdecode(done.stdout).rstrip("\n") if done.returncode == 0 else None


def _commit(git: Git, trees: GitTrees, sha: str) -> Commit | None:
    """The commit, or None when it has no parent, changes nothing, or changes what a reviewer cannot be shown."""
    head, _, message = git.run("cat-file", "commit", sha).stdout.partition(b"\n\n")
    named = [line.decode("ascii").split() for line in head.split(b"\n") if line.startswith((b"tree ", b"parent "))]
    tree = next(value for name, value in named if name == "tree")
    parents = [value for name, value in named if name == "parent"]
    if not parents:
        return None
    base = git.run("rev-parse", "--verify", f"{parents[0]}^{{tree}}").stdout.decode("ascii").strip()
    files = trees.diff(base, tree)
    if not _reviewable(files):
        return None
    return Commit(sha, tree, parents[0], base, message.decode("utf-8", "replace").strip() or "(no message)", files)


def _reviewable(files: Sequence[FileDiff]) -> bool:
    lines = sum(hunk.base_count + hunk.head_count for file in files for hunk in file.hunks)
    plain = all(file.path.isprintable() and "160000" not in {file.old_mode, file.new_mode} for file in files)
    return plain and 0 < lines <= MOST_LINES and len(files) <= MOST_FILES
