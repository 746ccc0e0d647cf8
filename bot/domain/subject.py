"""What a person approves: everything that decides, under one hash (DESIGN section 4, *Approval*)."""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785
from pydantic import BaseModel, ConfigDict

from bot.domain.plan import Plan


def canonical(value: Any) -> bytes:
    """RFC 8785 bytes of a JSON value; whole numbers from 2^53 on are refused by the rule (keep ids as strings)."""
    return rfc8785.dumps(value)


def sha256_of(data: bytes) -> str:
    """Hex sha256."""
    return hashlib.sha256(data).hexdigest()


class PlanSubject(BaseModel):
    """A plan with all that its approval covers.

    ``blobs``: path to git blob id at base of every cited and edited file. ``verify`` and ``setup``: commands in effect.
    ``config_sha256``: hash of the configuration in effect. ``risk``: ``high`` or ``normal``; ``risk_reasons`` say why.
    ``issue_sha256``: hash of the issue's snapshot. ``budget_micro_dollars``: the run's cap.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    plan: Plan
    blobs: dict[str, str]
    verify: tuple[str, ...]
    setup: tuple[str, ...]
    config_sha256: str
    risk: str
    risk_reasons: tuple[str, ...]
    issue_sha256: str
    budget_micro_dollars: int

    @property
    def sha256(self) -> str:
        """The hash that an approval names by its first eight characters."""
        return sha256_of(self.document)

    @property
    def document(self) -> bytes:
        """RFC 8785 form; what is stored."""
        return canonical(self.model_dump(mode="json"))
