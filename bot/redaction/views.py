"""A text as somebody may read it after decoding: URL, JSON escapes, base64 at every alignment, hex; each place maps back.

Searching decoded views, not encoded needles, finds rule matches and held values alike, whatever else was encoded with them.
"""

from __future__ import annotations

import binascii
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
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
    """Runs of ``parent`` decoded from their character ``skip`` on to bytes (as Latin-1), with line breaks between them."""

    text: str
    parent: View
    code: Code
    skip: int
    runs: Sequence[tuple[int, str]]
    _begins: list[int] = field(default_factory=list, init=False, repr=False)

    def origin(self, start: int, end: int) -> tuple[int, int]:
        run = max(0, bisect_right(self._where(), start) - 1)
        at, text = self.runs[run]
        low, high = start - self._begins[run], end - self._begins[run]
        bits, base = self.code.bits, at + self.skip
        return self.parent.origin(base + low * 8 // bits, min(base - (-high * 8 // bits), at + len(text)))

    def _where(self) -> list[int]:
        """Where each run begins here; worked out when it is asked for, since nothing is found in most texts."""
        if not self._begins:
            begins = 0
            for _, run in self.runs:
                self._begins.append(begins)
                begins += len(self.code.part(run, self.skip)) * self.code.bits // 8 + self.code.apart
        return self._begins


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


@dataclass(frozen=True, slots=True)
class Code:
    """How bytes are written as text, ``bits`` a character. All runs are decoded at once, joined by what says line breaks.

    ``skips``: how many characters may stand before the first byte; ``part``: what of a run is decoded then.
    """

    run: re.Pattern[str]
    bits: int
    skips: int
    part: Callable[[str, int], str]
    joint: str
    decode: Callable[[str], bytes]

    @property
    def apart(self) -> int:
        """Bytes between two runs."""
        return len(self.joint) * self.bits // 8


def _quads(run: str, skip: int) -> str:
    """Whole groups of four: the last is filled up with the bits of line breaks, a lone character says nothing."""
    rest = (len(run) - skip) % 4
    return run[skip : len(run) - 1] if rest == 1 else run[skip:] + ("", "", "oK", "K")[rest]


def _pairs(run: str, skip: int) -> str:
    return run[skip : len(run) - (len(run) - skip) % 2]


def _from_base64(joined: str) -> bytes:
    return binascii.a2b_base64(joined.replace("-", "+").replace("_", "/"))


_CODES: Final = (
    Code(_BASE64_RUN, 6, 4, _quads, "CgoK", _from_base64),
    Code(_HEX_RUN, 4, 2, _pairs, "0a", bytes.fromhex),
)


def _decoded(view: View, code: Code) -> Iterator[Decoded]:
    """All runs of ``view`` decoded, once for each alignment: one of them is the right one."""
    runs = [(match.start(), match.group()) for match in code.run.finditer(view.text)]
    for skip in range(code.skips if runs else 0):
        text = code.decode(code.joint.join([code.part(run, skip) for _, run in runs])).decode("latin-1")
        yield Decoded(text, view, code, skip, runs)


def views_of(text: str) -> Iterator[View]:
    """Every reading of ``text``, itself first: escapes undone once and twice, URL-decoded, and each of these from base64 and hex."""
    plain = Plain(text)
    readings: list[View] = [plain]
    once = _replaced(plain, _ESCAPE) if "\\" in text else None
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
        for code in _CODES:
            yield from _decoded(joined, code)
