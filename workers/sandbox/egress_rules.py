"""Where a sandbox may connect to: the allowlist, the addresses behind a name, and the name in a TLS greeting."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from workers.sandbox.errors import SandboxError

TLS_PORT = 443
TLS_FIRST_BYTE = b"\x16"
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\Z")
_ENTRY = re.compile(rf"(?P<any>\*\.)?(?P<host>{_LABEL}(?:\.{_LABEL})*)(?::(?P<port>[0-9]{{1,5}}))?\Z")
# Well-known translators carry any IPv4 address inside; Azure's host agent answers on a public address.
_TRANSLATED = (
    ipaddress.ip_network("64:ff9b::/96"),
    ipaddress.ip_network("64:ff9b:1::/48"),
    ipaddress.ip_network("2002::/16"),
)
_HOST_AGENTS = frozenset({ipaddress.ip_address("168.63.129.16")})
_CLIENT_HELLO, _HANDSHAKE, _SNI, _ENCRYPTED_HELLO = 1, 22, 0, 0xFE0D
_MAX_HELLO = 1 << 16


class EgressRuleInvalid(SandboxError):
    """An entry of `sandbox.egress` cannot be read; nothing is allowed by guessing."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry: `host`, `host:port` or `*.suffix[:port]`; the port is 443 when it is left out."""

    text: str
    host: str
    port: int
    below: bool

    def matches(self, host: str, port: int) -> bool:
        """`*.suffix` means names below the suffix, not the suffix itself."""
        return port == self.port and (host.endswith(f".{self.host}") if self.below else host == self.host)


def parse_rules(entries: Iterable[str]) -> tuple[Rule, ...]:
    """Read the allowlist; an empty one allows nothing. Raises `EgressRuleInvalid`."""
    rules = []
    for entry in entries:
        match = _ENTRY.match(entry)
        if match is None or (match["any"] and "." not in match["host"]):
            raise EgressRuleInvalid(
                f"sandbox.egress entry {entry!r} is no host, host:port or *.domain.tld; write one host per entry"
            )
        port = int(match["port"] or TLS_PORT)
        if not 1 <= port <= 65535:
            raise EgressRuleInvalid(f"sandbox.egress entry {entry!r} has no port between 1 and 65535; correct it")
        rules.append(Rule(entry, match["host"].lower(), port, bool(match["any"])))
    return tuple(rules)


def is_plain_host(host: str) -> bool:
    """Tell whether a name is made of letters, digits, `-`, `_` and dots alone: no NUL, no user part, no bracket."""
    return len(host) <= 253 and _HOST.match(host) is not None


def refused_address(text: str, *, allow_private: bool = False) -> str:
    """Say why an address must not be connected to, or answer ''. `allow_private` admits loopback alone, for tests."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if any(address in network for network in _TRANSLATED):
            return f"{text} carries another address inside"
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
    if allow_private and address.is_loopback:
        return ""
    if address.is_multicast or address.is_unspecified or not address.is_global or address in _HOST_AGENTS:
        return f"{text} is not a public address"
    return ""


def greeting_length(data: bytes) -> int | None:
    """How many bytes the TLS records of the ClientHello at the start of `data` take, None while that is not known.

    Raises `ValueError` when this is no ClientHello (RFC 8446 sections 4 and 5.1).
    """
    message = b""
    at = 0
    while True:
        if len(data) < at + 5:
            return None
        length = int.from_bytes(data[at + 3 : at + 5], "big")
        if data[at] != _HANDSHAKE or data[at + 1] != 3 or not 0 < length <= (1 << 14) + 256:
            raise ValueError("the first bytes are no TLS handshake")
        if len(data) < at + 5 + length:
            return None
        message += data[at + 5 : at + 5 + length]
        at += 5 + length
        if message[0] != _CLIENT_HELLO:
            raise ValueError("the first TLS message is no ClientHello")
        if len(message) >= 4:
            needed = 4 + int.from_bytes(message[1:4], "big")
            if needed > _MAX_HELLO:
                raise ValueError("the ClientHello is too long")
            if len(message) >= needed:
                return at


def greeted_name(data: bytes) -> str:
    """Read the server name out of a whole ClientHello (RFC 6066 section 3); '' when it names none.

    Raises `ValueError` on anything malformed or ambiguous, and on an encrypted inner greeting, which would name another.
    """
    message = b""
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at + 3 : at + 5], "big")
        message += data[at + 5 : at + 5 + length]
        at += 5 + length
    body = _Cursor(message[4 : 4 + int.from_bytes(message[1:4], "big")])
    body.take(2 + 32)
    body.vector(1)
    body.vector(2)
    body.vector(1)
    if body.done():
        return ""
    extensions = _Cursor(body.vector(2))
    found: list[str] = []
    while not extensions.done():
        kind = int.from_bytes(extensions.take(2), "big")
        value = extensions.vector(2)
        if kind == _ENCRYPTED_HELLO:
            raise ValueError("the ClientHello is encrypted")
        if kind == _SNI:
            names = _Cursor(_Cursor(value).vector(2))
            while not names.done():
                if names.take(1) != b"\0":
                    raise ValueError("the ClientHello names something that is no host")
                found.append(names.vector(2).decode("ascii"))
    if len(found) > 1:
        raise ValueError("the ClientHello names more than one host")
    return found[0].lower() if found else ""


class _Cursor:
    """Reads fixed and length-prefixed fields, and never past the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        if self._at + count > len(self._data):
            raise ValueError("the ClientHello is cut short")
        self._at += count
        return self._data[self._at - count : self._at]

    def vector(self, width: int) -> bytes:
        return self.take(int.from_bytes(self.take(width), "big"))

    def done(self) -> bool:
        return self._at >= len(self._data)
