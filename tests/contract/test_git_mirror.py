"""Fetching a base over HTTP from the local GitHub: what comes, what is refused, and what a killed one leaves."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.git_mirror import GitMirror, Limits
from bot.adapters.git_trees import GitTrees
from bot.adapters.github_client import CONTENTS, Addresses, GitHubClient
from bot.adapters.github_reader import GitHubAppReader
from bot.domain.errors import InternalError
from bot.ports.github import (
    GitHubBusy,
    GitHubReader,
    GitHubRefused,
    Place,
    RepositoryUnusable,
)
from bot.simulator.github.server import SimulatedGitHub
from tests.contract.github_over_http import FILES, NAME, PLACE, client, github, key, place, reader

__all__ = ["client", "github", "key", "place", "reader"]


def test_fetch_brings_base_and_no_history(
    github: SimulatedGitHub, reader: GitHubReader, place: Place, tmp_path: Path
) -> None:
    files: dict[str, Any] = {
        ".gitattributes": "*.big filter=lfs diff=lfs merge=lfs -text\n",
        "a.big": "version https://git-lfs.github.com/spec/v1\noid sha256:" + "a" * 64 + "\nsize 5\n",
        "not.big": "version 2\n" + "x" * 100,
        "sub": ("160000", "1" * 40),
        'na me\n"q".txt': "x\n",
    }
    later = github.push("main", files, "ana")
    base = reader.fetch_base(place, "main", tmp_path)
    assert base.commit == later
    assert base.tree == reader.commit(place, later)["tree"]
    assert (base.submodules, base.lfs) == (("sub",), ("a.big",))
    assert base.files == len(FILES) + 4
    assert base.total_bytes > 256
    trees = GitTrees(tmp_path / "trees.git")
    trees.load(base.bundle, base.tree)
    assert trees.read(base.tree, "calc.py") == FILES["calc.py"].encode()
    assert trees.read(base.tree, 'na me\n"q".txt') == b"x\n"
    again = reader.fetch_base(place, "main", tmp_path)
    assert (again.tree, again.commit) == (base.tree, base.commit)
    newer = github.push("main", {"calc.py": "y = 2\n"}, "ana")
    assert reader.fetch_base(place, "main", tmp_path).commit == newer
    # Forced back: the mirror follows.
    assert reader.fetch_base(place, "main", tmp_path).commit == newer


def test_a_repository_without_commits(github: SimulatedGitHub, client: GitHubClient, tmp_path: Path) -> None:
    empty = github.add_repository("acme/empty", None)
    with pytest.raises(RepositoryUnusable, match="no commits") as caught:
        GitHubAppReader(client, GitMirror(tmp_path)).fetch_base(
            Place(github.installation_id, empty.id, "acme/empty"), "main", tmp_path
        )
    assert caught.value.fields["reason"] == "empty"


@pytest.mark.parametrize(("limits", "reason"), [(Limits(max_files=3), "too_many"), (Limits(max_bytes=200), "too_big")])
def test_limits_end_in_a_sentence(
    client: GitHubClient, place: Place, tmp_path: Path, limits: Limits, reason: str
) -> None:
    reader = GitHubAppReader(client, GitMirror(tmp_path, limits))
    with pytest.raises(RepositoryUnusable, match="over the limit") as caught:
        reader.fetch_base(place, "main", tmp_path)
    assert caught.value.fields["reason"] == reason


def test_a_fetch_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    """A server that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        addresses = Addresses.of(f"http://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(RepositoryUnusable) as caught:
            GitMirror(tmp_path, Limits(seconds=1.0)).fetch(PLACE, "main", addresses, "t", tmp_path)
    assert caught.value.fields["reason"] == "too_slow"


def test_a_wrong_token_is_refused(key: str, tmp_path: Path) -> None:
    with SimulatedGitHub(app_id=77, webhook_secret="s", private_key_pem=key) as github:
        github.add_repository(NAME, FILES)
        with pytest.raises(GitHubRefused):
            GitMirror(tmp_path).fetch(PLACE, "main", Addresses.of(github.url), "ghs_wrong", tmp_path)
        assert github.refused


def test_a_server_that_is_not_there_is_busy(tmp_path: Path) -> None:
    with pytest.raises(GitHubBusy):
        GitMirror(tmp_path).fetch(PLACE, "main", Addresses.of("http://127.0.0.1:9"), "t", tmp_path)


def test_what_a_killed_fetch_left_stops_no_later_one(reader: GitHubReader, place: Place, tmp_path: Path) -> None:
    base = reader.fetch_base(place, "main", tmp_path)
    mirror = next((tmp_path / "mirrors").glob("*/*.git"))
    names = (
        "shallow.lock",
        "packed-refs.lock",
        "refs/conductor/base.lock",
        "objects/pack/tmp_pack_Ab12Cd",
        "objects/pack/.tmp-7-pack",
    )
    for name in names:
        (mirror / name).write_bytes(b"half")
    assert reader.fetch_base(place, "main", tmp_path) == base
    assert [name for name in names if (mirror / name).exists()] == []


FETCHES = """
import sys
from pathlib import Path
from bot.adapters.git_mirror import GitMirror
from bot.adapters.github_client import Addresses
from bot.ports.github import Place
GitMirror(Path(sys.argv[1])).fetch(Place(1, 2, "acme/calc"), "main", Addresses.of(sys.argv[2]), "t", Path(sys.argv[1]))
"""


def test_a_fetch_that_outlives_its_worker_keeps_the_mirror_to_itself(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        worker = subprocess.Popen([sys.executable, "-c", FETCHES, str(tmp_path), url])
        connection, _ = server.accept()
        worker.kill()
        worker.wait()
        with connection, (tmp_path / "1" / "2.lock").open("wb") as lock:
            with pytest.raises(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            connection.close()
            server.close()
            fcntl.flock(lock, fcntl.LOCK_EX)


@pytest.mark.parametrize(
    ("name", "branch"), [("a/b/c", "main"), ("--upload-pack=x/y", "-x"), ("a/b", "a:refs/heads/x"), ("a b/c", "main")]
)
def test_odd_names_are_not_fetched(tmp_path: Path, name: str, branch: str) -> None:
    with pytest.raises(InternalError):
        GitMirror(tmp_path).fetch(
            replace(PLACE, full_name=name), branch, Addresses.of("http://127.0.0.1:9"), "t", tmp_path
        )


def test_the_token_is_in_no_argument_url_or_file(
    reader: GitHubReader, client: GitHubClient, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    popen = subprocess.Popen.__init__

    def spy(self: Any, args: Any, *rest: Any, **named: Any) -> None:
        seen.append([os.fsdecode(one) for one in args])
        popen(self, args, *rest, **named)

    monkeypatch.setattr(subprocess.Popen, "__init__", spy)
    reader.fetch_base(place, "main", tmp_path)
    token = client.token(place, CONTENTS)
    hidden = (token, base64.b64encode(f"x-access-token:{token}".encode()).decode())
    assert any("fetch" in one for one in seen)
    for one in hidden:
        assert one not in json.dumps(seen)
        for where, _, names in os.walk(tmp_path):
            for name in names:
                assert one.encode() not in (Path(where) / name).read_bytes()
