"""A death at every point of the agents' jobs: what was answered is not asked again, money counts once, the work is the same (I11, I12).

The points are the places in our own code, found by its syntax tree: each commit, each request to the model, each command in
a sandbox, each tool call, and each file that is stored or unpacked. Nothing in the code knows of them.
"""

from __future__ import annotations

import ast
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any, Final
from unittest import mock

import pytest

import workers.agents.room
from bot.adapters.artifact_files import ArtifactFiles
from bot.adapters.git_trees import GitTrees
from bot.adapters.storage import SqlStorage
from bot.adapters.storage.transaction import SqlTransaction
from bot.domain.audit_chain import verify_chain
from bot.domain.outcome import Done, Outcome, Snooze
from bot.domain.repo_config import RepoConfig
from bot.ports import records as r
from tests.contract.databases import HeardNudges
from tests.harness.house import Killed
from tests.unit.test_agents_implementing import EDIT
from tests.unit.test_agents_world import CALC, PLAN, PlayedModel, World, sandbox, use, world
from workers.agents.desk import AgentDesk
from workers.agents.drafting import draft
from workers.agents.messages_api import ModelAnswer, ModelBusy, ModelRequest, ModelUnreadable
from workers.agents.reviewing import review
from workers.agents.stepping import step
from workers.agents.verifying import verify
from workers.sandbox.box import Sandbox
from workers.sandbox.layers import LayerCache
from workers.sandbox.trees import remove_tree
from workers.sandbox.workspaces import TreeCache, Workspace
from workers.tools.toolbox import Toolbox

__all__ = ["sandbox"]

ROOT: Final = Path(__file__).resolve().parents[2]
ROOMS: Final = ("workers/agents/", "workers/tools/", "workers/sandbox/")
CALLS: Final = {
    ".storage.begin()": "a commit",
    ".model.ask(": "a request to the model",
    ".run_argv(": "a command",
    ".toolbox.call(": "a tool call",
    ".artifacts.put(": "a file stored",
    ".trees.load(": "trees loaded",
    ".trees.unpack(": "a tree unpacked",
    ".trees.apply(": "a patch applied",
    "Workspace.create(": "a workspace made",
    ".layers.build(": "a layer made",
}
"""What leaves the process, as it is written in the code, and what a death beside it is called."""
ELSEWHERE: Final = {
    # A shell's question whether sandboxes work here at all.
    "workers/sandbox/box.py:Sandbox.run",
}
PROOF: Final = "python check.py"
FILES: Final = {
    "calc.py": CALC["calc.py"],
    "check.py": "import calc\n",
    "peek.py": "import os, time\nprint(*os.environ.values(), time.time_ns())\n",
}
PLANNED: Final[dict[str, Any]] = {
    **PLAN,
    "acceptance": [{"id": "A1", "text": "add adds", "proof": {"command": PROOF}}],
    "steps": [{**PLAN["steps"][0], "paths": [{"path": "calc.py", "use": "edit"}]}],
    "tests": [],
    "verify": [PROOF],
}
DATES: Final = use("run", command="date +%N")
SHOWN: Final = use("show_output", id="o1")
PLANS: Final = [DATES, SHOWN, use("search", pattern="import"), use("submit_plan", **PLANNED)]
STEPS: Final = [EDIT, use("run", command="python peek.py"), use("submit_work", step="S1", summary="add adds")]
REVIEWS: Final = [use("read_diff"), use("submit_review", verdict="approve")]


def asked_by(frame: FrameType | None) -> str:
    """Our own function that leads to here, and the one that leads to it; "" when a test does."""
    found: list[str] = []
    while frame is not None and len(found) < 2:
        path = frame.f_code.co_filename.removeprefix(f"{ROOT}/")
        if path.startswith(ROOMS):
            found.append(f"{path}:{frame.f_code.co_qualname.replace('.<locals>', '').replace('.<lambda>', '')}")
        frame = frame.f_back
    return " < ".join(found)


@dataclass(slots=True)
class Life:
    """What happens at each point, and whether the process is dead: then it writes nothing any more, whoever asks."""

    kills: str = ""
    visited: Counter[str] = field(default_factory=Counter)
    died_at: list[str] = field(default_factory=list)
    dead: bool = False

    def point(self, name: str) -> None:
        """Passed, or the end of this process: at the first visit of each point of the kind that kills."""
        if self.dead:
            raise Killed
        self.visited[name] += 1
        if self.kills and self.visited[name] == 1 and name.startswith(self.kills):
            self.dead = True
            self.died_at.append(name)
            raise Killed

    def around(self, what: str, act: Callable[..., Any]) -> Callable[..., Any]:
        """A call with a point before and one after it, where our own code makes it."""

        def acting(*args: Any, **given: Any) -> Any:
            where = asked_by(sys._getframe(1))
            if not where:
                return act(*args, **given)
            self.point(f"before {what} of {where}")
            found = act(*args, **given)
            self.point(f"after {what} of {where}")
            return found

        return acting


class MortalStorage(SqlStorage):
    """Points around each commit."""

    life: Life

    @contextmanager
    def begin(self) -> Iterator[SqlTransaction]:
        """Between two transactions; one that is open the database undoes."""
        where = asked_by(sys._getframe(1))
        self.life.point(f"before a commit of {where}")
        with super().begin() as tx:
            yield tx
        self.life.point(f"after a commit of {where}")


@dataclass(slots=True)
class MortalModel:
    """Points around each request."""

    life: Life
    played: PlayedModel

    def ask(self, request: ModelRequest) -> ModelAnswer:
        """`workers.agents.messages_api.Model`."""
        found: ModelAnswer = self.life.around("a request to the model", self.played.ask)(request)
        return found


@contextmanager
def watched(life: Life) -> Iterator[None]:
    """Points around every other call; what a dead process leaves on its disk stays there."""
    around = life.around
    patches = (
        (Sandbox, "run_argv", around("a command", Sandbox.run_argv)),
        (Toolbox, "call", around("a tool call", Toolbox.call)),
        (ArtifactFiles, "put", around("a file stored", ArtifactFiles.put)),
        (GitTrees, "load", around("trees loaded", GitTrees.load)),
        (GitTrees, "unpack", around("a tree unpacked", GitTrees.unpack)),
        (GitTrees, "apply", around("a patch applied", GitTrees.apply)),
        (LayerCache, "build", around("a layer made", LayerCache.build)),
        (Workspace, "create", staticmethod(around("a workspace made", Workspace.create))),
        (workers.agents.room, "remove_tree", lambda path: None if life.dead else remove_tree(path)),
    )
    with ExitStack() as stack:
        for where, name, new in patches:
            stack.enter_context(mock.patch.object(where, name, new))
        yield


@dataclass(slots=True)
class Worked:
    """What a life came to."""

    results: list[Any]
    asked: int
    done: Counter[tuple[str, int]]
    spent: int
    failed: int
    tool_calls: list[tuple[Any, ...]]


@dataclass(slots=True)
class Process:
    """One agents' process after the other over the same records and disk."""

    here: World
    life: Life
    room: Path
    storage: MortalStorage

    def desk(self) -> AgentDesk:
        """What a new process has: nothing in memory."""
        return replace(
            self.here.desk,
            storage=self.storage,
            model=MortalModel(self.life, self.here.model),
            trees=GitTrees(self.room / "trees.git"),
            layers=LayerCache(self.room / "layers", 1 << 30),
            base_trees=TreeCache(self.room / "bases", 1 << 30),
            artifacts=ArtifactFiles(self.room / "artifacts"),
        )

    def work(self, handler: Callable[[AgentDesk, r.Job], Outcome], job: r.Job) -> dict[str, Any]:
        """Until the job is done, through deaths and pauses; what its result names, loaded."""
        desk = self.desk()
        for _ in range(200):
            try:
                outcome = handler(desk, job)
            except Killed:
                self.life.dead = False
                desk = self.desk()
            else:
                if isinstance(outcome, Done):
                    return outcome.result
                assert isinstance(outcome, Snooze), outcome
                self.here.clock.ahead += 60_000
            job = self.here.again(job.id)
        raise AssertionError(f"{job.kind} comes to no end: {self.life.died_at}")


def live(tmp_path: Path, box: Sandbox, kills: str) -> tuple[Life, Worked]:
    """Plan, step, facts and review of one run; the model is busy once, and once it cannot be read."""
    life = Life(kills)
    config = RepoConfig(setup=("true",), verify=(PROOF,))
    with world(tmp_path, box, files=FILES, config=config) as here, watched(life):
        storage = MortalStorage(f"sqlite:///{tmp_path}/records.db", HeardNudges())
        storage.life = life
        process, model = Process(here, life, tmp_path, storage), here.model
        model.turns, model.errors = PLANS, [ModelBusy("busy"), ModelUnreadable("no usage")]
        planned = process.work(draft, here.job("draft", "planner", {}, name="J1"))
        model.turns = STEPS
        plan = here.subject(PLANNED, (PROOF,))
        given = {"plan": plan, "start": "", "feedback": []}
        stepped = process.work(step, here.job("step", "implementer", given, name="J2", step="S1"))
        merged = {"patch": stepped["patch"], "steps": {"S1": stepped["paths"]}, "plan_facts": planned["facts"]}
        rest = {"plan": plan, "refused": [], "canaries": [], "conflicts": []}
        facts = process.work(verify, here.job("verify", "", {**merged, **rest}, name="J3"))
        model.turns = REVIEWS
        fixed = FILES["calc.py"].replace("return a - b", "return a + b", 1)
        seat = {"subject": here.code({"calc.py": fixed}), "ledger": [], "work_facts": facts["facts"], "plan_facts": ""}
        reviewed = process.work(review, here.job("review", "code_reviewer.1", seat, name="J4"))
        storage.close()
        results = [_read(here, one) for one in (planned, stepped, facts, reviewed)]
        return life, _worked(here, results)


def _read(here: World, value: Any) -> Any:
    """A result with what it names in its place, without how long anything took."""
    match value:
        case str() if len(value) == 64:
            return _read(here, here.load(value))
        case dict():
            return {key: _read(here, one) for key, one in value.items() if key not in {"seconds", "bundle_sha256"}}
        case list():
            return [_read(here, one) for one in value]
        case _:
            return value


def _worked(here: World, results: list[Any]) -> Worked:
    paid = here.paid()
    with here.storage.read() as tx:
        run = tx.runs.get("R1")
        assert verify_chain(tx.journal.audit_rows()) == ""
    assert run is not None
    assert {one.state for one in paid} == {"done", "failed"}
    assert (run.reserved_micro_dollars, run.spent_micro_dollars) == (0, sum(one.cost_micro_dollars for one in paid))
    done = [one for one in paid if one.state == "done"]
    # What a command printed is another time's in each life.
    told = [(one.job_id, one.seq, one.tool, json.dumps(one.input), one.decision, one.exit_code) for one in here.calls()]
    return Worked(
        results,
        len(here.model.asked),
        Counter((one.job_id, one.turn) for one in done),
        sum(one.cost_micro_dollars for one in done),
        len(paid) - len(done),
        told,
    )


@contextmanager
def folder() -> Iterator[Path]:
    """In memory where there is some: each commit of each life is synced."""
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if os.access(shm, os.W_OK) else None) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def calm(sandbox: Sandbox) -> tuple[Life, Worked]:
    """The same life without a death, and the points that it passes."""
    with folder() as here:
        return live(here, sandbox, "")


def _places() -> set[str]:
    """``file:function`` of every call in the agents' code that leaves the process."""
    found = set()
    for room in ROOMS:
        for path in sorted((ROOT / room).glob("*.py")):
            text = path.read_text("utf-8")
            if not any(call in text for call in CALLS):
                continue
            tree = ast.parse(text)
            owners: list[ast.Module | ast.ClassDef] = [
                tree,
                *(one for one in tree.body if isinstance(one, ast.ClassDef)),
            ]
            for owner in owners:
                for function in (one for one in owner.body if isinstance(one, ast.FunctionDef)):
                    if any(call in ast.unparse(function) for call in CALLS):
                        name = f"{owner.name}.{function.name}" if isinstance(owner, ast.ClassDef) else function.name
                        found.add(f"{path.relative_to(ROOT)}:{name}")
    return found


def test_the_life_passes_every_place(calm: tuple[Life, Worked]) -> None:
    places = _places()
    assert len(places) > 20
    assert places >= ELSEWHERE
    passed = {name.partition(" of ")[2].partition(" < ")[0] for name in calm[0].visited}
    assert places - passed == ELSEWHERE, sorted(passed)


@pytest.mark.parametrize("kind", ["before", "after"])
def test_a_death_at_every_point(kind: str, calm: tuple[Life, Worked], sandbox: Sandbox) -> None:
    with folder() as here:
        life, worked = live(here, sandbox, kind)
    named = {name for name in calm[0].visited if name.startswith(kind)}
    assert named <= life.visited.keys()
    assert len(life.died_at) >= len(named)
    expected = calm[1]
    assert worked.results == expected.results
    assert worked.tool_calls == expected.tool_calls
    assert (worked.done, worked.spent) == (expected.done, expected.spent)
    assert set(worked.done.values()) == {1}
    # Asked again was only what died between its question and the commit of its answer.
    lost = [one for one in life.died_at if one.startswith("after a request to the model") or _unsettled(one)]
    assert worked.asked == expected.asked + len(lost)
    print(f"{len(life.died_at)} deaths at {len(named)} points of the agents, {kind!r}; {len(lost)} replies were lost")


def _unsettled(point: str) -> bool:
    return "Meter._settle" in point and not point.startswith("after a commit of workers/agents/meter.py")


def test_a_worker_that_is_to_end_stops_at_its_next_step_and_pays_nothing_again(sandbox: Sandbox) -> None:
    with folder() as at, world(at, sandbox, files=FILES) as here:

        def last_words(_: ModelRequest) -> dict[str, Any]:
            """The process is asked to end while it waits for this reply."""
            here.desk.leaving.set()
            return DATES

        here.model.turns = [last_words, *PLANS[1:]]
        outcome = draft(here.desk, here.job("draft", "planner", {}))
        assert isinstance(outcome, Snooze)
        assert outcome.until <= here.clock.now()
        assert ([one.state for one in here.paid()], here.calls()) == (["done"], [])
        here.desk.leaving.clear()
        here.model.turns = PLANS
        assert isinstance(draft(here.desk, here.again()), Done)
        assert len(here.model.asked) == len(PLANS)
