"""What a handler gets and gives: a checked call, an answer, or a refusal in GitHub's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import urlencode

from bot.simulator.github.access import TokenRecord
from bot.simulator.github.effects import Actor, Scene
from bot.simulator.github.model import Issue, Pull, Repository
from bot.simulator.github.world import World

DOCUMENTATION: Final = "https://docs.github.com/rest"
PAGE: Final = 30
PAGE_LIMIT: Final = 100
T = TypeVar("T")


class Refusal(Exception):
    """GitHub says no: the status, its message, and its list of errors."""

    def __init__(self, status: int, message: str, errors: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message
        self.errors = list(errors)

    def answer(self) -> Answer:
        """The refusal as a response."""
        body: dict[str, Any] = {"message": self.message, "documentation_url": DOCUMENTATION, "status": str(self.status)}
        return Answer(self.status, body | ({"errors": self.errors} if self.errors else {}))


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: a JSON value, raw bytes, or with None no body at all."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """A request that passed all checks. `hidden_after` is set when a list lags: what is newer is left out."""

    world: World
    path: str
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    token: TokenRecord | None
    hidden_after: float | None = None
    accept: str = ""

    @property
    def scene(self) -> Scene:
        """Our App acts in the repository of the path: nobody else calls the API here."""
        return Scene(self.world, self.repository, Actor(self.world.bot, self.world.app))

    @property
    def repository(self) -> Repository:
        """The repository of the path; a 404 when the token cannot see it."""
        found = self.world.repository(f"{self.parameters['owner']}/{self.parameters['repo']}")
        if found is None or (self.token is not None and not self.token.sees(found.id)):
            raise Refusal(404, "Not Found")
        return found

    @property
    def issue(self) -> Issue:
        """The issue or pull request of the path."""
        found = self.repository.issues.get(int(self.parameters["issue_number"]))
        if found is None:
            raise Refusal(404, "Not Found")
        return found

    @property
    def pull(self) -> tuple[Issue, Pull]:
        """The pull request of the path."""
        found = self.repository.issues.get(int(self.parameters["pull_number"]))
        if found is None or found.pull is None:
            raise Refusal(404, "Not Found")
        return found, found.pull

    def fresh(self, at: float) -> bool:
        """Whether something made at this time is too new for a list that lags."""
        return self.hidden_after is not None and at > self.hidden_after

    def page(self, items: Sequence[T], render: Callable[[T], Any]) -> tuple[list[Any], dict[str, str]]:
        """One page of a list, rendered, and its `Link` header."""
        size = max(1, min(int(self.query.get("per_page", PAGE)), PAGE_LIMIT))
        number = max(1, int(self.query.get("page", 1)))
        shown = [render(one) for one in items[(number - 1) * size : number * size]]
        last = max(1, -(-len(items) // size))
        targets: dict[str, int] = {}
        if number > 1:
            targets |= {"prev": number - 1, "first": 1}
        if number < last:
            targets |= {"next": number + 1, "last": last}
        links = [f'<{self._page_url(target)}>; rel="{name}"' for name, target in targets.items()]
        return shown, {"Link": ", ".join(links)} if links else {}

    def listed(self, items: Sequence[T], render: Callable[[T], Any]) -> Answer:
        """One page of a plain list."""
        shown, headers = self.page(items, render)
        return Answer(200, shown, headers)

    def counted(self, name: str, items: Sequence[T], render: Callable[[T], Any]) -> Answer:
        """One page of a list that GitHub wraps with its total."""
        shown, headers = self.page(items, render)
        return Answer(200, {"total_count": len(items), name: shown}, headers)

    def _page_url(self, number: int) -> str:
        return f"{self.world.url}{self.path}?{urlencode({**self.query, 'page': number})}"


Handler: TypeAlias = Callable[[Call], Answer]


class Handlers:
    """The handlers of one file by operation id."""

    def __init__(self) -> None:
        self.by_id: dict[str, Handler] = {}

    def __call__(self, operation_id: str) -> Callable[[Handler], Handler]:
        """Registers a handler for one of GitHub's operation ids."""

        def register(handler: Handler) -> Handler:
            self.by_id[operation_id] = handler
            return handler

        return register


def invalid(resource: str, field_name: str, code: str = "invalid", message: str | None = None) -> Refusal:
    """GitHub's 422 for one field."""
    error = {"resource": resource, "field": field_name, "code": code}
    return Refusal(422, "Validation Failed", [error | ({"message": message} if message else {})])
