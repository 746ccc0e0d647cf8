"""The interpreter that projects are tested with: read-only, and without anything that Conductor itself needs or holds."""

from __future__ import annotations

import compileall
import hashlib
import os
import py_compile
import shutil
import stat
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from workers.sandbox.errors import ToolchainInvalid

INSIDE = "/opt/toolchain"
ALLOWED_ROOTS = (Path("/opt"), Path("/usr"))
"""Where a toolchain that a repository's configuration names may live; an operator can name others."""

# `python -m pytest` would put the working directory on sys.path, which `pytest` does not; the project's own
# interpreter (a layer's) must run it, hence `python` from PATH.
_PYTEST = """#!/bin/sh
exec python -c 'import sys
sys.path[:] = [p for p in sys.path if p]
sys.argv[0] = "pytest"
from pytest import console_main
sys.exit(console_main())' "$@"
"""

# Runs inside a sandbox that has egress, before the command: it opens the listening socket in the sandbox's own network
# namespace and hands it to the proxy outside, so no process stays behind and the sandbox keeps no way to the host.
_HANDOVER = """import os, socket, sys
channel = socket.socket(fileno=int(sys.argv[1]))
listener = socket.create_server(("127.0.0.1", int(sys.argv[2])), backlog=64)
socket.send_fds(channel, [b"L"], [listener.fileno()])
assert channel.recv(1) == b"K"
channel.close()
listener.close()
os.execvp(sys.argv[3], sys.argv[3:])
"""


@dataclass(frozen=True, slots=True)
class Toolchain:
    """What a sandbox mounts besides the system: `root` at /opt/toolchain, the interpreter's prefix, and `extra`.

    `masked` are directories that are replaced by empty ones (site-packages of the interpreter, Conductor's environment);
    `digest` names all of it in cache keys.
    """

    root: Path
    interpreter: Path
    prefix: Path
    masked: tuple[Path, ...]
    digest: str
    extra: Path | None = None

    @staticmethod
    def build(
        scratch: Path, *, extra: str | Path | None = None, allowed_roots: Sequence[Path] = ALLOWED_ROOTS
    ) -> Toolchain:
        """Make the toolchain directory under `scratch` once, and reuse it afterwards.

        `extra` is `sandbox.toolchain`: a prefix, under one of `allowed_roots`, whose `bin` comes before ours on PATH.
        Raises `ToolchainInvalid` when pytest is not installed beside Conductor or `extra` may not be mounted.
        """
        checked = None if extra is None else _checked(Path(extra), allowed_roots)
        prefix = Path(sys.base_prefix).resolve()
        interpreter = prefix / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
        if not interpreter.exists():
            raise ToolchainInvalid(f"no interpreter at {interpreter}; install Python with its bin directory")
        wanted = {d.metadata["Name"]: d for d in _with_dependencies("pytest")}
        identity = [sys.version, str(prefix), _PYTEST, _HANDOVER, *(f"{n}=={d.version}" for n, d in wanted.items())]
        base = hashlib.sha256("\0".join(identity).encode()).hexdigest()
        root = scratch / f"toolchain-{base[:16]}"
        if not root.exists():
            _fill(root, interpreter, tuple(wanted.values()))
        digest = base if checked is None else hashlib.sha256(f"{base}\0{_stamp(checked)}".encode()).hexdigest()
        return Toolchain(root, interpreter, prefix, _masked(prefix), digest, checked)

    def binaries(self) -> tuple[str, ...]:
        """Directories that go on PATH, first ones first."""
        first = () if self.extra is None else (f"{self.extra}/bin",)
        return (*first, f"{INSIDE}/bin")

    def places(self) -> Iterator[str]:
        """Directories outside of /usr that are mounted at their own place."""
        for source in (self.prefix, self.extra):
            if source is not None and not _within(source, Path("/usr")):
                yield str(source)

    def mounts(self) -> Iterator[str]:
        """Arguments for bubblewrap, after /usr is mounted."""
        yield from ("--ro-bind", str(self.root), INSIDE)
        for place in self.places():
            yield from ("--ro-bind", place, place)
        for path in self.masked:
            # Its owner inside could write into it: a page of private memory, gone with the sandbox.
            yield from ("--size", "4096", "--perms", "0555", "--tmpfs", str(path))


def _within(path: Path, root: Path) -> bool:
    return path == root or root in path.parents


def _checked(extra: Path, allowed_roots: Sequence[Path]) -> Path:
    """The value comes from a repository, so it may not name a directory that the operator did not set aside."""
    if not extra.is_absolute() or "\0" in str(extra):
        raise ToolchainInvalid(f"sandbox.toolchain {str(extra)!r} is not an absolute path; write one")
    real = extra.resolve()
    roots = [root.resolve() for root in allowed_roots]
    if real in roots or not any(_within(real, root) for root in roots):
        allowed = ", ".join(map(str, roots))
        raise ToolchainInvalid(f"sandbox.toolchain {str(extra)!r} is outside {allowed}; install it under one of them")
    if not (real / "bin").is_dir():
        raise ToolchainInvalid(f"sandbox.toolchain {str(extra)!r} has no bin directory; name the prefix above it")
    status = real.stat()
    if status.st_uid not in {0, os.geteuid()} or status.st_mode & stat.S_IWOTH:
        raise ToolchainInvalid(f"sandbox.toolchain {str(extra)!r} can be written by others; give it to root")
    return real


def _stamp(extra: Path) -> str:
    status = (extra / "bin").stat()
    return f"{extra}:{status.st_mtime_ns}:{status.st_ino}"


def _masked(prefix: Path) -> tuple[Path, ...]:
    """Conductor's packages may live in the interpreter's own site-packages, or in an environment below /usr."""
    names = {"base": str(prefix), "platbase": str(prefix), "installed_base": str(prefix)}
    found = {Path(sysconfig.get_path(kind, "posix_prefix", names)) for kind in ("purelib", "platlib")}
    own = Path(sys.prefix).resolve()
    if own != prefix and any(_within(own, seen) for seen in (prefix, Path("/usr"))):
        found.add(own)
    return tuple(sorted(path for path in found if path.is_dir()))


def _with_dependencies(name: str) -> list[metadata.Distribution]:
    """List a distribution and what it needs; extras do not count, and what is absent under a marker is not needed here."""
    found: dict[str, metadata.Distribution] = {}
    waiting = [(name, False)]
    while waiting:
        current, conditional = waiting.pop()
        if current.lower() in found:
            continue
        try:
            found[current.lower()] = distribution = metadata.distribution(current)
        except metadata.PackageNotFoundError as error:
            if conditional:
                continue
            raise ToolchainInvalid(
                f"{current} is not installed beside Conductor; run: pip install {current}"
            ) from error
        for requirement in distribution.requires or ():
            needed, _, marker = requirement.partition(";")
            if "extra" not in marker:
                bare = "".join(c if c.isalnum() or c in "-_." else " " for c in needed).split()[0]
                waiting.append((bare, bool(marker)))
    return [found[key] for key in sorted(found)]


def _fill(root: Path, interpreter: Path, distributions: Sequence[metadata.Distribution]) -> None:
    """Lay out a virtual environment by hand: no package installer runs, and nothing but these packages is in it."""
    root.parent.mkdir(parents=True, exist_ok=True)
    building = root.with_name(f"{root.name}.{os.getpid()}.tmp")
    site = building / "lib" / interpreter.name / "site-packages"
    site.mkdir(parents=True)
    for distribution in distributions:
        _copy_package(distribution, site)
    compileall.compile_dir(site, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    (building / "bin").mkdir()
    for name in ("python", "python3", interpreter.name):
        (building / "bin" / name).symlink_to(interpreter)
    (building / "pyvenv.cfg").write_text(
        f"home = {interpreter.parent}\ninclude-system-site-packages = false\n", encoding="utf-8"
    )
    pytest = building / "bin" / "pytest"
    pytest.write_text(_PYTEST, encoding="utf-8")
    pytest.chmod(0o755)
    (building / "handover.py").write_text(_HANDOVER, encoding="utf-8")
    try:
        building.rename(root)
    except OSError:  # another worker was faster, with the same content
        shutil.rmtree(building)
        if not root.exists():
            raise


def _copy_package(distribution: metadata.Distribution, site: Path) -> None:
    for file in distribution.files or ():
        if ".." in file.parts or "__pycache__" in file.parts:  # scripts of another environment; caches are made anew
            continue
        target = site / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(str(distribution.locate_file(file)), target)
