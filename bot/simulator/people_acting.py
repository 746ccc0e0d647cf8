"""Performs one act of a scenario on the simulated GitHub."""

from __future__ import annotations

from typing import Any, assert_never

from bot.simulator import acts as a
from bot.simulator.github.git_import import FileSpec
from bot.simulator.github.server import SimulatedGitHub
from bot.simulator.repo_source import RepoFile


def perform(github: SimulatedGitHub, act: a.AnyAct, pushed: dict[str, RepoFile | None]) -> None:
    """Do it as the person would; ``pushed`` are the files of a push. Raises ``NothingThere`` when it names nothing."""
    match act:
        case a.Label():
            github.label(act.label, by=act.by, where=act.where)
        case a.Unlabel():
            github.unlabel(act.unlabel, by=act.by, where=act.where)
        case a.Comment():
            github.comment(act.where, act.comment, by=act.by)
        case a.EditComment():
            github.edit_comment(act.edit_comment.match, act.edit_comment.body, by=act.by)
        case a.EditIssue():
            github.edit_issue(act.edit_issue.title, act.edit_issue.body, by=act.by)
        case a.EditPull():
            github.edit_pull(act.edit_pull.body, by=act.by, title=act.edit_pull.title)
        case a.Review():
            comments: list[dict[str, Any]] = [one.model_dump(exclude_none=True) for one in act.review.comments]
            github.review(act.review.state, act.review.body, comments, by=act.by)
        case a.Press():
            github.press(act.press, by=act.by)
        case a.Push():
            files: dict[str, FileSpec | None] = {
                path: None if file is None else (file.mode, file.content) for path, file in pushed.items()
            }
            github.push(act.push.branch, files, by=act.by, message=act.push.message, force=act.push.force)
        case a.Close():
            github.close_item(act.where, by=act.by)
        case a.Merge():
            github.merge(by=act.by)
        case a.DeleteComment():
            github.delete_comment(act.delete_comment.match, by=act.by)
        case a.Grant():
            for login, level in act.permission.items():
                github.set_permission(login, level)
        case a.Deliver():
            sent = act.deliver
            github.deliver(sent.event, sent.payload, signature=sent.signature, times=sent.times)
        case _:
            assert_never(act)
