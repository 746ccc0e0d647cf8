"""Which document of a run people are shown and asked about: a workflow may have several, one after the other."""

from __future__ import annotations

from bot.domain.subject import PlanSubject
from bot.domain.workflow import NEEDS_HUMAN, QUEUED, Approval, Drafting, Stage
from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.services.desk import Desk, workflow_of


def document(desk: Desk, tx: Transaction, run: r.Run) -> tuple[str, PlanSubject] | None:
    """Hash and content of the latest document that people are asked about, or None before there is one."""
    stage = document_stage(tx, run)
    row = tx.journal.subject(run.id, stage.name)
    return None if row is None else (row.sha256, PlanSubject.model_validate(desk.load(run, row.sha256)))


def document_stage(tx: Transaction, run: r.Run) -> Stage:
    """The last stage up to where the run stands whose document people are asked about and that has drafted one.

    What later stages drafted before a `revise` does not count: it rests on what is being changed.
    """
    asking = [one for one in _reached(run) if one.drafting is Drafting.DOCUMENT and one.approval is not Approval.NEVER]
    for stage in reversed(asking):
        if tx.journal.subject(run.id, stage.name) is not None:
            return stage
    return asking[0] if asking else workflow_of(run).stages[0]


def _reached(run: r.Run) -> tuple[Stage, ...]:
    """The stages up to the one the run is in, or came from when it was halted; all of them once it publishes or is over."""
    workflow = workflow_of(run)
    state = run.halted_from if run.state == NEEDS_HUMAN else run.state
    if state in {QUEUED, ""}:
        return workflow.stages[:1]
    stage = workflow.stage_of(state)
    return workflow.stages if stage is None else workflow.stages[: workflow.stages.index(stage) + 1]
