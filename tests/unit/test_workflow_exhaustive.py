"""Proof by exhaustion: of all that can come about in a derived machine, nothing enters a state that I2, I3 and I4 forbid."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.storage import SqlStorage
from bot.domain.facts import ApprovalClaim, ApprovalFacts, ReviewRound, SeatReview
from bot.domain.gate import Gate, GateResult, Reason, Verdict
from bot.domain.workflow import SOFTWARE, Workflow
from bot.gates.approval_gate import APPROVAL_GATE
from bot.gates.plan_gate import PLAN_GATE
from bot.gates.review_gate import REVIEW_GATE
from bot.gates.work_gate import WORK_GATE
from tests.contract.databases import HeardNudges, fresh_url, furnish
from tests.harness.machine import Walk, open_records
from tests.harness.machine_history import Answers
from tests.harness.workflows import EIGHT, EVERY, THREE, following

SHA, OTHER = "a" * 64, "b" * 64
SEATS = ("r.1", "r.2")
SHOWN = 1_700_000_000_000


def _says(verdict: Verdict | None) -> Callable[[object], Reason]:
    def verifier(_: object) -> Reason:
        if verdict is None:
            raise RuntimeError("the verifier broke")
        return Reason("one", verdict, "It was looked at.")

    return verifier


def _gate(name: str, verifiers: Sequence[tuple[str, Callable[[object], Reason]]]) -> Gate[object]:
    return Gate(name, verifiers)


@pytest.mark.parametrize("gate", [PLAN_GATE, WORK_GATE, REVIEW_GATE, APPROVAL_GATE], ids=lambda gate: gate.name)
def test_one_verifier_that_does_not_pass_closes_a_gate_whatever_the_others_say(gate: Gate[Any]) -> None:
    """I4: for each verifier of each gate, failing, not knowing and breaking; then nothing at all to ask."""
    names = [name for name, _ in gate.verifiers]
    assert _gate(gate.name, [(name, _says(Verdict.PASS)) for name in names]).evaluate(None).is_open
    for bad, verdict in itertools.product(names, (Verdict.FAIL, Verdict.UNKNOWN, None)):
        said = [(name, _says(verdict if name == bad else Verdict.PASS)) for name in names]
        result = _gate(gate.name, said).evaluate(None)
        assert not result.is_open
        assert len(result.reasons) == len(names), "the others are asked all the same"
    assert not _gate(gate.name, ()).evaluate(None).is_open


def _seat(seat: str, how: str) -> SeatReview | None:
    good = {"seat": seat, "subject_sha256": SHA, "verdict": "approve"}
    return {
        "approves": SeatReview.model_validate(good),
        "did not open it": SeatReview.model_validate({**good, "uncovered": ("a.py lines 1-2 (head)",)}),
        "leaves a finding": SeatReview.model_validate({**good, "leaves_open": ("F1",)}),
        "judged another": SeatReview.model_validate({**good, "subject_sha256": OTHER}),
        "asks for changes": SeatReview.model_validate({**good, "verdict": "changes_requested"}),
        "twice the other": SeatReview.model_validate({**good, "seat": SEATS[0] if seat == SEATS[1] else SEATS[1]}),
        "is silent": None,
    }[how]


SEAT_ANSWERS = (
    *("approves", "did not open it", "leaves a finding", "judged another", "asks for changes", "twice the other"),
    "is silent",
)


def _reviews() -> Iterator[tuple[bool, GateResult]]:
    """Each combination of two seats and the ledger, with what DESIGN section 5 wants."""
    for one, other, found in itertools.product(SEAT_ANSWERS, SEAT_ANSWERS, ((), ("F1",))):
        reviews = [said for said in (_seat(SEATS[0], one), _seat(SEATS[1], other)) if said is not None]
        facts = ReviewRound(subject_sha256=SHA, seats=SEATS, reviews=tuple(reviews), open_findings=found)
        swapped = {one, other} == {"twice the other"}  # each seat's review came once, under the other's turn
        yield ((one, other) == ("approves", "approves") or swapped) and not found, REVIEW_GATE.evaluate(facts)


CLAIMS: dict[str, tuple[dict[str, Any], bool]] = {
    "write": ({}, True),
    "maintain": ({"role_name": "maintain"}, True),
    "read": ({"permission": "read", "role_name": "read"}, False),
    "bot": ({"is_person": False}, False),
    "somebody else": ({"same_person": False}, False),
    "too early": ({"created_at": SHOWN - 2_000}, False),
    "of another": ({"named": "bbbbbbbb"}, False),
    "edited": ({"comment_problem": "was edited"}, False),
}
SURROUNDINGS: dict[str, tuple[dict[str, Any], bool]] = {
    "all as it was": ({}, True),
    "not shown": ({"shown_at": None}, False),
    "body differs": ({"body_problem": "a line differs"}, False),
    "issue changed": ({"issue_changed": ("title",)}, False),
    "base changed": ({"base_changed": ("calc.py",)}, False),
    "unreadable": ({"problems": ("the comment could not be read",)}, False),
}


def _approvals() -> Iterator[tuple[bool, GateResult]]:
    """Each combination of up to two claims, the risk and what is around them, with what DESIGN section 4 wants."""
    plain = {"source": "comment", "source_id": 7, "login": "ana", "is_person": True, "same_person": True}
    plain |= {"permission": "write", "role_name": "write", "created_at": SHOWN + 9_000_000}
    people = [(), *((name,) for name in CLAIMS), *itertools.product(CLAIMS, CLAIMS)]
    for names, same, high, (around, fine) in itertools.product(
        people, (False, True), (False, True), SURROUNDINGS.values()
    ):
        claims = tuple(
            ApprovalClaim.model_validate({**plain, "user_id": 1 if same else index, **CLAIMS[name][0]})
            for index, name in enumerate(names, 1)
        )
        facts = {"subject_sha256": SHA, "shown_at": SHOWN, "claims": claims, "issue_author_id": 99, "high_risk": high}
        good = [index for index, name in enumerate(names) if CLAIMS[name][1]]
        enough = bool(good) and (
            not high or any(names[index] == "maintain" for index in good) or (len(good) == 2 and not same)
        )
        yield enough and fine, APPROVAL_GATE.evaluate(ApprovalFacts.model_validate(facts | around))


@pytest.mark.parametrize("combinations", [_reviews, _approvals], ids=["review", "approval"])
def test_every_combination_of_facts_opens_its_gate_only_as_the_design_says(
    combinations: Callable[[], Iterator[tuple[bool, GateResult]]],
) -> None:
    count = opened = 0
    for wanted, result in combinations():
        assert result.is_open is wanted, result.as_json()
        count, opened = count + 1, opened + result.is_open
    assert 0 < opened < count
    print(f"{combinations.__name__[1:]}: {count} combinations of facts, {opened} open their gate")


@pytest.fixture(scope="module")
def answers() -> Answers:
    said = list(_reviews())
    return Answers(
        next(result for wanted, result in said if wanted), next(result for wanted, result in said if not wanted)
    )


def records(workflow: Workflow, folder: Path) -> sqlite3.Connection:
    """A migrated database in memory that knows the workflow's edges."""
    url = fresh_url("sqlite", folder)
    storage = SqlStorage(url, HeardNudges())
    with storage.begin() as tx:
        furnish(tx)
        tx.runs.add_edges(workflow)
    storage.close()
    return open_records(url.removeprefix("sqlite:///"))


@pytest.mark.parametrize(
    ("workflow", "extra_drafts", "strict"),
    [(SOFTWARE, 2, False), (THREE, 1, False), (EIGHT, 0, True)],
    ids=[one.name for one in EVERY],
)
def test_no_reachable_combination_opens_a_gate_without_its_evidence(
    workflow: Workflow, extra_drafts: int, strict: bool, answers: Answers, tmp_path: Path
) -> None:
    link = records(workflow, tmp_path)
    with following(workflow):
        tally = Walk(workflow, link, answers, extra_drafts=extra_drafts, strict=strict).run()
    link.close()
    assert tally.states == set(workflow.states), "every state is reached"
    assert tally.edges == set(workflow.edges), "every edge is taken"
    assert tally.without_evidence == 0
    print(
        f"{workflow.name}: {tally.nodes} combinations of {len(tally.states)} states visited, {len(tally.edges)} edges taken"
        f" {tally.moves} times, {tally.refused} attempts refused; {tally.without_evidence} opened a gate without its evidence"
    )


@pytest.mark.parametrize("missing", ["transitions_law", "transitions_return"])
def test_the_walk_finds_the_hole_where_a_law_is_missing(missing: str, answers: Answers, tmp_path: Path) -> None:
    link = records(SOFTWARE, tmp_path)
    link.execute(f"DROP TRIGGER {missing}")
    with following(SOFTWARE), pytest.raises(AssertionError, match="over"):
        Walk(SOFTWARE, link, answers, extra_drafts=1).run()
    link.close()
