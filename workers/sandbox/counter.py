"""The kernel's count of one sandbox's processes, for a root worker that RLIMIT_NPROC does not bind (cgroup version 1).

To move a process into a cgroup takes the kernel 5 to 15 ms (it waits until every processor has passed by), to be born in
one takes nothing. So a few threads live in cgroups of their own, one each, and start the sandboxes.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

from workers.sandbox.watch import Limits, read_proc

PIDS_V1: Final = Path("/sys/fs/cgroup/pids")
"""Where version 1 of cgroups keeps its process counter."""
# It allows a few more than the limit, so that the watch sees the excess and kills the sandbox with its reason. Two are the
# thread itself and the bubblewrap process that waits outside.
_MARGIN: Final = 18

Started = TypeVar("Started")


class Counter:
    """A cgroup and the thread that lives in it. One sandbox uses it at a time."""

    def __init__(self) -> None:
        """Create both. Raises `OSError` where the hierarchy is not ours to write."""
        self.path = PIDS_V1 / f"conductor-{os.getpid()}-{secrets.token_hex(8)}"
        self.path.mkdir()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sandbox-start")
        self._thread.submit(self._settle).result()

    def _settle(self) -> None:
        (self.path / "tasks").write_text(str(threading.get_native_id()), encoding="ascii")

    def allow(self, processes: int) -> None:
        """Set how many processes and threads there may be."""
        (self.path / "pids.max").write_text(str(processes + _MARGIN), encoding="ascii")

    def start(self, begin: Callable[[], Started]) -> Started:
        """Run `begin` in the thread: the processes that it starts, and theirs, are counted. The thread outlives them."""
        return self._thread.submit(begin).result()


class _Idle:
    """Counters that no sandbox uses now; there are as many as sandboxes ever ran at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counters: list[Counter] = []
        self._swept = False

    def take(self) -> Counter:
        with self._lock:
            if self._counters:
                return self._counters.pop()
            if not self._swept:
                self._swept = True
                _sweep()
        return Counter()

    def give_back(self, counter: Counter) -> None:
        with self._lock:
            self._counters.append(counter)


def _sweep() -> None:
    """Take away what workers left that ended; their sandboxes died with them."""
    for left in PIDS_V1.glob("conductor-*-*"):
        if not Path("/proc", left.name.split("-")[1]).exists() and not read_proc(str(left / "cgroup.procs")):
            with suppress(FileNotFoundError):
                left.rmdir()


_idle = _Idle()


def _forget() -> None:
    """Threads do not survive a fork."""
    global _idle  # noqa: PLW0603  # one pool per process
    _idle = _Idle()


os.register_at_fork(after_in_child=_forget)


def counters_usable() -> bool:
    """Whether this process may create one."""
    return os.geteuid() == 0 and (PIDS_V1 / "cgroup.procs").exists() and os.access(PIDS_V1, os.W_OK)


@contextmanager
def counted(limits: Limits) -> Iterator[Counter]:
    """Give a counter for one sandbox, which must be dead at the end."""
    counter = _idle.take()
    try:
        counter.allow(limits.processes)
        yield counter
    finally:
        _idle.give_back(counter)
