"""The adapters of GitHub, each over HTTP against the local one: what their tests share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.adapters.git_mirror import GitMirror
from bot.adapters.github_client import GitHubClient
from bot.adapters.github_reader import GitHubAppReader
from bot.adapters.github_writer import GitHubAppWriter
from bot.adapters.system_clock import SystemClock
from bot.domain import writes as w
from bot.domain.subject import canonical
from bot.domain.work import Patch
from bot.policy.decide import Decision
from bot.ports.github import (
    Approved,
    GitHubReader,
    GitHubWriter,
    OutboxWrite,
    Place,
    approve,
)
from bot.simulator.github.server import SimulatedGitHub

NAME = "acme/calc"
FILES: dict[str, Any] = {
    "calc.py": "def add(a, b):\n    return a - b\n",
    "docs/a b.txt": "x\n",
    ".github/conductor.yml": "mode: active\n",
    "bin": bytes(range(256)),
}
TOKEN = "ab" * 16
PLACE = Place(1, 2, NAME)
YES = Decision(True, ("test",), (), "0" * 64, "allowed")


@pytest.fixture(scope="module")
def key() -> str:
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return made.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode("ascii")


@pytest.fixture
def github(key: str) -> Iterator[SimulatedGitHub]:
    with SimulatedGitHub(app_id=77, webhook_secret="s", private_key_pem=key) as server:
        server.add_repository(NAME, FILES)
        server.add_person("ana", "maintain")
        server.add_person("rea", "read")
        server.open_issue(7, "Adding is wrong", "It subtracts.", "rea")
        yield server
        assert server.violations == []
        assert server.refused == []


@pytest.fixture
def client(github: SimulatedGitHub) -> Iterator[GitHubClient]:
    found = GitHubClient(app_id=77, private_key=github.private_key_pem, base_url=github.url, clock=SystemClock())
    yield found
    found.close()


@pytest.fixture
def place(github: SimulatedGitHub) -> Place:
    return Place(github.installation_id, github.world.only_repository().id, NAME)


@pytest.fixture
def reader(client: GitHubClient, tmp_path: Path) -> GitHubReader:
    return GitHubAppReader(client, GitMirror(tmp_path / "mirrors"))


class Desk:
    """What the writer is given: patches by hash, and a place for commit ids."""

    def __init__(self) -> None:
        self.patches: dict[str, Patch] = {}
        self.commits: list[tuple[int, str]] = []

    def contents(self, _write: OutboxWrite, sha256: str) -> Patch:
        return self.patches[sha256]

    def on_commit(self, row: OutboxWrite, sha: str) -> None:
        self.commits.append((row.row_id, sha))

    def keep(self, row: OutboxWrite) -> OutboxWrite:
        return row


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def writer(client: GitHubClient, desk: Desk) -> GitHubWriter:
    return GitHubAppWriter(client, contents=desk.contents, on_commit=desk.on_commit, keep=desk.keep)


def row(place: Place, write: w.Write, **changes: Any) -> OutboxWrite:
    body = canonical(write.payload)
    made = OutboxWrite(
        row_id=5,
        kind=write.kind,
        target=write.target,
        body=body,
        payload_sha256=hashlib.sha256(body).hexdigest(),
        dedupe_key=write.payload.get("external_id", "k"),
        token=TOKEN,
        place=place,
    )
    return replace(made, **changes)


def yes(place: Place, write: w.Write, **changes: Any) -> Approved[OutboxWrite]:
    return approve(row(place, write, **changes), YES, "0" * 64)


def text(words: str) -> str:
    return f"{words}\n\n{w.marker(TOKEN)}"
