"""`JobKind.DRAFT`: one context drafts the plan, and its facts are collected at base."""

from __future__ import annotations

from bot.domain.outcome import Done, NeedsHuman, Outcome
from bot.domain.plan import Plan
from bot.ports import records as r
from workers.agents.briefing import planner_opening, system_prompt
from workers.agents.contexts import Seat, explained, read_only_box
from workers.agents.desk import AgentDesk
from workers.agents.loop import Context, Submitted
from workers.agents.plan_facts import PlanReader
from workers.agents.room import Interrupted, Room, open_room
from workers.tools.contracts import definition
from workers.tools.reading import DeliveryLog
from workers.tools.sources import GitSource
from workers.tools.submitting import Submissions


def draft(desk: AgentDesk, job: r.Job) -> Outcome:
    """Handler. Payload ``{snapshot, feedback, revision, previous}``; result ``{document, facts}``, names of artifacts."""
    with open_room(desk, job) as room:
        try:
            return _draft(room)
        except Interrupted as word:
            return word.outcome


def _draft(room: Room) -> Outcome:
    source = GitSource(room.desk.trees, room.snapshot.base_tree)
    reader = PlanReader(room, source)
    submissions = Submissions(Plan, reader.problems, room.desk.limits.send_backs)
    seat = Seat(
        "planner",
        definition("submit_plan", "Hands in the plan and ends your work.", Plan),
        submissions.submit,
        {"base": source},
        "base",
        room.base,
    )
    context = Context(
        room=room,
        toolbox=read_only_box(room, seat, DeliveryLog()),
        model=room.snapshot.config.models.planner or room.desk.default_model,
        system=system_prompt("planner"),
    )
    ending = context.converse(planner_opening(room, reader.verify_in_effect()))
    plan = submissions.accepted
    if not isinstance(ending, Submitted) or plan is None:
        return NeedsHuman(explained("planner", ending, "its submissions never had the form of a plan"))
    document = room.keep("plan", plan.model_dump(mode="json"))
    facts = reader.whole(plan)
    return Done({"document": document, "facts": room.keep("facts", facts.model_dump(mode="json"))})
