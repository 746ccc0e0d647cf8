"""git, as far as it reads: what is listed here cannot change a repository, write a file or start another program."""

from __future__ import annotations

import re
from typing import Final

from workers.guard.call import Call, Rule, without
from workers.guard.options import Spec, names, parse, spec
from workers.guard.words import Word

_LOOKS: Final = without(
    "--output", "--ext-diff", "--textconv", "--show-signature", "--exec", "--upload-pack", "--filters"
)
_GREP: Final = without("-O", "--open-files-in-pager", "--textconv")
_READS: Final[dict[str, Rule]] = {
    **dict.fromkeys(
        names(
            "annotate blame check-ignore cherry count-objects describe diff diff-files diff-index diff-tree for-each-ref log "
            "ls-files ls-tree merge-base name-rev range-diff rev-list rev-parse shortlog show show-branch show-ref status "
            "var verify-pack version whatchanged check-ref-format check-attr"
        ),
        _LOOKS,
    ),
    "grep": _GREP,
    "cat-file": without("--textconv", "--filters"),
}
_LISTS: Final = spec(
    flags="alrvi",
    valued="n",
    longs="all list remotes verbose show-current ignore-case no-color color column no-column merged no-merged contains "
    "no-contains points-at abbrev no-abbrev omit-empty",
    long_valued="sort format",
)
_SELECTS: Final = ("l", "list", "merged", "no-merged", "contains", "no-contains", "points-at")
_CONFIG_READ: Final = spec(
    flags="lz",
    longs="get get-all get-regexp get-urlmatch list global local system worktree show-origin show-scope name-only null includes all",
    long_valued="type default",
)


def git(call: Call) -> None:
    """Judge one call of git."""
    rest = list(call.args)
    while rest and rest[0].may_be_option:
        option = call.known(rest.pop(0), "option")
        if option in {"--version", "--help", "-v", "-h"} and not rest:
            return
        if option == "-C" and rest:
            call.judge.enter(rest.pop(0))
        elif option not in {"--no-pager", "-P", "--no-optional-locks", "--literal-pathspecs", "--no-replace-objects"}:
            raise call.deny("option", f"`git {option}` can change what git runs or where: use cd and plain git.")
    if not rest:
        raise call.deny("command", "git needs a command.")
    command = call.known(rest.pop(0), "command")
    if [w.text for w in rest] == ["--help"] and re.fullmatch(r"[a-z-]+", command):
        return
    sub = Call(f"git.{command}", rest, call.judge)
    reads = _READS.get(command)
    if reads is not None:
        reads(sub)
        return
    match command:
        case "branch" | "tag":
            _named(sub)
        case "remote":
            _remote(sub)
        case "config":
            _config(sub)
        case "stash" | "reflog" | "worktree" | "submodule" | "notes" | "bisect":
            _second(sub, command)
        case _:
            raise call.deny(
                command,
                f"`git {command}` is not on the list: read with log, show, diff, blame, grep; Conductor itself commits and publishes.",
            )


def _named(call: Call) -> None:
    allowed = _LISTS
    if call.program == "git.tag":
        # -n takes an attached number only.
        allowed = Spec(
            _LISTS.flags.replace("a", "").replace("r", "") + "n0123456789", "", _LISTS.longs, _LISTS.long_valued
        )
    parsed = parse(call.program, call.args, allowed)
    if parsed.operands and not parsed.has(*_SELECTS):
        raise call.deny("create", "With a name this creates something: list with --list and a pattern.")


def _remote(call: Call) -> None:
    words = [call.known(word, "argument") for word in call.args]
    if words in ([], ["-v"], ["--verbose"], ["show"]) or (words[0] == "get-url" and len(words) == 2):
        return
    raise call.deny("change", "Remotes can only be listed: `git remote -v`.")


def _config(call: Call) -> None:
    parsed = parse(call.program, call.args, _CONFIG_READ)
    asked = [call.known(word, "name") for word in parsed.operands]
    if parsed.has("get", "get-all", "get-regexp", "get-urlmatch"):
        return
    if parsed.has("list", "l") or asked[:1] == ["list"]:
        return
    if asked[:1] == ["get"] and len(asked) == 2:
        return
    if len(asked) == 1 and "." in asked[0]:
        return
    raise call.deny("change", "git's configuration can only be read: `git config --get NAME`.")


def _second(call: Call, command: str) -> None:
    allowed = {
        "stash": ("list", "show"),
        "reflog": ("", "show", "exists"),
        "worktree": ("list",),
        "submodule": ("status",),
        "notes": ("list", "show"),
        "bisect": ("log",),
    }[command]
    first = call.known(call.args[0], "command") if call.args else ""
    if first not in allowed:
        raise call.deny(
            first.lstrip("-") or "bare", f"Of `git {command}` only {', '.join(a for a in allowed if a)} is read."
        )
    rest: list[Word] = call.args[1:]
    _LOOKS(Call(call.program, rest, call.judge))
