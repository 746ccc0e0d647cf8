"""What an implementer submits, and what the control plane reads from its workspace (DESIGN section 5)."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bot.domain.citation import Contract, Line, Words
from bot.domain.plan import CriterionId, StepId

Sha1 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
GitMode = Literal["100644", "100755", "120000", "160000"]
REGULAR_MODES: Final[frozenset[str]] = frozenset({"100644", "100755"})
"""Modes of regular files: no link, no submodule."""


class Claim(Contract):
    """Which criterion the step says it proves, and how."""

    criterion: CriterionId
    proof: Line


class Work(Contract):
    """One step's submission. The diff is never taken from it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    step: StepId
    summary: Words
    claims: tuple[Claim, ...] = ()


class Change(BaseModel):
    """One path that differs from base: ``content`` base64 of its bytes, or None when the path is gone.

    ``path`` is UTF-8 with surrogate escapes for bytes that are not; ``mode`` is git's, octal, of the new entry
    (of the old one when deleted). ``before`` is the blob id at base, None for a new path.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    mode: GitMode
    content: str | None
    before: Sha1 | None = None
    before_mode: GitMode | None = None


class Patch(BaseModel):
    """A tree as its difference from ``base_tree`` (git tree id), changes ordered by path. Byte-exact, never shown raw."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_tree: Sha1
    changes: tuple[Change, ...] = ()


class Hunk(BaseModel):
    """Changed lines of one place: 1-based first line and count on each side; a count of 0 means no lines there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_start: int
    base_count: int
    head_start: int
    head_count: int


class FileDiff(BaseModel):
    """One changed file of a diff, read by the control plane. ``binary`` files carry no hunks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    kind: Literal["added", "modified", "deleted"]
    old_mode: GitMode | None
    new_mode: GitMode | None
    old_blob: Sha1 | None
    new_blob: Sha1 | None
    binary: bool = False
    hunks: tuple[Hunk, ...] = Field(default=())


class CodeSubject(BaseModel):
    """What code reviewers judge and what is published: exactly this tree, made under exactly this plan."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_tree: Sha1
    tree: Sha1
    patch_sha256: Sha256
    plan_sha256: Sha256
