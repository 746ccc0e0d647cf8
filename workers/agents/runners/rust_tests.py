"""Tests that stand inside Rust source files, beside the code they test: their text before and after a change.

No parser of ours reads Rust, and `cargo test` tells its ids only in what it prints; so a change of any of these texts
counts as a change of an existing test that cannot be read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

# Comments, then strings and characters, in which braces mean nothing; a lifetime ('a) is no character.
_OPAQUE: Final = re.compile(
    r"//[^\n]*|/\*.*?(?:\*/|\Z)|b?r(#{0,16})\".*?(?:\"\1|\Z)|b?\"(?:\\.|[^\"\\])*(?:\"|\Z)|b?'(?:\\.[^'\n]{0,12}|[^'\\])'",
    re.DOTALL,
)
_MOST_BYTES: Final = 256 << 10
_MOST_TESTS: Final = 500
_TEST: Final = re.compile(r"#\s*\[\s*(?:\w+\s*::\s*)*(?:test|bench|rstest|test_case|quickcheck|proptest)\b")
_MODULE: Final = re.compile(r"#\s*\[\s*cfg\s*\(\s*(?:all\s*\(\s*)?test\b")
_GATE: Final = re.compile(r"#!?\s*\[\s*(?:ignore|cfg|cfg_attr|should_panic)\b[^\]]*\]")


def tests_changed(before: bytes | None, after: bytes | None) -> bool:
    """Whether a test of ``before`` is gone or different in ``after``, or a new attribute may keep one from running."""
    old = "" if before is None else before.decode("utf-8", "replace")
    new = "" if after is None else after.decode("utf-8", "replace")
    marks = len(_TEST.findall(old)) + len(_MODULE.findall(old))
    if not marks:
        return False
    if marks > _MOST_TESTS or max(len(old), len(new)) > _MOST_BYTES or len(_TEST.findall(new)) > 2 * _MOST_TESTS:
        return True
    if Counter(_items(old)) - Counter(_items(new)):
        return True
    return bool(Counter(_GATE.findall(new)) - Counter(_GATE.findall(old)))


def _items(text: str) -> Iterator[str]:
    """Every test function with its attributes, and every other item of a module of tests, without white space."""
    blank = _OPAQUE.sub(lambda found: "\n" * found[0].count("\n") + " " * (len(found[0]) - found[0].count("\n")), text)
    for mark in _TEST.finditer(blank):
        yield _packed(text, mark.start(), _end(blank, mark.start()))
    for mark in _MODULE.finditer(blank):
        start, end = mark.start(), _end(blank, mark.start())
        inside = blank.find("{", start, end)
        if inside < 0:
            yield _packed(text, start, end)
            continue
        yield _packed(text, start, inside)
        at = inside + 1
        while at < end and blank[at:end].strip(" \n\t\r}"):
            stop = _end(blank, at)
            yield _packed(text, at, stop)
            at = max(stop, at + 1)


def _end(blank: str, start: int) -> int:
    """Where an item ends: at its closing brace, or at a semicolon outside of any bracket."""
    depth = 0
    for at in range(start, len(blank)):
        match blank[at]:
            case "{" | "(" | "[":
                depth += 1
            case "}" | ")" | "]":
                depth -= 1
                if depth < 0 or (depth == 0 and blank[at] == "}"):
                    return at + 1
            case ";" if depth == 0:
                return at + 1
            case _:
                continue
    return len(blank)


def _packed(text: str, start: int, end: int) -> str:
    return "".join(text[start:end].split())
