"""The ledger's law: what a round of reviews may do to findings, tried by honest and by hostile reviewers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.citation import Evidence
from bot.domain.ledger import (
    Ledger,
    LedgerFinding,
    ReviewedSubject,
    fingerprint,
    open_ids,
    piece_key,
    plain_evidence,
    quarrel,
    reviewed,
)
from bot.domain.ledger_round import admit, settle
from bot.domain.ledger_submissions import Admission, AdmissionRound, SeatSubmissions
from bot.domain.review import Category, Review, Severity
from bot.gates.evidence import Proofs

ONE, TWO = "code_reviewer.1", "code_reviewer.2"
SEATS = (ONE, TWO)
R1, R2, R3 = "1" * 64, "2" * 64, "3" * 64
FILES: dict[str, dict[str, list[str]]] = {
    R1: {
        "a.py": ["def total(items):", "    return items[0]", "", "def other_thing():", "    return 1"],
        "pay.py": ["amount = price * 100"],
    },
    R2: {
        "a.py": ["def total(items):", "    return sum(items)", "", "def other_thing():", "    return 1"],
        "pay.py": ["amount = price * 100"],
    },
    R3: {
        "a.py": ["def total(items):", "    return items[0]", "", "def other_thing():", "    return 2  # two"],
        "pay.py": ["amount = price * 100"],
    },
}
BAD = {"path": "a.py", "start_line": 2, "end_line": 2, "quote": "    return items[0]"}
OTHER = {"path": "a.py", "start_line": 4, "end_line": 4, "quote": "def other_thing():"}
HEAD = {"path": "a.py", "start_line": 1, "end_line": 1, "quote": "def total(items):"}
FIX = {"path": "a.py", "start_line": 2, "end_line": 2, "quote": "return sum(items)"}
GONE = {"path": "a.py", "start_line": 2, "end_line": 2, "quote": "return items[99]"}
MONEY = {"path": "pay.py", "start_line": 9, "end_line": 9, "quote": "rounding is lost here"}


def check_at(revision: str) -> Proofs:
    def lines(at: str) -> Any:
        return FILES[at].get

    earlier = {one: lines(one) for one in FILES if one < revision}
    return Proofs(lines(revision), earlier_lines=earlier)


def claim(*evidence: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    plain = {"title": "Only the first", "severity": "major", "category": "correctness", "claim": "Items are lost."}
    return plain | {"evidence": list(evidence)} | changes


def answer(name: str, status: str, *evidence: Mapping[str, Any]) -> dict[str, Any]:
    return {"finding": name, "status": status, "reason": f"{name} is {status}", "evidence": list(evidence)}


def review(*findings: Mapping[str, Any], says: Sequence[Mapping[str, Any]] = ()) -> Review:
    return Review.model_validate({"verdict": "approve", "findings": list(findings), "resolutions": list(says)})


def a_round(
    first: Review | None,
    second: Review | None = None,
    *,
    revision: str = R1,
    dropped: Sequence[Review] = (),
    **changes: Any,
) -> AdmissionRound:
    submissions = [SeatSubmissions(ONE, first, tuple(dropped))] if first else []
    submissions += [SeatSubmissions(TWO, second)] if second else []
    number = int(revision[0])
    return AdmissionRound("code", number, revision, tuple(submissions), SEATS, **changes)


def play(
    ledger: Ledger, first: Review | None, second: Review | None = None, *, revision: str = R1, **changes: Any
) -> Admission:
    return settle(ledger, a_round(first, second, revision=revision, **changes), check_at(revision))


def only(admission: Admission) -> LedgerFinding:
    (finding,) = admission.ledger.findings
    return finding


def raised(**changes: Any) -> Ledger:
    return play(Ledger(), review(claim(BAD, **changes)), review()).ledger


# Admission


def test_a_proven_finding_is_open_and_both_say_so() -> None:
    found = play(Ledger(), review(claim(BAD)), review())
    finding = only(found)
    assert (finding.id, finding.status, finding.raised_by, finding.revision) == ("F1", "open", (ONE,), R1)
    assert plain_evidence(finding) == (BAD,)
    assert found.leaves_open == {ONE: ("F1",), TWO: ()}
    assert [(e.from_status, e.to_status, e.who, e.compared) for e in found.events] == [("", "open", ONE, ("",))]
    assert found.ledger.events == found.events
    assert found.ledger.finding("F1") == finding
    assert found.ledger.finding("F2") is None


def test_an_unproven_finding_is_withdrawn_counted_and_blocks_nothing() -> None:
    found = play(Ledger(), review(claim(GONE)), review())
    finding = only(found)
    assert (finding.status, finding.reason, finding.is_unproven) == ("withdrawn", "unproven", True)
    assert open_ids(found.ledger) == ()
    assert found.leaves_open == {ONE: (), TWO: ()}
    assert "does not stand" in found.events[0].compared[0]


@pytest.mark.parametrize("evidence", [(), (BAD, GONE), (GONE, BAD)])
def test_every_piece_must_hold(evidence: tuple[Mapping[str, Any], ...]) -> None:
    assert only(play(Ledger(), review(claim(*evidence)))).is_unproven


def test_ids_go_by_reviewer_then_position_and_dropped_ones_last() -> None:
    found = play(
        Ledger(),
        review(claim(BAD), claim(GONE, title="b")),
        review(claim(OTHER, title="d")),
        dropped=[
            review(claim(GONE, title="c"), claim(HEAD, title="proven but dropped")),
            review(claim(GONE, title="b")),
        ],
    )
    assert [(f.id, f.title, f.status) for f in found.ledger.findings] == [
        ("F1", "Only the first", "open"),
        ("F2", "b", "withdrawn"),
        ("F3", "c", "withdrawn"),
        ("F4", "d", "open"),
    ]


def test_an_unproven_finding_of_two_reviewers_is_recorded_once() -> None:
    finding = only(play(Ledger(), review(claim(GONE), claim(GONE)), review(claim(GONE))))
    assert finding.raised_by == (ONE, TWO)


def test_equal_fingerprints_merge_and_the_graver_word_counts() -> None:
    found = play(
        Ledger(),
        review(claim(BAD, severity="minor", category="readability", claim="Ugly.")),
        review(claim(BAD, HEAD, severity="blocker", category="security", claim="Leaks.")),
    )
    finding = only(found)
    assert finding.raised_by == (ONE, TWO)
    assert (finding.severity, finding.category) == (Severity.BLOCKER, Category.SECURITY)
    assert finding.claim == "Ugly.\n\nLeaks."
    assert plain_evidence(finding) == (BAD, HEAD)
    assert found.leaves_open == {ONE: ("F1",), TWO: ("F1",)}


def test_a_defect_submitted_badly_does_not_swallow_the_same_one_proven() -> None:
    poison = BAD | {"start_line": 4, "end_line": 5}
    found = play(Ledger(), review(claim(poison)), review(claim(BAD)))
    assert [(f.id, f.status, f.raised_by) for f in found.ledger.findings] == [
        ("F1", "withdrawn", (ONE,)),
        ("F2", "open", (TWO,)),
    ]


def test_the_same_quote_in_another_place_or_spelling_has_the_same_fingerprint() -> None:
    moved = BAD | {"start_line": 40, "quote": "return  items[0]\n"}
    assert piece_key(BAD) == piece_key(moved)
    assert piece_key(BAD) != piece_key(BAD | {"path": "b.py"})
    assert piece_key(BAD | {"path": "b.py"}, {"b.py": "c.py", "c.py": "a.py"}) == piece_key(BAD)
    assert piece_key(BAD | {"path": "b.py"}, {"b.py": "a.py", "a.py": "b.py"}) == piece_key(BAD)
    assert fingerprint([BAD]) == piece_key(BAD)
    assert fingerprint([], ["a  B"]) == fingerprint([], ["A b"]) != fingerprint([], ["c"])


def test_a_plan_finding_needs_a_pointer() -> None:
    pointer = {"pointer": "/summary", "quote": "sum all"}
    check = Proofs(FILES[R1].get, document={"summary": "sum all items"})

    def run(*evidence: Mapping[str, Any]) -> str:
        round_ = a_round(review(claim(*evidence)), on_document=True)
        return settle(Ledger(), round_, check).ledger.findings[0].status

    assert run(BAD) == "withdrawn"
    assert run(pointer) == "open"
    assert run(pointer, BAD) == "open"
    assert run({"pointer": "/nothing", "quote": "sum all"}) == "withdrawn"


def test_concerns_about_money_need_no_proof_and_are_marked() -> None:
    found = play(Ledger(), review(claim(MONEY)), financial_risk=("pay.py",))
    finding = only(found)
    assert (finding.status, finding.concern, finding.reason) == ("open", True, "unproven concern about money")
    assert only(play(Ledger(), review(claim(MONEY, GONE)), financial_risk=("pay.py",))).is_unproven
    assert only(play(Ledger(), review(claim(MONEY)), financial_risk=("a.py",))).is_unproven


def test_a_concern_proven_later_is_no_mere_concern() -> None:
    ledger = play(Ledger(), review(claim(MONEY)), financial_risk=("pay.py",)).ledger
    real = {"path": "pay.py", "start_line": 1, "end_line": 1, "quote": MONEY["quote"]}
    FILES[R2]["pay.py"] = ["# rounding is lost here"]
    try:
        finding = only(play(ledger, review(claim(real)), revision=R2, financial_risk=("pay.py",)))
    finally:
        FILES[R2]["pay.py"] = ["amount = price * 100"]
    assert not finding.concern
    assert finding.revision == R2


# Fixed


def test_a_fix_needs_a_citation_on_changed_lines_by_the_seat_that_raised_it() -> None:
    found = play(raised(), review(says=[answer("F1", "fixed", FIX)]), review(), revision=R2)
    finding = only(found)
    assert (finding.status, finding.settled_by, finding.settled_at, finding.reason) == ("fixed", ONE, R2, "F1 is fixed")
    assert found.leaves_open == {ONE: (), TWO: ()}
    assert [(e.from_status, e.to_status, e.who) for e in found.events] == [("open", "fixed", ONE)]


@pytest.mark.parametrize(
    ("evidence", "says"),
    [
        ((), "no evidence"),
        ((OTHER,), "no quoted line of a.py:4-4 changed"),
        ((OTHER | {"start_line": 1, "end_line": 5},), "no quoted line of a.py:1-5 changed"),
        ((GONE,), "does not stand"),
        ((FIX, GONE), "does not stand"),
        (({"pointer": "/x", "quote": "x"},), "no"),
    ],
)
def test_a_fix_without_proof_changes_nothing_and_says_why(evidence: Sequence[Mapping[str, Any]], says: str) -> None:
    found = play(raised(), review(says=[answer("F1", "fixed", *evidence)]), review(), revision=R2)
    assert only(found).status == "open"
    assert found.events == ()
    assert says in found.notices[0].sentence
    assert found.leaves_open[ONE] == ("F1",)


def test_the_revision_at_which_it_was_raised_cannot_fix_it() -> None:
    found = play(raised(), review(says=[answer("F1", "fixed", HEAD)]), review())
    assert only(found).status == "open"
    assert "nothing changed" in found.notices[0].sentence


def test_another_seat_cannot_fix_what_it_did_not_raise() -> None:
    found = play(raised(), review(), review(says=[answer("F1", "fixed", FIX)]), revision=R2)
    assert only(found).status == "open"
    assert ONE in found.notices[0].sentence


def test_a_blocker_is_fixed_by_every_seat_only() -> None:
    ledger = raised(severity="blocker")
    fixed = review(says=[answer("F1", "fixed", FIX)])
    assert only(play(ledger, fixed, review(), revision=R2)).status == "open"
    assert only(play(ledger, fixed, None, revision=R2)).status == "open"
    assert only(play(ledger, fixed, review(says=[answer("F1", "fixed")]), revision=R2)).status == "open"
    both = only(play(ledger, fixed, fixed, revision=R2))
    assert (both.status, both.settled_by) == ("fixed", f"{ONE}, {TWO}")


def test_two_raisers_both_confirm() -> None:
    ledger = play(Ledger(), review(claim(BAD)), review(claim(BAD))).ledger
    fixed = review(says=[answer("F1", "fixed", FIX)])
    assert only(play(ledger, fixed, review(), revision=R2)).status == "open"
    assert only(play(ledger, fixed, fixed, revision=R2)).status == "fixed"


def test_a_raiser_whose_seat_is_gone_leaves_it_to_all_that_are_left() -> None:
    ledger = play(Ledger(), review(claim(BAD))).ledger
    fixed = SeatSubmissions("x", review(says=[answer("F1", "fixed", FIX)]))
    alone = AdmissionRound("code", 2, R2, (fixed,), ("x",))
    assert only(settle(ledger, alone, check_at(R2))).status == "fixed"
    with_more = AdmissionRound("code", 2, R2, (fixed,), ("x", "y"))
    assert only(settle(ledger, with_more, check_at(R2))).status == "open"


def test_a_seat_that_holds_it_open_stops_another_that_says_fixed() -> None:
    ledger = raised()
    found = play(ledger, review(says=[answer("F1", "fixed", FIX)]), review(says=[answer("F1", "open")]), revision=R2)
    assert only(found).status == "open"
    assert found.leaves_open == {ONE: ("F1",), TWO: ("F1",)}
    assert f"{TWO} holds" in found.notices[0].sentence


def test_a_defect_proven_again_in_the_round_cannot_be_talked_into_being_fixed() -> None:
    ledger = raised()
    found = play(ledger, review(says=[answer("F1", "fixed", FIX)]), review(claim(BAD)), revision=R3)
    assert only(found).status == "open"
    assert "proven again" in found.notices[0].sentence
    assert found.leaves_open == {ONE: ("F1",), TWO: ("F1",)}


def test_a_finding_raised_again_is_fixed_only_by_what_changes_afterwards() -> None:
    ledger = play(raised(), review(claim(BAD)), review(), revision=R3).ledger
    assert only(play(raised(), review(claim(BAD)), review(), revision=R3)).revision == R3
    found = play(ledger, review(says=[answer("F1", "fixed", FIX)]), review(), revision=R3)
    assert only(found).status == "open"


def test_a_plan_is_fixed_by_a_pointer_whose_value_changed() -> None:
    before = {"summary": "add   the  items", "steps": [{"intent": "take the first"}]}
    pointer = {"pointer": "/steps/0/intent", "quote": "take the first"}
    first = Proofs(lambda _path: None, document=before)
    ledger = settle(Ledger(), a_round(review(claim(pointer)), on_document=True), first).ledger
    after = {"summary": "add the items", "steps": [{"intent": "take them all"}], "risks": ["new risk here"]}

    def run(*evidence: Mapping[str, Any]) -> str:
        check = Proofs(FILES[R2].get, document=after, earlier_document={R1: before})
        round_ = a_round(review(says=[answer("F1", "fixed", *evidence)]), revision=R2, on_document=True)
        return settle(ledger, round_, check).ledger.findings[0].status

    assert run({"pointer": "/steps/0/intent", "quote": "take them all"}) == "fixed"
    assert run({"pointer": "/risks/0", "quote": "new risk"}) == "fixed"
    assert run({"pointer": "/summary", "quote": "add the items"}) == "open"
    assert run(FIX) == "open"


# Fixed, and brought back


def _fixed() -> Ledger:
    return play(raised(), review(says=[answer("F1", "fixed", FIX)]), review(), revision=R2).ledger


def test_a_defect_brought_back_opens_its_finding_again() -> None:
    found = play(_fixed(), review(), review(claim(BAD)), revision=R3)
    finding = only(found)
    assert (finding.status, finding.raised_by, finding.revision) == ("open", (ONE, TWO), R3)
    assert [(e.from_status, e.to_status) for e in found.events] == [("fixed", "open")]
    assert found.leaves_open[TWO] == ("F1",)


def test_what_stands_again_opens_without_anybody_saying_so_and_is_not_talked_away() -> None:
    says = [answer("F1", "fixed", HEAD), answer("F1", "withdrawn", HEAD)]
    found = play(_fixed(), review(says=says[:1]), review(says=says[1:]), revision=R3)
    finding = only(found)
    assert (finding.status, finding.reason, finding.revision) == ("open", "its quote stands again", R3)
    assert [(e.from_status, e.to_status, e.who) for e in found.events] == [("fixed", "open", "admission")]
    assert found.leaves_open[ONE] == ("F1",)
    assert open_ids(play(_fixed(), review(), review(), revision=R2).ledger) == ()


def test_what_was_mended_elsewhere_and_never_went_stays_fixed() -> None:
    elsewhere = {"path": "pay.py", "start_line": 1, "end_line": 1, "quote": "amount = price * 1000"}
    FILES[R3]["pay.py"] = ["amount = price * 1000"]
    try:
        ledger = play(raised(), review(says=[answer("F1", "fixed", elsewhere)]), review(), revision=R3).ledger
        assert only(Admission(ledger, (), (), {})).status == "fixed"
        assert only(play(ledger, review(), review(), revision=R3)).status == "fixed"
    finally:
        FILES[R3]["pay.py"] = ["amount = price * 100"]


def test_a_file_that_went_takes_its_findings_along_when_its_seat_says_so() -> None:
    gone = FILES[R2].pop("a.py")
    here = {"path": "pay.py", "start_line": 1, "end_line": 1, "quote": "amount = price * 100"}
    try:
        said = review(says=[answer("F1", "fixed", here)])
        assert only(play(raised(), review(), said, revision=R2)).status == "open"
        assert only(play(raised(), said, review(), revision=R2)).status == "fixed"
    finally:
        FILES[R2]["a.py"] = gone


def test_a_round_that_is_judged_twice_records_what_is_unproven_once() -> None:
    once = play(Ledger(), review(claim(GONE)), review(claim(GONE, title="b"))).ledger
    twice = play(once, review(claim(GONE)), review(claim(GONE, title="c")))
    assert [f.title for f in twice.ledger.findings] == ["Only the first", "b", "c"]
    assert len(play(once, review(claim(GONE)), review(), revision=R2).ledger.findings) == 3


def test_a_renamed_file_keeps_its_findings() -> None:
    names = {"b.py": "a.py"}
    FILES[R3]["b.py"] = FILES[R3].pop("a.py")
    try:
        earlier = {one: FILES[one].get for one in (R1, R2)}
        check = Proofs(FILES[R3].get, earlier_lines=earlier, renamed_from=names)
        moved, head = BAD | {"path": "b.py"}, HEAD | {"path": "b.py"}
        round_ = a_round(review(claim(moved)), review(), revision=R3, renamed_from=names)
        assert [f.status for f in settle(_fixed(), round_, check).ledger.findings] == ["open"]
        silent = a_round(review(), review(), revision=R3, renamed_from=names)
        assert only(settle(_fixed(), silent, check)).reason == "its quote stands again"
        # Every line of a new file is new; of a renamed one only those that differ.
        untouched = a_round(review(says=[answer("F1", "fixed", head)]), review(), revision=R3, renamed_from=names)
        assert only(settle(raised(), untouched, check)).status == "open"
    finally:
        FILES[R3]["a.py"] = FILES[R3].pop("b.py")


def test_a_repetition_of_the_fixed_without_proof_is_withdrawn() -> None:
    found = play(_fixed(), review(claim(BAD)), review(), revision=R2)
    assert [f.status for f in found.ledger.findings] == ["fixed", "withdrawn"]


def test_a_resolution_opens_the_fixed_again_with_proof_only() -> None:
    assert only(play(_fixed(), review(), review(says=[answer("F1", "open", BAD)]), revision=R3)).status == "open"
    assert only(play(_fixed(), review(), review(says=[answer("F1", "open", BAD)]), revision=R2)).status == "fixed"
    assert only(play(_fixed(), review(), review(says=[answer("F1", "open")]), revision=R2)).status == "fixed"
    new = play(
        _fixed(), review(says=[answer("F1", "open", OTHER)]), review(says=[answer("F1", "open", OTHER)]), revision=R2
    )
    assert only(new).status == "open"
    assert plain_evidence(only(new)) == (BAD, OTHER)


def test_at_the_revision_of_the_fix_the_fixing_quote_is_new_evidence_and_old_evidence_is_not() -> None:
    ledger = play(raised(), review(says=[answer("F1", "fixed", FIX)]), review(), revision=R2).ledger
    FILES[R2]["a.py"].append("    return items[0]")
    try:
        again = BAD | {"start_line": 6, "end_line": 6}
        found = play(ledger, review(claim(again)), review(), revision=R2)
    finally:
        FILES[R2]["a.py"].pop()
    assert only(found).status == "fixed"
    assert "very revision" in found.notices[0].sentence


def test_saying_fixed_of_the_fixed_is_nothing_and_justified_is_noted() -> None:
    found = play(_fixed(), review(says=[answer("F1", "fixed")]), review(says=[answer("F1", "justified")]), revision=R2)
    assert only(found).status == "fixed"
    assert [notice.sentence for notice in found.notices] == ["F1 is fixed already."]


# Justified and withdrawn


def _justified() -> Ledger:
    ledger = raised(severity="minor")
    return play(ledger, review(says=[answer("F1", "justified")]), review(), revision=R1).ledger


def test_a_minor_one_is_justified_by_its_own_seat_alone() -> None:
    finding = only(Admission(_justified(), (), (), {}))
    assert (finding.status, finding.settled_by, finding.by_person) == ("justified", ONE, False)
    found = play(raised(severity="minor"), review(), review(says=[answer("F1", "justified")]))
    assert only(found).status == "open"
    assert "cannot take it back" in found.notices[0].sentence
    bad = play(raised(severity="minor"), review(says=[answer("F1", "justified", GONE)]), review())
    assert only(bad).status == "open"


@pytest.mark.parametrize(
    ("changes", "financial"),
    [
        ({"severity": "major"}, ()),
        ({"severity": "blocker"}, ()),
        ({"severity": "minor", "category": "security"}, ()),
        ({"severity": "minor"}, ("a.py",)),
    ],
)
def test_what_is_grave_is_justified_by_people_only(changes: dict[str, str], financial: tuple[str, ...]) -> None:
    found = play(raised(**changes), review(says=[answer("F1", "justified", BAD)]), review(), financial_risk=financial)
    assert only(found).status == "open"
    assert "by a person only" in found.notices[0].sentence


def test_a_justified_finding_opens_with_other_evidence_or_a_graver_word() -> None:
    same = claim(BAD, severity="minor")
    silent = play(_justified(), review(), review(same), revision=R3)
    assert only(silent).status == "justified"
    assert "other evidence" in silent.notices[0].sentence
    assert silent.leaves_open == {ONE: (), TWO: ()}
    assert only(play(_justified(), review(), review(claim(BAD, HEAD, severity="minor")), revision=R3)).status == "open"
    assert only(play(_justified(), review(), review(claim(BAD, severity="blocker")), revision=R3)).status == "open"
    safety = claim(BAD, severity="minor", category="security")
    assert only(play(_justified(), review(), review(safety), revision=R3)).status == "open"
    said = review(says=[answer("F1", "open", BAD)])
    assert only(play(_justified(), review(), said, revision=R3)).status == "justified"


def test_old_evidence_in_another_order_is_not_new() -> None:
    ledger = play(Ledger(), review(claim(BAD, HEAD, severity="minor"))).ledger
    ledger = play(ledger, review(says=[answer("F1", "justified")])).ledger
    found = play(ledger, review(), review(claim(HEAD, BAD, severity="minor")))
    assert only(found).status == "justified"
    assert len(play(ledger, review(), review(claim(HEAD, OTHER, severity="minor"))).ledger.findings) == 2


def test_a_seat_withdraws_its_own_with_a_citation_only() -> None:
    ok = play(raised(), review(says=[answer("F1", "withdrawn", HEAD)]), review())
    assert (only(ok).status, only(ok).reason, only(ok).is_unproven) == ("withdrawn", "F1 is withdrawn", False)
    assert only(play(raised(), review(says=[answer("F1", "withdrawn")]), review())).status == "open"
    assert only(play(raised(), review(), review(says=[answer("F1", "withdrawn", HEAD)]))).status == "open"
    both = play(Ledger(), review(claim(BAD)), review(claim(BAD))).ledger
    assert only(play(both, review(says=[answer("F1", "withdrawn", HEAD)]), review())).status == "open"


def test_a_withdrawn_finding_silences_nobody_and_cannot_be_resolved() -> None:
    ledger = play(raised(), review(says=[answer("F1", "withdrawn", HEAD)]), review()).ledger
    found = play(ledger, review(says=[answer("F1", "open", BAD)]), review(claim(BAD)))
    assert [(f.id, f.status) for f in found.ledger.findings] == [("F1", "withdrawn"), ("F2", "open")]
    assert "new finding" in found.notices[0].sentence


# Nonsense


def test_nonsense_is_ignored_with_a_notice() -> None:
    twice = [answer("F1", "fixed", FIX), answer("F1", "open")]
    found = play(raised(), review(says=[*twice, answer("F77", "fixed", FIX)]), review(), revision=R2)
    assert only(found).status == "open"
    assert [(notice.seat, notice.finding) for notice in found.notices] == [(ONE, "F1"), (ONE, "F77")]
    assert "F77 is not in the ledger." in found.notices[1].sentence
    same = [answer("F1", "fixed", FIX)] * 2
    assert only(play(raised(), review(says=same), review(), revision=R2)).status == "fixed"


def test_admission_alone_settles_nothing() -> None:
    both = review(claim(OTHER, title="x"), says=[answer("F1", "fixed", FIX)])
    round_ = a_round(both, review(), revision=R2)
    assert [f.status for f in admit(raised(), round_, check_at(R2)).ledger.findings] == ["open", "open"]


def test_a_concern_does_not_reopen_what_was_fixed() -> None:
    money = {"financial_risk": ("a.py",)}
    found = play(_fixed(), review(claim(BAD)), review(), revision=R2, **money)
    assert only(found).status == "fixed"
    assert "only proven evidence" in found.notices[0].sentence


# Convergence


def test_a_finding_open_after_two_reviews_is_a_quarrel_in_two_lines() -> None:
    ledger = raised()
    history = [reviewed(ledger, 1, R1), reviewed(ledger, 2, R2)]
    assert quarrel(ledger, history[:1]) is None
    text = quarrel(ledger, history) or ""
    assert text.splitlines() == [
        "F1 stayed open through rounds 1 and 2: Only the first",
        f"{ONE} still holds it; the last draft did not settle it.",
    ]
    more = play(ledger, review(claim(OTHER)), revision=R1).ledger
    assert "F1 and 1 more" in (quarrel(more, [reviewed(more, 1, R1), reviewed(more, 2, R2)]) or "")


def test_a_tree_seen_before_is_a_quarrel() -> None:
    none = frozenset[str]()
    circle = [ReviewedSubject(1, R1, none), ReviewedSubject(2, R2, none), ReviewedSubject(3, R1, none)]
    text = quarrel(Ledger(), circle) or ""
    assert text.splitlines()[0] == "Round 3 brought back what round 1 had already shown (11111111)."
    assert len(text.splitlines()) == 2
    assert quarrel(Ledger(), circle[:2]) is None


# Properties

PIECES = st.sampled_from([BAD, OTHER, HEAD, FIX, GONE, MONEY])
CLAIMS = st.builds(
    lambda evidence, severity, category: claim(*evidence, severity=severity, category=category),
    st.lists(PIECES, max_size=3),
    st.sampled_from(["blocker", "major", "minor"]),
    st.sampled_from(["correctness", "security"]),
)
ANSWERS = st.builds(
    lambda name, status, evidence: answer(name, status, *evidence),
    st.sampled_from(["F1", "F2", "F3", "F9"]),
    st.sampled_from(["fixed", "withdrawn", "justified", "open"]),
    st.lists(PIECES, max_size=2),
)
REVIEWS = st.builds(
    lambda findings, says: review(*findings, says=says), st.lists(CLAIMS, max_size=3), st.lists(ANSWERS, max_size=4)
)
ROUNDS = st.lists(st.tuples(st.sampled_from([R1, R2, R3]), REVIEWS, REVIEWS), max_size=4)


class _Counting:
    """Remembers what was proven, to compare the ledger with."""

    def __init__(self, inner: Proofs) -> None:
        self.inner = inner

    def problem(self, piece: Evidence) -> str:
        return self.inner.problem(piece)

    def untouched(self, piece: Evidence, since: str) -> str:
        return self.inner.untouched(piece, since)

    def times(self, piece: Mapping[str, Any], at: str | None) -> int | None:
        return self.inner.times(piece, at)

    def is_gone(self, path: str) -> bool:
        return self.inner.is_gone(path)


@given(ROUNDS)
def test_whatever_reviewers_say_the_law_holds(rounds: list[tuple[str, Review, Review]]) -> None:
    ledger = Ledger()
    for revision, first, second in rounds:
        round_ = a_round(first, second, revision=revision)
        found = settle(ledger, round_, _Counting(check_at(revision)))
        assert settle(ledger, round_, check_at(revision)) == found, "deterministic"
        ids = [finding.id for finding in found.ledger.findings]
        assert ids == [f"F{number}" for number in range(1, len(ids) + 1)]
        assert ids[: len(ledger.findings)] == [finding.id for finding in ledger.findings], "nothing vanishes"
        assert found.ledger.events[: len(ledger.events)] == ledger.events, "history only grows"
        before = {finding.id: finding.status for finding in ledger.findings}
        for event in found.events:
            assert event.from_status == before.get(event.finding, "")
            before[event.finding] = event.to_status
            if event.to_status == "open":
                assert not any(event.compared)
            if event.from_status == "open" and event.to_status != "open":
                known = found.ledger.finding(event.finding)
                assert known
                seats = set(event.who.split(", "))
                if event.to_status == "fixed":
                    assert event.evidence
                    assert seats >= (set(SEATS) if known.severity is Severity.BLOCKER else set(known.raised_by))
                else:
                    assert seats >= set(known.raised_by)
                if event.to_status == "justified":
                    assert known.severity is Severity.MINOR
                    assert known.category is not Category.SECURITY
        for finding in found.ledger.findings:
            assert before[finding.id] == finding.status, "every change is an event"
        open_now = set(open_ids(found.ledger))
        assert all(set(names) <= open_now for names in found.leaves_open.values())
        ledger = found.ledger


@pytest.mark.parametrize("settled", [True, False])
def test_what_a_later_stage_raises_again_is_that_stages_to_settle(settled: bool) -> None:
    """Else the reviewers of the code would be asked for nothing while the run waits for a finding of the plan."""
    says = [answer("F1", "fixed", FIX)] if settled else []
    planned = replace(a_round(review(claim(BAD)), review()), stage="plan")
    ledger = settle(Ledger(), planned, check_at(R1)).ledger
    revised = replace(a_round(review(says=says), review(says=says), revision=R2), stage="plan")
    ledger = settle(ledger, revised, check_at(R2)).ledger
    assert open_ids(ledger) == (() if settled else ("F1",))
    again = only(play(ledger, review(claim(BAD)), revision=R3))
    assert (again.id, again.status, again.stage, again.revision) == ("F1", "open", "code", R3)
