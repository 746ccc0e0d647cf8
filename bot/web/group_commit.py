"""Deliveries on their way into the inbox: one thread commits whatever has queued up, another wakes the router (I11).

Requests wait for the commit that holds their delivery, so an acknowledgement always follows the database's own sync, and
one sync serves all that arrived during the last one.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final, Protocol, TypeAlias

import structlog

from bot.domain.errors import ConductorError, InternalError
from bot.ports.queue import Nudge, Queue
from bot.ports.records import Delivery

log = structlog.get_logger()

BATCH_ROWS: Final = 512
"""Rows of one commit; bounds the statement's parameters (SQLite takes 32,766) and the time a late comer waits."""
BATCH_BYTES: Final = 64 << 20
"""Bodies of one commit."""
CAPACITY: Final = 4096
"""Deliveries that may wait for a commit; more are refused rather than acknowledged late."""
NUDGES_AT_ONCE: Final = 100
NUDGES_PER_SECOND: Final = 200
"""A storm's wake-ups must not cost the acknowledgements their processor; the sweeper finds what was not nudged."""

Answer: TypeAlias = "asyncio.Future[bool]"
Waiting: TypeAlias = tuple[Delivery, Answer]


class Inbox(Protocol):
    """What stores a batch before it may be acknowledged."""

    def store(self, batch: Sequence[Delivery]) -> list[bool]:
        """Which are new; all or none are stored when it raises ``ConductorError``."""

    def close(self) -> None: ...


class GroupCommit:
    """The way from the event loop to the inbox. ``put`` belongs to the loop that ``start`` ran on."""

    def __init__(self, open_inbox: Callable[[], Inbox], queue: Queue, *, capacity: int = CAPACITY) -> None:
        self._open_inbox = open_inbox
        self._queue = queue
        self._capacity = capacity
        self._line: SimpleQueue[Waiting | None] = SimpleQueue()
        self._waiting = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._writer: threading.Thread | None = None
        self._waker: Waker | None = None

    def start(self) -> None:
        """Open the inbox and run both threads; called on the event loop. Raises what opening the inbox raises."""
        inbox = self._open_inbox()
        self._loop = asyncio.get_running_loop()
        self._line, self._waiting = SimpleQueue(), 0
        self._waker = Waker(self._queue)
        self._waker.start()
        self._writer = threading.Thread(target=self._write, args=(inbox, self._waker), name="inbox", daemon=True)
        self._writer.start()

    def close(self) -> None:
        """Store what waits, then end both threads. Called off the event loop, which must be free to hear of it."""
        writer, waker, self._writer = self._writer, self._waker, None
        if writer is not None and waker is not None:
            self._line.put(None)
            writer.join()
            waker.close()

    @property
    def alive(self) -> bool:
        """Whether deliveries can be stored at all."""
        return self._writer is not None and self._writer.is_alive()

    def put(self, delivery: Delivery) -> Answer | None:
        """A future of "was new", failed with ``ConductorError`` when nothing was stored; None when there is no room."""
        if self._waiting >= self._capacity or self._loop is None or not self.alive:
            return None
        self._waiting += 1
        answer: Answer = self._loop.create_future()
        self._line.put((delivery, answer))
        return answer

    def _write(self, inbox: Inbox, waker: Waker) -> None:
        try:
            ended = False
            while not ended:
                batch, ended = self._next_batch()
                if batch:
                    self._store(inbox, waker, batch)
        finally:
            inbox.close()

    def _next_batch(self) -> tuple[list[Waiting], bool]:
        """Whatever waits, at least one; True when it was the last."""
        batch: list[Waiting] = []
        size, item = 0, self._line.get()
        while item is not None:
            batch.append(item)
            size += len(item[0].body)
            if len(batch) >= BATCH_ROWS or size >= BATCH_BYTES:
                return batch, False
            try:
                item = self._line.get_nowait()
            except Empty:
                return batch, False
        return batch, True

    def _store(self, inbox: Inbox, waker: Waker, batch: list[Waiting]) -> None:
        try:
            new = inbox.store([delivery for delivery, _ in batch])
        except ConductorError as error:
            log.warning("deliveries_not_stored", count=len(batch), reason=error.sentence)
            self._tell(partial(self._refuse, batch, error))
        except Exception as error:
            # One broken batch must not end the thread that stores the next.
            log.exception("deliveries_not_stored", count=len(batch))
            broken = InternalError(f"The inbox failed with {type(error).__name__}; nothing was acknowledged.")
            self._tell(partial(self._refuse, batch, broken))
        else:
            self._tell(partial(self._settle, batch, new))
            waker.put([delivery.id for (delivery, _), fresh in zip(batch, new, strict=True) if fresh])

    def _tell(self, what: Callable[[], None]) -> None:
        """One call into the loop for a whole batch: each costs the loop a wake-up."""
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(what)
        except RuntimeError:
            # The loop is gone, and with it everybody who waited; GitHub sees no answer and the rows are stored once.
            log.warning("deliveries_not_answered", reason="the event loop was closed")

    def _settle(self, batch: list[Waiting], new: list[bool]) -> None:
        self._waiting -= len(batch)
        for (_, answer), fresh in zip(batch, new, strict=True):
            if not answer.done():
                answer.set_result(fresh)

    def _refuse(self, batch: list[Waiting], error: ConductorError) -> None:
        self._waiting -= len(batch)
        for _, answer in batch:
            if not answer.done():
                answer.set_exception(error)


class Waker:
    """Nudges the router for stored deliveries, at a bounded rate, on a thread of its own: a slow broker delays nobody."""

    def __init__(
        self,
        queue: Queue,
        *,
        at_once: int = NUDGES_AT_ONCE,
        per_second: int = NUDGES_PER_SECOND,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._at_once = at_once
        self._per_second = per_second
        self._now = now
        self._budget = float(at_once)
        self._seen_at = now()
        self._line: SimpleQueue[list[str] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="waker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, ids: list[str]) -> None:
        """Stored just now; from any thread."""
        if ids:
            self._line.put(ids)

    def close(self) -> None:
        """Nudge what waits, then end the thread."""
        self._line.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (ids := self._line.get()) is not None:
            self.wake(ids)

    def wake(self, ids: Sequence[str]) -> None:
        """Nudge as many as the budget allows and leave the rest to the sweeper."""
        now = self._now()
        self._budget = min(float(self._at_once), self._budget + (now - self._seen_at) * self._per_second)
        self._seen_at = now
        some = ids[: int(self._budget)]
        self._budget -= len(some)
        for delivery_id in some:
            try:
                self._queue.nudge(Nudge.ROUTE, delivery_id)
            except Exception as error:  # noqa: BLE001 - a broken broker costs time until the next sweep, never this thread
                log.warning("nudge_lost", what=Nudge.ROUTE.value, subject=delivery_id, reason=str(error))
        if len(some) < len(ids):
            log.debug("nudges_left_to_the_sweeper", count=len(ids) - len(some))
