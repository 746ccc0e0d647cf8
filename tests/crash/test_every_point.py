"""A death at every point: before and after each commit of the services and each request to GitHub, every effect is there once (I11).

The points are the places in our own code, found by its syntax tree, so that a new one is asked for here by itself. Nothing
in the code knows of them: the process dies in the harness's storage and client.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any
from unittest import mock

import pytest

import bot.bootstrap
from bot.adapters.github_client import GitHubClient
from bot.ports import records as r
from bot.ports.queue import Nudge
from bot.services.dispatch import Dispatch
from bot.services.progress import Progress
from bot.simulator.github.faults import Fault
from tests.harness.house import FragileStorage, House, Killed

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("bot/services/",)
GITHUB = ("bot/adapters/github_writer", "bot/adapters/github_reader")
PATIENT = {"job_attempts": 500, "row_attempts": 500, "delivery_attempts": 500}
FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("POST /repos/*/issues/7/comments", {"status": 502, "after_effect": True, "times": 4}),
    ("PATCH /repos/*/issues/comments/*", {"status": 403, "retry_after": 3, "times": 4}),
    ("POST /repos/*/issues/7/reactions", {"status": 422, "times": 99}),
)
"""Unknown outcomes, limits and refusals, so that what is done about them has its points too; as often as deaths use them up."""
ELSEWHERE = {
    # The heartbeat's own thread: it renews a lease, and what it writes is no effect.
    "bot/services/performing.py:_Heartbeat._beat",
    # Commands at a shell, which dies with its command; a person gives it again.
    "bot/services/stopping.py:Stopping.set",
    "bot/services/stopping.py:Stopping.cancel",
}


def _asked(frame: FrameType | None, inside: tuple[str, ...]) -> str:
    """Our own functions that lead to here, innermost first, as far as they are in one file."""
    found: list[str] = []
    while frame is not None:
        path, name = frame.f_code.co_filename, frame.f_code.co_qualname.replace(".<locals>", "")
        file = next((path[path.index(one) :] for one in inside if one in path), "")
        if file and (not found or found[0] == file):
            found = found or [file]
            found.append(name)
        elif found:
            break
        frame = frame.f_back
    return f"{found[0]}:{' < '.join(found[1:])}" if found else ""


@contextmanager
def _watched(house: House, point: Callable[[str], None]) -> Iterator[None]:
    """``point`` is told of each, by its name: what, before or after, and where."""

    def kills(_number: int) -> bool:
        point(f"before a commit of {_asked(sys._getframe(1), SERVICES)}")
        return False

    def committed() -> None:
        point(f"after a commit of {_asked(sys._getframe(1), SERVICES)}")

    send = GitHubClient._send

    def sent(self: GitHubClient, github: Any, request: Any, *args: Any) -> Any:
        where = f"request, {request.method} of {_asked(sys._getframe(1), GITHUB)}"
        point(f"before a {where}")
        answer = send(self, github, request, *args)
        point(f"after a {where}")
        return answer

    house.kills = kills
    with (
        mock.patch.object(FragileStorage, "committed", staticmethod(committed)),
        mock.patch.object(GitHubClient, "_send", sent),
    ):
        yield


@dataclass(slots=True)
class Deaths:
    """Dies at the first visit of each point of its kind."""

    kind: str
    visited: Counter[str] = field(default_factory=Counter)

    def __call__(self, name: str) -> None:
        """A point is passed."""
        self.visited[name] += 1
        if self.visited[name] == 1 and name.startswith(self.kind):
            raise Killed


def _a_life(point: Callable[[str], None]) -> tuple[dict[str, Any], House]:
    """An issue's whole way with everything that the services do about trouble."""
    stumbled: list[str] = []
    step = Progress._step

    def stumbling(self: Progress, tx: Any, run: r.Run) -> r.Run:
        if run.state == "plan.draft" and not stumbled:
            stumbled.append(run.id)
            raise RuntimeError("a row that cannot be read")
        return step(self, tx, run)

    faults = [Fault(pattern, **given) for pattern, given in FAULTS]
    small = functools.partial(Dispatch, batch=2)
    with (
        mock.patch.object(bot.bootstrap, "Dispatch", small),
        mock.patch.object(Progress, "_step", stumbling),
        House(faults=faults, limits=PATIENT, dead=["reaction.add"], dead_deliveries=1) as house,
        _watched(house, point),
    ):
        house.github.deliver("issues", b"not json")
        house.start()
        house.later(10)
        assert house.state == "plan.approval", house.story()
        # The receiver listens again, and the clock is set back, which a process sees that knew it before.
        house.queue.nudge(Nudge.RECOVER, "")
        house.pump()
        house.clock.ahead_ms -= 5_000
        house.pump()
        house.say("/conductor approve", where="pull")
        house.github.merge(by="ana")
        house.pump()
        assert house.state == "done", house.story()
        house.later(91 * 86_400)
        assert {row.payload for row in house.rows()} == {b""}
        assert max(Counter(row.dedupe_key for row in house.rows()).values()) == 1
        assert [one.used_at > 0 for one in house.approvals()] == [True]
        return house.effects(), house


@pytest.fixture(scope="module")
def calm() -> tuple[dict[str, Any], Counter[str]]:
    """The same life without a death, and the points that it passes."""
    passed: Counter[str] = Counter()
    effects, _ = _a_life(lambda name: passed.update([name]))
    return effects, passed


def _places_that_commit() -> set[str]:
    """Functions of the services that begin a writing transaction."""
    found = set()
    for path in sorted((ROOT / "bot/services").glob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        owners: list[ast.Module | ast.ClassDef] = [tree, *(one for one in tree.body if isinstance(one, ast.ClassDef))]
        for owner in owners:
            for function in (one for one in owner.body if isinstance(one, ast.FunctionDef)):
                if ".storage.begin()" in ast.unparse(function):
                    name = f"{owner.name}.{function.name}" if isinstance(owner, ast.ClassDef) else function.name
                    found.add(f"bot/services/{path.name}:{name}")
    return found


def test_the_life_passes_every_place_that_commits(calm: tuple[dict[str, Any], Counter[str]]) -> None:
    places = _places_that_commit()
    assert len(places) > 12
    assert places >= ELSEWHERE
    passed = {name.partition(" of ")[2].partition(" < ")[0] for name in calm[1]}
    assert places - passed == ELSEWHERE


@pytest.mark.parametrize("kind", ["before", "after"])
def test_a_death_at_every_point_loses_and_doubles_nothing(kind: str, calm: tuple[dict[str, Any], Counter[str]]) -> None:
    deaths = Deaths(kind)
    effects, house = _a_life(deaths)
    expected, passed = calm
    named = {name for name in passed if name.startswith(kind)}
    assert named <= deaths.visited.keys(), "each was visited, and the first visit was a death"
    assert house.deaths >= len(named)
    assert effects == expected
    print(f"{house.deaths} deaths at {len(named)} points, {kind!r}")
