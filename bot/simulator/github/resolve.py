"""Turns what a request calls a commit (a branch, a ref, a sha) into a sha."""

from __future__ import annotations

from bot.simulator.github.answer import Call, Refusal
from bot.simulator.github.git_objects import MissingObject

EMPTY = "Git Repository is empty."


def commit_of(call: Call, name: str) -> str:
    """The sha; a 409 for a repository without commits, a 422 for a name that is none."""
    git = call.repository.git
    if not git.refs("refs/heads/"):
        raise Refusal(409, EMPTY)
    short = name.removeprefix("refs/")
    for full in (f"refs/heads/{name}", f"refs/tags/{name}", f"refs/{short}"):
        if (found := git.ref(full)) is not None:
            return found
    try:
        return git.commit(name).sha
    except MissingObject as error:
        raise Refusal(422, f"No commit found for SHA: {name}") from error
