"""Submissions: checked against their contract and by code, sent back with what is wrong at most three times (DESIGN section 5)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from workers.tools.contracts import sentences
from workers.tools.said import Said

Contracted = TypeVar("Contracted", bound=BaseModel)


@dataclass(slots=True)
class Submissions(Generic[Contracted]):
    """One context's submissions of one contract. ``check`` answers what code finds wrong with a well-formed one.

    When the last one allowed is well formed it counts, whatever ``check`` says: what is unproven in it is withdrawn later.
    """

    model: type[Contracted]
    check: Callable[[Contracted], Sequence[str]]
    send_backs: int = 3
    accepted: Contracted | None = None
    dropped: list[Contracted] = field(default_factory=list)
    sent_back: int = 0

    def submit(self, given: dict[str, Any]) -> Said:
        """Answer a submission; ``ends`` is set when there is no further one."""
        last = self.sent_back >= self.send_backs
        try:
            # As JSON, so that lists and words of an enumeration are read as such.
            value = self.model.model_validate_json(json.dumps(given))
        except ValidationError as error:
            return self._back(
                f"It does not have the form that is asked for:\n{sentences(error, self.model)}", last=last
            )
        problems = self.check(value)
        if problems and not last:
            self.dropped.append(value)
            told = "\n".join(f"- {one}" for one in problems[:30])
            return self._back(f"Code checked it and found:\n{told}", last=False)
        self.accepted = value
        return Said(
            "Accepted." if not problems else "Taken as it is: it was sent back often enough.",
            rule="submission.accepted",
            ends=True,
        )

    def _back(self, why: str, *, last: bool) -> Said:
        self.sent_back += 1
        if last:
            text = f"{why}\nThis was the last submission, so there is none."
        else:
            left = self.send_backs - self.sent_back + 1
            text = f"{why}\nMend it and submit it again, whole; {left} more {'is' if left == 1 else 'are'} looked at."
        return Said(text, is_error=True, decision="deny", rule="submission.invalid", ends=last)
