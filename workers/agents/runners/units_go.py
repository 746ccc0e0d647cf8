"""Tests of a Go file, read with tree-sitter: nothing of the file runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tree_sitter import Node

from workers.agents.runners.trees import (
    COMMENTS,
    Dialect,
    bound_in,
    identifiers_in,
    packed,
    root_of,
    text_of,
    walk,
)
from workers.agents.runners.unit import Reading, Setting, Unit, shared

_TEST: Final = re.compile(r"(?:Test|Benchmark|Fuzz|Example)(?![a-z])\w*")
_METHODS: Final = (
    r"(?:Error|Errorf|Fatal|Fatalf|Fail|FailNow|Equal\w*|NotEqual\w*|NoError\w*|ErrorIs\w*|ErrorAs\w*|ErrorContains\w*"
    r"|EqualError\w*|True\w*|False\w*|Nil\w*|NotNil\w*|Empty\w*|NotEmpty\w*|Len\w*|Contains\w*|NotContains\w*|Panics\w*"
    r"|NotPanics\w*|ElementsMatch\w*|InDelta\w*|JSONEq\w*|Regexp\w*|Greater\w*|Less\w*|Zero\w*|NotZero\w*|IsType\w*|DeepEquals)"
)
_ASSERT: Final = re.compile(
    rf"(?:\w+\.)+(?:Require\(\)\.|Assert\(\)\.)?{_METHODS}|(?:require|assert|is|qt|cmp|must|expect)\.\w+"
)
_SKIP: Final = re.compile(r"(?:\w+\.)+(?:Skip|Skipf|SkipNow)")
_TRIVIAL: Final = re.compile(
    r"\w+\.(?:True|False|Equal|Nil|NoError)f?\((?:\w+,)?(?:true|false|nil|(?P<x>[^,()]+),(?P=x))(?:,.*)?\)"
)
_LEAVE: Final = re.compile(r"(?:os\.Exit|\w+\.(?:Skip|Skipf|SkipNow)|runtime\.Goexit)\(.*")
_BUILD: Final = re.compile(r"//go:build\s+(.*)|//\s*\+build\s+(.*)")


def _calls(node: Node) -> Iterator[Node]:
    return (one for one in walk(node) if one.type == "call_expression")


def _asserting(call: Node) -> bool:
    function = call.child_by_field_name("function")
    if _ASSERT.fullmatch(packed(function)):
        return True
    # A helper that is given `t` can fail the test.
    arguments = call.child_by_field_name("arguments")
    first = "" if arguments is None else packed(arguments).strip("()").partition(",")[0]
    return first in {"t", "tb", "tt"} and function is not None and function.type == "identifier"


def _asserts(node: Node) -> bool:
    if node.type not in {"expression_statement", "call_expression"}:
        return False
    call = next(iter(_calls(node)), None)
    return call is not None and _asserting(call)


def _trivial(node: Node) -> bool:
    return _TRIVIAL.fullmatch(packed(node)) is not None


def _leaves(node: Node) -> bool:
    return node.type == "expression_statement" and _LEAVE.fullmatch(packed(node)) is not None


def _swallows(_node: Node) -> bool:
    return False  # a failure is a call of `t`, which nothing swallows


def _rows(node: Node) -> list[Node]:
    """Rows of a table: elements of a literal that are literals themselves, with a key or without."""
    if node.type != "literal_value":
        return []
    found = [one for one in node.children if one.is_named and one.type not in COMMENTS]
    return found if found and all(_is_row(one) for one in found) else []


def _is_row(node: Node) -> bool:
    inner = [one for one in node.children if one.is_named]
    if node.type == "keyed_element" and inner:
        return any(one.type in {"literal_value", "composite_literal"} for one in walk(inner[-1]))
    return node.type in {"literal_value", "composite_literal"} or (
        node.type == "literal_element" and bool(inner) and inner[0].type in {"literal_value", "composite_literal"}
    )


def _binds(node: Node) -> frozenset[str] | None:
    if node.type != "short_var_declaration":
        return None
    return bound_in(node.child_by_field_name("left"))


DIALECT: Final = Dialect(_asserts, _trivial, _leaves, _swallows, _rows, _binds)


def go_units(data: bytes) -> Reading | None:
    """Functions and methods of suites whose names begin with Test, Benchmark, Fuzz or Example."""
    root = root_of(data, "go")
    if root is None:
        return None
    tests: dict[str, Unit] = {}
    settings: dict[str, Setting] = {}
    loose: list[str] = []
    builds = shared(f"build {text_of(one).strip()}" for one in root.children if _BUILD.match(text_of(one)))
    for node in root.children:
        name = text_of(node.child_by_field_name("name"))
        match node.type:
            case "function_declaration" | "method_declaration":
                receiver = packed(node.child_by_field_name("receiver"))
                owner = re.sub(r"\W", "", receiver.rpartition(" ")[2].rpartition("*")[2])
                full = f"{owner}.{name}" if owner else name
                if name == "TestMain":
                    settings[full] = Setting(DIALECT.flat(node))
                elif _TEST.fullmatch(name):
                    tests[full] = _unit(node, receiver, builds)
                else:
                    settings[full] = Setting(DIALECT.flat(node))
            case "import_declaration":
                for spec in (one for one in walk(node) if one.type == "import_spec"):
                    path = text_of(spec.child_by_field_name("path")).strip('"`')
                    local = text_of(spec.child_by_field_name("name")) or path.rpartition("/")[2]
                    if local in {".", "_"}:
                        loose.append(f"import {local} {path}")
                    else:
                        settings[local] = Setting(path, imported=True)
            case "var_declaration" | "const_declaration":
                _declare(node, settings)
            case "type_declaration":
                for spec in (one for one in node.children if one.type in {"type_spec", "type_alias"}):
                    settings[text_of(spec.child_by_field_name("name"))] = Setting(packed(spec))
            case kind if node.is_named and kind not in COMMENTS:
                loose.append(packed(node))
            case _:
                if (told := text_of(node)).startswith(("//go:linkname", "//go:embed")):
                    loose.append(told)
    special = frozenset(
        {"TestMain", "init", *(name for name in settings if name.endswith((".SetupTest", ".SetupSuite")))}
    )
    return Reading(tests, settings, tuple(loose), identifiers_in(root), special, open=True)


def _unit(node: Node, receiver: str, builds: tuple[str, ...]) -> Unit:
    body = node.child_by_field_name("body")
    skips = [packed(one) for one in _calls(node) if _SKIP.fullmatch(packed(one.child_by_field_name("function")))]
    frame = (receiver, packed(node.child_by_field_name("parameters")))
    return Unit((*builds, *skips), DIALECT.steps(body), DIALECT.cases(body), frame, identifiers_in(node))


def _declare(node: Node, settings: dict[str, Setting]) -> None:
    for spec in (one for one in walk(node) if one.type in {"var_spec", "const_spec"}):
        value = spec.child_by_field_name("value")
        rows = [] if value is None else [row for one in walk(value) for row in _rows(one)]
        parts = tuple(packed(row) for row in rows) or None
        for name in spec.children_by_field_name("name"):
            settings[text_of(name)] = Setting(packed(spec), parts)
