"""How a run begins: counted, named, its branch chosen, its snapshot asked for, its first rows staged."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.domain.jobs import QUEUE_OF, JobKind
from bot.domain.workflow import SOFTWARE
from bot.domain.writes import ReactionAdd
from bot.ports import records as r
from bot.ports.queue import Nudge
from bot.ports.storage import Transaction
from bot.services.backups import restored_at, run_name
from bot.services.desk import DAY_MS, Desk, ask, is_over, new_job
from bot.services.outbox import Outboxes
from bot.services.setting import Setting
from bot.wording import labels, replies
from bot.wording.neutral import slug


def started_at(tx: Transaction, run: r.Run) -> int:
    """When what started the run was said, in GitHub's milliseconds, which are whole seconds; 0 when nobody knows."""
    job = tx.jobs.by_key(f"{run.id}:snapshot:1")
    return 0 if job is None else int(job.payload.get("issue_updated_at", 0))


@dataclass(frozen=True, slots=True)
class Starter:
    """Starts runs. At most one living run per issue, at most so many a day per person and repository."""

    desk: Desk
    outboxes: Outboxes

    def start(self, tx: Transaction, setting: Setting, *, by_label: bool) -> str:
        """Start a run for the setting's issue; says what happened. Nothing is started while one lives or the day's count is spent."""
        desk = self.desk
        repository = setting.origin.repository
        sender = setting.origin.sender
        earlier = tx.runs.of_issue(repository.id, setting.issue.number)
        living = [run for run in earlier if not is_over(run)]
        if living:
            self.outboxes.reply(tx, setting, "running", replies.already_running(living[-1].id, living[-1].state))
            return f"run {living[-1].id} is under way already"
        now = desk.clock.now()
        if earlier and 0 < setting.at < started_at(tx, earlier[-1]):
            # It came late: who asked for it has had a run since.
            if not by_label:
                self.outboxes.reply(tx, setting, "unheard", replies.unheard(sender.login))
            return "a later run of the issue was started already"
        spent = self.spent(tx, repository.id, sender.id)
        if spent >= desk.limits.starts_per_day:
            return self.refuse(tx, setting, spent)
        name = run_name(setting.delivery_id)
        if tx.runs.get(name) is not None:
            return f"run {name} was started by this delivery already"
        run = self._new_run(setting, name, len(earlier), by_label=by_label)
        if 0 < setting.at < restored_at(tx):
            # Its first life may have left things on GitHub that these records, from a backup, do not know.
            run = replace(run, known={**run.known, "late": True})
        tx.runs.add(run)
        ask(tx, self._snapshot_job(run, setting, now))
        self._acknowledge(tx, run, setting)
        tx.journal.audit(
            at=now,
            kind="start",
            subject=run.id,
            body={
                "issue": run.issue_number,
                "by": sender.login,
                "by_id": str(sender.id),
                "delivery": setting.delivery_id,
            },
        )
        tx.nudge(Nudge.ADVANCE, run.id)
        return f"run {run.id} started"

    def spent(self, tx: Transaction, repository_id: int, person_id: int) -> int:
        """Starts and revises of a person in a repository within a day, over cancel and relabel (DESIGN section 9)."""
        since = self.desk.clock.now() - DAY_MS
        started = tx.runs.started_today(repository_id, person_id, since)
        return started + tx.runs.revised_today(repository_id, person_id, since)

    def refuse(self, tx: Transaction, setting: Setting, spent: int) -> str:
        """Say so where it was asked for, once an hour for each issue."""
        text = replies.too_many_starts(self.desk.limits.starts_per_day)
        self.outboxes.reply(tx, setting, "limit", text, sparing=True)
        return f"{setting.origin.sender.login} has started or revised {spent} times in 24 hours"

    def _new_run(self, setting: Setting, name: str, earlier: int, *, by_label: bool) -> r.Run:
        issue, origin, now = setting.issue, setting.origin, self.desk.clock.now()
        suffix = f"-{earlier + 1}" if earlier else ""
        return r.Run(
            id=name,
            installation_id=origin.installation_id,
            repository_id=origin.repository.id,
            issue_number=issue.number,
            workflow=SOFTWARE.name,
            branch=f"conductor/{issue.number}-{slug(issue.title)}{suffix}",
            requester_id=origin.sender.id,
            requester_login=origin.sender.login,
            delivery_id=setting.delivery_id,
            created_at=now,
            updated_at=now,
            wakes_at=now,
            mode=setting.mode,
            known={
                "title": issue.title,
                "by_label": by_label,
                "start_label": labels.START,
                "author_id": str(issue.author.id),
                "heard_since": now,
            },
        )

    def _snapshot_job(self, run: r.Run, setting: Setting, now: int) -> r.Job:
        issue = setting.issue
        payload = {
            "number": issue.number,
            "title": issue.title,
            "body": issue.body,
            "author": issue.author.login,
            "author_id": str(issue.author.id),
            "author_kind": issue.author.kind,
            "issue_updated_at": issue.updated_at,
            "at": setting.at or now,
        }
        return new_job(self.desk, run, "snapshot:1", JobKind.SNAPSHOT, QUEUE_OF[JobKind.SNAPSHOT], payload=payload)

    def _acknowledge(self, tx: Transaction, run: r.Run, setting: Setting) -> None:
        repository = setting.origin.repository.full_name
        seen = ReactionAdd(repository, run.issue_number, "eyes", setting.comment_id)
        self.outboxes.stage(tx, run, seen, f"{run.id}:eyes")
