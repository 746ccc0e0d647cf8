"""find: what it prints, what it may start for each file, and how much it may delete."""

from __future__ import annotations

import re
from typing import Final

from workers.guard.call import Call
from workers.guard.options import names
from workers.guard.spared import is_whole
from workers.guard.verdict import Denied
from workers.guard.words import FOUND_FILE, UNKNOWN, Word

_FIND_PLAIN: Final = names(
    "-depth -d -daystart -empty -executable -false -follow -ignore_readdir_race -ls -mount -nogroup -nouser -noleaf "
    "-print -print0 -prune -quit -readable -true -writable -xdev -warn -nowarn -o -or -a -and -not ! ( ) , "
    "-H -L -P -E -X -s -x -help --help -version --version"
)
_FIND_VALUED: Final = names(
    "-amin -anewer -atime -cmin -cnewer -ctime -fstype -gid -group -ilname -iname -inum -ipath -iregex -iwholename -links "
    "-lname -maxdepth -mindepth -mmin -mtime -name -newer -path -perm -printf -regex -regextype -samefile -size -type -uid "
    "-used -user -wholename -xtype -context -f -D"
)
_FIND_EXEC: Final = frozenset({"-exec", "-execdir"})
_PRINTS: Final = names("-print -print0 -printf -ls -exec -execdir -help --help")
_NAME_TESTS: Final = frozenset({"-name", "-iname", "-path", "-ipath", "-wholename", "-iwholename", "-regex", "-iregex"})


class _Narrowing:
    """Whether what find has come to is narrowed by a name: in every alternative of the brackets, and not by a negation."""

    def __init__(self) -> None:
        self._levels: list[tuple[bool, bool, bool]] = []
        self._narrow = False
        self._every = True
        self._negated = False

    @property
    def narrow(self) -> bool:
        """All alternatives up to here name something."""
        return self._narrow

    def note(self, word: str, value: str = "") -> None:
        """One more word of the expression."""
        if word in {"!", "-not"}:
            self._negated = True
            return
        if word == "(":
            self._levels.append((self._narrow, self._every, self._negated))
            self._narrow, self._every = False, True
        elif word == ")" and self._levels:
            inside = self._narrow and self._every
            self._narrow, self._every, negated = self._levels.pop()
            self._narrow = self._narrow or (inside and not negated)
        elif word in {"-o", "-or", ","}:
            self._every = self._every and self._narrow
            self._narrow = False
        elif word in _NAME_TESTS and not self._negated and re.search(r"[A-Za-z0-9]", re.sub(r"\[[^\]]*\]", "", value)):
            self._narrow = True
        self._negated = False


class _Find:
    """One call of find, read from left to right."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._rest = list(call.args)
        self._starts: list[Word] = []
        self._narrowing = _Narrowing()
        self._prints: set[str] = set()

    def read(self) -> None:
        while self._rest:
            word = self._rest.pop(0)
            if not word.known:
                # A word that may be empty is a place to begin at only where one is looked for.
                if (word.may_be_option and not word.bare) or (not word.prefix and self._starts):
                    raise self._call.deny(
                        "unknown-word",
                        "A word of `find` is only known at run time and could be an action: write it out.",
                    )
                self._starts.append(word)
            else:
                self._word(word)
        self._call.judge.prints_paths = self._prints == {"-print0"}

    def _word(self, word: Word) -> None:
        text = word.text
        if text in _PRINTS:
            self._prints.add(text)
        if text in _FIND_PLAIN:
            self._narrowing.note(text)
        elif text in _FIND_VALUED or re.fullmatch(r"-newer[aBcm][aBcmt]", text):
            value = self._rest.pop(0) if self._rest else Word("")
            if value.splits:
                raise self._call.deny("unknown-word", f"The value of `{text}` may become several words: quote it.")
            self._narrowing.note(text, value.text if value.known else "")
        elif text in _FIND_EXEC:
            self._exec()
        elif text == "-delete":
            self._delete()
        elif re.fullmatch(r"-O[0-3]", text):
            return
        elif re.fullmatch(r"-perm|[+-]?[0-9]+", text) or not text.startswith("-"):
            self._starts.append(word)
        else:
            raise self._call.deny("action", f"`find {text}` can write or run something, or is unknown: let find print.")

    def _delete(self) -> None:
        if not self._call.writes:
            raise self._call.deny("delete", "find may not delete files here: let it print them.")
        self._check_narrow("-delete")
        for start in self._starts or [Word(".")]:
            self._call.judge.write(start, "find.delete", adds=False)

    def _check_narrow(self, what: str) -> None:
        if not self._is_narrow():
            raise self._call.deny(
                "whole",
                f"`find {what}` would take the workspace as a whole: begin in a folder below it, or put -name before it.",
            )

    def _is_narrow(self) -> bool:
        return self._narrowing.narrow or not any(is_whole(start) for start in self._starts or [Word(".")])

    def _inside(self) -> bool:
        if not self._call.writes:
            return False
        try:
            for start in self._starts or [Word(".")]:
                self._call.judge.write(start, "find.delete", adds=False)
        except Denied:
            return False
        return True

    def _exec(self) -> None:
        rest = self._rest
        end = next(
            (
                n
                for n, w in enumerate(rest)
                if w.known and (w.text == ";" or (w.text == "+" and n and rest[n - 1].text == "{}"))
            ),
            None,
        )
        if end is None or not end:
            raise self._call.deny("exec", "The command of `find -exec` does not end in \\; or {} +: close it.")
        self._start(rest[:end])
        self._rest = rest[end + 1 :]

    def _start(self, command: list[Word]) -> None:
        inside = self._inside()
        may_change = inside and self._is_narrow()
        found = FOUND_FILE if may_change else Word(FOUND_FILE.text)
        try:
            self._call.judge.command(
                [
                    found if w.text == "{}" else Word(w.text.replace("{}", UNKNOWN)) if "{}" in w.text else w
                    for w in command
                ]
            )
        except Denied:
            if inside and not may_change:
                self._check_narrow("-exec " + command[0].text)
            raise


def find(call: Call) -> None:
    """Judge one call of find; raises `Denied`."""
    _Find(call).read()
