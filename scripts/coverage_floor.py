"""Fails when a room that decides has too little coverage; run after pytest has written `.coverage`.

Each room must reach the floor twice: in coverage.py's combined figure (statements and branches) and in branches alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

FLOOR: Final = 95.0
ROOMS: Final = ("bot/domain/*", "bot/gates/*", "bot/policy/*", "bot/services/publishing*")


def measure(room: str) -> tuple[float, float] | None:
    """The combined and the branch figure of one room in percent; None when no file of it was measured."""
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "coverage.json"
        done = subprocess.run(
            [sys.executable, "-m", "coverage", "json", "-q", "-o", str(report), f"--include={room}"],
            check=False,
            capture_output=True,
            text=True,
        )
        if not report.is_file():
            if "No data to report" in done.stdout + done.stderr:
                return None
            raise SystemExit(f"coverage could not report on {room}: {done.stdout}{done.stderr}")
        totals = json.loads(report.read_text("utf-8"))["totals"]
    branches = totals["num_branches"]
    return totals["percent_covered"], 100.0 * totals["covered_branches"] / branches if branches else 100.0


def main() -> int:
    """Prints one line a room and returns 1 when one lies below the floor or was not measured at all."""
    failed = False
    for room in ROOMS:
        measured = measure(room)
        if measured is None:
            sys.stdout.write(f"coverage {room}: nothing was measured, {FLOOR:.0f} % is asked\n")
            failed = True
            continue
        combined, branches = measured
        low = min(combined, branches) < FLOOR
        failed = failed or low
        note = f" - below {FLOOR:.0f} %" if low else ""
        sys.stdout.write(f"coverage {room}: {combined:.1f} %, branches {branches:.1f} %{note}\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
