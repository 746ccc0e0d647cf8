"""What a reviewer submits (DESIGN section 5)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from bot.domain.citation import Contract, Evidence, Line, Words


class Severity(StrEnum):
    """How bad; every open finding blocks, whatever this says."""

    BLOCKER = "blocker"
    MAJOR = "major"
    MINOR = "minor"


class Category(StrEnum):
    """What a finding is about."""

    CORRECTNESS = "correctness"
    SECURITY = "security"
    TESTS = "tests"
    SCOPE = "scope"
    PLAN = "plan"
    PERFORMANCE = "performance"
    READABILITY = "readability"


class Finding(Contract):
    """One claimed defect with evidence that can be checked."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    title: Line
    severity: Severity
    category: Category
    claim: Words
    evidence: tuple[Evidence, ...] = Field(default=(), max_length=20)
    suggestion: Words | None = None


class Resolution(Contract):
    """What a reviewer says of an earlier finding."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    finding: Annotated[str, StringConstraints(pattern=r"^F[1-9][0-9]{0,5}$")]
    status: Literal["fixed", "withdrawn", "justified", "open"]
    reason: Words
    evidence: tuple[Evidence, ...] = Field(default=(), max_length=20)


class Review(Contract):
    """One reviewer's answer. At most 25 findings (DESIGN section 6)."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    verdict: Literal["approve", "changes_requested"]
    findings: tuple[Finding, ...] = Field(default=(), max_length=25)
    resolutions: tuple[Resolution, ...] = Field(default=(), max_length=200)
