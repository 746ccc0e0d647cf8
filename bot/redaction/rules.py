"""What a rule is: a pattern that starts from a literal, so that every search is one pass over the text.

No pattern nests quantifiers, every repetition is bounded, and a rule only runs where one of its words occurs at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bot.redaction.placeholders import is_example


@dataclass(frozen=True, slots=True)
class Found:
    """A secret in a text: its kind and span."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Rule:
    """``kind`` names what is found. ``words``, in lower case: one of them must occur. ``group``: the part that is secret.

    ``secret`` decides on what the pattern found.
    """

    kind: str
    pattern: re.Pattern[str]
    words: tuple[str, ...]
    group: int = 0
    secret: Callable[[str], bool] = lambda value: not is_example(value)

    def search(self, text: str, lower: str) -> Iterator[Found]:
        """Finds in ``text``; ``lower`` is the same text in lower case."""
        if not any(word in lower for word in self.words):
            return
        for match in self.pattern.finditer(text):
            if match.start(self.group) < match.end(self.group) and self.secret(match[self.group]):
                yield Found(self.kind, match.start(self.group), match.end(self.group))


def vendor(kind: str, pattern: str, *words: str, group: int = 0) -> Rule:
    """A rule for a format that speaks for itself."""
    return Rule(kind, re.compile(pattern), tuple(word.lower() for word in words), group)
