"""An earlier try that GitHub does not list yet is not taken for one that never was: what has no name of its own is there once."""

from __future__ import annotations

from collections import Counter
from typing import Any
from unittest import mock

from bot.adapters.github_client import GitHubClient
from bot.simulator.github.faults import Fault
from tests.harness.house import House, Killed

LISTED = {
    "POST /repos/*/issues/7/comments": "GET /repos/*/issues/7/comments",
    "POST /repos/*/check-runs": "GET /repos/*/check-runs",
    "POST /repos/*/pulls": "GET /repos/*/pulls",
}
LAG_S = 12.0


def _lags() -> list[Fault]:
    return [Fault(look, list_lag_s=LAG_S, times=999) for look in LISTED.values()]


def _all_is_there_once(house: House) -> None:
    assert house.state == "plan.approval", house.story()
    shown = house.github.snapshot()
    checks = Counter((one["name"], one["head_sha"]) for one in shown["check_runs"])
    # Comments of two rows differ by their markers.
    assert set(Counter(house.comments()).values()) == {1}, house.story()
    assert set(checks.values()) == {1}, house.story()
    assert len(shown["pulls"]) == 1


def test_a_lost_answer_and_a_list_that_lags_double_nothing() -> None:
    lost = [Fault(write, status=502, after_effect=True, times=9) for write in LISTED]
    lags = _lags()
    with House(faults=[*lost, *lags]) as house:
        house.start()
        assert all(one.applied for one in (*lost, *lags))
        _all_is_there_once(house)


def test_a_death_after_the_request_and_a_list_that_lags_double_nothing() -> None:
    """The lease of the dead process is let go of at once, so the next one looks within the lag."""
    lags, asked = _lags(), [Fault(write) for write in LISTED]
    with House(faults=lags) as house:
        send = GitHubClient._send

        def sent(self: GitHubClient, github: Any, request: Any, *args: Any) -> Any:
            answer = send(self, github, request, *args)
            name = f"{request.method} {request.url.removeprefix(house.github.url)}"
            for one in asked:
                if not one.applied and one.matches(name):
                    one.applied = 1
                    with house.parts.storage.begin() as tx:
                        tx.jobs.release_owner(house.parts.desk.owner)
                    raise Killed
            return answer

        with mock.patch.object(GitHubClient, "_send", sent):
            house.start()
        assert all(one.applied for one in (*asked, *lags))
        assert house.deaths == len(asked)
        _all_is_there_once(house)


def test_a_pull_request_that_the_list_shows_only_later_is_found_in_the_end() -> None:
    """GitHub says that it exists, so it is looked for again, and not given up."""
    faults = [
        Fault("POST /repos/*/pulls", status=502, after_effect=True, times=1),
        Fault("GET /repos/*/pulls", list_lag_s=60, times=3),
    ]
    with House(faults=faults) as house:
        house.start()
        house.later(600)
        _all_is_there_once(house)
