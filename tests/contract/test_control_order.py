"""Deliveries come in any order and any time late: what a person said last holds, and what was taken back is not done."""

from __future__ import annotations

import pytest

from bot.simulator.github.faults import Fault
from tests.harness.house import House


def say_in_turn(house: House, first: str, second: str) -> None:
    """Two comments; who may give the first is told later than who may give the second, so that it is obeyed later."""
    house.github.faults.append(Fault("GET /repos/*/collaborators/*", status=502, times=1))
    for body in (first, second):
        house.github.comment("issue", body, by="ana", number=7)
    house.pump()


def stopped(house: House) -> bool:
    with house.parts.storage.read() as tx:
        return bool(tx.journal.stopped(repository_id=house.run.repository_id, run_id=house.run.id))


@pytest.mark.parametrize(
    "words", [("/conductor pause", "/conductor resume"), ("/conductor resume", "/conductor pause")]
)
def test_of_a_pause_and_a_resume_the_later_one_holds(words: tuple[str, str]) -> None:
    with House() as house:
        house.planned().say(words[1])
        say_in_turn(house, *words)
        assert house.run.paused == (words[1] == "/conductor pause")
        assert house.reactions().count("+1") == 3, "each is answered"
        house.say(words[0])
        assert house.run.paused == (words[0] == "/conductor pause")
        if house.run.paused:
            house.say("/conductor resume")


@pytest.mark.parametrize("last", ["stop", "resume"])
def test_of_a_stop_and_a_resume_of_the_repository_the_later_one_holds(last: str) -> None:
    other = "resume" if last == "stop" else "stop"
    with House() as house:
        house.planned().say(f"/conductor {last} repository")
        say_in_turn(house, f"/conductor {other} repository", f"/conductor {last} repository")
        assert stopped(house) == (last == "stop")
        assert house.reactions().count("+1") == 3, "each is answered"
        house.say(f"/conductor {other} repository")
        assert stopped(house) == (other == "stop")
        house.say("/conductor resume repository")


def test_a_command_that_comes_late_does_not_strike_the_next_run() -> None:
    with House() as house:
        house.planned()
        house.github.faults.append(Fault("GET /repos/*/collaborators/*", status=502, times=1))
        house.github.comment("issue", "/conductor cancel", by="ana", number=7)
        house._settle()
        for act in (house.github.unlabel, house.github.label):
            house.clock.ahead_ms += 1_500
            act("conductor", by="ana", number=7)
            house._settle()
        house.pump()
        assert [run.state for run in house.runs()] == ["cancelled", "plan.approval"], house.story()
        assert house.comments("is over"), "it is answered for the run that it was said about"


def test_a_label_that_was_taken_off_before_it_was_heard_starts_nothing() -> None:
    with House() as house:
        house.github.label("conductor", by="ana", number=7)
        house.github.unlabel("conductor", by="ana", number=7)
        house.pump()
        assert house.runs() == []
        assert any("taken off again" in one.reason for one in house.deliveries())
        house.start()
        assert house.state == "plan.approval", house.story()


def test_a_label_that_is_set_again_at_once_starts_a_run_that_stays() -> None:
    """The run that its removal ended takes nothing off."""
    with House() as house:
        house.planned()
        house.github.unlabel("conductor", by="ana", number=7)
        house.github.label("conductor", by="ana", number=7)
        house.pump()
        assert [run.state for run in house.runs()] == ["cancelled", "plan.approval"], house.story()
        assert "conductor" in house.labels
