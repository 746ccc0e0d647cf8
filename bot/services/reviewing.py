"""Review states: seats attack the artifact, the ledger admits what is proven, the review gate decides (DESIGN sections 5 and 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.domain.facts import Delivered, ReviewRound, SeatReview
from bot.domain.gate import GateResult
from bot.domain.jobs import QUEUE_OF, JobKind
from bot.domain.review import Review
from bot.domain.subject import PlanSubject
from bot.domain.work import CodeSubject
from bot.domain.workflow import Drafting, Stage
from bot.gates.coverage import uncovered, uncovered_citations
from bot.gates.review_gate import REVIEW_GATE
from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.services.desk import Desk, ask, asks_person, halt, new_job, record_gate, take_edge, workflow_of
from bot.services.drafting import next_round, rounds_left, rounds_used
from bot.services.ledgers import Ledgers, SeatAnswer
from bot.services.publishing import Publishing
from bot.services.revisions import Revisions
from bot.services.slots import fresh_rounds


@dataclass(frozen=True, slots=True)
class Reviewing:
    """From ``S.review`` onward, back to ``S.draft``, or once more with a new context."""

    desk: Desk
    ledgers: Ledgers
    publishing: Publishing

    def review(self, tx: Transaction, run: r.Run, stage: Stage) -> r.Run:
        """Ask every seat, judge once when all have answered, then wait until people can see what they are asked about."""
        subject = tx.journal.subject(run.id, stage.name)
        assert subject is not None
        number = run.rounds[stage.name]
        judged = run.known.get("judged", {})
        if judged.get("of") == f"{stage.name}:{number}:{subject.sha256}:{judged.get('visit')}" and judged.get(
            "visit"
        ) == self._visit(run):
            return self._onward(tx, run, stage, subject.sha256, int(judged["attempt"]))
        seats = self._seats(run, stage)
        jobs = {seat: ask(tx, self._review_job(tx, run, stage, seat, number, subject.sha256)) for seat in seats}
        bad = next((job for job in jobs.values() if job.state in {"failed", "cancelled"}), None)
        if bad is not None:
            return halt(self.desk, tx, run, bad.reason, dict(bad.result))
        if any(job.state != "done" for job in jobs.values()):
            return run
        answers = {seat: self._answer(run, stage, seat, job, subject.sha256) for seat, job in jobs.items()}
        without = [seat for seat, answer in answers.items() if not answer.counts]
        if without:
            return self._again(tx, run, stage, subject.sha256, without, answers)
        return self._judge(tx, run, stage, subject.sha256, list(answers.values()))

    def _visit(self, run: r.Run) -> int:
        """How often a retry brought the run back to this review; each visit is judged anew."""
        return int(run.known.get("retries", 0))

    def _seats(self, run: r.Run, stage: Stage) -> list[str]:
        count = self.desk.snapshot(run).config.reviewers
        return [f"{stage.reviewer}.{seat}" for seat in range(1, count + 1)]

    def _review_job(self, tx: Transaction, run: r.Run, stage: Stage, seat: str, number: int, subject: str) -> r.Job:
        tries = int(run.known.get("seat_tries", {}).get(f"{stage.name}:{seat}:{number}", 1))
        key = f"{stage.name}:{number}:review:{seat}:{tries}:{self._visit(run)}"
        existing = tx.jobs.by_key(f"{run.id}:{key}")
        if existing is not None:
            return existing
        payload: dict[str, Any] = {
            "snapshot": run.snapshot_sha256,
            "subject": subject,
            "ledger": self.ledgers.for_reviewer(tx, run, stage.name, seat),
            "work_facts": run.known.get("work_facts", "") if stage.drafting is Drafting.STEPS else "",
            "plan_facts": run.known.get("plan_facts", ""),
            "declined": [one["model"] for one in self._refusals(run, seat, stage.name, number)],
        }
        queue = QUEUE_OF[JobKind.REVIEW]
        return new_job(
            self.desk, run, key, JobKind.REVIEW, queue, stage=stage.name, role=seat, round=number, payload=payload
        )

    def _answer(self, run: r.Run, stage: Stage, seat: str, job: r.Job, subject: str) -> SeatAnswer:
        """The seat's last valid submission, with what it judged unopened."""
        name = str(job.result.get("review") or "")
        dropped = [Review.model_validate(self.desk.load(run, one)) for one in job.result.get("dropped", [])]
        model = str(job.result.get("model", ""))
        if not name:
            problem, refused = str(job.result.get("problem", "")), bool(job.result.get("declined"))
            return SeatAnswer(seat, None, tuple(dropped), (), problem, model if refused else "", model)
        review = Review.model_validate(self.desk.load(run, name))
        delivered = [Delivered.model_validate(one) for one in self.desk.load(run, str(job.result["delivered"]))]
        missing = self._uncovered(run, stage, subject, delivered)
        return SeatAnswer(seat, review, tuple(dropped), missing, "", model=model)

    def _uncovered(self, run: r.Run, stage: Stage, subject: str, delivered: list[Delivered]) -> tuple[str, ...]:
        if stage.drafting is Drafting.DOCUMENT:
            plan = PlanSubject.model_validate(self.desk.load(run, subject)).plan
            return uncovered_citations(plan, delivered)
        code = CodeSubject.model_validate(self.desk.load(run, subject))
        Revisions(self.desk).load_trees(run, code)
        return uncovered(self.desk.trees.diff(code.base_tree, code.tree), delivered)

    def _refusals(self, run: r.Run, seat: str, stage: str, number: int) -> list[dict[str, Any]]:
        """Reviews of the round that failed because a model declined, by seat."""
        refusals: list[dict[str, Any]] = list(run.known.get("refusals", []))
        return [one for one in refusals if (one["seat"], one["stage"], one["round"]) == (seat, stage, number)]

    def _with_refusals(self, run: r.Run, stage: Stage, answers: Mapping[str, SeatAnswer]) -> r.Run:
        """Remember which model declined to review, and which one then did: people are shown both."""
        number = run.rounds[stage.name]
        refusals: list[dict[str, Any]] = [dict(one) for one in run.known.get("refusals", [])]
        for seat, answer in answers.items():
            place = {"seat": seat, "stage": stage.name, "round": number}
            if answer.refused:
                refusals.append({**place, "model": answer.refused, "instead": ""})
            elif answer.counts:
                for one in refusals:
                    if place.items() <= one.items() and not one["instead"]:
                        one["instead"] = answer.model
        return replace(run, known={**run.known, "refusals": refusals}) if refusals else run

    def _again(
        self,
        tx: Transaction,
        run: r.Run,
        stage: Stage,
        subject: str,
        without: list[str],
        answers: dict[str, SeatAnswer],
    ) -> r.Run:
        """One new context for a seat that gave no counting review, then a person."""
        number = run.rounds[stage.name]
        again = {seat: answers[seat] for seat in without}
        uncounted = [answer for answer in again.values() if not answer.counts]
        self.ledgers.record_unproven(tx, run, stage, subject, uncounted)
        run = self._with_refusals(run, stage, again)
        tries = dict(run.known.get("seat_tries", {}))
        why = "; ".join(f"{seat}: {answers[seat].why_not}" for seat in without)
        if any(
            int(tries.get(f"{stage.name}:{seat}:{number}", 1)) >= self.desk.limits.review_attempts for seat in without
        ):
            return halt(
                self.desk,
                tx,
                run,
                f"no counting review of the {stage.name} by {', '.join(without)} after two contexts: {why}",
            )
        for seat in without:
            tries[f"{stage.name}:{seat}:{number}"] = int(tries.get(f"{stage.name}:{seat}:{number}", 1)) + 1
        run = replace(run, known={**run.known, "seat_tries": tries})
        return take_edge(
            self.desk,
            tx,
            run,
            stage.review,
            f"{stage.name}.rereview",
            subject=subject,
            kinds=("no_counting_review",),
            facts={"why": why},
        )

    def _judge(self, tx: Transaction, run: r.Run, stage: Stage, subject: str, answers: list[SeatAnswer]) -> r.Run:
        admitted = self.ledgers.admit(tx, run, stage, subject, answers)
        run = self._with_refusals(run, stage, {answer.seat: answer for answer in answers})
        known = {
            **run.known,
            "history": {**run.known.get("history", {}), stage.name: admitted.history},
            "resolutions_refused": {**run.known.get("resolutions_refused", {}), stage.name: admitted.refused},
        }
        run = replace(run, known=known)
        reviews = tuple(
            SeatReview(
                seat=answer.seat,
                subject_sha256=subject,
                verdict=answer.review.verdict,
                uncovered=answer.uncovered,
                leaves_open=admitted.leaves_open.get(answer.seat, ()),
            )
            for answer in answers
            if answer.review is not None
        )
        seats = tuple(answer.seat for answer in answers)
        facts = ReviewRound(subject_sha256=subject, seats=seats, reviews=reviews, open_findings=admitted.open_findings)
        result = REVIEW_GATE.evaluate(facts)
        if result.is_open:
            return self._passed(tx, run, stage, subject, result)
        record_gate(self.desk, tx, run, replace(result, gate=f"{stage.name}.review"), subject)
        if not admitted.open_findings:
            asking = [one.seat for one in reviews if one.verdict != "approve" or one.uncovered]
            unproven = {
                answer.seat: replace(answer, review=None, problem="it asks for changes and proves none")
                for answer in answers
            }
            return self._again(tx, run, stage, subject, asking, unproven)
        return self._rework(tx, run, stage, subject, result, admitted.quarrel)

    def _rework(
        self, tx: Transaction, run: r.Run, stage: Stage, subject: str, result: GateResult, quarrel: str
    ) -> r.Run:
        if quarrel:
            return halt(self.desk, tx, run, quarrel)
        if not rounds_left(self.desk, run, stage):
            reasons = "; ".join(result.closed_by)
            return halt(
                self.desk,
                tx,
                run,
                f"the {stage.name} still has open findings after {rounds_used(run, stage)} rounds: {reasons}",
            )
        run = next_round(run, stage, [])
        return take_edge(
            self.desk,
            tx,
            run,
            stage.draft,
            f"{stage.name}.rework",
            subject=subject,
            kinds=("open_findings",),
            facts=result.as_json(),
        )

    def _passed(self, tx: Transaction, run: r.Run, stage: Stage, subject: str, result: GateResult) -> r.Run:
        gate = f"{stage.name}.review" if asks_person(self.desk, run, stage) else f"{stage.name}.unattended"
        attempt = record_gate(self.desk, tx, run, replace(result, gate=gate), subject)
        visit = self._visit(run)
        judged = {
            "of": f"{stage.name}:{run.rounds[stage.name]}:{subject}:{visit}",
            "visit": visit,
            "attempt": attempt,
            "gate": gate,
        }
        run = replace(run, known={**run.known, "judged": judged})
        return self._onward(tx, run, stage, subject, attempt)

    def _onward(self, tx: Transaction, run: r.Run, stage: Stage, subject: str, attempt: int) -> r.Run:
        """A person is asked only when the rows that show the subject are confirmed."""
        gate = str(run.known["judged"]["gate"])
        if gate.endswith(".unattended"):
            onward = workflow_of(run).after(stage)
            following = workflow_of(run).stage_of(onward)
            run = run if following is None else fresh_rounds(run, following.name)
            return take_edge(self.desk, tx, run, onward, gate, subject=subject, attempt=attempt)
        if not self.publishing.shown(tx, run, stage, subject):
            return run
        return take_edge(self.desk, tx, run, stage.waiting, gate, subject=subject, attempt=attempt)
