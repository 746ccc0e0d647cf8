"""`JobKind.VERIFY`: everything the work gate asks about the merged tree, runs in fresh sandboxes included (DESIGN section 5)."""

from __future__ import annotations

import base64
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from random import Random

from bot.domain.facts import ChangeFact, CommandRun, PlanFacts, TestFileFact, VerifyRun, WorkFacts
from bot.domain.outcome import Done, Outcome
from bot.domain.plan import Plan, TestProof
from bot.domain.subject import PlanSubject
from bot.domain.work import Change, FileDiff, Patch
from bot.ports import records as r
from workers.agents.desk import AgentDesk
from workers.agents.proving import Prover, named_by, readable
from workers.agents.room import Interrupted, Room, open_room
from workers.agents.runners.failures import name_from
from workers.agents.runners.following import follows
from workers.agents.runners.outcomes import kind_of
from workers.agents.runners.planting import MOST_TURNED, Planted, plant
from workers.agents.runners.runner_files import Concern, Surroundings, concern_of
from workers.agents.runners.units import fact_of
from workers.agents.runners.units_python import fixtures_of
from workers.sandbox.workspaces import write_bytes

_RECIPES = frozenset({"makefile", "gnumakefile", "justfile", "package.json", "tox.ini", "taskfile.yml"})
"""Files whose text says what a verify command starts."""


def verify(desk: AgentDesk, job: r.Job) -> Outcome:
    """Handler. Payload ``{snapshot, plan, plan_facts, patch, steps, refused, canaries, conflicts}``; result ``{facts}``."""
    with open_room(desk, job) as room:
        try:
            return Done({"facts": room.keep("facts", _facts(room).model_dump(mode="json"))})
        except Interrupted as word:
            return word.outcome


def _facts(room: Room) -> WorkFacts:
    payload = room.job.payload
    subject = PlanSubject.model_validate_json(room.get(str(payload["plan"])))
    base_facts = PlanFacts.model_validate_json(room.get(str(payload["plan_facts"])))
    patch = room.patch(str(payload["patch"])) if payload["patch"] else Patch(base_tree=room.snapshot.base_tree)
    tree = room.desk.trees.apply(patch)
    diff = room.desk.trees.diff(room.snapshot.base_tree, tree)
    work = Changes.of(room, subject, {one.path: one for one in patch.changes}, diff)
    facts = WorkFacts(
        plan=subject.plan,
        verify=subject.verify,
        steps={name: tuple(paths) for name, paths in payload["steps"].items()},
        conflicts=tuple(payload["conflicts"]),
        refused=tuple(payload["refused"]),
        changes=tuple(work.change(one) for one in diff),
        diff=diff,
        test_files=tuple(work.test_files()),
        protected=room.snapshot.config.protected,
        base=VerifyRun(runs=base_facts.runs),
        canaries=tuple(payload["canaries"]),
    )
    odd = any(mode in {"120000", "160000"} for one in diff for mode in (one.old_mode, one.new_mode))
    if facts.conflicts or facts.refused or facts.canaries or odd or not diff:
        return facts  # closed already: nothing of it is run
    return _with_runs(room, facts, work, tree)


def _with_runs(room: Room, facts: WorkFacts, work: Changes, tree: str) -> WorkFacts:
    """Runs (a), (b) and (c), and the proofs; (a) and (b) side by side."""
    prover = Prover(room, room.layer())
    with room.leased(tree) as root:
        first = prover.verify(facts.verify, root)
        second = prover.verify(facts.verify, root, work.put_tests_back)
        runs = prover.run_all([*first, *second])
        as_is = VerifyRun(runs=tuple(runs[: len(first)]))
        base_tests = VerifyRun(runs=tuple(runs[len(first) :]))
        proved = prover.proofs(facts.plan.acceptance, as_is, root)
        files = sorted(room.desk.trees.entries(tree))
        return facts.model_copy(
            update={
                "as_is": as_is,
                "base_tests": base_tests,
                "test_files": follows(facts.test_files, as_is),
                "planted": _planted(prover, facts.plan, (*as_is.runs, *proved.runs), root, files),
                "proofs": proved.proofs,
            }
        )


def _planted(prover: Prover, plan: Plan, ran: Sequence[CommandRun], root: Path, files: Sequence[str]) -> VerifyRun:
    """Run (c). Nothing is known (None) where no runner's ids can be read; a planted test that is not seen did not fail.

    ``ran``: what ran on the tree as it is, tests that prove a criterion and are run by themselves included.
    """
    commands = list(dict.fromkeys(readable(ran)))
    passed = {test for run in ran for test, outcome in (run.tests or {}).items() if outcome == "passed"}
    if not commands:
        return VerifyRun()
    planting = _Planting.of(prover, commands, passed)
    planted, runs = planting.run(root, files, _turned(plan, passed))
    if planted is None:
        return VerifyRun()
    problem = planted.problem(runs) or _hidden(planting, planted.unseen(runs))
    seen = planted.outcomes(runs)
    return VerifyRun(
        runs=tuple(_quiet(run) for run in runs),
        planted=", ".join(sorted(seen)[:4]) or planted.names[0],
        planted_failed=not problem,
        planted_problem=problem,
    )


@dataclass(frozen=True, slots=True)
class _Planting:
    """What one verification plants. ``seed``: nobody knows it before; every copy of a tree gets the same tests."""

    prover: Prover
    commands: Sequence[str]
    passed: frozenset[str]
    known: Sequence[str]
    seed: str

    @staticmethod
    def of(prover: Prover, commands: Sequence[str], passed: set[str]) -> _Planting:
        """``passed``: ids of tests that passed on the work's tree."""
        return _Planting(prover, commands, frozenset(passed), base_paths(prover.room), secrets.token_hex(32))

    def run(self, root: Path, files: Sequence[str], turn: Sequence[str]) -> tuple[Planted | None, list[CommandRun]]:
        """Every command on a copy of ``root`` with planted tests; what was planted is None where nothing could be."""
        made: list[Planted | None] = []

        def prepare(copy: Path) -> None:
            chance = Random(self.seed)  # noqa: S311  # its seed is secret, and each copy must get the same
            word = name_from(chance)
            kinds = {kind_of(command) for command in self.commands}
            made.append(plant(copy, self.passed, files, word, kinds=kinds, chance=chance, turn=turn, known=self.known))

        runs = self.prover.run_all(self.prover.verify(self.commands, root, prepare))
        return next((one for one in made if one is not None), None), runs


def _hidden(planting: _Planting, unseen: frozenset[str]) -> str:
    """Whether tests of random names, which the work's runs do not report at ``unseen`` places, are reported at base."""
    if not unseen:
        return ""
    planted, runs = planting.run(planting.prover.room.base, planting.known, ())
    if planted is None:
        return ""
    places = {group.place for group in planted.groups} - planted.unseen(runs)
    hidden = sorted(places & unseen)
    return f"a test of a random name in {hidden[0]} is run at base and not here" if hidden else ""


def _turned(plan: Plan, passed: set[str]) -> list[str]:
    """Tests that are made to fail under their own names: each that proves a criterion, and others by chance."""
    proofs = [one.proof.test for one in plan.acceptance if isinstance(one.proof, TestProof)]
    proving = sorted({test for proof in proofs for test in named_by(proof, passed)})[:MOST_TURNED]
    others = sorted(passed.difference(proving))
    more = secrets.SystemRandom().sample(others, min(len(others), MOST_TURNED - len(proving)))
    return [*proving, *more]


def base_paths(room: Room) -> list[str]:
    """Every path of base's tree."""
    return sorted(room.desk.trees.entries(room.snapshot.base_tree))


def _quiet(run: CommandRun) -> CommandRun:
    """Without the other tests' outcomes, which say nothing here."""
    return run.model_copy(update={"output_tail": run.output_tail[-1_000:]})


@dataclass(frozen=True, slots=True)
class Changes:
    """The merged work, path by path."""

    room: Room
    plan: Plan
    patch: dict[str, Change]
    diff: tuple[FileDiff, ...]
    around: Surroundings

    @staticmethod
    def of(room: Room, subject: PlanSubject, patch: dict[str, Change], diff: tuple[FileDiff, ...]) -> Changes:
        """``subject``: the approved plan with the verify commands in effect."""
        trees, base = room.desk.trees, room.snapshot.base_tree
        paths = frozenset(trees.entries(base))
        recipes = [path for path in sorted(paths) if path.rpartition("/")[2].lower() in _RECIPES]
        scripts = [(trees.read(base, path) or b"").decode("utf-8", "replace") for path in recipes[:50]]
        return Changes(room, subject.plan, patch, diff, Surroundings.of(paths, subject.verify, scripts))

    def concern(self, file: FileDiff) -> Concern | None:
        """Whether a changed file is a test's or the runner's."""
        return concern_of(file.path, self._before(file.path), self._after(file.path), self.around)

    def _before(self, path: str) -> bytes | None:
        return self.room.desk.trees.read(self.room.snapshot.base_tree, path)

    def _after(self, path: str) -> bytes | None:
        change = self.patch.get(path)
        return None if change is None or change.content is None else base64.b64decode(change.content)

    def change(self, file: FileDiff) -> ChangeFact:
        """One changed path with the kinds of secrets that it adds."""
        data = self._after(file.path) or b""
        return ChangeFact(
            path=file.path,
            kind=file.kind,
            old_mode=file.old_mode,
            new_mode=file.new_mode,
            size=len(data),
            secrets=self._secrets(file, data),
        )

    def _secrets(self, file: FileDiff, data: bytes) -> tuple[str, ...]:
        """Secrets on added lines: found in the whole file, since some span lines. A name can hold one, too."""
        redactor = self.room.desk.redactor
        text = data.decode("utf-8", "surrogateescape")
        added = {line for hunk in file.hunks for line in range(hunk.head_start, hunk.head_start + hunk.head_count)}
        kinds = {match.kind for match in redactor.find(file.path)} if file.kind == "added" else set()
        for match in redactor.find(text):
            first = text.count("\n", 0, match.start) + 1
            last = first + text.count("\n", match.start, max(match.end - 1, match.start))
            if file.binary or added.intersection(range(first, last + 1)):
                kinds.add(match.kind)
        return tuple(sorted(kinds))

    def test_files(self) -> list[TestFileFact]:
        """How tests and runner configuration changed."""
        found = []
        fixtures = self._fixtures()
        for file in self.diff:
            concern = self.concern(file)
            if concern is not None:
                before, after = self._before(file.path), self._after(file.path)
                fact = fact_of(file.path, concern.role, file.kind, before, after, fixtures)
                found.append(fact.model_copy(update={"why": concern.why}))
                if concern.tests:
                    # What its own tests lost, and whether they can fail, is asked as well.
                    found.append(fact_of(file.path, "test", file.kind, before, after, fixtures))
        return found

    def _fixtures(self) -> frozenset[str] | None:
        """Names of base's ``conftest.py`` files, which a new fixture may replace; None where plugins may define more."""
        paths = [path for path in base_paths(self.room) if path.rpartition("/")[2] == "conftest.py"]
        texts = [self._before(path) or b"" for path in paths]
        if any(b"pytest_plugins" in text for text in texts):
            return None
        return frozenset().union(*(fixtures_of(text) for text in texts))

    def put_tests_back(self, root: Path) -> None:
        """Run (b): tests and runner configuration as base has them, but for what the approved plan announces."""
        announced = {one.path for one in self.plan.tests}
        files = [one for one in self.diff if one.path not in announced and self.concern(one) is not None]
        for file in files:
            if file.kind == "added":
                (root / file.path).unlink()
        for file in files:
            before = self._before(file.path)
            if before is not None:
                _make_way(root, file.path)
                write_bytes(root, file.path, before)
                (root / file.path).chmod(0o755 if file.old_mode == "100755" else 0o644)


def _make_way(root: Path, path: str) -> None:
    """Remove the work's file that stands where a folder of ``path`` was at base, or its folder where ``path`` was."""
    for folder in reversed(PurePosixPath(path).parents[:-1]):
        if (root / folder).is_symlink() or (root / folder).is_file():
            (root / folder).unlink()
            return
    here = root / path
    if here.is_dir() and not here.is_symlink():
        shutil.rmtree(here)
