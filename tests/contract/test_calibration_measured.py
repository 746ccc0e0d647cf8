"""A whole calibration against the scripted model: real jobs, sandboxes, tools and admission; only the replies are played."""

from __future__ import annotations

import base64
import json
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import SecretStr

from bot.cli import calibrating
from bot.domain.errors import UserError
from bot.ports.records import Job, Run
from bot.settings import Process, Settings
from bot.simulator.calibration import measuring
from bot.simulator.calibration.figures import Judged, Rate, figures
from bot.simulator.calibration.history import read_history
from bot.simulator.calibration.measuring import Asked, Calibration, calibrate
from bot.simulator.calibration.report import as_data, as_lines
from bot.simulator.calibration.reviewing import Reviewers, Trial
from bot.simulator.calibration.syntax import Defect
from bot.simulator.model import SCRIPTED_MODEL, ScriptedModel, scripted_price
from bot.simulator.script import Caller, Chosen, ErrorUse, OneTool, Refusal, Reply, Script, ScriptedUsage
from tests.harness.shell import Answered, conductor
from tests.unit.calibration_repository import COMMITS, fingerprint, made
from workers.sandbox.trees import remove_tree

KEY: Final = "sk-test-key-of-the-calibration"
FIRST, SECOND = "code_reviewer.1", "code_reviewer.2"
READ: Final = OneTool(tool="read_diff")
APPROVE: Final = OneTool(tool="submit_review", input={"verdict": "approve"})

Speak = Callable[[str, Trial], list[Reply]]
"""What a seat says about a trial, turn by turn; the last reply repeats."""


@dataclass(frozen=True, slots=True)
class ByTrial(Script):
    """Replies by trial and seat. The model knows what was seeded, as no real one does; the request does not tell it."""

    speak: Speak = lambda _seat, _trial: [READ, APPROVE]
    trials: dict[str, Trial] = field(default_factory=dict)

    def reply(self, caller: Caller, turns: int, used: Callable[[ErrorUse], int]) -> Chosen:
        """See Script."""
        assert caller.step == "-"
        replies = self.speak(caller.role, self.trials[caller.run])
        return Chosen(replies[min(turns, len(replies) - 1)])


def settings_at(place: Path, url: str, **more: Any) -> Settings:
    return Settings(
        process=Process.AGENTS,
        data=place,
        artifacts=place / "artifacts",
        database_url=f"sqlite:///{place / 'conductor.db'}",
        broker_url="memory://",
        model_key=SecretStr(KEY),
        model_url=url,
        model_name=SCRIPTED_MODEL,
        simulation=True,
        **more,
    )


@dataclass
class Bench:
    """A repository, the scripted model, and what trials were made."""

    repository: Path
    place: Path
    model: ScriptedModel
    script: ByTrial
    told: list[tuple[int, int]] = field(default_factory=list)

    def asked(self, **more: Any) -> Asked:
        given: dict[str, Any] = {"span": "HEAD~4..HEAD", "defects": 4, "seed": 3, "budget": 10.0}
        return Asked(repository=self.repository, **{**given, **more})

    def run(self, **more: Any) -> Calibration:
        def tell(one: Judged, total: int) -> None:
            self.told.append((one.number, total))

        return calibrate(self.asked(**more), settings_at(self.place, self.model.base_url), tell)


@contextmanager
def bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, speak: Speak, repository: Path | None = None
) -> Iterator[Bench]:
    script = ByTrial({}, speak)
    make = measuring._trials

    def remembered(*given: Any) -> list[Trial]:
        trials = make(*given)
        script.trials.update({f"trial-{one.number}": one for one in trials})
        return trials

    monkeypatch.setattr(measuring, "_trials", remembered)
    place = tmp_path / "place"
    with ScriptedModel(script, api_key=KEY) as model:
        yield Bench(repository or made(tmp_path / "repository"), place, model, script)
        assert model.violations == ()
    if place.exists():
        remove_tree(place)


def finding(path: str, first: int, last: int, quote: str, category: str = "correctness") -> dict[str, Any]:
    return {
        "title": "It is wrong here",
        "severity": "major",
        "category": category,
        "claim": "It does not hold.",
        "evidence": [{"path": path, "start_line": first, "end_line": last, "quote": quote}],
    }


def changes(*found: Mapping[str, Any]) -> OneTool:
    return OneTool(tool="submit_review", input={"verdict": "changes_requested", "findings": list(found)})


def seeded_finding(trial: Trial) -> dict[str, Any]:
    """A finding that quotes what stands at the seeded lines."""
    assert trial.seed is not None
    first, last = trial.seed.lines
    patch = {one.path: one.content for one in trial.seed.patch.changes}
    lines = base64.b64decode(patch[trial.seed.path] or "").decode().split("\n")[first - 1 : last]
    return finding(trial.seed.path, first, last, "\n".join(lines))


CAUGHT: Final = {Defect.OFF_BY_ONE, Defect.DROPPED_CONDITION}
ELSEWHERE: Final = finding("README.md", 1, 1, "store")


def mixed(seat: str, trial: Trial) -> list[Reply]:
    """Seat 1 catches two kinds, quotes thin air of a third, and raises an alarm on the script's clean diff; seat 2 approves."""
    if seat == SECOND:
        return [READ, APPROVE]
    if trial.seed is None:
        if trial.commit.title == "Show items by page":
            return [READ, changes(finding("page.js", 1, 1, "export function page", "readability"))]
        return [READ, APPROVE]
    if trial.seed.defect in CAUGHT:
        return [READ, changes(seeded_finding(trial))]
    first = trial.seed.lines[0]
    if trial.seed.defect is Defect.SWALLOWED_ERROR:
        made_up = finding(trial.seed.path, first, first, "this stands nowhere at all")
        # Sent back, then it gives in.
        return [READ, changes(made_up), APPROVE]
    return [READ, APPROVE]


def test_one_reviewer_catches_some_and_misses_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with bench(tmp_path, monkeypatch, mixed) as here:
        before = fingerprint(here.repository)
        done = here.run(defects=4)
        assert fingerprint(here.repository) == before
    found = figures(done.results, done.seats)
    assert (done.seeded, done.clean, done.ended, len(done.results)) == (4, 4, "", 8)
    assert done.models == (SCRIPTED_MODEL, SCRIPTED_MODEL)
    assert dict(found.catch_by_defect) == {
        "dropped-condition": Rate(1, 1),
        "off-by-one": Rate(1, 1),
        "swallowed-error": Rate(0, 1),
        "removed-await": Rate(0, 1),
    }
    assert found.catch == Rate(2, 4)
    assert dict(found.catch_by_seat) == {FIRST: Rate(2, 4), SECOND: Rate(0, 4)}
    assert (found.alarm, found.false_findings, found.not_reviewed) == (Rate(1, 4), 1, 0)
    assert dict(found.alarm_by_category) == {"readability": Rate(1, 4)}
    assert here.told == [(number, 8) for number in range(1, 9)]
    assert 0 < done.spent == sum(one.micro_dollars for one in done.results) <= 10_000_000
    data = json.loads(json.dumps(as_data(done)))
    assert (data["catch"]["hits"], data["catch"]["of"], data["catch"]["rate"]) == (2, 4, 0.5)
    assert data["catch"]["low"] < 0.5 < data["catch"]["high"]
    assert [one["caught"] for one in data["diffs"] if one["defect"] == "off-by-one"] == [True]
    assert data["complete"] is True
    lines = as_lines(done)
    assert "caught" in lines
    assert "2 of 4 = 50% (95 %: 15% to 85%)" in lines
    # What was seeded is told to nobody: the same words go with the diff as it was.
    sent = "\n".join(one.text for one in here.model.requests if one.turn == 0)
    assert not any(word in sent for word in (*Defect, "seed", "mutant", "calibrat"))
    assert KEY not in sent


def test_the_same_seed_asks_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def orders(name: str) -> list[tuple[str, Defect | None, str]]:
        repository = tmp_path / "repository"
        place = tmp_path / name
        place.mkdir()
        asked = Asked(repository, "HEAD~4..HEAD", 5, 11, 1.0)
        past = read_history(repository, asked.span, place)
        return [
            (one.commit.sha, one.seed.defect if one.seed else None, one.seed.tree if one.seed else one.commit.tree)
            for one in measuring._trials(past, asked)
        ]

    made(tmp_path / "repository")
    assert orders("one") == orders("two")


def _refuses(seat: str, trial: Trial) -> list[Reply]:
    if trial.seed is None and trial.number > 1 and seat == SECOND:
        return [Refusal(refusal=True)]
    if trial.seed is not None and trial.number > 1 and seat == FIRST:
        # It asks for changes and proves none, however often it is asked.
        return [READ, changes(finding("page.js", 1, 1, "this stands nowhere at all"))]
    return [READ, APPROVE]


def test_what_is_no_review_in_a_run_is_in_no_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with bench(tmp_path, monkeypatch, _refuses) as here:
        done = here.run(defects=2)
        asked = {one.role for one in here.model.requests}
    problems = {one.number: one.problem for one in done.results}
    assert asked == {FIRST, SECOND}
    assert problems.pop(1) == ""
    assert set(problems.values()) == {
        "code_reviewer.1: it asks for changes and proves none",
        f"code_reviewer.2: its model {SCRIPTED_MODEL} refused to review",
    }
    found = figures(done.results, done.seats)
    assert found.not_reviewed == 3
    assert found.catch.trials + found.alarm.trials == 1


def test_an_approval_of_what_was_not_opened_is_no_review(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def blind(seat: str, trial: Trial) -> list[Reply]:
        return [APPROVE]

    with bench(tmp_path, monkeypatch, blind) as here:
        done = here.run(defects=1)
    assert all("it approves what it never opened" in one.problem for one in done.results)
    assert figures(done.results, done.seats).not_reviewed == 2


def _dear(reply: OneTool) -> OneTool:
    return reply.model_copy(update={"usage": ScriptedUsage(output_tokens=16_000)})


def test_money_ends_it_early_and_what_was_measured_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dear = [_dear(READ), _dear(APPROVE)]
    price = scripted_price().output * 16_000 / 1e12
    with bench(tmp_path, monkeypatch, lambda _seat, _trial: list(dear)) as here:
        # Two seats, two calls each: six calls' worth pays for one diff and not for another.
        done = here.run(defects=2, budget=price * 6)
    assert len(done.results) == 1
    assert done.ended.endswith("was spent before 3 of 4 diffs")
    assert price * 4 <= done.spent / 1e6 <= price * 6
    assert as_data(done)["complete"] is False
    assert "It ended early: the budget of" in as_lines(done)


def test_what_no_review_can_do_without_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(seat: str, trial: Trial) -> list[Reply]:
        return [READ, APPROVE]

    with bench(tmp_path, monkeypatch, wrong) as here:
        with pytest.raises(UserError, match=r"does not pay for the review of one diff"):
            here.run(budget=0.000001)
        remove_tree(here.place)
        settings = settings_at(here.place, here.model.base_url).model_copy(update={"model_key": SecretStr("wrong")})
        with pytest.raises(UserError, match="401"):
            calibrate(here.asked(), settings, lambda _one, _total: None)
        remove_tree(here.place)
        unpriced = settings_at(here.place, here.model.base_url).model_copy(update={"model_name": "no-such-model"})
        with pytest.raises(UserError, match="no known price"):
            calibrate(here.asked(), unpriced, lambda _one, _total: None)


def test_an_interrupt_stops_the_seats_that_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Reviewers._job
    begun = threading.Event()

    def job(self: Reviewers, run: Run, subject: str, seat: str, tried: Sequence[str]) -> Job:
        if seat == FIRST:
            begun.wait()
            raise KeyboardInterrupt
        begun.set()
        return real(self, run, subject, seat, tried)

    monkeypatch.setattr(Reviewers, "_job", job)
    # The other seat would read for ever, and its turns would be spent sixty at a time.
    with bench(tmp_path, monkeypatch, lambda _seat, _trial: [READ]) as here:
        with pytest.raises(KeyboardInterrupt):
            here.run(defects=1)
        assert len(here.model.requests) < 60
        assert not [one for one in threading.enumerate() if one.name.startswith("seat")]


def _ask(repository: Path, *more: str, key: str = KEY) -> Answered:
    environment = {"ANTHROPIC_API_KEY": key, "CONDUCTOR_MODEL": SCRIPTED_MODEL} if key else {}
    return conductor("calibrate", "--repo", str(repository), *more, environment=environment)


def test_the_command_prints_the_report_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = tmp_path / "tmp"
    left.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(left))
    with bench(tmp_path, monkeypatch, mixed) as here:
        monkeypatch.setattr(calibrating, "settings_in", lambda place: settings_at(place, here.model.base_url))
        answered = _ask(here.repository, "--range", "HEAD~3..HEAD~2", "--defects", "1", "--json")
    assert (answered.code, answered.err) == (0, "")
    found = answered.json
    assert (found["defects"], found["clean_diffs"], found["not_reviewed"]) == ({"wanted": 1, "seeded": 1}, 1, 0)
    assert (found["catch"]["hits"], found["false_alarm"]["hits"]) == (1, 1)
    assert list(left.iterdir()) == []


def test_bad_input_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    repository = made(tmp_path / "repository")
    (tmp_path / "plain").mkdir()
    span = ("--range", "HEAD~4..HEAD")
    for answered, why in (
        (_ask(repository, *span, key=""), "set ANTHROPIC_API_KEY"),
        (_ask(tmp_path / "none", *span), "is no folder"),
        (_ask(tmp_path / "plain", *span), "is no git repository"),
        (_ask(repository, "--range", "HEAD~9..HEAD"), "there is no commit 'HEAD~9'"),
        (_ask(repository, "--range", "HEAD..HEAD"), "holds no commit"),
        (_ask(repository, "--range", "HEAD"), "is no range"),
        (_ask(repository, "--range", "HEAD~2..HEAD~1"), "can carry a defect"),
        (_ask(repository, *span, "--defects", "0"), "0 defects measure nothing"),
        (_ask(repository, *span, "--budget", "0"), "a budget of $0 cannot be used"),
        (_ask(repository, *span, "--budget", "nan"), "a budget of $nan cannot be used"),
    ):
        assert (answered.code, answered.out) == (2, ""), why
        assert why in answered.err
        assert answered.err.startswith("conductor: ")
        assert answered.err.count("\n") == 1


def test_a_configuration_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    more = (*COMMITS, ("Configure", {".github/conductor.yml": "reviewers: many\n"}))
    answered = _ask(made(tmp_path / "repository", more), "--range", "HEAD~4..HEAD")
    assert (answered.code, answered.out) == (2, "")
    assert "reviewers" in answered.err


def test_an_endpoint_without_tls_gets_no_key(tmp_path: Path) -> None:
    environment = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}
    answered = conductor(
        "calibrate", "--repo", str(made(tmp_path / "repository")), "--range", "HEAD~4..HEAD", environment=environment
    )
    assert answered.code == 2
    assert "must be an https URL" in answered.err
