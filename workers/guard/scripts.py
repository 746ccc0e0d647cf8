"""Reads sed and awk scripts far enough to see that they only read: both can write files and run commands."""

from __future__ import annotations

import re
from typing import Final

from workers.guard.verdict import Denied

_ADDRESS: Final = re.compile(r"(?:[0-9]+(?:~[0-9]+)?|\$|[+~][0-9]+)")
_BARE: Final = frozenset("=dDgGhHnNpPxzF")
_S_FLAGS: Final = re.compile(r"[gpiImM0-9]*")
_OPERAND_END: Final = re.compile(r"[A-Za-z0-9_)\]$.]\s*$")
_KEYWORD_END: Final = re.compile(r"\b(?:return|in|print|printf|case|exit|else|do)\s*$")


class _Sed:
    """A sed script, read command by command; ``at`` is the place."""

    def __init__(self, script: str) -> None:
        self._s = script
        self._at = 0

    def check(self) -> None:
        while True:
            self._skip(" \t\n;}")
            if self._at >= len(self._s):
                return
            self._addresses()
            self._command()

    def _peek(self) -> str:
        return self._s[self._at : self._at + 1]

    def _skip(self, characters: str) -> None:
        while self._peek() and self._peek() in characters:
            self._at += 1

    def _fail(self, what: str) -> Denied:
        return Denied("sed.script", f"This sed script {what}: keep to addresses, p, d, s///, y///, q and the like.")

    def _addresses(self) -> None:
        if self._address():
            self._skip(" \t")
            if self._peek() == ",":
                self._at += 1
                self._skip(" \t")
                if not self._address():
                    raise self._fail("has an address that was not understood")
        self._skip(" \t!")

    def _address(self) -> bool:
        if self._peek() in {"/", "\\"}:
            self._at += self._peek() == "\\"
            self._delimited(self._take())
            self._skip("IM")
            return True
        found = _ADDRESS.match(self._s, self._at)
        if found:
            self._at = found.end()
        return bool(found)

    def _take(self) -> str:
        c = self._peek()
        if not c or c in "\n\\":
            raise self._fail("ends too early")
        self._at += 1
        return c

    def _delimited(self, delimiter: str) -> None:
        while (c := self._peek()) != delimiter:
            # Classes such as [/] are read otherwise by some seds.
            if not c or c == "\n" or (c == "[" and delimiter in self._s[self._at : self._at + 3]):
                raise self._fail("was not understood")
            self._at += 2 if c == "\\" else 1
        self._at += 1

    def _line(self) -> None:
        while self._peek() not in {"", "\n"}:
            self._at += 2 if self._peek() == "\\" else 1

    def _command(self) -> None:
        c = self._take()
        match c:
            case "{":
                return
            case "#":
                self._line()
            case ":" | "b" | "t" | "T":
                label = re.compile(r"[ \t]*[A-Za-z0-9_.-]*").match(self._s, self._at)
                self._at = label.end() if label else self._at
                self._end()
            case "a" | "i" | "c" | "r" | "R":
                self._line()
            case "q" | "Q" | "l" | "L":
                self._skip(" 0123456789")
                self._end()
            case "s":
                self._substitute()
            case "y":
                delimiter = self._take()
                self._delimited(delimiter)
                self._delimited(delimiter)
                self._end()
            case _ if c in _BARE:
                self._end()
            case _:
                raise self._fail(f"uses `{c}`, which can write or run")

    def _substitute(self) -> None:
        delimiter = self._take()
        if delimiter.isalnum() or delimiter.isspace():
            raise self._fail("has an odd delimiter")
        self._delimited(delimiter)
        self._delimited(delimiter)
        flags = _S_FLAGS.match(self._s, self._at)
        self._at = flags.end() if flags else self._at
        self._end()

    def _end(self) -> None:
        self._skip(" \t")
        if self._peek() not in {"", "\n", ";", "}", "#"}:
            raise self._fail("was not understood, or writes or runs something")


def check_sed(script: str) -> None:
    """Raise `Denied` unless the sed script only prints: no ``w``, ``W``, ``e`` and nothing that was not understood."""
    _Sed(script).check()


def check_awk(program: str) -> None:
    """Raise `Denied` unless the awk program only prints to standard output and runs nothing."""
    text = _awk_without_strings(program)
    if re.search(r"\bsystem\b|\bgetline\b|@", text):
        raise Denied("awk.runs", "awk may not run commands or load code: use a pipe of plain commands.")
    if re.search(r"\|", text.replace("||", "")):
        raise Denied("awk.pipe", "awk may not pipe to commands: pipe its output with the shell instead.")
    for part in re.split(r"[;{}]", text):
        if re.search(r"\bprintf?\b", part) and ">" in part.replace(">=", ""):
            raise Denied("awk.writes", "awk may not write files: let it print, and compare outside of print.")


def _awk_without_strings(program: str) -> str:
    """The program without the insides of strings, regular expressions and comments; fails where that is not certain."""
    out = ""
    at = 0
    while at < len(program):
        c = program[at]
        if c == '"' or (c == "/" and _regex_may_start(out)):
            at = _closing(program, at)
            out += '""'
        elif c == "/" and re.match(r'[^/]*["#][^/]*/', program[at + 1 :]):
            raise Denied(
                "awk.script", "A slash here may divide or begin a pattern: write this awk program in plainer awk."
            )
        elif c == "#":
            end = program.find("\n", at)
            at = (end if end >= 0 else len(program)) - 1
        elif c == "\\":
            if program[at : at + 2] != "\\\n":
                raise Denied("awk.script", "This awk program was not understood: write it in plainer awk.")
            at += 1
        else:
            out += c
        at += 1
    return out


def _regex_may_start(before: str) -> bool:
    # `""` stands for a string, after which a slash divides.
    return bool(_KEYWORD_END.search(before)) or not (
        _OPERAND_END.search(before) or before.rstrip().endswith(('""', "++", "--"))
    )


def _closing(program: str, start: int) -> int:
    quote = program[start]
    at = start + 1
    while at < len(program) and program[at] != quote:
        # In a class of a regular expression a slash may stand alone, or not: that is not certain.
        if program[at] == "\n" or (quote == "/" and program[at] == "[" and re.match(r"\[[^\]]*/", program[at:])):
            break
        at += 2 if program[at] == "\\" else 1
    if at >= len(program) or program[at] != quote:
        raise Denied("awk.script", "This awk program was not understood: write it in plainer awk.")
    return at
