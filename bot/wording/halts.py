"""Why a run from a backup stops: GitHub shows work of it that its records do not know."""

from __future__ import annotations

from typing import Final

_WAY: Final = "finish it there by hand, or `/conductor cancel` and label the issue again for a new run"


def ahead_by_pull(number: int) -> str:
    """A pull request from the run's branch that its records do not know."""
    return f"These records come from a backup, and GitHub shows pull request #{number} of this run, which they do not know: {_WAY}"


def ahead_by_commit(sha: str) -> str:
    """A commit of Conductor's on the run's branch that its records do not know."""
    return (
        f"These records come from a backup, and on this run's branch GitHub shows commit {sha[:12]} by Conductor, "
        f"which they do not know: {_WAY}"
    )


def merged_ahead() -> str:
    """A merge of work that the records do not know."""
    return "the pull request was merged; these records come from a backup and do not know how it came to that"
