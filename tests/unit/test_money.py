"""Money: whole micro-dollars, rounded up, and no price means no call (I12)."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import SettingsError
from bot.domain.money import Price, Prices, UnknownPrice, Usage, dollars, micro_dollars, parse_prices, shipped_prices

tokens = st.integers(0, 2_000_000)
usages = st.builds(Usage, tokens, tokens, tokens, tokens)


def test_the_shipped_list_is_dated_and_sourced() -> None:
    prices = shipped_prices()
    assert prices.as_of[:2] == "20"
    assert "platform.claude.com" in prices.source
    assert [name for name, price in prices.models.items() if price.simulation] == ["scripted-model-1"]
    for name, price in prices.models.items():
        assert price.cache_read < price.input < price.cache_write < price.output, name


def test_a_call_costs_what_the_list_says() -> None:
    prices = shipped_prices()
    assert prices.cost("claude-opus-5-5", Usage(1_000_000, 1_000_000, 1_000_000, 1_000_000)) == 29_200_000
    assert prices.cost("claude-haiku-5-5", Usage(100_000, 1_000)) == 10_500
    assert prices.cost("claude-haiku-5-5", Usage(99_999, 1_000, 1, 1)) == 52_501


def test_a_sum_is_rounded_up_once() -> None:
    assert shipped_prices().cost("claude-haiku-4-5", Usage(0, 0, 0, 1)) == 1
    assert shipped_prices().cost("claude-haiku-4-5", Usage(0, 0)) == 0


@pytest.mark.parametrize(
    "model", ["", "claude-fable-5-2", "claude-opus-5-5-20990101", "CLAUDE-OPUS-5", "claude-opus-5 "]
)
def test_no_price_is_an_error(model: str) -> None:
    with pytest.raises(UnknownPrice, match="has no known price") as caught:
        shipped_prices().cost(model, Usage(1, 1))
    assert pickle.loads(pickle.dumps(caught.value)).fields["model"] == model
    with pytest.raises(UnknownPrice):
        shipped_prices().worst_case(model, 1, 1)


@given(usages, st.sampled_from(sorted(shipped_prices().models)))
def test_no_call_costs_more_than_its_reservation(usage: Usage, model: str) -> None:
    prices = shipped_prices()
    assert prices.cost(model, usage) <= prices.worst_case(model, usage.prompt, usage.output)
    assert prices.cost(model, usage) <= prices.worst_case(model, usage.prompt + 1, usage.output + 1)


@given(usages, usages)
def test_usage_adds_up(one: Usage, two: Usage) -> None:
    assert (one + two).prompt == one.prompt + two.prompt


def test_negative_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="cache_read cannot be -1"):
        Usage(0, 0, 0, -1)
    with pytest.raises(ValueError, match="cannot be negative"):
        shipped_prices().worst_case("claude-opus-5", -1, 0)


def test_prices_can_be_overridden() -> None:
    rates = {"input": 1_000_000, "output": 2_000_000, "cache_write": 1_250_000, "cache_read": 100_000}
    prices = shipped_prices().override({"own/model:1": rates, "claude-opus-5": rates})
    assert prices.cost("own/model:1", Usage(10, 10)) == 30
    assert prices.of("claude-opus-5") == Price(**rates)
    assert shipped_prices().of("claude-opus-5").input == 5_000_000


@pytest.mark.parametrize(
    ("model", "value", "field"),
    [
        ("m", {}, "input"),
        ("m", {"input": -1, "output": 1, "cache_write": 1, "cache_read": 1}, "input"),
        ("m", {"input": 1.5, "output": 1, "cache_write": 1, "cache_read": 1}, "input"),
        ("m", {"input": 1, "output": 1, "cache_write": 1, "cache_read": 1, "batch": 1}, "batch"),
        ("m", "cheap", "value"),
        ("", {}, "names no model"),
    ],
)
def test_a_wrong_override_is_named(model: str, value: object, field: str) -> None:
    with pytest.raises(SettingsError, match=field):
        shipped_prices().override({model: value})


@pytest.mark.parametrize(
    "text",
    ["", "{}", '{"as_of": "soon", "source": "x", "models": {}}', '{"as_of": "2026-01-01", "source": "", "models": {}}'],
)
def test_a_wrong_list_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="price list is wrong"):
        parse_prices(text)


def test_an_empty_list_prices_nothing() -> None:
    prices = parse_prices('{"as_of": "2026-01-01", "source": "x", "models": {}}')
    assert isinstance(prices, Prices)
    with pytest.raises(UnknownPrice):
        prices.of("claude-opus-5")


@pytest.mark.parametrize(
    ("micro", "text"),
    [(0, "$0.0000"), (1, "$0.0001"), (123_456, "$0.1235"), (1_000_000, "$1.00"), (1_234_567_890, "$1,234.57"), (10_000_001, "$10.01"), (-5_000_000, "-$5.00")],
)  # fmt: skip
def test_dollars_as_people_read_them(micro: int, text: str) -> None:
    assert dollars(micro) == text


def test_dollars_as_people_write_them() -> None:
    assert (micro_dollars(10), micro_dollars(0.1), micro_dollars(0)) == (10_000_000, 100_000, 0)
