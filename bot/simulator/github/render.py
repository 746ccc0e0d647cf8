"""GitHub's JSON for accounts, Apps, repositories, labels, reactions, issues and their comments."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from bot.simulator.github.model import (
    Account,
    AppRecord,
    Comment,
    Issue,
    Label,
    Level,
    Reaction,
    Repository,
    node_id,
    stamp,
)
from bot.simulator.github.world import World

REACTIONS: Final = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")
# API paths of a repository that GitHub spells out in each answer: key, then what follows the repository's URL.
_REPOSITORY_URLS: Final = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}


def repository_url(world: World, repository: Repository) -> str:
    """The repository's API address."""
    return f"{world.url}/repos/{repository.full_name}"


def html_url(world: World, repository: Repository) -> str:
    """The repository's address for people."""
    return f"{world.url}/{repository.full_name}"


def account(world: World, one: Account) -> dict[str, Any]:
    """A simple user."""
    url = f"{world.url}/users/{quote(one.login, safe='')}"
    return {
        "login": one.login,
        "id": one.id,
        "node_id": node_id({"Bot": "BOT", "Organization": "O"}.get(one.kind, "U"), one.id),
        "avatar_url": f"{world.url}/avatars/{one.id}",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{world.url}/{one.login}",
        "followers_url": f"{url}/followers",
        "following_url": f"{url}/following{{/other_user}}",
        "gists_url": f"{url}/gists{{/gist_id}}",
        "starred_url": f"{url}/starred{{/owner}}{{/repo}}",
        "subscriptions_url": f"{url}/subscriptions",
        "organizations_url": f"{url}/orgs",
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events{{/privacy}}",
        "received_events_url": f"{url}/received_events",
        "type": one.kind,
        "user_view_type": "public",
        "site_admin": False,
    }


def public_user(world: World, one: Account) -> dict[str, Any]:
    """A user asked for by name."""
    nothing = dict.fromkeys(("name", "company", "location", "email", "hireable", "bio"))
    counts = dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0)
    times = dict.fromkeys(("created_at", "updated_at"), stamp(0))
    return account(world, one) | nothing | {"blog": ""} | counts | times


def app(world: World, one: AppRecord) -> dict[str, Any]:
    """A GitHub App."""
    return {
        "id": one.id,
        "client_id": f"Iv1.{one.id}",
        "slug": one.slug,
        "node_id": node_id("A", one.id),
        "owner": account(world, one.owner),
        "name": one.slug,
        "description": "",
        "external_url": f"{world.url}/apps/{one.slug}",
        "html_url": f"{world.url}/apps/{one.slug}",
        "created_at": stamp(0),
        "updated_at": stamp(0),
        "permissions": dict(one.permissions),
        "events": list(one.events),
    }


def installation(world: World) -> dict[str, Any]:
    """The App's one installation."""
    repositories = list(world.repositories.values())
    owner = repositories[0].owner if repositories else world.app.owner
    return {
        "id": world.installation_id,
        "node_id": node_id("I", world.installation_id),
        "client_id": f"Iv1.{world.app.id}",
        "account": account(world, owner),
        "repository_selection": "all",
        "access_tokens_url": f"{world.url}/app/installations/{world.installation_id}/access_tokens",
        "repositories_url": f"{world.url}/installation/repositories",
        "html_url": f"{world.url}/settings/installations/{world.installation_id}",
        "app_id": world.app.id,
        "app_slug": world.app.slug,
        "target_id": owner.id,
        "target_type": owner.kind,
        "permissions": dict(world.app.permissions),
        "events": list(world.app.events),
        "created_at": stamp(0),
        "updated_at": stamp(world.installation_at),
        "single_file_name": None,
        "has_multiple_single_files": False,
        "single_file_paths": [],
        "suspended_by": None,
        "suspended_at": stamp(world.installation_at) if world.is_suspended else None,
    }


def repository(world: World, one: Repository) -> dict[str, Any]:
    """A repository, as full as GitHub answers for one."""
    url, html = repository_url(world, one), html_url(world, one)
    open_issues = sum(1 for issue in one.issues.values() if issue.state == "open")
    counts = ("forks_count", "stargazers_count", "watchers_count", "size", "forks", "watchers")
    return {
        "id": one.id,
        "node_id": node_id("R", one.id),
        "name": one.name,
        "full_name": one.full_name,
        "private": one.private,
        "owner": account(world, one.owner),
        "html_url": html,
        "description": None,
        "fork": False,
        "url": url,
        **{key: url + rest for key, rest in _REPOSITORY_URLS.items()},
        "git_url": f"{html}.git",
        "ssh_url": f"{html}.git",
        "clone_url": f"{html}.git",
        "svn_url": html,
        "mirror_url": None,
        "homepage": None,
        "language": None,
        "license": None,
        **dict.fromkeys(counts, 0),
        "default_branch": one.default_branch,
        "open_issues_count": open_issues,
        "open_issues": open_issues,
        "is_template": False,
        "topics": [],
        **dict.fromkeys(("has_issues", "has_projects", "has_wiki", "has_downloads"), True),
        **dict.fromkeys(("has_pages", "has_discussions", "archived", "disabled", "web_commit_signoff_required"), False),
        "allow_forking": True,
        "visibility": "private" if one.private else "public",
        "pushed_at": stamp(one.created),
        "created_at": stamp(one.created),
        "updated_at": stamp(one.created),
    }


def full_repository(world: World, one: Repository) -> dict[str, Any]:
    """A repository asked for by name."""
    permissions = {"admin": False, "maintain": False, "push": False, "triage": False, "pull": False}
    return repository(world, one) | {"permissions": permissions, "subscribers_count": 0, "network_count": 0}


def label(world: World, within: Repository, one: Label) -> dict[str, Any]:
    """A label."""
    return {
        "id": one.id,
        "node_id": node_id("LA", one.id),
        "url": f"{repository_url(world, within)}/labels/{quote(one.name, safe='')}",
        "name": one.name,
        "color": one.color,
        "default": False,
        "description": one.description,
        "archived_at": None,
        "archived_by": None,
    }


def reaction(world: World, one: Reaction) -> dict[str, Any]:
    """A reaction."""
    return {
        "id": one.id,
        "node_id": node_id("REA", one.id),
        "user": account(world, one.user),
        "content": one.content,
        "created_at": stamp(one.at),
    }


def reactions(url: str, given: list[Reaction]) -> dict[str, Any]:
    """How many reactions of each kind hang on something."""
    counts = {kind: sum(1 for one in given if one.content == kind) for kind in REACTIONS}
    return {"url": f"{url}/reactions", "total_count": len(given), **counts}


def association(within: Repository, user: Account) -> str:
    """GitHub's author association. It proves nothing (a private member is no MEMBER here), so nobody should read it."""
    if user.id == within.owner.id:
        return "OWNER"
    return "COLLABORATOR" if within.level(user.login) in {"write", "maintain", "admin"} else "NONE"


def issue(world: World, within: Repository, one: Issue) -> dict[str, Any]:
    """An issue, or a pull request as an issue."""
    url = f"{repository_url(world, within)}/issues/{one.number}"
    page = f"{html_url(world, within)}/{'pull' if one.pull else 'issues'}/{one.number}"
    found = {
        "id": one.id,
        "node_id": node_id("I", one.id),
        "url": url,
        "repository_url": repository_url(world, within),
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "timeline_url": f"{url}/timeline",
        "html_url": page,
        "number": one.number,
        "state": one.state,
        "state_reason": one.state_reason,
        "title": one.title,
        "user": account(world, one.user),
        "labels": [label(world, within, each) for each in one.labels],
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "locked": False,
        "active_lock_reason": None,
        "comments": len(one.comments),
        "closed_at": stamp(one.closed) if one.closed is not None else None,
        "closed_by": account(world, one.closed_by) if one.closed_by else None,
        "created_at": stamp(one.created),
        "updated_at": stamp(one.updated),
        "author_association": association(within, one.user),
        "body": one.body,
        "reactions": reactions(url, one.reactions),
        "performed_via_github_app": app(world, one.app) if one.app else None,
    }
    if one.pull is not None:
        pull_url = f"{repository_url(world, within)}/pulls/{one.number}"
        merged = stamp(one.pull.merged_at) if one.pull.merged_at is not None else None
        found["draft"] = one.pull.draft
        found["pull_request"] = {
            "url": pull_url,
            "html_url": page,
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "merged_at": merged,
        }
    return found


def comment(world: World, within: Repository, parent: Issue, one: Comment) -> dict[str, Any]:
    """A comment on an issue or pull request."""
    url = f"{repository_url(world, within)}/issues/comments/{one.id}"
    page = f"{html_url(world, within)}/{'pull' if parent.pull else 'issues'}/{parent.number}"
    return {
        "id": one.id,
        "node_id": node_id("IC", one.id),
        "url": url,
        "html_url": f"{page}#issuecomment-{one.id}",
        "issue_url": f"{repository_url(world, within)}/issues/{parent.number}",
        "user": account(world, one.user),
        "created_at": stamp(one.created),
        "updated_at": stamp(one.updated),
        "author_association": association(within, one.user),
        "body": one.body,
        "reactions": reactions(url, one.reactions),
        "performed_via_github_app": app(world, one.app) if one.app else None,
    }


def permission(world: World, within: Repository, user: Account) -> dict[str, Any]:
    """What somebody may do: GitHub says maintain as write and triage as read, and the truth in `role_name`."""
    level: Level = within.level(user.login)
    coarse = {"maintain": "write", "triage": "read"}.get(level, level)
    order = ("pull", "triage", "push", "maintain", "admin")
    rank = {"none": 0, "read": 1, "triage": 2, "write": 3, "maintain": 4, "admin": 5}[level]
    permissions = {name: index < rank for index, name in enumerate(order)}
    person = account(world, user) | {"permissions": permissions, "role_name": level}
    return {"permission": coarse, "role_name": level, "user": person}
