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
from queue import SimpleQueue
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
NUDGES_AT_ONCE: Final = 20
NUDGES_PER_SECOND: Final = 20
"""A message costs half a millisecond of the interpreter, ten times a delivery: in a storm the sweeper wakes the rest."""

Answer: TypeAlias = "asyncio.Future[bool]"
Waiting: TypeAlias = tuple[Delivery, Answer]


class Inbox(Protocol):
    """What stores a batch before it may be acknowledged."""

    def store(self, batch: Sequence[Delivery]) -> list[bool]:
        """Which are new; all or none are stored when it raises ``ConductorError``."""

    def close(self) -> None: ...


class GroupCommit:
    """The way from the event loop to the inbox: ``put`` belongs to the loop that ``start`` ran on.

    The loop hands over what has gathered when the thread has room for it, once a turn and not once a delivery: each
    hand-over makes two threads contend for the interpreter.
    """

    def __init__(self, open_inbox: Callable[[], Inbox], queue: Queue, *, capacity: int = CAPACITY) -> None:
        self._open_inbox = open_inbox
        self._queue = queue
        self._capacity = capacity
        self._line: SimpleQueue[list[Waiting] | None] = SimpleQueue()
        self._gathered: list[Waiting] = []
        self._unanswered = 0
        self._in_hand = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._writer: threading.Thread | None = None

    def start(self) -> None:
        """Open the inbox and run both threads; called on the event loop. Raises what opening the inbox raises."""
        inbox = self._open_inbox()
        self._loop = asyncio.get_running_loop()
        self._line, self._gathered, self._unanswered, self._in_hand = SimpleQueue(), [], 0, False
        self._writer = threading.Thread(target=self._write, args=(inbox, self._line), name="inbox", daemon=True)
        self._writer.start()

    async def close(self) -> None:
        """Store what has gathered, then end both threads. Called on the event loop, when no request is under way."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        self._line.put(self._gathered)
        self._line.put(None)
        self._gathered = []
        await asyncio.to_thread(writer.join)

    @property
    def alive(self) -> bool:
        """Whether deliveries can be stored at all."""
        return self._writer is not None and self._writer.is_alive()

    def put(self, delivery: Delivery) -> Answer | None:
        """A future of "was new", failed with ``ConductorError`` when nothing was stored; None when there is no room."""
        if self._unanswered >= self._capacity or self._loop is None or not self.alive:
            return None
        if not self._gathered and not self._in_hand:
            self._loop.call_soon(self._hand_over)
        answer: Answer = self._loop.create_future()
        self._gathered.append((delivery, answer))
        self._unanswered += 1
        return answer

    def _hand_over(self) -> None:
        """Give the thread one batch, unless it has one: the rest gathers meanwhile and goes in the next."""
        if self._in_hand or not self._gathered:
            return
        size = count = 0
        for delivery, _ in self._gathered[:BATCH_ROWS]:
            count += 1
            size += len(delivery.body)
            if size >= BATCH_BYTES:
                break
        batch, self._gathered = self._gathered[:count], self._gathered[count:]
        self._in_hand = True
        self._line.put(batch)

    def _write(self, inbox: Inbox, line: SimpleQueue[list[Waiting] | None]) -> None:
        waker = Waker(self._queue)
        waker.start()
        try:
            while (batch := line.get()) is not None:
                if batch:
                    self._store(inbox, waker, batch)
        finally:
            waker.close()
            inbox.close()

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
        self._taken_back(batch)
        for (_, answer), fresh in zip(batch, new, strict=True):
            if not answer.done():
                answer.set_result(fresh)

    def _taken_back(self, batch: list[Waiting]) -> None:
        self._unanswered -= len(batch)
        self._in_hand = False
        self._hand_over()

    def _refuse(self, batch: list[Waiting], error: ConductorError) -> None:
        self._taken_back(batch)
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
