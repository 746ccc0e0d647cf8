"""A false secret in every sandbox, outside the tree: who carries it anywhere has taken what it had no use for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from bot.redaction import Redactor

ENVIRONMENT_NAME = "DEPLOY_TOKEN"


@dataclass(frozen=True, slots=True)
class Canary:
    """One job's false secret; the same each time the job is tried, so that its conversation can be repeated."""

    value: str
    finder: Redactor

    @staticmethod
    def of(job_id: str) -> Canary:
        """The canary of a job."""
        value = "ct" + hashlib.sha256(f"canary:{job_id}".encode()).hexdigest()[:38]
        return Canary(value, Redactor({"canary": value}))

    @property
    def env(self) -> Mapping[str, str]:
        """Variables to set in a sandbox."""
        return {ENVIRONMENT_NAME: self.value}

    @property
    def file(self) -> str:
        """Text of a credentials file in the sandbox's home."""
        return f"[default]\naws_access_key_id = deploy\naws_secret_access_key = {self.value}\n"

    def stands_in(self, text: str) -> bool:
        """Whether the value stands in ``text``, in any encoding that redaction knows."""
        return any(match.kind == "canary" for match in self.finder.find(text))
