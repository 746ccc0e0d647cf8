"""Labels on issues: one starts a run, one at a time says in which phase it is (DESIGN section 9)."""

from __future__ import annotations

from typing import Final

from bot.domain.workflow import CANCELLED, DONE, ENDS, IN_REVIEW, NEEDS_HUMAN, QUEUED, WORKFLOWS, Drafting

START: Final = "conductor"
PLANNING: Final = "conductor: planning"
AWAITING: Final = "conductor: awaiting approval"
IMPLEMENTING: Final = "conductor: implementing"
REVIEW: Final = "conductor: in review"
HUMAN: Final = "conductor: needs human"
OVER: Final = "conductor: done"
PAUSED: Final = "conductor: paused"

PHASES: Final[dict[str, tuple[str, str]]] = {
    PLANNING: ("fbca04", "A plan is being drafted and reviewed"),
    AWAITING: ("d93f0b", "Somebody with write permission has to approve"),
    IMPLEMENTING: ("1d76db", "The approved plan is being implemented and reviewed"),
    REVIEW: ("0e8a16", "The pull request is ready for people to review"),
    HUMAN: ("b60205", "The run stopped and needs a person"),
    OVER: ("5319e7", "The pull request was merged"),
    PAUSED: ("cfd3d7", "The run is held until somebody resumes it"),
}
"""Label to its colour (six hex digits) and description (at most 100 characters, as GitHub allows)."""


def phase(state: str, *, paused: bool) -> str:
    """The label for a run in ``state``; "" for none."""
    if state == CANCELLED:
        return ""
    if paused and state not in ENDS:
        return PAUSED
    if state == QUEUED or _is_planning(state):
        return PLANNING
    if state.endswith(".approval"):
        return AWAITING
    return {IN_REVIEW: REVIEW, NEEDS_HUMAN: HUMAN, DONE: OVER}.get(state, IMPLEMENTING)


def _is_planning(state: str) -> bool:
    """Whether a document is drafted or reviewed in ``state``."""
    documents = (one for flow in WORKFLOWS.values() for one in flow.stages if one.drafting is Drafting.DOCUMENT)
    return any(state in {one.draft, one.review} for one in documents)
