"""Wake-ups over Celery: a message holds one id, may vanish and may come twice (DESIGN section 3)."""

from __future__ import annotations

import threading
import time
from typing import Any, Final, TypeAlias

import structlog
from celery import Celery
from kombu.exceptions import ChannelError, OperationalError

from bot.domain.jobs import CONTROL, GITHUB
from bot.ports.queue import Nudge, Queue

log = structlog.get_logger()

CeleryApp: TypeAlias = Celery

QUEUES: dict[Nudge, str] = {
    Nudge.ROUTE: CONTROL,
    Nudge.ADVANCE: CONTROL,
    Nudge.SWEEP: CONTROL,
    Nudge.RECOVER: CONTROL,
    Nudge.DISPATCH: GITHUB,
}
MOST_WAITING: Final = 100
"""So many messages of a queue may wait for the sweeper to add to them."""
LOOK_S: Final = 0.5
POLL_S = 0.005
"""The in-memory transport polls; its default of a second would be most of a run's time."""


def make_celery(broker_url: str) -> Celery:
    """A Celery application without a result backend; JSON only, late acknowledgement, one message at a time.

    Workers take messages from their queues and nothing else: no remote control, by which whoever reaches the broker could
    end them or change their pace, and no events, which tell whoever listens what they do.
    """
    app = Celery("conductor", broker=broker_url)
    options: dict[str, Any] = {
        "visibility_timeout": 4 * 3600,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
    }
    if broker_url.startswith("memory:"):
        options = {"polling_interval": POLL_S}
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        result_backend=None,
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_redirect_stdouts=False,
        result_accept_content=["json"],
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options=options,
        task_publish_retry=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
    )
    return app


class CeleryQueue:
    """`bot.ports.queue.Queue`: a broker that is down costs time only, because the sweeper finds every row."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def nudge(self, what: Nudge, subject: str, *, queue: str = "") -> None:
        try:
            self._app.send_task(f"conductor.{what.value}", args=[subject], queue=queue or QUEUES[what], retry=False)
        except OperationalError as error:
            log.warning("nudge_lost", what=what.value, subject=subject, reason=str(error))


class SparingQueue:
    """The sweeper's: it wakes again and again whatever is due, and what cannot be done at once is due at every sweep.

    So it adds nothing to a queue in which so many messages wait that whoever takes them is behind anyway; without this, the
    repeats of a busy minute took longer to go through than the minute, and what was new waited behind them.
    """

    def __init__(self, app: CeleryApp, queue: Queue) -> None:
        self._app = app
        self._queue = queue
        self._room: dict[str, tuple[float, int]] = {}
        self._guard = threading.Lock()

    def nudge(self, what: Nudge, subject: str, *, queue: str = "") -> None:
        """`bot.ports.queue.Queue`."""
        if self._takes(queue or QUEUES[what]):
            self._queue.nudge(what, subject, queue=queue)

    def _takes(self, name: str) -> bool:
        """Whether there is room for one more; a queue's length is asked for now and then, not for each message."""
        now = time.monotonic()
        with self._guard:
            asked, room = self._room.get(name, (0.0, 0))
            if not 0 < now - asked < LOOK_S:
                asked, room = now, MOST_WAITING - self._waiting(name)
            self._room[name] = asked, room - 1
        return room > 0

    def _waiting(self, name: str) -> int:
        """How many messages wait; none where the broker knows no such queue, as Redis does of empty ones, or is down."""
        with self._app.connection_for_write(connect_timeout=2) as connection:
            try:
                with connection.channel() as channel:
                    return int(channel.queue_declare(name, passive=True).message_count)
            except ChannelError:
                return 0
            except (OperationalError, *connection.connection_errors) as error:
                log.warning("queue_unread", queue=name, reason=str(error))
                return 0
