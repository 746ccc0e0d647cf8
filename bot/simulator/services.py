"""Real Redis and PostgreSQL servers on free loopback ports, for the simulator's topologies and for tests.

Both keep their files in a fresh directory that goes with them, listen on 127.0.0.1 only and are ended by process id.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypedDict

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 15.0
POSTGRES_BINARIES: Final = Path("/usr/lib/postgresql")
# initdb and postgres refuse to run as root; Debian's package creates the first, every system has the second.
UNPRIVILEGED_USERS: Final = ("postgres", "nobody")
# The reply bytes come from the Redis protocol (RESP): a simple string.
_PING: Final = b"*1\r\n$4\r\nPING\r\n"
_PONG: Final = b"+PONG\r\n"


class ServiceError(RuntimeError):
    """A server that the topology needs could not be found, started or prepared; the sentence says which and why."""


def free_port() -> int:
    """A TCP port on 127.0.0.1 that is free now, below those that systems give to connections, which come by the hundred.

    Raises ServiceError when a thousand were taken.
    """
    for _ in range(1_000):
        port = 12_000 + secrets.randbelow(20_000)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise ServiceError("no port of 127.0.0.1 between 12000 and 32000 was free: end what holds them and try again")


def end_process(process: subprocess.Popen[bytes], *, first: signal.Signals = signal.SIGTERM) -> None:
    """Ends one process by its id: `first`, then SIGKILL after STOP_SECONDS; returns when it is gone."""
    if process.poll() is not None:
        return
    process.send_signal(first)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _tail(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").splitlines() if log.is_file() else []
    return " / ".join(lines[-5:]) or "it said nothing"


def _await_ready(name: str, process: subprocess.Popen[bytes], log: Path, ready: Callable[[], bool]) -> None:
    """Waits until `ready` answers true; raises ServiceError when the process ends or START_SECONDS pass."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        code = process.poll()
        if code is not None:
            raise ServiceError(f"{name} ended at start with code {code}: {_tail(log)}")
        if ready():
            return
        time.sleep(0.02)
    raise ServiceError(f"{name} did not answer within {START_SECONDS:.0f} seconds: {_tail(log)}")


class RedisServer:
    """A redis-server without persistence: `with RedisServer() as redis: redis.url`.

    Raises ServiceError when redis-server is not installed or does not start.
    """

    def __init__(self) -> None:
        self.port = 0
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The server's first database as a URL that redis-py and Celery read."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """The server's process id; raises ServiceError before the start."""
        if self._process is None:
            raise ServiceError("redis-server is not running: enter the context first")
        return self._process.pid

    def answers(self) -> bool:
        """Asks PING; a refused or broken connection is a plain no, as the server may still be starting."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as link:
                link.sendall(_PING)
                return link.recv(64) == _PONG
        except OSError:
            return False

    def flush(self) -> None:
        """Loses every message and key, as a broker without persistence does when it restarts."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as link:
            link.sendall(b"*1\r\n$8\r\nFLUSHALL\r\n")
            if (answer := link.recv(64)) != b"+OK\r\n":
                raise ServiceError(f"redis-server refused FLUSHALL: {answer!r}")

    def __enter__(self) -> Self:
        self._directory = Path(tempfile.mkdtemp(prefix="conductor-redis-"))
        self.port = free_port()
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def restart(self) -> None:
        """SIGKILL, then a new server on the same port, which knows nothing of what the old one held."""
        if self._process is None:
            raise ServiceError("redis-server cannot be started again: enter the context first")
        self._process.kill()
        self._process.wait()
        self._start()

    def _start(self) -> None:
        binary = shutil.which("redis-server")
        if binary is None:
            raise ServiceError("redis-server was not found on PATH: install the package redis-server")
        if self._directory is None:
            raise ServiceError("redis-server has no directory: enter the context first")
        log = self._directory / "redis.log"
        arguments = [binary, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._directory)]
        arguments += ["--save", "", "--appendonly", "no", "--daemonize", "no", "--protected-mode", "yes"]
        with log.open("wb") as sink:
            self._process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True
            )
        _await_ready("redis-server", self._process, log, self.answers)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the server and removes its directory; a second call does nothing."""
        if self._process is not None:
            end_process(self._process)
            self._process = None
        if self._directory is not None:
            shutil.rmtree(self._directory)
            self._directory = None


def postgres_binaries() -> Path:
    """Finds the newest directory that holds both initdb and postgres.

    Debian's directories come first: a program named postgres on PATH may be a wrapper. Raises ServiceError when there is
    none.
    """
    versions = (path for path in POSTGRES_BINARIES.glob("*/bin") if path.parent.name.isdigit())
    candidates = sorted(versions, key=lambda path: int(path.parent.name), reverse=True)
    if (found := shutil.which("initdb")) is not None:
        candidates.append(Path(found).resolve().parent)
    for candidate in candidates:
        if (candidate / "initdb").is_file() and (candidate / "postgres").is_file():
            return candidate
    raise ServiceError(f"PostgreSQL was not found under {POSTGRES_BINARIES} or on PATH: install the package postgresql")


def _unprivileged() -> pwd.struct_passwd | None:
    """The user that runs PostgreSQL: None for the current one, which is right unless it is root."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED_USERS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise ServiceError(f"PostgreSQL does not run as root and none of the users {UNPRIVILEGED_USERS} exists")


class PostgresServer:
    """A PostgreSQL with fsync on and one empty database: `with PostgresServer() as postgres: postgres.url`.

    `new_database()` adds further empty databases, so that many tests can share one server. Raises ServiceError when
    PostgreSQL is not installed or does not start.
    """

    USER: Final = "conductor"

    def __init__(self) -> None:
        self.port = 0
        self._password = secrets.token_hex(16)
        self._binaries: Path | None = None
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The database `conductor` as a SQLAlchemy URL for psycopg 3."""
        return self.url_of("conductor")

    def url_of(self, database: str) -> str:
        """The named database as a SQLAlchemy URL for psycopg 3."""
        return f"postgresql+psycopg://{self.USER}:{self._password}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        """The postmaster's process id; raises ServiceError before the start."""
        if self._process is None:
            raise ServiceError("postgres is not running: enter the context first")
        return self._process.pid

    def answers(self) -> bool:
        """Asks pg_isready, which needs no password; anything but "accepting connections" is a no."""
        arguments = [str(self._binary("pg_isready")), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(arguments, check=False, stdin=subprocess.DEVNULL).returncode == 0

    def new_database(self) -> str:
        """Creates an empty database with a name of its own and returns its URL."""
        name = f"c_{secrets.token_hex(8)}"
        self._create(name)
        return self.url_of(name)

    def __enter__(self) -> Self:
        self._binaries = postgres_binaries()
        # Outside $TMPDIR: a private temporary directory of root cannot be entered by the unprivileged user.
        self._directory = Path(tempfile.mkdtemp(prefix="conductor-postgres-", dir="/tmp"))
        try:
            self._initialise()
            self.port = free_port()
            self._start()
            self._create("conductor")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the server (fast shutdown) and removes its directory; a second call does nothing."""
        if self._process is not None:
            # SIGINT is PostgreSQL's fast shutdown: SIGTERM would wait for clients to leave.
            end_process(self._process, first=signal.SIGINT)
            self._process = None
        if self._directory is not None:
            shutil.rmtree(self._directory)
            self._directory = None

    def restart(self) -> None:
        """Immediate shutdown, by which every transaction under way is lost and recovery runs, then a start on the same files."""
        if self._process is None:
            raise ServiceError("postgres cannot be started again: enter the context first")
        # SIGQUIT of the postmaster: its children go with it, so that the new one finds the shared memory free.
        end_process(self._process, first=signal.SIGQUIT)
        self._start()

    def _binary(self, name: str) -> Path:
        if self._binaries is None:
            raise ServiceError(f"{name} cannot run: enter the context of PostgresServer first")
        return self._binaries / name

    def _home(self) -> Path:
        if self._directory is None:
            raise ServiceError("PostgresServer has no directory: enter its context first")
        return self._directory

    def _initialise(self) -> None:
        home, user = self._home(), _unprivileged()
        password = home / "password"
        password.write_text(self._password, "ascii")
        password.chmod(0o600)
        if user is not None:
            for path in (home, password):
                os.chown(path, user.pw_uid, user.pw_gid)
        arguments = [str(self._binary("initdb")), "-D", str(home / "data"), "-U", self.USER, "-A", "scram-sha-256"]
        arguments += [f"--pwfile={password}", "-E", "UTF8", "--locale=C", "--no-instructions"]
        done = subprocess.run(
            arguments,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd=home,
            env=self._environment(),
            **_as_user(user),
        )
        if done.returncode != 0:
            raise ServiceError(f"initdb ended with code {done.returncode}: {done.stderr.decode('utf-8', 'replace')}")

    def _start(self) -> None:
        home = self._home()
        log = home / "postgres.log"
        arguments = [str(self._binary("postgres")), "-D", str(home / "data"), "-p", str(self.port)]
        for setting in (
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=on",
            "synchronous_commit=on",
            "max_connections=200",
        ):
            arguments += ["-c", setting]
        with log.open("ab") as sink:
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                cwd=home,
                env=self._environment(),
                start_new_session=True,
                **_as_user(_unprivileged()),
            )
        _await_ready("postgres", self._process, log, self.answers)

    def _create(self, database: str) -> None:
        arguments = [str(self._binary("createdb")), "-h", "127.0.0.1", "-p", str(self.port), "-U", self.USER, "-w"]
        environment = {**self._environment(), "PGPASSWORD": self._password}
        done = subprocess.run(
            [*arguments, database], check=False, stdin=subprocess.DEVNULL, capture_output=True, env=environment
        )
        if done.returncode != 0:
            raise ServiceError(f"createdb {database} failed: {done.stderr.decode('utf-8', 'replace')}")

    def _environment(self) -> dict[str, str]:
        """A small environment: settings such as PGHOST or PGDATA of the caller must not steer this server."""
        return {"PATH": os.defpath, "LC_ALL": "C", "HOME": str(self._home())}


class _AsUser(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


def _as_user(user: pwd.struct_passwd | None) -> _AsUser:
    """Arguments that make subprocess drop root to `user`, its supplementary groups included."""
    if user is None:
        return {}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
