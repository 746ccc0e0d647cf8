"""How commands print: a table for people or JSON for programs; text of models and strangers cannot steer the terminal."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
# Control, format (bidi, zero width, tags), surrogate, private use, line and paragraph separators.
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def safe(text: object) -> str:
    """The text with every character that a terminal obeys, or that nobody sees, written as an escape; new lines stay."""
    return "".join(
        character
        if character == "\n" or unicodedata.category(character) not in _UNSEEN
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in str(text)
    )


def cell(text: object, style: str = "") -> Text:
    """One cell: ``safe`` text in which square brackets are no markup."""
    from rich.text import Text

    return Text(safe(text), style=style)


def say(text: str) -> None:
    """One or more lines on standard output."""
    typer.echo(safe(text))


def as_json(value: Any) -> None:
    """One JSON document on standard output, ASCII only, so that nothing in it reaches a terminal raw."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=True))


def table(title: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """A table of some columns; on a pipe it is as wide as it needs to be."""
    from rich.table import Table

    made = Table(title=title)
    for name in columns:
        made.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        made.add_row(*(cell("" if row[name] is None else row[name]) for name in columns))
    screen().print(made)


def screen() -> Console:
    """Where tables go: the terminal, or a pipe that is wide enough to fold nothing."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=240)


def when(milliseconds: int) -> str:
    """A time as people read it, UTC; empty for none."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S") if milliseconds else ""
