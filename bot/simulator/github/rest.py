"""The application behind the HTTP side: each request is judged, let through or refused, given its fault, and written down."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from bot.simulator.github import api_git, api_issues, api_pulls, api_repos, git_http
from bot.simulator.github.access import JWT_OPERATIONS, OPEN_OPERATIONS, AuthError, Authority, TokenRecord, need
from bot.simulator.github.answer import Answer, Call, Handler, Refusal
from bot.simulator.github.api_apps import AppApi
from bot.simulator.github.faults import Fault, FaultPlan
from bot.simulator.github.git_objects import MissingObject
from bot.simulator.github.graphql_api import GraphQLApi
from bot.simulator.github.http_server import HttpAnswer, HttpRequest
from bot.simulator.github.legality import Match, description
from bot.simulator.github.world import World

NOT_WRITES: Final = frozenset(
    {
        "apps/create-installation-access-token",
        "apps/redeliver-webhook-delivery",
        "apps/revoke-installation-access-token",
    }
)
INACCESSIBLE: Final = "Resource not accessible by integration"
SECONDARY: Final = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
API_VERSIONS: Final = ("2022-11-28", "2026-03-10")
LIMIT: Final = 5000
WINDOW_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True)
class WriteRecord:
    """A request that asked for a change: `sha256` is of the raw body, `changed` whether it took effect."""

    method: str
    path: str
    sha256: str
    status: int
    changed: bool


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of a request: its answer, whether it was a write, whether the state changed."""

    answer: Answer
    write: bool = False
    changed: bool = False


class Application:
    """Answers every request; `violations`, `refused` and `writes` grow as it does."""

    def __init__(self, world: World, authority: Authority, apps: AppApi, faults: FaultPlan) -> None:
        self._world = world
        self._authority = authority
        self._faults = faults
        self._description = description()
        self._graphql = GraphQLApi(world)
        self._handlers: dict[str, Handler] = dict(apps.by_id)
        for one in (api_issues, api_pulls, api_git, api_repos):
            self._handlers |= one.HANDLERS.by_id
        self._records = threading.Lock()
        self.violations: list[str] = []
        self.refused: list[str] = []
        self.writes: list[WriteRecord] = []

    @property
    def operations(self) -> Mapping[str, Handler]:
        """The handlers by operation id."""
        return self._handlers

    def __call__(self, request: HttpRequest) -> HttpAnswer:
        """Answers one request."""
        try:
            return self._route(request)
        except Exception as error:  # noqa: BLE001  (said in the report, never swallowed)
            # A fault of the simulator itself must fail the scenario, not only the App's request.
            self.violate(request, f"the simulator broke: {type(error).__name__}: {error}")
            return HttpAnswer(self._finish(Answer(500, {"message": "Server Error"}), None, None))

    def violate(self, request: HttpRequest, sentence: str) -> None:
        """Writes down what GitHub would not take."""
        with self._records:
            self.violations.append(f"{request.method} {unquote(request.path)}: {sentence}")

    def refuse(self, request: HttpRequest, sentence: str) -> None:
        """Writes down what the credential did not allow."""
        with self._records:
            self.refused.append(f"{request.method} {unquote(request.path)}: {sentence}")

    # Routing

    def _route(self, request: HttpRequest) -> HttpAnswer:
        if (found := git_http.PATH.fullmatch(request.path)) is not None:
            return self._git(request, found["owner"], found["name"], found["rest"])
        if request.path.startswith("/_logs/"):
            return HttpAnswer(self._log(request.path))
        if request.headers.get("User-Agent") is None:
            self.violate(request, "the User-Agent header is missing")
            return HttpAnswer(Refusal(403, "Request forbidden by administrative rules.").answer())
        if request.path == "/graphql":
            return self._with_fault(request, None, self._ask_graphql)
        match = self._description.match(request.method, request.path)
        if match is None:
            self.violate(request, "GitHub has no such operation, or this simulator does not know it")
            return HttpAnswer(self._finish(Refusal(404, "Not Found").answer(), None, None))
        return self._with_fault(request, match, self._ask_rest)

    def _with_fault(self, request: HttpRequest, match: Match | None, ask: Any) -> HttpAnswer:
        """Judges the request, lets a fault strike, and writes the request down with the status it got."""
        token, early, body = self._judge(request, match)
        fault = None if early is not None else self._faults.strike(f"{request.method} {unquote(request.path)}")
        if early is not None:
            outcome = _Outcome(early, write=_mutates(request, match))
        elif fault is not None and fault.list_lag_s is None and not fault.after_effect and _replaces(fault):
            outcome = _Outcome(Answer(0), write=_mutates(request, match))
        else:
            outcome = ask(request, match, token, body, fault)
        answer = self._finish(_faulty(fault, outcome.answer), token, fault)
        cut = fault is not None and fault.hang_s is not None and fault.status is None
        if outcome.write:
            status = 0 if cut else answer.status
            digest = hashlib.sha256(request.body).hexdigest()
            with self._records:
                self.writes.append(WriteRecord(request.method, request.path, digest, status, outcome.changed))
        hang = (fault.hang_s or 0.0) if fault else 0.0
        return HttpAnswer(answer, hang, cut, (fault.slow_s or 0.0) if fault else 0.0)

    # Judging

    def _judge(self, request: HttpRequest, match: Match | None) -> tuple[TokenRecord | None, Answer | None, Any]:
        """The token, an early refusal or None, and the parsed body."""
        body, broken = None, False
        if request.body:
            try:
                body = json.loads(request.body)
            except ValueError:
                broken = True
                self.violate(request, "the body is no JSON")
        faults = self._legal(request, match, body) if match is not None and not broken else []
        for one in faults:
            self.violate(request, one)
        try:
            token = self._authenticate(request, match)
        except AuthError as error:
            self.refuse(request, str(error))
            return None, Refusal(401, str(error)).answer(), body
        if broken:
            return token, Refusal(400, "Problems parsing JSON").answer(), body
        if match is not None and token is not None and not self._may(match, token):
            self.refuse(request, INACCESSIBLE)
            return token, Refusal(403, INACCESSIBLE).answer(), body
        if faults:
            errors = [{"message": one} for one in faults]
            return token, Refusal(422, "Invalid request.", errors).answer(), body
        return token, None, body

    def _legal(self, request: HttpRequest, match: Match, body: Any) -> list[str]:
        version = request.headers.get("X-GitHub-Api-Version")
        if version is not None and version not in API_VERSIONS:
            return [f"header X-GitHub-Api-Version: {version} is none of {', '.join(API_VERSIONS)}"]
        query = parse_qsl(request.query, keep_blank_values=True)
        has_body = bool(request.body) and request.method != "GET"
        return self._description.faults(match, query, body, has_body=has_body)

    def _authenticate(self, request: HttpRequest, match: Match | None) -> TokenRecord | None:
        header, now = request.headers.get("Authorization"), self._world.clock()
        if match is not None and match.operation.id in JWT_OPERATIONS:
            self._authority.check_jwt(header, now)
            return None
        with self._world.lock:
            token = self._authority.token(header, now)
            token.used += 1
        return token

    def _may(self, match: Match, token: TokenRecord) -> bool:
        operation = match.operation
        if operation.id in OPEN_OPERATIONS:
            return True
        wanted = need(operation.id, operation.method)
        with self._world.lock:
            return token.may(wanted, is_pull=self._is_pull(match))

    def _is_pull(self, match: Match) -> bool:
        """Whether the issue or comment of the path belongs to a pull request."""
        parameters = match.parameters
        within = self._world.repository(f"{parameters.get('owner')}/{parameters.get('repo')}")
        if within is None:
            return False
        if (number := parameters.get("issue_number")) is not None and number.isdigit():
            issue = within.issues.get(int(number))
        elif (comment := parameters.get("comment_id")) is not None and comment.isdigit():
            found = within.comment(int(comment))
            issue = found[0] if found else None
        else:
            # Labels of a repository and lists over all issues: either permission does.
            return True
        return issue is not None and issue.pull is not None

    # Asking

    def _ask_rest(
        self, request: HttpRequest, match: Match, token: TokenRecord | None, body: Any, fault: Fault | None
    ) -> _Outcome:
        lag = fault.list_lag_s if fault else None
        call = Call(
            self._world,
            request.path,
            match.parameters,
            dict(parse_qsl(request.query, keep_blank_values=True)),
            body,
            token,
            None if lag is None else self._world.clock() - lag,
            request.headers.get("Accept", ""),
        )
        write = _mutates(request, match)
        with self._world.lock:
            try:
                answer = self._handlers[match.operation.id](call)
            except Refusal as refusal:
                return _Outcome(refusal.answer(), write)
            except MissingObject:
                return _Outcome(Refusal(404, "Not Found").answer(), write)
        return _Outcome(answer, write, changed=write)

    def _ask_graphql(
        self, request: HttpRequest, _match: None, token: TokenRecord | None, body: Any, _fault: Fault | None
    ) -> _Outcome:
        assert token is not None
        with self._world.lock:
            found = self._graphql.answer(body, token)
        for one in found.violations:
            self.violate(request, one)
        if found.refused:
            self.refuse(request, INACCESSIBLE)
        return _Outcome(Answer(200, found.body), found.mutates, found.changed)

    def _git(self, request: HttpRequest, owner: str, name: str, rest: str) -> HttpAnswer:
        """Git over HTTP. The App only fetches: what it writes goes through the API."""
        denied = {"WWW-Authenticate": 'Basic realm="GitHub"', "Content-Type": "text/plain"}
        asked = git_http.GitRequest(
            request.method, rest, request.query, request.body, request.headers.get("Content-Type", ""),
            request.headers.get("Content-Encoding", ""), request.headers.get("Git-Protocol", ""),
        )  # fmt: skip
        with self._world.lock:
            within = self._world.repository(f"{owner}/{name}")
            try:
                token = self._authority.basic(request.headers.get("Authorization"), self._world.clock())
            except AuthError as error:
                self.refuse(request, str(error))
                return HttpAnswer(Answer(401, b"Bad credentials\n", denied))
        if token is None and (within is None or within.private or asked.pushes):
            return HttpAnswer(Answer(401, b"Repository not found.\n", denied))
        if within is None or (token is not None and not token.sees(within.id)):
            return HttpAnswer(Answer(404, b"Repository not found.\n", {"Content-Type": "text/plain"}))
        if token is not None and not token.has("contents", "read"):
            self.refuse(request, "fetching needs contents: read")
            return HttpAnswer(Answer(403, b"Write access to repository not granted.\n", {"Content-Type": "text/plain"}))
        if asked.pushes:
            self.violate(request, "the App pushed over git; it writes through the API only")
            return HttpAnswer(Answer(403, b"This simulator takes no push.\n", {"Content-Type": "text/plain"}))
        fault = self._faults.strike(f"{request.method} {unquote(request.path)}")
        if fault is not None and fault.status is not None:
            return HttpAnswer(Answer(fault.status, b"\n", {"Content-Type": "text/plain"}), fault.hang_s or 0.0)
        status, headers, body = git_http.serve(within.git, asked)
        cut = fault is not None and fault.hang_s is not None
        return HttpAnswer(Answer(status, body, headers), (fault.hang_s or 0.0) if fault else 0.0, cut)

    def _log(self, path: str) -> Answer:
        """A job's log, at the address that the API's redirect names; like GitHub's it needs no token."""
        _, _, repository, run = path.split("/", 3)
        with self._world.lock:
            within = self._world.repository_by_id(int(repository)) if repository.isdigit() else None
            found = within.checks.get(int(run)) if within and run.isdigit() else None
        if found is None:
            return Refusal(404, "Not Found").answer()
        return Answer(200, found.log.encode("utf-8", "replace"), {"Content-Type": "text/plain; charset=utf-8"})

    # Finishing

    def _finish(self, answer: Answer, token: TokenRecord | None, fault: Fault | None) -> Answer:
        """Adds the headers that every answer of GitHub carries."""
        now = int(self._world.clock())
        used = token.used if token else 0
        # Only a planted fault exhausts the limit; long runs must not by accident.
        remaining = max(LIMIT - used, 1)
        reset = now - now % WINDOW_SECONDS + WINDOW_SECONDS
        if fault is not None and fault.reset_in_s is not None:
            remaining, reset = 0, now + fault.reset_in_s
        headers = {
            "X-GitHub-Media-Type": "github.v3; format=json",
            "X-GitHub-Request-Id": f"SIM:{now:x}",
            "X-RateLimit-Limit": str(LIMIT),
            "X-RateLimit-Remaining": str(remaining),
            "X-RateLimit-Used": str(LIMIT - remaining),
            "X-RateLimit-Reset": str(reset),
            "X-RateLimit-Resource": "core",
        }
        if fault is not None and fault.retry_after is not None:
            headers["Retry-After"] = str(fault.retry_after)
        return replace(answer, headers={**headers, **answer.headers})


def _mutates(request: HttpRequest, match: Match | None) -> bool:
    """Whether a request asks for a change that the outbox must know of. GraphQL says so by its document."""
    if match is None:
        return b"mutation" in request.body
    return request.method != "GET" and match.operation.id not in NOT_WRITES


def _replaces(fault: Fault) -> bool:
    """Whether a fault takes the place of the effect."""
    return any(one is not None for one in (fault.status, fault.retry_after, fault.reset_in_s, fault.hang_s))


def _faulty(fault: Fault | None, answer: Answer) -> Answer:
    """The answer that a fault puts in the place of the true one."""
    if fault is None or not _replaces(fault):
        return answer
    limited = fault.retry_after is not None or fault.reset_in_s is not None
    status = fault.status if fault.status is not None else 403 if limited else answer.status or 500
    if limited:
        return Refusal(status, SECONDARY).answer()
    messages = {401: "Bad credentials", 404: "Not Found", 422: "Validation Failed", 502: "Server Error"}
    return Refusal(status, messages.get(status, "Server Error")).answer()
