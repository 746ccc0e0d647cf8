"""A planner's context: the happy way, what is sent back, and everything that ends it without a plan."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from bot.adapters.storage import SqlStorage, SqlTransaction
from bot.domain.errors import InternalError, OverBudget, StaleFence, Stopped, StorageBusy, StorageLost
from bot.domain.facts import PlanFacts
from bot.domain.money import UnknownPrice
from bot.domain.outcome import Done, NeedsHuman, Snooze
from bot.domain.repo_config import Budget, Models, RepoConfig
from bot.gates.plan_gate import PLAN_GATE
from bot.ports import records as r
from tests.unit.test_agents_world import CALC, PLAN, World, sandbox, say, use, world
from workers.agents import meter
from workers.agents.desk import AgentLimits
from workers.agents.drafting import draft
from workers.agents.messages_api import ModelBusy, ModelRejected, ModelUnreadable
from workers.sandbox.box import Sandbox

__all__ = ["sandbox"]

READ = use("read_file", path="calc.py")
SUBMIT = use("submit_plan", **PLAN)


def plan_job(here: World) -> r.Job:
    return here.job("draft", "planner", {"feedback": ["name the file"], "revision": "be brief", "previous": ""})


def test_a_plan_is_drafted_and_its_facts_open_the_gate(tmp_path: Path, sandbox: Sandbox) -> None:
    with world(tmp_path, sandbox) as here:
        here.model.turns = [use("list_files"), READ, use("search", pattern="return a"), SUBMIT]
        outcome = draft(here.desk, plan_job(here))
        assert isinstance(outcome, Done), outcome
        facts = PlanFacts.model_validate(here.load(outcome.result["facts"]))
        assert PLAN_GATE.evaluate(facts).closed_by == ()
        assert facts.verify == facts.verify_detected == ("python -m pytest -q",)
        assert facts.runs[0].exit_code == 0
        assert facts.runs[0].tests == {"tests/test_calc.py::test_sub": "passed"}
        assert here.load(outcome.result["document"])["summary"] == PLAN["summary"]
        assert [one.tool for one in here.calls()] == ["list_files", "read_file", "search", "submit_plan"]
        assert [one["content"] for one in here.model.results()] == [
            "calc.py\npyproject.toml\ntests/test_calc.py",
            "1: def add(a, b):\n2:     return a - b\n3: \n4: \n5: def sub(a, b):\n6:     return a - b",
            "calc.py:2:     return a - b\ncalc.py:6:     return a - b",
        ]
        assert here.model.asked[0].user_id == "R1:planner:1:-:J1"
        assert "add(1, 2) gives -1" in here.model.text
        assert "name the file" in here.model.text
        assert "be brief" in here.model.text
        paid = here.paid()
        assert [one.state for one in paid] == ["done"] * 4
        assert paid[0].cost_micro_dollars == here.desk.prices.cost(paid[0].model, here_usage())


def here_usage() -> Any:
    from bot.domain.money import Usage

    return Usage(100, 10)


def test_what_reading_can_tell_is_sent_back_three_times_and_the_last_one_counts(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    bad = {**PLAN, "grounds": [{"path": "calc.py", "start_line": 1, "end_line": 1, "quote": "def add(a, b, c):"}]}
    with world(tmp_path, sandbox) as here:
        here.model.turns = [use("submit_plan", **bad)]
        outcome = draft(here.desk, plan_job(here))
        assert isinstance(outcome, Done)
        assert [one.rule for one in here.calls()] == ["submission.invalid"] * 3 + ["submission.accepted"]
        assert "the quote does not stand in these lines" in here.model.results()[0]["content"]
        facts = PlanFacts.model_validate(here.load(outcome.result["facts"]))
        assert not PLAN_GATE.evaluate(facts).is_open


def test_a_plan_that_is_mended_is_taken(tmp_path: Path, sandbox: Sandbox) -> None:
    with world(tmp_path, sandbox) as here:
        here.model.turns = [use("submit_plan", summary=7), use("submit_plan", **{**PLAN, "steps": []}), SUBMIT]
        assert isinstance(draft(here.desk, plan_job(here)), Done)
        first, second = (one["content"] for one in here.model.results())
        assert "summary" in first
        assert "A1" in second


def test_without_a_well_formed_plan_a_person_is_asked(tmp_path: Path, sandbox: Sandbox) -> None:
    with world(tmp_path, sandbox) as here:
        here.model.turns = [use("submit_plan", nonsense=[1])]
        outcome = draft(here.desk, plan_job(here))
        assert isinstance(outcome, NeedsHuman)
        assert "form of a plan" in outcome.why
        assert len(here.model.asked) == 4


@pytest.mark.parametrize(
    ("turn", "count", "why"),
    [
        (say("I would rather talk."), 4, "without a usable tool call"),
        (use("list_files"), 6, "6 turns without a submission"),
        ({"content": [], "stop_reason": "refusal"}, 1, "refused"),
        ({"content": [say("no")], "stop_reason": "model_context_window_exceeded"}, 1, "beyond what the model can read"),
        ({"content": [], "stop_reason": "end_turn"}, 4, "without a usable tool call"),
        (
            {"content": [{**use("write_file", path="a", content="b"), "id": "t"}], "stop_reason": "max_tokens"},
            4,
            "without a usable tool call",
        ),
    ],
)
def test_a_context_that_comes_to_no_plan(tmp_path: Path, sandbox: Sandbox, turn: Any, count: int, why: str) -> None:
    if "content" in turn:
        usage = {"input_tokens": 1, "output_tokens": 1}
        turn = {"id": "m", "type": "message", "role": "assistant", "model": "m", "usage": usage, **turn}
    with world(tmp_path, sandbox, limits=AgentLimits(turns=6)) as here:
        here.model.turns = [turn]
        outcome = draft(here.desk, plan_job(here))
        assert isinstance(outcome, NeedsHuman)
        assert why in outcome.why
        assert len(here.model.asked) == count


def test_wrong_types_and_unknown_tools_are_answered_with_a_sentence(tmp_path: Path, sandbox: Sandbox) -> None:
    with world(tmp_path, sandbox) as here:
        wrong = [
            use("read_file", path=5),
            use("read_file", path="calc.py", lines=3),
            use("write_file", path="calc.py", content=""),
            use("run", command="rm -rf ."),
            use("read_file", path="../etc/passwd"),
            use("read_file", path=".git/config"),
            use("read_file", path="nowhere.py"),
            use("search", pattern="("),
            use("show_output", id="o9"),
            use("read_file", path="calc.py", start_line=99),
        ]
        here.model.turns = [wrong, SUBMIT]
        assert isinstance(draft(here.desk, plan_job(here)), Done)
        assert all(one["is_error"] for one in here.model.results())
        denied = [(one.tool, one.decision, one.rule) for one in here.calls()[:5]]
        assert denied == [
            ("read_file", "deny", "tool.input"),
            ("read_file", "deny", "tool.input"),
            ("write_file", "deny", "tool.unknown"),
            ("run", "deny", "program.profile"),
            ("read_file", "deny", "tool.refused"),
        ]


def test_a_planner_runs_commands_that_only_read(tmp_path: Path, sandbox: Sandbox) -> None:
    with world(tmp_path, sandbox) as here:
        here.model.turns = [use("run", command="grep -c return calc.py"), use("show_output", id="o1"), SUBMIT]
        assert isinstance(draft(here.desk, plan_job(here)), Done)
        ran = here.calls()[0]
        assert (ran.output, ran.exit_code, ran.decision) == ("exit code 0\n2", 0, "allow")
        assert here.calls()[1].output == "1: 2"


def test_a_stop_is_heard_before_each_call(tmp_path: Path, sandbox: Sandbox) -> None:
    with world(tmp_path, sandbox) as here:

        def stop(_: Any) -> Any:
            with here.storage.begin() as tx:
                tx.journal.set_switch(r.Switch("run", "R1", stopped=True, by="ana", reason="enough", at=1))
            return READ

        here.model.turns = [READ, stop, SUBMIT]
        with pytest.raises(Stopped, match="enough"):
            draft(here.desk, plan_job(here))
        assert [one.tool for one in here.calls()] == ["read_file"]
        assert len(here.model.asked) == 2


def test_a_switch_that_cannot_be_read_is_a_stop(
    tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bot.adapters.storage.journal import SqlJournal

    def broken(*_: Any, **__: Any) -> str:
        raise OSError("disk")

    with world(tmp_path, sandbox) as here:
        here.model.turns = [SUBMIT]
        job = plan_job(here)
        monkeypatch.setattr(SqlJournal, "stopped", broken)
        with pytest.raises(Stopped, match="could not be read"):
            draft(here.desk, job)
        assert here.model.asked == []


def test_a_job_that_was_taken_away_goes_no_further(tmp_path: Path, sandbox: Sandbox) -> None:
    with world(tmp_path, sandbox) as here:

        def cancel(_: Any) -> Any:
            with here.storage.begin() as tx:
                tx.jobs.cancel("R1", "label removed")
            return READ

        here.model.turns = [cancel, SUBMIT]
        with pytest.raises(StaleFence):
            draft(here.desk, plan_job(here))
        assert here.calls() == []


def test_no_call_over_the_budget_or_without_a_price(tmp_path: Path, sandbox: Sandbox) -> None:
    with world(tmp_path, sandbox, budget=10) as here:
        here.model.turns = [SUBMIT]
        with pytest.raises(OverBudget):
            draft(here.desk, plan_job(here))
        assert here.model.asked == []


def test_no_call_over_the_day_s_budget(tmp_path: Path, sandbox: Sandbox) -> None:
    config = RepoConfig(budget=Budget(run=0.001, day=0.001))
    with world(tmp_path, sandbox, config=config) as here:
        here.model.turns = [SUBMIT]
        with pytest.raises(OverBudget, match=r"budget\.day"):
            draft(here.desk, plan_job(here))


def test_an_unknown_price_is_no_call(tmp_path: Path, sandbox: Sandbox) -> None:
    with world(tmp_path, sandbox, config=RepoConfig(models=Models(planner="cheap-9"))) as here:
        with pytest.raises(UnknownPrice):
            draft(here.desk, plan_job(here))
        assert here.model.asked == []


def test_a_busy_model_is_asked_later_and_charged(tmp_path: Path, sandbox: Sandbox) -> None:
    with world(tmp_path, sandbox, limits=AgentLimits(busy_tries=3)) as here:
        here.model.turns = [READ, SUBMIT]
        here.model.errors = [ModelBusy("busy"), ModelBusy("busy", {"retry_after_s": "7"})]
        pauses = []
        job = plan_job(here)
        for _ in range(2):
            outcome = draft(here.desk, job)
            assert isinstance(outcome, Snooze)
            pauses.append(outcome.until - here.clock.now())
            job = here.again()
        assert 0 < pauses[0] <= 300
        assert 6_000 < pauses[1] <= 7_000
        assert isinstance(draft(here.desk, job), Done)
        assert [one.state for one in here.paid()] == ["failed", "failed", "done", "done"]
        assert all(one.cost_micro_dollars > 0 for one in here.paid())


def test_a_model_that_stays_busy_or_cannot_be_read_is_a_person_s_matter(tmp_path: Path, sandbox: Sandbox) -> None:
    with world(tmp_path, sandbox) as here:
        here.model.errors = [ModelUnreadable("no usage") for _ in range(9)]
        job = plan_job(here)
        outcomes = []
        for _ in range(3):
            outcomes.append(draft(here.desk, job))
            job = here.again()
        assert [type(one) for one in outcomes] == [Snooze, Snooze, NeedsHuman]
        assert all(one.cost_micro_dollars == one.reserved_micro_dollars for one in here.paid())


def test_a_rejected_request_is_charged_and_ends_the_job(tmp_path: Path, sandbox: Sandbox) -> None:
    with world(tmp_path, sandbox) as here:
        here.model.errors = [ModelRejected("no key", {"status": "401"})]
        with pytest.raises(ModelRejected):
            draft(here.desk, plan_job(here))
        assert here.paid()[0].state == "failed"


def test_what_was_answered_before_a_crash_is_not_paid_twice(tmp_path: Path, sandbox: Sandbox) -> None:
    class Died(BaseException):
        pass

    with world(tmp_path, sandbox) as here:

        def die(_: Any) -> Any:
            raise Died

        secret = "AKIA" + "QYLPMN5HHHFPZAM2"
        given = {**PLAN, "out_of_scope": [f"the key {secret}"]}
        here.model.turns = [use("run", command="date +%N"), use("search", pattern=secret), die]
        job = plan_job(here)
        with pytest.raises(Died):
            draft(here.desk, job)
        here.model.turns = [use("run", command="date +%N"), use("search", pattern=secret), use("submit_plan", **given)]
        asked = len(here.model.asked)
        outcome = draft(here.desk, here.again())
        assert isinstance(outcome, Done)
        assert len(here.model.asked) == asked + 1
        assert [one.state for one in here.paid()] == ["done", "done", "failed", "done"]
        assert [one.seq for one in here.calls()] == [1, 2, 3]
        assert secret not in here.model.text
        assert all(secret not in str(one.input) + one.output for one in here.calls())
        # The document is what was handed in, byte for byte: a plan's gate and wording deal with it.
        assert secret in str(here.load(outcome.result["document"]))


@pytest.mark.parametrize(("error", "is_stored"), [(StorageBusy, False), (StorageLost, False), (StorageLost, True)])
def test_an_answer_outlives_a_restart_of_the_database(
    tmp_path: Path, sandbox: Sandbox, error: type[InternalError], is_stored: bool
) -> None:
    """The database lets nobody in, or is lost while it commits and has or has not: what is in hand is paid for."""
    begin, away = SqlStorage.begin, [1, 1]
    with world(tmp_path, sandbox) as here:
        here.model.turns = [READ, SUBMIT]

        @contextmanager
        def begun(storage: SqlStorage) -> Iterator[SqlTransaction]:
            fails = bool(here.model.asked and away)
            if fails:
                away.pop()
                if not is_stored:
                    raise error("The database went away.")
            with begin(storage) as tx:
                yield tx
            if fails:
                raise error("The database went away.")

        with mock.patch.object(SqlStorage, "begin", begun), mock.patch.object(meter, "PAUSE_S", 0.01):
            outcome = draft(here.desk, plan_job(here))
        assert isinstance(outcome, Done)
        assert away == []
        assert [(one.turn, one.state, one.error) for one in here.paid()] == [(0, "done", ""), (1, "done", "")]
        assert len(here.model.asked) == 2


def test_a_worker_that_leaves_does_not_wait_for_the_database(tmp_path: Path, sandbox: Sandbox) -> None:
    begin = SqlStorage.begin
    with world(tmp_path, sandbox) as here:
        here.model.turns = [READ]

        @contextmanager
        def begun(storage: SqlStorage) -> Iterator[SqlTransaction]:
            if here.model.asked:
                here.desk.leaving.set()
                raise StorageBusy("The database went away.")
            with begin(storage) as tx:
                yield tx

        with mock.patch.object(SqlStorage, "begin", begun), pytest.raises(StorageBusy):
            draft(here.desk, plan_job(here))


def test_secrets_of_the_repository_reach_no_model_even_line_by_line(tmp_path: Path, sandbox: Sandbox) -> None:
    key = [
        "-----BEGIN RSA PRIVATE KEY-----",
        *("MIIEow" + "x7Qz9" * 11 + str(n) for n in range(4)),
        "-----END RSA PRIVATE KEY-----",
    ]
    files = {
        **CALC,
        "key.pem": "\n".join(["first line", *key, "last line is here"]) + "\n",
        "held.txt": "a hunter-two-2 b\n",
    }
    with world(tmp_path, sandbox, files=files, held={"webhook-secret": "hunter-two-2"}) as here:
        here.model.turns = [
            [use("read_file", path="key.pem"), use("search", pattern="MIIEow"), use("read_file", path="held.txt")],
            SUBMIT,
        ]
        assert isinstance(draft(here.desk, plan_job(here)), Done)
        assert "MIIEow" not in here.model.text.replace('"pattern": "MIIEow"', "")
        assert "hunter-two-2" not in here.model.text
        shown = here.model.results()[0]["content"].splitlines()
        assert shown[0] == "1: first line"
        assert shown[-1] == "3: last line is here"


def test_a_canary_that_comes_out_is_a_person_s_matter(tmp_path: Path, sandbox: Sandbox) -> None:
    from workers.agents.canaries import Canary

    value = Canary.of("J1").value
    with world(tmp_path, sandbox) as here:
        here.model.turns = [use("search", pattern=value.encode().hex())]
        outcome = draft(here.desk, plan_job(here))
        assert isinstance(outcome, NeedsHuman)
        assert "planted secret" in outcome.why


def test_a_job_has_an_end(tmp_path: Path, sandbox: Sandbox) -> None:
    with world(tmp_path, sandbox) as here:

        def late(_: Any) -> Any:
            here.clock.ahead += 46 * 60_000
            return READ

        here.model.turns = [late]
        with pytest.raises(Exception, match="more than 45 minutes"):
            draft(here.desk, plan_job(here))
