"""The App as child processes: one (`embedded`), or one each over a real Redis, on SQLite or PostgreSQL (DESIGN section 11)."""

from __future__ import annotations

import atexit
import functools
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeAlias

import sqlalchemy as sa

from bot.adapters.storage.authority import add_login
from bot.domain.errors import InternalError
from bot.simulator.services import PostgresServer, RedisServer, end_process, free_port
from workers.sandbox.toolchain import Toolchain

TopologyName: TypeAlias = Literal["embedded", "sqlite", "postgres"]
SPLIT: Final = ("web", "control", "agents", "github", "beat")
START_SECONDS: Final = 90.0
SECRETS_OF: Final = {
    "up": ("webhook_secret", "app_private_key", "model_key"),
    "web": ("webhook_secret",),
    "github": ("app_private_key",),
    "agents": ("model_key",),
    "control": (),
    "beat": (),
}


@dataclass(slots=True)
class Topology:
    """The App's processes. ``settings``: what all share; ``secrets``: handed to those alone that may hold them.

    ``replicas``: how many of a process there are where it is not one; the second one is named ``agents.2``. On PostgreSQL
    each kind of process has a database user of its own; the records' owner is nobody's but whoever reads the report.
    """

    name: TopologyName
    directory: Path
    settings: dict[str, Any]
    secrets: dict[str, str]
    replicas: Mapping[str, int] = field(default_factory=dict)
    port: int = 0
    _stack: ExitStack = field(default_factory=ExitStack)
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _redis: RedisServer | None = None
    _postgres: PostgresServer | None = None
    _database_urls: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        """Start the services and every process, and wait until deliveries would be stored."""
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # All are asked before the first is waited for.
        for child in self._processes.values():
            if child.poll() is None:
                child.terminate()
        self._stack.close()

    @property
    def url(self) -> str:
        """Where the web process answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def database_url(self) -> str:
        """The records."""
        return str(self.settings["database_url"])

    def _start(self) -> None:
        self.port = free_port()
        room = Path(self.settings["data"], "agents")
        room.mkdir(parents=True)
        (room / "toolchain").symlink_to(_toolchains())
        if self.name == "embedded":
            self.settings |= {"database_url": f"sqlite:///{self.directory / 'conductor.db'}", "broker_url": "memory://"}
            self._spawn("up")
        else:
            self._redis = self._stack.enter_context(RedisServer())
            database = f"sqlite:///{self.directory / 'conductor.db'}"
            if self.name == "postgres":
                self._postgres = self._stack.enter_context(PostgresServer())
                database = self._postgres.new_database()
                self._database_urls = _users_of(database)
            self.settings |= {"database_url": database, "broker_url": self._redis.url}
            for process in SPLIT:
                self._spawn(process)
                for number in range(2, self.replicas.get(process, 1) + 1):
                    self._spawn(f"{process}.{number}")
        self._await_ready()

    def _spawn(self, name: str) -> None:
        process = name.partition(".")[0]
        file = self.directory / f"{name}.settings.json"
        given = self.settings | {name: self.secrets[name] for name in SECRETS_OF[process]}
        given["database_url"] = self._database_urls.get(process, self.database_url)
        file.touch(mode=0o600)
        file.write_text(json.dumps(given), "utf-8")
        log = (self.directory / f"{name}.log").open("ab")
        # Nothing is inherited: a scenario's App must not find a key of whoever runs it.
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(self.directory),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
        }
        if "COVERAGE_PROCESS_START" in os.environ:
            environment["COVERAGE_PROCESS_START"] = os.environ["COVERAGE_PROCESS_START"]
        root = Path(__file__).parents[2]
        child = subprocess.Popen(
            [sys.executable, "-m", "bot.cli.simulated", process, str(file), str(self.port)],
            cwd=root,
            env=environment,
            # Its end is closed with us, however we go; the App then ends too.
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
        )
        log.close()
        if name not in self._processes:
            self._stack.callback(self._end, name)
        self._processes[name] = child

    def _end(self, name: str) -> None:
        child = self._processes[name]
        # A process that is halted would not hear that it is to end.
        child.send_signal(signal.SIGCONT)
        end_process(child)
        if child.stdin is not None:
            child.stdin.close()

    def _await_ready(self) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            self.check()
            if self._answers() and self._workers_ready():
                return
            time.sleep(0.05)
        raise InternalError(f"the App was not ready after {START_SECONDS:.0f} s: {self.logs()}")

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:  # noqa: S310 - our own loopback address
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def _workers_ready(self) -> bool:
        return all(self._is_ready(name) for name in self._processes if name not in {"up", "web", "beat"})

    def _is_ready(self, name: str) -> bool:
        return "ready" in (self.directory / f"{name}.log").read_text("utf-8", "replace")

    def check(self) -> None:
        """Raise when a process has died by itself."""
        for name, child in self._processes.items():
            if child.poll() is not None:
                raise InternalError(f"the App's process {name} ended with {child.returncode}: {self.logs()}")

    def kill(self, process: str) -> None:
        """SIGKILL a process and start it again; in `embedded` there is only the one."""
        self.kill_and_go_on(self._name(process))
        self._await_ready()

    def kill_and_go_on(self, *names: str) -> None:
        """SIGKILL those processes, then start all of them again, without waiting until they are ready."""
        for name in names:
            self._processes[name].kill()
        for name in names:
            self._processes[name].wait()
            self._again(name)

    def restart(self, process: str, *, seconds: float) -> int:
        """SIGTERM a process, start it again and answer its exit code. Raises ``subprocess.TimeoutExpired`` when it goes on."""
        name = self._name(process)
        self._processes[name].terminate()
        code = self._processes[name].wait(seconds)
        self._again(name)
        self._await_ready()
        return code

    def halt(self, name: str) -> int:
        """SIGSTOP a process until `go_on`; its id."""
        child = self._processes[name]
        child.send_signal(signal.SIGSTOP)
        return child.pid

    def go_on(self, name: str, pid: int) -> None:
        """SIGCONT, unless another process has taken its place since."""
        child = self._processes[name]
        if child.pid == pid:
            child.send_signal(signal.SIGCONT)

    def supervise(self) -> dict[str, int]:
        """Start again whatever has ended by itself, as a supervisor does in production; its name and exit code."""
        ended = {name: child.returncode for name, child in self._processes.items() if child.poll() is not None}
        for name in ended:
            self._again(name)
        return ended

    def names(self, process: str = "") -> list[str]:
        """The processes of a kind, or all."""
        return [name for name in self._processes if process in {"", name.partition(".")[0]}]

    def pid(self, name: str) -> int:
        """A process's id."""
        return self._processes[name].pid

    def descendants(self, name: str) -> Iterator[int]:
        """Ids of what a process started, and of what that started: workers' sandboxes and git."""
        yield from _descendants(self.pid(name))

    def _name(self, process: str) -> str:
        return "up" if self.name == "embedded" else process

    def _again(self, name: str) -> None:
        pipe = self._processes[name].stdin
        if pipe is not None:
            pipe.close()
        log = self.directory / f"{name}.log"
        with (self.directory / f"{name}.before.log").open("ab") as before:
            before.write(log.read_bytes())
        # What the dead one wrote must not pass for the new one's word that it is ready.
        log.unlink()
        self._spawn(name)

    def restart_broker(self) -> None:
        """SIGKILL Redis, which keeps nothing, and start it on the same port; in `embedded` there is none."""
        if self._redis is not None:
            self._redis.restart()

    def restart_database(self) -> None:
        """End PostgreSQL as `pg_ctl -m immediate` does and start it on the same files; SQLite has no server."""
        if self._postgres is not None:
            self._postgres.restart()

    def flush_broker(self) -> None:
        """Everything that Redis holds is gone; in `embedded` there is no broker to flush."""
        if self._redis is not None:
            self._redis.flush()

    def whole_logs(self) -> str:
        """Everything that the processes wrote, one after the other."""
        return "".join(one.read_text("utf-8", "replace") for one in sorted(self.directory.glob("*.log")))

    def logs(self) -> str:
        """The last lines that the processes wrote."""
        found = []
        for name in self._processes:
            files = (self.directory / f"{name}{part}.log" for part in (".before", ""))
            text = "".join(one.read_text("utf-8", "replace") for one in files if one.exists())
            found.append(f"[{name}] " + text[-3_000:])
        return "\n".join(found)


def _descendants(pid: int) -> Iterator[int]:
    try:
        children = [
            int(one) for task in Path(f"/proc/{pid}/task").iterdir() for one in (task / "children").read_text().split()
        ]
    except (FileNotFoundError, ProcessLookupError):
        # It has ended while we looked.
        return
    for child in children:
        yield child
        yield from _descendants(child)


def _users_of(database: str) -> dict[str, str]:
    """Bring an empty PostgreSQL database to this release's schema, as its owner; each process's own URL into it."""
    from bot.bootstrap import migrate_records

    migrate_records(database)
    owner, urls = sa.make_url(database), {}
    engine = sa.create_engine(owner)
    with engine.begin() as connection:
        for process in SPLIT:
            user, password = f"{process}_of_{owner.database}", secrets.token_hex(16)
            add_login(connection, process, user, password)
            urls[process] = owner.set(username=user, password=password).render_as_string(hide_password=False)
    engine.dispose()
    return urls


@functools.cache
def _toolchains() -> Path:
    """Where the Apps of this process find the sandboxes' toolchain: filled once, while the first App starts."""
    folder = Path(tempfile.mkdtemp(prefix="conductor-toolchain-"))
    filling = threading.Thread(target=Toolchain.build, args=(folder,), name="toolchain", daemon=True)
    filling.start()

    def remove() -> None:
        filling.join()
        shutil.rmtree(folder)

    atexit.register(remove)
    return folder
