"""Approval states: a person's word is judged when it is used, by what GitHub then shows (DESIGN section 4, *Approval*)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from bot.domain.facts import ApprovalFacts
from bot.domain.jobs import QUEUE_OF, JobKind
from bot.domain.workflow import Approval, Stage
from bot.gates.approval_gate import APPROVAL_GATE
from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.services.desk import DAY_MS, Desk, ask, end, new_job, record_gate, take_edge, workflow_of
from bot.services.outbox import Outboxes
from bot.services.publishing import Publishing
from bot.services.slots import fresh_rounds, slot_free
from bot.wording import replies

FRESH_MS = 300_000
"""Milliseconds for which what was read back for an approval may be used."""


@dataclass(frozen=True, slots=True)
class Approving:
    """From ``S.approval`` onward by a valid approval; unanswered for 14 days, the run is cancelled."""

    desk: Desk
    outboxes: Outboxes
    publishing: Publishing

    def waiting(self, tx: Transaction, run: r.Run, stage: Stage) -> r.Run:
        """Take up the oldest claim that has not been judged."""
        if run.state_at + self.desk.limits.approval_ms <= self.desk.clock.now():
            return end(
                self.desk,
                tx,
                run,
                f"nobody approved within {self.desk.limits.approval_ms // DAY_MS} days",
                facts={"kind": "timeout"},
            )
        claims = run.known.get("claims", [])
        if not claims or not self._has_slot(tx, run):
            return run
        subject = tx.journal.subject(run.id, stage.name)
        assert subject is not None
        claim = claims[0]
        job = ask(tx, self._read_back(tx, run, stage, subject.sha256, claim))
        if job.state == "done" and self.desk.clock.now() - job.done_at > FRESH_MS:
            # A stop, a halt or another run's slot came between: what an approval rests on is read when it is used.
            claim = {**claim, "try": int(claim.get("try", 1)) + 1}
            run = replace(run, known={**run.known, "claims": [claim, *claims[1:]]})
            job = ask(tx, self._read_back(tx, run, stage, subject.sha256, claim))
        if job.state in {"failed", "cancelled"}:
            return self._refused(tx, run, stage, claim, [job.reason])
        if job.state != "done":
            return run
        return self._judge(tx, run, stage, subject.sha256, claim, job)

    def _has_slot(self, tx: Transaction, run: r.Run) -> bool:

        if tx.journal.stopped(repository_id=run.repository_id, run_id=run.id):
            return False
        return slot_free(tx, run)

    def _read_back(self, tx: Transaction, run: r.Run, stage: Stage, subject: str, claim: dict[str, Any]) -> r.Job:
        shown = self.publishing.what_was_shown(tx, run, stage, subject)
        partners = [
            row
            for row in tx.runs.approvals(run.id)
            if row.stage == stage.name and row.subject_sha256 == subject and not row.used_at
        ]
        payload = {
            "snapshot": run.snapshot_sha256,
            "subject": subject,
            "stage": stage.name,
            "claim": claim,
            "partners": [
                {
                    "source": row.source,
                    "source_id": row.source_id,
                    "user_id": str(row.by_id),
                    "login": row.by_login,
                    "at": int(row.evidence.get("created_at", 0)),
                }
                for row in partners
            ],
            "issue": run.issue_number,
            "pull": run.known.get("pull", 0),
            "high_risk": run.risk == "high" and stage.approval is Approval.ALWAYS,
            "dry": run.mode == "dry-run",
            **shown,
        }
        key = f"{stage.name}:approval:{claim['source']}:{_said(claim)}:{subject}:{claim.get('try', 1)}"
        return new_job(
            self.desk, run, key, JobKind.APPROVAL, QUEUE_OF[JobKind.APPROVAL], stage=stage.name, payload=payload
        )

    def _judge(
        self, tx: Transaction, run: r.Run, stage: Stage, subject: str, claim: dict[str, Any], job: r.Job
    ) -> r.Run:
        facts = ApprovalFacts.model_validate(job.result["facts"])
        result = replace(APPROVAL_GATE.evaluate(facts), gate=f"{stage.name}.approval")
        first = facts.claims[0] if facts.claims else None
        alone = replace(APPROVAL_GATE.evaluate(facts.model_copy(update={"high_risk": False})), gate=result.gate)
        if first is None or not alone.is_open:
            record_gate(self.desk, tx, run, alone, subject)
            return self._refused(tx, run, stage, claim, list(alone.closed_by))
        now = self.desk.clock.now()
        granted = r.ApprovalRow(
            id=0,
            run_id=run.id,
            stage=stage.name,
            subject_sha256=subject,
            by_id=first.user_id,
            by_login=first.login,
            permission=first.role_name or first.permission,
            source=first.source,
            source_id=first.source_id,
            granted_at=now,
            evidence=first.model_dump(mode="json"),
        )
        approval = self._grant(tx, granted)
        run = _drop_claim(run)
        attempt = record_gate(self.desk, tx, run, result, subject)
        if not result.is_open:
            self._say(tx, run, claim, replies.second_approval_needed(first.login))
            return run
        return self._use(tx, run, stage, subject, attempt, approval, facts)

    def _grant(self, tx: Transaction, row: r.ApprovalRow) -> int:
        for known in tx.runs.approvals(row.run_id):
            if (known.stage, known.subject_sha256, known.by_id, known.used_at) == (
                row.stage,
                row.subject_sha256,
                row.by_id,
                0,
            ):
                return known.id
        return tx.runs.add_approval(row)

    def _use(
        self, tx: Transaction, run: r.Run, stage: Stage, subject: str, attempt: int, approval: int, facts: ApprovalFacts
    ) -> r.Run:
        now = self.desk.clock.now()
        rows = {
            row.by_id: row
            for row in tx.runs.approvals(run.id)
            if row.subject_sha256 == subject and row.stage == stage.name and not row.used_at
        }
        partners = [
            rows[claim.user_id].id
            for claim in facts.claims[1:]
            if claim.user_id in rows and rows[claim.user_id].id != approval
        ]
        used = (approval, *partners[:1]) if facts.high_risk else (approval,)
        for one in used:
            tx.runs.use_approval(one, now)
        onward = workflow_of(run).after(stage)
        following = workflow_of(run).stage_of(onward)
        approver = facts.claims[0]
        known = {**run.known, "approver": approver.login, "approver_id": str(approver.user_id), "claims": []}
        run = replace(run, known=known)
        if following is not None:
            run = fresh_rounds(run, following.name)
        return take_edge(
            self.desk, tx, run, onward, f"{stage.name}.approval", subject=subject, attempt=attempt, approvals=used
        )

    def _refused(self, tx: Transaction, run: r.Run, stage: Stage, claim: dict[str, Any], reasons: list[str]) -> r.Run:
        """The run stays where it is; the answer says which condition failed and what to do."""
        self._say(tx, run, claim, replies.approval_refused(str(claim["login"]), stage.name, reasons))
        tx.journal.audit(
            at=self.desk.clock.now(),
            kind="approval_refused",
            subject=run.id,
            body={"by": claim["login"], "source_id": str(claim["source_id"]), "reasons": reasons},
        )
        return _drop_claim(run)

    def _say(self, tx: Transaction, run: r.Run, claim: dict[str, Any], text: str) -> None:
        issue = int(claim.get("issue") or run.known.get("pull") or run.issue_number)
        self.outboxes.comment(tx, run, issue, f"approval:{claim['source']}:{_said(claim)}:{run.state_seq}", text)


def _said(claim: dict[str, Any]) -> str:
    """One name for each time that somebody spoke: all presses of a check's button share the check's id."""
    return str(claim["delivery"] if claim["source"] == "button" else claim["source_id"])


def _drop_claim(run: r.Run) -> r.Run:
    return replace(run, known={**run.known, "claims": run.known.get("claims", [])[1:]})
