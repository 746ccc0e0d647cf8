"""Shell words as the shell will read them: quotes removed, and what is only known at run time marked as such."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from tree_sitter import Node

from workers.guard.verdict import Denied

UNKNOWN: Final = "\0"  # stands for an expansion; the source cannot hold it
_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_PLAIN_VARIABLE: Final = re.compile(rf"\$(?:{_NAME}|[0-9?#@*$!-])")
# No indirection, subscript, assignment, transformation or arithmetic: each of those can run what a variable holds.
_EXPANSION: Final = re.compile(
    rf"\$\{{(?:#?{_NAME}|#?[0-9@*#?])"
    rf"(?:(?::?[-+?]|##?|%%?|//?|\^\^?|,,?)[^`$(){{}}\\\"'\[\]]*|:[0-9]+(?::[0-9]+)?)?\}}"
)
_NAMED: Final = re.compile(rf"\$(?:({_NAME}|[0-9?#@*$!-])|\{{({_NAME}|[0-9@*#?])\}})")
_SPLITTING: Final = re.compile(r"[\s*?\[\]{}~\\\0]")
_ANSI: Final = {"n": "\n", "t": "\t", "\\": "\\", "'": "'", '"': '"'}
# After a dollar these begin no expansion.
_NO_NAME: Final = frozenset('" |)/.,:;]')
_GLOB: Final = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command line.

    ``text``: its characters after quote removal, with ``UNKNOWN`` for each expansion. ``splits``: it may become several
    words or none. ``glob``: file names may take its place. ``inside``: known to be a path below the workspace.
    ``bare``: what is not known in it is nothing that the command line could choose, and no option; with ``splits`` it
    may be no word at all, and what follows takes its place.
    """

    text: str
    splits: bool = False
    glob: bool = False
    inside: bool = False
    bare: bool = False

    @property
    def known(self) -> bool:
        """Whether the shell passes on exactly ``text``."""
        return not (self.splits or self.glob or UNKNOWN in self.text)

    @property
    def prefix(self) -> str:
        """The characters that surely come first."""
        start = self.text.split(UNKNOWN, maxsplit=1)[0]
        if self.glob:
            cut = min((start.find(c) for c in _GLOB if c in start), default=len(start))
            start = start[:cut]
        return start

    @property
    def may_be_option(self) -> bool:
        """Whether the program could take it, or a part of it, as an option."""
        if self.bare and not self.splits:
            return False
        return self.splits or self.prefix.startswith("-") or (not self.known and not self.prefix)


def literal(text: str) -> Word:
    """A word that is exactly this text."""
    return Word(text)


ANYTHING: Final = Word(UNKNOWN, splits=True)
# What comes to nothing, or to values that were there before.
NOTHING: Final = Word(UNKNOWN, splits=True, bare=True)
# The folder that a tilde stands for.
HOME: Final = Word("~" + UNKNOWN, bare=True)
FOUND_FILE: Final = Word("./" + UNKNOWN, inside=True)


class WordReader:
    """Turns word nodes into words; every command inside one is handed to ``run`` to be judged.

    ``variable`` says what a variable holds, and ``printed`` what a command prints, each as the word it is in quotes.
    """

    def __init__(
        self, run: Callable[[Node], None], variable: Callable[[str], Word], printed: Callable[[str], Word]
    ) -> None:
        self._run = run
        self._variable = variable
        self._printed = printed

    def read(self, node: Node) -> Word:
        """The word of a node; raises `Denied` for every kind of node not named here."""
        match node.type:
            case "word" | "number":
                return _unquoted(_source(node)) if not node.named_child_count else _refuse(node)
            case "raw_string":
                return literal(_source(node)[1:-1])
            case "ansi_c_string":
                return literal(_ansi(_source(node)[2:-1]))
            case "string":
                return self._string(node)
            case "concatenation":
                return self._joined(node)
            case "brace_expression":
                return Word(UNKNOWN, splits=True)
            case "simple_expansion" | "expansion" | "command_substitution":
                return _split(self._expanded(node))
            case "process_substitution":
                self._run(node)
                return Word("/dev/fd/" + UNKNOWN)
            case "arithmetic_expansion":
                if not re.fullmatch(r"\$\(\([0-9 +*/%()<>=-]*\)\)", _source(node)):
                    raise Denied(
                        "syntax.arithmetic",
                        "Arithmetic on variables can run what they hold: compute it with another tool, or use plain numbers.",
                    )
                return literal(UNKNOWN)
        return _refuse(node)

    def _joined(self, node: Node) -> Word:
        parts = [self.read(child) for child in node.children]
        text = "".join(part.text for part in parts)
        braces = any(c.type == "word" and "{" in _source(c) for c in node.children) and text != "{}"
        splits = any(part.splits for part in parts) or (
            braces and bool(re.search(r"\{.*(,|\.\.).*\}", text, re.DOTALL))
        )
        return Word(text, splits=splits, glob=any(part.glob for part in parts), bare=_is_bare(text, parts))

    def _expanded(self, node: Node) -> Word:
        """What an expansion comes to within quotes."""
        if node.type == "command_substitution":
            self._run(node)
            text = _source(node)
            return self._printed((text[2:-1] if text.startswith("$(") else text[1:-1]).strip())
        self._check_expansion(node)
        named = _NAMED.fullmatch(_source(node))
        return self._variable(named[1] or named[2]) if named else ANYTHING

    def _string(self, node: Node) -> Word:
        text = ""
        parts: list[Word] = []
        end = node.start_byte
        for child in node.children:
            # The grammar leaves blanks of a string out of its nodes.
            text += _between(node, end, child.start_byte)
            end = child.end_byte
            match child.type:
                case '"':
                    # A quote at the end takes the blanks before it along.
                    text += _source(child)[:-1]
                case "string_content":
                    text += re.sub(r"\\([$`\"\\\n])", lambda m: "" if m[1] == "\n" else m[1], _source(child))
                case "simple_expansion" | "expansion" | "command_substitution" | "arithmetic_expansion":
                    part = self.read(child) if child.type == "arithmetic_expansion" else self._expanded(child)
                    text += part.text
                    parts.append(part)
                    # "$@" alone may be no word or many.
                    if _source(child) in {"$@", "${@}"}:
                        return Word(UNKNOWN, splits=True, bare=part.bare)
                case "$" if _after(node, child) in _NO_NAME:
                    text += "$"
                case _:
                    _refuse(child)
        return Word(text, bare=_is_bare(text, parts))

    def _check_expansion(self, node: Node) -> None:
        source = _source(node)
        if not (_PLAIN_VARIABLE.fullmatch(source) or _EXPANSION.fullmatch(source)):
            raise Denied(
                "syntax.expansion",
                f"The expansion `{source}` can do more than read a variable: use `$NAME`, or write the value out.",
            )


def _is_bare(text: str, parts: Sequence[Word]) -> bool:
    """Whether no part can bring an option: a dash after what may be empty would come first."""
    unsure = [part for part in parts if UNKNOWN in part.text or part.glob or part.splits]
    return bool(unsure) and all(part.bare for part in unsure) and not text.startswith("-") and f"{UNKNOWN}-" not in text


def _split(word: Word) -> Word:
    """What a word in quotes becomes without them."""
    if not word.text or (word.text == UNKNOWN and word.bare and word.splits):
        return NOTHING
    if word.bare and not word.splits:
        return word
    if word.known and not _SPLITTING.search(word.text):
        return word
    return ANYTHING


def _source(node: Node) -> str:
    return (node.text or b"").decode()


def _after(node: Node, child: Node) -> str:
    end = child.end_byte - node.start_byte
    return (node.text or b"")[end : end + 1].decode(errors="replace")


def _between(node: Node, start: int, end: int) -> str:
    whole = node.text or b""
    gap = whole[start - node.start_byte : end - node.start_byte].decode()
    if gap.strip(" \t\n"):
        raise Denied("syntax.string", "A part of this string could not be read: use single quotes.")
    return gap


def _unquoted(raw: str) -> Word:
    text = ""
    glob = braces = False
    characters = iter(raw)
    for c in characters:
        if c == "\\":
            text += next(characters, "").replace("\n", "")
            continue
        # The parser joins a line that begins with a backslash to the word before it.
        if c in "\"'`$ \t\n;|&()<>":
            raise Denied("syntax.word", f"The word `{raw}` could not be read: quote it.")
        glob = glob or c in _GLOB
        braces = braces or c == "{"
        text += c
    splits = braces and bool(re.search(r"\{.*(,|\.\.).*\}", text, re.DOTALL))
    return Word(text, splits=splits, glob=glob)


def _ansi(raw: str) -> str:
    out = ""
    characters = iter(raw)
    for c in characters:
        if c != "\\":
            out += c
            continue
        escaped = next(characters, "")
        if escaped not in _ANSI:
            raise Denied(
                "syntax.ansi", "Only \\n, \\t, \\\\ and quotes are read in $'...': write the characters themselves."
            )
        out += _ANSI[escaped]
    return out


def _refuse(node: Node) -> Word:
    raise Denied(
        f"syntax.{node.type if node.is_named else 'token'}",
        f"`{_source(node)[:80]}` is shell syntax that the guard does not read ({node.type}): write it as plain commands.",
    )
