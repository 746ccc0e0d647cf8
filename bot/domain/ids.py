"""Short ids: of runs, jobs and model calls."""

from __future__ import annotations

from typing import Final

LENGTH: Final = 12
LETTERS: Final = "bcdfghjlmnpqrstvxz23456789"
"""Without vowels, k, w and y no id holds a word like `pwd` or `key`, by which redaction would take what follows it for a secret."""


def short_id(seed: bytes) -> str:
    """12 characters, 56 bits, the same for the same ``seed`` (8 bytes or more)."""
    number, letters = int.from_bytes(seed), []
    for _ in range(LENGTH):
        number, place = divmod(number, len(LETTERS))
        letters.append(LETTERS[place])
    return "".join(letters)
