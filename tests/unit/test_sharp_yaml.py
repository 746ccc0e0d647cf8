"""The reader of strangers' YAML: every refusal has its place and path, every limit holds at its last value."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from bot.domain.positioned_yaml import MAX_DEPTH, Path, Position, YamlProblem, read_yaml


def _problem(text: str, **options: Any) -> tuple[Position, Path, str]:
    with pytest.raises(YamlProblem) as caught:
        read_yaml(text, **options)
    found = caught.value
    assert found.args == (found.position, found.path, found.sentence)
    again = pickle.loads(pickle.dumps(found))
    assert (again.position, again.path, again.sentence) == found.args
    return found.args


DEEP = f"Values are nested more than {MAX_DEPTH} deep."
LONG = "n" * 90


@pytest.mark.parametrize(
    ("text", "line", "column", "path", "sentence"),
    [
        ("a: 1\nc: 2\nb: x\ud800y", 3, 5, (), "Half a character (a lone surrogate) stands here."),
        ("a: 1\nc: 2\nb: \x01xx", 3, 4, (), "The character U+0001 is not allowed in YAML."),
        ("a: 1\n---\nb: 2", 2, 1, (), "There must be one document only, and a second one begins here."),
        ("a:\n  - !!int x", 2, 5, ("a", 0), "The value 'x' is not a int."),
        (f"a: !!int {LONG}", 1, 4, ("a",), f"The value {LONG[:80]!r} is not a int."),
        ("a: !!bool 1", 1, 4, ("a",), "The value '1' is not a bool."),
        ("a: !!null 1", 1, 4, ("a",), "The value '1' is not a null."),
        ("a: !!float 1", 1, 4, ("a",), "The value '1' is not a float."),
        (f"a: !{LONG} 1", 1, 4, ("a",), f"The tag {'!' + LONG[:79]!r} is not supported: write plain data."),
        ("- &a [1, *a]", 1, 10, (0, 1), "The alias *a stands inside what it names."),
        (f"- &{LONG} [*{LONG}]", 1, 96, (0, 0), f"The alias *{LONG[:80]} stands inside what it names."),
        ("- 1\n- *gone", 2, 3, (1,), "The alias *gone names nothing above it."),
        (f"- *{LONG}", 1, 3, (0,), f"The alias *{LONG[:80]} names nothing above it."),
        (f"{LONG}: 1\n{LONG}: 2", 2, 1, (LONG,), f"The key {LONG[:80]!r} stands here a second time (first in line 1)."),
        ("a: 1\nb: {<<: {c: 1}}", 2, 5, ("b",), "Merge keys (<<) are not supported: write the keys out."),
        ("a: 1\nb: {[c]: 1}", 2, 5, ("b",), "A key must be plain text."),
    ],
)
def test_a_refusal_has_its_place(text: str, line: int, column: int, path: Path, sentence: str) -> None:
    assert _problem(text) == (Position(line, column), path, sentence)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("[1, 2]", 3),
        ("{a: 1}", 2),
        ("[&a 1, *a]", 3),
        ("[&a [1, 2], *a]", 7),
        ("[&a {b: 1}, *a]", 6),
        ("[&a {b: 1, c: [2]}, *a]", 11),
        ("[&a [[1], 2], *a]", 9),
    ],
)
def test_values_are_counted_with_aliases_in_full(text: str, values: int) -> None:
    read_yaml(text, max_nodes=values)
    _, _, sentence = _problem(text, max_nodes=values - 1)
    assert sentence == f"There are more than {values - 1:,} values, aliases counted in full."


def test_the_value_too_many_is_named() -> None:
    assert _problem("- 1\n- [2, 3]", max_nodes=4)[:2] == (Position(2, 7), (1, 1))
    assert _problem("- &a [1]\n- *a", max_nodes=4)[:2] == (Position(2, 3), (1,))


def test_values_may_be_nested_as_deep_as_the_limit() -> None:
    read_yaml("[" * MAX_DEPTH + "1" + "]" * MAX_DEPTH)
    _, path, sentence = _problem("[" * (MAX_DEPTH + 1) + "1" + "]" * (MAX_DEPTH + 1))
    assert (len(path), sentence) == (MAX_DEPTH + 1, DEEP)


@pytest.mark.parametrize(
    ("value", "height"),
    [("1", 0), ("[]", 0), ("{}", 0), ("[1]", 1), ("{b: 1}", 1), ("[[1], 2]", 2), ("{b: {c: 1}, d: 2}", 2)],
)
def test_an_aliass_height_counts(value: str, height: int) -> None:
    fits = MAX_DEPTH - height - 1

    def text(depth: int) -> str:
        return f"- &a {value}\n- {'[' * depth}*a{']' * depth}"

    document = read_yaml(text(fits))
    assert document.places[(1, *[0] * fits)] == Position(2, 3 + fits)
    assert _problem(text(fits + 1)) == (Position(2, 4 + fits), (1, *[0] * (fits + 1)), DEEP)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("~", None),
        ("0x1F", 31),
        ("0o17", 15),
        ("-12", -12),
        ("1e3", 1000.0),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ("! 1", "1"),
        ("!!int 7", 7),
        ("!!bool true", True),
        ("!!float 1.5", 1.5),
        ("!!null ~", None),
        ("on", "on"),
        ("08:30", "08:30"),
        ("1e9999", "1e9999"),
    ],
)
def test_scalars_of_the_core_schema(text: str, value: object) -> None:
    found = read_yaml(f"[{text}]").data
    assert found == [value]
    assert type(found[0]) is type(value)


def test_an_anchor_can_be_used_after_its_value_ended() -> None:
    assert read_yaml("- &a [1]\n- *a\n- &a 2\n- *a").data == [[1], [1], 2, 2]


def test_a_place_is_the_nearest_value_around() -> None:
    document = read_yaml("x: 0\na:\n  b: 1\n")
    assert document.place(("a", "b", "c")) == Position(3, 6)
    assert document.place(("a", "b", "c", "d", "e")) == Position(3, 6)
    assert document.place(("q", "r")) == Position(1, 1)
    assert read_yaml("").place(("q",)) == Position(1, 1)
    assert read_yaml("- a\n- b\n").key_place((1,)) == Position(2, 3)
    assert document.key_place(("a", "b")) == Position(3, 3)


def test_fast_reads_the_same_and_says_less() -> None:
    assert read_yaml("{a: [1, x]}", fast=True) == read_yaml("{a: [1, x]}")
    assert _problem("a: [1", fast=True)[2].startswith("did not find expected ")
    assert _problem("a: [1")[2].startswith("expected ")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (yaml.MarkedYAMLError(problem="p" * 300), "p" * 200 + "."),
        (yaml.MarkedYAMLError(context="within"), "within."),
        (yaml.MarkedYAMLError(), "this is not YAML."),
    ],
)
def test_an_error_without_a_mark_stands_at_the_start(
    error: Exception, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parse(*_args: object, **_options: object) -> Iterator[yaml.Event]:
        raise error

    monkeypatch.setattr(yaml, "parse", parse)
    assert _problem("a") == (Position(1, 1), (), sentence)


def test_an_event_without_a_mark_stands_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    events = [yaml.DocumentStartEvent(), yaml.ScalarEvent(None, None, (True, False), "a"), yaml.DocumentEndEvent()]
    monkeypatch.setattr(yaml, "parse", lambda *_args, **_options: iter(events))
    assert read_yaml("a").places == {(): Position(1, 1)}
