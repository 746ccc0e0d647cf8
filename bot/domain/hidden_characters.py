"""Characters that do not show, or reorder what shows: named by class, taken out of prose, and marked in files.

In prose they are removed and counted. In files and command output they stand for bytes that somebody may have to cite or
edit, so a run of them becomes a mark such as ``[hidden:tag:57:3f2a]``: it says that something is there, not what it says,
it is the same each time, and `unveiled` turns it back. What ordinary writing needs stays: the variation selector behind
an emoji, joiners inside an emoji or between letters of scripts that are joined, and the three flags made of tags.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final, Literal

HiddenClass = Literal[
    "control", "zero-width", "bidi", "tag", "variation-selector", "private-use", "separator", "surrogate", "format"
]

_ZERO_WIDTH: Final = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2065\u2800\u3164\ufeff\uffa0]"
)
_BIDI: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_TAG: Final = re.compile("[\U000e0000-\U000e007f]")
_VARIATION: Final = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_BY_CATEGORY: Final[dict[str, HiddenClass]] = {
    "Cc": "control",
    "Co": "private-use",
    "Zl": "separator",
    "Zp": "separator",
    "Cs": "surrogate",
    "Cf": "format",
}
_ORDER: Final[tuple[HiddenClass, ...]] = (
    "control",
    "zero-width",
    "bidi",
    "tag",
    "variation-selector",
    "private-use",
    "separator",
    "surrogate",
    "format",
)
# Of the classes above without surrogates (bytes that are no UTF-8 have their own sign) and without the few format
# characters that show (U+0600 and the like); with what Unicode keeps free for more of the kind.
# https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt (Default_Ignorable_Code_Point)
_RUN: Final = re.compile(
    "(?:[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u2800\u3164\ue000-\uf8ff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U0010ffff]|\r(?!\n))+"
)
# ECMA-48: control sequences, strings (titles, links) with their end, and single functions.
_TERMINAL: Final = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)|[ -/]*[0-Z\\^_`a-~])"
)
_MARK: Final = re.compile(r"\[hidden:[a-z-]{3,18}:[0-9]{1,9}:[0-9a-f]{4}\]")
_JOINERS: Final = frozenset({"\u200c", "\u200d"})
# Arabic and its neighbours, the scripts of India; Khmer, Mongolian.
_JOINING: Final = re.compile("[\u0600-\u0dff\u1780-\u18af]")
_GLYPH_FORMS: Final = frozenset({"\ufe0e", "\ufe0f"})
_FLAG: Final = "\U0001f3f4"
# England, Scotland, Wales: the only flags of this kind that are recommended (UTS #51, RGI_Emoji_Tag_Sequence).
_FLAG_TAGS: Final = frozenset(
    "".join(chr(0xE0000 + ord(letter)) for letter in name) + "\U000e007f" for name in ("gbeng", "gbsct", "gbwls")
)


def class_of(character: str) -> HiddenClass | None:
    """The class of a character that does not show, None for one that does. LF, CR LF and tabs are not asked here."""
    if character in "\n\t" or (character.isascii() and character.isprintable()):
        return None
    if _BIDI.match(character):
        return "bidi"
    if _ZERO_WIDTH.match(character):
        return "zero-width"
    if _TAG.match(character):
        return "tag"
    if _VARIATION.match(character):
        return "variation-selector"
    point = ord(character)
    if point & 0xFFFE == 0xFFFE or 0xFDD0 <= point <= 0xFDEF:
        return "private-use"  # noncharacters: reserved for private use as well
    return _BY_CATEGORY.get(unicodedata.category(character))


def hidden_characters(text: str) -> list[str]:
    """The classes of characters in ``text`` that do not show or reorder what shows, each once, in a fixed order.

    Line ends (LF and CR LF) and tabs are not hidden; a lone CR is a control character.
    """
    found = {class_of(character) for character in set(text.replace("\r\n", "\n"))}
    return [name for name in _ORDER if name in found]


def strip_hidden(text: str) -> str:
    """``text`` without hidden characters; line ends become LF, Unicode separators a blank."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    kinds = {character: class_of(character) for character in set(text)}
    gone = {ord(character): " " if kind == "separator" else "" for character, kind in kinds.items() if kind is not None}
    return text.translate(gone)


def without_hidden(text: str) -> tuple[str, Counter[str]]:
    """Prose without the hidden characters that ordinary writing has no use for, and how many of each class there were.

    Line ends become LF. A separator leaves a blank.
    """
    counts: Counter[str] = Counter()
    parts: list[str] = []
    text = text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode()
    done = 0
    for start, end in _runs(text):
        kinds = [_kind(one) for one in text[start:end]]
        counts.update(kinds)
        parts += [text[done:start], " " if "separator" in kinds else ""]
        done = end
    return "".join((*parts, text[done:])), counts


def without_terminal_codes(text: str) -> str:
    """A command's output or a log without colours, titles and movements of the cursor."""
    return _TERMINAL.sub("", text)


def veiled(text: str) -> str:
    """A file's or command's text with a mark for each run of hidden characters; no line is added or lost."""
    parts: list[str] = []
    done = 0
    for start, end in _runs(text):
        parts += [text[done:start], _mark(text[start:end])]
        done = end
    return "".join((*parts, text[done:]))


def veils(text: str) -> dict[str, str]:
    """Each mark that `veiled` puts into ``text``, and what it stands for."""
    return {_mark(text[start:end]): text[start:end] for start, end in _runs(text)}


def unveiled(text: str, known: Mapping[str, str]) -> str:
    """``text`` with the ``known`` marks as what they stand for."""
    return _MARK.sub(lambda found: known.get(found[0], found[0]), text)


def _runs(text: str) -> Iterator[tuple[int, int]]:
    if text.isascii() and text.isprintable():
        return
    for found in _RUN.finditer(text):
        if not _is_needed(text, found.start(), found.end()):
            yield found.span()


def _is_needed(text: str, start: int, end: int) -> bool:
    """Whether ordinary writing has this run here."""
    before, run, after = text[start - 1 : start], text[start:end], text[end : end + 1]
    if not before:
        return False
    if run in _GLYPH_FORMS:
        return before in "#*0123456789" or _is_symbol(before)
    if run in {"\u200d", "\ufe0f\u200d"} and _is_symbol(before) and _is_symbol(after):
        return True
    if run in _JOINERS:
        return _is_joined(before) and (_is_joined(after) or run == "\u200c")
    return run in _FLAG_TAGS and before == _FLAG


def _is_symbol(character: str) -> bool:
    # Arrows are mathematical symbols and exclamation marks punctuation, and both have emoji forms.
    return bool(character) and not character.isascii() and unicodedata.category(character) in {"So", "Sk", "Sm", "Po"}


def _is_joined(character: str) -> bool:
    """A letter or mark of a script whose letters join."""
    return _JOINING.match(character) is not None and unicodedata.category(character)[0] in "LM"


def _kind(character: str) -> str:
    return class_of(character) or ("tag" if character >= "\U000e0080" else "format")


def _mark(run: str) -> str:
    digest = hashlib.sha256(run.encode("utf-8", "surrogatepass")).hexdigest()[:4]
    return f"[hidden:{_kind(run[0])}:{len(run)}:{digest}]"
