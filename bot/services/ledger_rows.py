"""The ledger's rows, its law's words, and what people and drafters read: one finding, three forms."""

from __future__ import annotations

from collections.abc import Callable

from bot.domain.ledger import EvidenceJson, LedgerEvent, LedgerFinding
from bot.domain.review import Category, Severity
from bot.ports import records as r
from bot.wording.view import FindingView


def view_of(finding: LedgerFinding) -> FindingView:
    """A finding for the wording: its first citation or pointer is its place."""
    cited = next((piece for piece in finding.evidence if "path" in piece), {})
    pointed = next((piece for piece in finding.evidence if "pointer" in piece), {})
    return FindingView(
        id=finding.id,
        status=finding.status,
        severity=finding.severity.value,
        category=finding.category.value,
        title=finding.title,
        claim=finding.claim,
        reason=finding.reason,
        raised_by=finding.raised_by,
        source=finding.source,
        round=finding.round,
        path=str(cited.get("path", "")),
        start_line=int(cited.get("start_line", 0)),
        end_line=int(cited.get("end_line", 0)),
        quote=str((cited or pointed).get("quote", "")),
        pointer=str(pointed.get("pointer", "")),
        suggestion=finding.suggestion or "",
        unproven=finding.is_unproven,
        concern=finding.concern,
    )


def told(finding: LedgerFinding) -> str:
    """An open finding as a drafter is told of it."""
    places = "; ".join(
        f"{piece['path']}:{piece['start_line']}-{piece['end_line']}" if "path" in piece else f"plan {piece['pointer']}"
        for piece in finding.evidence
    )
    advice = f" Suggestion: {finding.suggestion}" if finding.suggestion else ""
    return f"{finding.id} ({finding.severity.value}, {finding.category.value}, {places or 'no place'}): {finding.title}. {finding.claim}{advice}"


def finding_of(row: r.FindingRow) -> LedgerFinding:
    """A stored finding in the law's words."""
    return LedgerFinding(
        id=row.id,
        stage=row.stage,
        round=row.round,
        status=row.status,  # type: ignore[arg-type]  # the column holds one of the law's words
        severity=Severity(row.severity),
        category=Category(row.category),
        title=row.title,
        claim=row.claim,
        evidence=tuple(row.evidence),
        suggestion=row.suggestion or None,
        fingerprint=row.fingerprint,
        raised_by=tuple(row.raised_by),
        source=row.source,  # type: ignore[arg-type]  # the column holds one of the law's words
        revision=row.revision,
        reason=row.reason,
        **row.extra,
    )


def row_of(run_id: str, seq: int, finding: LedgerFinding) -> r.FindingRow:
    """A finding as it is stored."""
    return r.FindingRow(
        run_id=run_id,
        id=finding.id,
        seq=seq,
        stage=finding.stage,
        round=finding.round,
        status=finding.status,
        reason=finding.reason,
        severity=finding.severity.value,
        category=finding.category.value,
        title=finding.title,
        claim=finding.claim,
        evidence=list(finding.evidence),
        suggestion=finding.suggestion or "",
        fingerprint=finding.fingerprint,
        raised_by=list(finding.raised_by),
        source=finding.source,
        revision=finding.revision,
        extra={
            "concern": finding.concern,
            "settled_by": finding.settled_by,
            "settled_at": finding.settled_at,
            "by_person": finding.by_person,
        },
    )


def event_of(row: r.FindingEventRow) -> LedgerEvent:
    """A stored event in the law's words."""
    compared = [dict(piece.get("compared") or {}) for piece in row.evidence]
    return LedgerEvent(
        finding=row.finding_id,
        who=row.who,
        round=row.round,
        revision=row.revision,
        from_status=row.from_status,  # type: ignore[arg-type]  # the column holds one of the law's words
        to_status=row.to_status,  # type: ignore[arg-type]  # the column holds one of the law's words
        reason=row.reason,
        evidence=tuple({name: value for name, value in piece.items() if name != "compared"} for piece in row.evidence),
        compared=tuple(str(one.get("problem", "")) for one in compared),
    )


def event_row(
    run_id: str, seq: int, event: LedgerEvent, at: int, found: Callable[[EvidenceJson], str] | None
) -> r.FindingEventRow:
    """An event as it is stored: each piece with why it did not hold, and what stands at its place (``found``)."""
    evidence: list[EvidenceJson] = []
    for index, piece in enumerate(event.evidence):
        problem = event.compared[index] if index < len(event.compared) else ""
        stands = {} if found is None else {"found": found(piece)}
        evidence.append({**piece, "compared": {"problem": problem, **stands}})
    return r.FindingEventRow(
        run_id=run_id,
        seq=seq,
        finding_id=event.finding,
        at=at,
        who=event.who,
        round=event.round,
        revision=event.revision,
        from_status=event.from_status,
        to_status=event.to_status,
        reason=event.reason,
        evidence=evidence,
    )
