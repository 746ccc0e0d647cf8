"""Deliveries posted straight to the ASGI application, and an inbox that does as it is told."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bot.ports.queue import Nudge
from bot.ports.records import Delivery
from bot.web.group_commit import GroupCommit
from bot.web.receiver import PATH, Receiver

SECRET = "a webhook secret"
BODY = b'{"action": "labeled"}'
NOW = 1_800_000_000_000
T = TypeVar("T")


class FixedClock:
    def now(self) -> int:
        return NOW


class ObedientInbox:
    """Stores in memory. ``errors`` are raised first; a closed ``gate`` holds every commit up."""

    def __init__(self) -> None:
        self.batches: list[list[Delivery]] = []
        self.errors: list[Exception] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.closed = False

    def store(self, batch: Sequence[Delivery]) -> list[bool]:
        self.entered.set()
        assert self.gate.wait(60)
        if self.errors:
            raise self.errors.pop(0)
        known, new = set(self.ids), []
        for delivery in batch:
            new.append(delivery.id not in known)
            known.add(delivery.id)
        self.batches.append(list(batch))
        return new

    def close(self) -> None:
        self.closed = True

    @property
    def ids(self) -> list[str]:
        return [delivery.id for batch in self.batches for delivery in batch]


class HeardQueue:
    def __init__(self) -> None:
        self.heard: list[tuple[Nudge, str]] = []
        self.errors: list[Exception] = []

    def nudge(self, what: Nudge, subject: str, *, queue: str = "") -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.heard.append((what, subject))


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: dict[str, str]


@dataclass
class House:
    """A receiver with its inbox and queue; `asking` runs a conversation with it on an event loop of its own."""

    inbox: ObedientInbox = field(default_factory=ObedientInbox)
    queue: HeardQueue = field(default_factory=HeardQueue)
    capacity: int = 4096
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.commit = GroupCommit(lambda: self.inbox, self.queue, capacity=self.capacity)
        self.receiver = Receiver(SECRET, self.commit, FixedClock(), **self.options)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self.commit.start()
        try:
            yield
        finally:
            self.inbox.gate.set()
            await self.commit.close()

    def asking(self, conversation: Callable[[], Awaitable[T]]) -> T:
        async def whole() -> T:
            async with self.running():
                return await conversation()

        return asyncio.run(whole())

    def one(self, *pieces: bytes, headers: dict[str, str | bytes | None] | None = None, method: str = "POST") -> Answer:
        """The answer to one delivery of BODY, or of these pieces."""
        answer = self.asking(lambda: post(self.receiver, *pieces, headers=headers, method=method))
        assert answer is not None, "the receiver did not answer"
        return answer


def sign(body: bytes, secret: str = SECRET, algorithm: str = "sha256") -> str:
    return f"{algorithm}={hmac.new(secret.encode(), body, algorithm).hexdigest()}"


def headers_of(body: bytes, more: dict[str, str | bytes | None] | None = None) -> list[tuple[bytes, bytes]]:
    """GitHub's headers; ``more`` replaces some, None leaves one out."""
    found: dict[str, str | bytes | None] = {
        "content-type": "application/json",
        "x-github-event": "issues",
        "x-github-delivery": "d1",
        "x-hub-signature-256": sign(body),
        **(more or {}),
    }
    return [
        (name.encode(), value if isinstance(value, bytes) else value.encode())
        for name, value in found.items()
        if value is not None
    ]


async def post(
    receiver: Receiver,
    *pieces: bytes,
    headers: dict[str, str | bytes | None] | None = None,
    method: str = "POST",
    then: Callable[[], Awaitable[dict[str, Any]]] | None = None,
    reads: list[int] | None = None,
) -> Answer | None:
    """One request in pieces; ``then`` gives what follows them instead of the end; ``reads`` counts what was read."""
    chunks = list(pieces or (BODY,))
    waiting = list(chunks)
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if waiting:
            chunk = waiting.pop(0)
            if reads is not None:
                reads.append(len(chunk))
            return {"type": "http.request", "body": chunk, "more_body": bool(waiting) or then is not None}
        if then is not None:
            return await then()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    scope = {"type": "http", "method": method, "path": PATH, "headers": headers_of(b"".join(chunks), headers)}
    await receiver(scope, receive, send)
    if not sent:
        return None
    start, body = sent
    answered = {name.decode(): value.decode() for name, value in start["headers"]}
    assert answered["content-length"] == str(len(body["body"]))
    return Answer(start["status"], answered, json.loads(body["body"]))


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
