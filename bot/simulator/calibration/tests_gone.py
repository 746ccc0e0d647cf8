"""Mutation operator: a test that was there before is gone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tree_sitter import Node

from bot.simulator.calibration.syntax import Defect, Edit, Source, removal, statements
from workers.agents.runners.trees import COMMENTS, text_of, walk

_JS_TEST: Final = re.compile(r"(?:it|test)(?:\.\w+)*")
_JAVA_TEST: Final = frozenset({"Test", "ParameterizedTest", "RepeatedTest"})
_TEXTS: Final = frozenset({"string", "template_string"})


def names_of_tests(source: Source) -> frozenset[str]:
    """Names of the file's tests."""
    return frozenset(name for name, _ in _tests(source))


def deleted_tests(source: Source, before: frozenset[str]) -> Iterator[Edit]:
    """One test is gone, with its decorators and the comment above it; only tests whose names are in ``before``."""
    for name, node in _tests(source):
        if name in before:
            yield removal(source, Defect.DELETED_TEST, _with_comment(node), node, and_blank_after=True)


def _tests(source: Source) -> Iterator[tuple[str, Node]]:
    for node in walk(source.root):
        name = _name(source, node)
        if name:
            yield name, node


def _name(source: Source, node: Node) -> str:
    """The test that this node is as a whole, "" when it is none."""
    match source.family, node.type:
        case "python", "function_definition" | "decorated_definition":
            return _python(node)
        case "javascript", "expression_statement":
            return _javascript(node)
        case "go", "function_declaration":
            name = text_of(node.child_by_field_name("name"))
            return name if re.match(r"Test[^a-z]", name) else ""
        case "java", "method_declaration":
            modifiers = next((one for one in node.children if one.type == "modifiers"), None)
            marks = [] if modifiers is None else modifiers.named_children
            if any(text_of(one.child_by_field_name("name")).rsplit(".", 1)[-1] in _JAVA_TEST for one in marks):
                return text_of(node.child_by_field_name("name"))
            return ""
        case _:
            return ""


def _python(node: Node) -> str:
    above = node.parent
    if above is None or above.type == "decorated_definition":
        return ""
    inner = node if node.type == "function_definition" else node.child_by_field_name("definition")
    name = text_of(inner.child_by_field_name("name")) if inner is not None else ""
    if inner is None or inner.type != "function_definition" or not name.startswith("test"):
        return ""
    in_class = above.type == "block" and above.parent is not None and above.parent.type == "class_definition"
    # A class or a file that lost all it had would not be one any more.
    return name if (in_class or above.type == "module") and len(statements(above)) > 1 else ""


def _javascript(node: Node) -> str:
    call = node.named_children[0] if node.named_children else None
    if call is None or call.type != "call_expression":
        return ""
    arguments = call.child_by_field_name("arguments")
    if arguments is None or not _JS_TEST.fullmatch(text_of(call.child_by_field_name("function"))):
        return ""
    given = [one for one in arguments.named_children if one.type not in COMMENTS]
    return text_of(given[0])[1:-1] if len(given) > 1 and given[0].type in _TEXTS else ""


def _with_comment(node: Node) -> Node:
    """The first of the comments that stand directly above."""
    first = node
    above = node.prev_sibling
    while above is not None and above.type in COMMENTS and above.end_point.row == first.start_point.row - 1:
        before = above.prev_sibling
        if before is not None and before.end_point.row == above.start_point.row:
            break  # It stands behind something on its line, and speaks of that.
        first, above = above, before
    return first
