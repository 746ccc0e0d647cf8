"""Whether every change of the simulated GitHub was intended: each one must be the bytes of an outbox row that was sent (I1)."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from bot.domain.writes import METHODS
from bot.ports.records import OutboxRow
from bot.simulator.github.git_objects import GitRepository, MissingObject
from bot.simulator.github.rest import WriteRecord

_GRAPHQL: Final = frozenset({"pull.ready", "thread.resolve"})
_ONCE: Final = frozenset({"comment.create", "comment.reply", "check_run.create", "pull.create"})
"""What a second request would make twice: one row of these explains one change."""
_Request: TypeAlias = tuple[str, str, str]


def unmatched(writes: Iterable[WriteRecord], rows: Sequence[OutboxRow], git: GitRepository) -> list[str]:
    """Requests that changed something and are not the bytes of an allowed row, or are so once more than they may be."""
    sent = [row for row in rows if row.attempts > 0 and row.decision == "allow"]
    freely = {one for row in sent if row.kind not in _ONCE for one in _requests(row, git)}
    once = Counter(one for row in sent if row.kind in _ONCE for one in _requests(row, git))
    found = []
    for write in writes:
        request = (write.method, write.path, write.sha256)
        if not write.changed or request in freely:
            continue
        once[request] -= 1
        if once[request] < 0:
            found.append(f"{write.method} {write.path}")
    return found


def _requests(row: OutboxRow, git: GitRepository) -> Iterator[_Request]:
    if row.kind.startswith("branch."):
        yield from _branch(row, json.loads(row.payload), git)
    elif row.kind in _GRAPHQL:
        yield "POST", "/graphql", row.payload_sha256
    else:
        yield METHODS[row.kind], row.target, row.payload_sha256
        if row.kind == "label.remove":
            yield METHODS[row.kind], row.target, _hash(b"")


def _branch(row: OutboxRow, payload: dict[str, Any], git: GitRepository) -> Iterator[_Request]:
    """The blobs, tree, commit and ref that a branch row's payload lists, in the form in which they are sent."""
    api = row.target.partition("/git/")[0] + "/git"
    gone: list[dict[str, Any]] = []
    put: list[dict[str, Any]] = []
    for entry in payload["entries"]:
        path, mode, blob = entry["path"], entry["mode"], entry["blob"]
        kind = "commit" if mode == "160000" else "blob"
        (put if blob is not None else gone).append({"path": path, "mode": mode, "type": kind, "sha": blob})
        if blob is not None and kind == "blob" and (content := _content(git, blob)) is not None:
            yield "POST", f"{api}/blobs", _body({"content": content, "encoding": "base64"})
    yield "POST", f"{api}/trees", _body({"base_tree": payload["base_tree"], "tree": gone + put})
    commit = {"message": payload["message"], "tree": payload["tree"], "parents": [payload["parent"]]}
    yield "POST", f"{api}/commits", _body(commit)
    for sha in {str(row.response.get("sha", "")), row.github_id} - {""}:
        yield "POST", f"{api}/refs", _body({"ref": f"refs/heads/{payload['branch']}", "sha": sha})
        yield "PATCH", row.target, _body({"sha": sha, "force": False})


def _content(git: GitRepository, blob: str) -> str | None:
    try:
        return base64.b64encode(git.read(blob, "blob").data).decode("ascii")
    except MissingObject:
        return None


def _body(value: dict[str, Any]) -> str:
    return _hash(json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode())


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
