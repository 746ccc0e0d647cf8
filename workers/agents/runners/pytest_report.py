"""A pytest plugin that is put into sandboxes from outside: one JSON line for each thing that pytest collects and ends.

It is read as text, never imported by Conductor, and works with any pytest from 6 on. Tested code runs in the same process
and could write such lines too; that is why exit codes, collected ids and a planted failing test are compared with them.
"""

from __future__ import annotations

import json
import os
from typing import Any

# Taken away at once, so that sessions inside this one (of a test of a plugin, say) report nothing.
_PATH = os.environ.pop("CONDUCTOR_REPORT", "")
_FILE = os.open(_PATH, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if _PATH else -1
_SESSIONS: list[Any] = []


def _tell(**line: object) -> None:
    if _FILE >= 0:
        os.write(_FILE, json.dumps(line).encode() + b"\n")


def _ours(config: Any) -> bool:
    """Whether this is the first session of the process and no worker of pytest-xdist."""
    return (not _SESSIONS or _SESSIONS[0] is config) and not hasattr(config, "workerinput")


def pytest_configure(config: Any) -> None:
    """A session begins."""
    if not _SESSIONS:
        _SESSIONS.append(config)
        if _ours(config):
            _tell(started=1)


def pytest_collectreport(report: Any) -> None:
    """A file could not be collected."""
    if report.failed:
        _tell(id=report.nodeid or "(collection)", outcome="error")


def pytest_collection_finish(session: Any) -> None:
    """What will run."""
    if _ours(session.config):
        for item in session.items:
            _tell(collected=item.nodeid)


def pytest_runtest_logreport(report: Any) -> None:
    """A phase of a test ended."""
    if report.failed:
        _tell(id=report.nodeid, outcome="failed" if report.when == "call" else "error")
    elif report.skipped:
        _tell(id=report.nodeid, outcome="skipped")
    elif report.when == "call":
        _tell(id=report.nodeid, outcome="passed")


def pytest_unconfigure(config: Any) -> None:
    """The session came to its end."""
    if _ours(config):
        _tell(finished=1)
