"""A small world for agents: real storage, trees, artifacts and sandbox; only the model is played."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.artifact_files import ArtifactFiles
from bot.adapters.git_trees import GitTrees
from bot.adapters.storage import SqlStorage
from bot.domain.money import shipped_prices
from bot.domain.plan import Plan
from bot.domain.repo_config import RepoConfig
from bot.domain.snapshot import IssueSnapshot, Snapshot
from bot.domain.subject import PlanSubject, canonical
from bot.domain.work import Change, CodeSubject, Patch
from bot.ports import records as r
from bot.redaction import Redactor
from tests.contract.databases import INSTALLATION, REPOSITORY, fresh_url, furnished, run
from workers.agents.desk import AgentDesk, AgentLimits
from workers.agents.messages_api import ModelAnswer, ModelRequest, read_answer, request_problems
from workers.sandbox.box import Sandbox
from workers.sandbox.layers import LayerCache
from workers.sandbox.toolchain import Toolchain
from workers.sandbox.workspaces import TreeCache

MODEL = "scripted-model-1"
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
CALC = {
    "calc.py": "def add(a, b):\n    return a - b\n\n\ndef sub(a, b):\n    return a - b\n",
    "tests/test_calc.py": "from calc import sub\n\n\ndef test_sub():\n    assert sub(3, 1) == 2\n",
    "pyproject.toml": '[tool.pytest.ini_options]\naddopts = "-p no:cacheprovider"\n',
}
PLAN: dict[str, Any] = {
    "summary": "add subtracts; it must add.",
    "acceptance": [{"id": "A1", "text": "add adds", "proof": {"test": "tests/test_add.py::test_add"}}],
    "steps": [
        {
            "id": "S1",
            "title": "Mend add",
            "intent": "Use plus.",
            "paths": [{"path": "calc.py", "use": "edit"}, {"path": "tests/test_add.py", "use": "create"}],
            "covers": ["A1"],
        }
    ],
    "grounds": [{"path": "calc.py", "start_line": 1, "end_line": 2, "quote": "def add(a, b):\n    return a - b"}],
    "tests": [{"path": "tests/test_add.py", "change": "add", "why": "add has no test"}],
}


class Wall:
    """A clock that goes, and jumps when told."""

    def __init__(self) -> None:
        self.ahead = 0

    def now(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead


def use(tool: str, **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "name": tool, "input": given}


def say(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


Turn = Any
"""One block, a list of blocks, a whole answer's body, an exception to raise, or a callable that is given the request."""


@dataclass
class PlayedModel:
    """Answers by the number of assistant turns in the request, the last one for ever, and keeps what it was asked."""

    turns: Sequence[Turn] = ()
    asked: list[ModelRequest] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)

    def ask(self, request: ModelRequest) -> ModelAnswer:
        self.asked.append(request)
        body = {
            "model": request.model,
            "max_tokens": request.max_tokens,
            "messages": list(request.messages),
            "tools": list(request.tools),
            "system": request.system,
        }
        assert request_problems(json.loads(json.dumps(body))) == ()
        if self.errors:
            raise self.errors.pop(0)
        number = sum(1 for one in request.messages if one["role"] == "assistant")
        turn = self.turns[min(number, len(self.turns) - 1)]
        turn = turn(request) if callable(turn) else turn
        if isinstance(turn, Exception):
            raise turn
        return read_answer(json.dumps(message(turn, number)).encode())

    @property
    def text(self) -> str:
        """Everything it was ever sent."""
        return "\n".join(json.dumps([one.system, list(one.messages)], ensure_ascii=False) for one in self.asked)

    def results(self) -> list[dict[str, Any]]:
        """The tool results of the last request, in order, without the marks of data."""
        return [
            {**block, "content": _unmarked(block["content"])}
            for one in self.asked[-1].messages
            if one["role"] == "user"
            for block in one["content"]
            if block["type"] == "tool_result"
        ]


def _unmarked(content: str) -> str:
    found = re.fullmatch(r"<(data-[0-9a-f]{8}) origin=[^\n]*>\n(.*)\n</\1>", content, re.DOTALL)
    return content if found is None else found[2]


def message(turn: Turn, number: int) -> dict[str, Any]:
    if isinstance(turn, dict) and "content" in turn:
        return turn
    blocks = [turn] if isinstance(turn, dict) else list(turn)
    content = [
        {**block, "id": f"toolu_{number}_{index}"} if block["type"] == "tool_use" else block
        for index, block in enumerate(blocks)
    ]
    called = any(block["type"] == "tool_use" for block in content)
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": content,
        "stop_reason": "tool_use" if called else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 100, "output_tokens": 10},
    }


@dataclass
class World:
    """One run on a small repository."""

    desk: AgentDesk
    storage: SqlStorage
    model: PlayedModel
    clock: Wall
    snapshot: Snapshot

    def keep(self, value: Any) -> str:
        return self.desk.artifacts.put(INSTALLATION, canonical(value))

    def load(self, sha256: Any) -> Any:
        return json.loads(self.desk.artifacts.get(INSTALLATION, str(sha256)))

    def job(self, kind: str, role: str, payload: Mapping[str, Any], *, name: str = "J1", step: str = "") -> r.Job:
        """A job that this process holds."""
        row = r.Job(
            name,
            f"key-{name}",
            kind,
            "agents.plan",
            1,
            INSTALLATION,
            run_id="R1",
            stage="plan",
            role=role,
            round=1,
            step=step,
            payload={"snapshot": self.keep(self.snapshot.model_dump(mode="json")), **payload},
        )
        with self.storage.begin() as tx:
            tx.jobs.add(row)
        return self.claim(name)

    def claim(self, name: str = "J1") -> r.Job:
        with self.storage.begin() as tx:
            found = tx.jobs.claim(name, owner="me", now=self.clock.now(), lease_ms=600_000)
        assert found is not None
        return found

    def again(self, name: str = "J1") -> r.Job:
        """The job after its worker died."""
        with self.storage.begin() as tx:
            tx.jobs.release_owner("me")
        return self.claim(name)

    def subject(self, plan: Mapping[str, Any] = PLAN, verify: Sequence[str] = ("python -m pytest -q",)) -> str:
        made = PlanSubject(
            plan=Plan.model_validate(plan),
            blobs={},
            verify=tuple(verify),
            setup=(),
            config_sha256="0" * 64,
            risk="normal",
            risk_reasons=(),
            issue_sha256="0" * 64,
            budget_micro_dollars=1,
        )
        return self.desk.artifacts.put(INSTALLATION, made.document)

    def patch(self, files: Mapping[str, str | None]) -> Patch:
        """Base with these files changed; None deletes."""
        return patch_of(self.desk.trees, self.snapshot.base_tree, files)

    def code(self, files: Mapping[str, str | None], plan: Mapping[str, Any] = PLAN) -> str:
        """A code subject."""
        patch = self.patch(files)
        tree = self.desk.trees.apply(patch)
        made = CodeSubject(
            base_tree=self.snapshot.base_tree,
            tree=tree,
            patch_sha256=self.keep(patch.model_dump(mode="json")),
            plan_sha256=self.subject(plan),
        )
        return self.keep(made.model_dump(mode="json"))

    def calls(self) -> list[r.ToolCall]:
        with self.storage.read() as tx:
            return tx.journal.tool_calls("R1")

    def paid(self) -> list[r.ModelCall]:
        with self.storage.read() as tx:
            return tx.journal.model_calls("R1")


def patch_of(trees: Any, base: str, files: Mapping[str, str | None]) -> Patch:
    entries = trees.entries(base)
    changes = []
    for path, text in sorted(files.items()):
        old = entries.get(path)
        mode = "100644" if old is None else old.mode
        content = None if text is None else base64.b64encode(text.encode("utf-8", "surrogateescape")).decode()
        changes.append(
            Change(
                path=path,
                mode=mode,
                content=content,
                before=None if old is None else old.blob,
                before_mode=None if old is None else old.mode,
            )
        )
    return Patch(base_tree=base, changes=tuple(changes))


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    scratch = tmp_path_factory.mktemp("sandboxes")
    return Sandbox(toolchain=Toolchain.build(scratch / "toolchain"), scratch=scratch)


@contextmanager
def world(
    tmp_path: Path,
    sandbox: Sandbox,
    *,
    files: Mapping[str, str] = CALC,
    config: RepoConfig | None = None,
    held: Mapping[str, str] | None = None,
    limits: AgentLimits | None = None,
    budget: int = 10_000_000,
) -> Iterator[World]:
    storage = furnished(fresh_url("sqlite", tmp_path))
    with storage.begin() as tx:
        tx.runs.add(replace(run(), budget_micro_dollars=budget))
    trees = GitTrees(tmp_path / "trees.git")
    tree = trees.apply(patch_of(trees, EMPTY_TREE, files))
    artifacts = ArtifactFiles(tmp_path / "artifacts")
    model, clock = PlayedModel(), Wall()
    desk = AgentDesk(
        storage=storage,
        clock=clock,
        artifacts=artifacts,
        trees=trees,
        model=model,
        redactor=Redactor(held),
        sandbox=sandbox,
        layers=LayerCache(tmp_path / "layers", 1 << 30),
        base_trees=TreeCache(tmp_path / "bases", 1 << 30),
        prices=shipped_prices(),
        default_model=MODEL,
        workroom=tmp_path / "work",
        limits=limits or AgentLimits(),
    )
    issue = IssueSnapshot(
        number=7,
        title="add is wrong",
        body="add(1, 2) gives -1",
        author="mallory",
        author_id=9,
        author_can_write=False,
        updated_at=1,
    )
    snapshot = Snapshot(
        repository="octo/calc",
        default_branch="main",
        base_commit="a" * 40,
        base_tree=tree,
        bundle_sha256=artifacts.put(INSTALLATION, b"the tree is in the store already"),
        issue=issue,
        config=config or RepoConfig(),
        config_text_sha256="0" * 64,
    )
    yield World(desk, storage, model, clock, snapshot)
    assert not list((tmp_path / "work").glob("job-*")), "a job's workspace was left behind"


def test_the_repository_of_this_world_belongs_to_the_run(tmp_path: Path, sandbox: Sandbox) -> None:
    with world(tmp_path, sandbox) as here, here.storage.read() as tx:
        found = tx.runs.get("R1")
        assert found is not None
        assert found.repository_id == REPOSITORY
