"""When the simulator's runner gives a run up: what it saw, not how long its looks took, decides."""

from __future__ import annotations

import time
from unittest import mock

import pytest

from bot.simulator import runner as module
from bot.simulator.bundled_scenario import bundled
from bot.simulator.runner import Runner


@pytest.mark.parametrize(("quiet", "reached"), [([False, True, False, False], True), ([False, *[True] * 200], False)])
def test_one_look_that_takes_long_gives_nothing_up(
    monkeypatch: pytest.MonkeyPatch, quiet: list[bool], reached: bool
) -> None:
    """The second look takes longer than a run may be quiet, and comes before what is on its way."""
    looks: list[bool] = []

    def watch(_tx: object, _run: object) -> None:
        looks.append(quiet[len(looks)])
        if len(looks) == 2:
            time.sleep(0.3)

    monkeypatch.setattr(module, "STUCK_S", 0.2)
    monkeypatch.setattr(module, "is_quiet", lambda _run, _tx: looks[-1])
    monkeypatch.setattr(module, "has_lost", lambda _attempts: False)
    found = Runner(bundled(), watch=watch)
    found._end = time.monotonic() + 60
    monkeypatch.setattr(Runner, "_newest", lambda _self, _tx: None)
    github, parts = mock.MagicMock(), mock.MagicMock()
    github.pending_deliveries.return_value = 0
    assert found._until(github, parts, parts, lambda _run, _tx: len(looks) == 4 and not looks[-1]) is reached
