"""What a command does. Its author's permission is known by now; every answer is a row of the outbox."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, assert_never

from bot.domain import commands as c
from bot.domain.errors import UserError
from bot.domain.events import ButtonPressed
from bot.domain.hidden_markup import as_people_see
from bot.domain.ledger_people import justify, withdraw
from bot.domain.workflow import IN_REVIEW, NEEDS_HUMAN
from bot.domain.writes import ReactionAdd
from bot.ports import records as r
from bot.ports.queue import Nudge
from bot.ports.storage import Transaction
from bot.services.desk import DAY_MS, Desk, end, is_over, wake, with_hidden
from bot.services.ledgers import Ledgers
from bot.services.outbox import Outboxes
from bot.services.queries import explain, sum_of_costs
from bot.services.setting import Setting
from bot.services.starting import Starter
from bot.wording import replies
from bot.wording.ledger_table import ledger_table

LATER_SAID: Final = "what was said after it holds"
"""Deliveries come in any order; of a stop and a resume, or a pause and a resume, the one that was said last counts."""
SAID_IN: Final = "command in comment "
"""The reason of a repository's switch, before the comment's number: GitHub numbers comments in the order of their making."""


def _said_in(reason: str) -> int:
    number = reason.removeprefix(SAID_IN)
    return int(number) if number != reason and number.isdecimal() else 0


@dataclass(frozen=True, slots=True)
class Commander:
    """Obeys commands of people with write permission, and answers the others sparingly."""

    desk: Desk
    starter: Starter
    outboxes: Outboxes
    ledgers: Ledgers

    def decline(self, tx: Transaction, setting: Setting) -> None:
        """For people who may not command: at most one reaction an hour per issue (no reply cannon)."""
        write = ReactionAdd(setting.origin.repository.full_name, setting.issue.number, "confused", setting.comment_id)
        key = self.outboxes.hourly(tx, f"decline:{setting.origin.repository.id}:{setting.issue.number}")
        if key:
            self.outboxes.stage_for(tx, setting, write, key)

    def misread(self, tx: Transaction, setting: Setting, wrong: c.Misread) -> str:
        """Answer a line that begins as a command and is none."""
        self.outboxes.reply(tx, setting, "misread", replies.misread(wrong))
        return f"misread: {wrong.problem}"

    def obey(self, tx: Transaction, setting: Setting, command: c.Command) -> str:
        """Do it, or say why not; returns what happened for the delivery's record."""
        match command:
            case c.Plan():
                return self.starter.start(tx, setting, by_label=False)
            case c.Help():
                return self._help(tx, setting)
            case c.Stop(scope="repository"):
                return self._switch(tx, setting, stopped=True)
            case c.Resume(scope="repository"):
                return self._switch(tx, setting, stopped=False)
            case _:
                run = self._target(tx, setting)
                if run is None:
                    self.outboxes.reply(tx, setting, "no-run", replies.no_run())
                    return "there is no run here"
                return self._obey_on(tx, setting, run, command)

    def _obey_on(self, tx: Transaction, setting: Setting, run: r.Run, command: c.Command) -> str:
        match command:
            case c.Approve():
                return self._approve(tx, setting, run, command.prefix or "")
            case c.Revise():
                return self._revise(tx, setting, run, command.text)
            case c.Retry():
                return self._retry(tx, setting, run)
            case c.Cancel() | c.Stop():
                return self._cancel(tx, setting, run)
            case c.Pause():
                return self._pause(tx, setting, run, paused=True)
            case c.Resume():
                return self._pause(tx, setting, run, paused=False)
            case c.Status():
                return self._answer(tx, setting, run, "status", replies.status(run, sum_of_costs(tx, run.id)))
            case c.Cost():
                return self._answer(tx, setting, run, "cost", replies.cost(run, sum_of_costs(tx, run.id)))
            case c.Ledger():
                return self._answer(tx, setting, run, "ledger", ledger_table(self.ledgers.views(tx, run)))
            case c.Why():
                return self._answer(tx, setting, run, "why", explain(tx, run, command.ref))
            case c.Justify() | c.Withdraw():
                return self._settle(tx, setting, run, command)
            case c.Plan() | c.Help():
                raise AssertionError("answered before a run was looked for")
            case _:
                assert_never(command)

    def press(self, tx: Transaction, run: r.Run, event: ButtonPressed, delivery_id: str) -> str:
        """A button on our own check: counts only when the check's external id holds the current subject's hash."""
        stage = run.state.partition(".")[0]
        subject = tx.journal.subject(run.id, stage) if run.state.endswith(".approval") else None
        if subject is None or subject.sha256[:16] not in event.external_id:
            now = f"{run.state} with {subject.sha256[:16]}" if subject is not None else run.state
            return (
                f"the button of {event.external_id!r} belongs to something that is no longer shown: the run is in {now}"
            )
        match event.identifier:
            case "approve":
                claim = {
                    "source": "button",
                    "source_id": event.check_run_id,
                    "user_id": str(event.origin.sender.id),
                    "login": event.origin.sender.login,
                    "at": self.desk.clock.now(),
                    "named": subject.sha256[:8],
                    "delivery": delivery_id,
                }
                self._claim(tx, run, claim)
                return f"{event.origin.sender.login} pressed Approve"
            case "cancel":
                self.cancel_run(tx, run, f"{event.origin.sender.login} pressed Cancel", kind="button")
                return "cancelled by button"
            case _:
                return f"no button of ours is called {event.identifier!r}"

    def _target(self, tx: Transaction, setting: Setting) -> r.Run | None:
        """The run a comment is about: the pull request's, else the issue's newest at the time when it was said.

        A comment that comes late must not strike the run after the one that it was said about.
        """
        repository_id = setting.origin.repository.id
        if setting.issue.is_pull:
            run = tx.runs.of_pull(repository_id, setting.issue.number)
            return run if run is None else tx.runs.lock(run.id)
        runs, now = tx.runs.of_issue(repository_id, setting.issue.number), self.desk.clock.now()
        # GitHub's times are whole seconds; an end that lies ahead was stored before the clock was set back.
        while len(runs) > 1 and 0 < setting.at < runs[-2].state_at // 1000 * 1000 and runs[-2].state_at <= now:
            runs.pop()
        return tx.runs.lock(runs[-1].id) if runs else None

    def _approve(self, tx: Transaction, setting: Setting, run: r.Run, named: str) -> str:
        if not run.state.endswith(".approval"):
            self.outboxes.reply(tx, setting, "not-waiting", replies.nothing_to_approve(run))
            return f"nothing waits for approval in {run.state}"
        claim = {
            "source": "comment",
            "source_id": setting.comment_id,
            "user_id": str(setting.origin.sender.id),
            "login": setting.origin.sender.login,
            "at": setting.at,
            "named": named,
            "delivery": setting.delivery_id,
            "issue": setting.issue.number,
        }
        self._claim(tx, run, claim)
        return f"{setting.origin.sender.login} approves"

    def _claim(self, tx: Transaction, run: r.Run, claim: dict[str, Any]) -> None:
        """Remember the approval; it is judged when it is used, by what GitHub then shows."""
        claims = [*run.known.get("claims", []), claim]
        tx.runs.save(replace(run, known={**run.known, "claims": claims}))
        wake(tx, run.id, self.desk.clock.now())

    def revise(self, tx: Transaction, setting: Setting, text: str) -> str:
        """Plan again, as a review that requests changes asks for."""
        run = self._target(tx, setting)
        return "there is no run here" if run is None else self._revise(tx, setting, run, text)

    def _revise(self, tx: Transaction, setting: Setting, run: r.Run, text: str) -> str:
        if not (run.state.endswith(".approval") or run.state in {IN_REVIEW, NEEDS_HUMAN}):
            self.outboxes.reply(tx, setting, "cannot-revise", replies.cannot_revise(run))
            return f"a run in {run.state} cannot be revised"
        now, person = self.desk.clock.now(), setting.origin.sender
        revises = [one for one in run.known.get("revises", []) if one["at"] > now - DAY_MS]
        spent = self.starter.spent(tx, run.repository_id, person.id)
        if spent >= self.desk.limits.starts_per_day:
            return self.starter.refuse(tx, setting, spent)
        seen = as_people_see(text)
        wish = {"kind": "revise", "text": seen.text, "by": person.login, "delivery": setting.delivery_id}
        known = {**run.known, "revises": [*revises, {"at": now, "by": str(person.id)}]}
        self._wish(tx, setting, with_hidden(replace(run, known=known, updated_at=now), seen.hidden), wish)
        return f"{person.login} asks for another plan"

    def _retry(self, tx: Transaction, setting: Setting, run: r.Run) -> str:
        if run.state != NEEDS_HUMAN:
            self.outboxes.reply(tx, setting, "cannot-retry", replies.cannot_retry(run))
            return f"a run in {run.state} needs no retry"
        self._wish(
            tx, setting, run, {"kind": "retry", "by": setting.origin.sender.login, "delivery": setting.delivery_id}
        )
        return "retry"

    def _wish(self, tx: Transaction, setting: Setting, run: r.Run, wish: dict[str, Any]) -> None:
        """Remember what is to happen as soon as a slot is free."""
        tx.runs.save(replace(run, known={**run.known, "wish": wish}))
        self._acknowledge(tx, setting, run)
        wake(tx, run.id, self.desk.clock.now())

    def _cancel(self, tx: Transaction, setting: Setting, run: r.Run) -> str:
        if is_over(run):
            self.outboxes.reply(tx, setting, "over", replies.already_over(run))
            return "the run is over"
        self.cancel_run(tx, run, f"{setting.origin.sender.login} asked for it", kind="command")
        self._acknowledge(tx, setting, run)
        return "cancelled"

    def cancel_run(self, tx: Transaction, run: r.Run, why: str, *, kind: str) -> None:
        """End a living run for good."""
        tx.runs.save(end(self.desk, tx, run, why, facts={"kind": kind}))

    def _pause(self, tx: Transaction, setting: Setting, run: r.Run, *, paused: bool) -> str:
        if is_over(run):
            self.outboxes.reply(tx, setting, "over", replies.already_over(run))
            return "the run is over"
        said = setting.comment_id or 0
        if said < int(run.known.get("pause_said", 0)):
            self._acknowledge(tx, setting, run)
            return LATER_SAID
        tx.runs.save(replace(run, paused=paused, known={**run.known, "pause_said": said}))
        now = self.desk.clock.now()
        if not paused and tx.journal.switch("run", run.id) is not None:
            # The flag alone pauses, so that label and status still say so; a switch set from the shell is lifted too.
            tx.journal.set_switch(r.Switch("run", run.id, False, setting.origin.sender.login, "resume", now))
        tx.journal.audit(
            at=now, kind="pause" if paused else "resume", subject=run.id, body={"by": setting.origin.sender.login}
        )
        self._acknowledge(tx, setting, run)
        self._wake(tx, run)
        return "paused" if paused else "resumed"

    def _wake(self, tx: Transaction, run: r.Run) -> None:
        wake(tx, run.id, self.desk.clock.now())
        for job in tx.jobs.of_run(run.id):
            if job.state == "queued":
                tx.nudge(Nudge.PERFORM, job.id, queue=job.queue)

    def _switch(self, tx: Transaction, setting: Setting, *, stopped: bool) -> str:
        permission, sender = setting.permission, setting.origin.sender
        if permission is None or not permission.can_maintain:
            self.outboxes.reply(tx, setting, "maintain", replies.needs_maintain())
            return f"{sender.login} may not stop a repository"
        repository, now = setting.origin.repository, self.desk.clock.now()
        write = ReactionAdd(repository.full_name, setting.issue.number, "+1", setting.comment_id)
        key = f"stop:{setting.comment_id}:{setting.delivery_id}"
        mark, said = tx.journal.switch("repository", str(repository.id)), setting.comment_id or 0
        if mark is not None and said < _said_in(mark.reason):
            self.outboxes.stage_for(tx, setting, write, key)
            return LATER_SAID
        why = f"{SAID_IN}{said}"
        tx.journal.set_switch(r.Switch("repository", str(repository.id), stopped, sender.login, why, now))
        tx.journal.audit(
            at=now,
            kind="stop" if stopped else "resume",
            subject=f"repository:{repository.id}",
            body={"by": sender.login, "by_id": str(sender.id)},
        )
        self.outboxes.stage_for(tx, setting, write, key)
        if not stopped:
            for run in tx.runs.living_of_repository(repository.id):
                self._wake(tx, run)
            tx.nudge(Nudge.DISPATCH, str(setting.origin.installation_id))
        return "stopped" if stopped else "resumed"

    def _settle(self, tx: Transaction, setting: Setting, run: r.Run, command: c.Justify | c.Withdraw) -> str:
        ledger = self.ledgers.load(tx, run)
        act = justify if isinstance(command, c.Justify) else withdraw
        reason = as_people_see(command.reason).text
        try:
            settled = act(ledger, self.ledgers.occasion(tx, run), command.finding, setting.origin.sender.login, reason)
        except UserError as wrong:
            self.outboxes.reply(
                tx, setting, "ledger-problem", replies.finding_not_settled(command.finding, wrong.sentence)
            )
            return wrong.sentence
        self.ledgers.save(tx, run, ledger, settled.ledger)
        self._acknowledge(tx, setting, run)
        wake(tx, run.id, self.desk.clock.now())
        return f"{command.finding} settled"

    def _help(self, tx: Transaction, setting: Setting) -> str:
        """Once an hour per issue."""
        self.outboxes.reply(tx, setting, "help", replies.help_text(), sparing=True)
        return "help"

    def _answer(self, tx: Transaction, setting: Setting, run: r.Run, tag: str, text: str) -> str:
        self.outboxes.reply(tx, setting, tag, text, run=run)
        return tag

    def _acknowledge(self, tx: Transaction, setting: Setting, run: r.Run) -> None:
        if setting.comment_id is not None:
            write = ReactionAdd(setting.origin.repository.full_name, setting.issue.number, "+1", setting.comment_id)
            self.outboxes.stage(tx, run, write, f"ack:{setting.comment_id}")
