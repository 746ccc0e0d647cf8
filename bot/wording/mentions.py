"""New comments for when a person must act: edits notify nobody (DESIGN section 9)."""

from __future__ import annotations

from bot.domain.workflow import IN_REVIEW, NEEDS_HUMAN
from bot.wording.layout import mention, sections
from bot.wording.neutral import plain
from bot.wording.states import artifact


def for_state(state: str, *, requester: str, issue: int, pull: int, why: str) -> str:
    """What to say to ``requester`` when a run enters ``state``; "" when nobody has to act. ``why`` is untrusted."""
    where = f"#{pull}" if pull else f"#{issue}"
    who = mention(requester)
    if state.endswith(".approval"):
        stage = state.removesuffix(".approval")
        return diff_waits(who, where) if stage == "code" else plan_waits(who, where, artifact(stage))
    if state == NEEDS_HUMAN:
        return needs_human(who, why)
    return ready(who, where, has_pull=bool(pull)) if state == IN_REVIEW else ""


def plan_waits(who: str, where: str, name: str) -> str:
    """A plan is reviewed and waits."""
    return sections(
        f"{who} The {name} is ready and waits for your decision: read it in {where}.",
        "Comment `/conductor approve` to go ahead, or `/conductor revise` followed by what should change. "
        "Anybody with write permission may decide.",
    )


def diff_waits(who: str, where: str) -> str:
    """The code is reviewed, and publishing it would hand it to a CI with secrets."""
    return sections(
        f"{who} The code is reviewed and waits for you: publishing it would run it in CI beside secrets, so somebody has to "
        f"read the diff first. It stands in the check *Conductor: plan* of {where}.",
        "Comment `/conductor approve` to publish exactly this diff, or `/conductor revise` followed by what should change.",
    )


def needs_human(who: str, why: str) -> str:
    """The run stopped and does not go on by itself."""
    return sections(
        f"{who} This run stopped and needs you.",
        f"**Why:** {plain(why, limit=2_000) or 'no reason was recorded.'}",
        "Comment `/conductor retry` to try again with fresh rounds, `/conductor revise` followed by what should change to plan "
        "anew, or `/conductor cancel` to end it.",
    )


def ready(who: str, where: str, *, has_pull: bool) -> str:
    """The code is published."""
    place = f"Pull request {where}" if has_pull else f"The work on {where}"
    return sections(
        f"{who} {place} is ready for review: the code is published, and every finding of its reviewers is settled.",
        "Review it as you would any other; requested changes and failing checks come back here as findings. "
        "Merging is yours to do.",
    )
