"""What a decision about one write looks at, and the pure functions that find it in the write itself (DESIGN section 7)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final
from urllib.parse import unquote

OWN_REF: Final = re.compile(r"conductor/[1-9][0-9]*-[a-z0-9-]+")
_ENTITY: Final = frozenset(
    {"role", "stage", "kind", "installation_id", "repository_id", "repository", "branch"},
)
# Every segment of a target that Conductor builds: names, numbers, and the percent-encoded label and branch names.
_SEGMENT: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-F]{2})+")


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteFacts:
    """Facts about one write, collected when it is staged and again, fresh, when it is sent.

    What is left out counts as not so: a missing ``own_*`` or ``approved`` denies. The switches and ``secret_found`` have
    no default, so that nobody can forget to ask. ``role``: ``control`` or ``github``. ``stage``: the run's state, "" for a
    write that belongs to no run. ``repository``: full name. ``branch``: without ``refs/heads/``. The rest is described
    where policies read it, in ``conductor.cedarschema``.
    """

    role: str
    stage: str
    kind: str
    installation_id: int
    repository_id: int
    repository: str
    branch: str = ""
    mode: str
    stopped_system: bool
    stopped_repository: bool
    stopped_run: bool
    secret_found: bool
    risk: str = "normal"
    paused: bool = False
    answers_stop: bool = False
    own_repository: bool = False
    own_issue: bool = False
    own_comment: bool = False
    own_label: bool = False
    start_label: bool = False
    own_pull: bool = False
    own_check: bool = False
    own_branch: bool = False
    own_ref: bool = False
    default_base: bool = False
    tree_equals_base: bool = False
    approved: bool = False
    approved_paths_only: bool = False
    protected_changed: tuple[str, ...] = ()
    workflows_changed: bool = False
    diff_approval_needed: bool = False
    diff_approved: bool = False
    force: bool = False
    payload_bytes: int = 0
    body_bytes: int = 0
    summary_chars: int = 0
    annotations: int = 0

    @property
    def context(self) -> dict[str, Any]:
        """The Cedar context: every fact that is not principal, action or resource."""
        found = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in _ENTITY}
        return found | {"protected_changed": list(self.protected_changed)}


def is_own_ref(branch: str) -> bool:
    """Whether a branch name is one that Conductor gives: ``conductor/<issue>-<slug>``, nothing else."""
    return OWN_REF.fullmatch(branch) is not None


def is_in_repository(target: str, full_name: str) -> bool:
    """Whether a request path lies below ``/repos/<full_name>/`` and can only be read as that.

    Dots, empty segments, queries, fragments and other spellings are not: githubkit sends paths as they are.
    """
    head = f"/repos/{full_name}/"
    if full_name.count("/") != 1 or not target.startswith(head):
        return False
    segments = target[1:].split("/")
    return all(_SEGMENT.fullmatch(one) is not None and unquote(one) not in {".", ".."} for one in segments)


def sizes(payload: Mapping[str, Any]) -> dict[str, int]:
    """``body_bytes``, ``summary_chars`` and ``annotations`` of a payload, for ``WriteFacts(**sizes(payload), ...)``."""
    output = payload.get("output")
    shown = output if isinstance(output, Mapping) else {}
    body = payload.get("body")
    return {
        "body_bytes": len(body.encode("utf-8", "surrogatepass")) if isinstance(body, str) else 0,
        "summary_chars": max(len(str(shown.get(name) or "")) for name in ("summary", "text")),
        "annotations": len(shown.get("annotations") or ()),
    }


def changes_workflows(paths: Iterable[str]) -> bool:
    """Whether a path lies below ``.github/workflows`` in any spelling that a file system may fold into it."""
    return any(
        path.casefold().startswith(".github/workflows/") or path.casefold() == ".github/workflows" for path in paths
    )
