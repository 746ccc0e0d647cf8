"""What no command may write or wipe, wherever it stands in the workspace."""

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
    parts = [part for part in target.text.split("/") if part not in {"", "."}]
    if not parts:
        return True
    return not target.inside and all(not re.search(r"[A-Za-z0-9_]", re.sub(r"\[[^\]]*\]", "", part)) for part in parts)
