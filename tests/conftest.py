"""What every session of pytest prints besides (how many escapes from the sandbox were tried and held, and what tests tell), and its order over workers."""

from __future__ import annotations

from itertools import islice

import pytest

ESCAPES = "tests/security/test_sandbox_escapes"

SLOW = (("tests/flows/", "tests/crash/"), ("tests/contract/",), ("tests/security/",))
"""Rooms whose tests take longer than most, the slowest first."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Slow rooms come first, each at one worker: what is left for the end, and is dealt out anew, is quick.

    Flows are many processes each; two at a time would leave neither the time that it waits for. pytest-xdist's `worksteal`
    gives each worker an equal part of the list, and takes from the ends of the longest.
    """
    workers = int(getattr(config, "workerinput", {}).get("workercount", 1))
    parts: list[list[pytest.Item]] = [[] for _ in range(workers)]
    for number, rooms in enumerate(SLOW):
        parts[number % workers] += [one for one in items if one.nodeid.startswith(rooms)]
    quick = iter([one for one in items if not one.nodeid.startswith(sum(SLOW, ()))])
    for left, part in zip(range(workers, 0, -1), parts, strict=True):
        share = (len(items) - sum(map(len, parts[:-left]))) // left
        part.extend(islice(quick, max(share - len(part), 0)))
    items[:] = [one for part in parts for one in part]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line, when any of them ran, and each line that a test recorded as ``told``."""
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, line in report.user_properties:
            if name == "told" and report.when == "call":
                terminalreporter.write_line(str(line))
    count = {
        word: sum(
            1
            for report in terminalreporter.getreports(word)
            if report.nodeid.startswith(ESCAPES) and getattr(report, "when", "call") in {"call", "setup"}
        )
        for word in ("passed", "failed", "error")
    }
    if any(count.values()):
        terminalreporter.write_line(f"sandbox escapes: {sum(count.values())} cases, {count['passed']} held")
