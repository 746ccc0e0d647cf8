"""What a rule is given: one call of one program, and the judge to ask about commands inside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from workers.guard.options import Parsed, Spec, parse
from workers.guard.verdict import Denied, Profile
from workers.guard.words import Word


class Asks(Protocol):
    """The judge, as rules see it."""

    profile: Profile

    def command(self, words: list[Word]) -> None:
        """Judge a command that this one would start."""

    def script(self, source: str) -> None:
        """Judge a whole command line that this one would start."""

    def assign(self, name: str, value: Word | None = None) -> None:
        """Judge a variable that this one would set."""

    @property
    def fed(self) -> bool:
        """Whether what comes before a pipe is this one's input."""

    @property
    def drained(self) -> bool:
        """Whether what this one prints goes into a pipe."""

    paths: bool
    """Whether the input is paths that find printed, with NULs between them; none of them begins with a dash."""

    prints_paths: bool
    """Whether what was judged last prints such paths."""

    fetched: set[str]
    """Names of the files that this line downloads; nothing in it may run them."""

    def write(self, target: Word, rule: str, *, sink: bool = False, adds: bool = True) -> None:
        """Judge a path that this one would create, change or delete; ``sink``: /dev/null will do, ``adds``: it stays."""

    def run(self, script: Word, rule: str) -> None:
        """Judge a file that this one would run."""

    def destroy(self, target: Word, rule: str) -> None:
        """Judge a path whose content this one would remove or replace as a whole."""

    def enter(self, target: Word | None) -> None:
        """Note that what follows runs in another folder."""


@dataclass(frozen=True, slots=True)
class Call:
    """A program's name and arguments, read by a rule that raises `Denied` or returns."""

    program: str
    args: list[Word]
    judge: Asks

    @property
    def writes(self) -> bool:
        """Whether this profile may change files."""
        return self.judge.profile is Profile.IMPLEMENTER

    def parse(self, allowed: Spec) -> Parsed:
        """Options and operands against a list."""
        return parse(self.program, self.args, allowed)

    def deny(self, rule: str, reason: str) -> Denied:
        """A denial under this program's name."""
        return Denied(f"{self.program}.{rule}", reason)

    def known(self, word: Word, what: str) -> str:
        """The word's text; denied when it is only known at run time."""
        if not word.known:
            raise self.deny("unknown-word", f"The {what} of `{self.program}` is only known at run time: write it out.")
        return word.text


Rule: TypeAlias = Callable[[Call], None]


def anything(_call: Call) -> None:
    """No argument of this program can write, run or connect."""


def only(allowed: Spec) -> Rule:
    """These options and any operands."""

    def rule(call: Call) -> None:
        call.parse(allowed)

    return rule


def without(*dangerous: str) -> Rule:
    """Everything but these options (long ones also when shortened, short ones also in a cluster)."""
    longs = [d for d in dangerous if d.startswith("--")]
    shorts = "".join(d[1] for d in dangerous if not d.startswith("--"))

    def rule(call: Call) -> None:
        for word in call.args:
            name = word.prefix.partition("=")[0]
            if word.known and word.text == "--":
                return
            if not word.bare and (word.splits or (word.may_be_option and not word.prefix)):
                raise call.deny(
                    "unknown-word",
                    f"A word of `{call.program}` is only known at run time and could be an option: write it out or quote it with a prefix.",
                )
            if (
                not word.known
                and name.startswith("-")
                and (shorts if not name.startswith("--") else "=" not in word.prefix)
            ):
                raise call.deny(
                    "unknown-word", f"An option of `{call.program}` is only known at run time: write its name out."
                )
            if name.startswith("--") and len(name) > 2 and any(bad.startswith(name) for bad in longs):
                raise call.deny("option", f"`{call.program} {name}` can write or run something: leave the option out.")
            if name.startswith("-") and not name.startswith("--") and any(c in shorts for c in name[1:]):
                raise call.deny("option", f"`{call.program} {name}` can write or run something: leave the option out.")

    return rule
