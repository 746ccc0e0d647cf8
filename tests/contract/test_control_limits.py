"""No reply cannon and no wallet drain: limits per person, issue and day, and commands that are heard before labels."""

from __future__ import annotations

from collections.abc import Callable

from bot.domain.writes import CONTENT, LABELS
from bot.ports.queue import Nudge
from bot.services.dispatch import LONGEST_MS
from tests.harness.house import House

HOUR_S = 3_600


def test_starts_and_revises_share_one_count_over_cancel_and_relabel() -> None:
    with House(limits={"starts_per_day": 4}, issues={7: "add is wrong", 9: "sub is wrong"}) as house:
        house.planned()
        house.say("/conductor revise one")
        house.say("/conductor revise two")
        house.say("/conductor cancel")
        house.start()
        assert len(house.runs()) == 2, "the fourth of the day"
        house.say("/conductor revise three")
        assert len(house.agents.of("draft")) == 4
        house.say("/conductor cancel")
        house.start()
        house.start(number=9)
        assert len(house.runs()) == 2, "neither a new label nor another issue starts a new count"
        assert len(house.comments("which is the limit")) == 2, "once on each issue"
        house.github.unlabel("conductor", by="bob", number=9)
        house.start(by="bob", number=9)
        assert len(house.runs()) == 3, "another person has a count of their own"
        house.say("/conductor cancel", by="bob", number=9)
        house.later(24 * HOUR_S)
        house.github.unlabel("conductor", by="ana", number=7)
        house.start()
        assert len(house.runs()) == 4


def test_a_limit_is_told_once_an_hour_for_each_issue() -> None:
    with House(limits={"starts_per_day": 1}) as house:
        house.planned()
        for _ in range(3):
            house.say("/conductor revise more")
        assert len(house.comments("which is the limit")) == 1
        house.later(HOUR_S)
        house.say("/conductor revise more")
        assert len(house.comments("which is the limit")) == 2


def test_an_hour_is_an_hour_whatever_the_clock_shows() -> None:
    with House() as house:
        past = house.clock.now() // 1000 % HOUR_S
        house.later(HOUR_S - past - 60)
        house.say("/conductor plan", by="mallory")
        house.say("/conductor help")
        house.later(120)
        house.say("/conductor plan", by="mallory")
        house.say("/conductor help")
        assert house.reactions() == ["confused"], "two minutes later in the next hour of the clock"
        assert len(house.comments("Write a command")) == 1
        house.later(HOUR_S)
        house.say("/conductor plan", by="mallory")
        house.say("/conductor help")
        assert house.reactions() == ["confused", "confused"]
        assert len(house.comments("Write a command")) == 2


def test_people_who_may_only_read_cost_one_reaction_an_hour_whatever_they_do() -> None:
    with House() as house:
        house.github.label("conductor", by="mallory", number=7)
        house.github.comment("issue", "/conductor help", by="mallory")
        house.github.comment("issue", "/conductor frobnicate", by="mallory")
        house.github.comment("issue", "/conductor stop", by="mallory")
        house.pump()
        assert house.runs() == []
        assert house.comments() == []
        assert len(house.rows()) == 1


def test_a_stop_is_heard_before_the_labels_that_came_before_it() -> None:
    numbers = list(range(20, 26))
    with House(issues=dict.fromkeys(numbers, "add is wrong")) as house:
        for number in numbers:
            house.github.label("conductor", by="ana", number=number)
        house.github.comment("issue", "/conductor stop", by="ana", number=20)
        assert house.github.wait_delivered()
        first = house.queue.take()
        assert first is not None
        assert first[0] == Nudge.ROUTE
        house.parts.intake.route(first[1])
        settled = [one.event for one in house.deliveries() if one.state != "received"]
        assert sorted(settled) == ["issue_comment", "issues"], "the label's turn, and the comment before it"
        with house.parts.storage.read() as tx:
            jobs = [job for one in house.deliveries() for job in tx.jobs.of_delivery(one.id)]
        by_age = sorted(jobs, key=lambda job: job.created_at)
        assert house_event(house, by_age[0].delivery_id) == "issue_comment"
        house.pump()
        house.say("/conductor resume repository", number=20)
        assert len(house.runs()) == len(numbers)


def house_event(house: House, delivery_id: str | None) -> str:
    return next(one.event for one in house.deliveries() if one.id == delivery_id)


SMALL = {"pacing_ms": 1, "content_burst": 6, "content_kept": 2, "content_an_hour": 60}
SHARE_MS = 60_000


def _sent(house: House, *kinds: str) -> list[int]:
    """When rows of these kinds were confirmed, in order."""
    return sorted(row.confirmed_at for row in house.rows() if row.kind in kinds or not kinds)


def test_an_hour_takes_so_many_content_writes_of_an_installation_and_no_more() -> None:
    with House(limits=SMALL) as house:
        house.planned().say("/conductor approve")
        at = _sent(house, *CONTENT)
        assert len(at) > 16
        for first, begun in enumerate(at):
            for last in range(first, len(at)):
                most = SMALL["content_burst"] + SMALL["content_kept"] + (at[last] - begun) // SHARE_MS + 1
                assert last - first + 1 <= most, "at once, kept for answers, and one a share of the hour"
        assert at[-1] - at[0] > 5 * SHARE_MS
        assert house.clock.ahead_ms < len(at) * SHARE_MS, "and no longer than it takes"


def test_a_new_process_goes_on_counting() -> None:
    with House(limits=SMALL) as house:
        house.kills = lambda number: number in {30, 60}
        house.planned()
        assert house.deaths == 2
        at = _sent(house, *CONTENT)
        assert at[8] - at[0] >= SHARE_MS


def test_labels_go_on_and_a_person_is_answered_while_content_waits_for_the_hour() -> None:
    with House(limits={**SMALL, "content_burst": 8, "content_an_hour": 4}, messy=True) as house:
        house.github.label("conductor", by="ana", number=7)
        _until(house, lambda: "conductor: awaiting approval" in house.labels)
        waiting = [row.id for row in house.rows() if row.state == "allowed" and row.kind in CONTENT]
        assert waiting, house.story()
        house.github.comment("issue", "/conductor help", by="bob")
        house.clock.ahead_ms += LONGEST_MS
        _until(house, lambda: bool(house.comments("Write a command")))
        house.meanwhile("/conductor pause")
        _until(house, lambda: "conductor: paused" in house.labels)
        assert house.rows("comment.update")[-1].state == "allowed", "nobody waits for that"


def _held_back(house: House) -> None:
    """GitHub asks the installation to wait a minute."""
    with house.parts.storage.begin() as tx:
        tx.outbox.block(house.github.installation_id, house.clock.now() + 60_000)


def test_people_are_answered_before_labels_are_tidied() -> None:
    numbers = [20, 21, 25]
    with House(issues=dict.fromkeys(numbers, "add is wrong")) as house:
        house.say("hello", number=20)
        _held_back(house)
        for number in numbers:
            house.github.label("conductor", by="ana", number=number)
        _until(house, lambda: len(house.runs()) == len(numbers))
        house.github.comment("issue", "/conductor status", by="ana", number=25)
        _until(house, lambda: any(row.dedupe_key.startswith("reply:") for row in house.rows()))
        held = {row.id for row in house.rows() if row.state == "allowed"}
        assert sum(row.kind in LABELS for row in house.rows()) >= len(numbers)
        house.clock.ahead_ms += 61_000
        house.pump()
        rows = sorted((row for row in house.rows() if row.id in held), key=lambda row: (row.confirmed_at, row.id))
        answered = next(place for place, row in enumerate(rows) if row.dedupe_key.startswith("reply:"))
        assert sum(row.kind in LABELS for row in rows[answered:]) >= len(numbers) - 1
        before = {row.order_key for row in rows[:answered] if row.kind in LABELS}
        assert before == {"issue:25"}, "those that must go before it on its own issue, and no other"


def test_edits_of_the_status_comment_that_could_not_be_sent_become_one() -> None:
    with House() as house:
        house.planned()
        before = len(house.rows("comment.update"))
        _held_back(house)
        for word in ("pause", "resume") * 3:
            house.meanwhile(f"/conductor {word}")
            house.parts.sweeper.sweep()
            house._settle()
        house.meanwhile("/conductor pause")
        house.later(61)
        assert house.run.paused
        assert len(house.rows("comment.update")) - before <= 2, house.story()
        assert len(house.comments("Paused")) == 1


def _until(house: House, there: Callable[[], bool]) -> None:
    """Work and sweep, without a jump in time, until it is so."""
    for _ in range(60):
        if there():
            return
        house._settle()
        house.parts.sweeper.sweep()
    assert there(), house.story()
