"""The receiver's answers, and what it stores before it gives them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from bot.domain.errors import StorageBusy
from bot.ports.queue import Nudge
from bot.ports.records import Delivery
from bot.web.group_commit import Waker
from bot.web.receiver import BODY_LIMIT, SMALL, is_object
from tests.unit.receiver_calls import BODY, NOW, HeardQueue, House, post, sha256, sign


def test_a_delivery_is_stored_as_it_came() -> None:
    house = House()
    answer = house.one()
    assert (answer.status, answer.body) == (202, {"status": "stored"})
    assert house.inbox.batches == [[Delivery("d1", "issues", BODY, sha256(BODY), NOW)]]
    assert house.queue.heard == [(Nudge.ROUTE, "d1")]
    assert house.inbox.closed


def test_the_answer_waits_for_the_commit_and_what_came_meanwhile_shares_the_next() -> None:
    house = House()

    async def conversation() -> None:
        house.inbox.gate.clear()
        first = asyncio.create_task(_named(house, "first"))
        await asyncio.to_thread(house.inbox.entered.wait, 60)
        others = [asyncio.create_task(_named(house, f"other{number}")) for number in range(5)]
        # Turns of the loop, not time: every request has long handed its delivery over.
        for _ in range(50):
            await asyncio.sleep(0)
        assert not first.done()
        assert not any(task.done() for task in others)
        assert house.inbox.batches == []
        house.inbox.gate.set()
        assert [await task for task in (first, *others)] == [202] * 6

    house.asking(conversation)
    assert [len(batch) for batch in house.inbox.batches] == [1, 5]


async def _named(house: House, name: str) -> int:
    answer = await post(house.receiver, headers={"x-github-delivery": name})
    assert answer is not None
    return answer.status


def test_a_known_delivery_is_acknowledged_and_not_repeated() -> None:
    house = House()

    async def conversation() -> list[Any]:
        return [await post(house.receiver) for _ in range(3)]

    answers = house.asking(conversation)
    assert [(answer.status, answer.body["status"]) for answer in answers] == [
        (202, "stored"),
        (202, "known"),
        (202, "known"),
    ]
    assert house.queue.heard == [(Nudge.ROUTE, "d1")]


@pytest.mark.parametrize("error", [StorageBusy("The database was busy."), RuntimeError("a bug")])
def test_what_was_not_stored_is_not_acknowledged_and_the_next_one_is_tried(error: Exception) -> None:
    house = House()
    house.inbox.errors = [error]

    async def conversation() -> list[Any]:
        return [await post(house.receiver), await post(house.receiver)]

    refused, stored = house.asking(conversation)
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert "not acknowledged" in refused.body["error"]
    assert stored.status == 202
    assert house.queue.heard == [(Nudge.ROUTE, "d1")]


def test_a_full_line_refuses_instead_of_answering_late() -> None:
    house = House(capacity=2)

    async def conversation() -> None:
        house.inbox.gate.clear()
        taken = [asyncio.create_task(_named(house, name)) for name in ("a", "b")]
        for _ in range(20):
            await asyncio.sleep(0)
        assert await _named(house, "c") == 503
        house.inbox.gate.set()
        assert [await task for task in taken] == [202, 202]
        assert await _named(house, "c") == 202

    house.asking(conversation)
    assert house.inbox.ids == ["a", "b", "c"]


def test_nothing_is_taken_before_the_start_or_after_the_end() -> None:
    house = House()
    assert asyncio.run(_named(house, "early")) == 503
    assert house.one().status == 202
    assert asyncio.run(_named(house, "late")) == 503
    assert house.inbox.ids == ["d1"]


def test_what_has_gathered_is_stored_at_the_end() -> None:
    house = House()
    seen: list[asyncio.Future[bool]] = []

    async def conversation() -> None:
        answer = house.commit.put(Delivery("d9", "issues", BODY, sha256(BODY), NOW))
        assert answer is not None
        seen.append(answer)

    house.asking(conversation)
    assert house.inbox.ids == ["d9"]
    assert house.queue.heard == [(Nudge.ROUTE, "d9")]


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        ({"content-type": "application/x-www-form-urlencoded"}, 415, "application/json"),
        ({"content-type": None}, 415, "application/json"),
        ({"content-type": "application/jsonp"}, 415, "application/json"),
        ({"x-github-event": None}, 400, "X-GitHub-Event"),
        ({"x-github-event": "a b"}, 400, "X-GitHub-Event"),
        ({"x-github-delivery": None}, 400, "X-GitHub-Delivery"),
        ({"x-github-delivery": ""}, 400, "X-GitHub-Delivery"),
        ({"x-github-delivery": "x" * 65}, 400, "X-GitHub-Delivery"),
        ({"content-length": str(BODY_LIMIT + 1)}, 413, str(BODY_LIMIT)),
        ({"content-length": "-1"}, 413, str(BODY_LIMIT)),
    ],
)
def test_a_wrong_request_is_refused_unread_with_one_sentence(
    headers: dict[str, str | bytes | None], status: int, words: str
) -> None:
    house, reads = House(), list[int]()
    answer = house.asking(lambda: post(house.receiver, headers=headers, reads=reads))
    assert answer is not None
    assert answer.status == status
    assert words in answer.body["error"]
    assert (reads, house.inbox.batches, house.queue.heard) == ([], [], [])


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS"])
def test_only_post_is_a_delivery(method: str) -> None:
    answer = House().one(method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
def test_the_content_type_may_have_parameters(kind: str) -> None:
    assert House().one(headers={"content-type": kind}).status == 202


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"1", b"null", b'"{}"', b"{}{}", b"\xff\xfe", b"[" * 200_000, b'{"a":' * 200_000, b"1" * 9000],
)
def test_a_signed_body_that_is_no_object_is_refused(body: bytes) -> None:
    house = House()
    answer = house.one(body)
    assert (answer.status, house.inbox.batches) == (400, [])
    assert "not a JSON object" in answer.body["error"]


@pytest.mark.parametrize(
    "body", [b"{}", b' {"a": NaN} ', b'{"a": "\\ud800"}', b'{"a": 1' + b"0" * 4000 + b"}", b'{"a":1,"a":2}']
)
def test_what_the_payload_reader_can_read_is_not_lost_at_the_door(body: bytes) -> None:
    assert isinstance(json.loads(body), dict)
    assert is_object(body)


def test_a_body_may_come_in_pieces_and_reach_the_limit_to_the_byte() -> None:
    house = House()
    whole = b'{"a": "' + b"x" * (BODY_LIMIT - 9) + b'"}'
    assert len(whole) == BODY_LIMIT
    assert house.one(whole[:100], whole[100:SMALL], whole[SMALL:]).status == 202
    (batch,) = house.inbox.batches
    assert batch[0].body == whole
    assert batch[0].body_sha256 == sha256(whole)


def test_a_body_over_the_limit_is_refused_while_it_comes() -> None:
    house, reads = House(), list[int]()
    piece = b"x" * (BODY_LIMIT // 2)
    answer = house.asking(lambda: post(house.receiver, piece, piece, b"xx", b"never read", reads=reads))
    assert answer is not None
    assert answer.status == 413
    assert sum(reads) == BODY_LIMIT + 2
    assert House().one(b"x" * (BODY_LIMIT + 1)).status == 413


def test_bodies_of_a_crowd_do_not_fill_the_memory() -> None:
    house = House(options={"held_limit": 1000})

    async def conversation() -> None:
        hold = asyncio.Event()

        async def later() -> dict[str, Any]:
            await hold.wait()
            return {"type": "http.request", "body": b"", "more_body": False}

        whole = b'{"a": "' + b"x" * 891 + b'"}'
        first = asyncio.create_task(post(house.receiver, whole, then=later))
        for _ in range(5):
            await asyncio.sleep(0)
        crowded = await post(house.receiver, b'{"a": "', b"x" * 200, b'"}', headers={"x-github-delivery": "d2"})
        assert crowded is not None
        assert crowded.status == 503
        small = await post(house.receiver, b'{"a": "' + b"x" * 200 + b'"}', headers={"x-github-delivery": "d3"})
        assert small is not None
        assert small.status == 503
        hold.set()
        answer = await first
        assert answer is not None
        assert answer.status == 202
        assert await _named(house, "d4") == 202

    house.asking(conversation)
    assert house.receiver._held == 0


def test_a_sender_that_leaves_or_dawdles_leaves_nothing_behind() -> None:
    house = House(options={"read_s": 0.001})

    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def never() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def conversation() -> list[Any]:
        return [await post(house.receiver, BODY, then=gone), await post(house.receiver, BODY, then=never)]

    left, dawdled = house.asking(conversation)
    assert left is None
    assert (dawdled.status, dawdled.headers["connection"]) == (408, "close")
    assert (house.inbox.batches, house.receiver._held) == ([], 0)


def test_a_sender_that_leaves_during_the_commit_takes_nobody_along() -> None:
    house = House()

    async def conversation() -> None:
        house.inbox.gate.clear()
        leaving = asyncio.create_task(_named(house, "leaving"))
        staying = asyncio.create_task(_named(house, "staying"))
        for _ in range(20):
            await asyncio.sleep(0)
        leaving.cancel()
        house.inbox.gate.set()
        assert await staying == 202

    house.asking(conversation)
    assert house.inbox.ids == ["leaving", "staying"]


def test_a_storm_is_left_to_the_sweeper() -> None:
    queue, time = HeardQueue(), [100.0]
    waker = Waker(queue, at_once=3, per_second=2, now=lambda: time[0])
    waker.wake([f"a{number}" for number in range(5)])
    waker.wake(["b0"])
    time[0] += 1.0
    waker.wake(["c0", "c1", "c2"])
    time[0] += 60.0
    waker.wake(["d0", "d1", "d2", "d3"])
    assert [subject for _, subject in queue.heard] == ["a0", "a1", "a2", "c0", "c1", "d0", "d1", "d2"]


def test_a_broken_broker_costs_no_acknowledgement() -> None:
    house = House()
    house.queue.errors = [OSError("no broker")]

    async def conversation() -> list[int]:
        return [await _named(house, "d1"), await _named(house, "d2")]

    assert house.asking(conversation) == [202, 202]
    assert house.queue.heard == [(Nudge.ROUTE, "d2")]


def test_the_signature_is_over_the_raw_bytes() -> None:
    spaced = b'{ "action" :  "labeled" }\n'
    assert House().one(spaced).status == 202
    assert House().one(spaced, headers={"x-hub-signature-256": sign(BODY)}).status == 401
