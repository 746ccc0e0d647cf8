"""The one place that builds adapters and gives each process exactly the parts that it may have (DESIGN sections 3 and 13)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn, cast

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from bot.adapters.artifact_files import ArtifactFiles
from bot.adapters.celery_queue import CeleryApp, CeleryQueue, SparingQueue, make_celery
from bot.adapters.git_trees import GitTrees
from bot.adapters.lease_owner import is_dead, owner_name
from bot.adapters.storage import SqlStorage, copying, migrate
from bot.adapters.storage.authority import Standing, standing
from bot.adapters.storage.engine import dispose, is_sqlite, make_engine, our_errors, parse_url
from bot.adapters.storage.migrating import newest
from bot.adapters.system_clock import SystemChance, SystemClock
from bot.adapters.webhook_payloads import WebhookPayloads
from bot.domain.errors import InternalError, UserError
from bot.domain.jobs import JobKind
from bot.domain.money import Prices, shipped_prices
from bot.domain.work import Patch
from bot.domain.workflow import WORKFLOWS
from bot.policy.decide import PolicySet
from bot.ports.github import OutboxWrite
from bot.ports.queue import Nudge
from bot.ports.storage import LEASED
from bot.redaction import Redactor
from bot.services.approving import Approving
from bot.services.commanding import Commander
from bot.services.comparing import Comparing
from bot.services.desk import Desk, Limits
from bot.services.dispatch import Dispatch
from bot.services.drafting import Drafting
from bot.services.intake import Intake
from bot.services.ledgers import Ledgers
from bot.services.looking import Looking
from bot.services.merging import Merging
from bot.services.outbox import Outboxes
from bot.services.performing import Handler, Performer
from bot.services.progress import Progress
from bot.services.publishing import Publishing
from bot.services.publishing_checks import PublishedChecks
from bot.services.publishing_issue import PublishedIssue
from bot.services.reconciling import Reconciling
from bot.services.recovering import Recovering
from bot.services.rescue import Sweeper
from bot.services.retention import Retention
from bot.services.returning import Returning
from bot.services.reviewing import Reviewing
from bot.services.routing import Router
from bot.services.starting import Starter
from bot.services.stopping import Stopping
from bot.services.surfaces import Surfaces
from bot.settings import Process, Settings


@dataclass(frozen=True, slots=True)
class Parts:
    """What one process works with. ``dispatch`` is None where no App key is held, ``performer`` has this process's handlers."""

    settings: Settings
    celery: CeleryApp
    queue: CeleryQueue
    storage: SqlStorage
    desk: Desk
    intake: Intake
    progress: Progress
    performer: Performer
    sweeper: Sweeper
    stopping: Stopping
    dispatch: Dispatch | None


# What a process of each kind may hold a lease on, and so may release after a crash.
LEASES: dict[Process, tuple[str, ...]] = {
    Process.UP: LEASED,
    Process.CONTROL: ("jobs", "deliveries"),
    Process.AGENTS: ("jobs",),
    Process.GITHUB: ("jobs", "outbox"),
}


def prepare(settings: Settings) -> None:
    """Directories and migrations; safe to call by every process at every start.

    Raises ``SettingsError`` where migrations are missing and the process's database user may not run them.
    """
    for directory in settings.directories:
        directory.mkdir(parents=True, exist_ok=True)
    _migrated(settings.database_url)


def migrate_records(url: str) -> None:
    """Schema, rights and edges of this release, by the tables' owner: what `conductor migrate` does. Idempotent."""
    _migrated(url)
    storage = SqlStorage(url, SweptQueue(), pool_size=1)
    try:
        _add_edges(storage)
    finally:
        storage.close()


def _migrated(url: str) -> None:
    if is_sqlite(url):
        Path(parse_url(url).database or "").absolute().parent.mkdir(parents=True, exist_ok=True)
    migrate(url)


def _add_edges(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        for workflow in WORKFLOWS.values():
            tx.runs.add_edges(workflow)


def _release_the_dead(storage: SqlStorage, process: Process) -> None:
    """Leases that processes of this machine left behind when they were killed."""
    among = LEASES.get(process, ())
    if not among:
        return
    with storage.begin() as tx:
        for owner in tx.jobs.owners(among):
            if is_dead(owner):
                tx.jobs.release_owner(owner, among)


def build(settings: Settings) -> Parts:
    """All parts of one process."""
    prepare(settings)
    celery = make_celery(settings.broker_url)
    queue = CeleryQueue(celery)
    storage = SqlStorage(settings.database_url, queue, pool_size=settings.threads + 4)
    if settings.process in {Process.UP, Process.CONTROL}:
        # Who moves runs asks that their edges are there.
        _add_edges(storage)
    _release_the_dead(storage, settings.process)
    nothing = cast("Any", _NotHere())
    desk = Desk(
        storage=storage,
        clock=SystemClock(),
        chance=SystemChance(),
        artifacts=ArtifactFiles(settings.artifacts) if settings.directories else nothing,
        trees=GitTrees(settings.data / "trees.git") if settings.directories else nothing,
        policies=PolicySet.load(settings.policies),
        redactor=Redactor(settings.held),
        limits=Limits(pacing_ms=settings.pacing_ms, lease_ms=settings.lease_ms),
        app_id=settings.app_id,
        owner=owner_name(settings.process.value),
        public_url=settings.public_url,
    )
    outboxes = Outboxes(desk)
    ledgers = Ledgers(desk)
    surfaces = Surfaces(outboxes)
    checks = PublishedChecks(desk, outboxes, surfaces, ledgers)
    issue = PublishedIssue(desk, outboxes, surfaces, ledgers)
    publishing = Publishing(desk, outboxes, surfaces, ledgers, checks, issue)
    starter = Starter(desk, outboxes)
    commander = Commander(desk, starter, outboxes, ledgers)
    progress = Progress(
        desk=desk,
        drafting=Drafting(desk, ledgers),
        reviewing=Reviewing(desk, ledgers, publishing),
        approving=Approving(desk, outboxes, publishing),
        publishing=publishing,
        returning=Returning(desk, ledgers, outboxes),
        reconciling=Reconciling(desk, commander),
        retention=Retention(desk),
    )
    handlers, dispatch = _handlers(settings, desk)
    return Parts(
        settings=settings,
        celery=celery,
        queue=queue,
        storage=storage,
        desk=desk,
        intake=Intake(desk, WebhookPayloads(), Router(desk, starter, commander)),
        progress=progress,
        performer=Performer(desk, handlers),
        sweeper=Sweeper(desk, SparingQueue(celery, queue)),
        stopping=Stopping(desk),
        dispatch=dispatch,
    )


@dataclass(frozen=True, slots=True)
class Shell:
    """What a command at the shell works with: the records, and the switches in them."""

    settings: Settings
    storage: SqlStorage
    stopping: Stopping


class SweptQueue:
    """`bot.ports.queue.Queue` of a shell, which speaks to no broker: the App's sweeper finds every row within its tick."""

    def nudge(self, what: Nudge, subject: str, *, queue: str = "") -> None:
        """Left to the sweeper."""
        logging.getLogger(__name__).debug("left to the sweeper: %s %s %s", what, subject, queue)


class _NotHere:
    """A part that a process does without: a stop at the shell needs no disk, no git and no policy, `web` and `beat` no files."""

    def __getattr__(self, name: str) -> NoReturn:
        raise InternalError(f"this process has no part with {name!r}: ask a process of the App that works on runs")


def records_problem(url: str) -> str:
    """Why a database holds no records of this release: none there, or a schema that is missing or older; "" when it does.

    Makes no file and changes no table. Raises ``SettingsError`` for a URL that we do not serve, ``StorageBusy`` when it
    cannot be reached.
    """
    parsed = parse_url(url)
    name = f"{parsed.host or 'the default host'}/{parsed.database}"
    if parsed.get_backend_name() == "sqlite":
        name = str(Path(parsed.database or "").absolute())
        if not Path(name).is_file():
            return f"there is no database at {name}"
    config = Config()
    config.set_main_option("script_location", str(files("bot.migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    wanted = ScriptDirectory.from_config(config)
    engine = make_engine(url, read_only=True, pool_size=1)
    try:
        with our_errors(), engine.connect() as connection:
            found = set(MigrationContext.configure(connection).get_current_heads())
    finally:
        dispose(engine)
    if not found:
        return f"the database {name} holds no records of Conductor"
    # A revision that we do not know is a newer release's, on whose schema ours runs (rolling restarts).
    older = {one.revision for one in wanted.walk_revisions()} - set(wanted.get_heads())
    return f"the database {name} is of an older release ({', '.join(sorted(found))})" if found & older else ""


def records_files(url: str) -> tuple[Path, ...]:
    """The database's file and those that SQLite keeps beside it, there or not. Raises ``UserError`` for PostgreSQL."""
    file = copying.file_of(url)
    return (file, *(Path(f"{file}{end}") for end in copying.BESIDE))


def copy_records(source: Path, target: Path) -> str:
    """A copy of SQLite's records, also while they are in use; returns the revision of their schema."""
    return copying.copy_records(source, target)


def newest_schema() -> str:
    """The revision of this release's schema."""
    return newest()


def standing_of(url: str, process: Process) -> Standing | None:
    """How a PostgreSQL user stands to the rights of a process; None on SQLite, which knows no users."""
    if is_sqlite(url):
        return None
    engine = make_engine(url, read_only=True, pool_size=1)
    try:
        with our_errors(), engine.connect() as connection:
            return standing(connection, process.value)
    finally:
        dispose(engine)


def shell(settings: Settings) -> Shell:
    """The parts of a command at the shell; migrates nothing. Raises ``UserError`` when the App keeps no records there."""
    problem = records_problem(settings.database_url)
    if problem:
        raise UserError(f"{problem}; set CONDUCTOR_DATA or CONDUCTOR_DATABASE_URL as for the running App, or start it")
    storage = SqlStorage(settings.database_url, SweptQueue())
    nothing = cast("Any", _NotHere())
    desk = Desk(
        storage=storage,
        clock=SystemClock(),
        chance=SystemChance(),
        artifacts=nothing,
        trees=nothing,
        policies=nothing,
        redactor=Redactor(settings.held),
        limits=Limits(),
        app_id=settings.app_id,
        owner=owner_name(settings.process.value),
    )
    return Shell(settings, storage, Stopping(desk))


def _handlers(settings: Settings, desk: Desk) -> tuple[Mapping[str, Handler], Dispatch | None]:
    found: dict[str, Handler] = {}
    dispatch: Dispatch | None = None
    if settings.process in {Process.UP, Process.CONTROL}:
        found[JobKind.MERGE] = Merging(desk).merge
        found[JobKind.RETENTION] = Retention(desk).sweep
    if settings.process in {Process.UP, Process.GITHUB}:
        looking, dispatch = _github(settings, desk)
        found |= {
            JobKind.PERMISSION: looking.permission,
            JobKind.SNAPSHOT: looking.snapshot,
            JobKind.APPROVAL: looking.approval,
            JobKind.PULL_STATE: looking.pull_state,
            JobKind.FEEDBACK: looking.feedback,
            JobKind.RECONCILE: Comparing(desk, looking.reader).look,
            JobKind.RECOVERY: Recovering(desk, looking.reader).look,
        }
    if settings.process in {Process.UP, Process.AGENTS}:
        found |= _agents(settings, desk)
    return found, dispatch


def _github(settings: Settings, desk: Desk) -> tuple[Looking, Dispatch]:
    from bot.adapters.git_mirror import GitMirror
    from bot.adapters.github_client import GitHubClient
    from bot.adapters.github_reader import GitHubAppReader
    from bot.adapters.github_writer import GitHubAppWriter

    assert settings.app_private_key is not None
    client = GitHubClient(
        app_id=settings.app_id,
        private_key=settings.app_private_key.get_secret_value(),
        base_url=settings.github_url,
        clock=desk.clock,
    )
    reader = GitHubAppReader(client, GitMirror(settings.data / "mirrors"))

    def contents(write: OutboxWrite, sha256: str) -> Patch:
        return Patch.model_validate_json(desk.artifacts.get(write.place.installation_id, sha256))

    def on_commit(write: OutboxWrite, sha: str) -> None:
        with desk.storage.begin() as tx:
            row = tx.outbox.get(write.row_id)
            assert row is not None
            # Under the fence of the sender, not the row's: another one may hold it by now.
            tx.outbox.note(write.row_id, fence=write.fence, response={**row.response, "sha": sha})

    def keep(write: OutboxWrite) -> OutboxWrite:
        now, lease = desk.clock.now(), desk.limits.lease_ms
        if not now < write.until < now + lease * 2 // 3:
            return write
        with desk.storage.begin() as tx:
            tx.outbox.renew(write.row_id, fence=write.fence, until=now + lease)
        return replace(write, until=now + lease)

    writer = GitHubAppWriter(client, contents=contents, on_commit=on_commit, keep=keep)
    return Looking(desk, reader), Dispatch(desk, reader, writer)


def prices_of(settings: Settings) -> Prices:
    """The dated price list, with the deployment's own prices over it."""
    return shipped_prices().override(settings.prices)


def _agents(settings: Settings, desk: Desk) -> dict[str, Handler]:
    from workers.agents.desk import AgentDesk
    from workers.agents.drafting import draft
    from workers.agents.messages_api import MessagesApi
    from workers.agents.reviewing import review
    from workers.agents.stepping import step
    from workers.agents.verifying import verify
    from workers.sandbox.box import Sandbox
    from workers.sandbox.layers import LayerCache
    from workers.sandbox.toolchain import Toolchain
    from workers.sandbox.workspaces import TreeCache

    assert settings.model_key is not None
    room = settings.data / "agents"
    room.mkdir(parents=True, exist_ok=True)
    agents = AgentDesk(
        storage=desk.storage,
        clock=desk.clock,
        artifacts=desk.artifacts,
        trees=desk.trees,
        model=MessagesApi(api_key=settings.model_key.get_secret_value(), base_url=settings.model_url),
        redactor=desk.redactor,
        sandbox=Sandbox(
            toolchain=Toolchain.build(room / "toolchain"), scratch=room / "sandboxes", cgroup=settings.cgroup
        ),
        layers=LayerCache(room / "layers", settings.cache_bytes),
        base_trees=TreeCache(room / "trees", settings.cache_bytes),
        prices=prices_of(settings),
        default_model=settings.model_name,
        workroom=room / "work",
        leaving=desk.leaving,
    )
    return {
        JobKind.DRAFT: lambda job: draft(agents, job),
        JobKind.STEP: lambda job: step(agents, job),
        JobKind.VERIFY: lambda job: verify(agents, job),
        JobKind.REVIEW: lambda job: review(agents, job),
    }
