"""Who is struck, and when: seeded moments, counted in effects, so that the strikes are spread over the work and not over the clock."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bot.simulator.topology import Topology, TopologyName

WEIGHTS: Final = {
    "web killed": 10,
    "control killed": 11,
    "agents killed": 11,
    "github killed": 14,
    "beat killed": 3,
    "sandbox or git killed": 16,
    "worker halted beyond its lease": 12,
    "Redis killed": 8,
    "Redis flushed": 6,
    "PostgreSQL restarted": 6,
    "everything killed": 3,
}
"""How often each comes, of a hundred or so; a process takes two seconds of a processor to start again, all of them fifteen."""
HUNT_S: Final = 10.0
"""So long a worker's child is looked for: they live for hundredths of a second."""


@dataclass(frozen=True, slots=True)
class Struck:
    """A strike that was done. ``at``: seconds on the monotonic clock."""

    what: str
    at: float


@dataclass(slots=True)
class Striker:
    """Strikes the App's processes and services, and brings everything struck up again. One thread uses it.

    ``kills`` of them are spread over ``effects``.
    """

    topology: Topology
    seed: int
    kills: int
    effects: int
    halt_s: float
    struck: list[Struck] = field(default_factory=list)
    ended: Counter[str] = field(default_factory=Counter)
    _plan: list[tuple[int, str]] = field(init=False)
    _chance: random.Random = field(init=False)
    _halted: list[tuple[float, str, int]] = field(default_factory=list)
    _hunts: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        weights = {what: weight for what, weight in WEIGHTS.items() if _there(what, self.topology.name)}
        # Each kind comes as often as its weight says; chance orders them.
        whole = sum(weights.values())
        kinds = [what for what, weight in weights.items() for _ in range(round(weight * self.kills / whole))]
        while len(kinds) < self.kills:
            kinds.append(self._chance.choice(list(weights)))
        self._chance.shuffle(kinds)
        moments = sorted(self._chance.randrange(self.effects) for _ in range(self.kills))
        self._plan = list(zip(moments, kinds, strict=False))

    @property
    def is_done(self) -> bool:
        """Whether every strike was done, and nothing is halted any more."""
        return not self._plan and not self._hunts and not self._halted

    def tick(self, effects: int) -> None:
        """Do what is due after so many effects, wake who was halted, and start again what ended by itself."""
        now = time.monotonic()
        for one in [halted for halted in self._halted if halted[0] <= now]:
            self._halted.remove(one)
            self.topology.go_on(*one[1:])
        self._hunt(now)
        # A supervisor looks once a second, not at once.
        for name, code in self.topology.supervise().items():
            self.ended[f"{name} ended by itself with {code}"] += 1
        if self._plan and self._plan[0][0] <= effects:
            self._strike(self._plan.pop(0)[1])

    def _strike(self, what: str) -> None:
        topology = self.topology
        match what:
            case "sandbox or git killed":
                self._hunts.append(time.monotonic() + HUNT_S)
                return
            case "everything killed":
                topology.kill_and_go_on(*topology.names())
            case "worker halted beyond its lease":
                name = self._chance.choice(
                    [*topology.names("control"), *topology.names("agents"), *topology.names("github")]
                )
                self._halted.append((time.monotonic() + self.halt_s, name, topology.halt(name)))
            case "Redis killed":
                topology.restart_broker()
            case "Redis flushed":
                topology.flush_broker()
            case "PostgreSQL restarted":
                topology.restart_database()
            case _:
                topology.kill_and_go_on(self._chance.choice(topology.names(what.partition(" ")[0])))
        self._note(what)

    def _note(self, what: str) -> None:
        self.struck.append(Struck(what, time.monotonic()))

    def _hunt(self, now: float) -> None:
        """Kill a child of a worker as soon as there is one; its worker where none shows itself."""
        if not self._hunts:
            return
        workers = [*self.topology.names("agents"), *self.topology.names("github")]
        children = [pid for name in workers for pid in self.topology.descendants(name)]
        if children and _kill(self._chance.choice(children)):
            self._hunts.pop(0)
            self._note("sandbox or git killed")
        elif self._hunts[0] < now:
            self._hunts.pop(0)
            self._strike("agents killed")


def _there(what: str, topology: TopologyName) -> bool:
    return not what.startswith("PostgreSQL") or topology == "postgres"


def _kill(pid: int) -> bool:
    """Whether it was alive; what has ended but was not waited for is no child any more."""
    try:
        if Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0] == "Z":
            return False
        os.kill(pid, signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError):
        return False
    return True
