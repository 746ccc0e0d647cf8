"""Which workflows at base would hand published code to a CI that holds something worth stealing (DESIGN section 7).

A workflow counts when it starts on ``push``, ``pull_request`` or ``pull_request_target`` and names a secret, an
environment, a self-hosted runner or a write permission. ``GITHUB_TOKEN`` is no secret by itself: what it may do is said
by the permissions. A workflow without ``permissions`` gets the repository's default, which no file tells; it does not
count. What cannot be read, or starts we know not how, counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

from bot.domain.snapshot import WorkflowExposure

STARTS: Final = frozenset({"push", "pull_request", "pull_request_target"})
# These start when one of the above does: a workflow called by, or run after, another.
INDIRECT: Final = frozenset({"workflow_run", "workflow_call"})
_WORKFLOW: Final = re.compile(r"\.github/workflows/[^/]+\.ya?ml")
# secrets.NAME, secrets['NAME'], secrets[expression], toJSON(secrets).
_SECRETS: Final = re.compile(r"\bsecrets\b(?:\s*\.\s*([A-Za-z_][A-Za-z0-9_-]*)|\s*\[\s*'([^']*)'\s*\])?", re.IGNORECASE)
_EXPRESSION: Final = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
# GitHub's own runners; any other label may be somebody's machine.
_HOSTED: Final = re.compile(
    r"ubuntu-(latest|slim|\d\d\.\d\d)(-arm)?|windows-(latest|\d{4})|windows-11-arm|macos-(latest|\d\d)(-large|-xlarge|-intel)?"
)
_LARGEST: Final = 1_000_000


class _Loader(yaml.SafeLoader):
    """Without merge keys, which grow exponentially and which GitHub refuses too: they make a file unreadable."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
            raise yaml.constructor.ConstructorError(None, None, "a merge key is not allowed", node.start_mark)


def exposures(workflows: Mapping[str, str]) -> tuple[WorkflowExposure, ...]:
    """The exposing ones among files (path to text), ordered by path; files that are no workflow are passed over."""
    found = []
    for path, text in sorted(workflows.items()):
        if _WORKFLOW.fullmatch(path):
            reasons = tuple(dict.fromkeys(_reasons(text)))
            if reasons:
                found.append(WorkflowExposure(path=path, reasons=reasons))
    return tuple(found)


def _reasons(text: str) -> list[str]:
    if len(text) > _LARGEST:
        return [f"it is longer than {_LARGEST} characters and was not read"]
    try:
        parsed = yaml.load(text, _Loader)  # noqa: S506  (a safe loader)
        started = _starts(parsed)
        if not started:
            return []
        return list(_held(parsed)) if isinstance(started, frozenset) else [started]
    except (yaml.YAMLError, ValueError, RecursionError):
        return ["it does not parse as a workflow"]


def _starts(parsed: Any) -> frozenset[str] | str:
    """The counting events it starts on; a sentence when that cannot be read."""
    if not isinstance(parsed, dict):
        return "it does not parse as a workflow"
    # YAML 1.1 reads the key `on` as true.
    events = [
        value for key, value in parsed.items() if key is True or (isinstance(key, str) and key.casefold() == "on")
    ]
    if len(events) != 1:
        return "what starts it cannot be read"
    (given,) = events
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list | dict) or not all(isinstance(name, str) for name in names):
        return "what starts it cannot be read"
    return frozenset(name.strip().casefold() for name in names) & (STARTS | INDIRECT)


def _held(parsed: dict[Any, Any]) -> Iterator[str]:
    yield from _permissions(parsed.get("permissions"))
    yield from _secrets(parsed)
    jobs = parsed.get("jobs")
    if not isinstance(jobs, dict):
        yield "its jobs cannot be read"
        return
    for name, job in jobs.items():
        if not isinstance(job, dict):
            yield f"job {_shown(name)} cannot be read"
            continue
        yield from _permissions(job.get("permissions"))
        if job.get("environment"):
            yield "it names an environment"
        if "secrets" in job:
            yield "it hands secrets to another workflow"
        if "uses" not in job:
            yield from _runner(job.get("runs-on"))


def _permissions(given: Any) -> Iterator[str]:
    if given is None or given in ("read-all", {}):
        return
    if isinstance(given, dict):
        for scope, level in given.items():
            if level not in ("read", "none"):
                yield f"it has the permission {_shown(scope)}: {_shown(level)}"
        return
    yield f"it has the permission {_shown(given)}"


def _secrets(value: Any) -> Iterator[str]:
    for text in _strings(value):
        # Some values, `if` among them, are expressions without braces: there a name after `secrets` is enough.
        within = "".join(_EXPRESSION.findall(text))
        named = [match.group(1) or match.group(2) for match in _SECRETS.finditer(text)]
        if any((match.group(1) or match.group(2)) is None for match in _SECRETS.finditer(within)):
            yield "it reads secrets by a computed name"
        for name in named:
            if name is not None and name.casefold() != "github_token":
                yield f"it names the secret {_shown(name)}"


def _runner(given: Any) -> Iterator[str]:
    labels = given if isinstance(given, list) else [given]
    if isinstance(given, dict) or not all(isinstance(label, str) for label in labels):
        yield "it runs on a runner group or one that cannot be read"
    elif not labels or not all(_HOSTED.fullmatch(label) for label in labels):
        yield f"it may run on a self-hosted runner ({', '.join(_shown(label) for label in labels)})"


def _strings(value: Any) -> Iterator[str]:
    """Every text in it; a node that aliases make part of itself is walked once."""
    seen: set[int] = set()
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict | list) and id(one) not in seen:
            seen.add(id(one))
            left += [*one.keys(), *one.values()] if isinstance(one, dict) else one


def _shown(value: Any) -> str:
    """A word of somebody else's file, safe to show: letters and a few signs, 40 at most."""
    return re.sub(r"[^A-Za-z0-9_.:-]", "?", str(value))[:40]
