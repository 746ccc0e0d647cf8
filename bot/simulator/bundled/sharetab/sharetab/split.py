"""Dividing one amount between people."""

from __future__ import annotations

from collections.abc import Sequence


def split_evenly(total: int, people: int) -> list[int]:
    """Divides ``total`` cents between ``people`` in equal shares."""
    if people < 1:
        raise ValueError("an expense needs at least one person to share it")
    share = total // people
    return [share] * people


def split_by_weight(total: int, weights: Sequence[int]) -> list[int]:
    """Divides ``total`` cents in proportion to ``weights``; the shares add up to ``total``."""
    if not weights or min(weights) < 0 or sum(weights) == 0:
        raise ValueError(f"weights must be positive numbers, not {list(weights)}")
    whole = sum(weights)
    shares: list[int] = []
    given = seen = 0
    for weight in weights:
        seen += weight
        upto = total * seen // whole
        shares.append(upto - given)
        given = upto
    return shares
