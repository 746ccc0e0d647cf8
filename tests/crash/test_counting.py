"""The chaos run's count sees what it is for: something twice, something gone, something that nobody wanted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from bench.crash.counting import Verdict, judge, profile
from bench.crash.script import SCRIPTS, Story, Townspeople
from bot.simulator.github.model import Comment, Issue
from tests.harness.house import REPOSITORY, House


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with House(messy=True) as made:
        made.published()
        made.github.merge(by="ana")
        made.pump()
        yield made


@pytest.fixture
def story(house: House) -> Story:
    return Story(SCRIPTS[0], Townspeople(house.github, REPOSITORY), 7, "ana", done=len(SCRIPTS[0].acts))


def _judged(house: House, story: Story, calm: Counter[str]) -> Verdict:
    with house.parts.storage.read() as tx:
        return judge(house.github, tx, [story], {story.script.name: calm})


def _ours(story: Story) -> tuple[Issue, Comment]:
    return story.issue, next(one for one in story.issue.comments if one.user.kind == "Bot")


def test_a_whole_run_is_clean(house: House, story: Story) -> None:
    verdict = _judged(house, story, profile(story))
    assert (verdict.lost, verdict.doubled, verdict.unended, verdict.broken) == ([], [], [], [])
    assert verdict.keys["comment.create"] >= 3
    assert verdict.keys["branch.create"] == verdict.keys["branch.update"] == verdict.keys["pull.create"] == 1


def test_a_comment_that_is_there_twice_is_doubled_by_row_and_by_script(house: House, story: Story) -> None:
    calm = profile(story)
    issue, comment = _ours(story)
    second = replace(comment, id=house.github.world.new_id(), created=comment.created + 7.5)
    issue.comments.append(second)
    try:
        verdict = _judged(house, story, calm)
    finally:
        issue.comments.remove(second)
    assert len(verdict.doubled) == 2
    told = next(one for one in verdict.doubled if f"comment {second.id}" in one)
    assert told.endswith("which no row wanted, 7.50 s after the first")
    assert verdict.lost == []


def test_a_comment_that_is_gone_is_lost_by_row_and_by_script(house: House, story: Story) -> None:
    calm = profile(story)
    issue, comment = _ours(story)
    place = issue.comments.index(comment)
    issue.comments.remove(comment)
    try:
        verdict = _judged(house, story, calm)
    finally:
        issue.comments.insert(place, comment)
    assert len(verdict.lost) == 2
    assert verdict.doubled == []


def test_a_check_that_is_there_twice_or_gone_is_seen(house: House, story: Story) -> None:
    calm, checks = profile(story), story.within.checks
    first = next(iter(checks.values()))
    second = replace(first, id=house.github.world.new_id())
    checks[second.id] = second
    assert len(_judged(house, story, calm).doubled) == 2
    del checks[second.id], checks[first.id]
    assert len(_judged(house, story, calm).lost) == 2
    checks[first.id] = first


def test_a_label_that_stays_and_an_end_that_is_missing_are_seen(house: House, story: Story) -> None:
    calm = profile(story)
    label = story.issue.labels.pop()
    try:
        verdict = _judged(house, story, calm)
    finally:
        story.issue.labels.append(label)
    assert len(verdict.unended) == 1
