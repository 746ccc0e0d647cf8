"""Where a comment's visible top-level lines begin: what commands are read from (DESIGN section 9).

Pure. GitHub's renderer knows more than CommonMark (footnotes, formulas, folded HTML); where the two could differ, a line
is taken as not visible: a command that is missed can be sent again, one that nobody meant cannot be taken back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import count, pairwise
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.domain.markdown_work import Tangled, bounded, work_for

LONGEST: Final = 10_000
"""Characters of a body that is read for commands: what stands inside of paragraphs costs up to its square."""

_GFM: Final = bounded(MarkdownIt("commonmark").enable(["table", "strikethrough"]))
_FOOTNOTE: Final = re.compile(r" {0,3}\[\^[^\]]+\]:")
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)
_TAG: Final = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9-]*)(?:[^\"'<>]|\"[^\"]*\"|'[^']*')*>")
_BREAKS: Final = frozenset({"softbreak", "hardbreak"})
# Elements that hold nothing.
VOID: Final = frozenset(
    "area base br col embed hr img input link meta param source track wbr".split()  # noqa: SIM905 - one list, read as such
)
# And one that the next paragraph closes by itself.
_CLOSED: Final = VOID | {"p"}


class _Folds:
    """Which HTML elements are open, as far as the tags seen so far tell."""

    def __init__(self) -> None:
        self._open: list[str] = []
        self._lost = False

    def feed(self, html: str) -> None:
        rest = _COMMENT.sub("", html)
        for closing, name in _TAG.findall(rest):
            self._step(name.lower(), closing=bool(closing))
        # What is neither a whole tag nor a whole comment may swallow all that follows.
        if "<" in _TAG.sub("", rest):
            self._lost = True

    def _step(self, name: str, *, closing: bool) -> None:
        if name in _CLOSED:
            return
        if not closing:
            self._open.append(name)
        elif name in self._open:
            last = len(self._open) - 1 - self._open[::-1].index(name)
            del self._open[last:]

    @property
    def inside(self) -> bool:
        return self._lost or bool(self._open)


def visible_line_starts(lines: Sequence[str], word: str) -> list[int]:
    """Indices of ``lines`` that begin with ``word`` and are shown as the start of a line of a top-level paragraph.

    ``word`` is made of letters after one punctuation mark, so that letters added to it change no Markdown structure:
    every candidate is marked in the source, and counts when its mark comes out as plain text after a line break.
    Raises ``Tangled`` when there are candidates and the text is longer than ``LONGEST`` or costs more than it is worth.
    """
    body = "\n".join(lines)
    candidates = [n for n, line in enumerate(lines) if line.startswith(word)]
    if not candidates:
        return []
    if len(body) > LONGEST:
        raise Tangled
    mark = next(m for m in (f"x{n}q" for n in count()) if m not in body)
    marked = list(lines)
    for n in candidates:
        marked[n] = f"{word}{mark}{n}z{lines[n][len(word) :]}"
    shown = re.compile(re.escape(word + mark) + r"([0-9]+)z")
    tokens = _GFM.parse("\n".join(marked), work_for(body))
    numbers = [int(m.group(1)) for text in _line_starts(tokens) if (m := shown.match(text))]
    footnote = next((n for n, line in enumerate(lines) if _FOOTNOTE.match(line)), len(lines))
    return [n for n in numbers if not _in_footnote(lines, n, footnote) and not _in_formula(lines, n)]


def _line_starts(tokens: Sequence[Token]) -> Iterator[str]:
    """The text with which each line of each top-level paragraph outside HTML begins."""
    folds = _Folds()
    for opening, token in pairwise([Token("", "", 0), *tokens]):
        if token.type == "html_block":
            folds.feed(token.content)
        if token.type != "inline":
            continue
        top = opening.type == "paragraph_open" and opening.level == 0
        before: Token | None = None
        for child in token.children or ():
            if child.type == "html_inline":
                folds.feed(child.content)
            at_start = before is None or before.type in _BREAKS
            if top and at_start and child.type == "text" and child.level == 0 and not folds.inside:
                yield child.content
            # A break inside a link or emphasis leaves an empty text before what follows it.
            if not (child.type == "text" and not child.content):
                before = child


def _in_footnote(lines: Sequence[str], place: int, first: int) -> bool:
    """GitHub's footnotes take lazy continuation lines; only a line after a blank one is surely outside."""
    after_blank = place == 0 or not lines[place - 1].strip()
    return not after_blank and first < place


def _in_formula(lines: Sequence[str], place: int) -> bool:
    """Whether an earlier line of the same paragraph has a formula mark that may still be open."""
    for line in reversed(lines[:place]):
        if not line.strip():
            return False
        if "$$" in line:
            return True
    return False
