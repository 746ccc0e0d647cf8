"""What a tool answers, and the errors it turns into one sentence for the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bot.domain.errors import ModelError


class Refused(ModelError):
    """A tool call that cannot be done as asked; its sentence is the tool's answer."""


@dataclass(frozen=True, slots=True)
class Said:
    """A tool's answer. ``decision`` and ``rule``: whether it was allowed, and by what; ``ends``: the context is over.

    ``raw_tokens`` counts what there was to say where ``text`` is shorter; None means the same as ``text``.
    """

    text: str
    is_error: bool = False
    decision: Literal["allow", "deny"] = "allow"
    rule: str = ""
    exit_code: int | None = None
    raw_tokens: int | None = None
    ends: bool = False


def shown_name(path: str) -> str:
    """A path as a model can give it back: in quotes with escapes where it holds what cannot be seen."""
    if path.isprintable() and "\\" not in path and '"' not in path:
        return path
    inner = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return '"' + "".join(_escaped(one) for one in inner) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
