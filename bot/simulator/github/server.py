"""`SimulatedGitHub`: one local github.com with state, for scenarios, the demo and tests."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.simulator.github.access import Authority
from bot.simulator.github.api_apps import AppApi
from bot.simulator.github.faults import Fault, FaultPlan
from bot.simulator.github.git_import import Source, import_source
from bot.simulator.github.git_objects import GitRepository
from bot.simulator.github.http_server import HttpServer
from bot.simulator.github.model import Account, AppRecord, Level, Repository
from bot.simulator.github.people import NothingThere, People
from bot.simulator.github.rest import Application, WriteRecord
from bot.simulator.github.snapshot import snapshot
from bot.simulator.github.webhooks import Attempt, Deliverer
from bot.simulator.github.world import APP_EVENTS, APP_PERMISSIONS, DEFAULT_LABELS, World

INSTALLATION_ID: Final = 52_000_001
KEY_BITS: Final = 2048


class SimulatedGitHub(People):
    """A GitHub on 127.0.0.1. `with SimulatedGitHub(...) as github:` starts and closes it.

    ``webhook_url`` may be set later; while it is None, events are lost. ``faults`` are counted in place. ``clock`` gives
    seconds since the epoch. ``permissions`` and ``events`` are the App's. ``token_lifetime_s``: seconds.
    """

    def __init__(
        self,
        *,
        app_id: int,
        app_slug: str = "conductor",
        webhook_secret: str,
        webhook_url: str | None = None,
        faults: Sequence[Fault] = (),
        drafts_allowed: bool = True,
        private_key_pem: str | None = None,
        installation_id: int = INSTALLATION_ID,
        permissions: Mapping[str, str] = APP_PERMISSIONS,
        events: Sequence[str] = APP_EVENTS,
        token_lifetime_s: float = 3600.0,
        clock: Callable[[], float] = time.time,
        port: int = 0,
    ) -> None:
        self.private_key_pem, public = _keys(private_key_pem)
        self._plan = FaultPlan(faults)
        self._deliverer = Deliverer(
            url=webhook_url, secret=webhook_secret, app_id=app_id, faults=self._plan, clock=clock
        )
        owner = Account(1_000_001, f"{app_slug}-makers", "Organization")
        app = AppRecord(app_id, app_slug, dict(permissions), tuple(events), owner)
        bot = Account(1_000_000, f"{app_slug}[bot]", "Bot")
        self.world = World(app, bot, installation_id, clock, self._deliverer.emit, drafts_allowed)
        for account in (owner, bot):
            self.world.accounts[account.login.casefold()] = account
        self.world.apps[app_slug] = app
        super().__init__(self.world, self._deliverer)
        self._authority = Authority(app_id, public, lifetime=token_lifetime_s)
        self._application = Application(
            self.world, self._authority, AppApi(self._authority, self._deliverer), self._plan
        )
        self._http = HttpServer(self._application, port)
        self.world.url = self._http.url
        self._directory = Path(tempfile.mkdtemp(prefix="conductor-github-"))

    # Life

    def start(self) -> None:
        """Begins to answer and to deliver."""
        self._http.start()
        self._deliverer.start()

    def close(self) -> None:
        """Ends everything and removes the repositories; a second call does nothing."""
        if not self._directory.exists():
            return
        self._deliverer.close()
        self._http.close()
        for one in self.world.repositories.values():
            one.git.close()
        shutil.rmtree(self._directory)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # What is there

    @property
    def url(self) -> str:
        """The address of API, GraphQL (`/graphql`) and git (`/owner/name.git`), without a slash at its end."""
        return self._http.url

    @property
    def installation_id(self) -> int:
        """The App's one installation."""
        return self.world.installation_id

    @property
    def webhook_url(self) -> str | None:
        """Where events go."""
        return self._deliverer.url

    @webhook_url.setter
    def webhook_url(self, url: str | None) -> None:
        self._deliverer.url = url

    def add_repository(
        self, full_name: str, source: Source | None, private: bool = True, default_branch: str = "main"
    ) -> Repository:
        """Adds a repository from a folder, a git repository (its HEAD's tree) or a map of files; None has no commit."""
        owner, slash, name = full_name.partition("/")
        if not slash or not owner or not name:
            raise NothingThere(f"the repository name {full_name!r} is not owner/name")
        with self.world.lock:
            world = self.world
            number = world.new_id()
            git = GitRepository(self._directory / f"{number}.git", default_branch)
            now = world.clock()
            within = Repository(number, full_name, world.organization(owner), private, default_branch, git, now)
            for label, color, description in DEFAULT_LABELS:
                world.label(within, label, color, description)
            sha = None if source is None else import_source(git, source, int(now))
            if sha is not None:
                git.set_ref(f"refs/heads/{default_branch}", sha)
            world.repositories[full_name.casefold()] = within
            return within

    def add_person(self, login: str, level: Level) -> Account:
        """Adds somebody with a level on the first repository; a name that ends in `[bot]` is a bot."""
        self.set_permission(login, level)
        return self.world.account(login)

    def expire_tokens(self) -> None:
        """Every token minted so far is answered 401 from now on."""
        with self.world.lock:
            self._authority.expire_all()

    # What happened

    @property
    def faults(self) -> list[Fault]:
        """The planted faults with their counts."""
        return self._plan.faults

    @property
    def writes(self) -> list[WriteRecord]:
        """Every request of the App that asked for a change, in order, also those that were refused or failed."""
        return list(self._application.writes)

    @property
    def violations(self) -> list[str]:
        """Requests that GitHub's published description would refuse; one sentence each."""
        return list(self._application.violations)

    @property
    def refused(self) -> list[str]:
        """Requests whose credential was missing, wrong or not enough; one sentence each."""
        return list(self._application.refused)

    @property
    def deliveries(self) -> list[Attempt]:
        """All delivery attempts, oldest first."""
        return self._deliverer.all()

    def pending_deliveries(self) -> int:
        """How many deliveries are queued or on the wire."""
        return self._deliverer.pending()

    def wait_delivered(self, seconds: float = 30.0) -> bool:
        """Waits until nothing is pending; False when the seconds passed first."""
        return self._deliverer.wait(seconds)

    def snapshot(self, full_name: str | None = None) -> dict[str, Any]:
        """The `github` section of a report, for the named repository or the first one."""
        with self.world.lock:
            within = self.world.repository(full_name) if full_name else self.world.only_repository()
            if within is None:
                raise NothingThere(f"there is no repository {full_name}")
            return snapshot(within, self.writes)


def _keys(private_pem: str | None) -> tuple[str, str]:
    """The App's private key (made when none is given) and its public key, as PEM."""
    if private_pem is None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
        private_pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        ).decode("ascii")
    # The check of the primes takes 60 ms, and the key guards nothing here.
    loaded = serialization.load_pem_private_key(
        private_pem.encode("ascii"), password=None, unsafe_skip_rsa_key_validation=True
    )
    public = loaded.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private_pem, public.decode("ascii")
