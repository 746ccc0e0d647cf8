"""A backup of records in use, and a restored one that is behind GitHub: it looks first, repeats nothing and says what it found."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from unittest import mock

import pytest

import bot.bootstrap
from bot.cli.backing_up import back_up, put_back
from bot.domain.audit_chain import verify_chain
from bot.ports.records import Job
from bot.simulator.github.faults import Fault
from tests.harness.house import FragileStorage, House, HouseClock

HOUR_S = 3_600


def _restore(house: House, directory: Path) -> None:
    """The records are lost, and a backup takes their place; the process is a new one, GitHub is as it was."""
    house._end()
    house._inbox.close()
    house.queue.flush()
    for one in house.folder.glob("conductor.db*"):
        one.unlink()
    with mock.patch.object(bot.bootstrap, "SystemClock", return_value=house.clock):
        put_back(house.settings, directory, "ana")
    house.build()


def _shown(house: House) -> dict[str, list[object]]:
    """What stands on GitHub and must never be there twice."""
    shown = house.github.snapshot()
    git = house.github._within()
    branches = [name for name in shown["branches"] if name.startswith("conductor/")]
    return {
        "markers": [one for body in house.comments() for one in re.findall(r"conductor:([0-9a-f]{32})", body)],
        "said": [re.sub(r"<!--.*?-->", "", body).strip() for body in house.comments()],
        "pulls": [one["head"] for one in shown["pulls"]],
        "checks": [(one["name"], one["head_sha"]) for one in shown["check_runs"]],
        "branches": [(name, git.branch(name)) for name in branches],
    }


def _nothing_twice(house: House, before: dict[str, list[object]]) -> None:
    after = _shown(house)
    for name in ("markers", "said", "checks", "pulls"):
        assert max(Counter(after[name]).values(), default=0) <= 1, (name, after[name], house.story())
    for name in ("pulls", "branches", "checks"):
        assert after[name] == before[name], (name, house.story())
    assert len(house.comments("started by `ana`")) <= 1, "the status comment"
    assert house.github.violations == []
    assert verify_chain(house.audit()) == ""


def _copied(house: House) -> Path:
    directory = house.folder / "backup"
    back_up(house.settings, directory)
    return directory


def _at(house: House, kind: str) -> None:
    """A backup is taken while the first job of that kind is worked on."""

    def once(_job: Job) -> None:
        if not (house.folder / "backup").exists():
            _copied(house)

    house.agents.hooks[kind] = once


@pytest.mark.parametrize(("times", "status"), [(0, 502), (8, 502), (4, 404)], ids=["", "silent", "refusing"])
@pytest.mark.parametrize(("kind", "merged"), [("review", False), ("step", False), ("draft", True)])
def test_a_copy_from_mid_run_repeats_nothing_that_github_shows(
    kind: str, merged: bool, times: int, status: int
) -> None:
    """Also when GitHub does not answer for minutes after the restore, or says that there is nothing to see."""
    with House(messy=True) as house:
        _at(house, kind)
        house.published()
        if merged:
            house.github.merge(by="ana")
            house.pump()
            assert house.state == "done"
        house.later(20 * HOUR_S)
        before, drafted = _shown(house), len(house.agents.asked)
        _restore(house, house.folder / "backup")
        house.github.faults.append(Fault("GET /repos/*", status=status, times=times))
        house.pump()
        for _ in range(4):
            house.later(301)
        _nothing_twice(house, before)
        assert len(house.agents.asked) == drafted, "nothing is paid for before GitHub was looked at"
        if merged:
            assert house.state == "cancelled", house.story()
            assert "merged" in house.run.halt_reason
        else:
            assert house.state == "needs_human", house.story()
            assert "backup" in house.run.halt_reason
            assert len(house.comments("come from a backup")) == 2, "the status, and a mention"
            assert house.labels == ["conductor", "conductor: needs human"], house.story()


def test_a_copy_in_review_ends_as_github_shows() -> None:
    with House() as house:
        house.published()
        directory = _copied(house)
        house.github.merge(by="ana")
        house.pump()
        house.later(20 * HOUR_S)
        before = _shown(house)
        _restore(house, directory)
        house.pump()
        house.later(301)
        assert house.state == "done", house.story()
        _nothing_twice(house, before)


def test_a_copy_that_github_is_not_ahead_of_goes_on() -> None:
    with House() as house:
        house.planned()
        directory = _copied(house)
        house.say("/conductor status")
        house.later(20 * HOUR_S)
        before = _shown(house)
        _restore(house, directory)
        house.pump()
        house.later(301)
        assert house.state == "plan.approval", house.story()
        _nothing_twice(house, before)
        house.say("/conductor approve")
        assert house.state == "in_review", house.story()


def test_an_approval_that_the_copy_has_not_seen_is_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also on a machine so slow that its clock goes on between any two looks at it."""

    read = HouseClock.now

    def now(self: HouseClock) -> int:
        self.ahead_ms += 1
        return read(self)

    monkeypatch.setattr(HouseClock, "now", now)
    with House() as house:
        house.planned()
        directory = _copied(house)
        house.kills = lambda _number: True
        comment = house.github.comment("pull", "/conductor approve", by="ana")
        assert house.github.wait_delivered()
        house.kills = lambda _number: False
        before = _shown(house)
        _restore(house, directory)
        assert all(str(comment) not in one.body.decode() for one in house.deliveries())
        house.pump()
        house.later(301)
        assert house.state == "in_review", house.story()
        assert [one.source_id for one in house.approvals()] == [comment]
        assert _shown(house)["pulls"] == before["pulls"]


def test_a_run_that_began_after_the_copy_begins_as_the_same_run() -> None:
    with House(messy=True) as house:
        house.github.comment("issue", "/conductor help", by="ana")
        house.pump()
        directory = _copied(house)
        first = house.published().run.id
        house.later(20 * HOUR_S)
        before = _shown(house)
        _restore(house, directory)
        assert house.runs() == []
        for _ in range(3):
            house.later(301)
        assert house.run.id == first
        assert house.state == "needs_human", house.story()
        _nothing_twice(house, before)


@pytest.mark.parametrize("at", [17, 38, 64])
def test_a_copy_between_any_two_commits_sends_nothing_again(at: int) -> None:
    """Rows that the copy takes for unsent may be on GitHub: they are looked up first."""
    with House(messy=True) as house:
        count = 0

        def committed() -> None:
            nonlocal count
            count += 1
            if count == at:
                _copied(house)

        with mock.patch.object(FragileStorage, "committed", staticmethod(committed)):
            house.planned()
        before = _shown(house)
        _restore(house, house.folder / "backup")
        house.pump()
        for _ in range(3):
            house.later(301)
        assert house.state in {"plan.approval", "needs_human"}, house.story()
        assert len(house.rows()) > 0
        _nothing_twice(house, before)
