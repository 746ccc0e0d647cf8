"""Interpreters and programs that start others, for the profile that builds: a script of the project may run, a text only when it was read.

What comes through a pipe was read by nobody; what stands on the command line is searched for what deletes, or starts
programs past the guard.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

from workers.guard.call import Call, Rule
from workers.guard.options import names
from workers.guard.words import Word, literal

_PYTHONS: Final = (
    "python",
    "python2",
    "python3",
    "pypy",
    "pypy3",
    *(f"python2.{n}" for n in (6, 7)),
    *(f"python3.{n}" for n in range(3, 16)),
    "python3-dbg",
)
# Per interpreter: options that hand over a program as text, and options whose value is something else.
_TEXTS: Final[dict[str, tuple[frozenset[str], frozenset[str]]]] = {
    "perl": (names("-e -E -ne -pe -ple -lne -pne -0pe -nle -lane -pie -i.bak"), names("-I -F -0 -l")),
    "ruby": (names("-e -ne -pe"), names("-I -r -C")),
    "php": (names("-r -R -B -E --run"), names("-d -c -f -S -t")),
    **dict.fromkeys(
        ("node", "nodejs", "tsx", "ts-node", "babel-node", "esmo", "tsm"),
        (names("-e -p -pe --eval --print"), names("-r --require --import --loader")),
    ),
    **dict.fromkeys(("R", "Rscript"), (names("-e"), names("-f --file"))),
    **dict.fromkeys(
        ("julia", "lua", "luajit", "groovy", "elixir", "scala", "crystal", "coffee", "guile", "racket", "amm", "raku"),
        (names("-e -E --eval -c --eval="), names("-r -l -L -t")),
    ),
    **dict.fromkeys(
        ("octave", "octave-cli", "sbcl", "runhaskell", "runghc", "jshell", "jbang", "kotlin"),
        (names("--eval -e"), names("--load -p")),
    ),
}
_HARMFUL: Final = re.compile(
    r"(?i)rmtree|\brm\b|\brmdir|unlink|\bremove\w*\s*\(|removedirs|rmsync|\brm_r|rm_rf|remove_(?:dir|entry|tree)|deltree|file\.?delete|delete[_-]?file|fileutils|"
    r"\bsystem\b|\bsystem\s*\(|popen|subprocess|\bspawn|child_process|execsync|\bexec\w*\s*[(\s'\"]|\bos\.(?:kill|exec|fork|chmod|rename|truncate|replace)|"
    r"\bfork\b|\bkill\b|killpg|truncate|\bqx\b|`|backticks|shell_exec|passthru|proc_open|pcntl|socket|urlopen|urlretrieve|open-uri|net/http|http\.client|"
    r"requests\.|fetch\s*\(|ctypes|\beval\b|__import__|importlib|compile\s*\(|base64|\brename\b|\bshutil\b|\bpty\b|writefile|write_text|write_bytes|"
    r"open\s*\([^)]{0,200},\s*(?:mode\s*=\s*)?['\"][rb]*[wax+]|open\s*\(?[^;]{0,200}['\"]\s*[>|+]|io\.write|file_put_contents|chmod|chown"
    # What writes by another name.
    r"|symlink|\bo_(?:trunc|wronly|rdwr|creat)\b|createwritestream|appendfile|cpsync|copyfile|\bmove\s*\(|\bcopy\s*\(|\.touch\s*\(|makedirs|"
    r"(?<!stdout\.)(?<!stderr\.)\bwrite\s*\(|,\s*['\"][rb]*[wax]\+?[bt]?['\"]\s*\)|\.text\s*=(?!=)|\.delete\s*\("
    # What starts, sends or runs by another name.
    r"|\bprocess\s*\(|runpy|\bpdb\b|\binteract\b|webbrowser|ftplib|smtplib|telnetlib|http\.server|pickle|marshal|open3|system2|\bos\.cmd|"
    r"syscall|putenv|timeit|assert\s*\(\s*['\"]"
    # What hides a name: looked up, put together or written in codes.
    r"|getattr|setattr|__(?:dict|builtins?|class|subclasses|globals|getattribute|bases|mro|loader|code)__|\b(?:globals|locals|vars)\s*\(|new\s+function|\b_load\b|\bsend\s*[(:]|fromcharcode|"
    r"['\"]\s*[+.]\s*['\"]|\\x[0-9a-f]{2}|\\u[0-9a-f]{4}"
)


# The letters before have no value; what follows is the ending of a copy.
_IN_PLACE: Final = re.compile(r"-[alnpsw0-7]*i")


def _check_text(call: Call, text: Word) -> None:
    if not text.known and not text.prefix:
        raise call.deny(
            "text", f"The program that `{call.program}` would run is only known at run time: put it into a file."
        )
    if _HARMFUL.search(text.text):
        raise call.deny(
            "text",
            f"This text for `{call.program}` could delete, write or start something: put it into a script of the project.",
        )


def _check_fed(call: Call) -> None:
    if call.judge.fed:
        raise call.deny(
            "piped",
            f"`{call.program}` would run whatever comes through the pipe: write it to a file, read it, then run that.",
        )


def _python(call: Call) -> None:
    rest = list(call.args)
    while rest and rest[0].prefix.startswith("-"):
        option = rest.pop(0)
        text = option.text
        if text in {"-W", "-X"} and rest:
            rest.pop(0)
        elif re.fullmatch(r"-[bBdEiIOqsSuv]*m.*", text):
            module = text.partition("m")[2] or (call.known(rest.pop(0), "module") if rest else "")
            return _module(call, module, rest)
        elif re.match(r"-[bBdEiIOqsSuv]*c", text):
            attached = text.partition("c")[2]
            return _check_text(call, literal(attached) if attached else rest[0] if rest else Word(""))
        elif text == "-":
            return _check_fed(call)
        elif not option.known:
            raise call.deny("unknown-word", "An option of python is only known at run time: write it out.")
    return _script(call, rest)


def _script(call: Call, rest: list[Word]) -> None:
    if not rest:
        return _check_fed(call)
    if rest[0].text.startswith(("/dev/", "/proc/")) or re.match(r"[a-z+]+://", rest[0].text):
        raise call.deny("text", f"`{call.program}` would run what nobody has read: run a file of the project.")
    if rest[0].text.rpartition("/")[2] in call.judge.fetched:
        call.judge.run(rest[0], f"{call.program}.fetched")
    return None


def _module(call: Call, module: str, rest: list[Word]) -> None:
    if module in {"pip", "twine", "poetry", "hatch", "uv", "flit", "pdm", "pipenv"}:
        call.judge.command([literal(module), *rest])


def _interpreter(call: Call) -> None:
    texts, valued = _TEXTS[call.program]
    rest = list(call.args)
    in_place = call.program in {"perl", "ruby"} and any(_IN_PLACE.match(word.text) for word in rest)
    if in_place and any(re.match(r"-[a-z0-9]*n", word.text) for word in rest):
        raise call.deny("empties", f"`{call.program} -n -i` leaves only what is printed: use -p, or sed.")
    found = False
    while rest and (rest[0].prefix.startswith("-") and rest[0].text != "-"):
        option = rest.pop(0)
        name = option.text.partition("=")[0]
        if name in texts or (
            name.startswith("-") and not name.startswith("--") and name[1:2] + name[-1:] in {"ne", "pe", "le", "ie"}
        ):
            found = True
            value = option.text.partition("=")[2]
            _check_text(call, literal(value) if value else rest.pop(0) if rest else Word(""))
        elif name[:2] in texts and not name.startswith("--"):
            found = True
            _check_text(call, literal(option.text[2:]))
        elif name in valued and rest:
            rest.pop(0)
    if in_place:
        for target in rest:
            call.judge.destroy(target, f"{call.program}.in-place")
    if found or "--test" in [word.text for word in call.args]:
        return
    _script(call, [word for word in rest if word.text != "-"])


def _wrapped(*valued: str) -> Rule:
    """Options of its own (those named take a value), then the command."""

    def rule(call: Call) -> None:
        rest = list(call.args)
        while rest and rest[0].prefix.startswith("-"):
            if rest.pop(0).text in valued and rest:
                rest.pop(0)
        if not rest:
            raise call.deny("command", f"`{call.program}` has no command to run.")
        call.judge.command(rest)

    return rule


def _texts(call: Call) -> None:
    """Each operand is a command line, or the name of a script of the project."""
    for word in call.args:
        if not word.prefix.startswith("-"):
            text = call.known(word, "command")
            if not re.fullmatch(r"(?:npm:)?[a-z][a-z0-9:*_-]*|[0-9]+|https?-?(?:get)?:[^\s]+", text):
                call.judge.script(text)


def _cmake(call: Call) -> None:
    words = [word.text for word in call.args]
    if "-E" not in words[:1]:
        return
    command = words[1] if len(words) > 1 else ""
    if command in {"env", "time"}:
        rest = [word for word in call.args[2:] if not re.match(r"[A-Za-z_]\w*=|--", word.text)]
        call.judge.command(rest)
    elif command in {"rm", "remove", "remove_directory", "rename"}:
        for word in call.args[2:]:
            if not word.prefix.startswith("-"):
                call.judge.destroy(word, "cmake.outside")
    elif command not in {
        "copy",
        "copy_if_different",
        "copy_directory",
        "make_directory",
        "touch",
        "echo",
        "tar",
        "compare_files",
        "capabilities",
        "cat",
        "sha256sum",
        "md5sum",
    }:
        raise call.deny("command", f"`cmake -E {command}` is not on the list: use the shell's own programs.")
    else:
        for word in call.args[2:]:
            if not word.prefix.startswith("-") and command not in {"echo", "cat", "compare_files"}:
                call.judge.write(word, "cmake.outside")


_DROPS: Final = re.compile(
    r"(?i)(?:^|[:.])(?:db|database|ecto|schema|doctrine)[:.](?:\w{1,40}[:.]){0,4}(?:drop|reset|purge|wipe|nuke)\w*|migrate[:.](?:fresh|reset|refresh)|flyway[:.-]?clean|\bdrop-?all\b|^(?:flush|reset_db|sqlflush)$|db:wipe|\b(?:delete|destroy)_all\b"
)


_SHARES: Final = re.compile(r"(?i)(?:un)?(?:deploy|publish|upload)(?:[:_-].*)?")
_FOLDERS: Final = names("-C --directory --prefix --cwd --dir -w --workspace -F --filter")
_TASKS: Final = names(
    "make gmake ant lein rake npm yarn pnpm bun grunt gulp invoke inv just changeset nx turbo cap pod composer"
)


def check_task(call: Call) -> None:
    """Tasks whose names say that they take a database away, or publish, are refused whoever runs them."""
    for before, word in pairwise([Word(""), *call.args]):
        if call.program in _TASKS and _SHARES.fullmatch(word.text) and before.text not in _FOLDERS:
            raise call.deny("publish", f"`{word.text}` publishes or deploys: build and test only, Conductor publishes.")
        if _DROPS.search(word.text):
            raise call.deny("drops", f"`{word.text}` takes data away: create and migrate only.")


def _make(call: Call) -> None:
    """A makefile of the project; make takes one from standard input too."""
    for place, word in enumerate(call.args):
        after = call.args[place - 1].text if place else ""
        named = (
            word.text if after in {"-f", "--file", "--makefile"} else re.sub(r"^(?:-f|--(?:make)?file=)", "", word.text)
        )
        if (named != word.text or after in {"-f", "--file", "--makefile"}) and (
            named == "-" or named.startswith(("/", "~"))
        ):
            raise call.deny("makefile", "make may only read makefiles of the project.")
        folder = word.text if after in {"-C", "--directory"} else re.sub(r"^(?:-C|--directory=)", "", word.text)
        if (folder and folder != word.text) or after in {"-C", "--directory"}:
            call.judge.write(Word(folder, word.splits, word.glob), "make.outside")
        if word.text.startswith(("--eval", "-E")) or re.match(r"(?:SHELL|MAKEFLAGS|MAKEFILES)=", word.text):
            raise call.deny("text", f"`make {word.text}` could run anything: put it into the makefile.")


INTERPRETING: Final[dict[str, Rule]] = {
    **dict.fromkeys(_PYTHONS, _python),
    **dict.fromkeys(_TEXTS, _interpreter),
    "valgrind": _wrapped("--tool", "--suppressions"),
    "unbuffer": _wrapped(),
    "faketime": _wrapped("-f"),
    "concurrently": _texts,
    "start-server-and-test": _texts,
    "npm-run-all": _texts,
    "cmake": _cmake,
    **dict.fromkeys(("make", "gmake"), _make),
}
