"""Ids stand before hashes and words in what is sent and logged, and that is redacted: no id may look like a secret's name."""

from __future__ import annotations

import hashlib

from bot.adapters.system_clock import SystemChance
from bot.domain.ids import LETTERS, short_id
from bot.redaction import Redactor
from bot.services.backups import run_name


def test_no_id_makes_a_secret_of_what_follows_it() -> None:
    redactor = Redactor()
    for number in range(3_000):
        drawn = hashlib.sha256(str(number).encode())
        name, subject = short_id(drawn.digest()), drawn.hexdigest()
        for text in (f"{name}:plan:{subject[:16]}:False", f"{name}:code:approved:{subject[:16]}", f"{name}={subject}"):
            assert redactor.redact(text).text == text


def test_a_delivery_that_comes_again_starts_the_same_run() -> None:
    names = {run_name(f"delivery-{number}") for number in range(3_000)}
    assert names == {run_name(f"delivery-{number}") for number in range(3_000)}
    assert len(names) == 3_000
    assert {len(name) for name in names} == {12}


def test_every_id_is_made_of_the_same_letters() -> None:
    chance = SystemChance()
    for name in (run_name("delivery"), *(chance.name() for _ in range(100))):
        assert set(name) <= set(LETTERS)
