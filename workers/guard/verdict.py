"""What the guard answers: a decision with a stable rule id and a sentence that says how to do it another way."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Profile(StrEnum):
    """Whose command it is: reviewers and planners only read; implementers build and test as well."""

    REVIEWER = "reviewer"
    IMPLEMENTER = "implementer"


@dataclass(frozen=True, slots=True)
class Decision:
    """``rule`` is a stable id such as ``find.exec``; ``reason`` is one sentence for a well-meaning model."""

    command: str
    decision: Literal["allow", "deny"]
    rule: str
    reason: str

    @property
    def allowed(self) -> bool:
        """Whether it may run."""
        return self.decision == "allow"


class Denied(Exception):
    """Raised by a rule; carries the rule's id and the sentence."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(rule, reason)
        self.rule = rule
        self.reason = reason
