"""Finds and replaces secrets: values that Conductor holds, and whatever the rules know (I9).

A replacement is stable and says what stood there: ``[secret:aws-key:3f2a]``, with a run's tag ``[secret:aws-key:3f2a:r7]``.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

from ahocorasick_rs import BytesAhoCorasick, Implementation

from bot.redaction.assignments import ASSIGNED_KINDS, ASSIGNED_WORDS, assignments
from bot.redaction.contexts import CONTEXT_RULES, PRIVATE_KEY, PRIVATE_KEY_WORD, private_keys
from bot.redaction.files import FILE_KINDS, FILE_WORDS, file_secrets
from bot.redaction.logins import LOGIN_RULES
from bot.redaction.repeats import repeats
from bot.redaction.rules import Found, Rule, WordIndex
from bot.redaction.tables import TABLE_WORDS, table_secrets
from bot.redaction.vendors import VENDOR_RULES
from bot.redaction.views import SHORTEST_BASE64, View, bytes_of, views_of

SHORTEST_HELD: Final = 4
"""Characters of the shortest value that can be held: anything shorter would be found in every text."""

SHORTEST_HELD_LINE: Final = 20
"""Lines of a held value of several lines (a key file) are looked for one by one from this length on."""

SHORTEST_DECODED: Final = SHORTEST_BASE64 * 3 // 4 + 1
"""Bytes from which a held value is surely inside a run that is long enough to be decoded."""

TAG_DIGITS: Final = 8
"""Hexadecimal digits of a run's tag."""

LONGEST_KEPT: Final = 64
MOST_KEPT: Final = 2_000
"""Characters and number of texts that are known to hold no secret and not searched again, until so many are known: they are
forgotten then, as most of them come once."""

_KIND: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_TAG: Final = re.compile(r"[A-Za-z0-9-]{0,64}")
_OF_A_RUN: Final = re.compile(rf"[0-9a-f]{{{TAG_DIGITS}}}")
_RULE_KINDS: Final = frozenset(rule.kind for rule in (*VENDOR_RULES, *CONTEXT_RULES, *LOGIN_RULES)) | {
    PRIVATE_KEY,
    *ASSIGNED_KINDS,
    *FILE_KINDS,
}
_INDEX: Final = WordIndex(
    (
        PRIVATE_KEY_WORD,
        *ASSIGNED_WORDS,
        *FILE_WORDS,
        *TABLE_WORDS,
        *(word for rule in (*VENDOR_RULES, *CONTEXT_RULES, *LOGIN_RULES) for word in rule.words),
    )
)
# Lower is surer: what Conductor holds, then formats, then places.
_HELD, _PEM, _VENDOR, _CONTEXT, _FILE, _ASSIGNED, _REPEATED = range(7)


def _by_word() -> Mapping[str, Sequence[tuple[int, Rule]]]:
    found: dict[str, list[tuple[int, Rule]]] = {}
    for rank, rules in ((_VENDOR, VENDOR_RULES), (_CONTEXT, CONTEXT_RULES), (_CONTEXT, LOGIN_RULES)):
        for rule in rules:
            for word in rule.words:
                found.setdefault(word, []).append((rank, rule))
    return found


_RULES_BY_WORD: Final = _by_word()


@dataclass(frozen=True, slots=True)
class Match:
    """A secret: its kind, its span in the text (``text[start:end]``, as encoded there) and four hex digits that tell it apart."""

    kind: str
    start: int
    end: int
    digest: str


@dataclass(frozen=True, slots=True)
class Redacted:
    """A text without its secrets, and what was found, in the order of the text, with spans of the original."""

    text: str
    found: tuple[Match, ...]


@dataclass(frozen=True, slots=True)
class _Hit:
    start: int
    end: int
    rank: int
    kind: str
    value: str


class Redactor:
    """Redacts with the rules and with ``held``, values by kind. ``tag`` marks the placeholders of one run.

    Pure and safe to share between threads; neither ``repr`` nor errors show a held value. Raises ValueError for a kind or
    tag that does not fit a placeholder, and for a held value of fewer than SHORTEST_HELD characters; empty ones are ignored.
    """

    def __init__(self, held: Mapping[str, str] | None = None, tag: str = "") -> None:
        if not _TAG.fullmatch(tag):
            raise ValueError(f"the tag {tag[:80]!r} must be letters, digits and hyphens, 64 at most")
        self._held = dict(held or {})
        # Keys of JSON objects and the like come by the thousand; what holds a secret is never kept.
        self._clean: set[str] = set()
        self._needles = tuple(needle for kind, value in (held or {}).items() for needle in _needles(kind, value))
        self._automaton = _Needles(self._needles)
        # Compiled once for all runs: a run's own tag is compared, not part of it.
        self._placeholders = self._shape()
        self._tag = tag

    def _shape(self) -> re.Pattern[str]:
        """Placeholders of any run: known kinds and short tags only, so that nothing can be hidden inside a made-up one."""
        kinds = "|".join(sorted({kind for kind, _, _ in self._needles} | _RULE_KINDS))
        return re.compile(rf"\[secret:(?:{kinds}):[0-9a-f]{{4}}(?::([A-Za-z0-9-]{{1,64}}))?\]")

    def _is_own(self, tag: str | None) -> bool:
        """Whether a placeholder with that tag may stand: without one, with this redactor's, or with a run's."""
        return tag is None or tag == self._tag or _OF_A_RUN.fullmatch(tag) is not None

    def __repr__(self) -> str:
        return f"Redactor(held={len({kind for kind, _, _ in self._needles})} kinds, tag={self._tag!r})"

    def holding(self, more: Mapping[str, str]) -> Redactor:
        """The same redactor with ``more`` held values, by kind."""
        return Redactor({**self._held, **more}, self._tag)

    def of_run(self, run_id: str) -> Redactor:
        """The same redactor with the tag of a run: no file can hold a placeholder of a run that began after it was written."""
        other = copy.copy(self)
        other._tag = hashlib.sha256(f"placeholders:{run_id}".encode()).hexdigest()[:TAG_DIGITS]  # noqa: SLF001  # of this class
        return other

    def redact(self, text: str) -> Redacted:
        """Replaces every secret. A text that was redacted stays as it is."""
        found = self.find(text)
        parts: list[str] = []
        done = 0
        for match in found:
            parts += [text[done : match.start], self.placeholder(match)]
            done = match.end
        return Redacted("".join((*parts, text[done:])), found)

    def redact_all(self, value: Any) -> Any:
        """A JSON value with every text in it redacted, keys too."""
        match value:
            case str():
                return self.redact(value).text
            case dict():
                return {self.redact(str(key)).text: self.redact_all(item) for key, item in value.items()}
            case list() | tuple():
                return [self.redact_all(item) for item in value]
            case _:
                return value

    def find(self, text: str) -> tuple[Match, ...]:
        """Every secret, in the order of the text; spans do not overlap."""
        if text in self._clean:
            return ()
        hits = {hit for view in views_of(text) for hit in self._hits(view)}
        hits |= set(_repeated(text, hits))
        own = [match.span() for match in self._placeholders.finditer(text) if self._is_own(match[1])]
        merged = _merge(sorted(_outside(sorted(hits, key=_order), own), key=_order))
        found = tuple(Match(hit.kind, hit.start, hit.end, self._digest(hit.value)) for hit in merged)
        if not found and len(text) <= LONGEST_KEPT:
            if len(self._clean) >= MOST_KEPT:
                self._clean.clear()
            self._clean.add(text)
        return found

    def placeholder(self, match: Match) -> str:
        """What stands for a match."""
        return f"[secret:{match.kind}:{match.digest}{':' + self._tag if self._tag else ''}]"

    def placeholders(self, text: str) -> int:
        """How many placeholders with this redactor's tag stand in ``text``: an edit must not bring in more of them."""
        return sum(1 for match in self._placeholders.finditer(text) if (match[1] or "") == self._tag)

    def _digest(self, value: str) -> str:
        data = value.encode("utf-8", "surrogatepass")
        if self._tag:
            return hmac.new(self._tag.encode(), data, hashlib.sha256).hexdigest()[:4]
        return hashlib.sha256(data).hexdigest()[:4]

    def _hits(self, view: View) -> Iterator[_Hit]:
        for start, end, kind, value in self._automaton.find(view):
            yield _Hit(*view.origin(start, end), _HELD, kind, value)
        hits = list(_rule_hits(view))
        text = view.text if hits else ""
        for rank, found in hits:
            yield _Hit(*view.origin(found.start, found.end), rank, found.kind, text[found.start : found.end])


class _Needles:
    """Finds needles in a view: their bytes in one pass, as UTF-8 and as Latin-1, and those beyond ASCII in its text too."""

    def __init__(self, needles: Sequence[tuple[str, str, str]]) -> None:
        self._meanings: list[tuple[str, str]] = []
        patterns: list[bytes] = []
        self._wide = [needle for needle in needles if not needle[1].isascii()]
        for kind, needle, value in needles:
            forms = {needle.encode("utf-8", "surrogatepass")}
            if all(ord(char) < 256 for char in needle):
                forms.add(needle.encode("latin-1"))
            for form in sorted(forms):
                patterns.append(form)
                self._meanings.append((kind, value))
        self._bytes = BytesAhoCorasick(patterns, implementation=Implementation.DFA) if patterns else None

    def find(self, view: View) -> Iterator[tuple[int, int, str, str]]:
        """Start, end, kind and value of each."""
        if self._bytes is None:
            return
        for index, start, end in self._bytes.find_matches_as_indexes(view.data, overlapping=True):
            yield (start, end, *self._meanings[index])
        if self._wide and not view.text.isascii():
            for kind, needle, value in self._wide:
                start = view.text.find(needle)
                while start >= 0:
                    yield start, start + len(needle), kind, value
                    start = view.text.find(needle, start + len(needle))


def _rule_hits(view: View) -> Iterator[tuple[int, Found]]:
    places = _INDEX.places(view.data)
    if not places and b":" not in view.data[:80]:
        return
    text = view.text
    yield from ((_PEM, found) for found in private_keys(text, places))
    rules = {id(rule): (rank, rule) for word in places for rank, rule in _RULES_BY_WORD.get(word, ())}
    for rank, rule in rules.values():
        yield from ((rank, found) for found in rule.search(text, places))
    yield from ((_FILE, found) for found in file_secrets(text, places))
    yield from ((_FILE, found) for found in table_secrets(text, places))
    yield from ((_ASSIGNED, found) for found in assignments(text, places))


def _repeated(text: str, hits: AbstractSet[_Hit]) -> Iterator[_Hit]:
    """Other uses of what was found as it stands in the text."""
    kinds = {hit.value: hit.kind for hit in sorted(hits, key=_order) if text[hit.start : hit.end] == hit.value}
    if not kinds:
        return
    for start, end, value in repeats(text, bytes_of(text), kinds):
        yield _Hit(start, end, _REPEATED, kinds[value], value)


def _needles(kind: str, value: str) -> Iterator[tuple[str, str, str]]:
    """What to look for in every view: the value, its UTF-8 bytes read as Latin-1 (as decoded views show it), its lines."""
    if not _KIND.fullmatch(kind):
        raise ValueError(f"the kind {kind[:80]!r} must be lower-case letters, digits and hyphens, 40 at most")
    stripped = value.strip()
    if not stripped:
        return
    if len(stripped) < SHORTEST_HELD:
        raise ValueError(
            f"the held value of kind {kind!r} has fewer than {SHORTEST_HELD} characters: choose a longer secret"
        )
    lines = [line.strip() for line in stripped.splitlines()]
    wanted = [stripped, "\n".join(lines), "\r\n".join(lines)]
    wanted += [line for line in lines if len(line) >= SHORTEST_HELD_LINE and not line.startswith("-----")]
    if " " in stripped:
        # A form's `+` for a space is read as one only where the text has `%` too.
        wanted.append(stripped.replace(" ", "+"))
    if len(stripped.encode("utf-8", "surrogatepass")) < SHORTEST_DECODED:
        wanted += _encoded(stripped.encode("utf-8", "surrogatepass"))
    bytewise = [one.encode("utf-8", "surrogatepass").decode("latin-1") for one in wanted]
    for needle in dict.fromkeys((*wanted, *bytewise)):
        yield kind, needle, stripped


def _encoded(value: bytes) -> list[str]:
    """A short value's own base64 characters at each of three offsets, and its hex: views decode longer runs only."""
    found = [value.hex(), value.hex().upper()]
    for offset in range(3):
        text = base64.b64encode(b"\0" * offset + value).decode().rstrip("=")
        # Characters that hold bits of what stands before or after are not the value's own.
        own = text[(0, 2, 3)[offset] : (offset + len(value)) * 8 // 6]
        found += [own, own.translate(str.maketrans("+/", "-_"))]
    return found


def _order(hit: _Hit) -> tuple[int, int, int, str, str]:
    return hit.start, -hit.end, hit.rank, hit.kind, hit.value


def _outside(hits: list[_Hit], own: list[tuple[int, int]]) -> Iterator[_Hit]:
    """Hits that are not about our own placeholders. Both lists are in order, so one pass is enough."""
    at = 0
    for hit in hits:
        while at < len(own) and own[at][1] <= hit.start:
            at += 1
        if at < len(own) and own[at][0] <= hit.start and hit.end <= own[at][1] and hit.rank != _HELD:
            continue
        yield hit


def _merge(hits: list[_Hit]) -> list[_Hit]:
    """Joins overlapping spans, so that no rest of any stays; the surest hit, then the longest, names what is there."""
    merged: list[_Hit] = []
    for hit in hits:
        last = merged[-1] if merged else None
        if last is None or hit.start >= last.end:
            merged.append(hit)
            continue
        best = min(last, hit, key=lambda one: (one.rank, one.start - one.end))
        merged[-1] = _Hit(last.start, max(last.end, hit.end), best.rank, best.kind, best.value)
    return merged
