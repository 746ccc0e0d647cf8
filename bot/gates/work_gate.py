"""Whether the merged work of one round may be reviewed: what was changed, where, and what runs say (DESIGN section 5, *Work gate*)."""

from __future__ import annotations

from bot.domain.facts import ChangeFact, WorkFacts
from bot.domain.gate import Gate, Reason
from bot.domain.paths import collisions, path_problem, shown
from bot.domain.work import REGULAR_MODES
from bot.gates.protected import protected_problems, workflow_problems
from bot.gates.reasons import judged
from bot.gates.work_runs import base_tests_pass, passes_as_is, planted_test_fails, proofs_hold
from bot.gates.work_tests import tests_as_announced, unreadable_runner

KIND_OF_USE = {"create": "added", "edit": "modified", "delete": "deleted"}


def merged(facts: WorkFacts) -> Reason:
    """The steps' work fits together."""
    problems = [f"{shown(path)} did not merge: two steps changed it differently" for path in facts.conflicts]
    return judged("merge", problems, "The steps merge.")


def not_empty(facts: WorkFacts) -> Reason:
    """Something was done, and the diff that reviewers get is all of it."""
    changed = {change.path for change in facts.changes}
    in_diff = {file.path for file in facts.diff}
    problems = [] if changed else ["nothing was changed"]
    problems += [f"{shown(path)} changed and is not in the diff" for path in sorted(changed - in_diff)]
    problems += [f"{shown(path)} is in the diff and did not change" for path in sorted(in_diff - changed)]
    return judged("diff", problems, f"{len(changed)} paths changed.", paths=sorted(changed))


def within_steps(facts: WorkFacts) -> Reason:
    """Each step changed only its own paths, and each path only as the plan says."""
    allowed = {step.id: {entry.path for entry in step.paths} for step in facts.plan.steps}
    problems: list[str] = []
    for step, paths in facts.steps.items():
        if step not in allowed:
            problems.append(f"{shown(step)} is no step of the plan")
            continue
        problems += [
            f"{step} changed {shown(path)}, which is not one of its paths"
            for path in paths
            if path not in allowed[step]
        ]
    kinds: dict[str, set[str]] = {}
    for one in facts.plan.steps:
        for entry in one.paths:
            kinds.setdefault(entry.path, set()).add(KIND_OF_USE[entry.use])
    for change in facts.changes:
        if change.path not in kinds:
            problems.append(f"{shown(change.path)} was {change.kind} and no step names it")
        elif change.kind not in kinds[change.path]:
            problems.append(
                f"{shown(change.path)} was {change.kind}; the plan allows {' or '.join(sorted(kinds[change.path]))}"
            )
    return judged("steps", problems, "Every step kept to its paths.")


def paths_safe(facts: WorkFacts) -> Reason:
    """No path leaves the repository, means git's own files somewhere, or collides with another."""
    paths = [change.path for change in facts.changes]
    problems = [f"the path {shown(path)!r} {problem}" for path in paths if (problem := path_problem(path))]
    living = [change.path for change in facts.changes if change.kind != "deleted"]
    problems += [f"{shown(path)} collides with a path that differs only in case" for path in collisions(living, ())]
    return judged("paths", problems, "Every path is safe.")


def modes_kept(facts: WorkFacts) -> Reason:
    """No link, no submodule, no change of mode."""
    problems = [problem for change in facts.changes if (problem := _mode_problem(change))]
    return judged("modes", problems, "No link, submodule or mode was touched.")


def _mode_problem(change: ChangeFact) -> str:
    name = shown(change.path)
    if change.problem:
        return f"{name}: {change.problem}"
    modes = [mode for mode in (change.old_mode, change.new_mode) if mode is not None]
    odd = [mode for mode in modes if mode not in REGULAR_MODES]
    if odd:
        return f"{name} is a {'link' if odd[0] == '120000' else 'submodule'}, which no step may touch"
    if len(set(modes)) > 1:
        return f"{name} changed its mode from {change.old_mode} to {change.new_mode}"
    if not modes:
        return f"the mode of {name} is not known"
    return ""


def nothing_refused(facts: WorkFacts) -> Reason:
    """No workspace held something that git must never see."""
    problems = [one if one.isascii() and one.isprintable() else shown(one) for one in facts.refused]
    return judged("refused", problems, "No workspace held git internals or special files.")


def no_secrets(facts: WorkFacts) -> Reason:
    """The change adds no secret."""
    problems = [
        f"{shown(change.path)} adds what looks like a secret ({', '.join(change.secrets)})"
        for change in facts.changes
        if change.secrets
    ]
    return judged("secrets", problems, "No secret is added.")


def no_workflows(facts: WorkFacts) -> Reason:
    """CI workflows stay as they are."""
    return judged("workflows", workflow_problems(change.path for change in facts.changes), "No CI workflow is touched.")


def protected_named(facts: WorkFacts) -> Reason:
    """A protected path was changed only where the approved plan named it as a risk."""
    problems = protected_problems(facts.plan, (change.path for change in facts.changes), facts.protected)
    return judged("protected", problems, "Every changed protected path is named as a risk.")


def no_canary(facts: WorkFacts) -> Reason:
    """Nothing that was planted to be left alone shows up."""
    return judged("canaries", [f"a canary turned up: {shown(one)}" for one in facts.canaries], "No canary turned up.")


WORK_GATE: Gate[WorkFacts] = Gate(
    "code.draft",
    (
        ("merge", merged),
        ("diff", not_empty),
        ("steps", within_steps),
        ("paths", paths_safe),
        ("modes", modes_kept),
        ("refused", nothing_refused),
        ("workflows", no_workflows),
        ("protected", protected_named),
        ("secrets", no_secrets),
        ("canaries", no_canary),
        ("tests", tests_as_announced),
        ("runner", unreadable_runner),
        ("as it is", passes_as_is),
        ("proofs", proofs_hold),
        ("base's tests", base_tests_pass),
        ("planted test", planted_test_fails),
    ),
)
