"""The client of GitHub: tokens, limits, refusals and answers that the local GitHub does not give."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.adapters.git_mirror import GitMirror
from bot.adapters.github_client import CONTENTS, READ, Addresses, GitHubClient
from bot.adapters.github_reader import EDITS_QUERY, GitHubAppReader
from bot.adapters.github_writer import PERMISSIONS
from bot.adapters.system_clock import SystemClock
from bot.adapters.webhook_payloads import milliseconds
from bot.domain import writes as w
from bot.domain.errors import InternalError, SettingsError
from bot.domain.events import Actor
from bot.ports.github import (
    GitHubBusy,
    GitHubLimited,
    GitHubReader,
    GitHubRefused,
    GitHubWriter,
    Place,
)
from bot.simulator.github.server import SimulatedGitHub
from tests.contract.github_over_http import (
    FILES,
    NAME,
    PLACE,
    client,
    desk,
    github,
    key,
    place,
    reader,
    text,
    writer,
    yes,
)

__all__ = ["client", "desk", "github", "key", "place", "reader", "writer"]


def test_tokens_are_for_one_repository_and_kept(
    github: SimulatedGitHub, client: GitHubClient, reader: GitHubReader, place: Place
) -> None:
    github.add_repository("acme/other", {"a": "b"})
    reader.issue(place, 7)
    reader.default_branch(place)
    tokens = list(github._authority.tokens.values())
    assert len(tokens) == 1
    assert tokens[0].repositories == frozenset({place.repository_id})
    assert set(tokens[0].permissions.values()) == {"read"}
    token = client.token(place, CONTENTS)
    assert github._authority.tokens[token].permissions == {"contents": "read", "metadata": "read"}
    # The same name, another id: a token for a repository that is not there is refused.
    with pytest.raises(GitHubRefused):
        reader.default_branch(replace(place, repository_id=1))
    with pytest.raises(GitHubRefused):
        reader.default_branch(replace(place, full_name="acme/other"))


def test_a_row_goes_out_with_a_token_for_its_repository_and_its_kind_alone(
    github: SimulatedGitHub, reader: GitHubReader, writer: GitHubWriter, place: Place
) -> None:
    """A token for a comment cannot push, whoever reads it."""
    github.add_repository("acme/other", {"a": "b"})
    head = reader.ref(place, "main")
    assert head is not None
    for write, granted in (
        (w.CommentCreate(NAME, 7, text("hello")), {"issues": "write"}),
        (
            w.CheckRunCreate(NAME, "main", "Conductor: plan", head, "key", {"status": "in_progress"}),
            {"checks": "write"},
        ),
    ):
        writer.send(yes(place, write), retry=False)
        token = list(github._authority.tokens.values())[-1]
        assert token.repositories == frozenset({place.repository_id})
        assert token.permissions == {**granted, "metadata": "read"}
        assert PERMISSIONS[write.kind] == granted


def test_threads_that_start_together_mint_one_token(
    github: SimulatedGitHub, client: GitHubClient, place: Place
) -> None:
    start = threading.Barrier(8)
    found: list[str] = []

    def ask() -> None:
        start.wait()
        found.append(client.token(place, READ))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(github._authority.tokens) == 1


def test_a_token_that_ended_is_replaced_once(key: str) -> None:
    with SimulatedGitHub(app_id=77, webhook_secret="s", private_key_pem=key) as github:
        github.add_repository(NAME, FILES)
        client = GitHubClient(app_id=77, private_key=key, base_url=github.url, clock=SystemClock())
        place = Place(github.installation_id, github.world.only_repository().id, NAME)
        reader = GitHubAppReader(client, GitMirror(Path("/nonexistent")))
        assert reader.default_branch(place) == "main"
        github.expire_tokens()
        assert reader.default_branch(place) == "main"
        client.close()


class Fixed:
    """A clock that stands."""

    def now(self) -> int:
        return 1_800_000_000_000


def stub(key: str, answer: Callable[[httpx.Request], httpx.Response]) -> tuple[GitHubClient, list[httpx.Request]]:
    """A client whose every request but the minting of tokens is answered by ``answer``."""
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/access_tokens"):
            return httpx.Response(201, json={"token": "ghs_x", "expires_at": "2100-01-01T00:00:00.123Z"})
        seen.append(request)
        return answer(request)

    return GitHubClient(
        app_id=77,
        private_key=key,
        base_url="https://api.github.com",
        clock=Fixed(),
        transport=httpx.MockTransport(handle),
    ), seen


@pytest.mark.parametrize(
    ("status", "headers", "body", "wait_ms"),
    [
        (403, {"retry-after": "7"}, {}, 7_000),
        (429, {"retry-after": "0"}, {}, 1_000),
        (429, {}, {}, 60_000),
        (403, {}, {"message": "You have exceeded a secondary rate limit."}, 60_000),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1800000090"}, {}, 90_000),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}, {}, 1_000),
        (403, {"x-ratelimit-remaining": "0"}, {}, 60_000),
        (429, {"retry-after": "Wed, 21 Oct 2037 07:28:00 GMT"}, {}, 60_000),
        (403, {"retry-after": "9999999"}, {}, 86_400_000),
        (403, {"retry-after": "9" * 30}, {}, 60_000),
    ],
)
def test_limits_become_waits(key: str, status: int, headers: dict[str, str], body: Any, wait_ms: int) -> None:
    client, seen = stub(key, lambda _: httpx.Response(status, headers=headers, json=body))
    with pytest.raises(GitHubLimited) as caught:
        client.call(PLACE, "POST", f"/repos/{NAME}/issues/1/comments", content=b"{}")
    assert caught.value.wait_ms == wait_ms
    assert len(seen) == 1


@pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 422, 451, 301, 307])
def test_other_answers_are_refusals(key: str, status: int) -> None:
    client, seen = stub(
        key,
        lambda _: httpx.Response(
            status,
            json={"message": "no", "errors": [{"field": "f", "code": "c"}, "text"]},
            headers={"Location": "https://evil.example/"},
        ),
    )
    with pytest.raises(GitHubRefused) as caught:
        client.call(PLACE, "POST", f"/repos/{NAME}/issues/1/comments", content=b"{}")
    assert caught.value.status == status
    assert len(seen) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_server_errors_are_unknown_outcomes_and_never_repeated(key: str, status: int) -> None:
    client, seen = stub(key, lambda _: httpx.Response(status, text="<html>"))
    with pytest.raises(GitHubBusy) as caught:
        client.call(PLACE, "POST", f"/repos/{NAME}/issues/1/comments", content=b"{}")
    assert caught.value.fields["status"] == str(status)
    assert len(seen) == 1


@pytest.mark.parametrize(
    "error", [httpx.ReadTimeout("slow"), httpx.ConnectError("no"), httpx.RemoteProtocolError("cut")]
)
def test_lost_connections_are_unknown_outcomes(key: str, error: Exception) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        raise error

    client, seen = stub(key, answer)
    with pytest.raises(GitHubBusy) as caught:
        client.call(PLACE, "POST", f"/repos/{NAME}/issues/1/comments", content=b"{}")
    assert caught.value.fields["status"] == ""
    assert len(seen) == 1


def test_401_gets_a_new_token_once_and_then_is_a_wait(key: str) -> None:
    client, seen = stub(key, lambda _: httpx.Response(401, json={"message": "Bad credentials"}))
    with pytest.raises(GitHubLimited, match=r"Bad credentials.*check the App's id and key") as caught:
        client.call(PLACE, "GET", f"/repos/{NAME}")
    assert caught.value.wait_ms == 60_000
    assert len(seen) == 2
    with pytest.raises(GitHubLimited):
        client.as_app("GET", "/app")


def test_answers_that_are_no_json_are_unknown_outcomes(key: str, tmp_path: Path) -> None:
    client, _ = stub(key, lambda _: httpx.Response(200, text="<html>"))
    with pytest.raises(GitHubBusy, match="no JSON"):
        GitHubAppReader(client, GitMirror(tmp_path)).default_branch(PLACE)


def test_edits_of_title_and_body(key: str, tmp_path: Path) -> None:
    """Body edits are told by GraphQL alone, over several pages, the creation among them."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        assert asked["query"] == EDITS_QUERY
        variables = asked["variables"]
        second = variables.get("after") == "p1"
        person = {"__typename": "User", "login": "mallory", "databaseId": 9}
        edits = [
            {"editedAt": "2026-11-01T10:00:00Z", "editor": person},
            {"editedAt": "2026-11-01T09:00:00Z", "editor": None},
        ]
        old = [{"editedAt": "2026-10-01T00:00:00Z", "editor": person}]
        titles = [{"createdAt": "2026-11-01T11:00:00Z", "actor": {"__typename": "Bot", "login": "b", "databaseId": 8}}]
        issue = {
            "userContentEdits": {
                "pageInfo": {"hasNextPage": not second, "endCursor": "p2" if second else "p1"},
                "nodes": old if second else edits,
            },
            "timelineItems": {
                "pageInfo": {"hasNextPage": False, "endCursor": "t1"},
                "nodes": [] if variables.get("titles") == "t1" else titles,
            },
        }
        return httpx.Response(200, json={"data": {"repository": {"issue": issue}}})

    client, seen = stub(key, answer)
    reader = GitHubAppReader(client, GitMirror(tmp_path))
    edits = reader.issue_edits(PLACE, 7, since=milliseconds("2026-10-31T00:00:00Z"))
    names = [(one.login, one.id, one.kind) for one, _ in edits]
    assert names == [("ghost", 0, "Mannequin"), ("mallory", 9, "User"), ("b", 8, "Bot")]
    late = reader.issue_edits(PLACE, 7, since=edits[-1][1])
    assert late == ((Actor(8, "b", "Bot"), edits[-1][1]),)
    assert len(seen) == 4


@pytest.mark.parametrize(
    ("kind", "error"),
    [("RATE_LIMITED", GitHubLimited), ("FORBIDDEN", GitHubRefused), ("NOT_FOUND", GitHubRefused), ("", GitHubRefused)],
)
def test_graphql_errors_are_errors(key: str, tmp_path: Path, kind: str, error: type[Exception]) -> None:
    client, _ = stub(
        key, lambda _: httpx.Response(200, json={"data": None, "errors": [{"type": kind, "message": "m"}]})
    )
    with pytest.raises(error):
        GitHubAppReader(client, GitMirror(tmp_path)).issue_edits(PLACE, 7, since=0)


def test_roles_of_an_organisations_own_making(key: str, tmp_path: Path) -> None:
    user = {
        "id": 3,
        "login": "ana",
        "type": "User",
        "permissions": {"admin": False, "maintain": True, "push": True, "triage": True, "pull": True},
    }
    client, _ = stub(
        key, lambda _: httpx.Response(200, json={"permission": "write", "role_name": "release-captain", "user": user})
    )
    permission = GitHubAppReader(client, GitMirror(tmp_path)).permission(PLACE, "ana")
    assert permission.can_maintain
    user["permissions"] = dict.fromkeys(("admin", "maintain", "push"), False) | {"triage": True, "pull": True}
    assert not GitHubAppReader(client, GitMirror(tmp_path)).permission(PLACE, "ana").can_maintain


def test_paths_outside_the_repository_are_never_asked_for(key: str) -> None:
    client, seen = stub(key, lambda _: httpx.Response(200, json={}))
    for path in ("/user", f"/repos/{NAME}/../x", "https://evil.example/", f"/repos/{NAME}/a?b", f"/repos/{NAME}x/a"):
        with pytest.raises(InternalError):
            client.call(PLACE, "GET", path)
    assert seen == []


@pytest.mark.parametrize(
    "url",
    [
        "http://api.github.com",
        "ftp://x",
        "https://",
        "",
        "https://user:pw@api.github.com",
        "https://x/?a",
        "http://127.0.0.1.evil.example",
    ],
)
def test_addresses_that_are_refused(url: str) -> None:
    with pytest.raises(SettingsError):
        Addresses.of(url)


def test_addresses() -> None:
    assert Addresses.of("https://api.github.com/") == Addresses(
        "https://api.github.com", "https://api.github.com/graphql", "https://github.com"
    )
    assert Addresses.of("https://ghe.example/api/v3") == Addresses(
        "https://ghe.example/api/v3", "https://ghe.example/api/graphql", "https://ghe.example"
    )
    assert Addresses.of("http://127.0.0.1:8").is_loopback
    assert not Addresses.of("https://api.github.com").is_loopback
