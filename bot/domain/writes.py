"""Every write to GitHub that Conductor can make: a closed union, one frozen type a kind (DESIGN section 8)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Literal, TypeAlias
from urllib.parse import quote

READY_MUTATION = (
    "mutation($id: ID!) { markPullRequestReadyForReview(input: {pullRequestId: $id}) { pullRequest { isDraft } } }"
)
RESOLVE_MUTATION = "mutation($id: ID!) { resolveReviewThread(input: {threadId: $id}) { thread { isResolved } } }"


@dataclass(frozen=True, slots=True)
class CommentCreate:
    """A new comment on an issue or pull request; ``body`` ends with the row's marker."""

    kind: ClassVar[str] = "comment.create"
    method: ClassVar[str] = "POST"
    repository: str
    issue: int
    body: str

    @property
    def target(self) -> str:
        return f"/repos/{self.repository}/issues/{self.issue}/comments"

    @property
    def payload(self) -> dict[str, Any]:
        return {"body": self.body}

    @property
    def order(self) -> str:
        return f"issue:{self.issue}"


@dataclass(frozen=True, slots=True)
class CommentReply:
    """An answer below a review comment on a line."""

    kind: ClassVar[str] = "comment.reply"
    method: ClassVar[str] = "POST"
    repository: str
    pull: int
    comment_id: int
    body: str

    @property
    def target(self) -> str:
        return f"/repos/{self.repository}/pulls/{self.pull}/comments/{self.comment_id}/replies"

    @property
    def payload(self) -> dict[str, Any]:
        return {"body": self.body}

    @property
    def order(self) -> str:
        return f"issue:{self.pull}"


@dataclass(frozen=True, slots=True)
class CommentUpdate:
    """The status comment, edited in place. ``issue`` only orders it."""

    kind: ClassVar[str] = "comment.update"
    method: ClassVar[str] = "PATCH"
    repository: str
    issue: int
    comment_id: int
    body: str

    @property
    def target(self) -> str:
        return f"/repos/{self.repository}/issues/comments/{self.comment_id}"

    @property
    def payload(self) -> dict[str, Any]:
        return {"body": self.body}

    @property
    def order(self) -> str:
        return f"issue:{self.issue}"


@dataclass(frozen=True, slots=True)
class LabelCreate:
    """A label of the repository, made when missing. A 422 "already exists" confirms it."""

    kind: ClassVar[str] = "label.create"
    method: ClassVar[str] = "POST"
    repository: str
    issue: int
    name: str
    color: str
    description: str

    @property
    def target(self) -> str:
        return f"/repos/{self.repository}/labels"

    @property
    def payload(self) -> dict[str, Any]:
        return {"name": self.name, "color": self.color, "description": self.description}

    @property
    def order(self) -> str:
        return f"issue:{self.issue}"


@dataclass(frozen=True, slots=True)
class LabelAdd:
    """A label on the issue."""

    kind: ClassVar[str] = "label.add"
    method: ClassVar[str] = "POST"
    repository: str
    issue: int
    name: str

    @property
    def target(self) -> str:
        return f"/repos/{self.repository}/issues/{self.issue}/labels"

    @property
    def payload(self) -> dict[str, Any]:
        return {"labels": [self.name]}

    @property
    def order(self) -> str:
        return f"issue:{self.issue}"


@dataclass(frozen=True, slots=True)
class LabelRemove:
    """A label off the issue. A 404 confirms it. GitHub takes no body here; the payload is empty."""

    kind: ClassVar[str] = "label.remove"
    method: ClassVar[str] = "DELETE"
    repository: str
    issue: int
    name: str

    @property
    def target(self) -> str:
        return f"/repos/{self.repository}/issues/{self.issue}/labels/{quote(self.name, safe='')}"

    @property
    def payload(self) -> dict[str, Any]:
        return {}

    @property
    def order(self) -> str:
        return f"issue:{self.issue}"


@dataclass(frozen=True, slots=True)
class ReactionAdd:
    """A reaction on the issue, or on a comment when ``comment_id`` is given."""

    kind: ClassVar[str] = "reaction.add"
    method: ClassVar[str] = "POST"
    repository: str
    issue: int
    content: Literal["eyes", "+1", "-1", "confused", "rocket"]
    comment_id: int | None = None

    @property
    def target(self) -> str:
        if self.comment_id is not None:
            return f"/repos/{self.repository}/issues/comments/{self.comment_id}/reactions"
        return f"/repos/{self.repository}/issues/{self.issue}/reactions"

    @property
    def payload(self) -> dict[str, Any]:
        return {"content": self.content}

    @property
    def order(self) -> str:
        return f"issue:{self.issue}"


@dataclass(frozen=True, slots=True)
class PullCreate:
    """The draft pull request that shows the plan."""

    kind: ClassVar[str] = "pull.create"
    method: ClassVar[str] = "POST"
    repository: str
    head: str
    base: str
    title: str
    body: str
    draft: bool = True

    @property
    def target(self) -> str:
        return f"/repos/{self.repository}/pulls"

    @property
    def payload(self) -> dict[str, Any]:
        return {"head": self.head, "base": self.base, "title": self.title, "body": self.body, "draft": self.draft}

    @property
    def order(self) -> str:
        return f"branch:{self.head}"


@dataclass(frozen=True, slots=True)
class PullUpdate:
    """A new body (a later plan, the result) or title of our pull request. Never its state."""

    kind: ClassVar[str] = "pull.update"
    method: ClassVar[str] = "PATCH"
    repository: str
    pull: int
    head: str
    body: str
    title: str | None = None

    @property
    def target(self) -> str:
        return f"/repos/{self.repository}/pulls/{self.pull}"

    @property
    def payload(self) -> dict[str, Any]:
        return {"body": self.body} | ({"title": self.title} if self.title is not None else {})

    @property
    def order(self) -> str:
        return f"branch:{self.head}"


@dataclass(frozen=True, slots=True)
class PullReady:
    """Draft to ready for review; GitHub offers it by GraphQL alone."""

    kind: ClassVar[str] = "pull.ready"
    method: ClassVar[str] = "POST"
    repository: str
    pull: int
    head: str
    node_id: str

    @property
    def target(self) -> str:
        return f"/repos/{self.repository}/pulls/{self.pull}"

    @property
    def payload(self) -> dict[str, Any]:
        return {"query": READY_MUTATION, "variables": {"id": self.node_id}}

    @property
    def order(self) -> str:
        return f"branch:{self.head}"


@dataclass(frozen=True, slots=True)
class ReviewRequest:
    """Asks the approver to review the finished pull request."""

    kind: ClassVar[str] = "review.request"
    method: ClassVar[str] = "POST"
    repository: str
    pull: int
    head: str
    reviewer: str

    @property
    def target(self) -> str:
        return f"/repos/{self.repository}/pulls/{self.pull}/requested_reviewers"

    @property
    def payload(self) -> dict[str, Any]:
        return {"reviewers": [self.reviewer]}

    @property
    def order(self) -> str:
        return f"branch:{self.head}"


@dataclass(frozen=True, slots=True)
class ThreadResolve:
    """Closes a review thread whose finding is settled (GraphQL)."""

    kind: ClassVar[str] = "thread.resolve"
    method: ClassVar[str] = "POST"
    repository: str
    pull: int
    thread_id: str

    @property
    def target(self) -> str:
        return f"/repos/{self.repository}/pulls/{self.pull}"

    @property
    def payload(self) -> dict[str, Any]:
        return {"query": RESOLVE_MUTATION, "variables": {"id": self.thread_id}}

    @property
    def order(self) -> str:
        return f"issue:{self.pull}"


@dataclass(frozen=True, slots=True)
class CheckRunCreate:
    """A check on one commit. ``external_id`` is the row's dedupe key; ``fields`` are GitHub's (status, output, actions ...)."""

    kind: ClassVar[str] = "check_run.create"
    method: ClassVar[str] = "POST"
    repository: str
    branch: str
    name: str
    head_sha: str
    external_id: str
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def target(self) -> str:
        return f"/repos/{self.repository}/check-runs"

    @property
    def payload(self) -> dict[str, Any]:
        return {"name": self.name, "head_sha": self.head_sha, "external_id": self.external_id, **self.fields}

    @property
    def order(self) -> str:
        return f"branch:{self.branch}"


@dataclass(frozen=True, slots=True)
class CheckRunUpdate:
    """New state, text or annotations (at most 50 a request, GitHub appends) of our own check run."""

    kind: ClassVar[str] = "check_run.update"
    method: ClassVar[str] = "PATCH"
    repository: str
    branch: str
    check_run_id: int
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def target(self) -> str:
        return f"/repos/{self.repository}/check-runs/{self.check_run_id}"

    @property
    def payload(self) -> dict[str, Any]:
        return dict(self.fields)

    @property
    def order(self) -> str:
        return f"branch:{self.branch}"


@dataclass(frozen=True, slots=True)
class BranchWrite:
    """What both branch kinds carry.

    ``parent``: the commit the new one stands on. ``base_tree``: the parent's tree. ``tree``: the tree that must result.
    ``entries``: ``{path, mode, blob}`` of each changed path, ``blob`` None for a deletion; contents come from the
    artifact ``patch_sha256`` ("" when nothing changes). ``message`` ends with the trailers. The commit is sent without
    author and committer, so that GitHub signs it.
    """

    repository: str
    branch: str
    parent: str
    base_tree: str
    tree: str
    message: str
    patch_sha256: str = ""
    entries: tuple[dict[str, Any], ...] = ()

    @property
    def payload(self) -> dict[str, Any]:
        return {
            "branch": self.branch,
            "parent": self.parent,
            "base_tree": self.base_tree,
            "tree": self.tree,
            "message": self.message,
            "patch_sha256": self.patch_sha256,
            "entries": list(self.entries),
        }

    @property
    def order(self) -> str:
        return f"branch:{self.branch}"

    @property
    def target(self) -> str:
        return f"/repos/{self.repository}/git/refs/heads/{quote(self.branch)}"


@dataclass(frozen=True, slots=True)
class BranchCreate(BranchWrite):
    """The run's own branch with one commit."""

    kind: ClassVar[str] = "branch.create"
    method: ClassVar[str] = "POST"


@dataclass(frozen=True, slots=True)
class BranchUpdate(BranchWrite):
    """One more commit on the run's own branch, never forced."""

    kind: ClassVar[str] = "branch.update"
    method: ClassVar[str] = "PATCH"


Write: TypeAlias = (
    CommentCreate
    | CommentReply
    | CommentUpdate
    | LabelCreate
    | LabelAdd
    | LabelRemove
    | ReactionAdd
    | PullCreate
    | PullUpdate
    | PullReady
    | ReviewRequest
    | ThreadResolve
    | CheckRunCreate
    | CheckRunUpdate
    | BranchCreate
    | BranchUpdate
)
METHODS: dict[str, str] = {
    kind.kind: kind.method
    for kind in (
        CommentCreate,
        CommentReply,
        CommentUpdate,
        LabelCreate,
        LabelAdd,
        LabelRemove,
        ReactionAdd,
        PullCreate,
        PullUpdate,
        PullReady,
        ReviewRequest,
        ThreadResolve,
        CheckRunCreate,
        CheckRunUpdate,
        BranchCreate,
        BranchUpdate,
    )
}
REQUIRED_KINDS = frozenset(
    {
        "branch.create",
        "branch.update",
        "pull.create",
        "pull.update",
        "pull.ready",
        "check_run.create",
        "check_run.update",
    }
)
"""Kinds whose death stops the run: without them people would not see what they are asked about."""

OPEN_ROWS: Final = ("staged", "allowed", "sending")
"""States of a row that has not come to its end."""
ANSWER_KEYS: Final = ("reply:", "ack:", "stop:", "decline:")
ANSWER_INSIDE: Final = ":comment:"
"""How the dedupe keys of rows begin, or what is in them, that answer somebody or ask somebody to act: they go first."""
LABELS: Final = frozenset({"label.create", "label.add", "label.remove"})
CONTENT: Final = frozenset(
    {
        *("comment.create", "comment.reply", "comment.update", "pull.create", "pull.update", "pull.ready"),
        *("branch.create", "branch.update", "check_run.create", "check_run.update"),
    }
)
"""Kinds that GitHub counts as content, of which it takes some 80 a minute and 500 an hour from an installation."""


def is_answer(dedupe_key: str) -> bool:
    """Whether a row of that key answers somebody."""
    return dedupe_key.startswith(ANSWER_KEYS) or ANSWER_INSIDE in dedupe_key


def marker(token: str) -> str:
    """The hidden marker at the end of a comment, by which a retry finds it. ``token``: 32 hex digits of the row."""
    return f"<!-- conductor:{token} -->"
