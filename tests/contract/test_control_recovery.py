"""Deliveries that never came in: GitHub lists them, and what the inbox lacks is asked for again, once (DESIGN section 14)."""

from __future__ import annotations

import http.server
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from structlog.testing import capture_logs

from bot.domain.errors import InternalError
from bot.domain.jobs import JobKind
from bot.domain.outcome import Outcome
from bot.ports import records as r
from bot.services.desk import HOUR_MS
from bot.services.performing import Performer
from bot.services.recovering import LAG_MS, MOST_REFUSED, WINDOW_MS, key_of
from bot.simulator.github.faults import Fault
from tests.harness.house import House

NOBODY = "http://127.0.0.1:9/nobody"


def _attempts(house: House) -> Counter[str]:
    return Counter(one.guid for one in house.github.deliveries)


def _looks(house: House) -> list[r.Job]:
    hour = house.clock.now() // HOUR_MS
    with house.parts.storage.read() as tx:
        found = [tx.jobs.by_key(key_of(one)) for one in range(hour - 80, hour + 1)]
    return [one for one in found if one is not None]


def test_what_came_while_nobody_answered_is_taken_once() -> None:
    with House() as house:
        answers, house.github.webhook_url = house.github.webhook_url, NOBODY
        house.github.label("conductor", by="ana", number=7)
        house.pump()
        assert house.runs() == []
        house.github.webhook_url = answers
        house.later(61)
        assert house.state == "plan.approval", house.story()
        house.later(200)
        assert max(_attempts(house).values()) <= 4
        assert len({one.id for one in house.deliveries()}) == len(_attempts(house))
        assert max(Counter(row.dedupe_key for row in house.rows()).values()) == 1


def test_while_nobody_answers_one_delivery_is_asked_for_as_a_probe() -> None:
    with House() as house:
        house.planned()
        answers, house.github.webhook_url = house.github.webhook_url, NOBODY
        before = set(_attempts(house))
        for number in range(6):
            house.github.comment("issue", f"word {number}", by="bob")
        assert house.github.wait_delivered()
        lost = [one.guid for one in house.github.deliveries if one.guid not in before]
        for _ in range(3):
            house.later(61)
        assert [_attempts(house)[one] > 1 for one in lost] == [True, *[False] * 5]
        house.github.webhook_url = answers
        for _ in range(2):
            house.later(61)
        assert {one.id for one in house.deliveries()} >= set(lost)
        assert all(2 <= _attempts(house)[one] <= 3 for one in lost[1:]), "once more where the answer was on its way"


@contextmanager
def _storing_nothing(status: int) -> Iterator[str]:
    """A receiver that answers and stores nothing."""

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_what_the_receiver_refuses_is_given_up_after_some_attempts() -> None:
    with House() as house, _storing_nothing(413) as refusing, capture_logs() as logs:
        house.planned()
        answers, house.github.webhook_url = house.github.webhook_url, refusing
        house.github.comment("issue", "lost", by="bob")
        assert house.github.wait_delivered()
        lost = house.github.deliveries[-1]
        assert lost.status_code == 413
        for _ in range(6):
            house.later(61)
        assert _attempts(house)[lost.guid] == MOST_REFUSED
        assert [one["delivery"] for one in logs if one["event"] == "delivery_given_up"] == [lost.guid]
        house.github.webhook_url = answers
        house.later(61)
        assert _attempts(house)[lost.guid] == MOST_REFUSED


def test_a_wrong_secret_is_an_outage_and_gives_nothing_up() -> None:
    with House() as house, _storing_nothing(401) as stranger:
        house.planned()
        answers, house.github.webhook_url = house.github.webhook_url, stranger
        house.github.comment("issue", "first", by="bob")
        house.github.comment("issue", "second", by="bob")
        assert house.github.wait_delivered()
        lost = [one.guid for one in house.github.deliveries[-2:]]
        for _ in range(MOST_REFUSED + 2):
            house.later(61)
        assert _attempts(house)[lost[0]] > MOST_REFUSED
        assert _attempts(house)[lost[1]] == 1
        house.github.webhook_url = answers
        for _ in range(2):
            house.later(61)
        assert {one.id for one in house.deliveries()} >= set(lost)


def test_an_inbox_from_a_backup_takes_again_what_was_answered_once() -> None:
    with House() as house, _storing_nothing(202) as forgetful:
        answers, house.github.webhook_url = house.github.webhook_url, forgetful
        house.github.label("conductor", by="ana", number=7)
        assert house.github.wait_delivered()
        assert house.github.deliveries[-1].delivered
        house.github.webhook_url = answers
        house.later(61)
        assert house.state == "plan.approval", house.story()
        assert set(_attempts(house).values()) == {1, 2}


def test_attempts_that_an_earlier_life_of_the_inbox_took_give_nothing_up() -> None:
    """It took the third one, and then it was lost: the copy that is in its place knows of none."""
    with House() as house, _storing_nothing(202) as forgetful:
        answers, house.github.webhook_url = house.github.webhook_url, forgetful
        house.github.label("conductor", by="ana", number=7)
        for _ in range(MOST_REFUSED - 1):
            assert house.github.wait_delivered()
            house.later(61)
        assert max(_attempts(house).values()) == MOST_REFUSED
        house.github.webhook_url = answers
        house.restart()
        house.later(61)
        assert house.state == "plan.approval", house.story()


@pytest.mark.parametrize("dies", [True, False])
def test_looks_that_die_or_fail_time_after_time_go_on_within_their_hour(dies: bool) -> None:
    failed = 0

    def broken(_job: r.Job) -> Outcome:
        nonlocal failed
        failed += 1
        raise InternalError("They cannot be listed.")

    with House() as house, _storing_nothing(500) as away:
        # Not at an hour's end, where the next one's job would take over.
        house.later(HOUR_MS / 1000 - house.clock.now() % HOUR_MS / 1000 + 1)
        look = _looks(house)[-1]
        failing = Performer(house.parts.desk, {JobKind.RECOVERY: broken})
        for _ in range(house.parts.desk.limits.job_attempts + 1):
            house.clock.ahead_ms += 61_000
            if dies:
                with house.parts.storage.begin() as tx:
                    assert tx.jobs.claim(look.id, owner="dead", now=house.clock.now(), lease_ms=1)
            else:
                failing.perform(look.id)
        assert dies or failed == house.parts.desk.limits.job_attempts + 1
        answers, house.github.webhook_url = house.github.webhook_url, away
        house.github.label("conductor", by="ana", number=7)
        assert house.github.wait_delivered()
        house.github.webhook_url = answers
        house.later(61)
        assert house.state == "plan.approval", house.story()
        assert _looks(house)[-1].id == look.id


def test_each_hour_looks_from_where_an_earlier_one_saw_nothing_missing() -> None:
    with House() as house:
        began = house.clock.now()
        house.pump()
        (first,) = _looks(house)
        assert began - WINDOW_MS <= first.payload["since"] <= house.clock.now() - WINDOW_MS
        for _ in range(2):
            house.later(HOUR_MS / 1000)
            house.later(61)
        done, _, last = _looks(house)
        assert done.state == "done"
        assert began < done.result["clear_until"]
        assert last.payload["since"] == done.result["clear_until"] - LAG_MS
        assert last.state == "queued"


def test_a_github_that_fails_is_asked_again_and_spends_no_attempt() -> None:
    fault = Fault("GET /app/hook/deliveries*", status=502, times=50)
    with House(faults=[fault], messy=True) as house:
        for _ in range(8):
            house.later(61)
        looks = _looks(house)
        assert {(one.state, one.attempts) for one in looks} == {("queued", 0)}
        assert all("502" in one.reason for one in looks)
        fault.times = 0
        house.later(61)
        assert _looks(house)[-1].reason == "no delivery is missing"
