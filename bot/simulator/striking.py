"""Faults that a scenario plants: requests that GitHub fails, processes that are killed, a broker that forgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, assert_never

from bot.domain.workflow import QUEUED
from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.simulator.acts import START
from bot.simulator.github.faults import Fault as Planted
from bot.simulator.scenario import Fault, FlushFault, GithubFault, KillFault, ScenarioError
from bot.simulator.topology import Topology

RESET: Final = "x-ratelimit-reset"


@dataclass(slots=True)
class Faults:
    """All faults of a scenario with their counts. Those of GitHub without a state are planted from the start."""

    faults: Sequence[Fault]
    planted: dict[int, Planted] = field(default_factory=dict)
    _done: dict[int, int] = field(default_factory=dict)

    def at_start(self) -> list[Planted]:
        """What the simulated GitHub begins with; those that wait for a state fail nothing until then."""
        for number, fault in enumerate(self.faults):
            if isinstance(fault, GithubFault):
                self.planted[number] = _planted(fault)
        return list(self.planted.values())

    def strike(self, topology: Topology, tx: Transaction, run: r.Run | None) -> None:
        """Kill and flush once for each entry into the fault's state; let GitHub's faults wait outside of theirs."""
        entered = _entries(tx, run)
        state = START if run is None else run.state
        for number, fault in enumerate(self.faults):
            match fault:
                case GithubFault():
                    if fault.when is not None:
                        one = self.planted[number]
                        one.times = fault.times if fault.when == state else one.applied
                case KillFault() | FlushFault():
                    times = fault.times if isinstance(fault, KillFault) else 1
                    if self._done.get(number, 0) < min(times, entered.get(fault.when, 0)):
                        self._done[number] = self._done.get(number, 0) + 1
                        _strike(topology, fault)
                case _:
                    assert_never(fault)

    def report(self) -> list[dict[str, Any]]:
        """Each fault as the scenario has it, with how often it struck."""
        return [
            {
                **fault.model_dump(mode="json", exclude_defaults=True),
                "applied": self.planted[number].applied if number in self.planted else self._done.get(number, 0),
            }
            for number, fault in enumerate(self.faults)
        ]


def _entries(tx: Transaction, run: r.Run | None) -> dict[str, int]:
    """How often the run entered each state: a state may pass between two looks, its transition stays."""
    if run is None:
        return {}
    found = {QUEUED: 1}
    for one in tx.runs.transitions(run.id):
        found[one.to_state] = found.get(one.to_state, 0) + 1
    return found


def _strike(topology: Topology, fault: KillFault | FlushFault) -> None:
    if isinstance(fault, FlushFault):
        topology.flush_broker()
    else:
        topology.kill(fault.kill)


def _planted(fault: GithubFault) -> Planted:
    if fault.headers or fault.body is not None:
        raise ScenarioError(
            f"the fault {fault.github!r} has headers or a body of its own: use status, retry_after and hang_s",
            {"problems": "faults"},
        )
    return Planted(
        github=fault.github,
        status=fault.status,
        after_effect=fault.after_effect,
        times=fault.times if fault.when is None else 0,
        hang_s=fault.hang_s or None,
        retry_after=round(fault.retry_after) if fault.retry_after is not None else None,
    )
