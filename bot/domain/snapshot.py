"""Everything about repository and issue that a run is allowed to know, taken once (DESIGN sections 3 and 9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from bot.domain.repo_config import RepoConfig


class SnapshotModel(BaseModel):
    """Base: immutable, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SnapshotComment(SnapshotModel):
    """A comment that stood when the label was set, by somebody with write permission."""

    author: str
    body: str
    created_at: int


class IssueSnapshot(SnapshotModel):
    """The issue as the label delivery showed it. ``left_out``: comments by others or later, counted.

    ``suspicious_edit``: edited by somebody without write permission in the ten minutes before the label.
    ``author_can_write``: whether its text is a maintainer's. ``hidden``: how often each class of hidden text stood in it and
    its comments, and was taken out.
    """

    number: int
    title: str
    body: str
    author: str
    author_id: int
    author_can_write: bool
    updated_at: int
    comments: tuple[SnapshotComment, ...] = ()
    left_out: int = 0
    suspicious_edit: bool = False
    hidden: Mapping[str, int] = {}

    @field_validator("hidden", mode="before")
    @classmethod
    def _counted(cls, value: Any) -> Any:
        """Snapshots of an earlier release name the classes and do not count."""
        return dict.fromkeys(value, 1) if isinstance(value, list | tuple) else value


class WorkflowExposure(SnapshotModel):
    """Why publishing to this repository's CI is risky: one workflow file and what it holds (DESIGN section 7)."""

    path: str
    reasons: tuple[str, ...]


class Snapshot(SnapshotModel):
    """One run's view of the world. ``bundle_sha256`` names the bundle artifact of the parentless commit with ``base_tree``."""

    repository: str
    default_branch: str
    base_commit: str
    base_tree: str
    bundle_sha256: str
    issue: IssueSnapshot
    config: RepoConfig
    config_text_sha256: str
    exposures: tuple[WorkflowExposure, ...] = ()
    instructions: tuple[tuple[str, str], ...] = ()
    submodules: tuple[str, ...] = ()
    lfs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    required_checks: tuple[str, ...] = ()
    taken_at: int = 0
