"""Whether evidence is proven: a quote that stands where it says, at the revision under review (I6; DESIGN sections 5 and 6)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.domain.citation import Citation, Evidence, Pointed
from bot.domain.paths import path_problem, shown
from bot.domain.subject import canonical
from bot.gates.touched import touched_lines, value_changed

MIN_QUOTE_CHARACTERS = 8
MOST_FOUND = 1_000
"""Characters of what stood at a place that the record of a decision keeps."""
_LINE_END_SPACE = " \t\r"
_ARRAY_INDEX = re.compile(r"0|[1-9][0-9]*")
_BAD_ESCAPE = re.compile(r"~(?![01])")

LinesOf = Callable[[str], Sequence[str] | None]
Redact = Callable[[str], str]


def lines_in(text: str) -> list[str]:
    """The lines of a file's text, split at line feeds alone; a last line end opens no further line."""
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return lines


def quote_problem(quote: str) -> str:
    """Why ``quote`` is too little to prove anything, "" when it is enough."""
    visible = "".join(quote.split())
    if len(visible) < MIN_QUOTE_CHARACTERS:
        return f"the quote has {len(visible)} characters that are not white space, {MIN_QUOTE_CHARACTERS} are needed"
    if not any(one.isalnum() for one in visible):
        return "the quote has no letter or digit"
    return ""


def contains(text: str, quote: str) -> bool:
    """Whether ``quote`` stands in ``text``; white space at line ends is the only tolerance."""
    return _trimmed(quote).rstrip("\n") in _trimmed(text)


def lines_with(text: str, quote: str) -> frozenset[int]:
    """1-based lines of ``text`` on which ``quote`` stands, every occurrence; what `contains` finds."""
    within, wanted = _trimmed(text), _trimmed(quote).rstrip("\n")
    found: set[int] = set()
    at = within.find(wanted) if wanted else -1
    line, counted = 1, 0
    while at >= 0:
        line += within.count("\n", counted, at)
        counted = at
        found.update(range(line, line + wanted.count("\n") + 1))
        at = within.find(wanted, at + 1)
    return frozenset(found)


def occurrences(trimmed: str, quote: str) -> int:
    """How often ``quote`` stands in a text whose line ends are ``trimmed`` of white space, overlaps aside."""
    wanted = _trimmed(quote).rstrip("\n")
    return trimmed.count(wanted) if wanted.strip() else 0


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip(_LINE_END_SPACE) for line in text.split("\n"))


def _same(text: str) -> str:
    return text


def verify_citation(citation: Citation, lines_of: LinesOf, redact: Redact = _same) -> str:
    """Why ``citation`` is not proven, "" when it is.

    ``lines_of`` answers a path's lines at the revision under review, None when there is no such text file. Both sides
    are compared after ``redact``, because the model that quotes has seen nothing else.
    """
    place = f"{shown(citation.path)}:{citation.start_line}-{citation.end_line}"
    problem = path_problem(citation.path)
    if problem:
        return f"{place} cannot be cited: the path {problem}"
    problem = quote_problem(citation.quote)
    if problem:
        return f"{place} is not proven: {problem}"
    if citation.end_line < citation.start_line:
        return f"{place} is not proven: the last line stands before the first"
    lines = lines_of(citation.path)
    if lines is None:
        return f"{place} is not proven: there is no such text file at this revision"
    if citation.end_line > len(lines):
        return f"{place} is not proven: the file has {len(lines)} lines"
    text = "\n".join(lines[citation.start_line - 1 : citation.end_line])
    if not contains(redact(text), redact(citation.quote)):
        return f"{place} is not proven: the quote does not stand in these lines"
    return ""


class Unresolved(LookupError):
    """A JSON pointer that leads nowhere; the argument says where it broke off."""


def resolve_pointer(pointer: str, document: Any) -> Any:
    """The value at ``pointer`` of a JSON ``document`` (RFC 6901); raises ``Unresolved``."""
    if pointer == "":
        return document
    if not pointer.startswith("/"):
        raise Unresolved("a JSON pointer is empty or begins with a slash")
    value = document
    for token in pointer[1:].split("/"):
        if _BAD_ESCAPE.search(token):
            raise Unresolved("a tilde in a JSON pointer is written ~0")
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping) and name in value:
            value = value[name]
        elif isinstance(value, list | tuple) and _ARRAY_INDEX.fullmatch(name) and _in_range(name, len(value)):
            value = value[int(name)]
        else:
            raise Unresolved(f"there is nothing at {shown(name)!r}")
    return value


def _in_range(index: str, length: int) -> bool:
    # Length first: turning thousands of digits into a number is refused by Python, and slow.
    return len(index) <= len(str(length)) and int(index) < length


def verify_pointer(pointed: Pointed, document: Any, redact: Redact = _same) -> str:
    """Why ``pointed`` is not proven against the JSON ``document``, "" when it is."""
    place = f"the pointer {shown(pointed.pointer)!r}"
    if not pointed.quote.strip():
        return f"{place} is not proven: the quote is white space"
    try:
        value = resolve_pointer(pointed.pointer, document)
    except Unresolved as why:
        return f"{place} does not resolve: {why}"
    quote = redact(pointed.quote)
    if isinstance(value, str) and contains(redact(value), quote):
        return ""
    if contains(redact(canonical(value).decode()), quote):
        return ""
    return f"{place} is not proven: the quote does not stand in that value"


@dataclass(frozen=True, slots=True)
class Proofs:
    """Checks evidence of one round (``EvidenceCheck`` of the ledger).

    ``lines_of``: lines of a path at the revision under review (a plan: at base). ``document``: the JSON value that
    pointers lead into, None where there is none. ``earlier_lines``, ``earlier_document``: the same by the revision at
    which a finding was raised or settled; a revision that is not in them is not at hand. ``renamed_from``: new path to
    first path, over all revisions.
    """

    lines_of: LinesOf
    document: Any = None
    redact: Redact = _same
    earlier_lines: Mapping[str, LinesOf] = field(default_factory=dict)
    earlier_document: Mapping[str, Any] = field(default_factory=dict)
    renamed_from: Mapping[str, str] = field(default_factory=dict)
    _touched: dict[tuple[str, str], frozenset[int]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _texts: dict[tuple[str, str | None], str | None] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def problem(self, piece: Evidence) -> str:
        """Why ``piece`` is not proven, "" when it is."""
        if isinstance(piece, Citation):
            return verify_citation(piece, self.lines_of, self.redact)
        if self.document is None:
            return f"the pointer {shown(piece.pointer)!r} leads into a document, and there is none under review"
        return verify_pointer(piece, self.document, self.redact)

    def untouched(self, piece: Evidence, since: str) -> str:
        """Why nothing changed at the place of a proven ``piece`` since revision ``since``, "" when something did."""
        if isinstance(piece, Citation):
            return self._untouched_lines(piece, since)
        if since not in self.earlier_document:
            return f"the document of revision {since[:8]} is not at hand"
        now = resolve_pointer(piece.pointer, self.document)
        try:
            before = resolve_pointer(piece.pointer, self.earlier_document[since])
        except Unresolved:
            return ""
        if value_changed(before, now):
            return ""
        return f"the value at {shown(piece.pointer)!r} is as it was when the finding was raised"

    def _untouched_lines(self, piece: Citation, since: str) -> str:
        if since not in self.earlier_lines:
            return f"the files of revision {since[:8]} are not at hand"
        now = self.lines_of(piece.path) or ()
        change = (piece.path, since)
        if change not in self._touched:
            before = self._lines(piece.path, self.earlier_lines[since])
            self._touched[change] = touched_lines(before, now, piece.path)
        touched = self._touched[change]
        # The quote's own lines count: a wide range around a quote that nobody touched shows nothing.
        cited = "\n".join(now[piece.start_line - 1 : piece.end_line])
        quoted = lines_with(self.redact(cited), self.redact(piece.quote))
        if any(piece.start_line + line - 1 in touched for line in quoted):
            return ""
        place = f"{shown(piece.path)}:{piece.start_line}-{piece.end_line}"
        return f"no quoted line of {place} changed since the finding was raised, white space and comments aside"

    def times(self, piece: Mapping[str, Any], at: str | None) -> int | None:
        """How often the quote of a recorded ``piece`` stands in its file or value at revision ``at`` (None: under review).

        Renames are followed. None when that revision is not at hand.
        """
        quote = self.redact(str(piece["quote"]))
        if "pointer" in piece:
            if at is not None and at not in self.earlier_document:
                return None
            document = self.document if at is None else self.earlier_document[at]
            problem = verify_pointer(Pointed(pointer=str(piece["pointer"]), quote=quote), document, self.redact)
            return 0 if problem else 1
        if at is not None and at not in self.earlier_lines:
            return None
        place = (str(piece["path"]), at)
        if place not in self._texts:
            lines = self._lines(place[0], self.lines_of if at is None else self.earlier_lines[at])
            self._texts[place] = None if lines is None else _trimmed(self.redact("\n".join(lines)))
        text = self._texts[place]
        return 0 if text is None else occurrences(text, quote)

    def is_gone(self, path: str) -> bool:
        """Whether there is no such text file under review, by none of the names that renames gave it."""
        return self._lines(path, self.lines_of) is None

    def found(self, piece: Mapping[str, Any], limit: int = MOST_FOUND) -> str:
        """What stands at the place of a recorded ``piece`` and was compared with its quote, redacted, cut to ``limit``."""
        if "pointer" in piece:
            try:
                value = resolve_pointer(str(piece["pointer"]), self.document)
            except Unresolved:
                return ""
            text = value if isinstance(value, str) else canonical(value).decode()
        else:
            path = str(piece["path"])
            lines = None if path_problem(path) else self.lines_of(path)
            text = "\n".join((lines or ())[int(piece["start_line"]) - 1 : int(piece["end_line"])])
        return self.redact(text)[:limit]

    def _lines(self, path: str, lines_of: LinesOf) -> Sequence[str] | None:
        """Lines of the file at another revision, by whichever of its names it had there."""
        first = self.renamed_from.get(path, path)
        others = (name for name, root in self.renamed_from.items() if root == first)
        for name in dict.fromkeys((path, *others, first)):
            found = None if path_problem(name) else lines_of(name)
            if found is not None:
                return found
        return None
