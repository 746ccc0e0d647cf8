"""The one way out of a sandbox: a CONNECT proxy outside of it, which asks an allowlist before every connection.

The sandbox has a network namespace of its own. A listening socket made inside it is handed out before the command starts,
so the proxy accepts connections in there while nothing inside can reach the host (`toolchain._HANDOVER`).
"""

from __future__ import annotations

import base64
import hmac
import secrets
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from workers.sandbox.egress_http import checked_request
from workers.sandbox.egress_rules import (
    TLS_FIRST_BYTE,
    TLS_PORT,
    greeted_name,
    greeting_length,
    is_plain_host,
    parse_rules,
    refused_address,
)

PORT_INSIDE = 3128
_HEAD_LIMIT = 16 << 10
_GREETING_LIMIT = 128 << 10
_PATIENCE_S = 20.0
_IDLE_S = 900.0
_CONNECTIONS = 64
_CHUNK = 1 << 16
_USER = "sandbox"
_PROXY_VARIABLES = (
    "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "PIP_PROXY", "npm_config_proxy",
    "npm_config_https_proxy", "CARGO_HTTP_PROXY",
)  # fmt: skip
# Installers bring certificates of their own, and would not trust an authority that only this machine knows.
_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
_AUTHORITY_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")


@dataclass(frozen=True, slots=True)
class EgressDecision:
    """One answer: where to, whether it was allowed, by which entry, and why not."""

    host: str
    port: int
    allowed: bool
    rule: str
    reason: str


Resolve = Callable[[str, int], list[str]]
Dial = Callable[[str, int], socket.socket]


def resolve_name(host: str, port: int) -> list[str]:
    """Ask the system's resolver for all addresses of a name."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


def dial_address(address: str, port: int) -> socket.socket:
    """Connect to an address; it is never a name, so nothing is resolved a second time."""
    return socket.create_connection((address, port), timeout=_PATIENCE_S)


class EgressProxy:
    """An allowlist and how to obey it; `open` gives each sandbox a door of its own."""

    def __init__(
        self,
        hosts: Iterable[str],
        *,
        on_decision: Callable[[EgressDecision], None],
        allow_private: bool = False,
        resolve: Resolve = resolve_name,
        dial: Dial = dial_address,
    ) -> None:
        """`hosts` are entries of `sandbox.egress`; an empty list allows nothing. Every decision goes to `on_decision`.

        `allow_private` admits loopback addresses and is for tests. Raises `EgressRuleInvalid`.
        """
        self._rules = parse_rules(hosts)
        self._on_decision = on_decision
        self._allow_private = allow_private
        self._resolve = resolve
        self._dial = dial

    def open(self) -> EgressSocket:
        """Make a door with a token of its own; use it in a `with` statement around one sandbox."""
        return EgressSocket(self)

    def refuse(self, host: str, port: int, reason: str, rule: str = "") -> None:
        """Report a refusal."""
        self._on_decision(EgressDecision(host, port, allowed=False, rule=rule, reason=reason))

    def admit(self, host: str, port: int, rule: str) -> None:
        """Report that bytes may flow."""
        self._on_decision(EgressDecision(host, port, allowed=True, rule=rule, reason=""))

    def connect(self, host: str, port: int) -> tuple[socket.socket, str] | None:
        """Connect to one of the addresses that were checked, or report the refusal and answer None."""
        rule = next((rule.text for rule in self._rules if rule.matches(host, port)), None)
        if rule is None:
            self.refuse(host, port, "no entry of sandbox.egress names it")
            return None
        try:
            addresses = self._resolve(host, port)
        except OSError as error:
            self.refuse(host, port, f"the name does not resolve: {error}", rule)
            return None
        # One bad address among good ones is what a rebinding attack looks like.
        bad = [why for why in (refused_address(a, allow_private=self._allow_private) for a in addresses) if why]
        if bad or not addresses:
            self.refuse(host, port, "; ".join(bad) or "the name has no address", rule)
            return None
        failure: OSError | None = None
        for address in addresses:
            try:
                return self._dial(address, port), rule
            except OSError as error:
                failure = error
        self.refuse(host, port, f"the connection failed: {failure}", rule)
        return None


class EgressSocket:
    """One sandbox's door: closed again, with every connection through it, when the `with` statement ends."""

    def __init__(self, proxy: EgressProxy) -> None:
        """Made by `EgressProxy.open`."""
        self._proxy = proxy
        self._token = secrets.token_urlsafe(24)
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._slots = threading.BoundedSemaphore(_CONNECTIONS)
        self._closing = False
        self._channel: tuple[socket.socket, socket.socket] | None = None

    def __enter__(self) -> Self:
        """Nothing is open before a sandbox starts."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Shut everything and wait for the threads."""
        with self._lock:
            self._closing = True
            for held in list(self._open):
                _shut(held)
        self._drop_channel()
        while True:
            with self._lock:
                if not self._threads:
                    return
                thread = self._threads.pop()
            thread.join()

    def child_end(self) -> int:
        """Give the descriptor over which the sandbox hands out its listening socket, before it runs the command."""
        self._drop_channel()
        self._channel = socket.socketpair()
        self._channel[0].settimeout(_PATIENCE_S)
        return self._channel[1].fileno()

    def serve(self) -> None:
        """Take the listening socket in a thread, since the sandbox is still held back when this is called."""
        assert self._channel is not None
        ours, theirs = self._channel
        self._channel = None
        theirs.close()
        self._track(ours)
        self._start(self._accept, ours)

    def environment(self) -> Mapping[str, str]:
        """Variables that lead well-behaved programs here; others find no network at all."""
        url = f"http://{_USER}:{self._token}@127.0.0.1:{PORT_INSIDE}"
        values = dict.fromkeys(_PROXY_VARIABLES, url) | dict.fromkeys(("no_proxy", "NO_PROXY"), "localhost,127.0.0.1")
        if Path(_AUTHORITIES).exists():
            values |= dict.fromkeys(_AUTHORITY_VARIABLES, _AUTHORITIES)
        return values

    def _drop_channel(self) -> None:
        for end in self._channel or ():
            end.close()
        self._channel = None

    def _start(self, target: Callable[[socket.socket], None], held: socket.socket) -> None:
        thread = threading.Thread(target=target, args=(held,), name="sandbox-egress", daemon=True)
        with self._lock:
            self._threads = [t for t in self._threads if t.is_alive()]
            self._threads.append(thread)
            thread.start()

    def _track(self, held: socket.socket) -> None:
        with self._lock:
            self._open.add(held)
            if self._closing:
                _shut(held)

    def _release(self, held: socket.socket) -> None:
        with self._lock:
            self._open.discard(held)
        held.close()

    def _accept(self, channel: socket.socket) -> None:
        try:
            _, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
            if not descriptors:
                return
            listener = socket.socket(fileno=descriptors[0])
            self._track(listener)
            channel.sendall(b"K")
        except OSError:  # the sandbox ended before it handed anything out, and says so itself
            return
        finally:
            self._release(channel)
        try:
            while True:
                client, _ = listener.accept()
                self._slots.acquire()
                self._track(client)
                self._start(self._converse, client)
        except OSError:  # shut by __exit__
            return
        finally:
            self._release(listener)

    def _converse(self, client: socket.socket) -> None:
        upstream: socket.socket | None = None
        try:
            client.settimeout(_PATIENCE_S)
            target = self._read_request(client)
            if target is None:
                return
            found = self._proxy.connect(*target)
            if found is None:
                _answer(client, 403, "not allowed by sandbox.egress")
                return
            upstream, rule = found
            self._track(upstream)
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            greeting = self._read_greeting(client, upstream, *target, rule)
            if greeting is not None:
                self._proxy.admit(*target, rule)
                upstream.sendall(greeting)
                self._copy_both(client, upstream)
        except OSError:  # one side went away; there is nobody left to tell
            return
        finally:
            self._release(client)
            if upstream is not None:
                self._release(upstream)
            self._slots.release()

    def _read_request(self, client: socket.socket) -> tuple[str, int] | None:
        """Read one CONNECT request; anything else is answered and reported."""
        head = _read_head(client)
        # latin-1 keeps every byte, so that a NUL or a letter of another alphabet is seen, and refused, as it is.
        lines = head.decode("latin-1").split("\r\n")
        method, _, rest = lines[0].partition(" ")
        target, _, version = rest.partition(" ")
        host, _, port_text = target.rpartition(":")
        port = int(port_text) if port_text.isascii() and port_text.isdigit() and len(port_text) <= 5 else 0
        if method != "CONNECT" or version not in {"HTTP/1.0", "HTTP/1.1"}:
            self._proxy.refuse(target[:300], 0, "only CONNECT is spoken here")
            _answer(client, 405, "only CONNECT is allowed")
        elif not self._knows_token(lines[1:]):
            self._proxy.refuse(host[:300], port, "the sandbox's token is missing or wrong")
            _answer(client, 407, "the token is missing or wrong")
        elif not is_plain_host(host) or not 1 <= port <= 65535:
            self._proxy.refuse(host[:300], port, "the host or port is malformed")
            _answer(client, 400, "malformed host or port")
        else:
            return host.lower(), port
        return None

    def _knows_token(self, headers: list[str]) -> bool:
        wanted = "basic " + base64.b64encode(f"{_USER}:{self._token}".encode()).decode()
        given = [
            value.strip()
            for name, _, value in (h.partition(":") for h in headers)
            if name.lower() == "proxy-authorization"
        ]
        if len(given) != 1:
            return False
        scheme, _, credentials = given[0].partition(" ")
        return hmac.compare_digest(f"{scheme.lower()} {credentials}".encode(), wanted.encode())

    def _read_greeting(
        self, client: socket.socket, upstream: socket.socket, host: str, port: int, rule: str
    ) -> bytes | None:
        """What is sent on first: a TLS greeting, or a request of plain HTTP, must name the very host that was allowed.

        None when it does not. On port 443 there must be a greeting. Elsewhere the first byte tells: no other protocol begins
        with a handshake record, and a server that speaks first speaks neither.
        """
        data = b""
        check: Callable[[bytes], bytes | None] = partial(_checked_greeting, host=host)
        try:
            if port != TLS_PORT:
                data = _first_bytes(client, upstream)
                if not data:
                    return data
                if data[:1] != TLS_FIRST_BYTE:
                    check = partial(checked_request, host=host, port=port)
            return _read_until(client, data, check)
        except ValueError as error:
            self._proxy.refuse(host, port, str(error), rule)
        except OSError as error:
            self._proxy.refuse(host, port, f"the connection ended before anything was said: {error}", rule)
        return None

    def _copy_both(self, client: socket.socket, upstream: socket.socket) -> None:
        for held in (client, upstream):
            held.settimeout(_IDLE_S)
        back = threading.Thread(target=_copy, args=(upstream, client), name="sandbox-egress", daemon=True)
        back.start()
        _copy(client, upstream)
        back.join()


def _checked_greeting(data: bytes, host: str) -> bytes | None:
    """The ClientHello at the start of `data`, with what follows it; None while it is not complete. Raises `ValueError`."""
    length = greeting_length(data)
    if length is None:
        return None
    name = greeted_name(data[:length])
    if name != host:
        raise ValueError(f"the TLS greeting names {name[:300]!r}")
    return data


def _read_until(client: socket.socket, data: bytes, check: Callable[[bytes], bytes | None]) -> bytes:
    """Read until `check` can tell; raises what it raises, `ValueError` when that never comes, `TimeoutError`."""
    deadline = time.monotonic() + _PATIENCE_S
    while (checked := check(data)) is None:
        chunk = client.recv(_CHUNK) if len(data) < _GREETING_LIMIT and time.monotonic() < deadline else b""
        if not chunk:
            raise ValueError("the TLS greeting or the HTTP request is not complete")
        data += chunk
    return checked


def _first_bytes(client: socket.socket, upstream: socket.socket) -> bytes:
    """What the client says first; nothing when the server speaks before it, or it ends. Raises `TimeoutError`."""
    waiting = select.poll()
    for held in (client, upstream):
        waiting.register(held, select.POLLIN)
    ready = {descriptor for descriptor, _ in waiting.poll(_IDLE_S * 1000)}
    if not ready:
        raise TimeoutError
    return client.recv(_CHUNK) if client.fileno() in ready else b""


def _copy(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(_CHUNK):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:  # either side is gone or idle: end both, so that the other direction ends too
        _shut(source)
        _shut(sink)


def _shut(held: socket.socket) -> None:
    try:
        held.shutdown(socket.SHUT_RDWR)
    except OSError:  # it was not connected any more, which is what is wanted
        return


def _read_head(client: socket.socket) -> bytes:
    """Read up to the blank line; nothing may follow it before the answer."""
    head = b""
    deadline = time.monotonic() + _PATIENCE_S
    while b"\r\n\r\n" not in head:
        chunk = client.recv(4096) if len(head) < _HEAD_LIMIT and time.monotonic() < deadline else b""
        if not chunk:
            return b""
        head += chunk
    return head


def _answer(client: socket.socket, status: int, reason: str) -> None:
    body = f"{reason}\n".encode()
    head = (
        f"HTTP/1.1 {status} Refused\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
    )
    if status == 407:
        head += 'Proxy-Authenticate: Basic realm="sandbox"\r\n'
    client.sendall(f"{head}\r\n".encode() + body)
