"""The first step of an issue's way: a verified delivery's bytes become one of our events; GitHub's words stop here.

Own small models instead of githubkit's typed parser, which refuses 107 of GitHub's 329 published examples (DESIGN
section 14): they ignore what we do not need and refuse what we cannot do without.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from bot.domain import events as ours
from bot.ports.github import MalformedPayload

# Ids and numbers travel as JSON numbers through RFC 8785, which ends at 2**53 - 1.
_LARGEST: Final = 2**53 - 1
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """The text with NUL and lone surrogates shown as U+FFFD: neither can be stored in PostgreSQL, nor hashed as UTF-8."""
    return _UNSTORABLE.sub("\ufffd", text)


def milliseconds(stamp: str) -> int:
    """GitHub's ISO 8601 time as milliseconds since the epoch. Raises ``ValueError`` without a time zone or for other text."""
    moment = datetime.fromisoformat(stamp)
    if moment.tzinfo is None:
        raise ValueError(f"time {stamp!r} has no zone; GitHub's end in Z")
    return round(moment.timestamp() * 1000)


Id = Annotated[int, Field(ge=0, le=_LARGEST)]
Text = Annotated[str, AfterValidator(storable)]
Sha = Annotated[str, Field(pattern=r"^[0-9a-f]{40}(?:[0-9a-f]{24})?$")]
M = TypeVar("M", bound="_Part")


def _stamp(text: str) -> str:
    milliseconds(text)
    return text


Stamp = Annotated[str, AfterValidator(_stamp)]


class _Part(BaseModel):
    """A part of a payload: JSON types as they are, unknown keys ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class _Account(_Part):
    id: Id
    login: Text
    type: Text = ""

    def actor(self) -> ours.Actor:
        return ours.Actor(self.id, self.login, self.type)


# GitHub shows comments of deleted accounts as by nobody; nobody is not a person.
_GHOST: Final = _Account(id=0, login="ghost", type="Mannequin")


class _Repository(_Part):
    id: Id
    full_name: Text
    private: bool = False
    default_branch: Text = ""

    def ref(self) -> ours.RepositoryRef:
        return ours.RepositoryRef(self.id, self.full_name, self.default_branch, self.private)


class _Installation(_Part):
    """GitHub writes times of installations as text in some payloads and as seconds in others."""

    id: Id
    account: _Account | None = None
    updated_at: Stamp | Id | None = None

    def at(self) -> int:
        """In milliseconds; 0 when it is not told."""
        time = self.updated_at
        return milliseconds(time) if isinstance(time, str) else (time or 0) * 1000


class _Label(_Part):
    name: Text


class _Issue(_Part):
    number: Id
    title: Text
    body: Text | None = None
    user: _Account | None = None
    created_at: Stamp
    updated_at: Stamp
    labels: list[_Label] = []
    pull_request: dict[str, Any] | None = None

    def facts(self) -> ours.IssueFacts:
        return ours.IssueFacts(
            number=self.number,
            title=self.title,
            body=self.body or "",
            author=(self.user or _GHOST).actor(),
            created_at=milliseconds(self.created_at),
            updated_at=milliseconds(self.updated_at),
            labels=tuple(label.name for label in self.labels),
            is_pull=self.pull_request is not None,
        )


class _Delivery(_Part):
    """What every event of a repository carries."""

    action: Text = ""
    installation: _Installation
    repository: _Repository
    sender: _Account
    performed_via_github_app: dict[str, Any] | None = None

    def origin(self) -> ours.Origin:
        return ours.Origin(self.installation.id, self.repository.ref(), self.sender.actor())


class _Issues(_Delivery):
    issue: _Issue
    label: _Label | None = None
    changes: dict[str, Any] = {}


class _Comment(_Part):
    id: Id
    body: Text | None = None
    created_at: Stamp
    performed_via_github_app: dict[str, Any] | None = None


class _IssueComment(_Delivery):
    issue: _Issue
    comment: _Comment


class _HeadRepository(_Part):
    id: Id


class _Head(_Part):
    ref: Text
    sha: Sha
    label: Text | None = None
    repo: _HeadRepository | None = None


class _Pull(_Part):
    number: Id
    head: _Head
    merged: bool | None = None

    def head_ref(self, repository: _Repository) -> str:
        """The branch; a fork's as ``owner:branch``, which no branch of ours can be called."""
        if self.head.repo is not None and self.head.repo.id == repository.id:
            return self.head.ref
        return self.head.label or f"unknown:{self.head.ref}"


class _PullRequest(_Delivery):
    pull_request: _Pull


class _PullNumber(_Part):
    number: Id


class _Review(_Part):
    id: Id
    state: Text
    body: Text | None = None
    commit_id: Text | None = None


class _PullReview(_Delivery):
    pull_request: _PullNumber
    review: _Review


class _LineComment(_Part):
    id: Id
    path: Text
    line: int | None = None
    original_line: int | None = None
    body: Text | None = None
    commit_id: Text


class _PullReviewComment(_Delivery):
    pull_request: _PullNumber
    comment: _LineComment


class _App(_Part):
    id: Id


class _CheckRunPart(_Part):
    id: Id
    name: Text
    head_sha: Sha
    conclusion: Text | None = None
    external_id: Text | None = None
    app: _App | None = None
    pull_requests: list[_PullNumber] = []


class _RequestedAction(_Part):
    identifier: Text


class _CheckRun(_Delivery):
    check_run: _CheckRunPart
    requested_action: _RequestedAction | None = None


class _Push(_Delivery):
    ref: Text
    before: Sha
    after: Sha


class _InstallationChange(_Part):
    action: Text
    installation: _Installation
    repositories: list[_Repository] = []
    repositories_added: list[_Repository] = []
    repositories_removed: list[_Repository] = []


def _read(model: type[M], event: str, payload: dict[str, Any]) -> M:
    try:
        return model.model_validate(payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _malformed(event, where, first["msg"]) from error


def _malformed(event: str, where: str, why: str) -> MalformedPayload:
    return MalformedPayload(
        f"The delivery of event {event} cannot be read at {where or 'its start'}: {why}; redeliver it from the App's settings.",
        {"event": event, "where": where, "why": why},
    )


def _issues(payload: dict[str, Any]) -> ours.Event | None:
    action = payload.get("action")
    # A deleted or transferred issue is no longer here to be worked on: for a run that is a closed one.
    if action not in {"labeled", "unlabeled", "edited", "closed", "deleted", "transferred"}:
        return None
    read = _read(_Issues, "issues", payload)
    origin, issue = read.origin(), read.issue.facts()
    if action == "edited":
        changed = tuple(name for name in ("title", "body") if name in read.changes)
        return ours.IssueEdited(origin, issue, changed) if changed else None
    if action in {"closed", "deleted", "transferred"}:
        return ours.IssueClosed(origin, issue)
    if read.label is None:
        raise _malformed("issues", "label", "the label is missing")
    if action == "unlabeled":
        return ours.IssueUnlabeled(origin, issue, read.label.name)
    by_app = not origin.sender.is_person or read.performed_via_github_app is not None
    return ours.IssueLabeled(origin, issue, read.label.name, by_app=by_app)


def _issue_comment(payload: dict[str, Any]) -> ours.Event | None:
    action = payload.get("action")
    if action not in {"created", "deleted"}:
        return None
    read = _read(_IssueComment, "issue_comment", payload)
    origin, issue, comment = read.origin(), read.issue.facts(), read.comment
    if action == "deleted":
        return ours.CommentDeleted(origin, issue, comment.id)
    by_app = (
        comment.performed_via_github_app is not None
        or read.performed_via_github_app is not None
        or not origin.sender.is_person
    )
    return ours.CommentCreated(
        origin, issue, comment.id, comment.body or "", milliseconds(comment.created_at), by_app=by_app
    )


def _pull_request(payload: dict[str, Any]) -> ours.Event | None:
    action = payload.get("action")
    if action not in {"closed", "synchronize"}:
        return None
    read = _read(_PullRequest, "pull_request", payload)
    origin, pull = read.origin(), read.pull_request
    head_ref = pull.head_ref(read.repository)
    if action == "synchronize":
        return ours.PullHeadMoved(origin, pull.number, head_ref, pull.head.sha)
    return ours.PullClosed(origin, pull.number, head_ref, pull.head.sha, merged=bool(pull.merged))


def _pull_request_review(payload: dict[str, Any]) -> ours.Event | None:
    if payload.get("action") != "submitted":
        return None
    read = _read(_PullReview, "pull_request_review", payload)
    review = read.review
    return ours.ReviewSubmitted(
        read.origin(),
        read.pull_request.number,
        review.id,
        review.state.lower(),
        review.body or "",
        review.commit_id or "",
    )


def _pull_request_review_comment(payload: dict[str, Any]) -> ours.Event | None:
    if payload.get("action") != "created":
        return None
    read = _read(_PullReviewComment, "pull_request_review_comment", payload)
    comment = read.comment
    line = comment.line if comment.line is not None else comment.original_line
    return ours.ReviewCommentCreated(
        read.origin(),
        read.pull_request.number,
        ours.ReviewComment(comment.id, comment.path, line, comment.body or ""),
        comment.commit_id,
    )


def _check_run(payload: dict[str, Any]) -> ours.Event | None:
    action = payload.get("action")
    if action not in {"completed", "requested_action"}:
        return None
    read = _read(_CheckRun, "check_run", payload)
    run = read.check_run
    app_id = run.app.id if run.app is not None else 0
    pulls = tuple(pull.number for pull in run.pull_requests)
    if action == "completed":
        return ours.CheckCompleted(
            read.origin(),
            run.id,
            run.name,
            run.head_sha,
            run.conclusion or "",
            app_id,
            run.external_id or "",
            pulls,
        )
    if read.requested_action is None:
        raise _malformed("check_run", "requested_action", "the pressed button is missing")
    identifier = read.requested_action.identifier
    return ours.ButtonPressed(
        read.origin(), run.id, run.name, run.head_sha, app_id, run.external_id or "", identifier, pulls
    )


def _push(payload: dict[str, Any]) -> ours.Event | None:
    read = _read(_Push, "push", payload)
    return ours.BranchPushed(read.origin(), read.ref, read.before, read.after)


def _installation(payload: dict[str, Any]) -> ours.Event | None:
    read = _read(_InstallationChange, "installation", payload)
    repositories = read.repositories or [*read.repositories_added, *read.repositories_removed]
    account = read.installation.account
    return ours.InstallationChanged(
        read.installation.id,
        account.login if account is not None else "",
        read.action,
        read.installation.at(),
        tuple(repository.ref() for repository in repositories),
    )


_READERS: Final[dict[str, Callable[[dict[str, Any]], ours.Event | None]]] = {
    "issues": _issues,
    "issue_comment": _issue_comment,
    "pull_request": _pull_request,
    "pull_request_review": _pull_request_review,
    "pull_request_review_comment": _pull_request_review_comment,
    "check_run": _check_run,
    "push": _push,
    "installation": _installation,
    "installation_repositories": _installation,
}


class WebhookPayloads:
    """The ``PayloadReader`` of production: stateless, one method."""

    def read(self, event: str, body: bytes) -> ours.Event | None:
        """The event of a delivery whose signature was verified; None for event names and actions we do not read.

        Raises ``MalformedPayload`` for bytes that are no JSON object, and for read events that lack what we need (an
        installation among them: without it the delivery is not one to an App).
        """
        reader = _READERS.get(event)
        if reader is None:
            return None
        try:
            payload = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise _malformed(event, "", "it is not JSON") from error
        if not isinstance(payload, dict):
            raise _malformed(event, "", "it is not a JSON object")
        return reader(payload)
