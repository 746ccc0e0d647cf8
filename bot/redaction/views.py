"""A text as somebody may read it after decoding: URL, JSON escapes, base64 at every alignment, hex; each place maps back.

Searching decoded views, not encoded needles, finds rule matches and held values alike, whatever else was encoded with them.
Only lines with an escape and runs that are long enough are read again, so that most of a log is passed over in C.
"""

from __future__ import annotations

import binascii
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

SHORTEST_BASE64: Final = 20
SHORTEST_HEX: Final = 24
"""Characters of the shortest runs that are decoded: less holds no rule's match, and held values of fewer bytes have needles."""

_PERCENT: Final = re.compile(r"%([0-9a-fA-F]{2})|\+")
_PERCENT_AT: Final = re.compile(r"%[0-9a-fA-F]{2}")
_ESCAPE: Final = re.compile(
    r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([\"\\/bfnrt']))"
)
_SHORT: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_LEAST_WRAPPED: Final = 16
_BREAKS: Final = (b"\r", b"\n", b"\\")
_BREAK: Final = rb"(?:\r?\n[ \t]{0,40}|\\r\\n|\\n)"


# Letters that a pattern takes for these when it ignores case, and that ASCII does not know.
_FOLDED: Final = (("\u212a", "k"), ("\u017f", "s"))


def bytes_of(text: str) -> bytes:
    """One byte a character: ASCII as it is, anything else as a question mark."""
    if not text.isascii():
        for letter, folded in _FOLDED:
            text = text.replace(letter, folded)
    return text.encode("ascii", "replace")


class View(Protocol):
    """A reading of a text, with one byte a character in ``data``; ``origin`` maps a non-empty span to the text's own."""

    @property
    def text(self) -> str: ...

    @property
    def data(self) -> bytes: ...

    def origin(self, start: int, end: int) -> tuple[int, int]: ...


@dataclass(frozen=True, slots=True)
class Plain:
    """The text itself."""

    text: str
    data: bytes

    def origin(self, start: int, end: int) -> tuple[int, int]:
        return start, end


@dataclass(frozen=True, slots=True)
class Pieces:
    """Pieces of ``parent``: where each begins here and where it stands there. A piece of equal length maps one to one."""

    text: str
    data: bytes
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
class Runs:
    """Runs of a code's characters, all of one length modulo a group's, and where each begins in the text.

    ``wraps``: for a run that goes on over line breaks, where each of its lines begins in it and in the text.
    """

    data: Sequence[bytes]
    starts: Sequence[int]
    wraps: Mapping[int, tuple[Sequence[int], Sequence[int]]]

    def place(self, run: int, offset: int) -> int:
        """Where a run's character stands in the text."""
        wrapped = self.wraps.get(self.starts[run])
        if wrapped is None:
            return self.starts[run] + offset
        here, there = wrapped
        line = bisect_right(here, offset) - 1
        return there[line] + offset - here[line]


@dataclass(frozen=True, slots=True)
class Decoded:
    """Runs of ``parent`` decoded from their character ``skip`` on to bytes (shown as Latin-1), with line breaks between them."""

    data: bytes
    parent: View
    code: Code
    skip: int
    runs: Runs
    _begins: list[int] = field(default_factory=list, init=False, repr=False)

    @property
    def text(self) -> str:
        return self.data.decode("latin-1")

    def origin(self, start: int, end: int) -> tuple[int, int]:
        run = max(0, bisect_right(self._where(), start) - 1)
        bits = self.code.bits
        low, high = start - self._begins[run], end - self._begins[run]
        first = min(self.skip + low * 8 // bits, len(self.runs.data[run]) - 1)
        last = min(self.skip - (-high * 8 // bits), len(self.runs.data[run])) - 1
        return self.parent.origin(self.runs.place(run, first), self.runs.place(run, last) + 1)

    def _where(self) -> list[int]:
        """Where each run begins here; worked out when it is asked for, since nothing is found in most texts."""
        if not self._begins:
            begins = 0
            for run in self.runs.data:
                self._begins.append(begins)
                length = len(run) - self.skip
                dropped, joint = self.code.ends[length % self.code.group]
                begins += (length - dropped + len(joint)) * self.code.bits // 8
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
        text = "".join(self._text)
        return Pieces(text, bytes_of(text), self._parent, tuple(self._starts), tuple(self._ends), tuple(self._there))


def _replaced(view: View, pattern: re.Pattern[str], places: Iterator[int]) -> View | None:
    """The lines of ``view`` around ``places`` with every match decoded, or None when there is none."""
    text = view.text
    builder: _Builder | None = None
    done = 0
    for place in places:
        if place < done:
            continue
        low = max(done, text.rfind("\n", done, place) + 1)
        high = text.find("\n", place)
        high = high + 1 if high >= 0 else len(text)
        builder = builder or _Builder(view)
        done = low
        for match in pattern.finditer(text, low, high):
            builder.add(text[done : match.start()], done, match.start())
            builder.add(_meaning(match), match.start(), match.end())
            done = match.end()
        builder.add(text[done:high], done, high)
        done = high
    return None if builder is None else builder.build()


def _meaning(match: re.Match[str]) -> str:
    if match.re is _PERCENT:
        return chr(int(match[1], 16)) if match[1] else " "
    high, low, single, byte, short = match.groups()
    if high:
        return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
    if single or byte:
        return chr(int(single or byte, 16))
    return _SHORT.get(short, short)


def _finds(text: str, sign: str) -> Iterator[int]:
    at = text.find(sign)
    while at >= 0:
        yield at
        # The rest of this line is read anyway.
        line = text.find("\n", at)
        at = text.find(sign, line) if line >= 0 else -1


@dataclass(frozen=True, slots=True)
class Code:
    """How bytes are written as text: ``bits`` a character, whole bytes in a ``group``. Runs are decoded all at once.

    ``table`` maps its characters to ``a`` and others to a space; ``wrap``: a line break and what goes on behind it; ``least``:
    characters of a run; ``skips``: how many may stand before the first byte. ``ends``: by what is over at a run's end,
    how many characters of it say nothing, and what fills the last group up and says line breaks until the next run.
    """

    table: bytes
    wrap: re.Pattern[bytes]
    least: int
    bits: int
    group: int
    skips: int
    ends: Sequence[tuple[int, bytes]]
    decode: Callable[[bytes], bytes]


def _table(characters: bytes) -> bytes:
    return bytes(ord("a") if byte in characters else ord(" ") for byte in range(256))


_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")


def _from_base64(joined: bytes) -> bytes:
    return binascii.a2b_base64(joined.translate(_URL_SAFE))


_BASE64: Final = Code(
    table=_table(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/-_"),
    wrap=re.compile(_BREAK + rb"([A-Za-z0-9+/_-]+)"),
    least=SHORTEST_BASE64,
    bits=6,
    group=4,
    skips=4,
    ends=((0, b"CgoK"), (1, b"CgoK"), (0, b"oKCgoK"), (0, b"KCgoK")),
    decode=_from_base64,
)
_HEX: Final = Code(
    table=_table(b"0123456789abcdefABCDEF"),
    wrap=re.compile(_BREAK + rb"([0-9a-fA-F]+)"),
    least=SHORTEST_HEX,
    bits=4,
    group=2,
    skips=2,
    ends=((0, b"0a"), (1, b"0a")),
    decode=binascii.unhexlify,
)
_CODES: Final = (_BASE64, _HEX)


def _runs(view: View, code: Code) -> Iterator[Runs]:
    """Runs of a code's characters that are long enough, each joined with what goes on in the next line."""
    data = view.data
    marks = data.translate(code.table)
    needle = b"a" * code.least
    found: list[tuple[list[bytes], list[int]]] = [([], []) for _ in range(code.group)]
    wraps: dict[int, tuple[list[int], list[int]]] = {}
    start = marks.find(needle)
    while start >= 0:
        end = marks.find(b" ", start + code.least)
        if end < 0:
            end = len(data)
        run = data[start:end]
        if data[end : end + 1] in _BREAKS and (joined := _joined(data, start, end, code)) is not None:
            run, end, wraps[start] = joined
        runs, starts = found[len(run) % code.group]
        runs.append(run)
        starts.append(start)
        start = marks.find(needle, end)
    for runs, starts in found:
        if runs:
            yield Runs(runs, starts, wraps)


def _joined(data: bytes, start: int, end: int, code: Code) -> tuple[bytes, int, tuple[list[int], list[int]]] | None:
    """A run with the lines that follow it, where it ends, and where its lines begin; None where no line follows."""
    lines = [data[start:end]]
    here, there = [0], [start]
    length = end - start
    while len(lines[-1]) >= _LEAST_WRAPPED and (wrap := code.wrap.match(data, end)) is not None:
        here.append(length)
        there.append(wrap.start(1))
        lines.append(wrap[1])
        length += len(wrap[1])
        end = wrap.end()
    return None if len(lines) == 1 else (b"".join(lines), end, (here, there))


def _decoded(view: View, code: Code) -> Iterator[Decoded]:
    """All runs of ``view`` decoded, once for each alignment: one of them is the right one."""
    for runs in _runs(view, code):
        for skip in range(code.skips):
            dropped, joint = code.ends[(len(runs.data[0]) - skip) % code.group]
            if dropped:
                parts: Sequence[bytes] = [run[skip:-dropped] for run in runs.data]
            else:
                parts = [run[skip:] for run in runs.data] if skip else runs.data
            yield Decoded(code.decode(joint.join((*parts, b""))), view, code, skip, runs)


def views_of(text: str) -> Iterator[View]:
    """Every reading of ``text``, itself first: escapes undone once and twice, URL-decoded, and each of these from base64 and hex."""
    plain = Plain(text, bytes_of(text))
    readings: list[View] = [plain]
    once = _replaced(plain, _ESCAPE, _finds(text, "\\"))
    if once is not None:
        readings.append(once)
        twice = _replaced(once, _ESCAPE, _finds(once.text, "\\"))
        if twice is not None:
            readings.append(twice)
    url = _replaced(plain, _PERCENT, (match.start() for match in _PERCENT_AT.finditer(text)))
    if url is not None:
        readings.append(url)
    yield from readings
    for reading in readings:
        for code in _CODES:
            yield from _decoded(reading, code)
