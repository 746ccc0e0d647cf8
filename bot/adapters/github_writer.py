"""The one file that changes GitHub (I1): sends an approved row's very bytes, and looks first when an earlier try's outcome is unknown.

How each kind stays single is the table of DESIGN section 8.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import quote

import httpx
import structlog

from bot.adapters.git_merge import blob_id
from bot.adapters.github_client import READ, GitHubClient, decoded
from bot.domain.errors import InternalError, StaleFence
from bot.domain.work import Patch
from bot.domain.writes import METHODS, marker
from bot.ports.github import Approved, GitHubBusy, GitHubRefused, OutboxWrite, Sent

log = structlog.get_logger()

_ISSUES: Final[Mapping[str, str]] = {"issues": "write"}
_PULLS: Final[Mapping[str, str]] = {"pull_requests": "write", "contents": "read"}
_PULLS_AND_CONTENTS: Final[Mapping[str, str]] = {"pull_requests": "write", "contents": "write"}
_CHECKS: Final[Mapping[str, str]] = {"checks": "write"}
_CONTENTS: Final[Mapping[str, str]] = {"contents": "write"}
PERMISSIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "comment.create": _ISSUES,
    "comment.reply": _PULLS,
    "comment.update": _ISSUES,
    "label.create": _ISSUES,
    "label.add": _ISSUES,
    "label.remove": _ISSUES,
    "reaction.add": _ISSUES,
    "pull.create": _PULLS,
    "pull.update": _PULLS,
    "pull.ready": _PULLS_AND_CONTENTS,
    "review.request": _PULLS,
    "thread.resolve": _PULLS_AND_CONTENTS,
    "check_run.create": _CHECKS,
    "check_run.update": _CHECKS,
    "branch.create": _CONTENTS,
    "branch.update": _CONTENTS,
}
"""What the token of each kind may do, and no more."""
_GRAPHQL: Final = frozenset({"pull.ready", "thread.resolve"})
_BRANCHES: Final = frozenset({"branch.create", "branch.update"})
_KNOWN_BY: Final = frozenset({"comment.create", "comment.reply", "check_run.create", "pull.create"})
"""What these make is later told by the number that GitHub gave it; an answer without one says nothing."""
_DRAFTS: Final = re.compile(r"^(?!.*already exists).*\bdraft", re.DOTALL)
"""GitHub has no drafts here; that a pull request of a branch called `...-draft-...` is there already is something else."""
_PAGE: Final = 100
_PAGES: Final = 200

Contents = Callable[[OutboxWrite, str], Patch]
OnCommit = Callable[[OutboxWrite, str], None]
Keep = Callable[[OutboxWrite], OutboxWrite]


class GitHubAppWriter:
    """The ``GitHubWriter`` port. ``contents`` reads a row's patch artifact by its sha256; ``on_commit(row, sha)`` stores
    the commit's id and returns only then, before any ref moves. ``keep`` returns the row with its lease prolonged where
    little is left of it: a branch takes as many requests as it has files.
    """

    def __init__(self, client: GitHubClient, *, contents: Contents, on_commit: OnCommit, keep: Keep) -> None:
        self._client = client
        self._contents = contents
        self._on_commit = on_commit
        self._keep = keep
        self._bot = ""
        self._asking = threading.Lock()

    def send(self, write: Approved[OutboxWrite], *, retry: bool) -> Sent:
        """Send exactly these bytes; with ``retry`` only if they are not there already.

        Raises ``InternalError`` when the bytes are not those that were hashed, ``StaleFence`` when its lease has run out, and ``GitHubBusy``, ``GitHubLimited`` or
        ``GitHubRefused`` (a draft where drafts are not offered: ``fields['drafts']`` is ``unsupported``).
        """
        if not isinstance(write, Approved):
            raise TypeError("only what policy approved is sent: bot.ports.github.approve makes it from a decision")
        row = write.value
        if hashlib.sha256(row.body).hexdigest() != row.payload_sha256:
            raise _broken(row, "its bytes are not those that were hashed")
        if row.kind not in PERMISSIONS:
            raise _broken(row, f"{row.kind!r} is no kind of write")
        payload = json.loads(row.body)
        try:
            found = self._look(row, payload) if retry else None
            return self._do(row, payload) if found is None else found
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            # JSON that lacks what GitHub documents: whatever was asked may have been done, and the row must not stay on its way.
            log.warning("github_answer_unreadable", row=row.row_id, kind=row.kind, exc_info=True)
            said = f"{type(error).__name__}: {error}"
            raise GitHubBusy(f"GitHub's answer to outbox row {row.row_id} cannot be read ({said}).", {}) from error

    def _do(self, row: OutboxWrite, payload: dict[str, Any]) -> Sent:
        if row.kind in _BRANCHES:
            return self._branch(row, payload)
        if row.kind in _GRAPHQL:
            self._client.graphql(row.place, row.body, PERMISSIONS[row.kind], partial(self._still_ours, row))
            return Sent(200, str(payload["variables"]["id"]), "")
        return self._plain(row, payload)

    # One request

    def _plain(self, row: OutboxWrite, payload: dict[str, Any]) -> Sent:
        try:
            response = self._write(row, METHODS[row.kind], row.target, row.body)
        except GitHubRefused as refused:
            return self._settled(row, payload, refused)
        return _sent(row.kind, response)

    def _settled(self, row: OutboxWrite, payload: dict[str, Any], refused: GitHubRefused) -> Sent:
        """Refusals that say the wish is fulfilled; all others go on up."""
        if row.kind == "label.remove" and refused.status == 404:
            return Sent(404, "", "")
        if (
            row.kind == "label.create"
            and refused.status == 422
            and "already_exists" in refused.fields.get("errors", "")
        ):
            return Sent(422, str(payload["name"]), "")
        said = f"{refused.fields.get('message', '')} {refused.fields.get('errors', '')}".casefold()
        if row.kind == "pull.create" and refused.status == 422 and payload.get("draft") and _DRAFTS.search(said):
            raise GitHubRefused(refused.sentence, {**refused.fields, "drafts": "unsupported"}) from refused
        raise refused

    def _write(self, row: OutboxWrite, method: str, path: str, content: bytes | None) -> httpx.Response:
        ours = partial(self._still_ours, row)
        return self._client.call(row.place, method, path, permissions=PERMISSIONS[row.kind], content=content, last=ours)

    def _still_ours(self, row: OutboxWrite) -> None:
        """The last thing before a request's bytes: a process that was halted for longer than its lease must not send what another one has.

        GitHub knows no fences, so the time is what keeps the two apart.
        """
        if row.until and self._client.now() >= row.until:
            raise StaleFence(
                f"The lease on outbox row {row.row_id} ran out before it was sent; nothing more of it is sent from here.",
                {"row": str(row.row_id)},
            )

    # Branches

    def _branch(self, row: OutboxWrite, payload: dict[str, Any]) -> Sent:
        """Blobs, tree, commit, then the ref: what comes before the ref is named by its content and seen by nobody."""
        branch = str(payload["branch"])
        if not branch.startswith("conductor/") or not row.target.endswith(f"/git/refs/heads/{quote(branch)}"):
            raise _broken(row, f"its branch {branch!r} is not the one that was decided about")
        git = f"/repos/{row.place.full_name}/git"
        if payload["tree"] != payload["base_tree"]:
            row = self._tree(row, payload, git)
        elif payload["entries"]:
            raise _broken(row, "it lists changes and names its parent's tree")
        row = self._keep(row)
        asked = {"message": payload["message"], "tree": payload["tree"], "parents": [payload["parent"]]}
        sha = str(self._post(row, f"{git}/commits", asked)["sha"])
        self._on_commit(row, sha)
        row = self._keep(row)
        try:
            if row.kind == "branch.create":
                answer = self._write(row, "POST", f"{git}/refs", _json({"ref": f"refs/heads/{branch}", "sha": sha}))
            else:
                answer = self._write(row, "PATCH", row.target, _json({"sha": sha, "force": False}))
        except GitHubRefused as refused:
            # An earlier try whose answer was lost may have moved it.
            found = self._own_commit(row, payload) if refused.status == 422 else None
            if found is None:
                raise
            return found
        return Sent(answer.status_code, sha, self._commit_url(row, sha), {"sha": sha, "tree": payload["tree"]})

    def _tree(self, row: OutboxWrite, payload: dict[str, Any], git: str) -> OutboxWrite:
        patch = self._contents(row, str(payload["patch_sha256"]))
        contents = {change.path: change.content for change in patch.changes}
        gone, put = [], []
        for entry in payload["entries"]:
            path, mode, blob = entry["path"], entry["mode"], entry["blob"]
            if blob is None:
                gone.append({"path": path, "mode": mode, "type": "blob", "sha": None})
                continue
            put.append({"path": path, "mode": mode, "type": "commit" if mode == "160000" else "blob", "sha": blob})
            if mode != "160000":
                row = self._keep(row)
                self._blob(row, git, blob, contents.get(path))
        row = self._keep(row)
        asked = {"base_tree": payload["base_tree"], "tree": gone + put}
        made = self._post(row, f"{git}/trees", asked)["sha"]
        if made != payload["tree"]:
            raise _broken(
                row, f"GitHub made the tree {made} of it, approved is {payload['tree']}; nothing was published"
            )
        return row

    def _blob(self, row: OutboxWrite, git: str, blob: str, content: str | None) -> None:
        if content is None or blob_id(base64.b64decode(content)) != blob:
            raise _broken(row, f"its patch does not hold the blob {blob}")
        made = self._post(row, f"{git}/blobs", {"content": content, "encoding": "base64"})["sha"]
        if made != blob:
            raise _broken(row, f"GitHub stored the blob {made} for {blob}")

    def _post(self, row: OutboxWrite, path: str, asked: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = decoded(self._write(row, "POST", path, _json(asked)))
        return answer

    def _own_commit(self, row: OutboxWrite, payload: dict[str, Any]) -> Sent | None:
        """Whether the ref stands at this row's commit: parent, tree and message (its trailers name the row) are equal."""
        git = f"/repos/{row.place.full_name}/git"
        try:
            ref = self._get(row, f"{git}/ref/heads/{quote(str(payload['branch']))}")
        except GitHubRefused as refused:
            if refused.status != 404:
                raise
            return None
        sha = str(ref["object"]["sha"])
        commit = self._get(row, f"{git}/commits/{quote(sha, safe='')}")
        parents = [one["sha"] for one in commit["parents"]]
        same = commit["tree"]["sha"] == payload["tree"] and parents == [payload["parent"]]
        if not same or commit["message"].strip() != str(payload["message"]).strip():
            return None
        self._on_commit(row, sha)
        return Sent(200, sha, self._commit_url(row, sha), {"sha": sha, "tree": payload["tree"]})

    def _commit_url(self, row: OutboxWrite, sha: str) -> str:
        return f"{self._client.addresses.git}/{row.place.full_name}/commit/{sha}"

    # Looking first

    def _look(self, row: OutboxWrite, payload: dict[str, Any]) -> Sent | None:
        """What an earlier try of this row left on GitHub; None for nothing, and for kinds that may be repeated."""
        repository = f"/repos/{row.place.full_name}"
        match row.kind:
            case "comment.create":
                return self._marked(row, row.target)
            case "comment.reply":
                # Replies are made below one comment, and listed with all of the pull request's.
                pull = row.target.removesuffix("/replies").rpartition("/")[0]
                return self._marked(row, pull)
            case "check_run.create":
                path = f"{repository}/commits/{quote(str(payload['head_sha']), safe='')}/check-runs"
                asked = {"check_name": payload["name"], "filter": "all", "app_id": self._client.app_id}
                for run in self._pages(row, path, asked, key="check_runs"):
                    if (
                        _names_same(str(run.get("external_id") or ""), str(payload["external_id"]))
                        and (run.get("app") or {}).get("id") == self._client.app_id
                    ):
                        return _shown("check_run.create", 200, run)
                return None
            case "pull.create":
                owner = row.place.full_name.partition("/")[0]
                asked = {"head": f"{owner}:{payload['head']}", "state": "all", "sort": "created", "direction": "desc"}
                for pull_request in self._pages(row, f"{repository}/pulls", asked):
                    head = pull_request["head"]
                    here = (
                        head["ref"] == payload["head"] and (head.get("repo") or {}).get("id") == row.place.repository_id
                    )
                    if here and self._is_ours(pull_request):
                        return _shown("pull.create", 200, pull_request)
                return None
            case "branch.create" | "branch.update":
                return self._own_commit(row, payload)
            case "check_run.update" if payload.get("output", {}).get("annotations"):
                return self._annotated(row, payload["output"]["annotations"])
            case _:
                return None

    def _annotated(self, row: OutboxWrite, wanted: list[dict[str, Any]]) -> Sent | None:
        """GitHub appends the annotations of each update; one that is there already tells that the whole update is."""
        shown = {_placed(one) for one in self._pages(row, f"{row.target}/annotations", {})}
        there = all(_placed(one) in shown for one in wanted)
        return Sent(200, row.target.rpartition("/")[2], "") if there else None

    def _marked(self, row: OutboxWrite, path: str) -> Sent | None:
        """Our comment that carries the row's random marker; anybody can copy a marker, so only our own counts.

        All are listed: what our clock said when the row was made says nothing of the time that GitHub gave the comment.
        """
        wanted = marker(row.token)
        for comment in self._pages(row, path, {}):
            if wanted in (comment.get("body") or "") and self._is_ours(comment):
                return _shown(row.kind, 200, comment)
        return None

    def _is_ours(self, thing: Mapping[str, Any]) -> bool:
        """By our App's id; where GitHub does not tell it (review comments, pull requests), by our bot account."""
        app = thing.get("performed_via_github_app")
        if app is not None:
            return bool(app.get("id") == self._client.app_id)
        user = thing.get("user") or {}
        return user.get("type") == "Bot" and user.get("login") == self._bot_login()

    def _bot_login(self) -> str:
        with self._asking:
            if not self._bot:
                self._bot = f"{decoded(self._client.as_app('GET', '/app'))['slug']}[bot]"
            return self._bot

    def _get(self, row: OutboxWrite, path: str, params: Mapping[str, Any] | None = None) -> Any:
        return decoded(self._client.call(row.place, "GET", path, permissions=READ, params=params))

    def _pages(
        self, row: OutboxWrite, path: str, params: Mapping[str, Any], key: str | None = None
    ) -> Iterator[dict[str, Any]]:
        for page in range(1, _PAGES + 1):
            answer = self._get(row, path, {**params, "per_page": _PAGE, "page": page})
            found = answer[key] if key is not None else answer
            yield from found
            if len(found) < _PAGE:
                return
        # Without an end nothing is known, and what is not known is not sent.
        raise _broken(row, f"the list {path} that would show an earlier try does not end")


def _placed(one: Mapping[str, Any]) -> tuple[Any, ...]:
    """Where it stands, and the finding that its title begins with: GitHub may write its words in its own way."""
    return one.get("path"), one.get("start_line"), str(one.get("title") or "").partition(" ")[0]


def _names_same(shown: str, wanted: str) -> bool:
    """Whether two external ids name one check of one run: its update may have changed what comes after that."""
    return shown.split(":")[:2] == wanted.split(":")[:2]


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def _sent(kind: str, response: httpx.Response) -> Sent:
    if not response.content and kind not in _KNOWN_BY:
        return Sent(response.status_code, "", "")
    answer = decoded(response)
    # Labels come as a list of all that are set now.
    return _shown(kind, response.status_code, answer if isinstance(answer, dict) else {})


def _shown(kind: str, status: int, thing: Mapping[str, Any]) -> Sent:
    """``github_id``: a pull request's number, any other thing's id. Facts: ``body_sha256`` of the body that GitHub kept.

    ``LookupError`` where a number is needed and none is there.
    """
    facts: dict[str, Any] = {}
    if isinstance(thing.get("body"), str):
        facts["body_sha256"] = hashlib.sha256(thing["body"].encode("utf-8", "surrogatepass")).hexdigest()
    name = "number" if kind in {"pull.create", "pull.update", "review.request"} else "id"
    if name == "number":
        facts |= {"number": thing.get("number"), "node_id": thing.get("node_id"), "draft": bool(thing.get("draft"))}
    number = str(int(thing[name])) if kind in _KNOWN_BY else str(thing.get(name, ""))
    return Sent(status, number, str(thing.get("html_url") or ""), facts)


def _broken(row: OutboxWrite, why: str) -> InternalError:
    return InternalError(
        f"Outbox row {row.row_id} ({row.kind}) is not sent because {why}.", {"row": str(row.row_id), "kind": row.kind}
    )
