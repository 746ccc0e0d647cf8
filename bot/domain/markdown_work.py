"""What reading Markdown may cost: markdown-it takes up to the cube of a text's length, and anybody may write to us.

A rule that matches nothing is asked before all others at each step, so it counts the work as it is done.
"""

from __future__ import annotations

from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock

LEAST_WORK: Final = 65_536
"""Steps and tokens that any text may take; a longer one may take as many as it has characters."""
DEEPEST: Final = 60
"""Levels of quotes and lists in each other."""


class Tangled(Exception):
    """A text whose structure costs more to read than its length is worth."""


def _step(state: StateBlock, _start: int, _end: int, _silent: bool) -> bool:  # markdown-it's signature
    state.env["steps"] += 1
    if state.level > DEEPEST or state.env["steps"] + len(state.tokens) > state.env["allowed"]:
        raise Tangled
    return False


def bounded(parser: MarkdownIt) -> MarkdownIt:
    """A parser with tables that raises ``Tangled``; it needs a text's work as its environment."""
    parser.options["maxNesting"] = 2 * DEEPEST
    parser.block.ruler.before("table", "step", _step, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    return parser


def work_for(text: str) -> dict[str, Any]:
    """A fresh count for one text."""
    return {"steps": 0, "allowed": max(LEAST_WORK, len(text))}
