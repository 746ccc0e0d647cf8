"""Bare mirrors of repositories: base fetched with ``--depth 1`` and bundled without history (DESIGN section 3, *Snapshots*).

The token stands in the child's environment, never in its arguments, a URL or a file.
"""

from __future__ import annotations

import base64
import fcntl
import os
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from bot.adapters.git_bundle import write_bundle
from bot.adapters.git_process import Git, environment
from bot.adapters.github_client import Addresses
from bot.domain.errors import InternalError
from bot.ports.github import FetchedBase, GitHubBusy, GitHubRefused, Place, RepositoryUnusable

_FULL_NAME: Final = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
_BASE: Final = "refs/conductor/base"
_POINTER: Final = b"version https://git-lfs.github.com/spec/v1\n"
_POINTER_BYTES: Final = 1024
_PACKS: Final = 20
# What old commits are known for; only the commit at the branch's tip is read, and nothing depends on these fields.
_FORGIVEN: Final = (
    "badDate",
    "badDateOverflow",
    "badEmail",
    "badName",
    "badTimezone",
    "missingEmail",
    "missingNameBeforeEmail",
    "missingSpaceBeforeDate",
    "missingSpaceBeforeEmail",
    "zeroPaddedDate",
    "zeroPaddedFilemode",
)


@dataclass(frozen=True, slots=True)
class Limits:
    """``max_bytes`` of all files and of what is fetched, ``max_files``, and ``seconds`` for a fetch."""

    max_bytes: int = 1 << 30
    max_files: int = 200_000
    seconds: float = 600.0


class GitMirror:
    """Mirrors below ``root``, one per installation and repository; deleting one costs the next fetch and nothing else."""

    def __init__(self, root: Path, limits: Limits | None = None) -> None:
        self._root = root
        self._limits = limits or Limits()

    def fetch(self, place: Place, branch: str, addresses: Addresses, token: str, workdir: Path) -> FetchedBase:
        """Fetch ``branch`` and write the bundle ``<tree>.bundle`` into ``workdir``.

        Raises ``RepositoryUnusable`` (no commits, over the limits, objects that git refuses), ``GitHubBusy`` or ``GitHubRefused``.
        """
        if not _FULL_NAME.fullmatch(place.full_name) or branch.startswith("-") or ":" in branch:
            raise InternalError(
                f"{place.full_name!r} and {branch!r} are no repository and branch; nothing is fetched.", {}
            )
        url = f"{addresses.git}/{place.full_name}.git"
        git_dir = self._root / str(int(place.installation_id)) / f"{int(place.repository_id)}.git"
        with _alone(git_dir) as held:
            git = Git(git_dir, held=(held,))
            self._pull(git, place, branch, url, token)
            commit = git.run("rev-parse", "--verify", f"{_BASE}^{{commit}}").stdout.decode("ascii").strip()
            tree = git.run("rev-parse", "--verify", f"{_BASE}^{{tree}}").stdout.decode("ascii").strip()
            looked = self._look(git, place, tree)
            bundle = workdir / f"{tree}.bundle"
            write_bundle(git, tree, bundle)
            if len(list((git_dir / "objects" / "pack").glob("*.pack"))) > _PACKS:
                # Bases of the past go; only the newest is named by a reference.
                git.run("repack", "-a", "-d", "-q")
                git.run("prune", "--expire=now")
        return FetchedBase(commit, tree, bundle, looked.submodules, looked.lfs, looked.files, looked.total_bytes)

    def _pull(self, git: Git, place: Place, branch: str, url: str, token: str) -> None:
        protocol = urlsplit(url).scheme
        settings = [
            f"protocol.{protocol}.allow=always",
            "http.followRedirects=false",
            "credential.helper=",
            "fetch.fsckObjects=true",
            "fetch.unpackLimit=1",
            "http.lowSpeedLimit=1000",
            "http.lowSpeedTime=60",
            *(f"fetch.fsck.{name}=ignore" for name in _FORGIVEN),
        ]
        argv = git.argv(
            (
                "fetch",
                "--quiet",
                "--depth=1",
                "--no-tags",
                "--no-recurse-submodules",
                "--no-auto-maintenance",
                "--no-write-fetch-head",
                "--force",
                url,
                f"+refs/heads/{branch}:{_BASE}",
            ),
            settings,
        )
        basic = base64.b64encode(f"x-access-token:{token}".encode()).decode("ascii")
        extra = {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.{url}.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
            "GIT_PROTOCOL_FROM_USER": "0",
        }
        proxies = {
            name: os.environ[name]
            for name in ("https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY")
            if name in os.environ
        }
        code, said, why = self._watched(git, argv, environment(git.git_dir, extra | proxies))
        if why is not None:
            raise self._unusable(place, why)
        if code != 0:
            raise self._failed(place, branch, said)

    def _watched(self, git: Git, argv: list[str | bytes], env: dict[str, str]) -> tuple[int, str, str | None]:
        """Run a fetch in a group of its own; end the group when it takes too long or too much."""
        ended: list[str] = []
        done = threading.Event()
        with (
            tempfile.TemporaryFile() as errors,
            subprocess.Popen(
                argv,
                env=env,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
                pass_fds=git.held,
            ) as process,
        ):
            watch = threading.Thread(target=self._watch, args=(process, git.git_dir, done, ended), daemon=True)
            watch.start()
            code = process.wait()
            done.set()
            watch.join()
            errors.seek(0)
            said = errors.read(20_000).decode("utf-8", "backslashreplace")
        return code, said, ended[0] if ended else None

    def _watch(self, process: subprocess.Popen[bytes], git_dir: Path, done: threading.Event, ended: list[str]) -> None:
        before, waited = _bytes_below(git_dir), 0.0
        while not done.wait(0.5):
            waited += 0.5
            if waited >= self._limits.seconds:
                ended.append("too_slow")
            elif _bytes_below(git_dir) - before > self._limits.max_bytes:
                ended.append("too_big")
            if ended:
                os.killpg(process.pid, signal.SIGKILL)
                return

    def _failed(self, place: Place, branch: str, said: str) -> Exception:
        lines = [line for line in said.splitlines() if line.strip()]
        last = lines[-1][:300] if lines else "git said nothing"
        if "couldn't find remote ref" in said:
            return self._unusable(place, "empty", branch)
        if re.search(r"fsck error|error in object|index-pack failed|fsck failed", said, re.IGNORECASE):
            return self._unusable(place, "refused", next((line for line in lines if "error" in line), last)[:300])
        status = re.search(r"returned error: (\d{3})", said)
        code = (
            status.group(1)
            if status
            else "401"
            if "Authentication failed" in said or "could not read Username" in said
            else ""
        )
        if "not found" in said:
            code = code or "404"
        fields = {"status": code}
        if code.startswith(("3", "4")) and code != "429":
            return GitHubRefused(f"GitHub refused the fetch of {place.full_name} with {code}: {last}", fields)
        return GitHubBusy(f"The fetch of {place.full_name} failed: {last}; it is tried again.", fields)

    def _look(self, git: Git, place: Place, tree: str) -> _Looked:
        """Count files and bytes, and find what is not there in full: submodules and LFS pointers."""
        files = total = 0
        submodules: list[str] = []
        small: list[tuple[str, str]] = []
        attributes: list[str] = []
        for line in git.run("ls-tree", "-r", "-z", "-l", "--full-tree", tree).stdout.split(b"\0")[:-1]:
            head, _, name = line.partition(b"\t")
            mode, _, blob, size = head.decode("ascii").split()
            path = os.fsdecode(name)
            if mode == "160000":
                submodules.append(path)
                continue
            files, total = files + 1, total + int(size)
            if path == ".gitattributes" or path.endswith("/.gitattributes"):
                attributes.append(blob)
            if len(_POINTER) < int(size) <= _POINTER_BYTES:
                small.append((path, blob))
        if files > self._limits.max_files:
            raise self._unusable(place, "too_many", f"{files} files")
        if total > self._limits.max_bytes:
            raise self._unusable(place, "too_big", f"{total} bytes")
        return _Looked(tuple(submodules), _pointers(git, attributes, small), files, total)

    def _unusable(self, place: Place, reason: str, detail: str = "") -> RepositoryUnusable:
        sentence = {
            "empty": f"has no commits on its default branch {detail}; push a first commit",
            "too_big": f"is over the limit of {self._limits.max_bytes} bytes {detail}; raise the limit or make it smaller",
            "too_many": f"is over the limit of {self._limits.max_files} files ({detail}); raise the limit or make it smaller",
            "too_slow": f"did not come within {self._limits.seconds:.0f} seconds; raise the limit or make it smaller",
            "refused": f"holds objects that git refuses ({detail}); mend them with git fsck",
        }[reason]
        return RepositoryUnusable(
            f"The repository {place.full_name} {sentence}.", {"reason": reason, "repository": place.full_name}
        )


@dataclass(frozen=True, slots=True)
class _Looked:
    """What the tree holds."""

    submodules: tuple[str, ...]
    lfs: tuple[str, ...]
    files: int
    total_bytes: int


def _pointers(git: Git, attributes: list[str], small: list[tuple[str, str]]) -> tuple[str, ...]:
    """Paths whose bytes are an LFS pointer, in a repository whose attributes speak of LFS."""
    speaks: list[bool] = []
    git.blobs(attributes, lambda _, data: speaks.append(b"filter=lfs" in data))
    if not any(speaks):
        return ()
    found: list[str] = []

    def take(index: int, data: bytes) -> None:
        if data.startswith(_POINTER):
            found.append(small[index][0])

    git.blobs([blob for _, blob in small], take)
    return tuple(found)


@contextmanager
def _alone(git_dir: Path) -> Iterator[int]:
    """One fetch at a time in a mirror, over processes; the lock (its descriptor) goes with the last process that holds it.

    Whoever has it finds no other git at work there, so what a killed one left would stand for ever: its lock files, which
    let every later fetch fail, and its half packs.
    """
    git_dir.parent.mkdir(parents=True, exist_ok=True)
    with git_dir.with_suffix(".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in (
            *git_dir.rglob("*.lock"),
            *git_dir.glob("objects/pack/tmp_*"),
            *git_dir.glob("objects/pack/.tmp-*"),
        ):
            left.unlink()
        yield lock.fileno()


def _bytes_below(folder: Path) -> int:
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(where) / name).lstat().st_size
            except FileNotFoundError:
                # git renames its temporary packs while we look.
                continue
    return total
