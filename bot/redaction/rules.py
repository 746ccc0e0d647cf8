"""What a rule is: a pattern tried only near one of its words. All rules' words are found in one pass (`WordIndex`).

No pattern nests quantifiers and every repetition is bounded, so the work grows with the text's length alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from ahocorasick_rs import BytesAhoCorasick, Implementation

from bot.redaction.placeholders import is_example

LONGEST_LINE: Final = 1_000
"""Characters on either side of a word that count as its line, so that a text of one line costs no more than others."""

Places = Mapping[str, Sequence[int]]
"""Where words stand in a text: offsets by word, ascending."""


@dataclass(frozen=True, slots=True)
class Found:
    """A secret in a text: its kind and span."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Rule:
    """``kind`` names what is found. ``words``, in lower case: one of them must occur. ``group``: the part that is secret.

    ``before``: how many characters before its word the pattern begins, at most. ``secret`` decides on what was found.
    """

    kind: str
    pattern: re.Pattern[str]
    words: frozenset[str]
    group: int
    secret: Callable[[str], bool]
    before: int

    def search(self, text: str, places: Places) -> Iterator[Found]:
        """Finds in ``text``, where the words stand at ``places``."""
        matches = matches_near if self.before else matches_at
        for match in matches(self.pattern, text, starts_of(self.words, places), self.before):
            if match.start(self.group) < match.end(self.group) and self.secret(match[self.group]):
                yield Found(self.kind, match.start(self.group), match.end(self.group))


def starts_of(words: AbstractSet[str], places: Places) -> list[int]:
    """Where any of the words stands, ascending, each place once."""
    return sorted({start for word in places.keys() & words for start in places[word]})


def matches_at(pattern: re.Pattern[str], text: str, starts: Iterable[int], _before: int = 0) -> Iterator[re.Match[str]]:
    """What ``finditer`` would find, for a pattern that begins with a word that stands at one of ``starts``."""
    done = 0
    for start in starts:
        if start >= done and (match := pattern.match(text, start)) is not None:
            done = match.end()
            yield match


def matches_near(pattern: re.Pattern[str], text: str, starts: Iterable[int], before: int) -> Iterator[re.Match[str]]:
    """What ``finditer`` would find that begins at most ``before`` characters before one of ``starts``, in ascending order."""
    done = 0
    for start in starts:
        # What begins later than its word is another word's.
        for at in range(max(done, start - before), start + 1):
            if (match := pattern.match(text, at)) is not None and match.end() > start:
                done = match.end()
                yield match
                break


def line_of(text: str, position: int) -> tuple[int, int]:
    """Where the line around ``position`` begins and ends, LONGEST_LINE away at most."""
    low = max(0, position - LONGEST_LINE)
    high = min(len(text), position + LONGEST_LINE)
    begin = text.rfind("\n", low, position) + 1
    end = text.find("\n", position, high)
    return begin or low, end if end >= 0 else high


class WordIndex:
    """Finds where any of many ASCII words stand in a text, whatever their case, in one pass."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = tuple(dict.fromkeys(words))
        self._automaton = BytesAhoCorasick(
            [word.encode("ascii") for word in self._words], implementation=Implementation.DFA
        )

    def places(self, data: bytes) -> Places:
        """Offsets by word in a text of one byte a character; a word that does not occur is not in it."""
        places: dict[str, list[int]] = {}
        words = self._words
        for word, start, _ in self._automaton.find_matches_as_indexes(data.lower(), overlapping=True):
            places.setdefault(words[word], []).append(start)
        return places


def _not_example(value: str) -> bool:
    return not is_example(value)


def vendor(
    kind: str,
    pattern: str,
    *words: str,
    group: int = 0,
    before: int = 0,
    secret: Callable[[str], bool] = _not_example,
) -> Rule:
    """A rule for a format that speaks for itself."""
    return Rule(kind, re.compile(pattern), frozenset(word.lower() for word in words), group, secret, before)
