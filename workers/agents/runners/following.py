"""Whether the tests of a changed file are followed by name in the runs that verify the work (DESIGN section 5)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

from bot.domain.facts import TestFileFact, VerifyRun
from workers.agents.runners.outcomes import kind_of

Language: TypeAlias = Literal["python", "node", "go", "unknown", "none"]

_ENDINGS: Final = (
    (re.compile(r"\.pyi?$"), "python"),
    (re.compile(r"\.[cm]?[jt]sx?$"), "node"),
    (re.compile(r"\.go$"), "go"),
    (re.compile(r"\.(?:java|kt|kts|scala|groovy|rb|rs|php|cs|fs|swift|ex|exs|dart|c|cc|cpp|cxx|sh|bats|pl|t|lua|hs|ml|clj)$"), "unknown"),
)  # fmt: skip


def language_of(path: str) -> Language:
    """The language whose runner runs a file: one whose ids we read, another (``unknown``), or data (``none``)."""
    for pattern, language in _ENDINGS:
        if pattern.search(path.lower()):
            return language  # type: ignore[return-value]  # each of the table's words is a Language
    return "none"


def follows(files: Iterable[TestFileFact], run: VerifyRun) -> tuple[TestFileFact, ...]:
    """Mark each file whose tests no readable runner of ``run`` runs; data files are followed where any runner is."""
    kinds = {kind_of(one.command) for one in run.runs if one.tests is not None}
    languages = {"go": {"go"}, "node": {"node"}}
    readable = {"python" if kind not in languages else kind for kind in kinds}
    return tuple(
        one.model_copy(
            update={"followed": bool(readable) if (its := language_of(one.path)) == "none" else its in readable}
        )
        for one in files
    )
