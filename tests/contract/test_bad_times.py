"""Bad times: clocks that jump, databases that take nothing, processes that are halted, deliveries that never work. Nothing is lost or doubled."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
from structlog.testing import capture_logs

from bot.adapters.github_writer import GitHubAppWriter
from bot.adapters.storage import engine
from bot.bootstrap import LEASES
from bot.domain.errors import InternalError, StorageBusy
from bot.domain.jobs import JobKind
from bot.domain.outcome import Done, Outcome
from bot.ports import records as r
from bot.ports.github import OutboxWrite
from bot.ports.queue import Nudge
from bot.services.desk import DAY_MS, HOUR_MS
from bot.services.dispatch import Dispatch
from bot.services.performing import Performer
from bot.services.recovering import key_of
from bot.services.routing import Router
from bot.settings import Process
from bot.simulator.github.faults import Fault
from tests.harness.house import House
from tests.harness.shell import conductor


@pytest.fixture(scope="module")
def calm() -> dict[str, Any]:
    """A run that nothing disturbed."""
    with House() as house:
        house.published()
        return house.effects()


@pytest.fixture(scope="module")
def plan() -> dict[str, Any]:
    """The same up to the approval of its plan."""
    with House() as house:
        return house.planned().effects()


def single(house: House, calm: dict[str, Any]) -> None:
    """All of it, once."""
    assert house.effects() == calm
    assert max(Counter(row.dedupe_key for row in house.rows()).values()) == 1


# Clocks


@pytest.mark.parametrize("jump_ms", [-30 * DAY_MS, HOUR_MS], ids=["back", "forth"])
def test_the_clock_jumps_while_work_is_in_hand(jump_ms: int, calm: dict[str, Any]) -> None:
    jumped: list[str] = []
    faults = [Fault("POST /repos/*/pulls", status=502, times=1), Fault("POST /repos/*/labels", status=503, times=1)]
    with House(faults=faults) as house:

        def jump(job: r.Job) -> None:
            """Once in each kind of job, under its lease; rows wait for their second try meanwhile."""
            if job.kind not in jumped:
                jumped.append(job.kind)
                house.clock.ahead_ms += jump_ms

        house.agents.hooks = dict.fromkeys((JobKind.DRAFT, JobKind.STEP), jump)
        house.published()
        assert jumped == [JobKind.DRAFT, JobKind.STEP]
        single(house, calm)


def _begun_a_day_ahead(house: House) -> None:
    """A run begins under a clock that is a day ahead, and one of its rows waits for its second try, which does not come here."""
    house.clock.ahead_ms += DAY_MS
    house.github.label("conductor", by="ana", number=7)
    for _ in range(4):
        house._settle()
        house.parts.sweeper.sweep()


def test_a_clock_that_was_ahead_holds_nothing_up_when_it_is_right_again(plan: dict[str, Any]) -> None:
    """Every kind of wait and lease was made while it was a day ahead."""
    with House(faults=[Fault("POST /repos/*/issues/7/comments", status=502, times=1)]) as house:
        _begun_a_day_ahead(house)
        waits = [row for row in house.rows("comment.create") if row.state == "allowed"]
        assert [row.not_before > house.clock.now() for row in waits if row.attempts] == [True]
        with house.parts.storage.begin() as tx:
            # A worker on another machine died with this one in hand.
            job = r.Job(
                "J-dead", "dead", JobKind.RECOVERY, "github", house.clock.now(), 0, payload={"hour": 0, "since": 0}
            )
            tx.jobs.add(job)
            assert tx.jobs.claim("J-dead", owner="elsewhere", now=house.clock.now(), lease_ms=60_000)
        house.clock.ahead_ms -= DAY_MS
        house.later(70)
        with house.parts.storage.read() as tx:
            dead = tx.jobs.get("J-dead")
        assert dead is not None
        assert dead.fence > 1, "it was taken over a lease later, not a day"
        single(house, plan)


def test_who_starts_after_the_clock_was_set_right_does_not_wait_for_the_day_that_it_was_ahead(
    plan: dict[str, Any],
) -> None:
    """Nobody who runs has seen the clock ahead; the records have."""
    with House(faults=[Fault("POST /repos/*/issues/7/comments", status=502, times=1)]) as house:
        _begun_a_day_ahead(house)
        house.clock.ahead_ms -= DAY_MS
        house.restart()
        house.later(70)
        single(house, plan)


def test_an_approval_waits_fourteen_days_by_whatever_the_clock_says_then() -> None:
    with House() as house:
        house.planned()
        house.clock.ahead_ms -= 3 * DAY_MS
        house.pump()
        house.later(16.9 * DAY_MS / 1000)
        assert house.state == "plan.approval", house.story()
        house.later(0.2 * DAY_MS / 1000)
        assert house.state == "cancelled", house.story()


# Databases


@contextmanager
def pragma(house: House, words: str) -> Iterator[None]:
    """Every new connection of the App's process has it; the receiver is another process."""
    made = engine.set_up_sqlite

    def set_up(connection: sqlite3.Connection, **given: Any) -> None:
        made(connection, **given)
        if not given["read_only"]:
            connection.execute(f"PRAGMA {words}")

    with mock.patch.object(engine, "set_up_sqlite", set_up):
        house.parts.storage._writer.dispose()
        yield
    house.parts.storage._writer.dispose()


@pytest.mark.parametrize(
    ("words", "mend"), [("query_only = ON", "let this process's user write"), ("max_page_count = 1", "make room")]
)
def test_a_database_that_takes_nothing_is_said_and_loses_nothing(words: str, mend: str, plan: dict[str, Any]) -> None:
    with House() as house:
        house.github.label("conductor", by="ana", number=7)
        assert house.github.wait_delivered()
        with pragma(house, words), pytest.raises(StorageBusy, match=mend) as refused:
            house._settle()
        assert "nothing was written" in refused.value.sentence
        house.pump()
        single(house, plan)


def test_a_job_that_meets_a_full_database_waits_and_spends_no_attempt() -> None:
    with House() as house:
        failed: list[str] = []

        def full(job: r.Job) -> None:
            if len(failed) < 12:
                failed.append(job.id)
                raise StorageBusy("The database takes no writes (database or disk is full); nothing was written.")

        house.agents.hooks = {JobKind.DRAFT: full}
        house.planned()
        assert len(failed) == 12, "more often than a job may fail"
        assert [one.attempts for one in house.jobs(JobKind.DRAFT)] == [1]


# Two of a kind, and those that were halted


def another(house: House) -> tuple[Performer, Dispatch]:
    """A second process of each kind over the same records and the same GitHub."""
    assert house.parts.dispatch is not None
    desk = replace(house.parts.desk, owner="elsewhere:2:")
    return Performer(desk, house.performer.handlers), replace(house.parts.dispatch, desk=desk)


def test_two_senders_of_one_installation_never_send_side_by_side(calm: dict[str, Any]) -> None:
    with House() as house:
        _, other = another(house)
        plain, inside, most = GitHubAppWriter.send, 0, 0

        def send(writer: GitHubAppWriter, *args: Any, **given: Any) -> Any:
            """While one request is on the wire, the other process tries to send whatever there is."""
            nonlocal inside, most
            inside += 1
            most = max(most, inside)
            if inside == 1:
                other.dispatch(house.github.installation_id)
            try:
                return plain(writer, *args, **given)
            finally:
                inside -= 1

        with mock.patch.object(GitHubAppWriter, "send", send):
            house.published()
        assert most == 1
        single(house, calm)


@pytest.mark.parametrize("where", ["_look", "_write"])
def test_a_sender_that_was_halted_beyond_its_lease_sends_nothing(
    where: str, calm: dict[str, Any], plan: dict[str, Any]
) -> None:
    """SIGSTOP just before each write; another process takes the row meanwhile; then SIGCONT."""
    # An unknown outcome has the next try look first, and it is halted after the look.
    faults = [Fault("POST /repos/*/issues/7/comments", status=502, times=1)] if where == "_look" else []
    with House(faults=faults) as house:
        _, other = another(house)
        halted: set[int] = set()
        plain: Callable[..., Any] = getattr(GitHubAppWriter, where)

        def halting(self: GitHubAppWriter, row: OutboxWrite, *args: Any) -> Any:
            looked = plain(self, row, *args) if where == "_look" else None
            if row.row_id not in halted:
                halted.add(row.row_id)
                house.clock.ahead_ms += house.parts.desk.limits.lease_ms + 1
                other.dispatch(house.github.installation_id)
            return looked if where == "_look" else plain(self, row, *args)

        with mock.patch.object(GitHubAppWriter, where, halting):
            house.planned() if where == "_look" else house.published()
        assert halted
        single(house, plan if where == "_look" else calm)


def test_a_worker_that_was_halted_beyond_its_lease_hands_in_nothing(calm: dict[str, Any]) -> None:
    with House() as house:
        other, _ = another(house)
        halted: dict[str, tuple[Any, ...]] = {}

        def halt(job: r.Job) -> None:
            """What is raised here would be a failed job."""
            if job.id not in halted:
                halted[job.id] = ()
                house.clock.ahead_ms += house.parts.desk.limits.lease_ms + 1
                other.perform(job.id)
                with house.parts.storage.read() as tx:
                    done = tx.jobs.get(job.id)
                halted[job.id] = (done and done.state, done and done.fence - job.fence)

        house.agents.hooks = dict.fromkeys((JobKind.DRAFT, JobKind.STEP, JobKind.VERIFY, JobKind.REVIEW), halt)
        with capture_logs() as logs:
            house.published()
        refused = [one["job"] for one in logs if one["event"] == "job_taken_over"]
        assert refused == list(halted), "each was too late, and told so"
        assert list(halted.values()) == [("done", 1)] * 7
        assert [(one.state, one.fence) for one in house.jobs() if one.id in halted] == [("done", 2)] * 7
        single(house, calm)


# Leaving


def test_what_a_leaving_process_holds_is_free_at_once_and_its_late_result_counts_for_nothing() -> None:
    with House() as house:
        left: list[tuple[Any, ...]] = []

        def leave(job: r.Job) -> None:
            """What is raised here would be a failed job."""
            if not left:
                with house.parts.storage.begin() as tx:
                    count = tx.jobs.let_go(house.parts.desk.owner, LEASES[Process.UP])
                    now = tx.jobs.get(job.id)
                    left.append((count, tx.jobs.owners(), now and now.fence - job.fence, now and now.attempts))

        house.agents.hooks = {JobKind.DRAFT: leave}
        house.planned()
        assert left == [(1, [], 1, 0)]
        assert len(house.agents.of(JobKind.DRAFT)) == 2
        assert [one.attempts for one in house.jobs(JobKind.DRAFT)] == [1]


def test_a_row_that_is_let_go_on_the_wire_is_looked_up_before_it_is_sent_again(plan: dict[str, Any]) -> None:
    with House() as house:
        plain, cut = GitHubAppWriter._plain, Counter[str]()

        def sent(writer: GitHubAppWriter, row: Any, payload: Any) -> Any:
            """The effect is there; the process leaves before it hears of it."""
            found = plain(writer, row, payload)
            cut[row.kind] += 1
            if cut[row.kind] == 1:
                with house.parts.storage.begin() as tx:
                    assert tx.jobs.let_go(house.parts.desk.owner) == 1
            return found

        with mock.patch.object(GitHubAppWriter, "_plain", sent):
            house.planned()
        assert cut["comment.create"] > 1
        single(house, plan)


def test_a_process_that_leaves_begins_nothing() -> None:
    with House() as house:
        begun: list[str] = []

        def begin(job: r.Job) -> Outcome:
            begun.append(job.id)
            return Done()

        with house.parts.storage.begin() as tx:
            tx.jobs.add(r.Job("J1", "one", JobKind.RECOVERY, "github", house.clock.now(), 0))
        performer = Performer(house.parts.desk, {JobKind.RECOVERY: begin})
        house.parts.desk.leaving.set()
        performer.perform("J1")
        assert begun == []
        house.parts.desk.leaving.clear()
        performer.perform("J1")
        assert begun == ["J1"]


def test_a_process_leaves_what_it_has_no_hands_for() -> None:
    with House() as house:
        with house.parts.storage.begin() as tx:
            tx.jobs.add(r.Job("J1", "one", JobKind.RECOVERY, "github", house.clock.now(), 0))
        Performer(house.parts.desk, {JobKind.MERGE: lambda _job: Done()}).perform("J1")
        with house.parts.storage.read() as tx:
            job = tx.jobs.get("J1")
        assert job is not None
        assert (job.state, job.attempts) == ("queued", 0)


# Deliveries


def test_a_delivery_that_always_fails_is_dead_with_its_reason_and_the_others_go_on() -> None:
    with House(dead_deliveries=0) as house:
        decide, broken = Router.decide, True

        def deciding(self: Router, tx: Any, delivery: r.Delivery, *args: Any) -> Any:
            if broken and b"poison" in delivery.body:
                raise InternalError("a row that cannot be read")
            return decide(self, tx, delivery, *args)

        with mock.patch.object(Router, "decide", deciding):
            house.github.comment("issue", "poison", by="bob", number=7)
            house.start()
            assert house.state == "plan.approval", house.story()
            (dead,) = [one for one in house.deliveries() if one.state == "dead"]
            assert dead.reason == "InternalError: a row that cannot be read"
            assert dead.attempts == house.parts.desk.limits.delivery_attempts
            assert [row.body["state"] for row in house.audit("delivery") if row.subject == dead.id] == ["dead"]
            environment = {"CONDUCTOR_DATABASE_URL": house.settings.database_url}
            (shown,) = conductor("deliveries", "--state", "dead", "--json", environment=environment).json
            assert (shown["id"], shown["reason"]) == (dead.id, dead.reason)
            broken = False
            answered = conductor("deliveries", "--retry", dead.id, environment=environment)
            assert (answered.code, "received" in answered.out) == (0, True)
            again = conductor("deliveries", "--retry", dead.id, environment=environment)
            assert (again.code, "only a dead one is taken again" in again.err) == (2, True)
            house.pump()
        after = next(one for one in house.deliveries() if one.id == dead.id)
        assert (after.state, after.attempts) == ("ignored", 1)


def test_a_look_for_missed_deliveries_begins_when_the_receiver_listens_again() -> None:
    with House() as house:
        house.planned()
        answers, house.github.webhook_url = house.github.webhook_url, "http://127.0.0.1:9/nobody"
        for number in range(20):
            house.github.comment("issue", f"word {number}", by="bob", number=7)
        assert house.github.wait_delivered()
        house.github.webhook_url = answers
        known = len(house.deliveries())
        house.parts.sweeper.recover()
        assert house.queue.take() == (Nudge.PERFORM, _looking(house).id)
        house.performer.perform(_looking(house).id)
        house._settle()
        assert len(house.deliveries()) == known + 1, "the probe"
        assert _looking(house).not_before - house.clock.now() <= 1_000
        house.later(1)
        assert len(house.deliveries()) == known + 20


def _looking(house: House) -> r.Job:
    with house.parts.storage.read() as tx:
        job = tx.jobs.by_key(key_of(house.clock.now() // HOUR_MS))
    assert job is not None
    return job
