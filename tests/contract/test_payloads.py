"""Every published payload gives an event, nothing, or the one error; what we read says what the delivery said."""

from __future__ import annotations

import copy
import json
import lzma
import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.webhook_payloads import WebhookPayloads, milliseconds
from bot.domain import events
from bot.ports.github import MalformedPayload, PayloadReader
from bot.services.intake import _learn_places
from tests.contract.databases import NOW, fresh_url, furnished

EXAMPLES: list[dict[str, Any]] = json.loads(
    lzma.decompress((Path(__file__).parents[1] / "payloads" / "octokit_examples.json.xz").read_bytes())
)
INSTALLATION = {"id": 4242}
READER: PayloadReader = WebhookPayloads()


def example(event: str, action: str | None = None, *, skip: int = 0) -> dict[str, Any]:
    found = [one["payload"] for one in EXAMPLES if one["event"] == event and one["payload"].get("action") == action]
    payload: dict[str, Any] = copy.deepcopy(found[skip])
    return payload | {"installation": INSTALLATION}


def read(event: str, payload: Any) -> events.Event | None:
    return READER.read(event, json.dumps(payload).encode())


def test_all_published_examples_are_read_or_left() -> None:
    assert len(EXAMPLES) == 329
    kinds: Counter[str] = Counter()
    for one in EXAMPLES:
        # As an App gets them: every delivery names its installation.
        payload = (
            one["payload"]
            if one["event"].startswith("installation")
            else one["payload"] | {"installation": INSTALLATION}
        )
        kinds[type(read(one["event"], payload)).__name__] += 1
    assert kinds == {
        "NoneType": 286,
        "IssueLabeled": 2,
        "IssueUnlabeled": 2,
        "IssueClosed": 2,
        "CommentCreated": 5,
        "CommentDeleted": 2,
        "PullClosed": 2,
        "PullHeadMoved": 1,
        "ReviewSubmitted": 3,
        "ReviewCommentCreated": 3,
        "CheckCompleted": 3,
        "ButtonPressed": 1,
        "BranchPushed": 7,
        "InstallationChanged": 10,
    }


def test_as_published_they_raise_nothing_but_malformed() -> None:
    for one in EXAMPLES:
        if one["event"].startswith("installation") or "installation" in one["payload"]:
            read(one["event"], one["payload"])
        elif read(one["event"], one["payload"] | {"installation": INSTALLATION}) is not None:
            with pytest.raises(MalformedPayload) as caught:
                read(one["event"], one["payload"])
            assert caught.value.fields["where"] == "installation"
            assert pickle.loads(pickle.dumps(caught.value)).sentence == caught.value.sentence


def test_label() -> None:
    payload = example("issues", "labeled")
    event = read("issues", payload)
    assert isinstance(event, events.IssueLabeled)
    assert event.label == payload["label"]["name"]
    assert event.origin.installation_id == 4242
    assert event.origin.repository.full_name == payload["repository"]["full_name"]
    assert event.origin.repository.default_branch == "master"
    assert event.issue.number == payload["issue"]["number"]
    assert event.issue.author.login == payload["issue"]["user"]["login"]
    assert event.issue.updated_at == milliseconds(payload["issue"]["updated_at"])
    assert not event.by_app


@pytest.mark.parametrize("kind", ["Bot", "Organization", "Mannequin", None])
def test_a_label_by_anything_but_a_user_is_marked(kind: str | None) -> None:
    payload = example("issues", "labeled")
    if kind is None:
        del payload["sender"]["type"]
    else:
        payload["sender"]["type"] = kind
    event = read("issues", payload)
    assert isinstance(event, events.IssueLabeled)
    assert event.by_app
    assert not event.origin.sender.is_person


def test_a_bots_name_proves_nothing() -> None:
    payload = example("issues", "labeled")
    payload["sender"]["login"] = "ana[bot]"
    event = read("issues", payload)
    assert isinstance(event, events.IssueLabeled)
    assert event.origin.sender.is_person


def test_comment_on_issue_and_on_pull() -> None:
    payload = example("issue_comment", "created")
    payload["comment"] |= {"body": "/conductor approve", "performed_via_github_app": None}
    payload["sender"]["type"] = "User"
    payload["issue"].pop("pull_request", None)
    event = read("issue_comment", payload)
    assert isinstance(event, events.CommentCreated)
    assert (event.body, event.by_app, event.issue.is_pull) == ("/conductor approve", False, False)
    assert event.created_at == milliseconds(payload["comment"]["created_at"])
    payload["issue"]["pull_request"] = {"url": "https://api.github.com/repos/a/b/pulls/1"}
    payload["comment"]["performed_via_github_app"] = {"id": 9}
    event = read("issue_comment", payload)
    assert isinstance(event, events.CommentCreated)
    assert (event.by_app, event.issue.is_pull) == (True, True)


def test_edited_comments_are_not_read() -> None:
    assert read("issue_comment", example("issue_comment", "edited")) is None


def test_an_edit_names_what_changed() -> None:
    payload = example("issues", "edited")
    payload["changes"] = {"body": {"from": "old"}}
    event = read("issues", payload)
    assert isinstance(event, events.IssueEdited)
    assert event.changed == ("body",)
    payload["changes"] = {"milestone": {"from": 1}}
    assert read("issues", payload) is None


@pytest.mark.parametrize("action", ["deleted", "transferred"])
def test_an_issue_that_is_gone_is_closed(action: str) -> None:
    assert isinstance(read("issues", example("issues", action)), events.IssueClosed)


def test_a_forks_branch_is_never_ours() -> None:
    payload = example("pull_request", "closed")
    pull = payload["pull_request"]
    pull["head"] |= {"ref": "conductor/7-x", "label": "mallory:conductor/7-x"}
    pull["head"]["repo"]["id"] = payload["repository"]["id"]
    event = read("pull_request", payload)
    assert isinstance(event, events.PullClosed)
    assert event.head_ref == "conductor/7-x"
    pull["head"]["repo"]["id"] += 1
    event = read("pull_request", payload)
    assert isinstance(event, events.PullClosed)
    assert event.head_ref == "mallory:conductor/7-x"
    pull["head"] |= {"repo": None, "label": None}
    event = read("pull_request", payload)
    assert isinstance(event, events.PullClosed)
    assert event.head_ref == "unknown:conductor/7-x"


def test_button() -> None:
    payload = example("check_run", "requested_action")
    event = read("check_run", payload)
    assert isinstance(event, events.ButtonPressed)
    assert event.identifier == payload["requested_action"]["identifier"]
    assert event.app_id == payload["check_run"]["app"]["id"]
    payload["check_run"] |= {"app": None, "external_id": None}
    event = read("check_run", payload)
    assert isinstance(event, events.ButtonPressed)
    assert (event.app_id, event.external_id) == (0, "")
    del payload["requested_action"]
    with pytest.raises(MalformedPayload, match="button"):
        read("check_run", payload)


def test_review_states_are_lower_case() -> None:
    payload = example("pull_request_review", "submitted")
    payload["review"]["state"] = "CHANGES_REQUESTED"
    event = read("pull_request_review", payload)
    assert isinstance(event, events.ReviewSubmitted)
    assert event.state == "changes_requested"


@pytest.mark.parametrize(
    ("times", "at"),
    [
        ({}, 0),
        ({"updated_at": 1_792_000_000}, 1_792_000_000_000),
        ({"updated_at": "2026-10-14T15:46:40Z", "suspended_at": None}, 1_791_992_800_000),
        ({"updated_at": None}, 0),
    ],
)
def test_when_an_installation_changed(times: dict[str, Any], at: int) -> None:
    """GitHub writes these times as text here and as seconds there."""
    event = read("installation", {"action": "suspend", "installation": {"id": 5, **times}})
    assert isinstance(event, events.InstallationChanged)
    assert event.at == at


def test_installation() -> None:
    event = read(
        "installation_repositories",
        example("installation_repositories", "added")
        | {"installation": {"id": 5, "account": {"id": 1, "login": "acme"}}},
    )
    assert isinstance(event, events.InstallationChanged)
    assert (event.installation_id, event.account, event.action) == (5, "acme", "added")
    assert event.repositories


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"action": ' + b"9" * 5000 + b"}"]
)
def test_broken_bytes_are_malformed(body: bytes) -> None:
    with pytest.raises(MalformedPayload):
        READER.read("issues", body)
    assert READER.read("watch", body) is None


@pytest.mark.parametrize(
    "damage",
    [
        {"issue": None},
        {"issue": {"number": "7"}},
        {"sender": None},
        {"sender": {"id": 2**60, "login": "a", "type": "User"}},
        {"sender": {"id": -1, "login": "a", "type": "User"}},
        {"sender": {"id": True, "login": "a", "type": "User"}},
        {"repository": []},
        {"label": None},
        {"installation": {}},
    ],
)
def test_damaged_deliveries_are_malformed(damage: dict[str, Any]) -> None:
    with pytest.raises(MalformedPayload) as caught:
        read("issues", example("issues", "labeled") | damage)
    assert caught.value.fields["event"] == "issues"


def test_times_without_zone_are_malformed() -> None:
    payload = example("issues", "labeled")
    payload["issue"]["created_at"] = "2026-01-01T00:00:00"
    with pytest.raises(MalformedPayload, match="zone"):
        read("issues", payload)
    assert milliseconds("2026-01-01T00:00:00.250Z") == 1767225600250


def test_text_that_the_database_cannot_hold_is_shown() -> None:
    payload = example("issues", "labeled")
    payload["issue"]["title"] = "a\x00\ud83db"
    event = read("issues", payload)
    assert isinstance(event, events.IssueLabeled)
    assert event.issue.title == "a\ufffd\ufffdb"


def test_the_published_suspension_does_not_undo_the_end_of_it(tmp_path: Path) -> None:
    """GitHub's own pair tells one time for both: told in the other order, the installation stays open."""
    told = {one["payload"].get("action"): one["payload"] for one in EXAMPLES if one["event"] == "installation"}
    pair = [told["unsuspend"], told["suspend"]]
    storage = furnished(fresh_url("sqlite", tmp_path))
    with storage.begin() as tx:
        for payload in (*pair, pair[0]):
            event = read("installation", payload)
            assert event is not None
            _learn_places(tx, event, NOW)
            found = tx.places.installation(payload["installation"]["id"])
            assert found is not None
            assert not found.suspended
    storage.close()
