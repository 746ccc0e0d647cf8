"""The reachable steps of a Python function, read with `ast`, and which of them can fail a test."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from workers.agents.runners.python_names import Names, changes, identifiers, last_name, makes_mocks
from workers.agents.runners.unit import Step, digest

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

SKIPS: Final = frozenset(
    {
        *("skip", "skipif", "skipIf", "skipUnless", "xfail", "expectedFailure", "skipTest", "importorskip"),
        *("SkipTest", "Skipped", "skip_if_not_installed"),
    }
)
_LEAVES: Final = frozenset({"exit", "_exit"})
_OWNERS: Final = frozenset({"pytest", "unittest", "self", "cls"})
_ASSERTING: Final = (
    "assert",
    "fail",
    "expect",
    "raises",
    "warns",
    "deprecated_call",
    "check",
    "verify",
    "should",
    "refuse",
    "ensure",
    "must",
)
_TEST_CODE: Final = re.compile(r"(?:^|[._])(?:tests?|conftest|testing|helpers?)(?:[._]|$)")
_WIDE: Final = frozenset({"BaseException", "Exception", "AssertionError"})


def is_skip(node: ast.AST, names: Names) -> bool:
    """Whether a decorator, mark or call says that a test is not run, or is not expected to pass."""
    return last_name(node, names) in SKIPS


def asserting_functions(module: ast.Module, names: Names) -> frozenset[str]:
    """Functions of the file that assert, and what it imports from other test code: a call of one is an assertion."""
    flow = Flow(names)
    found: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("test"):
            if any(step.asserts for step in flow.steps(node.body)):
                found.add(node.name)
        elif isinstance(node, ast.ImportFrom) and (node.level or _TEST_CODE.search(node.module or "")):
            found.update(one.asname or one.name for one in node.names)
    return frozenset(found)


def skips_in(body: Iterable[ast.AST], names: Names) -> Iterator[str]:
    """Every call or raise below ``body`` that skips."""
    for statement in body:
        for node in ast.walk(statement):
            if (isinstance(node, ast.Call) and is_skip(node.func, names)) or (
                isinstance(node, ast.Raise)
                and isinstance(node.exc, ast.Name | ast.Attribute)
                and is_skip(node.exc, names)
            ):
                yield ast.dump(node)


@dataclass(frozen=True, slots=True)
class Flow:
    """Reads bodies. ``names``: see `Names`. ``helpers``: functions that assert; ``used``: what the body in hand reads."""

    names: Names
    helpers: frozenset[str] = frozenset()
    used: frozenset[str] = frozenset()

    def steps(self, body: Sequence[ast.stmt]) -> tuple[Step, ...]:
        """Every reachable statement of ``body``, in order, statements inside others after what stands around them."""
        read = (one for node in body for one in ast.walk(node))
        used = frozenset(one.id for one in read if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load))
        return tuple(replace(self, used=used).within(body, "", sure=True))

    def within(self, body: Sequence[ast.stmt], around: str, *, sure: bool) -> Iterator[Step]:
        """The steps of a block. ``sure``: an assertion here fails the test, for nothing around swallows it."""
        for node in body:
            if _idle(node):
                continue
            if isinstance(node, ast.If) and (known := _constant(node.test)) is not None:
                taken = node.body if known else node.orelse
                yield from self.within(taken, around, sure=sure)
                if ends(taken, self.names):
                    return
                continue
            inner = list(_inner(node))
            yield self._leaf(node, around, sure=sure) if not inner else self._head(node, around, sure=sure)
            for head, statements in inner:
                if not _never(node):
                    inside = sure and not self._swallows(node, head)
                    yield from self.within(statements, digest(around, head), sure=inside)
            if _ends(node, self.names):
                return

    def _leaf(self, node: ast.stmt, around: str, *, sure: bool) -> Step:
        text = f"{around}{ast.dump(node.test if isinstance(node, ast.Assert) else node)}"
        uses: ast.AST = node
        match node:
            case ast.Assert(test=test):
                asserts = not _always_true(test)
                binds = frozenset[str]()
            case ast.Expr(value=ast.Call() as call) if self._asserting(call):
                asserts = not self._trivial(call)
                binds = frozenset()
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if not makes_mocks(value, self.names):
                asserts = self._has_assertion(node)
                binds = frozenset({name})
                uses = value
            case _:
                return Step(text, None, sure and self._has_assertion(node))
        return Step(text, self._unless_it_changes([node], binds), sure and asserts, identifiers(uses))

    def _unless_it_changes(self, nodes: Sequence[ast.AST], binds: frozenset[str]) -> frozenset[str] | None:
        """What asserts or gives one name a value may do more than that: then nobody can say what it changes."""
        return None if any(changes(one, self.names) for one in nodes) else binds

    def _head(self, node: ast.stmt, around: str, *, sure: bool) -> Step:
        """What a compound statement says before its blocks; ``with raises(...)`` asserts."""
        if isinstance(node, ast.With | ast.AsyncWith):
            calls = [one.context_expr for one in node.items]
            asserting = any(isinstance(one, ast.Call) and self._asserting(one) for one in calls)
            text = f"{around}with {[ast.dump(one) for one in node.items]}"
            made = frozenset(
                one.id
                for item in node.items
                for one in ast.walk(item)
                if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
            )
            binds = self._unless_it_changes(node.items, made) if asserting else None
            return Step(text, binds, sure and asserting, frozenset().union(*map(identifiers, node.items)))
        kind = type(node).__name__
        parts = [ast.dump(value) for value in _head_expressions(node)]
        return Step(f"{around}{kind} {parts}")

    def _asserting(self, call: ast.Call) -> bool:
        name = last_name(call.func, self.names)
        return name in self.helpers or name.lstrip("_").lower().startswith(_ASSERTING)

    def _has_assertion(self, node: ast.AST) -> bool:
        waiting = [node]
        while waiting:
            here = waiting.pop()
            if isinstance(here, ast.Call) and self._asserting(here) and not self._trivial(here):
                return True
            if not isinstance(here, ast.Lambda):  # nobody says that it is called
                waiting += ast.iter_child_nodes(here)
        return False

    def _trivial(self, call: ast.Call) -> bool:
        """Whether an assertion method is given what cannot fail."""
        name = last_name(call.func, self.names)
        match call.args:
            case [one, *_] if name in {"assertTrue", "assert_", "ok_", "expect", "check"}:
                return _always_true(one)
            case [one, *_] if name in {"assertFalse", "assertIsNone"}:
                return isinstance(one, ast.Constant) and not one.value
            case [left, right, *_] if name.startswith(("assertEqual", "assert_equal", "assertIs", "assert_allclose")):
                return ast.dump(left) == ast.dump(right) and "Not" not in name
            case _:
                return False

    def _swallows(self, node: ast.stmt, head: str) -> bool:
        """Whether a failed assertion in a block of ``node`` would go unseen."""
        match node:
            case ast.Try(handlers=handlers, finalbody=finalbody) | ast.TryStar(handlers=handlers, finalbody=finalbody):
                # No `finally` that returns lets an exception out; other blocks are not covered by the handlers.
                leaves = any(isinstance(one, ast.Return | ast.Break | ast.Continue) for one in finalbody)
                return leaves or (head.startswith("try") and any(self._catches(one) for one in handlers))
            case ast.With(items=items) | ast.AsyncWith(items=items):
                calls = [one.context_expr for one in items]
                return any(self._suppresses(one) for one in calls if isinstance(one, ast.Call))
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                return name not in self.used  # nobody calls it
            case _:
                return False

    def _catches(self, handler: ast.ExceptHandler) -> bool:
        kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        wide = any(one is None or last_name(one, self.names) in _WIDE for one in kinds)
        told = any(isinstance(one, ast.Raise | ast.Assert) for inner in handler.body for one in ast.walk(inner))
        return wide and not told and not any(self._has_assertion(inner) for inner in handler.body)

    def _suppresses(self, call: ast.Call) -> bool:
        if last_name(call.func, self.names) not in {"suppress", "raises", "assertRaises"}:
            return False
        return any(last_name(one, self.names) in _WIDE for one in call.args)


def ends(body: Sequence[ast.stmt], names: Names) -> bool:
    """Whether nothing after ``body`` is reached."""
    return any(_ends(node, names) for node in body)


def _ends(node: ast.stmt, names: Names) -> bool:
    match node:
        case ast.Return() | ast.Raise() | ast.Continue() | ast.Break():
            return True
        case ast.Expr(value=ast.Call() as call):
            return last_name(call.func, names) in {"skip", "skipTest", *_LEAVES} and _owned(call.func, names)
        case ast.If(test=test, body=body, orelse=orelse):
            known = _constant(test)
            if known is not None:
                return ends(body if known else orelse, names)
            return bool(orelse) and ends(body, names) and ends(orelse, names)
        case ast.While(test=test, body=body):
            return _constant(test) is True and not any(isinstance(one, ast.Break) for one in ast.walk(node))
        case ast.With(body=body) | ast.AsyncWith(body=body):
            # A `with` may swallow what is raised, but never a return.
            return any(isinstance(one, ast.Return) for one in body)
        case _:
            return False


def _owned(function: ast.expr, names: Names) -> bool:
    """Whether it is the runner's or the interpreter's own, not a method of anything (`reader.skip(4)`)."""
    match function:
        case ast.Attribute(value=ast.Name(id=owner)):
            return names.get(owner, owner) in {*_OWNERS, "os", "sys"}
        case _:
            return isinstance(function, ast.Name)


def _never(node: ast.stmt) -> bool:
    """Whether the blocks of ``node`` are never run."""
    match node:
        case ast.While(test=test):
            return _constant(test) is False
        case ast.For(iter=source) | ast.AsyncFor(iter=source):
            return isinstance(source, ast.List | ast.Tuple | ast.Set) and not source.elts
        case _:
            return False


def _idle(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _constant(test: ast.expr) -> bool | None:
    """What a condition always is, or None."""
    match test:
        case ast.Constant(value=value):
            return bool(value)
        case ast.Name(id="__debug__"):
            return True
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = _constant(operand)
            return None if inner is None else not inner
        case ast.BoolOp(op=ast.Or(), values=values):
            known = [_constant(one) for one in values]
            return True if True in known else False if set(known) == {False} else None
        case ast.BoolOp(op=ast.And(), values=values):
            known = [_constant(one) for one in values]
            return False if False in known else True if set(known) == {True} else None
        case ast.List(elts=elts) | ast.Tuple(elts=elts) | ast.Set(elts=elts):
            return bool(elts)
        case ast.Dict(keys=keys):
            return bool(keys)
        case ast.Lambda() | ast.JoinedStr():
            return True if isinstance(test, ast.Lambda) else None
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _compared(left, op, right)
        case _:
            return None


def _compared(left: ast.expr, op: ast.cmpop, right: ast.expr) -> bool | None:
    """A comparison of a thing with itself, or of two constants."""
    same = ast.dump(left) == ast.dump(right)
    plain = isinstance(left, ast.Name | ast.Attribute | ast.Constant)
    if same and plain and isinstance(op, ast.Eq | ast.Is | ast.LtE | ast.GtE):
        return True
    if same and plain and isinstance(op, ast.NotEq | ast.IsNot | ast.Lt | ast.Gt):
        return False
    if isinstance(left, ast.Constant) and isinstance(right, ast.Constant) and isinstance(op, ast.Eq | ast.NotEq):
        return (left.value == right.value) is isinstance(op, ast.Eq)
    return None


def _always_true(test: ast.expr) -> bool:
    return _constant(test) is True


def _head_expressions(node: ast.stmt) -> list[ast.AST]:
    """What stands in a compound statement before its blocks."""
    match node:
        case ast.If(test=test) | ast.While(test=test):
            return [test]
        case ast.For(target=target, iter=source) | ast.AsyncFor(target=target, iter=source):
            return [target, source]
        case ast.Match(subject=subject):
            return [subject]
        case ast.FunctionDef(args=args, decorator_list=marks) | ast.AsyncFunctionDef(args=args, decorator_list=marks):
            return [args, *marks]
        case _:
            return []


def _inner(node: ast.stmt) -> Iterator[tuple[str, Sequence[ast.stmt]]]:
    """The blocks of a compound statement with what stands before each."""
    match node:
        case ast.If(test=test, body=body, orelse=orelse) | ast.While(test=test, body=body, orelse=orelse):
            yield f"if {ast.dump(test)}", body
            yield f"unless {ast.dump(test)}", orelse
        case ast.For(iter=source, body=body, orelse=orelse) | ast.AsyncFor(iter=source, body=body, orelse=orelse):
            yield f"for {ast.dump(source)}", body
            yield "after the loop", orelse
        case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
            yield f"with {[ast.dump(one) for one in items]}", body
        case ast.Try() | ast.TryStar():
            # What a handler does stands among the steps; its body here would be told again at every level.
            yield f"try {[one.type and ast.dump(one.type) for one in node.handlers]}", node.body
            for handler in node.handlers:
                yield f"except {'' if handler.type is None else ast.dump(handler.type)}", handler.body
            yield "else", node.orelse
            yield "finally", node.finalbody
        case ast.Match(cases=cases):
            for one in cases:
                yield f"case {ast.dump(one.pattern)}", one.body
        case ast.FunctionDef(name=name, body=body) | ast.AsyncFunctionDef(name=name, body=body):
            yield f"def {name}", body
        case ast.ClassDef(name=name, body=body):
            yield f"class {name}", body
        case _:
            return
