"""The law of one round of reviews: which findings are admitted, and which earlier ones it settles (I6; DESIGN section 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bot.domain.citation import Pointed
from bot.domain.ledger import (
    UNPROVEN,
    EvidenceJson,
    Ledger,
    LedgerDraft,
    LedgerEvent,
    LedgerFinding,
    Notice,
    Status,
    evidence_json,
    fingerprint,
    gravest,
    is_citation_under,
    piece_keys,
    plain_evidence,
    reopening_problem,
    restated,
    worst,
)
from bot.domain.ledger_resolutions import Resolver
from bot.domain.ledger_submissions import Admission, AdmissionRound, EvidenceCheck
from bot.domain.review import Category, Finding, Severity
from bot.domain.subject import canonical

BACK = "its quote stands again"
"""Reason of a finding that code itself opened again."""


@dataclass(frozen=True, slots=True)
class _Judged:
    """A finding with the answer about each of its pieces."""

    finding: Finding
    evidence: tuple[EvidenceJson, ...]
    compared: tuple[str, ...]
    proven: bool
    concern: bool

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.evidence, (self.finding.title, self.finding.claim))

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(str(piece["key"]) for piece in self.evidence)


def settle(ledger: Ledger, round_: AdmissionRound, check: EvidenceCheck) -> Admission:
    """Applies a whole round to ``ledger``: first its findings, then what came back by itself, then its resolutions.

    In that order a defect that one seat proves again, or that stands again where it was fixed, cannot be talked into being
    fixed by another in the same round.
    """
    draft = LedgerDraft.of(ledger)
    raised = _admit_all(draft, round_, check)
    _open_what_stands_again(draft, round_, check, raised)
    _resolve_all(draft, round_, check, raised)
    return _closed(draft, round_)


def admit(ledger: Ledger, round_: AdmissionRound, check: EvidenceCheck) -> Admission:
    """Applies the findings of a round alone (see ``settle``)."""
    draft = LedgerDraft.of(ledger)
    _admit_all(draft, round_, check)
    return _closed(draft, round_)


def _resolve_all(
    draft: LedgerDraft, round_: AdmissionRound, check: EvidenceCheck, raised: Mapping[str, Sequence[str]]
) -> None:
    Resolver(draft, round_, check, raised).run()


def _closed(draft: LedgerDraft, round_: AdmissionRound) -> Admission:
    change = draft.closed()
    still_open = {finding.id: finding for finding in change.ledger.findings if finding.status == "open"}
    leaving: dict[str, list[str]] = {}
    for finding in still_open.values():
        for seat in finding.raised_by:
            leaving.setdefault(seat, []).append(finding.id)
    for submission in round_.submissions:
        said = [one.finding for one in submission.review.resolutions if one.status == "open"]
        leaving.setdefault(submission.seat, []).extend(said)
    leaves = {
        seat: tuple(name for name in dict.fromkeys(leaving[seat]) if name in still_open)
        for seat in dict.fromkeys(submission.seat for submission in round_.submissions)
    }
    return Admission(change.ledger, change.events, change.notices, leaves)


def _admit_all(draft: LedgerDraft, round_: AdmissionRound, check: EvidenceCheck) -> dict[str, list[str]]:
    """Admits every finding in order; answers which ids were proven by which seats in this round."""
    raised: dict[str, list[str]] = {}
    unproven = {
        canonical(_as_said(known)): known.id
        for known in draft.findings.values()
        if known.is_unproven
        and (known.stage, known.round, known.revision) == (round_.stage, round_.round, round_.revision)
    }
    for submission in round_.submissions:
        final = [(finding, True) for finding in submission.review.findings]
        dropped = [(finding, False) for review in submission.dropped for finding in review.findings]
        for finding, counts in (*final, *dropped):
            judged = _judge(finding, round_, check)
            if not judged.proven and not judged.concern:
                _record_unproven(draft, round_, submission.seat, judged, unproven)
            elif counts:
                name = _admit_one(draft, round_, submission.seat, judged)
                if name:
                    raised.setdefault(name, []).append(submission.seat)
    return raised


def _as_said(known: LedgerFinding) -> dict[str, Any]:
    """A recorded finding as its reviewer submitted it; a round that is judged twice does not record it twice."""
    return {
        "title": known.title,
        "severity": known.severity.value,
        "category": known.category.value,
        "claim": known.claim,
        "evidence": list(plain_evidence(known)),
        "suggestion": known.suggestion,
    }


def _open_what_stands_again(
    draft: LedgerDraft, round_: AdmissionRound, check: EvidenceCheck, raised: dict[str, list[str]]
) -> None:
    """Opens what was fixed and came back, whether or not a reviewer says so: code can see that the quote stands again.

    The quote had to be gone, or rarer, when it was found fixed: what was mended elsewhere than at its place stays fixed.
    """
    for known in list(draft.findings.values()):
        if known.status != "fixed" or known.stage != round_.stage or not known.evidence:
            continue
        first = known.evidence[0]
        now = check.times(first, None)
        if not now:
            continue
        raised_at, fixed_at = check.times(first, known.revision), check.times(first, known.settled_at)
        if raised_at is None or fixed_at is None or not fixed_at < raised_at <= now:
            continue
        opened = restated(
            known, status="open", reason=BACK, settled_by="", settled_at="", by_person=False, revision=round_.revision
        )
        event = LedgerEvent(
            finding=known.id,
            who="admission",
            round=round_.round,
            revision=round_.revision,
            from_status="fixed",
            to_status="open",
            reason=BACK,
            evidence=(first,),
        )
        draft.put(opened, event)
        raised.setdefault(known.id, []).append("admission")


def _judge(finding: Finding, round_: AdmissionRound, check: EvidenceCheck) -> _Judged:
    evidence = tuple(evidence_json(piece, round_.renamed_from) for piece in finding.evidence)
    compared = tuple(check.problem(piece) for piece in finding.evidence)
    lacks_pointer = round_.on_document and not any(isinstance(piece, Pointed) for piece in finding.evidence)
    proven = bool(evidence) and not any(compared) and not lacks_pointer
    # Money is the one exception: there an unproven concern still has to be answered. What is not about money must hold.
    doubtful = [piece for piece, problem in zip(finding.evidence, compared, strict=True) if problem]
    about_money = any(is_citation_under(piece, round_.financial_risk) for piece in finding.evidence)
    concern = not proven and about_money and all(is_citation_under(one, round_.financial_risk) for one in doubtful)
    return _Judged(finding, evidence, compared, proven, concern)


def _record_unproven(
    draft: LedgerDraft, round_: AdmissionRound, seat: str, judged: _Judged, seen: dict[bytes, str]
) -> None:
    content = canonical(judged.finding.model_dump(mode="json"))
    if content in seen:
        known = draft.findings[seen[content]]
        if seat not in known.raised_by:
            known = restated(known, raised_by=(*known.raised_by, seat))
            draft.put(known, _event(known, round_, seat, judged, before="withdrawn"))
        return
    finding = _new(draft.next_id(), round_, seat, judged)
    finding = restated(finding, status="withdrawn", reason=UNPROVEN, settled_by="admission", settled_at=round_.revision)
    seen[content] = finding.id
    draft.put(finding, _event(finding, round_, seat, judged))


def _admit_one(draft: LedgerDraft, round_: AdmissionRound, seat: str, judged: _Judged) -> str:
    """Adds the finding or joins it to the one it repeats; the id it counts for, "" when it is a repetition in vain."""
    known = draft.known_as(judged.keys, judged.fingerprint)
    if known is None:
        finding = _new(draft.next_id(), round_, seat, judged)
        reason = "unproven concern about money" if judged.concern else "proven"
        finding = restated(finding, reason=reason)
        draft.put(finding, _event(finding, round_, seat, judged))
        return finding.id
    if known.status == "open":
        joined = _joined(known, seat, round_, judged)
        if joined != known:
            draft.put(joined, _event(joined, round_, seat, judged, before="open"))
        return known.id
    why_not = _silenced(known, round_.revision, judged)
    if why_not:
        draft.notices.append(Notice(seat, known.id, why_not))
        return ""
    reopened = restated(
        _joined(known, seat, round_, judged),
        status="open",
        reason="raised again",
        settled_by="",
        settled_at="",
        by_person=False,
    )
    draft.put(reopened, _event(reopened, round_, seat, judged, before=known.status))
    return known.id


def _silenced(known: LedgerFinding, revision: str, judged: _Judged) -> str:
    """Why a repetition does not open ``known`` again, "" when it does."""
    if judged.concern:
        return f"{known.id} is {known.status}; only proven evidence opens it again."
    new = set(judged.keys) - set(piece_keys(known))
    # A seat could justify only what was minor and not about security; said to be graver, it is not justified any more.
    graver = worst(judged.finding.severity, known.severity) is not known.severity
    graver = graver or (judged.finding.category is Category.SECURITY and known.category is not Category.SECURITY)
    return reopening_problem(known, revision, has_new=bool(new), is_graver=graver)


def _joined(known: LedgerFinding, seat: str, round_: AdmissionRound, judged: _Judged) -> LedgerFinding:
    """``known`` with what a further raiser adds: nothing that was said is lost, and the graver word counts.

    Proven at this revision, it can only be fixed by what changes after it; raised in this stage, it is this stage's to settle.
    """
    keys = set(piece_keys(known))
    more = tuple(piece for piece in judged.evidence if piece["key"] not in keys) if judged.proven else ()
    claim = judged.finding.claim
    return restated(
        known,
        stage=round_.stage,
        raised_by=known.raised_by if seat in known.raised_by else (*known.raised_by, seat),
        evidence=(*known.evidence, *more),
        severity=worst(known.severity, judged.finding.severity),
        category=gravest(known.category, judged.finding.category),
        claim=known.claim if claim in known.claim else f"{known.claim}\n\n{claim}",
        concern=known.concern and not judged.proven,
        revision=round_.revision if judged.proven else known.revision,
    )


def _new(name: str, round_: AdmissionRound, seat: str, judged: _Judged) -> LedgerFinding:
    said = judged.finding
    return LedgerFinding(
        id=name,
        stage=round_.stage,
        round=round_.round,
        status="open",
        severity=Severity(said.severity),
        category=Category(said.category),
        title=said.title,
        claim=said.claim,
        evidence=judged.evidence,
        suggestion=said.suggestion,
        fingerprint=judged.fingerprint,
        raised_by=(seat,),
        source="reviewer",
        revision=round_.revision,
        concern=judged.concern,
    )


def _event(
    finding: LedgerFinding,
    round_: AdmissionRound,
    seat: str,
    judged: _Judged,
    *,
    before: Status | Literal[""] = "",
) -> LedgerEvent:
    return LedgerEvent(
        finding=finding.id,
        who=seat,
        round=round_.round,
        revision=round_.revision,
        from_status=before,
        to_status=finding.status,
        reason=finding.reason,
        evidence=judged.evidence,
        compared=judged.compared,
    )
