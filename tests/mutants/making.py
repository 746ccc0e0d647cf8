"""Mutants of a tree's deciding rooms, written into a copy of that tree.

mutmut makes them: every function becomes a switch between itself and its mutants, so that a whole module's mutants live
in one process. Mutants of string literals are left out, because the words that people read have tests of their own (the
wording's snapshots) and a changed capital in an error's sentence decides nothing.
"""

from __future__ import annotations

import difflib
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

import libcst as cst
from mutmut.mutation import file_mutation, mutators

ROOMS: Final = ("bot/domain", "bot/gates", "bot/policy")

_COPIED: Final = ("bot", "workers", "tests", "docs", "app.yml", "pyproject.toml", "README.md", "CHANGELOG.md")
_LITERALS: Final = (cst.SimpleString, cst.ConcatenatedString, cst.FormattedString)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change to one function: `name` as mutmut switches it on, `change` as people read it (`old => new`)."""

    name: str
    switch: str  # the function that carries it, as the switch names it
    room: str
    function: str  # dotted, with its class where it has one
    change: str


def copy_tree(source: Path, target: Path) -> None:
    """Copies what the tests read from `source` into `target`; caches and environments stay behind."""
    left = shutil.ignore_patterns("__pycache__", "*.pyc", ".*_cache", ".hypothesis")
    for name in _COPIED:
        origin = source / name
        if origin.is_dir():
            shutil.copytree(origin, target / name, ignore=left, symlinks=True)
        elif origin.is_file():
            shutil.copy2(origin, target / name)


def write_mutants(source: Path, target: Path, patterns: tuple[str, ...]) -> list[Mutant]:
    """Replaces the rooms' modules in `target` by their mutated form; the mutants come in the order of the source.

    `patterns` are globs over modules or functions (`bot.domain.money`, `bot.gates.*`); none of them means everything.
    """
    _leave_strings_alone()
    made: list[Mutant] = []
    for room in ROOMS:
        for path in sorted((source / room).rglob("*.py")):
            module = ".".join(path.relative_to(source).with_suffix("").parts)
            if patterns and not any(fnmatch(module, one) or fnmatch(one, f"{module}.*") for one in patterns):
                continue
            text = path.read_text("utf-8")
            mutated = file_mutation.mutate_file_contents(str(path), text)
            chosen = [m for m in _described(mutated, module, room) if _wanted(m.function, module, patterns)]
            if chosen:
                (target / path.relative_to(source)).write_text(mutated.code, "utf-8")
                made += chosen
    return made


def _wanted(function: str, module: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatch(module, one) or fnmatch(function, one) for one in patterns)


def _described(mutated: file_mutation.MutatedFile, module: str, room: str) -> Iterator[Mutant]:
    lines = mutated.code.splitlines()
    seen: Counter[tuple[str, str]] = Counter()

    def body(name: str) -> list[str]:
        span = mutated.line_span_by_function_name[name]
        own = [line.strip() for line in lines[span.start - 1 : span.end]]
        # The first line with `def` carries the generated name, which is no part of the change.
        return [line.replace(name, "_", 1) for line in own]

    for name in mutated.mutant_names:
        bare = name.rpartition("__mutmut_")[0]
        function = f"{module}.{bare.removeprefix('xǁ').removeprefix('x_').replace('ǁ', '.')}"
        change = _change(body(f"{bare}__mutmut_orig"), body(name))
        seen[function, change] += 1
        again = seen[function, change]
        yield Mutant(
            name=f"{module}.{name}",
            switch=f"{module}.{bare}",
            room=room,
            function=function,
            change=change if again == 1 else f"{change} (#{again})",
        )


def _change(before: list[str], after: list[str]) -> str:
    gone: list[str] = []
    come: list[str] = []
    for line in difflib.ndiff(before, after):
        if line.startswith("- "):
            gone.append(line[2:])
        elif line.startswith("+ "):
            come.append(line[2:])
    return f"{' '.join(gone)} => {' '.join(come)}".strip()


def _leave_strings_alone() -> None:
    """Takes string literals out of what mutmut changes: their text, and a literal argument in whole."""
    kept: list[tuple[type, Callable[[Any], Iterable[cst.CSTNode]]]] = []
    for kind, operator in mutators.mutation_operators:
        if operator is mutators.operator_string:
            continue
        kept.append((kind, _arguments if operator is mutators.operator_arg_removal else operator))
    mutators.mutation_operators[:] = kept  # type: ignore[index]  # it is a list; its declared type says Sequence


def _arguments(node: cst.Call) -> Iterator[cst.Call]:
    """mutmut's removal of arguments, less those that are string literals."""
    literal = [isinstance(argument.value, _LITERALS) for argument in node.args]
    for mutant in mutators.operator_arg_removal(node):
        kept = {id(argument) for argument in mutant.args}
        touched = [index for index, argument in enumerate(node.args) if id(argument) not in kept]
        if not all(literal[index] for index in touched):
            yield mutant
