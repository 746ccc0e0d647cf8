"""Running Conductor: everything in one process (`up`), or one process each (`web`, `worker`, `beat`)."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import threading
from functools import partial

import structlog

from bot import telemetry
from bot.bootstrap import Parts, build
from bot.cli.leaving import Ending, bound, cut_off, until_signal
from bot.ports.queue import Nudge
from bot.redaction import Redactor
from bot.settings import Process, Settings
from workers.app import Worker

log = structlog.get_logger()

# <malloc.h>
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8


def run(settings: Settings, *, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Run one process until SIGTERM or SIGINT, and end within ten seconds of it."""
    one_heap()
    telemetry.configure(Redactor(settings.held))
    parts = build(settings)
    # What is loaded stays. Counted among what lives, it puts the collection of all cycles off until there is a quarter as
    # much of them again: for hours, in which each message leaves some and memory grows.
    gc.freeze()
    match settings.process:
        case Process.UP:
            _up(parts, host, port)
        case Process.WEB:
            _web(parts, host, port)
        case Process.BEAT:
            _beat(parts)
        case Process.CONTROL | Process.AGENTS | Process.GITHUB:
            _work(parts)
        case Process.SHELL:
            raise AssertionError("the shell serves nothing")


def one_heap() -> None:
    """Let all threads share the C library's heap (glibc; others have no such option), and keep blocks of 128 kB and more out of it.

    Each thread gets a heap of its own otherwise, and each of them grows for hours, in pieces that the others cannot use.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        # Set, it no longer moves: glibc raises it to the largest block that was ever given back, up to 32 MB.
        mallopt(_M_MMAP_THRESHOLD, 128 * 1024)


def _up(parts: Parts, host: str, port: int) -> None:
    from bot.web.app import make_app, serve

    sys.stderr.write(
        "conductor up: one process holds the webhook secret, the App's key and the model's key; sandboxes see none of them.\n"
    )
    worker = Worker(parts)
    worker.start()
    ticker = Ticker(parts)
    ticker.start()
    whole = True

    def stay_whole() -> None:
        nonlocal whole
        whole = _all_live(ended, worker, ticker)
        if not whole:
            os.kill(os.getpid(), signal.SIGTERM)

    ended = Ending()
    bound(ended, parts, worker.leave)
    threading.Thread(target=stay_whole, name="watch", daemon=True).start()
    try:
        serve(make_app(parts), host, port, listening=partial(_listening, parts), ending=ended.set)
    finally:
        ended.set()
        # A worker that waits for messages sees the wish to end with the next one: ticks go on until then.
        worker.stop()
        ticker.stop()
    if not whole:
        cut_off(parts, 1)
    _leave(parts, worker)


def _web(parts: Parts, host: str, port: int) -> None:
    # Here, because no worker should start more slowly for a web server that it does not run.
    from bot.web.app import make_app, serve

    ended = Ending()
    bound(ended, parts, lambda: None)
    serve(make_app(parts), host, port, listening=partial(_listening, parts), ending=ended.set)


def _listening(parts: Parts) -> None:
    """What came while nobody listened is looked for now, not when the next look is due."""
    parts.queue.nudge(Nudge.RECOVER, "")


def _work(parts: Parts) -> None:
    ended = until_signal()
    worker = Worker(parts)
    worker.start()
    bound(ended, parts, worker.leave)
    sys.stderr.write(f"conductor worker {parts.settings.process}: ready\n")
    if not _all_live(ended, worker):
        cut_off(parts, 1)
    worker.stop()
    _leave(parts, worker)


def _beat(parts: Parts) -> None:
    ended = until_signal()
    ticker = Ticker(parts)
    ticker.start()
    bound(ended, parts, lambda: None)
    sys.stderr.write("conductor beat: ready\n")
    if not _all_live(ended, ticker):
        raise SystemExit(1)
    ticker.stop()


def _all_live(ended: Ending, *parts: Worker | Ticker) -> bool:
    """Wait for the end; False as soon as a part has ended by itself.

    A process that takes work and does nothing with it is worse than none: whoever supervises it starts it anew.
    """
    while not ended.wait(1.0):
        dead = [type(part).__name__ for part in parts if not part.alive]
        if dead:
            log.error("part_ended", parts=dead)
            return False
    return True


def _leave(parts: Parts, worker: Worker) -> None:
    """End at once when work is left."""
    if worker.alive:
        cut_off(parts)


class Ticker:
    """Wakes the sweeper every tick. Two of them do no harm: a sweep only nudges."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="beat", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it ticks."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """End."""
        self._ended.set()
        self._thread.join(timeout=2)

    def _tick(self) -> None:
        while not self._ended.wait(self._parts.settings.tick_ms / 1_000):
            self._parts.queue.nudge(Nudge.SWEEP, "")
