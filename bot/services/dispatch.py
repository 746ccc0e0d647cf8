"""The sender: takes rows in order, decides once more over fresh facts, sends the very bytes that were hashed, and settles (I1)."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from bot.domain.errors import ConductorError, InternalError, StaleFence, StorageBusy, StorageLost
from bot.domain.repo_config import ConfigError, parse_config
from bot.domain.subject import sha256_of
from bot.domain.writes import CONTENT
from bot.policy.decide import Decision, decide, decision_sha256
from bot.ports import records as r
from bot.ports.github import (
    Approved,
    GitHubBusy,
    GitHubLimited,
    GitHubReader,
    GitHubRefused,
    GitHubWriter,
    OutboxWrite,
    Place,
    Sent,
    approve,
)
from bot.ports.queue import Nudge
from bot.ports.storage import Transaction
from bot.services.backups import is_in_doubt
from bot.services.desk import Desk, backoff, wake
from bot.services.write_facts import facts_at_sending

log = structlog.get_logger()

CONFIG_PATH = ".github/conductor.yml"
FRESH_KINDS = frozenset({"branch.create", "branch.update", "pull.create", "pull.ready"})
"""Kinds whose decision also reads the default branch's configuration as it is now."""
LISTED = frozenset({"comment.create", "comment.reply", "check_run.create", "pull.create"})
"""Kinds whose earlier try is looked up in a list, as that of an update with annotations is."""
HALTED_MS = 60_000
"""How long after a pause is lifted its code is held back at most."""
LONGEST_MS = 10_000
"""For how long an installation waits at once for its hour: then somebody may be owed an answer."""
NOT_FOUND_TRIES = 3
UNSETTLED = (StaleFence, StorageBusy, StorageLost)
"""What says nothing against a row: it stays `sending`, and whoever holds it next looks first whether it is there."""


def _is_listed(row: r.OutboxRow) -> bool:
    return row.kind in LISTED or (row.kind == "check_run.update" and b'"annotations":' in row.payload)


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One installation at a time, one row at a time. Any number of processes may run it; the rows' leases keep them apart."""

    desk: Desk
    reader: GitHubReader
    writer: GitHubWriter
    batch: int = 50

    def dispatch(self, installation_id: int) -> None:
        """Send what may go now, a batch at most; nudges itself for the rest."""
        for _ in range(self.batch):
            if not self._one(installation_id):
                return
        with self.desk.storage.begin() as tx:
            tx.nudge(Nudge.DISPATCH, str(installation_id))

    def _one(self, installation_id: int) -> bool:
        desk = self.desk
        if desk.leaving.is_set():
            return False
        now = desk.clock.now()
        with desk.storage.begin() as tx:
            waiting = tx.outbox.next(installation_id, now)
            if waiting is not None and not self._has_room(tx, waiting, now):
                waiting = self._beside_content(tx, waiting, now)
            if waiting is None:
                return False
            in_doubt = is_in_doubt(tx, waiting)
            row = tx.outbox.claim(
                waiting.id,
                owner=desk.owner,
                now=now,
                lease_ms=desk.limits.lease_ms,
                answers_stop=waiting.dedupe_key.startswith("stop:"),
            )
            if row is not None:
                self._count(tx, row, now)
        if row is None:
            return False
        # In PostgreSQL another process may have had it, sent it and died between our look at it and our claim.
        again = waiting.state == "sending" or row.fence != waiting.fence + 1
        unknown = again or bool(row.response.get("unknown")) or in_doubt
        try:
            if again and _is_listed(row):
                return self._let_show(row)
            return self._send(row, unknown)
        except StaleFence:
            log.warning("row_taken_over", row=row.id)
            return True

    # GitHub takes some 500 content writes an hour from an installation. What it has taken is one number, a moment that each
    # write moves on by an hour's share and that time catches up with (the generic cell rate algorithm); the installation's
    # row keeps it, so that every process and every start counts alike.

    def _room_at(self, tx: Transaction, row: r.OutboxRow) -> int:
        """When the hour has room for this row; an answer to somebody may use what is kept for answers."""
        installation, limits = tx.places.installation(row.installation_id), self.desk.limits
        assert installation is not None
        kept = limits.content_kept if tx.outbox.is_awaited(row.id) else 0
        return installation.last_write_at + (1 - kept) * limits.content_share_ms

    def _has_room(self, tx: Transaction, row: r.OutboxRow, now: int) -> bool:
        return self.desk.limits.pacing_ms == 0 or row.kind not in CONTENT or self._room_at(tx, row) <= now

    def _beside_content(self, tx: Transaction, row: r.OutboxRow, now: int) -> r.OutboxRow | None:
        """What goes though content has to wait; the installation waits when there is nothing, and the sweeper comes back."""
        other = tx.outbox.next(row.installation_id, now, content=False)
        if other is None:
            until = min(self._room_at(tx, row), now + LONGEST_MS)
            tx.outbox.block(row.installation_id, until)
        return other

    def _count(self, tx: Transaction, row: r.OutboxRow, now: int) -> None:
        """Also what is sent again, for GitHub counts requests; and a second (a setting) until the installation's next write."""
        limits, installation = self.desk.limits, tx.places.installation(row.installation_id)
        if installation is None or limits.pacing_ms == 0 or row.kind not in CONTENT:
            return
        share = limits.content_share_ms
        tx.places.wrote(
            row.installation_id, max(installation.last_write_at, now - limits.content_burst * share) + share
        )
        tx.outbox.block(row.installation_id, now + limits.pacing_ms)

    def _send(self, row: r.OutboxRow, unknown: bool) -> bool:
        write = OutboxWrite(
            row_id=row.id,
            kind=row.kind,
            target=row.target,
            body=row.payload,
            payload_sha256=row.payload_sha256,
            dedupe_key=row.dedupe_key,
            token=row.token,
            place=self._place(row),
            until=row.lease_until,
            fence=row.fence,
        )
        if row.run_id is not None and not self._is_active(row):
            self._settle(row, state="allowed", not_before=0, reason="dry-run")
            return False
        try:
            approved = self._approve(row, write)
        except GitHubLimited as limit:
            return self._limited(row, limit, unknown=unknown)
        except GitHubBusy as busy:
            return self._later(row, busy, unknown=unknown)
        except UNSETTLED:
            raise
        except (GitHubRefused, InternalError) as broken:
            self._settle(row, state="dead", reason=broken.sentence)
            return True
        if isinstance(approved, Decision):
            return self._denied(row, approved)
        try:
            sent = self.writer.send(approved, retry=unknown)
        except GitHubLimited as limit:
            return self._limited(row, limit, unknown=unknown)
        except GitHubBusy as busy:
            return self._later(row, busy, unknown=True)
        except GitHubRefused as refused:
            return self._refused(row, refused)
        except UNSETTLED:
            raise
        except InternalError as broken:
            self._settle(row, state="dead", reason=broken.sentence)
            return True
        self._confirm(row, sent)
        return True

    def _place(self, row: r.OutboxRow) -> Place:
        with self.desk.storage.read() as tx:
            repository = tx.places.repository(row.repository_id)
        name = repository.full_name if repository is not None else ""
        return Place(row.installation_id, row.repository_id, name)

    def _is_active(self, row: r.OutboxRow) -> bool:
        with self.desk.storage.read() as tx:
            run = tx.runs.get(row.run_id or "")
        return run is None or run.mode != "dry-run"

    def _approve(self, row: r.OutboxRow, write: OutboxWrite) -> Approved[OutboxWrite] | Decision:
        """Decide again; an answer other than the stored one denies."""
        if sha256_of(row.payload) != row.payload_sha256:
            raise InternalError(
                f"outbox row {row.id} holds other bytes than were hashed; it is not sent", {"row": str(row.id)}
            )
        mode, protected = ("", ()) if row.kind not in FRESH_KINDS else self._fresh_config(write.place)
        with self.desk.storage.read() as tx:
            run = tx.runs.get(row.run_id) if row.run_id else None
            repository = tx.places.repository(row.repository_id)
            assert repository is not None
            facts = facts_at_sending(self.desk, tx, run, repository, row, mode=mode or "active", protected=protected)
        decision = decide(self.desk.policies, facts)
        name = decision_sha256(row.kind, row.installation_id, row.repository_id, row.target, row.payload_sha256)
        if name != row.decision_sha256:
            raise InternalError(
                f"outbox row {row.id} is not what was decided about; it is not sent", {"row": str(row.id)}
            )
        if not decision.allowed or facts.mode == "dry-run":
            return decision
        return approve(write, decision, name)

    def _fresh_config(self, place: Place) -> tuple[str, tuple[str, ...]]:
        """Mode and protected paths of the default branch now; the stricter of then and now holds. Unreadable means dry-run."""
        text = self.reader.file_at(place, CONFIG_PATH, self.reader.default_branch(place))
        try:
            config = parse_config(None if text is None else text.decode("utf-8", "replace"))
        except ConfigError:
            return "dry-run", ()
        return str(config.mode), tuple(config.protected)

    def _confirm(self, row: r.OutboxRow, sent: Sent) -> None:
        now = self.desk.clock.now()
        with self.desk.storage.begin() as tx:
            response = {**row.response, "status": sent.status, **dict(sent.facts)}
            response.pop("unknown", None)
            tx.outbox.settle(
                row.id,
                fence=row.fence,
                state="confirmed",
                now=now,
                response=response,
                github_id=sent.github_id,
                github_url=sent.url,
            )
            tx.journal.audit(
                at=now,
                kind="sent",
                subject=f"outbox:{row.id}",
                body={
                    "kind": row.kind,
                    "target": row.target,
                    "payload_sha256": row.payload_sha256,
                    "github_id": sent.github_id,
                    "status": sent.status,
                },
            )
            if row.kind in CONTENT and self.desk.limits.pacing_ms:
                # The second is counted from its end, however long it took.
                tx.outbox.block(row.installation_id, now + self.desk.limits.pacing_ms)
            self._wake(tx, row)

    def _wake(self, tx: Transaction, row: r.OutboxRow) -> None:
        if row.run_id:
            wake(tx, row.run_id, self.desk.clock.now())

    def _settle(
        self,
        row: r.OutboxRow,
        *,
        state: str,
        reason: str = "",
        not_before: int = 0,
        response: dict[str, object] | None = None,
    ) -> None:
        now = self.desk.clock.now()
        with self.desk.storage.begin() as tx:
            tx.outbox.settle(
                row.id,
                fence=row.fence,
                state=state,
                now=now,
                reason=self.desk.redactor.redact(reason).text,
                not_before=not_before,
                response=response,
            )
            if state in {"dead", "denied"}:
                tx.journal.audit(
                    at=now,
                    kind=state,
                    subject=f"outbox:{row.id}",
                    body={"kind": row.kind, "target": row.target, "reason": reason},
                )
            self._wake(tx, row)

    def _denied(self, row: r.OutboxRow, decision: Decision) -> bool:
        """A stop or pause only makes the row wait, longer each time, for every try asks GitHub; every other denial is final."""
        if {"never-while-stopped", "never-code-while-paused"} & set(decision.policy_ids):
            until = self.desk.clock.now() + backoff(row.attempts, HALTED_MS)
            self._settle(row, state="allowed", not_before=until, reason=decision.sentence)
            return False
        self._settle(row, state="denied", reason=f"policy denied it when it was to be sent: {decision.sentence}")
        return True

    def _limited(self, row: r.OutboxRow, limit: GitHubLimited, *, unknown: bool) -> bool:
        until = self.desk.clock.now() + limit.wait_ms
        self._settle(row, state="allowed", not_before=until, reason=limit.sentence, response=self._doubt(row, unknown))
        with self.desk.storage.begin() as tx:
            tx.outbox.block(row.installation_id, until)
        return False

    def _later(self, row: r.OutboxRow, busy: ConductorError, *, unknown: bool) -> bool:
        """Unknown outcomes are looked up before they are sent again, however long that takes."""
        span = backoff(row.attempts)
        wait = span // 2 + self.desk.chance.jitter(span // 2)
        if unknown and _is_listed(row):
            wait = max(wait, self.desk.limits.unseen_ms)
        until = self.desk.clock.now() + wait
        self._settle(row, state="allowed", not_before=until, reason=busy.sentence, response=self._doubt(row, unknown))
        return False

    def _let_show(self, row: r.OutboxRow) -> bool:
        """Whoever held it may have sent it a moment ago; what is looked for too early would be sent twice."""
        until = self.desk.clock.now() + self.desk.limits.unseen_ms
        why = "an earlier try may not be seen yet"
        self._settle(row, state="allowed", not_before=until, reason=why, response=self._doubt(row, unknown=True))
        return True

    def _doubt(self, row: r.OutboxRow, unknown: bool) -> dict[str, object]:
        with self.desk.storage.read() as tx:
            now = tx.outbox.get(row.id)
        kept = dict(now.response if now is not None else row.response)
        return {**kept, "unknown": True} if unknown else kept

    def _refused(self, row: r.OutboxRow, refused: GitHubRefused) -> bool:
        """404 and 409 on a thing just made: three tries. Else dead."""
        young = row.attempts < NOT_FOUND_TRIES and refused.status in {404, 409}
        if young:
            self._settle(
                row, state="allowed", not_before=self.desk.clock.now() + 500 * row.attempts, reason=refused.sentence
            )
            return False
        if (
            row.kind == "pull.create"
            and "already exists" in refused.sentence
            and row.attempts < self.desk.limits.row_attempts
        ):
            # An earlier try made it, and the list does not show it yet.
            return self._later(row, refused, unknown=True)
        response: dict[str, object] = {
            **row.response,
            "status": refused.status,
            **{key: value for key, value in refused.fields.items() if key == "drafts"},
        }
        self._settle(row, state="dead", reason=refused.sentence, response=response)
        return True
