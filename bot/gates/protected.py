"""Paths that need more than a plan's word: CI workflows, and whatever the configuration protects (DESIGN section 5)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.domain.paths import WORKFLOW_PATTERNS, folded, matches_any, shown
from bot.domain.plan import Plan


def workflow_problems(paths: Iterable[str]) -> tuple[str, ...]:
    """A sentence for each path under ``.github/workflows``; no plan can make these allowed."""
    return tuple(
        f"{shown(path)} is a CI workflow, which Conductor never touches"
        for path in dict.fromkeys(paths)
        if matches_any(WORKFLOW_PATTERNS, path) is not None
    )


def protected_problems(plan: Plan, paths: Iterable[str], patterns: Sequence[str]) -> tuple[str, ...]:
    """A sentence for each protected path that no risk of ``plan`` names, by itself or by the pattern that covers it."""
    told = folded("\n".join(f"{risk.text}\n{risk.mitigation}" for risk in plan.risks))
    found: list[str] = []
    for path in dict.fromkeys(paths):
        pattern = matches_any(patterns, path)
        if pattern is not None and folded(path) not in told and folded(pattern) not in told:
            found.append(f"{shown(path)} is protected by {shown(pattern)} and no risk names it")
    return tuple(found)
