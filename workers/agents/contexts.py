"""What contexts of all roles share: read-only tools over a tree, and how an end without a submission is worded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, assert_never

from bot.domain.work import FileDiff
from workers.agents.loop import Declined, Ending, GaveUp, Submitted
from workers.agents.room import Room
from workers.guard import Profile
from workers.sandbox.layers import Layer
from workers.sandbox.masks import Protection
from workers.tools.diffs import Diffs
from workers.tools.reading import DeliveryLog, Reading, Side
from workers.tools.running import Place, Running
from workers.tools.said import Said
from workers.tools.searching import Searching
from workers.tools.sources import Source
from workers.tools.toolbox import Toolbox, reading_tools


@dataclass(frozen=True, slots=True)
class Seat:
    """A role's own part of its tools: what it submits and how, and the sides it reads. ``root``: the main side on disk."""

    role: str
    submit_definition: Mapping[str, Any]
    submit: Callable[[dict[str, Any]], Said]
    sources: Mapping[Side, Source]
    main: Side
    root: Path
    diff: Sequence[FileDiff] | None = None
    layer: Layer | None = None


def running(
    room: Room, root: Path, profile: Profile, *, writable: bool, layer: Layer | None, own: frozenset[str] = frozenset()
) -> Running:
    """The `run` tool of a context: the tree is writable for an implementer alone (I5). `own`: the paths of its step."""
    place = Place(room.sandbox, root, writable, layer, room.canary.env, room.canary.planted, Protection(own))

    def keep(raw: str) -> None:
        room.shown.extend(room.shown_in(raw))
        room.keep_bytes("output", raw.encode("utf-8", "replace"))

    return Running(place, profile, room.redactor, room.command_seconds, keep)


def read_only_box(room: Room, seat: Seat, log: DeliveryLog) -> Toolbox:
    """Tools that cannot write: none of them does, and the tree is mounted read-only (I5)."""
    reading = Reading(seat.sources, seat.main, room.redactor, log)
    searching = Searching(room.sandbox, seat.root, reading)
    commands = running(room, seat.root, Profile.REVIEWER, writable=False, layer=seat.layer)
    diffs = None if seat.diff is None else Diffs(seat.diff, reading)
    tools = {tool.name: tool for tool in reading_tools(reading, searching, commands, diffs)}
    return Toolbox(seat.role, tools, str(seat.submit_definition["name"]), seat.submit_definition, seat.submit)


def explained(role: str, ending: Ending, otherwise: str) -> str:
    """Why a context brought nothing, in one sentence."""
    match ending:
        case Submitted():
            return f"The {role} brought nothing: {otherwise}."
        case Declined(why=why):
            return f"The model refused to work as the {role}: {why}"
        case GaveUp(why=why):
            return f"The {role} came to no end: {why}"
        case _:
            assert_never(ending)
