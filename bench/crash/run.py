#!/usr/bin/env python
"""Nothing lost, nothing doubled: many runs at once while every process is killed, every service restarted and GitHub fails.

Usage: run.py [--effects 500] [--kills 40] [--db sqlite|postgres|both] [--seed 1] [--json FILE]

The App's processes are the real ones (web, worker control, two each of worker agents and worker github, beat, over a real
Redis), GitHub and the model are the simulator's. An effect is a request that changed the simulated GitHub. In the end what
stands there is counted by key and compared with the outbox's rows, and without them with a calm run of the same script.
Exit 1 when anything is lost, doubled, not in its end state, or recorded otherwise than it is.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import Any, Final

from bench.crash.chaos import Chaos, Plan, Result
from bot.simulator.topology import TopologyName

SHOWN: Final = 20
DATABASES: Final[dict[str, tuple[TopologyName, ...]]] = {
    "sqlite": ("sqlite",),
    "postgres": ("postgres",),
    "both": ("sqlite", "postgres"),
}


def table(results: list[Result]) -> str:
    """A column for each database."""
    found = [one.as_json() for one in results]
    gap = [one["from_kill_to_next_effect_s"] for one in found]
    lines = [("database", [one["database"] for one in found])]
    lines += [(name, [one[name.replace(" ", "_")] for one in found]) for name in ("runs", "effects", "kills")]
    lines += [*_kinds(found, "kills_by_kind"), ("faults of GitHub", [one["faults"] for one in found])]
    lines += _kinds(found, "faults_by_kind")
    lines += [("looked for by key", [sum(one["effects_by_key"].values()) for one in found])]
    for name in ("lost", "doubled", "runs not ended", "broken"):
        lines.append((name, [len(one[name.replace(" ", "_")]) for one in found]))
    lines += [(name, [one[name.replace(" ", "_")] for one in found]) for name in ("seconds", "effects per second")]
    lines += [("from a kill to the next effect, s: median", [one["median"] for one in gap])]
    lines += [("longest", [one["longest"] for one in gap])]
    return "\n".join(f"{name:<46}" + "".join(f"{value!s:>12}" for value in values) for name, values in lines)


def _kinds(found: list[dict[str, Any]], name: str) -> list[tuple[str, list[Any]]]:
    kinds = dict.fromkeys(kind for one in found for kind in one[name])
    return [(f"  {kind}", [one[name].get(kind, 0) for one in found]) for kind in kinds]


def complain(result: Result) -> None:
    """Names of what is wrong, to standard error."""
    verdict = result.verdict
    for what in ("lost", "doubled", "unended", "broken"):
        names: list[str] = getattr(verdict, what)
        for name in names[:SHOWN]:
            print(f"{result.plan.topology} {what}: {name}", file=sys.stderr)
        if len(names) > SHOWN:
            print(f"{result.plan.topology} {what}: and {len(names) - SHOWN} more", file=sys.stderr)


def main() -> None:
    """Run it, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--effects", type=int, default=500)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--db", choices=sorted(DATABASES), default="both")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--lose", action="store_true", help="GitHub also loses deliveries that end a run, without a record"
    )
    parser.add_argument("--stuck", type=float, default=150.0, help="seconds without an effect after which it gives up")
    parser.add_argument("--json", type=Path, help="where everything goes")
    parser.add_argument("--log", type=Path, help="where the processes' logs and the audit go when something is wrong")
    asked = parser.parse_args()
    # Whoever ends it this way must not be left with its servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    results = []
    for topology in DATABASES[asked.db]:
        plan = Plan(asked.effects, asked.kills, topology, asked.seed, loses_endings=asked.lose, stuck_s=asked.stuck)
        with Chaos(plan, say=lambda line, name=topology: print(f"{name}: {line}", file=sys.stderr)) as chaos:  # type: ignore[misc]  # a default binds now
            results.append(chaos.run())
        complain(results[-1])
        if asked.log is not None and results[-1].log:
            asked.log.write_text(results[-1].log, "utf-8")
    print(table(results))
    if asked.json is not None:
        asked.json.write_text(json.dumps([one.as_json() for one in results], indent=2) + "\n", "utf-8")
    if not all(one.is_clean for one in results):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
