"""What every session of pytest prints besides: how many escapes from the sandbox were tried, and how many were held."""

from __future__ import annotations

import pytest

ESCAPES = "tests/security/test_sandbox_escapes"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line, when any of them ran."""
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
