"""What people should know of how an issue was read: what was hidden in it, left out of it, and who wrote it (DESIGN section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bot.wording.layout import counted

# Class to what one of it, and several, are called; the classes are those of docs/security.md.
_CALLED: Final = {
    "html-comment": ("HTML comment", ""),
    "details": ("collapsed fold", ""),
    "hidden-element": ("hidden HTML element", ""),
    "html-attribute": ("HTML attribute", ""),
    "alt-text": ("image text", ""),
    "link-title": ("link title", ""),
    "empty-link": ("link without text", "links without text"),
    "reference": ("unused reference", ""),
    "fence-info": ("line behind a code fence", "lines behind code fences"),
    "formula": ("hidden line of a drawing or formula", "hidden lines of drawings or formulas"),
    "control": ("control character", ""),
    "zero-width": ("zero-width character", ""),
    "bidi": ("bidi control", ""),
    "tag": ("tag character", ""),
    "variation-selector": ("variation selector", ""),
    "private-use": ("private-use character", ""),
    "separator": ("line or paragraph separator", ""),
    "surrogate": ("lone surrogate", ""),
    "format": ("format character", ""),
}
CLASSES: Final = tuple(_CALLED)


def hidden_text(where: str, counts: Mapping[str, int]) -> str:
    """How much of each class was taken out of a text before agents read it; ``where`` names it."""
    found = [counted(number, *_CALLED.get(name, (name, ""))) for name, number in counts.items() if number]
    return f"Hidden text was taken out of {where}: {', '.join(found)}."


def comments_left_out(number: int) -> str:
    """Comments that agents do not see."""
    those = "was" if number == 1 else "were"
    return f"{counted(number, 'comment')} {those} not read: later than the label, edited since, or without write permission."


def issue_by_reader(login: str) -> str:
    """The issue's author may not write to the repository."""
    return f"The issue is by {login}, who has no write permission here: agents take its words as data."
