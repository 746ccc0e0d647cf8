"""Places in a syntax tree that several operators change: operands, and conditions that only leave early."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tree_sitter import Node

from bot.simulator.calibration.syntax import Source, statements
from workers.agents.runners.trees import text_of, walk

BINARY: Final = frozenset({"boolean_operator", "binary_expression"})
_BLOCKS: Final = frozenset({"module", "program", "block", "statement_block", "statement_list"})
_EXITS: Final = frozenset(
    {"return_statement", "raise_statement", "throw_statement", "continue_statement", "break_statement"}
)


def operands(node: Node) -> tuple[Node, str, Node] | None:
    """Left, operator and right of a binary node; None for any other."""
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    operator = node.child_by_field_name("operator")
    if node.type not in BINARY or left is None or right is None or operator is None:
        return None
    return left, text_of(operator), right


def guards(source: Source) -> Iterator[tuple[Node, str]]:
    """Conditions that only leave early, beside other statements: the whole ``if``, and the condition's text."""
    for node in walk(source.root):
        if node.type != "if_statement" or node.child_by_field_name("alternative") is not None:
            continue
        parent, condition = node.parent, node.child_by_field_name("condition")
        if parent is None or parent.type not in _BLOCKS or len(statements(parent)) < 2:
            continue
        # A variable that the condition itself makes is used by its body alone; what it calls would go too.
        if node.child_by_field_name("initializer") is not None:
            continue
        consequence = node.child_by_field_name("consequence")
        does = [consequence] if consequence is not None and consequence.type in _EXITS else statements(consequence)
        if does and does[-1].type in _EXITS and len(does) <= 3:
            yield node, text_of(condition)
