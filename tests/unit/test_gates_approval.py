"""The approval gate: a person with the right approves exactly what was shown, and says so where it can be read back."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.facts import ApprovalClaim, ApprovalFacts
from bot.domain.gate import GateResult
from bot.gates.approval_gate import APPROVAL_GATE, QUIET_MS

SHA = "abcdef01" + "2" * 56
SHOWN = 1_700_000_000_000
LATER = SHOWN + 10 * QUIET_MS


def by(login: str = "ana", user_id: int = 1, **changes: Any) -> ApprovalClaim:
    plain = {
        "source": "comment",
        "source_id": 7,
        "user_id": user_id,
        "login": login,
        "is_person": True,
        "same_person": True,
        "permission": "write",
        "role_name": "write",
        "created_at": LATER,
    }
    return ApprovalClaim.model_validate(plain | changes)


def ask(*claims: ApprovalClaim, **changes: Any) -> GateResult:
    plain = {"subject_sha256": SHA, "shown_at": SHOWN, "claims": claims, "issue_author_id": 99}
    return APPROVAL_GATE.evaluate(ApprovalFacts.model_validate(plain | changes))


def test_somebody_with_write_permission_approves() -> None:
    result = ask(by())
    assert result.is_open, result.closed_by
    assert "Approved by @ana." in [reason.sentence for reason in result.reasons]


@pytest.mark.parametrize("permission", ["write", "maintain", "admin"])
def test_write_or_more(permission: str) -> None:
    assert ask(by(permission=permission)).is_open


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"permission": "read", "role_name": "admin"}, "no write permission"),
        ({"permission": "triage"}, "no write permission"),
        ({"permission": ""}, "no write permission"),
        ({"is_person": False}, "not a person"),
        ({"same_person": False}, "not @ana's"),
        ({"comment_problem": "was edited."}, "was edited; comment /conductor approve again"),
        ({"created_at": SHOWN - 1}, "before abcdef01 was shown"),
        ({"named": "abcdef02"}, "named abcdef02"),
        ({"named": "abcdef0"}, "named abcdef0"),
        ({"named": "zzzzzzzz"}, "named zzzzzzzz"),
    ],
)
def test_a_claim_that_does_not_count_says_what_to_do(changes: dict[str, Any], says: str) -> None:
    result = ask(by(**changes))
    assert not result.is_open
    assert any(says in sentence for sentence in result.closed_by), result.closed_by
    (people,) = [reason for reason in result.reasons if reason.verifier == "people"]
    assert says in people.below[0].sentence


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"body_problem": "a criterion is missing."}, "/conductor revise"),
        ({"issue_changed": ("title",)}, "issue's title changed since it was read; /conductor revise"),
        ({"base_changed": ("a.py",)}, "a.py changed on the default branch; /conductor revise"),
        ({"problems": ("The comment is gone.",)}, "The comment is gone"),
        ({"shown_at": None}, "not confirmed on GitHub yet"),
        ({"approvers": ("ben",)}, "not among the approvers (ben)"),
        ({"not_author": True, "issue_author_id": 1}, "wrote the issue"),
        ({"named": "12345678"}, "named 12345678"),
    ],
)
def test_what_voids_an_approval(changes: dict[str, Any], says: str) -> None:
    result = ask(by(), **changes)
    assert not result.is_open
    assert any(says in sentence for sentence in result.closed_by), result.closed_by


def test_nobody() -> None:
    assert any("/conductor approve" in sentence for sentence in ask().closed_by)


def test_who_may_despite_narrowing() -> None:
    assert ask(by("Ana"), approvers=("ana",)).is_open
    assert ask(by(), not_author=True).is_open
    assert ask(by(), issue_author_id=1).is_open


def test_one_who_may_not_takes_nothing_from_one_who_may() -> None:
    assert ask(by("mallory", 2, permission="read"), by()).is_open


@pytest.mark.parametrize(
    ("other", "open_"),
    [
        (SHOWN - QUIET_MS, True),
        (LATER - QUIET_MS - 1, False),
        (LATER - 1_000, False),
        (LATER + 5_000, False),
    ],
)
def test_another_subject_in_sight_makes_a_bare_approve_ambiguous(other: int, open_: bool) -> None:
    assert ask(by(), other_shown_at=other).is_open is open_


def test_what_replaced_another_a_moment_ago_must_be_named() -> None:
    moment = {"shown_at": LATER - QUIET_MS + 1, "other_shown_at": LATER - 10 * QUIET_MS}
    assert any("within the 120 s" in sentence for sentence in ask(by(), **moment).closed_by)
    assert ask(by(named="abcdef01"), **moment).is_open
    assert ask(by(named="ABCDEF0122"), **moment).is_open
    assert ask(by(), named="abcdef01", **moment).is_open
    assert ask(by(source="button"), **moment).is_open
    assert ask(by(), shown_at=LATER - QUIET_MS, other_shown_at=LATER - 10 * QUIET_MS).is_open
    assert ask(by(), shown_at=LATER - 1).is_open, "the first plan may be approved at once"


def test_a_newer_subject_voids_even_a_named_approval() -> None:
    result = ask(by(named="abcdef01"), other_shown_at=LATER - 1)
    assert any("after another one was shown" in sentence for sentence in result.closed_by)


def test_githubs_whole_seconds_are_read_as_such() -> None:
    assert ask(by(created_at=SHOWN), shown_at=SHOWN + 999).is_open
    assert not ask(by(created_at=SHOWN), shown_at=SHOWN + 1_000).is_open
    assert not ask(by(created_at=SHOWN + 1), shown_at=SHOWN + 2).is_open


@pytest.mark.parametrize(
    ("claims", "open_"),
    [
        ([by()], False),
        ([by(), by()], False),
        ([by(), by("ben", 2)], True),
        ([by(), by("ben", 2, permission="read")], False),
        ([by("ana", 1), by("ana2", 1)], False),
        ([by(role_name="maintain")], True),
        ([by(permission="admin", role_name="admin")], True),
        ([by(permission="read", role_name="maintain")], False),
        ([by(role_name="custom-maintainer")], False),
        ([by(role_name="maintain", comment_problem="was edited"), by("ben", 2)], False),
    ],
)
def test_high_risk_needs_a_maintainer_or_two_people(claims: list[ApprovalClaim], open_: bool) -> None:
    assert ask(*claims, high_risk=True).is_open is open_
