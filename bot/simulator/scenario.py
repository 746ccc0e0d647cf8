"""A scenario: a repository, an issue, people, a scripted model, and what happens to them (DESIGN section 11).

``load_scenario`` reads and checks everything up front; what is wrong is said with file, place and mend, and ends
``conductor simulate`` with code 2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from bot.domain.errors import UserError
from bot.domain.positioned_yaml import Document, Plain, YamlProblem, dotted, read_yaml
from bot.domain.positioned_yaml import Path as KeyPath
from bot.domain.schema_problems import Problem, problems_of, unknown_key
from bot.simulator.acts import AnyAct, Login, Moment, Permission, Push, State, known_states, read_act
from bot.simulator.repo_source import RepoFacts, RepoFile, RepoFiles, RepoFolder, read_files, read_repo
from bot.simulator.script import Part, Script, Seconds, read_script

MAX_BYTES: Final = 32 * 1024 * 1024
MAX_NODES: Final = 2_000_000
OUR_LOGIN: Final = "conductor[bot]"
DEFAULT_BRANCH: Final = "main"


class ScenarioError(UserError):
    """A scenario cannot be used. ``problems``: every place with its sentence."""

    exit_code: Final = 2

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(self.fields.get("problems", "").splitlines())


class Issue(Part):
    """The issue that the run is about."""

    number: Annotated[int, Field(ge=1)] = 1
    title: str
    body: str | None = ""
    author: Login
    labels: tuple[str, ...] = ()


class CheckRun(Part):
    """Other people's check, once per new head (from state ``when`` on). ``base``: its conclusion on the default branch."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    conclusion: Literal[
        "success", "failure", "neutral", "cancelled", "skipped", "timed_out", "action_required", "stale"
    ]
    log: str | None = None
    when: Moment | None = None
    base: Literal["success", "failure"] | None = None
    title: str = ""
    summary: str = ""


class GithubFault(Part):
    """Requests that match ``METHOD path`` (``*`` also matches ``/``) fail ``times`` times.

    ``after_effect``: the request takes effect before it fails. ``hang_s``: seconds before the answer, or before the end
    of the connection when there is no ``status``. ``retry_after``: seconds, as a header. ``when``: in that state only.
    """

    github: Annotated[str, Field(pattern=r"^(?:\*|[A-Z]{3,7}) /\S*$|^\*$")]
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    after_effect: bool = False
    times: Annotated[int, Field(ge=1, le=10_000)] = 1
    hang_s: Seconds = 0
    retry_after: Seconds | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    body: Any = None
    when: Moment | None = None

    @model_validator(mode="after")
    def _does_something(self) -> GithubFault:
        if self.status is None and not self.hang_s:
            raise ValueError("Give a status or hang_s, or the fault does nothing.")
        return self

    def matches(self, method: str, path: str) -> bool:
        """Whether the fault is about a request; ``path`` without its query."""
        if self.github == "*":
            return True
        wanted, _, pattern = self.github.partition(" ")
        if wanted not in {"*", method.upper()}:
            return False
        return (
            re.fullmatch(".*".join(re.escape(part) for part in re.split(r"\*+", pattern)), path, re.DOTALL) is not None
        )


class KillFault(Part):
    """Ends that process with SIGKILL when the run enters ``when``, and starts it again."""

    kill: Literal["web", "control", "agents", "github", "beat"]
    when: State
    times: Annotated[int, Field(ge=1, le=100)] = 1


class FlushFault(Part):
    """The broker loses every message when the run enters ``when``."""

    flush: Literal["broker"]
    when: State


Fault: TypeAlias = GithubFault | KillFault | FlushFault
FAULTS: Final[dict[str, type[Fault]]] = {"github": GithubFault, "kill": KillFault, "flush": FlushFault}


class Until(Part):
    """The simulation ends well when the run reaches one of ``state`` within ``seconds``."""

    state: Annotated[tuple[State, ...], Field(min_length=1)] = ("in_review",)
    seconds: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] = 60

    @field_validator("state", mode="before")
    @classmethod
    def _one(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value


class _Plain(Part):
    """The parts of a scenario that need no reading of our own."""

    issue: Issue
    people: dict[Login, Permission] = Field(default_factory=dict)
    config: dict[str, Any] | str | None = None
    check_runs: tuple[CheckRun, ...] = ()
    until: Until = Until()
    settings: dict[str, str | int | float | bool] = Field(default_factory=dict)
    description: str = ""


_OWN: Final = ("repo", "model", "people_do", "faults")


@dataclass(frozen=True, slots=True)
class Scenario:
    """A checked scenario. ``script`` None: the real model endpoint is used. ``settings``: Conductor's own, by name."""

    path: Path
    repo: RepoFolder | RepoFiles
    repo_facts: RepoFacts
    issue: Issue
    people: dict[str, Permission]
    config: dict[str, Any] | str | None
    script: Script | None
    people_do: tuple[AnyAct, ...]
    pushed: dict[int, dict[str, RepoFile | None]]
    check_runs: tuple[CheckRun, ...]
    faults: tuple[Fault, ...]
    until: Until
    settings: dict[str, str | int | float | bool]

    @property
    def directory(self) -> Path:
        """The folder that paths in the scenario are relative to."""
        return self.path.parent

    def config_text(self) -> str | None:
        """What ``.github/conductor.yml`` holds; None leaves the file as the repository has it."""
        if self.config is None or isinstance(self.config, str):
            return self.config
        return yaml.safe_dump(self.config, sort_keys=False, allow_unicode=True)

    def permission_of(self, login: str) -> Permission:
        """Somebody's permission at the start; people who are not listed have none of their own."""
        return self.people.get(login, "none")

    def log_of(self, check: CheckRun) -> str:
        """The text of a check's log, or ""."""
        return "" if check.log is None else (self.directory / check.log).read_text("utf-8", "replace")


def load_scenario(path: Path) -> Scenario:
    """Reads a scenario file. Raises ScenarioError with every problem found, each with its place."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _refusal(path, [f"{path.name}: the scenario cannot be read: {error.strerror or error}."]) from error
    if len(data) > MAX_BYTES:
        raise _refusal(path, [f"{path.name}: the scenario has {len(data):,} bytes, and {MAX_BYTES:,} are the most."])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refusal(path, [f"{path.name}: the scenario is not UTF-8 at byte {error.start:,}."]) from error
    return parse_scenario(text, path)


def parse_scenario(text: str, path: Path) -> Scenario:
    """Reads a scenario's text; ``path`` is where it stands, for relative paths and messages. Raises ScenarioError."""
    try:
        document = read_yaml(text, max_nodes=MAX_NODES, fast=True)
    except YamlProblem as problem:
        place = f":{problem.position.line}:{problem.position.column}: "
        key = dotted(problem.path)
        raise _refusal(path, [f"{path.name}{place}{key + ': ' if key else ''}{problem.sentence}"]) from problem
    if not isinstance(document.data, dict):
        raise _refusal(path, [f"{path.name}: a scenario is a mapping that has at least `repo` and `issue`."])
    problems: list[Problem] = []
    scenario = _read(document.data, path, problems)
    if scenario is None or problems:
        raise _refusal(path, _sentences(path, document, problems))
    return scenario


def _sentences(path: Path, document: Document, problems: list[Problem]) -> list[str]:
    ordered = sorted(problems, key=lambda problem: document.key_place(problem[0]))
    return [f"{path.name}: {dotted(where) + ': ' if where else ''}{sentence}" for where, sentence in ordered]


def _refusal(path: Path, sentences: list[str]) -> ScenarioError:
    more = f" (and {len(sentences) - 1} more)" if len(sentences) > 1 else ""
    return ScenarioError(sentences[0] + more, {"path": str(path), "problems": "\n".join(sentences)})


def _read(data: dict[str, Plain], path: Path, problems: list[Problem]) -> Scenario | None:
    known = (*_OWN, *_Plain.model_fields)
    problems += [((key,), unknown_key(key, known)) for key in data if key not in known]
    plain: _Plain | None = None
    try:
        plain = _Plain.model_validate({key: value for key, value in data.items() if key in _Plain.model_fields})
    except ValidationError as error:
        problems += problems_of(error, _Plain)
    repo, facts = read_repo(data.get("repo"), path, problems)
    script = None if data.get("model") is None else read_script(data["model"], ("model",), problems)
    acts = tuple(_acts(data.get("people_do"), problems))
    pushed = _pushed(acts, problems)
    faults = tuple(_faults(data.get("faults"), problems))
    if plain is None or repo is None or problems:
        return None
    _logs(plain.check_runs, path, problems)
    return Scenario(
        path=path,
        repo=repo,
        repo_facts=facts,
        issue=plain.issue,
        people=dict(plain.people),
        config=plain.config,
        script=script,
        people_do=acts,
        pushed=pushed,
        check_runs=plain.check_runs,
        faults=faults,
        until=plain.until,
        settings=dict(plain.settings),
    )


def _acts(raw: object, problems: list[Problem]) -> list[AnyAct]:
    if raw is None:
        return []
    if not isinstance(raw, list):
        problems.append((("people_do",), "This must be a list of acts."))
        return []
    read = (read_act(item, ("people_do", number), problems) for number, item in enumerate(raw))
    return [act for act in read if act is not None]


def _pushed(acts: tuple[AnyAct, ...], problems: list[Problem]) -> dict[int, dict[str, RepoFile | None]]:
    """Files of each push, by the act's number; None deletes."""
    found: dict[int, dict[str, RepoFile | None]] = {}
    for number, act in enumerate(acts):
        if isinstance(act, Push):
            at: KeyPath = ("people_do", number, "push", "files")
            present = {name: value for name, value in act.push.files.items() if value is not None}
            gone: dict[str, RepoFile | None] = {name: None for name, value in act.push.files.items() if value is None}
            found[number] = {**read_files(present, at, problems), **gone}
    return found


def _faults(raw: object, problems: list[Problem]) -> list[Fault]:
    if raw is None:
        return []
    if not isinstance(raw, list):
        problems.append((("faults",), "This must be a list of faults."))
        return []
    found: list[Fault] = []
    for number, item in enumerate(raw):
        at: KeyPath = ("faults", number)
        kind = next((model for key, model in FAULTS.items() if key in item), None) if isinstance(item, dict) else None
        if kind is None:
            problems.append((at, f"A fault is a mapping with one of {', '.join(FAULTS)}."))
            continue
        try:
            found.append(kind.model_validate(item))
        except ValidationError as error:
            problems += problems_of(error, kind, at)
    return found


def _logs(checks: tuple[CheckRun, ...], path: Path, problems: list[Problem]) -> None:
    for number, check in enumerate(checks):
        if check.log is not None and not (path.parent / check.log).is_file():
            problems.append(
                (("check_runs", number, "log"), f"There is no file {check.log!r} beside the scenario file.")
            )


__all__ = [
    "DEFAULT_BRANCH",
    "OUR_LOGIN",
    "CheckRun",
    "Fault",
    "FlushFault",
    "GithubFault",
    "Issue",
    "KillFault",
    "RepoFacts",
    "RepoFile",
    "RepoFiles",
    "RepoFolder",
    "Scenario",
    "ScenarioError",
    "Until",
    "known_states",
    "load_scenario",
    "parse_scenario",
    "read_files",
]
