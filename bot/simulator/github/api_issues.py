"""The API's issues, comments, labels and reactions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from bot.simulator.github import effects, render
from bot.simulator.github.answer import Answer, Call, Handlers, Refusal, invalid
from bot.simulator.github.model import Comment, Issue, Label, Reaction

HANDLERS: Final = Handlers()
COMMENT_BYTES: Final = 262_144
"""Measured; GitHub's error text says 65,536 characters."""
BODY_CHARACTERS: Final = 65_536
LABEL_CHARACTERS: Final = 50


def _since(call: Call) -> float | None:
    """The `since` of a list, in seconds since the epoch."""
    value = call.query.get("since")
    if value is None:
        return None
    moment = datetime.fromisoformat(value)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def checked_body(text: str) -> str:
    """A comment's body; a 422 when it is too long or blank."""
    if len(text.encode("utf-8", "replace")) > COMMENT_BYTES:
        raise invalid("IssueComment", "body", "custom", "body is too long (maximum is 65536 characters)")
    if not text.strip():
        raise invalid("IssueComment", "body", "missing_field")
    return text


def _issue(call: Call, one: Issue) -> dict[str, Any]:
    return render.issue(call.world, call.repository, one)


def _comment(call: Call, issue: Issue, one: Comment) -> dict[str, Any]:
    return render.comment(call.world, call.repository, issue, one)


def _label(call: Call, one: Label) -> dict[str, Any]:
    return render.label(call.world, call.repository, one)


def _own_comment(call: Call) -> tuple[Issue, Comment]:
    """The comment of the path."""
    found = call.repository.comment(int(call.parameters["comment_id"]))
    if found is None:
        raise Refusal(404, "Not Found")
    return found


@HANDLERS("issues/get")
def get_issue(call: Call) -> Answer:
    return Answer(200, _issue(call, call.issue))


@HANDLERS("issues/list-for-repo")
def list_issues(call: Call) -> Answer:
    state, since = call.query.get("state", "open"), _since(call)
    wanted = {one.casefold() for one in call.query.get("labels", "").split(",") if one}
    found = [
        one
        for one in call.repository.issues.values()
        if state in {"all", one.state}
        and (since is None or one.updated >= since)
        and wanted <= {label.name.casefold() for label in one.labels}
    ]
    found.sort(key=lambda one: one.number, reverse=call.query.get("direction", "desc") == "desc")
    return call.listed(found, lambda one: _issue(call, one))


@HANDLERS("issues/update")
def update_issue(call: Call) -> Answer:
    issue, body = call.issue, call.body
    if len(body.get("body") or "") > BODY_CHARACTERS:
        raise invalid("Issue", "body", "custom", "body is too long (maximum is 65536 characters)")
    title = body.get("title")
    effects.edit_issue(call.scene, issue, None if title is None else str(title), body.get("body"))
    if "labels" in body:
        _set_labels(call, issue, [one if isinstance(one, str) else one["name"] for one in body["labels"] or []])
    if "state" in body:
        effects.set_state(call.scene, issue, body["state"], body.get("state_reason"))
    return Answer(200, _issue(call, issue))


def _set_labels(call: Call, issue: Issue, names: list[str]) -> None:
    wanted = {name.casefold() for name in names}
    for one in [label for label in issue.labels if label.name.casefold() not in wanted]:
        effects.remove_label(call.scene, issue, one)
    effects.add_labels(call.scene, issue, names)


# Comments


@HANDLERS("issues/list-comments")
def list_comments(call: Call) -> Answer:
    since, issue = _since(call), call.issue
    found = [
        one for one in issue.comments if (since is None or int(one.updated) >= since) and not call.fresh(one.created)
    ]
    return call.listed(found, lambda one: _comment(call, issue, one))


@HANDLERS("issues/list-comments-for-repo")
def list_all_comments(call: Call) -> Answer:
    since = _since(call)
    found = [
        (issue, one)
        for issue in call.repository.issues.values()
        for one in issue.comments
        if (since is None or int(one.updated) >= since) and not call.fresh(one.created)
    ]
    by_update = call.query.get("sort", "created") == "updated"
    found.sort(
        key=lambda pair: (pair[1].updated if by_update else pair[1].created, pair[1].id),
        reverse=call.query.get("direction") == "desc",
    )
    return call.listed(found, lambda pair: _comment(call, *pair))


@HANDLERS("issues/create-comment")
def create_comment(call: Call) -> Answer:
    issue = call.issue
    one = effects.create_comment(call.scene, issue, checked_body(call.body["body"]))
    shown = _comment(call, issue, one)
    return Answer(201, shown, {"Location": shown["url"]})


@HANDLERS("issues/get-comment")
def get_comment(call: Call) -> Answer:
    return Answer(200, _comment(call, *_own_comment(call)))


@HANDLERS("issues/update-comment")
def update_comment(call: Call) -> Answer:
    issue, one = _own_comment(call)
    if one.user is not call.world.bot:
        raise Refusal(403, "Resource not accessible by integration")
    effects.edit_comment(call.scene, issue, one, checked_body(call.body["body"]))
    return Answer(200, _comment(call, issue, one))


@HANDLERS("issues/delete-comment")
def delete_comment(call: Call) -> Answer:
    effects.delete_comment(call.scene, *_own_comment(call))
    return Answer(204)


# Reactions


def _react(call: Call, given: list[Reaction]) -> Answer:
    one, new = effects.react(call.scene, given, call.body["content"])
    return Answer(201 if new else 200, render.reaction(call.world, one))


def _reactions(call: Call, given: list[Reaction]) -> Answer:
    wanted = call.query.get("content")
    found = [one for one in given if wanted in {None, one.content}]
    return call.listed(found, lambda one: render.reaction(call.world, one))


@HANDLERS("reactions/create-for-issue")
def react_to_issue(call: Call) -> Answer:
    return _react(call, call.issue.reactions)


@HANDLERS("reactions/create-for-issue-comment")
def react_to_comment(call: Call) -> Answer:
    return _react(call, _own_comment(call)[1].reactions)


@HANDLERS("reactions/list-for-issue")
def list_issue_reactions(call: Call) -> Answer:
    return _reactions(call, call.issue.reactions)


@HANDLERS("reactions/list-for-issue-comment")
def list_comment_reactions(call: Call) -> Answer:
    return _reactions(call, _own_comment(call)[1].reactions)


# Labels


@HANDLERS("issues/create-label")
def create_label(call: Call) -> Answer:
    name, color = call.body["name"], call.body.get("color") or "ededed"
    if call.repository.label(name) is not None:
        raise invalid("Label", "name", "already_exists")
    if not name.strip() or len(name) > LABEL_CHARACTERS:
        raise invalid("Label", "name")
    if len(color) != 6 or not set(color.lower()) <= set("0123456789abcdef"):
        raise invalid("Label", "color")
    if len(call.body.get("description") or "") > 100:
        raise invalid("Label", "description", "custom", "description is too long (maximum is 100 characters)")
    one = call.world.label(call.repository, name, color.lower(), call.body.get("description"))
    return Answer(201, _label(call, one))


@HANDLERS("issues/get-label")
def get_label(call: Call) -> Answer:
    one = call.repository.label(call.parameters["name"])
    if one is None:
        raise Refusal(404, "Not Found")
    return Answer(200, _label(call, one))


@HANDLERS("issues/list-labels-for-repo")
def list_labels(call: Call) -> Answer:
    return call.listed(list(call.repository.labels.values()), lambda one: _label(call, one))


@HANDLERS("issues/list-labels-on-issue")
def list_issue_labels(call: Call) -> Answer:
    return call.listed(call.issue.labels, lambda one: _label(call, one))


@HANDLERS("issues/add-labels")
def add_labels(call: Call) -> Answer:
    given = (call.body or {}).get("labels", [])
    names = [one if isinstance(one, str) else one["name"] for one in given]
    if any(not name.strip() or len(name) > LABEL_CHARACTERS for name in names):
        raise invalid("Label", "name")
    effects.add_labels(call.scene, call.issue, names)
    return Answer(200, [_label(call, one) for one in call.issue.labels])


@HANDLERS("issues/remove-label")
def remove_label(call: Call) -> Answer:
    issue, one = call.issue, call.repository.label(call.parameters["name"])
    if one is None or one not in issue.labels:
        raise Refusal(404, "Label does not exist")
    effects.remove_label(call.scene, issue, one)
    return Answer(200, [_label(call, each) for each in issue.labels])
