"""Other uses of what was found: what a hostile text makes them cost."""

from __future__ import annotations

from typing import Any

import pytest

from bot.redaction import repeats as module
from bot.redaction.repeats import repeats


def _asked(monkeypatch: pytest.MonkeyPatch, text: str, values: list[str]) -> list[str]:
    """The values of the uses that were looked at, and how long they were."""
    asked: list[str] = []

    def is_use(_text: str, _start: int, _end: int, value: str, **_more: Any) -> bool:
        asked.append(value)
        return False

    monkeypatch.setattr(module, "_is_use", is_use)
    assert list(repeats(text, text.encode(), values)) == []
    return asked


def test_values_that_hold_each_other_are_looked_for_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "x7" * 10_000
    asked = _asked(monkeypatch, text, ["x7" * count for count in range(3, 100)])
    assert asked
    assert len("".join(asked)) <= len(text)


def test_a_whole_key_is_not_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    key = "x7" * 129
    assert _asked(monkeypatch, key * 3, [key]) == []
    assert _asked(monkeypatch, key[2:], [key[2:]]) == [key[2:]]


@pytest.mark.parametrize("value", ["Zk3hd9Qpw71mTx0v", "mellon-2931"])
def test_a_value_in_quotes_is_found_beside_longer_ones(value: str) -> None:
    text = f"check('{value}')\n"
    found = list(repeats(text, text.encode(), [f"{value}-and-more", value, f"a-{value}"]))
    assert found == [(7, 7 + len(value), value)]
