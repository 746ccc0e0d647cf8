"""Markdown as people see it: what its markup hides is taken out and counted, before any model reads it (DESIGN section 9).

GitHub shows an issue rendered; a model reads its source. An instruction in a comment, in a folded block or in an image's
text is therefore read by models alone. Where renderers could differ, text counts as hidden: people can say it again.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.domain.hidden_characters import without_hidden, without_terminal_codes
from bot.domain.hidden_html import LONGEST_TAG, TAG, Html, end_of_declaration

_GFM: Final = MarkdownIt("commonmark").enable(["table", "strikethrough"])
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)
_BACKTICKS: Final = re.compile(r"`+")
_ENTITY: Final = re.compile(r"&(?:#[0-9]{1,8}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_IMAGE: Final = re.compile(r"!\[((?:[^\[\]\\]|\\.|\[[^\[\]]*\])*)\]")
_EMPTY_LINK: Final = re.compile(r"(?<!!)\[\s*\]\([^()\n]*\)")
_TITLE: Final = re.compile(
    r"""(\]\(\s*(?:<[^<>\n]*>|[^\s()]*(?:\([^\s()]*\)[^\s()]*)*))\s+(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\((?:[^()\\]|\\.)*\))(?=\s*\))"""
)
_DEFINITION: Final = re.compile(r" {0,3}\[(?!\s*\])((?:[^\[\]\\]|\\.){1,999})\]:")
_TARGET: Final = re.compile(r"([> \t]*\[(?:[^\[\]\\]|\\.)+\]:\s*(?:<[^<>\n]*>|\S+))(.*)", re.DOTALL)
_FORMULA: Final = re.compile(r"\$\$.*?\$\$|\$`.*?`\$|\$(?!\s)[^$\n]*\$", re.DOTALL)
_TRICKS: Final = re.compile(
    r"\\(?:[hv]?phantom|color|textcolor|colorbox|style|class|href|smash|[rlc]lap|tiny|scriptscriptstyle|require|def|newcommand)\b"
)
# What GitHub draws: its source is behind the picture. Comments in it are behind everything.
_DRAWN: Final = frozenset({"mermaid", "math", "geojson", "topojson", "stl"})


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
    reading = _Reading(text.split("\n"))
    seen, characters = without_hidden(reading.seen())
    return Seen(seen, dict(sorted((reading.counts + characters).items())))


def words_as_people_see(text: str) -> Seen:
    """The same for a title, a log or another text that GitHub does not render: its Markdown is words."""
    shown, comments = _COMMENT.subn("", without_terminal_codes(text))
    seen, characters = without_hidden(shown)
    return Seen(seen, together({"html-comment": comments} if comments else {}, characters))


def together(*counts: Mapping[str, int]) -> dict[str, int]:
    """Counts of several texts as one."""
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(sorted(total.items()))


class _Reading:
    """One text, block by block in the order of its lines."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self.counts: Counter[str] = Counter()
        self._in_unused_note = self._note_goes_on = False
        text = "\n".join(lines)
        self._html = Html(self.counts, text.lower())
        self._folded = " ".join(text.split()).casefold()
        self._tokens = _GFM.parse(text)

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
        for token in self._tokens:
            kind = _KIND.get(token.type, "")
            if not kind or token.map is None or token.map[0] < done:
                continue
            first, last = token.map
            if first > done:
                yield "between", done, first
            yield _drawn(token) if kind == "fence" else kind, first, last
            done = last
        if done < len(self._lines):
            yield "between", done, len(self._lines)

    def _block(self, kind: str, text: str) -> str | None:
        """What shows of a block; None for nothing, blank lines aside."""
        if kind == "html":
            return self._decoded(self._html.feed(text, inline=False))
        if self._html.hides or (kind == "code" and self._in_unused_note):
            return None
        match kind:
            case "fence":
                return self._fence(text)
            case "drawn":
                return self._drawing(text)
            case "code":
                return text
            case "between":
                return "\n".join(self._between(text.split("\n")))
            case _:
                return self._inline("\n".join(self._without_unused_notes(text.split("\n"))))

    def _without_unused_notes(self, lines: Sequence[str]) -> Iterator[str]:
        """GitHub drops a footnote that nothing refers to."""
        self._in_unused_note = self._note_goes_on
        self._note_goes_on = False
        for line in lines:
            found = _DEFINITION.match(line) if line.lstrip(" ").startswith("[^") else None
            if found is not None:
                self._in_unused_note = not self._is_used(found[1])
                self.counts["reference"] += self._in_unused_note
            if not self._in_unused_note:
                yield line

    def _fence(self, text: str) -> str:
        """A fence's words after its language show nowhere."""
        opening, line_end, rest = text.partition("\n")
        found = re.match(r"([>\s0-9.)*+-]*(?:`{3,}|~{3,})\s*[^\s`]*)(.*)", opening)
        if found is None or not found[2].strip():
            return text
        self.counts["fence-info"] += 1
        return found[1] + line_end + rest

    def _drawing(self, text: str) -> str:
        """A fence that GitHub draws: comments in it show nowhere, nor does a formula that hides its words."""
        lines = self._fence(text).split("\n")
        kept = [line for line in lines if not line.lstrip("> \t").startswith("%")]
        if _TRICKS.search(text):
            kept = [lines[0], lines[-1]]
        self.counts["formula"] += len(lines) - len(kept)
        return "\n".join(kept)

    def _between(self, lines: Sequence[str]) -> Iterator[str]:
        """Blank lines, rules, and definitions: of references that nobody uses nothing shows, of the others not the title."""
        defining = False
        for line in lines:
            found = _DEFINITION.match(line.lstrip("> \t"))
            self._note_goes_on = found is not None and found[1].startswith("^") and not self._is_used(found[1])
            if found is None:
                # A definition's target and title may stand on lines of their own.
                defining = defining and bool(line.strip("> \t"))
                if not defining:
                    yield self._html.feed(line, inline=False)
                continue
            defining = True
            if not self._is_used(found[1]):
                self.counts["reference"] += 1
                continue
            target = _TARGET.match(line)
            if target is not None and target[2].strip():
                self.counts["link-title"] += 1
                yield target[1]
            else:
                yield line

    def _is_used(self, label: str) -> bool:
        wanted = f"[{' '.join(label.split()).casefold()}]"
        # A picture's own words are not shown, so they use nothing.
        others = self._folded.count(f"{wanted}:") + self._folded.count(f"!{wanted}")
        return self._folded.count(wanted) > others

    def _inline(self, text: str) -> str:
        """A paragraph's, heading's or table row's source: code spans stand, the rest is read as GitHub renders it."""
        parts: list[str] = []
        spans = list(_spans(text))
        for index, (is_code, piece) in enumerate(spans):
            if not is_code:
                parts.append(self._words(piece))
            elif not self._html.hides:
                # Between dollars a code span is a formula.
                formula = parts[-1].endswith("$") and spans[index + 1][1].startswith("$")
                parts.append(_FORMULA.sub(self._formula, f"${piece}$")[1:-1] if formula else piece)
        return "".join(parts)

    def _words(self, text: str) -> str:
        text = self._html.feed(text, inline=True)
        for pattern, name in ((_EMPTY_LINK, "empty-link"), (_TITLE, "link-title"), (_IMAGE, "alt-text")):
            text = self._without(pattern, name, text)
        return self._decoded(_FORMULA.sub(self._formula, text))

    def _without(self, pattern: re.Pattern[str], name: str, text: str) -> str:
        def gone(found: re.Match[str]) -> str:
            if name == "alt-text":
                if text[found.end() : found.end() + 1] not in {"(", "["} and not self._is_defined(found[1]):
                    return found[0]
                self.counts[name] += bool(found[1].strip())
                return "![]"
            self.counts[name] += 1
            return found[1] if name == "link-title" else ""

        return pattern.sub(gone, text)

    def _is_defined(self, label: str) -> bool:
        return f"[{' '.join(label.split()).casefold()}]:" in self._folded

    def _formula(self, found: re.Match[str]) -> str:
        if not _TRICKS.search(found[0]):
            return found[0]
        self.counts["formula"] += 1
        return ""

    def _decoded(self, text: str) -> str:
        """Entities that stand for hidden characters are what they stand for; others stay as they are written."""

        def character(found: re.Match[str]) -> str:
            meant = html.unescape(found[0])
            return meant if meant != found[0] and without_hidden(meant)[1] else found[0]

        return _ENTITY.sub(character, text)


_KIND: Final = {"fence": "fence", "code_block": "code", "html_block": "html", "inline": "inline"}


def _drawn(token: Token) -> str:
    words = token.info.split()
    return "drawn" if words and words[0].lower() in _DRAWN else "fence"


def _spans(text: str) -> Iterable[tuple[bool, str]]:
    """Code spans and what lies between them, by CommonMark's rule: as many backticks at the end as at the start."""
    runs = list(_BACKTICKS.finditer(text))
    begin = index = 0
    while index < len(runs):
        opening = runs[index]
        index += 1
        before = text[max(begin, opening.start() - 50) : opening.start()]
        start = opening.start() + (len(before) - len(before.rstrip("\\"))) % 2
        ticks = opening.end() - start
        closing = next((one for one in range(index, len(runs)) if len(runs[one][0]) == ticks), None)
        if closing is None or ticks == 0 or _in_html(text, begin, start):
            continue
        yield False, text[begin:start]
        yield True, text[start : runs[closing].end()]
        begin, index = runs[closing].end(), closing + 1
    yield False, text[begin:]


def _in_html(text: str, begin: int, at: int) -> bool:
    """Whether HTML that begins between ``begin`` and ``at`` ends behind ``at``: it binds as strongly, and it is leftmost."""
    place, endless = text.find("<", begin, at), set[str]()
    while place >= 0:
        end = end_of_declaration(text, place, endless)
        tag = None if end else TAG.match(text[place : place + LONGEST_TAG])
        end = end or (0 if tag is None else place + tag.end())
        if end > at:
            return True
        place = text.find("<", max(end, place + 1), at)
    return False
