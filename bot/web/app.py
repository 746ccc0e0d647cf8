"""The web process: the receiver's hot path beside a small FastAPI application for everything else."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import FrameType
from typing import Final

import structlog
import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.adapters.storage import InboxWriter
from bot.bootstrap import Parts
from bot.domain.errors import ConductorError, SettingsError
from bot.ports.storage import Storage
from bot.web.group_commit import GroupCommit
from bot.web.receiver import PATH, Receiver

log = structlog.get_logger()

STORE_MS: Final = 5_000
"""How long a commit may wait for the database: GitHub gives up after ten seconds, and a 503 in time is worth more."""
SHUTDOWN_SECONDS: Final = 4
"""How long requests under way may go on when the process is to end; a delivery that is cut off then is sent again."""
READY_FOR_SECONDS: Final = 1.0
"""How long an answer of /readyz is good for: anybody may ask, so asking must not cost the database."""
ROOT: Final = "This is Conductor, a GitHub App: it takes labelled issues to reviewed pull requests.\n"

SECURITY_HEADERS: Final = (
    (b"content-security-policy", b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


class WebApp:
    """The ASGI application: deliveries go straight to the receiver, the rest to FastAPI with security headers."""

    def __init__(self, receiver: Receiver, pages: ASGIApp) -> None:
        self.receiver = receiver
        self.pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.pages(scope, receive, send)
        elif scope["path"] == PATH:
            await self.receiver(scope, receive, send)
        else:
            await self.pages(scope, receive, _with_security_headers(send))


def _with_security_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = {name for name, _ in message.get("headers", ())}
            missing = [pair for pair in SECURITY_HEADERS if pair[0] not in own]
            message = {**message, "headers": [*message.get("headers", ()), *missing]}
        await send(message)

    return sending


class Readiness:
    """Whether deliveries would be stored now: the writer lives and the tables can be read. Remembers for a second."""

    def __init__(self, storage: Storage, inbox: GroupCommit, now: Callable[[], float] = time.monotonic) -> None:
        self._storage = storage
        self._inbox = inbox
        self._now = now
        self._lock = threading.Lock()
        self._until = float("-inf")
        self._problem = ""

    def problem(self) -> str:
        """What is wrong in one sentence; empty when all is well."""
        if not self._inbox.alive:
            return "The thread that stores deliveries does not run: restart the web process."
        with self._lock:
            if self._now() >= self._until:
                self._problem = self._asked()
                self._until = self._now() + READY_FOR_SECONDS
            return self._problem

    def _asked(self) -> str:
        try:
            with self._storage.read() as tx:
                tx.deliveries.due(0, 1)
        except ConductorError as error:
            # The database's words may name hosts and users; they are for the log, not for whoever asks.
            log.warning("not_ready", reason=error.sentence)
            return "The database cannot be read or is not migrated: the log says why."
        return ""


def make_app(parts: Parts) -> WebApp:
    """The web process's application. Raises ``SettingsError`` when there is no webhook secret."""
    settings = parts.settings
    secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else ""
    inbox = GroupCommit(lambda: InboxWriter(settings.database_url, busy_ms=STORE_MS), parts.queue)
    receiver = Receiver(secret, inbox, parts.desk.clock)
    return WebApp(receiver, make_pages(inbox, Readiness(parts.storage, inbox)))


def make_pages(inbox: GroupCommit, readiness: Readiness) -> FastAPI:
    """Health, readiness and a plain root. Nothing here shows a run: nobody who asks is known."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        inbox.start()
        try:
            yield
        finally:
            await inbox.close()

    pages = FastAPI(title="Conductor", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)

    @pages.get("/healthz")
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    # Not async: it asks the database, so it belongs on a thread.
    @pages.get("/readyz")
    def readyz() -> JSONResponse:
        problem = readiness.problem()
        if problem:
            return JSONResponse({"status": "not ready", "error": problem}, 503)
        return JSONResponse({"status": "ready"})

    @pages.get("/")
    async def root() -> PlainTextResponse:
        return PlainTextResponse(ROOT)

    return pages


class Server(uvicorn.Server):
    """Says when it listens, and that it is to end as soon as the signal comes, not when the last request has gone."""

    listening: Callable[[], None] = staticmethod(lambda: None)
    ending: Callable[[], None] = staticmethod(lambda: None)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """A thread of its own tells it: who is told may be slow to reach."""
        await super().startup(sockets)
        if self.started:
            threading.Thread(target=self.listening, name="listening", daemon=True).start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """In a signal handler."""
        self.ending()
        super().handle_exit(sig, frame)


def make_server(app: ASGIApp, host: str, port: int) -> Server:
    """A server that has not started; ``should_exit = True`` ends its ``run`` from another thread."""
    return Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="on",
            interface="asgi3",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
    )


def serve(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    listening: Callable[[], None] = lambda: None,
    ending: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGINT or SIGTERM; requests under way get some seconds. Raises ``SettingsError`` when it cannot start.

    ``listening`` is called when deliveries are taken, on a thread of its own; ``ending`` in the signal's handler, at once.
    """
    server = make_server(app, host, port)
    server.listening, server.ending = listening, ending
    refused = SettingsError(
        f"The web process could not start on {host}:{port}: the log says why, most often because the port is taken.",
        {"host": host, "port": str(port)},
    )
    with _ended_by_signals(server):
        try:
            server.run()
        except SystemExit as error:
            # Uvicorn's answer to a port it cannot have.
            raise refused from error
    if not server.started:
        raise refused


@contextmanager
def _ended_by_signals(server: uvicorn.Server) -> Iterator[None]:
    """Uvicorn raises the signal that ended it once more; the process would die of it before its caller could clean up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, server.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
