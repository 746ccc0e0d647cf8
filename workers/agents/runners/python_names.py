"""Names in Python syntax: what they stand for, and which of them let an expression change what other steps see."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Final, TypeAlias

Names: TypeAlias = Mapping[str, str]
"""What a name of the file stands for, where it was imported or assigned under another."""

_CHANGING: Final = frozenset(
    {
        *("patch", "setattr", "delattr", "setitem", "delitem", "monkeypatch", "setdefault", "update"),
        *("exec", "eval", "compile", "__import__", "import_module", "reload", "exit", "_exit"),
        *("globals", "locals", "vars", "modules", "__dict__", "__globals__", "__builtins__", "f_globals", "f_locals"),
        *("__setattr__", "__delattr__", "__setitem__", "__delitem__", "__getattribute__", "__getattr__", "__ior__"),
        *("attrgetter", "methodcaller", "__set__", "__delete__"),
    }
)
_MOCKS: Final = frozenset({"mock", "Mock", "MagicMock", "AsyncMock", "create_autospec", "object"})


def last_name(node: ast.AST, names: Names) -> str:
    """The last component of what is called or named, with the file's own other names for it undone."""
    match node:
        case ast.Attribute(attr=name):
            return name
        case ast.Name(id=name):
            return names.get(name, name)
        case ast.Call(func=function):
            return last_name(function, names)
        case _:
            return ""


def identifiers(node: ast.AST) -> frozenset[str]:
    """Names that are used below ``node``, parameters included; an attribute's with a dot before it."""
    found: set[str] = set()
    for one in ast.walk(node):
        match one:
            case ast.Name(id=name) | ast.arg(arg=name):
                found.add(name)
            case ast.Attribute(attr=name):
                found.add(f".{name}")
    return frozenset(found)


def changes(node: ast.AST, names: Names) -> bool:
    """Whether it may give an attribute, an item or a name inside an expression a value, or runs what nobody can read."""
    direct = {id(one.func) for one in ast.walk(node) if isinstance(one, ast.Call) and _reads_plainly(one)}
    for one in ast.walk(node):
        match one:
            case ast.NamedExpr() | ast.Yield() | ast.YieldFrom():
                return True
            case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
                return True
            case ast.Name() | ast.Attribute():
                name = last_name(one, names)
                if name in _CHANGING or (name == "getattr" and id(one) not in direct):
                    return True
    return False


def makes_mocks(value: ast.AST, names: Names) -> bool:
    """Whether a value is made by a mocking library, which may put it in place of something."""
    return any(isinstance(one, ast.Name | ast.Attribute) and last_name(one, names) in _MOCKS for one in ast.walk(value))


def _reads_plainly(call: ast.Call) -> bool:
    """``getattr(x, "name")`` with a name that changes nothing; any other use of `getattr` may reach what does."""
    match call.args:
        case [_, ast.Constant(value=str(name)), *_]:
            return name not in _CHANGING
        case _:
            return False
