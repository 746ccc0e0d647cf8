"""Whether a plan may be reviewed at all (DESIGN section 5, *Plan gate*)."""

from __future__ import annotations

from bot.domain.facts import BaseEntry, PlanFacts
from bot.domain.gate import Gate, Reason
from bot.domain.paths import path_problem, shown
from bot.domain.plan import Plan, waves
from bot.domain.work import REGULAR_MODES
from bot.gates.evidence import MIN_QUOTE_CHARACTERS, contains, quote_problem
from bot.gates.plan_commands import commands_allowed, commands_ran, proofs_well_formed, verify_in_effect
from bot.gates.plan_text import only_visible_characters
from bot.gates.protected import protected_problems, workflow_problems
from bot.gates.reasons import judged

MAX_DOCUMENT_BYTES = 256 * 1024
"""Size of the plan as JSON."""
MAX_BODY_BYTES = 60_000
"""UTF-8 bytes of a body on GitHub (DESIGN section 14)."""
MAX_PLAN_PATHS = 300


def ids_unique(facts: PlanFacts) -> Reason:
    """Each id names one thing."""
    problems: list[str] = []
    for word, names in (
        ("criterion", [criterion.id for criterion in facts.plan.acceptance]),
        ("step", [step.id for step in facts.plan.steps]),
    ):
        twice = sorted({name for name in names if names.count(name) > 1})
        problems += [f"the {word} {name} is there more than once" for name in twice]
    return judged("ids", problems, "Every id is given once.")


def criteria_covered(facts: PlanFacts) -> Reason:
    """Each criterion is covered by a step (its proof is part of its form), and steps cover nothing else."""
    wanted = {criterion.id for criterion in facts.plan.acceptance}
    covered = {name for step in facts.plan.steps for name in step.covers}
    problems = [f"no step covers {name}" for name in sorted(wanted - covered)]
    problems += [f"a step covers {name}, which is no criterion" for name in sorted(covered - wanted)]
    if not wanted:
        problems.append("the plan has no acceptance criterion")
    return judged(
        "criteria", problems, f"Each of {len(wanted)} criteria is covered by a step.", criteria=sorted(wanted)
    )


def steps_ordered(facts: PlanFacts) -> Reason:
    """There is something to do, and an order to do it in."""
    problems: list[str] = []
    order: tuple[tuple[str, ...], ...] = ()
    try:
        order = waves(facts.plan)
    except ValueError as why:
        problems.append(str(why))
    if not facts.plan.paths:
        problems.append("no step names a path, so nothing could be changed")
    return judged(
        "steps", problems, f"{len(facts.plan.steps)} steps in {len(order)} waves.", waves=[list(one) for one in order]
    )


def paths_safe(facts: PlanFacts) -> Reason:
    """Every path lies inside the repository, wherever the plan names it."""
    problems = [
        f"the path {shown(path)!r} {problem}" for path in _all_paths(facts.plan) if (problem := path_problem(path))
    ]
    return judged("paths", problems, "Every path lies inside the repository.")


def _all_paths(plan: Plan) -> tuple[str, ...]:
    paths = [entry.path for step in plan.steps for entry in step.paths]
    paths += [change.path for change in plan.tests]
    paths += [citation.path for citation in plan.grounds]
    return tuple(dict.fromkeys(paths))


def paths_stand_at_base(facts: PlanFacts) -> Reason:
    """What is edited or deleted is there as a plain file; what is created is not, under any spelling."""
    problems: list[str] = []
    missing: list[str] = []
    uses: dict[str, set[str]] = {}
    for step in facts.plan.steps:
        for entry in step.paths:
            uses.setdefault(entry.path, set()).add(entry.use)
    for path, wanted in uses.items():
        if len(wanted) > 1:
            problems.append(f"{shown(path)} has two uses: {' and '.join(sorted(wanted))}")
        if path not in facts.entries:
            missing.append(f"{shown(path)} was not looked up at base")
            continue
        problems += [problem for use in sorted(wanted) if (problem := _use_problem(path, use, facts.entries[path]))]
    problems += [f"{shown(path)} collides with a path that differs only in case" for path in facts.collisions]
    return judged("base", problems, "Every path stands at base as the plan says.", missing=missing)


def _use_problem(path: str, use: str, entry: BaseEntry | None) -> str:
    if use == "create":
        return "" if entry is None else f"{shown(path)} is to be created and is at base already; edit it"
    if entry is None:
        return f"{shown(path)} is not at base; {use} needs a path that is there, a new file is created"
    if entry.mode not in REGULAR_MODES:
        return f"{shown(path)} is a link or a submodule, which no step may {use}"
    return ""


def citations_verbatim(facts: PlanFacts) -> Reason:
    """Each citation's quote stands at its lines at base."""
    problems: list[str] = []
    grounds = facts.plan.grounds
    missing = [] if len(facts.cited) == len(grounds) else [f"{len(facts.cited)} of {len(grounds)} citations were read"]
    for citation, cited in zip(grounds, facts.cited, strict=False):
        place = f"{shown(citation.path)}:{citation.start_line}-{citation.end_line}"
        same = (cited.path, cited.start_line, cited.end_line) == (citation.path, citation.start_line, citation.end_line)
        short = quote_problem(citation.quote)
        if not same:
            missing.append(f"{place} was not read")
        elif short:
            problems.append(f"{place}: {short}")
        elif cited.text is None:
            problems.append(f"{place} could not be read: {cited.problem or 'there is no such text file'}")
        # The fact's quote is the plan's in redacted form, as the text is.
        elif not contains(cited.text, cited.quote) or citation.end_line < citation.start_line:
            problems.append(f"{place} is not proven: the quote does not stand in these lines")
    return judged("citations", problems, f"{len(grounds)} citations stand verbatim at base.", missing=missing)


def edits_grounded(facts: PlanFacts) -> Reason:
    """At least one citation for each edited file; a file too short for any quote needs none."""
    cited = {citation.path for citation in facts.plan.grounds}
    edited = dict.fromkeys(entry.path for step in facts.plan.steps for entry in step.paths if entry.use == "edit")
    problems = [
        f"{shown(path)} is edited and not cited in grounds"
        for path in edited
        if path not in cited and not _too_short(facts.entries.get(path))
    ]
    return judged("grounds", problems, f"Each of {len(edited)} edited files is cited.")


def _too_short(entry: BaseEntry | None) -> bool:
    return entry is not None and entry.size < MIN_QUOTE_CHARACTERS


def tests_stand_at_base(facts: PlanFacts) -> Reason:
    """An announced change to a test fits what is there."""
    problems: list[str] = []
    missing: list[str] = []
    for change in facts.plan.tests:
        if change.path not in facts.entries:
            missing.append(f"{shown(change.path)} was not looked up at base")
        elif change.change == "add" and facts.entries[change.path] is not None:
            problems.append(f"the test file {shown(change.path)} is to be added and is at base already")
        elif change.change != "add" and facts.entries[change.path] is None:
            problems.append(
                f"the test file {shown(change.path)} is not at base, so it cannot be changed ({change.change})"
            )
    return judged("tests", problems, "Announced test changes fit base.", missing=missing)


def protected_named(facts: PlanFacts) -> Reason:
    """A protected path is touched only when a risk says so."""
    problems = protected_problems(facts.plan, _touched(facts.plan), facts.protected)
    return judged("protected", problems, "Every protected path is named as a risk.")


def no_workflows(facts: PlanFacts) -> Reason:
    """CI workflows stay as they are."""
    return judged("workflows", workflow_problems(_touched(facts.plan)), "No CI workflow is touched.")


def _touched(plan: Plan) -> tuple[str, ...]:
    return (*sorted(plan.paths), *(change.path for change in plan.tests))


def size_within_limits(facts: PlanFacts) -> Reason:
    """The plan fits one body whole; it is never shortened."""
    problems: list[str] = []
    missing: list[str] = []
    for word, size, limit in (
        ("plan", facts.document_bytes, MAX_DOCUMENT_BYTES),
        ("pull request's body", facts.body_bytes, MAX_BODY_BYTES),
    ):
        if size <= 0:
            missing.append(f"the size of the {word} was not measured")
        elif size > limit:
            problems.append(f"the {word} has {size} bytes, {limit} are allowed: say less, or do less in one plan")
    if len(facts.plan.paths) > MAX_PLAN_PATHS:
        problems.append(f"the plan touches {len(facts.plan.paths)} paths, {MAX_PLAN_PATHS} are allowed")
    return judged(
        "size",
        problems,
        "The plan fits one body whole.",
        missing=missing,
        document_bytes=facts.document_bytes,
        body_bytes=facts.body_bytes,
    )


PLAN_GATE: Gate[PlanFacts] = Gate(
    "plan.draft",
    (
        ("ids", ids_unique),
        ("criteria", criteria_covered),
        ("steps", steps_ordered),
        ("characters", only_visible_characters),
        ("paths", paths_safe),
        ("workflows", no_workflows),
        ("base", paths_stand_at_base),
        ("citations", citations_verbatim),
        ("grounds", edits_grounded),
        ("tests", tests_stand_at_base),
        ("protected", protected_named),
        ("size", size_within_limits),
        ("proofs", proofs_well_formed),
        ("verify", verify_in_effect),
        ("guard", commands_allowed),
        ("runs", commands_ran),
    ),
)
