"""Programs with subcommands: a table says which of them only read, and one reader holds every call against it.

A table is plain text. A line at the margin names the programs, the indented lines under it say what they may be asked:

``reads``    paths of subcommands, their words joined by ``/``, alternatives in braces; ``!`` after one: no operand follows
``like``     regular expressions for whole paths, their words joined by a blank, where a list has no end (clouds)
``flags``    options without a value, ``valued`` options with one, ``formats`` options whose value names a way to print
``refuse``   options that write, run or connect; ``allow`` the harmless among those whose names sound as if they did
``options``  a regular expression for further options without a value
``needs``    a path (``/``: none) and options of which one must be there (``-*``: any); ``bars`` a path and options it must not have
``paged``    its help is shown by a pager; ``single`` long options have one dash; ``runs`` its operands run something
             (``scripts``: whatever its first word is);
             ``strict`` no option passes that is not listed; ``remote`` it may be given addresses;
             ``exact`` nothing follows a path of ``like``; ``rooted`` operands may follow options without any path
``starts``   paths after which a name and a command follow, which runs elsewhere and is judged as one
``pages``    a path (``/``: none) and options with which it shows a pager unless it has an operand, ``--no-pager`` or a pipe

After the path a long option that is not listed passes unless a part of its name says that it writes, runs or connects:
lists of harmless options have no end. Before the path it does not, for its value could be the subcommand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from workers.guard.call import Call
from workers.guard.options import names
from workers.guard.verdict import Denied
from workers.guard.words import Word

Path: TypeAlias = tuple[str, ...]

_RISKY: Final = names("""
apply attach browser browse bundle cache cachedir cmd command config copy cpuprofile create creds credential credentials
daemon debugger delete dest destination download dump edit editor editing endpoint eval exec execute export extract
filter-command fix force hook hooks host import init inplace install interactive kubeconfig library listen lib load log
logfile logs make memprofile module modules mutex open out outfile outdir output outputs outputfile overwrite pager patch pipe
plugin plugins post prefix preprocess preload profile-output program proxy prune publish push put record remove render
repair require requires rc rcfile rm rsh run save script send server set shell socket ssh start stop store template-file
tee to trace unset update upgrade upload url web write yes
""")
_FORMAT: Final = re.compile(
    r"(?:pretty-?)?(?:json|yaml|yml|wide|name|text|txt|table|csv|tsv|tab|tree|ndjson|jsonl|json5|jsonlines|raw|plain|human|short|"
    r"long|full|list|value|values|none|default|compact|simple|markdown|md|html|xml|toml|hcl|flattened|config|default-flow|diff|"
    r"dot|id|ids|props|pretty|jsonc|yamlc|yaml-stream|json-stream|cyclonedx|spdx|spdx-json|sarif|env|ini|verbose|quiet|cat|"
    r"export|with-unit|oneline|stdout|concise|grouped|github|gitlab|parsable|parseable|line|lines|code|auto|-|/dev/stdout|/dev/null)"
    r"(?:[\[(][^\n]*[\])])?|(?:table|value|csv|json|yaml|list|get|text|config|flattened)[(\[][^\n]*"
    r"|(?:jsonpath|jsonpath-as-json|go-template|custom-columns)=[^\n]*|[^\n]*\{\{[^\n]*\}\}[^\n]*|\{[^\n]*\}"
)
# An address of another host, which could be sent something; stores of the clouds are read with the caller's own account.
_REMOTE: Final = re.compile(
    r"(?i)(?:(?:https?|ftps?|scp|sftp|ssh|git|rsync|tftp|ldaps?|smb|ext|telnet|gopher|dict|file)(?:\+[a-z]+)?::?//?"
    r"|(?!(?:s3|gs|oci|docker(?:-[a-z]+)?|containers-storage)://)[a-z][a-z0-9+.-]*://).*",
    re.DOTALL,
)
# Parsers of options fill in what is left out of a name.
_SHORTENED: Final = frozenset(word[:length] for word in _RISKY for length in range(1, len(word)))
_SWITCHED_OFF: Final = names("false f 0 no n off none never")
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+-]*")
_COMMAND: Final = re.compile(r"[a-z][a-z0-9-]*")
# What follows these words is run, and a --help after it is for that.
_STARTS: Final = names("run exec x start attach debug ssh rsh shell sh create unshare submit")
_MOST_WORDS: Final = 10
_BRACES: Final = re.compile(r"\{([^{}]*)\}")


@dataclass(slots=True)
class _Node:
    """A place in the tree of subcommands."""

    deeper: dict[str, _Node] = field(default_factory=dict)
    ends: bool = False
    alone: bool = False


@dataclass(slots=True)
class Tool:
    """One program's table; a rule that raises `Denied` unless the call only reads."""

    names: tuple[str, ...]
    root: _Node = field(default_factory=_Node)
    like: list[re.Pattern[str]] = field(default_factory=list)
    options: re.Pattern[str] | None = None
    flags: set[str] = field(default_factory=set)
    valued: set[str] = field(default_factory=set)
    formats: set[str] = field(default_factory=set)
    refuse: set[str] = field(default_factory=set)
    allow: set[str] = field(default_factory=set)
    needs: dict[Path, set[str]] = field(default_factory=dict)
    bars: dict[Path, set[str]] = field(default_factory=dict)
    starts: set[Path] = field(default_factory=set)
    pages: dict[Path, set[str]] = field(default_factory=dict)
    marks: set[str] = field(default_factory=set)

    def __call__(self, call: Call) -> None:
        """Judge one call; raises `Denied`."""
        if self._asks_for_help(call.args):
            return
        _Reading(self, call).read()

    def _asks_for_help(self, args: list[Word]) -> bool:
        texts = [word.text for word in args if word.known]
        if len(texts) != len(args) or not texts or "paged" in self.marks:
            return False
        *words, last = texts
        if not all(_COMMAND.fullmatch(word) for word in words[texts[0] == "help" :]):
            return False
        if last in {"--help", "-help"} or (last == "-h" and "-h" in self.flags):
            most = 0 if "scripts" in self.marks else 1 if "runs" in self.marks or _STARTS & set(words[:1]) else 2
            return len(words) <= most
        return texts[0] == "help" and len(texts) <= 4 and bool(_PLAIN.fullmatch(last))


class _Reading:
    """One call held against its table."""

    def __init__(self, tool: Tool, call: Call) -> None:
        self._tool = tool
        self._call = call
        self._rest = list(call.args)
        self._node = tool.root
        self._path: list[str] = []
        self._done = False
        self._liked = False
        self._operands = 0
        self._given: set[str] = set()
        self._doubtful = False

    def read(self) -> None:
        only_operands = False
        while self._rest:
            word = self._rest.pop(0)
            if self._starts_inner(word):
                break
            if only_operands or not word.may_be_option or (word.bare and not self._rest) or word.text == "-":
                # After two dashes `cargo fmt` has options of the program that it starts; elsewhere those are operands.
                self._given |= {word.text} if only_operands and "runs" in self._tool.marks else set()
                self._operand(word)
            elif word.known and word.text == "--":
                only_operands = True
            elif not word.prefix.startswith("-"):
                raise self._call.deny(
                    "unknown-word",
                    f"A word of `{self._call.program}` is only known at run time and could be an option: write it out.",
                )
            else:
                self._option(word)
        self._end()

    def _starts_inner(self, word: Word) -> bool:
        """Whether this word begins a command that runs elsewhere, after the name of the place; it is judged like any other."""
        if tuple(self._path) not in self._tool.starts or not self._operands:
            return False
        dashes = word.known and word.text == "--"
        if word.may_be_option and not dashes:
            return False
        command = self._rest if dashes else [word, *self._rest]
        self._call.judge.command(command)
        self._given.add("--")
        return True

    def _operand(self, word: Word) -> None:
        self._check_value(word)
        if self._done:
            self._operands += 1
            return
        text = word.text if word.known else "\0"
        deeper = self._node.deeper.get(text)
        if deeper is not None:
            self._node = deeper
            self._path.append(text)
            self._done = deeper.ends and not deeper.deeper
        elif self._node.ends and not (self._node is self._tool.root and self._tool.like):
            self._operands += 1
            self._done = True
        elif len(self._path) < _MOST_WORDS:
            self._path.append(text if _PLAIN.fullmatch(text) else "\0")
            self._node = _Node()
            self._liked = self._done = self._is_like()
        else:
            raise self._call.deny(
                "command", f"`{self._call.program}` is not asked in so many words: name the command first."
            )

    def _check_value(self, word: Word) -> None:
        # A Perl program may start what stands before or after a bar in the name of a file.
        if (
            word.text == ";"
            or "\n" in word.text
            or word.text.strip().startswith("|")
            or word.text.strip().endswith("|")
        ):
            raise self._call.deny(
                "operand", f"An argument of `{self._call.program}` could begin another command: leave it out."
            )
        if "paged" in self._tool.marks and word.text == "help":
            raise self._call.deny(
                "pager",
                f"The help of `{self._call.program}` would start a pager: ask with -h or --help, if it has that.",
            )
        if "remote" not in self._tool.marks and _REMOTE.match(word.text):
            raise self._call.deny(
                "remote", f"`{self._call.program}` may not be sent to another host: name something local."
            )

    def _is_like(self) -> bool:
        asked = " ".join(self._path)
        return any(pattern.fullmatch(asked) for pattern in self._tool.like)

    def _option(self, word: Word) -> None:
        """Judge an option; what could be the value of the one before does not count as given."""
        doubtful, self._doubtful = self._doubtful, False
        given = set(self._given)
        self._check_option(word)
        if doubtful:
            self._given = given

    def _check_option(self, word: Word) -> None:
        text = word.text
        name, equals, value = text.partition("=")
        long = text.startswith("--") or "single" in self._tool.marks
        if (
            not long
            and not any(
                text in known or name in known
                for known in (self._tool.valued, self._tool.flags, self._tool.formats, self._tool.refuse)
            )
            and not (self._tool.options and self._tool.options.fullmatch(text))
        ):
            self._cluster(word)
            return
        if "\0" in name:
            raise self._refused(name.replace("\0", "…"))
        self._given |= {text} if equals and value.lower() in _SWITCHED_OFF else {name, text}
        if equals and text in self._tool.flags:
            return
        if name in self._tool.refuse or name in self._tool.bars.get(tuple(self._path), ()):
            raise self._refused(name)
        if name in self._tool.formats:
            self._format(name, Word(value) if equals else self._next(name))
        elif name in self._tool.valued:
            self._check_value(Word(value) if equals else self._next(name))
        elif not self._is_flag(name, text) and name not in self._tool.allow and not self._passes(name):
            raise self._refused(name)
        else:
            self._doubtful = not equals and not self._is_flag(name, text)
            self._check_value(Word(value))

    def _is_flag(self, name: str, text: str) -> bool:
        if self._tool.options is not None and self._tool.options.fullmatch(text):
            return True
        if text in self._tool.needs.get(tuple(self._path), ()):
            return True
        # `exiftool -Artist=x` writes what `exiftool -Artist` reads.
        return text in self._tool.flags or (name in self._tool.flags and name.startswith("--"))

    def _passes(self, name: str) -> bool:
        words = name.lstrip("-").lower()
        if "strict" in self._tool.marks or tuple(self._path) in self._tool.starts:
            return False
        if not self._done and (self._node.deeper or not self._node.ends) and self._rest:
            return False
        parts = re.split(r"[._-]", words)
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", words) or _RISKY & {words, *parts}:
            return False
        return (
            bool(parts[-1]) and parts[-1] not in _SHORTENED and not any(o.startswith(name) for o in self._tool.refuse)
        )

    def _cluster(self, word: Word) -> None:
        letters = word.text[1:]
        for place, letter in enumerate(letters):
            option = f"-{letter}"
            self._given.add(option)
            if option in self._tool.refuse or option in self._tool.bars.get(tuple(self._path), ()):
                raise self._refused(option)
            rest = letters[place + 1 :]
            if option in self._tool.formats:
                return self._format(option, Word(rest.removeprefix("=")) if rest else self._next(option))
            if option in self._tool.valued:
                self._check_value(Word(rest) if rest else self._next(option))
                return None
            if option not in self._tool.flags:
                raise self._refused(option if option.isprintable() else "-")
        return None

    def _next(self, name: str) -> Word:
        """The value of an option. What looks like an option itself is never passed over as one: both readings are judged."""
        if not self._rest or (self._rest[0].prefix.startswith("-") and self._rest[0].text != "-"):
            self._doubtful = True
            return Word("")
        value = self._rest.pop(0)
        if value.splits:
            raise self._call.deny("unknown-word", f"The value of `{name}` may become several words: quote it.")
        return value

    def _format(self, name: str, value: Word) -> None:
        if not value.known or not (_FORMAT.fullmatch(value.text) or not value.text):
            raise self._call.deny(
                "output", f"`{self._call.program} {name}` takes the name of a format here, such as json, and no file."
            )

    def _end(self) -> None:
        path = tuple(self._path)
        asked = " ".join(path).replace("\0", "…")
        if not (self._done or self._node.ends):
            raise self._call.deny(
                path[0] if path and re.fullmatch(r"[a-z][a-z-]{0,30}", path[0]) else "command",
                f"`{f'{self._call.program} {asked}'.strip()}` is not on the list of what only reads: ask with show, list, get or the like.",
            )
        rooted = self._node is self._tool.root and "rooted" in self._tool.marks
        closed = (
            self._node.alone
            or (bool(self._node.deeper) and not rooted)
            or (self._liked and "exact" in self._tool.marks)
        )
        if closed and self._operands:
            raise self._call.deny("operand", f"`{self._call.program} {asked}` only reads without further arguments.")
        if not self._operands and not self._call.judge.drained and "--no-pager" not in self._given:
            pages = self._tool.pages.get(path)
            if pages is not None and (not pages or pages & self._given) and pages >= self._given:
                raise self._call.deny(
                    "pager", f"`{self._call.program} {asked}` would start a pager: pipe it, as in `| head -50`."
                )
        if path in self._tool.starts and "--" not in self._given:
            raise self._call.deny("command", f"`{self._call.program} {asked}` needs a place and a command that reads.")
        needed = self._tool.needs.get(path)
        if needed and not needed & self._given and not ("-*" in needed and self._given):
            raise self._call.deny(
                "needs", f"`{self._call.program} {asked}` only reads with {' or '.join(sorted(needed))}: add it."
            )

    def _refused(self, option: str) -> Denied:
        return self._call.deny(
            "option",
            f"The option `{option[:60]}` of `{self._call.program}` may write, run or connect, or is not known here: leave it out.",
        )


def _expand(text: str) -> Iterator[str]:
    found = _BRACES.search(text)
    if not found:
        yield text
        return
    for choice in found[1].split(","):
        yield from _expand(text[: found.start()] + choice + text[found.end() :])


def _add_paths(tool: Tool, texts: Iterable[str]) -> None:
    for text in texts:
        for path in _expand(text):
            words = path.removesuffix("!").split("/")
            node = tool.root
            for word in words:
                if word.startswith("-"):
                    tool.needs.setdefault(tuple(words[: words.index(word)]), set()).add(word)
                elif word:
                    node = node.deeper.setdefault(word, _Node())
            node.ends = True
            node.alone = path.endswith("!")


def read_tables(text: str) -> dict[str, Tool]:
    """Every program of a table by name; raises `ValueError` for a line that is no part of one."""
    found: dict[str, Tool] = {}
    tool: Tool | None = None
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not line[0].isspace():
            tool = Tool(tuple(line.split()))
            found |= dict.fromkeys(tool.names, tool)
        elif tool is None:
            raise ValueError(f"the line {line!r} stands before any program")
        else:
            _add_line(tool, line)
    return found


def _add_line(tool: Tool, line: str) -> None:
    key, *words = line.split()
    expanded = [one for word in words for one in _expand(word)]
    match key:
        case "reads":
            _add_paths(tool, words)
        case "like":
            tool.like.append(re.compile(line.strip().removeprefix("like").strip()))
        case "flags" | "valued" | "formats" | "refuse" | "allow":
            getattr(tool, key).update(expanded)
        case "needs" | "bars" | "pages":
            for path in _expand(words[0]):
                options = {one for word in words[1:] for one in _expand(word)}
                getattr(tool, key).setdefault(tuple(path.strip("/").split("/")) if path != "/" else (), set()).update(
                    options
                )
        case "starts":
            _add_paths(tool, words)
            tool.starts |= {tuple(one.split("/")) for one in expanded}
        case "options":
            tool.options = re.compile(line.strip().removeprefix("options").strip())
        case "paged" | "single" | "runs" | "scripts" | "strict" | "remote" | "exact" | "rooted":
            tool.marks.add(key)
        case _:
            raise ValueError(f"the line {line!r} begins with no word of a table")
