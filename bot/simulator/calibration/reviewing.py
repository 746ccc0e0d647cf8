"""One diff before the code reviewers as in a run: their jobs, their sandboxes, what counts as a review, what is admitted."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bot.adapters.git_bundle import write_bundle
from bot.bootstrap import Parts
from bot.domain.errors import ConductorError, Fault, OverBudget, UserError
from bot.domain.facts import Delivered
from bot.domain.jobs import QUEUE_OF, JobKind
from bot.domain.ledger import LedgerFinding
from bot.domain.outcome import Outcome
from bot.domain.repo_config import RepoConfig
from bot.domain.review import Review
from bot.domain.subject import canonical
from bot.domain.work import CodeSubject, FileDiff
from bot.domain.workflow import SOFTWARE
from bot.gates.coverage import uncovered
from bot.gates.evidence import contains, lines_in
from bot.ports import records as r
from bot.services.desk import ask, new_job
from bot.services.ledgers import Ledgers, SeatAnswer
from bot.services.performing import Performer
from bot.simulator.calibration.figures import Judged, Raised, touches
from bot.simulator.calibration.history import Commit, History
from bot.simulator.calibration.seeding import Seed, clean_patch
from bot.simulator.calibration.subject import plan_subject, snapshot_of

INSTALLATION: Final = 1
REPOSITORY: Final = 1
STAGE: Final = SOFTWARE.stages[-1]
LONGEST_SLEEP_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Trial:
    """One diff to be reviewed. ``seed`` is None for the diff as it was."""

    number: int
    commit: Commit
    seed: Seed | None


@dataclass(slots=True)
class Reviewers:
    """Puts trials before the reviewers, one after the other. ``name``: the repository's, as models are told it."""

    parts: Parts
    history: History
    config: RepoConfig
    name: str
    _snapshots: dict[str, str] = field(default_factory=dict)
    _failed: dict[str, ConductorError] = field(default_factory=dict)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        with self.parts.storage.begin() as tx:
            tx.places.put_installation(r.Installation(INSTALLATION, "local", suspended=False, created_at=self._now()))
            tx.places.put_repository(r.Repository(REPOSITORY, INSTALLATION, self.name, "main", private=True))

    @property
    def seats(self) -> tuple[str, ...]:
        return tuple(f"{STAGE.reviewer}.{number}" for number in range(1, self.config.reviewers + 1))

    def judge(self, trial: Trial, budget_micro_dollars: int) -> Judged:
        """Review one diff for at most so much. Raises ``OverBudget`` when that is not enough for it."""
        run, subject, tree = self._begun(trial, budget_micro_dollars)
        findings: tuple[LedgerFinding, ...] = ()
        try:
            findings, problem = self._reviewed(run, subject, tree, trial.commit)
        except OverBudget:
            raise
        except ConductorError as error:
            if error.fault is Fault.USER and trial.number == 1:
                # What the first one cannot do, none can: a wrong key, no sandbox, an unknown model.
                raise
            problem = error.sentence
        seed = trial.seed
        return Judged(
            number=trial.number,
            commit=trial.commit.sha,
            defect=None if seed is None else seed.defect,
            path="" if seed is None else seed.path,
            lines=(0, 0) if seed is None else seed.lines,
            before="" if seed is None else seed.before,
            after="" if seed is None else seed.after,
            findings=tuple(self._raised(one, tree, seed) for one in findings),
            problem=problem,
            micro_dollars=self.spent(trial),
        )

    def spent(self, trial: Trial) -> int:
        """Micro-dollars of a trial so far, reservations of calls that never ended among them."""
        with self.parts.storage.read() as tx:
            run = tx.runs.get(_name(trial))
        return 0 if run is None else run.spent_micro_dollars + run.reserved_micro_dollars

    def _now(self) -> int:
        return self.parts.desk.clock.now()

    def _begun(self, trial: Trial, budget: int) -> tuple[r.Run, str, str]:
        """The run, its code subject, and the tree under review."""
        desk, commit = self.parts.desk, trial.commit
        patch = clean_patch(self.history, commit) if trial.seed is None else trial.seed.patch
        tree = commit.tree if trial.seed is None else trial.seed.tree
        put = desk.artifacts.put
        subject = CodeSubject(
            base_tree=commit.base_tree,
            tree=tree,
            patch_sha256=put(INSTALLATION, canonical(patch.model_dump(mode="json"))),
            plan_sha256=put(INSTALLATION, plan_subject(commit, self.config).document),
        )
        now = self._now()
        run = r.Run(
            id=_name(trial),
            installation_id=INSTALLATION,
            repository_id=REPOSITORY,
            issue_number=trial.number,
            workflow=SOFTWARE.name,
            branch=f"conductor/{trial.number}",
            requester_id=1,
            requester_login="shell",
            delivery_id="",
            created_at=now,
            updated_at=now,
            snapshot_sha256=self._snapshot(commit),
            budget_micro_dollars=budget,
            rounds={STAGE.name: 1},
        )
        with self.parts.storage.begin() as tx:
            tx.runs.add(run)
        return run, put(INSTALLATION, canonical(subject.model_dump(mode="json"))), tree

    def _snapshot(self, commit: Commit) -> str:
        if commit.sha not in self._snapshots:
            artifacts = self.parts.desk.artifacts
            with tempfile.TemporaryDirectory(prefix="conductor-snapshot-") as folder:
                bundle = Path(folder) / "base.bundle"
                write_bundle(self.history.git, commit.base_tree, bundle)
                name = artifacts.put_file(INSTALLATION, bundle)
            made = snapshot_of(self.history, commit, self.config, name, name=self.name)
            self._snapshots[commit.sha] = artifacts.put(INSTALLATION, canonical(made.model_dump(mode="json")))
        return self._snapshots[commit.sha]

    def _reviewed(self, run: r.Run, subject: str, tree: str, commit: Commit) -> tuple[tuple[LedgerFinding, ...], str]:
        """Open, verified findings, and why there is no counting review. A seat without one gets one new context."""
        ledgers = Ledgers(self.parts.desk)
        diff = self.history.trees.diff(commit.base_tree, tree)
        # The models that declined, by seat; one more context than there are entries or answers that did not count.
        tries: dict[str, list[str]] = {seat: [] for seat in self.seats}
        while True:
            answers = [self._answer(run, job, diff) for job in self._done(run, subject, tries)]
            without = {one.seat: one.why_not for one in answers if not one.counts}
            if not without:
                with self.parts.storage.begin() as tx:
                    ledgers.admit(tx, run, STAGE, subject, answers)
                    found = tuple(one for one in ledgers.load(tx, run).findings if one.status == "open")
                asking = [one.seat for one in answers if one.review is not None and one.review.verdict != "approve"]
                if found or not asking:
                    return tuple(one for one in found if not one.concern), ""
                without = dict.fromkeys(asking, "it asks for changes and proves none")
            if any(len(tries[seat]) + 1 >= self.parts.desk.limits.review_attempts for seat in without):
                return (), "; ".join(f"{seat}: {why}" for seat, why in without.items())
            refused = {one.seat: one.refused for one in answers}
            tries |= {seat: [*tries[seat], refused[seat]] for seat in without}

    def _done(self, run: r.Run, subject: str, tries: Mapping[str, Sequence[str]]) -> list[r.Job]:
        """Every seat's job at its end, side by side. Raises what ended one of them."""
        with ThreadPoolExecutor(len(tries), thread_name_prefix="seat") as pool:
            asked = [pool.submit(self._job, run, subject, seat, declined) for seat, declined in tries.items()]
            try:
                done = [one.result() for one in asked]
            except BaseException:
                # The pool waits for its threads: they have to hear of it first.
                self._stop()
                raise
        for job in done:
            if job.state != "done":
                raise self._failed.get(job.id) or UserError(f"The {job.role} could not work: {job.reason}")
        return done

    def _answer(self, run: r.Run, job: r.Job, diff: Sequence[FileDiff]) -> SeatAnswer:
        load, result = self.parts.desk.load, job.result
        name, model = str(result.get("review") or ""), str(result.get("model", ""))
        missing: tuple[str, ...] = ()
        if name:
            missing = uncovered(diff, [Delivered.model_validate(one) for one in load(run, str(result["delivered"]))])
        return SeatAnswer(
            seat=job.role,
            review=Review.model_validate(load(run, name)) if name else None,
            dropped=tuple(Review.model_validate(load(run, one)) for one in result.get("dropped", [])),
            uncovered=missing,
            problem=str(result.get("problem", "")),
            refused=model if result.get("declined") else "",
            model=model,
        )

    def _stop(self) -> None:
        self._stopping.set()
        self.parts.stopping.set("system", "", stopped=True, by="shell", reason="the calibration ends")

    def _job(self, run: r.Run, subject: str, seat: str, tried: Sequence[str]) -> r.Job:
        """One seat's context to its end; waits where the model asks for that. ``tried``: who declined, "" who did not."""
        payload = {
            "snapshot": run.snapshot_sha256,
            "subject": subject,
            "ledger": [],
            "work_facts": "",
            "plan_facts": "",
            "declined": [one for one in tried if one],
        }
        made = new_job(
            self.parts.desk,
            run,
            f"review:{seat}:{len(tried) + 1}",
            JobKind.REVIEW,
            QUEUE_OF[JobKind.REVIEW],
            stage=STAGE.name,
            role=seat,
            round=1,
            payload=payload,
        )
        with self.parts.storage.begin() as tx:
            job = ask(tx, made)
        performer = Performer(
            self.parts.desk, {JobKind.REVIEW: self._watched(self.parts.performer.handlers[JobKind.REVIEW])}
        )
        while job.state not in {"done", "failed", "cancelled"} and not self._stopping.is_set():
            time.sleep(min(max(job.not_before - self._now(), 0) / 1000, LONGEST_SLEEP_S))
            performer.perform(job.id)
            with self.parts.storage.read() as tx:
                job = tx.jobs.get(job.id) or job
        return job

    def _watched(self, handler: Callable[[r.Job], Outcome]) -> Callable[[r.Job], Outcome]:
        """The handler, whose error is kept as it is beside the sentence that the job ends with."""

        def watched(job: r.Job) -> Outcome:
            try:
                return handler(job)
            except ConductorError as error:
                self._failed[job.id] = error
                raise

        return watched

    def _raised(self, finding: LedgerFinding, tree: str, seed: Seed | None) -> Raised:
        cited = [piece for piece in finding.evidence if "path" in piece]
        return Raised(
            id=finding.id,
            seats=finding.raised_by,
            severity=finding.severity.value,
            category=finding.category.value,
            title=finding.title,
            places=tuple((str(one["path"]), int(one["start_line"]), int(one["end_line"])) for one in cited),
            touches=seed is not None and any(self._touches(piece, tree, seed) for piece in cited),
        )

    def _touches(self, piece: Mapping[str, Any], tree: str, seed: Seed) -> bool:
        if piece["path"] != seed.path:
            return False
        first, last = int(piece["start_line"]), int(piece["end_line"])

        def quoted() -> list[tuple[int, int]]:
            redact = self.parts.desk.redactor.redact
            data = self.history.trees.read(tree, seed.path) or b""
            lines = lines_in(redact(data.decode("utf-8", "surrogateescape")).text)
            quote = redact(str(piece["quote"])).text
            height = quote.strip("\n").count("\n") + 1
            starts = range(first, last - height + 2)
            return [
                (at, at + height - 1) for at in starts if contains("\n".join(lines[at - 1 : at + height - 1]), quote)
            ]

        return touches((first, last), quoted, seed.lines)


def _name(trial: Trial) -> str:
    # It goes to the endpoint with each request, so it tells nothing but the order.
    return f"trial-{trial.number}"
