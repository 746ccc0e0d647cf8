"""Runs one command in a bubblewrap sandbox: no network, no credential, no path outside its workspace (invariant I7).

There is no other way to run a project's code: without a working bubblewrap `SandboxUnavailable` is raised.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from workers.sandbox import seccomp
from workers.sandbox.capture import Running
from workers.sandbox.egress import PORT_INSIDE, EgressSocket
from workers.sandbox.errors import SandboxError, SandboxUnavailable
from workers.sandbox.layers import LAYER_INSIDE, Layer, layer_environment
from workers.sandbox.toolchain import INSIDE, Toolchain
from workers.sandbox.watch import DEFAULT_LIMITS, Cgroup, Group, Limits, ProcessCounter

__all__ = ["Limits", "Ran", "Sandbox"]

WORKSPACE = "/workspace"
_HOME = "/home/agent"
_UID = 1000
_ENVIRONMENT = {
    "HOME": _HOME,
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
# Only what programs need to find users, certificates and libraries; never all of /etc (and not /etc/ssl/private).
_ETC = (
    "alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "protocols", "services",
    "ssl/certs", "ssl/openssl.cnf", "pki/tls/certs", "pki/ca-trust/extracted", "ca-certificates",
)  # fmt: skip
_ETC_FILES = {
    "passwd": f"agent:x:{_UID}:{_UID}:agent:{_HOME}:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "group": f"agent:x:{_UID}:\nnogroup:x:65534:\n",
    "hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}
# A worker that is root owns the kernel's switches in the sandbox too (the user namespace maps its id), and bubblewrap leaves
# /proc/sys as it is: writing /proc/sys/kernel/core_pattern there runs a program outside. Lists as in the OCI defaults.
_PROC_READ_ONLY = ("sys", "bus", "fs", "irq", "mtrr", "pressure", "scsi", "sysrq-trigger", "asound")
_PROC_HIDDEN = ("kcore", "keys", "latency_stats", "sched_debug", "timer_list")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


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


class Sandbox:
    """Starts sandboxes with one toolchain; holds no state between them, so threads may share it."""

    def __init__(self, *, toolchain: Toolchain, scratch: Path, cgroup: Path | None = None) -> None:
        """Prepare files under `scratch`; `cgroup` is a delegated version 2 cgroup with memory and pids, if there is one.

        Raises `SandboxUnavailable` on an unknown machine.
        """
        self.toolchain = toolchain
        self._cgroup = cgroup
        self._filter = seccomp.program()
        self._scratch = scratch
        self._etc = scratch / f"etc-{os.getpid()}-{secrets.token_hex(4)}"
        _fill_etc(self._etc)

    def probe(self) -> None:
        """Start a real sandbox, and raise `SandboxUnavailable` with the mend when this machine does not let us."""
        if not Path("/proc/thread-self/children").exists():
            raise SandboxUnavailable("/proc shows no children of processes; run a kernel with CONFIG_PROC_CHILDREN")
        empty = self._scratch / "empty"
        empty.mkdir(exist_ok=True)
        ran = self.run("id -u", tree=empty, writable=False, limits=Limits(wall_s=30))
        if ran.exit_code != 0 or ran.output.strip() != str(_UID).encode():
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
    ) -> Ran:
        """Run `argv` with `tree` mounted at /workspace; when this returns, every process inside is dead.

        Commands on one writable tree wait for each other. Only `setup` passes `layer_writable`.
        Raises `SandboxUnavailable` when the sandbox did not start, `SandboxError` on arguments that cannot be run.
        """
        _check_text(argv, env)
        started = time.monotonic()
        with ExitStack() as stack:
            if layer is not None:
                stack.enter_context(layer.held())
            if writable:
                stack.enter_context(_exclusive(tree))
                stack.enter_context(_mount_points(tree, layer))
            arguments = list(self._mounts(tree, layer, writable=writable, layer_writable=layer_writable))
            arguments += self._environment(layer, egress, env)
            arguments += ("--chdir", _inside(cwd))
            group = self._group(limits)
            if group is not None:
                stack.callback(group.remove)
            running = stack.enter_context(closing(self._start(arguments, argv, egress)))
            outcome = running.finish(limits, tree=tree, group=group, deadline=started + limits.wall_s)
        return Ran(
            exit_code=outcome.exit_code,
            output=outcome.output,
            truncated=outcome.truncated,
            timed_out=outcome.timed_out,
            seconds=time.monotonic() - started,
            note=outcome.note,
        )

    def _group(self, limits: Limits) -> Group | None:
        """What the kernel counts for this run: a delegated cgroup, else for root a counter of processes, else nothing."""
        if self._cgroup is not None:
            return Cgroup(self._cgroup, limits)
        return ProcessCounter(limits) if ProcessCounter.usable() else None

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

    def _mounts(self, tree: Path, layer: Layer | None, *, writable: bool, layer_writable: bool) -> Iterator[str]:
        yield from (
            "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup", "--unshare-net",
            "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--uid", str(_UID), "--gid", str(_UID),
            "--hostname", "sandbox", "--ro-bind", "/usr", "/usr",
        )  # fmt: skip
        for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
            path = Path("/", name)
            if path.is_symlink():
                yield from ("--symlink", str(path.readlink()), str(path))
            elif path.is_dir():
                yield from ("--ro-bind", str(path), str(path))
        yield from ("--ro-bind", str(self._etc), "/etc")
        yield from _proc()
        yield from ("--dev", "/dev")
        # Memory in these is no process's, so each has a size.
        for place in ("/tmp", "/dev/shm", _HOME):  # noqa: S108  # the sandbox's own
            yield from ("--perms", "1777" if place != _HOME else "0700", "--size", str(256 << 20), "--tmpfs", place)
        yield from ("--symlink", "/tmp", "/var/tmp")  # noqa: S108
        # After /tmp, since a prefix may lie below it.
        yield from self.toolchain.mounts()
        if layer is not None:
            yield from ("--bind" if layer_writable else "--ro-bind", str(layer.path), LAYER_INSIDE)
        yield from _workspace(tree, layer, writable=writable)
        yield from ("--remount-ro", "/dev", "--remount-ro", "/")

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


def _fill_etc(target: Path) -> None:
    """Copy the few files of /etc that a sandbox sees: one mount instead of twenty, each of which costs a fifth of a ms."""
    for name in _ETC:
        source = Path("/etc", name)
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target / name, symlinks=True, ignore_dangling_symlinks=True)
        elif source.exists():
            shutil.copyfile(source, target / name)
    for name, text in _ETC_FILES.items():
        (target / name).write_text(text, encoding="ascii")


def _proc() -> Iterator[str]:
    """Mount /proc without a way to the machine: what is global in it is read-only, or hidden where it tells too much."""
    yield from ("--proc", "/proc")
    for name in _PROC_READ_ONLY:
        if Path("/proc", name).exists():
            yield from ("--ro-bind", f"/proc/{name}", f"/proc/{name}")
    for name in _PROC_HIDDEN:
        if os.access(f"/proc/{name}", os.R_OK):  # most are root's alone
            yield from ("--ro-bind", "/dev/null", f"/proc/{name}")


def _workspace(tree: Path, layer: Layer | None, *, writable: bool) -> Iterator[str]:
    """Mount the tree, and over it what `setup` made; nobody can make a `.git` that a program outside would read."""
    names = () if layer is None else layer.mounted
    if writable:
        yield from ("--bind", str(tree), WORKSPACE)
        yield from ("--perms", "0555", "--size", "4096", "--tmpfs", f"{WORKSPACE}/.git")
        yield from ("--remount-ro", f"{WORKSPACE}/.git")
    elif not names:
        yield from ("--ro-bind", str(tree), WORKSPACE)
    else:
        # A shared read-only tree must not grow mount points, so its entries are mounted one by one.
        yield from ("--size", str(1 << 20), "--tmpfs", WORKSPACE)
        for path in sorted(tree.iterdir()):
            if path.is_symlink():
                yield from ("--symlink", str(path.readlink()), f"{WORKSPACE}/{path.name}")
            elif path.name not in names:
                yield from ("--ro-bind", str(path), f"{WORKSPACE}/{path.name}")
    if layer is not None:
        for name in names:
            yield from ("--ro-bind", str(layer.captured / name), f"{WORKSPACE}/{name}")
    if names and not writable:
        yield from ("--remount-ro", WORKSPACE)


@contextmanager
def _exclusive(tree: Path) -> Iterator[None]:
    """Hold the tree alone: removing a mount point while another sandbox has it mounted would unmask it there."""
    descriptor = os.open(tree, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _mount_points(tree: Path, layer: Layer | None) -> Iterator[None]:
    """Make the directories that are mounted over, and leave none of them behind."""
    names = [".git", *(() if layer is None else layer.mounted)]
    for name in names:
        path = tree / name
        if path.is_symlink() or (path.exists() and not stat.S_ISDIR(path.lstat().st_mode)):
            raise SandboxError(f"{name!r} in the workspace is not a directory; remove it, the sandbox mounts there")
        if name == ".git" and path.exists() and any(path.iterdir()):
            raise SandboxError("the workspace holds a .git directory; make workspaces from snapshots, without one")
        path.mkdir(exist_ok=True)
    try:
        yield
    finally:
        for name in names:
            if not any((tree / name).iterdir()):  # files that a tool wrote there from outside stay
                (tree / name).rmdir()


def _inside(cwd: str) -> str:
    parts = PurePosixPath(cwd)
    if parts.is_absolute() or ".." in parts.parts or "\0" in cwd:
        raise SandboxError(f"working directory {cwd!r} is not inside the workspace; give a relative path")
    return str(PurePosixPath(WORKSPACE) / parts)


def _check_text(argv: Sequence[str], env: Mapping[str, str]) -> None:
    if not argv or any("\0" in word for word in argv):
        raise SandboxError("a command is empty or holds a NUL; write it without")
    for name, value in env.items():
        if not _NAME.match(name) or "\0" in value:
            raise SandboxError(f"environment variable {name!r} cannot be set; use letters, digits and _")
