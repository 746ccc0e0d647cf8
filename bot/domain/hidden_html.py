"""HTML inside Markdown as people see it: what comments, folds and elements without a face hide, and attributes that nobody reads.

What hides is believed everywhere. What shows again, such as a fold's end, is believed only where it is surely HTML: a
closing tag in a link's title or a picture's text closes nothing.
"""

from __future__ import annotations

import html
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from bot.domain.markdown import VOID

# CommonMark's raw HTML, section 6.6. Nothing is given back once read, so that long tags cost their length and no more.
_INLINE_TAG: Final = re.compile(
    r"""<(/)?+([A-Za-z][A-Za-z0-9-]*+)((?(1)|(?:\s++[A-Za-z_:][\w.:-]*+"""
    r"""(?:\s*+=\s*+(?:[^\s"'=<>`]++|'[^']*+'|"[^"]*+"))?+)*+))\s*+(?(1)|/?+)>""",
    re.ASCII,
)
# In a block browsers read, https://html.spec.whatwg.org/multipage/parsing.html#tokenization: quotes only behind "=".
_BLOCK_TAG: Final = re.compile(
    r"""<(/?)([A-Za-z][^\s/>]*+)((?:[\s/]++|[^\s/>][^\s/>=]*+"""
    r"""(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|(?=>)|(?!["'])[^\s>]++)|(?!\s*+=)))*+)>""",
    re.ASCII,
)
_ATTRIBUTE: Final = re.compile(
    r"""([^ \t\n\f/>][^ \t\n\f/>=]*+)(?:[ \t\n\f]*+=[ \t\n\f]*+("[^"]*+"|'[^']*+'|[^ \t\n\f>]++))?+"""
)
_TAG_START: Final = re.compile(r"</?[A-Za-z]")
_QUOTED: Final = re.compile(r"""=\s*["']""")
_COMMENT_END: Final = re.compile(r"--!?>")
_CLOSER: Final = re.compile(r"</([a-z][^\s/>]*+)")
_INLINE_SIGN: Final = re.compile(r"\\.|[<\[]", re.DOTALL)
_BLOCK_SIGN: Final = re.compile("<")
# What people see of an attribute is an address that they can follow; a picture's own is kept beside it.
_ADDRESSES: Final = {"a": "href", "img": "src", "source": "src", "video": "src"}
_INERT: Final = frozenset(
    "width height align valign open hidden start type colspan rowspan dir checked disabled".split()  # noqa: SIM905 - one list, read as such
)
_INERT_VALUE: Final = re.compile(r"[A-Za-z0-9.%]{0,12}")
# Elements whose content browsers or GitHub's sanitizer do not show.
_UNSEEN: Final = frozenset(
    "script style template noscript svg math rp audio video canvas object datalist dialog".split()  # noqa: SIM905 - one list, read as such
)
_INVISIBLE: Final = re.compile(
    r"(?i)display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|opacity\s*:\s*+0*+\.?0*+\s*+(?:;|%|$)|font-size\s*:\s*+0*+\.?0*"
    r"(?<=0)|color\s*:\s*(?:transparent|white|#fff)|text-indent\s*:\s*-|(?:left|top)\s*:\s*-\d|clip(?:-path)?\s*:"
    r"|(?:max-)?(?:width|height)\s*:\s*0"
)


@dataclass(slots=True)
class Html:
    """What HTML has opened so far in ``document``. A comment or fold in one block may end in another, or never."""

    counts: Counter[str]
    document: str
    in_comment: bool = False
    lost: bool = False
    """A tag's quoted value never ended: what follows is in it."""
    doubtful: bool = False
    """A bracket opened in this paragraph: what follows may be an address, a title or a picture's words, and no HTML."""
    summary: Literal["none", "next", "in"] = "none"
    _unseen: list[str] = field(default_factory=list)
    _places: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    _closers: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self._closers = frozenset(_CLOSER.findall(self.document.lower()))

    @property
    def hides(self) -> bool:
        """Whether what follows does not show. The first child of a fold shows when it is its summary."""
        unseen = bool(self._unseen) and not (self.summary == "in" and self._unseen == ["details"])
        return self.in_comment or self.lost or unseen

    def feed(self, text: str, *, inline: bool) -> str:
        """The part of ``text`` that shows. Inline, what is no whole comment is words; in a block it swallows what follows."""
        out: list[str] = []
        endless: set[str] = set()
        self.doubtful = self.doubtful and inline
        at = 0
        while True:
            if self.in_comment:
                end = _COMMENT_END.search(text, at)
                if end is None:
                    break
                self.in_comment, at = False, end.end()
                continue
            sign = (_INLINE_SIGN if inline else _BLOCK_SIGN).search(text, at)
            self._say(out, text[at : sign.start() if sign else None])
            if sign is None:
                break
            at = sign.end()
            if sign[0] == "<":
                at = self._at_sign(out, text, sign.start(), endless, inline=inline)
            else:
                self._say(out, sign[0])
                self.doubtful = self.doubtful or sign[0] == "["
        return "".join(out)

    def _at_sign(self, out: list[str], text: str, at: int, endless: set[str], *, inline: bool) -> int:
        if not inline and text.startswith("<!--", at):
            self.counts["html-comment"] += 1
            self.in_comment = True
            # Its end may share its hyphens.
            return at + 2
        end = end_of_declaration(text, at, endless)
        if end:
            self.counts["html-comment"] += 1
            self._open_what_may_be_open(text[at + 2 : end - 1])
            return end
        tag = (_INLINE_TAG if inline else _BLOCK_TAG).match(text, at)
        if tag is not None:
            self._tag(out, tag)
            return tag.end()
        if not inline and _TAG_START.match(text, at):
            self.counts["html-attribute"] += 1
            self.lost = _QUOTED.search(text, at) is not None
            return len(text)
        self._say(out, "<")
        return at + 1

    def _open_what_may_be_open(self, inside: str) -> None:
        """Renderers differ on where such things end: with two hyphens in a comment, with a bracket in the others."""
        if "--" in inside[2:-2] if inside.startswith("--") else ">" in inside:
            for tag in _BLOCK_TAG.finditer(inside):
                if not tag[1] and tag[2].lower() not in VOID:
                    self._open(tag[2].lower(), _attributes(tag[3]))

    def _say(self, out: list[str], text: str) -> None:
        if not self.hides:
            out.append(text)

    def _tag(self, out: list[str], tag: re.Match[str]) -> None:
        closing, name, attributes = bool(tag[1]), tag[2].lower(), _attributes(tag[3])
        if closing:
            if self._close(name):
                return
        elif name == "summary" and self.summary == "next" and not self.doubtful:
            self.summary = "in"
        else:
            self.summary = "none" if self.summary == "next" else self.summary
            # A slash at a tag's end closes nothing in HTML.
            if name not in VOID:
                self._open(name, attributes)
        if not self.hides and name != "summary":
            out.append(self._shown(tag, name, attributes))

    def _open(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "details" and "open" not in attributes:
            self.counts["details"] += 1
            self._push(name)
            self.summary = "next" if self._unseen == ["details"] else self.summary
        elif self._is_unseen(name, attributes):
            self.counts["hidden-element"] += 1
            self._push(name)
        elif self._places[name]:
            self._push(name)

    def _push(self, name: str) -> None:
        self._places[name].append(len(self._unseen))
        self._unseen.append(name)

    def _is_unseen(self, name: str, attributes: Mapping[str, str]) -> bool:
        """Without its end, a tag is somebody's words about HTML."""
        unseen = name in _UNSEEN or "hidden" in attributes or _INVISIBLE.search(attributes.get("style", "")) is not None
        return unseen and name in self._closers

    def _close(self, name: str) -> bool:
        """Whether it was an element that does not show."""
        if name == "summary":
            self.summary = "none"
        if not self._places[name]:
            return False
        last = self._places[name][-1]
        while len(self._unseen) > last and not self.doubtful:
            self._places[self._unseen.pop()].pop()
        return True

    def _shown(self, tag: re.Match[str], name: str, attributes: Mapping[str, str]) -> str:
        """The tag without attributes that nobody sees: alternative texts, titles, data, words that stand for attributes."""
        address = _ADDRESSES.get(name, "")
        seen = {key: value for key, value in attributes.items() if key == address and not any(map(str.isspace, value))}
        silent = [key for key, value in attributes.items() if key not in seen and not _is_inert(key, value)]
        self.counts["html-attribute"] += len(silent)
        if not silent:
            return tag[0]
        kept = "".join(f' {key}="{value}"' for key, value in seen.items())
        return f"<{tag[1] or ''}{name}{kept}>"


def _attributes(text: str) -> dict[str, str]:
    """Names in lower case and values; of two of one name the first counts."""
    found: dict[str, str] = {}
    for one in _ATTRIBUTE.finditer(text):
        found.setdefault(one[1].lower(), html.unescape((one[2] or "").strip("\"'")))
    return found


def _is_inert(key: str, value: str) -> bool:
    return key in _INERT and _INERT_VALUE.fullmatch(value) is not None


def end_of_tag(text: str, at: int) -> int:
    """Where the tag inside a paragraph that begins at ``at`` ends, 0 for none."""
    found = _INLINE_TAG.match(text, at)
    return found.end() if found else 0


def end_of_declaration(text: str, at: int, endless: set[str]) -> int:
    """Where a comment, instruction, CDATA section or declaration that begins at ``at`` ends, 0 for none.

    ``endless``: starts whose end was looked for in vain; it is nowhere further on either.
    """
    for start, end in (("<!-->", ""), ("<!--->", ""), ("<!--", "-->"), ("<?", "?>"), ("<![CDATA[", "]]>"), ("<!", ">")):
        if not text.startswith(start, at):
            continue
        if start in endless or (start == "<!" and not text[at + 2 : at + 3].isalpha()):
            return 0
        found = text.find(end, at + len(start))
        if found < 0:
            endless.add(start)
            return 0
        return found + len(end)
    return 0
