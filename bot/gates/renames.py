"""Which files of one tree are files of an earlier one under a new name: so fingerprints follow them (DESIGN section 6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

LEAST_ALIKE = 0.5
"""Share of equal lines, of the longer file's, from which a new file counts as the old one renamed; as git has it."""
MOST_COMPARED = 10_000
"""Pairs of files that are compared at most; beyond, only files that are equal byte by byte are followed."""


def renames(gone: Mapping[str, Sequence[str]], new: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """New path to old path. ``gone``, ``new``: lines of the text files that only the earlier, only the later tree has.

    Equal content first, then the most alike; each file is used once. Ties go by path.
    """
    found: dict[str, str] = {}
    left = dict(gone)
    by_text: dict[tuple[str, ...], list[str]] = {}
    for path in sorted(left):
        by_text.setdefault(tuple(left[path]), []).append(path)
    for path in sorted(new):
        twins = by_text.get(tuple(new[path]))
        if twins and any(line.strip() for line in new[path]):
            found[path] = twins.pop(0)
            del left[found[path]]
    waiting = [path for path in sorted(new) if path not in found]
    if len(waiting) * len(left) > MOST_COMPARED:
        return found
    # Counted once for each file, not for each pair.
    before = {path: _counted(left[path]) for path in sorted(left)}
    scores = [
        (alike, path, old)
        for path, lines in [(path, _counted(new[path])) for path in waiting]
        for old in before
        if (alike := _alike(before[old], lines)) >= LEAST_ALIKE
    ]
    used: set[str] = set()
    for _, path, old in sorted(scores, key=lambda one: (-one[0], one[1], one[2])):
        if path not in found and old not in used:
            found[path] = old
            used.add(old)
    return found


def _counted(lines: Sequence[str]) -> Counter[str]:
    """Lines that hold anything, white space aside."""
    return Counter("".join(line.split()) for line in lines if line.strip())


def _alike(one: Counter[str], other: Counter[str]) -> float:
    """Lines that both have, as a share of the longer one's."""
    longer = max(one.total(), other.total())
    return (one & other).total() / longer if longer else 0.0


def first_names(known: Mapping[str, str], step: Mapping[str, str]) -> dict[str, str]:
    """``known`` (new path to first path) after one more step of renames (new path to old path)."""
    found = dict(known)
    for path, old in step.items():
        found[path] = known.get(old, old)
    return {path: first for path, first in found.items() if path != first}
