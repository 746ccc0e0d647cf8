"""Secrets known by their other use: a value that was found stands again where no rule would know it.

A test that signs up with a password compares it a few lines below, where nothing says what it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from ahocorasick_rs import BytesAhoCorasick, MatchKind

from bot.redaction.placeholders import looks_drawn, looks_issued
from bot.redaction.rules import line_of
from bot.redaction.views import bytes_of

_SHORTEST: Final = 6
_LONGEST: Final = 256
"""What is longer is a key between markers, or a file: each use of it is found by itself."""
_SHORTEST_ALONE: Final = 16
_SHORTEST_WORD: Final = 7
_QUOTES: Final = ("'", '"', "`")
# What is given to another name, or to a call that says so: a login may read like its password.
_GIVEN: Final = re.compile(
    r"(?:(?<![=!])[:=]|=>|<-)[ \t]{0,8}[A-Za-z@]{0,2}\Z|(?i:user|login|e?mail|name|account)\w{0,12}\([ \t]{0,4}\Z"
)
_SPEAKS: Final = re.compile(r"(?i)passw|passphrase|pwd|bcrypt|hash|secret|token|login|credential")
_BEFORE: Final = 32
_MOST: Final = 500


def repeats(text: str, data: bytes, values: Iterable[str]) -> Iterator[tuple[int, int, str]]:
    """Start, end and value of every use of ``values`` that is one beyond doubt; ``data``: ``text``, a byte a character.

    None is one that is given to another name. A long drawn value is one wherever it stands by itself; another only as a
    whole text in quotes, and one of letters alone only in a line that speaks of passwords.
    """
    wanted = [
        value
        for value in dict.fromkeys(values)
        if _SHORTEST <= len(value) <= _LONGEST and value.isascii() and value.isprintable()
    ]
    if not wanted or len(wanted) > _MOST:
        return
    issued = [len(value) >= _SHORTEST_ALONE and looks_issued(value) for value in wanted]
    # One after the other: of values that hold each other, a hostile text has as many uses as places times values.
    automaton = BytesAhoCorasick([bytes_of(value) for value in wanted], matchkind=MatchKind.LeftmostLongest)
    for index, start, end in automaton.find_matches_as_indexes(data):
        if _is_use(text, start, end, wanted[index], issued=issued[index]):
            yield start, end, wanted[index]


def _is_use(text: str, start: int, end: int, value: str, *, issued: bool) -> bool:
    before, after = text[start - 1 : start], text[end : end + 1]
    quoted = before in _QUOTES and before == after
    if _GIVEN.search(text, max(0, start - _BEFORE), start - 1 if quoted else start) is not None:
        return False
    if issued:
        return not (before.isalnum() or after.isalnum())
    if not quoted:
        return False
    if any(char.isdigit() for char in value) and any(char.isalpha() for char in value):
        return True
    if value.isalpha() and len(value) >= _SHORTEST_WORD:
        low, high = line_of(text, start)
        return looks_drawn(value) or _SPEAKS.search(text, low, high) is not None
    return False
