"""Plain HTTP through the proxy: a request must name the host that was connected to, as a TLS greeting must.

Source of the grammar: RFC 9110 section 5.6.2, RFC 9112 sections 2 and 3. What is read here is read strictly; what merely looks
like HTTP to a lenient server is refused, since that server might read another host in it.
"""

from __future__ import annotations

import re
from typing import Final

_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_BEGINS: Final = re.compile(rb"\s*[!#$%&'*+.^_`|~0-9A-Za-z-]")
# The second is HTTP/0.9, which has no version.
_LOOKS_LIKE: Final = re.compile(rb"http/|\A\s*get\s", re.IGNORECASE)
_REQUEST_LINE: Final = re.compile(rb"(?P<method>" + _TOKEN + rb") (?P<target>[!-~]+) HTTP/1\.[01]\Z")
_HEADER: Final = re.compile(rb"(?P<name>" + _TOKEN + rb"):[ \t]*(?P<value>[^\r\0]*?)[ \t]*\Z")
_BLANK: Final = re.compile(rb"\r?\n\r?\n")
# A connection that stays open would carry a second request, which nobody reads.
_OF_THE_CONNECTION: Final = frozenset({b"connection", b"proxy-connection", b"keep-alive", b"upgrade"})


def checked_request(data: bytes, host: str, port: int) -> bytes | None:
    """What may be sent on of the first bytes that a client sent; None while more of them are needed to tell.

    A request is passed on with `Connection: close`, so that no other follows it; what is no HTTP is passed on as it is.
    Raises `ValueError` with the reason when it is a request that does not name `host` (and `port`) alone.
    """
    if not data.strip():
        return None
    line, ended, _ = data.lstrip().partition(b"\n")
    looks = _LOOKS_LIKE.search(line) is not None
    if not _BEGINS.match(data) or (not looks and (ended or b"\0" in line)):
        return data
    blank = _BLANK.search(data)
    if not ended or blank is None:
        return None
    first, *fields = re.split(rb"\r?\n", data[: blank.start()])
    request = _REQUEST_LINE.match(first)
    if request is None:
        raise ValueError("the request line of plain HTTP is not one of HTTP/1.0 or 1.1")
    target = request["target"]
    if not target.startswith(b"/") and target != b"*":
        raise ValueError(f"the HTTP request names {target[:300].decode('ascii')!r}, not a path")
    headers = [_HEADER.match(field) for field in fields]
    names = [header["name"].lower() for header in headers if header is not None]
    if len(names) != len(headers):
        raise ValueError("a header of the HTTP request is malformed")
    given = [header["value"] for header in headers if header is not None and header["name"].lower() == b"host"]
    if len(given) != 1 or given[0].lower() not in {host.encode(), f"{host}:{port}".encode()}:
        raise ValueError(f"the HTTP request names {b', '.join(given)[:300].decode('latin-1')!r} as its host")
    kept = [field for name, field in zip(names, fields, strict=True) if name not in _OF_THE_CONNECTION]
    return b"\r\n".join((first, *kept, b"Connection: close", b"", b"")) + data[blank.end() :]
