"""What bounds a running sandbox from outside: resource limits, and a look at its process tree every few milliseconds.

Limits of one process (`setrlimit`) cannot bound a tree of them, and root is exempt from RLIMIT_NPROC, so the tree's memory and
processes are counted here and the whole sandbox is killed when it exceeds them. A delegated cgroup, where there is one,
bounds the same in the kernel. A fork bomb starves whoever only counts, so a root worker also uses the kernel's own count of
processes where it can (`counter`), and the sandbox's niceness leaves the counting a processor.
"""

from __future__ import annotations

import os
import resource
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from workers.sandbox.errors import SandboxUnavailable

_PAGE = os.sysconf("SC_PAGE_SIZE")
_OPEN_FILES = 8192
_NICE = 10
DISK_FLOOR_BYTES = 512 << 20
"""Free bytes that a sandbox may not eat into on the file system of its tree."""
MEMORY_FLOOR_BYTES = 128 << 20
"""Bytes of memory that sandboxes leave: what their sockets, pipes and file names take is the kernel's and in no process."""
_MEMORY_OF_MACHINE = Path("/proc/meminfo")
_OWN_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one command may use: seconds of wall and (per process) CPU time, bytes, processes.

    `tree_bytes` and `tree_files` bound a writable tree as a whole, with what was in it before: a base tree at its own
    limits (DESIGN section 3) and as much again for what building it makes.
    """

    wall_s: float = 600
    cpu_s: int = 600
    memory_bytes: int = 2 << 30
    processes: int = 256
    file_bytes: int = 1 << 30
    output_bytes: int = 1 << 20
    tree_bytes: int = 3 << 30
    tree_files: int = 400_000


DEFAULT_LIMITS = Limits()


def limit_process(pid: int, limits: Limits) -> None:
    """Set the limits of `pid`, which everything it starts inherits; `pid` waits while this happens."""
    wanted = [
        (resource.RLIMIT_CPU, limits.cpu_s, limits.cpu_s + 1),
        (resource.RLIMIT_FSIZE, limits.file_bytes, limits.file_bytes),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES, _OPEN_FILES),
    ]
    if os.geteuid() != 0 and _counts_processes_per_namespace():
        wanted.append((resource.RLIMIT_NPROC, limits.processes, limits.processes))
    os.setpriority(os.PRIO_PROCESS, pid, max(_NICE, os.getpriority(os.PRIO_PROCESS, pid)))
    for kind, soft, hard in wanted:
        _, ceiling = resource.prlimit(pid, kind)
        most = max(soft, hard) if ceiling == resource.RLIM_INFINITY else ceiling
        resource.prlimit(pid, kind, (min(soft, most), min(hard, most)))


def _counts_processes_per_namespace() -> bool:
    """Since Linux 5.14 RLIMIT_NPROC counts within the user namespace; before, all processes of the worker's user."""
    major, minor = os.uname().release.split(".")[:2]
    return (int(major), int("".join(c for c in minor if c.isdigit()) or 0)) >= (5, 14)


def excess(top: int, limits: Limits, tree: Path) -> str:
    """Say in one sentence what the tree of processes under `top` exceeds, or answer ''."""
    # A bomb makes processes faster than they can be looked at: one too many is enough to know.
    members = list(islice(members_of(top), limits.processes + 2))
    # bubblewrap's own init is `top`, and is not the command's.
    if len(members) - 1 > limits.processes:
        return f"killed: more than {limits.processes} processes at once"
    if sum(map(_resident, members)) > limits.memory_bytes:
        # Pages that a fork shares count once for every process above, so the exact figure decides.
        exact = sum(map(_proportional, members))
        if exact > limits.memory_bytes:
            return f"killed: memory of {exact >> 20} MiB exceeds the limit of {limits.memory_bytes >> 20} MiB"
    if available_memory() < MEMORY_FLOOR_BYTES:
        return f"killed: less than {MEMORY_FLOOR_BYTES >> 20} MiB of memory are left on its machine"
    disk = os.statvfs(tree)
    if disk.f_bavail * disk.f_frsize < DISK_FLOOR_BYTES:
        return f"killed: less than {DISK_FLOOR_BYTES >> 20} MiB are free on the disk of its tree"
    return ""


def members_of(top: int) -> Iterator[int]:
    """Walk down from `top`; orphans inside belong to the namespace's init, so nothing escapes this walk."""
    waiting = [top]
    while waiting:
        pid = waiting.pop()
        yield pid
        try:
            threads = list(Path(f"/proc/{pid}/task").iterdir())
        except (FileNotFoundError, ProcessLookupError):
            # It ended meanwhile: gone, or about to be.
            continue
        for thread in threads:
            waiting.extend(int(child) for child in read_proc(f"{thread}/children").split())


def read_proc(path: str) -> str:
    """A process that ended meanwhile reads as ''."""
    try:
        return Path(path).read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def available_memory() -> int:
    """Bytes of memory that can still be had: of the machine, or in the container this process runs in where that is less."""
    machine = _figures(_MEMORY_OF_MACHINE)
    left = (machine["MemAvailable"] + machine["SwapFree"]) << 10
    # Only a cgroup namespace of our own shows a limit here (version 2).
    most = read_proc(str(_OWN_CGROUP / "memory.max")).strip()
    if most.isdigit():
        stat = _figures(_OWN_CGROUP / "memory.stat")
        given_back = stat["active_file"] + stat["inactive_file"] + stat["slab_reclaimable"]
        left = min(left, int(most) - int(read_proc(str(_OWN_CGROUP / "memory.current"))) + given_back)
    return left


def _figures(path: Path) -> dict[str, int]:
    lines = (line.split() for line in path.read_text(encoding="ascii").splitlines())
    return {fields[0].rstrip(":"): int(fields[1]) for fields in lines}


def _resident(pid: int) -> int:
    fields = read_proc(f"/proc/{pid}/statm").split()
    return int(fields[1]) * _PAGE if fields else 0


def _proportional(pid: int) -> int:
    try:
        text = read_proc(f"/proc/{pid}/smaps_rollup")
    except PermissionError:  # a process that made itself undumpable is charged for all it maps
        return _resident(pid)
    return next((int(line.split()[1]) << 10 for line in text.splitlines() if line.startswith("Pss:")), 0)


class Cgroup:
    """A child of a delegated cgroup (version 2) that bounds one sandbox's memory and processes."""

    def __init__(self, parent: Path, limits: Limits) -> None:
        """Create it under `parent`, whose `cgroup.subtree_control` names memory and pids.

        Raises `SandboxUnavailable` when it does not, since limits that were asked for must hold.
        """
        self.path = parent / f"sandbox-{secrets.token_hex(8)}"
        try:
            self.path.mkdir()
            self._set("memory.max", limits.memory_bytes)
            self._set("memory.swap.max", 0)
            self._set("pids.max", limits.processes + 1)
        except OSError as error:
            raise SandboxUnavailable(
                f"cgroup {parent} does not delegate memory and pids ({error}); enable both in its cgroup.subtree_control"
            ) from error

    def _set(self, name: str, value: int) -> None:
        (self.path / name).write_text(str(value), encoding="ascii")

    def add(self, pid: int) -> None:
        """Move `pid` in; what it starts later is born there."""
        self._set("cgroup.procs", pid)

    def verdict(self) -> str:
        """Say whether the kernel killed something for memory, or answer ''."""
        events = dict(line.split() for line in read_proc(str(self.path / "memory.events")).splitlines())
        return "killed: memory exceeds the limit" if int(events.get("oom_kill", "0")) else ""

    def remove(self) -> None:
        """Remove it; everything inside is dead by now."""
        self.path.rmdir()
