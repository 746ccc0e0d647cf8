"""What the ledger records of each move: the whole event, the whole finding, and every notice with its seat and finding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from bot.domain.citation import Citation
from bot.domain.errors import UserError
from bot.domain.ledger import (
    Ledger,
    LedgerDraft,
    LedgerEvent,
    LedgerFinding,
    Notice,
    ReviewedSubject,
    fingerprint,
    gravest,
    original_path,
    piece_key,
    quarrel,
    reviewed,
)
from bot.domain.ledger_people import (
    CiFinding,
    HumanFinding,
    Occasion,
    add_ci,
    add_human,
    justify,
    withdraw,
)
from bot.domain.ledger_round import settle
from bot.domain.ledger_submissions import AdmissionRound, SeatSubmissions
from bot.domain.review import Category, Severity
from bot.gates.evidence import Proofs
from tests.unit.test_ledger import (
    BAD,
    FILES,
    FIX,
    GONE,
    HEAD,
    MONEY,
    ONE,
    OTHER,
    R1,
    R2,
    R3,
    TWO,
    a_round,
    answer,
    check_at,
    claim,
    only,
    play,
    raised,
    review,
)

AT = Occasion("code", 4, "9" * 64)
LATER = Occasion("code", 5, "8" * 64)
FIXED_BY_BOTH = review(says=[answer("F1", "fixed", FIX)])


def _kept(*pieces: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    return tuple(dict(piece) | {"key": piece_key(piece)} for piece in pieces)


def _last(change: Any) -> LedgerEvent:
    event: LedgerEvent = change.events[-1]
    return event


def _fixed() -> Ledger:
    return play(raised(), FIXED_BY_BOTH, FIXED_BY_BOTH, revision=R2).ledger


def test_an_admission_records_what_was_said_and_compared() -> None:
    found = play(Ledger(), review(claim(BAD, suggestion="Sum them.")), review())
    assert only(found) == LedgerFinding(
        id="F1",
        stage="code",
        round=1,
        status="open",
        severity=Severity.MAJOR,
        category=Category.CORRECTNESS,
        title="Only the first",
        claim="Items are lost.",
        evidence=_kept(BAD),
        suggestion="Sum them.",
        fingerprint=piece_key(BAD),
        raised_by=(ONE,),
        source="reviewer",
        revision=R1,
        reason="proven",
    )
    assert found.events == (LedgerEvent("F1", ONE, 1, R1, "", "open", "proven", _kept(BAD), ("",)),)


def test_an_unproven_one_is_recorded_with_its_seats() -> None:
    found = play(Ledger(), review(claim(GONE)), review(claim(GONE)))
    assert (only(found).settled_by, only(found).settled_at, only(found).raised_by) == ("admission", R1, (ONE, TWO))
    assert [(one.who, one.from_status, one.to_status) for one in found.events] == [
        (ONE, "", "withdrawn"),
        (TWO, "withdrawn", "withdrawn"),
    ]
    assert found.events[0].compared[0] != ""


def test_a_concern_about_money_says_so() -> None:
    found = play(Ledger(), review(claim(MONEY)), review(), financial_risk=("pay.py",))
    assert (only(found).reason, only(found).concern) == ("unproven concern about money", True)


def test_a_second_raiser_adds_its_words_once() -> None:
    found = play(Ledger(), review(claim(BAD)), review(claim(BAD, claim="Others are lost, too.", severity="blocker")))
    joined = only(found)
    assert joined.claim == "Items are lost.\n\nOthers are lost, too."
    assert (joined.raised_by, joined.severity, joined.concern) == ((ONE, TWO), Severity.BLOCKER, False)
    assert (_last(found).who, _last(found).from_status) == (TWO, "open")
    again = play(found.ledger, review(claim(BAD)), review())
    assert again.events == ()
    assert only(again) == joined


def test_the_graver_category_of_either_counts() -> None:
    security, tests = Category.SECURITY, Category.TESTS
    assert [gravest(one, other) for one in (security, tests) for other in (security, tests)] == [security] * 3 + [tests]
    assert gravest(Category.SCOPE, tests) is Category.SCOPE
    first = play(Ledger(), review(claim(BAD, category="security")), review(claim(BAD, category="tests")))
    assert only(first).category is Category.SECURITY


def test_an_unproven_repetition_about_money_adds_no_evidence() -> None:
    risk = ("pay.py",)
    price = {"path": "pay.py", "start_line": 1, "end_line": 1, "quote": "amount = price * 100"}
    first = play(Ledger(), review(claim(price)), review(), financial_risk=risk)
    second = play(first.ledger, review(claim(price, MONEY)), review(), revision=R2, financial_risk=risk)
    assert only(second).evidence == _kept(price)
    assert only(second).revision == R1
    proven = play(first.ledger, review(claim(price, HEAD)), review(), revision=R2, financial_risk=risk)
    assert only(proven).evidence == _kept(price, HEAD)
    assert only(proven).revision == R2


def test_a_fix_is_recorded_whole() -> None:
    found = play(raised(), FIXED_BY_BOTH, FIXED_BY_BOTH, revision=R2)
    assert (only(found).settled_by, only(found).settled_at, only(found).reason) == (f"{ONE}, {TWO}", R2, "F1 is fixed")
    assert _last(found) == LedgerEvent(
        "F1", f"{ONE}, {TWO}", 2, R2, "open", "fixed", "F1 is fixed", (*_kept(FIX), *_kept(FIX))
    )


def test_a_repetition_opens_the_fixed_and_forgets_who_settled_it() -> None:
    found = play(_fixed(), review(claim(BAD)), review(), revision=R3)
    assert only(found) == replace(
        raised().findings[0], reason="raised again", revision=R3, settled_by="", settled_at="", by_person=False
    )
    assert (_last(found).who, _last(found).from_status, _last(found).round) == (ONE, "fixed", 3)


def test_a_reviewers_word_opens_the_fixed_with_proof() -> None:
    says = review(says=[answer("F1", "open", OTHER)])
    found = play(_fixed(), review(), says, revision=R2)
    opened = only(found)
    assert (opened.status, opened.reason, opened.raised_by) == ("open", "F1 is open", (ONE, TWO))
    assert (opened.evidence, opened.revision) == (_kept(BAD, OTHER), R2)
    assert (opened.settled_by, opened.settled_at, opened.by_person) == ("", "", False)
    assert _last(found) == LedgerEvent("F1", TWO, 2, R2, "fixed", "open", "F1 is open", _kept(OTHER))
    own = play(_fixed(), says, review(), revision=R2)
    assert only(own).raised_by == (ONE,)


def test_both_may_open_it_and_the_second_adds_nothing() -> None:
    says = review(says=[answer("F1", "open", OTHER)])
    found = play(_fixed(), says, says, revision=R2)
    assert [event.who for event in found.events] == [ONE]
    assert found.notices == ()


def test_a_word_about_the_settled_does_not_silence_the_next() -> None:
    same = review(says=[answer("F1", "fixed", FIX)])
    found = play(_fixed(), same, review(says=[answer("F1", "open", OTHER)]), revision=R2)
    assert only(found).status == "open"
    bare = play(_fixed(), review(says=[answer("F1", "open")]), review(), revision=R2)
    assert bare.notices == (Notice(ONE, "F1", "F1 stays fixed: no evidence is given."),)


def test_a_settled_finding_opens_at_another_revision_with_the_same_proof() -> None:
    opened = play(_fixed(), review(says=[answer("F1", "open", HEAD)]), review(), revision=R2).ledger
    fixed = play(opened, FIXED_BY_BOTH, FIXED_BY_BOTH, revision=R2).ledger
    assert fixed.findings[0].status == "open", "nothing changed since it was raised again"


@pytest.mark.parametrize(
    ("first", "second", "notice"),
    [
        (
            review(claim(BAD)),
            review(says=[answer("F1", "fixed", HEAD)]),
            Notice(TWO, "F1", f"F1 was proven again in this round by {ONE}."),
        ),
        (
            review(says=[answer("F1", "fixed", HEAD)]),
            review(says=[answer("F1", "open")]),
            Notice(ONE, "F1", f"{TWO} holds that F1 is open."),
        ),
        (
            review(says=[answer("F1", "fixed", GONE)]),
            review(),
            Notice(ONE, "F1", "F1 cannot be fixed: nothing changed since it was raised."),
        ),
        (
            review(),
            review(says=[answer("F1", "withdrawn", HEAD)]),
            Notice(TWO, "F1", f"F1 was raised by {ONE}; {TWO} cannot take it back."),
        ),
        (
            review(says=[answer("F9", "fixed", HEAD)]),
            review(),
            Notice(ONE, "F9", "F9 is not in the ledger."),
        ),
    ],
)
def test_a_notice_names_its_seat_and_finding(first: Any, second: Any, notice: Notice) -> None:
    assert play(raised(), first, second).notices == (notice,)


def test_further_notices_name_theirs() -> None:
    blocker = raised(severity="blocker")
    one = play(blocker, FIXED_BY_BOTH, review(), revision=R2)
    assert one.notices == (Notice(ONE, "F1", f"F1 is fixed only when {TWO} confirms it with proof."),)
    gone = play(raised(), review(says=[answer("F1", "withdrawn", HEAD)]), review()).ledger
    assert gone.findings[0].status == "withdrawn"
    after = play(gone, review(says=[answer("F1", "fixed", HEAD)]), review(), revision=R2)
    sentence = "F1 is withdrawn (F1 is withdrawn); raise it as a new finding with evidence."
    assert after.notices == (Notice(ONE, "F1", sentence),)
    pointed = review(says=[answer("F1", "fixed", {"pointer": "/summary", "quote": "anything here"})])
    said = play(raised(), pointed, review(), revision=R2).notices
    assert [(notice.seat, notice.finding) for notice in said] == [(ONE, "F1")]


def test_silence_is_noted_with_the_seat() -> None:
    settled = justify(raised(), AT, "F1", "ana", "fine").ledger
    found = play(settled, review(), review(claim(BAD)))
    assert found.notices == (Notice(TWO, "F1", "F1 was justified by @ana; only a person opens it again."),)


def test_a_withdrawn_finding_leaves_every_index() -> None:
    two = play(Ledger(), review(claim(BAD), claim(OTHER)), review()).ledger
    draft = LedgerDraft.of(withdraw(two, AT, "F1", "ana", "no").ledger)
    assert draft.known_as((piece_key(BAD),), piece_key(BAD)) is None
    assert draft.by_fingerprint == {piece_key(OTHER): "F2"}
    opened = LedgerDraft.of(two)
    opened.put(replace(two.findings[0], status="withdrawn"), two.events[0])
    assert opened.by_fingerprint == {piece_key(OTHER): "F2"}
    assert {key: list(ids) for key, ids in opened.by_piece.items()} == {piece_key(BAD): [], piece_key(OTHER): ["F2"]}


def test_pointers_and_renames_make_keys() -> None:
    assert piece_key({"pointer": "/a", "quote": "x"}) != piece_key({"pointer": "/b", "quote": "x"})
    circle = {"a": "b", "b": "c", "c": "a"}
    assert original_path("a", circle) == "c"
    assert original_path("a", {"a": "b", "b": "c", "c": "b"}) == "c"


# What stands again


def test_what_stands_again_is_recorded_whole() -> None:
    two = play(Ledger(), review(claim(OTHER), claim(BAD)), review()).ledger
    says = review(says=[answer("F2", "fixed", FIX)])
    fixed = play(two, says, says, revision=R2).ledger
    found = play(fixed, review(), review(), revision=R3)
    back = found.ledger.findings[1]
    assert back == replace(two.findings[1], reason="its quote stands again", revision=R3)
    assert back.by_person is False
    assert found.events == (
        LedgerEvent("F2", "admission", 3, R3, "fixed", "open", "its quote stands again", _kept(BAD)),
    )
    talked = play(fixed, says, says, revision=R3)
    assert talked.notices[0] == Notice(ONE, "F2", "F2 was proven again in this round by admission.")


def test_what_is_of_another_stage_stays_fixed() -> None:
    fixed = _fixed()
    elsewhere = replace(fixed, findings=(replace(fixed.findings[0], stage="plan"), replace(fixed.findings[0], id="F2")))
    found = play(elsewhere, review(), review(), revision=R3)
    assert [finding.status for finding in found.ledger.findings] == ["fixed", "open"]


def test_one_that_stays_fixed_hides_no_later_one() -> None:
    fixed = _fixed().findings[0]
    absent = replace(fixed, id="F2", evidence=_kept(FIX))
    never_gone = replace(fixed, id="F3", evidence=_kept(OTHER))
    last = replace(fixed, id="F4")
    found = play(Ledger((absent, never_gone, last)), review(), review(), revision=R3)
    assert [finding.status for finding in found.ledger.findings] == ["fixed", "fixed", "open"]


# People and CI


def test_a_persons_finding_is_recorded_whole() -> None:
    piece = Citation.model_validate(HEAD)
    said = HumanFinding("ana", "Wrong", "It is wrong.", (piece,), Severity.MINOR, Category.SCOPE)
    change = add_human(Ledger(), AT, said)
    (found,) = change.ledger.findings
    assert found == LedgerFinding(
        id="F1",
        stage="code",
        round=4,
        status="open",
        severity=Severity.MINOR,
        category=Category.SCOPE,
        title="Wrong",
        claim="It is wrong.",
        evidence=_kept(HEAD),
        suggestion=None,
        fingerprint=fingerprint((), ("human", piece_key(HEAD), "It is wrong.")),
        raised_by=("@ana",),
        source="human",
        revision=AT.revision,
        reason="raised",
    )
    assert change.events == (LedgerEvent("F1", "@ana", 4, AT.revision, "", "open", "raised", _kept(HEAD)),)
    again = add_human(change.ledger, LATER, replace(said, login="bo"))
    assert again.events == (LedgerEvent("F1", "@bo", 5, LATER.revision, "open", "open", "raised again", _kept(HEAD)),)
    assert again.ledger.findings[0] == replace(
        found, reason="raised again", revision=LATER.revision, raised_by=("@ana", "@bo")
    )


def test_a_failing_check_is_recorded_whole() -> None:
    change = add_ci(Ledger(), AT, CiFinding("unit", "unit fails", "E 1"))
    (found,) = change.ledger.findings
    assert found == LedgerFinding(
        id="F1",
        stage="code",
        round=4,
        status="open",
        severity=Severity.MAJOR,
        category=Category.TESTS,
        title="unit fails",
        claim="E 1",
        evidence=(),
        suggestion=None,
        fingerprint=fingerprint((), ("ci", "unit")),
        raised_by=("ci:unit",),
        source="ci",
        revision=AT.revision,
        reason="raised",
    )
    other = add_ci(change.ledger, AT, CiFinding("lint", "lint fails", "E 1"))
    assert [one.id for one in other.ledger.findings] == ["F1", "F2"]
    again = add_ci(change.ledger, LATER, CiFinding("unit", "unit fails", "E 2"))
    assert again.ledger.findings[0] == replace(found, reason="raised again", claim="E 2", revision=LATER.revision)


@pytest.mark.parametrize(("act", "status"), [(justify, "justified"), (withdraw, "withdrawn")])
def test_what_a_person_settles_is_recorded_whole(act: Any, status: Any) -> None:
    ledger = raised()
    change = act(ledger, AT, "F1", "ana", "because")
    settled = replace(
        ledger.findings[0], status=status, reason="because", settled_by="@ana", settled_at=AT.revision, by_person=True
    )
    assert change.ledger.findings == (settled,)
    assert change.events == (LedgerEvent("F1", "@ana", 4, AT.revision, "open", status, "because"),)


@pytest.mark.parametrize(
    ("status", "act", "finding", "reason", "fields"),
    [
        ("open", justify, "F9", "x", {"finding": "F9"}),
        ("open", justify, "F1", " ", {"finding": "F1"}),
        ("fixed", justify, "F1", "x", {"finding": "F1", "status": "fixed"}),
    ],
)
def test_what_a_person_cannot_do_has_fields(
    status: str, act: Any, finding: str, reason: str, fields: dict[str, str]
) -> None:
    with pytest.raises(UserError) as caught:
        act(raised() if status == "open" else _fixed(), AT, finding, "ana", reason)
    assert caught.value.fields == fields


# Quarrels


def test_a_quarrel_is_about_what_is_open_in_both() -> None:
    two = play(Ledger(), review(claim(OTHER), claim(BAD)), review(claim(BAD))).ledger
    assert reviewed(two, 2, R2) == ReviewedSubject(2, R2, frozenset({piece_key(OTHER), piece_key(BAD)}))
    first = ReviewedSubject(1, R1, frozenset({piece_key(BAD)}))
    assert quarrel(two, [first, reviewed(two, 2, R2)]) == (
        f"F2 stayed open through rounds 1 and 2: Only the first\n{ONE}, {TWO} still hold it; "
        "the last draft did not settle it."
    )
    assert quarrel(two, [ReviewedSubject(1, R1, frozenset()), reviewed(two, 2, R2)]) is None
    alone = raised()
    assert f"\n{ONE} still holds it; " in str(quarrel(alone, [first, reviewed(alone, 2, R2)]))


def test_a_subject_comes_back_from_any_earlier_round() -> None:
    none: frozenset[str] = frozenset()
    history = [ReviewedSubject(n, subject, none) for n, subject in ((1, R1), (2, R2), (3, R3), (4, R3))]
    assert str(quarrel(Ledger(), history)).startswith(f"Round 4 brought back what round 3 had already shown ({R3[:8]})")
    back = [*history[:3], ReviewedSubject(4, R2, none)]
    assert str(quarrel(Ledger(), back)).startswith("Round 4 brought back what round 2 ")
    assert quarrel(Ledger(), history[:3]) is None


# What it takes to settle and to come back


class _Counted:
    """Evidence as a table of counts: how often the quote stands at each revision."""

    def __init__(self, times: Mapping[str | None, int | None]) -> None:
        self._times = times

    def times(self, _piece: Mapping[str, Any], at: str | None) -> int | None:
        return self._times[at]


@pytest.mark.parametrize(
    ("raised_at", "fixed_at", "now", "status"),
    [
        (1, 0, 1, "open"),
        (1, 0, 2, "open"),
        (2, 0, 1, "fixed"),
        (1, 1, 1, "fixed"),
        (2, 1, 2, "open"),
        (1, 0, 0, "fixed"),
        (None, 0, 1, "fixed"),
        (1, None, 1, "fixed"),
        (1, 0, None, "fixed"),
    ],
)
def test_it_stands_again_when_it_stands_as_often_as_when_it_was_raised(
    raised_at: int | None, fixed_at: int | None, now: int | None, status: str
) -> None:
    check: Any = _Counted({R1: raised_at, R2: fixed_at, None: now})
    assert only(settle(_fixed(), a_round(review(), review(), revision=R3), check)).status == status


def test_evidence_of_the_wrong_kind_is_told_which_is_wanted() -> None:
    plan = {"summary": "a long summary"}
    pointer = {"pointer": "/summary", "quote": "long summary"}
    check = Proofs(
        FILES[R2].get, plan, earlier_document={R1: {"summary": "another"}}, earlier_lines={R1: FILES[R1].get}
    )
    cited = review(says=[answer("F1", "fixed", HEAD)])
    pointed = review(says=[answer("F1", "fixed", pointer)])
    on_code = settle(raised(), a_round(pointed, review(), revision=R2), check)
    assert [one.sentence for one in on_code.notices] == [
        "F1 is not shown to be fixed: its evidence must hold a citation of the new code."
    ]
    on_plan = settle(raised(), a_round(cited, review(), revision=R2, on_document=True), check)
    assert [one.sentence for one in on_plan.notices] == [
        "F1 is not shown to be fixed: its evidence must hold a pointer into the plan."
    ]


def test_a_third_seat_is_heard_after_two_that_agree() -> None:
    opens, justifies = review(says=[answer("F1", "open", OTHER)]), review(says=[answer("F1", "justified", OTHER)])
    seats = (ONE, TWO, "code_reviewer.3")
    submissions = tuple(
        SeatSubmissions(seat, said) for seat, said in zip(seats, (opens, opens, justifies), strict=True)
    )
    found = settle(_fixed(), AdmissionRound("code", 2, R2, submissions, seats), check_at(R2))
    assert found.notices == (Notice("code_reviewer.3", "F1", "F1 is open already."),)


def test_at_the_revision_of_its_fix_old_evidence_opens_nothing() -> None:
    both = review(says=[answer("F1", "fixed", FIX)])
    fixed = play(play(Ledger(), review(claim(HEAD)), review()).ledger, both, both, revision=R2).ledger
    found = play(fixed, review(says=[answer("F1", "open", HEAD)]), review(), revision=R2)
    sentence = "F1 was found fixed at this very revision; other evidence is needed to open it again."
    assert found.notices == (Notice(ONE, "F1", sentence),)


def test_renamed_evidence_keeps_its_first_name_in_the_key() -> None:
    renamed = {"b.py": "a.py"}
    check = Proofs({"b.py": FILES[R2]["a.py"]}.get, renamed_from=renamed)
    says = review(says=[answer("F1", "open", HEAD | {"path": "b.py"})])
    found = settle(_fixed(), a_round(says, review(), revision=R2, renamed_from=renamed), check)
    assert only(found).evidence[-1]["key"] == piece_key(HEAD)
    assert _last(found).evidence[0]["key"] == piece_key(HEAD)
