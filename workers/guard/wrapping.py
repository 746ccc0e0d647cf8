"""Programs that start another one: the command inside is judged as if it stood alone."""

from __future__ import annotations

import re
from typing import Final

from workers.guard.call import Call, Rule
from workers.guard.options import Parsed, Spec, spec
from workers.guard.words import ANYTHING, NOTHING, UNKNOWN, Word

_SHELL: Final = re.compile(r"[-+][abefhilmnuvxBCEHPc]*c[abefhilmnuvxBCEHP]*")
_SHELL_FLAGS: Final = re.compile(r"[-+][abefhilmnuvxBCEH]+")
_SHELL_OPTIONS: Final = frozenset({"pipefail", "errexit", "nounset", "xtrace", "errtrace", "noglob", "verbose"})
_ASSIGNMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")


def _inner(call: Call, words: tuple[Word, ...] | list[Word]) -> None:
    if not words:
        raise call.deny("command", f"`{call.program}` has no command to run.")
    call.judge.command(list(words))


def _env(call: Call) -> None:
    parsed = call.parse(
        spec(flags="i0", valued="u", longs="ignore-environment null help version", long_valued="unset", permute=False)
    )
    rest = list(parsed.operands)
    while rest and (found := _ASSIGNMENT.match(rest[0].prefix)):
        call.judge.assign(found[1])
        rest.pop(0)
    if rest:
        _inner(call, rest)


def _after(allowed: Spec, skip: int = 0, pattern: str = "") -> Rule:
    """Options, then ``skip`` operands of the wrapper's own (each like ``pattern``), then the command."""

    def rule(call: Call) -> None:
        operands = call.parse(allowed).operands
        for own in operands[:skip]:
            if not re.fullmatch(pattern, call.known(own, "argument")):
                raise call.deny("argument", f"`{own.text}` is no argument `{call.program}` takes here.")
        _inner(call, operands[skip:])

    return rule


def _nice(call: Call) -> None:
    args = call.args
    if args and args[0].known and re.fullmatch(r"-[0-9]+", args[0].text):
        args = args[1:]
    _inner(
        call,
        Call(call.program, args, call.judge).parse(spec(valued="n", long_valued="adjustment", permute=False)).operands,
    )


def _command(call: Call) -> None:
    parsed = call.parse(spec(flags="pvV", permute=False))
    if parsed.has("v", "V"):
        return
    _inner(call, parsed.operands)


_XARGS: Final = spec(
    flags="0rtx",
    valued="aEInLPsd",
    longs="null no-run-if-empty verbose exit help version",
    long_valued="arg-file max-args max-lines max-procs max-chars delimiter replace",
    permute=False,
)


def _own(args: list[Word]) -> list[Word]:
    """The options of xargs, as far as they stand before anything else."""
    end = next((place for place, word in enumerate(args) if not word.prefix.startswith("-")), len(args))
    return args[:end]


def _xargs(call: Call) -> None:
    # The old spelling of -I has a value only where it is attached.
    old = re.compile(r"-([0rtx]*)i(.*)")
    args = [
        Word(f"-{found[1]}I{found[2] or '{}'}") if word.known and (found := old.fullmatch(word.text)) else word
        for word in _own(call.args)
    ]
    parsed: Parsed = Call(call.program, [*args, *call.args[len(args) :]], call.judge).parse(_XARGS)
    if parsed.has("help", "version"):
        return
    command = list(parsed.operands)
    marks = [call.known(word, "replacement") for word in parsed.values("I", "replace")]
    if not command:
        return
    for mark in marks:
        command = [
            Word(w.text.replace(mark, UNKNOWN), w.splits, w.glob) if mark and mark in w.text else w for w in command
        ]
    # Its input are paths that are no options, where find prints them one by one.
    paths = call.judge.paths and parsed.has("0", "null")
    if not marks:
        command.append(NOTHING if paths and not parsed.has("a", "arg-file", "d", "delimiter") else ANYTHING)
    _inner(call, command)


def _shell(call: Call) -> None:
    """``sh -c 'literal'``: the text is judged as a command line; a script file only where files may run."""
    rest = list(call.args)
    text = False
    while rest and rest[0].may_be_option:
        option = call.known(rest.pop(0), "option")
        if option in {"-o", "+o"} and rest and rest[0].text in _SHELL_OPTIONS:
            rest.pop(0)
        elif option in {"--version", "--help"} and not rest:
            return
        elif _SHELL.fullmatch(option):
            text = True
        elif not _SHELL_FLAGS.fullmatch(option) and option not in {"--norc", "--noprofile"}:
            raise call.deny(
                "option", f"The option `{option}` of `{call.program}` is not on the list: give the command with -c."
            )
    if not rest:
        raise call.deny("stdin", f"`{call.program}` would run whatever comes in: write the commands out.")
    first = rest.pop(0)
    if not text:
        _script_file(call, first, rest)
        return
    source = call.known(first, "script")
    if call.program == "zsh" and not re.fullmatch(r"[A-Za-z0-9 ./_:,@%+|&;'\"-]*", source):
        raise call.deny("script", "zsh reads patterns that run code: use bash, or plain words only.")
    if any(not word.known for word in rest) and not call.writes:
        raise call.deny("unknown-word", f"Arguments of `{call.program} -c` must be written out.")
    if rest and not call.writes:
        raise call.deny("arguments", f"Write the arguments of `{call.program} -c` into its command.")
    call.judge.script(source)


# What starts a service, on machines that have one.
_SERVICE: Final = re.compile(r"/etc/init\.d/[a-z0-9-]+")


def _script_file(call: Call, script: Word, args: list[Word]) -> None:
    if not call.writes:
        raise call.deny("file", "Scripts may not be run here: use the plain commands that read.")
    if not (_SERVICE.fullmatch(script.text) and [word.text for word in args] in (["start"], ["restart"], ["status"])):
        call.judge.run(script, f"{call.program}.outside")


def _xvfb(call: Call) -> None:
    _needs_writes(call)
    _inner(
        call,
        call.parse(
            spec(
                flags="a", valued="sn", longs="auto-servernum", long_valued="server-args server-num wait", permute=False
            )
        ).operands,
    )


def _cross_env(call: Call) -> None:
    _needs_writes(call)
    _env(call)


def _nohup(call: Call) -> None:
    _needs_writes(call)
    _inner(call, call.args)


def _needs_writes(call: Call) -> None:
    if not call.writes:
        raise call.deny("profile", f"`{call.program}` is for building and testing, which this profile does not do.")


_TIMEOUT: Final = spec(
    flags="v", valued="ks", longs="foreground preserve-status verbose", long_valued="kill-after signal", permute=False
)


def _watch(call: Call) -> None:
    """``watch`` hands its words to a shell as one text."""
    parsed = call.parse(
        spec(
            flags="dtgcebpwx",
            valued="n",
            longs="differences no-title chgexit color errexit beep precise exec help version",
            long_valued="interval",
            permute=False,
        )
    )
    if parsed.has("x", "exec"):
        _inner(call, parsed.operands)
        return
    if not parsed.operands:
        raise call.deny("command", "watch has no command to run.")
    call.judge.script(" ".join(call.known(word, "command") for word in parsed.operands))


def _arch(call: Call) -> None:
    """Prints the machine's kind on Linux; on a Mac it starts a program for another one."""
    rest = list(call.args)
    while rest and rest[0].known and rest[0].text in {"-x86_64", "-arm64", "-arm64e", "-i386", "-64", "-32"}:
        rest.pop(0)
    if rest:
        _inner(call, rest)


def _rtk(call: Call) -> None:
    """A proxy that shortens what other programs print; a few questions are about itself."""
    rest = list(call.args)
    if rest and rest[0].text == "proxy":
        rest.pop(0)
    name = rest[0].text if rest and rest[0].known else ""
    if name in {"gain", "discover", "version", "help", "--version", "--help", "-h"} and "--reset" not in [
        word.text for word in rest
    ]:
        return
    if name == "test":
        raise call.deny("test", "`rtk test` runs whatever follows: write that command out alone.")
    _inner(call, rest)
    if name == "grep":
        # It hands its options on to rg.
        call.judge.command([Word("rg"), *rest[1:]])


def _caffeinate(call: Call) -> None:
    parsed = call.parse(spec(flags="dimsu", valued="tw", permute=False))
    if parsed.operands:
        _inner(call, parsed.operands)


WRAPPING: Final[dict[str, Rule]] = {
    "env": _env,
    "timeout": _after(_TIMEOUT, 1, r"[0-9.]+[smhd]?"),
    "gtimeout": _after(_TIMEOUT, 1, r"[0-9.]+[smhd]?"),
    "time": _after(spec(flags="p", permute=False)),
    "nice": _nice,
    "ionice": _after(spec(valued="cn", flags="t", permute=False)),
    "stdbuf": _after(spec(valued="ioe", long_valued="input output error", permute=False)),
    "command": _command,
    "nohup": _nohup,
    "xargs": _xargs,
    "watch": _watch,
    "arch": _arch,
    "caffeinate": _caffeinate,
    "rtk": _rtk,
    **dict.fromkeys(("sh", "bash", "zsh", "dash"), _shell),
    "xvfb-run": _xvfb,
    "xvfb-maybe": _xvfb,
    "cross-env": _cross_env,
}
