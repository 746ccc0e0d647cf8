"""What people and CI do to the ledger: they raise findings, and people settle what reviewers may not (DESIGN section 6)."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.citation import Evidence
from bot.domain.errors import UserError
from bot.domain.ledger import (
    Ledger,
    LedgerChange,
    LedgerDraft,
    LedgerEvent,
    LedgerFinding,
    Status,
    evidence_json,
    fingerprint,
    restated,
)
from bot.domain.review import Category, Severity


@dataclass(frozen=True, slots=True)
class Occasion:
    """Where in a run's way something is said: stage, round, and the hash of what was looked at."""

    stage: str
    round: int
    revision: str


@dataclass(frozen=True, slots=True)
class HumanFinding:
    """What a person with write permission asks for, as text; ``evidence`` where the comment stands on a line."""

    login: str
    title: str
    claim: str
    evidence: tuple[Evidence, ...] = ()
    severity: Severity = Severity.MAJOR
    category: Category = Category.CORRECTNESS


@dataclass(frozen=True, slots=True)
class CiFinding:
    """A failed check that counts. ``log`` is data, already redacted and cut."""

    check: str
    title: str
    log: str


def add_human(ledger: Ledger, occasion: Occasion, said: HumanFinding) -> LedgerChange:
    """Adds a person's finding. What a person raises is open, also when it was settled before, by whomever."""
    evidence = tuple(evidence_json(piece) for piece in said.evidence)
    finding = LedgerFinding(
        id="",
        stage=occasion.stage,
        round=occasion.round,
        status="open",
        severity=said.severity,
        category=said.category,
        title=said.title,
        claim=said.claim,
        evidence=evidence,
        suggestion=None,
        # Without a place its own words are what makes it the same; with one, two demands on one line stay two.
        fingerprint=fingerprint((), ("human", *(str(piece["key"]) for piece in evidence), said.claim)),
        raised_by=(f"@{said.login}",),
        source="human",
        revision=occasion.revision,
    )
    return _added(ledger, occasion, finding, f"@{said.login}")


def add_ci(ledger: Ledger, occasion: Occasion, said: CiFinding) -> LedgerChange:
    """Adds a failing check; the same check failing again opens its finding again, unless a person justified it."""
    finding = LedgerFinding(
        id="",
        stage=occasion.stage,
        round=occasion.round,
        status="open",
        severity=Severity.MAJOR,
        category=Category.TESTS,
        title=said.title,
        claim=said.log,
        evidence=(),
        suggestion=None,
        fingerprint=fingerprint((), ("ci", said.check)),
        raised_by=(f"ci:{said.check}",),
        source="ci",
        revision=occasion.revision,
    )
    return _added(ledger, occasion, finding, f"ci:{said.check}")


def _added(ledger: Ledger, occasion: Occasion, finding: LedgerFinding, who: str) -> LedgerChange:
    draft = LedgerDraft.of(ledger)
    known = draft.known_as((), finding.fingerprint)
    before: Status | None = None
    if known is None:
        added = restated(finding, id=draft.next_id(), reason="raised")
    else:
        before = known.status
        added = _again(known, finding, who)
        if added == known or (finding.source == "ci" and before == "justified" and known.by_person):
            return draft.closed()
    event = LedgerEvent(
        finding=added.id,
        who=who,
        round=occasion.round,
        revision=occasion.revision,
        from_status=before or "",
        to_status="open",
        reason=added.reason,
        evidence=finding.evidence,
    )
    draft.put(added, event)
    return draft.closed()


def _again(known: LedgerFinding, finding: LedgerFinding, who: str) -> LedgerFinding:
    return restated(
        known,
        stage=finding.stage,
        status="open",
        reason="raised again",
        claim=finding.claim,
        revision=finding.revision,
        raised_by=known.raised_by if who in known.raised_by else (*known.raised_by, who),
        settled_by="",
        settled_at="",
        by_person=False,
    )


def justify(ledger: Ledger, occasion: Occasion, finding: str, by_person: str, reason: str) -> LedgerChange:
    """A person accepts an open finding as it is; only a person opens it again. Raises ``UserError``."""
    return _settled(ledger, occasion, finding, by_person, status="justified", reason=reason)


def withdraw(ledger: Ledger, occasion: Occasion, finding: str, by_person: str, reason: str) -> LedgerChange:
    """A person strikes an open finding, anybody's. Raises ``UserError``."""
    return _settled(ledger, occasion, finding, by_person, status="withdrawn", reason=reason)


def _settled(
    ledger: Ledger, occasion: Occasion, finding: str, by_person: str, *, status: Status, reason: str
) -> LedgerChange:
    draft = LedgerDraft.of(ledger)
    known = _known(draft, finding)
    if known.status != "open":
        sentence = f"{finding} is {known.status} already; only an open finding can be {status}."
        raise UserError(sentence, {"finding": finding, "status": known.status})
    if not reason.strip():
        raise UserError(f"{finding} needs a reason to be {status}; write it behind the id.", {"finding": finding})
    settled = restated(
        known, status=status, reason=reason, settled_by=f"@{by_person}", settled_at=occasion.revision, by_person=True
    )
    event = LedgerEvent(
        finding=settled.id,
        who=f"@{by_person}",
        round=occasion.round,
        revision=occasion.revision,
        from_status=known.status,
        to_status=status,
        reason=reason,
    )
    draft.put(settled, event)
    return draft.closed()


def _known(draft: LedgerDraft, finding: str) -> LedgerFinding:
    known = draft.findings.get(finding)
    if known is None:
        raise UserError(f"{finding} is not in this run's ledger; /conductor ledger lists it.", {"finding": finding})
    return known
