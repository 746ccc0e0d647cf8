"""Deliveries of the simulated GitHub: what they carry, how they are signed, and what planted faults do."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from githubkit.exception import RequestFailed
from githubkit.webhooks import verify

from bot.simulator.github.faults import Fault
from bot.simulator.github.people import NothingThere
from bot.simulator.github.server import SimulatedGitHub
from tests.contract.simulated_github_client import (
    OWNER,
    REPO,
    SECRET,
    Received,
    Receiver,
    app,
    installed,
    receiver,
    simulated,
    token,
)

BASE = f"/repos/{OWNER}/{REPO}"


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as kept:
        yield kept


@pytest.fixture
def github(hook: Receiver) -> Iterator[SimulatedGitHub]:
    with simulated(webhook_url=hook.url) as server:
        assert server.wait_delivered()
        hook.got.clear()
        yield server
        assert server.violations == []


def payload(one: Received) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(one.body)
    return found


def test_a_delivery_is_signed_and_carries_githubs_headers(github: SimulatedGitHub, hook: Receiver) -> None:
    github.label("conductor", "ana")
    assert github.wait_delivered()
    [one] = hook.got
    assert verify(SECRET, one.body, one.headers["x-hub-signature-256"])
    assert not verify("another", one.body, one.headers["x-hub-signature-256"])
    assert re.fullmatch(r"[0-9a-f-]{36}", one.headers["x-github-delivery"])
    assert one.headers["user-agent"].startswith("GitHub-Hookshot/")
    assert one.headers["x-github-hook-installation-target-type"] == "integration"
    assert one.headers["x-github-hook-installation-target-id"] == "4711"
    found = payload(one)
    assert (found["action"], found["label"]["name"]) == ("labeled", "conductor")
    assert found["sender"]["login"] == "ana"
    assert found["sender"]["type"] == "User"
    assert found["installation"]["id"] == github.installation_id
    assert found["repository"]["full_name"] == f"{OWNER}/{REPO}"


def test_what_people_and_the_app_do_is_told_in_order(github: SimulatedGitHub, hook: Receiver) -> None:
    client = installed(github)
    number = client.rest.issues.create_comment(OWNER, REPO, 7, body="Hello.").parsed_data.id
    client.rest.issues.update_comment(OWNER, REPO, number, body="Hello again.")
    github.comment("issue", "/conductor plan", "ana")
    github.edit_comment("/conductor", "/conductor stop", "ana")
    github.delete_comment("/conductor stop", "ana")
    github.edit_issue("New title", None, "mallory")
    github.push("conductor/7-x", {"calc.py": "1\n"}, "ana")
    github.close_item("issue", "ana")
    assert github.wait_delivered()
    told = [(one.headers["x-github-event"], payload(one).get("action")) for one in hook.got]
    assert told == [
        ("issue_comment", "created"),
        ("issue_comment", "edited"),
        ("issue_comment", "created"),
        ("issue_comment", "edited"),
        ("issue_comment", "deleted"),
        ("issues", "edited"),
        ("push", None),
        ("issues", "closed"),
    ]
    own = payload(hook.got[0])
    assert (own["sender"]["login"], own["sender"]["type"]) == ("conductor[bot]", "Bot")
    assert own["comment"]["performed_via_github_app"]["id"] == 4711
    assert payload(hook.got[1])["changes"] == {"body": {"from": "Hello."}}
    assert payload(hook.got[6])["commits"][0]["modified"] == ["calc.py"]


def test_pull_requests_reviews_and_checks_are_told(github: SimulatedGitHub, hook: Receiver) -> None:
    github.push("work", {"calc.py": "1\n"}, "ana")
    client = installed(github)
    pull = client.rest.pulls.create(OWNER, REPO, head="work", base="main", title="T", draft=True).parsed_data
    client.rest.checks.create(
        OWNER, REPO, name="Conductor: plan", head_sha=pull.head.sha, conclusion="action_required", external_id="h",
        actions=[{"label": "Approve", "description": "d", "identifier": "approve"}],
    )  # fmt: skip
    github.press("Approve", "ana")
    github.add_check_run("ci", "failure")
    github.review("approve", "Good.", [{"path": "calc.py", "line": 1, "body": "Nice."}], "ana")
    github.edit_pull("New body", "ana")
    github.set_draft(False, "ana")
    github.push("work", {"calc.py": "2\n"}, "ana")
    github.merge("ana")
    assert github.wait_delivered()
    told = [(one.headers["x-github-event"], payload(one).get("action")) for one in hook.got]
    assert told == [
        ("push", None),
        ("pull_request", "opened"),
        ("check_run", "created"),
        ("check_run", "completed"),
        ("check_run", "requested_action"),
        ("check_run", "created"),
        ("check_run", "completed"),
        ("pull_request_review", "submitted"),
        ("pull_request_review_comment", "created"),
        ("pull_request", "edited"),
        ("pull_request", "ready_for_review"),
        ("push", None),
        ("pull_request", "synchronize"),
        ("push", None),
        ("pull_request", "closed"),
    ]
    press = payload(hook.got[4])
    assert press["requested_action"] == {"identifier": "approve"}
    assert (press["check_run"]["external_id"], press["check_run"]["app"]["id"]) == ("h", 4711)
    assert payload(hook.got[6])["check_run"]["app"]["slug"] == "github-actions"
    assert payload(hook.got[7])["review"]["state"] == "approved"
    assert payload(hook.got[-1])["pull_request"]["merged"] is True
    with pytest.raises(NothingThere):
        github.press("Reject", "ana")


def test_a_failed_delivery_is_listed_and_redelivered_under_its_guid(github: SimulatedGitHub, hook: Receiver) -> None:
    hook.status = 500
    github.label("conductor", "ana")
    assert github.wait_delivered()
    hook.status = 202
    client = app(github)
    [failed] = [one for one in client.rest.apps.list_webhook_deliveries(status="failure").parsed_data]  # noqa: C416
    assert (failed.status_code, failed.redelivery, failed.event, failed.action) == (500, False, "issues", "labeled")
    whole = client.rest.apps.get_webhook_delivery(failed.id).parsed_data
    assert whole.guid == failed.guid
    client.rest.apps.redeliver_webhook_delivery(failed.id)
    assert github.wait_delivered()
    assert [one.headers["x-github-delivery"] for one in hook.got] == [failed.guid, failed.guid]
    newest = client.rest.apps.list_webhook_deliveries().parsed_data[0]
    assert (newest.redelivery, newest.status) == (True, "OK")
    assert github.writes == []
    github.redeliver(failed.guid)
    assert github.wait_delivered()
    assert len(hook.got) == 3


def test_a_receiver_that_is_down_loses_nothing_from_the_list(github: SimulatedGitHub, hook: Receiver) -> None:
    github.webhook_url = "http://127.0.0.1:9/webhooks/github"
    github.label("conductor", "ana")
    assert github.wait_delivered()
    assert (github.deliveries[-1].status_code, github.deliveries[-1].delivered) == (0, False)
    github.webhook_url = hook.url
    github.unlabel("conductor", "ana")
    assert github.wait_delivered()
    assert hook.events == ["issues"]


@pytest.mark.parametrize("signature", ["bad", "none"])
def test_deliveries_of_anybodys_making(github: SimulatedGitHub, hook: Receiver, signature: Any) -> None:
    guid = github.deliver("issues", {"action": "labeled", "installation": {"id": 1}}, signature=signature, times=2)
    github.deliver("issues", b"{broken")
    assert github.wait_delivered()
    assert [one.headers["x-github-delivery"] for one in hook.got[:2]] == [guid, guid]
    assert payload(hook.got[0])["installation"] == {"id": 1}
    assert payload(hook.got[0])["issue"]["number"] == 7
    header = hook.got[0].headers.get("x-hub-signature-256")
    good = "sha256=" + hmac.new(SECRET.encode(), hook.got[0].body, hashlib.sha256).hexdigest()
    assert header != good
    assert (header is None) == (signature == "none")
    assert hook.got[2].body == b"{broken"


# Faults


def comments(github: SimulatedGitHub) -> list[str]:
    return [one["body"] for one in github.snapshot()["comments"]]


@pytest.mark.parametrize(("after", "stored"), [(True, ["x", "x", "x"]), (False, ["x"])])
def test_a_502_before_or_after_the_effect(after: bool, stored: list[str]) -> None:
    fault = Fault("POST /repos/*/comments", status=502, after_effect=after, times=2)
    with simulated([fault]) as github:
        client = installed(github)
        for _ in range(2):
            with pytest.raises(RequestFailed) as caught:
                client.rest.issues.create_comment(OWNER, REPO, 7, body="x")
            assert caught.value.response.status_code == 502
        client.rest.issues.create_comment(OWNER, REPO, 7, body="x")
        assert comments(github) == stored
        assert [one.status for one in github.writes] == [502, 502, 201]
        assert [one.changed for one in github.writes] == [after, after, True]
        assert fault.applied == 2


def test_limits_come_with_their_headers() -> None:
    faults = [
        Fault("GET /repos/*", status=403, retry_after=7),
        Fault("GET /repos/*", status=429, reset_in_s=50),
        Fault("GET /repos/*", status=401),
    ]
    with simulated(faults) as github:
        held = {"Authorization": f"Bearer {token(github)}"}
        second, first, bad, good = (httpx.get(f"{github.url}{BASE}", headers=held) for _ in range(4))
        assert (second.status_code, second.headers["retry-after"]) == (403, "7")
        assert (first.status_code, first.headers["x-ratelimit-remaining"]) == (429, "0")
        assert 0 < int(first.headers["x-ratelimit-reset"]) - time.time() <= 50
        assert (bad.status_code, good.status_code) == (401, 200)


def test_a_refusal_has_githubs_form_and_no_effect() -> None:
    with simulated([Fault("POST */comments", status=422)]) as github:
        client = installed(github)
        with pytest.raises(RequestFailed) as caught:
            client.rest.issues.create_comment(OWNER, REPO, 7, body="x")
        assert caught.value.response.status_code == 422
        assert json.loads(caught.value.response.content)["message"]
        assert comments(github) == []
        assert [(one.status, one.changed) for one in github.writes] == [(422, False)]


@pytest.mark.parametrize("after", [True, False])
def test_a_hanging_answer_is_cut_and_its_effect_is_as_planned(after: bool) -> None:
    with simulated([Fault("POST */comments", after_effect=after, hang_s=0.2)]) as github:
        held = {"Authorization": f"Bearer {token(github)}"}
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.post(f"{github.url}{BASE}/issues/7/comments", json={"body": "x"}, headers=held)
        assert comments(github) == (["x"] if after else [])


def test_a_hanging_request_does_not_keep_the_server_from_closing() -> None:
    with simulated([Fault("GET /repos/*", hang_s=60, status=200)]) as github:
        held = {"Authorization": f"Bearer {token(github)}"}
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{github.url}{BASE}", headers=held, timeout=0.1)


def test_a_list_that_lags_leaves_out_the_new() -> None:
    with simulated([Fault("GET */comments*", list_lag_s=60)]) as github:
        github.comment("issue", "new", "ana")
        client = installed(github)
        assert client.rest.issues.list_comments(OWNER, REPO, 7).parsed_data == []
        assert len(client.rest.issues.list_comments(OWNER, REPO, 7).parsed_data) == 1


def test_a_slow_body_comes_whole() -> None:
    with simulated([Fault("GET /repos/*", slow_s=0.05)]) as github:
        client = installed(github)
        assert client.rest.repos.get(OWNER, REPO).parsed_data.name == REPO


def test_a_delivery_comes_late(hook: Receiver) -> None:
    late = Fault("DELIVER issues.labeled", delay_s=0.2)
    with simulated([late], webhook_url=hook.url) as github:
        began = time.time()
        github.label("conductor", "ana")
        assert github.wait_delivered()
        assert payload(hook.got[-1])["action"] == "labeled"
        assert late.applied == 1
        assert github.deliveries[-1].at - began >= 0.2


def test_deliveries_are_dropped_doubled_failed_and_swapped(hook: Receiver) -> None:
    faults = [
        Fault("DELIVER issues.opened", drop=True),
        Fault("DELIVER issues.labeled", copies=1),
        Fault("DELIVER issues.unlabeled", status=504),
        Fault("DELIVER issues.edited", swap=True),
    ]
    with simulated(faults, webhook_url=hook.url) as github:
        github.label("conductor", "ana")
        github.unlabel("conductor", "ana")
        github.edit_issue("T", None, "ana")
        github.comment("issue", "x", "ana")
        assert github.wait_delivered()
        told = [payload(one)["action"] for one in hook.got]
        assert told == ["labeled", "labeled", "created", "edited"]
        assert [one.applied for one in faults] == [1, 1, 1, 1]
        assert [one.status_code for one in github.deliveries] == [202, 202, 504, 202, 202]
