"""Least authority of our own processes: what each refuses to hold, and what whoever reaches the broker cannot make it do.

That no process of a running App holds another's secret is seen in /proc by tests/flows/test_topologies.py; here the search
that it uses is shown to find what is there.
"""

from __future__ import annotations

import base64
import json
import os
import pickle
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import redis
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.adapters.celery_queue import make_celery
from bot.adapters.storage import migrate
from bot.domain.errors import SettingsError
from bot.ports.queue import Nudge
from bot.settings import FOREIGN, SECRETS, Process, Settings, checked, from_environment
from tests.harness import holdings
from tests.harness.holdings import Needles, forms_of
from tests.harness.services import RedisServer
from workers.app import ALIVE, QUEUES
from workers.tasks import TASKS

APART: Final = (Process.WEB, Process.CONTROL, Process.AGENTS, Process.GITHUB, Process.BEAT)
OWN: Final = {
    Process.WEB: "CONDUCTOR_WEBHOOK_SECRET",
    Process.AGENTS: "ANTHROPIC_API_KEY",
    Process.GITHUB: "CONDUCTOR_APP_PRIVATE_KEY",
}
PEM: Final = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----"


def _fitting(process: Process, **more: str) -> dict[str, str]:
    """An environment with which the process starts."""
    own = {OWN[process]: "its-own"} if process in OWN else {}
    return {"CONDUCTOR_BROKER_URL": "redis://127.0.0.1:1/0", "CONDUCTOR_APP_ID": "1", **own, **more}


# Nobody holds what is another's


@pytest.mark.parametrize("process", APART)
@pytest.mark.parametrize("name", [*SECRETS, *FOREIGN])
def test_a_process_starts_with_its_own_secret_and_with_no_other(process: Process, name: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("of-somebody\n")
    given = [{name: "of-somebody"}] + ([{f"{name}_FILE": str(file)}] if name in SECRETS else [])
    for more in given:
        if process in {**SECRETS, **FOREIGN}[name]:
            assert from_environment(process, _fitting(process) | more).process is process
            continue
        with pytest.raises(SettingsError, match=f"the {process} process must not hold {name}: unset it") as refused:
            from_environment(process, _fitting(process) | more)
        assert "of-somebody" not in refused.value.sentence


@pytest.mark.parametrize(
    ("value", "holder"),
    [
        (PEM, Process.GITHUB),
        ("sk-ant-api03-abcdefghij", Process.AGENTS),
        ("ghp_" + "a1B2" * 9, None),
        ("https://x:github_pat_" + "a1B2" * 9 + "@github.com", None),
    ],
)
def test_a_secret_is_known_by_its_shape_under_any_name(value: str, holder: Process | None) -> None:
    for process in APART:
        environment = _fitting(process, SOME_VARIABLE=value)
        if process is holder:
            assert from_environment(process, environment).process is process
            continue
        with pytest.raises(SettingsError, match="as SOME_VARIABLE has: unset it") as refused:
            from_environment(process, environment)
        assert value not in refused.value.sentence
    assert from_environment(Process.SHELL, {"SOME_VARIABLE": value}).held == {}


@pytest.mark.parametrize("process", APART)
def test_settings_with_anothers_secret_are_refused_wherever_they_come_from(process: Process, tmp_path: Path) -> None:
    plain = {
        "data": tmp_path,
        "artifacts": tmp_path,
        "database_url": "sqlite:///x",
        "broker_url": "redis://r",
        "app_id": 1,
    }
    for field, owner in (
        ("webhook_secret", Process.WEB),
        ("model_key", Process.AGENTS),
        ("app_private_key", Process.GITHUB),
    ):
        settings = Settings(process=process, **plain, **{field: "a-secret"})
        if process is owner:
            assert checked(settings) is settings
        else:
            with pytest.raises(SettingsError, match="must not hold"):
                checked(settings)


def test_the_password_of_the_database_may_come_apart_from_its_url(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("p@ss/wörd:of-control\n")
    environment = _fitting(Process.CONTROL, CONDUCTOR_DATABASE_PASSWORD_FILE=str(file))
    url = "postgresql+psycopg://conductor_control_user@db:5432/conductor"
    settings = from_environment(Process.CONTROL, environment | {"CONDUCTOR_DATABASE_URL": url})
    assert settings.database_url == url.replace("@", ":p%40ss%2Fw%C3%B6rd%3Aof-control@")
    assert settings.held["database-password"] == "p@ss/wörd:of-control"
    for wrong in ("", "postgresql+psycopg://db/conductor", url.replace("@", ":given@")):
        with pytest.raises(SettingsError, match="a user and no password"):
            from_environment(Process.CONTROL, environment | {"CONDUCTOR_DATABASE_URL": wrong})


# The search in /proc


def test_the_search_finds_a_secret_wherever_a_process_holds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holdings, "PIECE", 1 << 16)
    named = {where: secrets.token_hex(20) for where in ("environ", "cmdline", "memory", "nowhere")}
    # Many copies, so that some lie across the border of two pieces.
    holding = "import sys; kept = sys.stdin.readline().strip() * 40_000; print('ready', flush=True); sys.stdin.read()"
    child = subprocess.Popen(
        [sys.executable, "-c", holding, named["cmdline"]],
        env={"A_SECRET": named["environ"]},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(base64.b64encode(named["memory"].encode()) + b"\n")
        child.stdin.flush()
        assert child.stdout.readline() == b"ready\n"
        needles = Needles(named.items())
        assert needles.held_by(child.pid, "environ") == {"environ"}
        assert needles.held_by(child.pid, "cmdline") == {"cmdline"}
        assert "memory" in needles.held_by(child.pid, "memory")
        assert "nowhere" not in needles.held_by(child.pid, "memory")
        length = len(base64.b64encode(named["memory"].encode()))
        whole = sum(piece.count(base64.b64encode(named["memory"].encode())) for piece in holdings.memory_of(child.pid))
        overlapping = sum(
            piece.count(base64.b64encode(named["memory"].encode()))
            for piece in holdings.memory_of(child.pid, length - 1)
        )
        assert whole < overlapping
        assert child.pid in holdings.children_of(os.getpid())[os.getpid()]
        child.stdin.close()
    assert needles.held_by(child.pid, "memory") == set()


def test_a_private_key_is_found_as_text_and_as_numbers() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()
    needles = Needles([("key", pem)])
    prime = key.private_numbers().p.to_bytes(128)
    for held in (pem.encode(), json.dumps(pem).encode(), prime, prime[::-1]):
        assert needles.within(b"xx" + held + b"yy") == {"key"}
    assert needles.within(pem.splitlines()[0].encode()) == set()
    assert needles.within(key.public_key().public_numbers().n.to_bytes(256)) == set()
    assert len(forms_of(pem)) > 20


# Whoever reaches the broker


def test_workers_know_the_tasks_of_their_process_alone() -> None:
    assert TASKS[Process.AGENTS] == {Nudge.PERFORM}
    assert Nudge.DISPATCH not in TASKS[Process.CONTROL]
    assert TASKS[Process.GITHUB] == {Nudge.PERFORM, Nudge.DISPATCH}
    assert set(TASKS) == set(QUEUES)


class Touch:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@contextmanager
def _control_worker(folder: Path, broker: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """`conductor worker control` of a simulation, taking messages; and its log."""
    file, log = folder / "control.settings.json", folder / "control.log"
    url = f"sqlite:///{folder / 'records.db'}"
    migrate(url)
    given = {"data": str(folder), "artifacts": str(folder), "database_url": url, "broker_url": broker}
    file.touch(mode=0o600)
    file.write_text(json.dumps(given))
    with log.open("wb") as sink:
        child = subprocess.Popen(
            [sys.executable, "-m", "bot.cli.simulated", "control", str(file), "0"],
            stdin=subprocess.PIPE,
            stdout=sink,
            stderr=sink,
        )
    with child:
        try:
            yield child, log
        finally:
            child.terminate()


def _taken(client: redis.Redis, queue: str) -> None:
    """Wait until a queue is empty and nothing of it is under way."""
    end = time.monotonic() + 60
    while client.llen(queue) or client.hlen("unacked"):
        assert time.monotonic() < end, "messages were not taken"
        time.sleep(0.02)


def test_whoever_reaches_the_broker_can_neither_steer_a_worker_nor_have_it_run_other_than_its_tasks(
    tmp_path: Path,
) -> None:
    with RedisServer() as server, _control_worker(tmp_path, server.url) as (worker, log):
        client = redis.Redis.from_url(server.url)
        app = make_celery(server.url)
        made = tmp_path / "made by a pickle"
        app.conf.accept_content = ["json", "pickle"]
        app.send_task("conductor.sweep", args=[""], queue="control")
        app.send_task("conductor.advance", args=[Touch(made)], queue="control", serializer="pickle")
        app.send_task("conductor.dispatch", args=["1"], queue="control")
        app.send_task("celery.map", args=[{"task": "conductor.sweep"}, ["", ""]], queue="control")
        app.send_task("conductor.route", args=[{"a": ["dictionary"]}, 7], kwargs={"and": "more"}, queue="control")
        _taken(client, "control")
        # Asked as an operator would ask: nobody listens.
        assert app.control.inspect(timeout=0.5).ping() is None
        app.control.shutdown()
        app.send_task("conductor.advance", args=["no such run"], queue="control")
        _taken(client, "control")
        assert worker.poll() is None
        assert not made.exists()
        assert pickle.loads(pickle.dumps(Touch(made))) is None
        assert made.exists(), "a pickle that is read makes the file"
        assert client.keys("*celery*pidbox*") == []
        assert (tmp_path / ALIVE).exists()
        said = log.read_text("utf-8")
        client.close()
        app.close()
    for refused in ("conductor.dispatch", "celery.map", "pickle"):
        assert refused in said
