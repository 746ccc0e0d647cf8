"""Rules of the Messages API that its request types do not say: what follows what, and what is answered."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

MAX_CACHE_MARKS: Final = 4


def turn_problems(body: dict[str, Any]) -> tuple[str, ...]:
    """What the API would say against a request whose types are right; empty when it would take it."""
    messages = body["messages"]
    if not messages:
        return ("messages: there must be one at least",)
    found: list[str] = []
    if body.get("max_tokens", 1) < 1:
        found.append("max_tokens: must be 1 or more")
    if messages[0]["role"] != "user" or messages[-1]["role"] != "user":
        found.append("messages: the first and the last must be the user's")
    names = Counter(str(tool.get("name")) for tool in body.get("tools") or [])
    found += [f"tools: the name {name!r} stands {count} times" for name, count in names.items() if count > 1]
    if (marks := sum(1 for block in _blocks(body) if block.get("cache_control"))) > MAX_CACHE_MARKS:
        found.append(f"cache_control: {marks} marks, {MAX_CACHE_MARKS} at most")
    found += _empty_texts(messages)
    return (*found, *_pairing(messages))


def _content(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)


def _blocks(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from body.get("tools") or []
    system = body.get("system") or []
    yield from [] if isinstance(system, str) else system
    for message in body["messages"]:
        yield from _content(message)


def _empty_texts(messages: list[dict[str, Any]]) -> list[str]:
    found: list[str] = []
    for number, message in enumerate(messages):
        blocks = _content(message)
        if not blocks and number < len(messages) - 1:
            found.append(f"messages.{number}: has no content")
        if any(block["type"] == "text" and not block["text"].strip() for block in blocks):
            found.append(f"messages.{number}: text blocks must hold more than white space")
    return found


def _pairing(messages: list[dict[str, Any]]) -> list[str]:
    """Each tool use is answered by exactly one result, in the next user message, before any text there."""
    found: list[str] = []
    asked: list[str] = []
    seen: set[str] = set()
    for number, message in enumerate(messages):
        if message["role"] == "system":
            continue
        blocks = _content(message)
        results = [str(block["tool_use_id"]) for block in blocks if block["type"] == "tool_result"]
        if message["role"] == "user":
            answers = Counter(results)
            found += [f"messages.{number}: tool use {one} is not answered here" for one in asked if not answers[one]]
            found += [f"messages.{number}: tool use {one} is answered {n} times" for one, n in answers.items() if n > 1]
            found += [
                f"messages.{number}: {one} answers no tool use of the turn before"
                for one in answers
                if one not in asked
            ]
            kinds = [block["type"] == "tool_result" for block in blocks]
            if any(later and not earlier for earlier, later in itertools.pairwise(kinds)):
                found.append(f"messages.{number}: tool results come first")
            asked = []
            continue
        if asked:
            found.append(f"messages.{number}: tool uses {asked} must be answered first")
        if results:
            found.append(f"messages.{number}: only the user's messages hold tool results")
        asked = [str(block["id"]) for block in blocks if block["type"] == "tool_use"]
        found += [
            f"messages.{number}: the tool use id {one} is not unique"
            for one in asked
            if one in seen or asked.count(one) > 1
        ]
        seen.update(asked)
    if asked:
        found.append(f"messages: tool uses {asked} are not answered")
    return found
