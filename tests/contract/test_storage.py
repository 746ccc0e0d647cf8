"""What `bot.ports.storage` promises, asked of SQLite and of PostgreSQL: runs, deliveries, jobs, places, ledger."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.engine.default import DefaultDialect

from bot.adapters.storage import SqlStorage
from bot.adapters.tables import Json
from bot.domain.errors import InternalError, StaleFence
from bot.domain.jobs import JobKind
from bot.domain.workflow import SOFTWARE, Approval, Drafting, Stage, Workflow
from bot.ports import records as r
from bot.ports.queue import Nudge
from bot.ports.storage import Storage
from tests.contract.databases import (
    INSTALLATION,
    KINDS,
    NOW,
    OTHER_REPOSITORY,
    REPOSITORY,
    HeardNudges,
    approval,
    delivery,
    fresh_url,
    furnished,
    job,
    open_gate,
    run,
    step,
    subject,
    to_plan_approval,
)

HOSTILE = 'nul \0, half \ud800, é, 😀, "quotes", \\u0000'
STORED = 'nul \ufffd, half \ufffd, é, 😀, "quotes", \\u0000'


@pytest.fixture(params=KINDS)
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStorage]:
    stored = furnished(fresh_url(request.param, tmp_path))
    as_port: Storage = stored
    assert as_port is stored
    yield stored
    stored.close()


def heard(storage: SqlStorage) -> list[tuple[Nudge, str, str]]:
    queue = storage._queue
    assert isinstance(queue, HeardNudges)
    return queue.heard


# --- transactions


def test_nudges_go_out_once_and_after_the_commit(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        tx.nudge("route", "d1")
        tx.nudge(Nudge.PERFORM, "J1", queue="agents.plan")
        tx.nudge("route", "d1")
        assert heard(storage) == []
    assert heard(storage) == [(Nudge.ROUTE, "d1", ""), (Nudge.PERFORM, "J1", "agents.plan")]


def test_a_block_that_raises_leaves_nothing_and_wakes_nobody(storage: SqlStorage) -> None:
    with pytest.raises(ZeroDivisionError):  # noqa: SIM117, PT012 - the block is what is tested
        with storage.begin() as tx:
            tx.runs.add(run())
            tx.nudge("advance", "R1")
            tx.journal.audit(at=NOW, kind="run", subject="R1", body={})
            raise ZeroDivisionError
    assert heard(storage) == []
    with storage.read() as tx:
        assert tx.runs.get("R1") is None
        assert tx.journal.audit_rows() == []


def test_an_unknown_nudge_is_refused(storage: SqlStorage) -> None:
    with pytest.raises(ValueError, match="frobnicate"), storage.begin() as tx:
        tx.nudge("frobnicate", "R1")


def test_a_read_transaction_cannot_write(storage: SqlStorage) -> None:
    with pytest.raises(InternalError, match="read"), storage.read() as tx:
        tx.runs.add(run())


def test_a_read_transaction_is_a_snapshot(storage: SqlStorage) -> None:
    with storage.read() as seen:
        assert seen.runs.get("R1") is None
        with storage.begin() as tx:
            tx.runs.add(run())
        assert seen.runs.get("R1") is None


# --- deliveries


def test_a_delivery_is_stored_once_and_kept_byte_for_byte(storage: SqlStorage) -> None:
    body = bytes(range(256)) * 10
    with storage.begin() as tx:
        assert tx.deliveries.add(delivery("d1", body=body))
        assert not tx.deliveries.add(delivery("d1", body=b"another"))
    with storage.read() as tx:
        assert tx.deliveries.get("d1") == delivery("d1", body=body)
        assert tx.deliveries.get("d2") is None
        assert tx.deliveries.known(["d1", "d2", *(f"x{n}" for n in range(2500))]) == {"d1"}
        assert tx.deliveries.known([]) == set()


def test_a_dead_delivery_is_armed_again_by_its_redelivery(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        tx.deliveries.add(delivery("d1"))
        assert tx.deliveries.claim("d1", owner="w", now=NOW, lease_ms=1000)
        tx.deliveries.settle("d1", fence=1, state="dead", reason="boom")
        assert tx.deliveries.due(NOW, 10) == []
        assert not tx.deliveries.add(delivery("d1", body=b"other"))
        armed = tx.deliveries.get("d1")
        assert armed == delivery("d1", fence=1)
        assert tx.deliveries.due(NOW, 10) == ["d1"]


def test_a_delivery_is_claimed_settled_and_fenced(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        tx.deliveries.add(delivery("d1", not_before=NOW + 5))
        assert tx.deliveries.claim("d1", owner="w1", now=NOW, lease_ms=1000) is None
        first = tx.deliveries.claim("d1", owner="w1", now=NOW + 5, lease_ms=1000)
        assert first is not None
        assert (first.fence, first.attempts, first.lease_owner, first.lease_until) == (1, 1, "w1", NOW + 1005)
        assert tx.deliveries.claim("d1", owner="w2", now=NOW + 1004, lease_ms=1000) is None
        assert tx.deliveries.due(NOW + 1004, 10) == []
        assert tx.deliveries.due(NOW + 1005, 10) == ["d1"]
        second = tx.deliveries.claim("d1", owner="w2", now=NOW + 1005, lease_ms=1000)
        assert second is not None
        assert (second.fence, second.attempts) == (2, 2)
        with pytest.raises(StaleFence, match=r"d1.*fence 1"):
            tx.deliveries.settle("d1", fence=1, state="done")
        tx.deliveries.settle("d1", fence=2, state="received", not_before=NOW + 9000, reason="later")
        with pytest.raises(StaleFence):
            tx.deliveries.settle("d1", fence=2, state="done")
        assert tx.deliveries.due(NOW + 8999, 10) == []
        assert tx.deliveries.claim("d1", owner="w", now=NOW + 9000, lease_ms=1) is not None
        tx.deliveries.settle("d1", fence=3, state="waiting", installation_id=INSTALLATION, repository_id=REPOSITORY)
        tx.deliveries.rearm("d1")
        row = tx.deliveries.get("d1")
        assert row is not None
        assert (row.state, row.installation_id, row.repository_id, row.lease_owner) == (
            "received",
            INSTALLATION,
            REPOSITORY,
            "",
        )
        assert tx.deliveries.claim("d1", owner="w", now=NOW, lease_ms=1) is not None
        tx.deliveries.settle("d1", fence=4, state="done")
        tx.deliveries.rearm("d1")
        ended = tx.deliveries.get("d1")
        assert ended is not None
        assert (ended.state, ended.installation_id) == ("done", INSTALLATION)


def test_due_deliveries_come_oldest_first(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        for name, at in (("b", 2), ("a", 3), ("c", 1)):
            tx.deliveries.add(delivery(name, received_at=at))
        assert tx.deliveries.due(NOW, 2) == ["c", "b"]


# --- runs


def test_a_run_comes_back_as_it_was_stored(storage: SqlStorage) -> None:
    row = run(requester_login=HOSTILE, known={"pull": 9, "odd": HOSTILE, "big": 2**60, "part": 0.5}, rounds={"plan": 2})
    with storage.begin() as tx:
        tx.runs.add(row)
        found = tx.runs.get("R1")
    assert found == replace(row, requester_login=STORED)
    with storage.begin() as tx:
        assert tx.runs.lock("R1") == found
        assert tx.runs.lock("R9") is None
        assert tx.runs.get("R9") is None


def test_saving_is_optimistic_and_leaves_state_and_money_alone(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        tx.runs.add(run())
        stale = tx.runs.get("R1")
        assert stale is not None
        tx.runs.move(step(tx, "R1", "plan.draft", "start"))
        wanted = replace(
            stale, paused=True, known={"pull": 4}, state="done", spent_micro_dollars=9, workflow="x", wakes_at=NOW
        )
        saved = tx.runs.save(wanted)
        assert saved == tx.runs.get("R1")
        assert (saved.paused, saved.known, saved.version, saved.wakes_at) == (True, {"pull": 4}, 1, NOW)
        assert (saved.state, saved.state_seq, saved.spent_micro_dollars, saved.workflow) == (
            "plan.draft",
            1,
            0,
            "software",
        )
        with pytest.raises(StaleFence, match=r"R1.*version 0"):
            tx.runs.save(wanted)


def test_runs_are_found_by_issue_branch_and_pull(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        tx.runs.add(run(7))
        tx.runs.add(run(8))
        tx.runs.move(step(tx, "R7", "cancelled", "cancel"))
        tx.runs.add(run(9, issue_number=7, branch="conductor/7-title-2", known={"pull": 3}))
        tx.runs.add(run(10, repository_id=OTHER_REPOSITORY, issue_number=7, known={"pull": 3}))
        assert [one.id for one in tx.runs.of_issue(REPOSITORY, 7)] == ["R7", "R9"]
        by_branch, by_pull = tx.runs.of_branch(REPOSITORY, "conductor/7-title-2"), tx.runs.of_pull(REPOSITORY, 3)
        assert by_branch is not None
        assert by_branch.id == "R9"
        assert by_pull is not None
        assert by_pull.id == "R9"
        assert tx.runs.of_branch(REPOSITORY, "main") is None
        assert tx.runs.of_pull(REPOSITORY, 7) is None


def test_an_issue_has_one_living_run(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        tx.runs.add(run(1))
    with pytest.raises(InternalError, match="refused"), storage.begin() as tx:
        tx.runs.add(run(2, issue_number=1))


def test_slots_are_held_and_waited_for(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        for number in (1, 2, 3, 4):
            tx.runs.add(run(number))
        tx.runs.add(run(5, repository_id=OTHER_REPOSITORY))
        assert tx.runs.waiting_for_slot(REPOSITORY) == ["R1", "R2", "R3", "R4"]
        tx.runs.move(step(tx, "R2", "plan.draft", "start"))
        tx.runs.move(step(tx, "R4", "cancelled", "cancel"))
        to_plan_approval(tx, "aa" * 32, "R3")
        assert tx.runs.holding_slots(REPOSITORY) == ["R2"]
        assert tx.runs.waiting_for_slot(REPOSITORY) == ["R1"]
        paused = tx.runs.get("R1")
        assert paused is not None
        paused = tx.runs.save(replace(paused, paused=True))
        assert tx.runs.waiting_for_slot(REPOSITORY) == []
        tx.runs.save(replace(paused, paused=False))
        for stopped in (True, False):
            tx.journal.set_switch(r.Switch("run", "R1", stopped, "ana", "", NOW))
            assert tx.runs.waiting_for_slot(REPOSITORY) == ([] if stopped else ["R1"])


def test_runs_wake_and_are_counted_and_listed(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        tx.runs.add(run(1, wakes_at=NOW + 2))
        tx.runs.add(run(2, wakes_at=NOW + 1))
        tx.runs.add(run(3))
        tx.runs.add(run(4, wakes_at=NOW, requester_id=6))
        tx.runs.move(step(tx, "R4", "cancelled", "cancel"))
        assert tx.runs.due(NOW - 1, 10) == []
        assert tx.runs.due(NOW + 2, 10) == ["R4", "R2", "R1"]
        assert tx.runs.due(NOW + 2, 1) == ["R4"]
        assert tx.runs.started_today(REPOSITORY, 5, NOW + 2) == 2
        assert tx.runs.started_today(REPOSITORY, 6, NOW) == 1
        assert tx.runs.started_today(OTHER_REPOSITORY, 5, 0) == 0
        assert [one.id for one in tx.runs.recent(limit=3)] == ["R4", "R3", "R2"]
        assert [one.id for one in tx.runs.recent(states=("cancelled", "queued"), limit=2)] == ["R4", "R3"]
        assert [one.id for one in tx.runs.recent(states=["queued"])] == ["R3", "R2", "R1"]


def test_revises_are_counted_over_all_runs_of_a_repository(storage: SqlStorage) -> None:
    def asked(*when: int, by: str = "5") -> dict[str, object]:
        return {"revises": [{"at": at, "by": by} for at in when]}

    with storage.begin() as tx:
        tx.runs.add(run(1, known=asked(NOW - 1, NOW, NOW + 1)))
        tx.runs.add(run(2, known=asked(NOW + 2), updated_at=NOW + 2))
        tx.runs.add(run(3, known=asked(NOW + 3, by="6")))
        tx.runs.add(run(4))
        tx.runs.add(run(5, known=asked(NOW), repository_id=OTHER_REPOSITORY))
        tx.runs.move(step(tx, "R2", "cancelled", "cancel"))
        assert tx.runs.revised_today(REPOSITORY, 5, NOW) == 3
        assert tx.runs.revised_today(REPOSITORY, 5, NOW + 2) == 1
        assert tx.runs.revised_today(REPOSITORY, 6, NOW) == 1
        assert tx.runs.revised_today(OTHER_REPOSITORY, 5, NOW) == 1
        assert tx.runs.revised_today(OTHER_REPOSITORY, 6, NOW) == 0


def test_comments_come_before_all_else_and_labels_last(storage: SqlStorage) -> None:
    events = ("issues", "push", "issue_comment", "issues", "issue_comment", "check_run")
    with storage.begin() as tx:
        for number, event in enumerate(events):
            tx.deliveries.add(delivery(f"d{number}", event=event, received_at=NOW + number))
        assert tx.deliveries.due(NOW, 10) == ["d2", "d4", "d1", "d5", "d0", "d3"]
        assert tx.deliveries.due(NOW, 2) == ["d2", "d4"]
        assert tx.deliveries.before("d0", NOW, 10) == ["d2", "d4"]
        assert tx.deliveries.before("d3", NOW, 1) == ["d2"]
        assert tx.deliveries.before("d1", NOW, 10) == []
        assert tx.deliveries.before("d4", NOW, 10) == []
        assert tx.deliveries.before("nobody", NOW, 10) == []
        held = tx.deliveries.claim("d2", owner="me", now=NOW, lease_ms=10)
        assert held is not None
        assert tx.deliveries.before("d0", NOW, 10) == ["d4"]
        tx.deliveries.settle("d2", fence=held.fence, state="done")
        assert tx.deliveries.before("d0", NOW + 20, 10) == ["d4"]


def test_deliveries_are_counted_and_listed_by_state(storage: SqlStorage) -> None:
    states = ("received", "waiting", "dead", "done", "ignored", "waiting")
    with storage.begin() as tx:
        for number, state in enumerate(states):
            tx.deliveries.add(delivery(f"d{number}", state=state, received_at=NOW + number))
        assert tx.deliveries.unsettled() == 3
        assert [one.id for one in tx.deliveries.recent()] == ["d5", "d4", "d3", "d2", "d1", "d0"]
        assert [one.id for one in tx.deliveries.recent(states=("waiting", "dead", "done"))] == ["d5", "d3", "d2", "d1"]
        assert [one.id for one in tx.deliveries.recent(states=("waiting", "received"), limit=2)] == ["d5", "d1"]


def test_a_value_that_is_not_one_json_text_is_an_error() -> None:
    stored = Json()
    assert stored.process_result_value('{"a":[1]}', DefaultDialect()) == {"a": [1]}
    for broken in ('{"a":1}{', "{}x", ""):
        with pytest.raises(ValueError, match=r"Extra data|Expecting value"):
            stored.process_result_value(broken, DefaultDialect())


def test_a_run_is_woken_no_later_than_asked(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        for number in (1, 2):
            tx.runs.add(run(number))
        tx.runs.add(run(3, repository_id=OTHER_REPOSITORY))
        tx.runs.move(step(tx, "R2", "cancelled", "cancel"))
        for at, expected in ((NOW + 5, NOW + 5), (NOW + 9, NOW + 5), (NOW + 3, NOW + 3)):
            tx.runs.wake("R1", at)
            found = tx.runs.get("R1")
            assert found is not None
            assert (found.wakes_at, found.version) == (expected, 0)
        tx.runs.wake("R2", NOW + 4)
        assert tx.runs.due(NOW + 9, 10) == ["R1", "R2"]
        assert [one.id for one in tx.runs.living_of_repository(REPOSITORY)] == ["R1"]


def test_evidence_attempts_and_transitions(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        tx.runs.add(run())
        assert tx.runs.next_attempt("R1", "start") == 1
        closed = r.EvidenceRow("R1", "start", 1, "", "closed", ["slot"], {"why": [HOSTILE]}, NOW)
        tx.runs.add_evidence(closed)
        assert tx.runs.next_attempt("R1", "start") == 2
        assert tx.runs.next_attempt("R1", "cancel") == 1
        move = step(tx, "R1", "plan.draft", "start")
        assert move.attempt == 2
        tx.runs.move(move)
        open_gate(tx, "R1", "halt")
        assert tx.runs.transitions("R1") == [move]
        assert tx.runs.evidence("R1", "start")[0] == closed
        assert len(tx.runs.evidence("R1")) == 3
        found = tx.runs.get("R1")
        assert found is not None
        assert (found.state, found.state_seq, found.state_at) == ("plan.draft", 1, move.at)
    with pytest.raises(InternalError, match="refused"), storage.begin() as tx:
        tx.runs.add_evidence(closed)


def test_an_approval_is_one_a_person_and_used_once(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        tx.runs.add(run())
        first = tx.runs.add_approval(approval("aa" * 32))
        assert tx.runs.add_approval(approval("aa" * 32)) == first
        assert tx.runs.add_approval(approval("aa" * 32, source_id=901)) == first
        other = tx.runs.add_approval(approval("aa" * 32, by_id=6, by_login="bo"))
        assert other != first
        tx.runs.use_approval(first, NOW)
        assert tx.runs.add_approval(approval("aa" * 32)) == first
        later = tx.runs.add_approval(approval("aa" * 32, source_id=901))
        assert later not in (first, other)
        stored = tx.runs.approvals("R1")
        assert [(one.id, one.used_at) for one in stored] == [(first, NOW), (other, 0), (later, 0)]
        assert stored[1] == approval("aa" * 32, id=other, by_id=6, by_login="bo")
        for wrong in (first, 999):
            with pytest.raises(InternalError, match="used before"):
                tx.runs.use_approval(wrong, NOW)


def test_edges_are_added_once_and_never_mean_something_else(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        tx.runs.add_edges(SOFTWARE)
        outline = Stage("outline", "a", "b", Drafting.DOCUMENT, Approval.NEVER)
        changed = Workflow("software", (outline, *SOFTWARE.stages))
        tx.runs.add_edges(Workflow("paper", (Stage("draft", "a", "b", Drafting.DOCUMENT, Approval.NEVER),)))
    with storage.begin() as tx:
        tx.runs.add_edges(changed)
    fewer = Workflow("software", (replace(SOFTWARE.stages[0], name="plan"),))
    with pytest.raises(InternalError, match="name of its own"), storage.begin() as tx:
        tx.runs.add_edges(fewer)


# --- jobs


def test_a_job_is_stored_once_by_key_and_found(storage: SqlStorage) -> None:
    row = job("J1", payload={"text": HOSTILE}, delivery_id="d1", step="S1")
    with storage.begin() as tx:
        tx.runs.add(run())
        assert tx.jobs.add(row)
        assert not tx.jobs.add(replace(row, id="J2"))
        assert tx.jobs.get("J1") == row
        assert tx.jobs.by_key("key-J1") == row
        assert tx.jobs.get("J2") is None
        assert tx.jobs.by_key("none") is None
        assert tx.jobs.of_run("R1") == [row]
        assert tx.jobs.of_delivery("d1") == [row]


@pytest.mark.parametrize(("kinds", "is_taken"), [((), False), ((JobKind.MERGE,), False), (set(JobKind), True)])
def test_a_job_is_claimed_only_by_whom_handles_its_kind(
    storage: SqlStorage, kinds: Collection[JobKind], is_taken: bool
) -> None:
    with storage.begin() as tx:
        tx.runs.add(run())
        tx.jobs.add(job("J1"))
        found = tx.jobs.claim("J1", owner="w", now=NOW, lease_ms=10, kinds=kinds)
        stored = tx.jobs.get("J1")
    assert (found is not None) == is_taken
    assert stored is not None
    assert (stored.state, stored.attempts) == (("running", 1) if is_taken else ("queued", 0))


def test_a_job_is_claimed_renewed_and_settled_under_its_fence(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        tx.runs.add(run())
        tx.jobs.add(job("J1", state="waiting"))
        assert tx.jobs.claim("J1", owner="w", now=NOW, lease_ms=10) is None
        tx.jobs.release("J1")
        assert tx.jobs.due(NOW, 10) == [("J1", "agents.plan")]
        first = tx.jobs.claim("J1", owner="w", now=NOW, lease_ms=10)
        assert first is not None
        assert (first.state, first.fence, first.attempts, first.lease_until) == ("running", 1, 1, NOW + 10)
        tx.jobs.release("J1")
        assert tx.jobs.claim("J1", owner="v", now=NOW + 9, lease_ms=10) is None
        tx.jobs.renew("J1", fence=1, until=NOW + 20)
        assert tx.jobs.due(NOW + 19, 10) == []
        assert tx.jobs.due(NOW + 20, 10) == [("J1", "agents.plan")]
        second = tx.jobs.claim("J1", owner="v", now=NOW + 20, lease_ms=10)
        assert second is not None
        assert second.fence == 2
        with pytest.raises(StaleFence, match=r"J1.*fence 1"):
            tx.jobs.renew("J1", fence=1, until=NOW + 99)
        with pytest.raises(StaleFence):
            tx.jobs.settle("J1", fence=1, state="done", now=NOW)
        tx.jobs.settle(
            "J1", fence=2, state="queued", now=NOW + 21, not_before=NOW + 50, reason="x", spend_attempt=False
        )
        assert tx.jobs.due(NOW + 49, 10) == []
        assert tx.jobs.claim("J1", owner="w", now=NOW + 49, lease_ms=10) is None
        third = tx.jobs.claim("J1", owner="w", now=NOW + 50, lease_ms=10)
        assert third is not None
        assert (third.fence, third.attempts) == (3, 2)
        tx.jobs.settle("J1", fence=3, state="done", now=NOW + 51, result={"sha": "x"})
        done = tx.jobs.get("J1")
        assert done is not None
        assert (done.state, done.result, done.done_at, done.lease_owner) == ("done", {"sha": "x"}, NOW + 51, "")
        with pytest.raises(StaleFence):
            tx.jobs.settle("J1", fence=3, state="failed", now=NOW + 52)


def test_cancelled_jobs_count_for_nothing(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        tx.runs.add(run())
        for name, state in (("J1", "waiting"), ("J2", "queued"), ("J3", "queued"), ("J4", "done")):
            tx.jobs.add(job(name, state=state))
        assert tx.jobs.claim("J3", owner="w", now=NOW, lease_ms=10)
        assert tx.jobs.cancel("R1", "the issue was closed") == 3
        with pytest.raises(StaleFence):
            tx.jobs.settle("J3", fence=1, state="done", now=NOW)
        assert [one.state for one in tx.jobs.of_run("R1")] == ["cancelled", "cancelled", "cancelled", "done"]
        assert tx.jobs.due(NOW + 100, 10) == []


def test_due_jobs_come_abandoned_first_then_by_due_time(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        tx.runs.add(run())
        tx.jobs.add(job("J1", not_before=NOW - 1))
        tx.jobs.add(job("J2", created_at=NOW + 1))
        tx.jobs.add(job("J3"))
        tx.jobs.add(job("J4", not_before=NOW + 1))
        tx.jobs.add(job("J5", queue="github"))
        assert tx.jobs.claim("J5", owner="w", now=NOW - 10, lease_ms=5)
        assert [one for one, _ in tx.jobs.due(NOW, 10)] == ["J5", "J3", "J2", "J1"]
        assert [one for one, _ in tx.jobs.due(NOW, 2)] == ["J5", "J3"]


def test_the_leases_of_dead_owners_are_released(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        tx.runs.add(run())
        tx.deliveries.add(delivery("d1"))
        for name, owner in (("J1", "host_1:9"), ("J2", "hostX1:9"), ("J3", "HOST_1:9")):
            tx.jobs.add(job(name))
            assert tx.jobs.claim(name, owner=owner, now=NOW, lease_ms=1000)
        assert tx.deliveries.claim("d1", owner="host_1:8", now=NOW, lease_ms=1000)
        assert tx.jobs.release_owner("host_1:") == 2
        assert tx.jobs.due(NOW, 10) == [("J1", "agents.plan")]
        assert tx.deliveries.due(NOW, 10) == ["d1"]
        with pytest.raises(InternalError, match="everybody"):
            tx.jobs.release_owner("")


# --- places and ledger


def test_places_are_put_and_keep_what_is_ours(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        tx.places.configure(REPOSITORY, wip=3, retention_days=30)
        tx.outbox.block(INSTALLATION, NOW + 5)
        tx.outbox.block(INSTALLATION, NOW + 1)
        tx.places.put_installation(r.Installation(INSTALLATION, "renamed", suspended=True, created_at=1))
        tx.places.put_repository(r.Repository(REPOSITORY, INSTALLATION, "octo/new", "trunk", private=True))
        tx.places.wrote(INSTALLATION, NOW + 8)
        tx.places.wrote(INSTALLATION, NOW + 7)
        place = tx.places.installation(INSTALLATION)
        assert place == r.Installation(INSTALLATION, "renamed", True, NOW, blocked_until=NOW + 5, last_write_at=NOW + 8)
        assert tx.places.repository(REPOSITORY) == r.Repository(
            REPOSITORY, INSTALLATION, "octo/new", "trunk", private=True, wip=3, retention_days=30
        )
        assert tx.places.installation(99) is None
        assert tx.places.repository(99) is None
        with pytest.raises(InternalError, match="stop switch"):
            tx.places.configure(REPOSITORY, wip=0, retention_days=30)
        with pytest.raises(InternalError, match="a day at least"):
            tx.places.configure(REPOSITORY, wip=1, retention_days=0)
    with pytest.raises(InternalError, match="refused"), storage.begin() as tx:
        tx.places.put_repository(r.Repository(31, 99, "no/place", "main", private=False))


def test_findings_are_replaced_and_their_events_kept(storage: SqlStorage) -> None:
    finding = r.FindingRow(
        run_id="R1",
        id="F1",
        seq=1,
        stage="plan",
        round=1,
        status="open",
        reason="",
        severity="major",
        category="tests",
        title=HOSTILE,
        claim="c",
        evidence=[{"path": "a.py", "quote": HOSTILE}],
        suggestion="",
        fingerprint="ff",
        raised_by=["plan_reviewer.1", "plan_reviewer.2"],
        source="model",
        revision="aa",
        extra={"unproven": False},
    )
    event = r.FindingEventRow("R1", 1, "F1", NOW, "plan_reviewer.1", 1, "aa", "", "open", "", [{"quote": "q"}])
    second = replace(event, seq=2, from_status="open", to_status="fixed")
    with storage.begin() as tx:
        tx.runs.add(run())
        tx.ledger.put([finding, replace(finding, id="F10", seq=10), replace(finding, id="F2", seq=2)], [event])
        tx.ledger.put([replace(finding, status="fixed")], iter([second]))
        tx.ledger.put([], [])
        found = tx.ledger.findings("R1")
        assert [one.id for one in found] == ["F1", "F2", "F10"]
        assert found[0] == replace(finding, status="fixed", title=STORED)
        assert tx.ledger.events("R1") == [event, second]
    with pytest.raises(InternalError, match="refused"), storage.begin() as tx:
        tx.ledger.put([], [event])


def test_subjects_are_numbered_and_the_latest_counts(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        tx.runs.add(run())
        assert tx.journal.subject("R1", "plan") is None
        assert [subject(tx, sha * 32) for sha in ("aa", "aa", "bb", "aa")] == [1, 1, 2, 3]
        assert subject(tx, "cc" * 32, stage="code") == 1
        latest = tx.journal.subject("R1", "plan")
        assert latest == r.ArtifactRow(INSTALLATION, "aa" * 32, "subject", 10, NOW, "R1", "plan", 3)
        for run_id in ("R1", None):
            row = r.ArtifactRow(INSTALLATION, "dd" * 32, "patch", 10, NOW, run_id)
            assert [tx.journal.add_artifact(row) for _ in range(2)] == [0, 0]
        with pytest.raises(InternalError, match="no run or no stage"):
            tx.journal.add_artifact(r.ArtifactRow(INSTALLATION, "dd" * 32, "subject", 10, NOW, "R1"))
