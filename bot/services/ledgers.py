"""The ledger between its law (`bot.domain.ledger_*`) and its rows: loaded, changed by one round or act, saved with every event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bot.domain.ledger import Ledger, LedgerEvent, LedgerFinding, ReviewedSubject, open_ids, quarrel, reviewed
from bot.domain.ledger_people import CiFinding, HumanFinding, Occasion, add_ci, add_human
from bot.domain.ledger_round import settle
from bot.domain.ledger_submissions import AdmissionRound, SeatSubmissions
from bot.domain.review import Category, Review, Severity
from bot.domain.snapshot import Snapshot
from bot.domain.subject import PlanSubject
from bot.domain.work import CodeSubject, Patch
from bot.domain.workflow import Drafting, Stage
from bot.gates.evidence import Proofs, lines_in
from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.services.desk import Desk, workflow_of
from bot.wording.view import FindingView


@dataclass(frozen=True, slots=True)
class SeatAnswer:
    """What one seat came to: its last valid submission, the ones before it, and the places it judged without opening them."""

    seat: str
    review: Review | None
    dropped: tuple[Review, ...]
    uncovered: tuple[str, ...]
    problem: str

    @property
    def counts(self) -> bool:
        """Whether it is a review at all: an approval of what was never opened is none."""
        return self.review is not None and not (self.review.verdict == "approve" and self.uncovered)

    @property
    def why_not(self) -> str:
        """Why it does not count."""
        if self.review is None:
            return self.problem or "no valid submission"
        return "it approves what it never opened: " + "; ".join(self.uncovered[:5])


@dataclass(frozen=True, slots=True)
class Admitted:
    """A round's result: what is open in this stage, what each seat leaves open, and the quarrel when there is no convergence."""

    open_findings: tuple[str, ...]
    leaves_open: dict[str, tuple[str, ...]]
    quarrel: str
    history: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Ledgers:
    """Loads and changes ledgers inside a transaction."""

    desk: Desk

    def load(self, tx: Transaction, run: r.Run) -> Ledger:
        """The run's ledger."""
        findings = tuple(_finding(row) for row in tx.ledger.findings(run.id))
        events = tuple(_event(row) for row in tx.ledger.events(run.id))
        return Ledger(findings, events)

    def save(self, tx: Transaction, run: r.Run, before: Ledger, after: Ledger) -> None:
        """Write what changed."""
        now = self.desk.clock.now()
        known = {finding.id: finding for finding in before.findings}
        changed = [
            _row(run.id, index + 1, finding)
            for index, finding in enumerate(after.findings)
            if known.get(finding.id) != finding
        ]
        fresh = after.events[len(before.events) :]
        events = [_event_row(run.id, len(before.events) + index + 1, event, now) for index, event in enumerate(fresh)]
        tx.ledger.put(changed, events)
        for event in fresh:
            body = {
                "finding": event.finding,
                "who": event.who,
                "from": event.from_status,
                "to": event.to_status,
                "reason": event.reason,
                "revision": event.revision,
            }
            tx.journal.audit(at=now, kind="finding", subject=f"{run.id}:{event.finding}", body=body)

    def admit(self, tx: Transaction, run: r.Run, stage: Stage, subject: str, answers: Sequence[SeatAnswer]) -> Admitted:
        """Apply a round of reviews by the ledger's law."""
        before = self.load(tx, run)
        snapshot = self.desk.snapshot(run)
        round_ = AdmissionRound(
            stage=stage.name,
            round=run.rounds[stage.name],
            revision=subject,
            submissions=tuple(
                SeatSubmissions(one.seat, one.review, one.dropped) for one in answers if one.review is not None
            ),
            seats=tuple(one.seat for one in answers),
            on_document=stage.drafting is Drafting.DOCUMENT,
            financial_risk=tuple(snapshot.config.financial_risk),
        )
        admission = settle(before, round_, self._proofs(run, stage, subject, before))
        self.save(tx, run, before, admission.ledger)
        memory = reviewed(admission.ledger, round_.round, subject)
        fresh = int(run.known.get("fresh", {}).get(stage.name, 0))
        kept = [one for one in run.known.get("history", {}).get(stage.name, []) if one["round"] > fresh]
        history = [*kept, {"round": memory.round, "subject": subject, "open": sorted(memory.open_fingerprints)}]
        past = [ReviewedSubject(one["round"], one["subject"], frozenset(one["open"])) for one in history]
        opened = tuple(one.id for one in admission.ledger.findings if one.status == "open" and one.stage == stage.name)
        return Admitted(opened, admission.leaves_open, quarrel(admission.ledger, past) or "", history)

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
                    evidence=(),
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

    def _proofs(self, run: r.Run, stage: Stage, subject: str, ledger: Ledger) -> Proofs:
        """Evidence is looked up in the very tree and document under review; older revisions by their own artifacts."""
        redact = self._redact
        revisions = {
            finding.revision for finding in ledger.findings if finding.stage == stage.name and finding.revision
        }
        if stage.drafting is Drafting.DOCUMENT:
            snapshot = self.desk.snapshot(run)
            tree = self.desk.tree(run, snapshot)
            document = self._plan_json(run, subject)
            earlier = {one: self._plan_json(run, one) for one in revisions}
            lines = self._lines_of(tree)
            return Proofs(lines, document, redact, dict.fromkeys(revisions, lines), earlier)
        code = CodeSubject.model_validate(self.desk.load(run, subject))
        self.load_trees(run, code)
        trees = {}
        for one in revisions:
            older = CodeSubject.model_validate(self.desk.load(run, one))
            self.load_trees(run, older)
            trees[one] = self._lines_of(older.tree)
        return Proofs(self._lines_of(code.tree), None, redact, trees, {})

    def _redact(self, text: str) -> str:
        return self.desk.redactor.redact(text).text

    def _plan_json(self, run: r.Run, subject: str) -> Any:
        found: dict[str, Any] = self.desk.load(run, subject)
        return found["plan"]

    def _lines_of(self, tree: str) -> Callable[[str], list[str] | None]:
        def lines(path: str) -> list[str] | None:
            data = self.desk.trees.read(tree, path)
            if data is None or b"\0" in data:
                return None
            # Secrets span lines, so the file is redacted whole, as the model saw it.
            return lines_in(self._redact(data.decode("utf-8", "surrogateescape")))

        return lines

    def load_trees(self, run: r.Run, code: CodeSubject) -> None:
        """Base and head of a code subject into the tree store, which may have lost them; base may be an earlier snapshot's."""
        name = str(run.known.get("bases", {}).get(code.base_tree, run.snapshot_sha256))
        self.desk.tree(run, Snapshot.model_validate_json(self.desk.artifacts.get(run.installation_id, name)))
        patch = Patch.model_validate_json(self.desk.artifacts.get(run.installation_id, code.patch_sha256))
        self.desk.trees.apply(patch)

    def as_feedback(self, tx: Transaction, run: r.Run, stage: str) -> list[str]:
        """Open findings as a drafter is told of them: data with its origin, one paragraph each."""
        return [
            _told(finding)
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
        row = tx.journal.subject(run.id, workflow_of(run).stages[0].name)
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


def snapshot_notes(snapshot: Snapshot) -> tuple[str, ...]:
    """What the run must say about its snapshot."""
    return snapshot.notes


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


def _told(finding: LedgerFinding) -> str:
    places = "; ".join(
        f"{piece['path']}:{piece['start_line']}-{piece['end_line']}" if "path" in piece else f"plan {piece['pointer']}"
        for piece in finding.evidence
    )
    advice = f" Suggestion: {finding.suggestion}" if finding.suggestion else ""
    return f"{finding.id} ({finding.severity.value}, {finding.category.value}, {places or 'no place'}): {finding.title}. {finding.claim}{advice}"


def _finding(row: r.FindingRow) -> LedgerFinding:
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


def _row(run_id: str, seq: int, finding: LedgerFinding) -> r.FindingRow:
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


def _event(row: r.FindingEventRow) -> LedgerEvent:
    return LedgerEvent(
        finding=row.finding_id,
        who=row.who,
        round=row.round,
        revision=row.revision,
        from_status=row.from_status,  # type: ignore[arg-type]  # the column holds one of the law's words
        to_status=row.to_status,  # type: ignore[arg-type]  # the column holds one of the law's words
        reason=row.reason,
        evidence=tuple(row.evidence),
    )


def _event_row(run_id: str, seq: int, event: LedgerEvent, at: int) -> r.FindingEventRow:
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
        evidence=list(event.evidence),
    )
