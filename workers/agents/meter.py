"""A model call that is paid for: reserved before, settled after, charged when it fails, and never paid twice (I11, I12)."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, replace
from typing import Any

import structlog

from bot.domain.errors import ConductorError, StorageBusy, StorageLost
from bot.domain.money import Usage, micro_dollars
from bot.domain.outcome import NeedsHuman, Snooze
from bot.domain.subject import sha256_of
from bot.ports import records as r
from workers.agents.messages_api import (
    ModelAnswer,
    ModelBusy,
    ModelRejected,
    ModelRequest,
    ModelUnreadable,
    prompt_tokens_upper_bound,
    read_answer,
)
from workers.agents.room import Interrupted, Room

log = structlog.get_logger()

DAY_MS = 86_400_000
PATIENCE_S, PAUSE_S = 60.0, 0.5
"""For how long, and how often, an answer is offered to a database that takes nothing."""
DIED = "worker died"
"""Why a call failed whose worker did not live to settle it."""


def clean(value: Any) -> Any:
    """A JSON value that every store takes: no NUL, no lone surrogate, no number that JSON has not."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")
        case float() if not math.isfinite(value):
            return None
        case dict():
            return {clean(str(key)): clean(item) for key, item in value.items()}
        case list() | tuple():
            return [clean(item) for item in value]
        case _:
            return value


def dumped(value: Any) -> bytes:
    """One form for one value. Not RFC 8785, which has no numbers beyond 2^53, and models send such."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


@dataclass(slots=True)
class Meter:
    """The calls of one context."""

    room: Room
    last: Usage | None = None
    last_bytes: int = 0

    def ask(self, request: ModelRequest, turn: int) -> ModelAnswer:
        """One turn. Raises Interrupted when it has to wait or cannot be had, OverBudget and UnknownPrice before any call."""
        body = {
            "model": request.model,
            "system": request.system,
            "messages": list(request.messages),
            "tools": list(request.tools),
            "max_tokens": request.max_tokens,
            "user_id": request.user_id,
        }
        data = dumped(body)
        self.room.desk.prices.of(request.model)
        with self.room.desk.storage.read() as tx:
            known = tx.journal.answered(self.room.job.id, turn, sha256_of(data))
        answer = self._stored(known.response_sha256) if known is not None else self._pay(request, turn, data)
        self.last, self.last_bytes = answer.usage, len(data)
        return answer

    def charge_lost_calls(self) -> None:
        """Calls of this job whose worker died before it could settle them: they may have been answered, so they are charged."""
        with self.room.desk.storage.begin() as tx:
            for call in tx.journal.model_calls(self.room.run.id):
                if call.job_id == self.room.job.id and call.state == "reserved":
                    lost = replace(call, state="failed", cost_micro_dollars=call.reserved_micro_dollars, error=DIED)
                    tx.journal.settle_call(lost)

    def _stored(self, sha256: str) -> ModelAnswer:
        """The answer as it came: the stored one is redacted, and names the exact one where that made a difference."""
        shown = self.room.get(sha256)
        exact = json.loads(shown).get("exact")
        return read_answer(shown if exact is None else self.room.get(str(exact)))

    def _bound(self, request: ModelRequest, size: int) -> int:
        """At least the prompt's tokens: what the last turn was charged for, and a byte a token of what came since."""
        whole = prompt_tokens_upper_bound(request)
        if self.last is None:
            return whole
        since = max(size - self.last_bytes, 0)
        return min(whole, self.last.prompt + self.last.output + since + 1_000)

    def _pay(self, request: ModelRequest, turn: int, data: bytes) -> ModelAnswer:
        call = self._reserve(request, turn, data, self._bound(request, len(data)))
        asked = time.monotonic()
        try:
            answer = self.room.desk.model.ask(request)
            log.info("model_answered", seconds=time.monotonic() - asked)
            exact = dumped(clean(json.loads(answer.raw)))
            answer = read_answer(exact)
        except ModelUnreadable as error:
            # An answer was made and cannot be charged for by its own count: the reservation is what it may have cost.
            self._failed(call, error, call.reserved_micro_dollars)
            raise self._again(call, error, self.room.desk.limits.unreadable_tries) from error
        except (ModelBusy, ModelRejected) as error:
            estimate = self.room.desk.prices.cost(request.model, Usage(len(data) // 4, 0))
            self._failed(call, error, min(estimate, call.reserved_micro_dollars))
            if isinstance(error, ModelRejected):
                raise
            raise self._again(call, error, self.room.desk.limits.busy_tries) from error
        except RecursionError as error:
            broken = ModelUnreadable("The model's answer is nested too deeply to be read.")
            self._failed(call, broken, call.reserved_micro_dollars)
            raise broken from error
        except BaseException as error:
            self._failed(call, error, call.reserved_micro_dollars)
            raise
        self._settle(call, answer, exact)
        return answer

    def _reserve(self, request: ModelRequest, turn: int, data: bytes, bound: int) -> r.ModelCall:
        room, job = self.room, self.room.job
        now = room.desk.clock.now()
        asked = room.put("request", data)
        call = r.ModelCall(
            id=0,
            run_id=room.run.id,
            job_id=job.id,
            role=job.role,
            round=job.round,
            step=job.step,
            turn=turn,
            model=request.model,
            request_sha256=asked.sha256,
            reserved_micro_dollars=room.desk.prices.worst_case(request.model, bound, request.max_tokens),
            at=now,
        )
        day_cap = micro_dollars(room.snapshot.config.budget.day)
        with room.desk.storage.begin() as tx:
            tx.journal.add_artifact(asked)
            number = tx.journal.reserve(
                call, run_cap=room.run.budget_micro_dollars, day_cap=day_cap, day_start=now - now % DAY_MS
            )
        return replace(call, id=number)

    def _failed(self, call: r.ModelCall, error: BaseException, cost: int) -> None:
        said = error.sentence if isinstance(error, ConductorError) else type(error).__name__
        with self.room.desk.storage.begin() as tx:
            tx.journal.settle_call(
                replace(call, state="failed", cost_micro_dollars=cost, error=self.room.redact(said)[:1_000])
            )

    def _settle(self, call: r.ModelCall, answer: ModelAnswer, exact: bytes) -> None:
        room = self.room
        shown = dumped(room.redactor.redact_all(json.loads(exact)))
        if shown != exact:
            named = json.loads(shown)
            shown = dumped({**named, "exact": room.keep_bytes("exact", exact)})
        answered = room.put("response", shown)
        usage = answer.usage
        settled = replace(
            call,
            state="done",
            response_sha256=answered.sha256,
            stop_reason=answer.stop_reason[:100],
            input_tokens=usage.input,
            output_tokens=usage.output,
            cache_read_tokens=usage.cache_read,
            cache_write_tokens=usage.cache_write,
            cost_micro_dollars=room.desk.prices.cost(call.model, usage),
        )
        self._store(settled, answered)

    def _store(self, settled: r.ModelCall, answered: r.ArtifactRow) -> None:
        """An answer in hand outlives a restart of the database: thrown away, it would be asked for and paid for again."""
        desk, until = self.room.desk, time.monotonic() + PATIENCE_S
        while True:
            try:
                with desk.storage.begin() as tx:
                    # A try that was lost while it committed may have done it.
                    if tx.journal.answered(settled.job_id, settled.turn, settled.request_sha256) is None:
                        tx.journal.add_artifact(answered)
                        tx.journal.settle_call(settled)
            except (StorageBusy, StorageLost):
                if time.monotonic() > until or desk.leaving.wait(PAUSE_S):
                    raise
            else:
                return

    def _again(self, call: r.ModelCall, error: ModelBusy | ModelUnreadable, tries: int) -> Interrupted:
        """A pause that doubles with each failure at this turn, or a person when there were too many.

        A worker that died is no failure of the model's.
        """
        limits = self.room.desk.limits
        with self.room.desk.storage.read() as tx:
            failures = sum(
                1
                for one in tx.journal.model_calls(self.room.run.id)
                if one.job_id == call.job_id and one.turn == call.turn and one.state == "failed" and one.error != DIED
            )
        if failures >= tries:
            return Interrupted(NeedsHuman(f"The model did not answer in {failures} tries: {error.sentence}"))
        pause = min(limits.first_pause_ms * 2 ** (failures - 1), limits.longest_pause_ms)
        if isinstance(error, ModelBusy) and error.retry_after_s is not None:
            pause = int(error.retry_after_s * 1000)
        return Interrupted(Snooze(self.room.desk.clock.now() + pause, error.sentence))
