"""The `github` section of a scenario's report: what stands on the simulated GitHub, in the order in which it came."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from bot.simulator.github.git_objects import SUBMODULE
from bot.simulator.github.model import CheckRun, Issue, Repository
from bot.simulator.github.rest import WriteRecord


def snapshot(within: Repository, writes: Sequence[WriteRecord]) -> dict[str, Any]:
    """writes, comments, labels, pulls, check_runs and branches as DESIGN section 11 spells them.

    `labels` are those of the first issue. `where` of a comment is `issue`, `pull`, or `line` for one on a diff's line.
    """
    issues = [within.issues[number] for number in sorted(within.issues)]
    first = next((one for one in within.issues.values() if one.pull is None), None)
    return {
        "writes": [
            {"method": one.method, "path": one.path, "sha256": one.sha256, "status": one.status} for one in writes
        ],
        "comments": [one for issue in issues for one in _comments(issue)],
        "labels": [one.name for one in first.labels] if first else [],
        "pulls": [_pull(one) for one in issues if one.pull is not None],
        "check_runs": [_check(one) for one in within.checks.values()],
        "branches": {
            name.removeprefix("refs/heads/"): _files(within, sha)
            for name, sha in within.git.refs("refs/heads/").items()
        },
    }


def _comments(issue: Issue) -> list[dict[str, Any]]:
    where = "pull" if issue.pull else "issue"
    found = [{"where": where, "author": one.user.login, "body": one.body, "edits": one.edits} for one in issue.comments]
    lines = issue.pull.comments if issue.pull else []
    return found + [{"where": "line", "author": one.user.login, "body": one.body, "edits": 0} for one in lines]


def _pull(issue: Issue) -> dict[str, Any]:
    pull = issue.pull
    assert pull is not None
    return {
        "number": issue.number,
        "head": pull.head,
        "base": pull.base,
        "draft": pull.draft,
        "state": "merged" if pull.merged_at is not None else issue.state,
        "title": issue.title,
        "body": issue.body,
    }


def _check(run: CheckRun) -> dict[str, Any]:
    return {
        "name": run.name,
        "head_sha": run.head_sha,
        "status": run.status,
        "conclusion": run.conclusion,
        "title": run.title,
        "summary": run.summary,
        "annotations": run.annotations,
    }


def _files(within: Repository, sha: str) -> dict[str, str]:
    """Path to the sha256 of the file's bytes (a link's: of its target; a submodule's: of its commit's sha)."""
    git = within.git
    found = {}
    for path, (mode, each) in git.files(git.commit(sha).tree).items():
        data = each.encode() if mode == SUBMODULE else git.read(each, "blob").data
        found[path.decode("utf-8", "backslashreplace")] = hashlib.sha256(data).hexdigest()
    return found
