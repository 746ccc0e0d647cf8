"""Whoever does not hold the webhook secret gets nothing stored, and no more than one sentence."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest

from bot.domain.errors import SettingsError
from bot.web import receiver as module
from bot.web.receiver import Receiver
from tests.unit.receiver_calls import BODY, FixedClock, House, post, sign

GOOD = sign(BODY)
EMPTY_KEY = "sha256=" + hmac.new(b"", BODY, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("secret", ["", " ", "\n"])
def test_no_secret_no_start(secret: str) -> None:
    with pytest.raises(SettingsError, match="CONDUCTOR_WEBHOOK_SECRET"):
        Receiver(secret, House().commit, FixedClock())


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        sign(BODY, "another secret"),
        sign(BODY, "a webhook secret\n"),
        sign(b"another body"),
        sign(BODY, algorithm="sha1"),
        EMPTY_KEY,
        "sha256=" + hashlib.sha256(BODY).hexdigest(),
        GOOD.removeprefix("sha256="),
        GOOD.upper(),
        GOOD.replace("sha256", "SHA256"),
        GOOD.replace("sha256", "sha512"),
        "sha256=" + GOOD[7:].upper(),
        GOOD[:-1],
        GOOD + "0",
        GOOD + "\n",
        " " + GOOD,
        f"{GOOD},{GOOD}",
        "sha256=" + "0" * 64,
        "sha256=" + "\u00b2" * 64,
        b"sha256=" + b"\xff" * 64,
        b"sha256=" + b"\x00" * 64,
        b"\xff\xfe",
    ],
)
def test_an_unsigned_or_wrongly_signed_delivery_is_refused(signature: str | bytes | None) -> None:
    house = House()
    answer = house.one(headers={"x-hub-signature-256": signature})
    assert answer.status == 401
    assert answer.body.keys() == {"error"}
    assert (house.inbox.batches, house.queue.heard) == ([], [])


@pytest.mark.parametrize("signature", [None, "sha256=short", b"sha256=" + b"\xff" * 64])
def test_an_unsigned_body_is_not_even_read(signature: str | bytes | None) -> None:
    house, reads = House(), list[int]()
    answer = house.asking(lambda: post(house.receiver, headers={"x-hub-signature-256": signature}, reads=reads))
    assert answer is not None
    assert (answer.status, reads) == (401, [])


def test_the_old_header_alone_is_no_signature() -> None:
    answer = House().one(headers={"x-hub-signature-256": None, "x-hub-signature": sign(BODY, algorithm="sha1")})
    assert answer.status == 401


def test_a_forged_body_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    def parsed(_: bytes) -> bool:
        raise AssertionError("a parser saw bytes that nobody vouches for")

    monkeypatch.setattr(module, "is_object", parsed)
    assert House().one(b"{", headers={"x-hub-signature-256": sign(BODY)}).status == 401


def test_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[Any, Any]] = []
    real = hmac.compare_digest

    def watched(left: Any, right: Any) -> bool:
        compared.append((left, right))
        return real(left, right)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    forged = "sha256=" + GOOD[7:-1] + ("0" if GOOD[-1] != "0" else "1")
    assert House().one(headers={"x-hub-signature-256": forged}).status == 401
    assert compared == [(forged[7:].encode(), GOOD[7:].encode())]


@pytest.mark.parametrize("value", ["a/../b", "a b", "a%00", "d1\n", "d\u00e9", "';--", b"d\x00", b"\xff"])
def test_an_id_that_is_no_guid_reaches_no_database(value: str | bytes) -> None:
    house = House()
    assert house.one(headers={"x-github-delivery": value}).status == 400
    assert house.one(headers={"x-github-event": value}).status == 400
    assert house.inbox.batches == []


def test_answers_hold_nothing_of_the_request_or_the_secret() -> None:
    house = House()
    for headers in ({"x-hub-signature-256": None}, {"x-github-event": "<script>"}, {"content-type": "<script>"}):
        text = str(house.one(headers=dict(headers)))
        assert "<script>" not in text
        assert "a webhook secret" not in text
        assert GOOD not in text
