"""Paths and patterns at their edges: stars that go back, sets with brackets, lengths and escapes at the last value."""

from __future__ import annotations

import pytest

from bot.domain.path_globs import MAX_STARS, glob_problem, matches
from bot.domain.paths import MAX_PATH_BYTES, path_problem, shown


@pytest.mark.parametrize(
    "pattern", ["!" + "a" * 90, "\\" + "b" * 90, "./" + "c" * 90, "*" * (MAX_STARS + 1) + "d" * 90]
)
def test_a_wrong_pattern_is_shown_up_to_80_characters(pattern: str) -> None:
    assert f"The pattern {pattern[:80]!r} " in glob_problem(pattern)


def test_as_many_stars_as_are_allowed_are_allowed() -> None:
    assert glob_problem("a" + "*" * MAX_STARS) == ""
    assert glob_problem("a" + "*" * (MAX_STARS + 1)) == f"The pattern {'a' + '*' * 21!r} has more than 20 stars."


@pytest.mark.parametrize(
    ("pattern", "name", "is_about"),
    [
        ("a*b", "axxc", False),
        ("a*bc", "axbxbc", True),
        ("a*bc", "axbxbd", False),
        ("*ab*cd", "xaabcccd", True),
        ("*ab*cd", "xaacccd", False),
        ("[a]c", "ac", True),
        ("[a]c", "bc", False),
        ("[]a]x", "]x", True),
        ("[]a]x", "ax", True),
        ("[a]b]", "ab]", True),
        ("[a]b]", "b", False),
        ("[!a]x", "!x", True),
        ("[!a]x", "ax", False),
        ("[!ab]x", "ax", False),
        ("[^ab]x", "cx", True),
        ("[!]x", "[!]x", True),
        ("[]x", "[]x", True),
    ],
)
def test_stars_and_sets(pattern: str, name: str, is_about: bool) -> None:
    assert matches([pattern], name) is is_about


def test_the_longest_path_is_fine_and_one_byte_more_is_not() -> None:
    assert path_problem("a" * MAX_PATH_BYTES) == ""
    assert path_problem("a" * (MAX_PATH_BYTES + 1)) == f"is longer than {MAX_PATH_BYTES} bytes"


@pytest.mark.parametrize(
    ("character", "escape"),
    [
        ("\udc80", "\\x80"),
        ("\udcff", "\\xff"),
        ("\udc7f", "\\udc7f"),
        ("\udd00", "\\udd00"),
        ("\x1f", "\\x1f"),
        (" ", " "),
        ("~", "~"),
        ("\x7f", "\\x7f"),
        ("\x80", "\\u0080"),
        ("\uffff", "\\uffff"),
        ("\U00010000", "\\U00010000"),
    ],
)
def test_escapes_at_the_edges(character: str, escape: str) -> None:
    assert shown(character) == escape
