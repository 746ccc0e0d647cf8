"""Ids stand before hashes and words in what is sent and logged, and that is redacted: no id may look like a secret's name."""

from __future__ import annotations

import hashlib

from bot.adapters.system_clock import SystemChance
from bot.domain.ids import LENGTH, LETTERS, short_id
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


def test_an_id_is_its_seed_in_digits() -> None:
    """The lowest first: 158 = 2 + 6 * 26 is written `dj`; what 56 bits do not hold is left out."""
    for seed, name in ((b"\x00" * 8, "b" * LENGTH), (b"\x00" * 7 + b"\x9e", "dj" + "b" * 10)):
        assert short_id(seed) == name
    seed = bytes(range(200, 232))
    known = sum(LETTERS.index(letter) * len(LETTERS) ** place for place, letter in enumerate(short_id(seed)))
    assert known == int.from_bytes(seed) % len(LETTERS) ** LENGTH
