"""A second and a third workflow as data: tuples of stages that the engine has never seen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import bot.services.starting
from bot.domain.workflow import SOFTWARE, WORKFLOWS, Approval, Drafting, Stage, Workflow

THREE = Workflow(
    "three",
    (
        Stage("outline", "outliner", "outline_reviewer", Drafting.DOCUMENT, Approval.ALWAYS),
        Stage("plan", "planner", "plan_reviewer", Drafting.DOCUMENT, Approval.ALWAYS),
        Stage("code", "implementer", "code_reviewer", Drafting.STEPS, Approval.NEVER),
    ),
)
"""Three stages with two approvals."""

EIGHT = Workflow(
    "eight",
    (
        *(
            Stage(name, "researcher", "peer", Drafting.DOCUMENT, Approval.NEVER)
            for name in ("question", "sources", "reading", "claims", "method", "outline")
        ),
        Stage("plan", "planner", "peer", Drafting.DOCUMENT, Approval.ALWAYS),
        Stage("build", "builder", "peer", Drafting.STEPS, Approval.NEVER),
    ),
)
"""Eight stages with one approval; all of them share one reviewer role."""

EVERY = (SOFTWARE, THREE, EIGHT)


@contextmanager
def following(workflow: Workflow) -> Iterator[None]:
    """New runs follow ``workflow``; nothing of the engine is changed, it only reads another tuple."""
    with (
        mock.patch.dict(WORKFLOWS, {workflow.name: workflow}),
        mock.patch.object(bot.services.starting, "SOFTWARE", workflow),
    ):
        yield
