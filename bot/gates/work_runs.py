"""What the runs in fresh sandboxes must show before work is reviewed (DESIGN section 5: runs a, b and c)."""

from __future__ import annotations

from bot.domain.facts import CommandRun, VerifyRun, WorkFacts
from bot.domain.gate import Reason
from bot.domain.paths import shown
from bot.domain.plan import TestProof
from bot.gates.reasons import failed, judged, passed, unknown
from bot.gates.work_tests import gone_as_announced, ids_readable, proves_nothing


def passes_as_is(facts: WorkFacts) -> Reason:
    """(a) Every verify command passes on the very tree to be published, with every test that passed at base."""
    return _passes("as it is", facts, facts.as_is, "Every verify command passes.")


def base_tests_pass(facts: WorkFacts) -> Reason:
    """(b) So it does with the tests and runner configuration of base."""
    return _passes("base's tests", facts, facts.base_tests, "Every verify command passes with base's tests.")


def _passes(verifier: str, facts: WorkFacts, run: VerifyRun, fine: str) -> Reason:
    problems: list[str] = []
    missing: list[str] = []
    if not facts.verify:
        missing.append("no verify command is in effect")
    runs = _by_command(run)
    for command in facts.verify:
        found = runs.get(command, ())
        if not found:
            missing.append(f"{shown(command)} was not run ({verifier})")
        problems += [problem for one in found if (problem := _run_problem(one))]
    lost, unseen = _lost_tests(facts, run)
    problems += [f"{shown(test)} passed at base and is {outcome} now ({verifier})" for test, outcome in lost]
    missing += unseen
    codes = {one.command: one.exit_code for one in run.runs}
    return judged(verifier, problems, fine, missing=missing, exit_codes=codes)


def _by_command(run: VerifyRun) -> dict[str, tuple[CommandRun, ...]]:
    found: dict[str, tuple[CommandRun, ...]] = {}
    for one in run.runs:
        found[one.command] = (*found.get(one.command, ()), one)
    return found


def _run_problem(run: CommandRun) -> str:
    if run.timed_out:
        return f"{shown(run.command)} did not end in time"
    if run.exit_code != 0:
        return f"{shown(run.command)} failed with exit code {run.exit_code}"
    broken = sorted(test for test, outcome in (run.tests or {}).items() if outcome in {"failed", "error"})
    if broken:
        # A runner that reports failures and still answers 0 has been tampered with, or ignores them.
        return f"{shown(run.command)} answered 0 and reports {', '.join(shown(test) for test in broken[:5])} as failed"
    return ""


def _lost_tests(facts: WorkFacts, run: VerifyRun) -> tuple[list[tuple[str, str]], list[str]]:
    """Tests that passed at base and do not pass in ``run``, and what was needed to tell and is not there."""
    base, now = _by_command(facts.base), _by_command(run)
    lost: list[tuple[str, str]] = []
    unseen: list[str] = []
    for command in facts.verify:
        if command not in base:
            unseen.append(f"{shown(command)} was not run at base")
            continue
        before = {test for one in base[command] for test, outcome in (one.tests or {}).items() if outcome == "passed"}
        after: dict[str, str] = {}
        for one in now.get(command, ()):
            after.update(one.tests or {})
        for test in sorted(before):
            outcome = after.get(test, "gone")
            if outcome != "passed" and not gone_as_announced(facts, test, after):
                lost.append((test, outcome))
    return lost, unseen


def proofs_hold(facts: WorkFacts) -> Reason:
    """Each criterion's proof holds on the tree to be published."""
    proofs = {proof.criterion: proof for proof in facts.proofs}
    problems: list[str] = []
    missing: list[str] = []
    for criterion in facts.plan.acceptance:
        proof = proofs.get(criterion.id)
        if proof is None:
            missing.append(f"{criterion.id} was not proved")
        elif proof.held is None:
            missing.append(f"whether {criterion.id} holds is not known: {proof.detail or proof.proof}")
        elif not proof.held:
            problems.append(f"{criterion.id} does not hold: {proof.detail or proof.proof}")
        elif isinstance(criterion.proof, TestProof) and (empty := proves_nothing(facts, criterion.proof.test)):
            problems.append(f"{criterion.id} is not proved: {shown(empty)} asserts nothing that can fail")
    refuted = [proof for proof in facts.proofs if proof.held is False and proofs[proof.criterion] is not proof]
    problems += [f"{proof.criterion} does not hold: {proof.detail or proof.proof}" for proof in refuted]
    return judged("proofs", problems, f"Each of {len(facts.plan.acceptance)} criteria is proved.", missing=missing)


def planted_test_fails(facts: WorkFacts) -> Reason:
    """(c) A failing test of a random name is reported as failed, so that a green run means something."""
    name = "planted test"
    run = facts.planted
    if run.planted_failed is False:
        told = shown(run.planted_problem) or f"{shown(run.planted)} was not reported as failed"
        return failed(name, f"A failing test was planted, and {told}; a green run means nothing.")
    if run.planted_failed is None:
        if ids_readable(facts.as_is) or ids_readable(facts.base):
            return unknown(name, "No failing test was planted, or what became of it is not known.")
        return passed(
            name, "The test runner's ids cannot be read, so no test could be planted; this raises risk.", marked=True
        )
    if not run.planted or not run.runs:
        return unknown(name, "A planted test is said to have failed, and no run shows it.")
    if all(one.exit_code == 0 for one in run.runs):
        return failed(
            name, "With a failing test planted every verify command still answered 0; a green run means nothing."
        )
    silent = [one.command for one in run.runs if one.exit_code == 0 and "failed" in (one.tests or {}).values()]
    if silent:
        return failed(name, f"{shown(silent[0])} reported a failed test and answered 0; its green run means nothing.")
    return passed(name, "The planted failing test was reported as failed.", planted=run.planted)
