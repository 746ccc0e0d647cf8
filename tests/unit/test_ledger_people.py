"""People and CI in the ledger: they raise, they settle what reviewers may not, and nobody else undoes it."""

from __future__ import annotations

import pytest

from bot.domain.citation import Citation
from bot.domain.errors import UserError
from bot.domain.ledger import Ledger, open_ids
from bot.domain.ledger_people import CiFinding, HumanFinding, Occasion, add_ci, add_human, justify, withdraw
from bot.domain.ledger_round import settle
from bot.domain.ledger_submissions import AdmissionRound, SeatSubmissions
from bot.domain.review import Review, Severity
from bot.gates.evidence import Proofs

R1, R2, R3 = "1" * 64, "2" * 64, "3" * 64
SEATS = ("code_reviewer.1", "code_reviewer.2")
OLD, NEW = ["value = compute()", "return value"], ["value = compute(now)", "return value"]
FILES = {R1: OLD, R2: NEW, R3: OLD}
AT_1, AT_2, AT_3 = Occasion("code", 1, R1), Occasion("code", 2, R2), Occasion("code", 3, R3)
QUOTE = {"path": "a.py", "start_line": 1, "end_line": 1, "quote": "value = compute()"}
FIX = QUOTE | {"quote": "value = compute(now)"}
ASKED = HumanFinding("ana", "Pass the time", "compute needs now", (Citation.model_validate(QUOTE),))


def settle_at(revision: str, ledger: Ledger, *reviews: dict[str, object]) -> Ledger:
    earlier = {one: (lambda _path, one=one: FILES[one]) for one in FILES if one < revision}
    check = Proofs(lambda _path: FILES[revision], earlier_lines=earlier)
    said = tuple(
        SeatSubmissions(seat, Review.model_validate({"verdict": "approve"} | one))
        for seat, one in zip(SEATS, reviews, strict=False)
    )
    return settle(ledger, AdmissionRound("code", int(revision[0]), revision, said, SEATS), check).ledger


def says(status: str, *evidence: object) -> dict[str, object]:
    return {"resolutions": [{"finding": "F1", "status": status, "reason": "so", "evidence": list(evidence)}]}


def claims(*evidence: object) -> dict[str, object]:
    finding = {"title": "t", "severity": "major", "category": "correctness", "claim": "c", "evidence": list(evidence)}
    return {"findings": [finding]}


def test_a_person_raises_a_finding() -> None:
    change = add_human(Ledger(), AT_1, ASKED)
    (finding,) = change.ledger.findings
    assert (finding.id, finding.source, finding.raised_by, finding.status) == ("F1", "human", ("@ana",), "open")
    assert [(e.who, e.from_status, e.to_status) for e in change.events] == [("@ana", "", "open")]


def test_a_persons_finding_falls_by_proof_only() -> None:
    ledger = add_human(Ledger(), AT_1, ASKED).ledger
    for status in ("justified", "withdrawn"):
        assert open_ids(settle_at(R2, ledger, says(status, FIX), says(status, FIX))) == ("F1",)
    assert open_ids(settle_at(R2, ledger, says("fixed"), says("fixed"))) == ("F1",)
    assert open_ids(settle_at(R2, ledger, says("fixed", FIX), {})) == ()
    assert open_ids(settle_at(R2, ledger, says("fixed", FIX), says("open"))) == ("F1",)


def test_a_persons_blocker_needs_every_seat() -> None:
    blocker = HumanFinding("ana", "t", "c", severity=Severity.BLOCKER)
    ledger = add_human(Ledger(), AT_1, blocker).ledger
    assert open_ids(settle_at(R2, ledger, says("fixed", FIX), {})) == ("F1",)
    assert open_ids(settle_at(R2, ledger, says("fixed", FIX), says("fixed", FIX))) == ()


def test_two_demands_on_one_line_stay_two_and_one_said_twice_is_one() -> None:
    ledger = add_human(Ledger(), AT_1, ASKED).ledger
    ledger = add_human(ledger, AT_1, HumanFinding("ana", "t", "rename it", ASKED.evidence)).ledger
    assert open_ids(ledger) == ("F1", "F2")
    again = add_human(ledger, AT_1, HumanFinding("ben", "t", "rename it", ASKED.evidence))
    assert open_ids(again.ledger) == ("F1", "F2")
    assert again.ledger.findings[1].raised_by == ("@ana", "@ben")


def test_a_failing_check_opens_again() -> None:
    check = CiFinding("ci / test", "ci / test failed", "E assert 1 == 2")
    ledger = add_ci(Ledger(), AT_1, check).ledger
    assert ledger.findings[0].raised_by == ("ci:ci / test",)
    assert add_ci(ledger, Occasion("code", 1, R1), check).events[0].from_status == "open"
    same = add_ci(add_ci(ledger, AT_1, check).ledger, AT_1, check)
    assert same.events == ()
    ledger = settle_at(R2, ledger, says("fixed", FIX), {})
    assert open_ids(ledger) == ()
    change = add_ci(ledger, AT_3, check)
    assert open_ids(change.ledger) == ("F1",)
    assert change.events[0].from_status == "fixed"
    assert len(change.ledger.findings) == 1


def test_a_person_justifies_what_reviewers_may_not_and_no_reviewer_opens_it_again() -> None:
    ledger = settle_at(R1, Ledger(), claims(QUOTE), {})
    change = justify(ledger, AT_1, "F1", "ana", "It is meant so.")
    finding = change.ledger.findings[0]
    assert (finding.status, finding.settled_by, finding.by_person) == ("justified", "@ana", True)
    assert (change.events[0].who, change.events[0].reason) == ("@ana", "It is meant so.")
    other = QUOTE | {"start_line": 2, "end_line": 2, "quote": "return value"}
    assert open_ids(settle_at(R3, change.ledger, {}, claims(QUOTE, other))) == ()
    assert open_ids(settle_at(R3, change.ledger, {}, says("open", other))) == ()


def test_a_person_withdraws_anybodys() -> None:
    for ledger in (settle_at(R1, Ledger(), claims(QUOTE), {}), add_human(Ledger(), AT_1, ASKED).ledger):
        change = withdraw(ledger, AT_1, "F1", "ana", "No longer wanted.")
        assert (change.ledger.findings[0].status, change.ledger.findings[0].is_unproven) == ("withdrawn", False)
        assert open_ids(change.ledger) == ()


def test_what_cannot_be_settled_says_why() -> None:
    ledger = add_human(Ledger(), AT_1, ASKED).ledger
    with pytest.raises(UserError, match="F9 is not in this run's ledger"):
        justify(ledger, AT_1, "F9", "ana", "x")
    with pytest.raises(UserError, match="needs a reason"):
        justify(ledger, AT_1, "F1", "ana", "  ")
    done = withdraw(ledger, AT_1, "F1", "ana", "x").ledger
    with pytest.raises(UserError, match="withdrawn already"):
        justify(done, AT_1, "F1", "ana", "x")


def test_a_check_that_fails_again_belongs_to_the_stage_that_it_failed_in() -> None:
    planned = Occasion("plan", 1, R1)
    failing = CiFinding("test", "The check test ended failure", "it fails")
    ledger = settle_at(R2, add_ci(Ledger(), planned, failing).ledger, says("fixed", FIX), says("fixed", FIX))
    assert open_ids(ledger) == ()
    (again,) = add_ci(ledger, AT_3, failing).ledger.findings
    assert (again.status, again.stage) == ("open", "code")


def test_what_a_person_justified_a_person_opens_again_and_no_check() -> None:
    failing = CiFinding("test", "The check test ended failure", "it fails")
    ledger = add_ci(add_human(Ledger(), AT_1, ASKED).ledger, AT_1, failing).ledger
    for name in ("F1", "F2"):
        ledger = justify(ledger, AT_1, name, "ana", "so be it").ledger
    change = add_ci(ledger, AT_2, failing)
    assert (change.ledger, change.events) == (ledger, ())
    (again, _) = add_human(ledger, AT_2, ASKED).ledger.findings
    assert (again.status, again.by_person, again.settled_by) == ("open", False, "")
