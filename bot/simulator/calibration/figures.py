"""What was measured, as rates with their 95 % Wilson intervals. Pure: results in, figures out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from bot.simulator.calibration.syntax import Defect

Z95: Final = 1.959963984540054
"""Two-sided 95 % point of the normal distribution."""
MOST_CITED: Final = 20
"""Lines of a citation up to which all of them count as its place; a longer one is where its quote stands."""


@dataclass(frozen=True, slots=True)
class Raised:
    """A verified finding. ``touches``: whether it cites a seeded line. ``seats``: who raised it."""

    id: str
    seats: tuple[str, ...]
    severity: str
    category: str
    title: str
    places: tuple[tuple[str, int, int], ...]
    touches: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """One diff after its review. ``defect`` is None for a clean one; ``problem`` says why there is no counting review."""

    number: int
    commit: str
    defect: Defect | None
    path: str
    lines: tuple[int, int]
    before: str
    after: str
    findings: tuple[Raised, ...]
    problem: str
    micro_dollars: int

    @property
    def caught(self) -> bool:
        return any(one.touches for one in self.findings)


@dataclass(frozen=True, slots=True)
class Rate:
    """``hits`` of ``trials``; ``low`` and ``high`` bound the true rate at 95 %. Without trials nothing is known."""

    hits: int
    trials: int

    @property
    def value(self) -> float | None:
        return self.hits / self.trials if self.trials else None

    @property
    def low(self) -> float | None:
        return None if not self.trials else wilson(self.hits, self.trials)[0]

    @property
    def high(self) -> float | None:
        return None if not self.trials else wilson(self.hits, self.trials)[1]


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """The Wilson score interval (Wilson 1927, JASA 22: 209-212). Raises ``ValueError`` unless 0 <= hits <= trials, trials > 0."""
    if trials <= 0 or not 0 <= hits <= trials:
        raise ValueError(f"{hits} of {trials} is no rate")
    share, square = hits / trials, Z95 * Z95
    middle = share + square / (2 * trials)
    spread = Z95 * math.sqrt(share * (1 - share) / trials + square / (4 * trials * trials))
    scale = 1 + square / trials
    # Rounding must not make a certain bound uncertain.
    low = 0.0 if hits == 0 else max(0.0, (middle - spread) / scale)
    high = 1.0 if hits == trials else min(1.0, (middle + spread) / scale)
    return low, high


def touches(cited: tuple[int, int], quoted: Callable[[], Sequence[tuple[int, int]]], seeded: tuple[int, int]) -> bool:
    """Whether a citation of lines ``cited`` is about the ``seeded`` ones.

    A citation of a whole file proves no attention: beyond ``MOST_CITED`` lines only where the quote stands counts.
    """
    ranges = [cited] if cited[1] - cited[0] < MOST_CITED else quoted()
    return any(first <= seeded[1] and seeded[0] <= last for first, last in ranges)


def rate(results: Iterable[Judged], hit: Callable[[Judged], bool]) -> Rate:
    """The share of ``results`` with a counting review that ``hit`` is true of."""
    counted = [one for one in results if not one.problem]
    return Rate(sum(1 for one in counted if hit(one)), len(counted))


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that a report tells. Rates of clean diffs are by diff: one with two false alarms counts once."""

    catch: Rate
    catch_by_defect: tuple[tuple[str, Rate], ...]
    catch_by_seat: tuple[tuple[str, Rate], ...]
    alarm: Rate
    alarm_by_category: tuple[tuple[str, Rate], ...]
    alarm_by_seat: tuple[tuple[str, Rate], ...]
    false_findings: int
    not_reviewed: int


def figures(results: Sequence[Judged], seats: Sequence[str]) -> Figures:
    """Tally ``results``; defects and categories that did not come up are left out."""
    seeded = [one for one in results if one.defect is not None]
    clean = [one for one in results if one.defect is None]
    named = [defect for defect in Defect if any(one.defect is defect for one in seeded)]
    categories = sorted({finding.category for one in clean if not one.problem for finding in one.findings})
    by_seat = {seat: (_by(seat, touching=True), _by(seat, touching=False)) for seat in seats}
    return Figures(
        catch=rate(seeded, lambda one: one.caught),
        catch_by_defect=tuple(
            (defect.value, rate([one for one in seeded if one.defect is defect], lambda one: one.caught))
            for defect in named
        ),
        catch_by_seat=tuple((seat, rate(seeded, catches)) for seat, (catches, _) in by_seat.items()),
        alarm=rate(clean, lambda one: bool(one.findings)),
        alarm_by_category=tuple((name, rate(clean, _about(name))) for name in categories),
        alarm_by_seat=tuple((seat, rate(clean, alarms)) for seat, (_, alarms) in by_seat.items()),
        false_findings=sum(len(one.findings) for one in clean if not one.problem),
        not_reviewed=sum(1 for one in results if one.problem),
    )


def _by(seat: str, *, touching: bool) -> Callable[[Judged], bool]:
    return lambda result: any(seat in one.seats and (one.touches or not touching) for one in result.findings)


def _about(category: str) -> Callable[[Judged], bool]:
    return lambda result: any(one.category == category for one in result.findings)
