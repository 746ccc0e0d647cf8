#!/usr/bin/env python
"""How much of what is harmless the command guard allows, how much of what is not, and what a command costs it.

Usage: run.py [RESULT.json] [--rounds 3]

Harmful lines are those of the tests (`tests/security`): tricks of ordinary programs for reviewers, destructive lines for
implementers. Harmless ones come from the development data, `../shared/data/commands-dev.json`, where that is present:
commands that one guard's authors call read-only or not, and commands that CI jobs ran. The peer of the same run is
bash-classify 0.14.1 (MIT), which has the same parser and a database of commands; READONLY stands for "a reviewer may",
READONLY and LOCAL_EFFECTS for "an implementer may". It asks for Python 3.12, and runs on 3.11 as it is.

Exits 1 when a harmful line is allowed, or the median of a decision is 1 ms or more.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import filterfalse
from pathlib import Path
from typing import Any

from tests.security.test_guard_destruction import DESTRUCTIVE
from tests.security.test_guard_tricks import TRICKS
from workers.guard import Profile, judge

ROOT = Path(__file__).resolve().parent.parent.parent
DATA = ROOT.parent / "shared" / "data" / "commands-dev.json"
PEER, PEER_VERSION = "bash-classify", "0.14.1"
MOST_MS = 1.0

# A reviewer may ask whether a page is there, and fetch none: that part of the read-only lines is refused on purpose.
_FETCHES = re.compile(r"(?:curl|wget)\b").match

Allows = Callable[[str, Profile], bool]


@dataclass(frozen=True)
class Lines:
    """Lines of one kind; ``harmful``: none may be allowed."""

    name: str
    profile: Profile
    lines: tuple[str, ...]
    harmful: bool


def kinds() -> list[Lines]:
    """The tests' own lines, and the development data where there is any."""
    found = [
        Lines("tricks of ordinary programs", Profile.REVIEWER, tuple(TRICKS), harmful=True),
        Lines("destructive lines", Profile.IMPLEMENTER, tuple(DESTRUCTIVE), harmful=True),
    ]
    if not DATA.is_file():
        print(f"guard: {DATA} is not there, so only the tests' own lines are judged", file=sys.stderr)
        return found
    data = json.loads(DATA.read_text())
    labelled = data["labelled"]
    read_only = tuple(one["command"] for one in labelled if one["read_only"])
    other = tuple(one["command"] for one in labelled if not one["read_only"])
    return [
        *found,
        Lines("labelled not read-only", Profile.REVIEWER, other, harmful=True),
        Lines("labelled read-only", Profile.REVIEWER, read_only, harmful=False),
        Lines("the same without fetches", Profile.REVIEWER, tuple(filterfalse(_FETCHES, read_only)), harmful=False),
        Lines("of ordinary CI jobs", Profile.IMPLEMENTER, tuple(data["ordinary_ci"]), harmful=False),
    ]


def ours(line: str, profile: Profile) -> bool:
    """The guard itself."""
    return judge(line, profile).allowed


def peer(folder: str) -> Allows:
    """bash-classify, installed into a folder of its own; its dependencies are the guard's too."""
    install = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-input", "--no-deps"]
    install += ["--only-binary", ":all:", "--ignore-requires-python", "--target", folder, f"{PEER}=={PEER_VERSION}"]
    subprocess.run(install, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    sys.path.insert(0, folder)
    import bash_classify  # type: ignore[import-not-found]  # the peer, which this bench installs

    database = bash_classify.load_database()
    reads = bash_classify.Classification.READONLY
    works = {reads, bash_classify.Classification.LOCAL_EFFECTS}

    def allows(line: str, profile: Profile) -> bool:
        found = bash_classify.classify_expression(line, database).classification
        return found is reads or (profile is Profile.IMPLEMENTER and found in works)

    return allows


def timed(allows: Allows, kind: Lines, rounds: int) -> tuple[int, list[float]]:
    """How many are allowed, and for each line the milliseconds of its best round."""
    allowed = sum(allows(line, kind.profile) for line in kind.lines)
    best = [float("inf")] * len(kind.lines)
    for _ in range(rounds):
        for place, line in enumerate(kind.lines):
            start = time.perf_counter()
            allows(line, kind.profile)
            best[place] = min(best[place], (time.perf_counter() - start) * 1e3)
    return allowed, best


def measure(contenders: Mapping[str, Allows], rounds: int) -> list[dict[str, Any]]:
    """A row for each kind and contender."""
    rows: list[dict[str, Any]] = []
    for kind in kinds():
        for name, allows in contenders.items():
            allowed, spent = timed(allows, kind, rounds)
            rows.append(
                {
                    "guard": name,
                    "lines": kind.name,
                    "profile": str(kind.profile),
                    "harmful": kind.harmful,
                    "count": len(kind.lines),
                    "allowed": allowed,
                    "share": round(allowed / len(kind.lines), 4),
                    "median_ms": round(statistics.median(spent), 4),
                    "p99_ms": round(statistics.quantiles(spent, n=100)[98], 4),
                }
            )
    return rows


def denials() -> dict[str, list[tuple[str, int]]]:
    """The rules that deny most harmless lines, by kind."""
    return {
        kind.name: Counter(
            decision.rule for line in kind.lines if not (decision := judge(line, kind.profile)).allowed
        ).most_common(12)
        for kind in kinds()
        if not kind.harmful
    }


def main() -> int:
    """Print the rows, and write them where asked."""
    parser = argparse.ArgumentParser()
    parser.add_argument("result", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure({"conductor": ours, PEER: peer(folder)}, asked.rounds)
    for row in rows:
        print(
            f"{row['guard']:14} {row['profile']:11} {row['lines']:28} "
            f"{row['allowed']:5} of {row['count']:5} allowed ({row['share']:6.1%})  "
            f"median {row['median_ms']:.3f} ms, p99 {row['p99_ms']:.3f} ms"
        )
    rules = denials()
    for name, counted in rules.items():
        print(f"denied most, {name}: " + ", ".join(f"{rule} {count}" for rule, count in counted))
    if asked.result:
        asked.result.write_text(json.dumps({"rows": rows, "denials": rules}, indent=1) + "\n")
    own = [row for row in rows if row["guard"] == "conductor"]
    failed = any(row["allowed"] and row["harmful"] for row in own) or any(row["median_ms"] >= MOST_MS for row in own)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
