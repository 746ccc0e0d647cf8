"""One engine, many workflows: the derived machine has the design's edges and no other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.workflow import (
    DONE,
    ENDS,
    SOFTWARE,
    WORKFLOWS,
    Approval,
    Drafting,
    Stage,
    Workflow,
    board_column,
    holds_slot,
)

TABLE = {
    ("queued", "plan.draft", "start"),
    ("plan.draft", "plan.review", "plan.draft"),
    ("plan.draft", "plan.draft", "plan.redraft"),
    ("plan.review", "plan.draft", "plan.rework"),
    ("plan.review", "plan.review", "plan.rereview"),
    ("plan.review", "plan.approval", "plan.review"),
    ("plan.approval", "code.draft", "plan.approval"),
    ("plan.approval", "plan.draft", "revise"),
    ("code.approval", "plan.draft", "revise"),
    ("in_review", "plan.draft", "revise"),
    ("needs_human", "plan.draft", "revise"),
    ("code.draft", "code.review", "code.draft"),
    ("code.draft", "code.draft", "code.redraft"),
    ("code.review", "code.draft", "code.rework"),
    ("code.review", "code.review", "code.rereview"),
    ("code.review", "publishing", "code.unattended"),
    ("code.review", "code.approval", "code.review"),
    ("code.approval", "publishing", "code.approval"),
    ("publishing", "in_review", "published"),
    ("in_review", "code.draft", "feedback"),
    ("in_review", "done", "merged"),
    ("needs_human", "plan.draft", "retry"),
    ("needs_human", "code.draft", "retry"),
    ("needs_human", "code.review", "retry"),
}
LIVING = (
    *("queued", "plan.draft", "plan.review", "plan.approval", "code.draft", "code.review", "code.approval"),
    *("publishing", "in_review", "needs_human"),
)
HALTS = {(state, "needs_human", "halt") for state in LIVING if state != "needs_human"}
CANCELS = {(state, "cancelled", "cancel") for state in LIVING}


def _named(workflow: Workflow) -> set[tuple[str, str, str]]:
    return {(edge.start, edge.end, edge.gate) for edge in workflow.edges}


def _stages(*approvals: Approval) -> Workflow:
    made = [
        Stage(f"s{number}", "writer", f"s{number}_reviewer", Drafting.DOCUMENT, approval)
        for number, approval in enumerate(approvals, 1)
    ]
    return Workflow("w", tuple(made))


def test_software_has_exactly_the_designs_edges() -> None:
    assert _named(SOFTWARE) == TABLE | HALTS | CANCELS
    assert len(SOFTWARE.edges) == len(TABLE | HALTS | CANCELS)
    assert SOFTWARE.states == (*LIVING, "done", "cancelled")
    assert WORKFLOWS["software"] is SOFTWARE


def test_only_a_persons_approval_leads_from_plan_to_code() -> None:
    into_code = [edge for edge in SOFTWARE.edges if edge.end.startswith("code.") and not edge.start.startswith("code.")]
    direct = [edge for edge in into_code if edge.start.startswith("plan.")]
    assert [(edge.start, edge.end, edge.approval, edge.subject) for edge in direct] == [
        ("plan.approval", "code.draft", True, "plan")
    ]
    assert {edge.gate for edge in SOFTWARE.edges if edge.approval} == {"plan.approval", "code.approval"}


def test_edges_know_the_stage_whose_artifact_they_are_about() -> None:
    assert {edge.gate: edge.subject for edge in SOFTWARE.edges if edge.subject} == {
        "plan.draft": "plan",
        "plan.rework": "plan",
        "plan.rereview": "plan",
        "plan.review": "plan",
        "plan.approval": "plan",
        "code.draft": "code",
        "code.rework": "code",
        "code.rereview": "code",
        "code.review": "code",
        "code.approval": "code",
        "code.unattended": "code",
        "published": "code",
    }


EIGHT = _stages(*[Approval.NEVER] * 3, Approval.ALWAYS, *[Approval.NEVER] * 4)
THREE = _stages(Approval.ALWAYS, Approval.NEVER, Approval.ALWAYS)


@pytest.mark.parametrize("workflow", [SOFTWARE, THREE, EIGHT], ids=["software", "three", "eight"])
def test_any_workflow_is_whole(workflow: Workflow) -> None:
    edges = workflow.edges
    states = set(workflow.states)
    assert len(workflow.states) == len(states)
    assert {edge.start for edge in edges} | {edge.end for edge in edges} == states
    assert not [edge for edge in edges if edge.start in ENDS], "ends are final"
    for state in states - ENDS:
        assert workflow.edge(state, "cancelled", "cancel")
    reached, front = {"queued"}, ["queued"]
    onward = {state: [edge.end for edge in edges if edge.start == state] for state in states}
    while front:
        new = [end for end in onward[front.pop()] if end not in reached]
        reached.update(new)
        front += new
    assert reached == states, "every state can be entered"
    always = [stage for stage in workflow.stages if stage.approval is Approval.ALWAYS]
    for stage in always:
        skipping = [edge for edge in edges if edge.start == stage.review and edge.end == workflow.after(stage)]
        assert not skipping, "no way around a person"


def test_three_stages_with_two_approvals() -> None:
    assert THREE.states[:9] == (
        *("queued", "s1.draft", "s1.review", "s1.approval", "s2.draft", "s2.review", "s3.draft", "s3.review"),
        "s3.approval",
    )
    named = _named(THREE)
    assert ("s1.approval", "s2.draft", "s1.approval") in named
    assert ("s2.review", "s3.draft", "s2.unattended") in named
    assert ("s3.approval", "publishing", "s3.approval") in named
    assert ("s3.approval", "s1.draft", "revise") in named
    assert not [edge for edge in named if edge[1] == "s2.approval"]
    assert THREE.behind_approval(THREE.stage("s3")) == THREE.stage("s1")
    assert THREE.behind_approval(THREE.stage("s1")) is None


def test_eight_stages_with_one_approval() -> None:
    assert [edge.start for edge in EIGHT.edges if edge.approval] == ["s4.approval"]
    assert EIGHT.after(EIGHT.stage("s8")) == "publishing"
    assert EIGHT.behind_approval(EIGHT.stage("s8")) == EIGHT.stage("s4")
    assert {edge.end for edge in EIGHT.edges if edge.gate == "retry"} == {
        *(f"s{number}.draft" for number in range(1, 9)),
        "s8.review",
    }


def test_look_ups() -> None:
    assert SOFTWARE.stage_of("code.review") == SOFTWARE.stage("code")
    assert SOFTWARE.stage_of("publishing") is None
    assert SOFTWARE.stage("plan").waiting == "plan.approval"
    with pytest.raises(KeyError, match="no stage 'x'"):
        SOFTWARE.stage("x")
    with pytest.raises(KeyError, match=r"no edge plan\.draft -> done"):
        SOFTWARE.edge("plan.draft", DONE, "merged")


@pytest.mark.parametrize("state", SOFTWARE.states)
def test_slots_are_held_while_working(state: str) -> None:
    assert holds_slot(state) is (state.endswith((".draft", ".review")) or state == "publishing")


@pytest.mark.parametrize(
    ("state", "rounds", "free", "column"),
    [
        ("queued", 0, False, "Backlog"),
        ("queued", 0, True, "Ready"),
        ("plan.draft", 1, False, "Active"),
        ("code.draft", 2, False, "Rework"),
        ("code.review", 2, False, "Active"),
        ("publishing", 1, False, "Active"),
        ("plan.approval", 1, False, "Review"),
        ("in_review", 1, False, "Review"),
        ("needs_human", 1, False, "Review"),
        ("done", 1, False, "Done"),
        ("cancelled", 1, False, "Done"),
    ],
)
def test_board(state: str, rounds: int, free: bool, column: str) -> None:
    assert board_column(state, rounds=rounds, slot_free=free) == column


def test_coming_back_behind_an_approval_rests_on_it() -> None:
    """I3 holds for every edge into code, not only for the one that a person opens."""
    assert {(edge.end, edge.gate): edge.rests_on for edge in SOFTWARE.edges if edge.rests_on} == {
        ("code.draft", "feedback"): "plan",
        ("code.draft", "retry"): "plan",
        ("code.review", "retry"): "plan",
    }
    assert {
        edge.rests_on for edge in EIGHT.edges if edge.gate == "retry" and edge.end in {"s5.draft", "s8.review"}
    } == {"s4"}


def test_steps_carry_out_a_document_that_a_person_must_approve() -> None:
    plan, code = SOFTWARE.stages
    assert SOFTWARE.plan_of(code) == plan
    for approval in (Approval.NEVER, Approval.BY_POLICY):
        with pytest.raises(ValueError, match="'plan', which nobody has to approve"):
            Workflow("w", (replace(plan, approval=approval), code))
    later = Stage("notes", "writer", "reader", Drafting.DOCUMENT, Approval.NEVER)
    with pytest.raises(ValueError, match="'notes', which nobody has to approve"):
        Workflow("w", (plan, later, code))
    with pytest.raises(ValueError, match="no document stands before stage 'code'"):
        Workflow("w", (code,))
    with pytest.raises(ValueError, match="a name of its own"):
        Workflow("w", (plan, plan))
    with pytest.raises(ValueError, match="needs stages"):
        Workflow("w", ())
