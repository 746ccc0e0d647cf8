"""`JobKind.VERIFY`: everything the work gate asks about the merged tree, runs in fresh sandboxes included (DESIGN section 5)."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.domain.facts import ChangeFact, CommandRun, PlanFacts, TestFileFact, VerifyRun, WorkFacts
from bot.domain.outcome import Done, Outcome
from bot.domain.plan import Plan
from bot.domain.subject import PlanSubject
from bot.domain.work import Change, FileDiff, Patch
from bot.ports import records as r
from workers.agents.desk import AgentDesk
from workers.agents.proving import Prover, readable
from workers.agents.room import Interrupted, Room, open_room
from workers.agents.runners.planting import Planted, plant
from workers.agents.runners.roles import role_of
from workers.agents.runners.units import fact_of
from workers.sandbox.workspaces import write_bytes

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


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
    work = Changes(room, subject.plan, {one.path: one for one in patch.changes}, diff)
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
        return facts.model_copy(
            update={
                "as_is": as_is,
                "base_tests": base_tests,
                "planted": _planted(prover, as_is, root, sorted(room.desk.trees.entries(tree))),
                "proofs": tuple(prover.proofs(facts.plan.acceptance, as_is, root)),
            }
        )


def _planted(prover: Prover, as_is: VerifyRun, root: Path, files: Sequence[str]) -> VerifyRun:
    """Run (c). Nothing is known (None) where no runner's ids can be read; a planted test that is not seen did not fail."""
    commands = readable(as_is.runs)
    passed = [test for run in as_is.runs for test, outcome in (run.tests or {}).items() if outcome == "passed"]
    if not commands:
        return VerifyRun()
    word = "".join(secrets.choice(_LETTERS) for _ in range(12))
    made: list[Planted | None] = []
    runs = prover.run_all(prover.verify(commands, root, lambda copy: made.append(plant(copy, passed, files, word))))
    planted = next((one for one in made if one is not None), None)
    if planted is None:
        return VerifyRun()
    seen = planted.outcomes(runs)
    failed = bool(seen) and all(outcome == "failed" for outcome in seen.values())
    return VerifyRun(
        runs=tuple(_quiet(run) for run in runs),
        planted=", ".join(sorted(seen)[:4]) or planted.names[0],
        planted_failed=failed,
    )


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
        for file in self.diff:
            role = role_of(file.path)
            if role is not None:
                found.append(fact_of(file.path, role, file.kind, self._before(file.path), self._after(file.path)))
        return found

    def put_tests_back(self, root: Path) -> None:
        """Run (b): tests and runner configuration as base has them, but for what the approved plan announces."""
        announced = {one.path for one in self.plan.tests}
        files = [one for one in self.diff if role_of(one.path) is not None and one.path not in announced]
        for file in files:
            if file.kind == "added":
                (root / file.path).unlink()
        for file in files:
            before = self._before(file.path)
            if before is not None:
                write_bytes(root, file.path, before)
                (root / file.path).chmod(0o755 if file.old_mode == "100755" else 0o644)
