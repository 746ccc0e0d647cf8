"""Secrets known by the column they stand in: rows of an SQL INSERT, and tables of Markdown with a column or a row of passwords."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from bot.redaction.rules import LONGEST_LINE, Found, Places, line_of, starts_of
from bot.redaction.values import Name, is_secret_value

_INSERTS: Final = ("insert into", "insert ignore into", "replace into")
_SHORT_CELLS: Final = ("pass |", "pass` |", "pass** |", "pass|")
TABLE_WORDS: Final = (*_INSERTS, *_SHORT_CELLS)

_INSERT: Final = re.compile(
    r"(?i)(?:insert(?:[ \t]+ignore)?|replace)[ \t]+into\s+[\w.`\"\[\]$-]{1,120}\s*\(([^()]{1,2000})\)\s*(?:output\s[^()]{1,200})?values?\s*"
)
_LITERAL: Final = r"'(?:[^'\\\r\n]|\\.|''){0,1000}'|\"(?:[^\"\\\r\n]|\\.){0,1000}\""
# A value of a row: a literal, one that a function takes, or anything else up to the next comma.
_FIELD: Final = re.compile(
    rf"\s*(?:(?:[NEBnebU_]{{1,2}}|\\)?(?P<text>{_LITERAL})|(?P<call>[\w.]{{1,40}})\([ \t]*(?P<taken>{_LITERAL})?[^()\r\n]{{0,200}}(?:\([^()\r\n]{{0,200}}\)[^()\r\n]{{0,200}}){{0,2}}\)|[^,()'\"]{{0,200}})"
    r"(?:::\w+)?\s*(?P<end>[,)])"
)
_HASHES: Final = re.compile(r"(?i)(?:.*\.)?\w*(?:md5|sha\d?|hash|crypt|password|encode|encrypt|cast|convert)\w*")
_NEXT_ROW: Final = re.compile(r"\s*,?\s*\(")
# Whose password a column holds: ``pass_user``.
_OWNER: Final = re.compile(r"_(?:users?|usr|admin|client|usuario|utilisateur)$")
_MOST_FIELDS: Final = 200

_INSERT_WORDS: Final = frozenset(_INSERTS)
_CELL_WORDS: Final = frozenset(("password", "passwd", "passphrase", "passcode", "pwd", "passwort", *_SHORT_CELLS))
_RULED: Final = re.compile(r"[ \t>]*\|?(?:[ \t]*:?-{1,100}:?[ \t]*\|){1,40}(?:[ \t]*:?-{1,100}:?)?[ \t]*\r?")
_CELL_EDGES: Final = " \t\r*_~"
_WRAPPED: Final = re.compile(r"(?:\*\*|__)?(`{1,2}|\"|'|<code>)([^`\r\n]+?)(?:`{1,2}|\"|'|</code>)(?:\*\*|__)?")
_LOGIN: Final = re.compile(r"(?i)(?:user(?:[ _-]?name)?|log-?in|e-?mail(?: address)?|account)")
_LONGEST_TABLE: Final = 200


def table_secrets(text: str, places: Places) -> Iterator[Found]:
    """Finds passwords by their column's or row's name."""
    done = 0
    for start in starts_of(_INSERT_WORDS, places):
        if start >= done and (match := _INSERT.match(text, start)) is not None:
            found, done = _inserted(text, match)
            yield from found
    done = 0
    for start in starts_of(_CELL_WORDS, places):
        if start < done:
            continue
        low, high = line_of(text, start)
        if text.find("|", low, high) < 0 or high - low >= LONGEST_LINE:
            continue
        found, done = _markdown(text, low, high)
        yield from found


def _inserted(text: str, match: re.Match[str]) -> tuple[list[Found], int]:
    """Values of the columns that are called passwords, of every row, and where the rows end."""
    columns = [Name.of(_OWNER.sub("", column.strip(" \t\r\n`\"'[]\\"))) for column in match[1].split(",")]
    names = {
        number: name
        for number, name in enumerate(columns)
        if name is not None and (name.password or name.secret or name.token)
    }
    found: list[Found] = []
    at = match.end()
    while names and (opening := _NEXT_ROW.match(text, at)) is not None:
        at = opening.end()
        for number in range(_MOST_FIELDS):
            field = _FIELD.match(text, at)
            if field is None:
                return found, at
            if number in names:
                found += _held_by(field, names[number])
            at = field.end()
            if field["end"] == ")":
                break
    return found, at


def _held_by(field: re.Match[str], name: Name) -> Iterator[Found]:
    group = "text" if field["text"] else "taken" if field["taken"] and _HASHES.fullmatch(field["call"]) else None
    if group is None:
        return
    value = field[group][1:-1]
    if is_secret_value(name, value, quoted=True, weak=False):
        yield Found("password" if name.password else "assigned-secret", field.start(group) + 1, field.end(group) - 1)


def _markdown(text: str, low: int, high: int) -> tuple[list[Found], int]:
    """What a table holds whose head has this line, or its row of this line, and where it was read to.

    Tables of test scenarios have no rule under their head: there a column of logins stands beside.
    """
    cells = list(_cells(text, low, high))
    logins = any(_LOGIN.fullmatch(text[slice(*cell)].strip(_CELL_EDGES)) for cell in cells)
    end = _next_line(text, high)[1] if _RULED.fullmatch(text, *_next_line(text, high)) is not None else high
    found: list[Found] = []
    if end == high and not logins:
        for cell, following in pairwise(cells):
            name = _name_of(text[slice(*cell)])
            if name is not None:
                return list(_told(text, name, *following, sure=name.text.isupper())), high
        return found, high
    names = {number: name for number, cell in enumerate(cells) if (name := _name_of(text[slice(*cell)])) is not None}
    for _ in range(_LONGEST_TABLE if names else 0):
        below, stop = _next_line(text, end)
        if below >= stop or text.find("|", below, stop) < 0:
            break
        end = stop
        for number, (start, last) in enumerate(_cells(text, below, stop)):
            if number in names:
                found += _told(text, names[number], start, last, sure=logins)
    return found, end


def _cells(text: str, low: int, high: int) -> Iterator[tuple[int, int]]:
    """Spans between the bars of a line; what a bar at its beginning leaves before itself is none."""
    start = low
    while start < high:
        end = text.find("|", start, high)
        end = end if end >= 0 else high
        if start > low or text[start:end].strip(" \t>"):
            yield start, end
        start = end + 1


def _next_line(text: str, end: int) -> tuple[int, int]:
    low = min(end + 1, len(text))
    return low, line_of(text, low)[1]


def _name_of(cell: str) -> Name | None:
    """A cell that names a password: ``Password``, ``**Password**``, ```DB_PASSWORD```."""
    shown = cell.strip().strip("*`_~ \t:")
    name = Name.of(shown) if 2 < len(shown) <= 40 and shown.count(" ") <= 1 else None
    return name if name is not None and name.password else None


def _told(text: str, name: Name, low: int, high: int, *, sure: bool) -> Iterator[Found]:
    """The cell's text, without what marks it as code or bold. A plain word says little where no mark is, unless it is ``sure``."""
    while low < high and text[low] in _CELL_EDGES:
        low += 1
    while low < high and text[high - 1] in _CELL_EDGES:
        high -= 1
    wrapped = _WRAPPED.fullmatch(text, low, high)
    if wrapped is not None:
        low, high = wrapped.span(2)
    if text.find("`", low, high) < 0 and is_secret_value(
        name, text[low:high], quoted=True, weak=wrapped is None and not sure
    ):
        yield Found("password", low, high)
