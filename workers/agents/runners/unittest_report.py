"""Runs unittest as `python -m unittest` does, and writes one JSON line for each test that it finds and ends.

It is read as text and put into sandboxes from outside, never imported by Conductor; what code under test prints is no report.
"""

from __future__ import annotations

import json
import os
import sys
import unittest
from collections.abc import Iterator
from typing import Any

_PATH = os.environ.pop("CONDUCTOR_REPORT", "")
_FILE = os.open(_PATH, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if _PATH else -1


def _tell(**line: object) -> None:
    if _FILE >= 0:
        os.write(_FILE, json.dumps(line).encode() + b"\n")


def _name(test: Any) -> str:
    """The id of a test; of a subtest, that of its test."""
    return str(getattr(test, "test_case", test).id())


class _Result(unittest.TextTestResult):
    def addSuccess(self, test: Any) -> None:  # noqa: N802  # unittest's name
        super().addSuccess(test)
        _tell(id=_name(test), outcome="passed")

    def addFailure(self, test: Any, err: Any) -> None:  # noqa: N802
        super().addFailure(test, err)
        _tell(id=_name(test), outcome="failed")

    def addError(self, test: Any, err: Any) -> None:  # noqa: N802
        super().addError(test, err)
        _tell(id=_name(test), outcome="error")

    def addSkip(self, test: Any, reason: str) -> None:  # noqa: N802
        super().addSkip(test, reason)
        _tell(id=_name(test), outcome="skipped")

    def addExpectedFailure(self, test: Any, err: Any) -> None:  # noqa: N802
        super().addExpectedFailure(test, err)
        _tell(id=_name(test), outcome="skipped")

    def addUnexpectedSuccess(self, test: Any) -> None:  # noqa: N802
        super().addUnexpectedSuccess(test)
        _tell(id=_name(test), outcome="failed")

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:  # noqa: N802
        super().addSubTest(test, subtest, err)
        if err is not None:
            _tell(id=_name(test), outcome="failed")


class _Runner(unittest.TextTestRunner):
    resultclass = _Result  # type: ignore[assignment]  # a class is such a callable

    def run(self, test: Any) -> Any:
        for one in _each(test):
            _tell(collected=_name(one))
        result = super().run(test)
        _tell(finished=1)
        return result


def _each(test: Any) -> Iterator[Any]:
    if isinstance(test, unittest.TestSuite):
        for one in test:
            yield from _each(one)
    elif test is not None:
        yield test


if __name__ == "__main__":
    _tell(started=1)
    sys.argv[0] = "python -m unittest"
    unittest.main(module=None, testRunner=_Runner)
