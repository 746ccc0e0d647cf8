"""No run rests on a single delivery: what GitHub lost for good is found by looking, takes the delivery's way, and counts once."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
import sqlalchemy as sa

from bot.adapters.github_client import GitHubClient
from bot.adapters.tables import jobs
from bot.domain.jobs import JobKind
from bot.ports import records as r
from bot.services.comparing import LAG_MS
from bot.services.reconciling import EVERY_MS, SELDOM_MS
from bot.services.recovering import WINDOW_MS
from bot.simulator.github import render
from bot.simulator.github.faults import Fault
from bot.simulator.github.server import SimulatedGitHub
from tests.harness.house import House

_RECONCILES = sa.select(jobs.c.id).where(jobs.c.kind == JobKind.RECONCILE.value).order_by(jobs.c.created_at)
SOON_S = EVERY_MS / 1000 + 1
HEARD_S = (EVERY_MS + LAG_MS) / 1000 + 1


@contextmanager
def _requests() -> Iterator[list[str]]:
    """What is asked of GitHub meanwhile."""
    asked: list[str] = []
    send = GitHubClient._send

    def sent(self: GitHubClient, github: Any, request: Any, *args: Any) -> Any:
        asked.append(f"{request.method} {request.url}")
        return send(self, github, request, *args)

    with mock.patch.object(GitHubClient, "_send", sent):
        yield asked


def _losing(house: House) -> Fault:
    """From now on GitHub loses every delivery without a record, so that nothing can be delivered again."""
    fault = Fault("DELIVER *", drop=True, times=10_000)
    house.github.faults.append(fault)
    return fault


def _found(house: House, lost: Fault) -> None:
    """From now on it loses none."""
    assert house.github.wait_delivered()
    lost.times = 0


def _looks(house: House) -> list[r.Job]:
    with house.parts.storage.read() as tx:
        found = [tx.jobs.get(str(one)) for one in tx.runs._link.column(_RECONCILES)]
    return [one for one in found if one is not None]


def _once(house: House) -> None:
    """Every effect is there once, and nothing is told twice."""
    assert max(Counter(row.dedupe_key for row in house.rows()).values()) == 1
    bodies = Counter(house.comments())
    assert max(bodies.values()) == 1, bodies


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (lambda github: github.close_item("issue", by="bob"), "the issue was closed"),
        (lambda github: github.unlabel("conductor", by="bob"), "the label conductor was removed"),
        (lambda github: github.close_item("pull", by="bob"), "the pull request was closed"),
    ],
    ids=["issue closed", "label removed", "pull request closed"],
)
def test_a_closing_that_nobody_told_of(act: Callable[[SimulatedGitHub], object], why: str) -> None:
    with House() as house:
        house.planned().say("/conductor pause")
        _losing(house)
        act(house.github)
        house.pump()
        assert house.state == "plan.approval"
        house.later(SOON_S)
        assert (house.state, house.run.halt_reason) == ("cancelled", why), house.story()
        assert house.labels == [], "the start label goes with the run"
        _once(house)


def test_a_merge_that_nobody_told_of() -> None:
    with House() as house:
        house.published()
        _losing(house)
        house.github.merge(by="ana")
        house.later(SOON_S)
        assert house.state == "done", house.story()
        assert house.labels == ["conductor: done"]
        _once(house)


def test_an_issue_that_is_gone_ends_its_run() -> None:
    with House(dead=["comment.create", "comment.update", "label.add", "label.remove"], messy=True) as house:
        house.planned()
        _losing(house)
        with house.github._world.lock:
            house.github._world.only_repository().issues.pop(7)
        house.later(SOON_S)
        assert (house.state, house.run.halt_reason) == ("cancelled", "the issue was closed"), house.story()


def test_a_head_that_somebody_moved() -> None:
    with House() as house:
        house.published()
        _losing(house)
        house.github.push(house.run.branch, {"calc.py": "x = 1\n"}, by="bob")
        house.later(SOON_S)
        head = house.github.snapshot()["pulls"][-1]["head"]
        assert head
        told = [one for one in house.checks("Conductor: review ledger") if "not reviewed" in one["title"]]
        assert [one["conclusion"] for one in told] == ["failure"], house.story()
        house.later(SOON_S * 2)
        _once(house)


def test_a_deleted_status_comment_is_made_anew_though_nothing_else_happens() -> None:
    with House() as house:
        house.planned()
        _losing(house)
        house.github.delete_comment("Plan ready for approval", by="bob")
        house.later(SOON_S)
        assert house.comments("Plan ready for approval") == [], "a comment so young may only not be shown yet"
        house.later(LAG_MS / 1000)
        for _ in range(3):
            house.later(SELDOM_MS / 1000)
        assert len(house.comments("Plan ready for approval")) == 1, house.story()
        house.github.faults[-1].times = 0
        house.say("/conductor approve")
        assert len(house.comments("Ready for review")) == 1
        assert sum(":status:" in row.dedupe_key for row in house.rows("comment.create")) == 2
        assert house.rows("comment.update")[-1].state == "confirmed"


def test_an_approval_whose_delivery_is_lost_counts_and_comes_too_late_to_count_twice() -> None:
    with House() as house:
        house.planned()
        lost = _losing(house)
        comment = house.github.comment("pull", "/conductor approve", by="ana")
        house.later(SOON_S)
        assert house.state == "plan.approval", "its delivery may still be on its way"
        house.later(HEARD_S)
        assert house.state == "in_review", house.story()
        _found(house, lost)
        house.github.deliver("issue_comment", _told(house, comment))
        house.pump()
        assert "a look at the issue found it before its delivery came" in [one.reason for one in house.deliveries()]
        assert [(one.by_login, one.source_id) for one in house.approvals()] == [("ana", comment)]
        _once(house)


def test_a_delivery_that_comes_while_a_look_is_on_its_way_counts_alone() -> None:
    with House() as house:
        house.planned()
        lost = _losing(house)
        comment = house.github.comment("pull", "/conductor status", by="ana")
        house.clock.ahead_ms += int(HEARD_S * 1000)
        house.parts.progress.advance(house.run.id)
        house.performer.perform(_looks(house)[-1].id)
        assert [one["comment"] for one in _looks(house)[-1].result["runs"][house.run.id]["said"]] == [comment]
        house.queue.flush()
        _found(house, lost)
        house.github.deliver("issue_comment", _told(house, comment))
        house._settle()
        assert house.run.known["heard"] == [comment]
        house.later(1)
        assert len(house.comments("It has spent")) == 1, house.story()
        assert house.comments("write it again") == []


def test_an_approval_that_was_delivered_is_not_found_again() -> None:
    with House() as house:
        house.planned()
        house.say("/conductor revise better")
        house.say("/conductor status")
        before = len(house.comments())
        for _ in range(3):
            house.later(HEARD_S)
        assert len(house.agents.of("draft")) == 2
        assert len(house.comments()) == before, house.story()


def test_commands_that_came_too_late_are_answered_and_not_obeyed() -> None:
    with House() as house:
        house.planned()
        _losing(house)
        house.github.comment("issue", "/conductor approve", by="ana")
        # Nobody looks for longer than GitHub would deliver again.
        house.clock.ahead_ms += WINDOW_MS + LAG_MS
        house.later(HEARD_S)
        assert house.state == "plan.approval", house.story()
        assert len(house.comments("write it again")) == 1
        house.github.comment("issue", "/conductor resume", by="bob")
        house.github.comment("issue", "/conductor plan", by="bob")
        house.clock.ahead_ms += LAG_MS
        house.later(SELDOM_MS / 1000)
        assert len(house.comments("write it again")) == 3, "to start or go on is never done by surprise"
        assert house.approvals() == []
        assert len(house.runs()) == 1


def test_what_was_said_before_something_else_happened_is_not_obeyed_after_it() -> None:
    with House() as house:
        house.planned()
        lost = _losing(house)
        house.github.comment("issue", "/conductor pause", by="ana")
        _found(house, lost)
        house.say("/conductor status")
        house.later(HEARD_S)
        house.later(HEARD_S)
        assert not house.run.paused
        assert len(house.comments("write it again")) == 1, house.story()


def test_words_of_readers_edited_words_and_a_lost_label_order_nothing() -> None:
    with House() as house:
        house.planned()
        _losing(house)
        house.github.comment("issue", "/conductor cancel", by="mallory")
        house.github.comment("issue", "/conductor cancel please?", by="bob")
        house.clock.ahead_ms += 2_000
        house.github.edit_comment("please?", "/conductor cancel", by="bob")
        house.github.comment("issue", "> /conductor cancel", by="ana")
        house.later(HEARD_S)
        house.later(HEARD_S)
        assert house.state == "plan.approval", house.story()
        assert house.reactions()[-1] == "confused"
        with house.github._world.lock:
            repository = house.github._world.only_repository()
            label = repository.labels.pop("conductor")
            for issue in repository.issues.values():
                issue.labels = [one for one in issue.labels if one is not label]
        house.later(SELDOM_MS / 1000)
        assert len(house.jobs(JobKind.PULL_STATE)) >= 1
        assert house.state == "plan.approval", "the whole repository lost the label; nobody took it off"


@pytest.mark.parametrize("what", ["review", "check"])
def test_a_review_or_a_failing_check_that_nobody_told_of(what: str) -> None:
    with House(config="ci: [unit]\n") as house:
        house.published()
        lost = _losing(house)
        if what == "review":
            house.github.review("request_changes", "Bound it.", [], by="bob")
            house.github.review("request_changes", "Bound that.", [], by="mallory")
        else:
            house.github.add_check_run("unit", "failure", "it broke")
            house.github.add_check_run("nightly", "failure", "boom")
        house.later(SOON_S)
        _found(house, lost)
        house.later(HEARD_S)
        assert house.path().count("feedback code.draft") == 1, house.story()
        titles = {"review": ["Bound it."], "check": ["The check unit ended failure"]}[what]
        assert [one.title for one in house.findings().values()] == titles
        _once(house)


def test_changes_requested_of_a_waiting_plan_that_nobody_told_of() -> None:
    with House() as house:
        house.planned()
        _losing(house)
        house.github.review("request_changes", "Name the file.", [], by="bob")
        house.later(SOON_S)
        for _ in range(2):
            house.later(HEARD_S)
        assert len(house.agents.of("draft")) == 2, house.story()
        assert house.state == "plan.approval"


def test_an_answer_that_is_older_than_what_is_so_now_undoes_nothing() -> None:
    with House() as house:
        house.planned()
        lost = _losing(house)
        house.github.unlabel("conductor", by="bob")
        house.clock.ahead_ms += int(SOON_S * 1000)
        house.parts.progress.advance(house.run.id)
        (look,) = _looks(house)
        house.performer.perform(look.id)
        assert _looks(house)[0].result["runs"][house.run.id]["issue"] is False
        house.github.label("conductor", by="ana")
        _found(house, lost)
        house.pump()
        assert house.state == "plan.approval", house.story()


def test_looks_are_few_and_shared_by_the_runs_of_a_repository() -> None:
    numbers = (7, 8)
    with House(issues=dict.fromkeys(numbers, "add is wrong")) as house:
        for number in numbers:
            house.start(number=number)
        assert {one.state for one in house.runs()} == {"plan.approval"}
        house.later(SOON_S)
        before = len(_looks(house))
        with _requests() as asked:
            house.later(SOON_S * 4)
        (look,) = _looks(house)[before:]
        assert len(look.payload["wakes"]) == 2
        assert len([one for one in asked if "/repos/" in one]) <= 3 + 2 * len(numbers), asked
        for _ in range(10):
            house.later(SOON_S * 16)
        spent = len(_looks(house)) - before
        assert 3 <= spent <= 9, "more seldom the longer nothing happens"
        at = [one.created_at for one in _looks(house)]
        assert max(after - earlier for earlier, after in itertools.pairwise(at)) >= SELDOM_MS


def test_a_github_that_fails_is_asked_again_and_one_that_refuses_ends_the_look() -> None:
    fails = Fault("GET /repos/*/issues", status=502, times=3)
    refuses = Fault("GET /repos/*/issues", status=404, times=1)
    with House(faults=[fails, refuses]) as house:
        house.planned()
        house.later(SOON_S)
        (look,) = _looks(house)
        assert (look.state, look.attempts, fails.applied) == ("done", 1, 3)
        assert "404" in look.result["refused"]
        _losing(house)
        house.github.close_item("issue", by="bob")
        house.later(SOON_S * 4)
        assert house.state == "cancelled", house.story()
        house.messy = True


def test_wake_ups_and_processes_may_die_while_a_look_is_taken_in() -> None:
    with House() as house:
        house.planned()
        _losing(house)
        house.github.comment("pull", "/conductor approve", by="ana")
        house.kills = lambda number: number % 29 == 0
        for _ in range(3):
            house.later(HEARD_S)
        house.kills = lambda number: False
        house.pump()
        assert house.state == "in_review", house.story()
        assert house.deaths > 1
        _once(house)


def _told(house: House, comment: int) -> dict[str, object]:
    """The payload of a comment's delivery."""
    issue = house.github._world.only_repository().issues[house.run.known["pull"]]
    found = next(one for one in issue.comments if one.id == comment)
    world, within = house.github._world, house.github._world.only_repository()
    return {
        "action": "created",
        "issue": render.issue(world, within, issue),
        "comment": render.comment(world, within, issue, found),
        "sender": render.account(world, found.user),
    }


def test_a_command_that_was_said_while_github_refused_looks_is_found_after_it() -> None:
    with House(messy=True) as house:
        house.planned()
        house.later(60)
        house.github.faults.append(Fault("DELIVER issue_comment.created", drop=True, times=1))
        house.github.comment("issue", "/conductor cancel", by="ana", number=7)
        assert house.github.wait_delivered()
        refuses = Fault("GET /repos/*", status=404, times=100)
        house.github.faults.append(refuses)
        for _ in range(12):
            house.later(130)
        assert refuses.applied
        refuses.times = 0
        for _ in range(30):
            house.later(300)
        assert house.state == "cancelled", house.story()
