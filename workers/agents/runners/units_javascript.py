"""Tests of JavaScript and TypeScript files by their titles, read with tree-sitter: nothing of the file runs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from tree_sitter import Node

from workers.agents.runners.trees import (
    COMMENTS,
    Dialect,
    always,
    bound_in,
    free_name,
    identifiers_in,
    packed,
    root_of,
    text_of,
    walk,
)
from workers.agents.runners.unit import Reading, Setting, Unit, digest, shared, short

_TEST: Final = re.compile(
    r"(?:[xf]?(?:it|test|describe|context|suite|specify)|(?:Deno|QUnit)\.(?:test|module|skip|todo|only))(?:\.\w+)*"
)
_GROUP: Final = re.compile(r"(?:[xf]?(?:describe|context|suite)|QUnit\.module)\b")
_SKIP: Final = re.compile(
    r"x(?:it|test|describe|context|suite|specify)\b.*|.*\.(?:skip|todo|failing|fails|fixme|fail|ignore|skipIf|runIf|slow)\b.*"
)
_ONLY: Final = re.compile(r"f(?:it|test|describe|context|suite|specify)\b.*|.*\.only\b.*")
_SKIP_CALL: Final = re.compile(r"(?:\w+\.)?(?:skip|todo|pending|skipIf|fixme)")
_HOOK: Final = re.compile(r"(?:before|after)(?:Each|All)?|setup|teardown|suiteSetup|suiteTeardown")
_ASSERT: Final = re.compile(r"(?:await|return|void)?(?:expect(?!\.(?:extend|add\w*|set\w*)\b)|assert|should|chai\.(?:expect|assert)|sinon\.assert|\w+\.(?:assert|is|deepEqual|equal|"
    r"not|true|false|throws|truthy|falsy|ok|same|strictSame|strictEqual|rejects|match|fail|notOk|like|plan|expect))\b")  # fmt: skip
_TRIVIAL: Final = re.compile(
    r"(?:await)?(?:expect\((?P<x>true|false|null|\d+|'[^']*'|\"[^\"]*\")\)\.(?:to\w+)\((?P=x)?\)"
    r"|expect\((?:true|1)\)\.(?:toBeTruthy|toBeDefined)\(\)"
    r"|expect\((?P<z>\w+)\)\.(?:toBe|toEqual|toStrictEqual)\((?P=z)\)"
    r"|(?:\w+\.)*(?:equal|strictEqual|deepEqual|is)\((?P<y>[^,()]+),(?P=y)\)|expect\([^()]*\)|expect\.\w+\(0?\))"
)
_PLAIN_ASSERT: Final = re.compile(r"(?:\w+\.)?(?:assert|ok|true)(?:\.ok)?")
_LEAVE: Final = re.compile(r"(?:process\.exit|(?:t|this|ctx|context|test)\.(?:skip|todo))\(.*")
_FUNCTIONS: Final = frozenset({"arrow_function", "function_expression", "function", "generator_function"})


def _asserts(node: Node) -> bool:
    if node.type in {
        "expression_statement",
        "return_statement",
        "call_expression",
        "await_expression",
        "member_expression",
    }:
        inner = next((one for one in node.children if one.is_named), None)
        if inner is not None and inner.type.endswith("assignment_expression"):
            return False  # it gives an assertion's name another meaning
        told = packed(node).removeprefix("await ").removeprefix("return ").removeprefix("await ")
        return _ASSERT.match(told) is not None or ".should." in told
    return False


def _trivial(node: Node) -> bool:
    call = next((one for one in walk(node) if one.type == "call_expression"), None)
    if call is not None and _PLAIN_ASSERT.fullmatch(packed(call.child_by_field_name("function"))):
        return always(next(iter(_given(call)), None)) is True
    return _TRIVIAL.fullmatch(packed(node).removeprefix("await ").removeprefix("return ")) is not None


def _leaves(node: Node) -> bool:
    return node.type == "expression_statement" and _LEAVE.fullmatch(packed(node)) is not None


def _swallows(node: Node) -> bool:
    if node.type != "try_statement":
        return False
    handler = node.child_by_field_name("handler")
    finalizer = node.child_by_field_name("finalizer")
    if finalizer is not None and any(one.type == "return_statement" for one in walk(finalizer)):
        return True
    if handler is None:
        return False
    told = packed(handler)
    return not any(one.type == "throw_statement" for one in walk(handler)) and not re.search(
        r"\b(?:expect|assert|fail|done|reject)\b", told
    )


def _rows(node: Node) -> list[Node]:
    """Elements of an array of arrays or objects, that of an assertion aside."""
    if node.type != "array" or (node.parent is not None and node.parent.type == "array"):
        return []
    found = [one for one in node.children if one.is_named and one.type not in COMMENTS]
    if not found or not all(one.type in {"array", "object"} for one in found):
        return []
    call = node.parent.parent if node.parent is not None and node.parent.type == "arguments" else None
    return [] if call is not None and _ASSERT.match(packed(call.child_by_field_name("function"))) else found


def _binds(node: Node) -> frozenset[str] | None:
    if node.type not in {"lexical_declaration", "variable_declaration"}:
        return None
    made = [one.child_by_field_name("name") for one in node.children if one.type == "variable_declarator"]
    return frozenset(name for one in made for name in bound_in(one))


DIALECT: Final = Dialect(_asserts, _trivial, _leaves, _swallows, _rows, _binds)


def javascript_units(data: bytes, language: str) -> Reading | None:
    """Tests by their titles, from the outermost ``describe`` on, joined by `` > ``."""
    root = root_of(data, language)
    if root is None:
        return None
    made = _Reader()
    made.body(root, _Place())
    tests = made.tests
    if made.chosen:
        # `.only` keeps every other test of the file from running.
        tests = {
            name: unit if name in made.chosen else replace(unit, skips=(*unit.skips, "only others"))
            for name, unit in tests.items()
        }
    return Reading(
        tests=tests,
        settings=made.settings,
        loose=tuple(made.loose),
        names=identifiers_in(root),
        groups=frozenset(made.groups),
        hooks=tuple(made.hooks),
    )


def body_starts(data: bytes) -> list[tuple[str, int]]:
    """Tests of a JavaScript file with the byte after which each one's body begins; those without a block are left out."""
    root = root_of(data, "javascript")
    if root is None:
        return []
    made = _Reader()
    try:
        made.body(root, _Place())
    except RecursionError:
        return []
    return made.starts


@dataclass(frozen=True, slots=True)
class _Place:
    prefix: str = ""
    skips: tuple[str, ...] = ()
    frame: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    chosen: bool = False


@dataclass(slots=True)
class _Reader:
    tests: dict[str, Unit] = field(default_factory=dict)
    settings: dict[str, Setting] = field(default_factory=dict)
    loose: list[str] = field(default_factory=list)
    chosen: set[str] = field(default_factory=set)
    starts: list[tuple[str, int]] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    groups: set[str] = field(default_factory=set)
    hooks: list[tuple[str, str]] = field(default_factory=list)

    def body(self, body: Node, place: _Place) -> None:
        """The statements of a file, or of a group of tests."""
        hooks = [one for one in body.children if _HOOK.fullmatch(_called(_call(one)))]
        place = replace(place, skips=shared((*place.skips, *(told for one in hooks for told in _skip_calls(one)))))
        around = {one.id for one in hooks}
        self.hooks += [(place.prefix.removesuffix(" > "), DIALECT.flat(one)) for one in hooks]
        for node in body.children:
            call = _call(node)
            if call is not None and _is_test(call):
                self._test(call, place)
            elif node.type == "import_statement":
                self._import(node)
            elif node.type in {"lexical_declaration", "variable_declaration"}:
                self._declaration(node, place)
            elif node.type in {"function_declaration", "class_declaration", "generator_function_declaration"}:
                name = place.prefix + text_of(node.child_by_field_name("name"))
                self.settings[name] = Setting(DIALECT.flat(node))
            elif any(_is_test(one) for one in walk(node) if one.type == "call_expression"):
                self._around_tests(node, place)
            elif (
                node.is_named and node.id not in around and node.type not in COMMENTS and node.type != "empty_statement"
            ):
                self.loose.append(place.prefix + DIALECT.flat(node))

    def _around_tests(self, node: Node, place: _Place) -> None:
        """Tests made in a loop or under a condition: those that never run are skipped, the rest is read as it stands."""
        condition = node.child_by_field_name("condition")
        told = packed(node.child_by_field_name("right") or condition)
        skips = (*place.skips, *([f"if {told}"] if condition is not None else []))
        if always(condition) is False:
            skips = (*skips, "never")
        inner = replace(place, skips=skips, frame=(digest(*place.frame, node.type, told),))
        for one in node.children:
            if one.type in {"statement_block", "else_clause", "expression_statement", "arguments", "call_expression"}:
                self.body(one, inner)
            elif one.type in _FUNCTIONS:
                self.body(one.child_by_field_name("body") or one, inner)
            elif any(_is_test(deep) for deep in walk(one) if deep.type == "call_expression"):
                self._around_tests(one, inner)

    def _test(self, call: Node, place: _Place) -> None:
        called = _called(call)
        given = _given(call)
        title = _title(given)
        function = next((one for one in given if one.type in _FUNCTIONS), None)
        body = None if function is None else function.child_by_field_name("body")
        plain = [one for one in given[1:] if one.type not in _FUNCTIONS]
        cases = (*place.cases, *_each(call))
        skips = [*place.skips, *([called] if _SKIP.fullmatch(called) else []), *(_option_skips(plain))]
        chosen = place.chosen or _ONLY.fullmatch(called) is not None
        told = (packed(one) for one in plain if one.type not in {"object", "number"})
        frame = (digest(*place.frame, *told, *_head(function)),)
        if _GROUP.match(called):
            if body is not None:
                group = short(place.prefix + title)
                self.groups.add(group)
                inner = _Place(f"{group} > ", shared(skips), frame, shared(cases), chosen)
                self.body(body, inner)
            return
        name = free_name(self.seen, place.prefix + title)
        if body is not None and body.type == "statement_block":
            self.starts.append((place.prefix + title, body.start_byte + 1))
        skips += [] if body is None else list(_skip_calls(body))
        self.tests[name] = Unit(
            tuple(skips),
            DIALECT.steps(body),
            (*cases, *DIALECT.cases(body)),
            frame,
            identifiers_in(call),
            frozenset(
                text_of(one.child_by_field_name("name"))
                for one in ([] if body is None else walk(body))
                if one.type in {"function_declaration", "generator_function_declaration"}
            ),
        )
        if chosen:
            self.chosen.add(name)

    def _import(self, node: Node) -> None:
        source = packed(node.child_by_field_name("source"))
        names = [one for one in walk(node) if one.type == "identifier"]
        if not names:
            self.loose.append(packed(node))
        for one in names:
            self.settings[text_of(one)] = Setting(f"import {source} {packed(one.parent)}", imported=True)

    def _declaration(self, node: Node, place: _Place) -> None:
        for one in node.children:
            if one.type != "variable_declarator":
                continue
            value = one.child_by_field_name("value")
            parts = None
            if value is not None and value.type == "array":
                parts = tuple(packed(part) for part in value.children if part.is_named and part.type not in COMMENTS)
            required = value is not None and packed(value).startswith(("require(", "await import("))
            for name in bound_in(one.child_by_field_name("name")):
                text = "" if value is None else DIALECT.flat(value)
                self.settings[place.prefix + name] = Setting(text, parts, imported=required)


def _call(node: Node) -> Node | None:
    """The call that a statement is."""
    here = node
    while here.type in {"expression_statement", "await_expression", "export_statement"}:
        inner = next((one for one in here.children if one.is_named and one.type not in COMMENTS), None)
        if inner is None:
            return None
        here = inner
    return here if here.type == "call_expression" else None


def _given(call: Node) -> list[Node]:
    """The arguments of a call."""
    arguments = call.child_by_field_name("arguments")
    return [] if arguments is None else [one for one in arguments.named_children if one.type not in COMMENTS]


def _head(function: Node | None) -> tuple[str, ...]:
    """What decides how a test's callback runs: a generator's body never does, and a parameter may stand for anything."""
    if function is None:
        return ()
    waits = any(one.type == "async" for one in function.children)
    given = function.child_by_field_name("parameters") or function.child_by_field_name("parameter")
    kind = "generator" if function.type == "generator_function" else "function"
    return kind, f"async {waits}", packed(given)


def _called(call: Node | None) -> str:
    """What is called, by its dotted name; ``it.each([...])`` is ``it.each``."""
    if call is None:
        return ""
    function = call.child_by_field_name("function")
    while function is not None and function.type == "call_expression":
        function = function.child_by_field_name("function")
    return re.split(r"[(`<]", packed(function))[0]


def _is_test(call: Node) -> bool:
    function = call.child_by_field_name("function")
    arguments = call.child_by_field_name("arguments")
    if function is None or arguments is None or arguments.type == "template_string":
        return False
    return _TEST.fullmatch(_called(call)) is not None


def _title(given: list[Node]) -> str:
    if given and given[0].type in {"string", "template_string"}:
        return text_of(given[0])[1:-1]
    if given and given[0].type not in _FUNCTIONS:
        return packed(given[0])
    return "(untitled)"


def _each(call: Node) -> Iterator[str]:
    """The cases of ``it.each(table)(...)``, an array's elements or a template's lines."""
    function = call.child_by_field_name("function")
    if function is None or function.type != "call_expression":
        return
    arguments = function.child_by_field_name("arguments")
    if arguments is not None and arguments.type == "template_string":
        yield from ("".join(line.split()) for line in text_of(arguments).splitlines() if line.strip(" `"))
        return
    for table in [] if arguments is None else arguments.children:
        if table.type == "array":
            yield from (packed(one) for one in table.children if one.is_named and one.type not in COMMENTS)
        elif table.is_named and table.type not in COMMENTS:
            yield packed(table)


def _option_skips(given: list[Node]) -> Iterator[str]:
    for one in given:
        for pair in one.children if one.type == "object" else []:
            told = packed(pair)
            if re.match(r"['\"]?(?:skip|todo|fails|ignore|concurrency)['\"]?:(?!false|undefined)", told) or told in {
                "skip",
                "todo",
            }:
                yield told


def _skip_calls(body: Node) -> Iterator[str]:
    for node in walk(body):
        if node.type == "call_expression" and _SKIP_CALL.fullmatch(packed(node.child_by_field_name("function"))):
            yield packed(node)
