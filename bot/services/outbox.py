"""Staging: the only way a use case asks for a write. A row is redacted, hashed and decided in the transaction that wants it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from bot.domain.events import RepositoryRef
from bot.domain.subject import canonical, sha256_of
from bot.domain.workflow import NEEDS_HUMAN
from bot.domain.writes import BranchCreate, BranchUpdate, CommentCreate, CommentReply, CommentUpdate, Write, marker
from bot.policy.decide import decide, decision_sha256
from bot.ports import records as r
from bot.ports.queue import Nudge
from bot.ports.storage import Transaction
from bot.services.backups import token_of
from bot.services.desk import HOUR_MS, Desk, is_over, text_hash
from bot.services.setting import Setting
from bot.services.write_facts import facts_at_staging

LIMIT_BYTES = 60_000
"""Comment bodies are cut here: safe on every surface of GitHub."""


@dataclass(frozen=True, slots=True)
class Outboxes:
    """Stages rows."""

    desk: Desk

    def stage(self, tx: Transaction, run: r.Run, write: Write, key: str) -> int | None:
        """Stage a run's write under a key that is unique for ever; None when it is staged already."""
        repository = tx.places.repository(run.repository_id)
        assert repository is not None
        # The status comment keeps its marker through all its edits, or its first row could not be found again.
        name = key.rpartition(":")[0] if key.startswith(f"{run.id}:status:") else key
        return self._add(tx, run, run.installation_id, repository, write, key, token_of(run.delivery_id, name))

    def stage_for(self, tx: Transaction, setting: Setting, write: Write, key: str) -> int | None:
        """Stage a write that belongs to no run: an answer to somebody on an issue."""
        ref = setting.origin.repository
        if setting.mode == "dry-run":
            # No run holds this row back, and one that never goes would stand in the way of later ones.
            body = {"kind": write.kind, "target": write.target, "key": key}
            tx.journal.audit(
                at=self.desk.clock.now(), kind="dry_run", subject=f"delivery:{setting.delivery_id}", body=body
            )
            return None
        repository = tx.places.repository(ref.id) or _row(ref, setting.origin.installation_id)
        token = token_of(setting.delivery_id, key)
        return self._add(tx, None, setting.origin.installation_id, repository, write, key, token)

    def again(self, tx: Transaction, run: r.Run, is_wanted: Callable[[r.OutboxRow], bool]) -> r.Run:
        """After a person's retry or revise: rows that GitHub did not take and that are wanted again are sent once more.

        One that policy never allowed cannot be, and stops the run anew.
        """
        if is_over(run) or run.state == NEEDS_HUMAN:
            return run
        for row_id in run.known.get("again", []):
            row = tx.outbox.get(row_id)
            if row is not None and is_wanted(row):
                self._send_again(tx, row)
                left = {name: [one for one in run.known[name] if one != row_id] for name in ("again", "mourned")}
                run = replace(run, known={**run.known, **left})
        return run

    def _send_again(self, tx: Transaction, row: r.OutboxRow) -> None:
        if tx.outbox.send_again(row.id, f"sent again because a person asked for it; before: {row.reason}"):
            body = {"kind": row.kind, "target": row.target, "payload_sha256": row.payload_sha256, "again": True}
            tx.journal.audit(at=self.desk.clock.now(), kind="outbox", subject=f"outbox:{row.id}", body=body)
            tx.nudge(Nudge.DISPATCH, str(row.installation_id))

    def reply(
        self,
        tx: Transaction,
        setting: Setting,
        tag: str,
        text: str,
        *,
        run: r.Run | None = None,
        sparing: bool = False,
    ) -> int | None:
        """A new comment where somebody spoke; one for each delivery and tag, or ``sparing``: one an hour for each issue and tag."""
        write = CommentCreate(setting.origin.repository.full_name, setting.issue.number, text)
        key = f"reply:{setting.delivery_id}:{tag}"
        if sparing:
            key = self.hourly(tx, f"reply:{setting.origin.repository.id}:{setting.issue.number}:{tag}")
            if not key:
                return None
        return self.stage(tx, run, write, key) if run is not None else self.stage_for(tx, setting, write, key)

    def hourly(self, tx: Transaction, name: str) -> str:
        """A key for a row of that name, "" while the last one is not an hour old (no reply cannon, DESIGN section 9)."""
        now = self.desk.clock.now()
        last = tx.outbox.by_key(f"{name}:{now // HOUR_MS}") or tx.outbox.by_key(f"{name}:{now // HOUR_MS - 1}")
        return f"{name}:{now // HOUR_MS}" if last is None or now - last.created_at >= HOUR_MS else ""

    def comment(self, tx: Transaction, run: r.Run, issue: int, tag: str, text: str) -> int | None:
        """A new comment about a run: it notifies people, so it is for what they must act on."""
        repository = tx.places.repository(run.repository_id)
        assert repository is not None
        return self.stage(tx, run, CommentCreate(repository.full_name, issue, text), f"{run.id}:comment:{tag}")

    def _add(
        self,
        tx: Transaction,
        run: r.Run | None,
        installation_id: int,
        repository: r.Repository,
        write: Write,
        key: str,
        token: str,
    ) -> int | None:
        if tx.outbox.by_key(key) is not None:
            return None
        write = self._marked(write, token)
        payload = canonical(self._clean(write))
        row = r.OutboxRow(
            id=0,
            installation_id=installation_id,
            repository_id=repository.id,
            run_id=None if run is None else run.id,
            seq=0,
            kind=write.kind,
            target=write.target,
            order_key=write.order,
            payload=payload,
            payload_sha256=sha256_of(payload),
            dedupe_key=key,
            token=token,
            created_at=self.desk.clock.now(),
        )
        row_id = tx.outbox.add(row)
        if row_id is None:
            return None
        self._decide(tx, run, repository, replace(row, id=row_id))
        tx.nudge(Nudge.DISPATCH, str(installation_id))
        return row_id

    def _marked(self, write: Write, token: str) -> Write:
        if isinstance(write, CommentCreate | CommentReply | CommentUpdate):
            return replace(write, body=f"{cut(self.desk.redactor.redact(write.body).text)}\n\n{marker(token)}")
        return write

    def _clean(self, write: Write) -> dict[str, Any]:
        """Every text that people read is redacted at this boundary (I9); a branch's content was judged by the work gate."""
        if isinstance(write, BranchCreate | BranchUpdate):
            return write.payload
        found: dict[str, Any] = self.desk.redactor.redact_all(write.payload)
        return found

    def _decide(self, tx: Transaction, run: r.Run | None, repository: r.Repository, row: r.OutboxRow) -> None:
        facts = facts_at_staging(self.desk, tx, run, repository, row)
        decision = decide(self.desk.policies, facts)
        name = decision_sha256(row.kind, row.installation_id, row.repository_id, row.target, row.payload_sha256)
        tx.outbox.decide(
            row.id,
            decision="allow" if decision.allowed else "deny",
            decision_sha256=name,
            policy_ids=list(decision.policy_ids),
            policy_set_sha256=decision.policy_set_sha256,
            reason=decision.sentence,
        )
        tx.journal.audit(
            at=self.desk.clock.now(),
            kind="outbox",
            subject=f"outbox:{row.id}",
            body={
                "kind": row.kind,
                "target": row.target,
                "payload_sha256": row.payload_sha256,
                "allowed": decision.allowed,
                "policies": list(decision.policy_ids),
                "policy_set": decision.policy_set_sha256,
                "run": row.run_id or "",
            },
        )


def _row(ref: RepositoryRef, installation_id: int) -> r.Repository:
    return r.Repository(ref.id, installation_id, ref.full_name, ref.default_branch, ref.private)


def cut(text: str, limit: int = LIMIT_BYTES) -> str:
    """At most ``limit`` UTF-8 bytes, visibly shortened at a line's end."""
    data = text.encode()
    if len(data) <= limit:
        return text
    kept = data[: limit - 200].decode("utf-8", "ignore")
    return kept.rpartition("\n")[0] + "\n\n*(shortened: this text was too long for GitHub)*"


def payload_of(row: r.OutboxRow) -> dict[str, Any]:
    """A row's payload as JSON."""
    found: dict[str, Any] = json.loads(row.payload)
    return found


__all__ = ["Outboxes", "cut", "payload_of", "text_hash"]
