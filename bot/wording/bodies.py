"""The pull request's body: first the plan, made for a two-minute decision; later what came of it (DESIGN section 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bot.domain.money import dollars
from bot.domain.plan import CommandProof, Criterion
from bot.domain.subject import PlanSubject
from bot.wording.layout import (
    ROOM_BYTES,
    brief,
    brief_code,
    bullets,
    counted,
    fitted,
    fold,
    one_line,
    sections,
    size,
    word_count,
)
from bot.wording.ledger_table import ledger_table, shown, unproven_line, verdict
from bot.wording.neutral import code, plain
from bot.wording.plan_folds import criterion_name, plan_folds, proof, whole_plan
from bot.wording.view import FindingView

WORDS: Final = 400
"""Words before the first fold, at most."""
PLAN_BYTES: Final = 59_500
"""UTF-8 bytes of a plan's whole body, at most; GitHub's safe 60,000 less a little for redaction."""
FINDINGS_BYTES: Final = 4_000
"""Of these, what findings may always take."""
_SUMMARY_CHARACTERS: Final = 600


@dataclass(frozen=True, slots=True)
class _Item:
    """One entry of a list: short for above the folds, and whole."""

    short: str
    whole: str


@dataclass(frozen=True, slots=True)
class _List:
    """One list above the folds. ``words``: its share of the room; what it leaves, the next one may take."""

    heading: str
    items: tuple[_Item, ...]
    words: int
    intro: str = ""

    @property
    def fixed(self) -> int:
        return word_count(f"### {self.heading} {self.intro}")


def plan_body(
    subject: PlanSubject,
    *,
    issue: int,
    run_id: str,
    findings: Sequence[FindingView],
    spent: int,
    notes: Sequence[str],
) -> str:
    """The body that shows a plan for approval; ``spent`` in micro-dollars. Nothing of the plan is left out.

    At most `WORDS` words stand before the first fold; what is cut there stands whole below. Only findings are cut for good,
    visibly, to fit: a plan that alone takes more than a body holds is refused by the plan gate, never shortened.
    """
    head, folded = _above(subject, issue, findings, spent, notes)
    folds = [*folded, *plan_folds(subject)]
    footer = _footer(run_id)
    room = PLAN_BYTES - size(sections(head, *folds, footer)) - 100
    reviewed = fold("Review ledger", ledger_table(findings, limit=max(room, 0))) if shown(findings) else ""
    return sections(head, reviewed, *folds, footer)


def plan_body_bytes(subject: PlanSubject, *, issue: int, run_id: str, notes: Sequence[str]) -> int:
    """For the plan gate: UTF-8 bytes of the body, with the room that findings will need."""
    body = plan_body(subject, issue=issue, run_id=run_id, findings=(), spent=subject.budget_micro_dollars, notes=notes)
    return size(body) + FINDINGS_BYTES


def result_body(
    subject: PlanSubject,
    *,
    issue: int,
    run_id: str,
    findings: Sequence[FindingView],
    summaries: Sequence[tuple[str, str]],
    notes: Sequence[str],
    approver: str,
) -> str:
    """The finished pull request's body; ``summaries`` are steps with their implementers' own (untrusted) words."""
    approved = f"Plan `{subject.sha256[:8]}` was approved by {code(approver)}." if approver else ""
    head = sections(
        f"## Implementation for #{issue}",
        f"{plain(subject.plan.summary, limit=_SUMMARY_CHARACTERS)}",
        f"{approved} Its steps were implemented in sandboxes, verified, and reviewed by independent reviewers.".strip(),
        "### What was done",
        _done(subject, summaries),
        f"### Acceptance criteria ({len(subject.plan.acceptance)}), proved before publishing",
        _limited([_criterion(one).short for one in subject.plan.acceptance], 6_000),
        f"### Reviewers\n\n{verdict(findings)} {unproven_line(findings)}".rstrip(),
        _notes(notes),
        f"Closes #{issue}",
    )
    footer = _footer(run_id)
    room = ROOM_BYTES - size(head) - size(footer) - 100
    plan = whole_plan(subject)
    if size(plan) + FINDINGS_BYTES > room:
        plan = f"The approved plan is too long to stand here as well; its hash is `{subject.sha256}`."
    room -= size(plan)
    reviewed = fold("Review ledger", ledger_table(findings, limit=max(room, 0))) if shown(findings) else ""
    return sections(head, reviewed, plan, footer)


def _above(
    subject: PlanSubject, issue: int, findings: Sequence[FindingView], spent: int, notes: Sequence[str]
) -> tuple[str, list[str]]:
    """What stands before the first fold, and folds with the whole of what had to be cut in it."""
    lists = [one for one in _lists(subject, findings, notes) if one.items or one.intro]
    title = f"## Plan for #{issue}\n\n### What and why"
    decision = _decision(subject, issue, spent)
    spare = WORDS - word_count(f"{title} {decision}") - sum(one.fixed + one.words for one in lists) - _SUMMARY_WORDS
    summary = brief(subject.plan.summary, _SUMMARY_WORDS)
    spare += _SUMMARY_WORDS - word_count(summary)
    whole = " ".join(one_line(subject.plan.summary).split()) == summary
    folded = [] if whole else [fold("What and why, in full", plain(subject.plan.summary))]
    texts: list[str] = []
    for one in lists:
        text, left = fitted([item.short for item in one.items], one.words + spare)
        spare += one.words - word_count(text)
        texts.append(sections(f"### {one.heading}", one.intro, text))
        if one.heading != _REVIEWED and (left or any(item.short != item.whole for item in one.items)):
            folded.append(fold(f"{one.heading}, in full", bullets([item.whole for item in one.items])))
    return sections(title, summary, *texts, decision), folded


_SUMMARY_WORDS: Final = 55
_REVIEWED: Final = "What reviewers found"


def _lists(subject: PlanSubject, findings: Sequence[FindingView], notes: Sequence[str]) -> list[_List]:
    """In the order in which they are read; shares add up to less than the room, so that every one gets its own."""
    plan = subject.plan
    reasons = [_Item(brief(reason, 20), one_line(reason)) for reason in subject.risk_reasons]
    risks = [
        _Item(
            f"{brief(risk.text, 14)} *Mitigation:* {brief(risk.mitigation, 14)}",
            f"{one_line(risk.text)} *Mitigation:* {one_line(risk.mitigation)}",
        )
        for risk in plan.risks
    ]
    harmed = sum(1 for one in plan.tests if one.change in {"delete", "skip"})
    warning = f"{counted(harmed, 'test file')} will be deleted or skipped." if harmed else ""
    found = _List(_REVIEWED, _found(findings), 38, sections(verdict(findings), unproven_line(findings)))
    return [
        _List("Notes", tuple(_Item(brief(note, 20), one_line(note)) for note in notes), 28),
        _List(f"Risk: {'high' if subject.risk == 'high' else 'normal'}", (*reasons, *risks), 45, warning),
        _List(f"Files ({len(plan.paths)})", _files(subject), 30),
        _List(f"Acceptance criteria ({len(plan.acceptance)})", tuple(map(_criterion, plan.acceptance)), 55),
        found,
    ]


def _decision(subject: PlanSubject, issue: int, spent: int) -> str:
    who = (
        "High risk: one person with maintain or admin permission, or two people with write permission, must approve."
        if subject.risk == "high"
        else "Anybody with write permission may decide."
    )
    return sections(
        f"**Cost:** {dollars(spent)} so far; the run stops at {dollars(subject.budget_micro_dollars)}.",
        "### Your decision",
        bullets(
            [
                f"Approve: comment `/conductor approve` or `/conductor approve {subject.sha256[:8]}`.",
                "Change: comment `/conductor revise` and what should change.",
                "End: comment `/conductor cancel`.",
            ]
        ),
        f"{who} Plan hash: `{subject.sha256}`",
        f"Closes #{issue}",
    )


def _files(subject: PlanSubject) -> tuple[_Item, ...]:
    uses: dict[str, list[str]] = {}
    for step in subject.plan.steps:
        for entry in step.paths:
            if entry.use not in uses.setdefault(entry.path, []):
                uses[entry.path].append(entry.use)
    return tuple(
        _Item(f"{'/'.join(use)} {brief_code(path, 100)}", f"{'/'.join(use)} {code(path)}")
        for path, use in sorted(uses.items())
    )


def _criterion(one: Criterion) -> _Item:
    name = one.proof.command if isinstance(one.proof, CommandProof) else one.proof.test
    kind = "the command" if isinstance(one.proof, CommandProof) else "the test"
    short = f"{criterion_name(one)} {brief(one.text, 22)} *Proved by {kind}* {brief_code(name, 100)}"
    return _Item(short, f"{criterion_name(one)} {one_line(one.text)} {proof(one)}")


def _found(findings: Sequence[FindingView]) -> tuple[_Item, ...]:
    """One line each; why something was withdrawn or justified is for the approver to see."""
    items: list[_Item] = []
    for one in shown(findings):
        why = f" ({brief(one.reason, 10)})" if one.reason and one.status in {"withdrawn", "justified"} else ""
        concern = " (about money, not proved)" if one.concern else ""
        line = (
            f"{one_line(one.id)} {one_line(one.status)}, {one_line(one.severity)}: {brief(one.title, 14)}{concern}{why}"
        )
        items.append(_Item(line, line))
    return tuple(items)


def _done(subject: PlanSubject, summaries: Sequence[tuple[str, str]]) -> str:
    titles = {step.id: step.title for step in subject.plan.steps}
    items = [
        f"**{one_line(step)}** {one_line(titles.get(step, ''), limit=120)}: {one_line(text, limit=700)}"
        for step, text in summaries
    ]
    return _limited(items, 14_000) or "The steps left no summary; the diff says what was done."


def _limited(items: Sequence[str], limit: int) -> str:
    """As many items as fit in ``limit`` bytes; the rest is counted."""
    kept: list[str] = []
    for item in items:
        limit -= size(item) + 3
        if limit < 0:
            break
        kept.append(item)
    left = len(items) - len(kept)
    return bullets([*kept, *([f"*{left} more, not shown here*"] if left else [])])


def _notes(notes: Sequence[str]) -> str:
    return sections("### Notes", _limited([one_line(note, limit=400) for note in notes], 4_000)) if notes else ""


def _footer(run_id: str) -> str:
    return f"<sub>Run {code(run_id)} · `/conductor help` lists what you can ask for.</sub>"
