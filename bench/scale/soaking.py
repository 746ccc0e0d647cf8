"""Memory of each process of the App while it works at a steady pace: its level, and how fast it grows."""

from __future__ import annotations

import math
import re
import secrets
import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import redis

from bench.scale.town import Town, app, town
from bot.domain.jobs import AGENT_QUEUES, CONTROL, GITHUB
from bot.simulator.topology import Topology, TopologyName

EVERY_S: Final = 5.0
"""Between two looks at the memory."""
RUN_EVERY_S: Final = 6.0
"""Between two runs: each is planned, reviewed twice, shown, and cancelled by a person a minute later."""
LIVES: Final = 10
"""So many runs later one is cancelled."""
WARM: Final = 0.4
"""The first part of the time, in which code and caches fill; it counts for nothing."""
BLOCKS: Final = 12
T_95: Final = 2.228
"""Student's factor for the slope of so many blocks' means: 95 % on both sides, ten degrees of freedom."""
OWN: Final = re.compile(r"^Anonymous:\s+(\d+) kB$", re.MULTILINE)
RSS: Final = re.compile(r"^Rss:\s+(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Growth:
    """Of one process, over the time after the warm-up. Its own (anonymous) memory and RSS in KiB; the slope is the own's, with its 95 % bounds."""

    process: str
    own_kib: int
    rss_kib: int
    kib_a_minute: float
    plus_minus: float

    @property
    def is_flat(self) -> bool:
        """Whether no growth can be told from this time."""
        return self.kib_a_minute - self.plus_minus <= 0


def soak(name: TopologyName, directory: Path, seconds: float) -> dict[str, Any]:
    """Work for so long; what each process held and how it grew, how many runs there were, the longest queue of the broker."""
    secret = secrets.token_hex(16)
    with ExitStack() as stack:
        place = stack.enter_context(town(secret))
        given = {
            "webhook_secret": secret,
            "app_private_key": place.github.private_key_pem,
            "model_key": "sk-scripted-key",
        }
        urls = {"github_url": place.github.url, "model_url": place.model.base_url}
        running = stack.enter_context(app(name, directory, secrets=given, replicas={}, threads=4, **urls))
        place.github.webhook_url = f"{running.url}/webhooks/github"
        broker = redis.Redis.from_url(running.settings["broker_url"])
        stack.callback(broker.close)
        seen, longest = _work(place, running, broker, seconds)
    grown = [growth(process, found) for process, found in seen.items()]
    shown = [asdict(one) | {"flat": one.is_flat} for one in grown]
    return {"seconds": seconds, "runs": place.opened, "longest_queue": longest, "processes": shown}


Sample = tuple[float, int, int]
"""When (seconds), own memory and RSS (KiB)."""


def _work(place: Town, running: Topology, broker: Any, seconds: float) -> tuple[dict[str, list[Sample]], int]:
    seen: dict[str, list[Sample]] = {process: [] for process in running.names()}
    began, longest = time.monotonic(), 0
    next_run = next_look = began
    while (now := time.monotonic()) < began + seconds:
        running.check()
        if now >= next_run:
            next_run += RUN_EVERY_S
            place.begin(1)
            if place.opened > LIVES:
                place.end(place.opened - LIVES)
        if now >= next_look:
            next_look += EVERY_S
            for process, samples in seen.items():
                samples.append((now - began, *_memory(running.pid(process))))
            longest = max(longest, *(int(broker.llen(queue)) for queue in (CONTROL, GITHUB, *AGENT_QUEUES)))
        time.sleep(0.1)
    return seen, longest


def _memory(pid: int) -> tuple[int, int]:
    """Anonymous memory and RSS in KiB. PSS would move with every other process that comes and goes and maps the same libraries."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    own, rss = OWN.search(text), RSS.search(text)
    assert own is not None, text
    assert rss is not None, text
    return int(own[1]), int(rss[1])


def growth(process: str, samples: Sequence[Sample]) -> Growth:
    """The least-squares slope through the means of `BLOCKS` stretches: single samples follow each other too closely to count."""
    warm = [one for one in samples if one[0] >= samples[-1][0] * WARM]
    size = len(warm) / BLOCKS
    blocks = [
        warm[math.floor(n * size) : max(math.floor((n + 1) * size), math.floor(n * size) + 1)] for n in range(BLOCKS)
    ]
    minutes = [statistics.fmean(at for at, _, _ in block) / 60 for block in blocks]
    means = [statistics.fmean(own for _, own, _ in block) for block in blocks]
    slope, start = statistics.linear_regression(minutes, means)
    middle = statistics.fmean(minutes)
    spread = sum((at - middle) ** 2 for at in minutes)
    rest = sum((mean - start - slope * at) ** 2 for at, mean in zip(minutes, means, strict=True)) / (BLOCKS - 2)
    level, rss = statistics.median(own for _, own, _ in warm), statistics.median(rss for _, _, rss in warm)
    return Growth(process, int(level), int(rss), slope, T_95 * math.sqrt(rest / spread))
