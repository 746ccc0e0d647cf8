"""The engine of DESIGN section 4: a workflow is a tuple of stages, and states and edges are derived from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

QUEUED = "queued"
PUBLISHING = "publishing"
IN_REVIEW = "in_review"
NEEDS_HUMAN = "needs_human"
DONE = "done"
CANCELLED = "cancelled"
ENDS = frozenset({DONE, CANCELLED})


class Approval(StrEnum):
    """When a stage waits for a person."""

    ALWAYS = "always"
    BY_POLICY = "by_policy"
    NEVER = "never"


class Drafting(StrEnum):
    """How a stage's artifact comes about."""

    DOCUMENT = "document"
    """One context submits one document."""
    STEPS = "steps"
    """The approved plan's steps run in dependency order, each in its own workspace, and are merged."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One draft, gate, adversarial review and, where it says so, a person's approval.

    ``drafter`` and ``reviewer`` are role names; seats are ``<reviewer>.1``, ``<reviewer>.2``.
    """

    name: str
    drafter: str
    reviewer: str
    drafting: Drafting
    approval: Approval

    @property
    def draft(self) -> str:
        return f"{self.name}.draft"

    @property
    def review(self) -> str:
        return f"{self.name}.review"

    @property
    def waiting(self) -> str:
        """The state in which a person is asked."""
        return f"{self.name}.approval"


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """``start`` to ``end`` when ``gate`` has stored open evidence; ``approval``: also a person's unused approval.

    ``subject``: the stage whose latest artifact the evidence must be about, or "" where there is no artifact.
    ``rests_on``: the stage whose latest artifact must have been approved, its approval used, before a run may come back
    behind it (`retry`, `feedback`; I3), or "".
    """

    start: str
    end: str
    gate: str
    approval: bool = False
    subject: str = ""
    rests_on: str = ""


@dataclass(frozen=True, slots=True)
class Workflow:
    """An ordered tuple of stages; everything else is derived.

    ``ValueError`` for stages that share a name, and for one that carries out a plan which nobody must approve (I3).
    """

    name: str
    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names) or not names:
            raise ValueError(f"workflow {self.name!r} needs stages, each with a name of its own; it has {names}")
        for stage in self.stages:
            if stage.drafting is Drafting.STEPS and self.plan_of(stage).approval is not Approval.ALWAYS:
                raise ValueError(
                    f"stage {stage.name!r} of workflow {self.name!r} carries out the document of {self.plan_of(stage).name!r}, "
                    f"which nobody has to approve; give {self.plan_of(stage).name!r} the approval {Approval.ALWAYS.value!r}"
                )

    @property
    def states(self) -> tuple[str, ...]:
        """Every state, in the order in which a run meets them."""
        found = [QUEUED]
        for stage in self.stages:
            found += [stage.draft, stage.review]
            if stage.approval is not Approval.NEVER:
                found.append(stage.waiting)
        return (*found, PUBLISHING, IN_REVIEW, NEEDS_HUMAN, DONE, CANCELLED)

    @property
    def edges(self) -> tuple[Edge, ...]:
        """All edges with their gates (table of DESIGN section 4)."""
        return _edges(self)

    def _derived(self) -> tuple[Edge, ...]:
        first, last = self.stages[0], self.stages[-1]
        below = self._basis(last)
        found = [Edge(QUEUED, first.draft, "start")]
        for stage in self.stages:
            found += self._stage_edges(stage)
        found += [
            Edge(PUBLISHING, IN_REVIEW, "published", subject=last.name),
            Edge(IN_REVIEW, last.draft, "feedback", rests_on=below),
            Edge(IN_REVIEW, DONE, "merged"),
            Edge(NEEDS_HUMAN, last.review, "retry", rests_on=below),
        ]
        found += [Edge(NEEDS_HUMAN, stage.draft, "retry", rests_on=self._basis(stage)) for stage in self.stages]
        found += [Edge(state, first.draft, "revise") for state in self._revisable()]
        living = [state for state in self.states if state not in ENDS]
        found += [Edge(state, CANCELLED, "cancel") for state in living]
        found += [Edge(state, NEEDS_HUMAN, "halt") for state in living if state != NEEDS_HUMAN]
        return tuple(sorted(found))

    def _stage_edges(self, stage: Stage) -> list[Edge]:
        onward = self.after(stage)
        found = [
            Edge(stage.draft, stage.review, f"{stage.name}.draft", subject=stage.name),
            Edge(stage.draft, stage.draft, f"{stage.name}.redraft"),
            Edge(stage.review, stage.draft, f"{stage.name}.rework", subject=stage.name),
            Edge(stage.review, stage.review, f"{stage.name}.rereview", subject=stage.name),
        ]
        if stage.approval is not Approval.NEVER:
            found.append(Edge(stage.review, stage.waiting, f"{stage.name}.review", subject=stage.name))
            found.append(Edge(stage.waiting, onward, f"{stage.name}.approval", approval=True, subject=stage.name))
        if stage.approval is not Approval.ALWAYS:
            found.append(Edge(stage.review, onward, f"{stage.name}.unattended", subject=stage.name))
        return found

    def _basis(self, stage: Stage) -> str:
        earlier = self.behind_approval(stage)
        return "" if earlier is None else earlier.name

    def _revisable(self) -> tuple[str, ...]:
        waiting = tuple(stage.waiting for stage in self.stages if stage.approval is not Approval.NEVER)
        return (*waiting, IN_REVIEW, NEEDS_HUMAN)

    def after(self, stage: Stage) -> str:
        """The state that follows ``stage``: the next stage's draft, or publishing."""
        position = self.stages.index(stage)
        return PUBLISHING if position + 1 == len(self.stages) else self.stages[position + 1].draft

    def stage(self, name: str) -> Stage:
        """The stage of that name; ``KeyError`` when there is none."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise KeyError(f"workflow {self.name!r} has no stage {name!r}; it has {[one.name for one in self.stages]}")

    def stage_of(self, state: str) -> Stage | None:
        """The stage a state belongs to, or None for states outside all stages."""
        name, dot, _ = state.rpartition(".")
        return self.stage(name) if dot else None

    def edge(self, start: str, end: str, gate: str) -> Edge:
        """The edge of these three; ``KeyError`` when it is not derived from the workflow."""
        for edge in self.edges:
            if (edge.start, edge.end, edge.gate) == (start, end, gate):
                return edge
        raise KeyError(f"workflow {self.name!r} has no edge {start} -> {end} by gate {gate!r}")

    def plan_of(self, stage: Stage) -> Stage:
        """The document that ``stage`` carries out: the latest one drafted before it; ``ValueError`` when there is none."""
        for earlier in reversed(self.stages[: self.stages.index(stage)]):
            if earlier.drafting is Drafting.DOCUMENT:
                return earlier
        raise ValueError(f"no document stands before stage {stage.name!r} of workflow {self.name!r}; put one there")

    def behind_approval(self, stage: Stage) -> Stage | None:
        """The latest earlier stage that always needs a person: what ``stage`` rests on."""
        for earlier in reversed(self.stages[: self.stages.index(stage)]):
            if earlier.approval is Approval.ALWAYS:
                return earlier
        return None


@lru_cache(maxsize=32)
def _edges(workflow: Workflow) -> tuple[Edge, ...]:
    """Derived once: every transition looks its edge up."""
    return workflow._derived()  # noqa: SLF001 - the same module's


def holds_slot(state: str) -> bool:
    """Whether a run in ``state`` takes one of its repository's slots (draft, review and publishing only)."""
    return state.endswith((".draft", ".review")) or state == PUBLISHING


def board_column(state: str, *, rounds: int, slot_free: bool = False) -> str:
    """The board's column for a run, derived from its state; ``rounds`` counts the drafts of the present stage."""
    if state == QUEUED:
        return "Ready" if slot_free else "Backlog"
    if state in ENDS:
        return "Done"
    if state.endswith(".draft"):
        return "Rework" if rounds > 1 else "Active"
    if state.endswith(".review") or state == PUBLISHING:
        return "Active"
    return "Review"


SOFTWARE = Workflow(
    "software",
    (
        Stage("plan", "planner", "plan_reviewer", Drafting.DOCUMENT, Approval.ALWAYS),
        Stage("code", "implementer", "code_reviewer", Drafting.STEPS, Approval.BY_POLICY),
    ),
)
WORKFLOWS = {SOFTWARE.name: SOFTWARE}
