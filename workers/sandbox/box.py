"""Runs one command in a bubblewrap sandbox: no network, no credential, no path outside its workspace (invariant I7).

There is no other way to run a project's code: without a working bubblewrap `SandboxUnavailable` is raised.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from workers.sandbox import seccomp
from workers.sandbox.capture import Outcome, Running
from workers.sandbox.counter import counted, counters_usable
from workers.sandbox.egress import PORT_INSIDE, EgressSocket
from workers.sandbox.errors import SandboxError, SandboxUnavailable
from workers.sandbox.growth import Growth
from workers.sandbox.holding import Held, Places, workspace_mounts
from workers.sandbox.layers import LAYER_INSIDE, Layer, layer_environment
from workers.sandbox.masks import HOLD_ALL, Protection, undone_sentence
from workers.sandbox.skeleton import HOME, UID, WORKSPACE, Claimed, Skeleton
from workers.sandbox.toolchain import INSIDE, Toolchain
from workers.sandbox.watch import DEFAULT_LIMITS, Cgroup, Limits

__all__ = ["Limits", "Ran", "Sandbox"]

_ENVIRONMENT = {
    "HOME": HOME,
    "USER": "agent",
    "LOGNAME": "agent",
    "SHELL": "/bin/bash",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
    "TZ": "UTC",
    "TMPDIR": "/tmp",  # noqa: S108  # the sandbox's own
    "CI": "true",
    "PAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INPUT": "1",
}
_SYSTEM_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_UNSHARED = (
    "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup", "--unshare-net",
    "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--uid", str(UID), "--gid", str(UID),
    "--hostname", "sandbox",
)  # fmt: skip
# The kernel takes no longer word, nor more of them (MAX_ARG_STRLEN, ARG_MAX).
_MOST_WORD_BYTES = (128 << 10) - 1
_MOST_ARGUMENT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended: 124 when it ran out of time, 137 when it was killed for what it used; `seconds` of wall time.

    `output` is stdout and stderr as one stream; when `truncated`, its middle is missing and a line says how much.
    """

    exit_code: int
    output: bytes
    truncated: bool
    timed_out: bool
    seconds: float
    note: str


@dataclass(frozen=True, slots=True)
class _Watch:
    """What a run is held to; `started` in seconds of the monotonic clock, `growing` what it can write into."""

    tree: Path
    limits: Limits
    started: float
    growing: tuple[Growth, ...]


class Sandbox:
    """Starts sandboxes with one toolchain; threads may share it, processes that were forked may not."""

    def __init__(self, *, toolchain: Toolchain, scratch: Path, cgroup: Path | None = None) -> None:
        """Prepare files under `scratch`; `cgroup` is a delegated version 2 cgroup with memory and pids, if there is one.

        Raises `SandboxUnavailable` on an unknown machine.
        """
        self.toolchain = toolchain
        self.cgroup = cgroup
        self._filter = seccomp.program()
        self._scratch = scratch
        own = Claimed(scratch)
        self._own = own
        self._skeleton = Skeleton(own.path / "root", toolchain)
        self._places = Places(own.path / "places")

    def probe(self) -> None:
        """Start a real sandbox, and raise `SandboxUnavailable` with the mend when this machine does not let us."""
        if not Path("/proc/thread-self/children").exists():
            raise SandboxUnavailable("/proc shows no children of processes; run a kernel with CONFIG_PROC_CHILDREN")
        if os.statvfs(self._scratch).f_flag & os.ST_NOEXEC:
            raise SandboxUnavailable(
                f"the disk of {self._scratch} is mounted noexec, and programs are built there; set CONDUCTOR_DATA to a directory on another"
            )
        empty = self._scratch / "empty"
        empty.mkdir(exist_ok=True)
        ran = self.run("id -u", tree=empty, writable=False, limits=Limits(wall_s=30))
        if ran.exit_code != 0 or ran.output.strip() != str(UID).encode():
            raise SandboxUnavailable(
                f"a sandboxed `id -u` answered {ran.output[-200:]!r}; check the bubblewrap package"
            )

    def run(
        self,
        command: str,
        *,
        tree: Path,
        writable: bool,
        cwd: str = ".",
        layer: Layer | None = None,
        limits: Limits = DEFAULT_LIMITS,
        egress: EgressSocket | None = None,
        env: Mapping[str, str] = {},
        layer_writable: bool = False,
        protection: Protection | None = HOLD_ALL,
    ) -> Ran:
        """Run `bash -c command` in /workspace/`cwd`; see `run_argv`."""
        return self.run_argv(
            ("/bin/bash", "-c", command),
            tree=tree,
            writable=writable,
            cwd=cwd,
            layer=layer,
            limits=limits,
            egress=egress,
            env=env,
            layer_writable=layer_writable,
            protection=protection,
        )

    def run_argv(
        self,
        argv: Sequence[str],
        *,
        tree: Path,
        writable: bool,
        cwd: str = ".",
        layer: Layer | None = None,
        limits: Limits = DEFAULT_LIMITS,
        egress: EgressSocket | None = None,
        env: Mapping[str, str] = {},
        layer_writable: bool = False,
        protection: Protection | None = HOLD_ALL,
    ) -> Ran:
        """Run `argv` with `tree` mounted at /workspace; when this returns, every process inside is dead.

        Commands on one writable tree wait for each other. Only `setup` passes `layer_writable`. `protection` says which
        names in a writable tree stay as they are; None is for copies that are thrown away unread.
        Raises `SandboxUnavailable` when the sandbox did not start, `SandboxError` on arguments that cannot be run.
        """
        _check_text(argv, env)
        started = time.monotonic()
        with ExitStack() as stack:
            if layer is not None:
                stack.enter_context(layer.held())
            mounted = () if layer is None else layer.mounted
            held = stack.enter_context(self._places.held(tree, mounted, protection)) if writable else Held()
            arguments = [*_UNSHARED, *self._skeleton.mounts()]
            if layer is not None:
                arguments += ("--bind" if layer_writable else "--ro-bind", str(layer.path), LAYER_INSIDE)
            arguments += workspace_mounts(tree, layer, held, writable=writable)
            arguments += self._environment(layer, egress, env)
            arguments += ("--chdir", _inside(cwd))
            growing = [Growth(tree, limits)] if writable else []
            if layer is not None and layer_writable:
                growing.append(Growth(layer.path, limits, "what it installs"))
            outcome = self._watched(arguments, argv, egress, _Watch(tree, limits, started, tuple(growing)))
        return Ran(
            exit_code=outcome.exit_code,
            output=outcome.output,
            truncated=outcome.truncated,
            timed_out=outcome.timed_out,
            seconds=time.monotonic() - started,
            note="; ".join(filter(None, (outcome.note, undone_sentence(held.undone)))),
        )

    def _watched(
        self, arguments: Sequence[str], argv: Sequence[str], egress: EgressSocket | None, watch: _Watch
    ) -> Outcome:
        """Start, and follow to the end, in whatever the kernel counts: a delegated cgroup, root's counter, or nothing."""
        with ExitStack() as stack:
            group: Cgroup | None = None
            if self.cgroup is not None:
                group = Cgroup(self.cgroup, watch.limits)
                stack.callback(group.remove)
                running = self._start(arguments, argv, egress)
            elif counters_usable():
                counter = stack.enter_context(counted(watch.limits))
                running = counter.start(lambda: self._start(arguments, argv, egress))
            else:
                running = self._start(arguments, argv, egress)
            stack.enter_context(closing(running))
            return running.finish(
                watch.limits,
                tree=watch.tree,
                growing=watch.growing,
                group=group,
                deadline=watch.started + watch.limits.wall_s,
            )

    def _start(self, arguments: Sequence[str], argv: Sequence[str], egress: EgressSocket | None) -> Running:
        bwrap = shutil.which("bwrap")
        if bwrap is None:
            raise SandboxUnavailable("bubblewrap is not installed; install it (package `bubblewrap`)")
        inner = list(argv)
        passed: list[int] = []
        if egress is not None:
            channel = egress.child_end()
            passed.append(channel)
            inner = [
                str(self.toolchain.interpreter), "-I", "-S", f"{INSIDE}/handover.py", str(channel), str(PORT_INSIDE),
                *argv,
            ]  # fmt: skip
        running = Running(bwrap, arguments, inner, seccomp_filter=self._filter, passed=passed)
        if egress is not None:
            egress.serve()
        return running

    def _environment(self, layer: Layer | None, egress: EgressSocket | None, env: Mapping[str, str]) -> Iterator[str]:
        values = dict(_ENVIRONMENT)
        path = [*self.toolchain.binaries(), *_SYSTEM_PATH]
        if layer is not None:
            first, more = layer_environment()
            path = [*first, *path]
            values |= more
        values["PATH"] = ":".join(path)
        if egress is not None:
            values |= egress.environment()
        yield "--clearenv"
        for name, value in (values | dict(env)).items():
            yield from ("--setenv", name, value)


def _inside(cwd: str) -> str:
    parts = PurePosixPath(cwd)
    if parts.is_absolute() or ".." in parts.parts or "\0" in cwd:
        raise SandboxError(f"working directory {cwd!r} is not inside the workspace; give a relative path")
    return str(PurePosixPath(WORKSPACE) / parts)


def _check_text(argv: Sequence[str], env: Mapping[str, str]) -> None:
    if not argv or any("\0" in word for word in argv):
        raise SandboxError("a command is empty or holds a NUL; write it without")
    sizes = [len(os.fsencode(word)) for word in argv]
    if max(sizes) > _MOST_WORD_BYTES or sum(sizes) > _MOST_ARGUMENT_BYTES:
        raise SandboxError(
            f"a command of {sum(sizes)} bytes cannot be started, {_MOST_WORD_BYTES} are the most; write it to a file and run that"
        )
    for name, value in env.items():
        if not _NAME.match(name) or "\0" in value:
            raise SandboxError(f"environment variable {name!r} cannot be set; use letters, digits and _")
