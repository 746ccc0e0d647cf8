"""A command line as text: what no honest one holds, and whether the parser read all of it, line by line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from tree_sitter import Node

from workers.guard.verdict import Denied

MAX_BYTES: Final = 32 * 1024
_WHOLE: Final = frozenset(
    {"string", "raw_string", "ansi_c_string", "heredoc_body", "comment", "regex", "extglob_pattern"}
)
_ONE_LINE: Final = frozenset(
    {
        "command",
        "declaration_command",
        "unset_command",
        "file_redirect",
        "herestring_redirect",
        "variable_assignment",
        "variable_assignments",
        "concatenation",
        "negated_command",
    }
)
_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f"
    "\u2028-\u202f\u205f-\u206f\u3000\u3164\ud800-\udfff\ue000-\uf8ff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U0010ffff]"
)


_NAME: Final = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")


def check_source(source: str) -> None:
    """Refuse what no honest command line holds and parsers disagree on."""
    if len(source.encode(errors="surrogatepass")) > MAX_BYTES:
        raise Denied(
            "source.too-long", f"The command is longer than {MAX_BYTES} bytes: put it into a script or split it."
        )
    if found := _INVISIBLE.search(source):
        raise Denied(
            "source.characters",
            f"The command holds the character U+{ord(found[0]):04X}, which cannot be seen or is no plain blank: leave it out.",
        )
    if not source.strip():
        raise Denied("source.empty", "There is no command.")
    if re.search(r"[^ \t\n]\\\n[^ \t\n]", source):
        raise Denied("source.continuation", "A word goes on after a backslash and a line break: put a blank before it.")


def check_tree(root: Node, source: bytes) -> None:
    """Refuse what the parser skipped, or drew over the end of a line."""
    _check_gaps(root, source)
    _check_lines(root, source)


def _leaves(root: Node) -> Iterator[Node]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.is_missing:
            raise Denied("syntax.error", "A part of the command is missing: complete it.")
        if node.type in _WHOLE or not node.child_count:
            yield node
        else:
            waiting += reversed(node.children)


def _check_gaps(root: Node, source: bytes) -> None:
    """Before, between and after what the parser read there may be blanks only: nothing was skipped."""
    # Heredoc bodies are read out of order: sort by place.
    end = 0
    for leaf in sorted(_leaves(root), key=lambda n: (n.start_byte, n.end_byte)):
        _check_gap(source[end : leaf.start_byte])
        end = max(end, leaf.end_byte)
    _check_gap(source[end:])


def _check_gap(gap: bytes) -> None:
    if gap.replace(b"\\\n", b" ").strip(b" \t\n"):
        raise Denied(
            "syntax.gap",
            "A part of the command was not understood: write it in plainer shell (before a heredoc, leave out a lone `-`).",
        )


def _check_lines(root: Node, source: bytes) -> None:
    """A command ends with its line, a joined word has no gap, and a comment begins where a word could."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.type == "comment" and not _may_be_comment(source[: node.start_byte]):
            raise Denied("syntax.comment", "A # here may be part of a word: put a plain blank before it, or quote it.")
        if node.type in _ONE_LINE or (node.type == "test_command" and node.children[0].type == "["):
            for before, after in pairwise(node.children):
                gap = source[before.end_byte : after.start_byte]
                if b"\n" in gap.replace(b"\\\n", b"") or (
                    gap and node.type in {"concatenation", "variable_assignment"}
                ):
                    raise Denied("syntax.line", "A command goes on after the end of its line: write it in one line.")
        waiting += node.children


def _may_be_comment(before: bytes) -> bool:
    if re.search(rb"\\[ \t]+$", before):
        return False
    return not before or before.endswith((b" ", b"\t", b"\n", b";", b"(", b")", b"|", b"&"))


def cut_names(root: Node, source: bytes) -> list[tuple[int, int]]:
    """Names that the parser cut off their dollar, the last first: in `export A=$B/x-$C/y` only braces make it read C as bash does."""
    found: list[tuple[int, int]] = []
    waiting = [root]
    while waiting:
        node = waiting.pop()
        last = node.children[-1] if node.type == "concatenation" else None
        if last is not None and last.type == "$" and (name := _NAME.match(source, last.end_byte)):
            found.append(name.span())
        waiting += node.children
    return sorted(found, reverse=True)
