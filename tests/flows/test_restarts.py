"""A rolling restart in the middle of a run: the new process works beside the old one, which ends in time and gives back what it holds.
Then the broker is gone for a moment, and forgets everything.

Leases are longer than the test: what is not given back would hold the run up until it fails.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

from bot.adapters.storage import SqlStorage
from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.simulator.github.faults import Fault
from bot.simulator.model import ScriptedModel
from bot.simulator.runner import Runner
from bot.simulator.scenario import parse_scenario
from bot.simulator.topology import Topology
from tests.harness.flow import HAPPY, Seen
from tests.harness.house import HandQueue
from tests.harness.scenarios import APPROVE, MODEL, calc

WITHIN_S: Final = 10.0
LONG_MS: Final = 600_000
MODEL_HANGS: Final[dict[str, Any]] = {"error": 500, "delay_s": 300}
"""A call that ends long after its process must have; a repeated one is answered at once."""
WRITE_HANGS: Final = "POST /repos/*/pulls"


class Rolling(Runner):
    """Puts a new process beside each old one, then ends the old one while it is busy."""

    codes: dict[str, int]
    held: dict[str, list[str]]
    forgot: bool

    def _topology(self, *given: Any) -> Topology:
        self.codes, self.held, self.forgot = {}, {}, False
        self.model: ScriptedModel = given[2]
        self.app = Runner._topology(self, *given)
        return self.app

    def look(self, _tx: Transaction, run: r.Run | None) -> None:
        """Called at every look at the records."""
        if run is not None and self.model.requests and not self.codes:
            # The planner's call hangs; beat and control have nothing in hand.
            for process in ("agents", "control", "beat"):
                self._roll(process)
        if run is not None and run.state == "code.draft" and not self.forgot:
            # A Redis without persistence is gone, and comes back empty.
            self.app.restart_broker()
            self.forgot = True
        if self.more_faults[0].applied and "github" not in self.codes:
            self._roll("github")

    def _roll(self, process: str) -> None:
        app, newer = self.app, f"{process}.2"
        old = app._processes[process]
        app._spawn(newer)
        app._await_ready()
        old.terminate()
        self.codes[process] = old.wait(WITHIN_S)
        self.held[process] = [one for one in _owners(app) if f":{old.pid}:" in one]
        app._processes[process] = app._processes[newer]
        assert old.stdin is not None
        old.stdin.close()


def _owners(app: Topology) -> list[str]:
    """Who holds a lease now."""
    storage = SqlStorage(app.database_url, HandQueue())
    try:
        with storage.read() as tx:
            return tx.jobs.owners()
    finally:
        storage.close()


def test_old_and_new_processes_side_by_side_lose_and_double_nothing() -> None:
    scenario = calc(
        APPROVE,
        model={"planner": [MODEL_HANGS, *MODEL["planner"]]},
        seconds=200,
        settings={"lease_ms": LONG_MS},
    )
    hangs = Fault(WRITE_HANGS, after_effect=True, hang_s=300)
    runner = Rolling(parse_scenario(yaml.safe_dump(scenario), Path(__file__)), "sqlite", more_faults=[hangs])
    runner.watch = runner.look
    report = runner.run()
    assert report["reached"], (report["problem"], runner.log[-5_000:])
    assert runner.codes == dict.fromkeys(("agents", "control", "beat", "github"), 0)
    assert runner.held == {process: [] for process in runner.codes}
    assert hangs.applied == 1
    assert runner.forgot
    seen = Seen(report)
    assert seen.path == HAPPY
    seen.published()
    assert seen.unread() == []
    assert len(report["github"]["pulls"]) == 1
    assert report["unmatched_writes"] == 0
    assert report["audit"] == {"verified": True}
    keys = [row["dedupe_key"] for row in report["outbox"]]
    assert len(keys) == len(set(keys))
    # One plan was paid for; the call that was cut off is charged, too.
    assert len([one for one in report["model_requests"] if one["role"] == "planner"]) == 3
