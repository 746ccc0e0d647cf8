"""Our door to the model against the scripted model, over HTTP: both sides of one contract."""

from __future__ import annotations

import json
import pickle
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anthropic
import pytest

from bot.domain.money import Usage, shipped_prices
from bot.domain.positioned_yaml import read_yaml
from bot.domain.schema_problems import Problem
from bot.simulator.model import SCRIPTED_MODEL, ScriptedModel, scripted_price
from bot.simulator.script import Script, read_script
from workers.agents.messages_api import (
    MessagesApi,
    ModelAnswer,
    ModelBusy,
    ModelRejected,
    ModelRequest,
    ModelUnreadable,
    prompt_tokens_upper_bound,
    read_answer,
    request_problems,
)

TOOLS = [{"name": "read_file", "description": "Reads.", "input_schema": {"type": "object", "properties": {}}}]
ASK = {"role": "user", "content": "Begin."}


def script(text: str) -> Script:
    problems: list[Problem] = []
    made = read_script(read_yaml(text).data, (), problems)
    assert problems == []
    return made


@contextmanager
def running(text: str) -> Iterator[tuple[ScriptedModel, MessagesApi]]:
    with ScriptedModel(script(text), api_key="k-1") as model:
        yield model, MessagesApi(api_key="k-1", base_url=model.base_url, deadline_s=20)


def request(messages: list[dict[str, Any]] | None = None, **changes: Any) -> ModelRequest:
    values: dict[str, Any] = {
        "model": SCRIPTED_MODEL,
        "system": "You plan.",
        "messages": messages or [ASK],
        "tools": TOOLS,
        "max_tokens": 1_000,
        "user_id": "r1:planner:1:-:j1",
    }
    return ModelRequest(**{**values, **changes})


def follow(answer: ModelAnswer, *, drop: int = 0) -> list[dict[str, Any]]:
    results = [{"type": "tool_result", "tool_use_id": use["id"], "content": "done"} for use in answer.tool_uses]
    return [
        ASK,
        {"role": "assistant", "content": list(answer.content)},
        {"role": "user", "content": results[drop:] or "x"},
    ]


def test_a_context_of_tools_and_text() -> None:
    text = (
        "planner: [{tool: read_file, input: {path: a.py}}, {tools: [{tool: read_file}, {tool: read_file}], text: Both.}, "
        "{text: Ende ü}]"
    )
    with running(text) as (model, api):
        first = api.ask(request())
        assert first.stop_reason == "tool_use"
        assert [(use["name"], use["input"]) for use in first.tool_uses] == [("read_file", {"path": "a.py"})]
        messages = follow(first)
        second = api.ask(request(messages))
        assert (len(second.tool_uses), second.text) == (2, "Both.")
        assert len({use["id"] for use in (*first.tool_uses, *second.tool_uses)}) == 3
        again = api.ask(request(messages))
        assert again.raw == second.raw
        messages = [*messages, *follow(second)[1:]]
        last = api.ask(request(messages))
        assert (last.stop_reason, last.text, last.refused) == ("end_turn", "Ende ü", False)
        assert model.violations == ()
    seen = model.requests
    assert [(one.role, one.round, one.step, one.turn) for one in seen] == [("planner", 1, "-", n) for n in (0, 1, 1, 2)]
    assert seen[1].sha256 == seen[2].sha256
    body = json.loads(seen[1].text)
    assert body["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert body["messages"][-1]["content"][-1]["cache_control"] == {"type": "ephemeral"}
    assert messages[0] == ASK, "the caller's messages are not touched"


def test_usage_is_computed_from_sizes_and_the_cache() -> None:
    with running("planner: [{tool: read_file}, {text: x}]") as (_, api):
        first = api.ask(request())
        second = api.ask(request(follow(first)))
        third = api.ask(request(follow(first)))
    assert first.usage.cache_write == second.usage.cache_read > 0
    assert (first.usage.cache_read, second.usage.cache_write) == (0, 0)
    assert second.usage == third.usage
    assert second.usage.input > first.usage.input > 0
    prices = shipped_prices()
    asked = request(follow(first))
    assert prices.cost(SCRIPTED_MODEL, second.usage) <= prices.worst_case(
        SCRIPTED_MODEL, prompt_tokens_upper_bound(asked), 1_000
    )
    assert scripted_price().simulation


@pytest.mark.parametrize(
    ("status", "header"), [(429, 3.0), (500, None), (503, None), (529, 0.5), (408, None), (409, None)]
)
def test_a_busy_endpoint(status: int, header: float | None) -> None:
    wait = "" if header is None else f", retry_after: {header}"
    with running(f"planner: [{{error: {status}{wait}}}, {{text: then}}]") as (model, api):
        with pytest.raises(ModelBusy) as caught:
            api.ask(request())
        assert caught.value.retry_after_s == header
        assert pickle.loads(pickle.dumps(caught.value)).retry_after_s == header
        assert api.ask(request()).text == "then"
        assert len(model.requests) == 2, "the SDK does not try again by itself"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_a_refused_request(status: int) -> None:
    with running(f"planner: [{{error: {status}, message: no such thing}}]") as (_, api):
        with pytest.raises(ModelRejected, match="no such thing") as caught:
            api.ask(request())
        assert caught.value.status == status


def test_a_wrong_key_never_shows_in_the_error() -> None:
    with running("planner: [{text: x}]") as (model, _):
        api = MessagesApi(api_key="sk-ant-wrong-key", base_url=model.base_url)
        with pytest.raises(ModelRejected, match="401") as caught:
            api.ask(request())
    assert "sk-ant-wrong-key" not in str(caught.value) + repr(caught.value.fields)


def test_a_refusal_is_an_answer() -> None:
    with running("planner: [{refusal: true}]") as (_, api):
        answer = api.ask(request())
    assert answer.refused
    assert answer.content == ()


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        ("{text: x, stop_reason: null}", "no stop reason"),
        ("{text: x, usage: null}", "does not say what it used"),
    ],
)
def test_an_answer_that_is_cut_off(reply: str, sentence: str) -> None:
    with running(f"planner: [{reply}]") as (_, api), pytest.raises(ModelUnreadable, match=sentence):
        api.ask(request())


def test_a_lost_connection_and_nobody_there() -> None:
    with running("planner: [{error: disconnect}, {text: back}]") as (_, api):
        with pytest.raises(ModelBusy):
            api.ask(request())
        assert api.ask(request()).text == "back"
    with pytest.raises(ModelBusy, match="cannot be reached"):
        api.ask(request())


def test_an_answer_that_never_comes_ends_at_the_deadline() -> None:
    with ScriptedModel(script("planner: [{delay_s: 600, text: late}]")) as model:
        api = MessagesApi(api_key="k", base_url=model.base_url, deadline_s=0.3)
        with pytest.raises(ModelBusy):
            api.ask(request())


def test_an_answer_that_drips_ends_at_the_deadline() -> None:
    """Every byte comes within the read time-out, and yet the whole is cut."""
    over = threading.Event()

    def drip(listener: socket.socket) -> None:
        link, _ = listener.accept()
        with link:
            link.recv(65_536)
            link.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n")
            try:
                while not over.wait(0.05):
                    link.sendall(b" ")
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,), daemon=True)
        thread.start()
        api = MessagesApi(api_key="k", base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", deadline_s=0.5)
        with pytest.raises(ModelBusy, match="no whole answer"):
            api.ask(request())
        over.set()
        thread.join(10)


def test_a_redirect_is_not_followed_with_the_key() -> None:
    def redirect(listener: socket.socket) -> None:
        link, _ = listener.accept()
        with link:
            link.recv(65_536)
            link.sendall(b"HTTP/1.1 307 Moved\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=redirect, args=(listener,), daemon=True)
        thread.start()
        api = MessagesApi(api_key="k", base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", deadline_s=20)
        with pytest.raises(ModelRejected, match="redirect"):
            api.ask(request())
        thread.join(10)


def test_tool_results_must_answer_each_tool_use() -> None:
    with running("planner: [{tools: [{tool: read_file}, {tool: read_file}]}, {text: x}]") as (model, api):
        first = api.ask(request())
        for messages, sentence in (
            (follow(first, drop=1), "is not answered here"),
            (follow(first, drop=2), "is not answered here"),
            ([*follow(first)[:2], {"role": "user", "content": [*follow(first)[2]["content"], follow(first)[2]["content"][0]]}], "is answered 2 times"),
            ([ASK, {"role": "assistant", "content": "x"}, follow(first)[2]], "answers no tool use"),
        ):  # fmt: skip
            with pytest.raises(ModelRejected, match=sentence):
                api.ask(request(messages))
        assert len(model.violations) == 4


@pytest.mark.parametrize(
    ("messages", "sentence"),
    [
        ([{"role": "robot", "content": "x"}], "role"),
        (
            [{"role": "user", "content": [{"type": "text", "text": "x", "colour": 1}]}],
            "messages.0.content.0.colour: unknown key",
        ),
        ([{"role": "user", "content": [{"type": "tool_result", "content": "x"}]}], "tool_use_id"),
        ([{"role": "assistant", "content": "x"}], "must be the user's"),
        ([{"role": "user", "content": " "}], "more than white space"),
    ],
)
def test_illegal_messages_are_violations(messages: list[dict[str, Any]], sentence: str) -> None:
    with running("planner: [{text: x}]") as (model, api):
        with pytest.raises(ModelRejected, match="400"):
            api.ask(request(messages))
        assert sentence in model.violations[0]


def test_illegal_tools_are_violations() -> None:
    with running("planner: [{text: x}]") as (model, api):
        with pytest.raises(ModelRejected):
            api.ask(request(tools=[{"name": "a"}]))
        with pytest.raises(ModelRejected):
            api.ask(request(tools=[*TOOLS, *TOOLS]))
        assert "stands 2 times" in model.violations[1]


def test_requests_of_nobody_and_of_roles_without_a_script() -> None:
    with running("planner: [{text: x}]") as (model, api):
        with pytest.raises(ModelRejected, match="no replies for 'implementer'"):
            api.ask(request(user_id="r1:implementer:1:S1:j1"))
        with pytest.raises(ModelRejected, match=r"metadata\.user_id"):
            api.ask(request(user_id="somebody"))
        assert len(model.violations) == 2


def test_seats_are_told_apart() -> None:
    with running("plan_reviewer: [{text: any}]\nplan_reviewer.2: [{text: two}]") as (_, api):
        said = [api.ask(request(user_id=f"r1:plan_reviewer.{seat}:1:-:j{seat}")).text for seat in (1, 2)]
    assert said == ["any", "two"]


def test_the_sdk_reads_the_stream_and_counts_tokens() -> None:
    with running("planner: [{text: Hällo, tools: [{tool: read_file, input: {a: [1]}}]}]") as (model, _):
        client = anthropic.Anthropic(
            api_key="k-1", base_url=model.base_url, max_retries=0, _strict_response_validation=True
        )
        values: dict[str, Any] = {"model": SCRIPTED_MODEL, "messages": [ASK], "tools": TOOLS}
        whole: dict[str, Any] = {**values, "max_tokens": 99, "metadata": {"user_id": "r1:planner:1:-:j"}}
        with client.messages.stream(**whole) as stream:
            streamed = stream.get_final_message()
        plain = client.messages.create(**whole)
        assert [block.to_dict() for block in streamed.content] == [block.to_dict() for block in plain.content]
        assert (streamed.stop_reason, streamed.usage.output_tokens) == ("tool_use", plain.usage.output_tokens)
        counted = client.messages.count_tokens(**values)
        assert counted.input_tokens == plain.usage.input_tokens
        client.close()
        assert model.violations == ()


@pytest.mark.parametrize(
    "change",
    [{"temperature": 0}, {"max_tokens": "many"}, {"system": 3}, {"messages": "x"}, {"tool_choice": {"type": "maybe"}}],
)
def test_bodies_that_the_sdk_types_refuse(change: dict[str, Any]) -> None:
    body = {"model": "m", "max_tokens": 1, "messages": [ASK]}
    assert request_problems(body) == ()
    assert request_problems({**body, "stream": True}) == ()
    assert request_problems({**body, **change})


@pytest.mark.parametrize(
    "change",
    [
        {"type": "error"},
        {"role": "user"},
        {"content": "text"},
        {"content": [{"type": "text"}]},
        {"content": [{"type": "tool_use", "id": "a", "name": "b", "input": "c"}]},
        {"content": [3]},
        {"usage": {"input_tokens": 1}},
        {"usage": {"input_tokens": -1, "output_tokens": 1}},
        {"usage": {"input_tokens": True, "output_tokens": 1}},
        {"stop_reason": ""},
    ],
)
def test_answers_that_count_as_none(change: dict[str, Any]) -> None:
    good = {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "x"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": None},
    }
    answer = read_answer(json.dumps(good).encode())
    assert (answer.usage, answer.text, len(answer.content)) == (Usage(1, 2), "x", 2)
    with pytest.raises(ModelUnreadable):
        read_answer(json.dumps({**good, **change}).encode())


@pytest.mark.parametrize("raw", [b"", b"<html>", b"[" * 100_000, b"[]", b"\xff"])
def test_bytes_that_are_no_answer(raw: bytes) -> None:
    with pytest.raises(ModelUnreadable):
        read_answer(raw)
