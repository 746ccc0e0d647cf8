"""Tests of a Java file, read with tree-sitter: nothing of the file runs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from tree_sitter import Node

from workers.agents.runners.trees import (
    COMMENTS,
    Dialect,
    always,
    free_name,
    identifiers_in,
    packed,
    root_of,
    text_of,
    walk,
)
from workers.agents.runners.unit import Reading, Setting, Unit

_TEST: Final = frozenset({"Test", "ParameterizedTest", "RepeatedTest", "TestFactory", "TestTemplate", "Property"})
_SKIP: Final = re.compile(
    r"@(?:\w+\.)*(?:Disabled\w*|Ignore\w*|Enabled\w*|IfProfileValue|EnabledIf\w*|Tag|Category)\b.*"
)
_NOT_ENABLED: Final = re.compile(r"@(?:\w+\.)*Test\(.*enabled=(?!true).*\)")
_ASSUME: Final = re.compile(r"(?:\w+\.)*(?:assume\w*|abort|assumingThat)")
_SKIPS: Final = re.compile(r"new (?:\w+\.)*(?:SkipException|TestAbortedException|AssumptionViolatedException)\(.*")
_ASSERT: Final = re.compile(r"(?:assert|verify|fail|expect|check|should)\w*", re.IGNORECASE)
_TRIVIAL: Final = re.compile(
    r"(?:\w+\.)*(?:assertTrue\((?:\"[^\"]*\",)?(?:true|.*\|\|true)(?:,.*)?\)|assertFalse\(false(?:,.*)?\)|assertNull\(null\)"
    r"|assert\w*(?:Equals|Same)\((?P<x>[^,()]+),(?P=x)\))|assert true"
)
_CASES: Final = frozenset({"ValueSource", "CsvSource", "EnumSource", "MethodSource", "CsvFileSource", "Parameters"})
_BEFORE: Final = frozenset({"Before", "BeforeEach", "BeforeAll", "BeforeClass", "BeforeMethod"})
_CLASSES: Final = frozenset({"class_declaration", "record_declaration", "interface_declaration", "enum_declaration"})
_LEAVE: Final = re.compile(r"System\.exit\(.*|Runtime\.getRuntime\(\)\.(?:halt|exit)\(.*")


def _calls(node: Node) -> Iterator[Node]:
    return (one for one in walk(node) if one.type == "method_invocation")


def _asserts(node: Node) -> bool:
    if node.type == "assert_statement":
        return True
    if node.type not in {"expression_statement", "method_invocation"}:
        return False
    return any(_ASSERT.fullmatch(text_of(one.child_by_field_name("name"))) for one in _calls(node))


def _trivial(node: Node) -> bool:
    if node.type == "assert_statement":
        condition = next((one for one in node.children if one.is_named), None)
        return always(condition) is True
    return _TRIVIAL.fullmatch(packed(node)) is not None


def _leaves(node: Node) -> bool:
    return node.type == "expression_statement" and _LEAVE.fullmatch(packed(node)) is not None


def _swallows(node: Node) -> bool:
    if node.type not in {"try_statement", "try_with_resources_statement"}:
        return False
    for one in node.children:
        if one.type == "finally_clause" and any(deep.type == "return_statement" for deep in walk(one)):
            return True
        if one.type == "catch_clause":
            body = one.child_by_field_name("body")
            told = packed(one, frozenset() if body is None else frozenset({body.id}))
            loud = any(deep.type == "throw_statement" or _asserts(deep) for deep in walk(body or one))
            if re.search(r"\b(?:Throwable|Error|AssertionError|AssertionFailedError)\b", told) and not loud:
                return True
    return False


def _rows(_node: Node) -> list[Node]:
    return []


def _binds(node: Node) -> frozenset[str] | None:
    if node.type != "local_variable_declaration":
        return None
    made = [one.child_by_field_name("name") for one in node.children if one.type == "variable_declarator"]
    return frozenset(text_of(one) for one in made)


DIALECT: Final = Dialect(_asserts, _trivial, _leaves, _swallows, _rows, _binds)


def java_units(data: bytes) -> Reading | None:
    """Methods with a test's annotation, or of a JUnit 3 class, as ``Class.method``."""
    root = root_of(data, "java")
    if root is None:
        return None
    tests: dict[str, Unit] = {}
    settings: dict[str, Setting] = {}
    loose: list[str] = []
    special: set[str] = set()
    seen, helpers = Counter[str](), Counter[str]()
    for node in walk(root):
        owner = _owner(node)
        match node.type:
            case "method_declaration" | "constructor_declaration":
                name = text_of(node.child_by_field_name("name"))
                full = f"{owner}.{name}" if owner else name
                if _is_test(node):
                    tests[free_name(seen, full)] = _unit(node)
                elif not _inside_method(node):
                    settings[free_name(helpers, full)] = Setting(_flat(node))
                    if {_name(one) for one in _annotations(node)} or name in {"setUp", "tearDown"}:
                        special.add(full)
            case "field_declaration":
                for one in node.children:
                    if one.type == "variable_declarator":
                        field = text_of(one.child_by_field_name("name"))
                        settings[f"{owner}.{field}"] = Setting(packed(node))
                        if any(_annotations(node)):
                            special.add(f"{owner}.{field}")
            case kind if kind in _CLASSES:
                name = text_of(node.child_by_field_name("name"))
                settings[f"{owner}.{name}" if owner else name] = Setting(kind)
            case "import_declaration":
                told = packed(node)
                name = told.rpartition(".")[2]
                if name == "*":
                    loose.append(told)
                else:
                    settings[name] = Setting(told, imported=True)
            case "static_initializer" | "package_declaration":
                loose.append(packed(node))
    return Reading(tests, settings, tuple(loose), identifiers_in(root), frozenset(special))


def _is_test(node: Node) -> bool:
    if {_name(one) for one in _annotations(node)} & _TEST:
        return True
    parents = [packed(one.child_by_field_name("superclass")) for one in _classes(node)]
    old = any(told.endswith("TestCase") for told in parents)
    return old and text_of(node.child_by_field_name("name")).startswith("test")


def _unit(node: Node) -> Unit:
    body = node.child_by_field_name("body")
    marks = [*_annotations(node), *(mark for one in _classes(node) for mark in _annotations(one))]
    told = [packed(one) for one in marks]
    skips = [one for one in told if _SKIP.fullmatch(one) or _NOT_ENABLED.fullmatch(one)]
    skips += [packed(one) for one in _calls(node) if _ASSUME.fullmatch(_dotted(one))]
    skips += [
        packed(one) for one in walk(node) if one.type == "object_creation_expression" and _SKIPS.fullmatch(packed(one))
    ]
    for before in _before_each(node):
        skips += [packed(one) for one in _calls(before) if _ASSUME.fullmatch(_dotted(one))]
    cases = [case for one in marks if _name(one) in _CASES for case in _cases(one)]
    frame = [packed(one) for one in marks if _name(one) not in _CASES and packed(one) not in skips]
    frame += [_modifiers(node), packed(node.child_by_field_name("parameters"))]
    frame += [f"{_modifiers(one)} {packed(one.child_by_field_name('superclass'))}" for one in _classes(node)]
    return Unit(tuple(skips), DIALECT.steps(body), tuple(cases), tuple(sorted(frame)), identifiers_in(node))


def _before_each(node: Node) -> Iterator[Node]:
    for owner in _classes(node):
        body = owner.child_by_field_name("body")
        for one in [] if body is None else body.children:
            if one.type == "method_declaration" and {_name(mark) for mark in _annotations(one)} & _BEFORE:
                yield one


def _cases(mark: Node) -> Iterator[str]:
    """Elements of the arrays in an annotation."""
    arrays = [one for one in walk(mark) if one.type == "element_value_array_initializer"]
    if not arrays:
        yield packed(mark)
    for array in arrays:
        yield from (packed(one) for one in array.children if one.is_named and one.type not in COMMENTS)


def _dotted(call: Node) -> str:
    return packed(call).partition("(")[0]


def _annotations(node: Node) -> list[Node]:
    modifiers = next((one for one in node.children if one.type == "modifiers"), None)
    return [] if modifiers is None else [one for one in modifiers.children if one.type.endswith("annotation")]


def _modifiers(node: Node) -> str:
    """Words that decide whether a runner takes a method: a private, static or abstract test is none."""
    modifiers = next((one for one in node.children if one.type == "modifiers"), None)
    words = [] if modifiers is None else [text_of(one) for one in modifiers.children]
    return " ".join(word for word in words if word in {"private", "static", "abstract"})


def _name(mark: Node) -> str:
    return text_of(mark.child_by_field_name("name")).rsplit(".", 1)[-1]


def _classes(node: Node) -> Iterator[Node]:
    here = node.parent
    while here is not None:
        if here.type in _CLASSES:
            yield here
        here = here.parent


def _inside_method(node: Node) -> bool:
    here = node.parent
    while here is not None:
        if here.type == "method_declaration":
            return True
        here = here.parent
    return False


def _owner(node: Node) -> str:
    return ".".join(reversed([text_of(one.child_by_field_name("name")) for one in _classes(node)]))


def _flat(node: Node) -> str:
    body = node.child_by_field_name("body")
    head = packed(node, frozenset() if body is None else frozenset({body.id}))
    return head + "".join(step.text for step in DIALECT.steps(body))
