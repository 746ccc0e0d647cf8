"""Signed deliveries: one thread posts them in order, each attempt is kept, and nothing is repeated unless asked for."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from bot.simulator.github.faults import Fault, FaultPlan
from bot.simulator.github.model import stamp
from bot.simulator.github.world import Event

TIMEOUT_SECONDS: Final = 10.0
"""GitHub cuts the connection then and calls the delivery failed."""
HOOK_ID: Final = 2_000_001
Signature = Literal["good", "bad", "none"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something to deliver; a redelivery keeps the GUID."""

    guid: str
    event: str
    body: bytes
    signature: Signature = "good"
    redelivery: bool = False

    @property
    def action(self) -> str | None:
        """The payload's action, None where there is none (push, or bytes that are no JSON object)."""
        found = self.payload().get("action")
        return found if isinstance(found, str) else None

    def about(self, key: str) -> int | None:
        """The id of the `repository` or `installation` that the payload names."""
        found = self.payload().get(key)
        number = found.get("id") if isinstance(found, dict) else None
        return number if isinstance(number, int) else None

    def payload(self) -> dict[str, Any]:
        """The body as an object; empty when it is none."""
        try:
            payload = json.loads(self.body)
        except ValueError:
            return {}
        return payload if isinstance(payload, dict) else {}

    @property
    def name(self) -> str:
        """How faults name it."""
        return f"DELIVER {self.event}.{self.action}" if self.action else f"DELIVER {self.event}"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt. `status_code` 0 means that nobody answered; `seconds` is how long it took."""

    id: int
    delivery: Delivery
    at: float
    seconds: float
    status: str
    status_code: int
    headers: dict[str, str] = field(default_factory=dict)
    answer: str = ""

    @property
    def guid(self) -> str:
        """The delivery's GUID."""
        return self.delivery.guid

    @property
    def event(self) -> str:
        """The event's name."""
        return self.delivery.event

    @property
    def delivered(self) -> bool:
        """Whether the receiver took it."""
        return 200 <= self.status_code < 300


class Deliverer:
    """Posts what is queued. `url` may change at any time (an App that starts again listens elsewhere)."""

    def __init__(
        self,
        *,
        url: str | None,
        secret: str,
        app_id: int,
        faults: FaultPlan,
        clock: Callable[[], float],
    ) -> None:
        self.url = url
        self._secret = secret
        self._app_id = app_id
        self._faults = faults
        self._clock = clock
        self._queue: deque[Delivery] = deque()
        self._busy = 0
        self._changed = threading.Condition()
        self._closing = False
        self._attempts: list[Attempt] = []
        # As GitHub lists them, made once: a list of many is asked for again and again.
        self._shown: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._run, name="github-deliveries", daemon=True)

    def start(self) -> None:
        """Begins to deliver."""
        self._thread.start()

    def close(self) -> None:
        """Ends after the attempt that is on the wire; what is queued is lost."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join()

    # What others ask

    def emit(self, event: Event) -> None:
        """Queues an event with a GUID of its own."""
        body = json.dumps(event.payload, ensure_ascii=False).encode("utf-8", "replace")
        self.queue(Delivery(str(uuid.uuid4()), event.name, body))

    def queue(self, delivery: Delivery) -> None:
        """Queues a delivery; without a URL there is nobody to deliver to, and nothing happens."""
        with self._changed:
            if self.url is not None:
                self._queue.append(delivery)
                self._changed.notify_all()

    def pending(self) -> int:
        """How many deliveries are queued or on the wire."""
        with self._changed:
            return len(self._queue) + self._busy

    def wait(self, seconds: float) -> bool:
        """Waits until nothing is pending; False when the seconds passed first."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue and not self._busy, seconds)

    def all(self) -> list[Attempt]:
        """All attempts, oldest first."""
        with self._changed:
            return list(self._attempts)

    def attempts(self) -> list[dict[str, Any]]:
        """All attempts as GitHub lists them, newest first."""
        with self._changed:
            return self._shown[::-1]

    def attempt(self, number: int) -> dict[str, Any] | None:
        """One attempt with request and response."""
        found = next((one for one in self.all() if one.id == number), None)
        if found is None:
            return None
        request = {"headers": found.headers, "payload": found.delivery.payload()}
        response = {"headers": {}, "payload": found.answer}
        return _listed(found) | {"url": self.url or "", "request": request, "response": response}

    def redeliver(self, number: int) -> bool:
        """Queues the delivery of an attempt again."""
        found = next((one for one in self.all() if one.id == number), None)
        if found is not None:
            self.queue(replace(found.delivery, redelivery=True))
        return found is not None

    # The thread

    def _run(self) -> None:
        while (delivery := self._next()) is not None:
            try:
                self._deliver(delivery)
            finally:
                with self._changed:
                    self._busy -= 1
                    self._changed.notify_all()

    def _next(self) -> Delivery | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._queue)
            if self._closing:
                return None
            self._busy += 1
            return self._queue.popleft()

    def _deliver(self, delivery: Delivery) -> None:
        fault = self._faults.strike(delivery.name)
        if fault is None:
            self._attempt(delivery)
            return
        if fault.drop:
            return
        if fault.delay_s:
            with self._changed:
                self._changed.wait_for(lambda: self._closing, fault.delay_s)
        if fault.swap and (following := self._wait_for_another()) is not None:
            self._attempt(following)
        self._attempt(delivery, fault)
        for _ in range(fault.copies):
            self._attempt(delivery)

    def _wait_for_another(self) -> Delivery | None:
        """The next delivery; waited for a second at most, as there may be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._queue, 1.0)
            return self._queue.popleft() if self._queue else None

    def _attempt(self, delivery: Delivery, fault: Fault | None = None) -> None:
        headers = self.headers(delivery)
        at, started = self._clock(), time.monotonic()
        if fault is not None and fault.status is not None:
            code, answer = fault.status, ""
        else:
            code, answer = self._post(delivery.body, headers)
        status = (
            "OK" if 200 <= code < 300 else f"Invalid HTTP Response: {code}" if code else "failed to connect to host"
        )
        with self._changed:
            number = HOOK_ID + 1000 + len(self._attempts)
            took = time.monotonic() - started
            attempt = Attempt(number, delivery, at, took, status, code, headers, answer)
            self._attempts.append(attempt)
            self._shown.append(_listed(attempt))

    def headers(self, delivery: Delivery) -> dict[str, str]:
        """The headers that GitHub sends. A bad signature is one made with another secret."""
        found = {
            "Accept": "*/*",
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/0d1f7a2",
            "X-GitHub-Delivery": delivery.guid,
            "X-GitHub-Event": delivery.event,
            "X-GitHub-Hook-ID": str(HOOK_ID),
            "X-GitHub-Hook-Installation-Target-ID": str(self._app_id),
            "X-GitHub-Hook-Installation-Target-Type": "integration",
        }
        if delivery.signature != "none":
            secret = self._secret if delivery.signature == "good" else f"not {self._secret}"
            for name, kind in (("X-Hub-Signature", "sha1"), ("X-Hub-Signature-256", "sha256")):
                found[name] = f"{kind}={hmac.new(secret.encode(), delivery.body, getattr(hashlib, kind)).hexdigest()}"
        return found

    def _post(self, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
        """Posts once, over a connection of its own: a kept one would make a lost answer look like a closed connection."""
        url = urlsplit(self.url or "")
        connection = http.client.HTTPConnection(url.hostname or "", url.port or 80, timeout=TIMEOUT_SECONDS)
        try:
            connection.request("POST", url.path or "/", body, headers)
            response = connection.getresponse()
            return response.status, response.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException):
            return 0, ""
        finally:
            connection.close()


def _listed(one: Attempt) -> dict[str, Any]:
    return {
        "id": one.id,
        "guid": one.guid,
        "delivered_at": stamp(one.at),
        "redelivery": one.delivery.redelivery,
        "duration": round(one.seconds, 3),
        "status": one.status,
        "status_code": one.status_code,
        "event": one.event,
        "action": one.delivery.action,
        "installation_id": one.delivery.about("installation"),
        "repository_id": one.delivery.about("repository"),
        "throttled_at": None,
    }
