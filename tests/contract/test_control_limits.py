"""No reply cannon and no wallet drain: limits per person, issue and day, and commands that are heard before labels."""

from __future__ import annotations

from bot.ports.queue import Nudge
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
