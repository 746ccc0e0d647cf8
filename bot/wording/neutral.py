"""Untrusted text as GitHub will show it: plain words that mention, close, link, run and hide nothing (DESIGN section 9).

GitHub looks for mentions and references in the rendered page, so a backslash does not stop them; a code span does. What
would act is therefore cut by a code span around its one sign (``@``, ``#``), or stands in a code span as a whole (URLs,
commit ids): every word stays readable, and none acts.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from bot.domain.hidden_characters import strip_hidden

ELLIPSIS: Final = "…"
TITLE_LIMIT: Final = 72
SLUG_LIMIT: Final = 40
# Each alternative would become a link, a mention or a reference; the order is that of precedence.
_ACTS: Final = re.compile(
    r"(?P<whole>[A-Za-z0-9+.-]*://[^\s`]*|[0-9A-Za-z]*(?:mailto|xmpp|tel|javascript|data|vbscript):[^\s`]+|(?<![0-9A-Za-z])(?i:www\.)[^\s`]+"
    r"|(?<![0-9A-Za-z])[0-9a-fA-F]{7,64}(?![0-9A-Za-z]))"
    r"|(?P<at>@(?=[0-9A-Za-z_-]))|(?P<hash>\#(?=[0-9A-Za-z_]))|(?P<gh>(?<=[Gg][Hh])-(?=[0-9]))",
    re.ASCII,
)
_ESCAPED: Final = re.compile(r"([\\`*_\[\]~|$])")
_AT_START: Final = re.compile(r"^([#+=:/-]|[0-9]+(?=[.)]))")
_LANGUAGE: Final = re.compile(r"[A-Za-z0-9+-]{1,20}")
# GitHub draws these, or offers to apply them.
_DRAWN: Final = frozenset({"suggestion", "mermaid", "math", "geojson", "topojson", "stl"})


def plain(text: str, *, limit: int | None = None) -> str:
    """Untrusted ``text`` as Markdown that shows its words and does nothing else.

    ``limit`` counts characters of the text as people see it; a longer one is cut and ends in an ellipsis. The result is
    one or more paragraphs and may be put after other inline text; it never begins with blanks.
    """
    shown = _cut(strip_hidden(text).strip(), limit)
    lines = [_line(" ".join(line.split())) for line in shown.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))


def code(text: str) -> str:
    """Untrusted ``text`` as one code span; line breaks become blanks, an empty text a span with one blank."""
    inner = strip_hidden(text).replace("\n", " ").replace("\t", " ")
    fence_ = "`" * (_longest_run(inner) + 1)
    if not inner.strip(" "):
        return "` `"
    if inner.startswith(("`", " ")) or inner.endswith(("`", " ")):
        inner = f" {inner} "
    return f"{fence_}{inner}{fence_}"


def fence(text: str, lang: str = "") -> str:
    """Untrusted ``text`` as a fenced block that nothing inside can close. Put blank lines around it.

    ``lang`` is dropped when it is no plain word, or one that GitHub draws or offers to apply.
    """
    inner = strip_hidden(text).rstrip("\n")
    marks = "`" * max(3, _longest_run(inner) + 1)
    label = lang if _LANGUAGE.fullmatch(lang) and lang.lower() not in _DRAWN else ""
    return f"{marks}{label}\n{inner}\n{marks}"


def safe_title(title: str) -> str:
    """An issue's title for pull request titles and commit messages: ``[A-Za-z0-9 .,:()/_-]``, 72 characters at most.

    What GitHub would still read as a reference (``GH-1``, an address) is broken up. Never empty.
    """
    folded = unicodedata.normalize("NFKD", strip_hidden(title))
    kept = re.sub(r"[^A-Za-z0-9 .,:()/_-]+", " ", re.sub(r"[\u0300-\u036f#@]", "", folded))
    broken = re.sub(r"(?i)(gh)-(?=[0-9])", r"\1 ", kept)
    broken = re.sub(r":/+", ": ", broken)
    broken = re.sub(r"(?i)\bwww\.", "www ", broken)
    words = " ".join(broken.split())
    return words[:TITLE_LIMIT].lstrip("/- ").strip() or "untitled"


def slug(title: str) -> str:
    """A branch name's part: ``[a-z0-9-]``, 40 characters at most, never empty, no dash at its ends."""
    folded = unicodedata.normalize("NFKD", strip_hidden(title))
    words = re.sub(r"[^a-z0-9]+", "-", re.sub(r"[\u0300-\u036f']", "", folded).lower()).strip("-")
    return words[:SLUG_LIMIT].strip("-") or "issue"


def _cut(text: str, limit: int | None) -> str:
    if limit is None or len(text) <= limit:
        return text
    return text[: max(0, limit - 1)].rstrip() + ELLIPSIS


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)


def _line(line: str) -> str:
    """One line, inline only: words escaped, what acts in code spans (two that touch become one)."""
    out = ""
    span = ""
    at = 0
    for found in _ACTS.finditer(line):
        before = line[at : found.start()]
        if before:
            out += _span(span) + _words(before, first=at == 0)
            span = ""
        span += found[0]
        at = found.end()
    out += _span(span) + _words(line[at:], first=at == 0)
    return out


def _span(inner: str) -> str:
    return f"`{inner}`" if inner else ""


def _words(text: str, *, first: bool) -> str:
    text = text.replace("&", "\0").replace("<", "\1").replace(">", "\2")
    text = _ESCAPED.sub(r"\\\1", text)
    if first:
        text = _AT_START.sub(lambda m: m[1] + "\\" if m[1][0].isdigit() else "\\" + m[1], text)
    return text.replace("\0", "&amp;").replace("\1", "&lt;").replace("\2", "&gt;")
