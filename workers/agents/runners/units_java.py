"""Tests of a Java file, read with tree-sitter: nothing of the file runs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
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
from workers.agents.runners.unit import Reading, Setting, Unit, digest, shared, short

_TEST: Final = frozenset({"Test", "ParameterizedTest", "RepeatedTest", "TestFactory", "TestTemplate", "Property"})
_SKIP: Final = re.compile(
    r"@(?:\w+\.)*(?:Disabled\w*|Ignore\w*|Enabled\w*|IfProfileValue|EnabledIf\w*|Tag|Category)\b.*"
)
_NOT_ENABLED: Final = re.compile(r"@(?:\w+\.)*Test\(.*enabled=(?!true).*\)")
_ASSUME: Final = re.compile(r"(?:\w+\.)*(?:assume\w*|abort|assumingThat)")
_SKIPS: Final = re.compile(r"new (?:\w+\.)*(?:SkipException|TestAbortedException|AssumptionViolatedException)\(.*")
_ASSERT: Final = re.compile(r"(?:assert|verify|fail|expect|check|should)\w*", re.IGNORECASE)
_SAME: Final = re.compile(r"(?:\w+\.)*assert\w*(?:Equals|Same)\((?P<x>[^,()]+),(?P=x)\)|(?:\w+\.)*assertNull\(null\)")
_CASES: Final = frozenset({"ValueSource", "CsvSource", "EnumSource", "MethodSource", "CsvFileSource", "Parameters"})
_BEFORE: Final = frozenset({"Before", "BeforeEach", "BeforeAll", "BeforeClass", "BeforeMethod"})
_CLASSES: Final = frozenset({"class_declaration", "record_declaration", "interface_declaration", "enum_declaration"})
_DECLARES: Final = _CLASSES | {
    *("method_declaration", "constructor_declaration", "field_declaration", "import_declaration"),
    *("static_initializer", "package_declaration"),
}
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
    call = next(_calls(node), None)
    arguments = None if call is None else call.child_by_field_name("arguments")
    given = [] if arguments is None else [one for one in arguments.named_children if one.type not in COMMENTS]
    # JUnit 4 has the message first.
    told = next((one for one in given if one.type != "string_literal"), None)
    name = "" if call is None else text_of(call.child_by_field_name("name"))
    if name in {"assertTrue", "assertFalse"}:
        return always(told) is (name == "assertTrue")
    return _SAME.fullmatch(packed(call)) is not None


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
    known: dict[int, _Class] = {}
    for node in walk(root):
        if node.type not in _DECLARES:
            continue
        around = _class_of(node, known)
        owner = around.name
        match node.type:
            case "method_declaration" | "constructor_declaration":
                name = text_of(node.child_by_field_name("name"))
                full = f"{owner}.{name}" if owner else name
                if _is_test(node, around):
                    tests[free_name(seen, full)] = _unit(node, around)
                elif not _inside_method(node):
                    settings[free_name(helpers, full)] = Setting(DIALECT.flat(node))
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
    return Reading(tests, settings, tuple(loose), identifiers_in(root), frozenset(special), open=True)


@dataclass(frozen=True, slots=True)
class _Class:
    """A class with those around it, in what all its tests take from them. ``old``: JUnit 3 finds its tests by name."""

    name: str = ""
    skips: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    frame: tuple[str, ...] = ()
    old: bool = False


def _class_of(node: Node, known: dict[int, _Class]) -> _Class:
    """The class around ``node``. Each is read once: its tests are many."""
    here = node.parent
    while here is not None and here.type not in _CLASSES:
        here = here.parent
    if here is None:
        return _Class()
    if here.id not in known:
        outer = _class_of(here, known)
        own = text_of(here.child_by_field_name("name"))
        parent = packed(here.child_by_field_name("superclass"))
        skips, cases, frame = _told_by(_annotations(here))
        for before in _before_each(here):
            skips += [packed(one) for one in _calls(before) if _ASSUME.fullmatch(_dotted(one))]
        known[here.id] = _Class(
            short(f"{outer.name}.{own}" if outer.name else own),
            shared((*outer.skips, *skips)),
            shared((*outer.cases, *cases)),
            (digest(*outer.frame, *sorted(frame), f"{_modifiers(here)} {parent}"),),
            outer.old or parent.endswith("TestCase"),
        )
    return known[here.id]


def _told_by(marks: list[Node]) -> tuple[list[str], list[str], list[str]]:
    """Annotations as what skips, as cases, and the rest."""
    skips: list[str] = []
    cases: list[str] = []
    frame: list[str] = []
    for one in marks:
        told = packed(one)
        if _SKIP.fullmatch(told) or _NOT_ENABLED.fullmatch(told):
            skips.append(told)
        elif _name(one) in _CASES:
            cases += _cases(one)
        else:
            frame.append(told)
    return skips, cases, frame


def _is_test(node: Node, around: _Class) -> bool:
    if {_name(one) for one in _annotations(node)} & _TEST:
        return True
    return around.old and text_of(node.child_by_field_name("name")).startswith("test")


def _unit(node: Node, around: _Class) -> Unit:
    body = node.child_by_field_name("body")
    skips, cases, frame = _told_by(_annotations(node))
    skips += [packed(one) for one in _calls(node) if _ASSUME.fullmatch(_dotted(one))]
    skips += [
        packed(one) for one in walk(node) if one.type == "object_creation_expression" and _SKIPS.fullmatch(packed(one))
    ]
    told = (*around.frame, *sorted(frame), _modifiers(node), packed(node.child_by_field_name("parameters")))
    return Unit((*around.skips, *skips), DIALECT.steps(body), (*around.cases, *cases), told, identifiers_in(node))


def _before_each(owner: Node) -> Iterator[Node]:
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


def _inside_method(node: Node) -> bool:
    here = node.parent
    while here is not None:
        if here.type == "method_declaration":
            return True
        here = here.parent
    return False
