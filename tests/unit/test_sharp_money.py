"""Money at its edges: which rate a reservation takes, what an error names, the last digit of a sum."""

from __future__ import annotations

import pytest

from bot.domain.errors import SettingsError
from bot.domain.money import LongPrompt, Price, Prices, dollars, parse_prices, shipped_prices

BASE = {"input": 1_000_000, "output": 1_000_000, "cache_write": 2_000_000, "cache_read": 3_000_000}
LONG = LongPrompt(above=10, input=40_000_000, output=1_000_000, cache_write=30_000_000, cache_read=20_000_000)
PRICES = Prices("2026-01-01", "a test", {"m": Price.model_validate(BASE | {"long_prompt": LONG})})


def test_a_reservation_takes_the_dearest_rate_of_the_step_it_can_reach() -> None:
    assert PRICES.worst_case("m", 10, 1) == 31, "ten tokens are not above ten: every one may be a read from the cache"
    assert PRICES.worst_case("m", 11, 1) == 441, "eleven are: every one may be fresh"


@pytest.mark.parametrize("dearest", ["input", "cache_write", "cache_read"])
def test_any_of_the_rates_may_be_the_dearest(dearest: str) -> None:
    prices = Prices("2026-01-01", "a test", {"m": Price.model_validate(BASE | {dearest: 9_000_000})})
    assert prices.worst_case("m", 2, 0) == 18


def test_an_override_keeps_the_date_and_the_source() -> None:
    shipped = shipped_prices()
    changed = shipped.override({"m": BASE})
    assert (changed.as_of, changed.source) == (shipped.as_of, shipped.source)
    assert changed.models == {**shipped.models, "m": Price.model_validate(BASE)}


def test_a_wrong_override_is_named_in_fields() -> None:
    with pytest.raises(SettingsError) as caught:
        shipped_prices().override({"m": BASE | {"long_prompt": {"above": 0}}})
    assert caught.value.fields == {"model": "m", "field": "long_prompt.input"}
    with pytest.raises(SettingsError) as caught:
        shipped_prices().override({"m": "cheap"})
    assert caught.value.fields == {"model": "m", "field": "value"}


def test_a_wrong_list_is_named_in_fields() -> None:
    with pytest.raises(SettingsError, match=r"wrong at models\.m\.input: ") as caught:
        parse_prices('{"as_of": "2026-01-01", "source": "x", "models": {"m": {}}}')
    assert caught.value.fields == {"field": "models.m.input"}
    with pytest.raises(SettingsError, match="wrong at its start: ") as caught:
        parse_prices("")
    assert caught.value.fields == {"field": "its start"}


def test_a_list_keeps_its_date_and_source() -> None:
    prices = parse_prices('{"as_of": "2026-01-01", "source": "x", "models": {}}')
    assert (prices.as_of, prices.source) == ("2026-01-01", "x")


@pytest.mark.parametrize(("micro", "text"), [(999_900, "$0.9999"), (999_901, "$1.0000"), (-999_900, "-$0.9999")])
def test_the_last_digit_is_right(micro: int, text: str) -> None:
    assert dollars(micro) == text
