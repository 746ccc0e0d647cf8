"""One door to api.github.com for reader and writer: tokens, time-outs, limits and errors; no retries, no cache, no redirects.

githubkit retries POSTs on 5xx, has no time-out, sleeps out limits, shares tokens by App id and encodes no path by itself
(DESIGN section 14); each is switched off or done here.
"""

from __future__ import annotations

import json
import ssl
import threading
import urllib.request
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from githubkit import AppAuthStrategy, GitHub, Response
from githubkit.cache import MemCacheStrategy
from githubkit.exception import GitHubException, RequestFailed

from bot.adapters.webhook_payloads import milliseconds
from bot.domain.errors import InternalError, SettingsError, StaleFence
from bot.policy.facts import is_in_repository
from bot.ports.clock import Clock
from bot.ports.github import GitHubBusy, GitHubLimited, GitHubRefused, Place

API_VERSION: Final = "2022-11-28"
JSON: Final = "application/vnd.github+json"
READ: Final[Mapping[str, str]] = dict.fromkeys(
    ("metadata", "contents", "issues", "pull_requests", "checks", "actions", "statuses"), "read"
)
"""What the reader's tokens may do."""
CONTENTS: Final[Mapping[str, str]] = {"contents": "read"}
"""What a fetch's token may do."""
_MINUTE_MS: Final = 60_000
_LONGEST_LOG: Final = 64 << 20
"""Bytes of a log that are read at most to come to its end."""
_LONGEST_WAIT_MS: Final = 24 * 60 * _MINUTE_MS
# A token is put aside this long before it ends, so that none ends on the wire.
_SPARE_MS: Final = 5 * _MINUTE_MS
_PARTS: Final = ("field", "code", "message")
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where API, GraphQL and git answer, without a slash at the end."""

    api: str
    graphql: str
    git: str

    @classmethod
    def of(cls, base_url: str) -> Addresses:
        """From the API's base URL: github.com, GitHub Enterprise Server (``.../api/v3``), or one host for all three.

        Raises ``SettingsError`` unless it is https, or http on loopback (simulation and demo).
        """
        base = base_url.rstrip("/")
        parts = urlsplit(base)
        loopback = parts.scheme == "http" and parts.hostname in _LOOPBACK
        if (
            not (parts.scheme == "https" or loopback)
            or not parts.hostname
            or parts.username
            or parts.query
            or parts.fragment
        ):
            raise SettingsError(
                f"The GitHub address {base_url!r} is not https://host; set it to https://api.github.com or your server's /api/v3.",
                {"base_url": base_url},
            )
        if parts.hostname == "api.github.com":
            return cls(base, f"{base}/graphql", "https://github.com")
        if base.endswith("/api/v3"):
            root = base.removesuffix("/api/v3")
            return cls(base, f"{root}/api/graphql", root)
        return cls(base, f"{base}/graphql", base)

    @property
    def is_loopback(self) -> bool:
        """Whether plain http is spoken, which only a simulation on this machine does."""
        return self.git.startswith("http://")


Last = Callable[[], None]
"""What is asked once more before the bytes of a request go; it raises when they must not."""
_LAST: ContextVar[Last | None] = ContextVar("_LAST", default=None)


class _Transport(httpx.BaseTransport):
    """One connection pool for all of githubkit's short-lived clients, which would close it after each request.

    It is also the last place before the wire: a request is checked here when it, and again when its headers and its body,
    are about to be written, because a process may be halted for minutes at any moment before that.
    """

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        last = _LAST.get()
        if last is not None:
            last()

            def written(event: str, _told: object) -> None:
                if event.endswith((".send_request_headers.started", ".send_request_body.started")):
                    last()

            request.extensions["trace"] = written
        return self._inner.handle_request(request)

    def shut(self) -> None:
        self._inner.close()


def _connections(base_url: str) -> httpx.HTTPTransport:
    host = urlsplit(base_url).hostname or ""
    proxy = None if urllib.request.proxy_bypass(host) else urllib.request.getproxies().get(urlsplit(base_url).scheme)
    return httpx.HTTPTransport(verify=ssl.create_default_context(), proxy=proxy)


@dataclass(frozen=True, slots=True)
class _Request:
    """One request to one of our addresses; ``url`` is whole and encoded."""

    method: str
    url: str
    params: Mapping[str, Any] | None
    content: bytes | None
    last: Last | None = None


class Moved(GitHubRefused):
    """A redirect. None is followed: it would carry a token to a place that nobody chose."""

    def __init__(self, status: int, location: str) -> None:
        told = "the repository has moved; its next delivery names the new place"
        super().__init__(
            f"GitHub refused with {status}: {told}", {"status": str(status), "message": told, "location": location}
        )


class GitHubClient:
    """Requests as the App or as one of its installations. Threads may share one.

    ``timeout``: seconds for each of connect, read, write. Every call raises ``GitHubBusy`` (5xx, time-out, connection
    lost, unreadable answer: the effect is unknown), ``GitHubLimited`` or ``GitHubRefused``, and retries nothing but a
    401, once, with a new token. A 401 that stays is a wait: it tells of the App's key or of this machine's clock, never
    of what was asked for.
    """

    def __init__(
        self,
        *,
        app_id: int,
        private_key: str,
        base_url: str,
        clock: Clock,
        timeout: float = 20.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.app_id = app_id
        self.addresses = Addresses.of(base_url)
        self._clock = clock
        self._timeout = timeout
        self._transport = _Transport(transport or _connections(base_url))
        settings: dict[str, Any] = {
            "base_url": self.addresses.api,
            "http_cache": False,
            "auto_retry": False,
            "timeout": timeout,
            "follow_redirects": False,
            "cache_strategy": MemCacheStrategy(),
            "transport": self._transport,
            "user_agent": "conductor",
        }
        self._app = GitHub(AppAuthStrategy(str(app_id), private_key), **settings)
        self._bare = GitHub(**settings)
        self._tokens: dict[tuple[Any, ...], tuple[str, int]] = {}
        self._minting = threading.Lock()

    def now(self) -> int:
        """Milliseconds since the epoch, by the clock that its tokens' ends are judged by."""
        return self._clock.now()

    def close(self) -> None:
        """Close the connections."""
        self._transport.shut()

    def as_app(
        self, method: str, path: str, *, params: Mapping[str, Any] | None = None, content: bytes | None = None
    ) -> httpx.Response:
        """A request with the App's JWT."""
        try:
            return self._send(self._app, _Request(method, self.addresses.api + path, params, content))
        except GitHubRefused as refused:
            raise not_known(refused) from refused

    def call(
        self,
        place: Place,
        method: str,
        path: str,
        *,
        permissions: Mapping[str, str] = READ,
        params: Mapping[str, Any] | None = None,
        content: bytes | None = None,
        last: Last | None = None,
    ) -> httpx.Response:
        """A request to the API with a token for this one repository. ``path`` is already encoded.

        Raises ``InternalError`` for a path that could be read as one outside the repository. ``last`` is asked when the
        request's bytes are about to be written; what it raises goes on up as it is (a ``StaleFence``), and nothing is sent.
        """
        whole = method == "GET" and path == f"/repos/{place.full_name}"
        if not whole and not is_in_repository(path, place.full_name):
            raise InternalError(
                f"The path {path!r} is not one of repository {place.full_name}; it is not asked for.", {"path": path}
            )
        return self._with_token(place, permissions, _Request(method, self.addresses.api + path, params, content, last))

    def end_of_log(self, place: Place, path: str, limit: int) -> str:
        """The last ``limit`` bytes of a text that GitHub keeps elsewhere and sends us to; asked for there without a credential."""
        try:
            response = self.call(place, "GET", path)
        except Moved as moved:
            url = moved.fields["location"]
        else:
            return response.content[-limit:].decode("utf-8", "replace")
        if not (url.startswith(("https://", f"{self.addresses.api}/"))):
            raise _refused(502, f"a log at {url[:200]!r}, which is not https", "")
        kept, seen = b"", 0
        try:
            with httpx.stream("GET", url, headers={"User-Agent": "conductor"}, timeout=self._timeout) as answer:
                if answer.status_code != 200:
                    raise _refused(answer.status_code, "the log's place did not give it", "")
                for piece in answer.iter_bytes():
                    kept, seen = (kept + piece)[-limit:], seen + len(piece)
                    if seen > _LONGEST_LOG:
                        break
        except httpx.HTTPError as error:
            raise _busy("", f"the log could not be read: {type(error).__name__}") from error
        return kept.decode("utf-8", "replace")

    def graphql(
        self, place: Place, content: bytes, permissions: Mapping[str, str] = READ, last: Last | None = None
    ) -> dict[str, Any]:
        """A GraphQL document's ``data``. Its ``errors`` are a refusal, or a limit where GitHub says so. ``last``: as of ``call``."""
        response = self._with_token(place, permissions, _Request("POST", self.addresses.graphql, None, content, last))
        answer = decoded(response)
        errors = answer.get("errors") if isinstance(answer, dict) else [{"message": "no object"}]
        if errors:
            first = errors[0] if isinstance(errors, list) and isinstance(errors[0], dict) else {}
            kind, message = str(first.get("type", "")), str(first.get("message", ""))
            if kind == "RATE_LIMITED":
                raise _limited(_wait_ms(response.headers, self._clock.now()), "GraphQL")
            raise _refused(404 if kind == "NOT_FOUND" else 422, f"GraphQL: {message}", kind)
        data: dict[str, Any] = answer.get("data") or {}
        return data

    def token(self, place: Place, permissions: Mapping[str, str]) -> str:
        """An installation token for one repository with these permissions and no more; kept until shortly before it ends."""
        key = (place.installation_id, place.repository_id, *sorted(permissions.items()))
        with self._minting:
            # One at a time: without this, threads that start together each mint their own.
            kept = self._tokens.get(key)
            if kept is not None and kept[1] > self._clock.now():
                return kept[0]
            asked = {"repository_ids": [place.repository_id], "permissions": dict(permissions)}
            path = f"/app/installations/{int(place.installation_id)}/access_tokens"
            minted = decoded(self.as_app("POST", path, content=json.dumps(asked).encode()))
            try:
                token, ends = str(minted["token"]), milliseconds(minted["expires_at"])
            except (KeyError, TypeError, ValueError) as error:
                raise _busy("", "an installation token that cannot be read") from error
            self._tokens[key] = (token, ends - _SPARE_MS)
            return token

    def forget(self, token: str) -> None:
        """Drop a token that GitHub no longer takes."""
        with self._minting:
            self._tokens = {key: kept for key, kept in self._tokens.items() if kept[0] != token}

    def _with_token(self, place: Place, permissions: Mapping[str, str], request: _Request) -> httpx.Response:
        token = self.token(place, permissions)
        try:
            return self._send(self._bare, request, f"Bearer {token}")
        except GitHubRefused as refused:
            if refused.status != 401:
                raise
        self.forget(token)
        try:
            return self._send(self._bare, request, f"Bearer {self.token(place, permissions)}")
        except GitHubRefused as refused:
            raise not_known(refused) from refused

    def _send(self, github: GitHub[Any], request: _Request, authorization: str | None = None) -> httpx.Response:
        headers = {"Accept": JSON, "X-GitHub-Api-Version": API_VERSION}
        if authorization is not None:
            headers["Authorization"] = authorization
        if request.content is not None:
            headers["Content-Type"] = "application/json"
        params = dict(request.params) if request.params else None
        asked = _LAST.set(request.last)
        try:
            answer: Response[Any] = github.request(
                request.method, request.url, params=params, content=request.content, headers=headers
            )
        except RequestFailed as failed:
            raise self._mapped(failed.response.raw_response) from failed
        except GitHubException as error:
            if isinstance(error.__cause__, StaleFence):
                raise error.__cause__ from None
            raise _busy("", f"{type(error).__name__}: {error.__cause__ or error}") from error
        except (ValueError, OverflowError) as error:
            # githubkit reads limit headers as whole numbers and lets go of the answer when they are none.
            raise _limited(_MINUTE_MS, "a limit whose end cannot be read") from error
        finally:
            _LAST.reset(asked)
        if answer.status_code >= 300:
            raise Moved(answer.status_code, answer.raw_response.headers.get("location", ""))
        return answer.raw_response

    def _mapped(self, response: httpx.Response) -> GitHubBusy | GitHubLimited | GitHubRefused:
        status = response.status_code
        message, errors = _said(response)
        if status >= 500:
            return _busy(str(status), message)
        limited = (
            status == 429 or "retry-after" in response.headers or response.headers.get("x-ratelimit-remaining") == "0"
        )
        if status in {403, 429} and (limited or "rate limit" in message.casefold()):
            return _limited(_wait_ms(response.headers, self._clock.now()), message)
        return _refused(status, message, errors)


def not_known(refused: GitHubRefused) -> GitHubRefused | GitHubLimited:
    """For a 401 a wait of a minute: nothing happened, and what was to happen is still wanted when a person has mended it."""
    if refused.status != 401:
        return refused
    why = f"GitHub does not take the App's credentials ({(refused.fields.get('message') or refused.sentence)[:300]})"
    mend = "check the App's id and key and this machine's clock; it is tried again in 60 seconds."
    return GitHubLimited(f"{why}: {mend}", {"wait_ms": str(_MINUTE_MS)})


def decoded(response: httpx.Response) -> Any:
    """A success's JSON; ``GitHubBusy`` when it is none, because the request then may have taken effect."""
    try:
        return response.json()
    except ValueError as error:
        raise _busy(str(response.status_code), "an answer that is no JSON") from error


def _wait_ms(headers: httpx.Headers, now: int) -> int:
    """How long to wait, by GitHub's rules: retry-after, else the window's end when it is used up, else a minute."""
    wait = _MINUTE_MS
    if (after := headers.get("retry-after", "")).isdecimal():
        wait = int(after[:9]) * 1000
    elif headers.get("x-ratelimit-remaining") == "0" and (reset := headers.get("x-ratelimit-reset", "")).isdecimal():
        wait = int(reset[:12]) * 1000 - now
    return min(max(wait, 1000), _LONGEST_WAIT_MS)


def _said(response: httpx.Response) -> tuple[str, str]:
    """GitHub's message and the codes of its errors, short."""
    try:
        body = response.json()
    except ValueError:
        return f"status {response.status_code}", ""
    if not isinstance(body, dict):
        return f"status {response.status_code}", ""
    errors = body.get("errors")
    told = errors if isinstance(errors, list) else []
    codes = [":".join(str(one.get(name, "")) for name in _PARTS) if isinstance(one, dict) else str(one) for one in told]
    return str(body.get("message", ""))[:300], " ".join(codes)[:1000]


def _busy(status: str, why: str) -> GitHubBusy:
    return GitHubBusy(
        f"GitHub did not answer as it should ({status or 'no answer'}): {why[:300]}; it is tried again.",
        {"status": status},
    )


def _limited(wait_ms: int, why: str) -> GitHubLimited:
    return GitHubLimited(f"GitHub asks to wait {wait_ms // 1000} seconds: {why[:300]}", {"wait_ms": str(wait_ms)})


def _refused(status: int, message: str, errors: str) -> GitHubRefused:
    told = f" ({errors})" if errors else ""
    return GitHubRefused(
        f"GitHub refused with {status}: {message}{told}", {"status": str(status), "message": message, "errors": errors}
    )
