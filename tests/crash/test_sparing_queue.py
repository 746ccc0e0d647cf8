"""The sweeper's repeats do not pile up before a worker that is behind."""

from __future__ import annotations

import pytest

from bot.adapters import celery_queue
from bot.adapters.celery_queue import MOST_WAITING, CeleryQueue, SparingQueue, make_celery
from bot.domain.jobs import CONTROL, GITHUB
from bot.ports.queue import Nudge


def test_no_repeat_is_added_to_a_queue_that_is_long_and_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_celery("memory://")
    usual = CeleryQueue(app)
    sparing = SparingQueue(app, usual)
    with app.connection_for_write() as connection, connection.channel() as channel:

        def waiting(queue: str) -> int:
            return int(channel.queue_declare(queue).message_count)

        channel.queue_purge(channel.queue_declare(CONTROL).queue)
        channel.queue_purge(channel.queue_declare(GITHUB).queue)
        for number in range(3 * MOST_WAITING):
            sparing.nudge(Nudge.ADVANCE, str(number))
            sparing.nudge(Nudge.PERFORM, str(number), queue=CONTROL)
        assert waiting(CONTROL) == MOST_WAITING
        # What is new is never held back, and another queue is another worker's.
        usual.nudge(Nudge.ADVANCE, "new")
        sparing.nudge(Nudge.DISPATCH, "1")
        assert (waiting(CONTROL), waiting(GITHUB)) == (MOST_WAITING + 1, 1)
        monkeypatch.setattr(celery_queue, "LOOK_S", 0.0)
        sparing.nudge(Nudge.ADVANCE, "again")
        assert waiting(CONTROL) == MOST_WAITING + 1
        for _ in range(2):
            message = channel.basic_get(CONTROL, no_ack=True)
            assert message is not None
        sparing.nudge(Nudge.ADVANCE, "again")
        assert waiting(CONTROL) == MOST_WAITING


def test_a_broker_that_is_down_holds_nothing_back() -> None:
    asked: list[str] = []

    class Heard:
        def nudge(self, what: Nudge, subject: str, *, queue: str = "") -> None:
            asked.append(f"{what.value} {subject} {queue}")

    # Nobody listens on the first port of all.
    SparingQueue(make_celery("redis://127.0.0.1:1/0"), Heard()).nudge(Nudge.ADVANCE, "run")
    assert asked == ["advance run "]
