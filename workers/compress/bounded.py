"""Long output made short for a model: its first and last lines, with a line that says what is missing. The raw text is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HEAD_LINES: Final = 120
TAIL_LINES: Final = 280
LINE_CHARACTERS: Final = 1_000
MOST_BYTES: Final = 24_000
BYTES_PER_TOKEN: Final = 4


@dataclass(frozen=True, slots=True)
class Bounded:
    """What is shown, and how much of the raw text's lines and bytes (UTF-8) that is."""

    text: str
    lines: int
    lines_shown: int
    whole: bool


def tokens(text: str) -> int:
    """About how many tokens a text has: a quarter of its bytes."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN)


def bounded(text: str, more: str) -> Bounded:
    """The text when it is short, else its head and its tail; ``more`` says in a clause how to see the rest.

    Never longer than the input and one line.
    """
    lines = text.split("\n")
    if len(text.encode("utf-8", "surrogatepass")) <= MOST_BYTES and len(lines) <= HEAD_LINES + TAIL_LINES:
        return Bounded(text, len(lines), len(lines), whole=True)
    head = _within(lines[:HEAD_LINES], MOST_BYTES // 3)
    rest = lines[len(head) :]
    tail = _within(rest[-TAIL_LINES:][::-1], MOST_BYTES - MOST_BYTES // 3)[::-1]
    left_out = len(rest) - len(tail)
    gap = [f"[... {left_out} lines left out; {more} ...]"] if left_out else []
    return Bounded("\n".join([*head, *gap, *tail]), len(lines), len(head) + len(tail), whole=False)


def _within(lines: list[str], most: int) -> list[str]:
    """As many of the lines, in order, as fit; a line that is too long is cut and says so."""
    found: list[str] = []
    for line in lines:
        cut = line if len(line) <= LINE_CHARACTERS else f"{line[:LINE_CHARACTERS]}[... line cut ...]"
        most -= len(cut.encode("utf-8", "surrogatepass")) + 1
        if most < 0:
            break
        found.append(cut)
    return found
