"""What changes issues, comments, labels and refs, whoever does it; each change tells the subscribers as GitHub would."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from bot.simulator.github import render, render_git, render_pulls
from bot.simulator.github.git_objects import Commit
from bot.simulator.github.model import Account, AppRecord, Comment, Edit, Issue, Label, Reaction, Repository, node_id
from bot.simulator.github.world import Event, World

ZERO: Final = "0" * 40
PUSH_COMMITS: Final = 20
"""How many commits a push event lists at most here; GitHub lists 2,048."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes something: a person, or an App through its bot."""

    account: Account
    app: AppRecord | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a change happens, and who makes it."""

    world: World
    within: Repository
    actor: Actor


def emit(scene: Scene, event: str, action: str | None, **rest: Any) -> None:
    """Tells of a change when our App subscribes to it: the given objects, and what each delivery carries."""
    if event not in scene.world.app.events:
        return
    payload: dict[str, Any] = {} if action is None else {"action": action}
    payload |= rest
    payload["repository"] = render.repository(scene.world, scene.within)
    if scene.within.owner.kind == "Organization":
        payload["organization"] = organization(scene.world, scene.within.owner)
    payload["sender"] = render.account(scene.world, scene.actor.account)
    payload["installation"] = {"id": scene.world.installation_id, "node_id": node_id("I", scene.world.installation_id)}
    scene.world.emit(Event(event, payload))


def organization(world: World, owner: Account) -> dict[str, Any]:
    """The organization as deliveries show it."""
    url = f"{world.url}/orgs/{owner.login}"
    links = {f"{name}_url": f"{url}/{name}" for name in ("repos", "events", "hooks", "issues")}
    members = {"members_url": f"{url}/members{{/member}}", "public_members_url": f"{url}/public_members{{/member}}"}
    base = {"login": owner.login, "id": owner.id, "node_id": node_id("O", owner.id), "url": url}
    return base | links | members | {"avatar_url": f"{world.url}/avatars/{owner.id}", "description": None}


def emit_issue(scene: Scene, issue: Issue, action: str, **rest: Any) -> None:
    """An `issues` event, or for a pull request a `pull_request` event."""
    if issue.pull is None:
        emit(scene, "issues", action, issue=render.issue(scene.world, scene.within, issue), **rest)
    else:
        shown = render_pulls.pull_full(scene.world, scene.within, issue, issue.pull)
        emit(scene, "pull_request", action, number=issue.number, pull_request=shown, **rest)


# Issues


def open_issue(scene: Scene, number: int, title: str, body: str | None) -> Issue:
    """A new issue."""
    now = scene.world.clock()
    issue = Issue(scene.world.new_id(), number, title, body, scene.actor.account, now, now, scene.actor.app)
    scene.within.issues[number] = issue
    emit_issue(scene, issue, "opened")
    return issue


def edit_issue(scene: Scene, issue: Issue, title: str | None, body: str | None) -> None:
    """A new title or body, of a pull request too; None keeps what is there."""
    changes: dict[str, Any] = {}
    if title is not None and title != issue.title:
        changes["title"] = {"from": issue.title}
        issue.edits.append(Edit((issue.title, title), scene.actor.account, scene.world.clock()))
        issue.title = title
    if body is not None and body != issue.body:
        changes["body"] = {"from": issue.body or ""}
        issue.edits.append(Edit(None, scene.actor.account, scene.world.clock()))
        issue.body = body
    if changes:
        scene.world.touch(issue)
        emit_issue(scene, issue, "edited", changes=changes)


def set_state(scene: Scene, issue: Issue, state: Literal["open", "closed"], reason: str | None = None) -> None:
    """Closes or reopens an issue or pull request."""
    if issue.state == state:
        return
    issue.state = state
    closed = state == "closed"
    issue.state_reason = None if issue.pull else (reason or ("completed" if closed else "reopened"))
    issue.closed, issue.closed_by = (scene.world.clock(), scene.actor.account) if closed else (None, None)
    scene.world.touch(issue)
    emit_issue(scene, issue, "closed" if closed else "reopened")


# Comments and reactions


def create_comment(scene: Scene, issue: Issue, body: str) -> Comment:
    """A new comment."""
    now = scene.world.clock()
    comment = Comment(scene.world.new_id(), issue.number, scene.actor.account, body, now, now, scene.actor.app)
    issue.comments.append(comment)
    scene.world.touch(issue)
    _emit_comment(scene, issue, comment, "created")
    return comment


def edit_comment(scene: Scene, issue: Issue, comment: Comment, body: str) -> None:
    """Another body; the same one changes nothing."""
    if body == comment.body:
        return
    before, comment.body = comment.body, body
    comment.edits += 1
    comment.updated = scene.world.clock()
    _emit_comment(scene, issue, comment, "edited", changes={"body": {"from": before}})


def delete_comment(scene: Scene, issue: Issue, comment: Comment) -> None:
    """Takes a comment away."""
    issue.comments.remove(comment)
    _emit_comment(scene, issue, comment, "deleted")


def _emit_comment(scene: Scene, issue: Issue, comment: Comment, action: str, **rest: Any) -> None:
    emit(
        scene,
        "issue_comment",
        action,
        issue=render.issue(scene.world, scene.within, issue),
        comment=render.comment(scene.world, scene.within, issue, comment),
        **rest,
    )


def react(scene: Scene, given: list[Reaction], content: str) -> tuple[Reaction, bool]:
    """A reaction; the one that is there when this account gave it before. The second value says whether it is new."""
    for one in given:
        if one.user is scene.actor.account and one.content == content:
            return one, False
    reaction = Reaction(scene.world.new_id(), scene.actor.account, content, scene.world.clock())
    given.append(reaction)
    return reaction, True


# Labels


def add_labels(scene: Scene, issue: Issue, names: Iterable[str]) -> None:
    """Sets labels; those that are set stay as they are, those that are missing in the repository are made."""
    for name in names:
        label = scene.world.label(scene.within, name)
        if label not in issue.labels:
            issue.labels.append(label)
            scene.world.touch(issue)
            emit_issue(scene, issue, "labeled", label=render.label(scene.world, scene.within, label))


def remove_label(scene: Scene, issue: Issue, label: Label) -> None:
    """Takes a label off."""
    issue.labels.remove(label)
    scene.world.touch(issue)
    emit_issue(scene, issue, "unlabeled", label=render.label(scene.world, scene.within, label))


# Refs


def move_ref(scene: Scene, name: str, sha: str) -> None:
    """Makes or moves a ref by its full name; a branch's open pull requests follow, and `push` is told first."""
    before = scene.within.git.ref(name)
    if before == sha:
        return
    scene.within.git.set_ref(name, sha)
    _emit_push(scene, name, before, sha)
    branch = name.removeprefix("refs/heads/")
    if branch == name:
        return
    for issue, pull in scene.within.pulls():
        if issue.state != "open":
            continue
        if pull.base == branch:
            pull.base_sha = sha
        if pull.head == branch:
            old, pull.head_sha = pull.head_sha, sha
            scene.within.git.set_ref(f"refs/pull/{issue.number}/head", sha)
            scene.world.touch(issue)
            emit_issue(scene, issue, "synchronize", before=old, after=sha)


def pushed(within: Repository, before: str | None, after: str) -> list[Commit]:
    """The commits that a push brings, oldest first, the newest PUSH_COMMITS of them."""
    start = before or within.branch(within.default_branch)
    known = {one.sha for one in within.git.history(start)} if start and start != after else set()
    fresh = [one for one in within.git.history(after) if one.sha not in known]
    return list(reversed(fresh[:PUSH_COMMITS]))


def _emit_push(scene: Scene, name: str, before: str | None, after: str) -> None:
    page = render.html_url(scene.world, scene.within)
    head = render_git.push_commit(scene.world, scene.within, scene.within.git.commit(after))
    commits = [render_git.push_commit(scene.world, scene.within, one) for one in pushed(scene.within, before, after)]
    emit(
        scene,
        "push",
        None,
        ref=name,
        before=before or ZERO,
        after=after,
        created=before is None,
        deleted=False,
        forced=before is not None and not scene.within.git.is_ancestor(before, after),
        base_ref=None,
        compare=f"{page}/compare/{(before or ZERO)[:12]}...{after[:12]}",
        commits=commits,
        head_commit=head,
        pusher={"name": scene.actor.account.login, "email": None},
    )
