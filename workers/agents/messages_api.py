"""The door to the model: the one file that speaks to the anthropic SDK. One request, one answer, or one sorted failure.

Waiting, trying again, budgets and stops belong to the caller: the SDK's own retries are off.
"""

from __future__ import annotations

import copy
import json
import queue
import ssl
import threading
import time
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Protocol, TypeAlias

import anthropic
import httpx2
import pydantic
from anthropic.types.message_count_tokens_params import MessageCountTokensParams
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming

from bot.domain.errors import ModelError, UserError
from bot.domain.money import Usage

Block: TypeAlias = dict[str, Any]

CONNECT_SECONDS: Final = 10.0
DEADLINE_SECONDS: Final = 600.0
LONGEST_WAIT: Final = 3_600.0
"""A ``retry-after`` beyond this many seconds is cut: a run is woken at least once an hour."""

HIDDEN_PROMPT_TOKENS: Final = 1_000
"""Room for what the API adds to a prompt that has tools: a few hundred tokens by its documentation."""

_EPHEMERAL: Final = {"type": "ephemeral"}
_BUSY: Final = frozenset({408, 409, 425, 429})
_CACHEABLE: Final = frozenset({"text", "tool_result", "image", "document"})


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One turn to ask for. ``messages`` and ``tools`` are in the API's own form; ``max_tokens`` bounds the answer.

    ``user_id`` is ``<run>:<role>:<round>:<step or ->:<job>`` (DESIGN section 5).
    """

    model: str
    system: str
    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, Any]]
    max_tokens: int
    user_id: str


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What came back. ``content``: blocks as they were sent, to be sent back unchanged; ``raw``: the body's bytes."""

    content: tuple[Block, ...]
    stop_reason: str
    usage: Usage
    raw: bytes

    @property
    def refused(self) -> bool:
        """Whether the model declined to go on."""
        return self.stop_reason == "refusal"

    @property
    def tool_uses(self) -> tuple[Block, ...]:
        return tuple(block for block in self.content if block["type"] == "tool_use")

    @property
    def text(self) -> str:
        return "\n".join(block["text"] for block in self.content if block["type"] == "text")


class Model(Protocol):
    """Asks a model for one turn."""

    def ask(self, request: ModelRequest) -> ModelAnswer:
        """Returns within the deadline or raises ModelBusy, ModelRejected or ModelUnreadable; never tries again itself."""
        ...


class ModelBusy(ModelError):
    """The request may be repeated later: limits, overload, a time-out, a lost connection."""

    @property
    def retry_after_s(self) -> float | None:
        """Seconds that the endpoint asked to wait, or None."""
        text = self.fields.get("retry_after_s")
        return None if text is None else float(text)


class ModelRejected(UserError):
    """The endpoint will not take this request however often it is sent: key, model name, size or a malformed request."""

    @property
    def status(self) -> int:
        return int(self.fields["status"])


class ModelUnreadable(ModelError):
    """The endpoint said 200 and the answer is not a whole message: it counts as none, and as charged."""


def prompt_tokens_upper_bound(request: ModelRequest) -> int:
    """At least as many tokens as the prompt has: no token is shorter than a byte of what is sent."""
    parts = {"system": request.system, "messages": list(request.messages), "tools": list(request.tools)}
    return len(json.dumps(parts, ensure_ascii=False).encode("utf-8", "surrogatepass")) + HIDDEN_PROMPT_TOKENS


class MessagesApi:
    """Model over HTTP. ``deadline_s`` bounds a whole request, however slowly bytes drip in."""

    def __init__(self, *, api_key: str, base_url: str, deadline_s: float = DEADLINE_SECONDS) -> None:
        self._api_key = api_key
        self._base_url = base_url
        self._deadline = deadline_s

    def ask(self, request: ModelRequest) -> ModelAnswer:
        """Sends one request. Raises ModelBusy, ModelRejected or ModelUnreadable (see Model)."""
        # A client of its own for each request: it can be closed under a request that hangs, and no process fork shares it.
        http = anthropic.DefaultHttpxClient(follow_redirects=False, verify=_trusted())
        outcome: queue.SimpleQueue[bytes | BaseException] = queue.SimpleQueue()

        def send() -> None:
            try:
                outcome.put(self._send(http, request))
            except BaseException as error:  # noqa: BLE001 - handed to the asking thread, which raises it
                outcome.put(error)

        started = time.monotonic()
        # httpx bounds each read, not the request, so the clock is kept here and the thread is left to die with its client.
        threading.Thread(target=send, name="model-request", daemon=True).start()
        try:
            found = outcome.get(timeout=self._deadline)
        except queue.Empty:
            waited = time.monotonic() - started
            raise ModelBusy(f"The model endpoint gave no whole answer within {waited:.0f} seconds.") from None
        finally:
            http.close()
        if isinstance(found, bytes):
            return read_answer(found)
        raise _sorted_error(found, request) from found

    def _send(self, http: Any, request: ModelRequest) -> bytes:
        client = anthropic.Anthropic(
            api_key=self._api_key,
            base_url=self._base_url,
            max_retries=0,
            # The same number as the deadline: a silent peer holds a socket no longer than that.
            timeout=anthropic.Timeout(self._deadline, connect=min(CONNECT_SECONDS, self._deadline)),
            http_client=http,
        )
        return client.messages.with_raw_response.create(**_body(request)).read()


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    """The machine's authorities, as the SDK's client would load them for every request: 25 ms of processor time each."""
    return httpx2.create_ssl_context()


def _body(request: ModelRequest) -> dict[str, Any]:
    """The request's parameters, with the prompt cache asked for at the end of what stays the same from turn to turn."""
    messages = [copy.copy(dict(message)) for message in request.messages]
    tools = [copy.copy(dict(tool)) for tool in request.tools]
    body: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.max_tokens,
        "messages": messages,
        "metadata": {"user_id": request.user_id},
    }
    if request.system:
        # Tools come before the system prompt in the cached prefix, so this mark covers both.
        body["system"] = [{"type": "text", "text": request.system, "cache_control": _EPHEMERAL}]
    elif tools:
        tools[-1]["cache_control"] = _EPHEMERAL
    if tools:
        body["tools"] = tools
    if messages:
        messages[-1]["content"] = _cached(messages[-1]["content"])
    return body


def _cached(content: str | list[Block]) -> str | list[Block]:
    """The last message's content with a cache mark on its last block, where a block of that kind takes one."""
    blocks: list[Block] = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
    if not blocks or blocks[-1].get("type") not in _CACHEABLE or blocks[-1].get("text") == "":
        return content
    return [*blocks[:-1], {**blocks[-1], "cache_control": _EPHEMERAL}]


def _sorted_error(error: BaseException, request: ModelRequest) -> Exception:
    """The SDK's exception as one of ours, by who has to act."""
    match error:
        case anthropic.APIStatusError():
            return _status_error(error, request)
        case anthropic.APITimeoutError():
            return ModelBusy("The model endpoint did not answer in time.")
        case anthropic.APIConnectionError():
            return ModelBusy(f"The model endpoint cannot be reached: {str(error.__cause__ or error)[:200]}.")
        case anthropic.AnthropicError() | ValueError() | TypeError():
            return ModelRejected(
                f"The model request for {request.model!r} could not be made: {str(error)[:300]}", {"status": "0"}
            )
        case Exception():
            return ModelBusy(f"The request to the model endpoint broke off: {type(error).__name__}: {str(error)[:200]}")
        case _:
            raise error


def _status_error(error: anthropic.APIStatusError, request: ModelRequest) -> ModelBusy | ModelRejected:
    status = error.status_code
    kind = str(error.type or "error")[:80]
    said = str(error.api_message or "no reason given")[:300]
    fields = {"status": str(status), "type": kind, "request_id": str(error.request_id or "")[:80]}
    if status in _BUSY or status >= 500:
        wait = _retry_after(error.response.headers.get("retry-after"))
        if wait is not None:
            fields["retry_after_s"] = str(wait)
        return ModelBusy(f"The model endpoint answered {status} {kind}: {said}", fields)
    if status < 400:
        said = "a redirect, which is not followed: set the endpoint's own address"
    return ModelRejected(
        f"The model endpoint refused the request for {request.model!r} with {status} {kind}: {said}", fields
    )


def _retry_after(header: str | None) -> float | None:
    """Seconds of a ``retry-after`` header; a date or anything else is None, as no clock of theirs is ours."""
    try:
        seconds = float(header or "nan")
    except ValueError:
        return None
    return min(seconds, LONGEST_WAIT) if seconds >= 0 else None


def read_answer(raw: bytes) -> ModelAnswer:
    """Reads a message from the body of an answer. Raises ModelUnreadable when any part that decides is not there."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ModelUnreadable(f"The model's answer of {len(raw)} bytes is not JSON.") from error
    if not isinstance(body, dict) or body.get("type") != "message" or body.get("role") != "assistant":
        raise ModelUnreadable("The model's answer is no message by the assistant.")
    stop_reason = body.get("stop_reason")
    if not isinstance(stop_reason, str) or not stop_reason:
        raise ModelUnreadable("The model's answer has no stop reason, so it may have been cut off.")
    content = body.get("content")
    if not isinstance(content, list) or not all(_is_block(block) for block in content):
        raise ModelUnreadable("The model's answer has a content block that cannot be read.")
    return ModelAnswer(tuple(content), stop_reason, _usage(body.get("usage")), raw)


def _is_block(block: object) -> bool:
    match block:
        case {"type": "text", "text": str()}:
            return True
        case {"type": "tool_use", "id": str(), "name": str(), "input": dict()}:
            return True
        case {"type": "text" | "tool_use"}:
            return False
        case {"type": str()}:
            return True
        case _:
            return False


def _usage(raw: object) -> Usage:
    if not isinstance(raw, dict):
        raise ModelUnreadable("The model's answer does not say what it used, so it cannot be charged.")
    counts: list[int] = []
    for name, needed in (
        ("input_tokens", True),
        ("output_tokens", True),
        ("cache_creation_input_tokens", False),
        ("cache_read_input_tokens", False),
    ):
        value = raw.get(name)
        if value is None and not needed:
            value = 0
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ModelUnreadable(f"The model's answer says {str(value)[:40]!r} for {name}, so it cannot be charged.")
        counts.append(value)
    return Usage(*counts)


@lru_cache(maxsize=3)
def _adapter(kind: Any) -> pydantic.TypeAdapter[Any]:
    return pydantic.TypeAdapter(kind)


def request_problems(body: object, *, counting: bool = False) -> tuple[str, ...]:
    """What the SDK's own request types say against a request body; empty when it is legal. ``counting``: count_tokens.

    Keys that the types do not know are problems too: pydantic drops them from TypedDicts without a word.
    """
    if not isinstance(body, dict):
        return ("the body is not an object",)
    if counting:
        kind: Any = MessageCountTokensParams
    else:
        kind = MessageCreateParamsStreaming if body.get("stream") else MessageCreateParamsNonStreaming
    unknown = sorted(body.keys() - typing.get_type_hints(kind).keys())
    # Held until the walk is done: what it walks validates lazily, and a cache that two threads fill keeps one of theirs.
    adapter = _adapter(kind)
    try:
        seen = _walk(adapter.validate_python(body))
    except pydantic.ValidationError as error:
        return _nearest_problems(error)
    return (*(f"{name}: unknown key" for name in unknown), *_dropped(body, seen, ""))


def _nearest_problems(error: pydantic.ValidationError) -> tuple[str, ...]:
    """The first few problems, without those of union members that the value's own ``type`` or ``role`` rules out."""
    details = error.errors(include_url=False, include_input=False)
    ruled_out = {
        one["loc"][:-1] for one in details if one["loc"][-1:] in {("type",), ("role",)} and "literal" in one["type"]
    }
    left = [one for one in details if not any(one["loc"][: len(branch)] == branch for branch in ruled_out)] or details
    return tuple(f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in left[:5])


def _walk(value: Any) -> Any:
    """Walks every lazily validated iterable: without that, bad roles and tools pass."""
    match value:
        case str() | bytes() | None:
            return value
        case pydantic.BaseModel():
            return value.model_dump(exclude_unset=True)
        case dict():
            return {key: _walk(item) for key, item in value.items()}
        case _:
            return [_walk(item) for item in value] if hasattr(value, "__iter__") else value


def _dropped(sent: Any, seen: Any, at: str) -> list[str]:
    if isinstance(sent, dict) and isinstance(seen, dict):
        lost = [f"{at}{key}: unknown key" for key in sent if key not in seen and at]
        return lost + [one for key in sent if key in seen for one in _dropped(sent[key], seen[key], f"{at}{key}.")]
    if isinstance(sent, list) and isinstance(seen, list):
        pairs = enumerate(zip(sent, seen, strict=False))
        return [one for number, (a, b) in pairs for one in _dropped(a, b, f"{at}{number}.")]
    return []


__all__ = [
    "Block",
    "MessagesApi",
    "Model",
    "ModelAnswer",
    "ModelBusy",
    "ModelRejected",
    "ModelRequest",
    "ModelUnreadable",
    "prompt_tokens_upper_bound",
    "read_answer",
    "request_problems",
]
