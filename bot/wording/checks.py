"""The fields of our check runs, as GitHub's API takes them (DESIGN sections 1, 6 and 7)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from bot.domain.hidden_characters import hidden_characters
from bot.domain.money import dollars
from bot.domain.subject import PlanSubject
from bot.wording.layout import ROOM_BYTES, bullets, counted, hex_or_unknown, one_line, sections, size
from bot.wording.ledger_table import is_open, ledger_table, lines, shown
from bot.wording.neutral import code, fence, plain, safe_title
from bot.wording.view import FindingView

LIMIT: Final = 65_535
"""Characters that GitHub takes in a summary, and again in a text."""
_DIFF_ROOM: Final = 64_000
"""Characters of diff in one of them: the rest is for our sentences and the fence."""
_APPROVE: Final = {"label": "Approve", "description": "Go ahead with what is shown here", "identifier": "approve"}
_CANCEL: Final = {"label": "Cancel", "description": "End this run", "identifier": "cancel"}
_LEVELS: Final = {"blocker": "failure", "major": "warning", "minor": "notice"}
Fields = dict[str, Any]


def plan_waiting(subject: PlanSubject, sha: str) -> Fields:
    """The plan is shown and waits for a person. ``sha``: the subject's hash."""
    plan = subject.plan
    facts = (
        f"**Risk:** {'high' if subject.risk == 'high' else 'normal'}",
        (
            f"**Scope:** {counted(len(plan.steps), 'step')}, {counted(len(plan.paths), 'file')}, "
            f"{counted(len(plan.acceptance), 'acceptance criterion', 'acceptance criteria')}"
        ),
        f"**Budget:** the run stops at {dollars(subject.budget_micro_dollars)}",
        f"**Plan hash:** `{hex_or_unknown(sha)}`",
    )
    summary = sections(
        "The plan stands in this pull request's body and waits for somebody with write permission.",
        bullets(facts),
        f"Comment `/conductor approve` or `/conductor approve {hex_or_unknown(sha)[:8]}`, or press Approve. "
        "`/conductor revise` followed by what should change plans again.",
    )
    return _fields("action_required", "The plan waits for approval", summary, actions=(_APPROVE, _CANCEL))


def diff_waiting(sha: str, diff_text: str) -> Fields:
    """The reviewed diff waits for a person, shown whole, or not at all and then without a button that approves it."""
    title, name = "The diff waits for approval", hex_or_unknown(sha)
    ask = (
        "Publishing this would run it in CI beside secrets, so somebody has to read it first. "
        f"Comment `/conductor approve` or `/conductor approve {name[:8]}` to publish exactly this. Hash: `{name}`"
    )
    parts = _diff_parts(diff_text)
    if parts is None:
        refusal = (
            f"The diff has {len(diff_text):,} characters, which is too large to be shown whole here, so none of it is. "
            "Approving it needs the run page, which shows all of it: read it there before you approve."
        )
        return _fields("action_required", title, sections(ask, f"**{refusal}**"), actions=(_CANCEL,))
    signs = (
        "**Characters that cannot be seen stand in this diff; each is written here as `<U+...>`.**"
        if _hidden_in(diff_text)
        else ""
    )
    onward = "**The diff goes on below, in the details.**" if len(parts) > 1 else ""
    fields = _fields("action_required", title, sections(ask, signs, onward, parts[0]), actions=(_APPROVE, _CANCEL))
    if len(parts) > 1:
        fields["output"]["text"] = parts[1]
    return fields


def plan_approved(subject: PlanSubject, sha: str, login: str) -> Fields:
    """Somebody approved exactly this plan."""
    summary = sections(
        f"Approved by {code(login)}. Plan hash: `{hex_or_unknown(sha)}`.",
        f"The approval covers {counted(len(subject.plan.paths), 'file')} and a budget of "
        f"{dollars(subject.budget_micro_dollars)}; anything beyond needs `/conductor revise`.",
    )
    return _fields("success", "The plan is approved", summary)


def plan_changing() -> Fields:
    """Another plan is being made; the one in the body is out of date."""
    return _fields(
        "neutral",
        "The plan is being changed",
        "Another plan is being drafted and reviewed. There is nothing to approve until it is shown here.",
    )


def plan_closed(why: str) -> Fields:
    """The run was cancelled. ``why`` is untrusted."""
    reason = f"**Why:** {plain(why, limit=2_000)}" if why.strip() else ""
    return _fields(
        "cancelled",
        "The run was cancelled",
        sections("Nothing waits for approval any more.", reason, "`/conductor plan` on the issue starts a new run."),
    )


def not_reviewed(sha: str) -> Fields:
    """Somebody else pushed a commit: no reviewer of ours has seen it."""
    name = hex_or_unknown(sha)
    return _fields(
        "failure",
        f"not reviewed at {name}",
        f"This commit was pushed by somebody else; the review ledger does not cover it: not reviewed at {name}.",
    )


def ledger(findings: Sequence[FindingView], *, over: str, notes: Sequence[str] = ()) -> Fields:
    """The ledger's check; its annotations are apart (`annotation`), since GitHub takes 50 a request.

    ``over``: why the run was cancelled, "" while it lives. ``notes``: what else people must know of the reviews, see
    `review_refused`. Success only with none open.
    """
    seen = shown(findings)
    opened = sum(1 for one in seen if is_open(one))
    conclusion = "cancelled" if over else "failure" if opened else "success"
    title = "The run was cancelled" if over else counted(opened, "open finding") if opened else "No open findings"
    reason = f"The run was cancelled: {one_line(over, limit=1_000)}" if over else ""
    below = bullets([one_line(note, limit=400) for note in notes[:20]])
    room = ROOM_BYTES - size(sections(reason, below))
    summary = sections(reason, ledger_table(findings, limit=room), below)
    return _fields(conclusion, title, summary)


def review_refused(seat: str, round_: int, model: str, instead: str) -> str:
    """A reviewer's model declined, which is a failed review and shown as one; ``instead`` "" while nobody reviewed for it."""
    rest = f"{instead} reviewed in its place" if instead else "nobody reviewed in its place yet"
    return f"{seat}, round {round_}: a failed review, the model {model} refused; {rest}."


def _fields(conclusion: str, title: str, summary: str, *, actions: Sequence[Mapping[str, str]] = ()) -> Fields:
    """Actions are always named: GitHub keeps a check's old buttons otherwise."""
    return {
        "status": "completed",
        "conclusion": conclusion,
        "output": {"title": title, "summary": summary},
        "actions": [dict(action) for action in actions],
    }


def annotatable(findings: Sequence[FindingView], paths: Mapping[str, int]) -> list[FindingView]:
    """Findings whose place exists, in the order in which people read them; ``paths``: files with their number of lines."""
    return [
        one
        for one in shown(findings)
        if 1 <= one.start_line <= (one.end_line or one.start_line) <= paths.get(one.path, 0)
    ]


def annotation(one: FindingView) -> dict[str, Any]:
    """A finding on its lines."""
    return {
        "path": one.path,
        "start_line": one.start_line,
        "end_line": one.end_line or one.start_line,
        "annotation_level": _LEVELS.get(one.severity, "warning") if is_open(one) else "notice",
        "title": f"{safe_title(one.id)} ({safe_title(one.status)}): {safe_title(one.title)}",
        "message": _message(one),
    }


def _message(one: FindingView) -> str:
    settled = f"{plain(one.status)} in the ledger: {plain(one.reason, limit=2_000)}" if not is_open(one) else ""
    advice = f"Suggestion: {plain(one.suggestion, limit=4_000)}" if one.suggestion else ""
    concern = "A concern about money, not proved." if one.concern else ""
    said = sections(plain(one.claim, limit=4_000), concern, advice, settled)
    return said or f"See line {lines(one)}."


def _diff_parts(diff_text: str) -> tuple[str, ...] | None:
    """The whole diff as one or two fenced blocks cut at a line's end, None when it does not fit."""
    if len(diff_text) > 2 * _DIFF_ROOM:
        return None
    text = _visible(diff_text)
    first, rest = text, ""
    if len(text) > _DIFF_ROOM:
        cut = text.rfind("\n", 0, _DIFF_ROOM) + 1
        first, rest = text[:cut], text[cut:]
    parts = tuple(fence(part, "diff") for part in (first, rest) if part)
    # Long runs of backticks lengthen a fence, so what counts is measured last.
    if not parts:
        return (fence("", "diff"),)
    fits = first != "" and all(len(part) <= LIMIT - 1_000 for part in parts)
    return parts if fits else None


def _hidden_in(text: str) -> bool:
    return bool(hidden_characters(text)) or "\r" in text


def _visible(text: str) -> str:
    """What a person approves must not hide anything: characters that do not show are written out, carriage returns too."""
    if not _hidden_in(text):
        return text
    hidden = {sign for sign in set(text) if sign == "\r" or hidden_characters(sign)}
    return re.sub(f"[{re.escape(''.join(sorted(hidden)))}]", lambda found: f"<U+{ord(found[0]):04X}>", text)


__all__ = [
    "LIMIT",
    "annotatable",
    "annotation",
    "diff_waiting",
    "ledger",
    "not_reviewed",
    "plan_approved",
    "plan_changing",
    "plan_closed",
    "plan_waiting",
    "review_refused",
]
