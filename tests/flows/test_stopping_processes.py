"""SIGTERM while there is something in hand: the one process ends within ten seconds, and the next one goes on where it was.

Processes that run apart are ended while they are busy in test_restarts.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

import yaml

from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.simulator.github.faults import Fault
from bot.simulator.model import ScriptedModel
from bot.simulator.runner import Runner
from bot.simulator.scenario import parse_scenario
from bot.simulator.topology import Topology
from tests.harness.flow import HAPPY, Seen
from tests.harness.scenarios import APPROVE, MODEL, calc
from tests.harness.standing import standing

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
            self.codes["up"] = self.app.restart("up", seconds=WITHIN_S)


def test_the_one_process_ends_in_time_and_the_run_goes_on() -> None:
    scenario = calc(APPROVE, model={"planner": [HANGS, *MODEL["planner"]]}, seconds=120)
    runner = Stopped(parse_scenario(yaml.safe_dump(scenario), Path(__file__)))
    runner.watch = runner.look
    report = runner.run()
    assert runner.codes == {"up": 0}
    assert report["reached"], report["problem"]
    seen = Seen(report)
    assert seen.path == HAPPY
    seen.published()
    assert seen.unread() == []
    assert report["unmatched_writes"] == 0
    assert report["audit"] == {"verified": True}
    # One plan was paid for; the call that was cut off is charged, too.
    assert len([one for one in report["model_requests"] if one["role"] == "planner"]) == 3


def test_a_command_and_a_write_that_hang_hold_up_no_end() -> None:
    hangs = Fault("POST /repos/*/issues/*/comments", after_effect=True, hang_s=300)
    with standing({"planner": [{"tool": "run", "input": {"command": "sleep 590"}}]}, faults=[hangs]) as place:
        place.github.label("conductor", by="ana")
        place.until("SELECT count(*) FROM outbox WHERE kind = 'comment.create' AND state = 'sending'", 1)
        sandboxed = place.running("sleep 590")
        up = place.app._processes["up"]
        up.terminate()
        assert up.wait(WITHIN_S) == 0
        assert hangs.applied == 1
        # All is given back: the job as one that was never begun, the row as one whose outcome is unknown.
        draft = "SELECT attempts, lease_until FROM jobs WHERE kind = 'draft'"
        assert place.rows(draft) == [(0, 0)]
        row = "SELECT state, lease_until FROM outbox WHERE kind = 'comment.create'"
        assert place.rows(row) == [("sending", 0)]
        while any(Path(f"/proc/{pid}").exists() for pid in sandboxed):
            time.sleep(0.02)
