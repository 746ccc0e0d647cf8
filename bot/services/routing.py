"""What an event means for runs: which are started, moved, ended or told something, and by whose permission."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from bot.domain.commands import Command, Misread, parse_commands
from bot.domain.events import (
    Actor,
    BranchPushed,
    ButtonPressed,
    CheckCompleted,
    CommentCreated,
    CommentDeleted,
    Event,
    InstallationChanged,
    IssueClosed,
    IssueEdited,
    IssueLabeled,
    IssueUnlabeled,
    PullClosed,
    PullHeadMoved,
    ReviewCommentCreated,
    ReviewSubmitted,
)
from bot.domain.workflow import IN_REVIEW, PUBLISHING
from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.services.backups import is_restored
from bot.services.commanding import Commander
from bot.services.desk import Desk, is_over
from bot.services.hearing import (
    ask_for_check,
    ask_for_review,
    ask_for_state,
    concerned,
    is_heard,
    remember,
)
from bot.services.setting import Asked, Setting
from bot.services.starting import Starter, started_at
from bot.wording import labels


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a delivery ends for now. ``look_up`` names what the `github` worker must find out first (state ``waiting``)."""

    state: str
    reason: str
    look_up: dict[str, Any] | None = None


def _wait_for(sender: Actor, **more: Any) -> Verdict:
    return Verdict("waiting", f"the permission of {sender.login} is being looked up", {"login": sender.login, **more})


def _done(reason: str) -> Verdict:
    return Verdict("done", reason)


def _ignored(reason: str) -> Verdict:
    return Verdict("ignored", reason)


@dataclass(frozen=True, slots=True)
class Router:
    """Decides on one event inside the delivery's transaction."""

    desk: Desk
    starter: Starter
    commander: Commander

    def decide(self, tx: Transaction, delivery: r.Delivery, event: Event, asked: Asked | None) -> Verdict:
        """``asked`` is None on the first visit; a verdict ``waiting`` with ``look_up`` brings the delivery back with it."""
        match event:
            case IssueLabeled():
                return self._labeled(tx, delivery, event, asked)
            case IssueUnlabeled():
                return self._unlabeled(tx, event)
            case IssueClosed():
                return self._ask_state(
                    tx, event.origin.repository.id, issue=event.issue.number, why=f"closed:{delivery.id}"
                )
            case PullClosed():
                return self._ask_state(
                    tx, event.origin.repository.id, pull=event.number, why=f"pull-closed:{delivery.id}"
                )
            case CommentCreated():
                return self._commented(tx, delivery, event, asked)
            case ButtonPressed():
                return self._pressed(tx, delivery, event, asked)
            case ReviewSubmitted():
                return self._reviewed(tx, delivery, event, asked)
            case CheckCompleted():
                return self._checked(tx, event)
            case PullHeadMoved():
                return self._moved(tx, delivery, event.origin.repository.id, event.head_ref, event.head_sha)
            case BranchPushed():
                return self._moved(
                    tx, delivery, event.origin.repository.id, event.ref.removeprefix("refs/heads/"), event.after
                )
            case IssueEdited() | CommentDeleted() | ReviewCommentCreated():
                return _ignored("read back when it matters: at the approval, or with its review")
            case InstallationChanged():
                return _done(f"installation {event.action}")
            case _:
                assert_never(event)

    def _labeled(self, tx: Transaction, delivery: r.Delivery, event: IssueLabeled, asked: Asked | None) -> Verdict:
        sender = event.origin.sender
        if event.issue.is_pull:
            return _ignored("labels on pull requests start nothing; label the issue")
        if not sender.is_person or event.by_app:
            return _ignored(f"labels set by {sender.kind} accounts start nothing")
        if event.label in labels.PHASES:
            return _ignored("a phase label is ours and means nothing when others set it")
        if asked is None:
            return _wait_for(sender, issue=event.issue.number, label=event.label)
        if event.label != asked.start_label:
            return _ignored(f"the start label is {asked.start_label!r}")
        if asked.withdrawn:
            # Its removal may have come first, in another order or while the permission was looked up, and met no run.
            return _ignored(f"the label {event.label!r} was taken off again")
        setting = Setting.of_issue(event.origin, event.issue, delivery.id, None).under(asked.mode)
        if not asked.is_writer(sender):
            self.commander.decline(tx, setting)
            return _done(f"{sender.login} has no write permission")
        return _done(self.starter.start(tx, setting, by_label=True))

    def _unlabeled(self, tx: Transaction, event: IssueUnlabeled) -> Verdict:
        ended = 0
        for run in tx.runs.of_issue(event.origin.repository.id, event.issue.number):
            if not is_over(run) and run.known.get("start_label", labels.START) == event.label:
                if not run.known.get("by_label", True):
                    continue
                if not event.origin.sender.is_person and is_restored(tx, run):
                    # It may be what this run did itself, later than its records know; a look tells how it ended.
                    continue
                if 0 < event.issue.updated_at < started_at(tx, run):
                    # It came late: the label that started this run was set after it.
                    continue
                locked = tx.runs.lock(run.id)
                if locked is None or is_over(locked):
                    continue
                self.commander.cancel_run(
                    tx, locked, f"{event.origin.sender.login} removed the label {event.label}", kind="unlabel"
                )
                ended += 1
        return _done(f"cancelled {ended} run(s)") if ended else _ignored("no living run rests on that label")

    def _ask_state(self, tx: Transaction, repository_id: int, *, why: str, issue: int = 0, pull: int = 0) -> Verdict:
        """A closing is believed only after the `github` worker has read what was merged."""
        runs = [tx.runs.of_pull(repository_id, pull)] if pull else tx.runs.of_issue(repository_id, issue)
        living = [run for run in runs if run is not None and not is_over(run)]
        for run in living:
            if run.known.get("pull") or not is_restored(tx, run):
                ask_for_state(self.desk, tx, run, why, closed="pull" if pull else "issue")
            # Else a merge that the records do not know of may have closed it: the next look finds both.
        return _done("its state is being read") if living else _ignored("no living run")

    def _commented(self, tx: Transaction, delivery: r.Delivery, event: CommentCreated, asked: Asked | None) -> Verdict:
        sender = event.origin.sender
        found = parse_commands(event.body)
        if not found:
            return _ignored("no command in it")
        if not sender.is_person or event.by_app:
            return _ignored(f"commands by {sender.kind} accounts or through an App count for nothing")
        if asked is None:
            return _wait_for(sender)
        setting = Setting.of_issue(event.origin, event.issue, delivery.id, event.comment_id)
        setting = setting.said_at(event.created_at, asked.permission).under(asked.mode)
        repository_id, number = event.origin.repository.id, event.issue.number
        runs = concerned(tx, repository_id, number, is_pull=event.issue.is_pull)
        if any(is_heard(tx, run, event.comment_id) for run in runs):
            return _done("a look at the issue found it before its delivery came")
        reason = self._obeyed(tx, setting, sender, found, asked)
        # A command may have started a run.
        remember(tx, concerned(tx, repository_id, number, is_pull=event.issue.is_pull), heard=[event.comment_id])
        return _done(reason)

    def _obeyed(
        self, tx: Transaction, setting: Setting, sender: Actor, found: Sequence[Command | Misread], asked: Asked
    ) -> str:
        if not asked.is_writer(sender):
            self.commander.decline(tx, setting)
            return f"{sender.login} has no write permission"
        answers = [
            self.commander.misread(tx, setting, one)
            if isinstance(one, Misread)
            else self.commander.obey(tx, setting, one)
            for one in found
        ]
        return "; ".join(answers)

    def _pressed(self, tx: Transaction, delivery: r.Delivery, event: ButtonPressed, asked: Asked | None) -> Verdict:
        sender = event.origin.sender
        if event.app_id != self.desk.app_id:
            return _ignored("a button on a check that is not ours")
        if not sender.is_person:
            return _ignored("buttons pressed by Apps count for nothing")
        run = self._run_of_check(tx, event)
        if run is None or is_over(run):
            return _ignored("no living run shows that check")
        if asked is None:
            return _wait_for(sender)
        if not asked.is_writer(sender):
            return _done(f"{sender.login} has no write permission")
        return _done(self.commander.press(tx, run, event, delivery.id))

    def _run_of_check(self, tx: Transaction, event: ButtonPressed) -> r.Run | None:
        run_id = event.external_id.partition(":")[0]
        run = tx.runs.lock(run_id)
        return run if run is not None and run.repository_id == event.origin.repository.id else None

    def _reviewed(self, tx: Transaction, delivery: r.Delivery, event: ReviewSubmitted, asked: Asked | None) -> Verdict:
        sender = event.origin.sender
        run = tx.runs.of_pull(event.origin.repository.id, event.number)
        if run is None or is_over(run) or not sender.is_person:
            return _ignored("no living run has that pull request, or no person wrote the review")
        waits = run.state.endswith(".approval") and event.state == "changes_requested"
        if not waits and run.state != IN_REVIEW and not self._is_published(run, event.commit_sha):
            return _ignored(f"a review in state {run.state} changes nothing; comment `/conductor revise` to plan again")
        if asked is None:
            return _wait_for(sender)
        if not asked.is_writer(sender):
            return _done(f"{sender.login} has no write permission")
        if waits:
            run = tx.runs.lock(run.id)
            if run is None or event.review_id in run.known.get("reviewed", []):
                return _done("the review has taken effect already")
            remember(tx, [run], reviewed=[event.review_id])
            setting = Setting.of_run(event.origin, run, delivery.id).under(asked.mode)
            return _done(self.commander.revise(tx, setting, event.body or "Changes were requested in a review."))
        review = {"id": event.review_id, "state": event.state, "body": event.body}
        ask_for_review(self.desk, tx, run, {**review, "by": sender.login, "head": event.commit_sha})
        return _done("the review is being read")

    @staticmethod
    def _is_published(run: r.Run, commit: str) -> bool:
        """Its code stands on GitHub for all to see, though not every row that says so is confirmed."""
        return run.state == PUBLISHING and commit == run.known.get("code_head")

    def _checked(self, tx: Transaction, event: CheckCompleted) -> Verdict:
        if event.app_id == self.desk.app_id:
            return _ignored("our own check")
        if event.conclusion not in {"failure", "timed_out", "cancelled", "action_required"}:
            return _ignored(f"check {event.name} ended {event.conclusion}")
        for number in event.pull_numbers:
            run = tx.runs.of_pull(event.origin.repository.id, number)
            if run is not None and run.state == IN_REVIEW and run.known.get("head") == event.head_sha:
                check = {"id": event.check_run_id, "name": event.name, "conclusion": event.conclusion}
                ask_for_check(self.desk, tx, run, {**check, "head": event.head_sha})
                return _done(f"the failure of {event.name} is being read")
        return _ignored("no run in review stands on that head")

    def _moved(self, tx: Transaction, delivery: r.Delivery, repository_id: int, branch: str, head: str) -> Verdict:
        run = tx.runs.of_branch(repository_id, branch)
        if run is None or is_over(run):
            return _ignored("not a branch of a living run")
        if not run.known.get("pull") or head == run.known.get("head"):
            return _ignored("the head is the one we made")
        why = f"head:{delivery.id}"
        ask_for_state(self.desk, tx, run, why, restored=is_restored(tx, run))
        return _done("the head that moved is being read")
