"""The simulated GitHub refuses what GitHub refuses: illegal requests, credentials that are wrong, old or not enough."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest
from githubkit.exception import RequestError, RequestFailed

from bot.domain.writes import READY_MUTATION
from bot.simulator.github.server import SimulatedGitHub
from tests.contract.simulated_github_client import APP_ID, OWNER, REPO, app, installed, simulated, token

BASE = f"/repos/{OWNER}/{REPO}"


@pytest.fixture
def github() -> Iterator[SimulatedGitHub]:
    with simulated() as server:
        yield server


def ask(github: SimulatedGitHub, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
    given = {"Authorization": f"Bearer {token(github)}"} | headers
    return httpx.request(method, github.url + path, json=body, headers=given, timeout=10)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("GET", "/user/repos", None, 404, "no such operation"),
        ("POST", f"{BASE}/merges", {}, 404, "no such operation"),
        ("DELETE", f"{BASE}/git/refs/heads/main", None, 404, "no such operation"),
        ("POST", f"{BASE}/issues/7/comments", {"bodyy": "x"}, 422, "undocumented property"),
        ("POST", f"{BASE}/issues/7/comments", {"body": 7}, 422, "not of type"),
        ("POST", f"{BASE}/issues/7/comments", None, 422, "the body is missing"),
        ("GET", f"{BASE}/issues?state=bogus", None, 422, "query state=bogus"),
        ("GET", f"{BASE}/issues?stat=open", None, 422, "undocumented parameter"),
        ("GET", f"{BASE}/issues/seven", None, 422, "path issue_number=seven"),
        ("POST", f"{BASE}/check-runs", {"name": "x", "head_sha": "a", "output": {"title": "t"}}, 422, "summary"),
        ("PATCH", f"{BASE}/check-runs/5", {"output": {"summary": "x" * 65_536}}, 422, "longer than"),
        ("PATCH", f"{BASE}/check-runs/5", {"output": {"summary": "s", "annotations": [
            {"path": "a", "start_line": 1, "end_line": 1, "annotation_level": "notice", "message": "m"}] * 51}},
         422, "has more than 50 items"),
        ("DELETE", f"{BASE}/issues/7/labels/bug", {"name": "bug"}, 422, "takes no body"),
        ("POST", "/graphql", {"query": "{ viewer { login } }"}, 200, "Cannot query field"),
        ("POST", "/graphql", {"query": "mutation { mergePullRequest(input: {}) { clientMutationId } }"}, 200, "Cannot query"),
        ("POST", "/graphql", {"query": READY_MUTATION}, 200, "$id"),
        ("POST", "/graphql", {}, 200, "query attribute"),
    ],
)  # fmt: skip
def test_an_illegal_request_is_refused_and_written_down(
    github: SimulatedGitHub, method: str, path: str, body: Any, status: int, says: str
) -> None:
    answer = ask(github, method, path, body)
    assert answer.status_code == status
    assert any(says in one for one in github.violations)
    assert github.snapshot()["comments"] == []


def test_broken_json_and_a_missing_user_agent_are_violations(github: SimulatedGitHub) -> None:
    held = {"Authorization": f"Bearer {token(github)}"}
    broken = httpx.post(f"{github.url}{BASE}/issues/7/comments", content=b'{"body": ', headers=held)
    assert broken.status_code == 400
    with httpx.Client(headers={**held, "User-Agent": ""}) as client:
        del client.headers["User-Agent"]
        assert client.get(f"{github.url}{BASE}").status_code == 403
    old = httpx.get(f"{github.url}{BASE}", headers={**held, "X-GitHub-Api-Version": "2019-01-01"})
    assert old.status_code == 422
    assert len(github.violations) == 3


def forged(github: SimulatedGitHub, **claims: Any) -> str:
    now = int(time.time())
    whole = {"iss": str(APP_ID), "iat": now - 60, "exp": now + 500} | claims
    return jwt.encode(
        {key: value for key, value in whole.items() if value is not None}, github.private_key_pem, "RS256"
    )


@pytest.mark.parametrize(
    "claims",
    [{"iss": "1"}, {"exp": 0}, {"exp": int(time.time()) + 3600}, {"iat": int(time.time()) + 3600}, {"exp": None}],
)
def test_a_jwt_that_github_would_not_take(github: SimulatedGitHub, claims: dict[str, Any]) -> None:
    held = {"Authorization": f"Bearer {forged(github, **claims)}"}
    assert httpx.get(f"{github.url}/app", headers=held).status_code == 401
    assert len(github.refused) == 1


def test_a_jwt_must_be_signed_with_the_apps_key(github: SimulatedGitHub) -> None:
    claims = {"iss": str(APP_ID), "iat": int(time.time()), "exp": int(time.time()) + 60}
    for bad in (
        jwt.encode(claims, "x" * 32, "HS256"),
        jwt.encode(claims, "", "none"),
        token(github),
        "nothing",
    ):
        assert httpx.get(f"{github.url}/app", headers={"Authorization": f"Bearer {bad}"}).status_code == 401
    assert httpx.get(f"{github.url}/app", headers={"Authorization": f"Bearer {forged(github)}"}).status_code == 200
    assert httpx.get(f"{github.url}/app").status_code == 401


def test_an_api_call_needs_a_token_that_holds(github: SimulatedGitHub) -> None:
    client = installed(github)
    assert client.rest.repos.get(OWNER, REPO).status_code == 200
    github.expire_tokens()
    with pytest.raises(RequestFailed) as caught:
        client.rest.repos.get(OWNER, REPO)
    assert caught.value.response.status_code == 401
    for header in ({}, {"Authorization": "Bearer ghs_none"}, {"Authorization": f"Bearer {forged(github)}"}):
        assert httpx.get(f"{github.url}{BASE}", headers=header).status_code == 401
    assert github.violations == []


def test_tokens_end_after_their_lifetime() -> None:
    now = time.time()
    clock = [now]
    with simulated(clock=lambda: clock[0]) as github:
        held = {"Authorization": f"token {token(github)}"}
        clock[0] = now + 3599
        assert httpx.get(f"{github.url}{BASE}", headers=held).status_code == 200
        clock[0] = now + 3601
        assert httpx.get(f"{github.url}{BASE}", headers=held).status_code == 401


@pytest.mark.parametrize(
    ("permissions", "method", "path", "body", "status"),
    [
        ({"issues": "read"}, "POST", f"{BASE}/issues/7/comments", {"body": "x"}, 403),
        ({"pull_requests": "write"}, "POST", f"{BASE}/issues/7/comments", {"body": "x"}, 403),
        ({"issues": "write"}, "POST", f"{BASE}/issues/7/comments", {"body": "x"}, 201),
        ({"contents": "read"}, "POST", f"{BASE}/git/blobs", {"content": "x"}, 403),
        ({"contents": "write"}, "POST", f"{BASE}/git/blobs", {"content": "x"}, 201),
        ({"contents": "write"}, "POST", f"{BASE}/check-runs", {"name": "x", "head_sha": "a"}, 403),
        ({"checks": "write"}, "GET", f"{BASE}/commits/main/status", None, 403),
        ({"contents": "read"}, "GET", f"{BASE}/branches/main/protection", None, 403),
        ({"contents": "read"}, "GET", f"{BASE}/contents/calc.py", None, 200),
        ({"issues": "read"}, "GET", f"{BASE}/contents/calc.py", None, 403),
        ({"metadata": "read"}, "GET", f"{BASE}/collaborators/ana/permission", None, 200),
    ],
)
def test_a_scoped_token_may_only_what_it_says(
    github: SimulatedGitHub, permissions: Any, method: str, path: str, body: Any, status: int
) -> None:
    held = {"Authorization": f"Bearer {token(github, permissions=permissions)}"}
    answer = httpx.request(method, github.url + path, json=body, headers=held)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["message"] == "Resource not accessible by integration"
        assert len(github.refused) == 1
    assert github.violations == []


def test_a_token_cannot_be_given_more_than_the_app_has(github: SimulatedGitHub) -> None:
    client = app(github)
    for scope in (
        {"permissions": {"workflows": "write"}},
        {"permissions": {"statuses": "write"}},
        {"repositories": ["no"]},
    ):
        with pytest.raises(RequestFailed) as caught:
            client.rest.apps.create_installation_access_token(github.installation_id, **scope)
        assert caught.value.response.status_code == 422
    wrong = client.with_auth(client.auth.as_installation(1))
    with pytest.raises(RequestError):
        wrong.rest.repos.get(OWNER, REPO)


def test_a_token_for_one_repository_does_not_see_another(github: SimulatedGitHub) -> None:
    github.add_repository(f"{OWNER}/other", {"a": "b"})
    client = app(github)
    made = client.rest.apps.create_installation_access_token(github.installation_id, repositories=["other"]).parsed_data
    assert [one.name for one in made.repositories or []] == ["other"]
    held = {"Authorization": f"Bearer {made.token}"}
    assert httpx.get(f"{github.url}{BASE}", headers=held).status_code == 404
    assert httpx.get(f"{github.url}/repos/{OWNER}/other", headers=held).status_code == 200


def test_graphql_needs_the_permissions_too(github: SimulatedGitHub) -> None:
    held = {"Authorization": f"Bearer {token(github, permissions={'issues': 'write'})}"}
    body = {"query": READY_MUTATION, "variables": {"id": "PR_x"}}
    answer = httpx.post(f"{github.url}/graphql", json=body, headers=held).json()
    assert answer["errors"][0]["type"] == "FORBIDDEN"
    missing = ask(github, "POST", "/graphql", body).json()
    assert missing["errors"][0]["type"] == "NOT_FOUND"
    assert [one.changed for one in github.writes] == [False, False]


def test_every_answer_carries_the_rate_limit(github: SimulatedGitHub) -> None:
    for path, used in ((BASE, "1"), ("/nothing", "0")):
        answer = ask(github, "GET", path)
        assert answer.headers["x-ratelimit-limit"] == "5000"
        assert answer.headers["x-ratelimit-used"] == used
        assert int(answer.headers["x-ratelimit-reset"]) > time.time()


def test_another_apps_check_run_cannot_be_changed(github: SimulatedGitHub) -> None:
    sha = github.push("main", {"x": "y"}, "ana")
    run = github.add_check_run("ci", "success", head_sha=sha)
    assert ask(github, "PATCH", f"{BASE}/check-runs/{run}", {"status": "in_progress"}).status_code == 403


def test_a_persons_comment_cannot_be_edited_by_the_app(github: SimulatedGitHub) -> None:
    number = github.comment("issue", "mine", "ana")
    assert ask(github, "PATCH", f"{BASE}/issues/comments/{number}", {"body": "yours"}).status_code == 403


def test_writes_hold_the_hash_of_the_raw_body_and_no_minting(github: SimulatedGitHub) -> None:
    client = installed(github)
    client.rest.issues.get(OWNER, REPO, 7)
    raw = b'{"body":"\\u00e9"}'
    held = {"Authorization": f"Bearer {token(github)}"}
    httpx.post(f"{github.url}{BASE}/issues/7/comments", content=raw, headers=held)
    [one] = github.writes
    assert one.sha256 == hashlib.sha256(raw).hexdigest()
    assert (one.method, one.path, one.status, one.changed) == ("POST", f"{BASE}/issues/7/comments", 201, True)


@pytest.mark.parametrize("name", ["heads/..%2F..%2Fconfig", "heads/%2E%2E/%2E%2E/HEAD", "heads/x%00"])
def test_a_ref_does_not_lead_out_of_the_refs(github: SimulatedGitHub, name: str) -> None:
    assert ask(github, "GET", f"{BASE}/git/ref/{name}").status_code == 404
    assert ask(github, "PATCH", f"{BASE}/git/refs/{name}", {"sha": "0" * 40}).status_code == 422
    assert ask(github, "GET", f"{BASE}/commits/{name}").status_code == 422
