"""What workers are asked to do: closed sets of job kinds and queues, and the results they hand back."""

from __future__ import annotations

from enum import StrEnum

CONTROL = "control"
GITHUB = "github"
AGENT_QUEUES = ("agents.plan", "agents.review", "agents.implement")


class JobKind(StrEnum):
    """One handler each."""

    PERMISSION = "permission"
    """github: who sent a delivery, and what may they do. Payload ``{login, comment_id?}``."""
    SNAPSHOT = "snapshot"
    """github: base, configuration and issue thread. Result names a ``Snapshot`` artifact."""
    APPROVAL = "approval"
    """github: reads back what an approval rests on. Result names ``ApprovalFacts``."""
    PULL_STATE = "pull_state"
    """github: current state of our pull request, before a closing is believed."""
    DRAFT = "draft"
    """agents.plan: one context drafts a document and its facts are collected."""
    STEP = "step"
    """agents.implement: one context implements one step in its own workspace. Result names a ``Patch``."""
    MERGE = "merge"
    """control: merges the steps' patches. Result names a ``Patch``, or conflicts."""
    VERIFY = "verify"
    """agents.implement: runs verify and proofs on the very tree to be published. Result names ``WorkFacts``."""
    REVIEW = "review"
    """agents.review: one seat's context. Result names a ``Review`` and what was delivered to it."""
    FEEDBACK = "feedback"
    """github: a person's review or a failing check, read whole."""
    RECONCILE = "reconcile"
    """github: what GitHub shows of a repository's living runs. Payload ``{repository_id, since, runs}``, result ``{at, runs}``."""
    RECOVERY = "recovery"
    """github: deliveries that never came in are asked for again. Payload ``{hour, since}``, result ``{clear_until}``."""

    RETENTION = "retention"
    """control: bodies of deliveries, and of rows without a run, whose time is up. Result ``{deliveries, rows}``."""


QUEUE_OF: dict[JobKind, str] = {
    JobKind.PERMISSION: GITHUB,
    JobKind.SNAPSHOT: GITHUB,
    JobKind.APPROVAL: GITHUB,
    JobKind.PULL_STATE: GITHUB,
    JobKind.FEEDBACK: GITHUB,
    JobKind.RECONCILE: GITHUB,
    JobKind.RECOVERY: GITHUB,
    JobKind.DRAFT: "agents.plan",
    JobKind.STEP: "agents.implement",
    JobKind.VERIFY: "agents.implement",
    JobKind.REVIEW: "agents.review",
    JobKind.MERGE: CONTROL,
    JobKind.RETENTION: CONTROL,
}
