"""A file as a model sees it: redacted whole, since secrets span lines, then cut into lines that know where they stand.

A run of hidden characters is a mark there, as in all that evidence is compared with.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from bot.domain.hidden_characters import veiled
from bot.gates.evidence import lines_in
from bot.redaction import Redacted, Redactor


@dataclass(frozen=True, slots=True)
class Lines:
    """Redacted lines in their own numbering, which evidence uses; ``raw`` holds each one's first and last line in the file.

    The two differ only where a secret of several lines became one placeholder.
    """

    text: tuple[str, ...]
    raw: tuple[tuple[int, int], ...]

    def shown(self, number: int) -> str:
        """Line ``number`` (from 1) for display: bytes that are no UTF-8 become the replacement character."""
        line = self.text[number - 1].rstrip("\r")
        return line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")

    def of_raw(self, first: int, last: int) -> tuple[int, int]:
        """The range of lines here that show the file's lines ``first`` to ``last``; (1, 0) when there are none."""
        hit = [number for number, (start, end) in enumerate(self.raw, 1) if start <= last and first <= end]
        return (hit[0], hit[-1]) if hit else (1, 0)


def lines_of(data: bytes, redactor: Redactor) -> Lines | None:
    """The lines of a text file, or None for a binary one."""
    if b"\0" in data:
        return None
    text = data.decode("utf-8", "surrogateescape")
    redacted = redactor.redact(text)
    lines = tuple(lines_in(redacted.text))
    shown = tuple(lines_in(veiled(redacted.text)))
    if not redacted.found:
        return Lines(shown, tuple((number, number) for number in range(1, len(lines) + 1)))
    return Lines(shown, _mapped(text, redacted, lines, redactor))


def _mapped(text: str, redacted: Redacted, lines: tuple[str, ...], redactor: Redactor) -> tuple[tuple[int, int], ...]:
    """Where each redacted line begins and ends in the original, as lines of it."""
    breaks = [index for index, char in enumerate(text) if char == "\n"]
    # Pieces of the redacted text: where each begins there, and the span of the original that it stands for.
    starts: list[int] = []
    spans: list[tuple[int, int, bool]] = []
    position = done = 0
    for match in redacted.found:
        for low, high, kept in ((done, match.start, True), (match.start, match.end, False)):
            starts.append(position)
            spans.append((low, high, kept))
            position += high - low if kept else len(redactor.placeholder(match))
        done = match.end
    starts.append(position)
    spans.append((done, len(text), True))

    def origin(at: int, *, last: bool) -> int:
        piece = max(bisect_right(starts, at) - 1, 0)
        low, high, kept = spans[piece]
        if kept:
            return low + at - starts[piece]
        return max(high - 1, low) if last else low

    found: list[tuple[int, int]] = []
    begin = 0
    for line in lines:
        end = begin + len(line)
        first = bisect_right(breaks, origin(begin, last=False) - 1) + 1
        last = bisect_right(breaks, origin(max(end - 1, begin), last=True) - 1) + 1
        found.append((first, max(first, last)))
        begin = end + 1
    return tuple(found)
