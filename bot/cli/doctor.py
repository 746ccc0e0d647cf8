"""`conductor doctor`: what a process needs on this machine, what is missing, and how to mend it. A real sandbox is started."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from bot.cli.showing import AsJson, as_json, say
from bot.domain.errors import ConductorError, UserError

if TYPE_CHECKING:
    from bot.settings import Process, Settings

# Which programs each process starts.
PROGRAMS: Final[dict[str, tuple[str, ...]]] = {
    "up": ("git", "bwrap"),
    "web": (),
    "control": ("git",),
    "agents": ("git", "bwrap"),
    "github": ("git",),
    "beat": (),
}
PACKAGE_OF: Final = {"git": "git", "bwrap": "bubblewrap"}
SECRET_MENDS: Final = {
    "CONDUCTOR_WEBHOOK_SECRET": ("webhook secret", "set it to the App's webhook secret (`conductor setup` stores it)"),
    "CONDUCTOR_APP_PRIVATE_KEY": (
        "app key",
        "set it to the App's private key in PEM form (`conductor setup` stores it)",
    ),
    "ANTHROPIC_API_KEY": ("model key", "set it to a key of the model's API"),
}
OLDEST_PYTHON: Final = (3, 11)
BROKER_SECONDS: Final = 5
PORT_OF: Final = {"redis": 6379, "rediss": 6379, "amqp": 5672, "amqps": 5671}
SHORTEST_SECRET: Final = 32
"""Characters of a webhook secret; anybody may try to guess it (docs/deployment.md)."""

State = Literal["ok", "warning", "missing"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked; ``said`` is a sentence with its mend, or what was found when all is well."""

    name: str
    state: State = "ok"
    said: str = ""


class Warned(UserError):
    """Worth saying, and no reason to stop."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(
    process: Annotated[
        str, typer.Option(help="Whose needs: up, web, control, agents, github or beat; else what the environment fits.")
    ] = "",
    json: AsJson = False,
) -> None:
    """Check what a process needs, and say how to mend what is missing. Exit 1 when something is."""
    chosen = process or fitting(os.environ)
    if chosen not in PROGRAMS:
        raise UserError(f"{process!r} is no process: it is {', '.join(PROGRAMS)}", {"process": process})
    found = list(examine(chosen))
    if json:
        checks = [{"name": one.name, "state": one.state, "said": one.said} for one in found]
        as_json({"process": chosen, "ok": all(one.state != "missing" for one in found), "checks": checks})
    else:
        say(f"What `conductor {'worker ' if chosen in {'control', 'agents', 'github'} else ''}{chosen}` needs:")
        say("\n".join(f"{one.state:9}{one.name:16}{one.said}".rstrip() for one in found))
    if any(one.state == "missing" for one in found):
        raise typer.Exit(1)


def fitting(environment: Mapping[str, str]) -> str:
    """The process that an environment is made for: with a broker the one whose secret it holds, else all in one."""
    from bot.settings import REQUIRED

    if environment.get("CONDUCTOR_BROKER_URL", "memory:").startswith("memory:"):
        return "up"
    held = [one for one, names in REQUIRED.items() if one != "up" and any(_given(name, environment) for name in names)]
    return held[0].value if len(held) == 1 else "up" if held else "control"


def _given(name: str, environment: Mapping[str, str]) -> bool:
    return bool(environment.get(name) or environment.get(f"{name}_FILE"))


def examine(process: str) -> Iterator[Finding]:
    """Every check of a process, in the order in which one would mend them."""
    from bot.settings import REQUIRED, Process, from_environment

    yield _asked("python", _python)
    yield _asked("user", _user)
    lacking = [name for name in REQUIRED.get(Process(process), ()) if not _given(name, os.environ)]
    for name in lacking:
        title, mend = SECRET_MENDS[name]
        yield Finding(title, "missing", f"{name} is not set: {mend}, or set {name}_FILE to a file that holds it")
    settings: Settings | None = None
    try:
        # What lacks was told above; with something in its place the rest of the settings can be judged too.
        settings = from_environment(Process(process), os.environ | dict.fromkeys(lacking, "-"))
    except ConductorError as error:
        yield Finding("settings", "missing", error.sentence)
        with contextlib.suppress(ConductorError):
            # Said already; what a shell can read of them is still worth a check.
            settings = from_environment(Process.SHELL)
    else:
        yield Finding("settings")
    yield _asked("policies", lambda: _policies(settings))
    if settings is not None and settings.prices:
        yield _asked("prices", lambda: _prices(settings.prices, settings.model_name))
    for program in PROGRAMS[process]:
        yield _asked(program, lambda program=program: _program(program))  # type: ignore[misc]  # a default binds now
    if settings is not None:
        yield from _of_settings(settings)
        yield from _of_secrets(settings, lacking)
    if "bwrap" in PROGRAMS[process]:
        cgroup = settings.cgroup if settings is not None else None
        yield _asked("cgroup", lambda: _cgroup(cgroup))
        yield _asked("sandbox", lambda: _sandbox(cgroup))


def _of_settings(settings: Settings) -> Iterator[Finding]:
    from bot.settings import Process

    yield _asked("public URL", lambda: _public(settings.public_url))
    for name, directory in (("data", settings.data), ("artifacts", settings.artifacts)):
        if directory in settings.directories:
            yield _asked(name, lambda directory=directory: _writable(directory))  # type: ignore[misc]  # a default binds now
    yield _asked("database", lambda: _database(settings.database_url))
    if settings.process not in {Process.UP, Process.SHELL}:
        yield _asked("database user", lambda: _database_user(settings.database_url, settings.process))
    yield _asked("broker", lambda: _broker(settings.broker_url))


def _of_secrets(settings: Settings, lacking: Sequence[str]) -> Iterator[Finding]:
    if settings.webhook_secret is not None and "CONDUCTOR_WEBHOOK_SECRET" not in lacking:
        secret = settings.webhook_secret.get_secret_value()
        yield _asked("webhook secret", lambda: _webhook_secret(secret))
    if settings.app_private_key is not None and "CONDUCTOR_APP_PRIVATE_KEY" not in lacking:
        key = settings.app_private_key.get_secret_value()
        yield _asked("app key", lambda: _key(key))


def _asked(name: str, ask: Callable[[], str | None]) -> Finding:
    """What a check says; an error of the system is a finding too, never a trace."""
    try:
        return Finding(name, "ok", ask() or "")
    except Warned as warning:
        return Finding(name, "warning", warning.sentence)
    except ConductorError as error:
        return Finding(name, "missing", error.sentence)
    except OSError as error:
        sentence = f"{error.filename or name}: {error.strerror or error}; check that it is there and ours to use"
        return Finding(name, "missing", sentence)


def _python() -> str:
    found = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] < OLDEST_PYTHON:
        raise UserError(f"this is Python {found}: run Conductor on {'.'.join(map(str, OLDEST_PYTHON))} or later")
    return found


def _user() -> None:
    if os.geteuid() == 0:
        raise Warned(
            "this is root, whose errors reach the whole machine: run each process as an unprivileged user of its own"
        )


def _program(name: str) -> str:
    import shutil

    found = shutil.which(name)
    if found is None:
        package = PACKAGE_OF[name]
        raise UserError(f"{name} is not on PATH: install the package {package} (apt-get install {package})")
    return found


def _policies(settings: Settings | None) -> str:
    from bot.policy.decide import PolicySet

    return f"{len(PolicySet.load(settings.policies if settings is not None else None).ids)} policies"


def _prices(prices: Mapping[str, object], model: str) -> str:
    from bot.domain.money import shipped_prices

    shipped_prices().override(prices).of(model)
    return ", ".join(sorted(prices))


def _public(url: str) -> None:
    from urllib.parse import urlsplit

    if not url:
        raise Warned("CONDUCTOR_PUBLIC_URL is not set: set it to the https address under which people reach Conductor")
    if urlsplit(url).scheme != "https":
        raise UserError(f"CONDUCTOR_PUBLIC_URL is {url!r}: it must be an https URL", {"url": url})


def _writable(directory: Path) -> str:
    import tempfile

    nearest = next(one for one in (directory, *directory.parents) if one.exists())
    if nearest == directory:
        with tempfile.NamedTemporaryFile(dir=directory):
            return str(directory)
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(f"{directory} is not there and {nearest} is not ours to write: create it for this user")
    return f"{directory} (is made at the first start)"


def _database(url: str) -> None:
    from bot.bootstrap import records_problem

    problem = records_problem(url)
    if problem:
        raise Warned(
            f"{problem}: `conductor migrate` brings it to this release's schema, or the first process whose user may"
        )


def _database_user(url: str, process: Process) -> str:
    """Whether the user has the rights of its process and no other (least authority; DESIGN section 3)."""
    from bot.bootstrap import records_problem, standing_of

    if records_problem(url):
        return "no rights can be compared yet"
    found = standing_of(url, process)
    if found is None:
        return "SQLite knows no users: whoever reads the file may do everything"
    if found.less:
        raise UserError(
            f"the database user {found.user} lacks {_some(found.less)}: make it a member of conductor_{process} and of no other role (deploy/postgres/users.sh), and run `conductor migrate` as the owner"
        )
    if found.more:
        raise Warned(
            f"the database user {found.user} has more rights than the {process} process needs ({_some(found.more)}): give it a user that is a member of conductor_{process} alone (deploy/postgres/users.sh)"
        )
    return f"{found.user} has the rights of {process} alone"


def _some(words: Sequence[str]) -> str:
    return ", ".join(words[:4]) + (f" and {len(words) - 4} more" if len(words) > 4 else "")


def _broker(url: str) -> str:
    import socket
    from urllib.parse import urlsplit

    if url.startswith("memory:"):
        return "in memory, for one process"
    parts = urlsplit(url)
    try:
        port = parts.port or PORT_OF.get(parts.scheme, 0)
    except ValueError:
        port = 0
    if not parts.hostname or not port:
        # The URL may hold a password, so it is not repeated.
        raise UserError("CONDUCTOR_BROKER_URL names no host and port: write it as redis://127.0.0.1:6379/0")
    try:
        with socket.create_connection((parts.hostname, port), timeout=BROKER_SECONDS):
            return f"somebody listens at {parts.hostname}:{port}"
    except OSError as error:
        raise UserError(
            f"nothing answers at {parts.hostname}:{port} ({error.strerror or error}): start the broker, or correct CONDUCTOR_BROKER_URL"
        ) from error


def _webhook_secret(secret: str) -> None:
    if len(secret) < SHORTEST_SECRET:
        raise UserError(
            f"the webhook secret has {len(secret)} characters, and {SHORTEST_SECRET} are the fewest: set a random one here and on the App's settings page"
        )


def _key(pem: str) -> None:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise UserError(
            "CONDUCTOR_APP_PRIVATE_KEY is no private key in PEM form: download it again from the App's settings page"
        ) from error


def _cgroup(parent: Path | None) -> str:
    from workers.sandbox.watch import DEFAULT_LIMITS, Cgroup

    if parent is None:
        raise Warned(
            "CONDUCTOR_CGROUP is not set: memory of a sandbox is counted 40 times a second and not bounded by the kernel; name a delegated cgroup (docs/deployment.md)"
        )
    Cgroup(parent, DEFAULT_LIMITS).remove()
    return f"{parent} bounds memory and processes"


def _sandbox(cgroup: Path | None) -> str:
    import tempfile

    from workers.sandbox.box import Sandbox
    from workers.sandbox.toolchain import Toolchain

    with tempfile.TemporaryDirectory(prefix="conductor-doctor-") as name:
        scratch = Path(name)
        toolchain = Toolchain.build(scratch / "toolchain")
        Sandbox(toolchain=toolchain, scratch=scratch / "sandboxes", cgroup=cgroup).probe()
    return "a command ran in one"
