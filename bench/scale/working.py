"""How much the App's processes get done: model replies with 1, 2 and 4 `worker agents`, writes with 1, 2 and 4 `worker github`."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, cast

from bench.scale.town import REPLIES_A_RUN, WritesOnly, app, town
from bot.adapters.storage import SqlStorage
from bot.adapters.system_clock import SystemChance, SystemClock
from bot.bootstrap import SweptQueue
from bot.domain.events import Actor, IssueFacts, Origin, RepositoryRef
from bot.domain.writes import ReactionAdd
from bot.policy.decide import PolicySet
from bot.ports import records as r
from bot.redaction import Redactor
from bot.services.desk import Desk, Limits
from bot.services.outbox import Outboxes
from bot.services.setting import Setting
from bot.simulator.topology import Topology, TopologyName

AGENT_THREADS: Final = 2
"""Contexts that a `worker agents` runs at once here: few, so that waiting and not this machine's two processors bounds them."""
GITHUB_THREADS: Final = 4
INSTALLATIONS: Final = 16
RUNS_A_WORKER: Final = 8
WRITES_AN_INSTALLATION: Final = 30
LONGEST_S: Final = 240.0
COMMIT_S: Final = 3.0
TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Rate:
    """What so many workers did. ``per_second``: in the time from a tenth of the work to nine tenths; ``cpu_ms``: of one worker process kind, for each."""

    workers: int
    done: int
    per_second: float
    cpu_ms: float


def agents(name: TopologyName, directory: Path, workers: Sequence[int]) -> list[Rate]:
    """Model replies a second while every worker has runs to plan and to review."""
    return [_agents(name, directory / f"agents-{count}", count) for count in workers]


def _agents(name: TopologyName, directory: Path, workers: int) -> Rate:
    secret, runs = secrets.token_hex(16), RUNS_A_WORKER * workers
    with town(secret) as place:
        given = {
            "webhook_secret": secret,
            "app_private_key": place.github.private_key_pem,
            "model_key": "sk-scripted-key",
        }
        urls = {"github_url": place.github.url, "model_url": place.model.base_url}
        running = app(name, directory, secrets=given, replicas={"agents": workers}, threads=AGENT_THREADS, **urls)
        with running:
            place.github.webhook_url = f"{running.url}/webhooks/github"
            before = _cpu(running, "agents")
            place.begin(runs)
            _until(running, lambda: len(place.asked) >= runs * REPLIES_A_RUN)
            spent = _cpu(running, "agents") - before
        return Rate(workers, len(place.asked), _rate(place.asked), spent * 1_000 / len(place.asked))


def writes(name: TopologyName, directory: Path, workers: Sequence[int]) -> list[Rate]:
    """Writes a second while every installation has some to send."""
    return [_writes(name, directory / f"github-{count}", count) for count in workers]


def _writes(name: TopologyName, directory: Path, workers: int) -> Rate:
    with town(secrets.token_hex(16)) as place, WritesOnly() as github:
        given = {
            "webhook_secret": "w" * 32,
            "app_private_key": place.github.private_key_pem,
            "model_key": "sk-scripted-key",
        }
        urls = {"github_url": github.url, "model_url": place.model.base_url}
        running = app(name, directory, secrets=given, replicas={"github": workers}, threads=GITHUB_THREADS, **urls)
        with running:
            before = _cpu(running, "github")
            _stage(running.database_url)
            wanted = INSTALLATIONS * WRITES_AN_INSTALLATION
            _until(running, lambda: len(github.written) >= wanted)
            spent = _cpu(running, "github") - before
        return Rate(workers, len(github.written), _rate(github.written), spent * 1_000 / len(github.written))


def commits(url: str, clients: Sequence[int], *, audited: bool) -> list[Rate]:
    """Transactions a second on a migrated database by so many threads; ``audited``: each adds a link to the chain, of which there is one."""
    storage = SqlStorage(url, SweptQueue(), pool_size=max(clients))
    with storage.begin() as tx:
        tx.places.put_installation(r.Installation(1, "octo", suspended=False, created_at=1))
    found = [_commits(storage, count, audited=audited) for count in clients]
    storage.close()
    return found


def _commits(storage: SqlStorage, clients: int, *, audited: bool) -> Rate:
    end, before = time.monotonic() + COMMIT_S, time.process_time()

    def client(number: int) -> int:
        done = 0
        while (now := time.monotonic()) < end:
            with storage.begin() as tx:
                # A row of each client's own: only the chain is shared.
                tx.jobs.add(r.Job(f"{number}-{now}", f"{number}-{now}", "draft", "agents.plan", 1, 1))
                if audited:
                    tx.journal.audit(at=1, kind="sent", subject="outbox:1", body={"kind": "comment.update"})
            done += 1
        return done

    with ThreadPoolExecutor(clients) as pool:
        done = sum(pool.map(client, range(clients)))
    return Rate(clients, done, done / COMMIT_S, (time.process_time() - before) * 1_000 / done)


def _stage(url: str) -> None:
    """Reactions of many installations, each decided by the policies as the App's own are; the sweeper finds them."""
    storage, nothing = SqlStorage(url, SweptQueue()), cast("Any", None)
    desk = Desk(
        storage=storage, clock=SystemClock(), chance=SystemChance(), artifacts=nothing, trees=nothing,
        policies=PolicySet.load(), redactor=Redactor({}), limits=Limits(), app_id=1, owner="bench:0:control:1:",
    )  # fmt: skip
    outboxes, ana, now = Outboxes(desk), Actor(5, "ana", "User"), desk.clock.now()
    with storage.begin() as tx:
        for number in range(1, INSTALLATIONS + 1):
            name = f"octo-{number}/calc"
            tx.places.put_installation(r.Installation(number, f"octo-{number}", suspended=False, created_at=now))
            tx.places.put_repository(r.Repository(number, number, name, "main", private=False))
            origin = Origin(number, RepositoryRef(number, name, "main", False), ana)
            for issue in range(1, WRITES_AN_INSTALLATION + 1):
                setting = Setting(origin, IssueFacts(issue, "", "", ana, now, now), f"d{number}-{issue}", issue)
                outboxes.stage_for(tx, setting, ReactionAdd(name, issue, "eyes", issue), f"bench:{number}:{issue}")
    storage.close()


def _until(running: Topology, done: Callable[[], bool]) -> None:
    end = time.monotonic() + LONGEST_S
    while not done():
        running.check()
        if time.monotonic() > end:
            raise SystemExit(f"bench/scale: the work was not done within {LONGEST_S:.0f} s:\n{running.logs()}")
        time.sleep(0.05)


def _rate(moments: Sequence[float]) -> float:
    """Between the first and the last tenth, in which workers start or have nothing left."""
    ordered = sorted(moments)
    first, last = len(ordered) // 10, len(ordered) - len(ordered) // 10 - 1
    return (last - first) / (ordered[last] - ordered[first])


def _cpu(running: Topology, process: str) -> float:
    """Processor seconds of these processes, their ended children's among them."""
    total = 0
    for name in running.names(process):
        with suppress(ProcessLookupError, FileNotFoundError):
            fields = Path(f"/proc/{running.pid(name)}/stat").read_text("ascii").rpartition(")")[2].split()
            total += sum(int(one) for one in fields[11:15])
    return total / TICKS


def as_json(rates: Sequence[Rate]) -> list[dict[str, Any]]:
    """With each one's ratio to the first."""
    return [asdict(one) | {"ratio": one.per_second / rates[0].per_second} for one in rates]
