"""Runs commands on a tree in fresh sandboxes, each on a copy of its own, and reads which tests ran (DESIGN section 5)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from bot.domain.facts import CommandRun, ProofRun, VerifyRun
from bot.domain.hidden_characters import veiled, without_terminal_codes
from bot.domain.plan import CommandProof, Criterion, TestProof
from workers.agents.canaries import carries_away
from workers.agents.meter import clean
from workers.agents.room import Room
from workers.agents.runners.outcomes import instrumented, lost_plugin, plain_argv, read, single_test_command
from workers.guard import Profile, judge
from workers.sandbox.box import Ran
from workers.sandbox.errors import SandboxError
from workers.sandbox.layers import Layer
from workers.sandbox.workspaces import Workspace

log = structlog.get_logger()

SIDE_BY_SIDE: Final = 2
TAIL_CHARACTERS: Final = 4_000
OUTPUT_BYTES: Final = 16 << 20
NOT_RUN: Final = 126

Prepare = Callable[[Path], None]


def _as_it_is(_root: Path) -> None:
    """Nothing to prepare."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One command on one tree; ``prepare`` changes the copy before it runs."""

    command: str
    tree: Path
    prepare: Prepare = _as_it_is


@dataclass(frozen=True, slots=True)
class Proved:
    """What became of each criterion's proof. ``runs``: tests that no verify command runs, each run by itself."""

    proofs: tuple[ProofRun, ...]
    runs: tuple[CommandRun, ...]


@dataclass(frozen=True, slots=True)
class Prover:
    """Runs commands for one job. ``layer``: what `setup` installed at base."""

    room: Room
    layer: Layer | None

    def run_all(self, asked: Sequence[Asked]) -> list[CommandRun]:
        """Every command, two at a time, answered in order. Raises what stops the job."""
        with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="prove") as pool:
            return list(pool.map(self._run, asked))

    def verify(self, commands: Iterable[str], tree: Path, prepare: Prepare = _as_it_is) -> list[Asked]:
        """The runs that verify a tree."""
        return [Asked(command, tree, prepare) for command in commands]

    def _run(self, asked: Asked) -> CommandRun:
        self.room.go_on()
        decision = judge(asked.command, Profile.IMPLEMENTER)
        if not decision.allowed:
            return _not_run(asked.command, f"The command guard refuses it ({decision.rule}): {decision.reason}")
        made = instrumented(asked.command, _mark())
        try:
            ran = self._once(asked, made.argv)
            printed, tests = read(made, _text(ran))
            if lost_plugin(made, printed):
                # Another interpreter than ours: its tests cannot be followed by name, and are run as they are.
                ran = self._once(asked, plain_argv(asked.command))
                printed, tests = _text(ran), None
        except SandboxError as refused:
            return _not_run(asked.command, refused.sentence)
        if ran.timed_out or ran.note:
            printed = f"{printed}\n{ran.note}"
        whole = self.room.redactor.redact(without_terminal_codes(printed.strip())).text
        self._watch(asked.command, whole)
        return CommandRun(
            command=asked.command,
            exit_code=ran.exit_code,
            timed_out=ran.timed_out,
            seconds=round(ran.seconds, 3),
            output_tail=clean(veiled(whole))[-TAIL_CHARACTERS:],
            tests=None
            if tests is None
            else {clean(self.room.redact(name)): outcome for name, outcome in tests.items()},
        )

    def _watch(self, command: str, output: str) -> None:
        """Raises Interrupted when the command brought out a planted secret that nobody meets by chance."""
        kinds = self.room.shown_in(output)
        if carries_away(kinds, command):
            raise self.room.halt(f"the output of {command[:200]!a}", kinds=sorted(kinds), command=command[:300])
        if kinds:
            self.room.trace("the output", stopped=False, kinds=sorted(kinds), command=command[:300])

    def _once(self, asked: Asked, argv: tuple[str, ...]) -> Ran:
        copy = Workspace.create(asked.tree, self.room.place / f"run-{secrets.token_hex(8)}")
        try:
            asked.prepare(copy.root)
            ran = self.room.sandbox.run_argv(
                self.room.canary.planted(*argv),
                tree=copy.root,
                writable=True,
                layer=self.layer,
                protection=None,
                limits=self.room.limits(OUTPUT_BYTES),
                env=self.room.canary.env,
            )
            log.info("sandbox_ran", seconds=ran.seconds, exit_code=ran.exit_code)
            return ran
        finally:
            copy.remove()

    def proofs(self, criteria: Sequence[Criterion], as_is: VerifyRun, tree: Path) -> Proved:
        """Whether each criterion's proof holds on ``tree``: a test that ran already is not run again."""
        reported = {test: outcome for run in as_is.runs for test, outcome in (run.tests or {}).items()}
        waiting: list[tuple[int, Asked]] = []
        found: dict[int, ProofRun] = {}
        for index, criterion in enumerate(criteria):
            proof = criterion.proof
            match proof:
                case CommandProof():
                    waiting.append((index, Asked(proof.command, tree)))
                case TestProof():
                    tests = named_by(proof.test, reported)
                    if tests:
                        bad = sorted(test for test in tests if reported[test] != "passed")
                        told = f"{bad[0]} is {reported[bad[0]]}" if bad else "passed"
                        found[index] = ProofRun(criterion=criterion.id, proof=proof.test, held=not bad, detail=told)
                    else:
                        waiting.append((index, Asked(single_test_command(proof.test), tree)))
        runs = self.run_all([asked for _, asked in waiting])
        for (index, _), run in zip(waiting, runs, strict=True):
            found[index] = self._proof(criteria[index], run, as_is)
        alone = [
            run for (index, _), run in zip(waiting, runs, strict=True) if isinstance(criteria[index].proof, TestProof)
        ]
        return Proved(tuple(found[index] for index in sorted(found)), tuple(alone))

    def _proof(self, criterion: Criterion, run: CommandRun, as_is: VerifyRun) -> ProofRun:
        last = run.output_tail.rsplit("\n", 1)[-1][:300]
        match criterion.proof:
            case CommandProof(command=command):
                held: bool | None = run.exit_code == 0 and not run.timed_out
                detail = "exit code 0" if held else f"exit code {run.exit_code}: {last}"
                return ProofRun(criterion=criterion.id, proof=command, held=held, detail=detail)
            case TestProof(test=test):
                tests = named_by(test, run.tests or {})
                held = bool(tests) and all((run.tests or {})[one] == "passed" for one in tests) and run.exit_code == 0
                detail = "passed" if held else f"it did not pass: {last}" if tests else "there is no such test"
                if not tests and not _is_python(test) and all(one.tests is None for one in as_is.runs):
                    held, detail = None, "the test runner's ids cannot be read; prove it by a command"
                return ProofRun(criterion=criterion.id, proof=test, held=held, detail=detail)


def _is_python(test: str) -> bool:
    return test.partition("::")[0].endswith(".py")


def named_by(test: str, reported: Iterable[str]) -> list[str]:
    """The reported ids that a proof's test names: itself, its parameters, and what stands below a class or file."""
    return [one for one in reported if one == test or one.startswith((f"{test}[", f"{test}::"))]


def _mark() -> str:
    return secrets.token_hex(12)


def _text(ran: Ran) -> str:
    return ran.output.decode("utf-8", "replace")


def _not_run(command: str, why: str) -> CommandRun:
    return CommandRun(command=command, exit_code=NOT_RUN, timed_out=False, seconds=0.0, output_tail=why, tests=None)


def readable(runs: Iterable[CommandRun]) -> list[str]:
    """Commands whose tests can be told apart."""
    return [run.command for run in runs if run.tests is not None]
