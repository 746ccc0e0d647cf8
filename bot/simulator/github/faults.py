"""Faults that a scenario plants: what GitHub does wrong, to which requests or deliveries, and how often."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class Fault:
    """One planted fault; `applied` counts how often it struck.

    ``github``: `METHOD /path`, where `*` also matches `/`; `DELIVER event.action` names deliveries instead.
    ``status``: what is answered. ``after_effect``: the request takes effect first. ``times``: how often at most.
    ``hang_s``: seconds before the answer; without a status the connection is then cut. ``slow_s``: seconds in the middle
    of the body. ``retry_after``: seconds, the secondary limit's header. ``reset_in_s``: seconds until the primary limit's
    window ends, with nothing remaining. ``list_lag_s``: a list leaves out what is younger.
    Of deliveries: ``drop`` loses one without a record, ``status`` lets the attempt fail, ``delay_s`` waits before it,
    ``copies`` sends it more often, ``swap`` sends the next one first.
    """

    github: str
    status: int | None = None
    after_effect: bool = False
    times: int = 1
    hang_s: float | None = None
    slow_s: float | None = None
    retry_after: int | None = None
    reset_in_s: int | None = None
    list_lag_s: float | None = None
    drop: bool = False
    delay_s: float | None = None
    copies: int = 0
    swap: bool = False
    applied: int = 0

    def matches(self, name: str) -> bool:
        """Whether the pattern covers a request or delivery."""
        pattern = ".*".join(re.escape(part) for part in self.github.split("*"))
        return re.fullmatch(pattern, name, re.DOTALL) is not None


class FaultPlan:
    """All planted faults; the first one that matches and is not used up strikes."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = list(faults)
        self._lock = threading.Lock()

    def strike(self, name: str) -> Fault | None:
        """Takes the fault for a request or delivery and counts it."""
        with self._lock:
            for one in self.faults:
                if one.applied < one.times and one.matches(name):
                    one.applied += 1
                    return one
        return None
