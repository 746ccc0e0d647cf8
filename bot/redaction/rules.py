"""What a rule is: a pattern that starts from a literal, so that it is tried only where one of its words stands.

No pattern nests quantifiers and every repetition is bounded. All rules' words are found in one pass (`WordIndex`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ahocorasick_rs import BytesAhoCorasick

from bot.redaction.placeholders import is_example

# Letters that a pattern takes for these when it ignores case, and that ASCII does not know.
_FOLDED: Final = (("\u212a", "k"), ("\u017f", "s"))

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

    ``inside``: the pattern begins before its word, so that it has to look through the whole text. ``secret`` decides on
    what the pattern found.
    """

    kind: str
    pattern: re.Pattern[str]
    words: tuple[str, ...]
    group: int = 0
    secret: Callable[[str], bool] = lambda value: not is_example(value)
    inside: bool = False

    def search(self, text: str, places: Places) -> Iterator[Found]:
        """Finds in ``text``, where the words stand at ``places``."""
        for match in self.pattern.finditer(text) if self.inside else matches_at(self.pattern, text, self.words, places):
            if match.start(self.group) < match.end(self.group) and self.secret(match[self.group]):
                yield Found(self.kind, match.start(self.group), match.end(self.group))


def matches_at(pattern: re.Pattern[str], text: str, words: Iterable[str], places: Places) -> Iterator[re.Match[str]]:
    """What ``finditer`` would find, for a pattern that begins with one of ``words``."""
    done = 0
    for start in sorted({start for word in words for start in places.get(word, ())}):
        if start >= done and (match := pattern.match(text, start)) is not None:
            done = match.end()
            yield match


class WordIndex:
    """Finds where any of many ASCII words stand in a text, whatever their case, in one pass."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = tuple(dict.fromkeys(words))
        self._automaton = BytesAhoCorasick([word.encode("ascii") for word in self._words])

    def places(self, text: str) -> Places:
        """Offsets by word; a word that does not occur is not in it."""
        for letter, folded in _FOLDED:
            text = text.replace(letter, folded)
        # One byte a character, so that offsets are the text's.
        data = text.encode("ascii", "replace").lower()
        places: dict[str, list[int]] = {}
        for word, start, _ in self._automaton.find_matches_as_indexes(data, overlapping=True):
            places.setdefault(self._words[word], []).append(start)
        return places


def vendor(kind: str, pattern: str, *words: str, group: int = 0, inside: bool = False) -> Rule:
    """A rule for a format that speaks for itself."""
    return Rule(kind, re.compile(pattern), tuple(word.lower() for word in words), group, inside=inside)
