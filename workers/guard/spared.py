"""What no command may write or wipe, wherever it stands in the workspace; and what tools keep in one's home, which it may."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from bot.domain.protected_paths import AGENTS
from workers.guard.words import UNKNOWN, Word

_NAMES: Final = frozenset(
    {pattern.lower() for pattern in AGENTS if "/" not in pattern and "*" not in pattern}
    | {pattern.split("/")[1].lower() for pattern in AGENTS if pattern.startswith("**/")}
    | {".github", ".gitlab-ci.yml", "codeowners", ".gitattributes", ".gitmodules", ".githooks", ".husky"}
)
_PREFIXES: Final = tuple(
    pattern.removesuffix("*").lower() for pattern in AGENTS if pattern.endswith("*") and "/" not in pattern
)
# Where hosted CIs check a project out; here that is the workspace.
CHECKED_OUT: Final = re.compile(r"^/home/(?:runner/work|travis/build)/[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+(?=/)")


def protected_part(parts: Sequence[str]) -> str:
    """The part of a path that steers agents, git or the CI; empty when there is none."""
    for part in parts:
        name = part.lower().rstrip(". ")
        if name in _NAMES or (_PREFIXES and name.startswith(_PREFIXES)):
            return part
    return ""


def is_whole(target: Word) -> bool:
    """Whether a path stands for the folder one is in, or for all that is in it, or cannot be told from that."""
    if UNKNOWN in target.text and not target.inside:
        return True
    parts = [part for part in CHECKED_OUT.sub(".", target.text).split("/") if part not in {"", "."}]
    if not parts:
        return True
    return not target.inside and all(not re.search(r"[A-Za-z0-9_]", re.sub(r"\[[^\]]*\]", "", part)) for part in parts)


_TOOL_HOME: Final = re.compile(
    r"~\0?/\.(?:mavenrc|(?:gradle|m2|cache|npm|ivy2|sbt|ccache|nuget|pip|config/pip)(?:/[A-Za-z0-9_@+-][A-Za-z0-9_.@+-]*)*/?)"
)


def in_tool_home(target: Word) -> bool:
    """Whether a path is what a build tool keeps in one's home, which the sandbox makes anew for each command."""
    return not (target.splits or target.glob) and bool(_TOOL_HOME.fullmatch(target.text))
