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
from typing import Final

MAX_STARS: Final = 20


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


def fold(path: str) -> str:
    """A path as it is compared: compatibility forms joined, case folded, as the loosest of file systems would."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", path).casefold())


def matches(globs: Iterable[str], path: str) -> bool:
    """Whether any of the patterns is about ``path`` (``/``-separated, from the top of the repository)."""
    return matching(globs, path) is not None


def matching(globs: Iterable[str], path: str) -> str | None:
    """The first pattern that is about ``path``, or None: a rule that says why it holds."""
    folded = tuple(fold(path).strip("/").split("/"))
    return next((pattern for pattern in globs if _matches(_compiled(pattern), folded)), None)


def _matches(parts: tuple[re.Pattern[str] | None, ...], names: tuple[str, ...]) -> bool:
    """Matches component by component; None stands for ``**``. Time is patterns times components, whatever the input."""
    # reached[i]: the pattern's first i parts match the names seen so far.
    reached = _through_stars([True] + [False] * len(parts), parts)
    for name in names:
        following = [False] * (len(parts) + 1)
        for index, part in enumerate(parts):
            if not reached[index]:
                continue
            if part is None:
                following[index] = True
            elif part.fullmatch(name):
                following[index + 1] = True
        reached = _through_stars(following, parts)
    return reached[-1]


def _through_stars(reached: list[bool], parts: tuple[re.Pattern[str] | None, ...]) -> list[bool]:
    for index, part in enumerate(parts):
        if part is None and reached[index]:
            reached[index + 1] = True
    return reached


@lru_cache(maxsize=4_096)
def _compiled(pattern: str) -> tuple[re.Pattern[str] | None, ...]:
    folded = fold(pattern)
    anchored = "/" in folded.rstrip("/")
    names = [name for name in folded.strip("/").split("/") if name]
    if folded.endswith("/"):
        names.append("**")
    parts = [None if name == "**" else re.compile(_component(name)) for name in names]
    return tuple(parts if anchored else [None, *parts])


def _component(name: str) -> str:
    """One component as a regular expression. Runs of stars are one star, so that no backtracking multiplies."""
    found = ""
    rest = re.sub(r"\*+", "*", name)
    while rest:
        char, rest = rest[0], rest[1:]
        closing = rest.find("]", 1)
        if char == "[" and closing > 0:
            inner, rest = rest[:closing], rest[closing + 1 :]
            negated, inner = inner[0] in "!^", inner[1:] if inner[0] in "!^" else inner
            ranges = re.sub(r"([\[\]&~|^\\])", r"\\\1", inner)
            found += f"[{'^' if negated else ''}{ranges}]" if _is_set(ranges) else re.escape(char + inner + "]")
        else:
            found += {"*": "[^/]*", "?": "[^/]"}.get(char) or re.escape(char)
    return found


def _is_set(ranges: str) -> bool:
    try:
        re.compile(f"[{ranges}]")
    except re.error:
        return False
    return True
