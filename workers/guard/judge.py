"""The judge: deny by default, allow what a rule of the profile has read to its end."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from workers.guard.asking import CLIENTS
from workers.guard.building import BUILDING, SELF_DESCRIBING
from workers.guard.call import Call, Rule
from workers.guard.changing import CHANGING, tar
from workers.guard.git import git
from workers.guard.interpreting import check_task
from workers.guard.reading import READING
from workers.guard.shell import walk
from workers.guard.spared import CHECKED_OUT, in_tool_home, is_whole, protected_part
from workers.guard.tables import TOOLS
from workers.guard.values import Values, choices
from workers.guard.variables import check_variable
from workers.guard.verdict import Decision, Denied, Profile
from workers.guard.words import UNKNOWN, Word
from workers.guard.wrapping import WRAPPING

_BOTH: Final[dict[str, Rule]] = {**READING, "git": git, "tar": tar}
_SYSTEM_PATH: Final = re.compile(r"(?:/usr)?(?:/local)?/s?bin/([A-Za-z0-9_.+\[-]+)")
# The build tool's own script, from a folder below it.
_WRAPPER_PATH: Final = re.compile(r"(?:\.\./){1,4}(gradlew|mvnw)")
_PROJECT_PATH: Final = re.compile(r"(?:\./)?(?:[A-Za-z0-9_.@+-]+/)*([A-Za-z0-9_.@+-]+)")
_SOCKET: Final = re.compile(r"/+dev/+(?:tcp|udp)")
_MAX_NESTING: Final = 5
_UNSETTLED: Final = Values()
_TEMPORARY: Final = "/tmp"  # noqa: S108 - a path in the sandbox, whose /tmp is its own
_TEST_RUNS: Final = frozenset({"-v", "-R"})
_ARITHMETIC: Final = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})


class _Judge:
    """Judges one command line; see `workers.guard.shell.Rules` and `workers.guard.call.Asks`."""

    def __init__(
        self, profile: Profile, *, values: Values = _UNSETTLED, strayed: bool = False, nesting: int = 0
    ) -> None:
        self.profile = profile
        self._values = values
        self.assigned: dict[str, list[Word | None]] = {}
        self.moved = self.sourced = False
        self.paths = self.prints_paths = False
        self.strayed = strayed
        self.fed = False
        self.drained = False
        self.fetched: set[str] = set()
        self._nesting = nesting

    def command(self, words: list[Word]) -> None:
        if not words:
            return
        self.prints_paths = False
        name, args = words[0], words[1:]
        if not name.known or not name.text:
            raise Denied("command.name", "The program's name is only known at run time: write it out.")
        if any(_SOCKET.match(word.text) for word in args):
            raise Denied("argument.network", "There is no network, and the shell's sockets are refused.")
        program = self._program(name.text)
        self.sourced = self.sourced or program in {"source", "."}
        self._version_or_rule(program, args)

    def _version_or_rule(self, program: str, args: list[Word]) -> None:
        if len(args) == 1 and args[0].known and self._describes_itself(program, args[0].text):
            return
        rule = self._rule(program)
        if rule is not None:
            rule(Call(program, args, self))

    @staticmethod
    def _describes_itself(program: str, option: str) -> bool:
        if program in SELF_DESCRIBING:
            return option in {"--version", "--help", "-V", "-version", "-help"} or (
                option in {"-v", "version"} and program in {"java", "go", "node", "ruby", "perl", "php", "mvn"}
            )
        return program in TOOLS and option in {"--version", "--help"}

    def _rule(self, program: str) -> Rule | None:
        if program == "test":
            return lambda call: self.test(call.args, double=False)
        rule = _BOTH.get(program) or WRAPPING.get(program)
        if rule is not None:
            return rule
        building = BUILDING.get(program) or CHANGING.get(program)
        if program in CLIENTS:
            return self._asking(CLIENTS[program], building)
        if program in TOOLS:
            return self._asking(TOOLS[program], building)
        if self.profile is Profile.IMPLEMENTER:
            if building is None and not program.startswith("\0"):
                raise Denied(
                    "program.unknown",
                    f"`{program}` is not on the list of programs: use the repository's own tools or scripts.",
                )
            return self._building(building)
        if program == "tee":
            return CHANGING["tee"]
        if building is None:
            raise Denied(
                "program.unknown",
                f"`{program}` is not on the list of programs that only read: use cat, grep, find, git log and the like.",
            )
        raise Denied(
            "program.profile",
            f"`{program}` builds or changes something, which this profile does not do: read the files instead.",
        )

    def _asking(self, asks: Rule, building: Rule | None) -> Rule:
        """A table's rule; where the profile builds, what the table denies is held against the rule for building too."""
        if self.profile is Profile.REVIEWER or building is None:
            return asks
        builds = self._building(building)

        def either(call: Call) -> None:
            try:
                asks(call)
            except Denied:
                builds(call)

        return either

    @staticmethod
    def _building(rule: Rule | None) -> Rule:
        def checked(call: Call) -> None:
            check_task(call)
            if rule is not None:
                rule(call)

        return checked

    def _program(self, text: str) -> str:
        """The program's name; a script of the project becomes a name that only an implementer may run."""
        if "/" not in text:
            return text
        if found := _SYSTEM_PATH.fullmatch(text):
            return found[1]
        if self.profile is Profile.REVIEWER:
            raise Denied("program.path", "Programs may only be called by their plain names here.")
        if wrapper := _WRAPPER_PATH.fullmatch(text):
            return wrapper[1]
        text = CHECKED_OUT.sub(".", text)
        found = _PROJECT_PATH.fullmatch(text)
        if not found or ".." in text.split("/") or ".git" in text.lower().split("/"):
            raise Denied(
                "program.path", f"`{text}` is not in the workspace: run programs by plain name or by a path below it."
            )
        if self.strayed:
            raise Denied(
                "program.path", "After leaving the workspace, programs may only be called by their plain names."
            )
        self.run(Word(text), "program.path")
        return found[1] if found[1] in BUILDING else "\0script"

    def script(self, source: str) -> None:
        if self._nesting >= _MAX_NESTING:
            raise Denied("syntax.depth", "Shells are nested too deeply: write the commands out.")
        inner = _Judge(self.profile, strayed=self.strayed, nesting=self._nesting + 1)
        inner.pipe(fed=self.fed, drained=self.drained)
        inner.fetched = self.fetched
        walk(source, inner)
        self.strayed = self.strayed or inner.strayed

    def variable(self, name: str) -> Word:
        return self._values.variable(name)

    def printed(self, command: str) -> Word:
        return self._values.printed(command)

    def assign(self, name: str, value: Word | None = None, *, holds: Sequence[Word] | None = None) -> None:
        check_variable(name, value, self.profile)
        self.assigned.setdefault(name, []).extend([None] if holds is None else holds)

    def redirect(self, operator: str, target: Word) -> None:
        text = target.text
        if operator in {">&", "<&"} and target.known and re.fullmatch(r"[0-9]|-", text):
            return
        if _SOCKET.match(text):
            raise Denied("redirect.network", "There is no network, and the shell's sockets are refused.")
        if operator in {"<", "<&"}:
            if not target.prefix and not target.bare and self.profile is Profile.REVIEWER:
                raise Denied(
                    "redirect.unknown",
                    "The file to read is only known at run time: write it out, or begin it with `./`.",
                )
            return
        self.write(target, "redirect.write", sink=True)

    def pipe(self, *, fed: bool, drained: bool, alone: bool = False) -> None:
        self.fed, self.drained = fed, drained
        self.paths, self.prints_paths = fed and alone and self.prints_paths, False

    def empty(self, command: str, target: Word) -> None:
        if target.text != "/dev/null" and self.profile is Profile.IMPLEMENTER:
            raise Denied(
                "redirect.truncates",
                f"`{command} >` empties or fills a file: make new files with touch, and change others with write_file or sed.",
            )

    def destroy(self, target: Word, rule: str) -> None:
        if is_whole(target):
            shown = target.text.replace(UNKNOWN, "…")
            raise Denied(rule, f"`{shown}` is the workspace as a whole: name the files or folders that have to go.")
        self.write(target, rule, adds=False)

    def run(self, script: Word, rule: str) -> None:
        if script.text.rpartition("/")[2] in self.fetched - {""}:
            raise Denied(
                "program.fetched",
                f"`{script.text}` was only now downloaded, so nobody has read it: look at it first, then run it.",
            )
        try:
            self.write(script, rule)
        except Denied as denied:
            if denied.rule != "write.protected" or self.profile is Profile.REVIEWER:
                raise

    def write(self, target: Word, rule: str, *, sink: bool = False, adds: bool = True) -> None:
        text = target.text
        if sink and self.fetched:
            # It may be the download that goes there.
            self.fetched.add(text.rpartition("/")[2])
        if sink and target.known and text in {"/dev/null", "/dev/stdout", "/dev/stderr"}:
            return
        if self.profile is Profile.REVIEWER:
            raise Denied(rule, "Nothing may be written here: print it instead.")
        if adds and in_tool_home(target):
            return
        text = CHECKED_OUT.sub(".", text)
        if target.splits or (UNKNOWN in text and not target.inside):
            raise Denied(rule, "The path to write is only known at run time: write it out.")
        parts = text.replace(UNKNOWN, "x").split("/")
        temporary = text.startswith(_TEMPORARY + "/") and len(text) > len(_TEMPORARY + "/")
        if not temporary and (self.strayed or text.startswith(("/", "~")) or not text):
            raise Denied(rule, f"`{text}` is not in the workspace: write below it, or below /tmp.")
        if ".." in parts or any(part.lower().rstrip(". ") == ".git" for part in parts):
            raise Denied(
                rule, f"`{text}` leads out of the workspace or into .git: use a plain path below the workspace."
            )
        if not temporary and (found := protected_part(parts)):
            raise Denied(
                "write.protected",
                f"`{found}` steers agents, git or the CI: a command may not write it; if a step of the plan names it, use write_file.",
            )

    def enter(self, target: Word | None) -> None:
        self.moved = True
        text = target.text if target is not None else "~"
        inside = (
            target is not None and target.known and not text.startswith(("/", "~", "-")) and ".." not in text.split("/")
        )
        if not inside and text != _TEMPORARY and not (text.startswith(_TEMPORARY + "/") and ".." not in text):
            self.strayed = True

    def test(self, words: list[Word], *, double: bool) -> None:
        texts = [word.text for word in words]
        if any(word.known and word.text in _TEST_RUNS for word in words):
            raise Denied(
                "test.variable",
                '`-v` and `-R` can run what a name holds: compare the value instead, as in [ -n "$X" ].',
            )
        if any("[" in t and ("$(" in t or "`" in t) for t in texts):
            raise Denied("test.subscript", "A name with a subscript can run what is in it: compare plain strings.")
        if self.profile is Profile.IMPLEMENTER:
            return
        if double and any(t in _ARITHMETIC for t in texts) and any(not (w.known or w.bare) for w in words):
            raise Denied(
                "test.arithmetic", "[[ evaluates numbers as arithmetic: use [ with quotes around the variable."
            )
        operators = [bool(re.fullmatch(r"-[a-z]{1,2}|[=!<>]=?|==|=~", t)) for t in texts]
        for place, word in enumerate(words):
            beside = operators[max(0, place - 1) : place + 2]
            unsure = word.splits or (not word.known and len(words) > 1 and not any(beside))
            if not double and unsure and not word.bare:
                raise Denied("test.unknown-word", "Quote what expands in [ ], beside a plain operator.")


def judge(command: str, profile: Profile) -> Decision:
    """Allow or deny one command line for a profile. Never raises for any text: what cannot be read is denied."""
    try:
        try:
            _attempt(command, profile, _UNSETTLED)
        except Denied:
            if "$" not in command and "`" not in command:
                raise
            if not _holds_with_values(command, profile):
                raise
    except Denied as denied:
        return Decision(command, "deny", denied.rule, denied.reason)
    except RecursionError:
        return Decision(command, "deny", "syntax.depth", "The command is nested too deeply: split it.")
    return Decision(command, "allow", f"{profile}.listed", f"Everything in it is on the {profile}'s list.")


def _attempt(command: str, profile: Profile, values: Values) -> _Judge:
    first = _Judge(profile, values=values)
    walk(command, first)
    if first.strayed and profile is Profile.IMPLEMENTER:
        # A loop may write after it left the workspace, whatever the order in the text.
        walk(command, _Judge(profile, values=values, strayed=True))
    return first


def _holds_with_values(command: str, profile: Profile) -> bool:
    """Whether it may pass, whatever its variables come to hold; the first attempt finds all that it sets."""
    try:
        first = _attempt(command, profile, Values(settled=True, stays=True))
        if first.sourced:
            return False
        found = list(choices(first.assigned, stays=not first.moved))
        for values in found:
            _attempt(command, profile, values)
    except Denied:
        return False
    return bool(found)


def judge_batch(lines: Iterable[str], profile: Profile = Profile.REVIEWER) -> Iterator[str]:
    """JSON lines in, each ``{"command": ...}``; JSON lines out, in order; a bad line is answered with ``{"error": ...}``."""
    for line in lines:
        if line.strip():
            yield json.dumps(_answer(line, profile), ensure_ascii=True)


def _answer(line: str, profile: Profile) -> dict[str, Any]:
    try:
        asked = json.loads(line)
    except (ValueError, RecursionError):
        return {"error": 'The line is not JSON: send {"command": "..."}.'}
    if not isinstance(asked, dict) or not isinstance(asked.get("command"), str):
        return {"error": 'The line has no "command" that is a text: send {"command": "..."}.'}
    decision = judge(asked["command"], profile)
    return {
        "command": decision.command,
        "decision": decision.decision,
        "rule": decision.rule,
        "reason": decision.reason,
    }
