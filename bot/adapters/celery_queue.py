"""Wake-ups over Celery: a message holds one id, may vanish and may come twice (DESIGN section 3)."""

from __future__ import annotations

from typing import Any, TypeAlias

import structlog
from celery import Celery
from kombu.exceptions import OperationalError

from bot.domain.jobs import CONTROL, GITHUB
from bot.ports.queue import Nudge

log = structlog.get_logger()

CeleryApp: TypeAlias = Celery

QUEUES: dict[Nudge, str] = {
    Nudge.ROUTE: CONTROL,
    Nudge.ADVANCE: CONTROL,
    Nudge.SWEEP: CONTROL,
    Nudge.DISPATCH: GITHUB,
}
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
