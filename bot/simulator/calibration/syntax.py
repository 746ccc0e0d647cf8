"""Source files as syntax trees, and edits of their bytes after which they must still parse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from tree_sitter import Node

from workers.agents.runners.languages import language_of
from workers.agents.runners.trees import COMMENTS, root_of

SHOWN: Final = 3
"""Unchanged lines that a diff shows on each side of a place."""


class Defect(StrEnum):
    """What is seeded, and the category that figures are told by."""

    DROPPED_CONDITION = "dropped-condition"
    OFF_BY_ONE = "off-by-one"
    SWALLOWED_ERROR = "swallowed-error"
    REMOVED_AWAIT = "removed-await"
    WIDENED_PERMISSION = "widened-permission"
    DELETED_TEST = "deleted-test"


@dataclass(frozen=True, slots=True)
class Source:
    """A file that parses. ``family`` is the language without its dialects: TypeScript is read as JavaScript is."""

    path: str
    data: bytes
    language: str
    root: Node

    @property
    def family(self) -> str:
        return "javascript" if self.language in {"typescript", "tsx"} else self.language


@dataclass(frozen=True, slots=True)
class Edit:
    """Bytes ``start`` to ``end`` of a file give way to ``text``. ``removes``: whole statements or lines go, none come."""

    defect: Defect
    start: int
    end: int
    text: bytes = b""
    removes: bool = False


Operator: TypeAlias = Callable[[Source], Iterator[Edit]]
"""Every place of a file where one kind of defect can be seeded."""


def read_source(path: str, data: bytes) -> Source | None:
    """The file as a tree; None when it is in no language of ours, too large, or does not parse as a whole."""
    language = language_of(path).grammar
    root = None if language is None or b"\0" in data else root_of(data, language)
    return None if language is None or root is None else Source(path, data, language, root)


def statements(block: Node | None) -> list[Node]:
    """What a block does, comments aside. Go's grammar has a list between braces and statements."""
    if block is None:
        return []
    inner = [one for one in block.named_children if one.type not in COMMENTS]
    return statements(inner[0]) if len(inner) == 1 and inner[0].type == "statement_list" else inner


def removal(source: Source, defect: Defect, first: Node, last: Node, *, and_blank_after: bool = False) -> Edit:
    """The edit that takes ``first`` to ``last`` out: whole lines where nothing else stands on them."""
    data, start, end = source.data, first.start_byte, last.end_byte
    line = data.rfind(b"\n", 0, start) + 1
    after = data.find(b"\n", end)
    after = len(data) if after < 0 else after + 1
    if not data[line:start].strip() and not data[end:after].strip(b" \t\r\n;"):
        start, end = line, after
        while and_blank_after and end < len(data):
            following = data.find(b"\n", end)
            following = len(data) if following < 0 else following + 1
            if data[end:following].strip():
                break
            end = following
    return Edit(defect, start, end, removes=True)


def applied(source: Source, edit: Edit) -> bytes | None:
    """The file after the edit; None when it would be the same, or would not parse any more."""
    data = source.data[: edit.start] + edit.text + source.data[edit.end :]
    if data == source.data or read_source(source.path, data) is None:
        return None
    return data


def lines_at(source: Source, edit: Edit) -> tuple[int, int]:
    """First and last line (from 1) of ``edit`` in the file as it was."""
    last = max(edit.end - 1, edit.start)
    return source.data.count(b"\n", 0, edit.start) + 1, source.data.count(b"\n", 0, last) + 1


def seeded_lines(data: bytes, edit: Edit) -> tuple[int, int]:
    """First and last line (from 1) of the defect in ``data``, the file after ``edit``.

    What was removed has no line of its own: the lines that a diff shows around the gap stand for it.
    """
    first = data.count(b"\n", 0, edit.start) + 1
    if not edit.removes:
        return first, first + edit.text.count(b"\n")
    total = data.count(b"\n") + (0 if data.endswith(b"\n") or not data else 1)
    # A gap inside a line leaves that line; a gap between lines stands before line `first`.
    inside = edit.start > 0 and data[edit.start - 1 : edit.start] != b"\n"
    last = first + SHOWN if inside else first + SHOWN - 1
    return max(1, first - SHOWN), max(1, min(total, last))
