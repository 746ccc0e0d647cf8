"""Tests that stand inside Rust source files, beside the code they test: their text before and after a change.

No parser of ours reads Rust, and `cargo test` tells its ids only in what it prints; so a change of any of these texts
counts as a change of an existing test that cannot be read.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from workers.agents.runners.unit import digest

# Comments, then strings and characters, in which braces mean nothing; a lifetime ('a) is no character.
_OPAQUE: Final = re.compile(
    r"//[^\n]*|/\*.*?(?:\*/|\Z)|b?r(#{0,16})\".*?(?:\"\1|\Z)|b?\"(?:\\.|[^\"\\])*(?:\"|\Z)|b?'(?:\\.[^'\n]{0,12}|[^'\\])'",
    re.DOTALL,
)
_CODE: Final = re.compile(r"[^ \n\t\r}]")
_MOST_BYTES: Final = 256 << 10
_MOST_TESTS: Final = 500
_TEST: Final = re.compile(r"#\s*\[\s*(?:\w+\s*::\s*)*(?:test|bench|rstest|test_case|quickcheck|proptest)\b")
_MODULE: Final = re.compile(r"#\s*\[\s*cfg\s*\(\s*(?:all\s*\(\s*)?test\b")
_GATE: Final = re.compile(r"#!?\s*\[\s*(?:ignore|cfg|cfg_attr|should_panic)\b[^\[\]]*")
_BRACKET: Final = re.compile(r"[{}()\[\];]")


def tests_changed(before: bytes | None, after: bytes | None) -> bool:
    """Whether a test of ``before`` is gone or different in ``after``, or a new attribute may keep one from running."""
    old = "" if before is None else before.decode("utf-8", "replace")
    new = "" if after is None else after.decode("utf-8", "replace")
    if not _marks(old):
        return False
    if max(_marks(old), _marks(new)) > _MOST_TESTS or max(len(old), len(new)) > _MOST_BYTES:
        return True
    if Counter(_items(old)) - Counter(_items(new)):
        return True
    return bool(Counter(_GATE.findall(new)) - Counter(_GATE.findall(old)))


def _marks(text: str) -> int:
    """How many items are told, at least: each is read from its mark to its end, and they may lie in one another."""
    return len(_TEST.findall(text)) + len(_MODULE.findall(text))


def _items(text: str) -> Iterator[str]:
    """Every test function with its attributes, and every other item of a module of tests: digests without white space."""
    blank = _OPAQUE.sub(lambda found: "\n" * found[0].count("\n") + " " * (len(found[0]) - found[0].count("\n")), text)
    ends = _Ends.of(blank)
    for mark in _TEST.finditer(blank):
        yield _packed(text, mark.start(), ends.after(mark.start()))
    for mark in _MODULE.finditer(blank):
        start, end = mark.start(), ends.after(mark.start())
        inside = blank.find("{", start, end)
        if inside < 0:
            yield _packed(text, start, end)
            continue
        yield _packed(text, start, inside)
        at = inside + 1
        while (found := _CODE.search(blank, at, end)) is not None:
            at = found.start()
            stop = ends.after(at)
            yield _packed(text, at, stop)
            at = stop


@dataclass(frozen=True, slots=True)
class _Ends:
    """Where items end: at their closing brace, or at a semicolon outside of any bracket.

    ``brackets``: places of brackets and semicolons; ``ends``: for each, where an item ends that begins at or before it
    and after the one before. Both are made in one pass, whatever is asked later.
    """

    brackets: Sequence[int]
    ends: Sequence[int]

    @staticmethod
    def of(blank: str) -> _Ends:
        found = [(one.start(), one[0]) for one in _BRACKET.finditer(blank)]
        closes: dict[int, int] = {}
        opened: list[int] = []
        for index, (_, mark) in enumerate(found):
            if mark in "{([":
                opened.append(index)
            elif mark != ";" and opened:
                closes[opened.pop()] = index
        ends = [len(blank)] * (len(found) + 1)
        for index in range(len(found) - 1, -1, -1):
            at, mark = found[index]
            if mark not in "{([":
                ends[index] = at + 1
            elif index in closes:
                close, other = found[closes[index]]
                ends[index] = close + 1 if other == "}" else ends[closes[index] + 1]
        return _Ends([at for at, _ in found], ends)

    def after(self, start: int) -> int:
        """Where an item that begins at ``start`` ends."""
        return self.ends[bisect_left(self.brackets, start)]


def _packed(text: str, start: int, end: int) -> str:
    return digest("".join(text[start:end].split()))
