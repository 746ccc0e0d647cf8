"""Getting ready and getting started: what a simulated process refuses, what setup stores, what the doctor finds."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.cli import setup as setting_up
from bot.cli.simulated import read
from bot.domain.errors import SettingsError
from bot.settings import Process
from tests.harness.shell import conductor

GITHUB_ANSWERS: dict[str, Any] = {
    "id": 4242,
    "pem": "-----BEGIN RSA PRIVATE KEY-----\nmade for this test\n-----END RSA PRIVATE KEY-----\n",
    "webhook_secret": "given-by-github",
    "html_url": "https://github.com/apps/conductor-of-acme",
}


def _settings(folder: Path, **more: Any) -> Path:
    file = folder / "settings.json"
    given = {
        "data": str(folder),
        "artifacts": str(folder),
        "database_url": f"sqlite:///{folder / 'x.db'}",
        "broker_url": "redis://127.0.0.1:1/0",
        "github_url": "http://127.0.0.1:2",
        "model_url": "https://api.anthropic.com",
    }
    file.write_text(json.dumps(given | more))
    file.chmod(0o600)
    return file


def _private_key() -> str:
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kind, plain = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    return made.private_bytes(serialization.Encoding.PEM, kind, plain).decode()


def test_a_simulated_process_speaks_to_this_machine_alone(tmp_path: Path) -> None:
    assert read(Process.CONTROL, _settings(tmp_path)).simulation
    for name in ("github_url", "model_url"):
        with pytest.raises(SettingsError, match="a simulation speaks to no other host"):
            read(Process.CONTROL, _settings(tmp_path, **{name: "http://example.org"}))


def test_a_simulated_process_wants_a_file_of_its_own(tmp_path: Path) -> None:
    file = _settings(tmp_path)
    link = tmp_path / "link.json"
    link.symlink_to(file)
    with pytest.raises(OSError, match="symbolic links"):
        read(Process.CONTROL, link)
    file.chmod(0o640)
    with pytest.raises(SettingsError, match="chmod 600"):
        read(Process.CONTROL, file)


def test_a_simulated_process_says_in_one_sentence_why_it_does_not_start(tmp_path: Path) -> None:
    file = _settings(tmp_path)
    file.chmod(0o644)
    for arguments in (["control", str(file), "1"], ["nobody", str(file), "1"], ["control"]):
        done = subprocess.run(
            [sys.executable, "-m", "bot.cli.simulated", *arguments],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 1
        assert "Traceback" not in done.stderr


def test_no_production_start_leads_into_a_simulation() -> None:
    answered = conductor(
        "web",
        environment={
            "CONDUCTOR_WEBHOOK_SECRET": "secret",
            "CONDUCTOR_BROKER_URL": "redis://127.0.0.1:1/0",
            "CONDUCTOR_GITHUB_URL": "http://127.0.0.1:9",
            "CONDUCTOR_SIMULATION": "1",
        },
    )
    assert (answered.code, answered.out) == (2, "")
    assert "it must be an https URL" in answered.err


@pytest.mark.parametrize("process", [("up",), ("web",), ("worker", "agents"), ("worker", "github")])
def test_a_process_without_its_secret_does_not_start(process: tuple[str, ...]) -> None:
    answered = conductor(*process)
    assert answered.code == 2
    assert re.match(r"conductor: the \w+ process needs \w+", answered.err)


@pytest.mark.parametrize(
    ("process", "foreign"),
    [
        (("web",), "ANTHROPIC_API_KEY"),
        (("worker", "control"), "CONDUCTOR_WEBHOOK_SECRET"),
        (("worker", "agents"), "CONDUCTOR_APP_PRIVATE_KEY"),
        (("worker", "github"), "ANTHROPIC_API_KEY"),
        (("beat",), "CONDUCTOR_APP_PRIVATE_KEY"),
    ],
)
def test_a_process_that_is_given_anothers_secret_does_not_start(process: tuple[str, ...], foreign: str) -> None:
    answered = conductor(*process, environment={foreign: "a-secret-of-another"})
    assert answered.code == 2
    assert f"must not hold {foreign}" in answered.err
    assert "a-secret-of-another" not in answered.err


def test_setup_makes_a_page_that_creates_the_app_with_our_address(tmp_path: Path) -> None:
    answered = conductor(
        "setup", "--public-url", "https://bots.acme.org/", "--organization", "acme", "--directory", str(tmp_path / "s")
    )
    assert answered.code == 0
    page = (tmp_path / "s" / "create-app.html").read_text()
    assert 'action="https://github.com/organizations/acme/settings/apps/new?state=' in page
    found = re.search(r'name="manifest" value="([^"]*)"', page)
    assert found is not None
    manifest = json.loads(unescape(found[1]))
    assert manifest["hook_attributes"]["url"] == "https://bots.acme.org/webhooks/github"
    assert manifest["default_permissions"]["contents"] == "write"
    assert "example.com" not in page


def test_setup_stores_what_github_answers_where_only_we_can_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def post(url: str, **_: Any) -> httpx.Response:
        asked.append(url)
        return httpx.Response(201, json=GITHUB_ANSWERS)

    monkeypatch.setattr(httpx, "post", post)
    answered = conductor("setup", "--code", "abcdef0123456789", "--directory", str(tmp_path / "s"))
    assert answered.code == 0, answered.err
    assert asked == ["https://api.github.com/app-manifests/abcdef0123456789/conversions"]
    for name, key in (("app_id", "id"), ("app_private_key", "pem"), ("webhook_secret", "webhook_secret")):
        file = tmp_path / "s" / name
        assert file.read_text() == str(GITHUB_ANSWERS[key])
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "given-by-github" not in answered.out
    assert "made for this test" not in answered.out
    again = conductor("setup", "--code", "abcdef0123456789", "--directory", str(tmp_path / "s"))
    assert again.code == 2
    assert "is there already" in again.err


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (httpx.Response(404, json={}), "GitHub answered 404"),
        (httpx.Response(201, json={"id": 1}), "lacks 'pem'"),
        (httpx.ConnectError("no route"), "could not be asked"),
    ],
)
def test_setup_says_why_github_gave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: httpx.Response | Exception, says: str
) -> None:
    def post(_url: str, **_: Any) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(httpx, "post", post)
    answered = conductor("setup", "--code", "abcdef0123456789", "--directory", str(tmp_path))
    assert (answered.code, answered.out) == (2, "")
    assert says in answered.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--public-url", "http://bots.acme.org"),
        ("--public-url", "https://bots.acme.org", "--organization", "a/../b"),
        ("--code", "../../x"),
    ],
)
def test_setup_refuses_what_cannot_be_right(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    answered = conductor("setup", *arguments, "--directory", str(tmp_path))
    assert (answered.code, answered.out) == (2, "")
    assert answered.err.count("\n") == 1


def test_the_manifest_that_is_sent_is_the_file_in_the_repository() -> None:
    made = setting_up.manifest("https://bots.acme.org", "conductor-of-acme")
    assert made["name"] == "conductor-of-acme"
    assert "pull_request_review" in made["default_events"]


def test_the_doctor_names_what_is_missing_and_its_mend(tmp_path: Path) -> None:
    environment = {
        "CONDUCTOR_DATA": str(tmp_path / "data"),
        "CONDUCTOR_BROKER_URL": "redis://:hidden-password@127.0.0.1:1/0",
        "CONDUCTOR_APP_ID": "1",
        "CONDUCTOR_APP_PRIVATE_KEY": "no key at all",
        "PATH": "/nowhere",
    }
    answered = conductor("doctor", "--process", "github", "--json", environment=environment)
    assert answered.code == 1
    found = {one["name"]: one["said"] for one in answered.json["checks"] if one["state"] == "missing"}
    assert set(found) == {"git", "broker", "app key"}
    assert "apt-get install git" in found["git"]
    assert "start the broker" in found["broker"]
    assert "hidden-password" not in answered.out
    assert "download it again" in found["app key"]


def test_the_doctor_starts_a_real_sandbox_and_is_content(tmp_path: Path) -> None:
    environment = {
        "CONDUCTOR_DATA": str(tmp_path),
        "ANTHROPIC_API_KEY": "sk-of-this-test",
        "CONDUCTOR_BROKER_URL": "memory://",
    }
    missing = conductor("doctor", "--process", "agents", "--json", environment=environment)
    assert missing.code == 1
    found = {one["name"]: one for one in missing.json["checks"]}
    assert "CONDUCTOR_BROKER_URL" in found["settings"]["said"]
    assert found["sandbox"]["state"] == "ok"
    assert conductor("doctor", "--process", "nobody").code == 2


def test_a_process_whose_worker_has_died_ends_so_that_somebody_starts_it_anew(tmp_path: Path) -> None:
    secrets = {"webhook_secret": "a" * 32, "app_id": 1, "app_private_key": _private_key(), "model_key": "k" * 32}
    file = _settings(tmp_path, broker_url="memory://", model_url="http://127.0.0.1:2", **secrets)
    dying = (
        "import sys; from workers.app import Worker; Worker._serve = lambda self: None; "
        "from bot.cli.simulated import main; main(['up', sys.argv[1], '0'])"
    )
    # Its standard input stays open for as long as somebody is there.
    with subprocess.Popen(
        [sys.executable, "-c", dying, str(file)], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as up:
        assert up.wait(timeout=60) == 1
        assert up.stderr is not None
        assert b"part_ended" in up.stderr.read()
