"""HTML inside Markdown as people see it: what comments, folds and elements without a face hide, and attributes that nobody reads."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

TAG: Final = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9-]*)((?:[^\"'<>]|\"[^\"]*\"|'[^']*')*)>")
_ATTRIBUTE: Final = re.compile(r"""([^\s"'<>/=]+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"'=<>`]+))?""")
_TAG_START: Final = re.compile(r"</?[A-Za-z]")
LONGEST_TAG: Final = 2_000
"""Characters; a longer one is not read, and taken out: no reader would see it either."""
_COMMENT_END: Final = re.compile(r"--!?>")
_KEPT: Final = frozenset({"href", "src"})
_INERT: Final = frozenset({"width", "height", "align", "valign", "open", "start", "type", "colspan", "rowspan", "dir"})
_VOID: Final = frozenset("area base br col embed hr img input link meta param source track wbr".split())  # noqa: SIM905
# Elements whose content browsers or GitHub's sanitizer do not show.
_UNSEEN: Final = frozenset({"script", "style", "template", "noscript", "svg", "math"})
_INVISIBLE: Final = re.compile(
    r"(?i)display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|opacity\s*:\s*0*\.?0*\s*(?:;|%|$)|font-size\s*:\s*0*\.?0"
    r"|color\s*:\s*(?:transparent|white|#fff)|text-indent\s*:\s*-|(?:left|top)\s*:\s*-\d|clip(?:-path)?\s*:|(?:max-)?(?:width|height)\s*:\s*0"
)


@dataclass(slots=True)
class Html:
    """What HTML has opened so far in ``document``. A comment or fold in one block may end in another, or never."""

    counts: Counter[str]
    document: str
    in_comment: bool = False
    unseen: list[str] = field(default_factory=list)
    summary: Literal["none", "next", "in"] = "none"

    @property
    def hides(self) -> bool:
        """Whether what follows does not show. The first child of a fold shows when it is its summary."""
        return self.in_comment or (bool(self.unseen) and not (self.summary == "in" and self.unseen == ["details"]))

    def feed(self, text: str, *, inline: bool) -> str:
        """The part of ``text`` that shows. Inline, what is no whole comment is words; in a block it swallows what follows."""
        out: list[str] = []
        endless: set[str] = set()
        at = 0
        while at < len(text):
            if self.in_comment:
                end = _COMMENT_END.search(text, at)
                if end is None:
                    break
                self.in_comment, at = False, end.end()
                continue
            start = text.find("<", at)
            stop = len(text) if start < 0 else start
            self._say(out, text[at:stop])
            if start < 0:
                break
            at = self._at_sign(out, text, start, endless, inline=inline)
        return "".join(out)

    def _at_sign(self, out: list[str], text: str, at: int, endless: set[str], *, inline: bool) -> int:
        end = end_of_declaration(text, at, endless)
        if end:
            self.counts["html-comment"] += 1
            return end
        if not inline and text.startswith("<!--", at):
            self.counts["html-comment"] += 1
            self.in_comment = True
            return at + 4
        piece = text[at : at + LONGEST_TAG]
        tag = TAG.match(piece)
        if tag is not None:
            self._tag(out, tag)
            return at + tag.end()
        if _TAG_START.match(piece) and (not inline or len(piece) == LONGEST_TAG):
            self.counts["html-attribute"] += 1
            return text.find(">", at) + 1 or len(text)
        self._say(out, "<")
        return at + 1

    def _say(self, out: list[str], text: str) -> None:
        if not self.hides:
            out.append(text)

    def _tag(self, out: list[str], tag: re.Match[str]) -> None:
        closing, name, rest = bool(tag[1]), tag[2].lower(), tag[3]
        attributes = {found[1].lower(): (found[2] or "").strip("\"'") for found in _ATTRIBUTE.finditer(rest)}
        if closing:
            if self._close(name):
                return
        elif name == "summary" and self.summary == "next":
            self.summary = "in"
        else:
            self.summary = "none" if self.summary == "next" else self.summary
            # A slash at a tag's end closes nothing in HTML.
            if name not in _VOID:
                self._open(name, attributes)
        if not self.hides and name != "summary":
            out.append(self._shown(tag, name, attributes))

    def _open(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "details" and "open" not in attributes:
            self.counts["details"] += 1
            self.unseen.append(name)
            self.summary = "next" if self.unseen == ["details"] else self.summary
        elif self._is_unseen(name, attributes):
            self.counts["hidden-element"] += 1
            self.unseen.append(name)
        elif name in self.unseen:
            self.unseen.append(name)

    def _is_unseen(self, name: str, attributes: Mapping[str, str]) -> bool:
        """Without its end, a tag is somebody's words about HTML."""
        unseen = name in _UNSEEN or "hidden" in attributes or _INVISIBLE.search(attributes.get("style", "")) is not None
        return unseen and f"</{name}" in self.document

    def _close(self, name: str) -> bool:
        """Whether it was an element that does not show."""
        if name == "summary":
            self.summary = "none"
        if name not in self.unseen:
            return False
        last = len(self.unseen) - 1 - self.unseen[::-1].index(name)
        del self.unseen[last:]
        return True

    def _shown(self, tag: re.Match[str], name: str, attributes: Mapping[str, str]) -> str:
        """The tag without attributes that nobody sees: alternative texts, titles, data."""
        silent = [key for key, value in attributes.items() if key not in _KEPT and key not in _INERT and value]
        self.counts["html-attribute"] += len(silent)
        if not silent:
            return tag[0]
        kept = "".join(f' {key}="{value}"' for key, value in attributes.items() if key in _KEPT)
        return f"<{tag[1]}{name}{kept}>"


def end_of_declaration(text: str, at: int, endless: set[str]) -> int:
    """Where a comment, instruction, CDATA section or declaration that begins at ``at`` ends, 0 for none.

    ``endless``: starts whose end was looked for in vain; it is nowhere further on either.
    """
    for start, end in (("<!-->", ""), ("<!--->", ""), ("<!--", "-->"), ("<?", "?>"), ("<![CDATA[", "]]>"), ("<!", ">")):
        if not text.startswith(start, at):
            continue
        if start == "<!" and not text[at + 2 : at + 3].isalpha():
            return 0
        if start in endless:
            return 0
        found = text.find(end, at + len(start))
        if found < 0:
            endless.add(start)
            return 0
        return found + len(end)
    return 0
