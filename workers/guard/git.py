"""git, as far as it reads: what is listed here cannot change a repository, write a file or start another program."""

from __future__ import annotations

import re
from typing import Final

from workers.guard.call import Call, Rule, without
from workers.guard.cloning import CHANGING
from workers.guard.options import Spec, names, parse, spec
from workers.guard.verdict import Denied
from workers.guard.words import Word

_LOOKS: Final = without(
    "--output", "--lost-found", "--ext-diff", "--textconv", "--show-signature", "--exec", "--upload-pack", "--filters"
)
_GREP: Final = without("-O", "--open-files-in-pager", "--textconv")
_READS: Final[dict[str, Rule]] = {
    **dict.fromkeys(
        names(
            "annotate blame check-ignore cherry count-objects describe diff diff-files diff-index diff-tree for-each-ref log "
            "ls-files ls-tree merge-base name-rev range-diff rev-list rev-parse shortlog show show-branch show-ref status "
            "var verify-pack version whatchanged check-ref-format check-attr check-mailmap patch-id "
            "fsck"
        ),
        _LOOKS,
    ),
    "grep": _GREP,
    "cat-file": without("--textconv", "--filters"),
}
_REMOTE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
# Settings that only say how something is printed.
_SETTING: Final = re.compile(
    r"(?:color\.(?:ui|branch|diff|grep|status|log|decorate|interactive)|core\.(?:quotepath|abbrev|precomposeunicode|ignorecase|filemode|autocrlf|longpaths|fsmonitor)|"
    r"diff\.(?:renames|renamelimit|noprefix|mnemonicprefix|algorithm|context)|log\.(?:date|decorate|abbrevcommit|follow)|"
    r"advice\.[a-z]+|column\.[a-z]+|grep\.(?:linenumber|patterntype|column)|status\.[a-z]+|safe\.directory|"
    r"user\.(?:name|email)|pager\.[a-z]+|core\.pager|protocol\.version|init\.defaultbranch|merge\.renamelimit|i18n\.[a-z]+)=(?!\.?/)[A-Za-z0-9*_ -]*|user\.(?:name|email)=[\w .@+-]*",
    re.IGNORECASE,
)
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


_ABOUT: Final = names("--version --help -v -h --exec-path --html-path --man-path")
_HARMLESS: Final = names("--no-pager -P --no-optional-locks --literal-pathspecs --no-replace-objects")
_REHEARSED: Final = names("clean add commit apply archive symbolic-ref hash-object")
_SECONDS: Final = names("stash reflog worktree submodule notes bisect bundle sparse-checkout lfs rerere")


def git(call: Call) -> None:
    """Judge one call of git."""
    rest = list(call.args)
    if _about_itself(call, rest):
        return
    if not rest:
        raise call.deny("command", "git needs a command.")
    if [word.text for word in rest] == ["help"]:
        return
    command = call.known(rest.pop(0), "command")
    if any(w.text == "--help" for w in rest) and len(rest) > 1:
        raise call.deny("help", f"`git {command} --help` would start a pager: say `git {command} -h`.")
    if [w.text for w in rest] in (["-h"], ["--help"]) and re.fullmatch(r"[a-z-]+", command):
        return
    sub = Call(f"git.{command}", rest, call.judge)
    reads = _READS.get(command)
    if reads is not None:
        reads(sub)
    elif call.writes and _prepares(command, rest):
        CHANGING[command](sub)
    else:
        _asks(sub, command)


def _about_itself(call: Call, rest: list[Word]) -> bool:
    """Take the options before the command; True when they are all there is to it."""
    while rest and rest[0].may_be_option:
        option = call.known(rest.pop(0), "option")
        if option in _ABOUT and not rest:
            return True
        if option == "-C" and rest:
            call.judge.enter(rest.pop(0))
        elif option == "-c" and rest and _SETTING.fullmatch(call.known(rest[0], "setting")) and _is_plain(rest[0]):
            rest.pop(0)
        elif option not in _HARMLESS:
            raise call.deny("option", f"`git {option}` can change what git runs or where: use cd and plain git.")
    return False


def _prepares(command: str, rest: list[Word]) -> bool:
    """Whether it is one of the forms that CI jobs use before they build."""
    first = rest[0].text if rest else ""
    if command == "lfs":
        return first in {"pull", "fetch", "checkout"}
    if command == "submodule":
        return first != "status"
    return command in {"clone", "checkout", "fetch", "pull"}


def _asks(call: Call, command: str) -> None:
    """Commands that only read in some of their forms."""
    if command in {"branch", "tag"}:
        _named(call)
    elif command == "remote":
        _remote(call)
    elif command == "config":
        _config(call)
    elif command == "ls-remote":
        _remote_refs(call)
    elif command in _REHEARSED:
        _rehearsed(call, command)
    elif command in _SECONDS:
        _second(call, command)
    else:
        raise Denied(
            call.program,
            f"`git {command}` is not on the list: read with log, show, diff, blame, grep; Conductor itself commits and publishes.",
        )


def _is_plain(setting: Word) -> bool:
    # Of these every other value names a program.
    name, _, value = setting.text.lower().partition("=")
    if name == "core.pager" or name.startswith("pager."):
        return value in {"cat", "", "false", "0", "no"}
    return name != "core.fsmonitor" or value in {"false", "0", "no"}


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
    if words in ([], ["-v"], ["--verbose"], ["show"]) or words[0] == "get-url":
        return
    names_ = [word for word in words[1:] if word not in {"-n", "-v"}]
    if words[0] in {"show", "-v"} and all(_REMOTE_NAME.fullmatch(name) for name in names_) and len(names_) < 2:
        return
    raise call.deny("change", "Remotes can only be listed: `git remote -v`.")


# Per command: options of which one must be there, and the others that may be.
_REHEARSALS: Final[dict[str, tuple[frozenset[str], Spec]]] = {
    "clean": (names("n dry-run"), spec(flags="nqdxXf", longs="dry-run quiet")),
    "add": (names("n dry-run"), spec(flags="nvAu", longs="dry-run verbose all update")),
    "commit": (names("dry-run"), spec(flags="av", longs="dry-run all short porcelain long verbose")),
    "apply": (names("check stat numstat summary"), spec(valued="p", longs="check stat numstat summary")),
    "archive": (names("l list"), spec(flags="lv", longs="list verbose")),
    "symbolic-ref": (names(""), spec(flags="q", longs="short quiet")),
    "hash-object": (names(""), spec(valued="t", longs="no-filters")),
}


def _rehearsed(call: Call, command: str) -> None:
    """What would be done, without doing it."""
    needed, allowed = _REHEARSALS[command]
    parsed = call.parse(allowed)
    if (needed and not parsed.has(*needed)) or (command == "symbolic-ref" and len(parsed.operands) != 1):
        raise call.deny(
            "change",
            f"`git {command}` changes something here; Conductor itself commits and publishes: read with status, diff or log.",
        )


def _remote_refs(call: Call) -> None:
    """Only a remote by its name: an address could name a program, or tell a stranger something."""
    parsed = call.parse(
        spec(flags="htq", longs="heads tags refs branches quiet exit-code symref get-url", long_valued="sort")
    )
    if parsed.operands and not _REMOTE_NAME.fullmatch(call.known(parsed.operands[0], "remote")):
        raise call.deny("address", "git may only ask a remote by its name, as in `git ls-remote origin`.")


def _asks_config(call: Call) -> bool:
    return any(re.match(r"--(?:get|list)|-l$|(?:get|list)$", word.text) for word in call.args)


def _config(call: Call) -> None:
    if (
        call.writes
        and len([word for word in call.args if not word.prefix.startswith("--")]) == 2
        and not _asks_config(call)
    ):
        CHANGING["config"](call)
        return
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
        "submodule": ("", "status", "summary"),
        "notes": ("list", "show"),
        "bisect": ("log",),
        "bundle": ("verify", "list-heads"),
        "sparse-checkout": ("list",),
        "lfs": ("ls-files", "status", "env", "version"),
        "rerere": ("status", "diff", "remaining"),
    }[command]
    first = call.known(call.args[0], "command") if call.args else ""
    if first not in allowed:
        raise call.deny(
            first.lstrip("-") or "bare", f"Of `git {command}` only {', '.join(a for a in allowed if a)} is read."
        )
    rest: list[Word] = call.args[1:]
    _LOOKS(Call(call.program, rest, call.judge))
