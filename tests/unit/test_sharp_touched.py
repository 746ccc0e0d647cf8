"""Which lines count as changed, at the edges: both ends of a file, nested marks, names without an ending."""

from __future__ import annotations

import pytest

from bot.gates.touched import MAX_COMPARED_LINES, touched_lines, value_changed


@pytest.mark.parametrize(
    ("before", "now", "path", "lines"),
    [
        (["a", "b", "c", "d"], ["a", "X", "c", "d"], "f.txt", {2}),
        (["a", "b", "b", "d"], ["a", "b", "d"], "f.txt", {2, 3}),
        (["a", "b", "c"], ["a", "c"], "f.txt", {1, 2}),
        (["a", "b", "c", "q", "d"], ["a", "X", "c", "Y", "d"], "f.txt", {2, 4}),
        (["p", "a", "b", "c"], ["p", "Z", "W", "a", "b", "V", "c"], "f.txt", {2, 3, 6}),
        (["a"], ["a // x"], "f.txt", {1}),
        (["a"], ["a -- x"], "f.py", {1}),
        (["a"], ["a ; x"], "f.py", {1}),
        (["a"], ["a # x"], "makefile", set()),
        (["a"], ["a # x"], "py", {1}),
        (["a"], ["a # x"], "v1.2.py", set()),
        (["a"], ["a // x"], "f.py", {1}),
        (["a", "b"], ["a /* x */ Z /* y */", "b"], "f.js", {1}),
        (["a", "b"], ["a /* x", "b */ c"], "f.js", {2}),
        (["a b"], ["a /* x */ b"], "f.js", set()),
        (["a"], ["a # x # y"], "f.py", set()),
        (["'#' a"], ["'#' a # z"], "f.py", set()),
        (["a"], ["a ## y"], "f.py", set()),
        (["x#y"], ["x#y #z"], "f.py", set()),
        (["x#"], ["x## z"], "f.py", {1}),
        (["x"], ["'''# x"], "f.py", {1}),
        (["'''"], ["''' # x"], "f.py", {1}),
        (["x#y"], ["x#y #z # w"], "f.py", set()),
        (["a b c"], ["a /* x */ b /* y */ c"], "f.js", set()),
        (["b", "q", "z"], ["a", "b", "z"], "f.txt", {1, 2, 3}),
        (["p", "b"], ["c", "b", "X", "b"], "f.txt", {1, 2, 3}),
    ],
)
def test_changed_lines(before: list[str], now: list[str], path: str, lines: set[int]) -> None:
    assert touched_lines(before, now, path) == frozenset(lines)


def test_the_longest_middle_is_compared_line_by_line() -> None:
    old = [f"o{n}" for n in range(MAX_COMPARED_LINES)]
    new = ["first", *old[1:-1], "last"]
    assert touched_lines(old, new, "f.txt") == {1, MAX_COMPARED_LINES}
    longer = ["more", *new, "end"]
    assert touched_lines(old, longer, "f.txt") == set(range(1, MAX_COMPARED_LINES + 3))


def test_a_long_deletion_touches_what_stands_beside_it() -> None:
    old = ["a", *(f"o{n}" for n in range(MAX_COMPARED_LINES + 1)), "b"]
    assert touched_lines(old, ["a", "b"], "f.txt") == {1, 2}


def test_values_of_an_object_count() -> None:
    assert value_changed({"a": 1}, {"a": 2})
    assert not value_changed({"a": "x y"}, {"a": "xy"})


class Line(str):
    """A line that counts the letters that are cut out of it."""

    __slots__ = ()
    cut = 0

    def __getitem__(self, key: object) -> str:
        part = super().__getitem__(key)  # type: ignore[index]  # a slice
        Line.cut += len(part)
        return part


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("f.py", 'x = "' + " #" * 2_000),
        ("f.sql", "x = '" + " --" * 2_000),
        ("f.js", "a /* x */ " * 1_000),
    ],
)
def test_a_line_of_marks_is_read_once(path: str, text: str) -> None:
    Line.cut = 0
    touched_lines(None, [Line(text)], path)
    assert Line.cut <= 3 * len(text)


@pytest.mark.parametrize(
    ("before", "now", "path", "lines"),
    [
        (['x = "'], ['x = " # #'], "f.py", {1}),
        (['x = "#"'], ['x = "#" # y'], "f.py", set()),
        (["x = 'a\"b' #"], ["x = 'a\"b' # z"], "f.py", {1}),
        (["a"], ["# b"], "f.py", set()),
        (["a b"], ["a /* ' */ b // '"], "f.js", set()),
        (["a"], ["/* x */ a"], "f.js", set()),
        (["a"], ["/* x */b"], "f.js", {1}),
        (["a"], ["/**/ b"], "f.js", {1}),
        (["q b"], ["q /*/ a */ b"], "f.js", set()),
        (["a", "b"], ["a /* x", "*/ b"], "f.js", set()),
        (["a b c"], ["a /* x */ ' /* y */ c"], "f.js", {1}),
    ],
)
def test_quotation_marks_are_kept_in_mind_over_a_whole_line(
    before: list[str], now: list[str], path: str, lines: set[int]
) -> None:
    assert touched_lines(before, now, path) == frozenset(lines)
