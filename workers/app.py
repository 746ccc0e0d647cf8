"""The worker of every process that takes jobs: Celery's tasks bound to the process's parts, consumed in a thread."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Final

import structlog
from celery import bootsteps
from celery.signals import setup_logging
from celery.worker import state

from bot.bootstrap import Parts
from bot.domain.jobs import AGENT_QUEUES, CONTROL, GITHUB
from bot.settings import Process
from workers.tasks import register

log = structlog.get_logger()

QUEUES: dict[Process, tuple[str, ...]] = {
    Process.UP: (CONTROL, GITHUB, *AGENT_QUEUES),
    Process.CONTROL: (CONTROL,),
    Process.GITHUB: (GITHUB,),
    Process.AGENTS: AGENT_QUEUES,
}
TIMER_S = 0.1
DRAIN_S = 5
"""How long work in hand may go on after SIGTERM; what is left then is given back (`bot.cli.leaving`)."""
ALIVE: Final = "alive"
"""A file in the process's data directory, touched while messages are taken: what a health check looks at."""
ALIVE_S: Final = 2.0
"""Between two touches. An idle loop wakes for nothing else, and sees only then that it is to end."""


@setup_logging.connect  # type: ignore[untyped-decorator]
def _leave_logging(**_given: Any) -> None:
    """Logs are set up already, with redaction; a receiver of this signal is how Celery is told to leave them alone."""


class SignOfLife(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """Touches a file on the consumer's own timer, so that a loop that hangs, or has lost its broker, lets it grow old.

    In the place of Celery's `inspect ping`, which would ask through the broker and needs remote control.
    """

    requires = ("celery.worker.consumer.connection:Connection",)

    def __init__(self, consumer: Any, *, alive: Path | None = None, **_given: Any) -> None:
        super().__init__(consumer)
        self._alive = alive
        self._entry: Any = None

    def start(self, consumer: Any) -> None:
        """Once, then again and again."""
        if self._alive is not None:
            self._alive.touch()
            self._entry = consumer.timer.call_repeatedly(ALIVE_S, self._alive.touch)

    def stop(self, _consumer: Any) -> None:
        """The loop has ended, or lost its broker."""
        if self._entry is not None:
            self._entry.cancel()
            self._entry = None

    shutdown = stop


class Worker:
    """A Celery worker in a thread of this process; Celery's state is global, so there is one a process."""

    def __init__(self, parts: Parts) -> None:
        register(parts.celery, parts)
        parts.celery.steps["consumer"].add(SignOfLife)
        self._parts = parts
        self._thread = threading.Thread(target=self._serve, name="worker", daemon=True)

    def start(self) -> None:
        """Begin to consume this process's queues."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it consumes."""
        return self._thread.is_alive()

    def _serve(self) -> None:
        settings = self._parts.settings
        options: dict[str, Any] = {
            "pool": "threads",
            "concurrency": settings.threads,
            "queues": list(QUEUES[settings.process]),
            "without_gossip": True,
            "without_mingle": True,
            "without_heartbeat": True,
            "quiet": True,
            # Its timer's thread ends no faster than this; the default of a second or two is most of a stop's time.
            "timer_precision": TIMER_S,
        }
        if settings.process is not Process.UP:
            options["alive"] = settings.data / ALIVE
        try:
            self._parts.celery.Worker(**options).start()
        except Exception:
            log.exception("worker_ended")

    def leave(self) -> None:
        """Take nothing more, and let what is in hand end at its next step."""
        self._parts.desk.leaving.set()
        state.should_stop = 0

    def stop(self) -> None:
        """Leave, and wait a while for what is in hand."""
        self.leave()
        self._thread.join(timeout=DRAIN_S)
        state.should_stop = None
