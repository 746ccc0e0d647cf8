"""What the sentences are told: plain values that services fill from their records (records are a layer above)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class FindingView:
    """One finding as people read it. ``path`` or ``pointer`` is its place; lines are 1-based and inclusive, 0 for none.

    ``unproven``: withdrawn at admission, counted and never shown. ``concern``: admitted without proof because it is about money.
    """

    id: str
    status: str
    severity: str
    category: str
    title: str
    claim: str
    reason: str
    raised_by: tuple[str, ...]
    source: str
    round: int
    path: str = ""
    start_line: int = 0
    end_line: int = 0
    quote: str = ""
    pointer: str = ""
    suggestion: str = ""
    unproven: bool = False
    concern: bool = False


class RunFacts(Protocol):
    """The few fields of a run that answers speak of; money in micro-dollars."""

    @property
    def id(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def spent_micro_dollars(self) -> int: ...
    @property
    def budget_micro_dollars(self) -> int: ...
    @property
    def halt_reason(self) -> str: ...
    @property
    def known(self) -> Mapping[str, Any]: ...
