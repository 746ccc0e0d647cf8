"""The two checks that a run keeps on the heads of its branch: what was decided about the plan, and the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot.domain.subject import PlanSubject
from bot.domain.work import CodeSubject
from bot.domain.workflow import CANCELLED, NEEDS_HUMAN
from bot.domain.writes import (
    CheckRunCreate,
    CheckRunUpdate,
    Write,
)
from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.services.desk import Desk, is_over, text_hash, workflow_of
from bot.services.documents import document, document_stage
from bot.services.ledgers import Ledgers
from bot.services.outbox import Outboxes
from bot.services.revisions import Revisions
from bot.services.slots import valid_approval
from bot.services.surfaces import Surfaces, repository_name, surface
from bot.wording import checks, reading
from bot.wording.view import FindingView

PLAN_CHECK = "Conductor: plan"
LEDGER_CHECK = "Conductor: review ledger"
ANNOTATIONS_A_REQUEST = 50


@dataclass(frozen=True, slots=True)
class PublishedChecks:
    """Stages what the checks should say."""

    desk: Desk
    outboxes: Outboxes
    surfaces: Surfaces
    ledgers: Ledgers

    def keep(self, tx: Transaction, run: r.Run) -> r.Run:
        """Both checks on our head, and on a head of somebody else that nobody reviewed it."""
        head = str(run.known.get("head", ""))
        plan = document(self.desk, tx, run)
        if not head or plan is None or not run.known.get("pull"):
            return run
        run = self._plan_check(tx, run, head, plan)
        run = self._ledger_check(tx, run, head)
        foreign = str(run.known.get("foreign_head", ""))
        if foreign and foreign not in run.known.get("heads", []) and not is_over(run):
            write = CheckRunCreate(
                repository_name(tx, run),
                run.branch,
                LEDGER_CHECK,
                foreign,
                f"{run.id}:foreign:{foreign}",
                checks.not_reviewed(foreign),
            )
            self.outboxes.stage(tx, run, write, f"{run.id}:foreign:{foreign}")
        return run

    def _plan_check(self, tx: Transaction, run: r.Run, head: str, plan: tuple[str, PlanSubject]) -> r.Run:
        stage = workflow_of(run).stages[-1]
        code = tx.journal.subject(run.id, stage.name)
        asks_diff = code is not None and (
            run.state == stage.waiting
            or (run.state == stage.review and _passed(run, f"{stage.name}.review", code.sha256))
        )
        asked = document_stage(tx, run).name
        approval = valid_approval(tx, run, asked)
        if run.state == CANCELLED:
            fields, mark = checks.plan_closed(run.halt_reason), "closed"
        elif asks_diff and code is not None:
            fields, mark = checks.diff_waiting(code.sha256, self._diff(run, code.sha256)), code.sha256[:16]
        elif approval is not None:
            fields, mark = checks.plan_approved(plan[1], plan[0], approval.by_login), f"approved:{plan[0][:16]}"
        elif may_show_plan(tx, run, plan[0]):
            fields, mark = checks.plan_waiting(plan[1], plan[0]), plan[0][:16]
        else:
            fields, mark = checks.plan_changing(), f"changing:{run.rounds.get(asked, 0)}"
        return self._keep_check(tx, run, "plan", PLAN_CHECK, head, fields, f"{mark}:{run.state == NEEDS_HUMAN}")

    def _diff(self, run: r.Run, subject: str) -> str:
        code = CodeSubject.model_validate(self.desk.load(run, subject))
        Revisions(self.desk).load_trees(run, code)
        return self.desk.trees.diff_text(code.base_tree, code.tree)

    def _ledger_check(self, tx: Transaction, run: r.Run, head: str) -> r.Run:
        """The ledger on a head of ours. GitHub adds annotations and never removes one, so each goes once a head."""
        findings, notes = self.ledgers.views(tx, run), review_notes(run)
        over = run.halt_reason if run.state == CANCELLED else ""
        fields = checks.ledger(findings, over=over, notes=notes)
        told = sorted((one.id, one.status, one.round) for one in findings)
        mark = text_hash(f"{told}{run.state == CANCELLED}" + "".join(notes))
        waiting = self._unannotated(tx, run, head, findings)
        if surface(run, f"check:ledger:{head[:12]}").version == 0:
            first, waiting = waiting[:ANNOTATIONS_A_REQUEST], waiting[ANNOTATIONS_A_REQUEST:]
            if first:
                fields["output"]["annotations"] = [checks.annotation(one) for one in first]
                run = _annotated(run, head, first)
        run = self._keep_check(tx, run, "ledger", LEDGER_CHECK, head, fields, mark)
        return self._more_annotations(tx, run, head, fields, waiting)

    def _unannotated(self, tx: Transaction, run: r.Run, head: str, findings: list[FindingView]) -> list[FindingView]:
        """Findings that stand on lines of the published head and are not annotated there; before publishing there are none."""
        subject = tx.journal.subject(run.id, workflow_of(run).stages[-1].name)
        if subject is None or not run.known.get("published") or head != run.known.get("code_head"):
            return []
        code = CodeSubject.model_validate(self.desk.load(run, str(run.known["published"])))
        placed, paths = Revisions(self.desk).placed(run, code, findings)
        sent = run.known.get("annotated", {}).get(head[:12], [])
        return [one for one in checks.annotatable(placed, paths) if one.id not in sent]

    def _more_annotations(
        self, tx: Transaction, run: r.Run, head: str, fields: dict[str, Any], waiting: list[FindingView]
    ) -> r.Run:
        check = run.known.get("checks", {}).get(f"ledger:{head[:12]}")
        if not waiting or not check:
            return run
        output = {key: fields["output"][key] for key in ("title", "summary")}
        for start in range(0, len(waiting), ANNOTATIONS_A_REQUEST):
            part = waiting[start : start + ANNOTATIONS_A_REQUEST]
            notes = [checks.annotation(one) for one in part]
            write = CheckRunUpdate(
                repository_name(tx, run), run.branch, int(check), {"output": {**output, "annotations": notes}}
            )
            self.outboxes.stage(tx, run, write, f"{run.id}:annotations:{head[:12]}:{part[0].id}")
        return _annotated(run, head, waiting)

    def _keep_check(
        self, tx: Transaction, run: r.Run, short: str, name: str, head: str, fields: dict[str, Any], mark: str
    ) -> r.Run:
        surface_name = f"check:{short}:{head[:12]}"
        repository = repository_name(tx, run)
        external_id = f"{run.id}:{short}:{mark}"
        known_id = run.known.get("checks", {}).get(f"{short}:{head[:12]}")
        write: Write
        if surface(run, surface_name).version == 0:
            write = CheckRunCreate(repository, run.branch, name, head, external_id, fields)
        elif known_id:
            write = CheckRunUpdate(repository, run.branch, int(known_id), {"external_id": external_id, **fields})
        else:
            return run
        return self.surfaces.keep(tx, run, surface_name, mark, write)


def may_show_plan(tx: Transaction, run: r.Run, plan: str) -> bool:
    """Only a plan that passed its gate and its reviewers is shown; a later draft waits until it has."""
    stage = document_stage(tx, run)
    return run.state == stage.waiting or (run.state == stage.review and _passed(run, f"{stage.name}.review", plan))


def _passed(run: r.Run, gate: str, subject: str) -> bool:
    """Whether the last review that passed was of this very subject, by this gate."""
    judged = run.known.get("judged", {})
    return judged.get("gate") == gate and str(judged["of"]).split(":")[2] == subject


def review_notes(run: r.Run) -> list[str]:
    """Reviews that failed because a model refused, as people are told of them."""
    return [
        checks.review_refused(one["seat"], int(one["round"]), one["model"], one["instead"])
        for one in run.known.get("refusals", [])
    ]


def later_notes(run: r.Run) -> list[str]:
    """What people should know that the snapshot did not know yet."""
    hidden = run.known.get("hidden", {})
    return [reading.hidden_text("later comments and logs", hidden)] if hidden else []


def _annotated(run: r.Run, head: str, findings: Sequence[FindingView]) -> r.Run:
    """Remember which findings were annotated on a head."""
    sent = run.known.get("annotated", {})
    names = [*sent.get(head[:12], []), *(one.id for one in findings)]
    return replace(run, known={**run.known, "annotated": {**sent, head[:12]: names}})
