"""Runs tests against mutants in one process that forks: collected once, one child a mutant, first failure ends it.

Started as `python -m tests.mutants.running PLAN.json RESULT.json` in the tree that holds the mutants. A first child
runs every test unchanged and notes which functions each one reaches and how long it takes; the parent itself never
runs a test, so that no cache that a test fills can hide a mutant.
"""

from __future__ import annotations

import gc
import json
import os
import pickle
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state

SLOWEST_TEST: Final = 4.0  # seconds; a slower one never judges a mutant
BUDGET: Final = 12.0  # seconds of tests, as measured, that one mutant may cost
_HANGS: Final = 6.0  # times a test's measured time, after which a mutant counts as killed by its endless loop
_MEMORY: Final = 6 << 30  # bytes of address space, for mutants that loop into a growing list


@dataclass(slots=True)
class Measured:
    """What the unchanged run showed: seconds of each test, tests that reach each switch, and failed tests."""

    seconds: list[float]
    reached: dict[str, list[int]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)


class _Failures:
    def __init__(self) -> None:
        self.any = False
        self.words = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.any = True
            self.words = report.longreprtext[-2000:]


class Mutations:
    """A pytest plugin whose test loop is the mutation run; `outcome` maps each mutant to killed, survived or untested."""

    def __init__(self, mutants: list[tuple[str, str]], jobs: int, tell: Callable[[str], None]) -> None:
        self._mutants = mutants
        self._jobs = jobs
        self._tell = tell
        self._failures = _Failures()
        self._items: list[pytest.Item] = []
        self._first: dict[str, int] = {}
        self._caches: list[Callable[[], None]] = []
        self.outcome: dict[str, str] = {}

    def pytest_configure(self, config: pytest.Config) -> None:
        # Imported late: pytest warns when a plugin's package comes before it.
        from hypothesis import HealthCheck, settings

        # The same examples each time, and no deadline: a busy machine must not kill a mutant.
        settings.register_profile(
            "mutants", deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
        )
        settings.load_profile("mutants")
        config.pluginmanager.register(self._failures)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            raise session.Interrupted(f"{session.testsfailed} test files could not be read")
        self._items = session.items
        self._caches = [
            value.cache_clear
            for name, module in list(sys.modules.items())
            if name.startswith("bot.")
            for value in vars(module).values()
            if hasattr(value, "cache_clear")
        ]
        self._forget()
        gc.freeze()  # children share the parent's pages for longer
        started = time.monotonic()
        measured = pickle.loads(_in_child(self._measure)())
        self._tell(f"{len(self._items)} tests pass unchanged in {time.monotonic() - started:.0f} s")
        if measured.failed:
            raise session.Interrupted("unchanged code fails " + "\n".join(measured.failed))
        self._control(measured)
        chosen = {name: self._order(indexes, measured) for name, indexes in measured.reached.items()}
        self._run_all(chosen, measured)
        return True

    def _forget(self) -> None:
        """Empties the caches of the code under test: what they hold was computed for another test, or by unchanged code."""
        for clear in self._caches:
            clear()

    def _measure(self) -> bytes:
        set_mutant_under_test("stats")
        measured = Measured([0.0] * len(self._items))
        for index, item in enumerate(self._items):
            state()._stats.clear()
            self._forget()
            self._failures.any = False
            started = time.process_time()
            self._run_one(item, self._items[index + 1] if index + 1 < len(self._items) else None)
            measured.seconds[index] = time.process_time() - started
            if self._failures.any:
                measured.failed.append(f"{item.nodeid}: {self._failures.words}")
            for name in state()._stats:
                measured.reached.setdefault(name, []).append(index)
        return pickle.dumps(measured)

    def _control(self, measured: Measured) -> None:
        """Unchanged code must live in the very order and under the limits that mutants get; else a kill means nothing."""
        pid, pipe, room = self._start("", "", self._order(range(len(self._items)), measured), measured.seconds)
        _, status = os.waitpid(pid, 0)
        killer = os.read(pipe, 32)
        os.close(pipe)
        shutil.rmtree(room, ignore_errors=True)
        if status:
            name = self._items[int(killer)].nodeid if killer else "a limit"
            raise SystemExit(f"unchanged code is killed by {name} (status {status}), so no kill could be believed")

    @staticmethod
    def _order(indexes: Iterable[int], measured: Measured) -> list[int]:
        """The tests that judge a switch, quick ones first, within the budget."""
        kept: list[int] = []
        spent = 0.0
        for index in sorted(indexes, key=lambda index: measured.seconds[index]):
            if measured.seconds[index] > SLOWEST_TEST or spent > BUDGET:
                break
            spent += measured.seconds[index]
            kept.append(index)
        return kept

    def _run_all(self, chosen: dict[str, list[int]], measured: Measured) -> None:
        waiting = list(self._mutants)
        running: dict[int, tuple[str, str, int, Path]] = {}
        done = 0
        while waiting or running:
            while waiting and len(running) < self._jobs:
                name, switch = waiting.pop(0)
                tests = chosen.get(switch, [])
                if not tests:
                    self.outcome[name] = "untested"
                    done += 1
                    continue
                pid, pipe, room = self._start(name, switch, tests, measured.seconds)
                running[pid] = (name, switch, pipe, room)
            if not running:
                continue
            pid, status = os.wait()
            name, switch, pipe, room = running.pop(pid)
            killer = os.read(pipe, 32)
            os.close(pipe)
            shutil.rmtree(room, ignore_errors=True)
            self.outcome[name] = "survived" if status == 0 else "killed"
            if killer:
                self._first[switch] = int(killer)
            done += 1
            if done % 100 == 0:
                alive = sum(1 for outcome in self.outcome.values() if outcome != "killed")
                self._tell(f"{done} of {len(self._mutants)} mutants tried, {alive} alive")

    def _start(self, name: str, switch: str, tests: list[int], seconds: list[float]) -> tuple[int, int, Path]:
        """Starts a child on one mutant; it exits with 0 when no test fails, and names the test that does."""
        first = self._first.get(switch)
        ordered = tests if first is None else [first, *(index for index in tests if index != first)]
        room = Path(tempfile.mkdtemp(prefix="mutant-"))
        receiving, sending = os.pipe()
        pid = os.fork()
        if pid:
            os.close(sending)
            return pid, receiving, room
        os.close(receiving)
        try:
            _bound(sum(seconds[index] for index in tests))
            os.environ["PYTEST_DEBUG_TEMPROOT"] = str(room)
            set_mutant_under_test(name)
            for place, index in enumerate(ordered):
                after = self._items[ordered[place + 1]] if place + 1 < len(ordered) else None
                _allow(seconds[index])
                self._run_one(self._items[index], after)
                if self._failures.any:
                    os.write(sending, str(index).encode())
                    os._exit(1)
        except BaseException:  # noqa: BLE001  # whatever a mutant does to the loop itself has killed it
            os._exit(2)
        os._exit(0)

    @staticmethod
    def _run_one(item: pytest.Item, after: pytest.Item | None) -> None:
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)


def _bound(seconds: float) -> None:
    """Silences this child and bounds its memory, and its time (`seconds` of tests as measured) should it sleep for ever."""
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, 60 + 20 * seconds)


def _allow(seconds: float) -> None:
    """Gives the next test processor time in plenty; a mutant that loops without end is killed by the kernel's signal."""
    until = time.process_time() + seconds * _HANGS + 2
    resource.setrlimit(resource.RLIMIT_CPU, (int(until) + 1, resource.RLIM_INFINITY))


def _in_child(work: Callable[[], bytes]) -> Callable[[], bytes]:
    """`work` as a call whose effects on this process stay in a child; it returns what the child's call returned."""

    def call() -> bytes:
        with tempfile.TemporaryFile() as answer:
            pid = os.fork()
            if pid == 0:
                try:
                    answer.write(work())
                    answer.flush()
                    os._exit(0)
                except BaseException as error:  # noqa: BLE001  # a child must end here, and say why
                    sys.__stderr__.write(f"the unchanged run broke: {error!r}\n")  # type: ignore[union-attr]
                    os._exit(1)
            _, status = os.waitpid(pid, 0)
            if status:
                raise SystemExit(f"the unchanged run ended with status {status}")
            answer.seek(0)
            return answer.read()

    return call


def main(plan: Path, result: Path) -> int:
    """Runs the plan's mutants and writes `{mutant: outcome}`; returns 0 when all of them have an outcome."""
    wanted: dict[str, Any] = json.loads(plan.read_text("utf-8"))
    quiet = os.fdopen(os.dup(2), "w", buffering=1)
    set_mutant_under_test("")
    loop = Mutations([tuple(pair) for pair in wanted["mutants"]], wanted["jobs"], lambda line: print(line, file=quiet))
    arguments = ["-q", "--tb=native", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "timeout=0", *wanted["tests"]]
    code = pytest.main(arguments, plugins=[loop])
    result.write_text(json.dumps(loop.outcome), "utf-8")
    return int(code)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
