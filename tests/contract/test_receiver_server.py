"""The web process as it runs: uvicorn, both databases, real connections."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.adapters.storage import InboxWriter, SqlStorage
from bot.bootstrap import build
from bot.domain.errors import SettingsError
from bot.ports.queue import Nudge
from bot.settings import Process, Settings
from bot.web.app import Readiness, WebApp, make_app, make_pages, make_server, serve
from bot.web.group_commit import GroupCommit
from bot.web.receiver import BODY_LIMIT, PATH, Receiver
from tests.contract.databases import KINDS, HeardNudges, empty_url, fresh_url
from tests.harness.services import end_process, free_port
from tests.unit.receiver_calls import BODY, SECRET, FixedClock, headers_of


@dataclass
class Web:
    """A server and what stands behind it."""

    port: int
    storage: SqlStorage
    queue: HeardNudges

    def get(self, path: str) -> tuple[int, dict[str, str], str]:
        return self.request("GET", path)

    def deliver(self, body: bytes = BODY, more: dict[str, str | bytes | None] | None = None) -> int:
        headers = {name.decode(): value.decode() for name, value in headers_of(body, more)}
        return self.request("POST", PATH, body, headers)[0]

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], str]:
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            link.request(method, path, body, headers or {})
            answer = link.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        finally:
            link.close()


@contextmanager
def web_on(url: str) -> Iterator[Web]:
    """The application over one database, with a queue that remembers."""
    queue = HeardNudges()
    storage = SqlStorage(url, queue, busy_ms=500)
    inbox = GroupCommit(lambda: InboxWriter(url, busy_ms=500), queue)
    app = WebApp(Receiver(SECRET, inbox, FixedClock()), make_pages(inbox, Readiness(storage, inbox)))
    port = free_port()
    server = make_server(app, "127.0.0.1", port)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        yield Web(port, storage, queue)
    finally:
        server.should_exit = True
        thread.join()
        storage.close()


@pytest.fixture(params=KINDS)
def web(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Web]:
    with web_on(fresh_url(request.param, tmp_path)) as running:
        yield running


def test_every_acknowledged_delivery_is_in_the_database(web: Web) -> None:
    def one(number: int) -> tuple[str, bytes, int]:
        body = json.dumps({"number": number, "text": "ä\u2028" * 50}).encode()
        return f"n-{number}", body, web.deliver(body, more={"x-github-delivery": f"n-{number}"})

    with ThreadPoolExecutor(16) as pool:
        answered = list(pool.map(one, range(100)))
    assert {status for _, _, status in answered} == {202}
    with web.storage.read() as tx:
        for name, body, _ in answered:
            stored = tx.deliveries.get(name)
            assert stored is not None
            assert (stored.body, stored.event, stored.state) == (body, "issues", "received")


def test_the_same_delivery_from_many_sides_is_one_row_and_one_wake_up(web: Web) -> None:
    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(lambda _: web.deliver(), range(64))) == {202}
    with web.storage.read() as tx:
        assert tx.deliveries.known(["d1"]) == {"d1"}
    # The wake-up follows the acknowledgement; the next delivery's follows this one's.
    assert web.deliver(more={"x-github-delivery": "d2"}) == 202
    while (Nudge.ROUTE, "d2", "") not in web.queue.heard:
        time.sleep(0.01)
    assert web.queue.heard == [(Nudge.ROUTE, "d1", ""), (Nudge.ROUTE, "d2", "")]


def test_a_dead_delivery_is_armed_again_by_a_redelivery(web: Web) -> None:
    assert web.deliver() == 202
    with web.storage.begin() as tx:
        assert tx.deliveries.claim("d1", owner="w", now=1 << 60, lease_ms=1)
        tx.deliveries.settle("d1", fence=1, state="dead", reason="boom")
    assert web.deliver() == 202
    with web.storage.read() as tx:
        stored = tx.deliveries.get("d1")
    assert stored is not None
    assert (stored.state, stored.attempts, stored.reason) == ("received", 0, "")


def test_wrong_requests_over_a_real_connection(web: Web) -> None:
    assert web.deliver(more={"x-hub-signature-256": "sha256=" + "0" * 64}) == 401
    assert web.deliver(b"[]") == 400
    assert web.request("GET", PATH)[0] == 405
    assert web.request("POST", PATH + "/", BODY)[0] == 404
    assert web.deliver(b'{"a": "' + b"x" * (BODY_LIMIT - 8) + b'"}') == 413
    with socket.create_connection(("127.0.0.1", web.port), timeout=60) as link:
        raw = b"".join(
            name + b": " + value + b"\r\n" for name, value in headers_of(BODY, {"x-hub-signature-256": b"\xe4\xff"})
        )
        link.sendall(
            f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(BODY)}\r\n".encode() + raw + b"\r\n" + BODY
        )
        assert link.recv(4096).startswith(b"HTTP/1.1 401 ")
    with web.storage.read() as tx:
        assert tx.deliveries.due(1 << 60, 10) == []


def test_health_readiness_and_nothing_about_runs(web: Web) -> None:
    assert web.get("/healthz")[0::2] == (200, '{"status":"ok"}')
    assert web.get("/readyz")[0::2] == (200, '{"status":"ready"}')
    assert web.get("/")[0] == 200
    for path in ("/runs", "/runs/R1", "/docs", "/redoc", "/openapi.json", "/webhooks", "/../etc/passwd"):
        assert web.get(path)[0] == 404
    for path in ("/", "/healthz", "/runs/R1"):
        headers = web.get(path)[1]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")
        assert (headers["referrer-policy"], headers["cache-control"]) == ("no-referrer", "no-store")
        assert "server" not in headers


@pytest.mark.parametrize("kind", KINDS)
def test_without_its_tables_nothing_is_ready_and_nothing_is_acknowledged(kind: str, tmp_path: Path) -> None:
    with web_on(empty_url(kind, tmp_path)) as web:
        status, _, text = web.get("/readyz")
        assert status == 503
        assert "migrated" in text
        assert "SELECT" not in text
        assert web.get("/healthz")[0] == 200
        assert web.deliver() == 503


def test_a_database_that_is_away_is_a_503() -> None:
    with web_on(f"postgresql+psycopg://nobody:secretword@127.0.0.1:{free_port()}/none") as web:
        assert web.deliver() == 503
        status, _, text = web.get("/readyz")
        assert status == 503
        assert "secretword" not in text


def test_a_locked_database_is_a_503_and_then_mends(tmp_path: Path) -> None:
    with web_on(fresh_url("sqlite", tmp_path)) as web:
        with web.storage.begin():
            assert web.deliver() == 503
        assert web.deliver() == 202


def settings(tmp_path: Path, secret: str | None = SECRET) -> Settings:
    return Settings(
        process=Process.WEB,
        data=tmp_path,
        artifacts=tmp_path / "artifacts",
        database_url=f"sqlite:///{tmp_path}/web.db",
        broker_url="memory://",
        webhook_secret=SecretStr(secret) if secret is not None else None,
    )


@pytest.mark.parametrize("secret", [None, ""])
def test_a_web_process_without_a_secret_does_not_start(tmp_path: Path, secret: str | None) -> None:
    parts = build(settings(tmp_path, secret))
    try:
        with pytest.raises(SettingsError, match="CONDUCTOR_WEBHOOK_SECRET"):
            make_app(parts)
    finally:
        parts.storage.close()


PROCESS = """
import sys
from pathlib import Path
from bot.bootstrap import build
from bot.web.app import make_app, serve
from tests.contract.test_receiver_server import settings
serve(make_app(build(settings(Path(sys.argv[1])))), "127.0.0.1", int(sys.argv[2]))
print("cleaned up")
"""


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_process_ends_on_a_signal_and_its_caller_cleans_up(tmp_path: Path, ending: signal.Signals) -> None:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(tmp_path), str(port)],
        cwd=Path(__file__).parents[2],
        env={"PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    try:
        storage = SqlStorage(f"sqlite:///{tmp_path}/web.db", HeardNudges())
        web = Web(port, storage, HeardNudges())
        _await_health(web, process)
        assert web.deliver() == 202
        process.send_signal(ending)
        out, _ = process.communicate(timeout=60)
        assert (process.returncode, out) == (0, b"cleaned up\n")
        with storage.read() as tx:
            assert tx.deliveries.known(["d1"]) == {"d1"}
        storage.close()
    finally:
        end_process(process)


def _await_health(web: Web, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            if web.get("/healthz")[0] == 200:
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the web process ended at its start")


def test_a_taken_port_is_said_in_a_sentence(tmp_path: Path) -> None:
    parts = build(settings(tmp_path))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"127.0.0.1:{port}"):
            serve(make_app(parts), "127.0.0.1", port)
    parts.storage.close()
