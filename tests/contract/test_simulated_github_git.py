"""git over HTTP from the simulated GitHub, and real objects for every kind of repository."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bot.simulator.github.git_import import BadSource, Link
from bot.simulator.github.server import SimulatedGitHub
from tests.contract.simulated_github_client import OWNER, REPO, simulated, token


@pytest.fixture
def github() -> Iterator[SimulatedGitHub]:
    with simulated() as server:
        yield server


def git(folder: Path, *arguments: str, credential: str | None = None) -> subprocess.CompletedProcess[bytes]:
    surroundings = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }
    if credential is not None:
        basic = base64.b64encode(f"x-access-token:{credential}".encode()).decode()
        surroundings |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
        }
    return subprocess.run(["git", "-C", str(folder), *arguments], check=False, capture_output=True, env=surroundings)


def fetch(
    github: SimulatedGitHub, folder: Path, credential: str | None, name: str = REPO
) -> subprocess.CompletedProcess[bytes]:
    git(folder, "init", "-q", "--bare", ".")
    url = f"{github.url}/{OWNER}/{name}.git"
    return git(
        folder,
        "fetch",
        "-q",
        "--no-tags",
        "--depth",
        "1",
        url,
        "+refs/heads/main:refs/heads/main",
        credential=credential,
    )


def test_a_shallow_fetch_with_the_token_in_the_environment(github: SimulatedGitHub, tmp_path: Path) -> None:
    github.push("main", {"calc.py": "1\n"}, "ana")
    done = fetch(github, tmp_path, token(github))
    assert (done.returncode, done.stderr) == (0, b"")
    listed = git(tmp_path, "ls-tree", "-r", "--name-only", "main").stdout.decode().split("\n")
    assert listed[:-1] == [".github/workflows/ci.yml", "bin/run", "calc.py", "docs/read me.md"]
    assert git(tmp_path, "rev-list", "--count", "main").stdout == b"1\n"
    assert git(tmp_path, "fsck", "--strict").returncode == 0
    # The second fetch negotiates: a body that git compresses.
    github.push("main", {f"f{number}": str(number) for number in range(50)}, "ana")
    assert fetch(github, tmp_path, token(github)).returncode == 0


def test_what_git_sees_is_what_the_api_wrote(github: SimulatedGitHub, tmp_path: Path) -> None:
    fetch(github, tmp_path, token(github))
    held = {"Authorization": f"Bearer {token(github)}"}
    answer = httpx.get(f"{github.url}/repos/{OWNER}/{REPO}/git/ref/heads/main", headers=held).json()
    assert git(tmp_path, "rev-parse", "main").stdout.decode().strip() == answer["object"]["sha"]


@pytest.mark.parametrize("credential", [None, "ghs_wrong"])
def test_a_private_repository_needs_the_token(github: SimulatedGitHub, tmp_path: Path, credential: str | None) -> None:
    assert fetch(github, tmp_path, credential).returncode != 0
    assert github.violations == []


def test_a_token_without_contents_fetches_nothing(github: SimulatedGitHub, tmp_path: Path) -> None:
    assert fetch(github, tmp_path, token(github, permissions={"issues": "write"})).returncode != 0
    assert len(github.refused) == 1


def test_a_public_repository_is_open_and_nobody_pushes(github: SimulatedGitHub, tmp_path: Path) -> None:
    github.add_repository(f"{OWNER}/open", {"a": "b"}, private=False)
    assert fetch(github, tmp_path, None, "open").returncode == 0
    url = f"{github.url}/{OWNER}/open.git"
    assert git(tmp_path, "push", url, "main:refs/heads/x", credential=token(github)).returncode != 0
    assert any("pushed over git" in one for one in github.violations)
    assert list(github.snapshot(f"{OWNER}/open")["branches"]) == ["main"]


def test_chunked_bodies_are_put_together(github: SimulatedGitHub) -> None:
    held = {"Authorization": f"Bearer {token(github)}"}
    url = f"{github.url}/repos/{OWNER}/{REPO}/issues/7/comments"
    parts = iter([b'{"body":', b'"in chunks"}'])
    assert httpx.post(url, content=parts, headers=held).status_code == 201
    assert github.snapshot()["comments"][0]["body"] == "in chunks"


def test_every_kind_of_file_keeps_its_bytes(tmp_path: Path) -> None:
    odd = {
        "plain.txt": "text\n",
        'with space and "quote"\nline': "odd name\n",
        os.fsdecode(b"latin-\xe9.txt"): b"caf\xe9",
        "binary": bytes(range(256)),
        "link": Link("plain.txt"),
        "run": ("100755", "#!/bin/sh\n"),
        "sub/module": ("160000", "1" * 40),
        "deep/er/file": "x",
    }
    with simulated(files=odd) as github:
        assert fetch(github, tmp_path, token(github)).returncode == 0
        assert git(tmp_path, "fsck").returncode == 0
        lines = git(tmp_path, "ls-tree", "-rz", "main").stdout.split(b"\0")[:-1]
        modes = {line.split(b"\t", 1)[1]: line.split(b" ", 1)[0] for line in lines}
        assert modes[b"latin-\xe9.txt"] == b"100644"
        assert (modes[b"link"], modes[b"run"], modes[b"sub/module"]) == (b"120000", b"100755", b"160000")
        shown = github.snapshot()["branches"]["main"]
        assert shown["binary"] == hashlib.sha256(bytes(range(256))).hexdigest()
        assert shown["latin-\\xe9.txt"] == hashlib.sha256(b"caf\xe9").hexdigest()
        held = {"Authorization": f"Bearer {token(github)}"}
        base = f"{github.url}/repos/{OWNER}/{REPO}"
        tree = httpx.get(f"{base}/git/trees/main?recursive=1", headers=held).json()["tree"]
        assert {one["type"] for one in tree} == {"blob", "tree", "commit"}
        assert httpx.get(f"{base}/contents/link", headers=held).json()["type"] == "file"
        assert httpx.get(f"{base}/contents/sub/module", headers=held).json()["type"] == "submodule"
        raw = httpx.get(f"{base}/contents/binary", headers=held | {"Accept": "application/vnd.github.raw+json"})
        assert raw.content == bytes(range(256))


def test_a_folder_and_a_git_repository_become_one_commit(github: SimulatedGitHub, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a.py").write_text("1\n")
    (folder / "run").write_text("#!/bin/sh\n")
    (folder / "run").chmod(0o755)
    (folder / "link").symlink_to("sub/a.py")
    (folder / "away").symlink_to("/")
    github.add_repository(f"{OWNER}/folder", folder)
    assert set(github.snapshot(f"{OWNER}/folder")["branches"]["main"]) == {"sub/a.py", "run", "link", "away"}
    for arguments in (
        ("init", "-q", "-b", "trunk", "."),
        ("add", "sub"),
        ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one"),
        ("rm", "-q", "--cached", "-r", "sub"),
        ("add", "run"),
        ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "two"),
    ):
        assert git(folder, *arguments).returncode == 0
    github.add_repository(f"{OWNER}/history", folder)
    assert set(github.snapshot(f"{OWNER}/history")["branches"]["main"]) == {"run"}
    clone = tmp_path / "clone"
    clone.mkdir()
    assert fetch(github, clone, token(github), "history").returncode == 0
    assert git(clone, "rev-list", "--count", "main").stdout == b"1\n"
    with pytest.raises(BadSource):
        github.add_repository(f"{OWNER}/none", tmp_path / "none")


def test_a_repository_without_commits(tmp_path: Path) -> None:
    with simulated(files=None) as github:
        held = {"Authorization": f"Bearer {token(github)}"}
        base = f"{github.url}/repos/{OWNER}/{REPO}"
        assert httpx.get(f"{base}/git/ref/heads/main", headers=held).status_code == 409
        assert httpx.get(f"{base}/contents/x", headers=held).status_code == 404
        assert httpx.get(f"{base}/commits", headers=held).status_code == 409
        git(tmp_path, "init", "-q", "--bare", ".")
        listed = git(tmp_path, "ls-remote", f"{github.url}/{OWNER}/{REPO}.git", credential=token(github))
        assert (listed.returncode, listed.stdout) == (0, b"")
        github.push("main", {"first": "file"}, "ana")
        assert httpx.get(f"{base}/git/ref/heads/main", headers=held).status_code == 200


def test_ten_thousand_files_come_as_one_pack(tmp_path: Path) -> None:
    with simulated(files={f"d{number % 100}/f{number}": f"{number}\n" for number in range(10_000)}) as github:
        assert fetch(github, tmp_path, token(github)).returncode == 0
        assert len(git(tmp_path, "ls-tree", "-r", "--name-only", "main").stdout.splitlines()) == 10_000


def test_an_app_without_workflows_cannot_change_them(github: SimulatedGitHub) -> None:
    held = {"Authorization": f"Bearer {token(github)}"}
    base = f"{github.url}/repos/{OWNER}/{REPO}/git"
    head = httpx.get(f"{base}/ref/heads/main", headers=held).json()["object"]["sha"]
    entry = {
        "path": ".github/workflows/ci.yml",
        "mode": "100644",
        "type": "blob",
        "content": "on: pull_request_target\n",
    }
    tree = httpx.post(f"{base}/trees", json={"base_tree": head, "tree": [entry]}, headers=held).json()["sha"]
    made = httpx.post(f"{base}/commits", json={"message": "m", "tree": tree, "parents": [head]}, headers=held).json()
    answer = httpx.post(f"{base}/refs", json={"ref": "refs/heads/evil", "sha": made["sha"]}, headers=held)
    assert answer.status_code == 403
    assert "workflow" in answer.json()["message"]
