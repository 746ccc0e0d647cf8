"""Deliveries come in any order and any time late: what a person said last holds, and what was taken back is not done."""

from __future__ import annotations

from typing import Any

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


def labelled_again(house: House) -> None:
    """A second run; GitHub's times are whole seconds."""
    house.clock.ahead_ms += 1_500
    house.github.label("conductor", by="ana", number=7)
    house._settle()
    assert len(house.runs()) == 2, house.story()


@pytest.mark.parametrize("by", ["ana", "conductor"])
def test_a_removal_of_the_label_that_comes_late_does_not_strike_the_run_after_it(by: str) -> None:
    """A person's own, and ours at a run's end."""
    with House() as house:
        house.planned()
        house.github.faults.append(Fault("DELIVER issues.unlabeled", status=503, times=10))
        if by == "ana":
            house.github.unlabel("conductor", by="ana", number=7)
            assert house.github.wait_delivered()
            house.github.close_item("issue", by="ana")
            house.pump()
            house.github.reopen_item("issue", by="ana")
        else:
            house.say("/conductor cancel")
        house.github.faults[-1].times = 0
        labelled_again(house)
        house.later(3600)
        assert [run.state for run in house.runs()] == ["cancelled", "plan.approval"], house.story()


def cancelled_and_the_labels_removal_waits(house: House) -> None:
    house.planned()
    house.github.faults.append(Fault("DELETE /repos/*/labels/conductor", status=403, retry_after=600, times=1))
    house.github.comment("issue", "/conductor cancel", by="ana", number=7)
    house._settle()
    assert house.state == "cancelled"
    assert house.github.faults[-1].applied == 1
    house.clock.ahead_ms += 1_500


def test_our_removal_of_the_label_that_had_to_wait_does_not_take_off_the_next_runs() -> None:
    with House(dead=["label.remove"]) as house:
        cancelled_and_the_labels_removal_waits(house)
        house.github.unlabel("conductor", by="ana", number=7)
        house._settle()
        labelled_again(house)
        house.pump()
        assert [run.state for run in house.runs()] == ["cancelled", "plan.approval"], house.story()
        assert "conductor" in house.labels


def test_a_wish_for_a_plan_that_comes_after_the_run_that_it_was_meant_for_starts_none() -> None:
    with House() as house:
        house.github.faults.append(Fault("DELIVER issue_comment.created", status=503, times=1))
        house.github.comment("issue", "/conductor plan", by="ana", number=7)
        assert house.github.wait_delivered()
        house.clock.ahead_ms += 1_500
        house.github.label("conductor", by="ana", number=7)
        house._settle()
        house.say("/conductor cancel")
        house.later(3600)
        assert [run.state for run in house.runs()] == ["cancelled"], house.story()
        assert len(house.comments("did not reach me")) == 1


def test_what_a_stop_of_a_cancelled_run_holds_back_does_not_hold_the_next_one() -> None:
    with House(messy=True) as house:
        house.planned()
        house.parts.stopping.set("run", house.run.id, stopped=True, by="op", reason="x")
        house.say("/conductor cancel")
        house.github.unlabel("conductor", by="ana", number=7)
        house.pump()
        house.github.label("conductor", by="ana", number=7)
        house.pump()
        house.later(3600)
        assert [run.state for run in house.runs()] == ["cancelled", "plan.approval"]
        assert {row.state for row in house.rows() if row.run_id == house.run.id} == {"confirmed"}
        assert {row.state for row in house.rows() if row.run_id == house.runs()[0].id} > {"confirmed"}, "still held"


@pytest.mark.parametrize("fault", [{"swap": True}, {"status": 503}])
def test_a_suspension_that_is_told_after_its_end_closes_nothing(fault: dict[str, Any]) -> None:
    """Told in the other order, and fetched again after it was missed."""
    with House() as house:
        house.github.faults.append(Fault("DELIVER installation.suspend", times=1, **fault))
        house.github.install("suspend")
        house.clock.ahead_ms += 1_500
        house.github.install("unsuspend")
        assert house.github.wait_delivered()
        house.pump()
        house.later(120)
        house.start()
        house.later(3600)
        assert house.state == "plan.approval", house.story()
        house.clock.ahead_ms += 1_500
        house.github.install("suspend")
        house.pump()
        house.say("/conductor approve")
        house.later(3600)
        assert [row.state for row in house.rows("branch.update")] == ["allowed"], "nothing is sent now"
        house.clock.ahead_ms += 1_500
        house.github.install("unsuspend")
        house.later(60)
        assert house.state == "in_review", house.story()


def test_a_start_label_that_the_next_run_does_not_rest_on_is_taken_off() -> None:
    """It was started by a comment, and takes off no label of its own."""
    with House(messy=True) as house:
        cancelled_and_the_labels_removal_waits(house)
        house.github.comment("issue", "/conductor plan", by="ana", number=7)
        house._settle()
        house.pump()
        assert [run.state for run in house.runs()] == ["cancelled", "plan.approval"], house.story()
        house.say("/conductor cancel")
        house.later(3600)
        assert [run.state for run in house.runs()] == ["cancelled", "cancelled"], house.story()
        assert house.labels == [], house.story()


def test_what_a_lifted_stop_lets_go_leaves_the_next_run_its_label() -> None:
    with House(messy=True) as house:
        house.planned()
        first = house.run.id
        house.parts.stopping.set("run", first, stopped=True, by="op", reason="x")
        house.say("/conductor cancel")
        house.clock.ahead_ms += 1_500
        house.github.unlabel("conductor", by="ana", number=7)
        house.pump()
        labelled_again(house)
        house.later(3600)
        house.parts.stopping.set("run", first, stopped=False, by="op", reason="")
        house.later(3600)
        assert [run.state for run in house.runs()] == ["cancelled", "plan.approval"], house.story()
        assert sorted(house.labels) == ["conductor", "conductor: awaiting approval"], house.story()
