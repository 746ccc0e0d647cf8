"""Which changes of the simulated GitHub count as intended: those that are an allowed row's very bytes, and as often as it may be."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.ports.records import OutboxRow
from bot.simulator.github.git_objects import GitRepository
from bot.simulator.github.rest import WriteRecord
from bot.simulator.matching import unmatched

REPOSITORY = "/repos/acme/calc"


@pytest.fixture
def git(tmp_path: Path) -> Iterator[GitRepository]:
    made = GitRepository(tmp_path / "x.git", "main")
    yield made
    made.close()


def _row(kind: str, target: str, payload: dict[str, Any], **more: Any) -> OutboxRow:
    body = json.dumps(payload).encode()
    given: dict[str, Any] = {"decision": "allow", "attempts": 1, "state": "confirmed", **more}
    return OutboxRow(
        1, 1, 1, "r1", 1, kind, target, "issue:7", body, hashlib.sha256(body).hexdigest(), "key", "0" * 32, 0, **given
    )


def _write(method: str, path: str, body: bytes, *, changed: bool = True) -> WriteRecord:
    return WriteRecord(method, path, hashlib.sha256(body).hexdigest(), 201, changed)


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


COMMENT = _row("comment.create", f"{REPOSITORY}/issues/7/comments", {"body": "hello"})


def test_a_comment_matches_its_row_once(git: GitRepository) -> None:
    sent = _write("POST", COMMENT.target, COMMENT.payload)
    assert unmatched([sent], [COMMENT], git) == []
    assert unmatched([sent, sent], [COMMENT], git) == [f"POST {COMMENT.target}"]


@pytest.mark.parametrize(
    "write",
    [
        _write("POST", COMMENT.target, b'{"body": "other"}'),
        _write("PATCH", COMMENT.target, COMMENT.payload),
        _write("POST", f"{REPOSITORY}/issues/8/comments", COMMENT.payload),
    ],
)
def test_another_body_method_or_target_matches_nothing(git: GitRepository, write: WriteRecord) -> None:
    assert unmatched([write], [COMMENT], git) == [f"{write.method} {write.path}"]


def test_what_changed_nothing_needs_no_row(git: GitRepository) -> None:
    assert unmatched([_write("POST", COMMENT.target, b"x", changed=False)], [], git) == []


@pytest.mark.parametrize("state", [{"decision": "deny"}, {"attempts": 0}])
def test_a_row_that_was_denied_or_never_sent_explains_nothing(git: GitRepository, state: dict[str, Any]) -> None:
    row = _row(COMMENT.kind, COMMENT.target, {"body": "hello"}, **state)
    assert unmatched([_write("POST", row.target, row.payload)], [row], git) == [f"POST {row.target}"]


def test_an_update_may_take_effect_twice(git: GitRepository) -> None:
    row = _row("comment.update", f"{REPOSITORY}/issues/comments/1", {"body": "newer"})
    assert unmatched([_write("PATCH", row.target, row.payload)] * 2, [row], git) == []


def test_a_label_is_taken_off_with_or_without_a_body(git: GitRepository) -> None:
    row = _row("label.remove", f"{REPOSITORY}/issues/7/labels/x", {})
    assert unmatched([_write("DELETE", row.target, b""), _write("DELETE", row.target, row.payload)], [row], git) == []


def test_graphql_matches_by_its_body(git: GitRepository) -> None:
    row = _row("pull.ready", f"{REPOSITORY}/pulls/8", {"query": "mutation", "variables": {"id": "PR_1"}})
    assert unmatched([_write("POST", "/graphql", row.payload)], [row], git) == []
    assert unmatched([_write("POST", "/graphql", b"{}")], [row], git) == ["POST /graphql"]


def test_a_branch_row_explains_exactly_the_objects_that_its_payload_lists(git: GitRepository) -> None:
    blob = git.write("blob", b"fixed\n")
    payload = {
        "branch": "conductor/7-x",
        "parent": "a" * 40,
        "tree": "b" * 40,
        "base_tree": "c" * 40,
        "message": "Fix\n",
        "entries": [
            {"path": "calc.py", "mode": "100644", "blob": blob},
            {"path": "old.py", "mode": "100644", "blob": None},
        ],
    }
    target = f"{REPOSITORY}/git/refs/heads/conductor/7-x"
    row = _row("branch.update", target, payload, response={"sha": "d" * 40})
    content = base64.b64encode(b"fixed\n").decode()
    tree = [
        {"path": "old.py", "mode": "100644", "type": "blob", "sha": None},
        {"path": "calc.py", "mode": "100644", "type": "blob", "sha": blob},
    ]
    commit = {"message": "Fix\n", "tree": "b" * 40, "parents": ["a" * 40]}
    mine = [
        _write("POST", f"{REPOSITORY}/git/blobs", _json({"content": content, "encoding": "base64"})),
        _write("POST", f"{REPOSITORY}/git/trees", _json({"base_tree": "c" * 40, "tree": tree})),
        _write("POST", f"{REPOSITORY}/git/commits", _json(commit)),
        _write("PATCH", target, _json({"sha": "d" * 40, "force": False})),
    ]
    assert unmatched(mine, [row], git) == []
    strange = [
        _write("POST", f"{REPOSITORY}/git/blobs", _json({"content": "ZXZpbA==", "encoding": "base64"})),
        _write("POST", f"{REPOSITORY}/git/trees", _json({"base_tree": "c" * 40, "tree": tree[:1]})),
        _write("POST", f"{REPOSITORY}/git/commits", _json({**commit, "author": {"name": "x"}})),
        _write("PATCH", target, _json({"sha": "d" * 40, "force": True})),
        _write("PATCH", target, _json({"sha": "e" * 40, "force": False})),
        _write("POST", f"{REPOSITORY}/git/refs", _json({"ref": "refs/heads/main", "sha": "d" * 40})),
    ]
    assert len(unmatched(strange, [row], git)) == len(strange)
