"""The words a context begins with: its role's rules, then the issue and the artifact as data with their origin."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from bot.domain.plan import Plan, Step
from bot.domain.snapshot import Snapshot
from workers.agents.room import Room, as_data


def system_prompt(role: str, room: Room) -> str:
    """The rules of a role (``plan_reviewer`` for every seat of it), with the repository's own agent instructions as data."""
    text = (files("workers.agents") / "prompts" / f"{role}.md").read_text("utf-8").strip()
    told = [
        f"From {path} of the default branch, for style only:\n{body[:8_000]}"
        for path, body in room.snapshot.instructions
    ]
    return room.redact("\n\n".join([text, *told]))


def _data(title: str, text: str) -> str:
    """A part that is somebody's words, between marks that the words cannot hold themselves."""
    inner = text.replace("</data", "< /data")
    return f"<data origin={title!a}>\n{inner}\n</data>"


def issue_part(snapshot: Snapshot) -> str:
    """The issue as the label delivery showed it."""
    issue = snapshot.issue
    lines = [
        f"Issue #{issue.number} of {snapshot.repository} by {issue.author}: {issue.title}",
        "",
        issue.body or "(no text)",
    ]
    for one in issue.comments:
        lines += ["", f"Comment by {one.author}:", one.body]
    return _data("issue", "\n".join(lines))


def _list(title: str, items: Sequence[str]) -> list[str]:
    return [_data(title, "\n\n".join(items))] if items else []


def planner_opening(room: Room, verify: Sequence[str]) -> str:
    """What a planner is told: the issue, the commands in effect, and why an earlier plan was not taken."""
    payload = room.job.payload
    parts = [
        issue_part(room.snapshot),
        "Verify commands in effect: " + (", ".join(f"`{one}`" for one in verify) or "none; the plan must name one."),
    ]
    if previous := str(payload.get("previous") or ""):
        parts.append(_data("the previous plan", as_data(room.plan(previous).model_dump(mode="json"))))
    if revision := str(payload.get("revision") or ""):
        parts.append(_data("what a maintainer asks to change", revision))
    parts += _list("what must be mended in the previous plan", [str(one) for one in payload.get("feedback") or ()])
    return "\n\n".join([*parts, "Plan the change."])


def plan_review_opening(room: Room, plan: Plan) -> str:
    """What a plan's reviewer is told: the issue, the plan, and in later rounds the ledger."""
    parts = [
        issue_part(room.snapshot),
        _data("the plan under review, by a planner", as_data(plan.model_dump(mode="json"))),
    ]
    return "\n\n".join([*parts, *_ledger(room), "Review the plan."])


def code_review_opening(room: Room, plan: Plan, paths: Sequence[str]) -> str:
    """What a reviewer of code is told: the issue, the approved plan, where the diff is, and in later rounds the ledger."""
    parts = [
        issue_part(room.snapshot),
        _data("the approved plan", as_data(plan.model_dump(mode="json"))),
        "read_diff shows the change under review. Changed files:\n" + "\n".join(ascii(one) for one in paths),
    ]
    return "\n\n".join([*parts, *_ledger(room), "Review the change."])


def _ledger(room: Room) -> list[str]:
    shown: list[dict[str, Any]] = list(room.job.payload.get("ledger") or ())
    return [_data("earlier findings", as_data(shown))] if shown else []


def step_opening(room: Room, plan: Plan, step: Step, verify: Sequence[str]) -> str:
    """What an implementer is told: the issue, the plan, its step, and what must be mended."""
    criteria = [one.model_dump(mode="json") for one in plan.acceptance if one.id in step.covers]
    parts = [
        issue_part(room.snapshot),
        _data("the approved plan", as_data(plan.model_dump(mode="json"))),
        _data("your step", as_data(step.model_dump(mode="json"))),
        _data("the criteria that it proves", as_data(criteria)),
        "Verify commands: " + ", ".join(f"`{one}`" for one in verify),
        *_list("what must be mended", [str(one) for one in room.job.payload.get("feedback") or ()]),
    ]
    return "\n\n".join([*parts, f"Implement step {step.id}."])
