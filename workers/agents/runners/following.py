"""Whether the tests of a changed file are followed by name in the runs that verify the work (DESIGN section 5)."""

from __future__ import annotations

from collections.abc import Iterable

from bot.domain.facts import TestFileFact, VerifyRun
from workers.agents.runners.languages import language_of
from workers.agents.runners.outcomes import kind_of


def follows(files: Iterable[TestFileFact], run: VerifyRun) -> tuple[TestFileFact, ...]:
    """Mark each file whose tests no readable runner of ``run`` runs; data files are followed where any runner is."""
    kinds = {kind_of(one.command) for one in run.runs if one.tests is not None}
    languages = {"go": {"go"}, "node": {"node"}}
    readable = {"python" if kind not in languages else kind for kind in kinds}
    return tuple(
        one.model_copy(
            update={"followed": bool(readable) if (its := language_of(one.path).runner) == "none" else its in readable}
        )
        for one in files
    )
