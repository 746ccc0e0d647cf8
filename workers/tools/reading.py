"""Tools that read: files, lists of them, and a log of the lines that were delivered whole to one context."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from bot.domain.facts import Delivered
from bot.redaction import Redactor
from workers.sandbox.paths import components
from workers.tools.contracts import ListFiles, ReadFile, ReadFileAt
from workers.tools.lines import Lines, lines_of
from workers.tools.said import Refused, Said, shown_name
from workers.tools.sources import Source

MOST_LINES: Final = 2_000
MOST_BYTES: Final = 64 * 1024
MOST_LINE_BYTES: Final = 256 * 1024
"""A single line up to this size is still delivered whole, alone."""
MOST_NAMES: Final = 1_000

Side: TypeAlias = Literal["base", "head"]


@dataclass(slots=True)
class DeliveryLog:
    """Lines that were delivered whole to one context, in order."""

    entries: list[Delivered] = field(default_factory=list)

    def add(self, side: Side, path: str, first: int, last: int) -> None:
        """Lines ``first`` to ``last`` of the file were shown."""
        if last >= first >= 1:
            self.entries.append(Delivered(side=side, path=path, start_line=first, end_line=last))


@dataclass(frozen=True, slots=True)
class Reading:
    """`list_files` and `read_file` over the sides that a role may see; ``main`` is the one it sees without asking."""

    sources: Mapping[Side, Source]
    main: Side
    redactor: Redactor
    log: DeliveryLog

    def list_files(self, asked: ListFiles) -> Said:
        """Names below a folder; many are told by folder instead."""
        prefix = "/".join(components(asked.path))
        below = f"{prefix}/" if prefix else ""
        names = [name for name in self.sources[self.main].paths() if name.startswith(below) or name == prefix]
        if not names:
            return Said(f"There is no file below {shown_name(asked.path)}.", is_error=True)
        if len(names) <= MOST_NAMES:
            return Said(self._clean("\n".join(map(shown_name, names))))
        counts: dict[str, int] = {}
        for name in names:
            head, slash, _ = name[len(below) :].partition("/")
            counts[below + head + slash] = counts.get(below + head + slash, 0) + 1
        told = [
            f"{shown_name(name)} ({count} files)" if name.endswith("/") else shown_name(name)
            for name, count in counts.items()
        ]
        left = [f"[... {len(told) - MOST_NAMES} more names ...]"] if len(told) > MOST_NAMES else []
        head_line = f"{len(names)} files; list a folder to see what is in it:"
        return Said(self._clean("\n".join([head_line, *told[:MOST_NAMES], *left])))

    def _clean(self, text: str) -> str:
        return self.redactor.redact(text).text

    def lines(self, side: Side, path: str) -> Lines:
        """A text file's lines on one side. Raises Refused for a binary file."""
        found = lines_of(self.sources[side].read(path), self.redactor)
        if found is None:
            raise Refused(f"{shown_name(path)} is a binary file.")
        return found

    def read_file(self, asked: ReadFile) -> Said:
        """Numbered lines, whole ones only, and what is left when there are too many."""
        side: Side = asked.rev if isinstance(asked, ReadFileAt) else self.main
        path = "/".join(components(asked.path))
        lines = self.lines(side, path)
        total = len(lines.text)
        if total == 0:
            return Said("(the file is empty)")
        first, last = asked.start_line or 1, min(asked.end_line or total, total)
        if first > total or last < first:
            return Said(
                f"{shown_name(path)} has {total} lines; lines {first} to {asked.end_line or total} are not there.",
                is_error=True,
            )
        shown: list[str] = []
        room = MOST_BYTES
        reached = first - 1
        for number in range(first, last + 1):
            line = f"{number}: {lines.shown(number)}"
            size = len(line.encode("utf-8", "replace")) + 1
            if len(shown) >= MOST_LINES or (size > room and not (not shown and size <= MOST_LINE_BYTES)):
                break
            shown.append(line)
            room -= size
            reached = number
        if not shown:
            return Said(
                f"Line {first} of {shown_name(path)} has more than {MOST_LINE_BYTES} bytes and cannot be delivered whole.",
                is_error=True,
            )
        self.log.add(side, path, lines.raw[first - 1][0], lines.raw[reached - 1][1])
        if reached < last:
            shown.append(f"[lines {first}-{reached} of {total}; read_file with start_line {reached + 1} shows more]")
        elif first > 1 or last < total:
            shown.append(f"[lines {first}-{last} of {total}]")
        return Said("\n".join(shown))
