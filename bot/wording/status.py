"""The one status comment of a run, edited in place from its first to its last state (DESIGN section 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bot.domain.money import dollars
from bot.domain.workflow import CANCELLED, DONE, ENDS, IN_REVIEW, NEEDS_HUMAN, PUBLISHING, QUEUED
from bot.wording.layout import brief_code, bullets, counted, hex_or_unknown, one_line, sections
from bot.wording.neutral import code, plain
from bot.wording.states import artifact, in_words

_SHOWN_NOTES: Final = 12
_COST_STEPS: Final = 20
"""While agents work the cost is told in this many steps of the budget, so that the comment is not edited for cents."""


@dataclass(frozen=True, slots=True)
class RunView:
    """What the status comment tells of a run. Money in micro-dollars; ``page`` is our own address of the run, "" for none."""

    run_id: str
    state: str
    paused: bool
    requester: str
    stage: str
    round: int
    why: str
    open_findings: int
    settled_findings: int
    spent: int
    budget: int
    pull: int
    plan_hash: str
    mode: str
    notes: tuple[str, ...] = ()
    page: str = ""


def status_comment(view: RunView) -> str:
    """The comment's text; equal views give equal texts, and small movements of the cost change nothing while agents work."""
    return sections(f"### {headline(view)}", _table(view), what_next(view), notes_list(view.notes), _footer(view))


def headline(view: RunView) -> str:
    """The state at a glance."""
    if view.paused and view.state not in ENDS:
        return "⏸️ Paused"
    outside = {
        QUEUED: "⏳ Queued",
        PUBLISHING: "🔵 Publishing the code",
        IN_REVIEW: "🟢 Ready for review",
        NEEDS_HUMAN: "🔴 Needs a person",
        DONE: "✅ Done",
        CANCELLED: "⚪ Cancelled",
    }
    if view.state in outside:
        return outside[view.state]
    stage, _, phase = view.state.rpartition(".")
    name = artifact(stage)
    match phase:
        case "approval":
            return "🟠 Diff ready for approval" if stage == "code" else f"🟠 {name.capitalize()} ready for approval"
        case "review":
            return f"🟡 Reviewing the {name}" if stage == "plan" else f"🔵 Reviewing the {name}"
        case _:
            return {"plan": "🟡 Planning", "code": "🔵 Implementing"}.get(stage, f"🔵 Working on the {name}")


def what_next(view: RunView) -> str:
    """What happens by itself, or what a person can do."""
    if view.paused and view.state not in ENDS:
        return f"It was {in_words(view.state)}. `/conductor resume` goes on, `/conductor cancel` ends the run."
    why = plain(view.why, limit=2_000)
    outside = {
        QUEUED: "The run begins as soon as the repository has a free slot. `/conductor cancel` takes it back.",
        PUBLISHING: "The branch is getting the reviewed code; then the pull request becomes ready for review.",
        IN_REVIEW: "The code is published. Requested changes and failing checks start another round; merging is yours to do.",
        NEEDS_HUMAN: f"**Why:** {why or 'no reason was recorded.'}\n\n`/conductor retry` tries again with fresh rounds, "
        "`/conductor revise` followed by what should change plans anew, `/conductor cancel` ends the run.",
        DONE: "The pull request was merged. Thank you.",
        CANCELLED: sections(f"**Why:** {why}" if why else "", "`/conductor plan` starts a new run."),
    }
    if view.state in outside:
        return outside[view.state]
    if view.state.endswith(".approval"):
        where = f"Read it in #{view.pull}. " if view.pull else ""
        named = f" or `/conductor approve {view.plan_hash}`" if view.stage == "plan" and _named(view) else ""
        return f"{where}`/conductor approve`{named} goes ahead; `/conductor revise` followed by what should change plans again."
    return f"{_onward(view)} `/conductor pause` holds the run, `/conductor cancel` ends it."


def _onward(view: RunView) -> str:
    """What follows on a draft or a review."""
    if view.state.endswith(".draft"):
        return f"Next, independent reviewers look for what is wrong with the {artifact(view.stage)}."
    if view.stage == "plan":
        return "Next, you are asked to approve the plan; nothing is implemented before that."
    return "Next, the reviewed work is published, unless reviewers find something to mend."


def notes_list(notes: Sequence[str]) -> str:
    """What people should know of how the issue and the repository were read, "" for nothing."""
    shown = [one_line(note, limit=400) for note in notes[:_SHOWN_NOTES]]
    left = len(notes) - len(shown)
    more = [f"and {counted(left, 'more note')}"] if left > 0 else []
    return f"**Notes**\n\n{bullets([*shown, *more])}" if shown else ""


def _table(view: RunView) -> str:
    rows = [("Step", in_words(view.state))]
    if view.stage and view.round:
        rows.append(("Round", f"{view.round}"))
    if view.open_findings or view.settled_findings:
        rows.append(("Findings", f"{view.open_findings} open, {view.settled_findings} settled"))
    rows.append(("Cost", _cost(view)))
    if _named(view):
        rows.append(("Plan", f"`{view.plan_hash}`"))
    if view.pull:
        rows.append(("Pull request", f"#{view.pull}"))
    return "| | |\n|---|---|\n" + "\n".join(f"| {name} | {value} |" for name, value in rows)


def _named(view: RunView) -> bool:
    return bool(view.plan_hash) and hex_or_unknown(view.plan_hash) == view.plan_hash


def _cost(view: RunView) -> str:
    cap = f" of {dollars(view.budget)}" if view.budget else ""
    if view.spent <= 0:
        return f"nothing yet{cap}"
    step = view.budget // _COST_STEPS
    working = view.state.endswith((".draft", ".review"))
    if not working or step <= 0:
        return f"{dollars(view.spent)}{cap}"
    return f"up to {dollars(-(-view.spent // step) * step)}{cap}"


def _footer(view: RunView) -> str:
    run = f"[Run page]({view.page})" if view.page else "Run"
    dry = " · dry run: nothing is published" if view.mode == "dry-run" else ""
    return (
        f"<sub>{run} {code(view.run_id)} · started by {brief_code(view.requester, 39)}{dry} · `/conductor help`</sub>"
    )
