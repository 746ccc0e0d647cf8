"""Who holds a lease, by a name from which another process can tell whether its owner is dead."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_START_TIME: Final = 19
"""Where the start time stands in proc(5)'s `stat`, counted from behind the name of the program."""

_HIDDEN: Final = "hidden"
"""Of a process that another user runs where `/proc` is mounted with `hidepid`."""


def owner_name(process: str) -> str:
    """Machine, boot, the namespace in which the number counts, kind of process, its number and when that one started.

    A number alone comes back: soon on a busy machine, at once in a container, where the process is number 1 each time.
    """
    return f"{socket.gethostname()}:{_boot()}:{_numbers()}:{process}:{os.getpid()}:{_started('self')}:"


def is_dead(owner: str) -> bool:
    """Whether the owner ran on this machine, since its boot and among the processes we can see, and is gone.

    Of all others nothing is known, so their leases run out by themselves.
    """
    parts = owner.split(":")
    if len(parts) < 6 or parts[:3] != [socket.gethostname(), _boot(), _numbers()] or not parts[4].isdecimal():
        return False
    return _started(parts[4]) not in {parts[5], _HIDDEN}


def _boot() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()[:8]


def _numbers() -> str:
    return str((_PROC / "self/ns/pid").stat().st_ino)


def _started(number: str) -> str:
    """In the kernel's ticks since boot; "" when there is no such process, or it is one that nobody has buried."""
    try:
        stat = (_PROC / number / "stat").read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return "" if _is_gone(int(number)) else _HIDDEN
    # The name stands in parentheses and may itself hold any.
    state, *rest = stat.rpartition(")")[2].split()
    return "" if state in {"Z", "X"} else rest[_START_TIME - 1]


def _is_gone(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
