"""Rows that are sent slowly, by two, or under a clock that is wrong: each effect once, and none waits for ever."""

from __future__ import annotations

import time
from typing import Any
from unittest import mock

import pytest

from bot.adapters.github_client import GitHubClient
from bot.adapters.github_writer import GitHubAppWriter
from bot.adapters.storage.outbox import SqlOutbox
from bot.domain.errors import InternalError, StaleFence, StorageBusy, StorageLost
from bot.ports import records as r
from bot.ports.github import Approved, OutboxWrite, Sent
from bot.services import dispatch
from bot.services.desk import HOUR_MS
from bot.simulator.github.faults import Fault
from tests.harness.house import House


@pytest.mark.parametrize("is_set_right", [True, False])
def test_a_comment_is_found_whatever_our_clock_said_when_its_row_was_made(is_set_right: bool) -> None:
    lost = Fault("POST /repos/*/issues/7/comments", status=502, after_effect=True)
    with House(faults=[lost]) as house:
        house.github.world.clock = time.time
        house.clock.ahead_ms += HOUR_MS
        house.github.label("conductor", by="ana", number=7)
        house._settle()
        assert lost.applied
        if is_set_right:
            house.clock.ahead_ms -= HOUR_MS
        house.pump()
        assert len(house.comments()) == len(house.rows("comment.create")) == 2, house.comments()


def test_a_row_that_another_process_had_between_look_and_claim_is_looked_up() -> None:
    """PostgreSQL alone lets it come between: there the row is free at the look, was sent and left by a death, and is free again."""
    claim, came_between = SqlOutbox.claim, set[int]()
    send, looked_up = GitHubAppWriter.send, dict[int, bool]()

    def claimed(rows: SqlOutbox, row_id: int, **given: Any) -> r.OutboxRow | None:
        row = rows.get(row_id)
        if row is not None and row.kind == "comment.create" and not came_between:
            came_between.add(row_id)
            assert claim(rows, row_id, **{**given, "owner": "elsewhere"}) is not None
            rows.renew(row_id, fence=row.fence + 1, until=0)
        return claim(rows, row_id, **given)

    def sent(writer: GitHubAppWriter, write: Approved[OutboxWrite], *, retry: bool) -> Sent:
        looked_up.setdefault(write.value.row_id, retry)
        return send(writer, write, retry=retry)

    with House() as house:
        with mock.patch.object(SqlOutbox, "claim", claimed), mock.patch.object(GitHubAppWriter, "send", sent):
            house.planned()
        assert {row for row, retry in looked_up.items() if retry} == came_between != set()


def test_a_branch_that_takes_longer_than_a_lease_is_sent_at_the_first_try() -> None:
    plain, slow = GitHubClient._send, 0

    def send(client: GitHubClient, github: Any, request: Any, *given: Any) -> Any:
        nonlocal slow
        answer = plain(client, github, request, *given)
        if request.method != "GET" and "/git/" in request.url:
            slow += 1
            assert slow < 9, "it begins anew each time"
            house.clock.ahead_ms += 25_000
        return answer

    with House() as house:
        house.planned()
        with mock.patch.object(GitHubClient, "_send", send):
            house.say("/conductor approve")
        assert slow * 25_000 > house.parts.desk.limits.lease_ms
        assert house.state == "in_review", house.story()
        assert [row.attempts for row in house.rows("branch.update")] == [1]


def test_a_commit_is_noted_only_by_who_holds_the_row() -> None:
    note, refused = SqlOutbox.note, 0
    plain, taken_over = GitHubClient._send, 0

    def send(client: GitHubClient, github: Any, request: Any, *given: Any) -> Any:
        """The sender is halted after it made the first commit, and another process takes its row over."""
        nonlocal taken_over
        answer = plain(client, github, request, *given)
        if not taken_over and request.url.endswith("/git/commits"):
            (row,) = [one for one in house.rows() if one.state == "sending"]
            with house.parts.storage.begin() as tx:
                tx.outbox.renew(row.id, fence=row.fence, until=0)
                now = house.clock.now()
                held = tx.outbox.claim(row.id, owner="elsewhere", now=now, lease_ms=60_000, answers_stop=False)
                assert held is not None
            taken_over = row.id
        return answer

    def noted(rows: SqlOutbox, row_id: int, **given: Any) -> None:
        nonlocal refused
        try:
            note(rows, row_id, **given)
        except StaleFence:
            refused += 1
            raise

    with (
        House() as house,
        mock.patch.object(SqlOutbox, "note", noted),
        mock.patch.object(GitHubClient, "_send", send),
    ):
        house.planned()
        assert taken_over
        assert refused == 1


@pytest.mark.parametrize("error", [StorageBusy, StorageLost])
@pytest.mark.parametrize("place", [(SqlOutbox, "note"), (dispatch, "facts_at_sending")], ids=["note", "decision"])
def test_a_database_that_is_away_in_the_middle_of_sending_buries_no_row(
    place: tuple[Any, str], error: type[InternalError]
) -> None:
    plain, asked = getattr(*place), 0

    def away(*args: Any, **given: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise error("The database is restarted.")
        return plain(*args, **given)

    with House() as house:
        with mock.patch.object(*place, away), pytest.raises(error):
            house.start()
        house.later(house.parts.desk.limits.lease_ms / 1000 + 10)
        assert house.state == "plan.approval", house.story()


@pytest.mark.parametrize("what", ["PATCH /repos/*/git/refs/*", "POST /repos/*/git/refs"])
def test_what_github_did_not_take_is_sent_again_after_a_retry_and_only_then(what: str) -> None:
    refused = Fault(what, status=403, times=2)
    with House(faults=[refused]) as house:
        house.start()
        if house.state == "plan.approval":
            house.say("/conductor approve")
        for times in (1, 2):
            house.later(60)
            assert (house.state, refused.applied) == ("needs_human", times), house.story()
            house.say("/conductor retry")
        if house.state == "plan.approval":
            house.say("/conductor approve")
        assert house.state == "in_review", house.story()


def test_a_revise_sends_again_what_github_did_not_take() -> None:
    with House(faults=[Fault("POST /repos/*/pulls", status=403)]) as house:
        house.start()
        assert house.state == "needs_human", house.story()
        house.say("/conductor revise Say why.")
        assert house.state == "plan.approval", house.story()
        assert len(house.github.snapshot()["pulls"]) == 1


def test_what_a_later_row_has_replaced_is_not_sent_again() -> None:
    """The check's next text went out while the run waited for a person; the older one would undo it."""
    with House(dead=["check_run.update"]) as house:
        house.planned()
        house.github.faults.append(Fault("PATCH /repos/*/check-runs/*", status=403))
        house.say("/conductor approve")
        assert house.state == "needs_human", house.story()
        (dead,) = [row for row in house.rows() if row.state == "dead"]
        house.say("/conductor retry")
        assert house.state == "in_review", house.story()
        assert [row for row in house.rows() if row.state == "dead"] == [dead]
