"""The model of a simulation: a loopback HTTP server that speaks the Messages API and answers from a script.

It is strict: a request that the SDK's own types would refuse, or that leaves a tool use unanswered, is answered 400 and
listed under ``violations``. Answers depend on the request alone, but for errors, which are used up.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self, assert_never

from bot.domain.money import Price, shipped_prices
from bot.simulator.model_rules import turn_problems
from bot.simulator.script import (
    Answer,
    Caller,
    ErrorReply,
    ErrorUse,
    ManyTools,
    NoReply,
    OneTool,
    Refusal,
    Reply,
    Script,
    TextOnly,
    ToolCall,
    parse_caller,
)
from workers.agents.messages_api import request_problems

SCRIPTED_MODEL: Final = "scripted-model-1"
MAX_BODY: Final = 64 * 1024 * 1024
BYTES_PER_TOKEN: Final = 4
# https://docs.anthropic.com/en/api/errors
_ERROR_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """One request as it came: who asked, the sha256 of its body and the body's text."""

    role: str
    round: int
    step: str
    sha256: str
    text: str
    turn: int

    def report(self) -> dict[str, str | int]:
        """The entry of ``model_requests`` in a report."""
        return {"role": self.role, "round": self.round, "step": self.step, "sha256": self.sha256, "text": self.text}


@dataclass(frozen=True, slots=True)
class _Sent:
    """An answer to be written: status, body, and what the wire does."""

    status: int
    body: dict[str, Any]
    headers: tuple[tuple[str, str], ...] = ()
    delay_s: float = 0
    stream: bool = False
    disconnect: bool = False


def scripted_price() -> Price:
    """The price of the scripted model, so that budgets work in simulations."""
    return shipped_prices().of(SCRIPTED_MODEL)


class ScriptedModel:
    """``with ScriptedModel(script) as model: model.base_url``. Threads and sockets end with the context."""

    def __init__(self, script: Script, *, api_key: str | None = None) -> None:
        self._script = script
        self._api_key = api_key
        self._used: Counter[ErrorUse] = Counter()
        self._requests: list[SeenRequest] = []
        self._violations: list[str] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self.before_reply: Callable[[], None] = lambda: None
        """Called before each reply is sent."""
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="scripted-model", daemon=True
        )

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def requests(self) -> tuple[SeenRequest, ...]:
        """Every request to /v1/messages that named its caller, in order of arrival."""
        with self._lock:
            return tuple(self._requests)

    @property
    def violations(self) -> tuple[str, ...]:
        """What was wrong with requests, one sentence each."""
        with self._lock:
            return tuple(self._violations)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the server; replies that still wait are dropped."""
        self._closing.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def wait(self, seconds: float) -> None:
        """Waits as a reply's ``delay_s`` says, or until the server ends."""
        self._closing.wait(seconds)

    def answer(self, path: str, headers: dict[str, str], raw: bytes) -> _Sent:
        """The answer to one POST; ``headers`` with names in lower case."""
        refusal = self._refuse_headers(headers)
        if refusal is not None:
            return refusal
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError):
            return self._violation("the body is not JSON", path)
        problems = request_problems(body, counting=path == "/v1/messages/count_tokens")
        problems = problems or turn_problems(body)
        if problems:
            return self._violation("; ".join(problems), path)
        if path == "/v1/messages/count_tokens":
            return _Sent(200, {"input_tokens": _prompt_tokens(body)})
        return self._message(body, raw)

    def _refuse_headers(self, headers: dict[str, str]) -> _Sent | None:
        key = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        if not key or (self._api_key is not None and key != self._api_key):
            return _error(401, "the API key is missing or wrong")
        if "anthropic-version" not in headers:
            return self._violation("the header anthropic-version is missing", "headers")
        return None

    def _violation(self, sentence: str, where: str) -> _Sent:
        with self._lock:
            self._violations.append(f"model {where}: {sentence}")
        return _error(400, sentence)

    def _message(self, body: dict[str, Any], raw: bytes) -> _Sent:
        user_id = str((body.get("metadata") or {}).get("user_id") or "")
        caller = parse_caller(user_id)
        if caller is None:
            return self._violation(
                f"metadata.user_id {user_id[:200]!r} is not <run>:<role>:<round>:<step or ->:<job>", "/v1/messages"
            )
        turns = sum(1 for message in body["messages"] if message["role"] == "assistant")
        seen = SeenRequest(
            caller.role,
            caller.round,
            caller.step,
            hashlib.sha256(raw).hexdigest(),
            raw.decode("utf-8", "replace"),
            turns,
        )
        with self._lock:
            self._requests.append(seen)
            try:
                chosen = self._script.reply(caller, turns, self._used.__getitem__)
            except NoReply as error:
                self._violations.append(f"model /v1/messages: {error}")
                return _error(400, str(error))
            if chosen.use is not None:
                self._used[chosen.use] += 1
        return _sent(chosen.reply, caller, turns, body)


def _sent(reply: Reply, caller: Caller, turns: int, body: dict[str, Any]) -> _Sent:
    match reply:
        case ErrorReply(error="disconnect"):
            return _Sent(0, {}, delay_s=reply.delay_s, disconnect=True)
        case ErrorReply(error=int(status)):
            wait = () if reply.retry_after is None else (("retry-after", f"{reply.retry_after:g}"),)
            made = _error(status, reply.message or f"scripted {status}", reply.type)
            return _Sent(status, made.body, wait, reply.delay_s)
        case OneTool() | ManyTools():
            return _answered(reply, reply.text, reply.calls, "tool_use", (caller, turns, body))
        case TextOnly():
            return _answered(reply, reply.text, (), "end_turn", (caller, turns, body))
        case Refusal():
            return _answered(reply, reply.text, (), "refusal", (caller, turns, body))
        case ErrorReply():
            raise AssertionError(reply)
        case _:
            assert_never(reply)


def _answered(
    reply: Answer, text: str, calls: tuple[ToolCall, ...], stop_reason: str, asked: tuple[Caller, int, dict[str, Any]]
) -> _Sent:
    caller, turns, body = asked
    origin = f"{caller.role}|{caller.round}|{caller.step}|{turns}"
    content: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
    for number, call in enumerate(calls):
        name = hashlib.sha256(f"{origin}|{number}".encode()).hexdigest()[:24]
        content.append({"type": "tool_use", "id": f"toolu_{name}", "name": call.tool, "input": call.input})
    message: dict[str, Any] = {
        "id": "msg_" + hashlib.sha256(f"message|{origin}".encode()).hexdigest()[:24],
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": content,
        "stop_sequence": None,
    }
    if not reply.leaves_out_stop_reason:
        message["stop_reason"] = reply.stop_reason or stop_reason
    if not reply.leaves_out_usage:
        message["usage"] = _usage(body, content) if reply.usage is None else reply.usage.model_dump()
    return _Sent(200, message, delay_s=reply.delay_s, stream=body.get("stream") is True)


def _tokens(value: object) -> int:
    size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))
    return -(-size // BYTES_PER_TOKEN)


def _prompt_tokens(body: dict[str, Any]) -> int:
    return _tokens([body.get("tools") or [], body.get("system") or "", body["messages"]])


def _usage(body: dict[str, Any], content: list[dict[str, Any]]) -> dict[str, int]:
    """Token counts from sizes alone. With a cache mark, a context's first turn writes its prefix and later ones read it."""
    prefix = _tokens([body.get("tools") or [], body.get("system") or ""])
    prompt = _prompt_tokens(body)
    marked = "cache_control" in json.dumps([body.get("tools"), body.get("system")])
    first = all(message["role"] != "assistant" for message in body["messages"])
    cached = min(prefix, prompt) if marked else 0
    return {
        "input_tokens": prompt - cached,
        "output_tokens": max(1, _tokens(content)),
        "cache_creation_input_tokens": cached if first else 0,
        "cache_read_input_tokens": 0 if first else cached,
    }


def _error(status: int, message: str, kind: str | None = None) -> _Sent:
    default = "api_error" if status >= 500 else "invalid_request_error"
    shape = {"type": kind or _ERROR_TYPES.get(status, default), "message": message}
    return _Sent(status, {"type": "error", "error": shape, "request_id": None})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Replies that wait must not hold up the end: `close` wakes them, and nobody joins them.
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up early are part of what is simulated; any other error keeps its trace on stderr."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def _handler(model: ScriptedModel) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = self.headers.get("content-length", "")
            if not length.isdigit() or int(length) > MAX_BODY:
                self._write(_error(413, f"the body must say its length, {MAX_BODY} bytes at most"))
                self.close_connection = True
                return
            raw = self.rfile.read(int(length))
            path = self.path.partition("?")[0]
            if path not in {"/v1/messages", "/v1/messages/count_tokens"}:
                self._write(_error(404, f"there is no {path}"))
                return
            self._write(model.answer(path, {name.lower(): value for name, value in self.headers.items()}, raw))

        def do_GET(self) -> None:
            self._write(_error(404, f"there is no GET {self.path}"))

        def _write(self, sent: _Sent) -> None:
            model.before_reply()
            model.wait(sent.delay_s)
            if sent.disconnect:
                self.close_connection = True
                return
            data = _events(sent.body) if sent.stream else json.dumps(sent.body, ensure_ascii=False).encode()
            self.send_response(sent.status)
            self.send_header("content-type", "text/event-stream" if sent.stream else "application/json")
            self.send_header("content-length", str(len(data)))
            self.send_header("request-id", f"req_{hashlib.sha256(data).hexdigest()[:24]}")
            for name, value in sent.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
            """Requests are kept in ``ScriptedModel.requests``; the terminal belongs to the simulation."""

    return Handler


def _events(message: dict[str, Any]) -> bytes:
    """The message as the stream of events that the API would send."""
    usage = message.get("usage") or {"input_tokens": 0, "output_tokens": 0}
    start = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": start}]
    for index, block in enumerate(message["content"]):
        text = block["type"] == "text"
        opening = {**block, "text": ""} if text else {**block, "input": {}}
        delta = (
            {"type": "text_delta", "text": block["text"]}
            if text
            else {"type": "input_json_delta", "partial_json": json.dumps(block["input"], ensure_ascii=False)}
        )
        events += [
            {"type": "content_block_start", "index": index, "content_block": opening},
            {"type": "content_block_delta", "index": index, "delta": delta},
            {"type": "content_block_stop", "index": index},
        ]
    ending = {"stop_reason": message.get("stop_reason"), "stop_sequence": None}
    events.append({"type": "message_delta", "delta": ending, "usage": {"output_tokens": usage["output_tokens"]}})
    if ending["stop_reason"] is not None:
        events.append({"type": "message_stop"})
    return b"".join(f"event: {e['type']}\ndata: {json.dumps(e, ensure_ascii=False)}\n\n".encode() for e in events)
