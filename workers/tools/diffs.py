"""`read_diff`: the diff under review, rendered from redacted files so that its numbers are those that evidence uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bot.domain.work import FileDiff, Hunk
from workers.sandbox.paths import components
from workers.tools.contracts import ReadDiff
from workers.tools.lines import Lines
from workers.tools.reading import MOST_BYTES, MOST_LINE_BYTES, Reading
from workers.tools.said import Said, shown_name

CONTEXT: Final = 3
_NOTHING: Final = Lines((), ())


@dataclass(frozen=True, slots=True)
class _Piece:
    """One hunk as text, with the file's own lines that it shows on each side."""

    text: str
    base: tuple[int, int]
    head: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Diffs:
    """Serves hunks whole or not at all, and logs what was served."""

    files: Sequence[FileDiff]
    reading: Reading

    def read_diff(self, asked: ReadDiff) -> Said:
        """All hunks that fit, then what was left out and how to see it."""
        path = None if asked.path is None else "/".join(components(asked.path))
        files = [one for one in self.files if path in {None, one.path}]
        if not files:
            changed = ", ".join(shown_name(one.path) for one in self.files[:50])
            return Said(
                f"{shown_name(str(asked.path))} did not change; changed are: {changed or 'no files'}.", is_error=True
            )
        shown: list[str] = []
        left: list[str] = []
        room = MOST_BYTES
        for file in files:
            header, pieces = self._file(file)
            for index, piece in enumerate(pieces):
                text = piece.text if index else f"{header}\n{piece.text}"
                size = len(text.encode("utf-8", "replace")) + 1
                if size > room and not (not shown and size <= MOST_LINE_BYTES):
                    left.append(f"{shown_name(file.path)} base {_range(piece.base)}, head {_range(piece.head)}")
                    continue
                room -= size
                shown.append(text)
                self.reading.log.add("base", file.path, *piece.base)
                self.reading.log.add("head", file.path, *piece.head)
            if not pieces:
                shown.append(header)
        if left:
            shown.append(
                "[not shown, too long for one answer; read_diff with a path, or read_file with rev base or head, shows it:\n"
                + "\n".join(left[:200])
                + "]"
            )
        return Said("\n".join(shown))

    def _file(self, file: FileDiff) -> tuple[str, list[_Piece]]:
        modes = f"{file.old_mode or '-'} -> {file.new_mode or '-'}"
        header = f"--- {shown_name(file.path)} ({file.kind}, mode {modes})"
        if file.binary:
            return f"{header}\n(binary)", []
        if not file.hunks:
            return header, []
        base = self.reading.lines("base", file.path) if file.old_blob else _NOTHING
        head = self.reading.lines("head", file.path) if file.new_blob else _NOTHING
        pieces = []
        for index, hunk in enumerate(file.hunks):
            before = file.hunks[index - 1] if index else None
            after = file.hunks[index + 1] if index + 1 < len(file.hunks) else None
            pieces.append(_piece(hunk, base, head, _last(before) + 1, None if after is None else _first(after) - 1))
        return header, pieces


def _range(lines: tuple[int, int]) -> str:
    return f"{lines[0]}-{lines[1]}" if lines[1] >= lines[0] else "-"


def _first(hunk: Hunk) -> int:
    """The first head line of a hunk; a hunk without head lines stands after line ``head_start``."""
    return hunk.head_start if hunk.head_count else hunk.head_start + 1


def _last(hunk: Hunk | None) -> int:
    return 0 if hunk is None else _first(hunk) + hunk.head_count - 1


def _piece(hunk: Hunk, base: Lines, head: Lines, lowest: int, highest: int | None) -> _Piece:
    """Removed lines, added lines, and up to three unchanged ones around them that no other hunk shows."""
    first, last = _first(hunk), _last(hunk)
    total = head.raw[-1][1] if head.raw else 0
    start = max(lowest, first - CONTEXT)
    end = min(total if highest is None else highest, last + CONTEXT)
    gone = (hunk.base_start, hunk.base_start + hunk.base_count - 1)
    removed = _marked(base, *gone, "-")
    rows = [
        *_marked(head, start, first - 1, " "),
        *removed,
        *_marked(head, first, last, "+"),
        *_marked(head, last + 1, end, " "),
    ]
    before, after = first - start, max(end - last, 0)
    at = head.of_raw(start, end)[0] if end >= start else hunk.head_start
    old = (hunk.base_start if hunk.base_count else hunk.base_start + 1) - before
    counts = (hunk.base_count + before + after, hunk.head_count + before + after)
    # A side without lines is named by the line before it, as git does.
    old = old if counts[0] else old - 1
    title = f"@@ -{max(old, 0)},{counts[0]} +{at},{counts[1]} @@"
    return _Piece("\n".join([title, *rows]), gone, (start, end))


def _marked(lines: Lines, first: int, last: int, mark: str) -> list[str]:
    if last < first:
        return []
    low, high = lines.of_raw(first, last)
    return [mark + lines.shown(number) for number in range(low, high + 1)]
