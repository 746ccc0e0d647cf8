#!/usr/bin/env python
"""What Conductor's records and processes cost as they grow, beside the same questions without an index: same rows, same run.

Usage: run.py [--runs 1000,10000,100000,1000000] [--db sqlite|postgres|both] [--samples 400] [--json FILE] [--no-work] [--soak SECONDS]

Databases are filled with so many runs and all their rows; from 1,000,000 runs on with three rows a run (the run, a job, a
write). The App's own code then claims, sweeps, routes and shows, one client at a time; times are milliseconds, p50 and p99
by the clock and p50 of this process's processor, and the ratio is to the p50 of the first size. A sweep over a backlog follows. Then its processes work: model replies a
second with 1, 2 and 4 `worker agents` (each reply takes 500 ms), and writes a second with 1, 2 and 4 `worker github` (each
takes 100 ms, sixteen installations). --soak measures nothing but the memory of each process at a steady pace.
Exit 1 when an aim is missed that does not hang on how busy the machine is: no answer may grow with what is over.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from bench.scale.asking import FLOOR, Asker, naive, timed
from bench.scale.filling import Size, fill
from bench.scale.sizing import demo
from bench.scale.soaking import soak
from bench.scale.working import agents, as_json, commits, writes
from bot.adapters.storage import migrate
from bot.simulator.services import PostgresServer
from bot.simulator.topology import TopologyName

ROOT: Final = Path(__file__).resolve().parents[2]
RUNS: Final = "1000,10000,100000,1000000"
THIN: Final = 1_000_000
DUE: Final = 1_000
BACKLOG: Final = 10_000
WORKERS: Final = (1, 2, 4)
CLIENTS: Final = (1, 8)
DATABASES: Final[dict[str, tuple[TopologyName, ...]]] = {
    "sqlite": ("sqlite",),
    "postgres": ("postgres",),
    "both": ("sqlite", "postgres"),
}


def size_of(runs: int) -> Size:
    """One run of a hundred has work due, but a thousand at least (half of the runs where there are fewer than two thousand)."""
    return Size(runs, max(min(DUE, runs // 2), runs // 100), thin=runs >= THIN)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that so many of all do not pass."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def figures(times: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Milliseconds by the clock, and the median of the processor's."""
    values = [one for one, _ in times]
    known = {"n": len(values), "p50": percentile(values, 0.5), "p99": percentile(values, 0.99), "min": min(values)}
    return known | {"cpu": percentile([worked for _, worked in times], 0.5)}


def measure(url: str, size: Size, samples: int, only: str = "") -> dict[str, Any]:
    """Fill an empty database and ask it everything, or only one thing."""
    before = time.monotonic()
    rows = fill(url, size)
    found: dict[str, Any] = {"runs": size.runs, "due": size.due, "rows": rows, "fill_s": time.monotonic() - before}
    found["bytes"] = bytes_of(url)
    asker = Asker(url, size, samples)
    questions = {name: question for name, question in asker.questions().items() if only in name}
    # What the bench itself left behind is not collected in the middle of an answer.
    gc.collect()
    gc.freeze()
    found["questions"] = {name: figures(timed(question)) for name, question in questions.items()}
    asker.close()
    found["naive"] = {name: figures(values) for name, values in naive(url).items() if only in name}
    return found


def bytes_of(url: str) -> int:
    """How large the database is, its indices among it."""
    if url.startswith("sqlite"):
        return Path(url.removeprefix("sqlite:///")).stat().st_size
    engine = sa.create_engine(url)
    with engine.connect() as link:
        found = int(link.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())
    engine.dispose()
    return found


def queries(name: TopologyName, room: Path, sizes: Sequence[int], samples: int) -> list[dict[str, Any]]:
    """Every size one after the other, and at last a backlog, of which only the sweep is asked."""
    found = []
    asked = [(size_of(runs), "") for runs in sizes] + [(Size(BACKLOG, BACKLOG, thin=False), "sweep")]
    for size, only in asked:
        with ExitStack() as stack:
            if name == "postgres":
                url = stack.enter_context(PostgresServer()).new_database()
            else:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=room)))
                url = f"sqlite:///{folder / 'bench.db'}"
            found.append(measure(url, size, samples, only))
            print(f"{name}: {size.runs:,} runs, {found[-1]['rows']:,} rows measured", file=sys.stderr)
    return found


def table(name: str, found: Sequence[dict[str, Any]]) -> str:
    """A line a question: p50 and p99 at each size, ratios to the first size's."""
    *sizes, backlog = found
    lines = [f"{name}, milliseconds: p50 / p99 [processor's p50] (ratio of p50 to {sizes[0]['runs']:,} runs)"]
    lines += [f"{'runs':<36}" + "".join(f"{one['runs']:>32,}" for one in sizes)]
    for what, unit in (("rows", 1), ("due", 1), ("bytes", 1 << 20)):
        title = f"{what}{' (MiB)' if unit > 1 else ''}"
        lines.append(f"{title:<36}" + "".join(f"{one[what] // unit:>32,}" for one in sizes))
    first = sizes[0]["questions"]
    for question in first:
        cells = [one["questions"].get(question) for one in sizes]
        lines.append(f"{question:<36}" + "".join(_cell(cell, first[question]["p50"]) for cell in cells))
    for question in sizes[0]["naive"]:
        cells = [one["naive"][question] for one in sizes]
        title = f"  no index: {question}"
        lines.append(f"{title:<36}" + "".join(_cell(cell, first[question]["p50"]) for cell in cells))
    late = backlog["questions"]["sweep"]
    lines.append(f"a sweep with {BACKLOG:,} of everything due: p50 {late['p50']:.1f} ms, p99 {late['p99']:.1f} ms")
    return "\n".join(lines)


def _cell(one: dict[str, Any] | None, base: float) -> str:
    if one is None:
        return f"{'-':>32}"
    return f"{one['p50']:>10.2f} /{one['p99']:>7.2f} [{one['cpu']:>6.2f}] ({one['p50'] / base:>4.1f})"


def missed(name: str, found: Sequence[dict[str, Any]]) -> list[str]:
    """Where an answer grew with what is over: more than twice the time, and by more than the machine's own unrest.

    A sweep grows with what is due: where that is as much as in the backlog, it is compared with the backlog's.
    """
    *sizes, backlog = found
    wrong = []
    for one in sizes[1:]:
        for question, asked in one["questions"].items():
            other = backlog if question == "sweep" and one["due"] >= backlog["due"] else sizes[0]
            base = other["questions"][question]["p50"]
            if question != FLOOR and asked["p50"] > 2 * base + 2:
                wrong.append(
                    f"{name}: {question} takes {asked['p50']:.1f} ms at {one['runs']:,} runs and {base:.1f} ms at {other['runs']:,}"
                )
    return wrong


def chain(name: TopologyName, room: Path) -> dict[str, Any]:
    """Commits a second with and without a link of the audit chain, by one client and by eight."""
    with ExitStack() as stack:
        url = f"sqlite:///{room / 'chain.db'}"
        if name == "postgres":
            url = stack.enter_context(PostgresServer()).new_database()
        migrate(url)
        return {what: as_json(commits(url, CLIENTS, audited=what == "audited")) for what in ("audited", "not audited")}


def show_chain(name: str, found: dict[str, Any]) -> str:
    """One line for each kind."""
    return "\n".join(
        f"{name}: commits a second, {what}: "
        + ", ".join(f"{one['per_second']:.0f} by {one['workers']} client(s)" for one in rates)
        for what, rates in found.items()
    )


def show_demo(found: dict[str, Any]) -> str:
    """The largest tables first."""
    head = (
        f"the demo's run: {found['rows']} rows, {found['bytes'] / 1024:.0f} KiB of rows and indices, {found['delivery_bodies'] / 1024:.0f} KiB of it"
        f" bodies of deliveries; {found['writes']} writes, {found['content_writes']} of them content"
    )
    ordered = sorted(found["tables"].items(), key=lambda one: -one[1]["bytes"])
    return "\n".join(
        [head, *(f"  {name:<16}{one['rows']:>5} rows{one['bytes'] / 1024:>8.0f} KiB" for name, one in ordered[:10])]
    )


def show_work(name: str, what: str, rates: Sequence[dict[str, Any]]) -> str:
    """One line a number of workers."""
    return "\n".join(
        f"{name}: {one['workers']} worker {what}: {one['per_second']:6.2f} a second ({one['ratio']:.2f} of one's),"
        f" {one['cpu_ms']:.0f} ms of processor each"
        for one in rates
    )


def show_soak(found: dict[str, Any]) -> str:
    """One line a process."""
    lines = [f"{found['runs']} runs in {found['seconds']:.0f} s, longest queue of the broker {found['longest_queue']}"]
    lines += [f"{'process':<10}{'own MiB':>9}{'RSS MiB':>9}{'KiB/min':>10}{'95 %':>9}"]
    lines += [
        f"{one['process']:<10}{one['own_kib'] / 1024:>9.1f}{one['rss_kib'] / 1024:>9.1f}{one['kib_a_minute']:>10.1f}"
        f"{'± ' + format(one['plus_minus'], '.1f'):>9}{'  flat' if one['flat'] else '  grows'}"
        for one in found["processes"]
    ]
    return "\n".join(lines)


def main() -> int:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", default=RUNS)
    parser.add_argument("--db", choices=DATABASES, default="both")
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--no-work", action="store_true", help="measure the records alone")
    parser.add_argument("--soak", type=float, default=0.0)
    given = parser.parse_args()
    # Ended by a signal, it leaves neither servers nor gigabytes behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench/scale: ended by a signal"))
    sizes = [int(one) for one in given.runs.split(",") if one]
    names = DATABASES[given.db]
    report: dict[str, Any] = {"processors": os.cpu_count(), "load_at_start": os.getloadavg()}
    wrong: list[str] = []
    # In the tree, not in a temporary file system that may live in memory, where a sync costs nothing.
    room = ROOT / ".conductor"
    room.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-scale-", dir=room) as directory:
        if given.soak:
            report["soak"] = soak(names[-1], Path(directory, "soak"), given.soak)
            print(show_soak(report["soak"]))
        else:
            for name in names:
                report[name] = queries(name, Path(directory), sizes, given.samples)
                print(table(name, report[name]))
                wrong += missed(name, report[name])
            if not given.no_work:
                report["demo"] = demo(Path(directory))
                print(show_demo(report["demo"]))
                for name in names:
                    report[f"commits, {name}"] = chain(name, Path(directory))
                    print(show_chain(name, report[f"commits, {name}"]))
                for what, work in (("agents", agents), ("github", writes)):
                    report[what] = as_json(work(names[-1], Path(directory), WORKERS))
                    print(show_work(names[-1], what, report[what]))
    report["load_at_end"] = os.getloadavg()
    if given.json is not None:
        given.json.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
