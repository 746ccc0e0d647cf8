"""Evidence: a quote counts where it stands, to the character, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.citation import Citation, Pointed
from bot.gates.evidence import (
    Proofs,
    Unresolved,
    contains,
    lines_in,
    resolve_pointer,
    verify_citation,
    verify_pointer,
)
from bot.gates.touched import MAX_COMPARED_LINES, touched_lines, value_changed

TEXT = "def f(items):\n\tif items:   \n\t\treturn items[0]\r\n\n    café = naïve\n"
LINES = lines_in(TEXT)


def problem(start: int, end: int, quote: str, path: str = "a.py") -> str:
    citation = Citation(path=path, start_line=start, end_line=end, quote=quote)
    return verify_citation(citation, lambda one: LINES if one in {"a.py", "../a.py"} else None)


@pytest.mark.parametrize(
    ("start", "end", "quote"),
    [
        (1, 1, "def f(items):"),
        (1, 1, "f(items)"),
        (1, 3, "def f(items):\n\tif items:\n\t\treturn items[0]"),
        (1, 3, "def f(items):  \n\tif items: \t\r\n\t\treturn items[0]\n"),
        (2, 3, "\t\treturn items[0]"),
        (1, 5, "return items[0]\n\n    café"),
        (5, 5, "café = naïve"),
    ],
)
def test_verbatim_quotes_are_proven(start: int, end: int, quote: str) -> None:
    assert problem(start, end, quote) == ""


@pytest.mark.parametrize(
    ("start", "end", "quote", "says"),
    [
        (1, 1, "def f(item):x", "does not stand"),
        (2, 3, "        return items[0]", "does not stand"),
        (2, 2, "\t\treturn items[0]", "does not stand"),
        (4, 5, "\t\treturn items[0]", "does not stand"),
        (5, 5, "cafe\u0301 = nai\u0308ve", "does not stand"),
        (5, 5, "CAFÉ = NAÏVE", "does not stand"),
        (1, 2, "def f(items): if items:", "does not stand"),
        (1, 6, "def f(items):", "has 5 lines"),
        (3, 2, "return items[0]", "before the first"),
        (1, 1, "(items)", "7 characters"),
        (1, 1, "   f   (items   ", "7 characters"),
        (1, 1, "):):):):):", "no letter or digit"),
    ],
)
def test_anything_else_is_not(start: int, end: int, quote: str, says: str) -> None:
    assert says in problem(start, end, quote)


def test_paths_that_cannot_be_read_prove_nothing() -> None:
    assert "no such text file" in problem(1, 1, "def f(items):", "b.py")
    assert "cannot be cited" in problem(1, 1, "def f(items):", "../a.py")


def test_both_sides_are_compared_redacted() -> None:
    def redact(text: str) -> str:
        return text.replace("hunter2hunter2", "[secret:1]")

    def check(quote: str) -> str:
        citation = Citation(path="a", start_line=1, end_line=1, quote=quote)
        return verify_citation(citation, lambda _path: ["password = hunter2hunter2"], redact)

    assert check("password = [secret:1]") == ""
    assert check("password = hunter2hunter2") == ""
    assert "does not stand" in check("password = hunter2")


def test_lines() -> None:
    assert lines_in("") == []
    assert lines_in("a") == ["a"]
    assert lines_in("a\n\n") == ["a", ""]
    assert lines_in("a\x0cb\u2028c\n") == ["a\x0cb\u2028c"]


@given(st.lists(st.text(st.characters(blacklist_characters="\n"), max_size=12), min_size=1, max_size=6), st.data())
def test_a_slice_of_the_text_is_contained(lines: list[str], data: st.DataObject) -> None:
    text = "\n".join(lines)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    assert contains(text, text)
    if not text[start:end].endswith(("\n", " ", "\t", "\r")):
        assert contains(text, text[start:end])


DOCUMENT: Any = {
    "": {"x": 1},
    "a/b": "slash",
    "m~n": "tilde",
    "steps": [{"id": "S1", "paths": [{"path": "a.py", "use": "edit"}]}],
    "text": "line one \nline two",
    "none": None,
    "many": list(range(12)),
}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", DOCUMENT),
        ("/", {"x": 1}),
        ("//x", 1),
        ("/a~1b", "slash"),
        ("/m~0n", "tilde"),
        ("/steps/0/paths/0/path", "a.py"),
        ("/many/11", 11),
        ("/none", None),
    ],
)
def test_pointers_resolve(pointer: str, value: Any) -> None:
    assert resolve_pointer(pointer, DOCUMENT) == value


@pytest.mark.parametrize(
    "pointer",
    [
        "steps",
        "/steps/1",
        "/steps/-",
        "/steps/00",
        "/steps/-1",
        "/steps/x",
        "/nothing",
        "/text/0",
        "/m~n",
        "/a~2b",
        "/none/x",
        "/steps/" + "9" * 350,
        "/many/١",
    ],
)
def test_pointers_that_lead_nowhere(pointer: str) -> None:
    with pytest.raises(Unresolved):
        resolve_pointer(pointer, DOCUMENT)
    assert "does not resolve" in verify_pointer(Pointed(pointer=pointer, quote="x"), DOCUMENT)


@pytest.mark.parametrize(
    ("pointer", "quote", "proven"),
    [
        ("/text", "line one\nline two", True),
        ("/text", "line\\nline", False),
        ("/text", "one \\nline two", True),
        ("/steps/0", '{"id":"S1","paths"', True),
        ("/steps/0/paths", "a.py", True),
        ("/steps/0", "S2", False),
        ("/none", "null", True),
        ("/text", "  ", False),
    ],
)
def test_quotes_at_pointers(pointer: str, quote: str, proven: bool) -> None:
    assert (verify_pointer(Pointed(pointer=pointer, quote=quote), DOCUMENT) == "") is proven


def test_pointers_without_a_document() -> None:
    assert "no" in Proofs(lambda _path: None).problem(Pointed(pointer="/a", quote="x"))


def test_what_changed_is_told_only_with_the_earlier_revision_at_hand() -> None:
    now = Proofs(lambda _path: ["value = 2", "same = 1"], document={"a": "new", "b": "same"})
    citation = Citation(path="a.py", start_line=1, end_line=2, quote="value = 2")
    assert "not at hand" in now.untouched(citation, "r" * 40)
    assert "not at hand" in now.untouched(Pointed(pointer="/a", quote="new"), "r" * 40)
    before = Proofs(
        now.lines_of,
        document=now.document,
        earlier_lines={"r": lambda _path: ["value = 1", "same = 1"]},
        earlier_document={"r": {"a": "old", "b": "same"}},
    )
    assert before.untouched(citation, "r") == ""
    assert "no quoted line of a.py:2-2 changed" in before.untouched(citation.model_copy(update={"start_line": 2}), "r")
    assert before.untouched(Pointed(pointer="/a", quote="new"), "r") == ""
    assert "as it was" in before.untouched(Pointed(pointer="/b", quote="same"), "r")


@pytest.mark.parametrize(
    ("path", "before", "now", "touched"),
    [
        ("a.py", ["a", "b", "c"], ["a", "B", "c"], {2}),
        ("a.py", ["a", "b"], ["a", "  b  "], set()),
        ("a.py", ["a", "b"], ["# why", "a", "", "b  # because"], set()),
        ("a.py", ["x = 'a'"], ["x = 'a # b'"], {1}),
        ("a.py", ["a"], ["a", "new"], {2}),
        ("a.py", ["a", "b", "c"], ["a", "c"], {1, 2}),
        ("a.py", ["b", "c"], ["c"], {1}),
        ("a.py", ["a", "b"], ["a"], {1}),
        ("a.py", None, ["a", "", "# b"], {1}),
        ("a.py", ["a"], ["a"], set()),
        ("a.py", ["a"], [], set()),
        ("a.c", ["#define A 1"], ["#define A 2"], {1}),
        ("a.c", ["a();"], ["/* b", "c */ a(); // d"], set()),
        ("a.c", ["a();"], ["a(); /* b */ c();"], {1}),
        ("a.c", ["a();"], ["// see /* here", "a();", "b();"], {3}),
        ("a.js", ["x = 'y'"], ["x = '/* z */ y'"], {1}),
        ("a.js", ["u = 'http:'"], ["u = 'http://x'"], {1}),
        ("a.sql", ["select 1"], ["-- one", "select 1 -- two"], set()),
        ("a.el", ["(a)"], ["; b", "(a)"], set()),
        ("Makefile", ["a:"], ["# b", "a:"], set()),
        ("a.md", ["text"], ["# heading", "text"], {1}),
        ("a.txt", ["a"], ["# a"], {1}),
        ("a.py", ["x#1"], ["x#2"], {1}),
    ],
)
def test_touched_lines(path: str, before: list[str] | None, now: list[str], touched: set[int]) -> None:
    assert touched_lines(before, now, path) == touched


def test_a_huge_difference_counts_as_changed_whole() -> None:
    old = [f"a{number}" for number in range(MAX_COMPARED_LINES + 1)]
    new = ["first", *(f"b{number}" for number in range(MAX_COMPARED_LINES + 1))]
    assert touched_lines(["first", *old], new, "a.py") == set(range(2, len(new) + 1))


@given(st.lists(st.sampled_from("abc"), max_size=8), st.lists(st.sampled_from("abc"), max_size=8))
def test_equal_texts_are_untouched_and_different_ones_are_not(old: list[str], new: list[str]) -> None:
    touched = touched_lines(old, new, "a.py")
    assert touched <= set(range(1, len(new) + 1))
    if old == new:
        assert not touched
    elif new:
        assert touched


def test_values_differ_by_more_than_white_space() -> None:
    assert not value_changed("a b\nc", "a  b c")
    assert value_changed("ab", "ac")
    assert not value_changed({"a": ["x y", 1, None]}, {"a": ["x  y", 1, None]})
    assert value_changed({"a": 1}, {"a": 1, "b": 2})
    assert value_changed([1], [True])
    assert value_changed("1", 1)
    assert value_changed([], {})
