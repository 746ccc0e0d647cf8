"""Retention: bodies of what is over are emptied when their time is up; rows, decisions and hashes stay (DESIGN section 10)."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.adapters.artifact_files import ArtifactFiles
from bot.adapters.tables import artifacts
from bot.domain.audit_chain import verify_chain
from bot.domain.jobs import JobKind
from bot.domain.outcome import NeedsHuman
from bot.domain.subject import sha256_of
from bot.ports import records as r
from tests.contract.databases import KINDS, NOW, REPOSITORY, delivery, fresh_url, furnished, write
from tests.harness.house import House

DAY_S = 86_400
SHA = sha256_of(b"calc.py")
TWO = {7: "add is wrong", 8: "sub is wrong"}


def done(house: House) -> r.Run:
    """A run that ended with a merge, and a tool call of it."""
    house.published()
    with house.parts.storage.begin() as tx:
        call = r.ToolCall(house.run.id, "J1", 1, "planner", 1, "", "run", {"command": "ls"}, "calc.py", SHA, "allow", "", 0, 2, 2, 0)  # fmt: skip
        tx.journal.add_tool_call(call)
    house.github.merge(by="ana")
    house.pump()
    assert house.state == "done", house.story()
    return house.run


def files(house: House) -> set[str]:
    """Without those that the scripted agents put and, unlike the real ones, record nowhere."""
    with house.parts.storage.read() as tx:
        recorded = set(tx.runs._link.column(sa.select(artifacts.c.sha256)))
    assert recorded
    return {one.name for one in house.settings.artifacts.rglob("*") if one.is_file() and one.name in recorded}


def bundle(house: House, number: int) -> str:
    run = next(one for one in house.runs() if one.issue_number == number)
    return house.parts.desk.snapshot(run).bundle_sha256


def aged(house: House) -> None:
    """Files' times are the machine's, whatever this house's clock says."""
    for one in house.settings.artifacts.rglob("*"):
        if one.is_file():
            os.utime(one, (1, 1))


def later(house: House, days: float) -> None:
    aged(house)
    house.later(days * DAY_S)


def tool_calls(house: House, run: r.Run) -> list[r.ToolCall]:
    with house.parts.storage.read() as tx:
        return tx.journal.tool_calls(run.id)


def test_when_the_time_is_up_bodies_go_and_hashes_stay() -> None:
    with House(messy=True) as house:
        run = done(house)
        before = house.rows()
        later(house, 89)
        assert house.rows() == before
        assert all(one.body for one in house.deliveries())
        later(house, 2)
        for row, old in zip(house.rows(), before, strict=True):
            assert (row.payload, row.payload_sha256, row.decision_sha256) == (
                b"",
                old.payload_sha256,
                old.decision_sha256,
            )
        assert [(one.input, one.output, one.output_sha256) for one in tool_calls(house, run)] == [({}, "", SHA)]
        assert {(len(one.body), len(one.body_sha256)) for one in house.deliveries()} == {(0, 64)}
        assert files(house) == set()
        [emptied] = house.audit("emptied")
        assert (emptied.subject, emptied.body["rows"]) == (run.id, len(before) + 1)
        assert verify_chain(house.audit()) == ""
        assert house.run.wakes_at == 0
        assert house.github.violations == house.github.refused == []


def test_what_is_not_over_keeps_everything() -> None:
    with House() as house:
        house.planned()
        house.agents.outcomes[JobKind.STEP] = [NeedsHuman("it cannot be done")]
        house.say("/conductor approve")
        assert house.state == "needs_human", house.story()
        kept, rows = files(house), house.rows()
        later(house, 400)
        assert files(house) == kept
        assert house.rows() == rows
        assert house.audit("emptied") == []


def test_the_repository_says_how_long() -> None:
    with House(config="retention_days: 7\n", messy=True) as house:
        done(house)
        later(house, 6)
        assert all(row.payload for row in house.rows())
        later(house, 1.1)
        assert {row.payload for row in house.rows()} == {b""}


def test_a_file_stays_while_another_run_needs_it() -> None:
    with House(issues=TWO, config="wip: 2\n", messy=True) as house:
        house.start(number=7)
        house.say("/conductor cancel", number=7)
        house.start(number=8)
        shared = bundle(house, 7)
        assert shared == bundle(house, 8)
        later(house, 13)
        house.say("/conductor cancel", number=8)
        later(house, 78)
        assert files(house) >= {shared}
        assert len(house.audit("emptied")) == 1
        later(house, 14)
        assert files(house) == set()
        assert len(house.audit("emptied")) == 2


def test_a_file_that_was_put_again_lately_stays() -> None:
    with House(messy=True) as house:
        done(house)
        kept = files(house)
        house.later(91 * DAY_S)
        assert files(house) == kept
        assert {row.payload for row in house.rows()} == {b""}


@pytest.mark.parametrize("dies", range(1, 4))
def test_a_death_in_between_empties_again(dies: int) -> None:
    with House(messy=True) as house:
        done(house)
        aged(house)
        house.clock.ahead_ms += 91 * DAY_S * 1000
        start = type(house.parts.storage).begun  # type: ignore[attr-defined]  # the harness's
        house.kills = lambda number: number == start + dies
        house.pump()
        assert house.deaths == 1
        assert {row.payload for row in house.rows()} == {b""}
        assert files(house) == set()
        assert {one.body for one in house.deliveries()} == {b""}


def test_who_comes_later_is_answered() -> None:
    with House(messy=True) as house:
        done(house)
        later(house, 91)
        house.say("/conductor status")
        house.say("/conductor ledger")
        assert [row.state for row in house.rows()] == ["confirmed"] * len(house.rows()), house.story()
        assert [one.state for one in house.deliveries() if one.state == "dead"] == []
        assert house.run.known.get("stumbles") is None


@pytest.mark.parametrize("kind", KINDS)
def test_deliveries_and_rows_of_nobody_are_emptied_by_their_repository_s_time(kind: str, tmp_path: Path) -> None:
    storage = furnished(fresh_url(kind, tmp_path))
    day = 86_400_000
    cases = [("a", 0, REPOSITORY), ("b", 2, REPOSITORY), ("c", 4, REPOSITORY), ("d", 80, None), ("e", 91, None), ("f", 99, REPOSITORY)]  # fmt: skip
    with storage.begin() as tx:
        tx.places.configure(REPOSITORY, wip=1, retention_days=1)
        for name, age, repository in cases:
            tx.deliveries.add(delivery(name, received_at=NOW - age * day, state="received" if name == "f" else "dead", repository_id=repository))  # fmt: skip
        for name, half_days in (("w1", 1), ("w2", 4), ("w3", 4)):
            row = tx.outbox.add(write(name, run_id=None, created_at=NOW - half_days * day // 2))
            assert row is not None
            if name != "w3":
                tx.outbox.decide(
                    row, decision="deny", decision_sha256="a", policy_ids=[], policy_set_sha256="", reason=""
                )
        after, emptied = "", []
        while True:
            after, changed = tx.retention.empty_deliveries(after, 2, NOW)
            if not after:
                break
            emptied.append(changed)
        assert tx.retention.empty_rows_of_nobody(0, 2, NOW) == (2, 1)
        assert tx.retention.empty_rows_of_nobody(2, 2, NOW) == (3, 0)
        assert tx.retention.empty_rows_of_nobody(3, 2, NOW) == (0, 0)
        bodies = {name: one.body for name, *_ in cases if (one := tx.deliveries.get(name)) is not None}
        payloads = {row.dedupe_key: row.payload for row in tx.outbox.recent()}
    storage.close()
    assert emptied == [0, 1, 1], "a dead one may be sent again for three days"
    assert {name for name, body in bodies.items() if not body} == {"c", "e"}
    assert {key for key, payload in payloads.items() if not payload} == {"w2"}


def test_dropping_takes_what_is_there_and_old(tmp_path: Path) -> None:
    store = ArtifactFiles(tmp_path)
    name = store.put(1, b"data")
    assert not store.drop(1, name)
    assert store.get(1, name) == b"data"
    os.utime(store.path(1, name), (1, 1))
    assert not store.drop(2, name)
    assert store.drop(1, name)
    assert not store.drop(1, name)
    assert [one for one in tmp_path.rglob("*") if one.is_file()] == []
    assert store.put(1, b"data") == name
    os.utime(store.path(1, name), (1, 1))
    store.put(1, b"data")
    assert not store.drop(1, name)


@pytest.mark.parametrize(("age_s", "goes"), [(7_200, True), (60, False)])
def test_what_a_death_left_aside_is_seen_to_by_the_next_call(tmp_path: Path, age_s: int, goes: bool) -> None:
    store = ArtifactFiles(tmp_path)
    name = store.put(1, b"data")
    place = store.path(1, name)
    aside = place.with_name(f".drop-{name}")
    place.replace(aside)
    os.utime(aside, (time.time() - age_s,) * 2)
    assert store.drop(1, name) is goes
    assert store.has(1, name) is not goes
    assert not aside.exists()
