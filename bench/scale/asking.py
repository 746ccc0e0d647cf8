"""The questions that the App asks its records, by the App's own code, and how long each takes (milliseconds)."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import sqlalchemy as sa

from bench.scale.filling import Size
from bench.scale.story import NOW
from bot.adapters.storage import SqlStorage
from bot.adapters.storage.engine import dispose, make_engine
from bot.adapters.webhook_payloads import WebhookPayloads
from bot.domain.jobs import AGENT_QUEUES, QUEUE_OF
from bot.domain.subject import sha256_of
from bot.policy.decide import PolicySet
from bot.ports import records as r
from bot.ports.queue import Nudge
from bot.redaction import Redactor
from bot.services.commanding import Commander
from bot.services.desk import DAY_MS, Desk, Limits
from bot.services.intake import Intake
from bot.services.ledgers import Ledgers
from bot.services.outbox import Outboxes
from bot.services.rescue import Sweeper
from bot.services.routing import Router
from bot.services.starting import Starter

BOARD: Final = 50
"""What `conductor runs` shows."""
AGENT_KINDS: Final = [kind for kind, queue in QUEUE_OF.items() if queue in AGENT_QUEUES]
"""What a `worker agents` handles."""
FLOOR: Final = "a page written and synced"


@dataclass(slots=True)
class Counting:
    """`bot.ports.queue.Queue` that counts."""

    nudges: int = 0

    def nudge(self, what: Nudge, subject: str, *, queue: str = "") -> None:
        del what, subject, queue
        self.nudges += 1


@dataclass(slots=True)
class _Clock:
    """The told time goes on from when the runs end."""

    started: float = field(default_factory=time.monotonic)

    def now(self) -> int:
        return NOW + 1_000 + int((time.monotonic() - self.started) * 1_000)


@dataclass(slots=True)
class _Chance:
    numbers: random.Random = field(default_factory=lambda: random.Random(7))

    def token(self) -> str:
        return f"{self.numbers.getrandbits(128):032x}"

    def name(self) -> str:
        return f"n{self.numbers.getrandbits(48):011x}"

    def jitter(self, span: int) -> int:
        return self.numbers.randint(0, span)


@dataclass(slots=True)
class Asker:
    """One database, and the use cases over it."""

    url: str
    size: Size
    samples: int
    queue: Counting = field(default_factory=Counting)
    numbers: random.Random = field(default_factory=lambda: random.Random(5))
    storage: SqlStorage = field(init=False)
    desk: Desk = field(init=False)

    def __post_init__(self) -> None:
        self.storage = SqlStorage(self.url, self.queue)
        nothing = cast("Any", None)
        self.desk = Desk(
            storage=self.storage, clock=_Clock(), chance=_Chance(), artifacts=nothing, trees=nothing,
            policies=PolicySet.load(), redactor=Redactor({}), limits=Limits(), app_id=1, owner="bench:0:control:1:",
        )  # fmt: skip

    def close(self) -> None:
        self.storage.close()

    def run_id(self, number: int) -> str:
        return f"r{number * 2654435761 & 0xFFFFFFFF:08x}"

    def any_run(self) -> str:
        return self.run_id(self.numbers.randint(1, self.size.runs))

    def questions(self) -> dict[str, Callable[[], Iterator[None]]]:
        """Each yields before and after what is timed; what a thin database has no rows for is left out."""
        found: dict[str, Callable[[], Iterator[None]]] = {
            FLOOR: self._sync,
            "claim of a job, with commit": self._claim_job,
            "claim of a write, with commit": self._claim_write,
            "sweep": self._sweep,
            "route a delivery, with its commits": self._route,
            "look-ups of a delivery": self._look_up,
            "limits before a start": self._start,
            f"board: {BOARD} newest": self._board,
            f"board: {BOARD} of a state": self._board_of_state,
            "  the board's query alone": self._board_alone,
        }
        if not self.size.thin:
            found["run page"] = self._page
        return found

    def _sync(self) -> Iterator[None]:
        """No question: what any commit costs here at least."""
        where = Path(self.url.removeprefix("sqlite:///")).parent if self.url.startswith("sqlite") else Path("/tmp")
        file = where / "bench-scale-sync"
        with file.open("wb", buffering=0) as sink:
            for _ in range(self.samples):
                yield
                sink.write(b"x" * 4_096)
                os.fdatasync(sink.fileno())
                yield
        file.unlink()

    def _due(self) -> Iterator[str]:
        numbers = list(range(1, self.size.due + 1))
        self.numbers.shuffle(numbers)
        return iter([self.run_id(number) for number in numbers[: self.samples]])

    def _claim_job(self) -> Iterator[None]:
        for run in self._due():
            now = self.desk.clock.now()
            yield
            with self.storage.begin() as tx:
                job = tx.jobs.claim(f"{run}-j2", owner="bench", now=now, lease_ms=60_000, kinds=AGENT_KINDS)
            yield
            assert job is not None, run
            with self.storage.begin() as tx:
                tx.jobs.settle(job.id, fence=job.fence, state="queued", now=now, spend_attempt=False)

    def _claim_write(self) -> Iterator[None]:
        """As the dispatcher does; the write is then allowed again, so that every size has as many."""
        for number in range(self.samples):
            installation, now = 1 + number % self.size.installations, self.desk.clock.now()
            yield
            with self.storage.begin() as tx:
                waiting = tx.outbox.next(installation, now)
                assert waiting is not None
                row = tx.outbox.claim(waiting.id, owner="bench", now=now, lease_ms=60_000, answers_stop=False)
            yield
            assert row is not None
            with self.storage.begin() as tx:
                tx.outbox.settle(row.id, fence=row.fence, state="allowed", now=now)

    def _sweep(self) -> Iterator[None]:
        sweeper = Sweeper(self.desk, self.queue)
        sweeper.sweep()
        for _ in range(min(self.samples, 200)):
            before = self.queue.nudges
            yield
            sweeper.sweep()
            yield
            assert self.queue.nudges > before

    def _route(self) -> Iterator[None]:
        desk = self.desk
        outboxes = Outboxes(desk)
        starter = Starter(desk, outboxes)
        router = Router(desk, starter, Commander(desk, starter, outboxes, Ledgers(desk)))
        intake = Intake(desk, WebhookPayloads(), router)
        for number in range(self.samples):
            event, body = self._delivery(number)
            name = f"bench-{desk.chance.token()}"
            with self.storage.begin() as tx:
                tx.deliveries.add(r.Delivery(name, event, body, sha256_of(body), desk.clock.now()))
            yield
            intake.route(name)
            yield
            with self.storage.read() as tx:
                settled = tx.deliveries.get(name)
            assert settled is not None, name
            assert settled.state in {"ignored", "waiting"}, settled.reason

    def _delivery(self, number: int) -> tuple[str, bytes]:
        """A push to a run's branch, a label taken off its issue, a command on it."""
        run = self.numbers.randint(1, self.size.runs)
        repository = 2 + run % self.size.repositories
        installation = 1 + repository % self.size.installations
        payload: dict[str, Any] = {
            "repository": {"id": repository, "full_name": f"octo-{installation}/calc-{repository}", "private": False,
                           "default_branch": "main"},
            "installation": {"id": installation},
            "sender": {"id": 5, "login": "ana", "type": "User"},
        }  # fmt: skip
        at = "2026-09-21T10:00:00Z"
        issue = {"number": 1 + 100 * run, "title": "Cents", "body": "", "user": payload["sender"], "labels": [],
                 "created_at": at, "updated_at": at}  # fmt: skip
        said = {"id": run, "body": "/conductor status", "user": payload["sender"], "created_at": at, "updated_at": at}
        more: dict[str, Any]
        match number % 3:
            case 0:
                ref = f"refs/heads/conductor/1-splitting-a-bill-{run}"
                event, more = "push", {"ref": ref, "before": "c2" * 20, "after": "c3" * 20}
            case 1:
                event, more = "issues", {"action": "unlabeled", "issue": issue, "label": {"id": 1, "name": "bug"}}
            case _:
                event, more = "issue_comment", {"action": "created", "issue": issue, "comment": said}
        return event, json.dumps(payload | more).encode()

    def _look_up(self) -> Iterator[None]:
        for _ in range(self.samples):
            run = self.numbers.randint(1, self.size.runs)
            repository = 2 + run % self.size.repositories
            yield
            with self.storage.read() as tx:
                tx.deliveries.before("none", NOW, 50)
                tx.places.installation(1)
                tx.jobs.of_delivery(f"{self.run_id(run)}-d0")
                tx.runs.of_issue(repository, 1 + 100 * run)
                tx.runs.of_branch(repository, f"conductor/1-splitting-a-bill-{run}")
                tx.runs.of_pull(repository, 1 + 100 * run)
            yield

    def _start(self) -> Iterator[None]:
        for _ in range(self.samples):
            repository = 2 + self.numbers.randrange(self.size.repositories)
            yield
            with self.storage.read() as tx:
                tx.runs.started_today(repository, 5, NOW - DAY_MS)
                tx.runs.revised_today(repository, 5, NOW - DAY_MS)
                tx.runs.holding_slots(repository)
                tx.runs.waiting_for_slot(repository)
            yield

    def _board(self) -> Iterator[None]:
        yield from self._listed(())

    def _board_of_state(self) -> Iterator[None]:
        yield from self._listed(("done",))

    def _board_alone(self) -> Iterator[None]:
        """What the database and its driver take for the board's rows, without transaction, records and JSON."""
        engine = make_engine(self.url, read_only=True, pool_size=1)
        with engine.connect() as link:
            cursor: Any = link.connection.cursor()
            for _ in range(self.samples):
                yield
                cursor.execute(NAIVE[f"board: {BOARD} newest"].format(""))
                found = cursor.fetchall()
                yield
                assert len(found) == BOARD
        dispose(engine)

    def _listed(self, states: tuple[str, ...]) -> Iterator[None]:
        """With each run's repository by name, as `conductor runs` shows them."""
        for _ in range(self.samples):
            yield
            with self.storage.read() as tx:
                found = tx.runs.recent(states=states, limit=BOARD)
                names = [tx.places.repository(run.repository_id) for run in found]
            yield
            assert all(names)
            assert len(names) == BOARD or self.size.runs < 2_000

    def _page(self) -> Iterator[None]:
        for _ in range(self.samples):
            name = self.any_run()
            yield
            with self.storage.read() as tx:
                run = tx.runs.get(name)
                parts = (
                    tx.runs.transitions(name), tx.runs.evidence(name), tx.runs.approvals(name), tx.jobs.of_run(name),
                    tx.ledger.findings(name), tx.ledger.events(name), tx.outbox.of_run(name), tx.journal.model_calls(name),
                    tx.journal.tool_calls(name),
                )  # fmt: skip
            yield
            assert run is not None, name
            assert all(parts[3:]), name


def timed(question: Callable[[], Iterator[None]]) -> list[tuple[float, float]]:
    """Milliseconds of each time: by the clock, and of this process's processor, which other programs do not lengthen."""
    found = []
    asking = question()
    with suppress(StopIteration):
        while True:
            next(asking)
            before, worked = time.perf_counter(), time.process_time()
            next(asking)
            found.append(((time.perf_counter() - before) * 1_000, (time.process_time() - worked) * 1_000))
    return found


NAIVE: Final = {
    f"board: {BOARD} newest": f"SELECT * FROM runs{{0}} ORDER BY created_at DESC, id DESC LIMIT {BOARD}",
    "sweep": "SELECT id, queue FROM jobs{0} WHERE state = 'queued' ORDER BY not_before, created_at LIMIT 500",
}


def naive(url: str, samples: int = 5) -> dict[str, list[tuple[float, float]]]:
    """The peer: the same board, and the jobs' part of the sweep, without any index."""
    engine = make_engine(url, read_only=True, pool_size=1)
    found: dict[str, list[tuple[float, float]]] = {}
    with engine.connect() as link:
        blind = " NOT INDEXED" if link.dialect.name == "sqlite" else ""
        if not blind:
            for way in ("indexscan", "bitmapscan", "indexonlyscan"):
                link.execute(sa.text(f"SET enable_{way} = off"))
        for name, query in NAIVE.items():
            found[name] = []
            for _ in range(samples):
                before, worked = time.perf_counter(), time.process_time()
                link.execute(sa.text(query.format(blind))).all()
                times = (time.perf_counter() - before) * 1_000, (time.process_time() - worked) * 1_000
                found[name].append(times)
    dispose(engine)
    return found
