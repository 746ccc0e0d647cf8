"""What changes pull requests, reviews and check runs, whoever does it; each change tells the subscribers as GitHub would."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from bot.simulator.github import effects, render, render_pulls
from bot.simulator.github.effects import Scene, emit, emit_issue
from bot.simulator.github.git_objects import Person
from bot.simulator.github.model import (
    AppRecord,
    CheckRun,
    Issue,
    Pull,
    Repository,
    Review,
    ReviewComment,
    Thread,
    node_id,
    stamp,
)
from bot.simulator.github.world import World

# GitHub's words that close an issue: docs.github.com, "Linking a pull request to an issue".
CLOSES: Final = re.compile(r"\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?)\s*:?\s+#(\d+)\b", re.IGNORECASE)
ReviewState = Literal["APPROVED", "CHANGES_REQUESTED", "COMMENTED"]


@dataclass(frozen=True, slots=True)
class LineComment:
    """A comment of a review: on which file and line of the head."""

    path: str
    line: int
    body: str
    start_line: int | None = None
    side: str = "RIGHT"


def person(scene: Scene) -> Person:
    """The git identity of an account."""
    account = scene.actor.account
    return Person(account.login, f"{account.id}+{account.login}@users.noreply.github.com", int(scene.world.clock()))


def open_pull(scene: Scene, head: str, base: str, title: str, *, body: str | None, draft: bool) -> tuple[Issue, Pull]:
    """A new pull request between two branches that exist."""
    now = scene.world.clock()
    number = scene.within.next_number()
    head_sha, base_sha = scene.within.branch(head), scene.within.branch(base)
    assert head_sha is not None
    assert base_sha is not None
    pull = Pull(scene.world.new_id(), head, base, head_sha, base_sha, draft)
    issue = Issue(scene.world.new_id(), number, title, body, scene.actor.account, now, now, scene.actor.app, pull=pull)
    scene.within.issues[number] = issue
    scene.within.git.set_ref(f"refs/pull/{number}/head", head_sha)
    emit_issue(scene, issue, "opened")
    return issue, pull


def set_draft(scene: Scene, issue: Issue, pull: Pull, draft: bool) -> None:
    """Marks a pull request as ready or as a draft."""
    if pull.draft != draft:
        pull.draft = draft
        scene.world.touch(issue)
        emit_issue(scene, issue, "converted_to_draft" if draft else "ready_for_review")


def request_reviewers(scene: Scene, issue: Issue, pull: Pull, logins: Sequence[str]) -> None:
    """Asks people for a review."""
    for login in logins:
        account = scene.world.account(login)
        if account not in pull.reviewers:
            pull.reviewers.append(account)
            scene.world.touch(issue)
            shown = render.account(scene.world, account)
            emit_issue(scene, issue, "review_requested", requested_reviewer=shown)


def merge(scene: Scene, issue: Issue, pull: Pull) -> str:
    """Merges with a merge commit whose tree is the head's; issues that the body closes are closed, and told first."""
    identity = person(scene)
    tree = scene.within.git.commit(pull.head_sha).tree
    message = f"Merge pull request #{issue.number} from {scene.within.owner.login}/{pull.head}\n\n{issue.title}"
    sha = scene.within.git.write_commit(tree, (pull.base_sha, pull.head_sha), identity, identity, message)
    pull.merged_at, pull.merged_by, pull.merge_sha = scene.world.clock(), scene.actor.account, sha
    base = pull.base
    # Closed before the ref moves: the pull request is not open any more when its base changes.
    issue.state, issue.closed, issue.closed_by = "closed", scene.world.clock(), scene.actor.account
    scene.world.touch(issue)
    effects.move_ref(scene, f"refs/heads/{base}", sha)
    if base == scene.within.default_branch:
        for number in CLOSES.findall(issue.body or ""):
            linked = scene.within.issues.get(int(number))
            if linked is not None and linked.pull is None:
                effects.set_state(scene, linked, "closed", "completed")
    emit_issue(scene, issue, "closed")
    return sha


# Reviews


def submit_review(
    scene: Scene, issue: Issue, pull: Pull, state: ReviewState, *, body: str, comments: Sequence[LineComment]
) -> Review:
    """A submitted review with its comments on lines."""
    review = Review(scene.world.new_id(), scene.actor.account, body, state, pull.head_sha, scene.world.clock())
    pull.reviews.append(review)
    if scene.actor.account in pull.reviewers:
        pull.reviewers.remove(scene.actor.account)
    made = [_line_comment(scene, issue, pull, review, one) for one in comments]
    scene.world.touch(issue)
    simple = render_pulls.pull_simple(scene.world, scene.within, issue, pull)
    shown = render_pulls.review(scene.world, scene.within, issue, review)
    # Deliveries spell the state in lower case, unlike the API.
    shown["state"] = state.lower()
    emit(scene, "pull_request_review", "submitted", review=shown, pull_request=simple)
    for one in made:
        _emit_line_comment(scene, issue, pull, one)
    return review


def reply(scene: Scene, issue: Issue, pull: Pull, to: ReviewComment, body: str) -> ReviewComment:
    """An answer in a review thread; GitHub files it under a review of its own."""
    now = scene.world.clock()
    review = Review(scene.world.new_id(), scene.actor.account, "", "COMMENTED", pull.head_sha, now)
    pull.reviews.append(review)
    first = to.reply_to or to.id
    comment = ReviewComment(
        scene.world.new_id(), review.id, to.thread, scene.actor.account, body, to.path, to.line, to.start_line, to.side, to.commit,
        to.hunk, now, now, reply_to=first,
    )  # fmt: skip
    pull.comments.append(comment)
    _emit_line_comment(scene, issue, pull, comment)
    return comment


def _line_comment(scene: Scene, issue: Issue, pull: Pull, review: Review, one: LineComment) -> ReviewComment:
    now, number = scene.world.clock(), scene.world.new_id()
    thread = Thread(node_id("PRRT", number), issue.number)
    pull.threads[thread.id] = thread
    comment = ReviewComment(
        number, review.id, thread.id, scene.actor.account, one.body, one.path, one.line, one.start_line, one.side,
        pull.head_sha, _hunk(scene.within, pull, one), now, now,
    )  # fmt: skip
    pull.comments.append(comment)
    return comment


def _hunk(within: Repository, pull: Pull, one: LineComment) -> str:
    """The line that is spoken about, in the look of a hunk."""
    side = pull.head_sha if one.side == "RIGHT" else pull.base_sha
    entry = within.git.find(within.git.commit(side).tree, one.path)
    lines = within.git.read(entry.sha).data.decode("utf-8", "replace").splitlines() if entry else []
    shown = lines[one.line - 1] if 0 < one.line <= len(lines) else ""
    return f"@@ -{one.line} +{one.line} @@\n{'+' if one.side == 'RIGHT' else '-'}{shown}"


def _emit_line_comment(scene: Scene, issue: Issue, pull: Pull, comment: ReviewComment) -> None:
    simple = render_pulls.pull_simple(scene.world, scene.within, issue, pull)
    shown = render_pulls.review_comment(scene.world, scene.within, issue, comment)
    emit(scene, "pull_request_review_comment", "created", comment=shown, pull_request=simple)


# Check runs


def create_check_run(scene: Scene, app: AppRecord, name: str, head_sha: str, fields: dict[str, Any]) -> CheckRun:
    """A new check run; `fields` are the request's."""
    suite = scene.world.suite(scene.within, app, head_sha)
    now = scene.world.clock()
    run = CheckRun(
        scene.world.new_id(), app, name, head_sha, suite.id, fields.get("external_id", ""), "queued", stamp(now), now
    )
    scene.within.checks[run.id] = run
    _apply(scene.world, run, fields)
    _emit_check(scene, run, "created")
    if run.status == "completed":
        _emit_check(scene, run, "completed")
    return run


def update_check_run(scene: Scene, run: CheckRun, fields: dict[str, Any]) -> None:
    """New values; annotations are appended, as GitHub does."""
    before = run.status
    _apply(scene.world, run, fields)
    if run.status == "completed" and before != "completed":
        _emit_check(scene, run, "completed")


def press(scene: Scene, run: CheckRun, identifier: str) -> None:
    """Somebody presses a button of a check run; only the App that owns the run hears of it."""
    if run.app is scene.world.app:
        _emit_check(scene, run, "requested_action", requested_action={"identifier": identifier})


def _apply(world: World, run: CheckRun, fields: dict[str, Any]) -> None:
    if "conclusion" in fields:
        run.status, run.conclusion = "completed", fields["conclusion"]
        run.completed = fields.get("completed_at") or stamp(world.clock())
    elif "status" in fields:
        run.status = fields["status"]
        if run.status != "completed":
            run.conclusion = run.completed = None
    run.name = fields.get("name", run.name)
    run.external_id = fields.get("external_id", run.external_id)
    run.details_url = fields.get("details_url", run.details_url)
    run.started = fields.get("started_at", run.started)
    run.actions = list(fields.get("actions", run.actions))
    output = fields.get("output", {})
    run.title = output.get("title", run.title)
    run.summary = output.get("summary", run.summary)
    run.text = output.get("text", run.text)
    run.annotations += output.get("annotations", [])


def _emit_check(scene: Scene, run: CheckRun, action: str, **rest: Any) -> None:
    shown = render_pulls.check_run(scene.world, scene.within, run)
    shown["check_suite"] = render_pulls.check_suite(scene.world, scene.within, scene.within.suites[run.suite])
    emit(scene, "check_run", action, check_run=shown, **rest)
