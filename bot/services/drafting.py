"""Draft states: asks agents for an artifact, then lets the gate judge the facts about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from bot.domain.facts import PlanFacts, WorkFacts
from bot.domain.gate import GateResult
from bot.domain.jobs import QUEUE_OF, JobKind
from bot.domain.plan import waves
from bot.domain.risk import risk as risk_of
from bot.domain.snapshot import Snapshot
from bot.domain.subject import PlanSubject, canonical, sha256_of
from bot.domain.work import CodeSubject, Patch
from bot.domain.workflow import Stage
from bot.gates.plan_gate import PLAN_GATE
from bot.gates.work_gate import WORK_GATE
from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.services.desk import Desk, ask, halt, new_job, record_gate, take_edge, workflow_of
from bot.services.ledgers import Ledgers


@dataclass(frozen=True, slots=True)
class Drafting:
    """From ``S.draft`` to ``S.review`` when the gate opens, back to ``S.draft`` while rounds are left."""

    desk: Desk
    ledgers: Ledgers

    def document(self, tx: Transaction, run: r.Run, stage: Stage) -> r.Run:
        """One context drafts one document (the plan)."""
        number = run.rounds[stage.name]
        job = ask(tx, self._draft_job(tx, run, stage, number))
        if job.state in {"failed", "cancelled"}:
            return halt(self.desk, tx, run, job.reason, dict(job.result))
        if job.state != "done":
            return run
        facts = PlanFacts.model_validate(self.desk.load(run, str(job.result["facts"])))
        result = PLAN_GATE.evaluate(facts)
        if not result.is_open:
            return self._closed(tx, run, stage, result, str(job.result["facts"]))
        snapshot = self.desk.snapshot(run)
        subject = self._plan_subject(run, snapshot, facts)
        self.desk.keep_bytes(tx, run, "subject", subject.document, stage=stage.name)
        run = replace(
            run,
            risk=subject.risk,
            known=_without(run.known, "feedback", "revision") | {"plan_facts": str(job.result["facts"])},
        )
        return self._opened(tx, run, stage, result, subject.sha256)

    def _draft_job(self, tx: Transaction, run: r.Run, stage: Stage, number: int) -> r.Job:
        payload = {
            "snapshot": run.snapshot_sha256,
            "feedback": self._feedback(tx, run, stage),
            "revision": run.known.get("revision", ""),
            "previous": self._previous(tx, run, stage),
        }
        queue = QUEUE_OF[JobKind.DRAFT]
        return new_job(
            self.desk,
            run,
            f"{stage.name}:{number}:draft",
            JobKind.DRAFT,
            queue,
            stage=stage.name,
            role=stage.drafter,
            round=number,
            payload=payload,
        )

    def _previous(self, tx: Transaction, run: r.Run, stage: Stage) -> str:
        subject = tx.journal.subject(run.id, stage.name)
        return "" if subject is None else subject.sha256

    def _feedback(self, tx: Transaction, run: r.Run, stage: Stage) -> list[str]:
        """What closed the gate last, and the open findings of this stage."""
        closed = list(run.known.get("feedback", []))
        return [*closed, *self.ledgers.as_feedback(tx, run, stage.name)]

    def _plan_subject(self, run: r.Run, snapshot: Snapshot, facts: PlanFacts) -> PlanSubject:
        risk = risk_of(
            [entry for step in facts.plan.steps for entry in step.paths],
            snapshot.config.protected,
            ids_readable=any(one.tests is not None for one in facts.runs),
            suspicious_edit=snapshot.issue.suspicious_edit,
        )
        named = {entry.path for step in facts.plan.steps for entry in step.paths} | {
            one.path for one in facts.plan.grounds
        }
        blobs = {
            path: entry.blob for path, entry in sorted(facts.entries.items()) if entry is not None and path in named
        }
        return PlanSubject(
            plan=facts.plan,
            blobs=blobs,
            verify=facts.verify,
            setup=facts.setup,
            config_sha256=sha256_of(canonical(snapshot.config.canonical())),
            risk=risk.level,
            risk_reasons=risk.reasons,
            issue_sha256=sha256_of(canonical(snapshot.issue.model_dump(mode="json"))),
            budget_micro_dollars=run.budget_micro_dollars,
        )

    def steps(self, tx: Transaction, run: r.Run, stage: Stage) -> r.Run:
        """The plan's steps in waves: independent ones side by side, each wave from the merged tree of the one before."""
        plan_row = tx.journal.subject(run.id, workflow_of(run).plan_of(stage).name)
        assert plan_row is not None
        plan = PlanSubject.model_validate_json(self.desk.artifacts.get(run.installation_id, plan_row.sha256))
        number = run.rounds[stage.name]
        wanted = self._wanted_steps(tx, run, stage, plan)
        start = self._accepted_patch(tx, run, stage)
        touched: dict[str, Any] = {"steps": {}, "refused": [], "canaries": [], "conflicts": []}
        for index, wave in enumerate(waves(plan.plan)):
            names = [name for name in wave if name in wanted]
            if not names:
                continue
            jobs = [ask(tx, self._step_job(tx, run, stage, number, name, start, plan_row.sha256)) for name in names]
            bad = next((job for job in jobs if job.state in {"failed", "cancelled"}), None)
            if bad is not None:
                return halt(self.desk, tx, run, bad.reason, dict(bad.result))
            if any(job.state != "done" for job in jobs):
                return run
            for job in jobs:
                touched["steps"][job.step] = job.result["paths"]
                touched["refused"] += job.result["refused"]
                touched["canaries"] += job.result["canaries"]
            payload = {
                "snapshot": run.snapshot_sha256,
                "start": start,
                "patches": [job.result["patch"] for job in jobs],
            }
            merge = ask(
                tx,
                new_job(
                    self.desk,
                    run,
                    f"{stage.name}:{number}:merge:{index}",
                    JobKind.MERGE,
                    QUEUE_OF[JobKind.MERGE],
                    stage=stage.name,
                    round=number,
                    payload=payload,
                ),
            )
            if merge.state in {"failed", "cancelled"}:
                return halt(self.desk, tx, run, merge.reason, dict(merge.result))
            if merge.state != "done":
                return run
            touched["conflicts"] += merge.result["conflicts"]
            start = str(merge.result["patch"])
        return self._verified(tx, run, stage, number, start, touched, plan_row.sha256)

    def _wanted_steps(self, tx: Transaction, run: r.Run, stage: Stage, plan: PlanSubject) -> set[str]:
        """In a rework round only steps whose paths hold an open finding; findings elsewhere go to the last step."""
        every = [step.id for step in plan.plan.steps]
        places = self.ledgers.open_paths(tx, run, stage.name)
        if not places:
            return set(every)
        wanted: set[str] = set()
        for place in places:
            owners = [step.id for step in plan.plan.steps if place in {entry.path for entry in step.paths}]
            wanted |= set(owners or every[-1:])
        return wanted

    def _accepted_patch(self, tx: Transaction, run: r.Run, stage: Stage) -> str:
        """The last tree that passed the work gate under this plan, as a patch; "" means base."""
        row = tx.journal.subject(run.id, stage.name)
        if row is None:
            return ""
        subject = CodeSubject.model_validate_json(self.desk.artifacts.get(run.installation_id, row.sha256))
        plan = tx.journal.subject(run.id, workflow_of(run).plan_of(stage).name)
        return subject.patch_sha256 if plan is not None and plan.sha256 == subject.plan_sha256 else ""

    def _step_job(
        self, tx: Transaction, run: r.Run, stage: Stage, number: int, step: str, start: str, plan_sha256: str
    ) -> r.Job:
        payload = {
            "snapshot": run.snapshot_sha256,
            "plan": plan_sha256,
            "start": start,
            "feedback": self._feedback(tx, run, stage),
        }
        queue = QUEUE_OF[JobKind.STEP]
        return new_job(
            self.desk,
            run,
            f"{stage.name}:{number}:step:{step}",
            JobKind.STEP,
            queue,
            stage=stage.name,
            role=stage.drafter,
            round=number,
            step=step,
            payload=payload,
        )

    def _verified(
        self,
        tx: Transaction,
        run: r.Run,
        stage: Stage,
        number: int,
        patch_sha256: str,
        touched: dict[str, Any],
        plan_sha256: str,
    ) -> r.Run:
        payload = {
            "snapshot": run.snapshot_sha256,
            "plan": plan_sha256,
            "plan_facts": run.known["plan_facts"],
            "patch": patch_sha256,
            **touched,
        }
        job = ask(
            tx,
            new_job(
                self.desk,
                run,
                f"{stage.name}:{number}:verify",
                JobKind.VERIFY,
                QUEUE_OF[JobKind.VERIFY],
                stage=stage.name,
                round=number,
                payload=payload,
            ),
        )
        if job.state in {"failed", "cancelled"}:
            return halt(self.desk, tx, run, job.reason, dict(job.result))
        if job.state != "done":
            return run
        facts = WorkFacts.model_validate(self.desk.load(run, str(job.result["facts"])))
        result = WORK_GATE.evaluate(facts)
        if facts.canaries:
            record_gate(self.desk, tx, run, result, patch_sha256)
            return halt(
                self.desk, tx, run, f"a planted secret turned up outside its sandbox: {', '.join(facts.canaries)}"
            )
        if not result.is_open:
            return self._closed(tx, run, stage, result, patch_sha256)
        snapshot = self.desk.snapshot(run)
        patch = Patch.model_validate_json(self.desk.artifacts.get(run.installation_id, patch_sha256))
        self.desk.tree(run, snapshot)
        tree = self.desk.trees.apply(patch)
        subject = CodeSubject(
            base_tree=snapshot.base_tree, tree=tree, patch_sha256=patch_sha256, plan_sha256=plan_sha256
        )
        name = self.desk.keep(tx, run, "subject", subject.model_dump(mode="json"), stage=stage.name)
        run = replace(run, known=_without(run.known, "feedback") | {"work_facts": str(job.result["facts"])})
        return self._opened(tx, run, stage, result, name)

    def _opened(self, tx: Transaction, run: r.Run, stage: Stage, result: GateResult, subject: str) -> r.Run:
        result = replace(result, gate=f"{stage.name}.draft")
        attempt = record_gate(self.desk, tx, run, result, subject)
        return take_edge(self.desk, tx, run, stage.review, f"{stage.name}.draft", subject=subject, attempt=attempt)

    def _closed(self, tx: Transaction, run: r.Run, stage: Stage, result: GateResult, subject: str) -> r.Run:
        """Its reasons go to the role and cost a round; without rounds a person is asked."""
        result = replace(result, gate=f"{stage.name}.draft")
        record_gate(self.desk, tx, run, result, subject)
        reasons = list(result.closed_by)
        if not rounds_left(self.desk, run, stage):
            return halt(
                self.desk,
                tx,
                run,
                f"the {stage.name} gate stayed closed after {rounds_used(run, stage)} rounds: {reasons[0]}",
                {"reasons": reasons},
            )
        run = next_round(run, stage, reasons)
        return take_edge(
            self.desk, tx, run, stage.draft, f"{stage.name}.redraft", kinds=("gate_closed",), facts=result.as_json()
        )


def rounds_used(run: r.Run, stage: Stage) -> int:
    """Drafts of the stage since its last fresh start."""
    return int(run.rounds.get(stage.name, 0)) - int(run.known.get("fresh", {}).get(stage.name, 0))


def rounds_left(desk: Desk, run: r.Run, stage: Stage) -> bool:
    """Whether the stage may draft once more."""
    return rounds_used(run, stage) < desk.snapshot(run).config.rounds


def next_round(run: r.Run, stage: Stage, feedback: list[str]) -> r.Run:
    """Count one more draft and keep what its context is told."""
    return replace(
        run, rounds={**run.rounds, stage.name: run.rounds[stage.name] + 1}, known={**run.known, "feedback": feedback}
    )


def _without(known: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in known.items() if key not in names}
