"""The short form of the chaos run: nothing lost, nothing doubled, every run in its end state (`bench/crash/run.py` is the long one)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.crash.chaos import Chaos, Plan

EFFECTS, KILLS = 500, 40


@pytest.mark.timeout(600)
def test_nothing_is_lost_or_doubled_while_everything_is_killed(record_property: Callable[[str, object], None]) -> None:
    plan = Plan(EFFECTS, KILLS, "sqlite", seed=1, strength=3, at_once=6, agents=1, stuck_s=90, longest_s=600)
    with Chaos(plan) as chaos:
        result = chaos.run()
    verdict, found = result.verdict, result.as_json()
    record_property(
        "told",
        f"chaos: {result.runs} runs, {result.effects} effects, {found['kills']} kills, {found['faults']} faults of GitHub, "
        f"{len(verdict.lost)} lost, {len(verdict.doubled)} doubled, {len(verdict.unended)} not ended in {result.seconds:.0f} s",
    )
    assert result.effects >= EFFECTS
    assert found["kills"] == KILLS
    assert (verdict.lost, verdict.doubled, verdict.unended, verdict.broken) == ([], [], [], [])
    # What was compared is more than a few things.
    assert verdict.keys["comment.create"] > result.runs
    assert verdict.keys["by script"] > 5 * result.runs
