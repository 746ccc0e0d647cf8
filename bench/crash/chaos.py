"""The chaos run: the real App as many processes, a town of issues, bad weather and strikes, until everything has come to rest."""

from __future__ import annotations

import itertools
import json
import random
import secrets
import statistics
import tempfile
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from bench.crash.counting import MANY, Verdict, judge, profile
from bench.crash.script import SCRIPTS, NoteModel, Script, Story, Town
from bench.crash.strikes import Striker
from bench.crash.weather import Weather
from bot.adapters.storage import SqlStorage
from bot.bootstrap import SweptQueue
from bot.domain.errors import ConductorError
from bot.domain.jobs import JobKind
from bot.domain.writes import OPEN_ROWS
from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.simulator.github.server import SimulatedGitHub
from bot.simulator.model import SCRIPTED_MODEL
from bot.simulator.topology import Topology, TopologyName

APP_ID: Final = 4_712
POLL_S: Final = 0.03
SAVED_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of it. ``at_once``: living runs; ``agents``, ``github``: processes of these kinds; ``strength``: of the weather.

    ``token_effects``: effects between two ends of all tokens. ``stuck_s``: so long without an effect is the end of waiting;
    ``longest_s`` bounds each part of the whole.
    """

    effects: int
    kills: int
    topology: TopologyName
    seed: int
    at_once: int = 16
    agents: int = 2
    github: int = 2
    loses_endings: bool = False
    strength: float = 1.0
    lease_ms: int = 4_000
    token_effects: int = 150
    stuck_s: float = 150.0
    longest_s: float = 7_200.0


@dataclass(slots=True)
class Result:
    """What came of it; times in seconds."""

    plan: Plan
    verdict: Verdict
    runs: int = 0
    effects: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    faults: dict[str, int] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    gaps: dict[str, list[float]] = field(default_factory=dict)
    """Kind of strike to the times from such a strike to the next effect."""
    log: str = ""
    """What the processes wrote, then the audit, where something is wrong."""

    @property
    def is_clean(self) -> bool:
        """Nothing lost, doubled, left open or broken."""
        return self.verdict.is_clean

    def as_json(self) -> dict[str, Any]:
        """Everything, for a file."""
        gaps = sorted(itertools.chain(*self.gaps.values()))
        return {
            "database": self.plan.topology,
            "seed": self.plan.seed,
            "runs": self.runs,
            "effects": self.effects,
            "kills": sum(self.kills.values()),
            "kills_by_kind": dict(self.kills),
            "faults": sum(self.faults.values()),
            "faults_by_kind": self.faults,
            "ended_by_themselves": self.ended,
            "effects_by_key": dict(self.verdict.keys),
            "lost": self.verdict.lost,
            "doubled": self.verdict.doubled,
            "runs_not_ended": self.verdict.unended,
            "broken": self.verdict.broken,
            "seconds": round(self.seconds, 1),
            "effects_per_second": round(self.effects / self.seconds, 2) if self.seconds else 0.0,
            "from_kill_to_next_effect_s": {
                "median": round(statistics.median(gaps), 2) if gaps else None,
                "longest": round(gaps[-1], 2) if gaps else None,
                "longest_by_kind": {kind: round(max(found), 2) for kind, found in self.gaps.items()},
            },
        }


@dataclass(slots=True)
class Chaos:
    """``with Chaos(plan) as chaos: chaos.run()``. ``say``: called with a line now and then."""

    plan: Plan
    say: Callable[[str], None] = lambda _line: None
    github: SimulatedGitHub = field(init=False)
    topology: Topology = field(init=False)
    storage: SqlStorage = field(init=False)
    town: Town = field(init=False)
    weather: Weather = field(init=False)
    _stack: ExitStack = field(default_factory=ExitStack)
    _seen: int = 0
    _effects: int = 0
    _moments: list[float] = field(default_factory=list)
    _stories: list[Story] = field(default_factory=list)
    _living: list[Story] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Start everything."""
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self) -> None:
        plan, secret = self.plan, secrets.token_hex(24)
        directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="conductor-crash-")))
        self.weather = Weather(plan.seed, plan.lease_ms, plan.loses_endings, plan.strength)
        self.github = SimulatedGitHub(app_id=APP_ID, webhook_secret=secret, faults=self.weather.gusts)
        self._stack.enter_context(self.github)
        model = self._stack.enter_context(NoteModel())
        settings: dict[str, Any] = {
            "data": str(directory / "data"),
            "artifacts": str(directory / "artifacts"),
            "app_id": APP_ID,
            "github_url": self.github.url,
            "model_url": model.base_url,
            "model_name": SCRIPTED_MODEL,
            "pacing_ms": 0,
            "lease_ms": plan.lease_ms,
            "tick_ms": 1_000,
            "threads": 6,
        }
        given = {
            "webhook_secret": secret,
            "app_private_key": self.github.private_key_pem,
            "model_key": f"sk-scripted-{secrets.token_hex(16)}",
        }
        replicas = {"agents": plan.agents, "github": plan.github}
        self.topology = Topology(plan.topology, directory, settings, given, replicas)
        self._stack.enter_context(self.topology)
        self.github.webhook_url = f"{self.topology.url}/webhooks/github"
        self.storage = SqlStorage(self.topology.database_url, SweptQueue())
        self._stack.callback(self.storage.close)
        self.town = Town(self.github)

    def run(self) -> Result:
        """First each script once in calm, then all of it in the storm; then what stands there is counted."""
        plan = self.plan
        calm = self._calm()
        began, before = time.monotonic(), self._count()
        striker = Striker(self.topology, plan.seed, plan.kills, plan.effects, plan.lease_ms / 1000 * 1.7)
        self._stories, self._moments = [], []
        self.weather.sky.blows = True
        self._storm(striker, before)
        self.weather.sky.blows = False
        self._until(self._rests, None)
        seconds = time.monotonic() - began
        with self.storage.read() as tx:
            verdict = judge(self.github, tx, self._stories, calm)
            audit = [] if verdict.is_clean else tx.journal.audit_rows(limit=MANY)
        return Result(
            plan,
            verdict,
            runs=len(self._stories),
            effects=self._count() - before,
            kills=Counter(one.what for one in striker.struck),
            faults=self.weather.counts(),
            ended=dict(striker.ended),
            seconds=seconds,
            gaps=self._gaps(striker),
            log="" if verdict.is_clean else self.topology.whole_logs() + "\n".join(map(_told, audit)),
        )

    def _calm(self) -> dict[str, Counter[str]]:
        """Each script's issue as people find it when nothing goes wrong. Raises ``AssertionError`` when one has no end."""
        self._living = [self.town.begin(script) for script in SCRIPTS]
        stories = list(self._living)
        self._until(lambda: not self._living and self._rests(), None)
        open_ones = [f"{one.name} {one.labels()}" for one in stories if not one.is_over()]
        assert not open_ones, f"not even in calm do these end: {open_ones}\n{self.topology.logs()}"
        with self.github.world.lock:
            return {one.script.name: profile(one) for one in stories}

    def _storm(self, striker: Striker, before: int) -> None:
        plan, order = self.plan, self._scripts()
        tokens = plan.token_effects

        def goes_on() -> bool:
            nonlocal tokens
            done = self._count() - before
            if done >= tokens:
                tokens += plan.token_effects
                self.weather.expire_tokens(self.github)
            wanted = done < plan.effects or not striker.is_done
            while wanted and len(self._living) < plan.at_once:
                story = self.town.begin(next(order))
                self._living.append(story)
                self._stories.append(story)
            return not self._living and not wanted

        self._until(goes_on, (striker, before))

    def _scripts(self) -> Iterator[Script]:
        """As often as they weigh, in an order by chance."""
        chance = random.Random(self.plan.seed + 1)
        deck = [script for script in SCRIPTS for _ in range(script.weight)]
        while True:
            chance.shuffle(deck)
            yield from deck

    def _until(self, ready: Callable[[], bool], storm: tuple[Striker, int] | None) -> None:
        """People act, and in a storm there are strikes, until it is ready, or nothing has moved for too long."""
        end = time.monotonic() + self.plan.longest_s
        moved = told = time.monotonic()
        seen = self._count()
        while not ready() and time.monotonic() < end:
            now, count = time.monotonic(), self._count()
            if count != seen:
                seen, moved = count, now
            if now - moved > self.plan.stuck_s:
                return
            if storm is not None:
                storm[0].tick(count - storm[1])
                if now - told > 10:
                    told = now
                    self.say(f"{count - storm[1]} effects, {len(storm[0].struck)} kills, {len(self._stories)} runs")
            self._act()
            time.sleep(POLL_S)

    def _act(self) -> None:
        with self.github.world.lock:
            for story in self._living:
                story.go_on()
            self._living = [story for story in self._living if not story.is_over()]

    def _count(self) -> int:
        """Requests that changed the simulated GitHub so far."""
        writes = self.github.writes
        new = sum(one.changed for one in writes[self._seen :])
        self._seen = len(writes)
        if new:
            self._effects += new
            self._moments.append(time.monotonic())
        return self._effects

    def _rests(self) -> bool:
        """No delivery, row, job or wake-up is left that anybody would still see to."""
        if self.github.pending_deliveries():
            return False
        lost = {one.guid: one for one in self.github.deliveries}
        try:
            with self.storage.read() as tx:
                taken = tx.deliveries.known([guid for guid, one in lost.items() if not one.delivered])
                missing = any(not one.delivered and guid not in taken for guid, one in lost.items())
                return not missing and _is_quiet(tx)
        except ConductorError:
            # The database was just restarted; it is asked again.
            time.sleep(SAVED_S)
            return False

    def _gaps(self, striker: Striker) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {}
        for one in striker.struck:
            place = bisect_right(self._moments, one.at)
            if place < len(self._moments):
                found.setdefault(one.what, []).append(self._moments[place] - one.at)
        return found


def _told(row: r.AuditRow) -> str:
    return json.dumps([row.seq, row.at, row.kind, row.subject, row.body])


def _is_quiet(tx: Transaction) -> bool:
    now = int(time.time() * 1000)
    if tx.deliveries.unsettled() or tx.outbox.recent(states=OPEN_ROWS, limit=1) or tx.runs.due(now, 1):
        return False
    due = (tx.jobs.get(job) for job, _ in tx.jobs.due(now + 60_000, 50))
    return all(job is None or job.kind == JobKind.RECOVERY for job in due)
