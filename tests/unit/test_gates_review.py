"""The review gate and the proof of coverage: no approval counts that was not earned."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.facts import Delivered, ReviewRound, SeatReview
from bot.domain.plan import Plan
from bot.domain.work import FileDiff
from bot.gates.coverage import uncovered, uncovered_citations
from bot.gates.review_gate import REVIEW_GATE

SHA = "a" * 64
SEATS = ("code_reviewer.1", "code_reviewer.2")


def seat(number: int, **changes: Any) -> SeatReview:
    plain = {"seat": SEATS[number - 1], "subject_sha256": SHA, "verdict": "approve"}
    return SeatReview.model_validate(plain | changes)


def facts(*reviews: SeatReview, **changes: Any) -> ReviewRound:
    return ReviewRound.model_validate({"subject_sha256": SHA, "seats": SEATS, "reviews": reviews} | changes)


def test_two_earned_approvals_open_it() -> None:
    result = REVIEW_GATE.evaluate(facts(seat(1), seat(2)))
    assert result.is_open, result.closed_by
    assert result.gate == "review"


@pytest.mark.parametrize(
    ("round_", "says"),
    [
        (facts(), "no counting review"),
        (facts(seat(1)), "code_reviewer.2 has no counting review"),
        (facts(seat(1), seat(1)), "2 reviews in one round"),
        (facts(seat(1), seat(2), seat(1, seat="planner")), "planner has no seat"),
        (facts(seat(1), seat(2, subject_sha256="b" * 64)), "judged bbbbbbbb"),
        (facts(seat(1, verdict="changes_requested"), seat(2)), "asks for changes"),
        (facts(seat(1, leaves_open=("F3",)), seat(2)), "leaves F3 open"),
        (facts(seat(1, uncovered=("a.py lines 1-9 (head)",)), seat(2)), "did not open a.py"),
        (facts(seat(1), seat(2), open_findings=("F1", "F2")), "F1, F2 open"),
        (facts(seat(1), seats=SEATS[:1]), "1 seats review, 2 are required"),
        (facts(seat(1), seat(2), seats=(SEATS[0], SEATS[0])), "listed 2 times"),
        (facts(seat(1), seat(2), required=3), "3 are required"),
        (facts(seats=(), required=0), "1 are required"),
        (facts(seat(1, subject_sha256=""), seat(2, subject_sha256=""), subject_sha256=""), "nothing is under review"),
    ],
)
def test_anything_less_keeps_it_closed(round_: ReviewRound, says: str) -> None:
    result = REVIEW_GATE.evaluate(round_)
    assert not result.is_open
    assert any(says in sentence for sentence in result.closed_by), result.closed_by


def test_one_seat_where_one_is_required() -> None:
    assert REVIEW_GATE.evaluate(facts(seat(1), seats=SEATS[:1], required=1)).is_open


@given(
    st.lists(
        st.builds(
            seat,
            st.sampled_from([1, 2]),
            verdict=st.sampled_from(["approve", "changes_requested"]),
            subject_sha256=st.sampled_from([SHA, "b" * 64]),
            leaves_open=st.sampled_from([(), ("F1",)]),
            uncovered=st.sampled_from([(), ("a",)]),
        ),
        max_size=3,
    ),
    st.sampled_from([(), ("F1",)]),
)
def test_it_opens_for_nothing_but_two_clean_approvals(reviews: list[SeatReview], still_open: tuple[str, ...]) -> None:
    clean = sorted(reviews, key=lambda one: one.seat) == [seat(1), seat(2)] and not still_open
    assert REVIEW_GATE.evaluate(facts(*reviews, open_findings=still_open)).is_open is clean


def diff(path: str, *hunks: tuple[int, int, int, int], **changes: Any) -> FileDiff:
    names = ("base_start", "base_count", "head_start", "head_count")
    plain = {"path": path, "kind": "modified", "old_mode": None, "new_mode": None, "old_blob": None, "new_blob": None}
    return FileDiff.model_validate(plain | {"hunks": [dict(zip(names, one, strict=True)) for one in hunks]} | changes)


def lines(side: str, start: int, end: int, path: str = "a.py") -> Delivered:
    return Delivered.model_validate({"side": side, "path": path, "start_line": start, "end_line": end})


CHANGED = diff("a.py", (3, 2, 3, 4), (20, 0, 22, 1))


@pytest.mark.parametrize(
    ("delivered", "left"),
    [
        ([lines("base", 1, 9), lines("head", 1, 30)], ()),
        ([lines("base", 3, 4), lines("head", 3, 6), lines("head", 22, 22)], ()),
        ([lines("base", 3, 3), lines("base", 4, 4), lines("head", 5, 22), lines("head", 1, 4)], ()),
        ([lines("head", 1, 30)], ("a.py lines 3-4 (base)",)),
        ([lines("base", 1, 30)], ("a.py lines 3-6 (head)", "a.py line 22 (head)")),
        (
            [lines("base", 1, 30), lines("head", 4, 5), lines("head", 22, 40)],
            ("a.py line 3 (head)", "a.py line 6 (head)"),
        ),
        ([lines("base", 1, 30), lines("head", 1, 30, "b.py")], ("a.py lines 3-6 (head)", "a.py line 22 (head)")),
        ([lines("base", 9, 1), lines("head", 1, 30)], ("a.py lines 3-4 (base)",)),
        ([lines("base", 1, 3), lines("base", 7, 9), lines("head", 1, 30)], ("a.py line 4 (base)",)),
        ([], ("a.py lines 3-4 (base)", "a.py lines 3-6 (head)", "a.py line 22 (head)")),
    ],
)
def test_every_hunk_is_opened_on_its_side(delivered: list[Delivered], left: tuple[str, ...]) -> None:
    assert uncovered([CHANGED], delivered) == left


def test_added_deleted_binary_and_empty_files() -> None:
    added, deleted = diff("n.py", (0, 0, 1, 5), kind="added"), diff("o.py", (1, 7, 0, 0), kind="deleted")
    assert uncovered([added, deleted], []) == ("n.py lines 1-5 (head)", "o.py lines 1-7 (base)")
    assert uncovered([added, deleted], [lines("head", 1, 5, "n.py"), lines("base", 1, 7, "o.py")]) == ()
    assert uncovered([diff("i.png", (1, 1, 1, 1), binary=True), diff("empty.py", kind="added")], []) == ()


def test_a_plans_citations_are_opened() -> None:
    cited = [{"path": "a.py", "start_line": 2, "end_line": 5, "quote": "something long"}] * 2
    plan = Plan.model_validate({"summary": "s", "grounds": cited})
    assert uncovered_citations(plan, []) == ("a.py lines 2-5 (base)",)
    assert uncovered_citations(plan, [lines("base", 1, 4)]) == ("a.py line 5 (base)",)
    assert uncovered_citations(plan, [lines("head", 1, 3), lines("base", 4, 9)]) == ()


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(0, 6)), max_size=8),
    st.integers(1, 30),
    st.integers(0, 10),
)
def test_coverage_agrees_with_counting_lines(given_lines: list[tuple[int, int]], start: int, count: int) -> None:
    delivered = [lines("head", first, first + more - 1) for first, more in given_lines]
    seen = {line for first, more in given_lines for line in range(first, first + more)}
    missing = set(range(start, start + count)) - seen
    assert bool(uncovered([diff("a.py", (1, 0, start, count))], delivered)) is bool(missing)
