"""A text as somebody may read it after decoding: URL, JSON escapes, base64 at every alignment, hex; each place maps back.

Searching decoded views, not encoded needles, finds rule matches and held values alike, whatever else was encoded with them.
"""

from __future__ import annotations

import base64
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

# Shorter runs hold less than nine bytes: too little to be told from words.
_BASE64_RUN: Final = re.compile(r"[A-Za-z0-9+/_-]{12,}")
_WRAP: Final = re.compile(r"(?<=[A-Za-z0-9+/_-]{16})(?:\r?\n[ \t]{0,40}|\\r\\n|\\n)(?=[A-Za-z0-9+/_-])")
_HEX_RUN: Final = re.compile(r"[0-9a-fA-F]{12,}")
_PERCENT: Final = re.compile(r"%([0-9a-fA-F]{2})|\+")
_ESCAPE: Final = re.compile(
    r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([\"\\/bfnrt']))"
)
_SHORT: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_URLSAFE: Final = str.maketrans("-_", "+/")


class View(Protocol):
    """A reading of a text; ``origin`` maps a non-empty span of it to the span of the text that says it."""

    @property
    def text(self) -> str: ...

    def origin(self, start: int, end: int) -> tuple[int, int]: ...


@dataclass(frozen=True, slots=True)
class Plain:
    """The text itself."""

    text: str

    def origin(self, start: int, end: int) -> tuple[int, int]:
        return start, end


@dataclass(frozen=True, slots=True)
class Pieces:
    """Pieces of ``parent``: where each begins here and where it stands there. A piece of equal length maps one to one."""

    text: str
    parent: View
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    there: tuple[tuple[int, int], ...]

    def origin(self, start: int, end: int) -> tuple[int, int]:
        first = self._at(start)
        last = self._at(end - 1)
        low, high = self.there[first]
        if high - low == self.ends[first] - self.starts[first]:
            low += start - self.starts[first]
        bottom, top = self.there[last]
        if top - bottom == self.ends[last] - self.starts[last]:
            top = bottom + end - self.starts[last]
        return self.parent.origin(low, top)

    def _at(self, position: int) -> int:
        return max(0, bisect_right(self.starts, position) - 1)


@dataclass(frozen=True, slots=True)
class Decoded:
    """Runs of ``parent`` decoded to bytes (as Latin-1), ``bits`` a character; runs are apart by a line break each."""

    text: str
    parent: View
    bits: int
    starts: tuple[int, ...]
    there: tuple[int, ...]

    def origin(self, start: int, end: int) -> tuple[int, int]:
        run = max(0, bisect_right(self.starts, start) - 1)
        low, high = start - self.starts[run], end - self.starts[run]
        base = self.there[run]
        return self.parent.origin(base + low * 8 // self.bits, base + -(-high * 8 // self.bits))


class _Builder:
    """Collects pieces; empty ones are dropped, so that every start is one piece's."""

    def __init__(self, parent: View) -> None:
        self._parent = parent
        self._text: list[str] = []
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._there: list[tuple[int, int]] = []
        self._length = 0

    def add(self, text: str, low: int, high: int) -> None:
        if not text:
            return
        self._text.append(text)
        self._starts.append(self._length)
        self._length += len(text)
        self._ends.append(self._length)
        self._there.append((low, high))

    def build(self) -> Pieces:
        return Pieces("".join(self._text), self._parent, tuple(self._starts), tuple(self._ends), tuple(self._there))


def _replaced(view: View, pattern: re.Pattern[str]) -> View | None:
    """``view`` with every match decoded (or removed, where it says nothing), or None when there is none."""
    text = view.text
    builder: _Builder | None = None
    done = 0
    for match in pattern.finditer(text):
        builder = builder or _Builder(view)
        builder.add(text[done : match.start()], done, match.start())
        builder.add(_meaning(match), match.start(), match.end())
        done = match.end()
    if builder is None:
        return None
    builder.add(text[done:], done, len(text))
    return builder.build()


def _meaning(match: re.Match[str]) -> str:
    if match.re is _WRAP:
        return ""
    if match.re is _PERCENT:
        return chr(int(match[1], 16)) if match[1] else " "
    high, low, single, byte, short = match.groups()
    if high:
        return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
    if single or byte:
        return chr(int(single or byte, 16))
    return _SHORT.get(short, short)


def _base64(view: View, skip: int) -> Decoded | None:
    """All base64 runs of ``view`` decoded from their character ``skip`` on: one of the four alignments is the right one."""
    text: list[str] = []
    starts: list[int] = []
    there: list[int] = []
    length = 0
    for match in _BASE64_RUN.finditer(view.text):
        run = match.group()[skip:].translate(_URLSAFE)
        run = run[: len(run) - 1] if len(run) % 4 == 1 else run
        decoded = base64.b64decode(run + "=" * (-len(run) % 4)).decode("latin-1")
        starts.append(length)
        there.append(match.start() + skip)
        text.append(decoded)
        length += len(decoded) + 1
    return Decoded("\n".join(text), view, 6, tuple(starts), tuple(there)) if text else None


def _hex(view: View, skip: int) -> Decoded | None:
    text: list[str] = []
    starts: list[int] = []
    there: list[int] = []
    length = 0
    for match in _HEX_RUN.finditer(view.text):
        run = match.group()[skip:]
        decoded = bytes.fromhex(run[: len(run) - len(run) % 2]).decode("latin-1")
        starts.append(length)
        there.append(match.start() + skip)
        text.append(decoded)
        length += len(decoded) + 1
    return Decoded("\n".join(text), view, 4, tuple(starts), tuple(there)) if text else None


def views_of(text: str) -> Iterator[View]:
    """Every reading of ``text``, itself first: escapes undone once and twice, URL-decoded, and each of these from base64 and hex."""
    plain = Plain(text)
    readings: list[View] = [plain]
    once = _replaced(plain, _ESCAPE)
    if once is not None:
        readings.append(once)
        twice = _replaced(once, _ESCAPE)
        if twice is not None:
            readings.append(twice)
    if "%" in text:
        url = _replaced(plain, _PERCENT)
        if url is not None:
            readings.append(url)
    yield from readings
    for reading in readings:
        joined = _replaced(reading, _WRAP) or reading
        for skip in range(4):
            decoded = _base64(joined, skip)
            if decoded is not None:
                yield decoded
        for skip in range(2):
            decoded = _hex(joined, skip)
            if decoded is not None:
                yield decoded
