"""What the contract tests of the simulated GitHub share: a GitHub with one issue, githubkit as the App, and a receiver."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from githubkit import AppAuthStrategy, GitHub
from githubkit.cache import MemCacheStrategy

from bot.simulator.github.faults import Fault
from bot.simulator.github.server import SimulatedGitHub

APP_ID = 4711
SECRET = "not a secret of anybody"
OWNER, REPO = "acme", "calc"
FILES: Mapping[str, Any] = {
    "calc.py": "def add(a, b):\n    return a - b\n",
    "docs/read me.md": "# calc\n",
    "bin/run": ("100755", "#!/bin/sh\n"),
    ".github/workflows/ci.yml": "on: push\n",
}


@functools.cache
def private_key() -> str:
    """One key for all tests: making one takes a tenth of a second."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


@contextmanager
def simulated(faults: list[Fault] | None = None, files: Any = FILES, **options: Any) -> Iterator[SimulatedGitHub]:
    """A GitHub with the repository acme/calc, ana (maintain), mallory (read) and issue 7."""
    with SimulatedGitHub(
        app_id=APP_ID, webhook_secret=SECRET, private_key_pem=private_key(), faults=faults or [], **options
    ) as github:
        github.add_repository(f"{OWNER}/{REPO}", files)
        github.add_person("ana", "maintain")
        github.add_person("mallory", "read")
        github.open_issue(7, "add() subtracts", "It says 1 + 1 = 0.", "mallory")
        yield github


def app(github: SimulatedGitHub, key: str | None = None) -> Any:
    """githubkit as the App itself (JWT)."""
    return GitHub(
        AppAuthStrategy(str(APP_ID), key or github.private_key_pem),
        base_url=github.url,
        http_cache=False,
        auto_retry=False,
        timeout=20,
        cache_strategy=MemCacheStrategy(),
    )


def installed(github: SimulatedGitHub, **scope: Any) -> Any:  # githubkit names methods `list`, which mypy misreads
    """githubkit as the installation."""
    client = app(github)
    return client.with_auth(client.auth.as_installation(github.installation_id, **scope))


def token(github: SimulatedGitHub, **scope: Any) -> str:
    """An installation token."""
    client = app(github)
    answer = client.rest.apps.create_installation_access_token(github.installation_id, **scope)
    return str(answer.parsed_data.token)


@dataclass
class Received:
    """One delivery as it came."""

    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """A webhook receiver that keeps what it gets and answers `status`."""

    url: str = ""
    status: int = 202
    got: list[Received] = field(default_factory=list)

    @property
    def events(self) -> list[str]:
        """The event names in order of arrival."""
        return [one.headers["x-github-event"] for one in self.got]


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver on loopback."""
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.got.append(Received({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(kept.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (http.server's name)
            """Tests print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    kept.url = f"http://127.0.0.1:{server.server_address[1]}/webhooks/github"
    try:
        yield kept
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
