"""The one mutable state behind the simulated GitHub: accounts, Apps, repositories, clock, ids, and where events go."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from bot.simulator.github.model import (
    ACTIONS_APP,
    Account,
    AppRecord,
    CheckSuite,
    Issue,
    Label,
    Repository,
)

APP_PERMISSIONS: Final[Mapping[str, str]] = {
    "actions": "read",
    "checks": "write",
    "contents": "write",
    "issues": "write",
    "metadata": "read",
    "pull_requests": "write",
    "statuses": "read",
}
APP_EVENTS: Final = (
    "check_run",
    "issue_comment",
    "issues",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "push",
)
# GitHub's defaults of a new repository, first of them only: enough for colours and descriptions to be there.
DEFAULT_LABELS: Final = (
    ("bug", "d73a4a", "Something isn't working"),
    ("enhancement", "a2eeef", "New feature or request"),
)
COLOR: Final = "ededed"
FIRST_ID: Final = 1_000_001


@dataclass(frozen=True, slots=True)
class Event:
    """Something that subscribers hear of: GitHub's event name and the payload."""

    name: str
    payload: dict[str, Any]


@dataclass
class World:
    """All state. `lock` guards it; `clock` gives seconds since the epoch; `emit` takes events in their order."""

    app: AppRecord
    bot: Account
    installation_id: int
    clock: Callable[[], float]
    emit: Callable[[Event], None]
    drafts_allowed: bool = True
    url: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)
    accounts: dict[str, Account] = field(default_factory=dict)
    apps: dict[str, AppRecord] = field(default_factory=dict)
    repositories: dict[str, Repository] = field(default_factory=dict)
    last_id: int = FIRST_ID
    installation_at: float = 0.0
    is_suspended: bool = False

    def new_id(self) -> int:
        """A number that nothing else has."""
        self.last_id += 1
        return self.last_id

    def account(self, login: str) -> Account:
        """The account of a login, made when it is new; a name that ends in `[bot]` is a bot."""
        key = login.casefold()
        if key not in self.accounts:
            self.accounts[key] = Account(self.new_id(), login, "Bot" if login.endswith("[bot]") else "User")
        return self.accounts[key]

    def organization(self, login: str) -> Account:
        """The account that owns a repository."""
        key = login.casefold()
        if key not in self.accounts:
            self.accounts[key] = Account(self.new_id(), login, "Organization")
        return self.accounts[key]

    def other_app(self, slug: str) -> AppRecord:
        """An App that is not ours."""
        if slug not in self.apps:
            # GitHub Actions has this id everywhere.
            number = 15368 if slug == ACTIONS_APP else self.new_id()
            owner = self.organization("github" if slug == ACTIONS_APP else f"{slug}-owner")
            self.apps[slug] = AppRecord(number, slug, {"checks": "write", "metadata": "read"}, (), owner)
        return self.apps[slug]

    def repository(self, full_name: str) -> Repository | None:
        """A repository by name; GitHub does not care for case."""
        return self.repositories.get(full_name.casefold())

    def repository_by_id(self, number: int) -> Repository | None:
        """A repository by id."""
        return next((one for one in self.repositories.values() if one.id == number), None)

    def only_repository(self) -> Repository:
        """The repository that people act in when they name none: the first one added."""
        return next(iter(self.repositories.values()))

    def label(self, repository: Repository, name: str, color: str = COLOR, description: str | None = None) -> Label:
        """The repository's label, made when it is missing as GitHub makes one that is set on an issue."""
        found = repository.label(name)
        if found is None:
            found = Label(self.new_id(), name, color, description)
            repository.labels[name.casefold()] = found
        return found

    def suite(self, repository: Repository, app: AppRecord, head_sha: str) -> CheckSuite:
        """The suite of an App's check runs on a commit."""
        for one in repository.suites.values():
            if one.app is app and one.head_sha == head_sha:
                return one
        suite = CheckSuite(self.new_id(), app, head_sha, self.clock())
        repository.suites[suite.id] = suite
        return suite

    def touch(self, issue: Issue) -> None:
        """Marks an issue or pull request as changed now."""
        issue.updated = self.clock()
