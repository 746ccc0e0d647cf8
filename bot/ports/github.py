"""What the `github` worker reads from GitHub, and how it sends. Vendor errors come as the exceptions below."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, final

from bot.domain.errors import GitHubError, InternalError
from bot.domain.events import Actor, Event
from bot.policy.decide import Decision


class MalformedPayload(GitHubError):
    """A delivery of an event we read lacks what we need, or is no JSON. ``fields``: ``event``, ``where``, ``why``."""


class RepositoryUnusable(GitHubError):
    """The repository cannot be snapshotted: no commits, or over the limits. ``fields["reason"]``: empty|too_big|too_many|too_slow|refused."""


class GitHubBusy(GitHubError):
    """5xx, time-out or connection lost: the effect is unknown. ``fields['status']`` is "" when no answer came."""


class GitHubLimited(GitHubError):
    """403/429 with limit headers, or a 401 that stays: wait ``wait_ms`` milliseconds, then go on. Nothing happened."""

    @property
    def wait_ms(self) -> int:
        return int(self.fields["wait_ms"])


class GitHubRefused(GitHubError):
    """Another 4xx: nothing happened. ``status`` is the HTTP status."""

    @property
    def status(self) -> int:
        return int(self.fields["status"])


@dataclass(frozen=True, slots=True)
class ListedDelivery:
    """A delivery as GitHub lists its attempts. ``id`` is the latest one's, ``first_at`` the time of the first, in milliseconds.

    ``answered``: the latest was taken, or refused for what it is. Everything else (5xx, a wrong secret, nobody there) is no
    answer to this delivery, and another attempt may be taken.
    """

    id: int
    guid: str
    event: str
    first_at: int
    attempts: int
    answered: bool


@dataclass(frozen=True, slots=True)
class Place:
    """One repository of one installation."""

    installation_id: int
    repository_id: int
    full_name: str


@dataclass(frozen=True, slots=True)
class Permission:
    """A collaborator's level. ``permission`` is read|write|admin|none, ``role_name`` tells maintain and triage apart."""

    user: Actor
    permission: str
    role_name: str

    @property
    def can_write(self) -> bool:
        return self.permission in {"write", "admin"} or self.role_name in {"write", "maintain", "admin"}

    @property
    def can_maintain(self) -> bool:
        return self.permission == "admin" or self.role_name in {"maintain", "admin"}


@dataclass(frozen=True, slots=True)
class ThreadComment:
    """A comment of an issue as read back. Times in milliseconds since the epoch."""

    id: int
    author: Actor
    body: str
    created_at: int
    updated_at: int
    app_id: int | None = None


@dataclass(frozen=True, slots=True)
class SaidComment:
    """A comment as a whole repository's are listed: ``number`` is its issue's or pull request's."""

    number: int
    comment: ThreadComment


@dataclass(frozen=True, slots=True)
class PullReview:
    """A submitted review. ``state``: approved, changes_requested, commented, dismissed. ``at`` in milliseconds."""

    id: int
    author: Actor
    state: str
    body: str
    commit_sha: str
    at: int


@dataclass(frozen=True, slots=True)
class IssueState:
    """An issue as it is now."""

    number: int
    title: str
    body: str
    author: Actor
    state: str
    labels: tuple[str, ...]
    updated_at: int


@dataclass(frozen=True, slots=True)
class PullState:
    """A pull request as it is now."""

    number: int
    node_id: str
    head_ref: str
    head_sha: str
    base_ref: str
    title: str
    body: str
    state: str
    merged: bool
    draft: bool
    url: str


@dataclass(frozen=True, slots=True)
class FetchedBase:
    """The default branch, fetched and bundled: ``bundle`` holds one parentless commit with ``tree``."""

    commit: str
    tree: str
    bundle: Path
    submodules: tuple[str, ...] = ()
    lfs: tuple[str, ...] = ()
    files: int = 0
    total_bytes: int = 0


class PayloadReader(Protocol):
    """Turns a verified delivery into our words."""

    def read(self, event: str, body: bytes) -> Event | None:
        """The event; None for names and actions we do not know. Raises ``MalformedPayload`` for known ones that lack what we need."""


class GitHubReader(Protocol):
    """Reads; each call may raise ``GitHubBusy``, ``GitHubLimited`` or ``GitHubRefused``. Retries nothing but a 401 (new token, once)."""

    def permission(self, place: Place, login: str) -> Permission:
        """The collaborator API's answer; a user who is none gets permission ``none``."""

    def issue(self, place: Place, number: int) -> IssueState: ...

    def issue_comments(self, place: Place, number: int, *, since: int | None = None) -> tuple[ThreadComment, ...]:
        """All comments, oldest first, all pages; ``since`` in milliseconds."""

    def comments_since(self, place: Place, since: int) -> tuple[SaidComment, ...]:
        """The repository's comments that were written or edited since that time, on issues and pull requests, oldest first."""

    def open_issues(self, place: Place, label: str) -> frozenset[int]:
        """Numbers of the open issues that carry a label."""

    def has_label(self, place: Place, name: str) -> bool:
        """Whether the repository has a label of that name."""

    def comment(self, place: Place, comment_id: int) -> ThreadComment | None:
        """One comment, or None when it is gone."""

    def issue_edits(self, place: Place, number: int, *, since: int) -> tuple[tuple[Actor, int], ...]:
        """Who edited the issue's title or body since, with times, from the events GitHub offers; empty when it offers none."""

    def pull(self, place: Place, number: int) -> PullState: ...

    def open_pulls(self, place: Place, wanted: frozenset[int]) -> Mapping[int, PullState]:
        """Those of the wanted pull requests that are open, by number; reads no more pages than it takes to find them."""

    def reviews(self, place: Place, pull: int) -> tuple[PullReview, ...]:
        """The submitted reviews of a pull request, oldest first."""

    def pull_of_branch(self, place: Place, branch: str) -> PullState | None:
        """The newest pull request whose head is ``branch`` of this repository, in any state."""

    def check_runs(
        self, place: Place, ref: str, *, name: str | None = None, ours: bool = False
    ) -> tuple[dict[str, Any], ...]:
        """Check runs on a ref as GitHub's JSON, all pages; ``ours`` keeps those of our App."""

    def required_checks(self, place: Place, branch: str) -> tuple[str, ...]:
        """Names that branch protection requires; empty when there is none or it cannot be read."""

    def ref(self, place: Place, branch: str) -> str | None:
        """The commit a branch stands at, or None when it does not exist."""

    def commit(self, place: Place, sha: str) -> dict[str, Any]:
        """A git commit: ``{sha, tree, parents: [sha], message}``."""

    def file_at(self, place: Place, path: str, ref: str) -> bytes | None:
        """A file's bytes at a ref, or None."""

    def changed_paths(self, place: Place, base: str, head: str) -> tuple[str, ...]:
        """Paths that differ between two commits (compare API)."""

    def default_branch(self, place: Place) -> str: ...

    def review_comments(self, place: Place, pull: int, review_id: int) -> tuple[dict[str, Any], ...]:
        """Comments of one review: ``{id, path, line, body, user}``."""

    def check_log(self, place: Place, check_run_id: int) -> str:
        """What a check run says of itself: output title, summary and text. Data, never instruction."""

    def fetch_base(self, place: Place, branch: str, workdir: Path) -> FetchedBase:
        """Fetch the branch with ``--depth 1`` into the repository's mirror and bundle its tree. Raises ``RepositoryUnusable``."""

    def deliveries(self, since: int) -> tuple[ListedDelivery, ...]:
        """The App's deliveries of which an attempt was made since that time, oldest first."""

    def redeliver(self, delivery_id: int) -> None:
        """Ask GitHub to deliver again."""


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sent:
    """GitHub's answer to a write: ``github_id`` and ``url`` of the thing, and the small facts that later rows need."""

    status: int
    github_id: str
    url: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OutboxWrite:
    """A write as its row holds it: ``body`` are the RFC 8785 bytes that were hashed and are sent.

    ``until``: milliseconds since the epoch from when on nothing of it is sent, since others may send it then; 0 for never.
    ``fence``: under which it is held.
    """

    row_id: int
    kind: str
    target: str
    body: bytes
    payload_sha256: str
    dedupe_key: str
    token: str
    place: Place
    until: int = 0
    fence: int = 0


_SEAL = object()


@final
class Approved(Generic[T]):
    """A value that policy allowed, at send time, over fresh facts. Only ``bot.policy``'s decision can build one."""

    __slots__ = ("decision_sha256", "policy_ids", "value")

    def __init__(self, value: T, decision_sha256: str, policy_ids: tuple[str, ...], *, seal: object) -> None:
        if seal is not _SEAL:
            raise TypeError("Approved values come from bot.ports.github.approve alone: it takes an allowing decision")
        self.value = value
        self.decision_sha256 = decision_sha256
        self.policy_ids = policy_ids


def approve(value: T, decision: Decision, decision_sha256: str) -> Approved[T]:
    """The only way to an `Approved`: an allowing decision. Raises ``InternalError`` for any other."""
    if not decision.allowed or decision.errors:
        raise InternalError(f"policy did not allow this: {decision.sentence}", {"decision": decision_sha256})
    return Approved(value, decision_sha256, decision.policy_ids, seal=_SEAL)


class GitHubWriter(Protocol):
    """The one way to change GitHub (I1)."""

    def send(self, write: Approved[OutboxWrite], *, retry: bool) -> Sent:
        """Send exactly these bytes. ``retry``: an earlier try's outcome is unknown, so look first (DESIGN section 8).

        Raises ``GitHubBusy`` (outcome unknown), ``GitHubLimited`` or ``GitHubRefused``.
        """
