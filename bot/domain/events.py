"""What happened on GitHub, in our words. Times are milliseconds since the epoch. One frozen type per event; the vendor's words stop at `webhook_payloads`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it. ``kind`` is GitHub's account type: ``User``, ``Bot``, ``Organization``, ``Mannequin``."""

    id: int
    login: str
    kind: str

    @property
    def is_person(self) -> bool:
        """A user account; a name that ends in ``[bot]`` proves nothing, the type does."""
        return self.kind == "User"


@dataclass(frozen=True, slots=True)
class RepositoryRef:
    """The repository a delivery is about."""

    id: int
    full_name: str
    default_branch: str
    private: bool


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a delivery comes from: installation, repository, and who caused it."""

    installation_id: int
    repository: RepositoryRef
    sender: Actor


@dataclass(frozen=True, slots=True)
class IssueFacts:
    """An issue as a delivery showed it."""

    number: int
    title: str
    body: str
    author: Actor
    created_at: int
    updated_at: int
    labels: tuple[str, ...] = ()
    is_pull: bool = False


@dataclass(frozen=True, slots=True)
class IssueLabeled:
    """A label was set."""

    origin: Origin
    issue: IssueFacts
    label: str
    by_app: bool = False


@dataclass(frozen=True, slots=True)
class IssueUnlabeled:
    """A label was taken off."""

    origin: Origin
    issue: IssueFacts
    label: str


@dataclass(frozen=True, slots=True)
class IssueEdited:
    """Title or body changed; ``changed`` names which."""

    origin: Origin
    issue: IssueFacts
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IssueClosed:
    """The issue was closed."""

    origin: Origin
    issue: IssueFacts


@dataclass(frozen=True, slots=True)
class CommentCreated:
    """A comment on an issue or a pull request. ``by_app``: written through an App on somebody's behalf."""

    origin: Origin
    issue: IssueFacts
    comment_id: int
    body: str
    created_at: int
    by_app: bool


@dataclass(frozen=True, slots=True)
class CommentDeleted:
    """A comment is gone."""

    origin: Origin
    issue: IssueFacts
    comment_id: int


@dataclass(frozen=True, slots=True)
class PullClosed:
    """A pull request was closed or merged."""

    origin: Origin
    number: int
    head_ref: str
    head_sha: str
    merged: bool


@dataclass(frozen=True, slots=True)
class PullHeadMoved:
    """Commits were pushed to a pull request's head."""

    origin: Origin
    number: int
    head_ref: str
    head_sha: str


@dataclass(frozen=True, slots=True)
class ReviewComment:
    """One comment on a line of a diff."""

    id: int
    path: str
    line: int | None
    body: str


@dataclass(frozen=True, slots=True)
class ReviewSubmitted:
    """A person's review. ``state``: ``approved``, ``changes_requested`` or ``commented``."""

    origin: Origin
    number: int
    review_id: int
    state: str
    body: str
    commit_sha: str


@dataclass(frozen=True, slots=True)
class ReviewCommentCreated:
    """A comment on a line of a pull request's diff."""

    origin: Origin
    number: int
    comment: ReviewComment
    commit_sha: str


@dataclass(frozen=True, slots=True)
class CheckCompleted:
    """A check run ended. ``app_id`` is its owner's."""

    origin: Origin
    check_run_id: int
    name: str
    head_sha: str
    conclusion: str
    app_id: int
    external_id: str
    pull_numbers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ButtonPressed:
    """A person pressed a button on a check run."""

    origin: Origin
    check_run_id: int
    name: str
    head_sha: str
    app_id: int
    external_id: str
    identifier: str
    pull_numbers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class BranchPushed:
    """A branch moved."""

    origin: Origin
    ref: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class InstallationChanged:
    """The App was installed, removed, suspended or unsuspended. ``at``: GitHub's time of it, in milliseconds; 0 when it tells none."""

    installation_id: int
    account: str
    action: str
    at: int = 0
    repositories: tuple[RepositoryRef, ...] = ()


Event: TypeAlias = (
    IssueLabeled
    | IssueUnlabeled
    | IssueEdited
    | IssueClosed
    | CommentCreated
    | CommentDeleted
    | PullClosed
    | PullHeadMoved
    | ReviewSubmitted
    | ReviewCommentCreated
    | CheckCompleted
    | ButtonPressed
    | BranchPushed
    | InstallationChanged
)
