"""Opens the records for commands that look and act; a shell holds no secret of the App and migrates nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from bot.domain.errors import UserError

if TYPE_CHECKING:
    from bot.bootstrap import Shell
    from bot.ports import records as r
    from bot.ports.storage import Transaction

MANY: Final = 100_000
MOST_DIGITS: Final = 18
"""Digits of the longest number that every database takes."""


@contextmanager
def opened() -> Iterator[Shell]:
    """The parts of a shell. Raises ``UserError`` when there are no records where the settings point to."""
    from bot.bootstrap import shell
    from bot.settings import Process, from_environment

    parts = shell(from_environment(Process.SHELL))
    try:
        yield parts
    finally:
        parts.storage.close()


def number_of(text: str) -> int | None:
    """The number that a text is, in plain digits; None for anything else, and for numbers that no row has."""
    plain = text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS
    return int(text) if plain else None


def run_of(tx: Transaction, run_id: str) -> r.Run:
    """The run. Raises ``UserError`` when there is none."""
    found = tx.runs.get(run_id)
    if found is None:
        raise UserError(f"there is no run {run_id!r}; `conductor runs` lists them", {"run": run_id})
    return found


def repository_of(tx: Transaction, name: str) -> r.Repository:
    """A repository by number, or one that had a run by ``owner/name``. Raises ``UserError`` when none is known."""
    number = number_of(name)
    known = tx.places.repository(number) if number is not None else None
    if known is not None:
        return known
    for one in dict.fromkeys(run.repository_id for run in tx.runs.recent(limit=MANY)):
        known = tx.places.repository(one)
        if known is not None and known.full_name.casefold() == name.casefold():
            return known
    raise UserError(
        f"no repository {name!r} is known: give the owner/name of one that had a run (`conductor runs` lists them), or its number",
        {"repository": name},
    )


def who() -> str:
    """Who sits at the shell, for the audit."""
    import getpass

    try:
        return f"{getpass.getuser()} (shell)"
    except (KeyError, OSError):
        return "shell"
