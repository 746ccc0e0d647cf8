"""Tests of JavaScript, TypeScript, Go and Java files, read with tree-sitter: nothing of the file runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

import tree_sitter_go
import tree_sitter_java
import tree_sitter_javascript
import tree_sitter_typescript
from tree_sitter import Language, Node, Parser

from workers.agents.runners.unit import Unit

MOST_BYTES: Final = 4 << 20
_JS_TEST: Final = re.compile(r"(?:x|f)?(?:it|test|describe|context|suite|specify)(?:\.\w+)*")
_JS_SKIP: Final = re.compile(r"x(?:it|test|describe|context)\b.*|.*\.(?:skip|todo|failing|fixme|skipIf|runIf)\b.*")
_JS_ASSERT: Final = re.compile(r"(?:expect|assert|should|t\.|chai\.|sinon\.assert)")
_GO_ASSERT: Final = re.compile(r"\w+\.(?:Error|Errorf|Fatal|Fatalf|Fail|FailNow)$|(?:require|assert|is|qt|cmp)\.\w+$")
_GO_SKIP: Final = re.compile(r"\w+\.(?:Skip|Skipf|SkipNow)$")
_JAVA_TEST: Final = frozenset({"Test", "ParameterizedTest", "RepeatedTest", "TestFactory"})
_JAVA_SKIP: Final = re.compile(r"(?:Disabled|Ignore)\w*")
_JAVA_ASSERT: Final = re.compile(r"(?:assert|verify|fail|expect|check)\w*", re.IGNORECASE)
_STATEMENTS: Final = frozenset({"comment", "line_comment", "block_comment", "empty_statement", ";", "{", "}"})


@lru_cache(maxsize=8)
def _language(name: str) -> Language:
    makers = {
        "javascript": tree_sitter_javascript.language,
        "typescript": tree_sitter_typescript.language_typescript,
        "tsx": tree_sitter_typescript.language_tsx,
        "go": tree_sitter_go.language,
        "java": tree_sitter_java.language,
    }
    return Language(makers[name]())


def _root(data: bytes, language: str) -> Node | None:
    """The tree, or None when the file is too large or has an error: half a tree hides tests."""
    if len(data) > MOST_BYTES:
        return None
    root = Parser(_language(language)).parse(data).root_node
    return None if root.has_error else root


def _walk(node: Node) -> Iterator[Node]:
    waiting = [node]
    while waiting:
        here = waiting.pop()
        yield here
        waiting += reversed(here.children)


def _text(node: Node | None) -> str:
    return "" if node is None or node.text is None else node.text.decode("utf-8", "replace")


def _packed(node: Node) -> str:
    """Text without what formatting changes."""
    return "".join(_text(node).split())


def _count(body: Node | None) -> int:
    return 0 if body is None else sum(1 for one in body.children if one.type not in _STATEMENTS)


def javascript_units(data: bytes, language: str) -> Mapping[str, Unit] | None:
    """Tests by their titles, from the outermost ``describe`` on, joined by `` > ``."""
    root = _root(data, language)
    if root is None:
        return None
    found: dict[str, Unit] = {}
    _javascript(root, "", skipped=False, found=found)
    return found


def _javascript(start: Node, prefix: str, *, skipped: bool, found: dict[str, Unit]) -> None:
    waiting = [*reversed(start.children)]
    while waiting:
        node = waiting.pop()
        title = _js_title(node)
        if title is None:
            waiting += reversed(node.children)
            continue
        called = _text(node.child_by_field_name("function"))
        skips = skipped or _JS_SKIP.fullmatch(called) is not None
        arguments = node.child_by_field_name("arguments")
        body = _js_body(arguments)
        if re.match(r"[xf]?(?:describe|context|suite)", called):
            if body is not None:
                _javascript(body, f"{prefix}{title} > ", skipped=skips, found=found)
            continue
        asserts = () if body is None else tuple(_js_asserts(body))
        options = "" if arguments is None else _packed(arguments)[:400]
        skips = skips or re.search(r"\{(?:skip|todo):(?!false)", options) is not None
        found[prefix + title] = Unit(skips, _count(body), asserts)


def _js_title(node: Node) -> str | None:
    """The title when ``node`` is a call that makes a test or a group of tests."""
    if node.type != "call_expression":
        return None
    function = node.child_by_field_name("function")
    arguments = node.child_by_field_name("arguments")
    if function is None or arguments is None or not _JS_TEST.fullmatch(_text(function).split("(")[0]):
        return None
    first = next((one for one in arguments.children if one.is_named and one.type != "comment"), None)
    if first is None or first.type not in {"string", "template_string"}:
        return None
    return _text(first)[1:-1]


def _js_body(arguments: Node | None) -> Node | None:
    if arguments is None:
        return None
    for one in arguments.children:
        if one.type in {"arrow_function", "function_expression", "function", "generator_function"}:
            return one.child_by_field_name("body")
    return None


def _js_asserts(body: Node) -> Iterator[str]:
    for node in _walk(body):
        if node.type == "call_expression" and _JS_ASSERT.match(_text(node)) and node.parent is not None:
            inside = node.parent.type in {"member_expression", "call_expression"}
            if not inside:
                yield _around(node, body) + _packed(node)


def _around(node: Node, top: Node) -> str:
    """Conditions between an assertion and its test."""
    found = []
    here = node.parent
    while here is not None and here != top:
        condition = here.child_by_field_name("condition")
        if condition is not None:
            found.append(_packed(condition))
        elif here.type in {"try_statement", "catch_clause"}:
            found.append(here.type)
        here = here.parent
    return "".join(f"[{one}]" for one in reversed(found))


def go_units(data: bytes) -> Mapping[str, Unit] | None:
    """Functions whose names begin with Test, Benchmark, Fuzz or Example."""
    root = _root(data, "go")
    if root is None:
        return None
    found: dict[str, Unit] = {}
    for node in root.children:
        name = _text(node.child_by_field_name("name")) if node.type == "function_declaration" else ""
        if not re.match(r"Test|Benchmark|Fuzz|Example", name):
            continue
        body = node.child_by_field_name("body")
        calls = [] if body is None else [one for one in _walk(body) if one.type == "call_expression"]
        skips = any(_GO_SKIP.fullmatch(_text(one.child_by_field_name("function"))) for one in calls)
        asserts = tuple(
            _around(one, node) + _packed(one)
            for one in calls
            if _GO_ASSERT.fullmatch(_text(one.child_by_field_name("function")))
        )
        found[name] = Unit(skips, 0 if body is None else len(_statements(body)), asserts)
    return found


def _statements(body: Node) -> list[Node]:
    """What a body does; some grammars put a list between braces and statements."""
    inner = [one for one in body.children if one.type not in _STATEMENTS]
    if len(inner) == 1 and inner[0].type == "statement_list":
        return [one for one in inner[0].children if one.type not in _STATEMENTS and one.is_named]
    return inner


def java_units(data: bytes) -> Mapping[str, Unit] | None:
    """Methods with a test's annotation, as ``Class.method``."""
    root = _root(data, "java")
    if root is None:
        return None
    found: dict[str, Unit] = {}
    for node in _walk(root):
        if node.type != "method_declaration":
            continue
        marks = _annotations(node)
        if not marks & _JAVA_TEST:
            continue
        owner = _owner(node)
        body = node.child_by_field_name("body")
        calls = [] if body is None else [one for one in _walk(body) if one.type == "method_invocation"]
        asserts = tuple(
            _around(one, node) + _packed(one)
            for one in calls
            if _JAVA_ASSERT.fullmatch(_text(one.child_by_field_name("name")))
        )
        skips = any(_JAVA_SKIP.fullmatch(one) for one in marks | _class_marks(node))
        name = _text(node.child_by_field_name("name"))
        found[f"{owner}.{name}" if owner else name] = Unit(skips, _count(body), asserts)
    return found


def _annotations(node: Node) -> set[str]:
    modifiers = next((one for one in node.children if one.type == "modifiers"), None)
    marks = [] if modifiers is None else [one for one in modifiers.children if one.type.endswith("annotation")]
    return {_text(one.child_by_field_name("name")).rsplit(".", 1)[-1] for one in marks}


def _classes(node: Node) -> Iterator[Node]:
    here = node.parent
    while here is not None:
        if here.type == "class_declaration":
            yield here
        here = here.parent


def _owner(node: Node) -> str:
    return ".".join(reversed([_text(one.child_by_field_name("name")) for one in _classes(node)]))


def _class_marks(node: Node) -> set[str]:
    return {mark for one in _classes(node) for mark in _annotations(one)}
