"""Markdown as people see it: what its markup hides is taken out and counted, before any model reads it (DESIGN section 9).

GitHub shows an issue rendered; a model reads its source. An instruction in a comment, in a folded block or in an image's
text is therefore read by models alone. Where renderers could differ, text counts as hidden: people can say it again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.domain.hidden_characters import without_hidden, without_terminal_codes
from bot.domain.hidden_html import Html
from bot.domain.hidden_inline import TRICKS, UNTYPESET, Inline, Labels, decoded, defined_labels, folded, used_labels
from bot.domain.markdown_work import Tangled, bounded, work_for

_DEFINITION: Final = re.compile(r"\[(?!\s*\])((?:[^\[\]\\]|\\.){1,999}+)\]:")
_TARGET: Final = re.compile(r"([> \t]*+\[(?:[^\[\]\\]|\\.)+\]:\s*+(?:<[^<>\n]*>|\S++))(.*)", re.DOTALL)
# Rules, marks of quotes and items, underlines, a table's second line: what has no words of its own.
_WORDLESS: Final = re.compile(r"[>\s*_+=|:#.)0-9-]*")
_PREFIX: Final = "> \t*+-.)0123456789"
_CELL_END: Final = re.compile(r"((?:[^|\\]|\\.|\\$)*+)(\|?)", re.DOTALL)
_OPENING: Final = re.compile(r"([>\s0-9.)*+-]*(?:`{3,}|~{3,})\s*[^\s`]*)(.*)")
# What GitHub draws: its source is behind the picture. Comments in it are behind everything, a map's or a body's all of it.
_DRAWN: Final = frozenset({"mermaid", "math", "geojson", "topojson", "stl"})
_MAPS: Final = frozenset({"geojson", "topojson", "stl"})
_UNDRAWN: Final = re.compile(r"(?im)^[>\s]*(?:acc(?:title|descr)|click|callback|classdef|style|linkstyle|---)\b")
_UNREADABLE: Final = re.compile(r"<[A-Za-z!?/]|```|~~~|\$\$")
_BLANK_LINES: Final = re.compile(r"\n[> \t]*\n")


@dataclass(frozen=True, slots=True)
class Seen:
    """What people see of a text, and what they do not: how often each class of hidden text stood in it."""

    text: str
    hidden: Mapping[str, int]


def as_people_see(markdown: str) -> Seen:
    """An issue's body, a comment or another text that GitHub renders, without what its readers do not see.

    The classes are those of the table in ``docs/security.md``. Code stands as it is, for people see all of it.
    """
    text = markdown.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    try:
        tokens = _tokens(text)
    except Tangled:
        shown, counts = _as_plain_text(text)
    else:
        labels = Labels(defined_labels(text))
        # What is defined shows where it is used, and it is used where that shows: read once to know, once to tell.
        first = _Reading(text, tokens, labels)
        first.seen()
        labels.used = used_labels("\n".join(first.inline.said))
        second = _Reading(text, tokens, labels)
        shown, counts = second.seen(), second.counts
    seen, characters = without_hidden(shown)
    return Seen(seen, together(counts, characters))


def words_as_people_see(text: str) -> Seen:
    """The same for a title, a log or another text that GitHub does not render: its Markdown is words."""
    parts: list[str] = []
    comments = at = 0
    text = without_terminal_codes(text)
    while (start := text.find("<!--", at)) >= 0 and (end := text.find("-->", start + 4)) >= 0:
        parts.append(text[at:start])
        comments, at = comments + 1, end + 3
    seen, characters = without_hidden("".join((*parts, text[at:])))
    return Seen(seen, together({"html-comment": comments}, characters))


def together(*counts: Mapping[str, int]) -> dict[str, int]:
    """Counts of several texts as one, without what was nowhere met."""
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(sorted((+total).items()))


# Only blocks: what is inside of a paragraph has its own reading.
_GFM: Final = bounded(MarkdownIt("commonmark").enable("table"))


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    _GFM.block.parse(text, _GFM, work_for(text), tokens)
    return tokens


def _as_plain_text(text: str) -> tuple[str, Counter[str]]:
    """A text that nobody wrote by hand: paragraphs without any sign that could hide something, up to HTML or a fence."""
    counts: Counter[str] = Counter()
    cut = _UNREADABLE.search(text)
    if cut is not None:
        counts["hidden-element"] = 1
    shown: list[str] = []
    hides = False
    for paragraph in _BLANK_LINES.split(text[: cut.start()] if cut else text):
        # An indented paragraph may go on with the note before it.
        hides = any(sign in paragraph for sign in "[]`$") or (hides and paragraph[:1].isspace())
        counts["reference"] += hides
        shown += [] if hides else [paragraph]
    return decoded("\n\n".join(shown)), counts


class _Reading:
    """One text, block by block in the order of its lines."""

    def __init__(self, text: str, tokens: Sequence[Token], labels: Labels) -> None:
        self._lines = text.split("\n")
        self._tokens = tokens
        self.counts: Counter[str] = Counter()
        self._labels = labels
        self._defined: set[str] = set()
        self._in_unused_note = self._note_goes_on = False
        self._html = Html(self.counts, text)
        self.inline = Inline(self.counts, self._html, labels)

    def seen(self) -> str:
        out: list[str] = []
        for kind, first, last in self._blocks():
            text = "\n".join(self._lines[first:last])
            shown = self._block(kind, text)
            if shown is not None:
                out.append(shown)
        return "\n".join(out)

    def _blocks(self) -> Iterator[tuple[str, int, int]]:
        """Kind, first line and the line after the last of each block that holds text, and of what lies between them."""
        done = 0
        for before, token in pairwise([_BEFORE_ALL, *self._tokens]):
            kind = _KIND.get(token.type, "")
            if not kind or token.map is None or token.map[0] < done:
                continue
            first, last = token.map
            if first > done:
                yield "between", done, first
            if kind == "fence":
                kind = _drawn(token)
            elif before.type in {"th_open", "td_open"}:
                kind = "row"
            yield kind, first, last
            done = last
        if done < len(self._lines):
            yield "between", done, len(self._lines)

    def _block(self, kind: str, text: str) -> str | None:
        """What shows of a block; None for nothing, blank lines aside."""
        if kind == "html":
            return decoded(self._html.feed(text, inline=False))
        if self._html.hides or (kind == "code" and self._in_unused_note):
            return None
        match kind:
            case "fence":
                return self._fence(text)
            case "drawn":
                return self._drawing(text)
            case "code":
                return text
            case "row":
                # Of a table's cells each is read by itself: nothing goes on from one into another.
                return "".join(self.inline.seen(cell[1]) + cell[2] for cell in _CELL_END.finditer(text))
            case "between":
                return "\n".join(self._between(text.split("\n")))
            case _:
                return self.inline.seen("\n".join(self._without_unused_notes(text.split("\n"))))

    def _without_unused_notes(self, lines: Sequence[str]) -> Iterator[str]:
        """GitHub drops a footnote that nothing refers to."""
        self._in_unused_note = self._note_goes_on
        self._note_goes_on = False
        for line in lines:
            found = _DEFINITION.match(line.lstrip(_PREFIX))
            if found is not None and found[1].startswith("^"):
                self._in_unused_note = not self._is_used(found[1])
                self.counts["reference"] += self._in_unused_note
            if not self._in_unused_note:
                yield line

    def _fence(self, text: str) -> str:
        """A fence's words after its language show nowhere."""
        opening, line_end, rest = text.partition("\n")
        found = _OPENING.match(opening)
        if found is None or not found[2].strip():
            return text
        self.counts["fence-info"] += 1
        return found[1] + line_end + rest

    def _drawing(self, text: str) -> str:
        """A fence that GitHub draws: comments in it show nowhere, nor does a drawing or formula that hides its words."""
        lines = self._fence(text).split("\n")
        kept = [line for line in lines if not line.lstrip("> \t").startswith("%")]
        language = lines[0].lstrip(_PREFIX + "`~").lower()
        hides = TRICKS.search(text) or (UNTYPESET if language == "math" else _UNDRAWN).search("\n".join(kept))
        if language in _MAPS or hides:
            kept = [lines[0], lines[-1]]
        self.counts["formula"] += len(lines) - len(kept)
        return "\n".join(kept)

    def _between(self, lines: Sequence[str]) -> Iterator[str]:
        """Blank lines, rules, and definitions: of references that nobody uses nothing shows, of the others not the title."""
        name = "reference"
        for line in lines:
            found = _DEFINITION.match(line.lstrip(_PREFIX))
            self._note_goes_on = found is not None and found[1].startswith("^") and not self._is_used(found[1])
            if found is None and _WORDLESS.fullmatch(line):
                name = "reference"
                yield line
            elif found is None:
                # A definition's label, address and title may stand on lines of their own.
                self.counts[name] += 1
            elif self._is_first_use(found[1]):
                name = "link-title"
                target = _TARGET.match(line)
                self.counts[name] += target is not None and bool(target[2].strip())
                yield target[1] if target is not None else line
            else:
                name = "reference"
                self.counts[name] += 1

    def _is_first_use(self, label: str) -> bool:
        """Of two definitions of one label the second says nothing."""
        is_first = folded(label) not in self._defined
        self._defined.add(folded(label))
        return is_first and self._is_used(label)

    def _is_used(self, label: str) -> bool:
        return folded(label) in self._labels.used


_BEFORE_ALL: Final = Token("", "", 0)
_KIND: Final = {"fence": "fence", "code_block": "code", "html_block": "html", "inline": "inline"}


def _drawn(token: Token) -> str:
    words = token.info.split()
    return "drawn" if words and words[0].lower() in _DRAWN else "fence"
