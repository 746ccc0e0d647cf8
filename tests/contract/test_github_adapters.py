"""Reader and writer over HTTP against the local GitHub, and a lease that runs out on the way."""

from __future__ import annotations

import base64
import hashlib
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.adapters.git_mirror import GitMirror
from bot.adapters.git_trees import GitTrees
from bot.adapters.github_client import CONTENTS, READ, GitHubClient
from bot.adapters.github_reader import GitHubAppReader
from bot.adapters.github_writer import PERMISSIONS, GitHubAppWriter
from bot.adapters.system_clock import SystemClock
from bot.domain import writes as w
from bot.domain.errors import InternalError, StaleFence
from bot.domain.subject import canonical
from bot.domain.work import Change, Patch
from bot.ports.github import (
    Approved,
    GitHubBusy,
    GitHubReader,
    GitHubRefused,
    GitHubWriter,
    OutboxWrite,
    Place,
)
from bot.simulator.github.faults import Fault
from bot.simulator.github.server import SimulatedGitHub
from tests.contract.github_over_http import (
    FILES,
    NAME,
    PLACE,
    TOKEN,
    Desk,
    client,
    desk,
    github,
    key,
    place,
    reader,
    row,
    text,
    writer,
    yes,
)

__all__ = ["client", "desk", "github", "key", "place", "reader", "writer"]

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


@pytest.mark.parametrize("answer", [{}, [], {"id": None}, {"id": "x"}, "text", None, 7])
def test_json_that_is_no_answer_of_githubs_is_an_unknown_outcome(
    client: GitHubClient, writer: GitHubWriter, place: Place, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    """Else the row would be on its way for ever, and its installation with it. The next try looks first."""
    call = GitHubClient.call
    comment = yes(place, w.CommentCreate(NAME, 7, text("hello")))

    def called(self: GitHubClient, at: Place, method: str, path: str, **given: Any) -> httpx.Response:
        answered = call(self, at, method, path, **given)
        return answered if method == "GET" else httpx.Response(201, json=answer)

    with monkeypatch.context() as patched:
        patched.setattr(GitHubClient, "call", called)
        with pytest.raises(GitHubBusy, match=r"outbox row 5 cannot be read|no JSON"):
            writer.send(comment, retry=False)
    assert writer.send(comment, retry=True).github_id.isdecimal()


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


# A lease that runs out


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
