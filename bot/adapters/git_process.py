"""git as a child process in a bare repository of ours: no system, user or in-tree configuration, no drivers, no prompts.

What a repository's content could otherwise reach: attributes (filters, merge and diff drivers, textconv, line endings),
hooks, replaced objects, lazy fetches, and protocols that start programs.
"""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Final

from bot.domain.errors import InternalError

EMPTY_TREE: Final = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_SECONDS: Final = 600.0
# Given on each command line, so that a configuration file in the repository cannot say otherwise.
_SETTINGS: Final = (
    "core.attributesFile=/dev/null",
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.autocrlf=false",
    "core.quotePath=true",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    # git 2.43 and later read attributes of HEAD's tree in bare repositories; older ones ignore the name.
    f"attr.tree={EMPTY_TREE}",
    "diff.renames=false",
    "diff.external=",
    "merge.renames=false",
    "merge.directoryRenames=false",
    "merge.renormalize=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.allow=never",
    "submodule.recurse=false",
    "pack.threads=1",
)


class GitFailed(InternalError):
    """A git command of ours failed. ``fields``: ``command``, ``code``, ``said`` (its last line)."""


def environment(git_dir: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A child's whole environment: nothing of ours is passed on, no credential and no GIT_* variable among it."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C.UTF-8",
        "HOME": "/nonexistent",
        "XDG_CONFIG_HOME": "/nonexistent",
        "GIT_DIR": os.fspath(git_dir),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        "SSH_ASKPASS": "/bin/false",
        # Synthetic commits have one author and one date, so that a tree always gets the same commit id.
        "GIT_AUTHOR_NAME": "Conductor",
        "GIT_AUTHOR_EMAIL": "conductor@localhost",
        "GIT_AUTHOR_DATE": "1000000000 +0000",
        "GIT_COMMITTER_NAME": "Conductor",
        "GIT_COMMITTER_EMAIL": "conductor@localhost",
        "GIT_COMMITTER_DATE": "1000000000 +0000",
    } | dict(extra or {})


class Git:
    """Commands in one bare repository, which is made when it is not there.

    ``held``: descriptors that every command is given, of locks that must last as long as it does, should it outlive us.
    """

    def __init__(self, git_dir: Path, *, seconds: float = _SECONDS, held: tuple[int, ...] = ()) -> None:
        self.git_dir = git_dir.absolute()
        self.held = held
        self._seconds = seconds
        if not (self.git_dir / "HEAD").is_file():
            self._make()

    def _make(self) -> None:
        """Made beside its place and then moved there, as processes that start together may all find it missing."""
        self.git_dir.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{self.git_dir.name}-", dir=self.git_dir.parent) as beside:
            made = Path(beside) / "made"
            self.run("init", "--quiet", "--bare", "--template=", os.fspath(made), extra={"GIT_DIR": os.fspath(made)})
            try:
                made.rename(self.git_dir)
            except OSError as error:
                if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                    raise
                # Another was first, or somebody left a half: git completes that.
                if not (self.git_dir / "HEAD").is_file():
                    self.run("init", "--quiet", "--bare", "--template=", os.fspath(self.git_dir))

    def argv(self, arguments: Sequence[str | bytes], settings: Sequence[str] = ()) -> list[str | bytes]:
        """The command line: our settings, then ``settings``, then the command."""
        found: list[str | bytes] = ["git", "--no-pager"]
        for setting in (*_SETTINGS, *settings):
            found += ["-c", setting]
        return [*found, *arguments]

    def run(
        self,
        *arguments: str | bytes,
        stdin: bytes | IO[bytes] | None = None,
        stdout: IO[bytes] | None = None,
        codes: tuple[int, ...] = (0,),
        settings: Sequence[str] = (),
        extra: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run one command to its end and return what it wrote.

        Raises ``GitFailed`` for an exit code outside ``codes`` and when the time is over (the process is killed then).
        """
        source: dict[str, bytes | IO[bytes] | int] = {}
        if isinstance(stdin, bytes):
            source["input"] = stdin
        else:
            source["stdin"] = subprocess.DEVNULL if stdin is None else stdin
        try:
            done = subprocess.run(
                self.argv(arguments, settings),
                env=environment(self.git_dir, extra),
                cwd="/",
                stdout=stdout if stdout is not None else subprocess.PIPE,
                stderr=subprocess.PIPE,
                timeout=self._seconds,
                check=False,
                pass_fds=self.held,
                **source,  # type: ignore[call-overload]  # input or stdin, and `run` has an overload for each
            )
        except subprocess.TimeoutExpired as error:
            raise GitFailed(
                f"git {_name(arguments)} did not end within {self._seconds:.0f} seconds; the repository is too large or the disk too slow.",
                {"command": _name(arguments), "code": "timeout", "said": ""},
            ) from error
        if done.returncode not in codes:
            said = _last_line(done.stderr)
            raise GitFailed(
                f"git {_name(arguments)} ended with code {done.returncode}: {said}",
                {"command": _name(arguments), "code": str(done.returncode), "said": said},
            )
        completed: subprocess.CompletedProcess[bytes] = done
        return completed

    def blobs(self, ids: Sequence[str], take: Callable[[int, bytes], None]) -> None:
        """Hand each blob's bytes to ``take`` with its place in ``ids``; one process, one blob in memory at a time.

        Raises ``KeyError`` for an id that is no blob of this repository.
        """
        with tempfile.TemporaryFile() as names:
            # A file as input, so that neither side can wait for the other with a full pipe.
            names.write("".join(f"{blob}\n" for blob in ids).encode("ascii"))
            names.seek(0)
            with subprocess.Popen(
                self.argv(("cat-file", "--batch")),
                env=environment(self.git_dir),
                cwd="/",
                stdin=names,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=self.held,
            ) as process:
                assert process.stdout is not None
                try:
                    for place, blob in enumerate(ids):
                        take(place, _one_blob(process.stdout, blob))
                finally:
                    process.kill()


def _one_blob(stream: IO[bytes], blob: str) -> bytes:
    header = stream.readline().split()
    if len(header) != 3 or header[1] != b"blob" or header[0].decode("ascii") != blob:
        raise KeyError(f"{blob} is no blob of this store; load the snapshot or apply the patch that has it")
    size = int(header[2])
    data = stream.read(size + 1)
    if len(data) != size + 1:
        raise GitFailed(f"git cat-file ended inside blob {blob}", {"command": "cat-file", "code": "", "said": ""})
    return data[:-1]


def _name(arguments: Sequence[str | bytes]) -> str:
    return os.fsdecode(arguments[0])


def _last_line(said: bytes) -> str:
    lines = said.decode("utf-8", "backslashreplace").strip().splitlines()
    return lines[-1][:500] if lines else "it said nothing"
