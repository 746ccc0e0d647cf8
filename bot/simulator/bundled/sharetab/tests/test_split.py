from __future__ import annotations

import pytest

from sharetab import split_by_weight, split_evenly


def test_an_even_amount_is_split_in_equal_shares() -> None:
    assert split_evenly(900, 3) == [300, 300, 300]


def test_one_person_takes_it_all() -> None:
    assert split_evenly(1234, 1) == [1234]


def test_nobody_cannot_share() -> None:
    with pytest.raises(ValueError, match="at least one person"):
        split_evenly(100, 0)


def test_weights_decide_the_shares() -> None:
    assert split_by_weight(1000, [1, 1, 2]) == [250, 250, 500]


def test_weighted_shares_add_up() -> None:
    assert sum(split_by_weight(1000, [1, 1, 1])) == 1000


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1]])
def test_senseless_weights_are_refused(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="weights must be positive"):
        split_by_weight(100, weights)
