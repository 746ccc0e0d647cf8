"""Commands that look and act, over the records of a run that went its whole way in one process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from tests.harness.house import House
from tests.harness.house_agents import FIXED, NEW_TEST, approves, changes, finding, fixed
from tests.harness.shell import Answered, conductor

HOSTILE = "[red]\x1b[31mIt is wrong\u202e"


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with House(messy=True) as made:
        bad, good = ({"calc.py": f"NUMBERS = {number}\n{FIXED}", "tests/test_add.py": NEW_TEST} for number in (10, 20))
        made.agents.works["S1"] = [bad, good]
        made.agents.reviews["code_reviewer.1"] = [
            changes(finding(line=1, quote="NUMBERS = 10", title=HOSTILE)),
            approves(fixed("F1", 1, "NUMBERS = 20")),
        ]
        yield made.published()


def _ask(house: House, *arguments: str) -> Answered:
    return conductor(
        *arguments,
        environment={
            "CONDUCTOR_DATABASE_URL": house.settings.database_url,
            "CONDUCTOR_DATA": str(house.settings.data),
        },
    )


def test_runs_are_listed_with_their_column(house: House) -> None:
    (row,) = _ask(house, "runs", "--json").json
    assert (row["id"], row["repository"], row["issue"], row["state"]) == (house.run.id, "acme/calc", 7, "in_review")
    assert row["column"] == "Review"
    assert house.run.id in _ask(house, "runs").out
    assert _ask(house, "runs", "--json", "--state", "queued").json == []


def test_a_run_shows_what_opened_its_edges_and_who_approved(house: House) -> None:
    shown = _ask(house, "run", house.run.id, "--json").json
    assert shown["transitions"][-1]["to"] == "in_review"
    assert all(one["evidence"] for one in shown["transitions"])
    assert [(one["by"], one["permission"], bool(one["used"])) for one in shown["approvals"]] == [
        ("ana", "maintain", True)
    ]
    assert shown["jobs"] == []
    plain = _ask(house, "run", house.run.id)
    assert "plan.approval" in plain.out
    assert "ana" in plain.out


def test_the_ledger_comes_with_every_findings_history_and_cannot_steer_a_terminal(house: House) -> None:
    (row,) = _ask(house, "ledger", house.run.id, "--json").json
    assert (row["id"], row["status"], row["raised_by"]) == ("F1", "fixed", ["code_reviewer.1"])
    assert [(one["from"], one["to"]) for one in row["events"]] == [("", "open"), ("open", "fixed")]
    plain = _ask(house, "ledger", house.run.id)
    assert "\x1b" not in plain.out
    assert "\u202e" not in plain.out
    assert "[red]" in plain.out


def test_why_answers_for_a_finding_a_row_a_page_and_a_run(house: House) -> None:
    row = next(one for one in house.rows() if one.kind == "pull.create")
    for ref, wanted in (
        (house.run.id, "queued -> plan.draft by gate start"),
        ("F1", "code_reviewer.1 moved F1"),
        (f"outbox:{row.id}", f"outbox:{row.id} is pull.create"),
        (row.github_url, f"outbox:{row.id} is pull.create"),
    ):
        because = _ask(house, "why", ref, "--json").json
        assert because["run"] == house.run.id
        assert any(wanted in line for line in because["because"])
        assert wanted in _ask(house, "why", ref).out.replace("\\u200b", "")


def test_cost_is_told_by_role(house: House) -> None:
    (row,) = _ask(house, "cost", "--json").json
    assert row["run"] == house.run.id
    assert row["micro_dollars"] == sum(row["by_role"].values())
    assert _ask(house, "cost", "--run", house.run.id).code == 0


def test_the_outbox_shows_decision_policies_and_hash(house: House) -> None:
    rows = _ask(house, "outbox", "--json", "--run", house.run.id).json
    assert [one["id"] for one in rows] == [row.id for row in house.rows()]
    assert all(one["decision"] == "allow" and one["policy_ids"] and len(one["payload_sha256"]) == 64 for one in rows)
    assert json.loads(rows[0]["payload"]) is not None
    assert len(_ask(house, "outbox", "--json", "--limit", "3").json) == 3
    assert _ask(house, "outbox", "--json", "--state", "dead").json == []
    assert "pull.create" in _ask(house, "outbox").out


def test_top_draws_the_board_once(house: House) -> None:
    board = _ask(house, "top", "--json").json
    assert board["stopped"] is False
    assert [one["state"] for one in board["runs"]] == ["in_review"]
    assert (board["jobs"], board["outbox"], board["deliveries"]) == ([], {}, 0)
    assert "in_review" in _ask(house, "top", "--once").out


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "nobody"),
        ("ledger", "nobody"),
        ("why", "nothing"),
        ("why", "outbox:999999"),
        ("why", "F1", "--run", "nobody"),
        ("cost", "--run", "nobody"),
        ("outbox", "--run", "nobody"),
        ("cancel", "nobody"),
        ("stop", "--run", "nobody"),
        ("stop", "--repository", "acme/other"),
        ("stop", "--repository", "acme/calc", "--run", "nobody"),
    ],
)
def test_what_is_not_there_is_one_sentence(house: House, arguments: tuple[str, ...]) -> None:
    answered = _ask(house, *arguments)
    assert (answered.code, answered.out) == (2, "")
    assert answered.err.startswith("conductor: ")
    assert answered.err.count("\n") == 1


def test_records_that_are_not_there_are_not_made(tmp_path: Any) -> None:
    answered = conductor("runs", environment={"CONDUCTOR_DATA": str(tmp_path / "none")})
    assert answered.code == 2
    assert "there is no database at" in answered.err
    assert not (tmp_path / "none").exists()


def test_the_shell_stops_and_resumes_everything_a_repository_and_a_run(house: House) -> None:
    run = house.run
    for options, scope, key in (
        ((), "system", ""),
        (("--repository", "ACME/calc"), "repository", str(run.repository_id)),
        (("--repository", str(run.repository_id)), "repository", str(run.repository_id)),
        (("--run", run.id), "run", run.id),
    ):
        for command, stopped in (("stop", True), ("resume", False)):
            answered = _ask(house, command, *options, "--reason", "a drill", "--json")
            assert answered.json == {"scope": scope, "key": key, "stopped": stopped}
            with house.parts.storage.read() as tx:
                switch = tx.journal.switch(scope, key)
                why = tx.journal.stopped(repository_id=run.repository_id, run_id=run.id)
            assert switch is not None
            assert (switch.stopped, switch.reason) == (stopped, "a drill")
            assert bool(why) is stopped
    assert "is stopped" in _ask(house, "stop").out
    assert "no longer stopped" in _ask(house, "resume").out


def test_a_broken_chain_is_named_by_its_link_and_a_whole_one_counted(house: House) -> None:
    whole = _ask(house, "audit", "verify", "--json")
    assert (whole.code, whole.json["verified"], whole.json["problem"]) == (0, True, "")
    assert whole.json["links"] == len(house.audit())
    engine = sa.create_engine(house.settings.database_url)
    with engine.begin() as connection:
        body = connection.execute(sa.text("SELECT body FROM audit WHERE seq = 3")).scalar_one()
        connection.execute(sa.text("DROP TRIGGER IF EXISTS audit_stays_update"))
        names = connection.execute(
            sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'")
        )
        kept = [
            (
                name,
                connection.execute(sa.text("SELECT sql FROM sqlite_master WHERE name = :n"), {"n": name}).scalar_one(),
            )
            for (name,) in names.all()
        ]
        for name, _ in kept:
            connection.execute(sa.text(f'DROP TRIGGER "{name}"'))
        connection.execute(sa.text("UPDATE audit SET body = :b WHERE seq = 3"), {"b": '{"forged":true}'})
    broken = _ask(house, "audit", "verify", "--json")
    assert (broken.code, broken.json["verified"]) == (1, False)
    assert "link 3" in broken.json["problem"]
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE audit SET body = :b WHERE seq = 3"), {"b": body})
        for _, sql in kept:
            connection.execute(sa.text(sql))
    engine.dispose()


def test_the_shell_cancels_a_run_and_only_once(house: House) -> None:
    assert _ask(house, "cancel", house.run.id, "--json").json == {"run": house.run.id, "state": "cancelled"}
    assert house.state == "cancelled"
    again = _ask(house, "cancel", house.run.id)
    assert again.code == 2
    assert "cancelled already" in again.err
