"""What changes pull requests, reviews and check runs, whoever does it; each change tells the subscribers as GitHub would."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from bot.simulator.github import effects, render_pulls
from bot.simulator.github.effects import Actor, emit, emit_issue
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


def person(world: World, actor: Actor) -> Person:
    """The git identity of an account."""
    account = actor.account
    return Person(account.login, f"{account.id}+{account.login}@users.noreply.github.com", int(world.clock()))


def open_pull(
    world: World,
    within: Repository,
    actor: Actor,
    head: str,
    base: str,
    title: str,
    body: str | None,
    draft: bool,
) -> tuple[Issue, Pull]:
    """A new pull request between two branches that exist."""
    now = world.clock()
    number = within.next_number()
    head_sha, base_sha = within.branch(head), within.branch(base)
    assert head_sha is not None
    assert base_sha is not None
    pull = Pull(world.new_id(), head, base, head_sha, base_sha, draft)
    issue = Issue(world.new_id(), number, title, body, actor.account, now, now, actor.app, pull=pull)
    within.issues[number] = issue
    within.git.set_ref(f"refs/pull/{number}/head", head_sha)
    emit_issue(world, within, issue, "opened", actor)
    return issue, pull


def set_draft(world: World, within: Repository, issue: Issue, pull: Pull, actor: Actor, draft: bool) -> None:
    """Marks a pull request as ready or as a draft."""
    if pull.draft != draft:
        pull.draft = draft
        world.touch(issue)
        emit_issue(world, within, issue, "converted_to_draft" if draft else "ready_for_review", actor)


def request_reviewers(
    world: World, within: Repository, issue: Issue, pull: Pull, actor: Actor, logins: Sequence[str]
) -> None:
    """Asks people for a review."""
    for login in logins:
        account = world.account(login)
        if account not in pull.reviewers:
            pull.reviewers.append(account)
            world.touch(issue)
            shown = effects.render.account(world, account)
            emit_issue(world, within, issue, "review_requested", actor, requested_reviewer=shown)


def merge(world: World, within: Repository, issue: Issue, pull: Pull, actor: Actor) -> str:
    """Merges with a merge commit whose tree is the head's; issues that the body closes are closed, and told first."""
    identity = person(world, actor)
    tree = within.git.commit(pull.head_sha).tree
    message = f"Merge pull request #{issue.number} from {within.owner.login}/{pull.head}\n\n{issue.title}"
    sha = within.git.write_commit(tree, (pull.base_sha, pull.head_sha), identity, identity, message)
    pull.merged_at, pull.merged_by, pull.merge_sha = world.clock(), actor.account, sha
    base = pull.base
    # Closed before the ref moves: the pull request is not open any more when its base changes.
    issue.state, issue.closed, issue.closed_by = "closed", world.clock(), actor.account
    world.touch(issue)
    effects.move_ref(world, within, f"refs/heads/{base}", sha, actor)
    if base == within.default_branch:
        for number in CLOSES.findall(issue.body or ""):
            linked = within.issues.get(int(number))
            if linked is not None and linked.pull is None:
                effects.set_state(world, within, linked, actor, "closed", "completed")
    emit_issue(world, within, issue, "closed", actor)
    return sha


# Reviews


def submit_review(
    world: World,
    within: Repository,
    issue: Issue,
    pull: Pull,
    actor: Actor,
    state: ReviewState,
    body: str,
    comments: Sequence[LineComment],
) -> Review:
    """A submitted review with its comments on lines."""
    review = Review(world.new_id(), actor.account, body, state, pull.head_sha, world.clock())
    pull.reviews.append(review)
    if actor.account in pull.reviewers:
        pull.reviewers.remove(actor.account)
    made = [_line_comment(world, within, issue, pull, actor, review, one) for one in comments]
    world.touch(issue)
    simple = render_pulls.pull_simple(world, within, issue, pull)
    shown = render_pulls.review(world, within, issue, review)
    # Deliveries spell the state in lower case, unlike the API.
    shown["state"] = state.lower()
    emit(world, within, "pull_request_review", "submitted", actor, review=shown, pull_request=simple)
    for one in made:
        _emit_line_comment(world, within, issue, pull, actor, one)
    return review


def reply(
    world: World, within: Repository, issue: Issue, pull: Pull, actor: Actor, to: ReviewComment, body: str
) -> ReviewComment:
    """An answer in a review thread; GitHub files it under a review of its own."""
    now = world.clock()
    review = Review(world.new_id(), actor.account, "", "COMMENTED", pull.head_sha, now)
    pull.reviews.append(review)
    first = to.reply_to or to.id
    comment = ReviewComment(
        world.new_id(), review.id, to.thread, actor.account, body, to.path, to.line, to.start_line, to.side, to.commit,
        to.hunk, now, now, reply_to=first,
    )  # fmt: skip
    pull.comments.append(comment)
    _emit_line_comment(world, within, issue, pull, actor, comment)
    return comment


def _line_comment(
    world: World, within: Repository, issue: Issue, pull: Pull, actor: Actor, review: Review, one: LineComment
) -> ReviewComment:
    now, number = world.clock(), world.new_id()
    thread = Thread(node_id("PRRT", number), issue.number)
    pull.threads[thread.id] = thread
    comment = ReviewComment(
        number, review.id, thread.id, actor.account, one.body, one.path, one.line, one.start_line, one.side,
        pull.head_sha, _hunk(within, pull, one), now, now,
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


def _emit_line_comment(
    world: World, within: Repository, issue: Issue, pull: Pull, actor: Actor, comment: ReviewComment
) -> None:
    simple = render_pulls.pull_simple(world, within, issue, pull)
    shown = render_pulls.review_comment(world, within, issue, comment)
    emit(world, within, "pull_request_review_comment", "created", actor, comment=shown, pull_request=simple)


# Check runs


def create_check_run(
    world: World, within: Repository, app: AppRecord, actor: Actor, name: str, head_sha: str, fields: dict[str, Any]
) -> CheckRun:
    """A new check run; `fields` are the request's."""
    suite = world.suite(within, app, head_sha)
    now = world.clock()
    run = CheckRun(
        world.new_id(), app, name, head_sha, suite.id, fields.get("external_id", ""), "queued", stamp(now), now
    )
    within.checks[run.id] = run
    _apply(world, run, fields)
    _emit_check(world, within, run, "created", actor)
    if run.status == "completed":
        _emit_check(world, within, run, "completed", actor)
    return run


def update_check_run(world: World, within: Repository, run: CheckRun, actor: Actor, fields: dict[str, Any]) -> None:
    """New values; annotations are appended, as GitHub does."""
    before = run.status
    _apply(world, run, fields)
    if run.status == "completed" and before != "completed":
        _emit_check(world, within, run, "completed", actor)


def press(world: World, within: Repository, run: CheckRun, actor: Actor, identifier: str) -> None:
    """Somebody presses a button of a check run; only the App that owns the run hears of it."""
    if run.app is world.app:
        _emit_check(world, within, run, "requested_action", actor, requested_action={"identifier": identifier})


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


def _emit_check(
    world: World, within: Repository, run: CheckRun, action: str, actor: Actor, **rest: Any
) -> None:
    shown = render_pulls.check_run(world, within, run)
    shown["check_suite"] = render_pulls.check_suite(world, within, within.suites[run.suite])
    emit(world, within, "check_run", action, actor, check_run=shown, **rest)
