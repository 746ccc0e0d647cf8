"""The API's App side: installations, tokens, deliveries, limits."""

from __future__ import annotations

from typing import Any, Protocol

from bot.simulator.github import render
from bot.simulator.github.access import LEVELS, Authority
from bot.simulator.github.answer import Answer, Call, Handler, Refusal
from bot.simulator.github.model import Repository, stamp


class Delivered(Protocol):
    """What the App side needs to know of deliveries."""

    def attempts(self) -> list[dict[str, Any]]:
        """All attempts, newest first, as GitHub lists them."""
        ...

    def attempt(self, number: int) -> dict[str, Any] | None:
        """One attempt with request and response."""
        ...

    def redeliver(self, number: int) -> bool:
        """Sends the delivery of an attempt again, with the same GUID; False when there is none."""
        ...


class AppApi:
    """Handlers that need the authority and the deliveries."""

    def __init__(self, authority: Authority, delivered: Delivered) -> None:
        self._authority = authority
        self._delivered = delivered

    @property
    def by_id(self) -> dict[str, Handler]:
        """The handlers by operation id."""
        return {
            "apps/get-authenticated": lambda call: Answer(200, render.app(call.world, call.world.app)),
            "apps/list-installations": lambda call: call.listed([call.world], render.installation),
            "apps/get-installation": self._get_installation,
            "apps/get-repo-installation": self._repo_installation,
            "apps/create-installation-access-token": self._mint,
            "apps/revoke-installation-access-token": self._revoke,
            "apps/list-repos-accessible-to-installation": self._repositories,
            "apps/list-webhook-deliveries": self._deliveries,
            "apps/get-webhook-delivery": self._delivery,
            "apps/redeliver-webhook-delivery": self._redeliver,
            "rate-limit/get": self._limits,
        }

    def _installed(self, call: Call) -> None:
        if call.parameters["installation_id"] != str(call.world.installation_id):
            raise Refusal(404, "Not Found")

    def _get_installation(self, call: Call) -> Answer:
        self._installed(call)
        return Answer(200, render.installation(call.world))

    def _repo_installation(self, call: Call) -> Answer:
        repository = call.repository
        return Answer(200, render.installation(call.world) | {"account": render.account(call.world, repository.owner)})

    def _mint(self, call: Call) -> Answer:
        self._installed(call)
        world, body = call.world, call.body or {}
        permissions = {**world.app.permissions} if body.get("permissions") is None else dict(body["permissions"])
        for name, level in permissions.items():
            if LEVELS[level] > LEVELS.get(world.app.permissions.get(name, ""), 0):
                raise Refusal(422, "The permissions requested are not granted to this installation.")
        permissions["metadata"] = "read"
        chosen = self._chosen(call, body)
        scope = None if chosen is None else frozenset(one.id for one in chosen)
        token = self._authority.mint(permissions, scope, world.clock())
        shown: dict[str, Any] = {
            "token": token.value,
            "expires_at": stamp(token.expires),
            "permissions": permissions,
            "repository_selection": "all" if chosen is None else "selected",
        }
        if chosen is not None:
            shown["repositories"] = [render.repository(world, one) for one in chosen]
        return Answer(201, shown)

    @staticmethod
    def _chosen(call: Call, body: dict[str, Any]) -> list[Repository] | None:
        """The repositories that a token is asked for; None for all."""
        names, ids = body.get("repositories"), body.get("repository_ids")
        if names is None and ids is None:
            return None
        by_name = {one.name.casefold(): one for one in call.world.repositories.values()}
        wanted = [by_name.get(name.casefold()) for name in names or []]
        wanted += [call.world.repository_by_id(number) for number in ids or []]
        found = [one for one in wanted if one is not None]
        if len(found) != len(wanted) or not found:
            raise Refusal(
                422,
                "There is at least one repository that does not exist or is not accessible to the parent installation.",
            )
        return found

    def _revoke(self, call: Call) -> Answer:
        assert call.token is not None
        call.token.expires = 0.0
        return Answer(204)

    @staticmethod
    def _repositories(call: Call) -> Answer:
        token = call.token
        seen = [one for one in call.world.repositories.values() if token is None or token.sees(one.id)]
        answer = call.counted("repositories", seen, lambda one: render.repository(call.world, one))
        selection = "all" if token is None or token.repositories is None else "selected"
        return Answer(200, answer.body | {"repository_selection": selection}, answer.headers)

    @staticmethod
    def _limits(call: Call) -> Answer:
        used = call.token.used if call.token else 0
        core = {"limit": 5000, "used": used, "remaining": max(5000 - used, 0), "reset": int(call.world.clock()) + 3600}
        search = {"limit": 30, "used": 0, "remaining": 30, "reset": int(call.world.clock()) + 60}
        return Answer(200, {"resources": {"core": core, "search": search, "graphql": core}, "rate": core})

    # Deliveries

    def _deliveries(self, call: Call) -> Answer:
        listed = self._delivered.attempts()
        wanted = call.query.get("status")
        if wanted is not None:
            listed = [one for one in listed if (200 <= one["status_code"] < 400) == (wanted == "success")]
        cursor = call.query.get("cursor")
        if cursor is not None:
            listed = [one for one in listed if one["id"] < int(cursor.removeprefix("v1_"))]
        size = max(1, min(int(call.query.get("per_page", 30)), 100))
        page = listed[:size]
        headers = {}
        if len(listed) > size:
            following = f"per_page={size}&cursor=v1_{page[-1]['id']}"
            headers["Link"] = f'<{call.world.url}/app/hook/deliveries?{following}>; rel="next"'
        return Answer(200, page, headers)

    def _delivery(self, call: Call) -> Answer:
        found = self._delivered.attempt(int(call.parameters["delivery_id"]))
        if found is None:
            raise Refusal(404, "Not Found")
        return Answer(200, found)

    def _redeliver(self, call: Call) -> Answer:
        if not self._delivered.redeliver(int(call.parameters["delivery_id"])):
            raise Refusal(404, "Not Found")
        return Answer(202, {})
