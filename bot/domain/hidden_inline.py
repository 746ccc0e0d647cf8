"""The inside of a paragraph, heading or table cell as people see it: code, links, pictures, formulas, entities.

All of it reads from left to right once; what has been read is not read again for another possibility.
"""

from __future__ import annotations

import html
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from bot.domain.hidden_characters import without_hidden
from bot.domain.hidden_html import Html, end_of_declaration, end_of_tag

_BACKTICKS: Final = re.compile(r"`+")
_SPAN_SIGN: Final = re.compile(r"\\.|`+|<", re.DOTALL)
_ENTITY: Final = re.compile(r"&(?:#[0-9]{1,8}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_BRACKET: Final = re.compile(r"\\.|!?\[|\]", re.DOTALL)
_POINTED: Final = re.compile(r"<(?:[^<>\n\\]|\\.)*+>")
_ADDRESS_SIGN: Final = re.compile(r"\\.|[()\s]", re.DOTALL)
_DEEPEST_ADDRESS: Final = 32  # parentheses in parentheses, as cmark reads them
_TITLE: Final = re.compile(
    r"""\s++(?:"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'|\((?:[^()\\]|\\.)*+\))(?=\s*+\))""", re.DOTALL
)
_LABEL: Final = re.compile(r"\[((?:[^\[\]\\]|\\.){0,999}+)\]", re.DOTALL)
_MENTION: Final = re.compile(r"\\.|(!?)\[((?:[^\[\]\\]|\\.){1,999}+)\](:?)", re.DOTALL)
_LONGEST_LABEL: Final = 999
_WORD: Final = re.compile(r"\S")
_FORMULA: Final = re.compile(r"\$\$.*?\$\$|\$(?!\s)[^$\n]*\$", re.DOTALL)
_CODE: Final = re.compile("\0([0-9]+)\0")
TRICKS: Final = re.compile(
    r"\\(?:[hv]?phantom|color|textcolor|colorbox|style|class|href|smash|[rlc]lap|tiny|scriptscriptstyle|require|def|newcommand)\b"
)
"""Commands that hide or recolour a formula's words, and those that make such commands."""
UNTYPESET: Final = re.compile(r"(?<!\\)%")
"""What begins a comment in a formula."""


def folded(label: str) -> str:
    """A reference's label as CommonMark compares it."""
    return " ".join(label.split()).casefold()


@dataclass(slots=True)
class Labels:
    """Which references a text defines, and which of them it uses where people see it."""

    defined: frozenset[str]
    used: frozenset[str] = frozenset()


def defined_labels(text: str) -> frozenset[str]:
    """Labels that ``text`` may define: a picture of such a name has no words that people see."""
    return frozenset(folded(found[2]) for found in _MENTION.finditer(text) if found[3])


def used_labels(text: str) -> frozenset[str]:
    """Labels that ``text``, of which people see all, refers to and shows."""
    used = set()
    for found in _MENTION.finditer(text):
        # Of a picture nobody sees the words.
        if found[2] and not found[1]:
            used.add(folded(found[2]))
    return frozenset(used)


@dataclass(slots=True)
class Inline:
    """Reads inline Markdown of one text whose HTML and references are known; what it takes out it counts."""

    counts: Counter[str]
    html: Html
    labels: Labels
    said: list[str] = field(default_factory=list)
    """What was shown so far, without code: where references are used."""
    _code: list[str] = field(default_factory=list)

    def seen(self, text: str) -> str:
        """What shows of ``text``, which holds no NUL; code spans stand as they are."""
        self.html.doubtful = False
        parts: list[str] = []
        for is_code, piece in spans(text):
            if not is_code:
                parts.append(self.html.feed(piece, inline=True))
            elif not self.html.hides:
                # A title or a picture's words may have code inside: it stands for itself until they are read.
                parts.append(f"\0{len(self._code)}\0")
                self._code.append(piece)
        words = self._without_what_links_hide("".join(parts))
        self.said.append(words)
        return _CODE.sub(lambda found: self._code[int(found[1])], decoded(_FORMULA.sub(self._formula, words)))

    def _without_what_links_hide(self, text: str) -> str:
        out: list[str] = []
        openers: list[tuple[int, int, bool]] = []  # place in `out`, place in `text`, whether of a picture
        at = 0
        for sign in _BRACKET.finditer(text):
            if sign.start() < at:
                continue
            out.append(text[at : sign.start()])
            at = sign.end()
            if sign[0] != "]":
                if not sign[0].startswith("\\"):
                    openers.append((len(out), at, sign[0] == "!["))
                out.append(sign[0])
            elif not openers:
                out.append("]")
            else:
                place, start, is_picture = openers.pop()
                at, is_link = self._close(out, text, place, (start, sign.start()), is_picture=is_picture)
                # A link holds no link.
                openers = [one for one in openers if one[2]] if is_link else openers
        return "".join((*out, text[at:]))

    def _close(
        self, out: list[str], text: str, place: int, inside: tuple[int, int], *, is_picture: bool
    ) -> tuple[int, bool]:
        """Where to read on behind the bracket that closes ``inside``, and whether a link ends there."""
        at = inside[1] + 1
        address, end = self._tail(text, at)
        label = _LABEL.match(text, at)
        if is_picture and (label or text.startswith("(", at) or self._is_defined(text, *inside)):
            self.counts["alt-text"] += _WORD.search(text, *inside) is not None
            out[place:] = ["![]", address]
        elif end and not any(map(_shows, out[place + 1 :])):
            self.counts["empty-link"] += 1
            del out[place:]
        else:
            out += ["]", address]
        behind = folded(label[1]) if label else ""
        if label is None or " " not in behind or behind not in self.labels.defined:
            return end or at, bool(end) and not is_picture
        self.counts["reference"] += 1
        return label.end(), not is_picture

    def _is_defined(self, text: str, start: int, end: int) -> bool:
        return end - start <= _LONGEST_LABEL and folded(text[start:end]) in self.labels.defined

    def _tail(self, text: str, at: int) -> tuple[str, int]:
        """A link's address in its parentheses, without the title, and where they end; nothing and 0 for no such."""
        if not text.startswith("(", at):
            return "", 0
        start = _past_blanks(text, at + 1)
        end = _end_of_address(text, start)
        if end is None:
            return "", 0
        title = _TITLE.match(text, end)
        close = _past_blanks(text, title.end() if title else end)
        if not text.startswith(")", close):
            return "", 0
        self.counts["link-title"] += title is not None
        return f"({text[start:end]})", close + 1

    def _formula(self, found: re.Match[str]) -> str:
        code = _CODE.fullmatch(found[0][1:-1])
        words = self._code[int(code[1])] if code else found[0].strip("$")
        # Between single dollars, money is more common: their formula begins and ends with a word.
        follows = found.string[found.end() : found.end() + 1]
        typeset = found[0].startswith("$$") or not (words[-1:].isspace() or follows.isalnum())
        if not (TRICKS.search(words) or (typeset and UNTYPESET.search(words))):
            return found[0]
        self.counts["formula"] += 1
        return ""


def decoded(text: str) -> str:
    """``text`` with entities that stand for hidden characters as these characters; others stay as they are written."""

    def character(found: re.Match[str]) -> str:
        meant = html.unescape(found[0])
        return meant if without_hidden(meant)[1] else found[0]

    return _ENTITY.sub(character, text)


def spans(text: str) -> Iterator[tuple[bool, str]]:
    """Code spans and what lies between them, by CommonMark's rule: as many backticks at the end as at the start.

    HTML binds as strongly: whichever begins further left holds the other's signs.
    """
    places: defaultdict[int, list[int]] = defaultdict(list)
    for run in reversed(list(_BACKTICKS.finditer(text))):
        places[len(run[0])].append(run.start())
    endless: set[str] = set()
    begin = at = 0
    while (sign := _SPAN_SIGN.search(text, at)) is not None:
        at = sign.end()
        if sign[0] == "<":
            at = end_of_declaration(text, sign.start(), endless) or end_of_tag(text, sign.start()) or at
        elif sign[0].startswith("`"):
            closing = places[len(sign[0])]
            while closing and closing[-1] < at:
                closing.pop()
            if closing:
                yield False, text[begin : sign.start()]
                begin = at = closing[-1] + len(sign[0])
                yield True, text[sign.start() : at]
    yield False, text[begin:]


def _shows(text: str) -> bool:
    return bool(without_hidden(decoded(text))[0].strip())


def _past_blanks(text: str, at: int) -> int:
    found = _WORD.search(text, at)
    return found.start() if found else len(text)


def _end_of_address(text: str, at: int) -> int | None:
    """Where the address that begins at ``at`` ends; None for no address."""
    if text.startswith("<", at):
        pointed = _POINTED.match(text, at)
        return pointed.end() if pointed else None
    depth = 0
    for sign in _ADDRESS_SIGN.finditer(text, at):
        if sign[0].isspace() or (sign[0] == ")" and depth == 0):
            return sign.start()
        depth += {"(": 1, ")": -1}.get(sign[0], 0)
        if depth > _DEEPEST_ADDRESS:
            return None
    return None
