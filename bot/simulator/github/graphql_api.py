"""The subset of GitHub's GraphQL that Conductor needs: marking pull requests ready, resolving review threads, node ids."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    build_schema,
    execute_sync,
    parse,
    validate,
)

from bot.simulator.github import effects_pulls, render, render_pulls
from bot.simulator.github.access import TokenRecord
from bot.simulator.github.effects import Actor, Scene
from bot.simulator.github.model import Account, Edit, Issue, Pull, Repository, ReviewComment, Thread, node_id, stamp
from bot.simulator.github.world import World

SCHEMA: Final = Path(__file__).with_name("schema.graphql")
PAGE_LIMIT: Final = 100
FORBIDDEN: Final = "Resource not accessible by integration"


@dataclass(frozen=True, slots=True)
class GraphQLAnswer:
    """The response body, whether the document held a mutation, and what GitHub's schema says against it."""

    body: dict[str, Any]
    mutates: bool
    changed: bool
    violations: tuple[str, ...] = ()
    refused: bool = False


@functools.cache
def _schema() -> GraphQLSchema:
    return build_schema(SCHEMA.read_text("utf-8"))


class GraphQLApi:
    """Answers documents over the world; the caller holds the lock."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._schema = _schema()

    def answer(self, body: Any, token: TokenRecord) -> GraphQLAnswer:
        """Validates and executes one request body."""
        if not isinstance(body, dict) or not isinstance(body.get("query"), str):
            return _wrong("A query attribute must be specified and must be a string.", mutates=False)
        if unknown := set(body) - {"query", "variables", "operationName"}:
            return _wrong(f"undocumented properties {sorted(unknown)}", mutates=False)
        try:
            document = parse(body["query"])
        except GraphQLError as error:
            return _wrong(error.message, mutates=False)
        mutates = any(
            isinstance(one, OperationDefinitionNode) and one.operation is OperationType.MUTATION
            for one in document.definitions
        )
        if errors := validate(self._schema, document):
            return _wrong("; ".join(error.message for error in errors), mutates=mutates)
        root = _Root(self._world, token)
        result = execute_sync(
            self._schema,
            document,
            root_value=root.fields(),
            variable_values=body.get("variables") or {},
            operation_name=body.get("operationName"),
        )
        assert isinstance(result, ExecutionResult)
        changed = mutates and not result.errors
        return GraphQLAnswer(_shown(result), mutates, changed, _variable_faults(result), root.refused)


def _wrong(sentence: str, *, mutates: bool) -> GraphQLAnswer:
    return GraphQLAnswer({"errors": [{"message": sentence}]}, mutates, changed=False, violations=(sentence,))


def _shown(result: ExecutionResult) -> dict[str, Any]:
    shown: dict[str, Any] = {"data": result.data}
    if result.errors:
        shown["errors"] = [
            {"type": (one.extensions or {}).get("type", "UNPROCESSABLE"), "path": one.path, "message": one.message}
            for one in result.errors
        ]
    return shown


def _variable_faults(result: ExecutionResult) -> tuple[str, ...]:
    """Errors of variables: they have neither a path nor a type of ours."""
    return tuple(one.message for one in result.errors or [] if one.path is None and not one.extensions)


class _Root:
    """Resolvers of one request."""

    def __init__(self, world: World, token: TokenRecord) -> None:
        self._world = world
        self._token = token
        self._actor = Actor(world.bot, world.app)
        self.refused = False

    def fields(self) -> dict[str, Callable[..., Any]]:
        """Resolvers of both root types; their names do not meet."""
        return {
            "node": lambda _info, id: self._node(id),  # noqa: A006  (GitHub's name)
            "nodes": lambda _info, ids: [self._node(one) for one in ids],
            "repository": self._repository,
            "markPullRequestReadyForReview": lambda _info, input: self._draft(input, draft=False),  # noqa: A006
            "convertPullRequestToDraft": lambda _info, input: self._draft(input, draft=True),  # noqa: A006
            "resolveReviewThread": lambda _info, input: self._resolve(input, resolved=True),  # noqa: A006
            "unresolveReviewThread": lambda _info, input: self._resolve(input, resolved=False),  # noqa: A006
        }

    # Finding

    def _visible(self) -> list[Repository]:
        return [one for one in self._world.repositories.values() if self._token.sees(one.id)]

    def _find(self, wanted: str) -> tuple[Repository, Issue | None, Thread | None] | None:
        for within in self._visible():
            if node_id("R", within.id) == wanted:
                return within, None, None
            for issue in within.issues.values():
                if wanted in {node_id("I", issue.id), node_id("PR", issue.pull.id) if issue.pull else ""}:
                    return within, issue, None
                if issue.pull is not None and wanted in issue.pull.threads:
                    return within, issue, issue.pull.threads[wanted]
        return None

    def _missing(self, wanted: str) -> GraphQLError:
        message = f"Could not resolve to a node with the global id of '{wanted}'"
        return GraphQLError(message, extensions={"type": "NOT_FOUND"})

    def _node(self, wanted: str) -> dict[str, Any]:
        found = self._find(wanted)
        if found is None:
            raise self._missing(wanted)
        within, issue, thread = found
        if issue is None:
            return self._show_repository(within)
        if thread is not None and issue.pull is not None:
            return self._show_thread(within, issue, issue.pull, thread)
        return self._show_pull(within, issue, issue.pull) if issue.pull else self._show_issue(issue)

    def _repository(self, _info: Any, owner: str, name: str, **_: Any) -> dict[str, Any]:
        found = self._world.repository(f"{owner}/{name}")
        if found is None or not self._token.sees(found.id):
            message = f"Could not resolve to a Repository with the name '{owner}/{name}'."
            raise GraphQLError(message, extensions={"type": "NOT_FOUND"})
        return self._show_repository(found)

    # Changing

    def _need(self, *permissions: str) -> None:
        if not all(self._token.has(one, "write") for one in permissions):
            self.refused = True
            raise GraphQLError(FORBIDDEN, extensions={"type": "FORBIDDEN"})

    def _draft(self, given: dict[str, Any], *, draft: bool) -> dict[str, Any]:
        self._need("pull_requests", "contents")
        found = self._find(given["pullRequestId"])
        if found is None or found[1] is None or found[1].pull is None:
            raise self._missing(given["pullRequestId"])
        within, issue, pull = found[0], found[1], found[1].pull
        effects_pulls.set_draft(Scene(self._world, within, self._actor), issue, pull, draft)
        return {
            "clientMutationId": given.get("clientMutationId"),
            "pullRequest": self._show_pull(within, issue, pull),
        }

    def _resolve(self, given: dict[str, Any], *, resolved: bool) -> dict[str, Any]:
        self._need("pull_requests", "contents")
        found = self._find(given["threadId"])
        if found is None or found[1] is None or found[1].pull is None or found[2] is None:
            raise self._missing(given["threadId"])
        within, issue, thread = found[0], found[1], found[2]
        thread.resolved = resolved
        shown = self._show_thread(within, issue, found[1].pull, thread)
        return {"clientMutationId": given.get("clientMutationId"), "thread": shown}

    # Showing

    def _show_repository(self, within: Repository) -> dict[str, Any]:
        def pull(_info: Any, number: int) -> dict[str, Any] | None:
            issue = within.issues.get(number)
            return self._show_pull(within, issue, issue.pull) if issue and issue.pull else None

        def issue(_info: Any, number: int) -> dict[str, Any] | None:
            found = within.issues.get(number)
            return self._show_issue(found) if found and found.pull is None else None

        return {
            "__typename": "Repository",
            "id": node_id("R", within.id),
            "name": within.name,
            "nameWithOwner": within.full_name,
            "isPrivate": within.private,
            "pullRequest": pull,
            "issue": issue,
        }

    @staticmethod
    def _show_issue(issue: Issue) -> dict[str, Any]:
        return {
            "__typename": "Issue",
            "id": node_id("I", issue.id),
            "number": issue.number,
            "title": issue.title,
            "body": issue.body or "",
            "state": issue.state.upper(),
            "createdAt": stamp(issue.created),
            "updatedAt": stamp(issue.updated),
            "userContentEdits": lambda _info, **page: _connection(
                [one for one in issue.edits if one.title is None], _show_edit, **page
            ),
            "timelineItems": lambda _info, **page: _connection(
                [one for one in issue.edits if one.title is not None], _show_rename, **_paging(page)
            ),
        }

    def _show_pull(self, within: Repository, issue: Issue, pull: Pull) -> dict[str, Any]:
        merged = pull.merged_at is not None
        threads = list(pull.threads.values())
        return self._show_issue(issue) | {
            "__typename": "PullRequest",
            "id": node_id("PR", pull.id),
            "state": "MERGED" if merged else issue.state.upper(),
            "isDraft": pull.draft,
            "merged": merged,
            "headRefName": pull.head,
            "headRefOid": pull.head_sha,
            "baseRefName": pull.base,
            "baseRefOid": pull.base_sha,
            "url": f"{render.html_url(self._world, within)}/pull/{issue.number}",
            "reviewThreads": lambda _info, **page: _connection(
                threads, lambda one: self._show_thread(within, issue, pull, one), **page
            ),
        }

    def _show_thread(self, within: Repository, issue: Issue, pull: Pull, thread: Thread) -> dict[str, Any]:
        comments = [one for one in pull.comments if one.thread == thread.id]
        return {
            "__typename": "PullRequestReviewThread",
            "id": thread.id,
            "isResolved": thread.resolved,
            "path": comments[0].path,
            "line": comments[0].line,
            "pullRequest": lambda _info: self._show_pull(within, issue, pull),
            "comments": lambda _info, **page: _connection(
                comments, lambda one: self._show_comment(within, issue, one), **page
            ),
        }

    def _show_comment(self, within: Repository, issue: Issue, one: ReviewComment) -> dict[str, Any]:
        shown = render_pulls.review_comment(self._world, within, issue, one)
        return {
            "__typename": "PullRequestReviewComment",
            "id": shown["node_id"],
            "fullDatabaseId": str(one.id),
            "body": one.body,
            "path": one.path,
            "createdAt": shown["created_at"],
        }


def _paging(asked: dict[str, Any]) -> dict[str, Any]:
    """Without the filters: only renames are kept, and only they can be asked for."""
    return {name: value for name, value in asked.items() if name not in {"itemTypes", "since"}}


def _show_edit(edit: Edit) -> dict[str, Any]:
    return {
        "__typename": "UserContentEdit",
        "id": node_id("UCE", int(edit.at)),
        "createdAt": stamp(edit.at),
        "editedAt": stamp(edit.at),
        "editor": _show_actor(edit.editor),
    }


def _show_rename(edit: Edit) -> dict[str, Any]:
    assert edit.title is not None
    return {
        "__typename": "RenamedTitleEvent",
        "id": node_id("RTE", int(edit.at)),
        "createdAt": stamp(edit.at),
        "actor": _show_actor(edit.editor),
        "previousTitle": edit.title[0],
        "currentTitle": edit.title[1],
    }


def _show_actor(account: Account) -> dict[str, Any]:
    kind = "User" if account.kind == "User" else "Bot"
    return {"__typename": kind, "id": node_id("U", account.id), "databaseId": account.id, "login": account.login}


def _connection(
    items: list[Any],
    show: Callable[[Any], dict[str, Any]],
    *,
    first: int | None = None,
    last: int | None = None,
    after: str | None = None,
    before: str | None = None,
    skip: int = 0,
) -> dict[str, Any]:
    """A page of a connection; cursors are positions. GitHub wants `first` or `last`, 100 at most."""
    size = first if first is not None else last
    if size is None or not 1 <= size <= PAGE_LIMIT:
        raise GraphQLError("You must provide a `first` or `last` value from 1 to 100 to properly paginate.")
    start = int(after) + 1 if after is not None else 0
    end = int(before) if before is not None else len(items)
    start += skip
    if first is not None:
        end = min(end, start + first)
    elif last is not None:
        start = max(start, end - last)
    return {
        "totalCount": len(items),
        "nodes": [show(one) for one in items[start:end]],
        "pageInfo": {
            "startCursor": str(start) if start < end else None,
            "endCursor": str(end - 1) if start < end else None,
            "hasNextPage": end < len(items),
            "hasPreviousPage": start > 0,
        },
    }
