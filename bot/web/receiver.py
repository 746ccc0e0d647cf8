"""Where an issue's way begins: GitHub's webhook deliveries, checked over their raw bytes and stored before the 202 (I11).

A bare ASGI application: the request handling of a web framework costs more than all that is done here.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import pydantic_core
import structlog
from starlette.types import Receive, Scope, Send

from bot.domain.errors import ConductorError, SettingsError
from bot.ports.clock import Clock
from bot.ports.records import Delivery
from bot.web.group_commit import GroupCommit

log = structlog.get_logger()

PATH: Final = "/webhooks/github"
BODY_LIMIT: Final = 25 * 2**20
"""Bytes; GitHub never delivers more (webhook events and payloads, "payload cap")."""
HELD_LIMIT: Final = 8 * BODY_LIMIT
"""Bytes of all bodies that are held at once, so that no crowd of senders can take the machine's memory."""
SMALL: Final = 256 * 2**10
"""Bytes up to which a body is checked on the event loop; a larger one would hold up everybody else."""
READ_SECONDS: Final = 10.0
"""GitHub gives up on a delivery after ten seconds: whoever takes longer to send one is not GitHub."""

_EVENT = re.compile(rb"[0-9A-Za-z_.-]{1,64}").fullmatch
_DELIVERY = re.compile(rb"[0-9A-Za-z-]{1,64}").fullmatch
_SIGNATURE = re.compile(rb"sha256=[0-9a-f]{64}").fullmatch
_LENGTH = re.compile(rb"[0-9]{1,18}").fullmatch


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer, made once. ASGI servers read these messages and do not change them."""

    status: int
    start: dict[str, Any]
    body: dict[str, Any]


def reply(status: int, word: str, sentence: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> Reply:
    """``{word: sentence}`` as JSON."""
    body = json.dumps({word: sentence}).encode()
    fields = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-content-type-options", b"nosniff"),
        *headers,
    ]
    return Reply(
        status,
        {"type": "http.response.start", "status": status, "headers": fields},
        {"type": "http.response.body", "body": body},
    )


_AGAIN: Final = ((b"retry-after", b"1"),)
STORED: Final = reply(202, "status", "stored")
KNOWN: Final = reply(202, "status", "known")
BROKEN: Final = reply(400, "error", "The body is not a JSON object: send the payload exactly as GitHub made it.")
NO_EVENT: Final = reply(400, "error", "The header X-GitHub-Event is missing or is not 1 to 64 of 0-9 A-Z a-z _ . -")
NO_DELIVERY: Final = reply(400, "error", "The header X-GitHub-Delivery is missing or is not 1 to 64 of 0-9 A-Z a-z -")
UNSIGNED: Final = reply(
    401, "error", "The header X-Hub-Signature-256 is missing or is not sha256= and 64 hex digits: set the App's secret."
)
FORGED: Final = reply(
    401, "error", "The signature does not fit the body: the App's webhook secret and Conductor's must be the same."
)
NOT_POST: Final = reply(405, "error", f"Deliveries come by POST to {PATH}.", ((b"allow", b"POST"),))
TOO_SLOW: Final = reply(
    408, "error", f"The body did not arrive within {READ_SECONDS:.0f} seconds.", ((b"connection", b"close"),)
)
TOO_LARGE: Final = reply(413, "error", f"The body is over {BODY_LIMIT} bytes, which is more than GitHub ever sends.")
NOT_JSON: Final = reply(
    415, "error", "The content type must be application/json: choose it in the App's webhook settings."
)
CROWDED: Final = reply(
    503, "error", "Too many deliveries wait to be stored; this one was not, so send it again.", _AGAIN
)
NOT_STORED: Final = reply(
    503, "error", "The delivery could not be stored and is not acknowledged; send it again.", _AGAIN
)


class Receiver:
    """The ASGI endpoint. Refuses an empty secret with ``SettingsError``: no secret, no start."""

    def __init__(
        self,
        secret: str,
        inbox: GroupCommit,
        clock: Clock,
        *,
        held_limit: int = HELD_LIMIT,
        read_s: float = READ_SECONDS,
    ) -> None:
        if not secret.strip():
            raise SettingsError(
                "CONDUCTOR_WEBHOOK_SECRET is empty: without it nobody can tell GitHub's deliveries from forged ones",
                {"name": "CONDUCTOR_WEBHOOK_SECRET"},
            )
        self._secret = secret.encode()
        self._inbox = inbox
        self._now: Callable[[], int] = clock.now
        self._held_limit = held_limit
        self._read_s = read_s
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._answer(scope, receive)
        if answer is not None:
            await send(answer.start)
            await send(answer.body)

    async def _answer(self, scope: Scope, receive: Receive) -> Reply | None:
        """What to say; None when the sender has gone. What can be refused without the body is refused without it."""
        headers = dict(scope["headers"])
        refusal = _refused(scope["method"], headers)
        if refusal is not None:
            return refusal
        message = await receive()
        if message["type"] != "http.request":
            return None
        body: bytes = message.get("body", b"")
        held = len(body)
        self._held += held
        try:
            if message.get("more_body", False):
                self._held -= held
                held = 0
                whole = await self._rest(body, receive)
                if not isinstance(whole, bytes):
                    return whole
                body, held = whole, len(whole)
                self._held += held
            return await self._stored(headers, body)
        finally:
            self._held -= held

    async def _rest(self, first: bytes, receive: Receive) -> bytes | Reply | None:
        """The whole body from its first piece on, within the limits on size, on memory and on time."""
        pieces, size, counted = [first], len(first), 0
        try:
            async with asyncio.timeout(self._read_s):
                while True:
                    if size > BODY_LIMIT:
                        return TOO_LARGE
                    self._held += size - counted
                    counted = size
                    if self._held > self._held_limit:
                        return CROWDED
                    message = await receive()
                    if message["type"] != "http.request":
                        return None
                    pieces.append(message.get("body", b""))
                    size += len(pieces[-1])
                    if not message.get("more_body", False):
                        return TOO_LARGE if size > BODY_LIMIT else b"".join(pieces)
        except TimeoutError:
            return TOO_SLOW
        finally:
            self._held -= counted

    async def _stored(self, headers: dict[bytes, bytes], body: bytes) -> Reply:
        """Signature first, then the payload's form, then the commit."""
        size = len(body)
        if size > BODY_LIMIT:
            return TOO_LARGE
        if self._held > self._held_limit:
            return CROWDED
        signature = headers[b"x-hub-signature-256"]
        checked = (
            self._checked(signature, body) if size <= SMALL else await asyncio.to_thread(self._checked, signature, body)
        )
        if not isinstance(checked, str):
            return checked
        answer = self._inbox.put(
            Delivery(
                id=headers[b"x-github-delivery"].decode("ascii"),
                event=headers[b"x-github-event"].decode("ascii"),
                body=body,
                body_sha256=checked,
                received_at=self._now(),
            )
        )
        if answer is None:
            return CROWDED
        try:
            return STORED if await answer else KNOWN
        except ConductorError:
            # Said once a batch where it was raised; here it only decides the answer.
            return NOT_STORED

    def _checked(self, signature: bytes, body: bytes) -> str | Reply:
        """The body's sha256, or why it is refused. Constant time: the comparison tells nothing of the right signature."""
        expected = hmac.digest(self._secret, body, "sha256").hex()
        if not hmac.compare_digest(signature[7:], expected.encode()):
            return FORGED
        if not is_object(body):
            return BROKEN
        return hashlib.sha256(body).hexdigest()


def _refused(method: str, headers: dict[bytes, bytes]) -> Reply | None:
    if method != "POST":
        return NOT_POST
    kind = headers.get(b"content-type", b"")
    if kind != b"application/json" and kind.partition(b";")[0].strip().lower() != b"application/json":
        return NOT_JSON
    if not _EVENT(headers.get(b"x-github-event", b"")):
        return NO_EVENT
    if not _DELIVERY(headers.get(b"x-github-delivery", b"")):
        return NO_DELIVERY
    if not _SIGNATURE(headers.get(b"x-hub-signature-256", b"")):
        return UNSIGNED
    length = headers.get(b"content-length")
    if length is not None and not (_LENGTH(length) and int(length) <= BODY_LIMIT):
        return TOO_LARGE
    return None


def is_object(body: bytes) -> bool:
    """Whether the payload reader will find a JSON object.

    pydantic's parser takes half the time (it would keep the strings too, 16,384 of them); where it says no, the reader's
    own parser has the last word, because a refused delivery is lost.
    """
    try:
        return isinstance(pydantic_core.from_json(body, cache_strings="none"), dict)
    except ValueError:
        pass
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False
