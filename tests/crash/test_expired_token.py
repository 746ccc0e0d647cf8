"""A token that ends before its time costs a fetch nothing but another token, as it does a request to the API."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.adapters.git_mirror import GitMirror
from bot.adapters.github_client import GitHubClient
from bot.adapters.github_reader import GitHubAppReader
from bot.adapters.system_clock import SystemClock
from bot.ports.github import GitHubLimited, Place
from bot.simulator.github.faults import Fault
from tests.contract.simulated_github_client import APP_ID, OWNER, REPO, simulated

NAME = f"{OWNER}/{REPO}"


def test_a_fetch_with_a_token_that_was_ended_asks_for_a_new_one(tmp_path: Path) -> None:
    with simulated() as github:
        place = Place(github.installation_id, github.world.only_repository().id, NAME)
        client = GitHubClient(
            app_id=APP_ID, private_key=github.private_key_pem, base_url=github.url, clock=SystemClock()
        )
        reader = GitHubAppReader(client, GitMirror(tmp_path / "mirrors"))
        first = reader.fetch_base(place, "main", tmp_path)
        github.expire_tokens()
        assert reader.fetch_base(place, "main", tmp_path).commit == first.commit
        assert any("401" in one or "credentials" in one.lower() for one in github.refused)
        client.close()


def test_a_fetch_is_tried_with_one_new_token_alone(tmp_path: Path) -> None:
    refusing = Fault(f"GET /{NAME}.git/*", status=401, times=99)
    with simulated(faults=[refusing]) as github:
        place = Place(github.installation_id, github.world.only_repository().id, NAME)
        client = GitHubClient(
            app_id=APP_ID, private_key=github.private_key_pem, base_url=github.url, clock=SystemClock()
        )
        reader = GitHubAppReader(client, GitMirror(tmp_path / "mirrors"))
        with pytest.raises(GitHubLimited, match=r"does not take the App's credentials.*401"):
            reader.fetch_base(place, "main", tmp_path)
        assert refusing.applied <= 4
        client.close()
