"""What the simulated GitHub knows: plain mutable records, guarded by the simulator's one lock."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

from bot.simulator.github.git_objects import GitRepository

Level = Literal["none", "read", "triage", "write", "maintain", "admin"]
LEVELS: Final[tuple[Level, ...]] = ("none", "read", "triage", "write", "maintain", "admin")
ACTIONS_APP: Final = "github-actions"


def stamp(at: float) -> str:
    """A time as GitHub writes it, in whole seconds. `at` is seconds since the epoch."""
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def node_id(kind: str, number: int) -> str:
    """A node id in GitHub's look: a prefix of the type, then base64 of what it names."""
    return f"{kind}_{base64.urlsafe_b64encode(f'{kind}:{number}'.encode()).decode().rstrip('=')}"


@dataclass
class Account:
    """A user, a bot or an organization."""

    id: int
    login: str
    kind: Literal["User", "Bot", "Organization"]


@dataclass
class AppRecord:
    """A GitHub App that makes check runs: ours, GitHub Actions, or another one."""

    id: int
    slug: str
    permissions: dict[str, str]
    events: tuple[str, ...]
    owner: Account


@dataclass
class Label:
    """A label of a repository."""

    id: int
    name: str
    color: str
    description: str | None


@dataclass
class Reaction:
    """A reaction on an issue or a comment."""

    id: int
    user: Account
    content: str
    at: float


@dataclass
class Comment:
    """A comment on an issue or a pull request. `edits` counts bodies that replaced another."""

    id: int
    number: int
    user: Account
    body: str
    created: float
    updated: float
    app: AppRecord | None = None
    edits: int = 0
    reactions: list[Reaction] = field(default_factory=list)


@dataclass
class ReviewComment:
    """A comment on a line of a diff; those with the same `thread` answer each other."""

    id: int
    review: int
    thread: str
    user: Account
    body: str
    path: str
    line: int | None
    start_line: int | None
    side: str
    commit: str
    hunk: str
    created: float
    updated: float
    reply_to: int | None = None


@dataclass
class Thread:
    """A review thread, which can be resolved."""

    id: str
    pull: int
    resolved: bool = False


@dataclass
class Review:
    """A submitted review."""

    id: int
    user: Account
    body: str
    state: Literal["APPROVED", "CHANGES_REQUESTED", "COMMENTED"]
    commit: str
    at: float


@dataclass
class Pull:
    """What a pull request has beside its issue."""

    id: int
    head: str
    base: str
    head_sha: str
    base_sha: str
    draft: bool
    merged_at: float | None = None
    merged_by: Account | None = None
    merge_sha: str | None = None
    reviewers: list[Account] = field(default_factory=list)
    reviews: list[Review] = field(default_factory=list)
    comments: list[ReviewComment] = field(default_factory=list)
    threads: dict[str, Thread] = field(default_factory=dict)


@dataclass(frozen=True)
class Edit:
    """One change of an issue's text: `title` with the titles before and after it, else of the body."""

    title: tuple[str, str] | None
    editor: Account
    at: float


@dataclass
class Issue:
    """An issue, or with `pull` a pull request."""

    id: int
    number: int
    title: str
    body: str | None
    user: Account
    created: float
    updated: float
    app: AppRecord | None = None
    state: Literal["open", "closed"] = "open"
    state_reason: str | None = None
    closed: float | None = None
    closed_by: Account | None = None
    labels: list[Label] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    reactions: list[Reaction] = field(default_factory=list)
    pull: Pull | None = None
    edits: list[Edit] = field(default_factory=list)


@dataclass
class CheckRun:
    """A check run. `actions` are buttons: label, description, identifier."""

    id: int
    app: AppRecord
    name: str
    head_sha: str
    suite: int
    external_id: str
    status: str
    started: str | None
    created: float
    conclusion: str | None = None
    completed: str | None = None
    details_url: str | None = None
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    annotations: list[dict[str, Any]] = field(default_factory=list)
    actions: list[dict[str, str]] = field(default_factory=list)
    log: str = ""


@dataclass
class CheckSuite:
    """All check runs of one App on one commit."""

    id: int
    app: AppRecord
    head_sha: str
    created: float


@dataclass
class Status:
    """A commit status."""

    id: int
    sha: str
    context: str
    state: str
    description: str | None
    target_url: str | None
    user: Account
    at: float


@dataclass
class Repository:
    """A repository with all that hangs on it."""

    id: int
    full_name: str
    owner: Account
    private: bool
    default_branch: str
    git: GitRepository
    created: float
    levels: dict[str, Level] = field(default_factory=dict)
    issues: dict[int, Issue] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)
    checks: dict[int, CheckRun] = field(default_factory=dict)
    suites: dict[int, CheckSuite] = field(default_factory=dict)
    statuses: list[Status] = field(default_factory=list)
    required_checks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Branch to the names of the checks that its protection requires."""

    @property
    def name(self) -> str:
        """The part after the slash."""
        return self.full_name.partition("/")[2]

    def branch(self, name: str) -> str | None:
        """The head of a branch."""
        return self.git.ref(f"refs/heads/{name}")

    def pulls(self) -> Iterator[tuple[Issue, Pull]]:
        """All pull requests, oldest first."""
        for number in sorted(self.issues):
            issue = self.issues[number]
            if issue.pull is not None:
                yield issue, issue.pull

    def comment(self, id_: int) -> tuple[Issue, Comment] | None:
        """The comment with this id, with its issue."""
        for issue in self.issues.values():
            for one in issue.comments:
                if one.id == id_:
                    return issue, one
        return None

    def label(self, name: str) -> Label | None:
        """A label by name; GitHub does not care for case."""
        return self.labels.get(name.casefold())

    def next_number(self) -> int:
        """The number of the next issue or pull request."""
        return max(self.issues, default=0) + 1

    def level(self, login: str) -> Level:
        """What somebody may do here; everybody reads a public repository."""
        given: Level = self.levels.get(login, "none")
        return "read" if given == "none" and not self.private else given
