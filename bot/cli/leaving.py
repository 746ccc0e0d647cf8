"""How a process ends: asked by a signal, it takes nothing more, gives back what it holds, and is gone within ten seconds.

What cannot end in time (a model's reply, a command, a request that hangs) is cut off: its row is free at once, under a new
fence, and whoever takes it goes on from what is stored.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from typing import Final, NoReturn

import structlog

from bot.bootstrap import LEASES, Parts
from bot.domain.errors import ConductorError

log = structlog.get_logger()

END_S: Final = 8.0
"""After the signal, when whatever still runs is cut off."""
LET_GO_S: Final = 1.0
"""How long giving back may take: a database that does not answer finds the leases run out instead."""


class Ending:
    """The wish to end. A signal handler may tell it at any moment.

    No `threading.Event`: its lock may be held by the very thread that the signal interrupts, which would then wait for itself.
    """

    def __init__(self) -> None:
        self._wishes: queue.SimpleQueue[None] = queue.SimpleQueue()

    def set(self) -> None:
        """From now on it is wished."""
        self._wishes.put(None)

    def wait(self, seconds: float | None = None) -> bool:
        """Whether it is wished; waited for so long at most."""
        try:
            self._wishes.get(timeout=seconds)
        except queue.Empty:
            return False
        # For whoever else waits.
        self._wishes.put(None)
        return True


def until_signal() -> Ending:
    """The wish to end, as SIGTERM and SIGINT say it. Called in the main thread."""
    ending = Ending()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    return ending


def bound(ending: Ending, parts: Parts, begin: Callable[[], None]) -> None:
    """From another thread: ``begin`` as soon as the end is wished, and the process's end by force when it is not there in time."""

    def watch() -> None:
        ending.wait()
        begin()
        threading.Event().wait(END_S)
        cut_off(parts)

    threading.Thread(target=watch, name="ending", daemon=True).start()


def cut_off(parts: Parts, code: int = 0) -> NoReturn:
    """End at once although work is left; the interpreter would wait for its threads."""
    let_go(parts)
    log.warning("work_cut_off")
    sys.stderr.flush()
    os._exit(code)


def let_go(parts: Parts) -> None:
    """Give back every lease of this process, so that another one goes on at once."""
    giving = threading.Thread(target=_let_go, args=(parts,), name="let-go", daemon=True)
    giving.start()
    giving.join(LET_GO_S)


def _let_go(parts: Parts) -> None:
    try:
        with parts.storage.begin() as tx:
            count = tx.jobs.let_go(parts.desk.owner, LEASES.get(parts.settings.process, ()))
    except ConductorError as error:
        log.warning("leases_left_to_run_out", reason=error.sentence)
    else:
        log.info("leases_let_go", count=count)
