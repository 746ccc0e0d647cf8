"""`JobKind.STEP`: one context implements one step in its own workspace; the patch is read from the tree, never from the model."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bot.domain.errors import InternalError
from bot.domain.facts import BaseEntry
from bot.domain.outcome import Done, NeedsHuman, Outcome
from bot.domain.path_globs import glob_problem, matches
from bot.domain.plan import Step
from bot.domain.subject import PlanSubject
from bot.domain.work import REGULAR_MODES, Change, Patch, Work
from bot.ports import records as r
from workers.agents.briefing import step_opening, system_prompt
from workers.agents.contexts import explained, running
from workers.agents.desk import AgentDesk
from workers.agents.loop import Context, Submitted
from workers.agents.room import Interrupted, Room, open_room
from workers.guard import Profile
from workers.sandbox.errors import UnsafePath
from workers.sandbox.masks import HELD
from workers.sandbox.workspaces import Change as Changed
from workers.sandbox.workspaces import Entry, Workspace, changes
from workers.tools.contracts import definition
from workers.tools.reading import DeliveryLog, Reading
from workers.tools.said import Refused, shown_name
from workers.tools.searching import Searching
from workers.tools.sources import FolderSource
from workers.tools.submitting import Submissions
from workers.tools.toolbox import Toolbox, reading_tools, writing_tools
from workers.tools.writing import Writing

MOST_NAMED: Final = 50
CACHES: Final = (
    *("__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", ".tox", ".nox", "node_modules"),
    *("*.egg-info", ".coverage", ".coverage.*", "htmlcov", ".nyc_output", ".gradle", ".eggs", "*.pyc", ".DS_Store"),
)
"""What tools leave behind in a workspace and nobody means to publish."""


def step(desk: AgentDesk, job: r.Job) -> Outcome:
    """Handler. Payload ``{snapshot, plan, start, feedback}``; result ``{patch, work, paths, refused, canaries}``.

    The patch starts at the step's own start tree. ``refused``: what the workspace held that git must never see, in words.
    """
    with open_room(desk, job) as room:
        try:
            return _step(room)
        except Interrupted as word:
            return word.outcome


def _step(room: Room) -> Outcome:
    subject = PlanSubject.model_validate_json(room.get(str(room.job.payload["plan"])))
    own = next((one for one in subject.plan.steps if one.id == room.job.step), None)
    if own is None:
        raise InternalError(f"The approved plan has no step {room.job.step!a}.", {"step": room.job.step})
    start = room.tree_of(str(room.job.payload.get("start") or ""))
    with room.leased(start) as tree:
        workspace = Workspace.create(tree, room.place / "workspace")
    submissions = Submissions(Work, lambda work: _problems(work, own), room.desk.limits.send_backs)
    context = Context(
        room=room,
        toolbox=_toolbox(room, workspace.root, own, submissions),
        model=room.snapshot.config.models.implementer or room.desk.default_model,
        system=system_prompt("implementer"),
    )
    ending = context.converse(step_opening(room, subject.plan, own, subject.verify))
    if not isinstance(ending, Submitted) or submissions.accepted is None:
        return NeedsHuman(explained(f"implementer of {own.id}", ending, "its submissions never had the form of work"))
    read = _read_back(room, workspace.root, start, own)
    canaries = _carried(room, read.patch) or (_lying_in(room, workspace.root) if read.refused else [])
    if canaries:
        room.trace(", ".join(canaries), stopped=True)
    return Done(
        {
            "patch": room.keep("patch", read.patch.model_dump(mode="json")),
            "work": room.keep("work", submissions.accepted.model_dump(mode="json")),
            "paths": [change.path for change in read.patch.changes],
            "refused": list(read.refused),
            "canaries": canaries[:MOST_NAMED],
        }
    )


def _problems(work: Work, own: Step) -> list[str]:
    """What code finds wrong with a submission by itself; the tree is judged later."""
    found = [f"step is {work.step}, and yours is {own.id}"] if work.step != own.id else []
    strange = sorted({claim.criterion for claim in work.claims} - set(own.covers))
    return [*found, *(f"{name} is no criterion of this step" for name in strange)]


def _toolbox(room: Room, root: Path, own: Step, submissions: Submissions[Work]) -> Toolbox:
    reading = Reading({"head": FolderSource(root)}, "head", room.redactor, DeliveryLog())
    searching = Searching(room.sandbox, root, reading)
    paths = frozenset(entry.path for entry in own.paths)
    commands = running(room, root, Profile.IMPLEMENTER, writable=True, layer=room.layer(), own=paths)
    writing = Writing(root, room.redactor, paths, (*HELD, *room.snapshot.config.protected))
    tools = {tool.name: tool for tool in (*reading_tools(reading, searching, commands), *writing_tools(writing))}
    tool = definition("submit_work", "Hands in the step and ends your work.", Work)
    return Toolbox("implementer", tools, "submit_work", tool, submissions.submit)


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What the workspace came to."""

    patch: Patch
    refused: tuple[str, ...] = ()


def _read_back(room: Room, root: Path, start: str, own: Step) -> ReadBack:
    """The workspace's difference from its start, without what tools leave behind."""
    entries = room.desk.trees.entries(start)
    before = {
        path: Entry(one.mode, one.blob, one.size)
        for path, one in entries.items()
        if one.mode != "160000"  # a submodule is an empty folder here
    }
    nothing = Patch(base_tree=start)
    try:
        found = changes(before, root)
    except UnsafePath as unsafe:
        return ReadBack(nothing, tuple(str(problem) for problem in unsafe.problems[:50]))
    named = {entry.path for entry in own.paths}
    ignored = _ignored(room, start, entries)
    kept = [one for one in found if one.path in named or not _left_behind(one, ignored)]
    odd = [f"{shown_name(one.path)} has a name that is no UTF-8" for one in kept if not _sayable(one.path)]
    size = sum(len(one.content or b"") for one in kept)
    if size > room.desk.limits.patch_bytes:
        odd.append(f"the work holds {size} bytes, {room.desk.limits.patch_bytes} are the most")
    if odd:
        return ReadBack(nothing, tuple(odd))
    return ReadBack(Patch(base_tree=start, changes=tuple(_change(one, entries.get(one.path)) for one in kept)))


def _change(one: Changed, old: BaseEntry | None) -> Change:
    mode = one.mode or (old.mode if old is not None else "100644")
    content = None if one.content is None else base64.b64encode(one.content).decode("ascii")
    before = (None, None) if old is None else (old.blob, old.mode)
    return Change(path=one.path, mode=mode, content=content, before=before[0], before_mode=before[1])


def _sayable(path: str) -> bool:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _left_behind(one: Changed, ignored: Iterable[str]) -> bool:
    """A new path that tools make, or that the repository itself ignores."""
    if one.kind != "added":
        return False
    if any(matches((pattern,), part) for pattern in CACHES for part in one.path.split("/")):
        return True
    parts = one.path.split("/")
    return any(matches((pattern,), "/".join(parts[:end])) for pattern in ignored for end in range(1, len(parts) + 1))


def _ignored(room: Room, tree: str, entries: Mapping[str, BaseEntry]) -> tuple[str, ...]:
    """The plain patterns of the repository's own top .gitignore; with exceptions in it, none: they cannot be told apart."""
    entry = entries.get(".gitignore")
    if entry is None or entry.mode not in REGULAR_MODES or entry.size > 1 << 16:
        return ()
    text = (room.desk.trees.read(tree, ".gitignore") or b"").decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if any(line.startswith("!") for line in lines):
        return ()
    return tuple(line for line in lines if not glob_problem(line))


def _lying_in(room: Room, root: Path) -> list[str]:
    """The same for a workspace that is refused as a whole: nobody compared it with its start, so every file is read."""
    source = FolderSource(root)
    found = []
    for path in source.paths():
        try:
            data = source.read(path)
        except (Refused, UnsafePath, OSError):
            data = b""  # a link, a pipe or a file that is too large: its name alone is looked at
        if room.canary.stands_in(path) or room.canary.stands_in(_as_text(data)):
            found.append(f"the workspace at {shown_name(path)}")
    return found


def _as_text(data: bytes) -> str:
    """A file's text for the search: without NULs, so that UTF-16 and UTF-32 read as what they say."""
    return data.replace(b"\0", b"").decode("utf-8", "replace")


def _carried(room: Room, patch: Patch) -> list[str]:
    """Changed files that hold the planted secret."""
    found = []
    for change in patch.changes:
        data = base64.b64decode(change.content or "")
        if room.canary.stands_in(change.path) or room.canary.stands_in(_as_text(data)):
            found.append(f"the diff of {shown_name(change.path)}")
    return found
