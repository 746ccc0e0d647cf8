"""What Python code names of the runner that runs it, read from its syntax tree with the names that it gives to things.

Code that is tested has no business there at all (`reached`); a test may use its runner, and not change it (`meddled`).
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

RUNNER_MODULES: Final = frozenset(
    {
        *("pytest", "_pytest", "py", "pluggy", "iniconfig", "exceptiongroup", "unittest", "unittest2", "doctest", "nose"),
        *("nose2", "hypothesis", "coverage", "xdist", "execnet", "pytest_cov", "pytest_asyncio", "anyio", "pytest_mock"),
    }
)  # fmt: skip
_REACHED: Final = RUNNER_MODULES - {"py", "anyio", "exceptiongroup", "coverage", "hypothesis"}
_INSIDE: Final = frozenset({"_pytest", "pluggy"})
_REACHING: Final = frozenset(
    {
        *("os._exit", "sys.settrace", "sys.setprofile", "sys.monitoring", "sys._getframe", "sys._current_frames"),
        *("threading.settrace", "threading.setprofile", "sys.modules", "gc.get_objects", "gc.get_referrers"),
        *("gc.get_referents", "inspect.currentframe", "inspect.stack", "inspect.getouterframes", "sys.__dict__"),
        *("sys.*", "gc.*", "inspect.*"),
    }
)
_BY_NAME: Final = frozenset({"sys", "gc", "inspect"})
_SPEAKING: Final = re.compile(
    r"conductor_report|PYTEST_(?:CURRENT_TEST|ADDOPTS|VERSION|PLUGINS)|/proc/(?:self|\d+)/|^_pytest\b"
)
_SPOKEN_IN_TESTS: Final = re.compile(r"conductor_report|^_pytest\b")
_IMPORTING: Final = frozenset({"import_module", "__import__", "find_spec", "resolve_name", "run_module", "load_module"})
_PLAIN_SETTINGS: Final = frozenset({"maxDiff", "longMessage"})
"""What of a TestCase says how a failure is shown, not whether there is one."""
_PASSES: Final = 3
_WORDS: Final = re.compile(
    r"\b(?:_?pytest|unittest|pluggy|_exit|modules|_getframe|currentframe|f_back|get_objects|settrace|setprofile"
    r"|__import__|import_module)\b"
)
"""What is looked for where there is no tree: another Python may read what ours does not."""
_TOO_DEEP: Final = "what is nested too deeply to be read"


def reached(data: bytes) -> Iterator[str]:
    """What of its runner the code of a source file names; a file that cannot be read is searched for words."""
    try:
        source = _Source.of(data)
        yield from (told for node in ast.walk(source.module) for told in source.reached(node))
    except (SyntaxError, ValueError):
        yield from _WORDS.findall(data.decode("utf-8", "replace"))
    except (RecursionError, MemoryError):
        yield _TOO_DEEP


def meddled(data: bytes) -> Iterator[str]:
    """What of its runner, or of what it imports, a test file changes for others, too."""
    try:
        source = _Source.of(data)
        early = {id(node) for node in _at_import(source.module)}
        for node in ast.walk(source.module):
            yield from source.inside(node)
            yield from source.changed(node, early=id(node) in early)
    except (SyntaxError, ValueError):
        yield from re.findall(r"\b(?:_pytest|pluggy)\b", data.decode("utf-8", "replace"))
    except (RecursionError, MemoryError):
        yield _TOO_DEEP


def _at_import(module: ast.Module) -> Iterator[ast.AST]:
    """Nodes that are run when the module is imported: all but what stands in functions."""
    waiting: list[ast.AST] = [module]
    while waiting:
        node = waiting.pop()
        yield node
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                waiting += [*node.decorator_list, node.args]
            case ast.Lambda():
                waiting.append(node.args)
            case _:
                waiting += ast.iter_child_nodes(node)


def folded(node: ast.AST | None) -> str | None:
    """The string that an expression of literals is."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            parts = [folded(left), folded(right)]
        case ast.JoinedStr(values=values):
            parts = [folded(one.value if isinstance(one, ast.FormattedValue) else one) for one in values]
        case ast.Call(
            func=ast.Attribute(value=ast.Constant(value=str(mark)), attr="join"),
            args=[ast.List(elts=given) | ast.Tuple(elts=given)],
        ):
            words = [folded(one) for one in given]
            return None if None in words else mark.join(word for word in words if word is not None)
        case _:
            return None
    return None if None in parts else "".join(part for part in parts if part is not None)


@dataclass(frozen=True, slots=True)
class _Source:
    """``names``: what local names stand for, by dotted name. ``honest``: nodes that name what they may."""

    module: ast.Module
    names: dict[str, str]
    imported: frozenset[str]
    honest: set[int]
    computed: bool

    @staticmethod
    def of(data: bytes) -> _Source:
        """Raises what `ast.parse` does."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = ast.parse(data)
        nodes = list(ast.walk(module))
        names = dict(bound for node in nodes for bound in _imports(node))
        found = _Source(module, names, frozenset(names), set(), any(_imports_by_value(node) for node in nodes))
        assigned = [(one.id, value) for node in nodes for one, value in _assigned(node) if one.id not in names]
        for _ in range(_PASSES):
            for name, value in assigned:
                told = found.dotted(value)
                # A name that is given several things stands for the one that was imported.
                if told is not None and found.is_imported(value):
                    names[name] = told
        found.honest.update(_own_module(found, nodes))
        found.honest.update(_after_fork(found, nodes))
        return found

    def dotted(self, node: ast.AST | None) -> str | None:
        """What an expression stands for, as ``module.attribute``."""
        match node:
            case ast.Name(id=name):
                return self.names.get(name, name)
            case ast.NamedExpr(value=value):
                return self.dotted(value)
            case ast.Attribute(value=value, attr=name):
                return self._of(value, name)
            case ast.Call(func=ast.Name(id="getattr"), args=[value, name, *_]):
                return self._of(value, folded(name))
            case ast.Call(func=ast.Name(id="vars"), args=[value]):
                return self._of(value, "__dict__")
            case ast.Call(func=function, args=[name, *_]) if _last(function) in _IMPORTING:
                return folded(name)
            case ast.Subscript(value=value, slice=name):
                owner, key = self.dotted(value), folded(name)
                if owner == "sys.modules":
                    return key
                return f"{owner[:-9]}.{key}" if owner is not None and key and owner.endswith(".__dict__") else None
        return None

    def _of(self, value: ast.AST, name: str | None) -> str | None:
        owner = self.dotted(value)
        return None if owner is None or name is None else f"{owner}.{name}"

    def is_imported(self, node: ast.AST) -> bool:
        """Whether an expression begins with what was imported."""
        here = node
        while True:
            match here:
                case ast.Name(id=name):
                    return name in self.names
                case ast.Attribute(value=inner) | ast.Subscript(value=inner) | ast.NamedExpr(value=inner):
                    here = inner
                case ast.Call(func=ast.Name(id="getattr" | "vars"), args=[inner, *_]):
                    here = inner
                case ast.Call(func=function):
                    return _last(function) in _IMPORTING
                case _:
                    return False

    def reached(self, node: ast.AST) -> Iterator[str]:
        """See the module's `reached`."""
        match node:
            case ast.Import(names=names):
                yield from (one.name for one in names if _root(one.name) in _REACHED)
            case ast.ImportFrom(module=str(name), names=names, level=0):
                if _root(name) in _REACHED:
                    yield name
                yield from (full for one in names if (full := f"{name}.{one.name}") in _REACHING)
            case ast.Attribute(attr="f_back"):
                yield "f_back"
            case ast.Attribute() | ast.Call(func=ast.Name(id="getattr" | "vars")):
                told = ".".join((self.dotted(node) or "").split(".")[-2:])
                if told in _REACHING and id(node) not in self.honest:
                    yield told
                if isinstance(node, ast.Call) and len(node.args) > 1 and folded(node.args[1]) is None:
                    yield from (f"{one} by computed names" for one in _BY_NAME if self.dotted(node.args[0]) == one)
            case ast.Call(func=function, args=[name, *_]) if _last(function) in _IMPORTING:
                text = folded(name)
                if text is not None and _root(text) in _REACHED:
                    yield text
            case ast.Constant() | ast.BinOp() | ast.JoinedStr() if (text := folded(node)) is not None:
                # A tool's bare name is only a word, but where modules are imported by names that are not written there.
                if _SPEAKING.search(text) or (self.computed and text in _REACHED):
                    yield text[:40]

    def inside(self, node: ast.AST) -> Iterator[str]:
        """What of the runner's own insides a test file names."""
        match node:
            case ast.Import(names=names):
                yield from (one.name for one in names if _root(one.name) in _INSIDE)
            case ast.ImportFrom(module=str(name), level=0) if _root(name) in _INSIDE:
                yield name
            case ast.Call(func=function, args=[name, *_]) if _last(function) in _IMPORTING:
                text = folded(name)
                if text is not None and _root(text) in _INSIDE:
                    yield text
            case ast.Subscript(value=value, slice=name) if self.dotted(value) == "sys.modules":
                yield from self._runner_module(name)
            case ast.Call(func=ast.Attribute(value=value), args=[name, *_]) if self.dotted(value) == "sys.modules":
                yield from self._runner_module(name)
            case ast.Constant() | ast.BinOp() | ast.JoinedStr() if (text := folded(node)) is not None:
                if _SPOKEN_IN_TESTS.search(text):
                    yield text[:40]

    def _runner_module(self, name: ast.AST) -> Iterator[str]:
        text = folded(name)
        if text is not None and _root(text) in _REACHED:
            yield f"sys.modules[{text}]"

    def changed(self, node: ast.AST, *, early: bool) -> Iterator[str]:
        """What is assigned to something imported when the module is imported, or to the runner at any time."""
        targets: list[ast.expr] = []
        match node:
            case ast.Assign(targets=targets) | ast.Delete(targets=targets):
                pass
            case ast.AugAssign() | ast.AnnAssign():
                targets = [node.target]
            case ast.Call(func=ast.Name(id="setattr" | "delattr"), args=[value, name, *_]):
                yield from self._given(value, f"{self.dotted(value)}.{folded(name) or '(computed)'}", early=early)
            case ast.Call(func=ast.Attribute(attr="setattr" | "delattr"), args=[_, *_]) if early:
                yield "setattr while it is imported"
            case ast.Call(func=ast.Attribute(value=ast.Call(func=function), attr="start")) if early:
                if "patch" in (self.dotted(function) or "").split("."):
                    yield "a patch while it is imported"
        for one in (inner for target in targets for inner in _parts(target)):
            yield from self._target(one, early=early)

    def _target(self, target: ast.expr, *, early: bool) -> Iterator[str]:
        match target:
            case ast.Attribute(value=owner, attr=name) if name not in _PLAIN_SETTINGS:
                yield from self._given(owner, f"{self.dotted(owner)}.{name}", early=early)
            case ast.Subscript(value=owner) if (self.dotted(owner) or "").endswith(".__dict__"):
                yield from self._given(owner, str(self.dotted(owner)), early=early)
            case ast.Name(id="pytest_plugins") if early:
                yield "pytest_plugins"

    def _given(self, owner: ast.AST, told: str, *, early: bool) -> Iterator[str]:
        if self.is_imported(owner) and (early or _root(told) in RUNNER_MODULES):
            yield told[:60]


def _root(name: str) -> str:
    return name.partition(".")[0]


def _last(function: ast.AST) -> str:
    match function:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _parts(target: ast.expr) -> Iterator[ast.expr]:
    match target:
        case ast.Tuple(elts=inner) | ast.List(elts=inner):
            for one in inner:
                yield from _parts(one)
        case ast.Starred(value=value):
            yield from _parts(value)
        case _:
            yield target


def _imports(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Local names that an import binds, with what they stand for."""
    match node:
        case ast.Import(names=names):
            yield from ((one.asname, one.name) if one.asname else (_root(one.name),) * 2 for one in names)
        case ast.ImportFrom(module=str(name), names=names):
            yield from ((one.asname or one.name, f"{name}.{one.name}") for one in names)
        case ast.ImportFrom(names=names):
            yield from ((one.asname or one.name, f".{one.name}") for one in names)


def _imports_by_value(node: ast.AST) -> bool:
    """Whether a module is imported by a name that is not written there."""
    match node:
        case ast.Call(func=function, args=[name, *_]):
            return _last(function) in _IMPORTING and folded(name) is None
        case ast.Call(func=function):
            return _last(function) in _IMPORTING
    return False


def _assigned(node: ast.AST) -> Iterator[tuple[ast.Name, ast.expr]]:
    """Names that are given a value by themselves."""
    match node:
        case ast.Assign(targets=targets, value=value):
            yield from ((one, value) for one in targets if isinstance(one, ast.Name))
        case ast.AnnAssign(target=ast.Name() as one, value=ast.expr() as value):
            yield one, value
        case ast.NamedExpr(target=one, value=value):
            yield one, value


def _bound(node: ast.AST) -> str | None:
    """The name that a node binds."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
            return name
        case ast.alias():
            return node.asname or _root(node.name)
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            return name
        case ast.MatchMapping(rest=str(name)):
            return name
    return None


def _own_module(source: _Source, nodes: list[ast.AST]) -> Iterator[int]:
    """``sys.modules[__name__]``, which is the file's own module, where nothing gives ``__name__`` another value."""
    for node in nodes:
        match node:
            case ast.Constant(value="__name__") | ast.Attribute(attr="__name__", ctx=ast.Store()):
                return
            case _ if _bound(node) == "__name__":
                return
    for node in nodes:
        match node:
            case (
                ast.Subscript(value=ast.Attribute() as value, slice=ast.Name(id="__name__"))
                | ast.Call(
                    func=ast.Attribute(value=ast.Attribute() as value, attr="get"), args=[ast.Name(id="__name__")]
                )
            ) if source.dotted(value) == "sys.modules":
                yield id(value)


def _after_fork(source: _Source, nodes: list[ast.AST]) -> Iterator[int]:
    """``os._exit`` in what only a forked child runs: ``if pid == 0`` of a name that holds nothing but a fork's answer."""
    if any(_changes_fork(node) for node in nodes):
        return

    def forks(node: ast.AST) -> bool:
        return isinstance(node, ast.Call) and source.dotted(node.func) == "os.fork"

    given = {id(one): one.id for node in nodes for one, value in _assigned(node) if forks(value)}
    others = {_bound(node) for node in nodes if id(node) not in given}
    answers = set(given.values()) - others

    def child(test: ast.AST) -> bool:
        match test:
            case ast.UnaryOp(op=ast.Not(), operand=asked):
                pass
            case ast.Compare(left=asked, ops=[ast.Eq()], comparators=[ast.Constant(value=0)]):
                pass
            case _:
                return False
        match asked:
            case ast.Name(id=name):
                return name in answers
            case ast.NamedExpr(value=value):
                return forks(value)
        return forks(asked)

    for node in nodes:
        if isinstance(node, ast.If) and child(node.test):
            for inner in (one for statement in node.body for one in ast.walk(statement)):
                if isinstance(inner, ast.Call) and source.dotted(inner.func) == "os._exit":
                    yield id(inner.func)


def _changes_fork(node: ast.AST) -> bool:
    match node:
        case ast.Constant(value="fork") | ast.Attribute(attr="fork", ctx=ast.Store()):
            return True
    return _bound(node) == "fork" and not isinstance(node, ast.alias)
