"""A gate's answer: a verdict, and a tree of reasons with the values seen (I4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar


class Verdict(StrEnum):
    """What a verifier found. Unknown closes the gate like a failure."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Reason:
    """One verifier's answer: a sentence, the values it saw, and the reasons below it."""

    verifier: str
    verdict: Verdict
    sentence: str
    values: dict[str, Any] = field(default_factory=dict)
    below: tuple[Reason, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For evidence, artifacts and pages."""
        found: dict[str, Any] = {"verifier": self.verifier, "verdict": self.verdict.value, "sentence": self.sentence}
        if self.values:
            found["values"] = self.values
        if self.below:
            found["below"] = [reason.as_json() for reason in self.below]
        return found


Facts = TypeVar("Facts")
Verifier = Callable[[Facts], Reason]


@dataclass(frozen=True, slots=True)
class GateResult:
    """Open only when every verifier passed."""

    gate: str
    is_open: bool
    reasons: tuple[Reason, ...]

    @property
    def closed_by(self) -> tuple[str, ...]:
        """The sentences that closed it."""
        return tuple(reason.sentence for reason in self.reasons if reason.verdict is not Verdict.PASS)

    def as_json(self) -> dict[str, Any]:
        """For the evidence table."""
        return {"gate": self.gate, "open": self.is_open, "reasons": [reason.as_json() for reason in self.reasons]}


@dataclass(frozen=True, slots=True)
class Gate(Generic[Facts]):
    """A named list of verifiers. A verifier that raises counts as unknown, which closes; no verifiers: closed."""

    name: str
    verifiers: Sequence[tuple[str, Verifier[Facts]]]

    def evaluate(self, facts: Facts) -> GateResult:
        """Ask every verifier; all reasons are kept, also those after the first failure."""
        reasons = tuple(self._ask(name, verifier, facts) for name, verifier in self.verifiers)
        is_open = bool(reasons) and all(reason.verdict is Verdict.PASS for reason in reasons)
        return GateResult(self.name, is_open, reasons)

    @staticmethod
    def _ask(name: str, verifier: Verifier[Facts], facts: Facts) -> Reason:
        try:
            return verifier(facts)
        except Exception as error:  # noqa: BLE001 - a verifier that breaks is a closed gate, with its error as the reason (I4)
            return Reason(name, Verdict.UNKNOWN, f"{name} could not be checked: {type(error).__name__}: {error}")
