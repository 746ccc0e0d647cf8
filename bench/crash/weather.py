"""GitHub's bad weather: every fault that the simulator knows, each at a rate, for as long as it blows."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from bot.simulator.github.faults import Fault
from bot.simulator.github.server import SimulatedGitHub

FOR_EVER: Final = 1_000_000_000
WRITES: Final = ("POST", "PATCH", "DELETE")
ECHOES: Final = ("issue_comment.edited", "check_run.created", "pull_request.edited", "pull_request.ready_for_review")
"""Deliveries that tell the App of its own writes alone."""
ENDINGS: Final = ("issues.unlabeled", "issues.closed", "pull_request.closed")
"""Deliveries that end a run. What a lost comment asked for is not done late and by surprise: its writer is asked to repeat it."""


@dataclass
class Sky:
    """Whether it blows; ``chance`` is drawn from under the plan's lock, so that a seed gives the same sequence of draws."""

    chance: random.Random
    blows: bool = False


@dataclass
class Gust(Fault):
    """A fault that strikes a request or delivery with a probability. ``kind``: what the table calls it."""

    kind: str = ""
    rate: float = 0.0
    sky: Sky = field(default_factory=lambda: Sky(random.Random(0)))

    def matches(self, name: str) -> bool:
        """Whether it strikes this one."""
        return self.sky.blows and super().matches(name) and self.sky.chance.random() < self.rate


@dataclass(slots=True)
class Weather:
    """All gusts over one simulated GitHub. ``lease_ms``: the App's, so that some answers outlast it.

    ``loses_endings``: deliveries that end a run are lost too, without a record; the App's next look finds that out, in minutes.
    ``strength``: multiplies every rate.
    """

    seed: int
    lease_ms: int
    loses_endings: bool = False
    strength: float = 1.0
    sky: Sky = field(init=False)
    gusts: list[Gust] = field(default_factory=list)
    expired: int = 0

    def __post_init__(self) -> None:
        self.sky = Sky(random.Random(self.seed))
        beyond = self.lease_ms / 1000 * 1.5
        for method in WRITES:
            asked = f"{method} /repos/*"
            self._gust("502 after the effect", asked, 0.015, status=502, after_effect=True)
            self._gust("no answer after the effect", asked, 0.007, hang_s=0.3, after_effect=True)
            self._gust("no answer within the lease", asked, 0.001, hang_s=beyond, after_effect=True)
            self._gust("500 without effect", asked, 0.01, status=500)
            self._gust("no answer, no effect", asked, 0.002, hang_s=0.3)
            self._gust("403 with retry-after", asked, 0.002, retry_after=1)
            self._gust("slow body", asked, 0.005, slow_s=0.2)
        self._gust("502 after the effect", "POST /graphql", 0.03, status=502, after_effect=True)
        self._gust("list lag", "GET /repos/*", 0.03, list_lag_s=0.3)
        self._gust("502 to a question", "GET /repos/*", 0.008, status=502)
        self._gust("slow body", "GET /repos/*", 0.005, slow_s=0.2)
        self._gust("500 to a token's request", "POST /app/installations/*", 0.005, status=500)
        self._gust("502 to a fetch", "POST /*.git/git-upload-pack", 0.02, status=502)
        self._gust("delivery twice", "DELIVER *", 0.03, copies=1)
        self._gust("delivery after the next", "DELIVER *", 0.03, swap=True)
        self._gust("delivery late", "DELIVER *", 0.01, delay_s=0.3)
        self._gust("delivery failed", "DELIVER *", 0.003, status=502)
        for event in ECHOES:
            self._gust("delivery lost", f"DELIVER {event}", 0.05, drop=True)
        for event in ENDINGS if self.loses_endings else ():
            self._gust("delivery lost", f"DELIVER {event}", 0.03, drop=True)

    def _gust(self, kind: str, github: str, rate: float, **what: Any) -> None:
        self.gusts.append(Gust(github, times=FOR_EVER, kind=kind, rate=rate * self.strength, sky=self.sky, **what))

    def expire_tokens(self, github: SimulatedGitHub) -> None:
        """Every token in use is answered 401 from now on."""
        self.expired += 1
        github.expire_tokens()

    def counts(self) -> dict[str, int]:
        """How often each kind struck."""
        found = Counter({"401, tokens expired": self.expired})
        for one in self.gusts:
            found[one.kind] += one.applied
        return dict(found)
