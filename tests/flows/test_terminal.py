"""`conductor simulate` and the demo's live view, as somebody at a terminal meets them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from rich.console import Console

from bot.cli.live import play
from bot.domain.errors import UserError
from bot.simulator.scenario import parse_scenario
from tests.harness.scenarios import APPROVE, calc
from tests.harness.shell import conductor


def test_simulate_writes_its_report_and_exits_by_what_was_reached(tmp_path: Path) -> None:
    file, report = tmp_path / "calc.yml", tmp_path / "report.json"
    file.write_text(yaml.safe_dump(calc(until="plan.approval")))
    answered = conductor("simulate", str(file), "--report", str(report))
    assert answered.code == 0, answered.err
    found = json.loads(report.read_text())
    assert (found["state"], found["reached"], found["unmatched_writes"], found["violations"]) == (
        "plan.approval",
        True,
        0,
        [],
    )
    assert list(found)[:4] == ["state", "reached", "problem", "transitions"]


def test_an_act_whose_moment_never_comes_ends_with_1_and_is_named(tmp_path: Path) -> None:
    file, report = tmp_path / "calc.yml", tmp_path / "report.json"
    file.write_text(yaml.safe_dump(calc({**APPROVE, "when": "code.approval"}, until="done")))
    answered = conductor("simulate", str(file), "--report", str(report))
    assert answered.code == 1
    found = json.loads(report.read_text())
    assert (found["state"], found["reached"]) == ("plan.approval", False)
    assert "an act waits for code.approval" in found["problem"]
    assert "an act waits for code.approval" in answered.err


@pytest.mark.parametrize(
    "broken",
    [
        {"issue": None},
        {"people_do": [{"when": "plan.aproval", "comment": "hello", "by": "ana"}]},
        {"settings": {"webhook_secret": "mine"}},
        {"settings": {"simulation": False}},
        {"model": None},
    ],
)
def test_a_bad_scenario_ends_with_2_and_a_report(tmp_path: Path, broken: dict[str, object]) -> None:
    file, report = tmp_path / "calc.yml", tmp_path / "report.json"
    file.write_text(yaml.safe_dump({**calc(), **broken}))
    answered = conductor("simulate", str(file), "--report", str(report))
    assert (answered.code, answered.out) == (2, "")
    assert "Traceback" not in answered.err
    found = json.loads(report.read_text())
    assert found["reached"] is False
    assert found["problem"]
    assert {"state", "transitions", "github", "outbox", "ledger", "violations", "audit"} <= found.keys()


def test_who_says_no_at_the_question_after_hours_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    thought = 0.0

    def answer(_console: Console, prompt: str) -> str:
        nonlocal thought
        thought += 7_200
        asked.append(prompt)
        return "n"

    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + thought, sleep=time.sleep)
    monkeypatch.setattr("bot.simulator.runner.time", clock)

    monkeypatch.setattr(Console, "input", answer)
    scenario = parse_scenario(yaml.safe_dump(calc(APPROVE)), Path("calc.yml"))
    report = play(scenario, ask=True, title="a test")
    assert len(asked) == 1
    assert (report["state"], report["reached"], report["approvals"]) == ("cancelled", False, [])


def test_without_anybody_to_ask_the_demo_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_console: Console, _prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr(Console, "input", nobody)
    scenario = parse_scenario(yaml.safe_dump(calc(APPROVE)), Path("calc.yml"))
    try:
        report = play(scenario, ask=True, title="a test")
    except UserError as error:
        problem = error.sentence
    else:
        problem = report["problem"]
    assert "--yes" in problem
