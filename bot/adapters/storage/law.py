"""Evidence, approvals and transitions: what a run's state is made of (I2, I3). The database checks it all again."""

from __future__ import annotations

import sqlalchemy as sa

from bot.adapters.storage.rows import Link, LockKind, columns_of, values_of
from bot.adapters.tables import approvals, edges, evidence, runs, transitions
from bot.domain.errors import InternalError, SettingsError
from bot.domain.workflow import Workflow
from bot.ports.records import ApprovalRow, EvidenceRow, Transition

_EVIDENCE = columns_of(evidence, EvidenceRow)
_APPROVAL = columns_of(approvals, ApprovalRow)
_TRANSITION = columns_of(transitions, Transition)


class SqlLaw:
    """The half of `bot.ports.storage.Runs` that moves them."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def add_evidence(self, row: EvidenceRow) -> None:
        self._link.run(sa.insert(evidence).values(**values_of(row)))

    def evidence(self, run_id: str, gate: str | None = None) -> list[EvidenceRow]:
        """In the order in which it was seen."""
        found = sa.select(*_EVIDENCE).where(evidence.c.run_id == run_id)
        if gate is not None:
            found = found.where(evidence.c.gate == gate)
        return self._link.all(EvidenceRow, found.order_by(evidence.c.created_at, evidence.c.gate, evidence.c.attempt))

    def next_attempt(self, run_id: str, gate: str) -> int:
        found = sa.select(sa.func.max(evidence.c.attempt)).where(evidence.c.run_id == run_id, evidence.c.gate == gate)
        return 1 + int(self._link.value(found) or 0)

    def move(self, transition: Transition) -> None:
        """Insert; the database writes the run's state."""
        try:
            self._link.run(sa.insert(transitions).values(**values_of(transition)))
        except InternalError as error:
            if "law" not in error.fields:
                raise
            step = f"{transition.from_state} -> {transition.to_state} by gate {transition.gate!r}"
            raise InternalError(
                f"Run {transition.run_id} cannot go {step}, attempt {transition.attempt}: {error.fields['law']}.",
                {**error.fields, "run": transition.run_id, "gate": transition.gate},
            ) from error

    def transitions(self, run_id: str) -> list[Transition]:
        """In order."""
        found = sa.select(*_TRANSITION).where(transitions.c.run_id == run_id)
        return self._link.all(Transition, found.order_by(transitions.c.seq))

    def add_approval(self, row: ApprovalRow) -> int:
        """The id of the stored one where the same source, or an unused approval by the same person, is there already.

        A used approval never opens a second edge, so the same person may approve the same subject anew from another
        comment or press.
        """
        self._link.lock_row(runs, row.run_id)
        same = sa.and_(
            approvals.c.run_id == row.run_id,
            approvals.c.stage == row.stage,
            approvals.c.subject_sha256 == row.subject_sha256,
            approvals.c.by_id == row.by_id,
        )
        again = sa.and_(approvals.c.source == row.source, approvals.c.source_id == row.source_id)
        stored = self._link.value(sa.select(approvals.c.id).where(same, sa.or_(again, approvals.c.used_at == 0)))
        if stored is not None:
            return int(stored)
        insert = sa.insert(approvals).values(**values_of(row, without=frozenset({"id"})))
        return int(self._link.value(insert.returning(approvals.c.id)))

    def use_approval(self, approval_id: int, now: int) -> None:
        """Once."""
        update = sa.update(approvals).where(approvals.c.id == approval_id, approvals.c.used_at == 0)
        if self._link.changed(update.values(used_at=now)) != 1:
            raise InternalError(
                f"Approval {approval_id} is not there or was used before; a person has to approve again.",
                {"approval": str(approval_id)},
            )

    def approvals(self, run_id: str) -> list[ApprovalRow]:
        """In the order in which they were stored."""
        return self._link.all(
            ApprovalRow, sa.select(*_APPROVAL).where(approvals.c.run_id == run_id).order_by(approvals.c.id)
        )

    def add_edges(self, workflow: Workflow) -> None:
        """Add what is missing. A stored edge never changes: a workflow that means something else needs another name."""
        self._link.lock(LockKind.EDGES)
        found = self._link.run(sa.select(edges).where(edges.c.workflow == workflow.name)).mappings().all()
        stored = {(row["from_state"], row["to_state"], row["gate"]): _asked(row) for row in found}
        new = []
        for edge in workflow.edges:
            known = stored.get((edge.start, edge.end, edge.gate))
            if known is None:
                values = {"workflow": workflow.name, "from_state": edge.start, "to_state": edge.end, "gate": edge.gate}
                new.append({**values, "approval": edge.approval, "subject": edge.subject, "rests_on": edge.rests_on})
            elif known != (edge.approval, edge.subject, edge.rests_on):
                raise InternalError(
                    f"Workflow {workflow.name!r} now asks something else of {edge.start} -> {edge.end} by gate "
                    f"{edge.gate!r} than its stored runs were promised; give the new workflow a name of its own.",
                    {"workflow": workflow.name, "gate": edge.gate},
                )
        if new:
            self._may_add(workflow)
            self._link.run(sa.insert(edges), new)

    def _may_add(self, workflow: Workflow) -> None:
        """In PostgreSQL only the tables' owner adds edges."""
        if self._link.is_postgres and not self._link.value(sa.select(sa.func.has_table_privilege("edges", "INSERT"))):
            raise SettingsError(
                f"the database lacks edges of the workflow {workflow.name!r}, and this process's user may not add them: run"
                " `conductor migrate` with the owner's CONDUCTOR_DATABASE_URL, then start again",
                {"workflow": workflow.name},
            )


def _asked(row: sa.RowMapping) -> tuple[bool, str, str]:
    return row["approval"], row["subject"], row["rests_on"]
