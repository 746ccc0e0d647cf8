"""git as CI jobs use it before a build: clones, fetches, check-outs of what was named, submodules.

What git keeps for itself is protected by the sandbox; here only those forms pass that name no program, leave the
workspace alone and throw no work away.
"""

from __future__ import annotations

import re
from typing import Final

from workers.guard.call import Call, Rule
from workers.guard.options import spec
from workers.guard.words import UNKNOWN

_ADDRESS: Final = re.compile(r"(?:https?|git|ssh)://[A-Za-z0-9.][^\s]*|git@[A-Za-z0-9.-]+:[A-Za-z0-9._/~-]+")
# The name of the host is written out; what follows it need not be.
_ON_HOST: Final = re.compile(r"https://[A-Za-z0-9.-]+/")
_REMOTE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
# Nothing is written to a local branch by force: the part after the colon is empty, or the plus is not there.
_REFSPEC: Final = re.compile(
    r"\+?[A-Za-z0-9*][A-Za-z0-9._/*^{}~-]*:?|\+?[A-Za-z0-9._/*-]+:refs/remotes/[A-Za-z0-9._/*-]+|[A-Za-z0-9._/-]+:[A-Za-z0-9._/-]+"
)
_STARRED: Final = re.compile(r"\+?refs/[A-Za-z0-9_./-]*\*:refs/[A-Za-z0-9_./-]*\*")
# What CI check-outs take by force into a fresh clone.
_FORCED: Final = re.compile(r"[0-9a-f]{40}|FETCH_HEAD|refs/remotes/[A-Za-z0-9._/-]+")
_PERSONAL: Final = re.compile(
    r"(?i)user\.(?:name|email)|core\.(?:autocrlf|eol|longpaths|quotepath)|init\.defaultbranch|safe\.directory|advice\.[a-z]+|pull\.(?:ff|rebase)"
)
_NAMED: Final = re.compile(
    r"[0-9a-f]{7,40}|FETCH_HEAD|refs/remotes/[A-Za-z0-9._/-]+|HEAD(?:[~^][0-9]*)*|main|master|develop|dev|trunk|gh-pages|(?:origin|upstream)/[A-Za-z0-9._/-]+|v?[0-9]+(?:\.[0-9A-Za-z-]+)+|-|(?:release|releases|tags)/[A-Za-z0-9._/-]+"
)


def _clone(call: Call) -> None:
    parsed = call.parse(
        spec(
            flags="qvln",
            valued="bj",
            longs="quiet verbose recursive recurse-submodules single-branch no-single-branch no-tags no-checkout progress bare "
            "mirror sparse shallow-submodules",
            long_valued="depth branch filter jobs",
        )
    )
    if not parsed.operands or not (
        _ON_HOST.match(parsed.operands[0].prefix) or _ADDRESS.fullmatch(call.known(parsed.operands[0], "address"))
    ):
        raise call.deny("address", "git may clone from an https, ssh or git address only, written out.")
    for target in parsed.operands[1:]:
        call.judge.write(target, "git.clone.outside")


def _checkout(call: Call) -> None:
    parsed = call.parse(
        spec(flags="qf", valued="b", longs="quiet force detach track progress no-progress", long_valued="orphan")
    )
    wanted = [call.known(word, "revision") for word in parsed.operands]
    force = parsed.has("f", "force")
    if parsed.has("b") and len(wanted) < 2 and not force:
        return
    if len(wanted) != 1 or not (_FORCED if force else _NAMED).fullmatch(wanted[0]):
        raise call.deny(
            "discard",
            "git may check out one commit, tag or main branch here: whatever could be a path would lose its changes.",
        )


def _fetch(call: Call) -> None:
    parsed = call.parse(
        spec(
            flags="qvtanu" if call.program == "git.pull" else "qvtan",
            valued="j",
            longs="quiet verbose tags no-tags all unshallow prune progress ff-only no-rebase recurse-submodules no-recurse-submodules multiple",
            long_valued="depth deepen jobs filter",
        )
    )
    for place, word in enumerate(parsed.operands):
        # No file has a name like a reference's, so a star in one stays as it is.
        starred = word.glob and not word.splits and _STARRED.fullmatch(word.text)
        # A variable that the job came with stands for a part of a reference.
        given = word.text.replace(UNKNOWN, "x") if word.bare and place else ""
        text = word.text if starred else given or call.known(word, "argument")
        allowed = (_REMOTE, _ADDRESS) if not place else (_REFSPEC,)
        if not any(pattern.fullmatch(text) for pattern in allowed):
            raise call.deny(
                "address", f"`{text}` is neither a remote nor a plain reference: fetch from one by its name."
            )


def _submodule(call: Call) -> None:
    if [w.text for w in call.args[:1]] not in (["update"], ["init"], ["sync"], ["status"], ["summary"], []):
        raise call.deny("command", "Of `git submodule` only status, init, sync and update are read.")
    parsed = Call(call.program, call.args[1:], call.judge).parse(
        spec(
            flags="qN",
            valued="j",
            longs="quiet init recursive remote no-fetch progress single-branch recommend-shallow cached",
            long_valued="depth jobs",
        )
    )
    for word in parsed.operands:
        call.judge.write(word, "git.submodule.outside")


def _config(call: Call) -> None:
    """Who commits, and how line ends are kept: nothing that names a program."""
    given = [word for word in call.args if word.text not in {"--global", "--local", "--add", "--replace-all"}]
    # A folder in which git may work is no program, whatever it is called.
    if len(given) == 2 and given[0].text.lower() == "safe.directory" and not given[1].prefix.startswith("-"):
        return
    words = [call.known(word, "argument") for word in given]
    if len(words) != 2 or not _PERSONAL.fullmatch(words[0]) or words[1].startswith("-"):
        raise call.deny("change", "Of git's configuration only user.name, user.email and line ends can be set here.")


def _lfs(call: Call) -> None:
    if [word.text for word in call.args[:1]] not in (["pull"], ["fetch"], ["checkout"]) or any(
        word.may_be_option for word in call.args
    ):
        raise call.deny("command", "Of `git lfs` only pull, fetch and checkout are for building.")


CHANGING: Final[dict[str, Rule]] = {
    "clone": _clone,
    "checkout": _checkout,
    "fetch": _fetch,
    "pull": _fetch,
    "submodule": _submodule,
    "config": _config,
    "lfs": _lfs,
}
