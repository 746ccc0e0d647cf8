"""Scripted replies of a scenario's model, and which of them answers a request (DESIGN section 11).

A reply is chosen by role, seat, round, step and the number of assistant turns in the request, so a repeated request gets the
same reply. Only errors are remembered: each is used up once per turn.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.domain.positioned_yaml import Path
from bot.domain.schema_problems import Problem, problems_of, unknown_key
from bot.domain.workflow import WORKFLOWS, Drafting

Seconds = Annotated[float, Field(ge=0, le=3_600, allow_inf_nan=False)]
StopReason = Literal[
    "end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal", "model_context_window_exceeded"
]


class Part(BaseModel):
    """Base of all that a scenario holds: immutable, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ToolCall(Part):
    """One tool use. The API sends objects only, so ``input`` is a mapping, of whatever content."""

    tool: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,128}$")]
    input: dict[str, Any] = Field(default_factory=dict)


class ScriptedUsage(Part):
    """Token counts that replace the computed ones."""

    input_tokens: Annotated[int, Field(ge=0)] = 0
    output_tokens: Annotated[int, Field(ge=0)] = 0
    cache_creation_input_tokens: Annotated[int, Field(ge=0)] = 0
    cache_read_input_tokens: Annotated[int, Field(ge=0)] = 0


class Answer(Part):
    """What every successful reply may carry. ``usage: null`` and ``stop_reason: null`` leave these out of the answer."""

    delay_s: Seconds = 0
    usage: ScriptedUsage | None = None
    stop_reason: StopReason | None = None

    @property
    def leaves_out_usage(self) -> bool:
        return "usage" in self.model_fields_set and self.usage is None

    @property
    def leaves_out_stop_reason(self) -> bool:
        return "stop_reason" in self.model_fields_set and self.stop_reason is None


class OneTool(Answer):
    """``{tool, input}``, perhaps with ``text`` before it."""

    tool: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,128}$")]
    input: dict[str, Any] = Field(default_factory=dict)
    text: str = ""

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        return (ToolCall(tool=self.tool, input=self.input),)


class ManyTools(Answer):
    """``{tools: [{tool, input}, ...]}``: several tool uses in one turn."""

    tools: Annotated[tuple[ToolCall, ...], Field(min_length=1)]
    text: str = ""

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        return self.tools


class TextOnly(Answer):
    """``{text}``: the model only talks."""

    text: str


class Refusal(Answer):
    """``{refusal: true}``: stop reason ``refusal``."""

    refusal: Literal[True]
    text: str = ""


class ErrorReply(Part):
    """``{error: 529}``: that status in Anthropic's shape; ``disconnect`` ends the connection without an answer.

    ``times``: how often per turn. ``retry_after``: seconds, sent as a header.
    """

    error: Annotated[int, Field(ge=400, le=599)] | Literal["disconnect"]
    type: str | None = None
    message: str | None = None
    retry_after: Seconds | None = None
    times: Annotated[int, Field(ge=1, le=1_000)] = 1
    delay_s: Seconds = 0


Reply: TypeAlias = OneTool | ManyTools | TextOnly | Refusal | ErrorReply

# The first key that is there decides; `text` comes last since it may stand beside the others.
_KINDS: Final[tuple[tuple[str, type[OneTool | ManyTools | TextOnly | Refusal | ErrorReply]], ...]] = (
    ("error", ErrorReply),
    ("refusal", Refusal),
    ("tools", ManyTools),
    ("tool", OneTool),
    ("text", TextOnly),
)

Rounds: TypeAlias = tuple[tuple[Reply, ...], ...]
"""Replies per round; the last round's repeat."""

_ROLE: Final = re.compile(r"(?P<name>[a-z][a-z_]*)(?:\.(?P<seat>[1-9][0-9]?))?")
_STEP: Final = re.compile(r"S[1-9][0-9]?")


_CALLER: Final = re.compile(
    r"(?P<run>[^:]{1,80}):(?P<role>[a-z][a-z_]*(?:\.[1-9][0-9]?)?):(?P<round>[1-9][0-9]{0,5}):(?P<step>-|S[1-9][0-9]?):(?P<job>[^:]{1,80})"
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as ``metadata.user_id`` says: ``role`` with its seat, ``round`` from 1, ``step`` or ``-``."""

    run: str
    role: str
    round: int
    step: str
    job: str


def parse_caller(user_id: str) -> Caller | None:
    """Reads ``<run>:<role>:<round>:<step or ->:<job>`` (DESIGN section 5); None when it is something else."""
    match = _CALLER.fullmatch(user_id)
    if match is None:
        return None
    return Caller(match["run"], match["role"], int(match["round"]), match["step"], match["job"])


@dataclass(frozen=True, slots=True)
class ErrorUse:
    """One error at one turn of one seat, round and step: what is used up."""

    role: str
    round: int
    step: str
    turn: int
    index: int


@dataclass(frozen=True, slots=True)
class Chosen:
    """The reply to a request; ``use`` is set when it is an error that this answer uses up once."""

    reply: Reply
    use: ErrorUse | None = None


class NoReply(Exception):
    """The scenario scripts nothing for this request; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Script:
    """All scripted replies, by role or seat (``plan_reviewer``, ``plan_reviewer.2``), then by step ("" = any)."""

    roles: Mapping[str, Mapping[str, Rounds]]

    def reply(self, caller: Caller, turns: int, used: Callable[[ErrorUse], int]) -> Chosen:
        """The reply for the turn after ``turns`` assistant turns. ``used``: how often an error was answered already.

        Raises NoReply. An error stands before the turn that follows it in the list and counts as no turn; a list of
        nothing but errors repeats its last one for ever.
        """
        replies = self._replies(caller)
        answers = [reply for reply in replies if not isinstance(reply, ErrorReply)]
        turn = 0
        for index, reply in enumerate(replies):
            if not isinstance(reply, ErrorReply):
                turn += 1
            elif turn == turns:
                use = ErrorUse(caller.role, caller.round, caller.step, turns, index)
                if used(use) < reply.times:
                    return Chosen(reply, use)
        return Chosen(answers[min(turns, len(answers) - 1)] if answers else replies[-1])

    def _replies(self, caller: Caller) -> tuple[Reply, ...]:
        names = (caller.role, caller.role.partition(".")[0])
        steps = next((self.roles[name] for name in names if name in self.roles), None)
        if steps is None:
            wanted = " or ".join(repr(name) for name in dict.fromkeys(names))
            raise NoReply(f"the scenario's model has no replies for {wanted}: it scripts {sorted(self.roles)}")
        rounds = steps.get(caller.step, steps.get(""))
        if rounds is None:
            raise NoReply(
                f"the scenario's model has no replies of {caller.role!r} for step {caller.step!r}: it scripts {sorted(steps)}"
            )
        return rounds[min(caller.round, len(rounds)) - 1]


def known_roles() -> frozenset[str]:
    """Role names of every workflow."""
    stages = [stage for workflow in WORKFLOWS.values() for stage in workflow.stages]
    return frozenset(name for stage in stages for name in (stage.drafter, stage.reviewer))


def _stepped_roles() -> frozenset[str]:
    stages = [stage for workflow in WORKFLOWS.values() for stage in workflow.stages]
    return frozenset(stage.drafter for stage in stages if stage.drafting is Drafting.STEPS)


def read_script(raw: object, at: Path, problems: list[Problem]) -> Script:
    """Reads a scenario's ``model``; what is wrong goes to ``problems`` and is left out of the script."""
    if not isinstance(raw, dict):
        problems.append((at, "This must be a mapping of role names to lists of replies."))
        return Script({})
    roles: dict[str, Mapping[str, Rounds]] = {}
    for role, value in raw.items():
        where = (*at, role)
        match = _ROLE.fullmatch(role)
        if match is None or match["name"] not in known_roles():
            problems.append((where, unknown_key(role, known_roles())))
        elif isinstance(value, dict):
            if match["name"] not in _stepped_roles():
                problems.append((where, f"Only {sorted(_stepped_roles())} can have replies by step: give a list."))
            roles[role] = _by_step(value, where, problems)
        else:
            roles[role] = {"": _rounds(value, where, problems)}
    return Script(roles)


def _by_step(raw: dict[str, object], at: Path, problems: list[Problem]) -> Mapping[str, Rounds]:
    if not raw:
        problems.append((at, "There must be replies for one step at least."))
    steps: dict[str, Rounds] = {}
    for step, value in raw.items():
        if not _STEP.fullmatch(step):
            problems.append(((*at, step), f"A step is named S1, S2 and so on, not {step[:80]!r}."))
        steps[step] = _rounds(value, (*at, step), problems)
    return steps


def _rounds(raw: object, at: Path, problems: list[Problem]) -> Rounds:
    if not isinstance(raw, list) or not raw:
        problems.append(
            (at, "This must be a list of replies, or a list of such lists, one per round; it is not empty.")
        )
        return ()
    nested = [isinstance(item, list) for item in raw]
    if all(nested):
        return tuple(_list(item, (*at, number), problems) for number, item in enumerate(raw))
    if any(nested):
        problems.append(
            (at, "Replies and lists of replies are mixed here: give either one list, or one list per round.")
        )
        return ()
    return (_list(raw, at, problems),)


def _list(raw: list[object], at: Path, problems: list[Problem]) -> tuple[Reply, ...]:
    if not raw:
        problems.append((at, "A round must have one reply at least."))
    read = (_reply(item, (*at, number), problems) for number, item in enumerate(raw))
    return tuple(reply for reply in read if reply is not None)


def _reply(raw: object, at: Path, problems: list[Problem]) -> Reply | None:
    kinds = [key for key, _ in _KINDS]
    if not isinstance(raw, dict):
        problems.append((at, f"A reply is a mapping with one of {', '.join(kinds)}."))
        return None
    kind = next((model for key, model in _KINDS if key in raw), None)
    if kind is None:
        problems.append(
            (at, f"A reply needs one of {', '.join(kinds)}; this one has {', '.join(sorted(raw)) or 'nothing'}.")
        )
        return None
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        problems += problems_of(error, kind, at)
        return None
