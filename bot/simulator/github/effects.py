"""What changes issues, comments, labels and refs, whoever does it; each change tells the subscribers as GitHub would."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from bot.simulator.github import render, render_git, render_pulls
from bot.simulator.github.git_objects import Commit
from bot.simulator.github.model import Account, AppRecord, Comment, Issue, Label, Reaction, Repository, node_id
from bot.simulator.github.world import Event, World

ZERO: Final = "0" * 40
PUSH_COMMITS: Final = 20
"""How many commits a push event lists at most here; GitHub lists 2,048."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes something: a person, or an App through its bot."""

    account: Account
    app: AppRecord | None = None


def emit(world: World, within: Repository, event: str, action: str | None, actor: Actor, **rest: Any) -> None:
    """Tells of a change when our App subscribes to it: the given objects, and what each delivery carries."""
    if event not in world.app.events:
        return
    payload: dict[str, Any] = {} if action is None else {"action": action}
    payload |= rest
    payload["repository"] = render.repository(world, within)
    if within.owner.kind == "Organization":
        payload["organization"] = organization(world, within.owner)
    payload["sender"] = render.account(world, actor.account)
    payload["installation"] = {"id": world.installation_id, "node_id": node_id("I", world.installation_id)}
    world.emit(Event(event, payload))


def organization(world: World, owner: Account) -> dict[str, Any]:
    """The organization as deliveries show it."""
    url = f"{world.url}/orgs/{owner.login}"
    links = {f"{name}_url": f"{url}/{name}" for name in ("repos", "events", "hooks", "issues")}
    members = {"members_url": f"{url}/members{{/member}}", "public_members_url": f"{url}/public_members{{/member}}"}
    base = {"login": owner.login, "id": owner.id, "node_id": node_id("O", owner.id), "url": url}
    return base | links | members | {"avatar_url": f"{world.url}/avatars/{owner.id}", "description": None}


def emit_issue(world: World, within: Repository, issue: Issue, action: str, actor: Actor, **rest: Any) -> None:
    """An `issues` event, or for a pull request a `pull_request` event."""
    if issue.pull is None:
        emit(world, within, "issues", action, actor, issue=render.issue(world, within, issue), **rest)
    else:
        shown = render_pulls.pull_full(world, within, issue, issue.pull)
        emit(world, within, "pull_request", action, actor, number=issue.number, pull_request=shown, **rest)


# Issues


def open_issue(world: World, within: Repository, number: int, title: str, body: str | None, actor: Actor) -> Issue:
    """A new issue."""
    now = world.clock()
    issue = Issue(world.new_id(), number, title, body, actor.account, now, now, actor.app)
    within.issues[number] = issue
    emit_issue(world, within, issue, "opened", actor)
    return issue


def edit_issue(
    world: World, within: Repository, issue: Issue, actor: Actor, title: str | None, body: str | None
) -> None:
    """A new title or body, of a pull request too; None keeps what is there."""
    changes: dict[str, Any] = {}
    if title is not None and title != issue.title:
        changes["title"] = {"from": issue.title}
        issue.title = title
    if body is not None and body != issue.body:
        changes["body"] = {"from": issue.body or ""}
        issue.body = body
    if changes:
        world.touch(issue)
        emit_issue(world, within, issue, "edited", actor, changes=changes)


def set_state(
    world: World,
    within: Repository,
    issue: Issue,
    actor: Actor,
    state: Literal["open", "closed"],
    reason: str | None = None,
) -> None:
    """Closes or reopens an issue or pull request."""
    if issue.state == state:
        return
    issue.state = state
    closed = state == "closed"
    issue.state_reason = None if issue.pull else (reason or ("completed" if closed else "reopened"))
    issue.closed, issue.closed_by = (world.clock(), actor.account) if closed else (None, None)
    world.touch(issue)
    emit_issue(world, within, issue, "closed" if closed else "reopened", actor)


# Comments and reactions


def create_comment(world: World, within: Repository, issue: Issue, actor: Actor, body: str) -> Comment:
    """A new comment."""
    now = world.clock()
    comment = Comment(world.new_id(), issue.number, actor.account, body, now, now, actor.app)
    issue.comments.append(comment)
    world.touch(issue)
    _emit_comment(world, within, issue, comment, "created", actor)
    return comment


def edit_comment(world: World, within: Repository, issue: Issue, comment: Comment, actor: Actor, body: str) -> None:
    """Another body; the same one changes nothing."""
    if body == comment.body:
        return
    before, comment.body = comment.body, body
    comment.edits += 1
    comment.updated = world.clock()
    _emit_comment(world, within, issue, comment, "edited", actor, changes={"body": {"from": before}})


def delete_comment(world: World, within: Repository, issue: Issue, comment: Comment, actor: Actor) -> None:
    """Takes a comment away."""
    issue.comments.remove(comment)
    _emit_comment(world, within, issue, comment, "deleted", actor)


def _emit_comment(
    world: World, within: Repository, issue: Issue, comment: Comment, action: str, actor: Actor, **rest: Any
) -> None:
    emit(
        world,
        within,
        "issue_comment",
        action,
        actor,
        issue=render.issue(world, within, issue),
        comment=render.comment(world, within, issue, comment),
        **rest,
    )


def react(world: World, given: list[Reaction], actor: Actor, content: str) -> tuple[Reaction, bool]:
    """A reaction; the one that is there when this account gave it before. The second value says whether it is new."""
    for one in given:
        if one.user is actor.account and one.content == content:
            return one, False
    reaction = Reaction(world.new_id(), actor.account, content, world.clock())
    given.append(reaction)
    return reaction, True


# Labels


def add_labels(world: World, within: Repository, issue: Issue, actor: Actor, names: Iterable[str]) -> None:
    """Sets labels; those that are set stay as they are, those that are missing in the repository are made."""
    for name in names:
        label = world.label(within, name)
        if label not in issue.labels:
            issue.labels.append(label)
            world.touch(issue)
            emit_issue(world, within, issue, "labeled", actor, label=render.label(world, within, label))


def remove_label(world: World, within: Repository, issue: Issue, actor: Actor, label: Label) -> None:
    """Takes a label off."""
    issue.labels.remove(label)
    world.touch(issue)
    emit_issue(world, within, issue, "unlabeled", actor, label=render.label(world, within, label))


# Refs


def move_ref(world: World, within: Repository, name: str, sha: str, actor: Actor) -> None:
    """Makes or moves a ref by its full name; a branch's open pull requests follow, and `push` is told first."""
    before = within.git.ref(name)
    if before == sha:
        return
    within.git.set_ref(name, sha)
    _emit_push(world, within, name, before, sha, actor)
    branch = name.removeprefix("refs/heads/")
    if branch == name:
        return
    for issue, pull in within.pulls():
        if issue.state != "open":
            continue
        if pull.base == branch:
            pull.base_sha = sha
        if pull.head == branch:
            old, pull.head_sha = pull.head_sha, sha
            within.git.set_ref(f"refs/pull/{issue.number}/head", sha)
            world.touch(issue)
            emit_issue(world, within, issue, "synchronize", actor, before=old, after=sha)


def pushed(within: Repository, before: str | None, after: str) -> list[Commit]:
    """The commits that a push brings, oldest first, the newest PUSH_COMMITS of them."""
    start = before or within.branch(within.default_branch)
    known = {one.sha for one in within.git.history(start)} if start and start != after else set()
    fresh = [one for one in within.git.history(after) if one.sha not in known]
    return list(reversed(fresh[:PUSH_COMMITS]))


def _emit_push(world: World, within: Repository, name: str, before: str | None, after: str, actor: Actor) -> None:
    page = render.html_url(world, within)
    head = render_git.push_commit(world, within, within.git.commit(after))
    commits = [render_git.push_commit(world, within, one) for one in pushed(within, before, after)]
    emit(
        world,
        within,
        "push",
        None,
        actor,
        ref=name,
        before=before or ZERO,
        after=after,
        created=before is None,
        deleted=False,
        forced=before is not None and not within.git.is_ancestor(before, after),
        base_ref=None,
        compare=f"{page}/compare/{(before or ZERO)[:12]}...{after[:12]}",
        commits=commits,
        head_commit=head,
        pusher={"name": actor.account.login, "email": None},
    )
