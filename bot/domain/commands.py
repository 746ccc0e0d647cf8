"""Commands in comments: what a person may ask for, read from the source text of a GitHub comment (DESIGN section 9).

A command is a line of a top-level paragraph that begins with ``/conductor`` and a space. The whole body is parsed as
GitHub-flavoured Markdown first, so that what is quoted, listed, fenced, commented out or folded away orders nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from bot.domain.markdown import LONGEST, visible_line_starts
from bot.domain.markdown_work import Tangled

PREFIX: Final = "/conductor"
Scope: TypeAlias = Literal["run", "repository"]


@dataclass(frozen=True, slots=True)
class Plan:
    """Start a run: draft a plan for this issue."""


@dataclass(frozen=True, slots=True)
class Approve:
    """Approve what was shown; ``prefix`` is the first 8 hex digits of its hash, or None for the newest one shown."""

    prefix: str | None


@dataclass(frozen=True, slots=True)
class Revise:
    """Plan again; ``text`` says what to change (Markdown as written, never empty)."""

    text: str


@dataclass(frozen=True, slots=True)
class Status:
    """Say where the run stands."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Hold this run where it is."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on: with this run, or with the repository after a stop."""

    scope: Scope


@dataclass(frozen=True, slots=True)
class Cancel:
    """End this run."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop everything in the scope at once: no model call, tool call or write enters after it."""

    scope: Scope


@dataclass(frozen=True, slots=True)
class Retry:
    """Take a run that needs a person back to its draft, with fresh rounds."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Show the review ledger."""


@dataclass(frozen=True, slots=True)
class Justify:
    """A person accepts a finding as it is."""

    finding: str
    reason: str


@dataclass(frozen=True, slots=True)
class Withdraw:
    """A person takes a finding back."""

    finding: str
    reason: str


@dataclass(frozen=True, slots=True)
class Cost:
    """Show what the run has cost."""


@dataclass(frozen=True, slots=True)
class Why:
    """Explain one thing from the records; ``ref`` is an id as it is shown on GitHub, such as ``F3``."""

    ref: str


@dataclass(frozen=True, slots=True)
class Help:
    """List the commands."""


@dataclass(frozen=True, slots=True)
class Misread:
    """A line that begins as a command and is none: ``problem`` says why, ``hint`` how to mend it. ``line`` is untrusted."""

    line: str
    problem: str
    hint: str


Command: TypeAlias = (
    Plan
    | Approve
    | Revise
    | Status
    | Pause
    | Resume
    | Cancel
    | Stop
    | Retry
    | Ledger
    | Justify
    | Withdraw
    | Cost
    | Why
    | Help
)

_BLANKS: Final = " \t"
_HASH_PREFIX: Final = re.compile(r"[0-9a-f]{8}")
_FINDING: Final = re.compile(r"[Ff]([1-9][0-9]{0,5})")
_REFERENCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._#/-]{0,99}")

_BARE: Final[dict[str, Command]] = {
    "plan": Plan(),
    "status": Status(),
    "pause": Pause(),
    "cancel": Cancel(),
    "retry": Retry(),
    "ledger": Ledger(),
    "cost": Cost(),
    "help": Help(),
}


_TOO_LONG: Final = Misread(
    PREFIX,
    f"A comment with a command may have {LONGEST} characters, and not thousands of tables, quotes or lists.",
    "Send the command in a comment of its own.",
)


def parse_commands(body: str) -> list[Command | Misread]:
    """All commands of a comment's body, in order; empty when it has none.

    A line that says only ``/conductor`` asks for help. ``approve`` counts only as the comment's one command line;
    beside another it is answered with a `Misread`, while the others still count (a stop beside it must stop).
    """
    lines = body.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    try:
        places = [n for n in visible_line_starts(lines, PREFIX) if _begins(lines[n])]
    except Tangled:
        return [_TOO_LONG]
    if not places:
        return []
    found: list[Command | Misread] = []
    for place, following in zip(places, [*places[1:], len(lines)], strict=True):
        said = lines[place][len(PREFIX) :].strip(_BLANKS)
        found.append(_read(lines[place], said, "\n".join(lines[place + 1 : following])))
    if len(found) > 1:
        found = [_not_alone(lines[n]) if isinstance(c, Approve) else c for n, c in zip(places, found, strict=True)]
    return found


def _begins(line: str) -> bool:
    return line.startswith(PREFIX + " ") or line == PREFIX


def _not_alone(line: str) -> Misread:
    return Misread(
        line,
        "An approval must be the only command of its comment.",
        "Send `/conductor approve` in a comment of its own.",
    )


def _read(line: str, said: str, below: str) -> Command | Misread:
    verb, _, rest = said.partition(" ")
    rest = rest.strip(_BLANKS)
    # Only ASCII letters are folded: a Kelvin sign is not a k.
    verb = verb.lower() if verb.isascii() else verb
    if not verb:
        return Help()
    bare = _BARE.get(verb)
    if bare is not None:
        return _alone(line, verb, rest, bare)
    match verb:
        case "approve":
            return _approve(line, rest)
        case "revise":
            return _revise(line, rest, below)
        case "resume" | "stop":
            return _scoped(line, verb, rest)
        case "justify":
            return _about_finding(line, verb, rest, Justify)
        case "withdraw":
            return _about_finding(line, verb, rest, Withdraw)
        case "why":
            return _why(line, rest)
    return Misread(line, "This is not a command Conductor knows.", "`/conductor help` lists the commands.")


def _alone(line: str, verb: str, rest: str, command: Command) -> Command | Misread:
    if rest:
        return Misread(line, f"`{verb}` takes no words after it.", f"Send the line `/conductor {verb}`.")
    return command


def _approve(line: str, rest: str) -> Command | Misread:
    if not rest:
        return Approve(None)
    if _HASH_PREFIX.fullmatch(rest.lower() if rest.isascii() else rest):
        return Approve(rest.lower())
    return Misread(
        line,
        "`approve` takes nothing, or the first 8 hex digits of the hash that is shown.",
        "Send `/conductor approve`, or `/conductor approve` and the 8 digits; anything else you want said goes in another line.",
    )


def _revise(line: str, rest: str, below: str) -> Command | Misread:
    text = f"{rest}\n{below}".strip()
    if not text:
        return Misread(
            line, "`revise` needs to be told what to change.", "Send `/conductor revise` and what to change."
        )
    return Revise(text)


def _scoped(line: str, verb: str, rest: str) -> Command | Misread:
    match (verb, rest.lower()):
        case ("stop", "" | "repository"):
            return Stop("repository")
        case ("resume", "" | "run"):
            return Resume("run")
        case ("resume", "repository"):
            return Resume("repository")
        case ("stop", _):
            return Misread(
                line,
                "`stop` stops the whole repository and takes no other word than `repository`.",
                "Send `/conductor stop`; `/conductor pause` or `/conductor cancel` is for this run alone.",
            )
    return Misread(
        line,
        "`resume` takes no other word than `run` or `repository`.",
        "Send `/conductor resume` for this run, `/conductor resume repository` after a stop.",
    )


def _about_finding(
    line: str, verb: str, rest: str, build: Callable[[str, str], Justify | Withdraw]
) -> Command | Misread:
    name, _, reason = rest.partition(" ")
    # Blanks of any script: a reason that nobody can see is none.
    reason = reason.strip()
    number = _FINDING.fullmatch(name)
    if number is None:
        return Misread(
            line,
            f"`{verb}` needs the finding it is about.",
            f"Send `/conductor {verb} F1` and the reason, with an id from the review ledger.",
        )
    if not reason:
        return Misread(
            line, f"`{verb}` needs a reason in the same line.", f"Send `/conductor {verb} F1` and the reason."
        )
    return build(f"F{number.group(1)}", reason)


def _why(line: str, rest: str) -> Command | Misread:
    if _REFERENCE.fullmatch(rest):
        return Why(rest)
    return Misread(
        line, "`why` needs one id, as it is shown in a comment or a page.", "Send `/conductor why F1`, for example."
    )
