#!/usr/bin/env python
"""What starting a sandbox costs: `Sandbox.run_argv` of `/bin/true`, to the answer, beside bubblewrap alone.

Usage: run.py [RESULT.json] [--starts 200]

The peer of the same run is `bwrap --ro-bind / / /bin/true`, which isolates next to nothing; a second one has all namespaces,
a /proc and a /dev. `read-only` is what reviewers get, `writable` what an implementer gets in an empty workspace, `repository`
the same in one of 1,000 files in 100 folders that holds AGENTS.md, a .github folder and a CLAUDE.md below. The kinds take turns, so that
whatever else the machine does meets all of them. Milliseconds of wall time; the aim for the median of `writable` is 15 ms, and is
reported as met or missed: how fast a machine is makes no error.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from workers.sandbox.box import Sandbox
from workers.sandbox.toolchain import Toolchain

AIM_MS = 15.0
PLAIN = ("bwrap", "--ro-bind", "/", "/")
UNSHARED = (*PLAIN, "--unshare-all", "--proc", "/proc", "--dev", "/dev")
COMMAND = ("/bin/true",)


def repository(root: Path) -> Path:
    """A tree as repositories are."""
    for number in range(100):
        folder = root / f"src{number // 10}" / f"part{number}"
        folder.mkdir(parents=True)
        for name in range(10):
            (folder / f"module{name}.py").write_text("x = 1\n")
    (root / ".github" / "workflows").mkdir(parents=True)
    (root / ".github" / "workflows" / "ci.yml").write_text("on: push\n")
    (root / "AGENTS.md").write_text("Be kind.\n")
    (root / "src0" / "CLAUDE.md").write_text("Be kind.\n")
    return root


def timed(start: Callable[[], object]) -> float:
    """Milliseconds that one start takes."""
    began = time.perf_counter()
    start()
    return (time.perf_counter() - began) * 1000


def kinds(place: Path) -> dict[str, Callable[[], object]]:
    """What is compared, by name."""
    sandbox = Sandbox(toolchain=Toolchain.build(place / "toolchain"), scratch=place / "sandboxes")
    empty = place / "empty"
    empty.mkdir()
    full = repository(place / "repository")

    def run(tree: Path, *, writable: bool) -> None:
        ran = sandbox.run_argv(COMMAND, tree=tree, writable=writable)
        if ran.exit_code != 0:
            raise SystemExit(f"bench/sandbox: /bin/true ended with {ran.exit_code}: {ran.note}")

    return {
        "bwrap alone": lambda: subprocess.run([*PLAIN, *COMMAND], check=True),
        "bwrap, namespaces": lambda: subprocess.run([*UNSHARED, *COMMAND], check=True),
        "read-only": lambda: run(empty, writable=False),
        "writable": lambda: run(empty, writable=True),
        "repository": lambda: run(full, writable=True),
    }


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", nargs="?", type=Path)
    parser.add_argument("--starts", type=int, default=200)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-sandbox-") as name:
        compared = kinds(Path(name))
        taken: dict[str, list[float]] = {kind: [timed(start)] for kind, start in compared.items()}
        for _ in range(asked.starts):
            for kind, start in compared.items():
                taken[kind].append(timed(start))
    figures = {}
    print(f"{'ms a start':>20} {'min':>8} {'median':>8} {'p90':>8} {'first':>8}")
    for kind, (first, *rest) in taken.items():
        figures[kind] = {
            "min": min(rest),
            "median": statistics.median(rest),
            "p90": statistics.quantiles(rest, n=10)[8],
            "first": first,
        }
        print(f"{kind:>20} " + " ".join(f"{value:8.2f}" for value in figures[kind].values()))
    if asked.result is not None:
        asked.result.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    median = figures["writable"]["median"]
    print(
        f"the median of writable is {median:.1f} ms, the aim of {AIM_MS:g} ms is {'met' if median <= AIM_MS else 'missed'}"
    )


if __name__ == "__main__":
    main()
