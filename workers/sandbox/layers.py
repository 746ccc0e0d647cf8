"""What a project's `setup` commands install, made once per base tree and mounted read-only into every sandbox after."""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from workers.sandbox.errors import SandboxError, SetupFailed, UnsafePath
from workers.sandbox.shelf import Shelf, locked
from workers.sandbox.trees import copy_tree, remove_tree
from workers.sandbox.watch import DEFAULT_LIMITS, Limits
from workers.sandbox.workspaces import read_bytes

if TYPE_CHECKING:
    from workers.sandbox.box import Sandbox
    from workers.sandbox.egress import EgressProxy

LAYER_INSIDE = "/layer"
_TAIL_CHARACTERS = 4000
_INSTALLED = ("node_modules", ".venv", "venv", "vendor", ".bundle", ".yarn", "*.egg-info")
# Outputs of building and testing: the next command in a workspace must be able to write them.
_WRITTEN = (
    "build",
    "dist",
    "out",
    "target",
    "tmp",
    "log",
    "coverage",
    "htmlcov",
    "__pycache__",
    ".*cache*",
    ".tox",
    ".nox",
)


def layer_environment() -> tuple[tuple[str, ...], Mapping[str, str]]:
    """Directories that come first on PATH, and variables that make installers write to /layer and programs read it."""
    return (f"{LAYER_INSIDE}/bin", f"{LAYER_INSIDE}/venv/bin"), {
        "VIRTUAL_ENV": f"{LAYER_INSIDE}/venv",
        "PYTHONUSERBASE": LAYER_INSIDE,
        "npm_config_prefix": LAYER_INSIDE,
        "GOPATH": f"{LAYER_INSIDE}/go",
        "CARGO_HOME": f"{LAYER_INSIDE}/cargo",
        "GEM_HOME": f"{LAYER_INSIDE}/gems",
    }


# What `python -m venv` does in seven seconds: it installs its bundled wheels with pip, where unpacking is enough.
# The project's packages come first on sys.path, then what the toolchain brings (pytest).
_PREPARE = """
import ensurepip, glob, os, sys, sysconfig, venv, zipfile
venv.create("/layer/venv", system_site_packages=True, symlinks=True)
version = "python" + sysconfig.get_python_version()
site = f"/layer/venv/lib/{version}/site-packages"
bundled = os.path.join(os.path.dirname(ensurepip.__file__), "_bundled")
wheels = [w for d in (bundled, "/usr/share/python-wheels") for w in glob.glob(d + "/*.whl")]
wanted = {os.path.basename(w).split("-")[0]: w for w in wheels if os.path.basename(w).startswith(("pip-", "setuptools-"))}
if "pip" not in wanted:
    sys.exit("this interpreter brings no pip wheel; install its ensurepip (Debian: python3-venv)")
for wheel in wanted.values():
    zipfile.ZipFile(wheel).extractall(site)
with open(site + "/_toolchain.pth", "w") as file:
    file.write(f"/opt/toolchain/lib/{version}/site-packages\\n")
os.makedirs("/layer/bin", exist_ok=True)
for name in ("pip", "pip3"):
    path = "/layer/venv/bin/" + name
    with open(path, "w") as file:
        file.write('#!/bin/sh\\nexec /layer/venv/bin/python -m pip "$@"\\n')
    os.chmod(path, 0o755)
"""
# Unset while installing, so that what is installed is compiled once and not at every start.
_WHILE_INSTALLING = {"PYTHONDONTWRITEBYTECODE": ""}


@dataclass(frozen=True, slots=True)
class LayerKey:
    """All that decides what a layer holds; `tree` is the base tree's sha, `toolchain` the toolchain's digest."""

    installation: int
    repository_id: int
    tree: str
    commands: tuple[str, ...]
    toolchain: str

    def digest(self) -> str:
        """Name the layer: sha256 over all fields."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Layer:
    """`path` is mounted at /layer; each of `mounted` is a directory in `captured`, mounted at its old place in the tree."""

    path: Path
    captured: Path
    mounted: tuple[str, ...]
    lock: Path | None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the layer from being dropped; raises `SandboxError` when that happened already."""
        if self.lock is None:  # still being made, under its maker's lock
            yield
            return
        with locked(self.lock, fcntl.LOCK_SH):
            if not self.path.is_dir():
                raise SandboxError("the setup layer was dropped from the cache; build it again")
            yield


def _by_shell(command: str) -> Sequence[str]:
    return ("/bin/bash", "-c", command)


class LayerCache:
    """Layers on one machine, bounded, made again when missing."""

    def __init__(self, root: Path, max_bytes: int) -> None:
        """Keep about `max_bytes` under `root`."""
        self._shelf = Shelf(root, max_bytes)

    def build(
        self,
        key: LayerKey,
        tree: Path,
        sandbox: Sandbox,
        egress: EgressProxy,
        *,
        limits: Limits = DEFAULT_LIMITS,
        env: Mapping[str, str] = {},
        argv: Callable[[str], Sequence[str]] = _by_shell,
    ) -> Layer:
        """Give the layer for `key`, running its commands once, in a copy of the base tree, with `egress` as only network.

        `env` and `argv` (how a command is started) are the caller's and no part of the key.
        Raises `SetupFailed` with the end of the output when a command fails; nothing of it is kept then.
        """
        digest = key.digest()
        started = [(command, argv(command)) for command in key.commands]
        fill = partial(_fill, commands=started, tree=tree, sandbox=sandbox, egress=egress, limits=limits, env=env)
        path = self._shelf.ensure(digest, fill)
        return _layer(path, self._shelf.lock_path(digest))


def _layer(root: Path, lock: Path | None) -> Layer:
    captured = root / "captured"
    return Layer(root / "layer", captured, tuple(sorted(p.name for p in captured.iterdir())), lock)


def _fill(
    building: Path,
    *,
    commands: Sequence[tuple[str, Sequence[str]]],
    tree: Path,
    sandbox: Sandbox,
    egress: EgressProxy,
    limits: Limits,
    env: Mapping[str, str],
) -> None:
    for name in ("layer", "captured"):
        (building / name).mkdir(mode=0o755)
    copy = building / "tree"
    copy_tree(tree, copy)
    layer = _layer(building, None)
    with egress.open() as door:
        for shown, argv in (("python -m venv", ("python", "-c", _PREPARE)), *commands):
            ran = sandbox.run_argv(
                argv,
                tree=copy,
                writable=True,
                layer=layer,
                layer_writable=True,
                protection=None,
                limits=limits,
                egress=door,
                env={**env, **_WHILE_INSTALLING},
            )
            if ran.exit_code != 0:
                text = ran.output.decode("utf-8", "replace")[-_TAIL_CHARACTERS:]
                raise SetupFailed(shown, ran.exit_code, f"{text}\n{ran.note}".strip())
    for name in _new_directories(tree, copy):
        (copy / name).rename(building / "captured" / name)
    remove_tree(copy)


def _new_directories(base: Path, after: Path) -> Iterator[str]:
    """Name directories at the top that `setup` made, that git ignores, and that nobody has to write afterwards."""
    ignored = (*_INSTALLED, *_ignored_names(base))
    before = {entry.name for entry in base.iterdir()}
    for entry in sorted(after.iterdir()):
        name = entry.name
        is_new = name not in before and entry.is_dir() and not entry.is_symlink()
        if is_new and _matches(name, ignored) and not _matches(name, _WRITTEN):
            yield name


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _ignored_names(base: Path) -> list[str]:
    """Read the plain lines of the top .gitignore: those that name one entry, with or without slashes around."""
    try:
        text = read_bytes(base, ".gitignore", limit=1 << 16).decode("utf-8", "replace")
    except (FileNotFoundError, UnsafePath):  # none, or a link: then only well-known names count
        return []
    names = (line.strip().strip("/") for line in text.splitlines())
    return [name for name in names if name and name[0] not in "#!" and "/" not in name]
