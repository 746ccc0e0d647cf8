"""Mutation operators on what decides about access, which is told from its words: modes, decorators, checks, answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tree_sitter import Node

from bot.simulator.calibration.places import guards, operands
from bot.simulator.calibration.syntax import Defect, Edit, Source, removal
from bot.simulator.calibration.words import about_access, narrows_access
from workers.agents.runners.trees import text_of, walk

_MODE: Final = re.compile(r"(0o?)([0-7]?)([0-7])([0-7])([0-7])")
_FUNCTIONS: Final = frozenset(
    {
        "function_definition",
        "function_declaration",
        "method_definition",
        "method_declaration",
        "variable_declarator",
    }
)
_MARKS: Final = frozenset({"decorator", "annotation", "marker_annotation"})


def widened_permissions(source: Source) -> Iterator[Edit]:
    """More people may do something: a file's mode, a decorator, a part of a condition, a guard, an answer."""
    yield from _modes(source)
    for node in walk(source.root):
        if node.type in _MARKS and narrows_access(text_of(node)):
            yield removal(source, Defect.WIDENED_PERMISSION, node, node)
        parts = operands(node)
        if parts is not None and parts[1] in {"and", "&&"}:
            left, _, right = parts
            for kept, dropped in ((left, right), (right, left)):
                if about_access(text_of(dropped)):
                    yield Edit(Defect.WIDENED_PERMISSION, node.start_byte, node.end_byte, kept.text or b"")
        if node.type == "false" and _answers(node):
            yes = b"True" if source.family == "python" else b"true"
            yield Edit(Defect.WIDENED_PERMISSION, node.start_byte, node.end_byte, yes)
    for node, condition in guards(source):
        if about_access(condition):
            yield removal(source, Defect.WIDENED_PERMISSION, node, node)


def _modes(source: Source) -> Iterator[Edit]:
    """A mode such as 0600 lets group and others do what the owner may; Java writes modes otherwise."""
    for node in walk(source.root):
        if node.type not in {"integer", "number", "int_literal"}:
            continue
        match = _MODE.fullmatch(text_of(node))
        if match is None:
            continue
        prefix, special, owner, _, others = match.groups()
        # What nobody but the owner writes is a restriction; 0777 or 0666 is none.
        if int(owner) >= 4 and others != owner:
            text = f"{prefix}{special}{owner}{owner}{owner}".encode()
            yield Edit(Defect.WIDENED_PERMISSION, node.start_byte, node.end_byte, text)


def _answers(node: Node) -> bool:
    """Whether this ``false`` is what a function about access returns."""
    above = node.parent
    if above is not None and above.type == "expression_list":
        above = above.parent
    if above is None or above.type != "return_statement":
        return False
    here: Node | None = above
    while here is not None:
        name = here.child_by_field_name("name")
        if here.type in _FUNCTIONS and name is not None:
            return about_access(text_of(name))
        here = here.parent
    return False
