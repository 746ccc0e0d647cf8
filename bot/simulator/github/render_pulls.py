"""GitHub's JSON for pull requests, reviews, check runs and suites."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from bot.simulator.github import render, render_git
from bot.simulator.github.model import (
    CheckRun,
    CheckSuite,
    Issue,
    Pull,
    Repository,
    Review,
    ReviewComment,
    node_id,
    stamp,
)
from bot.simulator.github.world import World


def pull_simple(world: World, within: Repository, issue: Issue, pull: Pull) -> dict[str, Any]:
    """A pull request as a list shows it."""
    url, page = render.repository_url(world, within), f"{render.html_url(world, within)}/pull/{issue.number}"
    own = f"{url}/pulls/{issue.number}"
    whole = render.repository(world, within)
    owner = render.account(world, within.owner)
    links = {
        "self": own,
        "html": page,
        "issue": f"{url}/issues/{issue.number}",
        "comments": f"{url}/issues/{issue.number}/comments",
        "review_comments": f"{own}/comments",
        "review_comment": f"{url}/pulls/comments{{/number}}",
        "commits": f"{own}/commits",
        "statuses": f"{url}/statuses/{pull.head_sha}",
    }
    sides = {
        side: {
            "label": f"{within.owner.login}:{name}",
            "ref": name,
            "sha": sha,
            "user": owner,
            "repo": whole,
        }
        for side, name, sha in (("head", pull.head, pull.head_sha), ("base", pull.base, pull.base_sha))
    }
    return {
        "id": pull.id,
        "node_id": node_id("PR", pull.id),
        "url": own,
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        **{
            f"{name}_url": links[name] for name in ("issue", "commits", "review_comments", "review_comment", "comments")
        },
        "statuses_url": links["statuses"],
        "number": issue.number,
        "state": issue.state,
        "locked": False,
        "active_lock_reason": None,
        "title": issue.title,
        "user": render.account(world, issue.user),
        "body": issue.body,
        "labels": [render.label(world, within, one) for one in issue.labels],
        "milestone": None,
        "assignee": None,
        "assignees": [],
        "requested_reviewers": [render.account(world, one) for one in pull.reviewers],
        "requested_teams": [],
        "created_at": stamp(issue.created),
        "updated_at": stamp(issue.updated),
        "closed_at": stamp(issue.closed) if issue.closed is not None else None,
        "merged_at": stamp(pull.merged_at) if pull.merged_at is not None else None,
        "merge_commit_sha": pull.merge_sha,
        **sides,
        "_links": {name: {"href": href} for name, href in links.items()},
        "author_association": render.association(within, issue.user),
        "auto_merge": None,
        "draft": pull.draft,
    }


def merge_base_tree(within: Repository, pull: Pull) -> str | None:
    """The tree that a pull request's diff starts from."""
    base = within.git.merge_base(pull.base_sha, pull.head_sha)
    return within.git.commit(base).tree if base else None


def pull_changes(within: Repository, pull: Pull) -> list[render_git.Change]:
    """The files that a pull request changes."""
    return render_git.changes(within.git, merge_base_tree(within, pull), within.git.commit(pull.head_sha).tree)


def pull_commits(within: Repository, pull: Pull) -> list[str]:
    """The commits of a pull request, oldest first."""
    known = {one.sha for one in within.git.history(pull.base_sha)}
    return [one.sha for one in reversed(within.git.history(pull.head_sha)) if one.sha not in known]


def pull_full(world: World, within: Repository, issue: Issue, pull: Pull) -> dict[str, Any]:
    """A pull request asked for by number."""
    counts = [render_git.patch(within.git, one)[:2] for one in pull_changes(within, pull)]
    return pull_simple(world, within, issue, pull) | {
        "merged": pull.merged_at is not None,
        "mergeable": True if issue.state == "open" else None,
        "rebaseable": True if issue.state == "open" else None,
        "mergeable_state": "draft" if pull.draft else "clean",
        "merged_by": render.account(world, pull.merged_by) if pull.merged_by else None,
        "comments": len(issue.comments),
        "review_comments": len(pull.comments),
        "maintainer_can_modify": False,
        "commits": len(pull_commits(within, pull)),
        "additions": sum(added for added, _ in counts),
        "deletions": sum(deleted for _, deleted in counts),
        "changed_files": len(counts),
    }


def pull_minimal(world: World, within: Repository, issue: Issue, pull: Pull) -> dict[str, Any]:
    """A pull request inside a check run."""
    url = render.repository_url(world, within)
    repo = {"id": within.id, "url": url, "name": within.name}
    return {
        "id": pull.id,
        "number": issue.number,
        "url": f"{url}/pulls/{issue.number}",
        "head": {"ref": pull.head, "sha": pull.head_sha, "repo": repo},
        "base": {"ref": pull.base, "sha": pull.base_sha, "repo": repo},
    }


def review(world: World, within: Repository, issue: Issue, one: Review) -> dict[str, Any]:
    """A submitted review."""
    pull_url = f"{render.repository_url(world, within)}/pulls/{issue.number}"
    page = f"{render.html_url(world, within)}/pull/{issue.number}#pullrequestreview-{one.id}"
    return {
        "id": one.id,
        "node_id": node_id("PRR", one.id),
        "user": render.account(world, one.user),
        "body": one.body,
        "state": one.state,
        "html_url": page,
        "pull_request_url": pull_url,
        "_links": {"html": {"href": page}, "pull_request": {"href": pull_url}},
        "submitted_at": stamp(one.at),
        "updated_at": stamp(one.at),
        "commit_id": one.commit,
        "author_association": render.association(within, one.user),
    }


def review_comment(world: World, within: Repository, issue: Issue, one: ReviewComment) -> dict[str, Any]:
    """A comment on a line."""
    url = f"{render.repository_url(world, within)}/pulls/comments/{one.id}"
    pull_url = f"{render.repository_url(world, within)}/pulls/{issue.number}"
    page = f"{render.html_url(world, within)}/pull/{issue.number}#discussion_r{one.id}"
    found: dict[str, Any] = {
        "id": one.id,
        "node_id": node_id("PRRC", one.id),
        "url": url,
        "html_url": page,
        "pull_request_url": pull_url,
        "pull_request_review_id": one.review,
        "diff_hunk": one.hunk,
        "path": one.path,
        "position": one.line,
        "original_position": one.line or 1,
        "commit_id": one.commit,
        "original_commit_id": one.commit,
        "user": render.account(world, one.user),
        "body": one.body,
        "created_at": stamp(one.created),
        "updated_at": stamp(one.updated),
        "author_association": render.association(within, one.user),
        "_links": {"self": {"href": url}, "html": {"href": page}, "pull_request": {"href": pull_url}},
        "start_line": one.start_line,
        "original_start_line": one.start_line,
        "start_side": one.side if one.start_line else None,
        "line": one.line,
        "original_line": one.line or 1,
        "side": one.side,
        "subject_type": "line" if one.line else "file",
        "reactions": render.reactions(url, []),
    }
    return found if one.reply_to is None else found | {"in_reply_to_id": one.reply_to}


def _pulls_at(world: World, within: Repository, sha: str) -> list[dict[str, Any]]:
    return [
        pull_minimal(world, within, issue, pull)
        for issue, pull in within.pulls()
        if pull.head_sha == sha and issue.state == "open"
    ]


def check_run(world: World, within: Repository, one: CheckRun) -> dict[str, Any]:
    """A check run."""
    url = f"{render.repository_url(world, within)}/check-runs/{one.id}"
    page = f"{render.html_url(world, within)}/runs/{one.id}"
    return {
        "id": one.id,
        "node_id": node_id("CR", one.id),
        "name": one.name,
        "head_sha": one.head_sha,
        "external_id": one.external_id,
        "url": url,
        "html_url": page,
        "details_url": one.details_url or page,
        "status": one.status,
        "conclusion": one.conclusion,
        "started_at": one.started,
        "completed_at": one.completed,
        "output": {
            "title": one.title,
            "summary": one.summary,
            "text": one.text,
            "annotations_count": len(one.annotations),
            "annotations_url": f"{url}/annotations",
        },
        "check_suite": {"id": one.suite},
        "app": render.app(world, one.app),
        "pull_requests": _pulls_at(world, within, one.head_sha),
    }


def annotation(world: World, within: Repository, run: CheckRun, one: dict[str, Any]) -> dict[str, Any]:
    """An annotation of a check run."""
    optional = dict.fromkeys(("start_column", "end_column", "title", "raw_details"))
    href = f"{render.html_url(world, within)}/blob/{run.head_sha}/{quote(str(one['path']))}"
    return optional | one | {"blob_href": href}


def suite_state(within: Repository, suite: CheckSuite) -> tuple[str, str | None]:
    """Status and conclusion of a suite, from its runs."""
    runs = [one for one in within.checks.values() if one.suite == suite.id]
    if not runs or any(one.status != "completed" for one in runs):
        return ("in_progress" if runs else "queued"), None
    words = {one.conclusion for one in runs}
    order = ("failure", "timed_out", "action_required", "cancelled", "success", "neutral", "skipped")
    return "completed", next((word for word in order if word in words), "neutral")


def check_suite(world: World, within: Repository, one: CheckSuite) -> dict[str, Any]:
    """A check suite."""
    url = f"{render.repository_url(world, within)}/check-suites/{one.id}"
    status, conclusion = suite_state(within, one)
    branch = next((name for name, sha in within.git.refs("refs/heads/").items() if sha == one.head_sha), None)
    head = render_git.push_commit(world, within, within.git.commit(one.head_sha))
    return {
        "id": one.id,
        "node_id": node_id("CS", one.id),
        "head_branch": branch.removeprefix("refs/heads/") if branch else None,
        "head_sha": one.head_sha,
        "status": status,
        "conclusion": conclusion,
        "url": url,
        "before": None,
        "after": one.head_sha,
        "pull_requests": _pulls_at(world, within, one.head_sha),
        "app": render.app(world, one.app),
        "repository": render.repository(world, within),
        "created_at": stamp(one.created),
        "updated_at": stamp(one.created),
        "head_commit": {key: head[key] for key in ("id", "tree_id", "message", "timestamp", "author", "committer")},
        "latest_check_runs_count": sum(1 for run in within.checks.values() if run.suite == one.id),
        "check_runs_url": f"{url}/check-runs",
    }
