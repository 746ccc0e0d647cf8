"""Every derived edge of a small workflow, whole; states with dots in their stage's name; the board's default."""

from __future__ import annotations

from bot.domain.workflow import SOFTWARE, Approval, Drafting, Edge, Stage, Workflow, board_column


def test_software_s_edges_are_these_whole() -> None:
    ways = {edge for edge in SOFTWARE.edges if edge.gate not in {"cancel", "halt", "revise"}}
    assert ways == {
        Edge("queued", "plan.draft", "start"),
        Edge("plan.draft", "plan.review", "plan.draft", subject="plan"),
        Edge("plan.draft", "plan.draft", "plan.redraft"),
        Edge("plan.review", "plan.draft", "plan.rework", subject="plan"),
        Edge("plan.review", "plan.review", "plan.rereview", subject="plan"),
        Edge("plan.review", "plan.approval", "plan.review", subject="plan"),
        Edge("plan.approval", "code.draft", "plan.approval", approval=True, subject="plan"),
        Edge("code.draft", "code.review", "code.draft", subject="code"),
        Edge("code.draft", "code.draft", "code.redraft"),
        Edge("code.review", "code.draft", "code.rework", subject="code"),
        Edge("code.review", "code.review", "code.rereview", subject="code"),
        Edge("code.review", "code.approval", "code.review", subject="code"),
        Edge("code.review", "publishing", "code.unattended", subject="code"),
        Edge("code.approval", "publishing", "code.approval", approval=True, subject="code"),
        Edge("publishing", "in_review", "published", subject="code"),
        Edge("in_review", "code.draft", "feedback", rests_on="plan"),
        Edge("in_review", "done", "merged"),
        Edge("needs_human", "code.review", "retry", rests_on="plan"),
        Edge("needs_human", "plan.draft", "retry"),
        Edge("needs_human", "code.draft", "retry", rests_on="plan"),
    }
    assert all(type(edge.approval) is bool for edge in ways)


def test_a_run_without_a_word_about_slots_waits_in_the_backlog() -> None:
    assert board_column("queued", rounds=0) == "Backlog"
    assert board_column("queued", rounds=0, slot_free=True) == "Ready"


def test_the_last_of_many_stages_is_what_is_published() -> None:
    many = Workflow(
        "w", tuple(Stage(name, "writer", "r", Drafting.DOCUMENT, Approval.NEVER) for name in ("a.b", "c", "d"))
    )
    assert many.edge("publishing", "in_review", "published").subject == "d"
    assert many.edge("in_review", "d.draft", "feedback").rests_on == ""
    assert [many.after(stage) for stage in many.stages] == ["c.draft", "d.draft", "publishing"]
    assert many.stage_of("a.b.draft") == many.stages[0]
    assert many.stage_of("queued") is None
