"""Who may call what: the App's JWT, installation tokens with their permissions, and which of them an operation needs."""

from __future__ import annotations

import base64
import binascii
import secrets
from dataclasses import dataclass, field
from typing import Final

import jwt

JWT_SECONDS: Final = 600
CLOCK_DRIFT_SECONDS: Final = 60
LEVELS: Final = {"read": 1, "write": 2, "admin": 3}
JWT_OPERATIONS: Final = frozenset(
    {
        "apps/create-installation-access-token",
        "apps/get-authenticated",
        "apps/get-installation",
        "apps/get-repo-installation",
        "apps/get-webhook-delivery",
        "apps/list-installations",
        "apps/list-webhook-deliveries",
        "apps/redeliver-webhook-delivery",
    }
)
OPEN_OPERATIONS: Final = frozenset(
    {"apps/list-repos-accessible-to-installation", "apps/revoke-installation-access-token", "rate-limit/get"}
)
"""Any valid installation token does."""
_METADATA: Final = frozenset(
    {
        "repos/get",
        "repos/get-branch-rules",
        "repos/get-collaborator-permission-level",
        "users/get-by-username",
    }
)
_ADMINISTRATION: Final = frozenset({"repos/get-branch-protection", "repos/get-status-checks-protection"})
_STATUSES: Final = frozenset({"repos/create-commit-status", "repos/get-combined-status-for-ref"})
_EITHER: Final = ("issues", "pull_requests")


class AuthError(Exception):
    """The credential is missing, wrong or too old: a 401 with this message."""


@dataclass(frozen=True, slots=True)
class Need:
    """One of these permissions at this level; the second one counts only where the target is a pull request."""

    permissions: tuple[str, ...]
    level: str


def need(operation_id: str, method: str) -> Need:
    """The permission that GitHub documents for an operation ("Permissions required for GitHub Apps")."""
    level = "read" if method == "GET" else "write"
    group = operation_id.partition("/")[0]
    if operation_id in _METADATA:
        return Need(("metadata",), level)
    if operation_id in _ADMINISTRATION:
        return Need(("administration",), level)
    if operation_id in _STATUSES:
        return Need(("statuses",), level)
    match group:
        case "actions" | "checks":
            return Need((group,), level)
        case "pulls":
            return Need(("pull_requests",), level)
        case "issues" | "reactions":
            return Need(_EITHER, level)
        case "git" | "repos":
            return Need(("contents",), level)
        case _:
            raise LookupError(f"no permission is known for the operation {operation_id}: add it to access.need")


@dataclass
class TokenRecord:
    """An installation token. `expires` is seconds since the epoch; `repositories` None means all."""

    value: str
    expires: float
    permissions: dict[str, str]
    repositories: frozenset[int] | None
    used: int = 0

    def sees(self, repository_id: int) -> bool:
        """Whether the token reaches a repository."""
        return self.repositories is None or repository_id in self.repositories

    def may(self, wanted: Need, *, is_pull: bool) -> bool:
        """Whether the token has the permission."""
        counted = wanted.permissions if is_pull else wanted.permissions[:1]
        return any(self.has(name, wanted.level) for name in counted)

    def has(self, name: str, level: str) -> bool:
        """Whether the token has one permission at least at a level."""
        return LEVELS.get(self.permissions.get(name, ""), 0) >= LEVELS[level]


@dataclass
class Authority:
    """Checks JWTs against the App's public key, and keeps the tokens."""

    app_id: int
    public_key_pem: str
    tokens: dict[str, TokenRecord] = field(default_factory=dict)
    lifetime: float = 3600.0

    def check_jwt(self, header: str | None, now: float) -> None:
        """Raises AuthError unless the header carries a JWT of the App that GitHub would take."""
        try:
            claims = jwt.decode(
                _bearer(header),
                self.public_key_pem,
                algorithms=["RS256"],
                # GitHub's own clock judges, which is not this machine's in every test.
                options={
                    "require": ["exp", "iat", "iss"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_iss": False,
                },
            )
        except jwt.PyJWTError as error:
            raise AuthError("A JSON web token could not be decoded") from error
        if str(claims["iss"]) not in {str(self.app_id), f"Iv1.{self.app_id}"}:
            raise AuthError("'Issuer' claim ('iss') must be the App's id or client id")
        if not isinstance(claims["exp"], int) or claims["exp"] <= now:
            raise AuthError("'Expiration time' claim ('exp') must be a numeric value representing the future time")
        if claims["exp"] > now + JWT_SECONDS + CLOCK_DRIFT_SECONDS:
            raise AuthError("'Expiration time' claim ('exp') is too far in the future")
        if not isinstance(claims["iat"], int) or claims["iat"] > now + CLOCK_DRIFT_SECONDS:
            raise AuthError(
                "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
            )

    def mint(self, permissions: dict[str, str], repositories: frozenset[int] | None, now: float) -> TokenRecord:
        """A new token."""
        token = TokenRecord(f"ghs_{secrets.token_hex(18)}", now + self.lifetime, permissions, repositories)
        self.tokens[token.value] = token
        return token

    def token(self, header: str | None, now: float) -> TokenRecord:
        """The token of an `Authorization` header; raises AuthError when there is none that holds."""
        return self._valid(_bearer(header), now)

    def basic(self, header: str | None, now: float) -> TokenRecord | None:
        """The token of git's basic authentication; None without a header, AuthError for a bad one."""
        if header is None:
            return None
        scheme, _, value = header.partition(" ")
        if scheme.lower() != "basic":
            raise AuthError("git needs basic authentication")
        try:
            user, _, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise AuthError("the basic credential cannot be read") from error
        if user != "x-access-token":
            raise AuthError("an installation token's user is x-access-token")
        return self._valid(password, now)

    def _valid(self, value: str, now: float) -> TokenRecord:
        found = self.tokens.get(value)
        if found is None or found.expires <= now:
            raise AuthError("Bad credentials")
        return found

    def expire_all(self) -> None:
        """Every token that was minted so far is refused from now on."""
        for token in self.tokens.values():
            token.expires = 0.0


def _bearer(header: str | None) -> str:
    if header is None:
        raise AuthError("Requires authentication")
    scheme, _, value = header.partition(" ")
    if scheme.lower() not in {"bearer", "token"}:
        raise AuthError("Bad credentials")
    return value.strip()
