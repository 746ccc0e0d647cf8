"""The root directory that every sandbox of one toolchain starts from: prepared once, mounted once, and read-only.

Each mount costs bubblewrap a look through the whole mount table, so what can be a file or a link here is no mount there.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import weakref
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from workers.sandbox.layers import LAYER_INSIDE
from workers.sandbox.shelf import locked
from workers.sandbox.toolchain import INSIDE, Toolchain
from workers.sandbox.trees import DIRECTORY, directory, remove_tree

WORKSPACE: Final = "/workspace"
HOME: Final = "/home/agent"
UID: Final = 1000
_PLACES: Final = ("/usr", "/proc", "/dev", "/tmp", "/var", HOME, WORKSPACE, LAYER_INSIDE, INSIDE)  # noqa: S108  # the sandbox's own
_LIBRARIES: Final = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
# Only what programs need to find users, certificates and libraries; never all of /etc (and not /etc/ssl/private).
_ETC: Final = (
    "alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "protocols", "services",
    "ssl/certs", "ssl/openssl.cnf", "pki/tls/certs", "pki/ca-trust/extracted", "ca-certificates",
)  # fmt: skip
_ETC_FILES: Final = {
    "passwd": f"agent:x:{UID}:{UID}:agent:{HOME}:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "group": f"agent:x:{UID}:\nnogroup:x:65534:\n",
    "hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}
# A worker that is root owns the kernel's switches in the sandbox too (the user namespace maps its id), and bubblewrap leaves
# /proc/sys as it is: writing /proc/sys/kernel/core_pattern there runs a program outside. Lists as in the OCI defaults.
_PROC_READ_ONLY: Final = ("sys", "mtrr", "sysrq-trigger")
_PROC_EMPTIED: Final = ("bus", "fs", "irq", "pressure", "scsi", "acpi", "asound")
_PROC_HIDDEN: Final = ("cmdline", "kcore", "keys", "latency_stats", "sched_debug", "timer_list")


class Claimed:
    """A new directory below `scratch` that stays while this object, or a process forked from this one, lives.

    Who claims the next one removes those that nobody holds. A lock tells, since process ids mean nothing to the next
    container that gets the same disk.
    """

    def __init__(self, scratch: Path, kind: str = "sandbox") -> None:
        """Remove what was left of this `kind`, and make the directory."""
        scratch.mkdir(parents=True, exist_ok=True)
        with locked(scratch / f"{kind}.lock", fcntl.LOCK_EX):
            for left in scratch.glob(f"{kind}-*"):
                _remove_unless_held(left)
            self.path = scratch / f"{kind}-{secrets.token_hex(8)}"
            self.path.mkdir()
            descriptor = os.open(self.path, DIRECTORY)
            weakref.finalize(self, os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_SH)


def _remove_unless_held(left: Path) -> None:
    with ExitStack() as stack:
        try:
            descriptor = stack.enter_context(directory(left))
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, FileNotFoundError):  # held, or removed by who held it
            return
        remove_tree(left)


class Skeleton:
    """One directory, and the mounts that make a root of it."""

    def __init__(self, path: Path, toolchain: Toolchain) -> None:
        """Make the directory."""
        self.path = path
        self._toolchain = toolchain
        for place in (*_PLACES, *toolchain.places()):
            Path(f"{self.path}{place}").mkdir(parents=True, exist_ok=True)
        (self.path / "var" / "tmp").symlink_to("/tmp")  # noqa: S108  # the sandbox's own
        self._directories: list[str] = []
        for name in _LIBRARIES:
            path = Path("/", name)
            if path.is_symlink():
                (self.path / name).symlink_to(path.readlink())
            elif path.is_dir():
                (self.path / name).mkdir()
                self._directories.append(str(path))
        _fill_etc(self.path / "etc")

    def mounts(self) -> Iterator[str]:
        """Arguments for bubblewrap: all but the workspace and a layer."""
        yield from ("--ro-bind", str(self.path), "/")
        for path in ("/usr", *self._directories):
            yield from ("--ro-bind", path, path)
        yield from _proc()
        yield from ("--dev", "/dev")
        # Memory in these is no process's, so each has a size.
        for place in ("/tmp", "/dev/shm", HOME):  # noqa: S108  # the sandbox's own
            yield from ("--perms", "1777" if place != HOME else "0700", "--size", str(256 << 20), "--tmpfs", place)
        yield from ("--remount-ro", "/dev")
        # After /tmp, since a prefix may lie below it.
        yield from self._toolchain.mounts()


def _fill_etc(target: Path) -> None:
    target.mkdir()
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
    """Mount /proc without a way to the machine: what is global in it is read-only, empty, or hidden where it tells too much.

    What stays readable tells about the machine as `uname` does (version, cpuinfo, meminfo): programs size themselves by it.
    A process's own mountinfo names the directories outside that its mounts come from; no mount can cover it, and nothing
    can be reached by those names.
    """
    yield from ("--proc", "/proc")
    for name in _PROC_EMPTIED:
        if Path("/proc", name).is_dir():
            yield from ("--perms", "0555", "--size", "4096", "--tmpfs", f"/proc/{name}")
    for name in _PROC_READ_ONLY:
        if Path("/proc", name).exists():
            yield from ("--ro-bind", f"/proc/{name}", f"/proc/{name}")
    for name in _PROC_HIDDEN:
        if os.access(f"/proc/{name}", os.R_OK):  # most are root's alone
            yield from ("--ro-bind", "/dev/null", f"/proc/{name}")
