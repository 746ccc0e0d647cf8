"""What the readers of tree-sitter languages share: a normal form without comments, and reachable steps of a body."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

import tree_sitter_go
import tree_sitter_java
import tree_sitter_javascript
import tree_sitter_python
import tree_sitter_typescript
from tree_sitter import Language, Node, Parser

from workers.agents.runners.unit import Step, digest

MOST_BYTES: Final = 1 << 20
MOST_LEVELS: Final = 500
"""What reads a tree looks at each node once for every level above it; no file that anybody wrote is nested so deeply."""
COMMENTS: Final = frozenset({"comment", "line_comment", "block_comment", "html_comment"})
BLOCKS: Final = frozenset({"statement_block", "block", "statement_list", "class_body", "switch_body"})
_IDLE: Final = frozenset({"empty_statement", ";", "{", "}", *COMMENTS})
_ENDS: Final = frozenset(
    {"return_statement", "throw_statement", "break_statement", "continue_statement", "goto_statement"}
)
_FALSE: Final = re.compile(r"\(*(?:false|0|!true|null|undefined|!1|1==2|\"\"|'')\)*")
_TRUE: Final = re.compile(r"\(*(?:true|1|!false|!0)\)*|.*\|\|(?:true|1)\)*|\(*(?:true|1)\|\|.*")
_WORD: Final = re.compile(r"\w")
_NAMES: Final = frozenset(
    {
        *("identifier", "shorthand_property_identifier", "shorthand_property_identifier_pattern"),
        *("type_identifier", "package_identifier"),
    }
)
_MEMBERS: Final = frozenset({"property_identifier", "private_property_identifier", "field_identifier"})
_ASSIGNS: Final = frozenset(
    {
        *("assignment_expression", "augmented_assignment_expression", "update_expression", "assignment_statement"),
        *("inc_statement", "dec_statement", "send_statement"),
    }
)
_CHANGING: Final = re.compile(
    r"mock\w*|do\w*mock|\w*[sS]py(?:On)?|stub\w*|fake\w*|replace\w*|patch\w*|useFakeTimers|assign|prototype|__\w+__|Reflect|Function"
    r"|eval|extend|define\w*|setPrototypeOf|addMethod|overwriteMethod|addProperty|overwriteProperty|use"
    r"|when|do(?:Return|Answer|Nothing|Throw)|setAccessible|setField|linkname"
)

Says: TypeAlias = Callable[[Node], bool]


@lru_cache(maxsize=8)
def _language(name: str) -> Language:
    makers = {
        "javascript": tree_sitter_javascript.language,
        "typescript": tree_sitter_typescript.language_typescript,
        "tsx": tree_sitter_typescript.language_tsx,
        "go": tree_sitter_go.language,
        "java": tree_sitter_java.language,
        "python": tree_sitter_python.language,
    }
    return Language(makers[name]())


def root_of(data: bytes, language: str) -> Node | None:
    """The tree, or None when the file is too large, too deep or has an error: half a tree hides tests."""
    if len(data) > MOST_BYTES:
        return None
    root = Parser(_language(language)).parse(data).root_node
    return None if root.has_error or _too_deep(root) else root


def _too_deep(root: Node) -> bool:
    level = [root]
    for _ in range(MOST_LEVELS):
        level = [child for node in level for child in node.children if child.child_count]
        if not level:
            return False
    return True


def walk(node: Node) -> Iterator[Node]:
    """``node`` and all below it, in the order of the text."""
    waiting = [node]
    while waiting:
        here = waiting.pop()
        yield here
        waiting += reversed(here.children)


def text_of(node: Node | None) -> str:
    """The text as it stands, "" for no node."""
    return "" if node is None or node.text is None else node.text.decode("utf-8", "replace")


def packed(node: Node | None, without: frozenset[int] = frozenset()) -> str:
    """Text without comments and what formatting changes; nodes whose ids are in ``without`` are left out."""
    found: list[str] = []
    waiting = [] if node is None else [node]
    while waiting:
        here = waiting.pop()
        if here.type in COMMENTS or here.id in without:
            continue
        if here.child_count and "string" not in here.type:
            waiting += reversed(here.children)
            continue
        word = text_of(here)
        if found and word and _WORD.match(word) and _WORD.match(found[-1][-1:]):
            found.append(" ")
        if word.strip() and word not in {";", ","}:
            found.append(word)
        elif word == ",":
            found.append(",")
    return "".join(found).replace(",)", ")").replace(",]", "]").replace(",}", "}")


def identifiers_in(node: Node | None) -> frozenset[str]:
    """Names that are used below ``node``; a member's with a dot before it."""
    if node is None:
        return frozenset()
    return frozenset(_dotted(one) for one in walk(node) if one.type in _NAMES or one.type in _MEMBERS)


def bound_in(node: Node | None) -> frozenset[str]:
    """Names that a pattern gives a value."""
    return frozenset(name for name in identifiers_in(node) if not name.startswith("."))


def _used_in(node: Node) -> frozenset[str]:
    """Names that a statement takes a meaning from: not the plain ones that it declares (``x := x`` uses the outer one)."""
    made: set[int] = set()
    for one in walk(node):
        if one.type in {"variable_declarator", "short_var_declaration"}:
            target = one.child_by_field_name("name") or one.child_by_field_name("left")
            inner = [] if target is None else [target, *target.children]
            made.update(deep.id for deep in inner if deep.type == "identifier")
    return frozenset(
        _dotted(one) for one in walk(node) if one.id not in made and (one.type in _NAMES or one.type in _MEMBERS)
    )


def _dotted(node: Node) -> str:
    parent = node.parent
    member = node.type in _MEMBERS
    if parent is not None and parent.type in {"method_invocation", "field_access"}:
        owner = parent.child_by_field_name("object")
        member = owner is not None and owner.id != node.id and node.prev_named_sibling is not None
    return f".{text_of(node)}" if member else text_of(node)


def changes(node: Node) -> bool:
    """Whether a statement may give more a value than what it declares: by an assignment inside, or by whom it calls."""
    for one in walk(node):
        if one.type in _ASSIGNS or (one.type == "unary_expression" and text_of(one).startswith("delete")):
            return True
        if one.type in _NAMES or one.type in _MEMBERS:
            if _CHANGING.fullmatch(text_of(one)):
                return True
        elif one.type == "call_expression":
            function = one.child_by_field_name("function")
            if function is not None and function.type == "subscript_expression":
                return True  # a method by a name that is only known when it runs
    return False


def always(condition: Node | None) -> bool | None:
    """What a condition always is, or None."""
    told = packed(condition)
    if condition is None or not told:
        return None
    if _FALSE.fullmatch(told):
        return False
    return True if _TRUE.fullmatch(told) else None


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a language's assertions look like. Each is asked about one statement that has no block, or about a ``try``.

    ``asserts``: it can fail the test. ``trivial``: it looks so and cannot. ``leaves``: nothing after it is reached.
    ``swallows``: a failure inside this ``try`` goes unseen. ``rows``: a list of cases in it. ``binds``: see `Step`.
    """

    asserts: Says
    trivial: Says
    leaves: Says
    swallows: Says
    rows: Callable[[Node], list[Node]]
    binds: Callable[[Node], frozenset[str] | None]

    def steps(self, body: Node | None) -> tuple[Step, ...]:
        """Every reachable statement, in order; a body that is one expression is one statement."""
        if body is None:
            return ()
        if body.type not in BLOCKS:
            return (self._leaf(body, "", sure=True),)
        return tuple(self._steps(body, "", sure=True))

    def cases(self, body: Node | None) -> tuple[str, ...]:
        """Rows of the tables in ``body``."""
        found = [] if body is None else [row for one in walk(body) for row in self.rows(one)]
        return tuple(packed(row) for row in found)

    def _steps(self, block: Node, around: str, *, sure: bool) -> Iterator[Step]:
        for node in block.children:
            if node.type in _IDLE:
                continue
            if node.type == "statement_list":
                yield from self._steps(node, around, sure=sure)
                continue
            condition = node.child_by_field_name("condition") if node.type == "if_statement" else None
            known = always(condition)
            if known is not None:
                taken = node.child_by_field_name("consequence" if known else "alternative")
                yield from self._taken(taken, around, sure=sure)
                if taken is not None and self._ends(taken):
                    return
                continue
            inner = [] if self.asserts(node) else _blocks(node)
            if inner:
                yield from self._compound(node, inner, around, sure=sure)
            else:
                yield self._leaf(node, around, sure=sure)
            if self._ends(node):
                return

    def _taken(self, node: Node | None, around: str, *, sure: bool) -> Iterator[Step]:
        """The branch of a condition that is always the same."""
        if node is None:
            return
        blocks = [node] if node.type in BLOCKS else [one for one in node.children if one.type in BLOCKS]
        if not blocks:
            yield self._leaf(node, around, sure=sure)
        for block in blocks:
            yield from self._steps(block, around, sure=sure)

    def _compound(self, node: Node, inner: list[Node], around: str, *, sure: bool) -> Iterator[Step]:
        head = packed(node, frozenset(one.id for one in inner) | frozenset(row.id for row in self._rows_in(node)))
        yield Step(f"{around}{head}")
        dead = always(node.child_by_field_name("condition")) is False
        for block in inner:
            if not dead:
                parent = "" if block.parent is None else block.parent.type
                # Digested, or every step in a deep or long statement would repeat all that is around it.
                held = sure and not self.swallows(node)
                yield from self._steps(block, digest(around, head, parent), sure=held)

    def _rows_in(self, node: Node) -> list[Node]:
        return [row for one in walk(node) for row in self.rows(one)]

    def _leaf(self, node: Node, around: str, *, sure: bool) -> Step:
        harmful = changes(node)
        uses = _used_in(node)
        if self.asserts(node):
            return Step(around + packed(node), None if harmful else frozenset(), sure and not self.trivial(node), uses)
        # Rows of a table are cases: one more of them leaves the statement as it was.
        told = packed(node, frozenset(row.id for row in self._rows_in(node)))
        told = re.sub(r",{2,}|(?<=[\[{]),", ",", told).replace(",}", "}").replace(",]", "]")
        return Step(around + told, None if harmful else self.binds(node), uses=uses)

    def flat(self, node: Node) -> str:
        """A helper's reachable steps with its head, or the text of anything else."""
        body = node.child_by_field_name("body")
        if body is None or body.type not in BLOCKS - {"class_body"}:
            return packed(node)
        return packed(node, frozenset({body.id})) + "".join(step.text for step in self.steps(body))

    def _ends(self, node: Node) -> bool:
        if node.type in _ENDS or self.leaves(node):
            return True
        if node.type in BLOCKS:
            return any(self._ends(one) for one in node.children)
        if node.type == "if_statement":
            known = always(node.child_by_field_name("condition"))
            taken = node.child_by_field_name("consequence" if known else "alternative")
            return known is not None and taken is not None and self._ends(taken)
        return False


def _blocks(node: Node) -> list[Node]:
    """The outermost blocks inside a statement."""
    if node.type in BLOCKS:
        return [node]
    found: list[Node] = []
    waiting = list(reversed(node.children))
    while waiting:
        here = waiting.pop()
        if here.type in BLOCKS:
            found.append(here)
        else:
            waiting += reversed(here.children)
    return found


def free_name(seen: Counter[str], name: str) -> str:
    """A second test of the same name is another test: it is told by its number."""
    seen[name] += 1
    return name if seen[name] == 1 else f"{name} #{seen[name]}"
