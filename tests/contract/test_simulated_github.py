"""The simulated GitHub with githubkit as its client: the whole way of the App, judged by githubkit's response models."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from githubkit.exception import RequestFailed

from bot.domain.writes import READY_MUTATION, RESOLVE_MUTATION
from bot.simulator.github.prune_openapi import OPERATIONS
from bot.simulator.github.server import SimulatedGitHub
from tests.contract.simulated_github_client import OWNER, REPO, app, installed, simulated

BRANCH = "conductor/7-add-subtracts"


@pytest.fixture
def github() -> Iterator[SimulatedGitHub]:
    with simulated() as server:
        yield server
        assert server.violations == []
        assert server.refused == []


def commit(client: Any, parent: str, files: dict[str, str | None], message: str = "Change\n") -> str:
    rest = client.rest.git
    base = rest.get_commit(OWNER, REPO, parent).parsed_data.tree.sha
    tree = base
    if files:
        entries = []
        for path, text in files.items():
            sha = None
            if text is not None:
                content = base64.b64encode(text.encode()).decode()
                sha = rest.create_blob(OWNER, REPO, content=content, encoding="base64").parsed_data.sha
            entries.append({"path": path, "mode": "100644", "type": "blob", "sha": sha})
        tree = rest.create_tree(OWNER, REPO, base_tree=base, tree=entries).parsed_data.sha
    made = rest.create_commit(OWNER, REPO, message=message, tree=tree, parents=[parent]).parsed_data
    return str(made.sha)


def open_pull(client: Any) -> Any:
    main = client.rest.git.get_ref(OWNER, REPO, "heads/main").parsed_data.object_.sha
    first = commit(client, main, {}, "Plan\n")
    client.rest.git.create_ref(OWNER, REPO, ref=f"refs/heads/{BRANCH}", sha=first)
    return client.rest.pulls.create(
        OWNER, REPO, head=BRANCH, base="main", title="Plan", body="Closes #7", draft=True
    ).parsed_data


def test_the_whole_way_of_the_app(github: SimulatedGitHub) -> None:
    client = installed(github)
    issue = client.rest.issues.get(OWNER, REPO, 7).parsed_data
    assert (issue.title, issue.user.login if issue.user else "") == ("add() subtracts", "mallory")
    assert client.rest.reactions.create_for_issue(OWNER, REPO, 7, content="eyes").parsed_data.content == "eyes"
    comment = client.rest.issues.create_comment(OWNER, REPO, 7, body="Planning.").parsed_data
    client.rest.issues.update_comment(OWNER, REPO, comment.id, body="Planned.")
    client.rest.issues.create_label(OWNER, REPO, name="conductor: planning", color="0e8a16", description="now")
    client.rest.issues.add_labels(OWNER, REPO, 7, labels=["conductor: planning"])

    pull = open_pull(client)
    assert pull.draft
    assert pull.changed_files == 0
    assert pull.commits == 1
    check = client.rest.checks.create(
        OWNER,
        REPO,
        name="Conductor: plan",
        head_sha=pull.head.sha,
        external_id="abc",
        conclusion="action_required",
        output={"title": "Approve?", "summary": "One file."},
        actions=[{"label": "Approve", "description": "This plan", "identifier": "approve"}],
    ).parsed_data
    assert check.status == "completed"

    second = commit(client, pull.head.sha, {"calc.py": "def add(a, b):\n    return a + b\n", "docs/read me.md": None})
    client.rest.git.update_ref(OWNER, REPO, f"heads/{BRANCH}", sha=second, force=False)
    files = client.rest.pulls.list_files(OWNER, REPO, pull.number).parsed_data
    assert [(one.filename, one.status) for one in files] == [("calc.py", "modified"), ("docs/read me.md", "removed")]
    assert "+    return a + b" in str(files[0].patch)
    client.graphql(READY_MUTATION, {"id": pull.node_id})
    client.rest.pulls.request_reviewers(OWNER, REPO, pull.number, reviewers=["ana"])
    ready = client.rest.pulls.get(OWNER, REPO, pull.number).parsed_data
    assert not ready.draft
    assert [one.login for one in ready.requested_reviewers or []] == ["ana"]

    shown = github.snapshot()
    assert shown["comments"] == [{"where": "issue", "author": "conductor[bot]", "body": "Planned.", "edits": 1}]
    assert shown["labels"] == ["conductor: planning"]
    assert shown["pulls"][0] | {"body": ""} == {
        "number": 8, "head": BRANCH, "base": "main", "draft": False, "state": "open", "title": "Plan", "body": "",
    }  # fmt: skip
    assert [(one["name"], one["conclusion"]) for one in shown["check_runs"]] == [("Conductor: plan", "action_required")]
    assert set(shown["branches"][BRANCH]) == {"calc.py", "bin/run", ".github/workflows/ci.yml"}
    assert len(shown["branches"]["main"]) == 4
    paths = [(one["method"], one["path"].removeprefix(f"/repos/{OWNER}/{REPO}")) for one in shown["writes"]]
    assert paths[:3] == [
        ("POST", "/issues/7/reactions"),
        ("POST", "/issues/7/comments"),
        ("PATCH", f"/issues/comments/{comment.id}"),
    ]
    assert ("POST", "/graphql") in paths
    assert all(200 <= one["status"] < 300 for one in shown["writes"])


def test_commits_of_the_app_are_its_own_and_signed(github: SimulatedGitHub) -> None:
    client = installed(github)
    main = client.rest.git.get_ref(OWNER, REPO, "heads/main").parsed_data.object_.sha
    found = client.rest.git.get_commit(OWNER, REPO, commit(client, main, {"a": "b"}, "Say it\n")).parsed_data
    assert found.author.name == found.committer.name == "conductor[bot]"
    assert found.message == "Say it\n"
    assert found.verification.verified
    unsigned = client.rest.git.create_commit(
        OWNER, REPO, message="m", tree=found.tree.sha, parents=[], author={"name": "x", "email": "x@example.org"}
    ).parsed_data
    assert (unsigned.author.name, unsigned.verification.verified) == ("x", False)


def test_every_read_answers_what_githubkit_parses(github: SimulatedGitHub) -> None:
    client = installed(github)
    pull = open_pull(client)
    github.comment("pull", "A comment.", "ana")
    github.review("changes_requested", "No.", [{"path": "calc.py", "line": 2, "body": "Wrong."}], "ana")
    run = github.add_check_run("ci", "failure", log="boom\n")
    github.protect("main", ["ci"])
    rest, n = client.rest, pull.number
    review = rest.pulls.list_reviews(OWNER, REPO, n).parsed_data[0]
    line = rest.pulls.list_review_comments(OWNER, REPO, n).parsed_data[0]
    answer = rest.pulls.create_reply_for_review_comment(OWNER, REPO, n, line.id, body="Fixed.").parsed_data
    comment = rest.issues.list_comments(OWNER, REPO, n).parsed_data[0]
    sha = pull.head.sha
    suite = rest.checks.list_suites_for_ref(OWNER, REPO, sha).parsed_data.check_suites[0]
    blob = rest.git.get_tree(OWNER, REPO, "main", recursive="1").parsed_data
    file = next(one for one in blob.tree if one.path == "calc.py")
    reads = [
        rest.apps.list_repos_accessible_to_installation(),
        rest.rate_limit.get(),
        rest.repos.get(OWNER, REPO),
        rest.users.get_by_username("ana"),
        rest.repos.get_collaborator_permission_level(OWNER, REPO, "ana"),
        rest.issues.list_for_repo(OWNER, REPO, state="all"),
        rest.issues.get_comment(OWNER, REPO, comment.id),
        rest.issues.list_comments_for_repo(OWNER, REPO, sort="updated"),
        rest.issues.get_label(OWNER, REPO, "bug"),
        rest.issues.list_labels_for_repo(OWNER, REPO),
        rest.issues.list_labels_on_issue(OWNER, REPO, 7),
        rest.reactions.list_for_issue(OWNER, REPO, 7),
        rest.reactions.list_for_issue_comment(OWNER, REPO, comment.id),
        rest.pulls.get(OWNER, REPO, n),
        rest.pulls.list(OWNER, REPO, head=f"{OWNER}:{BRANCH}", state="all"),
        rest.pulls.list_commits(OWNER, REPO, n),
        rest.pulls.list_requested_reviewers(OWNER, REPO, n),
        rest.pulls.get_review(OWNER, REPO, n, review.id),
        rest.pulls.list_comments_for_review(OWNER, REPO, n, review.id),
        rest.checks.get(OWNER, REPO, run),
        rest.checks.list_annotations(OWNER, REPO, run),
        rest.checks.list_for_ref(OWNER, REPO, BRANCH, check_name="ci"),
        rest.checks.get_suite(OWNER, REPO, suite.id),
        rest.checks.list_for_suite(OWNER, REPO, suite.id),
        rest.git.get_blob(OWNER, REPO, str(file.sha)),
        rest.git.list_matching_refs(OWNER, REPO, "heads/conductor"),
        rest.repos.get_content(OWNER, REPO, "docs/read%20me.md", ref=BRANCH),
        rest.repos.get_content(OWNER, REPO, "docs"),
        rest.repos.get_commit(OWNER, REPO, sha),
        rest.repos.list_commits(OWNER, REPO, sha=BRANCH, path="calc.py"),
        rest.repos.compare_commits(OWNER, REPO, f"main...{BRANCH}"),
        rest.repos.get_branch(OWNER, REPO, BRANCH),
        rest.repos.list_branches(OWNER, REPO),
        rest.repos.get_branch_rules(OWNER, REPO, "main"),
        rest.repos.get_combined_status_for_ref(OWNER, REPO, "main"),
    ]
    parsed = [one.parsed_data for one in reads]
    assert len(parsed) == len(reads)
    assert answer.in_reply_to_id == line.id
    assert rest.repos.get_branch(OWNER, REPO, "main").parsed_data.protected
    log = client.rest.actions.download_job_logs_for_workflow_run(OWNER, REPO, run)
    assert log.text == "boom\n"
    threads = client.graphql(
        """query($id: ID!) { node(id: $id) { ... on PullRequest { isDraft
             reviewThreads(first: 10) { nodes { id isResolved comments(first: 5) { nodes { fullDatabaseId } } } } } } }""",
        {"id": pull.node_id},
    )["node"]["reviewThreads"]["nodes"]
    assert [one["fullDatabaseId"] for one in threads[0]["comments"]["nodes"]] == [str(line.id), str(answer.id)]
    client.graphql(RESOLVE_MUTATION, {"id": threads[0]["id"]})


def test_the_app_reads_itself(github: SimulatedGitHub) -> None:
    client = app(github)
    assert client.rest.apps.get_authenticated().parsed_data.slug == "conductor"
    assert client.rest.apps.get_installation(github.installation_id).parsed_data.app_id == 4711
    assert [one.id for one in client.rest.apps.list_installations().parsed_data] == [github.installation_id]
    assert client.rest.apps.get_repo_installation(OWNER, REPO).parsed_data.id == github.installation_id
    assert client.rest.apps.list_webhook_deliveries().parsed_data == []


@pytest.mark.parametrize(
    ("level", "permission", "maintains"),
    [("none", "none", False), ("read", "read", False), ("triage", "read", False), ("write", "write", False),
     ("maintain", "write", True), ("admin", "admin", True)],
)  # fmt: skip
def test_permission_is_coarse_and_role_name_is_true(
    github: SimulatedGitHub, level: Any, permission: str, maintains: bool
) -> None:
    github.set_permission("zoe", level)
    client = installed(github)
    found = client.rest.repos.get_collaborator_permission_level(OWNER, REPO, "zoe").parsed_data
    assert (found.permission, found.role_name) == (permission, level)
    assert found.user is not None
    assert found.user.permissions is not None
    assert found.user.permissions.maintain is maintains


def test_lists_come_in_pages_oldest_first_and_since_filters(github: SimulatedGitHub) -> None:
    for number in range(45):
        github.comment("issue", f"comment {number}", "ana")
    client = installed(github)
    first = client.rest.issues.list_comments(OWNER, REPO, 7, per_page=20)
    assert [one.body for one in first.parsed_data][:2] == ["comment 0", "comment 1"]
    assert 'rel="next"' in first.headers["Link"]
    assert (
        len(list(client.rest.paginate(client.rest.issues.list_comments, owner=OWNER, repo=REPO, issue_number=7))) == 45
    )
    client.rest.issues.list_comments(OWNER, REPO, 7, since="2100-01-01T00:00:00Z")
    assert client.rest.issues.list_comments(OWNER, REPO, 7, since="2100-01-01T00:00:00Z").parsed_data == []


def test_what_github_refuses_is_refused(github: SimulatedGitHub) -> None:
    client = installed(github)
    pull = open_pull(client)
    git, rest = client.rest.git, client.rest
    other = git.create_commit(OWNER, REPO, message="m", tree=git.get_commit(OWNER, REPO, pull.head.sha).parsed_data.tree.sha, parents=[]).parsed_data.sha  # fmt: skip
    attempts: list[tuple[int, Any]] = [
        (422, lambda: git.create_ref(OWNER, REPO, ref=f"refs/heads/{BRANCH}", sha=pull.head.sha)),
        (422, lambda: git.create_ref(OWNER, REPO, ref=f"refs/heads/{BRANCH}/x", sha=pull.head.sha)),
        (422, lambda: git.create_ref(OWNER, REPO, ref="refs/heads/a..b", sha=pull.head.sha)),
        (422, lambda: git.create_ref(OWNER, REPO, ref="refs/heads/gone", sha="0" * 40)),
        (422, lambda: git.update_ref(OWNER, REPO, f"heads/{BRANCH}", sha=other, force=False)),
        (422, lambda: git.update_ref(OWNER, REPO, "heads/none", sha=other)),
        (404, lambda: git.get_ref(OWNER, REPO, "heads/none")),
        (422, lambda: rest.pulls.create(OWNER, REPO, head=BRANCH, base="main", title="Again")),
        (422, lambda: rest.pulls.create(OWNER, REPO, head="none", base="main", title="Again")),
        (422, lambda: rest.issues.create_label(OWNER, REPO, name="bug")),
        (404, lambda: rest.issues.remove_label(OWNER, REPO, 7, "bug")),
        (404, lambda: rest.issues.get(OWNER, REPO, 99)),
        (404, lambda: rest.issues.get_comment(OWNER, REPO, 1)),
        (404, lambda: rest.repos.get_content(OWNER, REPO, "none.py")),
        (404, lambda: rest.repos.get_collaborator_permission_level(OWNER, REPO, "nobody")),
        (422, lambda: rest.checks.create(OWNER, REPO, name="x", head_sha="f" * 40)),
        (422, lambda: rest.issues.create_comment(OWNER, REPO, 7, body="x" * 262_145)),
        (422, lambda: rest.pulls.update(OWNER, REPO, pull.number, body="x" * 65_537)),
        (422, lambda: rest.pulls.request_reviewers(OWNER, REPO, pull.number, reviewers=["nobody"])),
        (404, lambda: git.get_blob(OWNER, REPO, "0" * 40)),
        (422, lambda: git.create_tree(OWNER, REPO, tree=[{"path": "a/.GIT/x", "mode": "100644", "content": "x"}])),
    ]
    for status, attempt in attempts:
        with pytest.raises(RequestFailed) as caught:
            attempt()
        assert caught.value.response.status_code == status


def test_no_drafts_where_the_plan_forbids_them() -> None:
    with simulated(drafts_allowed=False) as github:
        client = installed(github)
        with pytest.raises(RequestFailed) as caught:
            open_pull(client)
        assert caught.value.response.status_code == 422
        assert "Draft pull requests are not supported" in caught.value.response.text
        made = client.rest.pulls.create(OWNER, REPO, head=BRANCH, base="main", title="[plan]").parsed_data
        assert made.draft is False


def test_a_merge_closes_the_issue_that_the_body_names(github: SimulatedGitHub) -> None:
    client = installed(github)
    pull = open_pull(client)
    github.merge("ana")
    assert client.rest.issues.get(OWNER, REPO, 7).parsed_data.state == "closed"
    merged = client.rest.pulls.get(OWNER, REPO, pull.number).parsed_data
    assert (merged.merged, merged.state) == (True, "closed")


def test_every_operation_that_is_described_is_answered() -> None:
    with simulated() as github:
        assert set(github._application.operations) == OPERATIONS
