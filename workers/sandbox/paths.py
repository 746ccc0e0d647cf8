"""Which paths may exist in a tree that is published, on any file system that somebody may check it out on.

Sources: git's `fsck` rules and `verify_path` (core.protectHFS, core.protectNTFS; CVE-2014-9390, CVE-2019-1352).
"""

from __future__ import annotations

import re
import unicodedata

from workers.sandbox.errors import Problem, UnsafePath

# Default-ignorable characters (Unicode DerivedCoreProperties) that are not of category Cf.
_IGNORABLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)
_SHORT_NAME = re.compile(r"git~[0-9]+\Z")


def folded(component: str) -> str:
    """What a careless file system takes a name for: ignorable code points gone, compatibility forms and case folded."""
    seen = "".join(c for c in _IGNORABLE.sub("", component) if unicodedata.category(c) != "Cf")
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", seen).casefold())


def is_git_like(component: str) -> bool:
    """Tell whether some file system opens `.git` under this name (HFS+, NTFS with its streams and 8.3 names, Windows)."""
    for part in folded(component).split("\\"):
        bare = part.split(":", 1)[0].rstrip(". ")
        if bare == ".git" or _SHORT_NAME.match(bare):
            return True
    return False


def components(path: str) -> tuple[str, ...]:
    """Split a path that a tool was given; '.' and '' name the root.

    Raises `UnsafePath` on absolute paths, `..`, NUL and components that are like `.git`.
    """
    if "\0" in path:
        raise UnsafePath((Problem(path, "holds a NUL"),))
    if path.startswith("/"):
        raise UnsafePath((Problem(path, "is absolute; give it relative to the repository"),))
    parts = tuple(part for part in path.split("/") if part not in {"", "."})
    if ".." in parts:
        raise UnsafePath((Problem(path, "leads out of its directory with '..'"),))
    if any(map(is_git_like, parts)):
        raise UnsafePath((Problem(path, "has a component that is like .git"),))
    return parts
