"""A house: the whole control plane in one process against the simulated GitHub, moved by hand, with scripted agents.

Reader, writer, storage, trees, policies and gates are the real ones. Time is real but for jumps: where everything waits,
the clock goes on to the next thing that is due, so no test sleeps and none depends on how fast the machine is.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import http.server
import os
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from unittest import mock

import sqlalchemy as sa
from pydantic import SecretStr

import bot.bootstrap
from bot.adapters.storage import SqlStorage, migrate
from bot.adapters.storage.transaction import SqlTransaction
from bot.adapters.tables import deliveries, installations, jobs, outbox, runs, transitions
from bot.domain.audit_chain import verify_chain
from bot.domain.jobs import JobKind
from bot.domain.subject import sha256_of
from bot.domain.workflow import WORKFLOWS
from bot.ports import records as r
from bot.ports.queue import Nudge
from bot.services.desk import Limits
from bot.services.merging import Merging
from bot.services.performing import Handler, Performer
from bot.services.retention import Retention
from bot.settings import Process, Settings
from bot.simulator.github.faults import Fault
from bot.simulator.github.git_import import Source
from bot.simulator.github.server import SimulatedGitHub
from tests.harness.house_agents import FILES, FakeAgents
from tests.harness.house_view import HouseView

APP_ID: Final = 77
SECRET: Final = "a-webhook-secret-of-this-house"
REPOSITORY: Final = "acme/calc"
PEOPLE: Final = {"ana": "maintain", "bob": "write", "carl": "write", "mallory": "read"}
FAR_MS: Final = 15 * 60_000
"""How far ahead something may be due for the pump to go there by itself."""
MOST_JUMPS: Final = 300


class Killed(BaseException):
    """The process died here: nothing may catch it."""


class HouseClock:
    """Wall time with jumps forward."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def now(self) -> int:
        """Milliseconds since the epoch."""
        return time.time_ns() // 1_000_000 + self.ahead_ms

    def seconds(self) -> float:
        """Seconds since the epoch, for the simulated GitHub."""
        return self.now() / 1000


class HandQueue:
    """Wake-ups in order, each once, taken by hand; a broker that loses all of them is emptied."""

    def __init__(self) -> None:
        self._items: OrderedDict[tuple[Nudge, str], None] = OrderedDict()
        self._lock = threading.Lock()

    def nudge(self, what: Nudge, subject: str, *, queue: str = "") -> None:
        """`bot.ports.queue.Queue`."""
        with self._lock:
            self._items[what, subject] = None

    def take(self) -> tuple[Nudge, str] | None:
        """The oldest one."""
        with self._lock:
            return self._items.popitem(last=False)[0] if self._items else None

    def flush(self) -> None:
        """Lose everything."""
        with self._lock:
            self._items.clear()


class FragileStorage(SqlStorage):
    """Counts the transactions of the process that works, and kills it before those that ``kills`` names."""

    begun = 0
    kills: Callable[[int], bool] = staticmethod(lambda number: False)
    committed: Callable[[], None] = staticmethod(lambda: None)

    @contextmanager
    def begin(self) -> Iterator[SqlTransaction]:
        """Dies between two transactions, never inside one: that one the database undoes."""
        here = threading.current_thread() is threading.main_thread()
        if here:
            type(self).begun += 1
            if type(self).kills(type(self).begun):
                raise Killed
        with super().begin() as tx:
            yield tx
        if here:
            type(self).committed()


@functools.cache
def _template() -> bytes:
    """An empty database, migrated once."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        migrate(f"sqlite:///{path}")
        return path.read_bytes()


@functools.cache
def _key() -> str:
    github = SimulatedGitHub(app_id=APP_ID, webhook_secret=SECRET)
    github.close()
    return github.private_key_pem


class House(HouseView):
    """``with House() as house:`` builds it, and at its end checks that nothing was refused, denied, dead or unread.

    ``files``: the repository (None: without a commit). ``config``: text of ``.github/conductor.yml``. ``issues``: number to
    title; each is mallory's. ``dead``: kinds of rows that may be dead or denied. ``messy``: no check at the end.
    """

    def __init__(
        self,
        *,
        files: Source | None = FILES,
        config: str | None = None,
        issues: Mapping[int, str] | None = None,
        faults: Sequence[Fault] = (),
        drafts_allowed: bool = True,
        limits: Mapping[str, int] | None = None,
        dead: Sequence[str] = (),
        dead_deliveries: int = 0,
        messy: bool = False,
    ) -> None:
        self.clock, self.queue, self.agents = HouseClock(), HandQueue(), FakeAgents()
        self.dead, self.dead_deliveries, self.messy = set(dead), dead_deliveries, messy
        self._limits = dict(limits or {})
        shm = Path("/dev/shm")
        self.folder = Path(tempfile.mkdtemp(prefix="house-", dir=shm if os.access(shm, os.W_OK) else None))
        self.github = SimulatedGitHub(
            app_id=APP_ID,
            webhook_secret=SECRET,
            faults=faults,
            drafts_allowed=drafts_allowed,
            private_key_pem=_key(),
            clock=self.clock.seconds,
        )
        self._keep_tokens_true()
        if config is not None and isinstance(files, Mapping):
            files = {**files, ".github/conductor.yml": config}
        self.github.add_repository(REPOSITORY, files)
        for login, level in PEOPLE.items():
            self.github.add_person(login, level)  # type: ignore[arg-type]  # a literal in a mapping
        for number, title in (issues or {7: "add is wrong"}).items():
            self.github.open_issue(number, title, "add(1, 2) gives -1", "mallory")
        (self.folder / "conductor.db").write_bytes(_template())
        self.settings = Settings(
            process=Process.GITHUB,
            data=self.folder / "data",
            artifacts=self.folder / "artifacts",
            database_url=f"sqlite:///{self.folder / 'conductor.db'}",
            broker_url="memory://",
            app_id=APP_ID,
            app_private_key=SecretStr(self.github.private_key_pem),
            github_url=self.github.url,
            pacing_ms=0,
            simulation=True,
        )
        self._inbox = SqlStorage(self.settings.database_url, self.queue)
        self._server = self._receiver()
        self.performer: Performer
        self.kills: Callable[[int], bool] = lambda number: False
        self.deaths = 0

    # Life

    def __enter__(self) -> Self:
        FragileStorage.begun, FragileStorage.kills = 0, staticmethod(lambda number: False)
        self.github.start()
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.github.webhook_url = f"http://127.0.0.1:{self._server.server_port}/webhooks/github"
        self.build()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and not self.messy:
                self.check()
        finally:
            self.github.close()
            self._server.shutdown()
            self._server.server_close()
            self._end()
            self._inbox.close()
            shutil.rmtree(self.folder)

    def build(self) -> None:
        """A new process over the same records; what the old one had in memory is gone."""
        limits = functools.partial(Limits, **self._limits)
        patched: dict[str, Any] = {
            "CeleryQueue": lambda app: self.queue,
            # It counts by the machine's clock, on which hours pass here in no time.
            "SparingQueue": lambda app, queue: queue,
            "SystemClock": lambda: self.clock,
            "SqlStorage": FragileStorage,
            "Limits": lambda **more: limits(**{**more, **self._limits}),
        }
        with mock.patch.multiple(bot.bootstrap, **patched):
            self.parts = bot.bootstrap.build(self.settings)
        # What `worker control` does at its start; this process is all of them.
        with self.parts.storage.begin() as tx:
            for workflow in WORKFLOWS.values():
                tx.runs.add_edges(workflow)
        desk = self.parts.desk
        control: dict[str, Handler] = {JobKind.MERGE: Merging(desk).merge, JobKind.RETENTION: Retention(desk).sweep}
        mine = {**control, **self.agents.handlers(desk)}
        self.performer = Performer(desk, {**self.parts.performer.handlers, **mine})

    def restart(self) -> None:
        """The process ends and another one begins."""
        self._end()
        kills, FragileStorage.kills = FragileStorage.kills, staticmethod(lambda number: False)
        committed, FragileStorage.committed = FragileStorage.committed, staticmethod(lambda: None)
        self.build()
        FragileStorage.committed = staticmethod(committed)
        FragileStorage.kills = staticmethod(kills)

    def _end(self) -> None:
        """What a dead process lets go of."""
        self.parts.storage.close()
        assert self.parts.dispatch is not None
        client = self.parts.dispatch.writer._client  # type: ignore[attr-defined]
        client.close()

    def _keep_tokens_true(self) -> None:
        """The client signs its JWT by the machine's clock, whatever this house's clock says."""
        authority = self.github._authority
        judged = authority.check_jwt
        authority.check_jwt = lambda header, now: judged(header, time.time())  # type: ignore[method-assign]

    def _receiver(self) -> http.server.ThreadingHTTPServer:
        inbox, clock = self._inbox, self.clock

        class Receiver(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                wanted = f"sha256={hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}"
                if not hmac.compare_digest(wanted, self.headers.get("x-hub-signature-256", "")):
                    self.send_response(401)
                    self.end_headers()
                    return
                delivery = r.Delivery(
                    self.headers["x-github-delivery"],
                    self.headers["x-github-event"],
                    body,
                    sha256_of(body),
                    clock.now(),
                )
                with inbox.begin() as tx:
                    if tx.deliveries.add(delivery):
                        tx.nudge(Nudge.ROUTE, delivery.id)
                self.send_response(202)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
                pass

        return http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)

    # The pump

    def pump(self) -> None:
        """Work until nothing is due, going forward in time over waits of minutes; dead processes are started again."""
        FragileStorage.kills = staticmethod(self.kills)
        try:
            self._pump()
        finally:
            FragileStorage.kills = staticmethod(lambda number: False)

    def _pump(self) -> None:
        for _ in range(MOST_JUMPS):
            self._settle()
            before, deaths, looked_at = self._mark(), self.deaths, self.clock.now()
            self._alive(self.parts.sweeper.sweep)
            self._settle()
            if self._mark() != before or self.deaths != deaths:
                continue
            due = self._next_due(looked_at)
            if due is None:
                return
            self.clock.ahead_ms += max(due - self.clock.now(), 0) + 1
        raise AssertionError(f"it does not come to rest: {[(row.kind, row.state, row.reason) for row in self.rows()]}")

    def _settle(self) -> None:
        while True:
            while (item := self.queue.take()) is not None:
                self._alive(lambda item=item: self._work(*item))  # type: ignore[misc]
            if self.github.pending_deliveries():
                assert self.github.wait_delivered()
            elif (item := self.queue.take()) is None:
                return
            else:
                self.queue.nudge(*item)

    def _alive(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Killed:
            self.deaths += 1
            self.queue.flush()
            self.restart()

    def _work(self, what: Nudge, subject: str) -> None:
        match what:
            case Nudge.ROUTE:
                self.parts.intake.route(subject)
            case Nudge.ADVANCE:
                self.parts.progress.advance(subject)
            case Nudge.PERFORM:
                self.performer.perform(subject)
            case Nudge.DISPATCH:
                assert self.parts.dispatch is not None
                self.parts.dispatch.dispatch(int(subject))
            case Nudge.SWEEP:
                self.parts.sweeper.sweep()
            case Nudge.RECOVER:
                self.parts.sweeper.recover()

    def _mark(self) -> tuple[Any, ...]:
        """Changes whenever anything was done."""
        asked = (
            sa.select(sa.func.count(), sa.func.sum(deliveries.c.fence)).select_from(deliveries),
            sa.select(sa.func.count(), sa.func.sum(jobs.c.fence)).select_from(jobs),
            sa.select(sa.func.count(), sa.func.sum(outbox.c.fence)).select_from(outbox),
            sa.select(sa.func.count()).select_from(transitions),
        )
        with self.parts.storage.read() as tx:
            return tuple(tuple(tx.runs._link.run(one).one()) for one in asked)

    def _next_due(self, now: int) -> int | None:
        """When the next thing is due; also one that became so since ``now``, while somebody looked."""
        # Code of a paused run asks again every second, until somebody resumes it.
        paused = sa.select(runs.c.id).where(runs.c.paused.is_(True))
        times = (
            sa.select(deliveries.c.not_before).where(deliveries.c.state == "received"),
            sa.select(deliveries.c.lease_until).where(deliveries.c.state == "received"),
            # Nothing is missing, and so it is looked again and again.
            sa.select(jobs.c.not_before).where(jobs.c.state == "queued", jobs.c.kind != JobKind.RECOVERY.value),
            sa.select(jobs.c.lease_until).where(jobs.c.state == "running"),
            sa.select(outbox.c.not_before).where(outbox.c.state == "allowed", outbox.c.run_id.not_in(paused)),
            sa.select(outbox.c.not_before).where(outbox.c.state == "allowed", outbox.c.run_id.is_(None)),
            sa.select(outbox.c.lease_until).where(outbox.c.state == "sending"),
            sa.select(installations.c.blocked_until),
        )
        with self.parts.storage.read() as tx:
            found = [int(at) for one in times for at in tx.runs._link.column(one)]
        ahead = [at for at in found if now < at <= now + FAR_MS]
        return min(ahead, default=None)

    def later(self, seconds: float) -> None:
        """Time passes, and whatever became due is done."""
        self.clock.ahead_ms += int(seconds * 1000)
        self.pump()

    # What people do

    def start(self, by: str = "ana", number: int | None = None) -> None:
        """Label the issue and work."""
        self.github.label("conductor", by=by, number=number)
        self.pump()

    def say(self, body: str, by: str = "ana", where: str = "issue", number: int | None = None) -> None:
        """Comment and work."""
        self.github.comment(where, body, by=by, number=number)  # type: ignore[arg-type]  # issue or pull
        self.pump()

    def meanwhile(self, body: str, by: str = "ana", number: int = 7) -> None:
        """Comment from within an agent's hook: it is heard and obeyed before the agent is done."""
        self.github.comment("issue", body, by=by, number=number)
        self._settle()

    def planned(self) -> Self:
        """Up to the approval of the plan."""
        self.start()
        assert self.state == "plan.approval", self.story()
        return self

    def published(self) -> Self:
        """Up to the review by people."""
        self.planned().say("/conductor approve")
        assert self.state == "in_review", self.story()
        return self

    # What must hold

    def check(self) -> None:
        """Nothing illegal or refused, every row confirmed and decided, every delivery settled, the chain whole."""
        assert self.github.violations == [], self.story()
        assert self.github.refused == [], self.story()
        for row in self.rows():
            if row.kind in self.dead and row.state in {"dead", "denied"}:
                continue
            assert row.state == "confirmed", f"{row.kind} {row.dedupe_key} is {row.state}: {row.reason}{self.story()}"
            assert row.policy_ids, row
            emptied = not row.payload and self.audit("emptied")
            assert emptied or row.payload_sha256 == sha256_of(row.payload)
        dead = 0
        for one in self.deliveries():
            assert one.state in {"done", "ignored", "dead"}, f"{one.event}: {one.state} {one.reason}{self.story()}"
            dead += one.state == "dead"
        assert dead == self.dead_deliveries, self.story()
        assert verify_chain(self.audit()) == ""
        with self.parts.storage.read() as tx:
            known = {run.id for run in tx.runs.recent()}
            assert known == {run.id for run in self.runs()}
            assert tx.runs._link.value(sa.select(sa.func.count()).select_from(runs)) == len(known)
