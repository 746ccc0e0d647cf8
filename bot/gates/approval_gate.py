"""Whether people approved exactly this subject (DESIGN section 4, *Approval*). Every refusal says what to do about it."""

from __future__ import annotations

import re

from bot.domain.facts import ApprovalClaim, ApprovalFacts
from bot.domain.gate import Gate, Reason, Verdict
from bot.domain.paths import shown
from bot.gates.reasons import judged

WRITE = frozenset({"write", "maintain", "admin"})
MAINTAIN = frozenset({"maintain", "admin"})
QUIET_MS = 120_000
"""How long another subject must be out of sight before a bare ``approve`` is taken to mean this one, milliseconds."""
NAME_CHARACTERS = 8
_HEX = re.compile(r"[0-9a-f]{8,64}")


def readable(facts: ApprovalFacts) -> Reason:
    """What could not be read back is a closed gate."""
    return judged("read back", facts.problems, "Everything the approval rests on was read back.")


def unchanged_body(facts: ApprovalFacts) -> Reason:
    """The text people decided on stands on GitHub byte for byte as we wrote it."""
    problem = facts.body_problem
    problems = (
        [f"The text shown on GitHub differs: {problem.rstrip('.')}; /conductor revise shows it anew"] if problem else []
    )
    return judged("body", problems, "The text shown on GitHub is the one that was written.")


def shown_first(facts: ApprovalFacts) -> Reason:
    """Only what was confirmed on GitHub can be approved."""
    missing = (
        [] if facts.shown_at is not None else ["This was not confirmed on GitHub yet; approve it once it is shown"]
    )
    return judged("shown", (), "It was shown on GitHub.", missing=missing, shown_at=facts.shown_at)


def unchanged_issue(facts: ApprovalFacts) -> Reason:
    """Nobody with write permission changed what the plan was made for."""
    problems = [
        f"The issue's {shown(part)} changed since it was read; /conductor revise plans again"
        for part in facts.issue_changed
    ]
    return judged("issue", problems, "The issue is as it was.", changed=list(facts.issue_changed))


def unchanged_base(facts: ApprovalFacts) -> Reason:
    """The default branch did not change what the plan names."""
    problems = [
        f"{shown(path)} changed on the default branch; /conductor revise plans again" for path in facts.base_changed
    ]
    return judged("base", problems, "The default branch changed none of its files.", changed=list(facts.base_changed))


def enough_people(facts: ApprovalFacts) -> Reason:
    """One valid claim; under high risk one by somebody with maintain or admin, or two by different people."""
    below = tuple(_claim_reason(facts, claim) for claim in facts.claims)
    valid = [claim for claim, reason in zip(facts.claims, below, strict=True) if reason.verdict is Verdict.PASS]
    people = sorted({claim.user_id for claim in valid})
    maintainers = [claim.login for claim in valid if _maintains(claim)]
    values = {"high_risk": facts.high_risk, "user_ids": [str(one) for one in people], "maintainers": maintainers}
    if not valid:
        refused = [reason.sentence for reason in below]
        sentence = " ".join(refused) if refused else "Nobody approved yet; /conductor approve does."
        return Reason("people", Verdict.FAIL, sentence, values, below)
    if facts.high_risk and not maintainers and len(people) < 2:
        sentence = "High risk needs one person with maintain or admin, or a second person with write: one more /conductor approve."
        return Reason("people", Verdict.FAIL, sentence, values, below)
    names = ", ".join(dict.fromkeys(f"@{claim.login}" for claim in valid))
    return Reason("people", Verdict.PASS, f"Approved by {names}.", values, below)


def _claim_reason(facts: ApprovalFacts, claim: ApprovalClaim) -> Reason:
    problems = [*_person_problems(facts, claim), *_time_problems(facts, claim)]
    values = {
        "source": f"{claim.source} {claim.source_id}",
        "user_id": str(claim.user_id),
        "permission": claim.permission,
        "role": claim.role_name,
    }
    return judged(f"claim of @{claim.login}", problems, f"@{claim.login}'s approval counts.", **values)


def _person_problems(facts: ApprovalFacts, claim: ApprovalClaim) -> list[str]:
    who = f"@{shown(claim.login)}"
    found: list[str] = []
    if not claim.is_person:
        found.append(f"{who} is not a person; only a user's own /conductor approve counts")
    if not claim.same_person:
        found.append(f"The permission that was read is not {who}'s; comment /conductor approve again")
    if claim.permission not in WRITE:
        found.append(f"{who} has no write permission; somebody who has it must comment /conductor approve")
    # GitHub's logins ignore case.
    if facts.approvers and claim.login.casefold() not in {login.casefold() for login in facts.approvers}:
        found.append(f"{who} is not among the approvers ({', '.join(facts.approvers)}); one of them must approve")
    if facts.not_author and claim.user_id == facts.issue_author_id:
        found.append(f"{who} wrote the issue, and approvals.not_author asks for somebody else's approval")
    if claim.comment_problem:
        found.append(f"{who}'s approval {claim.comment_problem.rstrip('.')}; comment /conductor approve again")
    return found


def _time_problems(facts: ApprovalFacts, claim: ApprovalClaim) -> list[str]:
    who = f"@{shown(claim.login)}"
    if facts.shown_at is None:
        return [f"{who} approved what was not shown yet; approve it once it is"]
    name = facts.subject_sha256[:NAME_CHARACTERS]
    at = _latest(claim.created_at)
    if at < facts.shown_at:
        return [f"{who} approved before {name} was shown; /conductor approve {name} approves it"]
    named = (claim.named or facts.named).lower()
    other = facts.other_shown_at
    if named and not (_HEX.fullmatch(named) and facts.subject_sha256.startswith(named)):
        return [f"{who} named {shown(named)}, shown is {name}; /conductor approve {name} approves it"]
    if other is not None and facts.shown_at < other <= at:
        return [f"{who} approved {name} after another one was shown; read that one, then approve it"]
    # A button carries the hash it was made for, and so does a named approval: both know which one they mean.
    if claim.source == "button" or named or other is None:
        return []
    if max(other, facts.shown_at) > claim.created_at - QUIET_MS:
        seconds = QUIET_MS // 1000
        mend = f"/conductor approve {name} says that this one is meant"
        return [f"Another one was shown within the {seconds} s before {who}'s comment; {mend}"]
    return []


def _latest(created_at: int) -> int:
    """The last millisecond a time can stand for: GitHub tells comments' times in whole seconds."""
    return created_at + 999 if created_at % 1000 == 0 else created_at


def _maintains(claim: ApprovalClaim) -> bool:
    # `permission` reports maintain as write; `role_name` tells them apart, but may be a custom role's name.
    return claim.role_name in MAINTAIN or claim.permission in MAINTAIN


APPROVAL_GATE: Gate[ApprovalFacts] = Gate(
    "approval",
    (
        ("read back", readable),
        ("shown", shown_first),
        ("body", unchanged_body),
        ("people", enough_people),
        ("issue", unchanged_issue),
        ("base", unchanged_base),
    ),
)
