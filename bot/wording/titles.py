"""Titles and commit messages: fixed sentences with the issue's number and its title made safe (DESIGN sections 8 and 9)."""

from __future__ import annotations

from bot.wording.layout import is_login
from bot.wording.neutral import safe_title

ROW_TRAILER = "Conductor-Row:"
"""By this line of its message a commit names the outbox row that made it."""


def pull(issue: int, title: str) -> str:
    """The pull request's title."""
    return f"Issue #{issue}: {safe_title(title)}"


def plan_commit(issue: int, title: str, token: str) -> str:
    """Message of the branch's first commit. ``token``: the outbox row's, by which the commit is found again."""
    return (
        f"Plan for issue #{issue}: {safe_title(title)}\n\n"
        "No file changes here: the plan stands in the pull request and waits for approval.\n\n"
        f"{ROW_TRAILER} {token}"
    )


def code_commit(issue: int, title: str, token: str, approver: str, approver_id: str) -> str:
    """Message of a commit with reviewed code; its approver is named as co-author when there is one."""
    message = (
        f"Implement issue #{issue}: {safe_title(title)}\n\n"
        "Made under the approved plan, verified and reviewed before it was published.\n\n"
        f"{ROW_TRAILER} {token}"
    )
    # A login or id of another form could add lines, so it names nobody.
    if not (is_login(approver) and approver_id.isascii() and approver_id.isdigit()):
        return message
    return f"{message}\nCo-authored-by: {approver} <{approver_id}+{approver}@users.noreply.github.com>"
