"""States as people say them."""

from __future__ import annotations

from typing import Final

from bot.domain.workflow import CANCELLED, DONE, IN_REVIEW, NEEDS_HUMAN, PUBLISHING, QUEUED

_OUTSIDE: Final = {
    QUEUED: "waiting to begin",
    PUBLISHING: "publishing the code",
    IN_REVIEW: "in review by people",
    NEEDS_HUMAN: "waiting for a person",
    DONE: "done",
    CANCELLED: "cancelled",
}


def artifact(stage: str) -> str:
    """What a stage makes: ``plan``, ``code``."""
    return stage.replace("_", " ")


def in_words(state: str) -> str:
    """What a run in ``state`` is doing, after *it is*."""
    if state in _OUTSIDE:
        return _OUTSIDE[state]
    stage, _, phase = state.rpartition(".")
    name = artifact(stage)
    match phase:
        case "draft":
            return "drafting the plan" if stage == "plan" else f"working on the {name}"
        case "review":
            return f"having the {name} reviewed"
        case "approval":
            return f"waiting for approval of the {'diff' if stage == 'code' else name}"
        case _:
            raise ValueError(f"no state is called {state!r}; see bot.domain.workflow for those there are")
