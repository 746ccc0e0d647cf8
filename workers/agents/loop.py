"""One context: a conversation over the Messages API until a submission, a refusal, or the end of patience (DESIGN section 5)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from bot.domain.subject import sha256_of
from bot.ports import records as r
from workers.agents.canaries import carries_away
from workers.agents.messages_api import Block, ModelAnswer, ModelRequest
from workers.agents.meter import Meter, clean
from workers.agents.room import CARRIED, Interrupted, Room
from workers.compress import tokens
from workers.tools.said import Said
from workers.tools.toolbox import Toolbox

MOST_RECORDED: Final = 20_000
"""Characters of one text in the record of a tool call; the artifact has all of it."""
OUTPUTS: Final = frozenset({"run", "show_output"})
"""Tools that tell what a command printed; what they told is kept whole, since the command prints something else next time."""

ONLY_TOOLS = "Nothing was done: only tool calls count here. Go on with a tool, and end with {submit}."
CUT_OFF = "Your answer reached its length limit, so nothing of it was done. Send less at once."


@dataclass(frozen=True, slots=True)
class Submitted:
    """The context ended with its submission, or with the last one allowed."""


@dataclass(frozen=True, slots=True)
class Declined:
    """The model refused to go on."""

    why: str


@dataclass(frozen=True, slots=True)
class GaveUp:
    """The model did not come to an end; ``why`` is a sentence."""

    why: str


Ending: TypeAlias = Submitted | Declined | GaveUp


@dataclass(slots=True)
class Context:
    """One conversation. A planted secret that turns up in it ends the job, with the call that carried it on record."""

    room: Room
    toolbox: Toolbox
    model: str
    system: str
    _messages: list[dict[str, Any]] = field(default_factory=list)
    _seq: int = 0
    _earlier: dict[int, r.ToolCall] = field(default_factory=dict)
    _ids: set[str] = field(default_factory=set)

    def converse(self, opening: str) -> Ending:
        """From the first message to the end. Raises Interrupted, Stopped, and what stops a whole job."""
        room = self.room
        meter = Meter(room)
        if room.job.fence > 1:
            meter.charge_lost_calls()
            with room.desk.storage.read() as tx:
                self._earlier = {
                    one.seq: one for one in tx.journal.tool_calls(room.run.id) if one.job_id == room.job.id
                }
        self._say(room.redact(opening))
        idle = 0
        for turn in range(room.desk.limits.turns):
            room.go_on()
            answer = meter.ask(self._request(), turn)
            if answer.refused:
                return Declined(room.redact(answer.text)[:500] or "no reason given")
            uses = self._hear(answer)
            if answer.stop_reason == "model_context_window_exceeded":
                return GaveUp("The conversation grew beyond what the model can read.")
            if answer.stop_reason == "max_tokens":
                idle += 1
                self._results([(use, Said(CUT_OFF, is_error=True)) for use in uses], CUT_OFF)
            elif uses:
                idle = 0
                if self._act(uses):
                    return Submitted()
            else:
                idle += 1
                self._say(ONLY_TOOLS.format(submit=self.toolbox.submit_name))
            if idle > room.desk.limits.idle_turns:
                return GaveUp(f"The model answered {idle} times in a row without a usable tool call.")
        return GaveUp(f"The model made {room.desk.limits.turns} turns without a submission.")

    def _request(self) -> ModelRequest:
        job = self.room.job
        user_id = f"{self.room.run.id}:{job.role}:{job.round}:{job.step or '-'}:{job.id}"
        return ModelRequest(
            model=self.model,
            system=self.system,
            messages=tuple(self._messages),
            tools=tuple(self.toolbox.definitions()),
            max_tokens=self.room.desk.limits.max_tokens,
            user_id=user_id,
        )

    def _say(self, text: str) -> None:
        self._messages.append({"role": "user", "content": [{"type": "text", "text": clean(text)}]})

    def _hear(self, answer: ModelAnswer) -> list[Block]:
        """Take the answer into the conversation, redacted; the tool uses as they came are what is done."""
        blocks: list[Block] = []
        uses: list[Block] = []
        for block in answer.content:
            if block["type"] == "text" and not block["text"].strip():
                continue
            if block["type"] == "tool_use":
                use = {
                    "type": "tool_use",
                    "id": self._fresh(str(block["id"])),
                    "name": block["name"],
                    "input": block["input"],
                }
                uses.append(use)
                blocks.append({**use, "input": self.room.redactor.redact_all(use["input"])})
            else:
                blocks.append(self.room.redactor.redact_all(block))
        self._messages.append({"role": "assistant", "content": blocks or [{"type": "text", "text": "(no answer)"}]})
        return uses

    def _fresh(self, name: str) -> str:
        """An id that no earlier tool use of the context has; the API refuses a conversation with two of a name."""
        found = name
        while found in self._ids:
            found += "x"
        self._ids.add(found)
        return found

    def _act(self, uses: list[Block]) -> bool:
        """Do what is asked, one after the other; True when the context is over. What stands behind the end is not done."""
        results: list[tuple[Block, Said]] = []
        for use in uses:
            self.room.go_on()
            said = self._call(use)
            results.append((use, said))
            if said.ends:
                return True
        self._results(results, "")
        return False

    def _call(self, use: Block) -> Said:
        self._seq += 1
        name, given = str(use["name"]), use["input"]
        shown = clean(self.room.redactor.redact_all(given))
        if self.room.canary.stands_in_value([name, given]):
            self._record(name, shown, Said(CARRIED, is_error=True, decision="deny", rule="canary.input"))
            raise self._halt(name, "the input")
        self.room.shown.clear()
        said = self.toolbox.call(name, given)
        text = clean(self.room.redact(said.text))
        kinds = frozenset(self.room.shown) | self.room.shown_in(text)
        earlier = self._earlier.get(self._seq)
        if earlier is not None and earlier.tool == name and name in OUTPUTS and earlier.input == _short(shown):
            # The same command prints other times on each run; the model goes on from what it was told first.
            text = self.room.get(earlier.output_sha256).decode()
            said = replace(said, exit_code=earlier.exit_code)
        said = replace(said, text=text)
        if kinds and carries_away(kinds, str(given.get("command", ""))):
            self._record(name, shown, replace(said, rule="canary.output"))
            raise self._halt(name, "the output", kinds=sorted(kinds))
        self._record(name, shown, said)
        if kinds:
            self.room.trace("the output", stopped=False, tool=name[:200], call=self._seq, kinds=sorted(kinds))
        return self._marked(name, shown, said)

    def _halt(self, tool: str, part: str, **more: Any) -> Interrupted:
        role = self.room.job.role
        where = f"{part} of call {self._seq}, {tool[:80]!a}, of the {role}"
        return self.room.halt(where, tool=tool[:200], call=self._seq, **more)

    def _marked(self, name: str, shown: dict[str, Any], said: Said) -> Said:
        """What a tool brought is data with its origin; what code says about a call speaks for itself."""
        if said.decision == "deny" or name == self.toolbox.submit_name:
            return said
        about = next((str(shown[key]) for key in ("path", "command", "id") if shown.get(key)), "")
        return replace(said, text=self.room.data(f"{name} {about}".strip(), said.text))

    def _record(self, name: str, shown: dict[str, Any], said: Said) -> None:
        room, job = self.room, self.room.job
        data = said.text.encode()
        sha256 = room.keep_bytes("output", data) if name in OUTPUTS else sha256_of(data)
        short = tokens(said.text)
        call = r.ToolCall(
            run_id=room.run.id,
            job_id=job.id,
            seq=self._seq,
            role=job.role,
            round=job.round,
            step=job.step,
            tool=name[:200],
            input=_short(shown),
            output=_cut(said.text),
            output_sha256=sha256,
            decision=said.decision,
            rule=said.rule,
            exit_code=said.exit_code,
            raw_tokens=short if said.raw_tokens is None else said.raw_tokens,
            compressed_tokens=short,
            at=room.desk.clock.now(),
        )
        with room.desk.storage.begin() as tx:
            tx.journal.add_tool_call(call)
            if call.decision == "deny":
                body = {"job": job.id, "role": job.role, "call": call.seq, "tool": call.tool, "rule": call.rule}
                tx.journal.audit(at=call.at, kind="tool.denied", subject=room.run.id, body=body)

    def _results(self, results: list[tuple[Block, Said]], otherwise: str) -> None:
        blocks: list[Block] = []
        for use, said in results:
            block: Block = {"type": "tool_result", "tool_use_id": use["id"], "content": said.text or "(nothing)"}
            blocks.append({**block, "is_error": True} if said.is_error else block)
        if blocks:
            self._messages.append({"role": "user", "content": blocks})
        else:
            self._say(otherwise)


def _cut(text: str) -> str:
    return text if len(text) <= MOST_RECORDED else f"{text[:MOST_RECORDED]}[... cut in this record ...]"


def _short(value: Any) -> Any:
    """An input as it is recorded: long texts cut."""
    match value:
        case str():
            return _cut(value)
        case dict():
            return {key: _short(item) for key, item in value.items()}
        case list():
            return [_short(item) for item in value]
        case _:
            return value
