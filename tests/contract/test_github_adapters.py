"""Reader, writer and mirror over HTTP against the local GitHub, and against answers that it does not give."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.adapters.git_mirror import GitMirror, Limits
from bot.adapters.git_trees import GitTrees
from bot.adapters.github_client import CONTENTS, READ, Addresses, GitHubClient
from bot.adapters.github_reader import EDITS_QUERY, GitHubAppReader
from bot.adapters.github_writer import PERMISSIONS, GitHubAppWriter
from bot.adapters.system_clock import SystemClock
from bot.adapters.webhook_payloads import milliseconds
from bot.domain import writes as w
from bot.domain.errors import InternalError, SettingsError, StaleFence
from bot.domain.events import Actor
from bot.domain.subject import canonical
from bot.domain.work import Change, Patch
from bot.policy.decide import Decision
from bot.ports.github import (
    Approved,
    GitHubBusy,
    GitHubLimited,
    GitHubReader,
    GitHubRefused,
    GitHubWriter,
    OutboxWrite,
    Place,
    RepositoryUnusable,
    approve,
)
from bot.simulator.github.faults import Fault
from bot.simulator.github.server import SimulatedGitHub

NAME = "acme/calc"
FILES: dict[str, Any] = {
    "calc.py": "def add(a, b):\n    return a - b\n",
    "docs/a b.txt": "x\n",
    ".github/conductor.yml": "mode: active\n",
    "bin": bytes(range(256)),
}
TOKEN = "ab" * 16
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


# Reading


def test_permissions(github: SimulatedGitHub, reader: GitHubReader, place: Place) -> None:
    github.add_person("wri", "write")
    github.add_person("adm", "admin")
    ana = reader.permission(place, "ana")
    assert (ana.user.login, ana.user.kind, ana.role_name, ana.permission) == ("ana", "User", "maintain", "write")
    assert ana.can_maintain
    wri = reader.permission(place, "wri")
    assert (wri.can_write, wri.can_maintain) == (True, False)
    assert reader.permission(place, "adm").can_maintain
    assert not reader.permission(place, "rea").can_write
    nobody = reader.permission(place, "no/body?x#y")
    assert (nobody.permission, nobody.can_write, nobody.user.id) == ("none", False, 0)


def test_issue_and_comments(github: SimulatedGitHub, reader: GitHubReader, place: Place) -> None:
    issue = reader.issue(place, 7)
    assert (issue.number, issue.title, issue.body, issue.author.login, issue.state) == (
        7,
        "Adding is wrong",
        "It subtracts.",
        "rea",
        "open",
    )
    ids = [github.comment("issue", f"c{n}", "ana", number=7) for n in range(105)]
    comments = reader.issue_comments(place, 7)
    assert [one.id for one in comments] == ids
    assert comments[0].author.login == "ana"
    assert comments[0].app_id is None
    assert reader.issue_comments(place, 7, since=comments[-1].updated_at + 60_000) == ()
    assert len(reader.issue_comments(place, 7, since=comments[0].updated_at)) == 105
    one = reader.comment(place, ids[3])
    assert one is not None
    assert one.body == "c3"
    github.delete_comment("c104", "ana")
    assert reader.comment(place, ids[104]) is None
    with pytest.raises(GitHubRefused) as caught:
        reader.issue(place, 999)
    assert caught.value.status == 404


def test_repository(github: SimulatedGitHub, reader: GitHubReader, place: Place) -> None:
    assert reader.default_branch(place) == "main"
    head = reader.ref(place, "main")
    assert head is not None
    assert reader.ref(place, "conductor/7-x") is None
    commit = reader.commit(place, head)
    assert (commit["sha"], commit["parents"]) == (head, [])
    assert reader.file_at(place, "docs/a b.txt", "main") == b"x\n"
    assert reader.file_at(place, "bin", head) == bytes(range(256))
    for nothing in ("nothing", "docs", "../calc.py", "/calc.py", ""):
        assert reader.file_at(place, nothing, "main") is None
    later = github.push("main", {"calc.py": "x = 1\n", "new/q?#.txt": "n\n", "docs/a b.txt": None}, "ana")
    assert reader.changed_paths(place, head, later) == ("calc.py", "docs/a b.txt", "new/q?#.txt")
    # Backwards, compare shows nothing; the trees themselves do.
    assert reader.changed_paths(place, later, head) == ("calc.py", "docs/a b.txt", "new/q?#.txt")
    assert reader.changed_paths(place, head, head) == ()


def test_many_changed_files_are_all_seen(github: SimulatedGitHub, reader: GitHubReader, place: Place) -> None:
    head = reader.ref(place, "main")
    assert head is not None
    later = github.push("main", {f"many/{n}.txt": "x\n" for n in range(320)}, "ana")
    assert len(reader.changed_paths(place, head, later)) == 320


def test_checks(github: SimulatedGitHub, reader: GitHubReader, writer: GitHubWriter, place: Place) -> None:
    head = reader.ref(place, "main")
    assert head is not None
    assert reader.required_checks(place, "main") == ()
    github.protect("main", ["ci", "lint"])
    assert set(reader.required_checks(place, "main")) == {"ci", "lint"}
    theirs = github.add_check_run("ci", "failure", log="boom\n", head_sha=head)
    sent = writer.send(yes(place, check(head)), retry=False)
    names = [(one["name"], one["id"]) for one in reader.check_runs(place, head)]
    assert sorted(names) == sorted([("ci", theirs), ("Conductor: plan", int(sent.github_id))])
    assert [one["name"] for one in reader.check_runs(place, head, ours=True)] == ["Conductor: plan"]
    assert [one["name"] for one in reader.check_runs(place, head, name="ci")] == ["ci"]
    assert "shown" in reader.check_log(place, int(sent.github_id))
    assert "boom" in reader.check_log(place, theirs)
    long = github.add_check_run("ci", "failure", log="first\n" + "x" * 200_000 + "\nlast\n", head_sha=head)
    assert reader.check_log(place, long).endswith("last\n")
    assert "first" not in reader.check_log(place, long)


def test_a_delivery_that_failed_is_listed_and_redelivered(github: SimulatedGitHub, reader: GitHubReader) -> None:
    github.webhook_url = "http://127.0.0.1:9/nobody"
    before = SystemClock().now() - 60_000
    github.comment("issue", "hello", "ana", number=7)
    assert github.wait_delivered()
    (failed,) = [one for one in reader.deliveries(before) if one.event == "issue_comment"]
    assert (failed.attempts, failed.answered) == (1, False)
    assert failed.first_at >= before
    reader.redeliver(failed.id)
    assert github.wait_delivered()
    (again,) = [one for one in reader.deliveries(before) if one.guid == failed.guid]
    assert (again.attempts, again.first_at, again.id > failed.id) == (2, failed.first_at, True)
    assert reader.deliveries(SystemClock().now() + 60_000) == ()


# Writing


def check(head: str) -> w.CheckRunCreate:
    fields = {"status": "completed", "conclusion": "success", "output": {"title": "t", "summary": "shown"}}
    return w.CheckRunCreate(NAME, "conductor/7-x", "Conductor: plan", head, "run:plan:" + "c" * 64, fields)


def branch_of(reader: GitHubReader, place: Place) -> w.BranchCreate:
    head = reader.ref(place, "main")
    assert head is not None
    tree = reader.commit(place, head)["tree"]
    return w.BranchCreate(NAME, "conductor/7-x", head, tree, tree, f"Plan for #7\n\nConductor-Row: {TOKEN}")


def pull_of(**changes: Any) -> w.PullCreate:
    return replace(w.PullCreate(NAME, "conductor/7-x", "main", "Plan for #7", text("the plan")), **changes)


def test_every_plain_kind_sends_its_very_bytes(
    github: SimulatedGitHub, reader: GitHubReader, writer: GitHubWriter, place: Place
) -> None:
    asked = github.comment("issue", "/conductor plan", "ana", number=7)
    said = writer.send(yes(place, w.CommentCreate(NAME, 7, text("hello"))), retry=False)
    comment = reader.comment(place, int(said.github_id))
    assert comment is not None
    assert comment.body == text("hello")
    assert comment.app_id == 77
    assert said.facts["body_sha256"] == hashlib.sha256(text("hello").encode()).hexdigest()
    assert said.url.startswith("http")
    label = "conductor: planning"
    sent: list[w.Write] = [
        w.CommentUpdate(NAME, 7, int(said.github_id), text("hello again")),
        w.LabelCreate(NAME, 7, label, "0e8a16", "planning"),
        w.LabelAdd(NAME, 7, label),
        w.LabelRemove(NAME, 7, label),
        w.ReactionAdd(NAME, 7, "eyes"),
        w.ReactionAdd(NAME, 7, "rocket", asked),
    ]
    for write in sent:
        writer.send(yes(place, write), retry=False)
        # A second time changes nothing and confirms.
        writer.send(yes(place, write), retry=True)
    assert reader.issue(place, 7).labels == ()
    hashes = {(one.method, one.sha256) for one in github.writes}
    for write in sent:
        assert (write.method, hashlib.sha256(canonical(write.payload)).hexdigest()) in hashes


def test_branch_pull_and_checks(
    github: SimulatedGitHub, reader: GitHubReader, writer: GitHubWriter, place: Place, desk: Desk
) -> None:
    create = branch_of(reader, place)
    sent = writer.send(yes(place, create), retry=False)
    assert desk.commits == [(5, sent.facts["sha"])]
    commit = reader.commit(place, sent.facts["sha"])
    assert (commit["tree"], commit["parents"], commit["message"].strip()) == (
        create.tree,
        [create.parent],
        create.message,
    )
    made = writer.send(yes(place, pull_of()), retry=False)
    pull = reader.pull(place, int(made.github_id))
    assert (pull.head_sha, pull.draft, pull.state, pull.merged, pull.body) == (
        sent.facts["sha"],
        True,
        "open",
        False,
        text("the plan"),
    )
    assert pull.node_id == made.facts["node_id"]
    assert reader.pull_of_branch(place, "conductor/7-x") == pull
    assert reader.pull_of_branch(place, "conductor/8-y") is None
    run = writer.send(yes(place, check(pull.head_sha)), retry=False)
    writer.send(
        yes(
            place,
            w.CheckRunUpdate(NAME, create.branch, int(run.github_id), {"output": {"title": "t", "summary": "later"}}),
        ),
        retry=False,
    )
    assert "later" in reader.check_log(place, int(run.github_id))
    writer.send(yes(place, w.PullUpdate(NAME, pull.number, create.branch, text("the result"), "Done #7")), retry=False)
    for retry in (False, True):
        writer.send(yes(place, w.PullReady(NAME, pull.number, create.branch, pull.node_id)), retry=retry)
    now = reader.pull(place, pull.number)
    assert (now.draft, now.body, now.title) == (False, text("the result"), "Done #7")
    writer.send(yes(place, w.ReviewRequest(NAME, pull.number, create.branch, "ana")), retry=False)


def code_of(
    reader: GitHubReader, place: Place, parent: str, desk: Desk, tmp_path: Path, files: dict[str, bytes | None]
) -> w.BranchUpdate:
    fetched = reader.fetch_base(place, "main", tmp_path)
    trees = GitTrees(tmp_path / "trees.git")
    trees.load(fetched.bundle, fetched.tree)
    old = trees.entries(fetched.tree)
    changes = []
    for path, data in files.items():
        content = None if data is None else base64.b64encode(data).decode()
        before = old[path].blob if path in old else None
        changes.append(
            Change(path=path, mode="100644", content=content, before=before, before_mode="100644" if before else None)
        )
    patch = Patch(base_tree=fetched.tree, changes=tuple(changes))
    tree = trees.apply(patch)
    desk.patches["d" * 64] = patch
    new = trees.entries(tree)
    entries = tuple(
        {"path": one.path, "mode": one.mode, "blob": new[one.path].blob if one.path in new else None} for one in changes
    )
    return w.BranchUpdate(
        NAME, "conductor/7-x", parent, fetched.tree, tree, f"Code for #7\n\nConductor-Row: {TOKEN}", "d" * 64, entries
    )


CODE: dict[str, bytes | None] = {
    "calc.py": b"def add(a, b):\n    return a + b\n",
    'new "q".bin': bytes(range(256)),
    "docs/a b.txt": None,
}


def test_code_is_published_byte_for_byte(
    github: SimulatedGitHub, reader: GitHubReader, writer: GitHubWriter, place: Place, desk: Desk, tmp_path: Path
) -> None:
    first = writer.send(yes(place, branch_of(reader, place)), retry=False)
    update = code_of(reader, place, first.facts["sha"], desk, tmp_path, CODE)
    sent = writer.send(yes(place, update), retry=False)
    assert reader.ref(place, "conductor/7-x") == sent.facts["sha"]
    assert reader.commit(place, sent.facts["sha"])["tree"] == update.tree
    for path, data in CODE.items():
        assert reader.file_at(place, path, sent.facts["sha"]) == data
    again = writer.send(yes(place, update), retry=True)
    assert again.facts["sha"] == sent.facts["sha"]
    # Without looking first, GitHub's own refusal leads to the look.
    assert writer.send(yes(place, update), retry=False).facts["sha"] == sent.facts["sha"]


def test_code_that_is_not_what_was_approved_is_not_published(
    github: SimulatedGitHub, reader: GitHubReader, writer: GitHubWriter, place: Place, desk: Desk, tmp_path: Path
) -> None:
    first = writer.send(yes(place, branch_of(reader, place)), retry=False)
    update = code_of(reader, place, first.facts["sha"], desk, tmp_path, CODE)
    other = Patch(
        base_tree=update.base_tree,
        changes=(Change(path="calc.py", mode="100644", content=base64.b64encode(b"evil").decode()),),
    )
    entries = update.entries
    cases: list[tuple[w.BranchUpdate, Patch, str]] = [
        (update, other, "does not hold the blob"),
        (replace(update, tree="e" * 40), desk.patches["d" * 64], "nothing was published"),
        (replace(update, entries=entries[:1]), desk.patches["d" * 64], "nothing was published"),
        (replace(update, tree=update.base_tree), desk.patches["d" * 64], "lists changes"),
        (replace(update, branch="main"), desk.patches["d" * 64], "not the one"),
    ]
    for write, patch, says in cases:
        desk.patches["d" * 64] = patch
        with pytest.raises(InternalError, match=says):
            writer.send(yes(place, write), retry=False)
    with pytest.raises(InternalError, match="not the one"):
        writer.send(yes(place, update, target=update.target.replace("7-x", "8-y")), retry=False)
    assert reader.ref(place, "conductor/7-x") == first.facts["sha"]


def test_a_branch_that_others_moved_is_refused(
    github: SimulatedGitHub, reader: GitHubReader, writer: GitHubWriter, place: Place, desk: Desk, tmp_path: Path
) -> None:
    first = writer.send(yes(place, branch_of(reader, place)), retry=False)
    update = code_of(reader, place, first.facts["sha"], desk, tmp_path, CODE)
    theirs = github.push("conductor/7-x", {"x": "theirs\n"}, "ana")
    for retry in (False, True):
        with pytest.raises(GitHubRefused) as caught:
            writer.send(yes(place, update), retry=retry)
        assert caught.value.status == 422
    assert reader.ref(place, "conductor/7-x") == theirs


def test_a_commit_is_known_before_the_ref_moves(
    github: SimulatedGitHub, reader: GitHubReader, client: GitHubClient, place: Place, desk: Desk
) -> None:
    def crash(_row: OutboxWrite, _sha: str) -> None:
        raise KeyboardInterrupt

    create = branch_of(reader, place)
    with pytest.raises(KeyboardInterrupt):
        GitHubAppWriter(client, contents=desk.contents, on_commit=crash, keep=desk.keep).send(
            yes(place, create), retry=False
        )
    assert reader.ref(place, create.branch) is None


def lost(github: SimulatedGitHub, what: str, *, status: int | None = 502) -> None:
    """The next such request takes effect, and its answer is lost."""
    github.faults.append(Fault(github=what, status=status, after_effect=True))


def test_lost_answers_leave_one_of_each(
    github: SimulatedGitHub, reader: GitHubReader, writer: GitHubWriter, place: Place, desk: Desk, tmp_path: Path
) -> None:
    def twice(write: w.Write, what: str) -> Any:
        lost(github, what)
        with pytest.raises(GitHubBusy) as caught:
            writer.send(yes(place, write), retry=False)
        assert caught.value.fields["status"] == "502"
        return writer.send(yes(place, write), retry=True)

    twice(w.CommentCreate(NAME, 7, text("once")), "POST */comments")
    assert [one.body for one in reader.issue_comments(place, 7)] == [text("once")]
    create = branch_of(reader, place)
    sent = twice(create, "POST */git/refs")
    assert reader.ref(place, create.branch) == sent.facts["sha"]
    assert desk.commits[-1] == (5, sent.facts["sha"])
    update = code_of(reader, place, sent.facts["sha"], desk, tmp_path, CODE)
    published = twice(update, "PATCH */git/refs/*")
    assert reader.commit(place, published.facts["sha"])["parents"] == [sent.facts["sha"]]
    pull = twice(pull_of(), "POST */pulls")
    assert reader.pull(place, int(pull.github_id)).head_ref == create.branch
    twice(check(published.facts["sha"]), "POST */check-runs")
    assert len(reader.check_runs(place, published.facts["sha"], ours=True)) == 1
    twice(w.PullReady(NAME, int(pull.github_id), create.branch, pull.facts["node_id"]), "POST /graphql")
    assert not reader.pull(place, int(pull.github_id)).draft
    twice(w.LabelCreate(NAME, 7, "conductor: done", "0e8a16", "d"), "POST */labels")
    twice(w.LabelAdd(NAME, 7, "conductor: done"), "POST */issues/7/labels")
    twice(w.LabelRemove(NAME, 7, "conductor: done"), "DELETE */labels/*")
    assert reader.issue(place, 7).labels == ()


def test_a_copied_marker_is_not_ours(
    github: SimulatedGitHub, reader: GitHubReader, writer: GitHubWriter, place: Place
) -> None:
    github.comment("issue", text("copied"), "ana", number=7)
    sent = writer.send(yes(place, w.CommentCreate(NAME, 7, text("real"))), retry=True)
    bodies = {one.id: one.body for one in reader.issue_comments(place, 7)}
    assert bodies[int(sent.github_id)] == text("real")
    assert len(bodies) == 2


def test_a_copied_check_is_not_ours(
    github: SimulatedGitHub, reader: GitHubReader, writer: GitHubWriter, place: Place
) -> None:
    head = reader.ref(place, "main")
    assert head is not None
    copied = github.add_check_run("Conductor: plan", "success", head_sha=head, external_id=check(head).external_id)
    sent = writer.send(yes(place, check(head)), retry=True)
    assert int(sent.github_id) != copied


def test_replies_and_threads(github: SimulatedGitHub, reader: GitHubReader, writer: GitHubWriter, place: Place) -> None:
    writer.send(yes(place, branch_of(reader, place)), retry=False)
    github.push("conductor/7-x", {"calc.py": "x = 1\n"}, "ana")
    pull = int(writer.send(yes(place, pull_of()), retry=False).github_id)
    github.review("changes_requested", "no", [{"path": "calc.py", "line": 1, "body": "why?"}], "ana")
    (issue,) = [one for one in github.world.only_repository().issues.values() if one.pull is not None]
    assert issue.pull is not None
    review_id = issue.pull.reviews[-1].id
    (comment,) = reader.review_comments(place, pull, review_id)
    assert (comment["path"], comment["line"], comment["body"], comment["user"]["login"]) == (
        "calc.py",
        1,
        "why?",
        "ana",
    )
    reply = w.CommentReply(NAME, pull, comment["id"], text("because"))
    lost(github, "POST */replies")
    with pytest.raises(GitHubBusy):
        writer.send(yes(place, reply), retry=False)
    sent = writer.send(yes(place, reply), retry=True)
    assert sent.github_id != str(comment["id"])
    assert sum(one.body == text("because") for one in issue.pull.comments) == 1
    (thread,) = issue.pull.threads
    writer.send(yes(place, w.ThreadResolve(NAME, pull, thread)), retry=False)
    assert issue.pull.threads[thread].resolved


def test_a_missing_thread_is_refused(writer: GitHubWriter, place: Place) -> None:
    with pytest.raises(GitHubRefused) as caught:
        writer.send(yes(place, w.ThreadResolve(NAME, 1, "PRRT_x")), retry=False)
    assert caught.value.status == 404


def test_drafts_that_are_not_offered(key: str, desk: Desk) -> None:
    with SimulatedGitHub(app_id=77, webhook_secret="s", private_key_pem=key, drafts_allowed=False) as github:
        github.add_repository(NAME, FILES)
        client = GitHubClient(app_id=77, private_key=key, base_url=github.url, clock=SystemClock())
        writer = GitHubAppWriter(client, contents=desk.contents, on_commit=desk.on_commit, keep=desk.keep)
        place = Place(github.installation_id, github.world.only_repository().id, NAME)
        reader = GitHubAppReader(client, GitMirror(Path("/nonexistent")))
        writer.send(yes(place, branch_of(reader, place)), retry=False)
        with pytest.raises(GitHubRefused) as caught:
            writer.send(yes(place, pull_of()), retry=False)
        assert (caught.value.status, caught.value.fields["drafts"]) == (422, "unsupported")
        assert writer.send(yes(place, pull_of(draft=False)), retry=True).facts["draft"] is False
        with pytest.raises(GitHubRefused) as caught:
            writer.send(yes(place, pull_of(draft=False)), retry=False)
        assert "drafts" not in caught.value.fields
        client.close()


def test_only_approved_and_unchanged_rows_are_sent(github: SimulatedGitHub, writer: GitHubWriter, place: Place) -> None:
    write = w.CommentCreate(NAME, 7, text("x"))
    with pytest.raises(TypeError):
        writer.send(row(place, write), retry=False)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Approved(row(place, write), "0" * 64, (), seal=object())
    with pytest.raises(InternalError, match="not those that were hashed"):
        writer.send(yes(place, write, body=b'{"body":"other"}'), retry=False)
    with pytest.raises(InternalError, match="no kind of write"):
        writer.send(yes(place, write, kind="pull.merge"), retry=False)
    for target in (
        "/repos/acme/other/issues/7/comments",
        "/repos/acme/calc/../other/issues/7/comments",
        "https://evil.example/",
        "/graphql",
        "/repos/acme/calc",
    ):
        with pytest.raises((InternalError, GitHubRefused)):
            writer.send(yes(place, write, target=target), retry=False)
    assert [one for one in github.writes if one.changed] == []


def test_every_kind_has_its_permissions_and_none_has_workflows() -> None:
    assert set(PERMISSIONS) == set(w.METHODS)
    for granted in (*PERMISSIONS.values(), READ, CONTENTS):
        assert set(granted) <= {"metadata", "contents", "issues", "pull_requests", "checks", "actions", "statuses"}
    assert set(READ.values()) == {"read"}


# Tokens, limits, errors


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


PLACE = Place(1, 2, NAME)


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


# Fetching


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


class Slow:
    """A clock, and a GitHub that takes a minute to mint a token. ``sent``: the requests that came after; ``stale``: so many of them get 401."""

    def __init__(self, stale: int = 0) -> None:
        self.time = 1_800_000_000_000
        self.sent: list[str] = []
        self.stale = stale

    def now(self) -> int:
        return self.time

    def handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/access_tokens"):
            self.time += 60_000
            return httpx.Response(201, json={"token": "ghs_x", "expires_at": "2100-01-01T00:00:00Z"})
        self.sent.append(request.url.path)
        if len(self.sent) <= self.stale:
            return httpx.Response(401, json={"message": "Bad credentials"})
        return httpx.Response(201, json={"id": 1, "data": {}})


@pytest.mark.parametrize("write", [w.CommentCreate(NAME, 7, text("hello")), w.PullReady(NAME, 8, "a" * 40, "PR_x")])
@pytest.mark.parametrize(
    ("left_ms", "stale", "tries"), [(60_000, 0, 0), (60_001, 0, 1), (120_000, 1, 1), (120_001, 1, 2)]
)
def test_nothing_is_sent_when_the_lease_ran_out_while_a_token_was_minted(
    key: str, desk: Desk, write: w.Write, left_ms: int, stale: int, tries: int
) -> None:
    slow = Slow(stale)
    transport = httpx.MockTransport(slow.handle)
    client = GitHubClient(
        app_id=77, private_key=key, base_url="https://api.github.com", clock=slow, transport=transport
    )
    writer = GitHubAppWriter(client, contents=desk.contents, on_commit=desk.on_commit, keep=desk.keep)
    approved = yes(PLACE, write, until=slow.time + left_ms)
    with nullcontext() if tries > stale else pytest.raises(StaleFence, match="nothing more of it is sent"):
        writer.send(approved, retry=False)
    assert len(slow.sent) == tries
    client.close()


class Halting:
    """A clock that jumps over the lease's end when it is read for the ``at``-th time since it was armed."""

    def __init__(self) -> None:
        self.at = self.reads = 0

    def now(self) -> int:
        self.reads += 1
        return int(time.time() * 1000) + (120_000 if 0 < self.at <= self.reads else 0)


def test_a_process_that_was_halted_sends_nothing_however_far_it_had_come(
    github: SimulatedGitHub, desk: Desk, place: Place
) -> None:
    clock = Halting()
    client = GitHubClient(app_id=77, private_key=github.private_key_pem, base_url=github.url, clock=clock)
    writer = GitHubAppWriter(client, contents=desk.contents, on_commit=desk.on_commit, keep=desk.keep)
    writer.send(yes(place, w.CommentCreate(NAME, 7, text("in good health"))), retry=False)
    before, reads = len(github.writes), 0
    for reads in range(1, 9):
        clock.at, clock.reads = reads, 0
        approved = yes(place, w.CommentCreate(NAME, 7, text(f"halt {reads}")), until=int(time.time() * 1000) + 60_000)
        try:
            writer.send(approved, retry=False)
        except StaleFence:
            assert len(github.writes) == before
        else:
            break
    # The token's end, before the request, before its headers and before its body.
    assert reads == 5
    assert len(github.writes) == before + 1
    client.close()
