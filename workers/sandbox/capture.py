"""One bubblewrap process from start to end: its set-up, what it prints, and its certain death."""

from __future__ import annotations

import json
import os
import select
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.domain.errors import ConductorError, InternalError
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.growth import Growth
from workers.sandbox.watch import Cgroup, Limits, excess, limit_process

_TICK_S = 0.025
_START_S = 30.0
# Bubblewrap's descriptors close a moment before it can be waited for.
_END_S = 0.2
_CHUNK = 1 << 16
_TIMED_OUT, _KILLED = 124, 137

_MENDS = (
    ("creating new namespace", "user namespaces are off; set kernel.unprivileged_userns_clone=1 and user.max_user_namespaces"),
    ("setting up uid map", "user namespaces are restricted; allow bwrap in AppArmor (kernel.apparmor_restrict_unprivileged_userns)"),
    ("no permissions to create", "user namespaces are off; set kernel.unprivileged_userns_clone=1 and user.max_user_namespaces"),
    ("mount proc", "mounting /proc is refused; in a container start it with the shipped seccomp profile and systempaths=unconfined"),
    ("can't mount", "mounting is refused; in a container start it with the shipped seccomp profile"),
    ("loopback", "the network namespace cannot be set up; in a container start it with the shipped seccomp profile"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is known when everything inside is dead."""

    exit_code: int
    output: bytes
    truncated: bool
    timed_out: bool
    note: str


class Output:
    """Keeps the first and the last half of what is printed, and counts the rest."""

    def __init__(self, limit: int) -> None:
        """Keep at most `limit` bytes."""
        self._half = max(limit // 2, 1)
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._in_tail = 0
        self._dropped = 0

    def add(self, data: bytes) -> None:
        """Take more output; memory stays within the limit and one chunk."""
        room = self._half - len(self._head)
        self._head += data[:room]
        rest = data[room:] if room < len(data) else b""
        if rest:
            self._tail.append(rest)
            self._in_tail += len(rest)
            while self._in_tail - len(self._tail[0]) >= self._half:
                gone = len(self._tail.popleft())
                self._in_tail -= gone
                self._dropped += gone

    def result(self) -> tuple[bytes, bool]:
        """Give what is kept, and whether its middle is missing."""
        tail = b"".join(self._tail)
        dropped = self._dropped + max(len(tail) - self._half, 0)
        tail = tail[-self._half :] if tail else b""
        if not dropped:
            return bytes(self._head) + tail, False
        return bytes(self._head) + b"\n[... %d bytes left out ...]\n" % dropped + tail, True


class Running:
    """A started sandbox that waits, fully set up, for `finish` to limit it and let it go."""

    def __init__(
        self, bwrap: str, arguments: Sequence[str], argv: Sequence[str], *, seccomp_filter: bytes, passed: Sequence[int]
    ) -> None:
        """Start bubblewrap; `passed` are further descriptors that the command inherits.

        Options go through a descriptor: argv is readable inside as /proc/1/cmdline and outside by every user.
        """
        status_read, status_write = os.pipe()
        gate_read, self._gate = os.pipe()
        output_read, output_write = os.pipe()
        filter_file = _memory_file("filter", seccomp_filter)
        own = (
            "--seccomp", str(filter_file), "--json-status-fd", str(status_write), "--block-fd", str(gate_read),
        )  # fmt: skip
        options_file = _memory_file("options", b"".join(os.fsencode(word) + b"\0" for word in (*own, *arguments)))
        handed = (status_write, gate_read, filter_file, options_file)
        try:
            self._process = subprocess.Popen(
                [bwrap, "--args", str(options_file), "--", *argv],
                stdin=subprocess.DEVNULL,
                stdout=output_write,
                stderr=output_write,
                env={},
                cwd="/",
                pass_fds=(*handed, *passed),
            )
        except OSError as error:
            for descriptor in (status_read, self._gate, output_read):
                os.close(descriptor)
            raise SandboxUnavailable(f"{bwrap} cannot be started ({error}); reinstall bubblewrap") from error
        finally:
            for descriptor in (*handed, output_write):
                os.close(descriptor)
        self._status = os.fdopen(status_read, "rb", buffering=0)
        self._output_fd = output_read
        self._told = b""
        self._init: int | None = None
        self._init_pid = 0

    def close(self) -> None:
        """Kill whatever still runs, wait for it, and give back every descriptor."""
        self._kill()
        self._process.wait()
        if self._init is not None:
            # bubblewrap may end before its child; the namespace's init is readable only when all inside are dead.
            _readable(self._init)
            os.close(self._init)
        for descriptor in (self._gate, self._output_fd):
            os.close(descriptor)
        self._status.close()

    def _kill(self) -> None:
        if self._init is not None:
            try:
                signal.pidfd_send_signal(self._init, signal.SIGKILL)
            except ProcessLookupError:
                return
        elif self._process.poll() is None:
            self._process.kill()

    def finish(
        self, limits: Limits, *, tree: Path, group: Cgroup | None, deadline: float, growing: Sequence[Growth] = ()
    ) -> Outcome:
        """Set the limits, let the command run, and watch it until it is over; `growing`: what it can write into.

        Raises `SandboxUnavailable` when bubblewrap did not get as far as the command, `InternalError` when it was killed.
        """
        output = Output(limits.output_bytes)
        if not self._find_init():
            raise self._refused(output)
        limit_process(self._init_pid, limits)
        if group is not None:
            group.add(self._init_pid)
        os.write(self._gate, b"1")
        note, timed_out = self._follow(limits, output, tree, deadline, growing)
        self._kill()
        self._process.wait()
        self._drain(output)
        self._told += self._status.read() or b""
        exit_code = self._process.returncode
        if timed_out or note:
            exit_code = _TIMED_OUT if timed_out else _KILLED
        elif self._reported() is None and exit_code < 128:
            raise self._refused(output)
        elif group is not None:
            note = group.verdict()
        kept, truncated = output.result()
        return Outcome(exit_code, kept, truncated, timed_out, note)

    def _find_init(self) -> bool:
        """Read the process id of the namespace's init, which waits at the gate, and hold it by a descriptor."""
        deadline = time.monotonic() + _START_S
        while b"\n" not in self._told:
            ready = _readable(self._status.fileno(), max(deadline - time.monotonic(), 0))
            data = os.read(self._status.fileno(), _CHUNK) if ready else b""
            if not data:
                return False
            self._told += data
        self._init_pid = int(json.loads(self._told.split(b"\n", 1)[0])["child-pid"])
        try:
            self._init = os.pidfd_open(self._init_pid)
        except ProcessLookupError:
            return False
        return True

    def _reported(self) -> int | None:
        """Tell what bubblewrap wrote: an exit code only when the set-up succeeded and the command was started."""
        for line in self._told.splitlines():
            code = json.loads(line).get("exit-code")
            if code is not None:
                return int(code)
        return None

    def _follow(
        self, limits: Limits, output: Output, tree: Path, deadline: float, growing: Sequence[Growth]
    ) -> tuple[str, bool]:
        """Read output until bubblewrap is over, the time is up, or the tree of processes exceeds its limits."""
        ended = os.pidfd_open(self._process.pid)
        next_look = time.monotonic() + _TICK_S
        try:
            with selectors.DefaultSelector() as waiting:
                waiting.register(self._output_fd, selectors.EVENT_READ)
                waiting.register(ended, selectors.EVENT_READ)
                while True:
                    now = time.monotonic()
                    if now >= deadline:
                        return f"killed: still running after {limits.wall_s:g} s", True
                    if now >= next_look:
                        exceeded = excess(self._init_pid, limits, tree)
                        found = (exceeded, *(growth.excess(self._init_pid) for growth in growing))
                        if any(found):
                            return next(filter(None, found)), False
                        next_look = time.monotonic() + _TICK_S
                    ready = {key.fd for key, _ in waiting.select(max(min(next_look, deadline) - now, 0))}
                    if self._output_fd in ready:
                        data = os.read(self._output_fd, _CHUNK)
                        output.add(data)
                        if not data:  # the command closed its streams, and may run on
                            waiting.unregister(self._output_fd)
                    elif ended in ready:
                        return "", False
        finally:
            os.close(ended)

    def _drain(self, output: Output) -> None:
        """Take what is left in the pipe once every writer is dead."""
        if self._init is not None:
            _readable(self._init)
        while data := os.read(self._output_fd, _CHUNK):
            output.add(data)

    def _refused(self, output: Output) -> ConductorError:
        """Why no command ran to its end. Where somebody killed the sandbox, nothing that one needs is missing."""
        try:
            killed = self._process.wait(_END_S) == -signal.SIGKILL
        except subprocess.TimeoutExpired:
            killed = False
        self._kill()
        self._process.wait()
        self._drain(output)
        said = output.result()[0].decode("utf-8", "replace").strip()
        # What bubblewrap lacks, it says; it is silent when its child was killed on the way to the command.
        if killed or not said:
            return InternalError("the sandbox was killed from outside, so its command has no result; it is tried again")
        lowered = said.lower()
        mend = next((mend for sign, mend in _MENDS if sign in lowered), "check that `bwrap` works on this machine")
        return SandboxUnavailable(f"bubblewrap did not start a sandbox ({said[-300:]!r}): {mend}")


def _readable(descriptor: int, timeout_s: float | None = None) -> bool:
    """Wait with poll(), since a busy worker has descriptors beyond what select() can name."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(None if timeout_s is None else timeout_s * 1000))


def _memory_file(name: str, data: bytes) -> int:
    descriptor = os.memfd_create(name)
    os.write(descriptor, data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
