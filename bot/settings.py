"""Settings of one process, from the environment alone. Every secret may also come from a file: ``..._FILE`` names it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr

from bot.domain.errors import SettingsError

PREFIX = "CONDUCTOR_"


class Process(StrEnum):
    """What a process is; decides which secrets it may hold (DESIGN section 3)."""

    UP = "up"
    WEB = "web"
    CONTROL = "control"
    AGENTS = "agents"
    GITHUB = "github"
    BEAT = "beat"
    SHELL = "shell"


SECRETS: dict[str, frozenset[Process]] = {
    "CONDUCTOR_WEBHOOK_SECRET": frozenset({Process.UP, Process.WEB}),
    "CONDUCTOR_APP_PRIVATE_KEY": frozenset({Process.UP, Process.GITHUB}),
    "ANTHROPIC_API_KEY": frozenset({Process.UP, Process.AGENTS}),
}
FOREIGN: dict[str, frozenset[Process]] = {
    "ANTHROPIC_AUTH_TOKEN": frozenset({Process.UP, Process.AGENTS}),
    "GITHUB_TOKEN": frozenset({Process.UP}),
    "GH_TOKEN": frozenset({Process.UP}),
}
"""Credentials under names that we do not read but others do; `github` too has no use for one beside the App's key."""
SHAPES: tuple[tuple[re.Pattern[str], str, frozenset[Process]], ...] = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"), "a private key", SECRETS["CONDUCTOR_APP_PRIVATE_KEY"]),
    (re.compile(r"\bsk-ant-[\w-]{8}"), "a model key", SECRETS["ANTHROPIC_API_KEY"]),
    (re.compile(r"\b(?:gh[pousr]_|github_pat_)\w{16}"), "a GitHub token", FOREIGN["GITHUB_TOKEN"]),
)
"""What such secrets look like, whatever the variable is called."""
REQUIRED: dict[Process, tuple[str, ...]] = {
    Process.UP: ("CONDUCTOR_WEBHOOK_SECRET", "CONDUCTOR_APP_PRIVATE_KEY", "ANTHROPIC_API_KEY"),
    Process.WEB: ("CONDUCTOR_WEBHOOK_SECRET",),
    Process.AGENTS: ("ANTHROPIC_API_KEY",),
    Process.GITHUB: ("CONDUCTOR_APP_PRIVATE_KEY",),
}


class Settings(BaseModel):
    """One process's settings. ``simulation`` opens loopback URLs and is never read from the environment.

    ``lease_ms`` and ``pacing_ms`` in milliseconds; ``tick_ms``: how often the sweeper is woken; ``threads``: jobs a worker
    runs at once; ``prices``: over the shipped ones (`bot.domain.money.Prices.override`); ``cache_bytes``: disk for unpacked
    trees and for setup layers, each; ``cgroup``: a delegated version 2 cgroup that bounds sandboxes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    process: Process
    data: Path
    artifacts: Path
    database_url: str
    broker_url: str
    webhook_secret: SecretStr | None = None
    app_id: int = 0
    app_private_key: SecretStr | None = None
    model_key: SecretStr | None = None
    model_url: str = "https://api.anthropic.com"
    model_name: str = "claude-sonnet-5-5"
    github_url: str = "https://api.github.com"
    public_url: str = ""
    policies: Path | None = None
    cgroup: Path | None = None
    prices: dict[str, Any] = {}
    pacing_ms: int = 1_000
    lease_ms: int = 60_000
    tick_ms: int = 1_000
    threads: int = 8
    cache_bytes: int = 20 << 30
    simulation: bool = False

    @property
    def directories(self) -> tuple[Path, ...]:
        """Where its process writes files: `web` and `beat` write none."""
        return () if self.process in {Process.WEB, Process.BEAT} else (self.data, self.artifacts)

    @property
    def held(self) -> dict[str, str]:
        """The secrets this process holds, by kind, for redaction (I9).

        Passwords of the database and the broker count from 12 characters on: a shorter one may be a word that texts have.
        """
        pairs = (
            ("webhook-secret", self.webhook_secret),
            ("app-private-key", self.app_private_key),
            ("model-key", self.model_key),
        )
        urls = (("database-password", self.database_url), ("broker-password", self.broker_url))
        passwords = ((kind, unquote(urlsplit(url).password or "")) for kind, url in urls)
        return {
            **{kind: value.get_secret_value() for kind, value in pairs if value is not None},
            **{kind: password for kind, password in passwords if len(password) >= 12},
        }


def from_environment(process: Process, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read and check. Raises ``SettingsError`` with one sentence: a missing secret, a foreign one, a URL that is not https."""
    secrets = {name: _secret(name, environment) for name in SECRETS}
    for name, holders in FOREIGN.items():
        _refuse_foreign(process, name, holders, environment.get(name, ""))
    for name, value in secrets.items():
        _refuse_foreign(process, name, SECRETS[name], value)
    for name, value in environment.items():
        for shape, what, holders in SHAPES:
            _refuse_foreign(process, f"{what}, as {name} has", holders, value if shape.search(value) else "")
    missing = [name for name in REQUIRED.get(process, ()) if not secrets[name]]
    if missing:
        raise SettingsError(
            f"the {process} process needs {missing[0]} (or {missing[0]}_FILE with the name of a file that holds it)",
            {"name": missing[0]},
        )
    data = Path(environment.get("CONDUCTOR_DATA", ".conductor")).absolute()
    database = _database_url(environment, data)
    settings = Settings(
        process=process,
        data=data,
        artifacts=Path(environment.get("CONDUCTOR_ARTIFACTS", str(data / "artifacts"))).absolute(),
        database_url=database,
        broker_url=environment.get("CONDUCTOR_BROKER_URL", "memory://"),
        webhook_secret=_own(process, secrets, "CONDUCTOR_WEBHOOK_SECRET"),
        app_id=_number(environment, "CONDUCTOR_APP_ID", 0),
        app_private_key=_own(process, secrets, "CONDUCTOR_APP_PRIVATE_KEY"),
        model_key=_own(process, secrets, "ANTHROPIC_API_KEY"),
        model_url=environment.get("ANTHROPIC_BASE_URL", "https://api.anthropic.com"),
        model_name=environment.get("CONDUCTOR_MODEL", "claude-sonnet-5-5"),
        github_url=environment.get("CONDUCTOR_GITHUB_URL", "https://api.github.com"),
        public_url=environment.get("CONDUCTOR_PUBLIC_URL", "").rstrip("/"),
        policies=Path(environment["CONDUCTOR_POLICIES"]) if environment.get("CONDUCTOR_POLICIES") else None,
        cgroup=Path(environment["CONDUCTOR_CGROUP"]) if environment.get("CONDUCTOR_CGROUP") else None,
        prices=_prices(environment.get("CONDUCTOR_PRICES", "")),
        pacing_ms=_number(environment, "CONDUCTOR_PACING_MS", 1_000),
        threads=_number(environment, "CONDUCTOR_THREADS", 8),
    )
    return checked(settings)


def checked(settings: Settings) -> Settings:
    """Nobody holds another's secret, production speaks https alone, and split processes share a broker."""
    given = (settings.webhook_secret, settings.app_private_key, settings.model_key)
    for (name, holders), value in zip(SECRETS.items(), given, strict=True):
        _refuse_foreign(settings.process, name, holders, value.get_secret_value() if value else "")
    if not settings.simulation:
        for name, url in (
            ("ANTHROPIC_BASE_URL", settings.model_url),
            ("CONDUCTOR_GITHUB_URL", settings.github_url),
        ):
            if urlsplit(url).scheme != "https":
                raise SettingsError(f"{name} is {url!r}: it must be an https URL", {"name": name})
    if settings.process in {
        Process.WEB,
        Process.CONTROL,
        Process.AGENTS,
        Process.GITHUB,
        Process.BEAT,
    } and settings.broker_url.startswith("memory:"):
        raise SettingsError(
            "processes that run apart need CONDUCTOR_BROKER_URL, such as redis://127.0.0.1:6379/0; `conductor up` runs all in one",
            {"name": "CONDUCTOR_BROKER_URL"},
        )
    if settings.process in {Process.GITHUB, Process.UP} and not settings.app_id:
        raise SettingsError(
            "CONDUCTOR_APP_ID is missing: it is the number on the App's settings page", {"name": "CONDUCTOR_APP_ID"}
        )
    return settings


def _refuse_foreign(process: Process, name: str, holders: frozenset[Process], value: str) -> None:
    """A shell holds nothing: it drops what it was given (`_own`)."""
    if value and process not in holders and process is not Process.SHELL:
        raise SettingsError(
            f"the {process} process must not hold {name}: unset it there and start again", {"name": name}
        )


def _secret(name: str, environment: Mapping[str, str]) -> str:
    direct, file = environment.get(name, ""), environment.get(f"{name}_FILE", "")
    if direct or not file:
        return direct
    try:
        return Path(file).read_text("utf-8").strip()
    except OSError as error:
        raise SettingsError(
            f"{name}_FILE names {file!r}, which cannot be read: {error.strerror}", {"name": f"{name}_FILE"}
        ) from error


def _prices(file: str) -> dict[str, Any]:
    """Prices of models by name, over the shipped ones; what a price must hold, `bot.domain.money` says."""
    if not file:
        return {}
    try:
        found = json.loads(Path(file).read_text("utf-8"))
    except OSError as error:
        raise SettingsError(
            f"CONDUCTOR_PRICES names {file!r}, which cannot be read: {error.strerror}", {"name": "CONDUCTOR_PRICES"}
        ) from error
    except ValueError as error:
        raise SettingsError(
            f"CONDUCTOR_PRICES names {file!r}, which is no JSON in UTF-8: {error}", {"name": "CONDUCTOR_PRICES"}
        ) from error
    if not isinstance(found, dict):
        raise SettingsError(
            f'CONDUCTOR_PRICES names {file!r}, which holds no object: write {{"MODEL": {{"input": ..., "output": ...,'
            ' "cache_write": ..., "cache_read": ...}}, whole micro-dollars per million tokens',
            {"name": "CONDUCTOR_PRICES"},
        )
    return found


def _database_url(environment: Mapping[str, str], data: Path) -> str:
    """The URL, with the password that came apart from it: a file of passwords is then a file of one secret."""
    url = _secret("CONDUCTOR_DATABASE_URL", environment) or f"sqlite:///{data / 'conductor.db'}"
    password = _secret("CONDUCTOR_DATABASE_PASSWORD", environment)
    if not password:
        return url
    parts = urlsplit(url)
    if not parts.username or parts.password is not None:
        raise SettingsError(
            "CONDUCTOR_DATABASE_PASSWORD belongs to a CONDUCTOR_DATABASE_URL with a user and no password: write it as"
            " postgresql+psycopg://USER@HOST:5432/conductor",
            {"name": "CONDUCTOR_DATABASE_PASSWORD"},
        )
    user, _, place = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{place}").geturl()


def _own(process: Process, secrets: Mapping[str, str], name: str) -> SecretStr | None:
    return SecretStr(secrets[name]) if secrets[name] and process in SECRETS[name] else None


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, "")
    if not text:
        return default
    if not text.isdigit():
        raise SettingsError(f"{name} is {text!r}: it must be a whole number", {"name": name})
    return int(text)
