"""Mutation operators: dropped conditions, off by one, swallowed errors and removed waits, from the syntax tree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tree_sitter import Node

from bot.simulator.calibration.places import BINARY, guards, operands
from bot.simulator.calibration.syntax import Defect, Edit, Source, removal, statements
from bot.simulator.calibration.words import about_access
from workers.agents.runners.trees import text_of, walk

LOGICAL: Final = frozenset({"and", "or", "&&", "||"})
_WRAPS: Final = frozenset({"boolean_operator", "not_operator", "unary_expression", "parenthesized_expression"})
_DECIDES: Final = frozenset({"return_statement", "if_clause", "assert_statement"})
_OTHER_BOUND: Final = {"<": b"<=", "<=": b"<", ">": b">=", ">=": b">"}
_NUMBERS: Final = frozenset({"integer", "number", "int_literal", "decimal_integer_literal"})
_INDEXES: Final = frozenset(
    {"subscript", "slice", "subscript_expression", "index_expression", "slice_expression", "array_access"}
)
_SUMS: Final = frozenset({"binary_operator", "binary_expression"})
_ERROR_NAME: Final = re.compile(r"(?:\w*\.)?(?:e|err|\w*err|err\w*|\w*error\w*)", re.IGNORECASE)
_JAVA_WAITS: Final = frozenset({"join", "await", "get", "awaitTermination", "waitFor"})


def dropped_conditions(source: Source) -> Iterator[Edit]:
    """``a and b`` becomes ``a`` or ``b`` where it decides something; a guard is gone."""
    for node in walk(source.root):
        parts = operands(node)
        if parts is None or parts[1] not in LOGICAL or not _decides(node):
            continue
        left, _, right = parts
        for kept, dropped in ((left, right), (right, left)):
            if not about_access(text_of(dropped)):
                yield Edit(Defect.DROPPED_CONDITION, node.start_byte, node.end_byte, kept.text or b"")
    for node, condition in guards(source):
        if not about_access(condition) and not _asks_for_error(node):
            yield removal(source, Defect.DROPPED_CONDITION, node, node)


def _decides(node: Node) -> bool:
    here = node
    while here.parent is not None and here.parent.type in _WRAPS | BINARY | {"expression_list"}:
        here = here.parent
    above = here.parent
    return above is not None and (above.type in _DECIDES or above.child_by_field_name("condition") == here)


def off_by_one(source: Source) -> Iterator[Edit]:
    """A bound takes in one more or one less; an index or a sum is one higher."""
    for node in walk(source.root):
        if node.type == "comparison_operator":
            tokens = [one for one in node.children if one.type in _OTHER_BOUND]
        else:
            operator = node.child_by_field_name("operator") if node.type == "binary_expression" else None
            tokens = [operator] if operator is not None and text_of(operator) in _OTHER_BOUND else []
        for token in tokens:
            yield Edit(Defect.OFF_BY_ONE, token.start_byte, token.end_byte, _OTHER_BOUND[text_of(token)])
        if node.type in _NUMBERS and re.fullmatch(r"0|[1-9]\d{0,3}", text_of(node)) and _counts(node):
            yield Edit(Defect.OFF_BY_ONE, node.start_byte, node.end_byte, str(int(text_of(node)) + 1).encode())


def _counts(number: Node) -> bool:
    above = number.parent
    if above is None:
        return False
    if above.type in _SUMS:
        return text_of(above.child_by_field_name("operator")) in {"+", "-"}
    if above.type == "argument_list":
        return text_of(above.parent and above.parent.child_by_field_name("function")) == "range"
    return above.type in _INDEXES


def swallowed_errors(source: Source) -> Iterator[Edit]:
    """A handler that did something does nothing."""
    for node in walk(source.root):
        if node.type == "except_clause":
            block = next((one for one in node.children if one.type == "block"), None)
            does = statements(block)
            if block is not None and does and {one.type for one in does} - {"pass_statement", "continue_statement"}:
                yield Edit(Defect.SWALLOWED_ERROR, block.start_byte, block.end_byte, b"pass")
        elif node.type == "catch_clause" or _asks_for_error(node):
            block = node.child_by_field_name("body") or node.child_by_field_name("consequence")
            if block is not None and statements(block):
                text = b"{\n" + _indent(source, node) + b"}"
                yield Edit(Defect.SWALLOWED_ERROR, block.start_byte, block.end_byte, text)


def _asks_for_error(node: Node) -> bool:
    """Go's ``if err != nil`` without an else."""
    condition = node.child_by_field_name("condition") if node.type == "if_statement" else None
    parts = None if condition is None else operands(condition)
    if parts is None or node.child_by_field_name("alternative") is not None:
        return False
    left, operator, right = parts
    return operator == "!=" and right.type == "nil" and _ERROR_NAME.fullmatch(text_of(left)) is not None


def _indent(source: Source, node: Node) -> bytes:
    line = source.data[source.data.rfind(b"\n", 0, node.start_byte) + 1 :]
    return line[: len(line) - len(line.lstrip(b" \t"))]


def removed_waits(source: Source) -> Iterator[Edit]:
    """``await`` is gone; in Go and Java, which have none, the statement that waits for other work is."""
    for node in walk(source.root):
        if node.type in {"await", "await_expression"} and node.named_children:
            inner = node.named_children[-1]
            yield Edit(Defect.REMOVED_AWAIT, node.start_byte, node.end_byte, inner.text or b"")
        elif node.type == "expression_statement" and node.named_children and _waits(source, node.named_children[0]):
            yield removal(source, Defect.REMOVED_AWAIT, node, node)


def _waits(source: Source, node: Node) -> bool:
    match source.family, node.type:
        case "go", "call_expression":
            return text_of(node.child_by_field_name("function")).endswith(".Wait")
        case "go", "unary_expression":
            return text_of(node.child_by_field_name("operator")) == "<-"
        case "java", "method_invocation":
            called = node.child_by_field_name("object") is not None
            return called and text_of(node.child_by_field_name("name")) in _JAVA_WAITS
        case _:
            return False
