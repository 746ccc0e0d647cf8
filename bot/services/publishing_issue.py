"""What a run keeps on its issue: the phase label, the status comment, and a mention when a person must act."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.domain.workflow import NEEDS_HUMAN
from bot.domain.writes import (
    CommentCreate,
    CommentUpdate,
    LabelAdd,
    LabelCreate,
    LabelRemove,
    Write,
)
from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.services.backups import comes_from, restored_at
from bot.services.desk import Desk, is_over, text_hash, workflow_of
from bot.services.documents import document_stage
from bot.services.ledgers import Ledgers
from bot.services.outbox import Outboxes
from bot.services.publishing_checks import later_notes
from bot.services.surfaces import Surfaces, repository_name, surface
from bot.wording import labels, mentions
from bot.wording.status import RunView, status_comment

GONE = (404, 410)


@dataclass(frozen=True, slots=True)
class PublishedIssue:
    """Stages what should stand on the issue."""

    desk: Desk
    outboxes: Outboxes
    surfaces: Surfaces
    ledgers: Ledgers

    def labels(self, tx: Transaction, run: r.Run) -> r.Run:
        """One phase label at a time; at an end the start label goes too."""
        repository = repository_name(tx, run)
        wanted = labels.phase(run.state, paused=run.paused)
        current = str(run.known.get("label", ""))
        known = dict(run.known)
        if wanted != current:
            count = int(known.get("label_count", 0)) + 1
            if wanted:
                color, description = labels.PHASES[wanted]
                self.outboxes.stage(
                    tx,
                    run,
                    LabelCreate(repository, run.issue_number, wanted, color, description),
                    f"label:{run.repository_id}:{wanted}",
                )
                self.outboxes.stage(
                    tx, run, LabelAdd(repository, run.issue_number, wanted), f"{run.id}:label:{count}:add"
                )
            if current:
                self.outboxes.stage(
                    tx, run, LabelRemove(repository, run.issue_number, current), f"{run.id}:label:{count}:remove"
                )
            known |= {"label": wanted, "label_count": count}
        if is_over(run) and known.get("by_label", True) and not known.get("unlabeled"):
            start = str(known.get("start_label", labels.START))
            self.outboxes.stage(
                tx, run, LabelRemove(repository, run.issue_number, start), f"{run.id}:label:start:remove"
            )
        return replace(run, known=known)

    def mention(self, tx: Transaction, run: r.Run) -> r.Run:
        """When a person must act they get a new comment: edits do not notify."""
        text = mentions.for_state(
            run.state,
            requester=run.requester_login,
            issue=run.issue_number,
            pull=int(run.known.get("pull", 0) or 0),
            why=run.halt_reason,
        )
        if text:
            where = run.issue_number
            # In an earlier life of records from a backup another state may have had this number, and its mention.
            mark = restored_at(tx) if run.state == NEEDS_HUMAN else 0
            again = ":restored" if comes_from(run, mark) and run.state_at >= mark else ""
            self.outboxes.comment(tx, run, where, f"mention:{run.state_seq}{again}", text)
        refused = run.known.get("refused")
        if refused:
            self.outboxes.comment(tx, run, run.issue_number, f"refused:{run.version}", str(refused))
            run = replace(run, known={key: value for key, value in run.known.items() if key != "refused"})
        return run

    def status(self, tx: Transaction, run: r.Run) -> r.Run:
        """One comment, edited in place from the first to the last state; gone, it is created anew."""
        repository = repository_name(tx, run)
        text = status_comment(self._view(tx, run))
        comment = run.known.get("status_comment")
        run = self._with_loss(tx, run)
        lost, now = run.known.get("status_renewed", {}), surface(run, "status")
        # The same text on another comment is other content.
        content = f"{text_hash(text)}:{lost['comment']}" if lost else text_hash(text)
        write: Write
        if now.version == 0 or lost.get("version") == now.version:
            write = CommentCreate(repository, run.issue_number, text)
        elif comment and comment != lost.get("comment"):
            write = CommentUpdate(repository, run.issue_number, int(comment), text)
        else:
            return run
        return self.surfaces.keep(tx, run, "status", content, write)

    @staticmethod
    def _with_loss(tx: Transaction, run: r.Run) -> r.Run:
        """Note which comment is gone, and the version of the surface then: GitHub had none when it was last to be edited, or
        a look at the issue found none.
        """
        known, now = run.known, surface(run, "status")
        comment, row = known.get("status_comment"), tx.outbox.by_key(now.key)
        refused = row is not None and row.kind == "comment.update" and row.state == "dead"
        gone = refused and row is not None and row.response.get("status") in GONE
        if not comment or not (gone or known.get("status_lost") == comment):
            return run
        if known.get("status_renewed", {}).get("comment") == comment:
            return run
        renewed = {"comment": comment, "version": now.version}
        return replace(run, known={**known, "status_renewed": renewed})

    def _view(self, tx: Transaction, run: r.Run) -> RunView:
        stage = workflow_of(run).stage_of(run.state)
        plan = tx.journal.subject(run.id, document_stage(tx, run).name)
        findings = self.ledgers.views(tx, run)
        notes = self.desk.snapshot(run).notes if run.snapshot_sha256 else ()
        return RunView(
            run_id=run.id,
            state=run.state,
            paused=run.paused,
            requester=run.requester_login,
            stage="" if stage is None else stage.name,
            round=0 if stage is None else run.rounds.get(stage.name, 0),
            why=run.halt_reason,
            open_findings=sum(1 for one in findings if one.status == "open"),
            settled_findings=sum(1 for one in findings if one.status != "open"),
            spent=run.spent_micro_dollars,
            budget=run.budget_micro_dollars,
            pull=int(run.known.get("pull", 0) or 0),
            plan_hash="" if plan is None else plan.sha256[:8],
            mode=run.mode,
            notes=(*notes, *later_notes(run)),
            page=f"{self.desk.public_url}/runs/{run.id}" if self.desk.public_url else "",
        )
