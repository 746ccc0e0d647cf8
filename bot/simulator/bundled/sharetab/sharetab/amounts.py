"""Amounts of money as people write them, and as whole cents."""

from __future__ import annotations

import re

_AMOUNT = re.compile(r"(?P<sign>-?)(?P<whole>\d{1,9})(?:\.(?P<fraction>\d{1,2}))?")


class AmountError(ValueError):
    """The text is not an amount of money."""


def parse_amount(text: str) -> int:
    """Reads an amount such as ``12``, ``12.50`` or ``-3.00`` and returns it in cents."""
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        raise AmountError(f"{text!r} is not an amount: write it like 12.50")
    cents = int(match["whole"]) * 100
    if match["fraction"]:
        cents += int(match["fraction"])
    return -cents if match["sign"] else cents


def format_amount(cents: int) -> str:
    """Writes cents with two digits after the point."""
    sign = "-" if cents < 0 else ""
    whole, fraction = divmod(abs(cents), 100)
    return f"{sign}{whole}.{fraction:02d}"
