"""Rates and their intervals, what a citation is about, and what a tally leaves out."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.simulator.calibration.figures import Z95, Judged, Raised, Rate, figures, rate, touches, wilson
from bot.simulator.calibration.syntax import Defect

SEATS = ("code_reviewer.1", "code_reviewer.2")


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    # Newcombe 1998 (Statistics in Medicine 17: 857-872), table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_is_the_published_one(hits: int, trials: int, low: float, high: float) -> None:
    assert list(wilson(hits, trials)) == pytest.approx([low, high], abs=5e-5)


@given(st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_rate_and_ends_where_the_score_test_does(case: tuple[int, int]) -> None:
    hits, trials = case
    low, high = wilson(hits, trials)
    share = hits / trials
    assert 0 <= low <= share <= high <= 1
    for bound in (low, high):
        if 0 < bound < 1:
            assert abs(share - bound) / math.sqrt(bound * (1 - bound) / trials) == pytest.approx(Z95, rel=1e-6)
    # What misses in one is what hits in the other.
    assert list(wilson(trials - hits, trials)) == pytest.approx([1 - high, 1 - low], abs=1e-12)


@pytest.mark.parametrize("case", [(1, 0), (-1, 5), (6, 5), (0, 0)])
def test_what_is_no_rate_has_no_interval(case: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="is no rate"):
        wilson(*case)


def test_nothing_is_known_without_trials() -> None:
    found = Rate(0, 0)
    assert (found.value, found.low, found.high) == (None, None, None)


@pytest.mark.parametrize(
    ("cited", "quoted", "seeded", "answer"),
    [
        ((3, 3), [], (3, 3), True),
        ((1, 2), [], (3, 3), False),
        ((4, 9), [], (3, 3), False),
        ((1, 20), [], (20, 22), True),
        # A whole file is cited: where the quote stands counts.
        ((1, 21), [(5, 5)], (20, 22), False),
        ((1, 500), [(5, 5), (21, 21)], (20, 22), True),
        ((1, 500), [], (20, 22), False),
    ],
)
def test_a_citation_is_about_the_lines_that_it_names(
    cited: tuple[int, int], quoted: list[tuple[int, int]], seeded: tuple[int, int], answer: bool
) -> None:
    assert touches(cited, lambda: quoted, seeded) is answer


def raised(seat: str, *, touching: bool = False, category: str = "correctness") -> Raised:
    return Raised("F1", (seat,), "major", category, "title", (("a.py", 1, 1),), touching)


def judged(defect: Defect | None, *findings: Raised, problem: str = "") -> Judged:
    return Judged(1, "c" * 40, defect, "a.py", (1, 1), "", "", findings, problem, 5)


def test_a_tally_tells_by_defect_seat_and_category() -> None:
    results = [
        judged(Defect.OFF_BY_ONE, raised(SEATS[0], touching=True)),
        judged(Defect.OFF_BY_ONE, raised(SEATS[1])),
        judged(Defect.DELETED_TEST, raised(SEATS[0], touching=True), raised(SEATS[1], touching=True)),
        judged(Defect.REMOVED_AWAIT, problem="refused"),
        judged(None),
        judged(None, raised(SEATS[1], category="tests"), raised(SEATS[1], category="scope")),
        judged(None, problem="no submission"),
    ]
    found = figures(results, SEATS)
    assert found.catch == Rate(2, 3)
    assert dict(found.catch_by_defect) == {
        "off-by-one": Rate(1, 2),
        "removed-await": Rate(0, 0),
        "deleted-test": Rate(1, 1),
    }
    assert dict(found.catch_by_seat) == {SEATS[0]: Rate(2, 3), SEATS[1]: Rate(1, 3)}
    assert (found.alarm, found.false_findings, found.not_reviewed) == (Rate(1, 2), 2, 2)
    assert dict(found.alarm_by_category) == {"scope": Rate(1, 2), "tests": Rate(1, 2)}
    assert dict(found.alarm_by_seat) == {SEATS[0]: Rate(0, 2), SEATS[1]: Rate(1, 2)}


def test_a_diff_without_a_counting_review_is_in_no_rate() -> None:
    assert rate([judged(None, raised(SEATS[0]), problem="x")], lambda one: bool(one.findings)) == Rate(0, 0)
