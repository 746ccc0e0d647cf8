"""From a stored delivery to its effect: claimed, read, looked up where it needs a permission, and applied once (I11)."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from bot.domain.errors import ConductorError, StorageBusy
from bot.domain.events import (
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
from bot.domain.jobs import QUEUE_OF, JobKind
from bot.ports import records as r
from bot.ports.github import MalformedPayload, PayloadReader
from bot.ports.queue import Nudge
from bot.ports.storage import Transaction
from bot.services.desk import Desk, backoff
from bot.services.routing import Router, Verdict
from bot.services.setting import Asked

log = structlog.get_logger()

COMMANDS_AT_ONCE = 50
"""How many comments are heard before one label; the sweeper finds the others, labels last."""


@dataclass(frozen=True, slots=True)
class Intake:
    """Settles deliveries. A delivery that fails is tried again with growing pauses and ends as ``dead`` with its reason."""

    desk: Desk
    payloads: PayloadReader
    router: Router

    def route(self, delivery_id: str) -> None:
        """Take one delivery as far as it goes now. Nothing happens when somebody else has it or it is done.

        Commands that wait go before a label: a stop is heard before the next run starts, in whatever order wake-ups come.
        """
        with self.desk.storage.read() as tx:
            commands = tx.deliveries.before(delivery_id, self.desk.clock.now(), COMMANDS_AT_ONCE)
        for one in (*commands, delivery_id):
            self._route(one)

    def _route(self, delivery_id: str) -> None:
        desk = self.desk
        with desk.storage.begin() as tx:
            delivery = tx.deliveries.claim(
                delivery_id, owner=desk.owner, now=desk.clock.now(), lease_ms=desk.limits.lease_ms
            )
        if delivery is None:
            return
        try:
            self._apply(delivery)
        except (MalformedPayload, ConductorError) as error:
            self._failed(delivery, error, final=isinstance(error, MalformedPayload))
        except Exception as error:
            log.exception("delivery_failed", delivery=delivery_id, delivery_event=delivery.event)
            self._failed(delivery, error, final=False)

    def _apply(self, delivery: r.Delivery) -> None:
        event = self.payloads.read(delivery.event, delivery.body)
        with self.desk.storage.begin() as tx:
            verdict = (
                Verdict("ignored", "nothing here is for us") if event is None else self._decide(tx, delivery, event)
            )
            installation_id, repository_id = _origin(event)
            tx.deliveries.settle(
                delivery.id,
                fence=delivery.fence,
                state=verdict.state,
                reason=verdict.reason,
                installation_id=installation_id,
                repository_id=repository_id,
            )
            if verdict.state != "waiting":
                tx.journal.audit(
                    at=self.desk.clock.now(),
                    kind="delivery",
                    subject=delivery.id,
                    body={
                        "event": delivery.event,
                        "sha256": delivery.body_sha256,
                        "state": verdict.state,
                        "reason": verdict.reason,
                    },
                )

    def _decide(self, tx: Transaction, delivery: r.Delivery, event: Event) -> Verdict:
        _learn_places(tx, event, self.desk.clock.now())
        asked = self._asked(tx, delivery)
        if isinstance(asked, Verdict):
            return asked
        verdict = self.router.decide(tx, delivery, event, asked)
        if verdict.look_up is not None and verdict.state == "waiting":
            self._look_up(tx, delivery, event, verdict)
        return verdict

    def _asked(self, tx: Transaction, delivery: r.Delivery) -> Asked | Verdict | None:
        """The permission job's answer, when one was asked for this delivery.

        What was asked before a redelivery armed a dead one again is asked anew, also where the first try after it died.
        """
        jobs = tx.jobs.of_delivery(delivery.id)
        if not jobs or jobs[-1].payload.get("arming") != _arming(delivery):
            return None
        job = jobs[-1]
        if job.state == "done":
            return Asked.from_json(job.result)
        if job.state in {"failed", "cancelled"}:
            return Verdict("dead", job.reason)
        return Verdict("waiting", "the sender's permission is being looked up")

    def _look_up(self, tx: Transaction, delivery: r.Delivery, event: Event, verdict: Verdict) -> None:
        installation_id, repository_id = _origin(event)
        job = r.Job(
            id=self.desk.chance.name(),
            key=f"delivery:{delivery.id}:{len(tx.jobs.of_delivery(delivery.id)) + 1}",
            kind=JobKind.PERMISSION,
            queue=QUEUE_OF[JobKind.PERMISSION],
            created_at=self.desk.clock.now(),
            installation_id=installation_id or 0,
            delivery_id=delivery.id,
            payload={"repository_id": repository_id, "arming": _arming(delivery), **(verdict.look_up or {})},
        )
        tx.jobs.add(job)
        tx.nudge(Nudge.PERFORM, job.id, queue=job.queue)

    def _failed(self, delivery: r.Delivery, error: Exception, *, final: bool) -> None:
        sentence = self.desk.redactor.redact(f"{type(error).__name__}: {error}").text
        dead = final or (delivery.attempts >= self.desk.limits.delivery_attempts and not isinstance(error, StorageBusy))
        pause = 0 if dead else backoff(delivery.attempts)
        with self.desk.storage.begin() as tx:
            tx.deliveries.settle(
                delivery.id,
                fence=delivery.fence,
                state="dead" if dead else "received",
                reason=sentence,
                not_before=self.desk.clock.now() + pause,
            )
            if dead:
                tx.journal.audit(
                    at=self.desk.clock.now(),
                    kind="delivery",
                    subject=delivery.id,
                    body={"event": delivery.event, "state": "dead", "reason": sentence},
                )
        log.warning("delivery_settled", delivery=delivery.id, dead=dead, reason=sentence)


def _arming(delivery: r.Delivery) -> int:
    """The same for all tries of a delivery until it is armed anew: a claim counts one in both, and only an arming sets tries back.

    (A process that leaves changes it, too; then one question more is asked.)
    """
    return delivery.fence - delivery.attempts


def _origin(event: Event | None) -> tuple[int | None, int | None]:
    match event:
        case None:
            return None, None
        case InstallationChanged():
            return event.installation_id, None
        case (
            IssueLabeled()
            | IssueUnlabeled()
            | IssueEdited()
            | IssueClosed()
            | CommentCreated()
            | CommentDeleted()
            | PullClosed()
            | PullHeadMoved()
            | ReviewSubmitted()
            | ReviewCommentCreated()
            | CheckCompleted()
            | ButtonPressed()
            | BranchPushed()
        ):
            return event.origin.installation_id, event.origin.repository.id


def _learn_places(tx: Transaction, event: Event, now: int) -> None:
    """Installations and repositories are learnt from signed deliveries: GitHub vouches for them."""
    if isinstance(event, InstallationChanged):
        gone, last = event.action in {"deleted", "suspend"}, tx.places.installation(event.installation_id)
        # What comes late does not count: a `suspend` after its `unsuspend` would close the installation for ever.
        # An `unsuspend` may tell the very time of the suspension that it ends, as in GitHub's own examples.
        since = 0 if last is None else last.changed_at
        counts = event.at > since or (event.at == since and event.action != "suspend")
        if counts or event.at == 0:
            made = r.Installation(event.installation_id, event.account, gone, now, changed_at=event.at or since)
            tx.places.put_installation(made)
        for ref in event.repositories:
            tx.places.put_repository(
                r.Repository(ref.id, event.installation_id, ref.full_name, ref.default_branch, ref.private)
            )
        return
    origin = event.origin
    owner = origin.repository.full_name.partition("/")[0]
    known = tx.places.installation(origin.installation_id)
    if known is None:
        tx.places.put_installation(r.Installation(origin.installation_id, owner, False, now))
    ref = origin.repository
    tx.places.put_repository(
        r.Repository(ref.id, origin.installation_id, ref.full_name, ref.default_branch, ref.private)
    )
