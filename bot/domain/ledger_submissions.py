"""What a round of reviews hands to the ledger, and what it gets back (DESIGN section 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from bot.domain.citation import Evidence
from bot.domain.ledger import Ledger, LedgerEvent, Notice
from bot.domain.review import Review


class EvidenceCheck(Protocol):
    """Looks evidence up at the revision under review. Answers are the reason against, "" when there is none."""

    def problem(self, piece: Evidence) -> str:
        """Why ``piece`` is not proven at the revision under review."""
        ...

    def untouched(self, piece: Evidence, since: str) -> str:
        """Why nothing changed at a proven piece's place since revision ``since``, white space and comments aside."""
        ...

    def times(self, piece: Mapping[str, Any], at: str | None) -> int | None:
        """How often a recorded piece's quote stands in its file or value at revision ``at`` (None: under review), if known."""
        ...

    def is_gone(self, path: str) -> bool:
        """Whether there is no such text file under review, by none of the names that renames gave it."""
        ...


@dataclass(frozen=True, slots=True)
class SeatSubmissions:
    """One seat's counting review, and the submissions of the same context that it replaced, oldest first."""

    seat: str
    review: Review
    dropped: tuple[Review, ...] = ()


@dataclass(frozen=True, slots=True)
class AdmissionRound:
    """One round of reviews, submissions in the order of seats.

    ``revision``: hash of what was judged. ``on_document``: the subject is a document (a plan), so findings need a pointer.
    ``seats``: every seat that must agree, also one without a counting review. ``renamed_from``: new path to its first name.
    """

    stage: str
    round: int
    revision: str
    submissions: tuple[SeatSubmissions, ...]
    seats: tuple[str, ...]
    on_document: bool = False
    financial_risk: tuple[str, ...] = ()
    renamed_from: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Admission:
    """What a round came to. ``leaves_open``: by seat, the findings it adds or leaves open; such an approval is none."""

    ledger: Ledger
    events: tuple[LedgerEvent, ...]
    notices: tuple[Notice, ...]
    leaves_open: dict[str, tuple[str, ...]]
