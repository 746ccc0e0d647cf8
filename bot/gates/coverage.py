"""What a reviewer judged without having opened it (DESIGN section 5, *Review gate*): this proves delivery, not attention."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from bot.domain.facts import Delivered
from bot.domain.paths import shown
from bot.domain.plan import Plan
from bot.domain.work import FileDiff

Side = Literal["base", "head"]
Ranges = Mapping[tuple[Side, str], Sequence[tuple[int, int]]]


def uncovered(diff: Sequence[FileDiff], delivered: Sequence[Delivered]) -> tuple[str, ...]:
    """Places of ``diff`` that are in none of the ``delivered`` lines, in words; empty when all of it was opened.

    Added lines count on the head side, deleted lines on the base side; binary files are exempt, and so is a file without
    hunks (an empty one, or a change of mode), for it has no lines to open.
    """
    ranges = _merged(delivered)
    found: list[str] = []
    for file in diff:
        if file.binary:
            continue
        for hunk in file.hunks:
            found += _missing(ranges, "base", file.path, hunk.base_start, hunk.base_start + hunk.base_count - 1)
            found += _missing(ranges, "head", file.path, hunk.head_start, hunk.head_start + hunk.head_count - 1)
    return tuple(found)


def uncovered_citations(plan: Plan, delivered: Sequence[Delivered]) -> tuple[str, ...]:
    """Citations of ``plan`` whose lines were not delivered whole, in words. A plan's reviewer sees base alone."""
    as_base = [one.model_copy(update={"side": "base"}) for one in delivered]
    ranges = _merged(as_base)
    found: list[str] = []
    for citation in plan.grounds:
        found += _missing(ranges, "base", citation.path, citation.start_line, citation.end_line)
    return tuple(dict.fromkeys(found))


def _merged(delivered: Iterable[Delivered]) -> dict[tuple[Side, str], list[tuple[int, int]]]:
    """Per side and path the delivered ranges, ordered, touching ones joined."""
    found: dict[tuple[Side, str], list[tuple[int, int]]] = {}
    for one in sorted(delivered, key=lambda each: (each.side, each.path, each.start_line, each.end_line)):
        if one.end_line < one.start_line:
            continue
        ranges = found.setdefault((one.side, one.path), [])
        if ranges and one.start_line <= ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], max(ranges[-1][1], one.end_line))
        else:
            ranges.append((one.start_line, one.end_line))
    return found


def _missing(ranges: Ranges, side: Side, path: str, first: int, last: int) -> list[str]:
    """The parts of lines ``first`` to ``last`` that no range holds; ``last`` before ``first`` means no lines."""
    found: list[str] = []
    at = first
    for start, end in ranges.get((side, path), ()):
        if at > last or start > last:
            break
        if end < at:
            continue
        if start > at:
            found.append(_place(side, path, at, start - 1))
        at = end + 1
    if at <= last:
        found.append(_place(side, path, at, last))
    return found


def _place(side: Side, path: str, first: int, last: int) -> str:
    lines = f"line {first}" if first == last else f"lines {first}-{last}"
    return f"{shown(path)} {lines} ({side})"
