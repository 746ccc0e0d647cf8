"""What `bot.ports.storage` promises, asked of SQLite and of PostgreSQL: outbox, switches, money, calls, audit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.storage import SqlStorage
from bot.domain.audit_chain import GENESIS, verify_chain
from bot.domain.errors import InternalError, OverBudget, StaleFence
from bot.ports import records as r
from bot.ports.storage import Transaction
from tests.contract.databases import (
    INSTALLATION,
    KINDS,
    NOW,
    OTHER_REPOSITORY,
    REPOSITORY,
    allow,
    call,
    fresh_url,
    furnished,
    job,
    run,
    write,
)


@pytest.fixture(params=KINDS)
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStorage]:
    stored = furnished(fresh_url(request.param, tmp_path))
    with stored.begin() as tx:
        tx.runs.add(run(1))
        tx.runs.add(run(2))
        tx.runs.add(run(3, repository_id=OTHER_REPOSITORY))
    yield stored
    stored.close()


def staged(tx: Transaction, key: str, **more: Any) -> int:
    row_id = tx.outbox.add(write(key, **more))
    assert row_id is not None
    return row_id


def ready(tx: Transaction, key: str, **more: Any) -> int:
    row_id = staged(tx, key, **more)
    allow(tx, row_id)
    return row_id


def claim(tx: Transaction, row_id: int, now: int = NOW, *, owner: str = "w", answers_stop: bool = False) -> Any:
    return tx.outbox.claim(row_id, owner=owner, now=now, lease_ms=10, answers_stop=answers_stop)


def next_id(tx: Transaction, now: int = NOW) -> int | None:
    row = tx.outbox.next(INSTALLATION, now)
    return None if row is None else row.id


def stop(tx: Transaction, scope: str, key: str = "", *, stopped: bool = True) -> None:
    tx.journal.set_switch(r.Switch(scope, key, stopped, "ana", "too fast", NOW))


# --- the outbox


def test_a_row_is_stored_once_with_the_next_number_of_its_run(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        first, second, free = staged(tx, "k1"), staged(tx, "k2"), staged(tx, "k3", run_id=None)
        assert tx.outbox.add(write("k1", run_id="R2")) is None
        other = staged(tx, "k4", run_id="R2")
        assert tx.outbox.get(first) == write("k1", id=first, seq=1)
        assert [(one.id, one.seq) for one in tx.outbox.of_run("R1")] == [(first, 1), (second, 2)]
        found = tx.outbox.by_key("k4")
        assert found is not None
        assert (found.id, found.seq) == (other, 1)
        assert tx.outbox.by_key("none") is None
        assert tx.outbox.get(999) is None
        assert [one.id for one in tx.outbox.recent()] == [other, free, second, first]
        allow(tx, second)
        assert [one.id for one in tx.outbox.recent(states=("allowed", "denied"))] == [second]
        assert [one.id for one in tx.outbox.recent(states=("allowed", "staged"), limit=2)] == [other, free]


def test_a_row_is_decided_once_and_anything_but_allow_denies(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        one, two = staged(tx, "k1"), staged(tx, "k2")
        allow(tx, one)
        tx.outbox.decide(
            two, decision="no idea", decision_sha256="", policy_ids=[], policy_set_sha256="s", reason="none matched"
        )
        allowed, denied = tx.outbox.get(one), tx.outbox.get(two)
        assert allowed is not None
        assert (allowed.state, allowed.decision, allowed.policy_ids) == ("allowed", "allow", ["p1"])
        assert denied is not None
        assert (denied.state, denied.reason) == ("denied", "none matched")
        for row_id in (one, two, 999):
            with pytest.raises(InternalError, match="not staged"):
                allow(tx, row_id)
        assert claim(tx, two) is None


def test_rows_of_one_order_key_go_in_order_and_others_pass(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        staged(tx, "k1")
        behind = ready(tx, "k2")
        elsewhere = ready(tx, "k3", order_key="branch:x")
        other_repository = ready(tx, "k4", repository_id=OTHER_REPOSITORY, run_id="R3")
        assert claim(tx, behind) is None
        assert next_id(tx) == elsewhere
        assert claim(tx, elsewhere) is not None
        tx.outbox.settle(elsewhere, fence=1, state="confirmed", now=NOW)
        assert next_id(tx) == other_repository


@pytest.mark.parametrize("end", ["dead", "denied", "confirmed"])
def test_ended_rows_hold_nobody_up(storage: SqlStorage, end: str) -> None:
    with storage.begin() as tx:
        first, second = ready(tx, "k1"), ready(tx, "k2")
        assert claim(tx, second) is None
        assert claim(tx, first) is not None
        tx.outbox.settle(first, fence=1, state=end, now=NOW)
        assert next_id(tx) == second
        assert claim(tx, second) is not None


def test_one_sender_per_installation(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        tx.places.put_installation(r.Installation(12, "else", suspended=False, created_at=NOW))
        first, second = ready(tx, "k1"), ready(tx, "k2", order_key="issue:2", run_id="R2")
        foreign = ready(tx, "k3", installation_id=12)
        assert claim(tx, first) is not None
        assert claim(tx, second, NOW + 9) is None
        assert next_id(tx, NOW + 9) is None
        assert claim(tx, foreign) is not None
        assert next_id(tx, NOW + 10) == first
        assert claim(tx, second, NOW + 10) is not None


def test_a_row_is_fenced_and_what_is_known_is_kept(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        row_id = ready(tx, "k1", not_before=NOW)
        assert tx.outbox.due(NOW - 1, 10) == []
        assert claim(tx, row_id, NOW - 1) is None
        assert tx.outbox.due(NOW, 10) == [INSTALLATION]
        first = claim(tx, row_id)
        assert (first.state, first.fence, first.attempts, first.lease_owner) == ("sending", 1, 1, "w")
        tx.outbox.note(row_id, fence=1, response={"commit": "abc"})
        assert tx.outbox.due(NOW + 9, 10) == []
        assert tx.outbox.due(NOW + 10, 10) == [INSTALLATION]
        second = claim(tx, row_id, NOW + 10, owner="v")
        assert (second.fence, second.attempts, second.response) == (2, 2, {"commit": "abc"})
        with pytest.raises(StaleFence, match=f"row {row_id} .*fence 1"):
            tx.outbox.note(row_id, fence=1, response={})
        with pytest.raises(StaleFence):
            tx.outbox.settle(row_id, fence=1, state="confirmed", now=NOW)
        tx.outbox.settle(row_id, fence=2, state="allowed", now=NOW + 11, not_before=NOW + 50, reason="rate limit")
        assert next_id(tx, NOW + 49) is None
        assert claim(tx, row_id, NOW + 50) is not None
        tx.outbox.settle(row_id, fence=3, state="confirmed", now=NOW + 60, github_id="77", github_url="https://x")
        done = tx.outbox.get(row_id)
        assert done is not None
        assert (done.state, done.confirmed_at, done.github_id, done.github_url, done.response) == (
            "confirmed",
            NOW + 60,
            "77",
            "https://x",
            {"commit": "abc"},
        )
        with pytest.raises(StaleFence):
            tx.outbox.settle(row_id, fence=3, state="dead", now=NOW + 61)


def test_a_waiting_or_suspended_installation_sends_nothing(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        row_id = ready(tx, "k1")
        tx.outbox.block(INSTALLATION, NOW + 5)
        assert tx.outbox.due(NOW + 4, 10) == []
        assert next_id(tx, NOW + 4) is None
        assert claim(tx, row_id, NOW + 4) is None
        assert next_id(tx, NOW + 5) == row_id
        tx.places.put_installation(r.Installation(INSTALLATION, "octo", suspended=True, created_at=NOW))
        assert tx.outbox.due(NOW + 5, 10) == []
        assert claim(tx, row_id, NOW + 5) is None


def test_every_installation_comes_up_where_more_have_rows_than_are_asked_for(storage: SqlStorage) -> None:
    others = range(100, 112)
    with storage.begin() as tx:
        for number in others:
            tx.places.put_installation(r.Installation(number, "other", suspended=False, created_at=NOW))
            stored = tx.outbox.add(write(f"k{number}", run_id=None, installation_id=number))
            assert stored is not None
            allow(tx, stored)
    with storage.read() as tx:
        assert sorted(tx.outbox.due(NOW, 100)) == list(others)
        turns = [tx.outbox.due(NOW + 1_000 * second, 4) for second in range(40)]
    assert all(len(turn) == 4 for turn in turns)
    assert {number for turn in turns for number in turn} == set(others)


def test_a_dry_run_is_decided_never_sent_and_in_nobodys_way(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        before = staged(tx, "k1")
        seen = tx.runs.get("R1")
        assert seen is not None
        seen = tx.runs.save(replace(seen, mode="dry-run"))
        after = staged(tx, "k2")
        for row_id in (before, after):
            allow(tx, row_id)
            assert claim(tx, row_id) is None
        assert next_id(tx) is None
        assert tx.outbox.due(NOW, 10) == []
        real = ready(tx, "k3", run_id="R2")
        assert next_id(tx) == real
        assert claim(tx, real) is not None
        tx.outbox.settle(real, fence=1, state="confirmed", now=NOW)
        tx.runs.save(replace(seen, mode="active"))
        assert next_id(tx) == before


def test_a_payload_that_is_not_what_was_hashed_is_never_sent(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        row_id, behind = ready(tx, "k1", payload_sha256="00" * 32), ready(tx, "k2")
        assert claim(tx, row_id) is None
        row = tx.outbox.get(row_id)
        assert row is not None
        assert row.state == "dead"
        assert "hashed" in row.reason
        assert next_id(tx) == behind
        assert claim(tx, 999) is None


# --- switches


@pytest.mark.parametrize(("scope", "key"), [("system", ""), ("repository", str(REPOSITORY)), ("run", "R1")])
def test_nothing_starts_while_a_stop_stands(storage: SqlStorage, scope: str, key: str) -> None:
    with storage.begin() as tx:
        tx.jobs.add(job("J1"))
        tx.jobs.add(job("J2", run_id=None))
        row_id = ready(tx, "k1")
        other_reaction = ready(tx, "k3", kind="reaction.add")
        answer = ready(tx, "stop:d1", kind="reaction.add")
        assert tx.journal.stopped(repository_id=REPOSITORY, run_id="R1") == ""
        stop(tx, scope, key)
        sentence = tx.journal.stopped(repository_id=REPOSITORY, run_id="R1")
        assert "stopped by ana: too fast" in sentence
        assert (key or "Conductor") in sentence
    with storage.begin() as tx:
        assert tx.jobs.due(NOW, 10) == [("J2", "agents.plan")]
        assert tx.jobs.claim("J1", owner="w", now=NOW, lease_ms=10) is None
        assert tx.jobs.claim("J2", owner="w", now=NOW, lease_ms=10) is not None
        assert claim(tx, row_id) is None
        for other in (row_id, other_reaction):
            assert claim(tx, other, answers_stop=True) is None
        assert claim(tx, answer) is None
        assert next_id(tx) == answer
        assert claim(tx, answer, answers_stop=True) is not None
        tx.outbox.settle(answer, fence=1, state="confirmed", now=NOW)
        assert next_id(tx) is None
        stop(tx, scope, key, stopped=False)
        assert next_id(tx) == row_id
        assert claim(tx, row_id) is not None
        assert tx.jobs.claim("J1", owner="w", now=NOW, lease_ms=10) is not None


def test_a_stop_of_somebody_else_stops_nobody_here(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        stop(tx, "repository", str(OTHER_REPOSITORY))
        stop(tx, "run", "R2")
        tx.jobs.add(job("J0", run_id="R3"))
        tx.jobs.add(job("J1"))
        other = ready(tx, "k0", run_id="R3", repository_id=OTHER_REPOSITORY)
        row_id = ready(tx, "k1")
        assert tx.journal.stopped(repository_id=REPOSITORY, run_id="R1") == ""
        assert tx.journal.stopped(repository_id=None, run_id=None) == ""
        assert tx.journal.stopped(repository_id=REPOSITORY, run_id="R2").startswith("Run R2 was stopped by ana")
        assert tx.jobs.due(NOW, 1) == [("J1", "agents.plan")]
        assert next_id(tx) == row_id
        assert claim(tx, other) is None
        assert claim(tx, row_id) is not None
        assert tx.jobs.claim("J1", owner="w", now=NOW, lease_ms=10) is not None


def test_a_paused_run_starts_no_job(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        tx.jobs.add(job("J1"))
        seen = tx.runs.get("R1")
        assert seen is not None
        seen = tx.runs.save(replace(seen, paused=True))
        assert tx.journal.stopped(repository_id=REPOSITORY, run_id="R1") == "Run R1 is paused."
        assert tx.jobs.due(NOW, 10) == []
        assert tx.jobs.claim("J1", owner="w", now=NOW, lease_ms=10) is None
        tx.runs.save(replace(seen, paused=False))
        assert tx.jobs.claim("J1", owner="w", now=NOW, lease_ms=10) is not None


def test_switches_are_read_back(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        assert tx.journal.switch("system", "") is None
        stop(tx, "system")
        stop(tx, "system", stopped=False)
        assert tx.journal.switch("system", "") == r.Switch("system", "", False, "ana", "too fast", NOW)


# --- money and calls


def test_money_is_reserved_within_the_caps_and_charged(storage: SqlStorage) -> None:
    caps = {"run_cap": 2_500_000, "day_cap": 3_500_000, "day_start": NOW}
    with storage.begin() as tx:
        first = tx.journal.reserve(call(), **caps)
        second = tx.journal.reserve(call(job_id="J2"), **caps)
        with pytest.raises(OverBudget, match=r"\$1.00, and run R1 .*reserved \$2.00 of \$2.50; raise budget.run"):
            tx.journal.reserve(call(), **caps)
        with pytest.raises(OverBudget, match=r"repository 21 today .*reserved \$2.00 of \$3.50; raise budget.day"):
            tx.journal.reserve(call(run_id="R2", reserved_micro_dollars=1_500_001), **caps)
        tx.journal.reserve(call(run_id="R3"), **caps)
        seen = tx.runs.get("R1")
        assert seen is not None
        assert (seen.spent_micro_dollars, seen.reserved_micro_dollars) == (0, 2_000_000)
        done = call(id=first, state="done", cost_micro_dollars=400_000, input_tokens=10, response_sha256="ab")
        tx.journal.settle_call(done)
        tx.journal.settle_call(call(id=second, job_id="J2", state="failed", cost_micro_dollars=1_000_000, error="529"))
        seen = tx.runs.get("R1")
        assert seen is not None
        assert (seen.spent_micro_dollars, seen.reserved_micro_dollars) == (1_400_000, 0)
        for again in (done, call(id=999, state="done"), call(id=second)):
            with pytest.raises(InternalError, match="cannot be settled"):
                tx.journal.settle_call(again)
        assert tx.journal.answered("J1", 0, "ab" * 32) == done
        assert tx.journal.answered("J2", 0, "ab" * 32) is None
        assert tx.journal.answered("J1", 1, "ab" * 32) is None
        assert [one.id for one in tx.journal.model_calls("R1")] == [first, second]


def test_yesterdays_money_is_not_todays(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        tx.journal.reserve(call(at=NOW - 1), run_cap=9_000_000, day_cap=1_000_000, day_start=NOW - 1)
        tx.journal.reserve(call(), run_cap=9_000_000, day_cap=1_000_000, day_start=NOW)
        with pytest.raises(OverBudget, match="today"):
            tx.journal.reserve(call(run_id="R2"), run_cap=9_000_000, day_cap=1_000_000, day_start=NOW)


def test_a_reservation_needs_a_run_and_is_not_negative(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        with pytest.raises(InternalError, match="R9 is not stored"):
            tx.journal.reserve(call(run_id="R9"), run_cap=9, day_cap=9, day_start=0)
        with pytest.raises(InternalError, match="-1 micro-dollars"):
            tx.journal.reserve(call(reserved_micro_dollars=-1), run_cap=9, day_cap=9, day_start=0)


def test_tool_calls_are_appended_once(storage: SqlStorage) -> None:
    row = r.ToolCall("R1", "J1", 1, "planner", 1, "", "run", {"a": [1]}, "o\0ut", "h", "allow", "r1", None, 5, 3, NOW)
    with storage.begin() as tx:
        tx.journal.add_tool_call(row)
        tx.journal.add_tool_call(replace(row, output="forged"))
        tx.journal.add_tool_call(replace(row, seq=2, exit_code=1))
        found = tx.journal.tool_calls("R1")
    assert found == [replace(row, output="o\ufffdut"), replace(row, seq=2, exit_code=1, output="o\ufffdut")]


# --- the audit chain


def test_audit_entries_are_chained(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        tx.journal.audit(at=NOW, kind="run", subject="R1", body={"b": 1, "a": [1.0, "é😀\0"]})
        tx.journal.audit(at=NOW, kind="run", subject="R2", body={})
        assert [one.seq for one in tx.journal.audit_rows()] == [1, 2]
        tx.journal.audit(at=NOW + 1, kind="run", subject="R1", body={"last": True})
    with storage.read() as tx:
        rows = tx.journal.audit_rows()
        assert tx.journal.audit_rows(after=1, limit=1) == rows[1:2]
    assert [one.seq for one in rows] == [1, 2, 3]
    assert rows[0].prev == GENESIS
    assert verify_chain(rows) == ""


def test_what_has_no_canonical_form_is_refused(storage: SqlStorage) -> None:
    for body in ({"n": 2**53}, {"n": float("nan")}, {"s": "\ud800"}):
        with pytest.raises(InternalError, match="no canonical form"), storage.begin() as tx:
            tx.journal.audit(at=NOW, kind="run", subject="R1", body=body)
    with storage.read() as tx:
        assert tx.journal.audit_rows() == []
