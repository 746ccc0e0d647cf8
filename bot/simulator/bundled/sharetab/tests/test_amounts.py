from __future__ import annotations

import pytest

from sharetab import AmountError, format_amount, parse_amount


@pytest.mark.parametrize(
    ("text", "cents"), [("12", 1200), ("12.50", 1250), ("0.05", 5), ("-3.00", -300), (" 7.25 ", 725)]
)
def test_an_amount_is_read_in_cents(text: str, cents: int) -> None:
    assert parse_amount(text) == cents


@pytest.mark.parametrize("text", ["", "1,50", "12.345", "twelve", "1e3", "--1"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(AmountError, match="is not an amount"):
        parse_amount(text)


@pytest.mark.parametrize(("cents", "text"), [(1250, "12.50"), (5, "0.05"), (-300, "-3.00"), (0, "0.00")])
def test_cents_are_written_with_two_digits(cents: int, text: str) -> None:
    assert format_amount(cents) == text
