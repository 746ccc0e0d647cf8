"""The App beside its GitHub and its model, up and moved by hand: for what scenarios cannot say."""

from __future__ import annotations

import secrets
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from bot.simulator.github.faults import Fault
from bot.simulator.github.server import SimulatedGitHub
from bot.simulator.model import ScriptedModel
from bot.simulator.runner import Runner
from bot.simulator.scenario import parse_scenario
from bot.simulator.topology import Topology
from tests.harness.scenarios import calc

LONG_MS: Final = 600_000
"""Leases last longer than any test."""


@dataclass(slots=True)
class Place:
    """``rows`` and ``until`` read the records as they are now."""

    app: Topology
    github: SimulatedGitHub
    model: ScriptedModel

    def kill(self) -> None:
        """SIGKILL of everything; nothing is started again."""
        for child in self.app._processes.values():
            child.kill()
        for child in self.app._processes.values():
            child.wait()

    def start(self) -> None:
        """All of them again, until they are ready."""
        for name in list(self.app._processes):
            self.app._again(name)
        self.app._await_ready()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """From the records, as they are now."""
        with closing(sqlite3.connect(self.app.database_url.removeprefix("sqlite:///"))) as records:
            return records.execute(query).fetchall()

    def until(self, query: str, wanted: object, seconds: float = 90.0) -> float:
        """How many seconds it took until the query's first value was that, or more; fails after ``seconds``."""
        began = time.monotonic()
        while (found := self.rows(query)[0][0]) < wanted:
            assert time.monotonic() - began < seconds, f"{query} gives {found}, not {wanted}: {self.app.logs()}"
            self.app.check()
            time.sleep(0.02)
        return time.monotonic() - began

    def asked(self, seconds: float = 90.0) -> None:
        """Once the model has been asked for the first time."""
        end = time.monotonic() + seconds
        while not self.model.requests:
            assert time.monotonic() < end, f"the model was never asked: {self.app.logs()}"
            time.sleep(0.02)

    def running(self, words: str, seconds: float = 60.0) -> set[int]:
        """Ids of what the App started, once a command with these words is among it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = {pid for name in self.app.names() for pid in self.app.descendants(name)}
            if any(words in _command(pid) for pid in found):
                return found
            time.sleep(0.02)
        raise AssertionError(f"nothing with {words!r} runs: {self.app.logs()}")


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace").replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""  # it has ended while we looked


@contextmanager
def standing(model: Mapping[str, Any], *, faults: Sequence[Fault] = ()) -> Iterator[Place]:
    """The App is up, and GitHub knows where it is."""
    scenario = parse_scenario(yaml.safe_dump(calc(model=model, settings={"lease_ms": LONG_MS})), Path(__file__))
    runner = Runner(scenario, more_faults=faults, in_step=False)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="conductor-outage-")))
        secret = secrets.token_hex(24)
        github = stack.enter_context(runner._github(secret))
        played = runner._model(stack)
        assert played is not None
        runner._seed(github)
        app = stack.enter_context(runner._topology(directory, github, played, secret))
        github.webhook_url = f"{app.url}/webhooks/github"
        yield Place(app, github, played)
