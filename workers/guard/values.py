"""What the variables of one command line can hold, and what its commands can print.

A command runs in a shell of its own, in an environment that Conductor makes: what the line itself does not set is empty
or as Conductor left it, and neither is an option. What the line sets in plain words is judged word by word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Final

from workers.guard.words import ANYTHING, HOME, NOTHING, UNKNOWN, Word

# The shell sets these itself, to what the line or a folder's name says.
_SET_BY_SHELL: Final = re.compile(
    r"_|BASH.*|REPLY|MAPFILE|DIRSTACK|FUNCNAME|COMP_.*|COMPREPLY|HIST.*|PIPESTATUS|OPT[A-Z]+|GROUPS|COPROC|READLINE_.*"
    r"|PROMPT_.*|PWD|OLDPWD|IFS|PS[0-9]|-|!"
)
_REVISION: Final = r"[A-Za-z0-9_][A-Za-z0-9_./~^@{}-]*"
# Commands that print one word, which begins with no dash: numbers and dates.
_ONE_WORD: Final = re.compile(
    r"date (?:-u )?['\"]?\+(?:%[YmdHMSsFTjuVNy]|[A-Za-z0-9_.:/])(?:%[YmdHMSsFTjuVNy]|[A-Za-z0-9_.:/-])*['\"]?"
    r"|nproc|id -[ug]"
)
# The like, which may print nothing: names of commits.
_COMMIT: Final = re.compile(
    rf"git rev-parse(?: --short| --verify)* {_REVISION}"
    rf"|git merge-base(?: --fork-point)? {_REVISION} {_REVISION}"
    rf"|git (?:log|rev-list)(?: -n ?1| -1| --max-count=1)(?: --(?:format|pretty)=(?:format:)?['\"]?%[hH]['\"]?)(?: {_REVISION})?"
    rf"|git (?:rev-list)(?: -n ?1| -1| --max-count=1)(?: {_REVISION})"
)
_MOST_CHOICES: Final = 16


@dataclass(frozen=True, slots=True)
class Values:
    """``held``: words in quotes by variable. ``settled``: no other one is set. ``stays``: the folder is the first one."""

    held: Mapping[str, Word] = field(default_factory=dict)
    settled: bool = False
    stays: bool = False

    def variable(self, name: str) -> Word:
        """What a variable holds, as a word in quotes."""
        if name == "HOME":
            # Nothing may set it.
            return HOME
        if name in self.held:
            return self.held[name]
        return NOTHING if self.settled and not _SET_BY_SHELL.fullmatch(name) else ANYTHING

    def printed(self, command: str) -> Word:
        """What a command prints, as a word in quotes."""
        if self.stays and command == "pwd":
            return Word("/" + UNKNOWN, bare=True)
        if _ONE_WORD.fullmatch(command):
            return Word(UNKNOWN, bare=True)
        return NOTHING if _COMMIT.fullmatch(command) else ANYTHING


def choices(assigned: Mapping[str, Sequence[Word | None]], *, stays: bool) -> Iterator[Values]:
    """Every way in which the variables that a line sets may stand; none when there are too many."""
    domains = {name: _domain(words) for name, words in assigned.items()}
    if prod(map(len, domains.values())) <= _MOST_CHOICES:
        for held in product(*domains.values()):
            yield Values(dict(zip(domains, held, strict=True)), settled=True, stays=stays)


def _domain(words: Sequence[Word | None]) -> list[Word]:
    found = [_quoted(word) for word in words]
    if ANYTHING in found:
        return [ANYTHING]
    # Before it is set, and where that does not come to pass, it holds nothing.
    return list(dict.fromkeys([*found, NOTHING]))


def _quoted(word: Word | None) -> Word:
    if word is None or word.splits:
        return ANYTHING
    if word.glob:
        return Word(word.prefix + UNKNOWN) if word.prefix else ANYTHING
    return Word(word.text)
