"""Runs one scenario: a simulated GitHub, a scripted model, the real App beside them, and people who act in order (DESIGN section 11)."""

from __future__ import annotations

import os
import secrets
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, assert_never

from bot.adapters.storage import SqlStorage
from bot.domain.errors import ConductorError, UserError
from bot.domain.workflow import ENDS
from bot.ports import records as r
from bot.ports.queue import Nudge
from bot.ports.storage import Transaction
from bot.simulator import acts as a
from bot.simulator.github.faults import Fault
from bot.simulator.github.people import NothingThere
from bot.simulator.github.server import SimulatedGitHub
from bot.simulator.model import SCRIPTED_MODEL, ScriptedModel
from bot.simulator.repo_source import RepoFile, RepoFiles
from bot.simulator.report import Outcome, build_report
from bot.simulator.scenario import FlushFault, GithubFault, KillFault, Scenario
from bot.simulator.topology import Topology, TopologyName

APP_ID: Final = 4_711
POLL_S: Final = 0.03
CONFIG_PATH: Final = ".github/conductor.yml"
LIVE_URL: Final = "https://api.anthropic.com"


class _Silent:
    """The runner only reads; nothing is nudged from here."""

    def nudge(self, what: Nudge, subject: str, *, queue: str = "") -> None:
        raise AssertionError(f"the runner nudges nothing, not even {what} {subject} on {queue}")


@dataclass(slots=True)
class Runner:
    """One scenario's run. ``watch`` is called after every look at the records, for live views; ``decide`` may add acts (the demo's question)."""

    scenario: Scenario
    topology_name: TopologyName = "embedded"
    watch: Callable[[Transaction, r.Run | None], None] = lambda _tx, _run: None
    decide: Callable[[str], str | None] = lambda _state: None
    keep_directory: Path | None = None
    _end: float = 0.0
    _heads_checked: set[tuple[str, int]] = field(default_factory=set)
    _armed: set[int] = field(default_factory=set)
    _done_faults: dict[int, int] = field(default_factory=dict)

    def run(self) -> dict[str, Any]:
        """The report; never raises for what the App does wrong, only for what the scenario cannot mean."""
        with ExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="conductor-scenario-")))
            secret = secrets.token_hex(24)
            github = stack.enter_context(self._github(secret))
            model = self._model(stack)
            self._seed(github)
            topology = self._topology(directory, github, model, secret)
            outcome = Outcome(self.scenario, github, model)
            try:
                stack.enter_context(topology)
            except ConductorError as error:
                outcome.problem = error.sentence
                return build_report(None, outcome)
            github.webhook_url = f"{topology.url}/webhooks/github"
            storage = SqlStorage(topology.database_url, _Silent())
            stack.callback(storage.close)
            self._end = time.monotonic() + self.scenario.until.seconds
            try:
                outcome.reached = self._play(github, topology, storage)
            except (ConductorError, NothingThere) as error:
                outcome.problem = f"{error}"
            outcome.faults = self._fault_report(github)
            if not outcome.reached and not outcome.problem:
                outcome.problem = (
                    f"none of {list(self.scenario.until.state)} was reached within {self.scenario.until.seconds:.0f} s"
                )
            outcome.logs = topology.logs()
            with storage.read() as tx:
                return build_report(tx, outcome)

    # Setting up

    def _github(self, secret: str) -> SimulatedGitHub:
        return SimulatedGitHub(
            app_id=APP_ID,
            webhook_secret=secret,
            drafts_allowed=self.scenario.repo_facts.drafts,
            faults=[_fault(one) for one in self.scenario.faults if isinstance(one, GithubFault) and one.when is None],
        )

    def _model(self, stack: ExitStack) -> ScriptedModel | None:
        if self.scenario.script is not None:
            return stack.enter_context(ScriptedModel(self.scenario.script))
        if not os.environ.get("ANTHROPIC_API_KEY"):
            raise UserError(
                f"{self.scenario.path} has no model and ANTHROPIC_API_KEY is not set: script the model's replies, or set the key to use a live one"
            )
        return None

    def _topology(self, directory: Path, github: SimulatedGitHub, model: ScriptedModel | None, secret: str) -> Topology:
        live = {"model_url": os.environ.get("ANTHROPIC_BASE_URL", LIVE_URL)}
        scripted = {"model_url": model.base_url, "model_name": SCRIPTED_MODEL} if model is not None else live
        settings: dict[str, Any] = {
            "data": str(directory / "data"),
            "artifacts": str(directory / "artifacts"),
            "app_id": APP_ID,
            "github_url": github.url,
            "pacing_ms": 0,
            "lease_ms": 10_000,
            "tick_ms": 200,
            "threads": 8,
            **scripted,
            **self.scenario.settings,
        }
        key = os.environ["ANTHROPIC_API_KEY"] if model is None else f"sk-scripted-{secrets.token_hex(16)}"
        given = {"webhook_secret": secret, "app_private_key": github.private_key_pem, "model_key": key}
        return Topology(self.topology_name, directory, settings, given)

    def _seed(self, github: SimulatedGitHub) -> None:
        scenario = self.scenario
        facts = scenario.repo_facts
        source = _files(scenario.repo.files) if isinstance(scenario.repo, RepoFiles) else scenario.repo.path
        config = scenario.config_text()
        if isinstance(source, dict) and not source and config is None:
            github.add_repository(facts.name, None, private=facts.private)
        else:
            if config is not None and isinstance(source, dict):
                source[CONFIG_PATH] = config
            github.add_repository(facts.name, source, private=facts.private)
        for login in {*scenario.people, scenario.issue.author}:
            github.add_person(login, scenario.permission_of(login))
        if config is not None and not isinstance(source, dict):
            github.push("main", {CONFIG_PATH: config}, by=None, message="Configure Conductor")
        if facts.required_checks:
            github.protect("main", list(facts.required_checks))
        issue = scenario.issue
        github.open_issue(issue.number, issue.title, issue.body or "", issue.author)
        for check in scenario.check_runs:
            if check.base is not None:
                github.add_check_run(
                    check.name, check.base, head_sha=github.world.only_repository().git.ref("refs/heads/main")
                )

    # Playing

    def _play(self, github: SimulatedGitHub, topology: Topology, storage: SqlStorage) -> bool:
        for position, act in enumerate(self.scenario.people_do):
            ready = self._until(
                github,
                topology,
                storage,
                lambda run, tx, when=act.when: self._over(run, tx) or self._may_act(run, tx, when),
            )
            if not ready:
                return False
            with storage.read() as tx:
                if not self._may_act(self._newest(tx), tx, act.when):
                    return True
            answer = self.decide(act.when) if isinstance(act, a.Comment) else None
            if answer is not None:
                act = act.model_copy(update={"comment": answer})  # noqa: PLW2901 - the person chose otherwise
            self._act(github, act, position)
        reached = self._until(
            github, topology, storage, lambda run, _tx: run is not None and run.state in self.scenario.until.state
        )
        # Then, within the seconds, everything that is due is let come to its end.
        self._until(github, topology, storage, _quiet)
        return reached

    def _until(
        self, github: SimulatedGitHub, topology: Topology, storage: SqlStorage, ready: Callable[..., bool]
    ) -> bool:
        while time.monotonic() < self._end:
            topology.check()
            pending = github.pending_deliveries()
            with storage.read() as tx:
                run = self._newest(tx)
                self._strike(github, topology, run)
                self._other_checks(github, run)
                self.watch(tx, run)
                if not pending and ready(run, tx):
                    return True
            time.sleep(POLL_S)
        return False

    def _newest(self, tx: Transaction) -> r.Run | None:
        runs = tx.runs.recent(limit=1)
        return runs[0] if runs else None

    def _over(self, run: r.Run | None, tx: Transaction) -> bool:
        """Whether a wanted state is reached and nothing is due: an act whose state does not come then never will."""
        return run is not None and run.state in self.scenario.until.state and _quiet(run, tx)

    def _may_act(self, run: r.Run | None, tx: Transaction, when: str) -> bool:
        """All earlier deliveries are processed, and the run is in the act's state with every row of its entry confirmed."""
        if tx.deliveries.unsettled():
            return False
        if when == "start":
            return True
        if run is None or run.state != when:
            return False
        return _rows_done(tx, run) and not _busy(tx, run)

    def _act(self, github: SimulatedGitHub, act: a.AnyAct, position: int) -> None:
        match act:
            case a.Label():
                github.label(act.label, by=act.by, where=act.where)
            case a.Unlabel():
                github.unlabel(act.unlabel, by=act.by, where=act.where)
            case a.Comment():
                github.comment(act.where, act.comment, by=act.by)
            case a.EditComment():
                github.edit_comment(act.edit_comment.match, act.edit_comment.body, by=act.by)
            case a.EditIssue():
                github.edit_issue(act.edit_issue.title, act.edit_issue.body, by=act.by)
            case a.EditPull():
                github.edit_pull(act.edit_pull.body, by=act.by, title=act.edit_pull.title)
            case a.Review():
                comments = [one.model_dump(exclude_none=True) for one in act.review.comments]
                github.review(act.review.state, act.review.body, comments, by=act.by)
            case a.Press():
                github.press(act.press, by=act.by)
            case a.Push():
                files = {
                    path: None if file is None else _file(file)
                    for path, file in self.scenario.pushed.get(position, {}).items()
                }
                github.push(act.push.branch, files, by=act.by, message=act.push.message, force=act.push.force)
            case a.Close():
                github.close_item(act.where, by=act.by)
            case a.Merge():
                github.merge(by=act.by)
            case a.DeleteComment():
                github.delete_comment(act.delete_comment.match, by=act.by)
            case a.Grant():
                for login, level in act.permission.items():
                    github.set_permission(login, level)
            case a.Deliver():
                sent = act.deliver
                github.deliver(sent.event, sent.payload, signature=sent.signature, times=sent.times)
            case _:
                assert_never(act)

    def _strike(self, github: SimulatedGitHub, topology: Topology, run: r.Run | None) -> None:
        """Faults that wait for a state."""
        state = "start" if run is None else run.state
        for position, fault in enumerate(self.scenario.faults):
            if isinstance(fault, GithubFault):
                if fault.when == state and position not in self._armed:
                    self._armed.add(position)
                    github.faults.append(_fault(fault))
                continue
            times = fault.times if isinstance(fault, KillFault) else 1
            if fault.when == state and self._done_faults.get(position, 0) < times:
                self._done_faults[position] = self._done_faults.get(position, 0) + 1
                if isinstance(fault, FlushFault):
                    topology.flush_broker()
                else:
                    topology.kill(fault.kill)

    def _other_checks(self, github: SimulatedGitHub, run: r.Run | None) -> None:
        """Other people's checks end once on every new head of the run's branch."""
        head = "" if run is None else str(run.known.get("head", ""))
        if run is None or not head:
            return
        for position, check in enumerate(self.scenario.check_runs):
            if (head, position) in self._heads_checked or (check.when is not None and check.when != run.state):
                continue
            self._heads_checked.add((head, position))
            output: dict[str, Any] = {"output": {"title": check.title, "summary": check.summary}} if check.title else {}
            github.add_check_run(check.name, check.conclusion, self.scenario.log_of(check), head_sha=head, **output)

    def _fault_report(self, github: SimulatedGitHub) -> list[dict[str, Any]]:
        counted = {id(one): one.applied for one in github.faults}
        planted = list(github.faults)
        found: list[dict[str, Any]] = []
        for position, fault in enumerate(self.scenario.faults):
            described = fault.model_dump(exclude_defaults=True)
            if isinstance(fault, GithubFault):
                match = next(
                    (one for one in planted if one.github == fault.github and one.status == fault.status), None
                )
                if match is not None:
                    planted.remove(match)
                applied = counted[id(match)] if match is not None else 0
            else:
                applied = self._done_faults.get(position, 0)
            found.append({**described, "applied": applied})
        return found


def _quiet(run: r.Run | None, tx: Transaction) -> bool:
    """No delivery, job or row is due."""
    if tx.deliveries.unsettled():
        return False
    return run is None or (_rows_done(tx, run) and not _busy(tx, run))


def _rows_done(tx: Transaction, run: r.Run) -> bool:
    """Every row of the run has come to its end; rows of dry runs end at ``allowed``, rows behind a stop wait with it."""
    stopped = bool(tx.journal.stopped(repository_id=run.repository_id, run_id=None))
    open_states = {"staged", "sending"} if run.mode == "dry-run" or stopped else {"staged", "allowed", "sending"}
    return all(row.state not in open_states for row in tx.outbox.of_run(run.id))


def _busy(tx: Transaction, run: r.Run) -> bool:
    """Whether something can still move the run: a job, a wish or claim that is not held up, or a wake-up that is due."""
    if run.state in ENDS or run.paused or tx.journal.stopped(repository_id=run.repository_id, run_id=run.id):
        return False
    if any(job.state in {"running", "queued"} for job in tx.jobs.of_run(run.id)):
        return True
    return bool(run.known.get("wish") or run.known.get("claims")) or 0 < run.wakes_at <= int(time.time() * 1000)


def _fault(fault: GithubFault) -> Fault:
    return Fault(
        github=fault.github,
        status=fault.status,
        after_effect=fault.after_effect,
        times=fault.times,
        hang_s=fault.hang_s or None,
        retry_after=int(fault.retry_after) if fault.retry_after is not None else None,
    )


def _files(files: dict[str, RepoFile]) -> dict[str, Any]:
    return {path: _file(file) for path, file in files.items()}


def _file(file: RepoFile) -> Any:
    return (file.mode, file.content)
