"""Where something was said: repository, issue, by whom, in which delivery. Commands and answers share it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from bot.domain.events import Actor, IssueFacts, Origin
from bot.ports import records as r
from bot.ports.github import Permission


@dataclass(frozen=True, slots=True)
class Asked:
    """What the `github` worker found out about a delivery's sender, and the start label and mode in force.

    ``withdrawn``: the start label that the delivery tells of was taken off again, or its issue is gone.
    """

    permission: Permission
    start_label: str
    mode: str
    withdrawn: bool = False

    @classmethod
    def from_json(cls, result: dict[str, Any]) -> Asked:
        """From a permission job's result."""
        user = Actor(int(result["user_id"]), str(result["login"]), str(result["kind"]))
        level = Permission(user, str(result["permission"]), str(result["role_name"]))
        withdrawn = bool(result.get("withdrawn", False))
        return cls(level, str(result["start_label"]), str(result["mode"]), withdrawn)

    def is_writer(self, sender: Actor) -> bool:
        """Whether the sender may write, and is who the permission speaks of."""
        return self.permission.user.id == sender.id and sender.is_person and self.permission.can_write


@dataclass(frozen=True, slots=True)
class Setting:
    """The place and person of a command. ``at``: milliseconds since the epoch, when it was said (0: unknown).
    ``mode``: the repository's, ``active`` or ``dry-run``.
    """

    origin: Origin
    issue: IssueFacts
    delivery_id: str
    comment_id: int | None
    at: int = 0
    permission: Permission | None = None
    mode: str = "active"

    @classmethod
    def of_issue(cls, origin: Origin, issue: IssueFacts, delivery_id: str, comment_id: int | None) -> Setting:
        """On an issue or a pull request."""
        return cls(origin, issue, delivery_id, comment_id, issue.updated_at)

    @classmethod
    def of_run(cls, origin: Origin, run: r.Run, delivery_id: str) -> Setting:
        """On a run's pull request, where the delivery carries no issue."""
        nobody = Actor(0, "", "User")
        issue = IssueFacts(int(run.known.get("pull", run.issue_number)), "", "", nobody, 0, 0, (), True)
        return cls(origin, issue, delivery_id, None)

    def said_at(self, at: int, permission: Permission) -> Setting:
        """With the time of the comment and what its author may do."""
        return replace(self, at=at, permission=permission)

    def under(self, mode: str) -> Setting:
        """With the mode in force."""
        return replace(self, mode=mode)
