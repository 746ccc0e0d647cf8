"""Reads YAML that strangers wrote: plain data only, and every value remembers its line and column.

Scalars follow YAML 1.2's core schema, so ``on``, ``yes`` and ``08:30`` are text, as people expect; keys are always text.
Tags, duplicate keys, merge keys, endless aliases and deep nesting are refused. Pure: text in, data out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import yaml

Plain: TypeAlias = "str | int | float | bool | list[Plain] | dict[str, Plain] | None"
Path: TypeAlias = tuple["str | int", ...]

MAX_DEPTH: Final = 60
MAX_NODES: Final = 200_000

_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE: Final = frozenset({"true", "True", "TRUE"})
_FALSE: Final = frozenset({"false", "False", "FALSE"})
_INT: Final = re.compile(r"[-+]?[0-9]{1,400}")
_BASED: Final = re.compile(r"0o[0-7]{1,200}|0x[0-9a-fA-F]{1,200}")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]{1,400}|[0-9]{1,400}(?:\.[0-9]{0,400})?)(?:[eE][-+]?[0-9]{1,4})?")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_CORE_TAGS: Final = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "seq", "map")}


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Where a value begins; both count from 1."""

    line: int
    column: int


class YamlProblem(Exception):
    """The text is not YAML that is taken here. ``path`` names the value as far as it was read."""

    def __init__(self, position: Position, path: Path, sentence: str) -> None:
        super().__init__(position, path, sentence)
        self.position = position
        self.path = path
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Document:
    """Plain data, where each value begins (``places``) and where each key stands (``keys``), both by path."""

    data: Plain
    places: dict[Path, Position]
    keys: dict[Path, Position]

    def place(self, path: Path) -> Position:
        """Where the value at ``path`` begins, or the nearest value around it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, Position(1, 1))

    def key_place(self, path: Path) -> Position:
        """Where the key that ends ``path`` stands, or the value itself where it has no key."""
        return self.keys.get(path) or self.place(path)


def dotted(path: Path) -> str:
    """A path as people write it: ``people_do[1].when``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else part)
    return text


def read_yaml(text: str, *, max_nodes: int = MAX_NODES, fast: bool = False) -> Document:
    """Reads exactly one document (an empty text is None). Raises YamlProblem.

    ``max_nodes`` counts values after aliases are expanded. ``fast`` uses libyaml where it is there: for large files, with
    plainer messages.
    """
    if (lone := _SURROGATE.search(text)) is not None:
        raise YamlProblem(_at_offset(text, lone.start()), (), "Half a character (a lone surrogate) stands here.")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader) if fast else yaml.SafeLoader
    try:
        return _Reader(yaml.parse(text, Loader=loader), max_nodes).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = Position(1, 1) if mark is None else Position(mark.line + 1, mark.column + 1)
        said = error.problem or error.context or "this is not YAML"
        raise YamlProblem(at, (), f"{said[:200]}.") from error
    except yaml.reader.ReaderError as error:
        at = _at_offset(text, error.position)
        raise YamlProblem(at, (), f"The character U+{ord(text[error.position]):04X} is not allowed in YAML.") from error


def _at_offset(text: str, offset: int) -> Position:
    before = text[:offset]
    return Position(before.count("\n") + 1, len(before) - before.rfind("\n"))


def _at(event: yaml.Event) -> Position:
    mark = event.start_mark
    return Position(1, 1) if mark is None else Position(mark.line + 1, mark.column + 1)


class _Reader:
    """Builds data from parser events; recursion is bounded by MAX_DEPTH, work by ``max_nodes``."""

    def __init__(self, events: Iterator[yaml.Event], max_nodes: int) -> None:
        self._events = events
        self._left = max_nodes
        self._max_nodes = max_nodes
        self._anchors: dict[str, tuple[Plain, int, int]] = {}
        self._open: set[str] = set()
        self._places: dict[Path, Position] = {}
        self._keys: dict[Path, Position] = {}

    def document(self) -> Document:
        data: Plain = None
        seen = False
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if seen:
                    raise YamlProblem(_at(event), (), "There must be one document only, and a second one begins here.")
                seen = True
                data, _, _ = self._value(next(self._events), ())
        return Document(data, self._places, self._keys)

    def _spend(self, count: int, event: yaml.Event, path: Path) -> None:
        self._left -= count
        if self._left < 0:
            raise YamlProblem(
                _at(event), path, f"There are more than {self._max_nodes:,} values, aliases counted in full."
            )

    def _value(self, event: yaml.Event, path: Path) -> tuple[Plain, int, int]:
        """The value that begins with ``event``, the number of values in it and its height."""
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        assert isinstance(event, yaml.NodeEvent)
        self._spend(1, event, path)
        if len(path) > MAX_DEPTH:
            raise YamlProblem(_at(event), path, f"Values are nested more than {MAX_DEPTH} deep.")
        self._places[path] = _at(event)
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in _CORE_TAGS and tag != "!":
            raise YamlProblem(_at(event), path, f"The tag {tag[:80]!r} is not supported: write plain data.")
        anchor = event.anchor
        if anchor is not None:
            self._open.add(anchor)
        match event:
            case yaml.ScalarEvent():
                found: tuple[Plain, int, int] = (_scalar(event, path), 1, 0)
            case yaml.SequenceStartEvent():
                found = self._sequence(path)
            case _:
                found = self._mapping(path)
        if anchor is not None:
            self._open.discard(anchor)
            self._anchors[anchor] = found
        return found

    def _alias(self, event: yaml.AliasEvent, path: Path) -> tuple[Plain, int, int]:
        name = event.anchor or ""
        if name in self._open:
            raise YamlProblem(_at(event), path, f"The alias *{name[:80]} stands inside what it names.")
        if name not in self._anchors:
            raise YamlProblem(_at(event), path, f"The alias *{name[:80]} names nothing above it.")
        value, size, height = self._anchors[name]
        if len(path) + height > MAX_DEPTH:
            raise YamlProblem(_at(event), path, f"Values are nested more than {MAX_DEPTH} deep.")
        self._spend(size, event, path)
        self._places[path] = _at(event)
        return value, size, height

    def _sequence(self, path: Path) -> tuple[Plain, int, int]:
        items: list[Plain] = []
        size, height = 1, 0
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            value, inner, depth = self._value(event, (*path, len(items)))
            items.append(value)
            size, height = size + inner, max(height, depth + 1)
        return items, size, height

    def _mapping(self, path: Path) -> tuple[Plain, int, int]:
        found: dict[str, Plain] = {}
        size, height = 1, 0
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise YamlProblem(_at(event), path, "A key must be plain text.")
            key = event.value
            if key == "<<" and event.implicit[0]:
                raise YamlProblem(_at(event), path, "Merge keys (<<) are not supported: write the keys out.")
            if key in found:
                first = self._keys[(*path, key)]
                raise YamlProblem(
                    _at(event),
                    (*path, key),
                    f"The key {key[:80]!r} stands here a second time (first in line {first.line}).",
                )
            self._keys[(*path, key)] = _at(event)
            value, inner, depth = self._value(next(self._events), (*path, key))
            found[key] = value
            size, height = size + inner + 1, max(height, depth + 1)
        return found, size, height


def _scalar(event: yaml.ScalarEvent, path: Path) -> Plain:
    text = event.value
    tag = event.tag
    if tag in {"tag:yaml.org,2002:str", "!"} or (tag is None and not event.implicit[0]):
        return text
    value = _core(text)
    if tag is not None and _core_tag(value) != tag:
        raise YamlProblem(_at(event), path, f"The value {text[:80]!r} is not a {tag.rpartition(':')[2]}.")
    return value


def _core(text: str) -> str | int | float | bool | None:
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if _INT.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text) and math.isfinite(value := float(text)):
        return value
    return text


def _core_tag(value: str | float | bool | None) -> str:
    name = {bool: "bool", int: "int", float: "float", str: "str"}.get(type(value), "null")
    return f"tag:yaml.org,2002:{name}"
