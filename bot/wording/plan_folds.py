"""Everything an approval covers, whole, under folds: what is cut above them stands here in full (DESIGN section 4)."""

from __future__ import annotations

from bot.domain.citation import Citation
from bot.domain.plan import CommandProof, Criterion, Plan, Step
from bot.domain.subject import PlanSubject
from bot.wording.layout import bullets, counted, fold, one_line, sections
from bot.wording.neutral import code, fence, plain


def plan_folds(subject: PlanSubject) -> list[str]:
    """Folds of steps, criteria, tests, commands, grounds and what is out of scope; empty ones are left out."""
    plan = subject.plan
    folds = [
        fold(f"Steps in full ({len(plan.steps)})", sections(*(_step(step) for step in plan.steps)) or "None."),
        fold(f"Tests that change ({len(plan.tests)})", tests(plan)) if plan.tests else "",
        fold(f"Commands that verify ({len(subject.verify)})", _commands(subject.verify)) if subject.verify else "",
        fold(f"Setup commands ({len(subject.setup)})", _commands(subject.setup)) if subject.setup else "",
        fold(f"Grounds: what the plan rests on ({len(plan.grounds)})", grounds(plan)) if plan.grounds else "",
        fold("Out of scope", bullets([one_line(text) for text in plan.out_of_scope])) if plan.out_of_scope else "",
    ]
    return [one for one in folds if one]


def whole_plan(subject: PlanSubject) -> str:
    """The whole plan as one fold, for the finished pull request."""
    plan = subject.plan
    risks = [f"{one_line(risk.text)} *Mitigation:* {one_line(risk.mitigation)}" for risk in plan.risks]
    criteria = [f"{criterion_name(one)} {one_line(one.text)} {proof(one)}" for one in plan.acceptance]
    parts = (
        plain(plan.summary),
        "**Acceptance criteria**" if criteria else "",
        bullets(criteria),
        "**Risks**" if risks else "",
        bullets(risks),
        *plan_folds(subject),
        f"Plan hash: `{subject.sha256}`",
    )
    return fold("The approved plan", sections(*parts))


def criterion_name(one: Criterion) -> str:
    """``A1`` as it is shown everywhere."""
    return f"**{one.id}**"


def proof(one: Criterion) -> str:
    """How a criterion is proved, whole."""
    if isinstance(one.proof, CommandProof):
        return f"*Proved by the command* {code(one.proof.command)}"
    return f"*Proved by the test* {code(one.proof.test)}"


def tests(plan: Plan) -> str:
    """Announced changes to tests and runner configuration."""
    return bullets([f"{one.change} {code(one.path)}: {one_line(one.why)}" for one in plan.tests])


def grounds(plan: Plan) -> str:
    """What the plan cites, with its quotes."""
    return sections(*(_ground(one) for one in plan.grounds))


def _ground(one: Citation) -> str:
    lines = f"{one.start_line}" if one.start_line == one.end_line else f"{one.start_line}-{one.end_line}"
    return f"{code(f'{one.path}:{lines}')}\n\n{fence(one.quote)}"


def _commands(commands: tuple[str, ...]) -> str:
    return sections(
        counted(len(commands), "command") + ", each in a fresh sandbox:", *(fence(one, "sh") for one in commands)
    )


def _step(step: Step) -> str:
    links = [f"after {', '.join(step.depends_on)}"] if step.depends_on else []
    links += [f"for {', '.join(step.covers)}"] if step.covers else []
    note = f" ({'; '.join(links)})" if links else ""
    files = bullets([f"{entry.use} {code(entry.path)}" for entry in step.paths])
    return sections(f"**{step.id}**{note} {one_line(step.title)}", plain(step.intent), files)
