#!/usr/bin/env python
"""What Conductor itself costs a run: the demo's time from its first row to its last, less sandboxed commands and model replies.

Usage: run.py [RESULT.json] [--rounds 5] [--topology embedded]

Commands and replies that overlap are taken off once. The peer of the same run is the share that they have in it: the
same demo without Conductor would still wait for them. Pacing is 0; the App's start is not counted.
"""

from __future__ import annotations

import argparse
import json
import statistics
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

from bot.simulator.bundled_scenario import bundled
from bot.simulator.runner import Runner
from bot.simulator.topology import TopologyName

WAITS = frozenset({"sandbox_ran", "model_answered"})


def waits(log: str) -> list[tuple[float, float]]:
    """Start and end of every sandboxed command and model reply, in seconds since the epoch."""
    found = []
    for line in log.splitlines():
        if not line.startswith("{"):
            continue
        entry = json.loads(line)
        if entry.get("event") in WAITS:
            end = datetime.fromisoformat(entry["timestamp"]).timestamp()
            found.append((end - float(entry["seconds"]), end))
    return sorted(found)


def covered(spans: list[tuple[float, float]]) -> float:
    """Seconds that lie in any of the spans."""
    total, reached = 0.0, 0.0
    for start, end in spans:
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def measure(topology: TopologyName) -> dict[str, float]:
    """One demo."""
    runner = Runner(bundled(), topology, in_step=False)
    report: dict[str, Any] = runner.run()
    if report["state"] != "in_review":
        raise SystemExit(f"bench/overhead: the demo ended in {report['state']}: {report['problem']}")
    rows = report["outbox"]
    whole = (max(row["confirmed_at"] for row in rows) - min(row["created_at"] for row in rows)) / 1000
    waited = covered(waits(runner.log))
    return {
        "run_s": whole,
        "waited_s": waited,
        "overhead_s": whole - waited,
        "overhead_per_wait": (whole - waited) / waited,
    }


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--topology", choices=get_args(TopologyName), default="embedded")
    asked = parser.parse_args()
    rounds = [measure(asked.topology) for _ in range(asked.rounds)]
    print(f"{'':>18} {'min':>8} {'median':>8} {'max':>8}")
    for name in rounds[0]:
        values = [one[name] for one in rounds]
        print(f"{name:>18} {min(values):8.2f} {statistics.median(values):8.2f} {max(values):8.2f}")
    if asked.result is not None:
        asked.result.write_text(json.dumps(rounds, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
