"""What reviewers may say of earlier findings, and what it takes (DESIGN section 6). Asking for more changes nothing but is noted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.domain.citation import Pointed
from bot.domain.ledger import (
    EvidenceJson,
    LedgerDraft,
    LedgerEvent,
    LedgerFinding,
    Notice,
    Status,
    about_money,
    evidence_json,
    piece_keys,
    reopening_problem,
    restated,
)
from bot.domain.ledger_submissions import AdmissionRound, EvidenceCheck
from bot.domain.review import Category, Resolution, Severity

Answers = Mapping[str, Resolution]


@dataclass(slots=True)
class Resolver:
    """Applies one round's resolutions to ``draft``. ``raised``: which findings were proven in this round, and by whom."""

    draft: LedgerDraft
    round: AdmissionRound
    check: EvidenceCheck
    raised: Mapping[str, Sequence[str]]

    def run(self) -> None:
        """Every finding that somebody spoke about, in the order in which they were first named."""
        for name, answers in self._by_finding().items():
            finding = self.draft.findings.get(name)
            if finding is None:
                self._note(answers, name, f"{name} is not in the ledger.")
            elif finding.status == "withdrawn":
                self._note(
                    answers, name, f"{name} is withdrawn ({finding.reason}); raise it as a new finding with evidence."
                )
            elif finding.status == "open":
                self._on_open(finding, answers)
            else:
                self._on_settled(finding, answers)

    def _by_finding(self) -> dict[str, dict[str, Resolution]]:
        found: dict[str, dict[str, Resolution]] = {}
        for submission in self.round.submissions:
            mixed: set[str] = set()
            for resolution in submission.review.resolutions:
                answers = found.setdefault(resolution.finding, {})
                if answers.setdefault(submission.seat, resolution).status != resolution.status:
                    mixed.add(resolution.finding)
            for name in sorted(mixed):
                del found[name][submission.seat]
                self._note([submission.seat], name, f"{name} is given two different statuses by one review.")
        return found

    def _on_open(self, finding: LedgerFinding, answers: Answers) -> None:
        settling = {seat: one for seat, one in answers.items() if one.status != "open"}
        if not settling:
            return
        again = self.raised.get(finding.id)
        if again:
            self._note(settling, finding.id, f"{finding.id} was proven again in this round by {', '.join(again)}.")
            return
        objectors = [seat for seat, one in answers.items() if one.status == "open"]
        if objectors:
            self._note(settling, finding.id, f"{', '.join(objectors)} holds that {finding.id} is open.")
            return
        self._try(finding, settling, "fixed", self._fix_needs, self._fix_problem)
        self._try(finding, settling, "justified", self._raisers, self._justify_problem)
        self._try(finding, settling, "withdrawn", self._raisers, self._withdraw_problem)

    def _try(
        self,
        finding: LedgerFinding,
        settling: Answers,
        status: Status,
        needed: Callable[[LedgerFinding], Sequence[str]],
        problem: Callable[[LedgerFinding, str, Resolution], str],
    ) -> None:
        saying = {seat: one for seat, one in settling.items() if one.status == status}
        valid: dict[str, Resolution] = {}
        for seat, one in saying.items():
            why = problem(finding, seat, one)
            if why:
                self._note([seat], finding.id, why)
            else:
                valid[seat] = one
        if not valid:
            return
        missing = [seat for seat in needed(finding) if seat not in valid]
        if missing:
            self._note(
                valid, finding.id, f"{finding.id} is {status} only when {', '.join(missing)} confirms it with proof."
            )
            return
        # Who raised it knows best why it is settled.
        first = next(valid[seat] for seat in (*finding.raised_by, *valid) if seat in valid)
        self._move(
            finding, valid, first.reason, status=status, settled_by=", ".join(valid), settled_at=self.round.revision
        )

    def _raisers(self, finding: LedgerFinding) -> Sequence[str]:
        return finding.raised_by

    def _fix_needs(self, finding: LedgerFinding) -> Sequence[str]:
        raisers = [seat for seat in finding.raised_by if seat in self.round.seats]
        # A seat that is gone cannot confirm; then all that are left have to.
        gone = finding.source == "reviewer" and len(raisers) < len(finding.raised_by)
        return self.round.seats if finding.severity is Severity.BLOCKER or gone else raisers

    def _fix_problem(self, finding: LedgerFinding, _seat: str, said: Resolution) -> str:
        if finding.revision == self.round.revision:
            return f"{finding.id} cannot be fixed: nothing changed since it was raised."
        unproven = self._unproven(said)
        if unproven:
            return f"{finding.id} is not shown to be fixed: {unproven}."
        # On a plan only its own values can change, on code only its lines.
        places = [piece for piece in said.evidence if isinstance(piece, Pointed) == self.round.on_document]
        if not places:
            wanted = "a pointer into the plan" if self.round.on_document else "a citation of the new code"
            return f"{finding.id} is not shown to be fixed: its evidence must hold {wanted}."
        still = [self.check.untouched(piece, finding.revision) for piece in places]
        if all(still) and not self.round.on_document and self._is_gone(finding):
            # Its files went: no line is left to be cited beside them.
            return ""
        return f"{finding.id} is not shown to be fixed: {still[0]}." if all(still) else ""

    def _is_gone(self, finding: LedgerFinding) -> bool:
        """Whether every file that the finding cites was deleted since, and not renamed."""
        paths = {str(piece["path"]) for piece in finding.evidence if "path" in piece}
        return bool(paths) and all(self.check.is_gone(path) for path in paths)

    def _justify_problem(self, finding: LedgerFinding, seat: str, said: Resolution) -> str:
        grave = finding.severity is not Severity.MINOR or finding.category is Category.SECURITY
        if grave or finding.source != "reviewer" or about_money(finding, self.round.financial_risk):
            return f"{finding.id} can be justified by a person only."
        return self._not_own(finding, seat) or self._stated(finding, self._unproven(said) if said.evidence else "")

    def _withdraw_problem(self, finding: LedgerFinding, seat: str, said: Resolution) -> str:
        if finding.source != "reviewer":
            return f"{finding.id} was not raised by a reviewer; only a person withdraws it."
        return self._not_own(finding, seat) or self._stated(finding, self._unproven(said))

    @staticmethod
    def _not_own(finding: LedgerFinding, seat: str) -> str:
        if seat in finding.raised_by:
            return ""
        return f"{finding.id} was raised by {', '.join(finding.raised_by)}; {seat} cannot take it back."

    @staticmethod
    def _stated(finding: LedgerFinding, problem: str) -> str:
        return f"{finding.id} stays open: {problem}." if problem else ""

    def _unproven(self, said: Resolution) -> str:
        if not said.evidence:
            return "no evidence is given"
        return next((why for why in map(self.check.problem, said.evidence) if why), "")

    def _on_settled(self, finding: LedgerFinding, answers: Answers) -> None:
        for seat, said in answers.items():
            if said.status == finding.status:
                continue
            known = self.draft.findings[finding.id]
            if said.status == "open" and known.status == "open":
                continue
            why = self._reopen_problem(known, said)
            if why:
                self._note([seat], finding.id, why)
            else:
                raisers = known.raised_by if seat in known.raised_by else (*known.raised_by, seat)
                keys = set(piece_keys(known))
                more = [piece for piece in self._json(said) if piece["key"] not in keys]
                self._move(
                    known,
                    {seat: said},
                    said.reason,
                    status="open",
                    raised_by=raisers,
                    evidence=(*known.evidence, *more),
                    revision=self.round.revision,
                    settled_by="",
                    settled_at="",
                    by_person=False,
                )

    def _reopen_problem(self, known: LedgerFinding, said: Resolution) -> str:
        if said.status != "open":
            return f"{known.id} is {known.status} already."
        unproven = self._unproven(said)
        if unproven:
            return f"{known.id} stays {known.status}: {unproven}."
        new = {piece["key"] for piece in self._json(said)} - set(piece_keys(known))
        return reopening_problem(known, self.round.revision, has_new=bool(new))

    def _json(self, said: Resolution) -> list[EvidenceJson]:
        return [evidence_json(piece, self.round.renamed_from) for piece in said.evidence]

    def _move(self, finding: LedgerFinding, said: Answers, reason: str, **changes: Any) -> None:
        moved = restated(finding, reason=reason, **changes)
        event = LedgerEvent(
            finding=finding.id,
            who=", ".join(said),
            round=self.round.round,
            revision=self.round.revision,
            from_status=finding.status,
            to_status=moved.status,
            reason=reason,
            evidence=tuple(piece for one in said.values() for piece in self._json(one)),
        )
        self.draft.put(moved, event)

    def _note(self, seats: Mapping[str, Resolution] | Sequence[str], finding: str, sentence: str) -> None:
        self.draft.notices.extend(Notice(seat, finding, sentence) for seat in seats)
