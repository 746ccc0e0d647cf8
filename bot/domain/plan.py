"""The plan: what a planner submits, and the subject that a person approves (DESIGN sections 4 and 5)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from bot.domain.citation import Citation, Contract, Line, RepoPath, Words

Command = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
CriterionId = Annotated[str, StringConstraints(pattern=r"^A[1-9][0-9]?$")]
StepId = Annotated[str, StringConstraints(pattern=r"^S[1-9][0-9]?$")]


class TestProof(Contract):
    """Proved when the test of this id passes; ids are those of the runner (pytest: ``tests/test_a.py::test_b``)."""

    __test__ = False

    test: Line


class CommandProof(Contract):
    """Proved when this command exits 0 in a fresh sandbox."""

    command: Command


class Criterion(Contract):
    """One acceptance criterion and how it is proved."""

    id: CriterionId
    text: Words
    proof: TestProof | CommandProof


class StepPath(Contract):
    """A file that a step may touch, and how."""

    path: RepoPath
    use: Literal["edit", "create", "delete"]


class Step(Contract):
    """One piece of implementation; steps without a dependency between them run side by side."""

    id: StepId
    title: Line
    intent: Words
    paths: tuple[StepPath, ...] = ()
    depends_on: tuple[StepId, ...] = ()
    covers: tuple[CriterionId, ...] = ()

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class TestChange(Contract):
    """An announced change to a test or runner configuration file."""

    __test__ = False

    path: RepoPath
    change: Literal["add", "edit", "delete", "skip"]
    why: Words


class Risk(Contract):
    """What can go wrong and what is done about it."""

    text: Words
    mitigation: Words


class Plan(Contract):
    """A plan for one issue."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    summary: Words
    acceptance: tuple[Criterion, ...] = Field(default=(), max_length=40)
    steps: tuple[Step, ...] = Field(default=(), max_length=40)
    grounds: tuple[Citation, ...] = Field(default=(), max_length=200)
    verify: tuple[Command, ...] = Field(default=(), max_length=20)
    tests: tuple[TestChange, ...] = Field(default=(), max_length=100)
    risks: tuple[Risk, ...] = Field(default=(), max_length=40)
    out_of_scope: tuple[Words, ...] = Field(default=(), max_length=40)

    @property
    def paths(self) -> frozenset[str]:
        """Every path that any step may touch."""
        return frozenset(entry.path for step in self.steps for entry in step.paths)


def waves(plan: Plan) -> tuple[tuple[str, ...], ...]:
    """Steps in dependency order: each wave's steps are independent of each other.

    Raises ``ValueError`` when steps depend on each other in a circle or on a step that is not there.
    """
    left = {step.id: set(step.depends_on) for step in plan.steps}
    unknown = {need for needs in left.values() for need in needs} - set(left)
    if unknown:
        raise ValueError(f"steps depend on {sorted(unknown)}, which the plan does not have")
    found: list[tuple[str, ...]] = []
    done: set[str] = set()
    while left:
        ready = tuple(name for name, needs in left.items() if needs <= done)
        if not ready:
            raise ValueError(f"steps {sorted(left)} depend on each other in a circle")
        found.append(ready)
        done |= set(ready)
        for name in ready:
            del left[name]
    return tuple(found)
