"""What was stored, asked, paid for, stopped and done: artifacts' names, calls, money, switches, the audit chain."""

from __future__ import annotations

import dataclasses
from typing import Any

import rfc8785
import sqlalchemy as sa

from bot.adapters.storage.rows import ONE, Link, LockKind, Query, columns_of, values_of
from bot.adapters.tables import artifacts, audit, model_calls, runs, switches, tool_calls
from bot.domain.audit_chain import GENESIS, body_hash, link_hash
from bot.domain.errors import InternalError, OverBudget
from bot.domain.money import dollars
from bot.ports.records import ArtifactRow, AuditRow, ModelCall, Switch, ToolCall

_SUBJECTS = Query(
    ArtifactRow,
    artifacts,
    "run_id",
    "stage",
    also=(sa.text("kind = 'subject'"),),
    order=(artifacts.c.seq.desc(),),
    limit=ONE,
)
_MODEL_CALL = columns_of(model_calls, ModelCall)
_TOOL_CALL = columns_of(tool_calls, ToolCall)
_SWITCH = columns_of(switches, Switch)
_AUDIT = columns_of(audit, AuditRow)
_LAST_LINK = sa.select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(ONE)
# What settling writes; who asked what, and what was reserved for it, stays as it was stored.
_SETTLED = (
    "state", "response_sha256", "stop_reason", "input_tokens", "output_tokens", "cache_read_tokens",
    "cache_write_tokens", "cost_micro_dollars", "error",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class _Entry:
    at: int
    kind: str
    subject: str
    body: dict[str, Any]
    body_sha256: str


class SqlJournal:
    """`bot.ports.storage.Journal`."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._entries: list[_Entry] = []

    def add_artifact(self, row: ArtifactRow) -> int:
        """The seq; a subject that is its stage's latest already keeps its number, any other gets the next."""
        if row.kind != "subject":
            self._link.insert_new(artifacts, values_of(row))
            return row.seq
        if row.run_id is None or not row.stage:
            raise InternalError(f"Subject {row.sha256} names no run or no stage, so nothing could be decided about it.")
        self._link.lock_row(runs, row.run_id)
        latest = self.subject(row.run_id, row.stage)
        if latest is not None and (latest.sha256, latest.installation_id) == (row.sha256, row.installation_id):
            return latest.seq
        seq = 1 + (latest.seq if latest else 0)
        self._link.run(sa.insert(artifacts).values(values_of(row) | {"seq": seq}))
        return seq

    def subject(self, run_id: str, stage: str) -> ArtifactRow | None:
        return self._link.first(_SUBJECTS, run_id=run_id, stage=stage)

    def reserve(self, call: ModelCall, *, run_cap: int, day_cap: int, day_start: int) -> int:
        """The day's lock makes two runs of one repository count each other's reservations."""
        repository_id = self._link.value(sa.select(runs.c.repository_id).where(runs.c.id == call.run_id))
        if repository_id is None:
            raise InternalError(f"Run {call.run_id} is not stored, so no model call can be charged to it.")
        amount = call.reserved_micro_dollars
        if amount < 0:
            raise InternalError(
                f"A reservation of {amount} micro-dollars would lower what run {call.run_id} has spent."
            )
        self._link.lock(LockKind.BUDGET_DAY, repository_id)
        self._link.lock_row(runs, call.run_id)
        self._within_run(call, run_cap)
        self._within_day(call, repository_id, day_cap, day_start)
        add = sa.update(runs).where(runs.c.id == call.run_id)
        self._link.run(add.values(reserved_micro_dollars=runs.c.reserved_micro_dollars + amount))
        values = values_of(call, without=frozenset({"id"})) | {"state": "reserved", "repository_id": repository_id}
        return int(self._link.value(sa.insert(model_calls).values(values).returning(model_calls.c.id)))

    def _within_run(self, call: ModelCall, cap: int) -> None:
        found = sa.select(runs.c.spent_micro_dollars, runs.c.reserved_micro_dollars).where(runs.c.id == call.run_id)
        spent, reserved = self._link.run(found).one()
        self._refuse_over(call, f"run {call.run_id}", spent=spent, reserved=reserved, cap=cap, key="budget.run")

    def _within_day(self, call: ModelCall, repository_id: int, cap: int, day_start: int) -> None:
        live = model_calls.c.state == "reserved"
        charged = sa.func.sum(sa.case((live, 0), else_=model_calls.c.cost_micro_dollars))
        held = sa.func.sum(sa.case((live, model_calls.c.reserved_micro_dollars), else_=0))
        found = sa.select(sa.func.coalesce(charged, 0), sa.func.coalesce(held, 0))
        found = found.where(model_calls.c.repository_id == repository_id, model_calls.c.at >= day_start)
        spent, reserved = self._link.run(found).one()
        name = f"repository {repository_id} today"
        self._refuse_over(call, name, spent=int(spent), reserved=int(reserved), cap=cap, key="budget.day")

    @staticmethod
    def _refuse_over(call: ModelCall, name: str, *, spent: int, reserved: int, cap: int, key: str) -> None:
        amount = call.reserved_micro_dollars
        if spent + reserved + amount > cap:
            raise OverBudget(
                f"The next model call may cost {dollars(amount)}, and {name} has spent {dollars(spent)} and reserved "
                f"{dollars(reserved)} of {dollars(cap)}; raise {key} to go on.",
                {"run": call.run_id, "amount": str(amount), "cap": str(cap)},
            )

    def settle_call(self, call: ModelCall) -> None:
        """Once. Raises ``InternalError`` for a call that is not reserved (any more)."""
        update = sa.update(model_calls).where(model_calls.c.id == call.id, model_calls.c.state == "reserved")
        update = update.values({name: getattr(call, name) for name in _SETTLED})
        stored = self._link.run(update.returning(model_calls.c.run_id, model_calls.c.reserved_micro_dollars)).first()
        if stored is None or call.state == "reserved":
            raise InternalError(
                f"Model call {call.id} cannot be settled as {call.state}: it is not reserved, or was settled before.",
                {"call": str(call.id)},
            )
        charge = sa.update(runs).where(runs.c.id == stored[0])
        charge = charge.values(
            reserved_micro_dollars=runs.c.reserved_micro_dollars - stored[1],
            spent_micro_dollars=runs.c.spent_micro_dollars + call.cost_micro_dollars,
        )
        self._link.run(charge)

    def answered(self, job_id: str, turn: int, request_sha256: str) -> ModelCall | None:
        found = sa.select(*_MODEL_CALL).where(
            model_calls.c.job_id == job_id,
            model_calls.c.turn == turn,
            model_calls.c.request_sha256 == request_sha256,
            model_calls.c.state == "done",
        )
        return self._link.one(ModelCall, found.order_by(model_calls.c.id).limit(ONE))

    def model_calls(self, run_id: str) -> list[ModelCall]:
        """In the order in which they were made."""
        found = sa.select(*_MODEL_CALL).where(model_calls.c.run_id == run_id)
        return self._link.all(ModelCall, found.order_by(model_calls.c.id))

    def add_tool_call(self, call: ToolCall) -> None:
        self._link.insert_new(tool_calls, values_of(call))

    def tool_calls(self, run_id: str) -> list[ToolCall]:
        """In the order in which they were made."""
        found = sa.select(*_TOOL_CALL).where(tool_calls.c.run_id == run_id)
        return self._link.all(ToolCall, found.order_by(tool_calls.c.at, tool_calls.c.job_id, tool_calls.c.seq))

    def switch(self, scope: str, key: str) -> Switch | None:
        return self._link.one(Switch, sa.select(*_SWITCH).where(switches.c.scope == scope, switches.c.key == key))

    def set_switch(self, switch: Switch) -> None:
        """Waits for the claims under way: after this commits, none is left that did not see it."""
        self._link.lock(LockKind.SWITCHES)
        changing = ("stopped", "by", "reason", "at")
        self._link.upsert(switches, values_of(switch), key=("scope", "key"), update=changing)

    def stopped(self, *, repository_id: int | None, run_id: str | None) -> str:
        """The widest stop first, in one sentence with who and why."""
        scopes = [("system", None), ("repository", None if repository_id is None else str(repository_id))]
        scopes.append(("run", run_id))
        standing = {
            (one.scope, one.key): one
            for one in self._link.all(Switch, sa.select(*_SWITCH).where(self._asked(scopes), switches.c.stopped))
        }
        for scope, _ in scopes:
            for (found, key), one in standing.items():
                if found == scope:
                    name = "Conductor" if scope == "system" else f"{scope.capitalize()} {key}"
                    return f"{name} was stopped by {one.by}{': ' + one.reason if one.reason else '.'}"
        paused = run_id is not None and self._link.value(sa.select(runs.c.paused).where(runs.c.id == run_id))
        return f"Run {run_id} is paused." if paused else ""

    @staticmethod
    def _asked(scopes: list[tuple[str, str | None]]) -> sa.ColumnElement[bool]:
        asked = [switches.c.scope == "system"]
        asked += [sa.and_(switches.c.scope == scope, switches.c.key == key) for scope, key in scopes if key is not None]
        return sa.or_(*asked)

    def audit(self, *, at: int, kind: str, subject: str, body: dict[str, Any]) -> None:
        """The link is forged at the transaction's end: the chain's lock is the last one taken and the shortest held."""
        try:
            entry = _Entry(at, kind, subject, body, body_hash(body))
        except rfc8785.CanonicalizationError as error:
            raise InternalError(
                f"The audit entry {kind!r} of {subject} has no canonical form: {error}; write large numbers as text.",
                {"kind": kind, "subject": subject},
            ) from error
        self._entries.append(entry)

    def flush(self) -> None:
        """Append what `audit` gathered. The transaction calls it before it commits."""
        if not self._entries:
            return
        self._link.lock(LockKind.AUDIT)
        last = self._link.run(_LAST_LINK).first()
        seq, prev = (int(last[0]), str(last[1])) if last else (0, GENESIS)
        rows: list[dict[str, Any]] = []
        for entry in self._entries:
            seq += 1
            named: dict[str, Any] = {
                "prev": prev,
                "seq": seq,
                "at": entry.at,
                "kind": entry.kind,
                "subject": entry.subject,
            }
            digest = link_hash(**named, body_sha256=entry.body_sha256)
            rows.append({**named, "body": entry.body, "body_sha256": entry.body_sha256, "hash": digest})
            prev = digest
        self._link.run(sa.insert(audit), rows)
        self._entries.clear()

    def audit_rows(self, *, after: int = 0, limit: int = 1000) -> list[AuditRow]:
        """In order, with what this transaction added."""
        self.flush()
        return self._link.all(
            AuditRow, sa.select(*_AUDIT).where(audit.c.seq > after).order_by(audit.c.seq).limit(limit)
        )
