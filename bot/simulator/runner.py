"""Runs one scenario: a simulated GitHub, a scripted model, the real App beside them, and people who act in order (DESIGN section 11)."""

from __future__ import annotations

import os
import secrets
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bot.adapters.artifact_files import ArtifactFiles
from bot.adapters.storage import SqlStorage
from bot.domain.errors import ConductorError, UserError
from bot.ports import records as r
from bot.ports.queue import Nudge
from bot.ports.storage import Transaction
from bot.simulator import acts as a
from bot.simulator.github.faults import Fault
from bot.simulator.github.people import NothingThere
from bot.simulator.github.server import SimulatedGitHub
from bot.simulator.model import SCRIPTED_MODEL, ScriptedModel
from bot.simulator.people_acting import perform
from bot.simulator.quiet import has_landed, has_lost, is_over, is_quiet, may_act
from bot.simulator.repo_source import RepoFiles
from bot.simulator.report import Outcome, build_report, pull_diff
from bot.simulator.scenario import DEFAULT_BRANCH, Scenario, ScenarioError
from bot.simulator.striking import Faults
from bot.simulator.topology import Topology, TopologyName

APP_ID: Final = 4_711
POLL_S: Final = 0.03
CONFIG_PATH: Final = ".github/conductor.yml"
LIVE_URL: Final = "https://api.anthropic.com"
STUCK_S: Final = 2.0
"""So long nothing is due: then nothing comes by itself any more, and the rest of the seconds is not waited for."""
LANDS_S: Final = 1.0
"""How long the model waits at most for what is to land: a fault may hold it back for longer."""
SETTABLE: Final = frozenset({"pacing_ms", "lease_ms", "tick_ms", "threads", "cache_bytes", "public_url", "model_name"})


@dataclass(slots=True)
class _Moment:
    """An act's, and whether it came."""

    when: str
    came: bool = False

    def __call__(self, run: r.Run | None, tx: Transaction) -> bool:
        """Whether it is now."""
        self.came = may_act(run, tx, self.when)
        return self.came


class _Silent:
    """The runner only reads; nothing is nudged from here."""

    def nudge(self, what: Nudge, subject: str, *, queue: str = "") -> None:
        raise AssertionError(f"the runner nudges nothing, not even {what} {subject} on {queue}")


@dataclass(slots=True)
class Runner:
    """One scenario's run. ``watch`` is called after every look at the records, for live views; ``decide`` may put another
    act in an act's place when its moment has come (the demo's question). ``more_faults``: of GitHub's, beyond those that a scenario can say.
    ``in_step``: the model replies when what the run shows people has landed; else the machine's speed would decide which
    edits of a comment are left out, and no two reports were the same.
    ``diff`` is what the pull request changed, ``log`` all that the App's processes wrote, at the end.
    """

    scenario: Scenario
    topology_name: TopologyName = "embedded"
    watch: Callable[[Transaction, r.Run | None], None] = lambda _tx, _run: None
    decide: Callable[[a.AnyAct, SimulatedGitHub], a.AnyAct] = lambda act, _github: act
    more_faults: Sequence[Fault] = ()
    in_step: bool = True
    diff: str = ""
    log: str = ""
    _end: float = 0.0
    _heads_checked: set[tuple[str, int]] = field(default_factory=set)
    _faults: Faults = field(init=False)
    _waits_for: str = ""

    def __post_init__(self) -> None:
        strange = sorted(self.scenario.settings.keys() - SETTABLE)
        if strange:
            raise ScenarioError(
                f"{self.scenario.path.name}: settings: {strange[0]!r} is not one of {', '.join(sorted(SETTABLE))}.",
                {"path": str(self.scenario.path)},
            )
        self._faults = Faults(self.scenario.faults)

    def run(self) -> dict[str, Any]:
        """The report; never raises for what the App does wrong, only for what the scenario cannot mean."""
        with ExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="conductor-scenario-")))
            secret = secrets.token_hex(24)
            github = stack.enter_context(self._github(secret))
            model = self._model(stack)
            self._seed(github)
            topology = self._topology(directory, github, model, secret)
            outcome = Outcome(self.scenario, github, model, artifacts=ArtifactFiles(directory / "artifacts"))
            try:
                stack.enter_context(topology)
            except ConductorError as error:
                outcome.problem = error.sentence
                return build_report(None, outcome)
            github.webhook_url = f"{topology.url}/webhooks/github"
            storage = SqlStorage(topology.database_url, _Silent())
            stack.callback(storage.close)
            if model is not None and self.in_step:
                model.before_reply = lambda: self._let_land(storage)
                stack.callback(setattr, model, "before_reply", lambda: None)
            self._end = time.monotonic() + self.scenario.until.seconds
            try:
                outcome.reached = self._play(github, topology, storage)
            except (ConductorError, NothingThere) as error:
                outcome.problem = f"{error}"
            outcome.faults = self._faults.report()
            self.diff = pull_diff(github)
            if not outcome.reached and not outcome.problem:
                outcome.problem = self._why_not()
            self.log = topology.whole_logs()
            with storage.read() as tx:
                return build_report(tx, outcome)

    # Setting up

    def _github(self, secret: str) -> SimulatedGitHub:
        return SimulatedGitHub(
            app_id=APP_ID,
            webhook_secret=secret,
            drafts_allowed=self.scenario.repo_facts.drafts,
            faults=[*self._faults.at_start(), *self.more_faults],
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
        source = (
            {path: (one.mode, one.content) for path, one in scenario.repo.files.items()}
            if isinstance(scenario.repo, RepoFiles)
            else scenario.repo.path
        )
        config = scenario.config_text()
        if isinstance(source, dict) and not source and config is None:
            github.add_repository(facts.name, None, private=facts.private)
        else:
            if config is not None and isinstance(source, dict):
                source[CONFIG_PATH] = ("100644", config.encode())
            github.add_repository(facts.name, source, private=facts.private)
        for login in dict.fromkeys((*scenario.people, scenario.issue.author)):
            github.add_person(login, scenario.permission_of(login))
        if config is not None and not isinstance(source, dict):
            github.push(DEFAULT_BRANCH, {CONFIG_PATH: config}, by=None, message="Configure Conductor")
        if facts.required_checks:
            github.protect(DEFAULT_BRANCH, list(facts.required_checks))
        issue = scenario.issue
        github.open_issue(issue.number, issue.title, issue.body or "", issue.author)
        for check in scenario.check_runs:
            if check.base is not None:
                github.add_check_run(
                    check.name,
                    check.base,
                    head_sha=github.world.only_repository().git.ref(f"refs/heads/{DEFAULT_BRANCH}"),
                )

    # Playing

    def _play(self, github: SimulatedGitHub, topology: Topology, storage: SqlStorage) -> bool:
        for position, act in enumerate(self.scenario.people_do):
            self._waits_for = act.when
            moment = _Moment(act.when)
            if not self._until(
                github, topology, storage, lambda run, tx, at=moment: at(run, tx) or self._arrived(run, tx)
            ):
                return False
            # Looked at once: what the App does a moment later takes nothing back.
            if not moment.came:
                return True
            asked = time.monotonic()
            decided = self.decide(act, github)
            # A person may take their time: it is not the scenario's.
            self._end += time.monotonic() - asked
            perform(github, decided, self.scenario.pushed.get(position, {}))
        self._waits_for = ""
        wanted = self.scenario.until.state
        reached = self._until(github, topology, storage, lambda run, _tx: run is not None and run.state in wanted)
        # Then, within the seconds, everything that is due is let come to its end.
        self._until(github, topology, storage, is_quiet)
        return reached

    def _until(
        self, github: SimulatedGitHub, topology: Topology, storage: SqlStorage, ready: Callable[..., bool]
    ) -> bool:
        """Whether it came to that before the seconds were over, or before nothing more could come."""
        quiet_since = time.monotonic()
        while time.monotonic() < self._end:
            topology.check()
            now, pending = time.monotonic(), github.pending_deliveries()
            with storage.read() as tx:
                run = self._newest(tx)
                self._faults.strike(topology, tx, run)
                self._other_checks(github, run)
                self.watch(tx, run)
                if not pending and ready(run, tx):
                    return True
                if pending or github.pending_deliveries() or not is_quiet(run, tx):
                    quiet_since = time.monotonic()
            # By when it was looked, as a look may take seconds: one that came too early for what was on its way decides nothing.
            stuck = now - quiet_since > STUCK_S and not has_lost(github.deliveries)
            if stuck or (is_over(run) and quiet_since + POLL_S < now):
                return False
            time.sleep(POLL_S)
        return False

    def _let_land(self, storage: SqlStorage) -> None:
        end = time.monotonic() + LANDS_S
        while time.monotonic() < end:
            with storage.read() as tx:
                run = self._newest(tx)
                if run is None or has_landed(run, tx):
                    return
            time.sleep(0.01)

    def _newest(self, tx: Transaction) -> r.Run | None:
        runs = tx.runs.recent(limit=1)
        return runs[0] if runs else None

    def _arrived(self, run: r.Run | None, tx: Transaction) -> bool:
        """Whether a wanted state is reached and nothing is due: an act whose state does not come then never will."""
        return run is not None and run.state in self.scenario.until.state and is_quiet(run, tx)

    def _why_not(self) -> str:
        until = self.scenario.until
        if self._waits_for:
            return f"an act waits for {self._waits_for}, which was not reached within {until.seconds:.0f} s or no longer could be"
        return f"none of {list(until.state)} was reached within {until.seconds:.0f} s, or any longer could be"

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
