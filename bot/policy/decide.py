"""Every decision about a write, by Cedar: allowed only when a permit matched, no forbid did, and nothing went wrong (DESIGN section 7).

Cedar skips a forbid that errors and then answers *allow*, and has a third answer, *no decision*; both are denials here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Protocol

import cedarpy

from bot.domain.errors import SettingsError
from bot.domain.subject import canonical, sha256_of
from bot.policy.facts import WriteFacts

_BUILT_IN: Final = "conductor.cedar"
_SCHEMA: Final = "conductor.cedarschema"


class Exposed(Protocol):
    """A workflow that makes publishing risky (``bot.domain.snapshot.WorkflowExposure``)."""

    @property
    def path(self) -> str: ...

    @property
    def reasons(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Decision:
    """Allow or deny, with the ids of the policies that decided and the hash of the set they come from.

    ``errors``: what went wrong; any of them denies. ``sentence``: why, for the audit and for people.
    """

    allowed: bool
    policy_ids: tuple[str, ...]
    errors: tuple[str, ...]
    policy_set_sha256: str
    sentence: str


class PolicySet:
    """Parsed and validated policies; immutable, shared by threads. Made by ``load`` alone."""

    def __init__(self, texts: Mapping[str, str], schema_text: str) -> None:
        try:
            self._schema = cedarpy.Schema.from_str(schema_text)
        except ValueError as error:
            raise SettingsError(f"The policy schema does not parse: {error}", {"file": _SCHEMA}) from error
        reasons: dict[str, str] = {}
        for name, text in texts.items():
            for policy_id, because in _identified(name, text).items():
                if policy_id in reasons:
                    raise _unusable(name, f"the id {policy_id!r} is used twice; give each policy its own")
                reasons[policy_id] = because
            result = cedarpy.validate_policies(text, self._schema)
            if not result.validation_passed:
                raise _unusable(name, "; ".join(str(one) for one in result.errors))
        self._reasons = reasons
        self._policies = cedarpy.PolicySet.from_str("\n".join(texts.values()))
        digest = canonical({"texts": dict(texts), "schema": schema_text, "engine": version("cedarpy")})
        self.sha256 = hashlib.sha256(digest).hexdigest()

    @classmethod
    def load(cls, extra_dir: Path | None = None) -> PolicySet:
        """The built-in policies and the ``*.cedar`` files of ``extra_dir``, in order of name.

        Raises ``SettingsError`` (no start) when one does not parse, lacks an ``@id``, repeats one, is a template, or does
        not hold against the schema.
        """
        room = files(__package__)
        texts = {_BUILT_IN: room.joinpath(_BUILT_IN).read_text("utf-8")}
        if extra_dir is not None:
            if not extra_dir.is_dir():
                raise SettingsError(
                    f"The policy directory {extra_dir} is not there; create it or take the setting out.",
                    {"path": str(extra_dir)},
                )
            for path in sorted(extra_dir.glob("*.cedar")):
                texts[f"extra/{path.name}"] = _text(path)
        return cls(texts, room.joinpath(_SCHEMA).read_text("utf-8"))

    @property
    def ids(self) -> tuple[str, ...]:
        """Every policy's id, in order of name."""
        return tuple(sorted(self._reasons))

    def ask(
        self, principal: Mapping[str, Any], action: str, resource: Mapping[str, Any], context: Mapping[str, Any]
    ) -> Decision:
        """One decision. ``principal`` and ``resource``: Cedar entities ``{uid: {type, id}, attrs, parents}``."""
        request = {
            "principal": principal["uid"],
            "action": {"type": "Action", "id": action},
            "resource": resource["uid"],
            "context": dict(context),
        }
        try:
            answer = cedarpy.is_authorized(request, self._policies, [dict(principal), dict(resource)], self._schema)
            errors = tuple(str(one) for one in answer.diagnostics.errors)
            ids = tuple(sorted(answer.diagnostics.id_annotations_by_reason.values()))
            permitted = answer.decision is cedarpy.Decision.Allow
        except Exception as error:  # noqa: BLE001  (whatever the engine raises is a denial, and is recorded)
            errors, ids, permitted = (f"{type(error).__name__}: {error}",), (), False
        return Decision(
            permitted and not errors and bool(ids),
            ids,
            errors,
            self.sha256,
            self._sentence(action, permitted, ids, errors),
        )

    def _sentence(self, action: str, permitted: bool, ids: Sequence[str], errors: Sequence[str]) -> str:
        if errors:
            return f"{action} is denied because the policies could not be evaluated: {errors[0]}"
        if not ids:
            return f"{action} is denied: no permit matched"
        word = "allowed" if permitted else "denied"
        return f"{action} is {word}: " + "; ".join(f"{self._reasons.get(one) or 'by policy'} ({one})" for one in ids)


def decide(policies: PolicySet, facts: WriteFacts) -> Decision:
    """Whether this write may go out. Never raises: what cannot be decided is denied."""
    principal = {
        "uid": {"type": "Process", "id": facts.role},
        "attrs": {"role": facts.role, "stage": facts.stage},
        "parents": [],
    }
    resource = {
        "uid": {"type": "Target", "id": f"{facts.installation_id}/{facts.repository_id}"},
        "attrs": {
            "installation": facts.installation_id,
            "repository": facts.repository_id,
            "full_name": facts.repository,
            "branch": facts.branch,
        },
        "parents": [],
    }
    return policies.ask(principal, facts.kind, resource, facts.context)


def publishing_decision(policies: PolicySet, exposures: Sequence[Exposed], publish: str) -> Decision:
    """Whether code may be published that no person has read: ``publish`` is the setting: ``auto``, ``risky`` or ``approval``."""
    principal = {
        "uid": {"type": "Process", "id": "control"},
        "attrs": {"role": "control", "stage": "code.review"},
        "parents": [],
    }
    resource: dict[str, Any] = {"uid": {"type": "Publication", "id": "tree"}, "attrs": {}, "parents": []}
    return policies.ask(principal, "publish_unattended", resource, {"exposed": bool(exposures), "publish": publish})


def publishing_needs_person(policies: PolicySet, exposures: Sequence[Exposed], publish: str) -> bool:
    """Whether a run must wait in ``code.approval``: unless the policies allow publishing unattended."""
    return not publishing_decision(policies, exposures, publish).allowed


def decision_sha256(kind: str, installation_id: int, repository_id: int, target: str, payload_sha256: str) -> str:
    """The name of what was decided about; ids travel as strings, so that no reader rounds them."""
    return sha256_of(
        canonical(
            {
                "kind": kind,
                "installation_id": str(installation_id),
                "repository_id": str(repository_id),
                "target": target,
                "payload_sha256": payload_sha256,
            }
        )
    )


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path.name, f"it cannot be read ({error})") from error


def _identified(name: str, text: str) -> dict[str, str]:
    """Each policy's ``@id`` with its ``@because``; each file has to parse on its own."""
    try:
        parsed = json.loads(cedarpy.policies_to_json_str(text))
    except ValueError as error:
        raise _unusable(name, str(error)) from error
    if parsed.get("templates") or parsed.get("templateLinks"):
        raise _unusable(
            name, "it holds a template, which decides nothing until somebody links it; write the policy out"
        )
    found: dict[str, str] = {}
    for position, policy in enumerate(parsed["staticPolicies"].values()):
        annotations = policy.get("annotations") or {}
        policy_id = annotations.get("id") or ""
        if not policy_id:
            raise _unusable(name, f"policy {position} has no @id; decisions are recorded by id")
        if policy_id in found:
            raise _unusable(name, f"the id {policy_id!r} is used twice; give each policy its own")
        found[policy_id] = annotations.get("because") or ""
    return found


def _unusable(name: str, why: str) -> SettingsError:
    return SettingsError(f"The policy file {name} cannot be used: {why}", {"file": name, "why": why})
