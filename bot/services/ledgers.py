"""The ledger between its law (`bot.domain.ledger_*`) and its rows: loaded, changed by one round or act, saved with every event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from bot.domain.ledger import (
    EvidenceJson,
    Ledger,
    Notice,
    ReviewedSubject,
    open_ids,
    quarrel,
    reviewed,
)
from bot.domain.ledger_people import CiFinding, HumanFinding, Occasion, add_ci, add_human
from bot.domain.ledger_round import admit, settle
from bot.domain.ledger_submissions import AdmissionRound, SeatSubmissions
from bot.domain.review import Category, Review, Severity
from bot.domain.subject import PlanSubject
from bot.domain.workflow import Drafting, Stage
from bot.gates.evidence import Proofs
from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.services.desk import Desk, workflow_of
from bot.services.ledger_rows import event_of, event_row, finding_of, row_of, told, view_of
from bot.services.revisions import Revisions
from bot.wording.view import FindingView

_NOTHING: Final = Review(verdict="changes_requested")


@dataclass(frozen=True, slots=True)
class SeatAnswer:
    """What one seat came to: its last valid submission, the ones before it, and the places it judged without opening them.

    ``model``: which one answered; ``refused``: its name when it declined.
    """

    seat: str
    review: Review | None
    dropped: tuple[Review, ...]
    uncovered: tuple[str, ...]
    problem: str
    refused: str = ""
    model: str = ""

    @property
    def counts(self) -> bool:
        """Whether it is a review at all: an approval of what was never opened is none, unless it raises something itself."""
        review = self.review
        return review is not None and (review.verdict != "approve" or not self.uncovered or bool(review.findings))

    @property
    def why_not(self) -> str:
        """Why it does not count."""
        if self.refused:
            return f"its model {self.refused} refused to review"
        if self.review is None:
            return self.problem or "no valid submission"
        return "it approves what it never opened: " + "; ".join(self.uncovered[:5])


@dataclass(frozen=True, slots=True)
class Admitted:
    """A round's result: what is open in this stage, what each seat leaves open, and the quarrel when there is no convergence.

    ``refused``: seat, finding and sentence of each resolution that the law did not take.
    """

    open_findings: tuple[str, ...]
    leaves_open: dict[str, tuple[str, ...]]
    quarrel: str
    history: list[dict[str, Any]]
    refused: list[list[str]]


@dataclass(frozen=True, slots=True)
class Ledgers:
    """Loads and changes ledgers inside a transaction."""

    desk: Desk

    def load(self, tx: Transaction, run: r.Run) -> Ledger:
        """The run's ledger."""
        findings = tuple(finding_of(row) for row in tx.ledger.findings(run.id))
        events = tuple(event_of(row) for row in tx.ledger.events(run.id))
        return Ledger(findings, events)

    def save(
        self,
        tx: Transaction,
        run: r.Run,
        before: Ledger,
        after: Ledger,
        found: Callable[[EvidenceJson], str] | None = None,
    ) -> None:
        """Write what changed. ``found``: what stands at a piece's place, kept beside it: that is what was compared."""
        now = self.desk.clock.now()
        known = {finding.id: finding for finding in before.findings}
        changed = [
            row_of(run.id, index + 1, finding)
            for index, finding in enumerate(after.findings)
            if known.get(finding.id) != finding
        ]
        fresh = after.events[len(before.events) :]
        events = [
            event_row(run.id, len(before.events) + index + 1, event, now, found) for index, event in enumerate(fresh)
        ]
        tx.ledger.put(changed, events)
        for event in fresh:
            body = {
                "finding": event.finding,
                "who": event.who,
                "from": event.from_status,
                "to": event.to_status,
                "reason": event.reason,
                "revision": event.revision,
                "problems": [why for why in event.compared if why],
            }
            tx.journal.audit(at=now, kind="finding", subject=f"{run.id}:{event.finding}", body=body)

    def admit(self, tx: Transaction, run: r.Run, stage: Stage, subject: str, answers: Sequence[SeatAnswer]) -> Admitted:
        """Apply a round of reviews by the ledger's law."""
        before = self.load(tx, run)
        round_, proofs = self._round(run, stage, subject, before, answers)
        admission = settle(before, round_, proofs)
        self.save(tx, run, before, admission.ledger, proofs.found)
        self._note(tx, run, round_, admission.notices)
        memory = reviewed(admission.ledger, round_.round, subject)
        fresh = int(run.known.get("fresh", {}).get(stage.name, 0))
        # A round that is judged twice, because a seat got a new context, is one review.
        kept = [
            one
            for one in run.known.get("history", {}).get(stage.name, [])
            if one["round"] > fresh and one["round"] != memory.round
        ]
        history = [*kept, {"round": memory.round, "subject": subject, "open": sorted(memory.open_fingerprints)}]
        past = [ReviewedSubject(one["round"], one["subject"], frozenset(one["open"])) for one in history]
        opened = tuple(one.id for one in admission.ledger.findings if one.status == "open" and one.stage == stage.name)
        refused = [[one.seat, one.finding, one.sentence] for one in admission.notices]
        return Admitted(opened, admission.leaves_open, quarrel(admission.ledger, past) or "", history, refused)

    def record_unproven(
        self, tx: Transaction, run: r.Run, stage: Stage, subject: str, answers: Sequence[SeatAnswer]
    ) -> None:
        """Keep what reviews that do not count could not prove; nothing else of them counts."""
        before = self.load(tx, run)
        emptied = [
            replace(one, review=_NOTHING, dropped=(*([one.review] if one.review else []), *one.dropped))
            for one in answers
        ]
        round_, proofs = self._round(run, stage, subject, before, emptied)
        self.save(tx, run, before, admit(before, round_, proofs).ledger, proofs.found)

    def _round(
        self, run: r.Run, stage: Stage, subject: str, before: Ledger, answers: Sequence[SeatAnswer]
    ) -> tuple[AdmissionRound, Proofs]:
        proofs = Revisions(self.desk).proofs(run, stage, subject, before)
        round_ = AdmissionRound(
            stage=stage.name,
            round=run.rounds[stage.name],
            revision=subject,
            submissions=tuple(
                SeatSubmissions(one.seat, one.review, one.dropped) for one in answers if one.review is not None
            ),
            seats=tuple(one.seat for one in answers),
            on_document=stage.drafting is Drafting.DOCUMENT,
            financial_risk=tuple(self.desk.snapshot(run).config.financial_risk),
            renamed_from=proofs.renamed_from,
        )
        return round_, proofs

    def _note(self, tx: Transaction, run: r.Run, round_: AdmissionRound, notices: Sequence[Notice]) -> None:
        """What a reviewer asked for and did not get is on record, too."""
        for one in notices:
            body = {"seat": one.seat, "finding": one.finding, "refused": one.sentence, "round": round_.round}
            body["revision"] = round_.revision
            tx.journal.audit(
                at=self.desk.clock.now(), kind="finding.refused", subject=f"{run.id}:{one.finding}", body=body
            )

    def add_outside(self, tx: Transaction, run: r.Run, stage: Stage, found: Sequence[dict[str, Any]]) -> None:
        """People's review comments and failing checks, as the `github` worker read them."""
        before = ledger = self.load(tx, run)
        subject = tx.journal.subject(run.id, stage.name)
        occasion = Occasion(
            stage=stage.name, round=run.rounds[stage.name], revision="" if subject is None else subject.sha256
        )
        for one in found:
            if one["source"] == "ci":
                ledger = add_ci(
                    ledger, occasion, CiFinding(check=str(one["check"]), title=str(one["title"]), log=str(one["claim"]))
                ).ledger
            else:
                said = HumanFinding(
                    login=str(one["by"]),
                    severity=Severity.MAJOR,
                    category=Category.CORRECTNESS,
                    title=str(one["title"]),
                    claim=str(one["claim"]),
                    evidence=Revisions(self.desk).commented(run, subject, one),
                )
                ledger = add_human(ledger, occasion, said).ledger
        self.save(tx, run, before, ledger)

    def occasion(self, tx: Transaction, run: r.Run) -> Occasion:
        """Where in the run somebody settles a finding."""
        workflow = workflow_of(run)
        stage = workflow.stage_of(run.state) or workflow.stages[-1]
        subject = tx.journal.subject(run.id, stage.name)
        return Occasion(
            stage=stage.name, round=run.rounds.get(stage.name, 0), revision="" if subject is None else subject.sha256
        )

    def as_feedback(self, tx: Transaction, run: r.Run, stage: str) -> list[str]:
        """Open findings as a drafter is told of them: data with its origin, one paragraph each."""
        return [
            told(finding)
            for finding in self.load(tx, run).findings
            if finding.status == "open" and finding.stage == stage
        ]

    def for_reviewer(self, tx: Transaction, run: r.Run, stage: str, seat: str) -> list[dict[str, Any]]:
        """What a later round's reviewer is shown: every finding of the stage that is not unproven; in the first round nothing."""
        if (
            run.rounds.get(stage, 1) - int(run.known.get("fresh", {}).get(stage, 0)) <= 1
            and not self.load(tx, run).findings
        ):
            return []
        shown = [
            finding for finding in self.load(tx, run).findings if finding.stage == stage and not finding.is_unproven
        ]
        refused: dict[str, str] = {
            name: sentence
            for by, name, sentence in run.known.get("resolutions_refused", {}).get(stage, [])
            if by == seat
        }
        return [
            {
                "id": one.id,
                "status": one.status,
                "severity": one.severity.value,
                "category": one.category.value,
                "title": one.title,
                "claim": one.claim,
                "evidence": [{key: value for key, value in piece.items() if key != "key"} for piece in one.evidence],
                "raised_by_you": seat in one.raised_by,
                "reason": one.reason,
                **({"your_last_answer_was_refused": refused[one.id]} if one.id in refused else {}),
            }
            for one in shown
        ]

    def open_paths(self, tx: Transaction, run: r.Run, stage: str) -> list[str]:
        """Paths where an open finding of the stage stands; "" for one without a place."""
        found: list[str] = []
        for finding in self.load(tx, run).findings:
            if finding.status == "open" and finding.stage == stage:
                found += [str(piece["path"]) for piece in finding.evidence if "path" in piece] or [""]
        return found

    def approved_paths(self, tx: Transaction, run: r.Run) -> frozenset[str]:
        """Paths that the approved plan names."""
        workflow = workflow_of(run)
        row = tx.journal.subject(run.id, workflow.plan_of(workflow.stages[-1]).name)
        return frozenset() if row is None else PlanSubject.model_validate(self.desk.load(run, row.sha256)).plan.paths

    def summaries(self, tx: Transaction, run: r.Run) -> list[tuple[str, str]]:
        """What each step said it did, latest round last wins; untrusted text."""
        found: dict[str, str] = {}
        for job in tx.jobs.of_run(run.id):
            if job.kind == "step" and job.state == "done" and job.result.get("work"):
                found[job.step] = str(self.desk.load(run, str(job.result["work"]))["summary"])
        return sorted(found.items())

    def views(self, tx: Transaction, run: r.Run) -> list[FindingView]:
        """The ledger as people read it."""
        return [view_of(finding) for finding in self.load(tx, run).findings]

    def counts(self, tx: Transaction, run: r.Run) -> tuple[str, ...]:
        """Ids of everything open."""
        return open_ids(self.load(tx, run))
