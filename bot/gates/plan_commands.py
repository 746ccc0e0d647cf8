"""The commands a plan rests on: which are in effect, whether they may run, and whether they ran at base (DESIGN section 5)."""

from __future__ import annotations

from bot.domain.facts import PlanFacts
from bot.domain.gate import Reason
from bot.domain.paths import hidden_characters, path_problem, shown
from bot.domain.plan import CommandProof, Plan, TestProof
from bot.gates.reasons import failed, judged

NOT_STARTED = frozenset({126, 127})
"""What a shell answers when a command is not executable or not there (POSIX, *Exit Status for Commands*)."""


def proofs_well_formed(facts: PlanFacts) -> Reason:
    """A test id is one that a runner can be asked for, and cannot be taken for an option."""
    problems = [
        f"the proof of {criterion.id}, {shown(criterion.proof.test)!r}, {problem}"
        for criterion in facts.plan.acceptance
        if isinstance(criterion.proof, TestProof) and (problem := test_id_problem(criterion.proof.test))
    ]
    return judged("proofs", problems, "Every proof is a test id or a command.")


def test_id_problem(name: str) -> str:
    """Why ``name`` cannot be a test's id, as the rest of a sentence; "" when it can."""
    if not name.strip() or name != name.strip():
        return "is blank, or begins or ends with white space"
    if name.startswith("-"):
        return "begins like an option"
    if hidden_characters(name):
        return f"has characters that cannot be seen: {', '.join(hidden_characters(name))}"
    path, colons, test = name.partition("::")
    if colons and path_problem(path):
        return f"names a file that {path_problem(path)}"
    if colons and not test.strip(":"):
        return "names a file and no test in it"
    return ""


def verify_in_effect(facts: PlanFacts) -> Reason:
    """Configuration, else what was detected, plus the plan's; the plan adds and never replaces."""
    if not facts.verify:
        return failed(
            "verify", "No verify command is in effect; set verify in .github/conductor.yml, or name one in the plan."
        )
    demanded = (*(facts.verify_configured or facts.verify_detected), *facts.plan.verify)
    problems = [
        f"{shown(command)} is not in effect" for command in dict.fromkeys(demanded) if command not in facts.verify
    ]
    problems += [
        f"{shown(command)} is in effect and nobody asked for it" for command in facts.verify if command not in demanded
    ]
    return judged("verify", problems, f"{len(facts.verify)} verify commands are in effect.", verify=list(facts.verify))


def commands_allowed(facts: PlanFacts) -> Reason:
    """The guard allows every verify command and every command that proves a criterion."""
    answers = {fact.command: fact for fact in facts.guard}
    refused = {fact.command: fact for fact in facts.guard if not fact.allowed}
    problems: list[str] = []
    missing: list[str] = []
    for command in dict.fromkeys((*facts.verify, *proof_commands(facts.plan))):
        if command in refused:
            problems.append(
                f"{shown(command)} may not run: {refused[command].reason.rstrip('.')} ({refused[command].rule})"
            )
        elif command not in answers:
            missing.append(f"{shown(command)} was not asked of the command guard")
    return judged("guard", problems, "The command guard allows every command.", missing=missing)


def proof_commands(plan: Plan) -> tuple[str, ...]:
    """Commands that prove criteria, in their order."""
    return tuple(one.proof.command for one in plan.acceptance if isinstance(one.proof, CommandProof))


def commands_ran(facts: PlanFacts) -> Reason:
    """Each verify command started and ended in time at base; how it ended is shown, not judged."""
    runs = {run.command: run for run in facts.runs}
    problems: list[str] = []
    missing: list[str] = []
    for command in facts.verify:
        run = runs.get(command)
        if run is None:
            missing.append(f"{shown(command)} was not run at base")
        elif run.timed_out:
            problems.append(f"{shown(command)} did not end in time at base ({run.seconds:.0f} s)")
        elif run.exit_code in NOT_STARTED:
            problems.append(f"{shown(command)} did not start at base (exit code {run.exit_code})")
    codes = {run.command: run.exit_code for run in facts.runs}
    return judged("runs", problems, "Every verify command ran at base.", missing=missing, exit_codes=codes)
