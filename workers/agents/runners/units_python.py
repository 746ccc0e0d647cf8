"""Tests of a Python file, read with `ast`: nothing of the file runs."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from workers.agents.runners.unit import Unit

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

_SKIPS: Final = frozenset(
    {"skip", "skipif", "skipIf", "skipUnless", "xfail", "expectedFailure", "skipTest", "importorskip"}
)
_ASSERTING: Final = ("assert", "fail", "expect", "raises", "warns", "deprecated_call", "check")


def python_units(data: bytes) -> Mapping[str, Unit] | None:
    """Tests by name (``Class::test``), or None for a file that does not parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found: dict[str, Unit] = {}
    try:
        _collect(module.body, "", _marked(module.body), found)
    except RecursionError:
        return None
    return found


def _collect(body: Sequence[ast.stmt], prefix: str, skipped: bool, found: dict[str, Unit]) -> None:
    for node in body:
        if isinstance(node, ast.ClassDef):
            _collect(
                node.body, f"{prefix}{node.name}::", skipped or _skips(node.decorator_list) or _marked(node.body), found
            )
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            found[prefix + node.name] = _unit(node, skipped)
        elif isinstance(node, ast.If | ast.Try | ast.With):
            for inner in (node.body, getattr(node, "orelse", []), getattr(node, "finalbody", [])):
                _collect(inner, prefix, skipped, found)


def _unit(node: Function, skipped: bool) -> Unit:
    statements = [one for one in node.body if not _idle(one)]
    cases = tuple(
        ast.dump(argument)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call) and _name(decorator.func) == "parametrize"
        for argument in _each_case(decorator)
    )
    stops = skipped or _skips(node.decorator_list) or (bool(statements) and _skips_at_once(statements[0]))
    return Unit(stops, len(statements), tuple(_asserts(statements, ())), cases)


def _each_case(decorator: ast.Call) -> Iterator[ast.expr]:
    for argument in [*decorator.args[1:2], *(one.value for one in decorator.keywords if one.arg == "argvalues")]:
        yield from argument.elts if isinstance(argument, ast.List | ast.Tuple) else [argument]


def _idle(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _name(node: ast.expr) -> str:
    match node:
        case ast.Attribute(attr=name):
            return name
        case ast.Name(id=name):
            return name
        case ast.Call(func=function):
            return _name(function)
        case _:
            return ""


def _skips(decorators: Sequence[ast.expr]) -> bool:
    return any(_name(one) in _SKIPS for one in decorators)


def _marked(body: Sequence[ast.stmt]) -> bool:
    """``pytestmark``, ``__test__ = False`` or a skip at the level of a module or class."""
    for node in body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {one.id for one in targets if isinstance(one, ast.Name)}
            value = node.value
            if "__test__" in names and isinstance(value, ast.Constant) and value.value is False:
                return True
            if "pytestmark" in names and value is not None and any(_name(one) in _SKIPS for one in _parts(value)):
                return True
        elif _skips_at_once(node) and not isinstance(node, ast.Return):
            return True
    return False


def _parts(value: ast.expr) -> Sequence[ast.expr]:
    return value.elts if isinstance(value, ast.List | ast.Tuple) else [value]


def _skips_at_once(node: ast.stmt) -> bool:
    """The first statement ends the test."""
    match node:
        case ast.Return():
            return True
        case ast.Expr(value=ast.Call() as call) | ast.Raise(exc=ast.Call() as call):
            return _name(call.func) in _SKIPS | {"SkipTest", "Skipped", "exit", "_exit"}
        case _:
            return False


def _asserts(body: Sequence[ast.stmt], around: tuple[str, ...]) -> Iterator[str]:
    """Assertions with the conditions that stand around them: one that moves below an ``if`` is not the same any more."""
    for node in body:
        if isinstance(node, ast.Assert):
            yield f"{around}{ast.dump(node.test)}"
            continue
        for call in _calls(node):
            if _name(call.func).lstrip("_").lower().startswith(_ASSERTING):
                yield f"{around}{ast.dump(call)}"
        for head, inner in _inner(node):
            yield from _asserts(inner, (*around, head))


def _calls(node: ast.stmt) -> Iterator[ast.Call]:
    """Calls of the statement itself, without those of statements inside it."""
    waiting: list[ast.AST] = [one for one in ast.iter_child_nodes(node) if not isinstance(one, ast.stmt)]
    while waiting:
        here = waiting.pop(0)
        if isinstance(here, ast.Call):
            yield here
        waiting += [one for one in ast.iter_child_nodes(here) if not isinstance(one, ast.stmt)]


def _inner(node: ast.stmt) -> Iterator[tuple[str, Sequence[ast.stmt]]]:
    match node:
        case ast.If(test=test, body=body, orelse=orelse) | ast.While(test=test, body=body, orelse=orelse):
            yield f"if {ast.dump(test)}", body
            yield f"unless {ast.dump(test)}", orelse
        case ast.For(iter=source, body=body) | ast.AsyncFor(iter=source, body=body):
            yield f"for {ast.dump(source)}", body
        case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
            yield f"with {[ast.dump(one) for one in items]}", body
        case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=finalbody):
            yield f"try {[ast.dump(one) for one in handlers]}", body
            yield "else", orelse
            yield "finally", finalbody
        case _:
            return
