"""Makes `openapi.json.gz`, the requests of GitHub's OpenAPI description that the simulator checks, from the npm package.

Run: `python -m bot.simulator.github.prune_openapi generated/api.github.com.json` with the file from npm `@octokit/openapi@23`.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any, Final

OPERATIONS: Final = frozenset(
    {
        "actions/download-job-logs-for-workflow-run",
        "apps/create-installation-access-token",
        "apps/get-authenticated",
        "apps/get-installation",
        "apps/get-repo-installation",
        "apps/get-webhook-delivery",
        "apps/list-installations",
        "apps/list-repos-accessible-to-installation",
        "apps/list-webhook-deliveries",
        "apps/redeliver-webhook-delivery",
        "apps/revoke-installation-access-token",
        "checks/create",
        "checks/get",
        "checks/get-suite",
        "checks/list-annotations",
        "checks/list-for-ref",
        "checks/list-for-suite",
        "checks/list-suites-for-ref",
        "checks/update",
        "git/create-blob",
        "git/create-commit",
        "git/create-ref",
        "git/create-tree",
        "git/get-blob",
        "git/get-commit",
        "git/get-ref",
        "git/get-tree",
        "git/list-matching-refs",
        "git/update-ref",
        "issues/add-labels",
        "issues/create-comment",
        "issues/create-label",
        "issues/delete-comment",
        "issues/get",
        "issues/get-comment",
        "issues/get-label",
        "issues/list-comments",
        "issues/list-comments-for-repo",
        "issues/list-for-repo",
        "issues/list-labels-for-repo",
        "issues/list-labels-on-issue",
        "issues/remove-label",
        "issues/update",
        "issues/update-comment",
        "pulls/create",
        "pulls/create-reply-for-review-comment",
        "pulls/get",
        "pulls/get-review",
        "pulls/list",
        "pulls/list-comments-for-review",
        "pulls/list-commits",
        "pulls/list-files",
        "pulls/list-requested-reviewers",
        "pulls/list-review-comments",
        "pulls/list-reviews",
        "pulls/request-reviewers",
        "pulls/update",
        "rate-limit/get",
        "reactions/create-for-issue",
        "reactions/create-for-issue-comment",
        "reactions/list-for-issue",
        "reactions/list-for-issue-comment",
        "repos/compare-commits-with-basehead",
        "repos/create-commit-status",
        "repos/get",
        "repos/get-branch",
        "repos/get-branch-protection",
        "repos/get-branch-rules",
        "repos/get-collaborator-permission-level",
        "repos/get-combined-status-for-ref",
        "repos/get-commit",
        "repos/get-content",
        "repos/get-status-checks-protection",
        "repos/list-branches",
        "repos/list-commits",
        "users/get-by-username",
    }
)
METHODS: Final = ("get", "post", "put", "patch", "delete")
PROSE: Final = frozenset({"description", "example", "examples", "title", "externalDocs", "deprecated", "default"})
TARGET: Final = Path(__file__).with_name("openapi.json.gz")


class Pruner:
    """Cuts one description down: references put in their place, prose dropped, `nullable` said as JSON Schema says it."""

    def __init__(self, description: dict[str, Any]) -> None:
        self.description = description

    def prune(self, operations: frozenset[str]) -> list[dict[str, Any]]:
        """One row an operation: id, method, path, parameters, body. Raises LookupError for an id that GitHub has not."""
        rows = []
        for path, item in self.description["paths"].items():
            for method in METHODS:
                operation = item.get(method)
                if operation is not None and operation["operationId"] in operations:
                    rows.append(self._row(path, method, item, operation))
        if missing := operations - {row["id"] for row in rows}:
            raise LookupError(f"GitHub's description has no operation {sorted(missing)}")
        return sorted(rows, key=lambda row: str(row["id"]))

    def _row(self, path: str, method: str, item: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any]:
        parameters = [self._resolve(one) for one in [*item.get("parameters", []), *operation.get("parameters", [])]]
        content = self._resolve(operation.get("requestBody", {})).get("content", {})
        return {
            "id": operation["operationId"],
            "method": method.upper(),
            "path": path,
            "parameters": [
                {
                    "name": one["name"],
                    "in": one["in"],
                    "required": one.get("required", False),
                    "schema": self._schema(one["schema"]),
                }
                for one in parameters
                if one["in"] in {"path", "query"}
            ],
            "body_required": bool(self._resolve(operation.get("requestBody", {})).get("required", False)),
            "body": self._schema(content["application/json"]["schema"]) if "application/json" in content else None,
        }

    def _resolve(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            found: Any = self.description
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node

    def _schema(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self._schema(one) for one in node]
        if not isinstance(node, dict):
            return node
        node = self._resolve(node)
        kept = {
            key: {name: self._schema(one) for name, one in value.items()}
            if key == "properties"
            else self._schema(value)
            for key, value in node.items()
            if key not in PROSE and key != "nullable" and not key.startswith("x-")
        }
        if node.get("nullable"):
            kept = self._or_null(kept)
        return kept

    @staticmethod
    def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
        if "enum" in schema:
            schema = {**schema, "enum": [*schema["enum"], None]}
        if isinstance(schema.get("type"), str):
            return {**schema, "type": [schema["type"], "null"]}
        return {"anyOf": [schema, {"type": "null"}]}


def main(source: Path) -> None:
    """Writes the pruned description beside this file, the same bytes for the same source."""
    description = json.loads(source.read_text("utf-8"))
    rows = Pruner(description).prune(OPERATIONS)
    text = json.dumps({"source": "@octokit/openapi", "operations": rows}, separators=(",", ":"), sort_keys=True)
    TARGET.write_bytes(gzip.compress(text.encode("utf-8"), 9, mtime=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
