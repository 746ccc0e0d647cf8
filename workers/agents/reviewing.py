"""`JobKind.REVIEW`: one seat's context attacks a plan or a diff; what it was shown and what it proves are checked by code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bot.domain.citation import Evidence, Pointed
from bot.domain.errors import ConductorError
from bot.domain.outcome import Done, Outcome
from bot.domain.plan import Plan
from bot.domain.repo_config import Models
from bot.domain.review import Review
from bot.domain.work import CodeSubject, FileDiff
from bot.gates.coverage import uncovered, uncovered_citations
from bot.gates.evidence import Proofs
from bot.ports import records as r
from workers.agents.briefing import code_review_opening, plan_review_opening, system_prompt
from workers.agents.contexts import Seat, explained, read_only_box
from workers.agents.desk import AgentDesk
from workers.agents.loop import Context, Declined, Submitted
from workers.agents.room import Interrupted, Room, open_room
from workers.tools.contracts import definition
from workers.tools.lines import lines_of
from workers.tools.reading import DeliveryLog
from workers.tools.sources import GitSource, Source
from workers.tools.submitting import Submissions

SUBMIT = "Hands in the review and ends your work."


@dataclass(frozen=True, slots=True)
class ReviewCheck:
    """What code finds wrong with a review: evidence that does not hold, an approval of what was never opened."""

    proofs: Proofs
    missing: Callable[[], Sequence[str]]
    on_plan: bool
    known: frozenset[str]

    def __call__(self, review: Review) -> list[str]:
        """Problems, one sentence each."""
        found: list[str] = []
        for number, finding in enumerate(review.findings):
            where = f"findings/{number}"
            if not finding.evidence:
                found.append(f"{where} has no evidence")
            elif self.on_plan and not any(isinstance(one, Pointed) for one in finding.evidence):
                found.append(f"{where} carries no pointer into the plan")
            found += self._unproven(where, finding.evidence)
        for number, resolution in enumerate(review.resolutions):
            where = f"resolutions/{number}"
            if resolution.finding not in self.known:
                found.append(f"{where} is about {resolution.finding}, which you were not shown")
            if resolution.status in {"fixed", "withdrawn"} and not resolution.evidence:
                found.append(f"{where} says {resolution.status} without evidence; nothing changes by that")
            found += self._unproven(where, resolution.evidence)
        if review.verdict == "approve":
            found += [f"the approval covers what was never opened: {place}" for place in self.missing()]
        return found

    def _unproven(self, where: str, evidence: Sequence[Evidence]) -> list[str]:
        problems = ((index, self.proofs.problem(piece)) for index, piece in enumerate(evidence))
        return [f"{where}/evidence/{index}: {problem}" for index, problem in problems if problem]


def review(desk: AgentDesk, job: r.Job) -> Outcome:
    """Handler. Payload ``{snapshot, subject, ledger, work_facts, plan_facts}``, the role is the seat.

    Result ``{review, dropped, delivered, problem, model, declined}``: names of artifacts, ``review`` "" when there is none;
    ``declined``: the model refused to review, which is a failed review.
    """
    with open_room(desk, job) as room:
        try:
            subject = str(job.payload["subject"])
            return _plan_review(room, subject) if job.role.startswith("plan_") else _code_review(room, subject)
        except Interrupted as word:
            return word.outcome


def _lines(source: Source, room: Room) -> Callable[[str], Sequence[str] | None]:
    """Lines by path as evidence is checked against: redacted in the whole file, as the model saw it."""

    def lines(path: str) -> Sequence[str] | None:
        try:
            found = lines_of(source.read(path), room.redactor)
        except ConductorError:
            return None
        return None if found is None else found.text

    return lines


def _known(room: Room) -> frozenset[str]:
    return frozenset(str(one["id"]) for one in room.job.payload.get("ledger") or ())


def _plan_review(room: Room, subject: str) -> Outcome:
    plan: Plan = room.plan(subject)
    source = GitSource(room.desk.trees, room.snapshot.base_tree)
    log = DeliveryLog()
    proofs = Proofs(_lines(source, room), plan.model_dump(mode="json"), room.redact)
    check = ReviewCheck(proofs, lambda: uncovered_citations(plan, log.entries), on_plan=True, known=_known(room))
    submissions = Submissions(Review, check, room.desk.limits.send_backs)
    seat = Seat(
        room.job.role,
        definition("submit_review", SUBMIT, Review),
        submissions.submit,
        {"base": source},
        "base",
        room.base,
    )
    return _converse(room, seat, log, submissions, plan_review_opening(room, plan))


def _code_review(room: Room, subject: str) -> Outcome:
    code = CodeSubject.model_validate_json(room.get(subject))
    room.tree_of(code.patch_sha256)
    trees = room.desk.trees
    diff: tuple[FileDiff, ...] = trees.diff(code.base_tree, code.tree)
    base, head = GitSource(trees, code.base_tree), GitSource(trees, code.tree)
    log = DeliveryLog()
    proofs = Proofs(_lines(head, room), None, room.redact)
    check = ReviewCheck(proofs, lambda: uncovered(diff, log.entries), on_plan=False, known=_known(room))
    submissions = Submissions(Review, check, room.desk.limits.send_backs)
    opening = code_review_opening(room, room.plan(code.plan_sha256), [one.path for one in diff])
    with room.leased(code.tree) as root:
        tool = definition("submit_review", SUBMIT, Review)
        seat = Seat(room.job.role, tool, submissions.submit, {"base": base, "head": head}, "head", root, diff)
        return _converse(room, seat, log, submissions, opening)


def model_for(models: Models, seat: int, declined: Sequence[str], default: str) -> str:
    """The model of a reviewer's seat; where models ``declined`` for their own safety rules, the next one that is named.

    In this order: the seat's own, the other seats', the planner's, the implementer's, the deployment's; the seat's own
    again when every one declined.
    """
    named = (models.for_seat(seat), *(models.reviewer or ()), models.planner, models.implementer, default)
    choices = list(dict.fromkeys(one for one in named if one))
    return next((one for one in choices if one not in declined), choices[0])


def _converse(room: Room, seat: Seat, log: DeliveryLog, submissions: Submissions[Review], opening: str) -> Outcome:
    name, _, number = room.job.role.partition(".")
    declined = [str(one) for one in room.job.payload.get("declined") or ()]
    context = Context(
        room=room,
        toolbox=read_only_box(room, seat, log),
        model=model_for(room.snapshot.config.models, int(number or 1), declined, room.desk.default_model),
        system=system_prompt(name),
    )
    ending = context.converse(opening)
    result: dict[str, Any] = {
        "review": "",
        "dropped": [room.keep("review", one.model_dump(mode="json")) for one in submissions.dropped],
        "delivered": room.keep("delivered", [one.model_dump(mode="json") for one in log.entries]),
        "problem": "",
        "model": context.model,
        "declined": isinstance(ending, Declined),
    }
    if isinstance(ending, Submitted) and submissions.accepted is not None:
        result["review"] = room.keep("review", submissions.accepted.model_dump(mode="json"))
    else:
        result["problem"] = explained(room.job.role, ending, "its submissions never had the form of a review")
    return Done(result)
