"""Path patterns as people write them in configuration, matched so that no spelling of a path slips past one.

``*`` and ``?`` stay within one component, ``**`` is any number of components, ``[abc]`` is a set. A pattern without a slash
matches the name at any depth; one that ends in ``/`` matches all below. Matching ignores case: on file systems that do, two
spellings are one file, and for protection the stricter answer is the right one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Literal, TypeAlias

MAX_STARS: Final = 20

Tokens: TypeAlias = "tuple[str | re.Pattern[str] | None, ...]"
"""One component: characters, sets, and None for ``*``."""
Parts: TypeAlias = "tuple[Tokens | None, ...]"
"""A pattern: components, and None for ``**``."""

_ANY: Final = re.compile(".", re.DOTALL)


def glob_problem(pattern: str) -> str:
    """Why ``pattern`` cannot be used, or "" when it can."""
    if not pattern.strip():
        return "A pattern cannot be empty."
    if pattern.startswith("!"):
        return f"The pattern {pattern[:80]!r} begins with `!`, and exceptions are not supported: list what is meant."
    if "\\" in pattern or "\0" in pattern:
        return f"The pattern {pattern[:80]!r} holds a backslash or a zero: separate components with `/`."
    if {".", ".."} & set(pattern.strip("/").split("/")):
        return f"The pattern {pattern[:80]!r} holds `.` or `..`: write it from the top of the repository."
    if pattern.count("*") > MAX_STARS:
        return f"The pattern {pattern[:80]!r} has more than {MAX_STARS} stars."
    return ""


def _fold(text: str, form: Literal["NFC", "NFKC"]) -> str:
    """Text as the loosest of file systems compares it: case folded, one composition, without code points that do not show."""
    shown = "".join(char for char in unicodedata.normalize(form, text) if unicodedata.category(char) != "Cf")
    return unicodedata.normalize("NFC", shown.casefold())


def _components(path: str, form: Literal["NFC", "NFKC"]) -> tuple[str, ...]:
    names = _fold(path, form).strip("/").split("/")
    # Windows drops dots and spaces at the end of a name.
    return tuple(name.rstrip(" .") or name for name in names)


def matches(globs: Iterable[str], path: str) -> bool:
    """Whether any of the patterns is about ``path`` (``/``-separated, from the top of the repository)."""
    return matching(globs, path) is not None


def matching(globs: Iterable[str], path: str) -> str | None:
    """The first pattern that is about ``path``, or None: a rule that says why it holds."""
    # Compatibility forms can hold a slash of their own, so both readings count.
    readings = {_components(path, "NFC"), _components(path, "NFKC")}
    return next((glob for glob in globs if any(_matches(_compiled(glob), names) for names in readings)), None)


def _matches(parts: Parts, names: tuple[str, ...]) -> bool:
    """Matches component by component. Time is parts times names, whatever the input."""
    # reached[i]: the pattern's first i parts match the names seen so far.
    reached = _through_stars([True] + [False] * len(parts), parts)
    for name in names:
        following = [False] * (len(parts) + 1)
        for index, part in enumerate(parts):
            if not reached[index]:
                continue
            if part is None:
                following[index] = True
            elif _name_matches(part, name):
                following[index + 1] = True
        reached = _through_stars(following, parts)
    return reached[-1]


def _through_stars(reached: list[bool], parts: Parts) -> list[bool]:
    for index, part in enumerate(parts):
        if part is None and reached[index]:
            reached[index + 1] = True
    return reached


def _name_matches(tokens: Tokens, name: str) -> bool:
    """Matches one component, going back to the last star only, so that stars never multiply their work."""
    at, position, star, retry = 0, 0, -1, 0
    while position < len(name):
        token = tokens[at] if at < len(tokens) else ""
        if token is None:
            star, retry = at, position
            at += 1
        elif (isinstance(token, str) and token == name[position]) or (
            isinstance(token, re.Pattern) and token.fullmatch(name[position])
        ):
            at, position = at + 1, position + 1
        elif star >= 0:
            retry += 1
            at, position = star + 1, retry
        else:
            return False
    return all(token is None for token in tokens[at:])


@lru_cache(maxsize=4_096)
def _compiled(pattern: str) -> Parts:
    folded = _fold(pattern, "NFC")
    anchored = "/" in folded.rstrip("/")
    names = [name for name in folded.strip("/").split("/") if name]
    if folded.endswith("/"):
        names.append("**")
    parts = tuple(None if name == "**" else _tokens(name) for name in names)
    return parts if anchored else (None, *parts)


def _tokens(name: str) -> Tokens:
    found: list[str | re.Pattern[str] | None] = []
    rest = name
    while rest:
        char, rest = rest[0], rest[1:]
        closing = rest.find("]", 1)
        if char == "[" and closing > 0 and (made := _set(rest[:closing])) is not None:
            found.append(made)
            rest = rest[closing + 1 :]
        elif char == "*":
            found.append(None)
        else:
            found.append(_ANY if char == "?" else char)
    return tuple(found)


def _set(inner: str) -> re.Pattern[str] | None:
    """``abc``, ``a-z`` or ``!abc`` as a matcher of one character; None when it is no set."""
    negated, inner = inner[0] in "!^", inner[1:] if inner[0] in "!^" else inner
    ranges = re.sub(r"([\[\]&~|^\\])", r"\\\1", inner)
    try:
        return re.compile(f"[{'^' if negated else ''}{ranges}]")
    except re.error:
        return None
