"""The API's repository, contents, commits, comparisons, branches, statuses, collaborators, users and job logs."""

from __future__ import annotations

import posixpath
from datetime import datetime
from typing import Any, Final

from bot.simulator.github import render, render_git
from bot.simulator.github.answer import Answer, Call, Handlers, Refusal
from bot.simulator.github.git_objects import LINK, Entry, MissingObject
from bot.simulator.github.model import Repository, Status, node_id, stamp
from bot.simulator.github.resolve import commit_of

HANDLERS: Final = Handlers()
CONTENT_BYTES: Final = 1_000_000
"""Above this the contents API leaves the bytes out, above 100 MB it refuses."""


@HANDLERS("repos/get")
def get_repository(call: Call) -> Answer:
    return Answer(200, render.full_repository(call.world, call.repository))


@HANDLERS("users/get-by-username")
def get_user(call: Call) -> Answer:
    found = call.world.accounts.get(call.parameters["username"].casefold())
    if found is None:
        raise Refusal(404, "Not Found")
    return Answer(200, render.public_user(call.world, found))


@HANDLERS("repos/get-collaborator-permission-level")
def get_permission(call: Call) -> Answer:
    found = call.world.accounts.get(call.parameters["username"].casefold())
    if found is None:
        raise Refusal(404, f"{call.parameters['username']} is not a user")
    return Answer(200, render.permission(call.world, call.repository, found))


# Contents


@HANDLERS("repos/get-content")
def get_content(call: Call) -> Answer:
    within, path = call.repository, call.parameters["path"].strip("/")
    git = within.git
    at = call.query.get("ref", within.default_branch)
    if not git.refs("refs/heads/"):
        raise Refusal(404, "This repository is empty.")
    try:
        tree = git.commit(commit_of(call, at)).tree
    except Refusal as error:
        raise Refusal(404, f"No commit found for the ref {at}") from error
    entry = git.find(tree, path)
    if entry is not None and entry.mode == LINK:
        entry = _followed(within, tree, path, entry)
    if entry is None:
        raise Refusal(404, "Not Found")
    if entry.kind == "tree":
        above = f"{path}/" if path else ""
        return Answer(
            200,
            [
                render_git.content(call.world, within, above + render_git.text(one.name), one, at)
                for one in git.entries(entry.sha)
            ],
        )
    shown = render_git.content(call.world, within, path, entry, at)
    if entry.kind == "commit":
        return Answer(200, shown | {"submodule_git_url": None})
    data = git.read(entry.sha, "blob").data
    if "raw" in call.accept:
        return Answer(200, data, {"Content-Type": "application/vnd.github.raw; charset=utf-8"})
    if entry.mode == LINK:
        return Answer(200, shown | {"target": data.decode("utf-8", "replace")})
    return Answer(
        200, shown | (render_git.encoded(data) if len(data) <= CONTENT_BYTES else {"encoding": "none", "content": ""})
    )


def _followed(within: Repository, tree: str, path: str, link: Entry) -> Entry:
    """The file that a link names inside the repository, as GitHub answers with it; else the link itself."""
    target = within.git.read(link.sha, "blob").data.decode("utf-8", "surrogateescape")
    there = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    found = within.git.find(tree, there) if not there.startswith(("/", "..")) else None
    return found if found is not None and found.kind == "blob" and found.mode != LINK else link


# Commits


@HANDLERS("repos/get-commit")
def get_commit(call: Call) -> Answer:
    within = call.repository
    one = within.git.commit(commit_of(call, call.parameters["ref"]))
    base = within.git.commit(one.parents[0]).tree if one.parents else None
    files = [
        render_git.diff_entry(call.world, within, each, one.sha)
        for each in render_git.changes(within.git, base, one.tree)
    ]
    added, deleted = sum(each["additions"] for each in files), sum(each["deletions"] for each in files)
    stats = {"additions": added, "deletions": deleted, "total": added + deleted}
    return Answer(200, render_git.commit(call.world, within, one) | {"stats": stats, "files": files})


@HANDLERS("repos/list-commits")
def list_commits(call: Call) -> Answer:
    within, query = call.repository, call.query
    found = within.git.history(commit_of(call, query.get("sha", within.default_branch)))
    if "since" in query:
        found = [one for one in found if one.committer.at >= datetime.fromisoformat(query["since"]).timestamp()]
    if "until" in query:
        found = [one for one in found if one.committer.at <= datetime.fromisoformat(query["until"]).timestamp()]
    if "author" in query:
        found = [one for one in found if query["author"] in {one.author.name, one.author.email}]
    if "path" in query:
        found = [one for one in found if _touches(within, one.sha, query["path"])]
    return call.listed(found, lambda one: render_git.commit(call.world, within, one))


def _touches(within: Repository, sha: str, path: str) -> bool:
    one = within.git.commit(sha)
    before = within.git.find(within.git.commit(one.parents[0]).tree, path) if one.parents else None
    return within.git.find(one.tree, path) != before


@HANDLERS("repos/compare-commits-with-basehead")
def compare(call: Call) -> Answer:
    within, basehead = call.repository, call.parameters["basehead"]
    left, dots, right = basehead.partition("...")
    if not dots:
        raise Refusal(404, "Not Found")
    try:
        base, head = (commit_of(call, one.rpartition(":")[2]) for one in (left, right))
    except Refusal as error:
        raise Refusal(404, "Not Found") from error
    meeting = within.git.merge_base(base, head)
    if meeting is None:
        raise Refusal(404, f"No common ancestor between {left} and {right}.")
    ahead = _beyond(within, head, base)
    behind = _beyond(within, base, head)
    status = {(False, False): "identical", (True, False): "ahead", (False, True): "behind", (True, True): "diverged"}
    page, headers = call.page(ahead, lambda sha: render_git.commit(call.world, within, within.git.commit(sha)))
    changed = render_git.changes(within.git, within.git.commit(meeting).tree, within.git.commit(head).tree)
    html = f"{render.html_url(call.world, within)}/compare/{basehead}"
    shown: dict[str, Any] = {
        "url": f"{render.repository_url(call.world, within)}/compare/{basehead}",
        **dict.fromkeys(("html_url", "permalink_url"), html),
        "diff_url": f"{html}.diff",
        "patch_url": f"{html}.patch",
        "base_commit": render_git.commit(call.world, within, within.git.commit(base)),
        "merge_base_commit": render_git.commit(call.world, within, within.git.commit(meeting)),
        "status": status[bool(ahead), bool(behind)],
        "ahead_by": len(ahead),
        "behind_by": len(behind),
        "total_commits": len(ahead),
        "commits": page,
        "files": [render_git.diff_entry(call.world, within, one, head) for one in changed],
    }
    return Answer(200, shown, headers)


def _beyond(within: Repository, sha: str, other: str) -> list[str]:
    """The commits of one that the other has not, oldest first."""
    known = {one.sha for one in within.git.history(other)}
    return [one.sha for one in reversed(within.git.history(sha)) if one.sha not in known]


# Branches


def _protection(call: Call, branch: str) -> dict[str, Any]:
    contexts = call.repository.required_checks.get(branch, ())
    return {
        "enabled": branch in call.repository.required_checks,
        "required_status_checks": {
            "enforcement_level": "non_admins" if contexts else "off",
            "contexts": list(contexts),
            "checks": [{"context": one, "app_id": None} for one in contexts],
        },
    }


def _branch(call: Call) -> tuple[str, str]:
    name = call.parameters["branch"]
    sha = call.repository.branch(name)
    if sha is None:
        raise Refusal(404, "Branch not found")
    return name, sha


@HANDLERS("repos/get-branch")
def get_branch(call: Call) -> Answer:
    (name, sha), within = _branch(call), call.repository
    url = f"{render.repository_url(call.world, within)}/branches/{name}"
    shown = {
        "name": name,
        "commit": render_git.commit(call.world, within, within.git.commit(sha)),
        "_links": {"self": url, "html": f"{render.html_url(call.world, within)}/tree/{name}"},
        "protected": name in within.required_checks,
        "protection": _protection(call, name),
        "protection_url": f"{url}/protection",
    }
    return Answer(200, shown)


@HANDLERS("repos/list-branches")
def list_branches(call: Call) -> Answer:
    within = call.repository
    found = [(name.removeprefix("refs/heads/"), sha) for name, sha in within.git.refs("refs/heads/").items()]
    if "protected" in call.query:
        wanted = call.query["protected"] == "true"
        found = [one for one in found if (one[0] in within.required_checks) == wanted]
    url = render.repository_url(call.world, within)
    return call.listed(
        found,
        lambda one: {
            "name": one[0],
            "commit": {"sha": one[1], "url": f"{url}/commits/{one[1]}"},
            "protected": one[0] in within.required_checks,
        },
    )


@HANDLERS("repos/get-branch-protection")
def get_protection(call: Call) -> Answer:
    name, _ = _branch(call)
    if name not in call.repository.required_checks:
        raise Refusal(404, "Branch not protected")
    url = f"{render.repository_url(call.world, call.repository)}/branches/{name}/protection"
    return Answer(200, _protection(call, name) | {"url": url, "name": name, "protection_url": url})


@HANDLERS("repos/get-status-checks-protection")
def get_required_checks(call: Call) -> Answer:
    name, _ = _branch(call)
    if name not in call.repository.required_checks:
        raise Refusal(404, "Branch not protected")
    found = _protection(call, name)["required_status_checks"]
    url = f"{render.repository_url(call.world, call.repository)}/branches/{name}/protection/required_status_checks"
    return Answer(200, found | {"url": url, "strict": False, "contexts_url": f"{url}/contexts"})


@HANDLERS("repos/get-branch-rules")
def get_rules(call: Call) -> Answer:
    contexts = call.repository.required_checks.get(call.parameters["branch"], ())
    checks = [{"context": one} for one in contexts]
    rule = {
        "type": "required_status_checks",
        "parameters": {"required_status_checks": checks, "strict_required_status_checks_policy": False},
        "ruleset_source_type": "Repository",
        "ruleset_source": call.repository.full_name,
        "ruleset_id": call.repository.id,
    }
    return Answer(200, [rule] if contexts else [])


# Statuses and logs


@HANDLERS("repos/create-commit-status")
def create_status(call: Call) -> Answer:
    body, sha = call.body, call.parameters["sha"]
    try:
        call.repository.git.commit(sha)
    except MissingObject as error:
        raise Refusal(422, f"No commit found for SHA: {sha}") from error
    one = Status(
        call.world.new_id(), sha, body.get("context", "default"), body["state"], body.get("description"),
        body.get("target_url"), call.world.bot, call.world.clock(),
    )  # fmt: skip
    call.repository.statuses.append(one)
    return Answer(201, _status(call, one) | {"creator": render.account(call.world, one.user)})


def _status(call: Call, one: Status) -> dict[str, Any]:
    return {
        "url": f"{render.repository_url(call.world, call.repository)}/statuses/{one.sha}",
        "avatar_url": f"{call.world.url}/avatars/{one.user.id}",
        "id": one.id,
        "node_id": node_id("SC", one.id),
        "state": one.state,
        "description": one.description,
        "target_url": one.target_url,
        "context": one.context,
        "created_at": stamp(one.at),
        "updated_at": stamp(one.at),
    }


@HANDLERS("repos/get-combined-status-for-ref")
def combined_status(call: Call) -> Answer:
    within, sha = call.repository, commit_of(call, call.parameters["ref"])
    newest = {one.context: one for one in within.statuses if one.sha == sha}
    states = {one.state for one in newest.values()}
    state = "failure" if states & {"failure", "error"} else "success" if states == {"success"} else "pending"
    shown, headers = call.page(list(newest.values()), lambda one: _status(call, one))
    url = f"{render.repository_url(call.world, within)}/commits/{sha}"
    whole = {
        "state": state,
        "statuses": shown,
        "sha": sha,
        "total_count": len(newest),
        "repository": render.repository(call.world, within),
        "commit_url": url,
        "url": f"{url}/status",
    }
    return Answer(200, whole, headers)


@HANDLERS("actions/download-job-logs-for-workflow-run")
def job_log(call: Call) -> Answer:
    run = call.repository.checks.get(int(call.parameters["job_id"]))
    if run is None or run.app is call.world.app or run.status != "completed":
        raise Refusal(404, "Not Found")
    return Answer(302, None, {"Location": f"{call.world.url}/_logs/{call.repository.id}/{run.id}"})
