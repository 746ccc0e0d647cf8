"""Everything the `github` worker reads from GitHub, in our words (the ``GitHubReader`` port)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

import httpx

from bot.adapters.git_mirror import GitMirror
from bot.adapters.github_client import CONTENTS, GitHubClient, decoded, not_known
from bot.adapters.webhook_payloads import milliseconds, storable
from bot.domain.events import Actor
from bot.ports.github import (
    FetchedBase,
    GitHubBusy,
    GitHubRefused,
    IssueState,
    ListedDelivery,
    Permission,
    Place,
    PullReview,
    PullState,
    SaidComment,
    ThreadComment,
)

EDITS_QUERY: Final = (
    "query($owner: String!, $name: String!, $number: Int!, $after: String, $titles: String) {"
    " repository(owner: $owner, name: $name) { issue(number: $number) {"
    " userContentEdits(first: 100, after: $after) { pageInfo { hasNextPage endCursor }"
    " nodes { editedAt editor { __typename login ... on User { databaseId } ... on Bot { databaseId } } } }"
    " timelineItems(first: 100, after: $titles, itemTypes: [RENAMED_TITLE_EVENT]) { pageInfo { hasNextPage endCursor }"
    " nodes { ... on RenamedTitleEvent { createdAt actor { __typename login ... on User { databaseId } ... on Bot { databaseId } } } } }"
    " } } }"
)
_PAGE: Final = 100
_LOG_BYTES: Final = 1 << 16
# GitHub ends issues at 2,500 comments; a list that never ends is a fault, not data.
_PAGES: Final = 200
# What our receiver says of a delivery that it could never store; 401 and 415 are about the App's settings.
_REFUSED: Final = frozenset({400, 413})
_COMPARED: Final = 300
_GHOST: Final = Actor(0, "ghost", "Mannequin")


class GitHubAppReader:
    """Reads with tokens that can only read, each for one repository. ``mirrors``: where fetches are kept."""

    def __init__(self, client: GitHubClient, mirrors: GitMirror) -> None:
        self._client = client
        self._mirrors = mirrors

    # People

    def permission(self, place: Place, login: str) -> Permission:
        """The collaborator API's answer; a user who is none gets permission ``none``."""
        try:
            answer = self._get(place, f"/collaborators/{quote(login, safe='')}/permission")
        except GitHubRefused as refused:
            if refused.status != 404:
                raise
            return Permission(Actor(0, login, ""), "none", "none")
        user = answer.get("user") or {}
        return Permission(_actor(user), str(answer.get("permission", "none")), _role(answer, user))

    # Issues

    def issue(self, place: Place, number: int) -> IssueState:
        """An issue as it is now."""
        answer = self._get(place, f"/issues/{number}")
        return IssueState(
            number=answer["number"],
            title=storable(answer["title"]),
            body=storable(answer.get("body") or ""),
            author=_actor(answer.get("user")),
            state=answer["state"],
            labels=tuple(one if isinstance(one, str) else str(one["name"]) for one in answer.get("labels", ())),
            updated_at=milliseconds(answer["updated_at"]),
        )

    def issue_comments(self, place: Place, number: int, *, since: int | None = None) -> tuple[ThreadComment, ...]:
        """All comments, oldest first, all pages; ``since`` in milliseconds (GitHub's by whole seconds, of the last update)."""
        params = {} if since is None else {"since": iso(since)}
        return tuple(_comment(one) for one in self._pages(place, f"/issues/{number}/comments", params))

    def comments_since(self, place: Place, since: int) -> tuple[SaidComment, ...]:
        """One list for the whole repository, oldest first; an edited comment is in it again."""
        asked = {"since": iso(since), "sort": "created", "direction": "asc"}
        return tuple(
            SaidComment(int(str(one["issue_url"]).rpartition("/")[2]), _comment(one))
            for one in self._pages(place, "/issues/comments", asked)
        )

    def open_issues(self, place: Place, label: str) -> frozenset[int]:
        """Numbers of the open issues that carry a label; pull requests are left out."""
        listed = self._pages(place, "/issues", {"labels": label, "state": "open"})
        return frozenset(int(one["number"]) for one in listed if not one.get("pull_request"))

    def has_label(self, place: Place, name: str) -> bool:
        """Whether the repository has a label of that name."""
        return self._maybe(place, f"/labels/{quote(name, safe='')}") is not None

    def comment(self, place: Place, comment_id: int) -> ThreadComment | None:
        """One comment, or None when it is gone."""
        answer = self._maybe(place, f"/issues/comments/{comment_id}")
        return None if answer is None else _comment(answer)

    def issue_edits(self, place: Place, number: int, *, since: int) -> tuple[tuple[Actor, int], ...]:
        """Who edited title or body since, with times, oldest first. GitHub tells edits of bodies by GraphQL alone."""
        owner, _, name = place.full_name.partition("/")
        variables: dict[str, Any] = {"owner": owner, "name": name, "number": number}
        found: set[tuple[int, Actor]] = set()
        for _ in range(_PAGES):
            asked = json.dumps({"query": EDITS_QUERY, "variables": variables}).encode()
            issue = ((self._client.graphql(place, asked).get("repository") or {}).get("issue")) or {}
            edits, titles = issue.get("userContentEdits") or {}, issue.get("timelineItems") or {}
            found |= {
                (milliseconds(one["editedAt"]), _editor(one.get("editor"))) for one in edits.get("nodes") or () if one
            }
            found |= {
                (milliseconds(one["createdAt"]), _editor(one.get("actor"))) for one in titles.get("nodes") or () if one
            }
            after = _next(edits), _next(titles)
            if not any(after):
                break
            # A list that has ended is asked for behind its end, where it is empty.
            variables |= {
                "after": after[0] or _end(edits, variables.get("after")),
                "titles": after[1] or _end(titles, variables.get("titles")),
            }
        return tuple((actor, at) for at, actor in sorted(found, key=lambda one: (one[0], one[1].id)) if at >= since)

    # Pull requests and checks

    def pull(self, place: Place, number: int) -> PullState:
        """A pull request as it is now."""
        return _pull(self._get(place, f"/pulls/{number}"))

    def open_pulls(self, place: Place, wanted: frozenset[int]) -> Mapping[int, PullState]:
        """Those of the wanted pull requests that are open, by number; the list is newest first, as ours mostly are."""
        found: dict[int, PullState] = {}
        for one in self._pages(place, "/pulls", {"state": "open", "sort": "created", "direction": "desc"}):
            if one["number"] in wanted:
                found[one["number"]] = _pull(one)
                if len(found) == len(wanted):
                    break
        return found

    def reviews(self, place: Place, pull: int) -> tuple[PullReview, ...]:
        """The submitted reviews of a pull request, oldest first; those that are still being written have no time."""
        return tuple(
            _review(one) for one in self._pages(place, f"/pulls/{pull}/reviews", {}) if one.get("submitted_at")
        )

    def pull_of_branch(self, place: Place, branch: str) -> PullState | None:
        """The newest pull request whose head is ``branch`` of this repository, in any state; a fork's branch of that name is not."""
        owner = place.full_name.partition("/")[0]
        params = {"head": f"{owner}:{branch}", "state": "all", "sort": "created", "direction": "desc"}
        for one in self._pages(place, "/pulls", params):
            head = one["head"]
            if head["ref"] == branch and (head.get("repo") or {}).get("id") == place.repository_id:
                return _pull(one)
        return None

    def check_runs(
        self, place: Place, ref: str, *, name: str | None = None, ours: bool = False
    ) -> tuple[dict[str, Any], ...]:
        """Check runs on a ref as GitHub's JSON, all pages, the latest of each name and App; ``ours`` keeps those of our App."""
        params: dict[str, Any] = {"filter": "latest"}
        if name is not None:
            params["check_name"] = name
        if ours:
            params["app_id"] = self._client.app_id
        runs = self._pages(place, f"/commits/{quote(ref, safe='/')}/check-runs", params, key="check_runs")
        return tuple(one for one in runs if not ours or (one.get("app") or {}).get("id") == self._client.app_id)

    def required_checks(self, place: Place, branch: str) -> tuple[str, ...]:
        """Names that protection or rulesets require; empty when there are none or they cannot be read."""
        named = quote(branch, safe="/")
        shown = self._maybe(place, f"/branches/{named}", also=frozenset({403})) or {}
        required = ((shown.get("protection") or {}).get("required_status_checks")) or {}
        names = [str(one) for one in required.get("contexts") or ()]
        names += [str(one["context"]) for one in required.get("checks") or ()]
        for rule in self._maybe(place, f"/rules/branches/{named}", also=frozenset({403})) or ():
            if rule.get("type") == "required_status_checks":
                names += [
                    str(one["context"]) for one in (rule.get("parameters") or {}).get("required_status_checks") or ()
                ]
        return tuple(dict.fromkeys(names))

    def review_comments(self, place: Place, pull: int, review_id: int) -> tuple[dict[str, Any], ...]:
        """Comments of one review: ``{id, path, line, body, user}``; ``user`` is ``{id, login, type}``."""
        found = []
        for one in self._pages(place, f"/pulls/{pull}/reviews/{review_id}/comments", {}):
            line = one.get("line") if one.get("line") is not None else one.get("original_line")
            user = _actor(one.get("user"))
            found.append(
                {
                    "id": one["id"],
                    "path": storable(one["path"]),
                    "line": line,
                    "body": storable(one.get("body") or ""),
                    "user": {"id": user.id, "login": user.login, "type": user.kind},
                }
            )
        return tuple(found)

    def check_log(self, place: Place, check_run_id: int) -> str:
        """What a check run says of itself: output title, summary and text, then the end of its job's log where there is one.

        Data, never instruction. A check run of GitHub Actions has its job's number; others have no job.
        """
        output = self._get(place, f"/check-runs/{check_run_id}").get("output") or {}
        parts = [output.get(name) for name in ("title", "summary", "text")]
        try:
            path = f"/repos/{place.full_name}/actions/jobs/{check_run_id}/logs"
            parts.append(self._client.end_of_log(place, path, _LOG_BYTES))
        except GitHubRefused as refused:
            # 404 and 410: no job, or a log that is no longer kept; what the check says has to do.
            if refused.status not in {404, 410}:
                parts.append(f"(The job's log could not be read: {refused.sentence})")
        return storable("\n\n".join(str(part) for part in parts if part))

    # Repository

    def ref(self, place: Place, branch: str) -> str | None:
        """The commit a branch stands at, or None when it does not exist."""
        answer = self._maybe(place, f"/git/ref/heads/{quote(branch, safe='/')}", also=frozenset({409}))
        return None if answer is None else str(answer["object"]["sha"])

    def commit(self, place: Place, sha: str) -> dict[str, Any]:
        """A git commit: ``{sha, tree, parents: [sha], message}``."""
        answer = self._get(place, f"/git/commits/{quote(sha, safe='')}")
        return {
            "sha": answer["sha"],
            "tree": answer["tree"]["sha"],
            "parents": [one["sha"] for one in answer["parents"]],
            "message": answer["message"],
        }

    def file_at(self, place: Place, path: str, ref: str) -> bytes | None:
        """A file's bytes at a ref, or None where there is none, or a folder, link or submodule."""
        if any(part in {"", ".", ".."} for part in path.split("/")):
            return None
        answer = self._maybe(place, f"/contents/{quote(path, safe='/', errors='surrogateescape')}", {"ref": ref})
        if not isinstance(answer, dict) or answer.get("type") != "file":
            return None
        if answer.get("encoding") != "base64":
            # Over a megabyte the contents are left out; the blob has them.
            answer = self._get(place, f"/git/blobs/{answer['sha']}")
        return base64.b64decode(answer["content"])

    def changed_paths(self, place: Place, base: str, head: str) -> tuple[str, ...]:
        """Paths that differ between two commits, old and new names of moved files both."""
        answer = self._get(place, f"/compare/{quote(base, safe='')}...{quote(head, safe='')}", {"per_page": _PAGE})
        files = answer.get("files") or ()
        if answer.get("status") in {"ahead", "identical"} and len(files) < _COMPARED:
            names = [str(one[name]) for one in files for name in ("filename", "previous_filename") if one.get(name)]
            return tuple(sorted(set(names)))
        # Compare starts at the merge base and ends at 300 files; the trees themselves do neither.
        old, new = (self.commit(place, sha)["tree"] for sha in (base, head))
        return tuple(sorted(self._differing(place, old, new, "")))

    def _differing(self, place: Place, old: str | None, new: str | None, prefix: str) -> Iterator[str]:
        before, after = (self._tree(place, sha) for sha in (old, new))
        for name in before.keys() | after.keys():
            was, now = before.get(name), after.get(name)
            if was == now:
                continue
            trees = [one[1] if one is not None and one[0] == "040000" else None for one in (was, now)]
            if any(trees):
                yield from self._differing(place, trees[0], trees[1], f"{prefix}{name}/")
            if any(one is not None and one[0] != "040000" for one in (was, now)):
                yield prefix + name

    def _tree(self, place: Place, sha: str | None) -> dict[str, tuple[str, str]]:
        if sha is None:
            return {}
        answer = self._get(place, f"/git/trees/{sha}")
        if answer.get("truncated"):
            raise GitHubRefused(
                f"GitHub lists the tree {sha} in part only; the change cannot be read.",
                {"status": "422", "message": "truncated"},
            )
        return {one["path"]: (one["mode"], one["sha"]) for one in answer["tree"]}

    def default_branch(self, place: Place) -> str:
        """The default branch's name."""
        return str(self._get(place, "")["default_branch"])

    def fetch_base(self, place: Place, branch: str, workdir: Path) -> FetchedBase:
        """Fetch the branch with ``--depth 1`` into the repository's mirror and bundle its tree into ``workdir``."""
        token = self._client.token(place, CONTENTS)
        try:
            return self._mirrors.fetch(place, branch, self._client.addresses, token, workdir)
        except GitHubRefused as refused:
            if refused.status != 401:
                raise
        # As for a request to the API: a token may end before its time, and a new one is asked for once.
        self._client.forget(token)
        token = self._client.token(place, CONTENTS)
        try:
            return self._mirrors.fetch(place, branch, self._client.addresses, token, workdir)
        except GitHubRefused as refused:
            raise not_known(refused) from refused

    # Deliveries

    def deliveries(self, since: int) -> tuple[ListedDelivery, ...]:
        """Listed newest attempt first, so the first one met of a delivery is its latest."""
        attempts: dict[str, list[dict[str, Any]]] = {}
        params: dict[str, Any] = {"per_page": _PAGE}
        for _ in range(_PAGES):
            response = self._client.as_app("GET", "/app/hook/deliveries", params=params)
            page = decoded(response)
            for one in page:
                if milliseconds(one["delivered_at"]) >= since:
                    attempts.setdefault(one["guid"], []).append(one)
            cursor = _cursor(response)
            if not page or cursor is None or milliseconds(page[-1]["delivered_at"]) < since:
                break
            params["cursor"] = cursor
        # Times are whole seconds: numbers tell which was first.
        by_first = sorted(attempts.items(), key=lambda one: int(one[1][-1]["id"]))
        return tuple(_listed(guid, all_of_it) for guid, all_of_it in by_first)

    def redeliver(self, delivery_id: int) -> None:
        """Ask GitHub to deliver again."""
        self._client.as_app("POST", f"/app/hook/deliveries/{int(delivery_id)}/attempts")

    # Requests

    def _get(self, place: Place, path: str, params: Mapping[str, Any] | None = None) -> Any:
        return decoded(self._client.call(place, "GET", f"/repos/{place.full_name}{path}", params=params))

    def _maybe(
        self, place: Place, path: str, params: Mapping[str, Any] | None = None, also: frozenset[int] = frozenset()
    ) -> Any:
        try:
            return self._get(place, path, params)
        except GitHubRefused as refused:
            if refused.status in {404, 410} | also:
                return None
            raise

    def _pages(
        self, place: Place, path: str, params: Mapping[str, Any], key: str | None = None
    ) -> Iterator[dict[str, Any]]:
        for page in range(1, _PAGES + 1):
            answer = self._get(place, path, {**params, "per_page": _PAGE, "page": page})
            found = answer[key] if key is not None else answer
            yield from found
            if len(found) < _PAGE:
                return
        raise GitHubBusy(f"The list {path} of {place.full_name} does not end; it is asked for again.", {"status": ""})


def iso(at: int) -> str:
    """Milliseconds since the epoch as GitHub writes times; the rest of a second is dropped."""
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _actor(user: Mapping[str, Any] | None) -> Actor:
    return _GHOST if not user else Actor(int(user["id"]), str(user["login"]), str(user.get("type", "")))


def _role(answer: Mapping[str, Any], user: Mapping[str, Any]) -> str:
    """The base role: an organisation's own role has a name of its own, and ``permissions`` says what it stands on."""
    granted = user.get("permissions")
    if not isinstance(granted, dict):
        return str(answer.get("role_name", ""))
    for name, role in (
        ("admin", "admin"),
        ("maintain", "maintain"),
        ("push", "write"),
        ("triage", "triage"),
        ("pull", "read"),
    ):
        if granted.get(name) is True:
            return role
    return "none"


def _editor(actor: Mapping[str, Any] | None) -> Actor:
    return (
        _GHOST
        if not actor
        else Actor(int(actor.get("databaseId") or 0), str(actor["login"]), str(actor.get("__typename", "")))
    )


def _next(connection: Mapping[str, Any]) -> str | None:
    info = connection.get("pageInfo") or {}
    return str(info["endCursor"]) if info.get("hasNextPage") else None


def _end(connection: Mapping[str, Any], before: str | None) -> str | None:
    return (connection.get("pageInfo") or {}).get("endCursor") or before


def _comment(one: Mapping[str, Any]) -> ThreadComment:
    app = one.get("performed_via_github_app") or {}
    return ThreadComment(
        id=one["id"],
        author=_actor(one.get("user")),
        body=storable(one.get("body") or ""),
        created_at=milliseconds(one["created_at"]),
        updated_at=milliseconds(one["updated_at"]),
        app_id=app.get("id"),
    )


def _pull(one: Mapping[str, Any]) -> PullState:
    return PullState(
        number=one["number"],
        node_id=one["node_id"],
        head_ref=one["head"]["ref"],
        head_sha=one["head"]["sha"],
        base_ref=one["base"]["ref"],
        title=storable(one["title"]),
        body=storable(one.get("body") or ""),
        state=one["state"],
        merged=one.get("merged_at") is not None,
        draft=bool(one.get("draft")),
        url=one["html_url"],
    )


def _review(one: Mapping[str, Any]) -> PullReview:
    return PullReview(
        id=int(one["id"]),
        author=_actor(one.get("user")),
        state=str(one["state"]).lower(),
        body=storable(one.get("body") or ""),
        commit_sha=str(one.get("commit_id") or ""),
        at=milliseconds(one["submitted_at"]),
    )


def _listed(guid: str, attempts: Sequence[Mapping[str, Any]]) -> ListedDelivery:
    """``attempts``: newest first."""
    latest, code = attempts[0], int(attempts[0].get("status_code") or 0)
    return ListedDelivery(
        id=int(latest["id"]),
        guid=guid,
        event=str(latest.get("event", "")),
        first_at=milliseconds(attempts[-1]["delivered_at"]),
        attempts=len(attempts),
        answered=200 <= code < 300 or code in _REFUSED,
    )


def _cursor(response: httpx.Response) -> str | None:
    """The next page's cursor; the URL around it is never followed."""
    link = response.links.get("next", {}).get("url")
    found = parse_qs(urlsplit(link).query).get("cursor") if link else None
    return found[0] if found else None
