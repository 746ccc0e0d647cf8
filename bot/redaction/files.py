"""Secrets of files whose form says where they are: Kubernetes Secrets, .pgpass, htpasswd with DES hashes, shadow files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from bot.redaction.placeholders import is_placeholder
from bot.redaction.rules import Found, Places, line_of, starts_of

FILE_KINDS: Final = ("kubernetes-secret", "pgpass-password", "password-hash")
_SECRET_WORDS: Final = frozenset(
    (
        "kind: secret",
        'kind": "secret',
        'kind":"secret',
        "kind: 'secret",
        'kind: "secret',
        "kind:secret",
        "kind:  secret",
    )
)
_PGPASS_WORDS: Final = frozenset((*(f":{port}:" for port in range(5430, 5440)), ":6432:", ":*:"))
FILE_WORDS: Final = (*_SECRET_WORDS, *_PGPASS_WORDS)

_DOCUMENT: Final = re.compile(r"(?m)^---[ \t]*\r?$")
_SECRET_KIND: Final = re.compile(r"(?i)kind[\"']?:[ \t]*[\"']?secret[\"']?[ \t]*(?:[,}\r\n#]|$)")
_BLOCK: Final = re.compile(
    r"(?m)^([ \t]*)(?:-[ \t]+)?(?:data|stringData):[ \t]*(?:#.*)?\r?\n((?:(?:\1[ \t]+.*|[ \t]*(?:#.*)?)(?:\r?\n|\Z))+)"
)
_ENTRY: Final = re.compile(
    r"(?m)^([ \t]+)([\"']?[\w.~/-]+[\"']?):[ \t]*(?:[|>][+-]?\d?[ \t]*\r?\n((?:\1[ \t]+.*(?:\r?\n|\Z)|[ \t]*\r?\n)+)|(?:!!binary[ \t]+)?(\"[^\"\n]*\"|'[^'\n]*'|[^\s#][^\n#]*?)[ \t]*(?:#.*)?\r?$)"
)
_JSON_BLOCK: Final = re.compile(r"\"(?:data|stringData)\"[ \t]*:\s*\{([^{}]{0,200000})\}")
_JSON_ENTRY: Final = re.compile(r"\"([\w.~/-]+)\"[ \t]*:\s*\"([^\"\n]+)\"")
_NO_SECRETS: Final = re.compile(
    r"(?i)(?:.*[-_.])?(?:user(?:name)?|host(?:name)?|port|database|db(?:-?name)?|namespace|region|bucket|endpoint|email|ca\.crt|tls\.crt|ca|cert(?:ificate)?|client-?id|enabled|.*\.crt)"
)
_PGPASS: Final = re.compile(
    r"[^:\s#'\"]{1,128}:(?:\d{2,5}|\*):[^:\s]{1,64}:[^:\s]{1,64}:((?:[^:\\\s\"']|\\.){1,128})\r?$"
)
_DES: Final = re.compile(
    r"(?m)^[\w.@-]{1,64}:(?=[A-Za-z./]{0,12}[0-9./])(?=[a-z0-9./]{0,12}[A-Z])([./0-9A-Za-z]{13})(?=:|\r?$)"
)


def file_secrets(text: str, places: Places) -> Iterator[Found]:
    """Finds what stands where such a file keeps its secrets."""
    done = 0
    for start in starts_of(_SECRET_WORDS, places):
        if start >= done and _SECRET_KIND.match(text, start) is not None:
            low, done = _document(text, start)
            yield from _kubernetes(text, low, done)
    for start in starts_of(_PGPASS_WORDS, places):
        low, high = line_of(text, start)
        match = _PGPASS.fullmatch(text, low, high)
        if match is not None and not is_placeholder(match[1]):
            yield Found("pgpass-password", *match.span(1))
    if _DES.match(text) is not None:
        yield from (Found("password-hash", *match.span(1)) for match in _DES.finditer(text))


def _document(text: str, position: int) -> tuple[int, int]:
    """Where the YAML document around a position begins and ends."""
    low = 0
    at = text.rfind("\n---", 0, position)
    if at >= 0:
        low = at + 1
    following = _DOCUMENT.search(text, position)
    return low, following.start() if following is not None else len(text)


def _kubernetes(text: str, low: int, high: int) -> Iterator[Found]:
    for block in _BLOCK.finditer(text, low, high):
        for entry in _ENTRY.finditer(text, block.start(2), block.end(2)):
            group = 3 if entry[3] is not None else 4
            start, end = entry.span(group)
            shown = entry[group].strip("\"'") if group == 4 else entry[group]
            if group == 4 and entry[4][:1] in "\"'" and len(entry[4]) >= 2:
                start, end = start + 1, end - 1
            if group == 3:
                start, end = start + len(shown) - len(shown.lstrip()), end - (len(shown) - len(shown.rstrip()))
            if start < end and _NO_SECRETS.fullmatch(entry[2].strip("\"'")) is None and not is_placeholder(shown):
                yield Found("kubernetes-secret", start, end)
    for found in _JSON_BLOCK.finditer(text, low, high):
        for entry in _JSON_ENTRY.finditer(text, *found.span(1)):
            if _NO_SECRETS.fullmatch(entry[1]) is None and not is_placeholder(entry[2]):
                yield Found("kubernetes-secret", *entry.span(2))
