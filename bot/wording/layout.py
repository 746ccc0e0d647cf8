"""How a text is laid out on GitHub: lines, cells, folds, and what is cut is cut visibly. Only here is Markdown put together."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from bot.domain.hidden_characters import strip_hidden
from bot.wording.neutral import ELLIPSIS, code, plain

ROOM_BYTES: Final = 58_000
"""UTF-8 bytes that one of our texts may take: GitHub's safe 60,000 less what the outbox adds."""

_LOGIN: Final = re.compile(r"[A-Za-z0-9-]{1,39}")
_HEX: Final = re.compile(r"[0-9a-f]{7,64}")
_PIECES: Final = re.compile(r"\\.|`[^`]*`")
_MORE_WORDS: Final = 6
_LONG_WORD: Final = 40


def size(text: str) -> int:
    """UTF-8 bytes; never less than the number of characters, so it serves limits in either."""
    return len(text.encode("utf-8", "surrogatepass"))


def one_line(text: str, *, limit: int | None = None) -> str:
    """Untrusted ``text`` as one line of plain words."""
    return plain(" ".join(strip_hidden(text).split()), limit=limit)


def brief_code(text: str, limit: int) -> str:
    """Untrusted ``text`` as a code span of at most ``limit`` characters."""
    return code(text if len(text) <= limit else text[: limit - 1] + ELLIPSIS)


def cell(text: str, *, limit: int | None = None) -> str:
    """Untrusted ``text`` as a table's cell: no bar of it can begin another cell."""
    return _PIECES.sub(_without_bar, one_line(text, limit=limit))


def code_cell(text: str, limit: int = 120) -> str:
    """Untrusted ``text`` as a code span in a table's cell; a bar is shown as a broken one."""
    return brief_code(" ".join(strip_hidden(text).split()).replace("|", "¦"), limit)


def _without_bar(found: re.Match[str]) -> str:
    # Renderers disagree about backslashes before a bar, and entities mean nothing in code.
    return "&#124;" if found[0] == r"\|" else found[0].replace("|", "¦")


def fold(title: str, body: str) -> str:
    """``body`` folded away under our own ``title`` (never untrusted: it is HTML)."""
    return f"<details>\n<summary>{title}</summary>\n\n{body}\n\n</details>"


def bullets(items: Sequence[str]) -> str:
    """A list; each item is one line."""
    return "\n".join(f"- {item}" for item in items)


def sections(*parts: str) -> str:
    """The parts that are not empty, with blank lines between them."""
    return "\n\n".join(part for part in parts if part)


def counted(number: int, noun: str, plural: str = "") -> str:
    """``1 file``, ``2 files``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def mention(login: str) -> str:
    """A real mention of a person; a login that cannot be one is shown and notifies nobody."""
    return f"@{login}" if _LOGIN.fullmatch(login) else code(login)


def is_login(login: str) -> bool:
    """Whether GitHub could have given this login to a user."""
    return _LOGIN.fullmatch(login) is not None


def hex_or_unknown(name: str) -> str:
    """A hash or commit id for places that show text as it is."""
    return name if _HEX.fullmatch(name) else "an unknown commit"


def word_count(markdown: str) -> int:
    """Words as blanks part them; what is written without blanks counts by its length (two wide signs, or 40 others, a word)."""
    return sum(_words_in(token) for token in markdown.split())


def _words_in(token: str) -> int:
    wide = 0 if token.isascii() else sum(unicodedata.east_asian_width(sign) in "WF" for sign in token)
    return max(1, -(-wide // 2), -(-len(token) // _LONG_WORD))


def brief(text: str, words: int) -> str:
    """Untrusted ``text`` as one plain line of at most ``words`` words; a longer one ends in an ellipsis."""
    joined = " ".join(strip_hidden(text).split())
    most = words * (_LONG_WORD + 1)
    if len(joined) <= most:
        whole = plain(joined)
        if word_count(whole) <= words:
            return whole
    # Even words of the greatest length end there: what follows need not be looked at.
    low, high = 1, min(len(joined), most)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if word_count(plain(joined, limit=middle)) <= words else (low, middle - 1)
    kept = joined[: low - 1]
    at_word = kept.rpartition(" ")[0] or kept
    return plain(at_word + ELLIPSIS)


def fitted(items: Sequence[str], words: int) -> tuple[str, int]:
    """As many items as ``words`` allow, as a list that counts the rest; also how many were left out."""
    kept: list[str] = []
    used = 0
    for place, item in enumerate(items, 1):
        used += word_count(item) + 1
        if used + (0 if place == len(items) else _MORE_WORDS) > words:
            break
        kept.append(item)
    left = len(items) - len(kept)
    more = [f"*{left} {'more' if kept else 'in all'}, folded below*"] if left else []
    return bullets([*kept, *more]), left
