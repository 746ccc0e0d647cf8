"""What changed between two revisions once white space and comments are set aside (DESIGN section 6: what proves a fix)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

MAX_COMPARED_LINES = 4_000
"""Above this many differing lines on a side the whole differing middle counts as changed; the comparison is not linear."""

_HASH = frozenset(
    [
        "bash",
        "bzl",
        "cfg",
        "cmake",
        "conf",
        "ex",
        "exs",
        "gemspec",
        "graphql",
        "ini",
        "jl",
        "mk",
        "nix",
        "pl",
        "pm",
        "ps1",
        "py",
        "pyi",
        "r",
        "rake",
        "rb",
        "sh",
        "tf",
        "toml",
        "yaml",
        "yml",
        "zsh",
    ]
)
_SLASHES = frozenset(
    [
        "c",
        "cc",
        "cjs",
        "cpp",
        "cs",
        "css",
        "cts",
        "cxx",
        "dart",
        "go",
        "gradle",
        "groovy",
        "h",
        "hpp",
        "java",
        "js",
        "jsx",
        "kt",
        "kts",
        "less",
        "m",
        "mjs",
        "mts",
        "php",
        "proto",
        "rs",
        "scala",
        "scss",
        "swift",
        "ts",
        "tsx",
        "zig",
    ]
)
_DASHES = frozenset(["adb", "ads", "elm", "hs", "lua", "sql"])
_SEMICOLONS = frozenset(["asm", "cfg", "clj", "cljs", "conf", "el", "ini", "lisp", "scm"])
_HASH_NAMES = frozenset({"dockerfile", "makefile", "gemfile", "rakefile", "codeowners", ".gitignore", ".gitattributes"})


def touched_lines(before: Sequence[str] | None, now: Sequence[str], path: str) -> frozenset[int]:
    """1-based lines of ``now`` that differ from ``before`` (None: there was no such file), or stand beside a deletion.

    Lines that hold nothing but white space or a comment never count as changed.
    """
    after = _meanings(now, path)
    if before is None:
        return frozenset(number for number, text in enumerate(after, 1) if text)
    # What has no meaning takes no part in the comparison, so a moved comment moves nothing.
    old = [text for text in _meanings(before, path) if text]
    kept = [(number, text) for number, text in enumerate(after, 1) if text]
    new = [text for _, text in kept]
    found: set[int] = set()
    for start, end, deleted in _differences(old, new):
        found.update(range(start, end))
        if deleted and start == end:
            found.update({start - 1, start})
    return frozenset(kept[position][0] for position in found if 0 <= position < len(kept))


def _differences(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int, bool]]:
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    left, right = old[head : len(old) - tail], new[head : len(new) - tail]
    if not left and not right:
        return []
    if max(len(left), len(right)) > MAX_COMPARED_LINES:
        return [(head, head + len(right), bool(left))]
    matcher = SequenceMatcher(None, left, right)
    return [
        (head + start, head + end, first < last)
        for tag, first, last, start, end in matcher.get_opcodes()
        if tag != "equal"
    ]


def _meanings(lines: Sequence[str], path: str) -> list[str]:
    """Each line without white space and comments, "" where nothing is left."""
    name = path.rpartition("/")[2].lower()
    kind = name.rpartition(".")[2] if "." in name else ""
    blocks = kind in _SLASHES
    marks = [
        *(["#"] if kind in _HASH or name in _HASH_NAMES else []),
        *(["//"] if blocks else []),
        *(["--"] if kind in _DASHES else []),
        *([";"] if kind in _SEMICOLONS else []),
    ]
    found: list[str] = []
    inside = False
    for line in lines:
        text = line
        if blocks:
            text, inside = _without_blocks(text, inside)
        found.append("".join(_without_comment(text, marks).split()))
    return found


def _without_blocks(line: str, inside: bool) -> tuple[str, bool]:
    """``line`` without ``/* */`` comments, and whether one is still open after it."""
    kept: list[str] = []
    quotes: frozenset[str] = frozenset()
    at = 0
    while True:
        if inside:
            closed = line.find("*/", at)
            if closed < 0:
                return "".join(kept), True
            at = closed + 2
            inside = False
        opened = line.find("/*", at)
        before = line[at:opened]
        quotes = _open_quotes(quotes, before)
        # A line comment before the mark makes the mark part of that comment.
        if opened < 0 or "//" in before or quotes:
            return "".join((*kept, line[at:])), False
        kept.append(before)
        at = opened + 2
        inside = True


def _without_comment(line: str, marks: Sequence[str]) -> str:
    for mark in marks:
        quotes: frozenset[str] = frozenset()
        read = 0
        at = line.find(mark)
        while at >= 0:
            quotes = _open_quotes(quotes, line[read:at])
            read = at
            if not quotes and (at == 0 or line[at - 1].isspace()):
                return line[:at]
            at = line.find(mark, at + 1)
    return line


def _open_quotes(before: frozenset[str], text: str) -> frozenset[str]:
    """Quotation marks that are open after ``text``: what follows them is text, not a comment. Each letter is read once."""
    return before ^ {mark for mark in "\"'`" if text.count(mark) % 2 == 1}


def value_changed(before: Any, now: Any) -> bool:
    """Whether two JSON values differ, white space in strings aside."""
    return bool(_squeezed(before) != _squeezed(now))


def _squeezed(value: Any) -> Any:
    if isinstance(value, str):
        return ("text", "".join(value.split()))
    if isinstance(value, Mapping):
        return ("object", {name: _squeezed(entry) for name, entry in value.items()})
    if isinstance(value, list | tuple):
        return ("array", [_squeezed(entry) for entry in value])
    return (type(value).__name__, value)
