"""Chooses places for known defects in real diffs: the same ones for the same seed, every kind in turn."""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from bot.domain.errors import InternalError
from bot.domain.work import REGULAR_MODES, Change, FileDiff, Patch
from bot.simulator.calibration.access import widened_permissions
from bot.simulator.calibration.history import Commit, History
from bot.simulator.calibration.operators import dropped_conditions, off_by_one, removed_waits, swallowed_errors
from bot.simulator.calibration.syntax import (
    Defect,
    Edit,
    Operator,
    Source,
    applied,
    lines_at,
    read_source,
    seeded_lines,
)
from bot.simulator.calibration.tests_gone import deleted_tests, names_of_tests
from workers.agents.runners.languages import language_of
from workers.agents.runners.roles import role_of

_OPERATORS: Final[tuple[Operator, ...]] = (
    dropped_conditions,
    off_by_one,
    swallowed_errors,
    removed_waits,
    widened_permissions,
)
MOST_RELATED: Final = 3
_TEST_MARK: Final = re.compile(r"^test_|_test$|\.(?:test|spec)$|(?:Test|Tests)$")
_SHOWN: Final = 300
"""Characters of a place that a report quotes."""

_Read = Callable[[str, str], Source | None]


@dataclass(frozen=True, slots=True)
class Seed:
    """One defect in one diff. ``lines``: first and last of it in the seeded file; ``before`` and ``after`` quote the place."""

    commit: Commit
    defect: Defect
    path: str
    lines: tuple[int, int]
    before: str
    after: str
    tree: str
    patch: Patch


@dataclass(frozen=True, slots=True)
class _Site:
    commit: Commit
    source: Source
    edit: Edit


def seeds(history: History, count: int, chance: random.Random) -> list[Seed]:
    """Up to ``count`` defects, one a diff, spread over kinds and commits as evenly as the range allows."""
    waiting = _shuffled(history, chance)
    used: dict[str, int] = {}
    found: list[Seed] = []
    while len(found) < count and any(waiting.values()):
        for defect in Defect:
            seed = _next(history, waiting[defect], used)
            if seed is not None and len(found) < count:
                used[seed.commit.sha] = used.get(seed.commit.sha, 0) + 1
                found.append(seed)
    return found


def _shuffled(history: History, chance: random.Random) -> dict[Defect, list[_Site]]:
    found: dict[Defect, list[_Site]] = {defect: [] for defect in Defect}
    read = _reader(history)
    for commit in history.commits:
        for site in _sites(history, commit, read):
            found[site.edit.defect].append(site)
    for places in found.values():
        chance.shuffle(places)
    return found


def _next(history: History, places: list[_Site], used: Mapping[str, int]) -> Seed | None:
    """The next place that can be used, from the commit that has been used least."""
    # Sorting is stable, so the shuffled order decides among equals.
    places.sort(key=lambda one: used.get(one.commit.sha, 0), reverse=True)
    while places:
        site = places.pop()
        seed = _seeded(history, site)
        if seed is not None:
            # One line is changed once: its other variants would be the same question again.
            at = lines_at(site.source, site.edit)
            kept = [
                one
                for one in places
                if (one.commit, one.source.path, lines_at(one.source, one.edit)) != (site.commit, site.source.path, at)
            ]
            places[:] = kept
            return seed
    return None


def _reader(history: History) -> _Read:
    known: dict[tuple[str, str], Source | None] = {}

    def read(tree: str, path: str) -> Source | None:
        if (tree, path) not in known:
            data = history.trees.read(tree, path) if language_of(path).grammar else None
            known[tree, path] = None if data is None else read_source(path, data)
        return known[tree, path]

    return read


def _sites(history: History, commit: Commit, read: _Read) -> Iterator[_Site]:
    """Places on lines that the diff adds; tests are deleted only where they stood before the diff."""
    for file in commit.files:
        source = read(commit.tree, file.path) if file.new_mode in REGULAR_MODES and not file.binary else None
        if source is None:
            continue
        if role_of(file.path) == "test":
            yield from _test_sites(commit, source, read)
            continue
        if role_of(file.path) is not None:
            continue
        for operator in _OPERATORS:
            for edit in operator(source):
                if _on_added(lines_at(source, edit), file):
                    yield _Site(commit, source, edit)
    for path in _related(commit, history):
        source = read(commit.tree, path)
        if source is not None:
            yield from _test_sites(commit, source, read)


def _related(commit: Commit, history: History) -> list[str]:
    """Tests, outside the diff, of the files that it changes: told by their names, as ``test_calc.py`` is of ``calc.py``."""
    changed = {file.path for file in commit.files}
    stems = {_stem(path) for path in changed if language_of(path).grammar and role_of(path) is None}
    entries = history.trees.entries(commit.base_tree)
    tests = (path for path in sorted(entries) if entries[path].mode in REGULAR_MODES and _is_test_of(path, stems))
    return [path for path in tests if path not in changed][:MOST_RELATED]


def _is_test_of(path: str, stems: set[str]) -> bool:
    return language_of(path).grammar is not None and role_of(path) == "test" and _stem(path) in stems


def _stem(path: str) -> str:
    name = path.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    return _TEST_MARK.sub("", name).lower()


def _test_sites(commit: Commit, source: Source, read: _Read) -> Iterator[_Site]:
    before = read(commit.base_tree, source.path)
    if before is not None:
        for edit in deleted_tests(source, names_of_tests(before)):
            yield _Site(commit, source, edit)


def _on_added(lines: tuple[int, int], file: FileDiff) -> bool:
    return any(
        hunk.head_count and hunk.head_start <= lines[1] and lines[0] < hunk.head_start + hunk.head_count
        for hunk in file.hunks
    )


def _seeded(history: History, site: _Site) -> Seed | None:
    """The defect in its tree; None when the file would not parse, or when the diff would not show the place."""
    data = applied(site.source, site.edit)
    if data is None:
        return None
    commit, path = site.commit, site.source.path
    entry = history.trees.entries(commit.tree)[path]
    change = Change(
        path=path,
        mode=entry.mode,
        content=base64.b64encode(data).decode("ascii"),
        before=entry.blob,
        before_mode=entry.mode,
    )
    tree = history.trees.apply(Patch(base_tree=commit.tree, changes=(change,)))
    lines = seeded_lines(data, site.edit)
    shown = next((file for file in history.trees.diff(commit.base_tree, tree) if file.path == path), None)
    if shown is None or not _shows(shown, lines):
        return None
    start, end = site.edit.start, site.edit.end
    return Seed(
        commit=commit,
        defect=site.edit.defect,
        path=path,
        lines=lines,
        before=_quoted(site.source.data, start, end),
        after="" if site.edit.removes else _quoted(data, start, start + len(site.edit.text)),
        tree=tree,
        patch=history.trees.patch(commit.base_tree, tree),
    )


def _shows(file: FileDiff, lines: tuple[int, int]) -> bool:
    """Whether a hunk holds one of the lines; lines that are gone stand behind ``head_start``."""
    for hunk in file.hunks:
        first, last = hunk.head_start, hunk.head_start + max(hunk.head_count, 1) - 1
        if first <= lines[1] and lines[0] <= last:
            return True
    return False


def _quoted(data: bytes, start: int, end: int) -> str:
    """The lines around a place, shortened."""
    first = data.rfind(b"\n", 0, start) + 1
    last = data.find(b"\n", max(end - 1, start))
    text = data[first : len(data) if last < 0 else last].decode("utf-8", "replace").strip()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def clean_patch(history: History, commit: Commit) -> Patch:
    """The diff as it was."""
    patch = history.trees.patch(commit.base_tree, commit.tree)
    if not patch.changes:
        raise InternalError(
            f"the commit {commit.sha} changes nothing, so it cannot be reviewed", {"commit": commit.sha}
        )
    return patch
