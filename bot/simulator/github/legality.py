"""Says whether GitHub's published OpenAPI description would accept a request: path, method, query and body."""

from __future__ import annotations

import functools
import gzip
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import jsonschema_rs

# GitHub lets these carry slashes; OpenAPI has no word for that.
GREEDY: Final = frozenset({"path", "ref", "branch", "basehead"})
MESSAGE_CHARACTERS: Final = 200
DESCRIPTION: Final = Path(__file__).with_name("openapi.json.gz")
_PARAMETER: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of GitHub's: its id, its pattern over the still encoded path, and what may be sent."""

    id: str
    method: str
    template: str
    pattern: re.Pattern[str]
    literals: int
    parameters: tuple[Mapping[str, Any], ...]
    body: Mapping[str, Any] | None
    body_required: bool
    validators: dict[str, jsonschema_rs.Validator] = field(default_factory=dict, repr=False)

    def validator(self, name: str, schema: Mapping[str, Any]) -> jsonschema_rs.Validator:
        """The compiled schema; compiled when first asked for, as most scenarios touch few operations."""
        if name not in self.validators:
            self.validators[name] = jsonschema_rs.validator_for(dict(schema), validate_formats=True, mask="the value")
        return self.validators[name]


@dataclass(frozen=True, slots=True)
class Match:
    """The operation that a request names, with its decoded path parameters."""

    operation: Operation
    parameters: Mapping[str, str]


class Description:
    """GitHub's description, loaded once. `match` finds the operation, `faults` what is wrong with the rest of a request."""

    def __init__(self, source: Path = DESCRIPTION) -> None:
        rows = json.loads(gzip.decompress(source.read_bytes()))["operations"]
        # Literal segments win over parameters, as in GitHub's own router.
        self._operations = sorted((_operation(row) for row in rows), key=lambda one: -one.literals)

    @property
    def operation_ids(self) -> frozenset[str]:
        """Every operation that can be named."""
        return frozenset(one.id for one in self._operations)

    def match(self, method: str, path: str) -> Match | None:
        """Finds the operation of a still encoded path; None when GitHub has no such path or method."""
        for operation in self._operations:
            if operation.method == method and (found := operation.pattern.fullmatch(path)) is not None:
                return Match(operation, {key: unquote(value) for key, value in found.groupdict().items()})
        return None

    def faults(self, match: Match, query: Iterable[tuple[str, str]], body: Any, *, has_body: bool) -> list[str]:
        """One sentence a fault, empty for a legal request. `body` is the parsed JSON, looked at only when `has_body`."""
        operation = match.operation
        found = [*_path_faults(match), *_query_faults(operation, list(query))]
        if not has_body:
            if operation.body_required:
                found.append("the body is missing")
            return found
        if operation.body is None:
            # An empty object says nothing; some clients send it with DELETE.
            return found if body == {} else [*found, "this operation takes no body"]
        validator = operation.validator("body", operation.body)
        found += [f"body{_where(one.instance_path)}: {_short(one.message)}" for one in validator.iter_errors(body)]
        found += [f"body{at}: undocumented property" for at in _undocumented([operation.body], body, "")]
        return found


@functools.cache
def description() -> Description:
    """The vendored description, loaded once a process; its schemas are compiled as they are needed."""
    return Description()


def _operation(row: Mapping[str, Any]) -> Operation:
    template = row["path"]
    pattern, end = "", 0
    for found in _PARAMETER.finditer(template):
        name = found.group(1)
        pattern += (
            re.escape(template[end : found.start()])
            + f"(?P<{name}>{'.*' if name == 'path' else '.+' if name in GREEDY else '[^/]+'})"
        )
        end = found.end()
    pattern += re.escape(template[end:])
    literals = sum(1 for part in template.split("/") if part and "{" not in part)
    return Operation(
        id=row["id"],
        method=row["method"],
        template=template,
        pattern=re.compile(pattern),
        literals=literals,
        parameters=tuple(row["parameters"]),
        body=row["body"],
        body_required=row["body_required"],
    )


def _short(text: str) -> str:
    """Validators quote the value; a body of megabytes must not end in a report."""
    return text if len(text) <= MESSAGE_CHARACTERS else f"{text[:MESSAGE_CHARACTERS]}..."


def _where(path: Iterable[str | int]) -> str:
    return "".join(f"/{part}" for part in path)


def _path_faults(match: Match) -> list[str]:
    found = []
    for one in match.operation.parameters:
        if one["in"] == "path" and (value := match.parameters.get(one["name"])) is not None:
            found += _value_faults(match.operation, f"path {one['name']}", one["schema"], value)
    return found


def _query_faults(operation: Operation, query: list[tuple[str, str]]) -> list[str]:
    known = {one["name"]: one for one in operation.parameters if one["in"] == "query"}
    found = [f"query {name}: undocumented parameter" for name, _ in query if name not in known]
    for name, one in known.items():
        values = [value for key, value in query if key == name]
        if not values and one["required"]:
            found.append(f"query {name}: missing")
        if len(values) > 1:
            found.append(f"query {name}: given {len(values)} times")
        for value in values:
            found += _value_faults(operation, f"query {name}", one["schema"], value)
    return found


def _value_faults(operation: Operation, name: str, schema: Mapping[str, Any], value: str) -> list[str]:
    errors = operation.validator(name, schema).iter_errors(_typed(schema, value))
    return [f"{name}={_short(value)}: {_short(error.message)}" for error in errors]


def _typed(schema: Mapping[str, Any], value: str) -> Any:
    """What the text of a URL stands for: numbers and booleans where the description says so."""
    kinds = {kind for one in _variants([schema]) for kind in _kinds(one)}
    if kinds & {"integer", "number"} and re.fullmatch(r"-?\d+", value):
        return int(value)
    if "boolean" in kinds and value in {"true", "false"}:
        return value == "true"
    return value


def _kinds(schema: Mapping[str, Any]) -> list[str]:
    kind = schema.get("type", [])
    return [kind] if isinstance(kind, str) else list(kind)


def _variants(schemas: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The schemas and all that they combine, flat."""
    flat: list[Mapping[str, Any]] = []
    for one in schemas:
        flat.append(one)
        for key in ("allOf", "oneOf", "anyOf"):
            flat += _variants(one.get(key, []))
    return flat


def _undocumented(schemas: Iterable[Mapping[str, Any]], value: Any, at: str) -> list[str]:
    """Pointers of properties that no variant documents: GitHub ignores them, so to send one is a mistake.

    An object for which no property at all is documented is free-form.
    """
    flat = _variants(schemas)
    if isinstance(value, list):
        items = [one["items"] for one in flat if "items" in one]
        return [found for index, one in enumerate(value) for found in _undocumented(items, one, f"{at}/{index}")]
    if not isinstance(value, dict):
        return []
    documented: dict[str, list[Mapping[str, Any]]] = {}
    for one in flat:
        for name, schema in one.get("properties", {}).items():
            documented.setdefault(name, []).append(schema)
    free = not documented or any(
        isinstance(one.get("additionalProperties"), dict) and one["additionalProperties"] for one in flat
    )
    found: list[str] = []
    for name, one in value.items():
        if name in documented:
            found += _undocumented(documented[name], one, f"{at}/{name}")
        elif not free:
            found.append(f"{at}/{name}")
    return found
