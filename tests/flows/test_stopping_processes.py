"""SIGTERM in the middle of a model call: each process ends within ten seconds, and the next one goes on where it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.simulator.model import ScriptedModel
from bot.simulator.runner import Runner
from bot.simulator.scenario import parse_scenario
from bot.simulator.topology import SPLIT, Topology, TopologyName
from tests.harness.flow import HAPPY, Seen
from tests.harness.scenarios import APPROVE, MODEL, calc

WITHIN_S: Final = 10.0
HANGS: Final[dict[str, Any]] = {"error": 500, "delay_s": 60}
"""A call that ends long after the process must have; a repeated one is answered at once."""


class Stopped(Runner):
    """Ends every process once, while the model keeps the planner waiting, and starts it again."""

    codes: dict[str, int]

    def _topology(self, *given: Any) -> Topology:
        self.codes = {}
        self.model: ScriptedModel = given[2]
        self.app = Runner._topology(self, *given)
        return self.app

    def look(self, _tx: Transaction, run: r.Run | None) -> None:
        """Called at every look at the records."""
        if run is not None and self.model.requests and not self.codes:
            for process in ("up",) if self.app.name == "embedded" else SPLIT:
                self.codes[process] = self.app.restart(process, seconds=WITHIN_S)


@pytest.mark.parametrize("topology", ["embedded", "sqlite"])
def test_processes_end_in_time_and_the_run_goes_on(topology: TopologyName) -> None:
    scenario = calc(APPROVE, model={"planner": [HANGS, *MODEL["planner"]]}, seconds=120)
    runner = Stopped(parse_scenario(yaml.safe_dump(scenario), Path(__file__)), topology)
    runner.watch = runner.look
    report = runner.run()
    assert set(runner.codes.values()) == {0}
    assert report["reached"], report["problem"]
    seen = Seen(report)
    assert seen.path == HAPPY
    seen.published()
    assert seen.unread() == []
    assert report["unmatched_writes"] == 0
    assert report["audit"] == {"verified": True}
    # One plan was paid for; the call that was cut off is charged, too.
    assert len([one for one in report["model_requests"] if one["role"] == "planner"]) == 3
