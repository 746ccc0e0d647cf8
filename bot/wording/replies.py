"""Answers to commands: what was understood, why something was not done, and what to send instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bot.domain.commands import Misread
from bot.domain.money import dollars
from bot.domain.workflow import NEEDS_HUMAN
from bot.wording.layout import brief_code, bullets, counted, one_line, sections
from bot.wording.neutral import code, plain
from bot.wording.states import artifact, in_words
from bot.wording.view import RunFacts

_COMMANDS: Final = (
    ("plan", "start a run for this issue"),
    ("approve", "approve the plan or diff shown last; add the first 8 digits of its hash to name one"),
    ("revise what to change", "plan again with your words in mind"),
    ("status", "say where the run stands"),
    ("pause", "hold this run"),
    ("resume", "go on with this run; with `repository` after it, end a stop"),
    ("cancel", "end this run"),
    ("stop", "stop everything in this repository at once (needs maintain permission)"),
    ("retry", "try again after a run stopped, with fresh rounds"),
    ("ledger", "show what the reviewers found"),
    ("justify F1 reason", "accept a finding as it is"),
    ("withdraw F1 reason", "take a finding back"),
    ("cost", "show what the run has cost"),
    ("why F1", "explain a finding or a write from the records"),
    ("help", "show this table"),
)
_SHOWN_PATHS: Final = 20


def already_running(run_id: str, state: str) -> str:
    """A second start while a run lives."""
    return (
        f"A run is under way for this issue already: {code(run_id)} is {in_words(state)}. "
        "`/conductor status` says more; `/conductor cancel` ends it."
    )


def too_many_starts(limit: int) -> str:
    """The day's count is spent."""
    return (
        f"You have started or revised {counted(limit, 'run')} in this repository within 24 hours, which is the limit. "
        "Nothing was started; please try again later."
    )


def misread(wrong: Misread) -> str:
    """A line that begins as a command and is none; its problem and hint are our own sentences."""
    return f"I could not read {brief_code(wrong.line, 200)}. {wrong.problem} {wrong.hint}"


def unheard(login: str) -> str:
    """A comment with a command whose delivery never came, found too late or after something else was done."""
    return (
        f"A comment with a command by {code(login)} did not reach me when it was written, and I found it only now. "
        "Nothing was done about it, because it is old or things have gone on since: if it still holds, write it again."
    )


def no_run() -> str:
    """A command where no run is."""
    return "There is no run here. `/conductor plan` on an issue starts one."


def nothing_to_approve(run: RunFacts) -> str:
    """An approval outside an approval state."""
    return f"Nothing waits for approval: run {code(run.id)} is {in_words(run.state)}. I will mention you when something does."


def cannot_revise(run: RunFacts) -> str:
    """A revise while agents work."""
    return (
        f"Run {code(run.id)} cannot be revised now: it is {in_words(run.state)}. Revise it while it waits for approval, is in "
        "review or needs a person; `/conductor cancel` ends it."
    )


def cannot_retry(run: RunFacts) -> str:
    """A retry of a run that did not stop."""
    return f"Run {code(run.id)} needs no retry: it is {in_words(run.state)}. A retry is for runs that stopped and need a person."


def already_over(run: RunFacts) -> str:
    """A command for a run that has ended."""
    return f"Run {code(run.id)} is over: it is {in_words(run.state)}. `/conductor plan` starts a new one."


def needs_maintain() -> str:
    """Stop and resume of a repository by somebody who may only write."""
    return (
        "Stopping or resuming a whole repository needs maintain or admin permission. "
        "`/conductor pause` and `/conductor cancel` work on this run alone."
    )


def finding_not_settled(finding: str, problem: str) -> str:
    """A justify or withdraw that the ledger's law refuses."""
    return f"{code(finding)} was not changed: {one_line(problem, limit=600)} `/conductor ledger` lists the findings."


def help_text() -> str:
    """All commands."""
    rows = "\n".join(f"| `/conductor {command}` | {does} |" for command, does in _COMMANDS)
    return sections(
        "Write a command as a line of its own. Commands need write permission.",
        f"| Command | What it does |\n|---|---|\n{rows}",
    )


def second_approval_needed(login: str) -> str:
    """The first of two approvals of a high-risk plan."""
    return (
        f"The approval by {code(login)} is recorded. This plan is of high risk, so it also needs an approval by another person "
        "with write permission, or one by somebody with maintain or admin permission: `/conductor approve`."
    )


def approval_refused(login: str, stage: str, reasons: Sequence[str]) -> str:
    """Why an approval did not count. The run stays where it is."""
    name = "diff" if stage == "code" else artifact(stage)
    given = [one_line(reason, limit=600) for reason in reasons if reason.strip()]
    return sections(
        f"The approval of the {name} by {code(login)} did not count, and nothing was changed:",
        bullets(given or ["no reason was recorded"]),
        "The run stays where it is. Mend what is named and comment `/conductor approve` again; "
        "`/conductor revise` followed by what should change plans again.",
    )


def outside_plan(paths: Sequence[str]) -> str:
    """Review comments ask for changes to files that the approved plan does not name."""
    left = len(paths) - _SHOWN_PATHS
    more = [f"and {left} more"] if left > 0 else []
    return sections(
        "What was asked for lies outside the approved plan, so no rework was started. These files are not in it:",
        bullets([*(brief_code(path, 300) for path in paths[:_SHOWN_PATHS]), *more]),
        "Comment `/conductor revise` followed by what should change: the new plan can name them, and you approve it first.",
    )


def not_taken_in(what: str, reason: str) -> str:
    """A review or a failing check that could not be read whole, so that nothing followed from it."""
    return sections(
        f"{what} was not taken in: {one_line(reason, limit=600)}",
        "Submit it again, or comment `/conductor revise` followed by what should change.",
    )


def status(run: RunFacts, micro_dollars: int) -> str:
    """Where a run stands, in a few lines."""
    pull = run.known.get("pull")
    why = f"**Why:** {plain(run.halt_reason, limit=2_000)}" if run.halt_reason else ""
    ways = "`/conductor retry` tries again, `/conductor revise` plans anew." if run.state == NEEDS_HUMAN else ""
    if run.state.endswith(".approval"):
        ways = "`/conductor approve` goes ahead, `/conductor revise` followed by what should change plans again."
    facts = f"Run {code(run.id)} is {in_words(run.state)}."
    if isinstance(pull, int) and pull:
        facts += f" Its pull request is #{pull}."
    return sections(f"{facts} {_spent(run, micro_dollars)}", why, ways)


def cost(run: RunFacts, micro_dollars: int) -> str:
    """What a run has cost."""
    return f"Run {code(run.id)}: {_spent(run, micro_dollars)} At its budget the run stops and asks for a person."


def _spent(run: RunFacts, micro_dollars: int) -> str:
    cap = f" of its budget of {dollars(run.budget_micro_dollars)}" if run.budget_micro_dollars else ""
    return f"It has spent {dollars(micro_dollars)}{cap}."
