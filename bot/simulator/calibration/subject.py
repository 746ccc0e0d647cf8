"""What reviewers are told a diff is for: the commit's own message as the issue and as the plan, the same for clean and seeded."""

from __future__ import annotations

from typing import Final, Literal

from bot.domain.hidden_characters import strip_hidden
from bot.domain.plan import Plan, Step, StepPath, TestChange
from bot.domain.repo_config import RepoConfig
from bot.domain.snapshot import IssueSnapshot, Snapshot
from bot.domain.subject import PlanSubject, canonical, sha256_of
from bot.domain.work import FileDiff
from bot.services.looking import INSTRUCTION_BYTES, INSTRUCTION_FILES
from bot.simulator.calibration.history import Commit, History
from workers.agents.runners.roles import role_of

AUTHOR: Final = "maintainer"
_USES: Final[dict[str, Literal["create", "edit", "delete"]]] = {
    "added": "create",
    "modified": "edit",
    "deleted": "delete",
}
_CHANGES: Final[dict[str, Literal["add", "edit", "delete"]]] = {"added": "add", "modified": "edit", "deleted": "delete"}
_TITLE, _WORDS, _BODY = 200, 4_000, 20_000
_MOST_TESTS: Final = 100


def plan_subject(commit: Commit, config: RepoConfig) -> PlanSubject:
    """A plan that asks for just this commit: its paths and tests, and its message as intent."""
    title = _visible(commit.title)[:_TITLE] or "(no title)"
    step = Step(
        id="S1",
        title=title,
        intent=_visible(commit.message)[:_WORDS] or title,
        paths=tuple(StepPath(path=file.path, use=_USES[file.kind]) for file in commit.files),
    )
    tests = [_announced(file) for file in commit.files if role_of(file.path) is not None]
    return PlanSubject(
        plan=Plan(summary=title, steps=(step,), tests=tuple(tests[:_MOST_TESTS])),
        blobs={},
        verify=config.verify,
        setup=config.setup,
        config_sha256=sha256_of(canonical(config.model_dump(mode="json"))),
        risk="normal",
        risk_reasons=(),
        issue_sha256=sha256_of(commit.message.encode("utf-8", "surrogateescape")),
        budget_micro_dollars=0,
    )


def _announced(file: FileDiff) -> TestChange:
    return TestChange(path=file.path, change=_CHANGES[file.kind], why="The commit that is reviewed changes it.")


def snapshot_of(history: History, commit: Commit, config: RepoConfig, bundle_sha256: str, *, name: str) -> Snapshot:
    """The repository as it was before the commit, with its message as a maintainer's issue."""
    instructions = []
    for path in INSTRUCTION_FILES:
        data = history.trees.read(commit.base_tree, path)
        if data is not None:
            instructions.append((path, strip_hidden(data.decode("utf-8", "replace"))[:INSTRUCTION_BYTES]))
    return Snapshot(
        repository=name,
        default_branch="main",
        base_commit=commit.base_sha,
        base_tree=commit.base_tree,
        bundle_sha256=bundle_sha256,
        issue=IssueSnapshot(
            number=1,
            title=_visible(commit.title)[:_TITLE] or "(no title)",
            body=_visible(commit.body)[:_BODY],
            author=AUTHOR,
            author_id=1,
            author_can_write=True,
            updated_at=0,
        ),
        config=config,
        config_text_sha256=sha256_of(b""),
        instructions=tuple(instructions),
    )


def _visible(text: str) -> str:
    return strip_hidden(text).strip()
