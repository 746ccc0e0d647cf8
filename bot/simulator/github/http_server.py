"""The HTTP side: reads whole requests (chunked ones too) on loopback and writes what the application answers."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Protocol

from bot.simulator.github.answer import Answer

BODY_LIMIT: Final = 200 * 1024 * 1024
STATUSES_WITHOUT_BODY: Final = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as it came; `path` is still encoded."""

    method: str
    path: str
    query: str
    headers: Message
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What goes out. `hang_s`: seconds to wait first; `cut`: then close without an answer; `slow_s`: pause in the body."""

    answer: Answer
    hang_s: float = 0.0
    cut: bool = False
    slow_s: float = 0.0


Application = Callable[[HttpRequest], HttpAnswer]


class _Reader(Protocol):
    def read(self, size: int, /) -> bytes: ...
    def readline(self, limit: int = ..., /) -> bytes: ...


class HttpServer:
    """Serves an application on 127.0.0.1 from its own threads."""

    def __init__(self, application: Application, port: int = 0) -> None:
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", port), _handler(application, self._closing))
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, name="github-http", daemon=True
        )

    @property
    def url(self) -> str:
        """The address, without a slash at its end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def close(self) -> None:
        """Ends: kept connections are cut, hanging answers end at once."""
        self._closing.set()
        if self._thread.ident is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.cut_all()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    # server_close then waits for the threads, whose connections cut_all has ended.
    daemon_threads = False
    block_on_close = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def cut_all(self) -> None:
        """Ends every connection that is still open."""
        with self._guard:
            for one in self._open:
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of ours; anything else is shown."""
        import sys

        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def _handler(application: Application, closing: threading.Event) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def _serve(self) -> None:
            path, _, query = self.path.partition("?")
            request = HttpRequest(self.command, path, query, self.headers, _body(self.rfile, self.headers))
            self._send(application(request))

        def _send(self, out: HttpAnswer) -> None:
            if out.hang_s:
                closing.wait(out.hang_s)
            if out.cut:
                self.close_connection = True
                return
            answer = out.answer
            body = _encode(answer.body)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if body and "Content-Type" not in answer.headers:
                self.send_header("Content-Type", "application/json; charset=utf-8")
            if answer.status not in STATUSES_WITHOUT_BODY:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "HEAD" or answer.status in STATUSES_WITHOUT_BODY:
                return
            half = len(body) // 2 if out.slow_s else 0
            self.wfile.write(body[:half])
            if half:
                self.wfile.flush()
                closing.wait(out.slow_s)
            self.wfile.write(body[half:])
            self.wfile.flush()

        do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815  (http.server's names)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (http.server's name)
            """The log is what the scenario's report says."""

    return Handler


def _encode(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, bytes):
        return body
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _body(stream: _Reader, headers: Mapping[str, str] | Message) -> bytes:
    """The whole body, chunks put together; raises ConnectionError for one that ends early or is too big."""
    if "chunked" in (headers.get("Transfer-Encoding") or "").lower():
        return _chunks(stream)
    length = int(headers.get("Content-Length") or 0)
    if length > BODY_LIMIT:
        raise ConnectionError(f"a body of {length} bytes is over the limit of {BODY_LIMIT}")
    return _exactly(stream, length)


def _exactly(stream: _Reader, length: int) -> bytes:
    found = stream.read(length) if length else b""
    if len(found) != length:
        raise ConnectionError(f"the body ended after {len(found)} of {length} bytes")
    return found


def _chunks(stream: _Reader) -> bytes:
    found = bytearray()
    while (size := int(stream.readline(1024).split(b";")[0], 16)) > 0:
        found += _exactly(stream, size)
        _exactly(stream, 2)
        if len(found) > BODY_LIMIT:
            raise ConnectionError(f"a chunked body is over the limit of {BODY_LIMIT} bytes")
    while stream.readline(1024).strip():
        continue
    return bytes(found)
