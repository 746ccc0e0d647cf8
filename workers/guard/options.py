"""Options of a program, read as getopt reads them, against a list of those allowed: what is not listed is denied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workers.guard.verdict import Denied
from workers.guard.words import Word, literal


@dataclass(frozen=True, slots=True)
class Spec:
    """What a program may be given.

    ``flags``: short options without a value, ``valued``: with one. ``longs``: names that take a value only after ``=``,
    ``long_valued``: names whose value is what follows. Old single-dash words such as ``-readonly`` stand in ``words``
    and ``word_valued``. With ``permute`` off the first operand ends the options (wrappers).
    """

    flags: str = ""
    valued: str = ""
    longs: frozenset[str] = frozenset()
    long_valued: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    word_valued: frozenset[str] = frozenset()
    permute: bool = True


def names(text: str) -> frozenset[str]:
    """The names in a text, which stand with blanks between them."""
    return frozenset(text.split())


def spec(
    flags: str = "",
    valued: str = "",
    longs: str = "",
    long_valued: str = "",
    *,
    words: str = "",
    word_valued: str = "",
    permute: bool = True,
) -> Spec:
    """A `Spec` from lists with blanks between the names (names without dashes)."""
    return Spec(flags, valued, names(longs), names(long_valued), names(words), names(word_valued), permute)


@dataclass(frozen=True, slots=True)
class Parsed:
    """Options in order (names without dashes; a value or None), and operands."""

    options: tuple[tuple[str, Word | None], ...]
    operands: tuple[Word, ...]

    def has(self, *names: str) -> bool:
        """Whether one of these options was given."""
        return any(name in names for name, _ in self.options)

    def values(self, *names: str) -> list[Word]:
        """The values of these options, in order."""
        return [value for name, value in self.options if name in names and value is not None]


def parse(program: str, args: Sequence[Word], allowed: Spec) -> Parsed:
    """Read ``args``; raises `Denied` on an option not allowed, or on a word that could turn out to be one."""
    options: list[tuple[str, Word | None]] = []
    operands: list[Word] = []
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if word.known and word.text == "--":
            operands += rest
            break
        if not word.may_be_option or (word.bare and not rest) or (word.known and word.text == "-"):
            operands.append(word)
            if not allowed.permute:
                operands += rest
                break
            continue
        if word.splits or word.glob or not word.prefix:
            raise Denied(
                f"{program}.unknown-word",
                f"A word of `{program}` is only known at run time and could be an option: write it out, quote it, or put `./` or `--` before it.",
            )
        options += _option(program, word, rest, allowed)
    return Parsed(tuple(options), tuple(operands))


def _option(program: str, word: Word, rest: list[Word], allowed: Spec) -> list[tuple[str, Word | None]]:
    text = word.text
    name, equals, value = text.lstrip("-").partition("=") if text.startswith("--") else (text[1:], "", "")
    if text.startswith("--"):
        if name in allowed.longs:
            return [(name, literal(value) if equals else None)]
        if name in allowed.long_valued:
            return [(name, literal(value) if equals else _next(program, name, rest))]
        raise _unlisted(program, f"--{name}")
    head, equals, value = name.partition("=")
    if name in allowed.words:
        return [(name, None)]
    if head in allowed.word_valued:
        return [(head, literal(value) if equals else _next(program, head, rest))]
    if not word.known:
        raise _unlisted(program, f"-{name}".split("\0", maxsplit=1)[0])
    return _cluster(program, name, rest, allowed)


def _cluster(program: str, letters: str, rest: list[Word], allowed: Spec) -> list[tuple[str, Word | None]]:
    found: list[tuple[str, Word | None]] = []
    for place, letter in enumerate(letters):
        if letter in allowed.flags:
            found.append((letter, None))
        elif letter in allowed.valued:
            attached = letters[place + 1 :]
            found.append((letter, literal(attached) if attached else _next(program, letter, rest)))
            break
        else:
            raise _unlisted(program, f"-{letter}")
    return found


def _next(program: str, name: str, rest: list[Word]) -> Word:
    if not rest:
        raise Denied(f"{program}.option-value", f"The option `{name}` of `{program}` has no value: give it one.")
    value = rest.pop(0)
    if value.splits:
        raise Denied(f"{program}.unknown-word", f"The value of `{name}` may become several words: quote it.")
    return value


def _unlisted(program: str, option: str) -> Denied:
    return Denied(
        f"{program}.option",
        f"The option `{option}` of `{program}` is not on the list of this profile: leave it out or use another tool.",
    )
