"""Tests of a Python file and what they lean on, read with `ast`: nothing of the file runs."""

from __future__ import annotations

import ast
import builtins
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from workers.agents.runners.python_flow import (
    Flow,
    Function,
    asserting_functions,
    is_skip,
    skips_in,
)
from workers.agents.runners.python_names import Names, identifiers, last_name
from workers.agents.runners.unit import Reading, Setting, Unit, digest, shared, short

MOST_BYTES: Final = 1 << 20
_SPECIAL: Final = re.compile(
    r"pytest_\w+|pytestmark|__test__|collect_ignore\w*|load_tests|__getattr__|__all__|__init__|__new__|__getattribute__"
    r"|__init_subclass__|set_?[uU]p\w*|tear_?[dD]own\w*|run|debug|_callTestMethod|__call__|doCleanups|runTest",
)
_BEFORE: Final = re.compile(r"set_?[uU]p(?:_?[cC]lass|_?[mM]odule|_method|_function)?|asyncSetUp|__init__")
_FIXTURE: Final = frozenset({"fixture", "yield_fixture"})
_PLAIN: Final = frozenset(dir(builtins))
_PLUGINS: Final = frozenset(
    {
        *("cache", "capfd", "capfdbinary", "caplog", "capsys", "capsysbinary", "doctest_namespace", "monkeypatch"),
        *(
            "pytestconfig",
            "pytester",
            "record_property",
            "recwarn",
            "request",
            "testdir",
            "tmp_path",
            "tmp_path_factory",
        ),
        *(
            "tmpdir",
            "tmpdir_factory",
            "mocker",
            "benchmark",
            "event_loop",
            "event_loop_policy",
            "anyio_backend",
            "faker",
        ),
        *("db", "client", "settings", "live_server", "transactional_db", "django_db_setup", "subtests", "respx_mock"),
    }
)
"""Fixtures of pytest and of its most used plugins: one of the same name in a file stands in for them."""


def python_units(data: bytes, fixtures: frozenset[str] | None = None) -> Reading | None:
    """Tests by name (``Class::test``) with what stands around them, or None for a file that does not parse.

    ``fixtures``: those that the repository defines in other files; None where nobody looked, then any may be replaced.
    """
    if len(data) > MOST_BYTES:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = ast.parse(data)
        return _read(module, fixtures)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def fixtures_of(data: bytes) -> frozenset[str]:
    """Names that a file (a ``conftest.py``) defines or imports, fixtures among them; empty for one that does not parse."""
    read = python_units(data)
    return frozenset() if read is None else frozenset(name.rpartition("::")[2] for name in read.settings)


def _read(module: ast.Module, fixtures: frozenset[str] | None) -> Reading:
    names = _other_names(module)
    made = _Reader(Flow(names, asserting_functions(module, names)), names, fixtures)
    made.body(module.body, _Place())
    return Reading(
        tests=made.tests,
        settings=made.settings,
        loose=tuple(made.loose),
        names=identifiers(module),
        special=frozenset(made.special),
        plain=_PLAIN,
    )


def _other_names(module: ast.Module) -> dict[str, str]:
    """Other names that the file has for things: ``from pytest import skip as s``, ``later = pytest.mark.skip``."""
    found: dict[str, str] = {}
    for node in module.body:
        match node:
            case ast.ImportFrom(names=aliases) | ast.Import(names=aliases):
                found.update({one.asname: one.name.rpartition(".")[2] for one in aliases if one.asname is not None})
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Attribute() | ast.Name() | ast.Call() as value):
                original = last_name(value, found)
                if is_skip(value, found):
                    found[name] = original
    return found


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a body stands: its class, what already skips all of it, what the class is, and conditions around it."""

    prefix: str = ""
    skips: tuple[str, ...] = ()
    frame: tuple[str, ...] = ()
    around: str = ""


@dataclass(slots=True)
class _Reader:
    flow: Flow
    other: Names
    fixtures: frozenset[str] | None
    tests: dict[str, Unit] = field(default_factory=dict)
    settings: dict[str, Setting] = field(default_factory=dict)
    special: set[str] = field(default_factory=set)
    loose: list[str] = field(default_factory=list)

    def body(self, body: Sequence[ast.stmt], place: _Place) -> None:
        """One module or class, or a block in either."""
        place = replace(place, skips=shared((*place.skips, *self._skips_of(body))))
        for node in body:
            self._statement(node, place)

    def _statement(self, node: ast.stmt, place: _Place) -> None:
        match node:
            case ast.ClassDef():
                self._class(node, place)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._function(node, place)
            case ast.Import() | ast.ImportFrom():
                self._import(node, place)
            case ast.Assign() | ast.AnnAssign():
                self._assignment(node, place)
            case ast.If() | ast.Try() | ast.TryStar() | ast.With() | ast.For() | ast.While() | ast.Match():
                self._block(node, place)
            case ast.Delete(targets=targets):
                self._gone(targets, place)
                self.loose.append(place.around + place.prefix + ast.dump(node))
            case ast.Pass() | ast.Expr(value=ast.Constant()):
                return
            case _:
                self.loose.append(place.around + place.prefix + ast.dump(node))

    def _class(self, node: ast.ClassDef, place: _Place) -> None:
        marks = [one for one in node.decorator_list if not is_skip(one, self.other)]
        inner = _Place(
            prefix=f"{short(place.prefix + node.name)}::",
            skips=(*place.skips, *(ast.dump(one) for one in node.decorator_list if is_skip(one, self.other))),
            frame=(digest(*place.frame, *map(ast.dump, (*node.bases, *node.keywords, *marks))),),
        )
        if place.prefix + node.name in self.settings:
            for name in [one for one in self.tests if one.startswith(inner.prefix)]:
                del self.tests[name]  # a class of the same name further up is gone
        self.settings[place.prefix + node.name] = Setting(f"class {inner.frame}")
        self.body(node.body, inner)

    def _function(self, node: Function, place: _Place) -> None:
        name = place.prefix + node.name
        if node.name.startswith("test"):
            self.tests[name] = self._unit(node, place)
            return
        alone = any("autouse" in ast.dump(one) for one in node.decorator_list)
        if _SPECIAL.fullmatch(node.name) or alone or node.name.startswith("pytest_"):
            self.special.add(name)
        text = "".join(step.text for step in self.flow.steps(node.body))
        head = ast.dump(node.args) + "".join(map(ast.dump, node.decorator_list)) + type(node).__name__
        self.settings[name] = Setting(head + text)
        for fixture in self._fixture_names(node):
            self.settings[place.prefix + fixture] = self.settings[name]
            if self.fixtures is None or fixture in self.fixtures | _PLUGINS:
                # It replaces one from elsewhere, which other fixtures may name as a parameter.
                self.special.add(place.prefix + fixture)

    def _fixture_names(self, node: Function) -> Iterator[str]:
        """What a fixture is asked for by; a plugin's where nobody can say."""
        for mark in node.decorator_list:
            if last_name(mark, self.other) not in _FIXTURE:
                continue
            keywords = mark.keywords if isinstance(mark, ast.Call) else []
            given = [one.value for one in keywords if one.arg in {"name", None}]
            yield from (str(one.value) if isinstance(one, ast.Constant) else "request" for one in given)
            if not given:
                yield node.name

    def _unit(self, node: Function, place: _Place) -> Unit:
        cases: list[str] = []
        frame = [type(node).__name__, ast.dump(node.args)]
        skips = list(place.skips)
        for mark in node.decorator_list:
            if is_skip(mark, self.other):
                skips.append(ast.dump(mark))
            elif isinstance(mark, ast.Call) and last_name(mark.func, self.other) == "parametrize":
                values = list(_each_case(mark))
                cases += [ast.dump(one) for one in values]
                frame.append(ast.dump(mark.args[0]) if mark.args else "")
                skips += [ast.dump(one) for one in values if any(is_skip(deep, self.other) for deep in ast.walk(one))]
            else:
                frame.append(ast.dump(mark))
        skips += skips_in(node.body, self.other)
        skips += _never_run(node)
        steps = self.flow.steps(node.body)
        return Unit(tuple(skips), steps, tuple(cases), (*place.frame, *frame), identifiers(node))

    def _import(self, node: ast.Import | ast.ImportFrom, place: _Place) -> None:
        source = "." * node.level + (node.module or "") if isinstance(node, ast.ImportFrom) else ""
        for one in node.names:
            if one.name == "*":
                self.loose.append(f"{place.around}{place.prefix}from {source} import *")
                continue
            name = place.prefix + (one.asname or (one.name.partition(".")[0] if not source else one.name))
            self.settings[name] = Setting(f"import {source} {one.name}", imported=True)

    def _assignment(self, node: ast.Assign | ast.AnnAssign, place: _Place) -> None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = [one.id for one in targets if isinstance(one, ast.Name)]
        if len(names) < len(targets) or node.value is None:
            # An attribute of something, or several names at once: what it changes stands elsewhere.
            self._gone(targets, place)
            self.loose.append(place.around + place.prefix + ast.dump(node))
            return
        value = node.value
        parts = tuple(map(ast.dump, value.elts)) if isinstance(value, ast.List | ast.Tuple | ast.Set) else None
        for name in names:
            full = place.prefix + name
            self.tests.pop(full, None)
            if name == "__test__" or (
                name == "pytestmark" and any(is_skip(one, self.other) for one in ast.walk(value))
            ):
                continue  # told as what skips every test below it
            if _SPECIAL.fullmatch(name):
                self.special.add(full)
            self.settings[full] = Setting(ast.dump(value), None if _SPECIAL.fullmatch(name) else parts)

    def _gone(self, targets: Iterable[ast.expr], place: _Place) -> None:
        """A test that is deleted, or replaced as an attribute of its class."""
        for one in targets:
            match one:
                case ast.Name(id=name):
                    self.tests.pop(place.prefix + name, None)
                case ast.Attribute(value=ast.Name(id=owner), attr=name):
                    self.tests.pop(f"{place.prefix}{owner}::{name}", None)
                case ast.Tuple(elts=elts) | ast.List(elts=elts):
                    self._gone(elts, place)

    def _block(self, node: ast.stmt, place: _Place) -> None:
        """Definitions below a condition count as skipped by it; anything else there is loose."""
        blocks = [getattr(node, name, []) for name in ("body", "orelse", "finalbody")]
        blocks += [one.body for one in (*getattr(node, "handlers", []), *getattr(node, "cases", []))]
        head = ast.dump(node.test) if isinstance(node, ast.If | ast.While) else type(node).__name__
        for number, block in enumerate(blocks):
            shield = isinstance(node, ast.Try) and number == 0
            told = f"{head} {number}"
            skips = place.skips if shield else (*place.skips, told)
            inner = replace(place, skips=skips, around=digest(place.around, told))
            if block:
                self.body(block, inner)

    def _skips_of(self, body: Sequence[ast.stmt]) -> Iterator[str]:
        """What skips everything in a module or class: marks, ``__test__``, a skip beside the tests or before each."""
        for node in body:
            match node:
                case ast.Assign() | ast.AnnAssign():
                    yield from self._skipping_assignment(node)
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    before = _BEFORE.fullmatch(node.name) is not None
                    if before or any("autouse" in ast.dump(one) for one in node.decorator_list):
                        yield from skips_in(node.body, self.other)
                case ast.ClassDef():
                    continue
                case ast.Raise() | ast.Return():
                    yield ast.dump(node)
                case _:
                    yield from skips_in([node], self.other)

    def _skipping_assignment(self, node: ast.Assign | ast.AnnAssign) -> Iterator[str]:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = {one.id for one in targets if isinstance(one, ast.Name)}
        value = node.value
        if value is None:
            return
        if "__test__" in names and not (isinstance(value, ast.Constant) and value.value is True):
            yield ast.dump(node)
        if "pytestmark" in names:
            yield from (ast.dump(one) for one in ast.walk(value) if is_skip(one, self.other))
        else:
            yield from skips_in([node], self.other)


def _each_case(mark: ast.Call) -> Iterator[ast.expr]:
    for argument in [*mark.args[1:2], *(one.value for one in mark.keywords if one.arg == "argvalues")]:
        yield from argument.elts if isinstance(argument, ast.List | ast.Tuple) else [argument]


def _never_run(node: Function) -> Iterator[str]:
    """A generator or a coroutine that nobody awaits is called and never run; some runners call that a pass."""
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        here = waiting.pop()
        if isinstance(here, ast.Yield | ast.YieldFrom):
            yield "yield"
        if not isinstance(here, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting += ast.iter_child_nodes(here)
    if isinstance(node, ast.AsyncFunctionDef):
        yield "async"
    told = ast.get_docstring(node, clean=False) is not None
    if isinstance(node.body[1 if told and len(node.body) > 1 else 0], ast.Return):
        yield "return"
