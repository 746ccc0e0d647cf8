"""``.github/conductor.yml``: what a repository asks of Conductor (DESIGN section 9), read from the default branch (I13)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from bot.domain.errors import UserError
from bot.domain.path_globs import glob_problem
from bot.domain.positioned_yaml import Document, Position, YamlProblem, dotted, read_yaml
from bot.domain.protected_paths import DEFAULT_PROTECTED
from bot.domain.schema_problems import problems_of

CONFIG_PATH: Final = ".github/conductor.yml"
MAX_BYTES: Final = 64 * 1024
MAX_NODES: Final = 5_000

_HOST: Final = re.compile(
    r"(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]", re.IGNORECASE
)
# Control, format, private-use and line-separating characters hide what a command or name really says.
_HIDDEN: Final = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u00ad\\u061c\\u180e\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ue000-\\uf8ff]"
)


@dataclass(frozen=True, slots=True, order=True)
class ConfigProblem:
    """One thing that is wrong: where (1-based), at which key (``budget.run``, or "" for the whole file), and what."""

    line: int
    column: int
    key: str
    sentence: str

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        return f"{CONFIG_PATH}:{self.line}:{self.column}: {key}{self.sentence}"


class ConfigError(UserError):
    """The configuration cannot be used; the run says where and stops."""

    def __init__(self, sentence: str, fields: dict[str, str] | None = None) -> None:
        super().__init__(sentence, fields)

    @classmethod
    def of(cls, problems: tuple[ConfigProblem, ...]) -> ConfigError:
        ordered = sorted(problems)
        more = f" (and {len(ordered) - 1} more)" if len(ordered) > 1 else ""
        listed = json.dumps([[one.line, one.column, one.key, one.sentence] for one in ordered])
        return cls(f"{ordered[0]}{more}", {"problems": listed})

    @property
    def problems(self) -> tuple[ConfigProblem, ...]:
        """All problems, in the order of the file."""
        return tuple(ConfigProblem(*one) for one in json.loads(self.fields["problems"]))


def _visible(value: str) -> str:
    if (hidden := _HIDDEN.search(value)) is not None:
        raise ValueError(f"There is a hidden character here, U+{ord(hidden.group()):04X}: remove it.")
    return value


def _command(value: str) -> str:
    if not value.strip():
        raise ValueError("A command cannot be empty.")
    return _visible(value)


def _glob(value: str) -> str:
    problem = glob_problem(value)
    if problem:
        raise ValueError(problem)
    return _visible(value)


def _host(value: str) -> str:
    if not _HOST.fullmatch(value):
        raise ValueError(
            f"{value[:80]!r} is no host name, such as example.org or *.example.org (no address, port or path)."
        )
    return value.lower()


def _one_or_more(value: object) -> object:
    if isinstance(value, str):
        return (value,)
    # Read back from a stored snapshot, JSON has a list where the strict tuple is wanted.
    return tuple(value) if isinstance(value, list) else value


Command = Annotated[str, StringConstraints(max_length=2_000), AfterValidator(_command)]
Glob = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_glob)]
Host = Annotated[str, StringConstraints(max_length=253), AfterValidator(_host)]
Login = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9_-]{0,38})$")]
ModelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,127}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_visible)]
Dollars = Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)]


class Section(BaseModel):
    """Base of the configuration's sections: immutable, unknown keys refused, no guessing at types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Approvals(Section):
    """``not_author``: the issue's author cannot approve."""

    not_author: bool = False


class Models(Section):
    """Model names by role; None leaves the choice to the deployment. ``reviewer``: one for all seats, or one per seat."""

    planner: ModelName | None = None
    reviewer: Annotated[tuple[ModelName, ...], BeforeValidator(_one_or_more), Field(min_length=1)] | None = None
    implementer: ModelName | None = None

    def for_seat(self, seat: int) -> ModelName | None:
        """The model of a reviewer's seat, counted from 1; the last one named serves the seats beyond."""
        return None if self.reviewer is None else self.reviewer[min(seat, len(self.reviewer)) - 1]


class Budget(Section):
    """Dollars that a run, and all runs of a day, may cost."""

    run: Dollars = 10
    day: Dollars = 50


class Sandbox(Section):
    """``egress``: hosts that ``setup`` may reach. ``toolchain``: a name or absolute path; None is the default one."""

    egress: Annotated[tuple[Host, ...], Field(max_length=100)] = ()
    toolchain: Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_visible)] | None = None


class RepoConfig(Section):
    """The whole configuration; every key may be left out.

    ``ci``: names of checks that count besides those that branch protection requires. ``publish``: ``auto`` never waits in
    ``code.approval``, ``approval`` always does, ``risky`` (the default) where DESIGN section 7 says so.
    """

    mode: Literal["active", "dry-run"] = "active"
    start_label: Annotated[str, StringConstraints(min_length=1, max_length=50), AfterValidator(_visible)] = "conductor"
    approvers: Annotated[tuple[Login, ...], Field(max_length=100)] = ()
    approvals: Approvals = Approvals()
    wip: Annotated[int, Field(ge=1, le=50)] = 1
    models: Models = Models()
    reviewers: Annotated[int, Field(ge=2, le=5)] = 2
    rounds: Annotated[int, Field(ge=1, le=20)] = 3
    budget: Budget = Budget()
    setup: Annotated[tuple[Command, ...], Field(max_length=20)] = ()
    verify: Annotated[tuple[Command, ...], Field(max_length=20)] = ()
    protected: Annotated[tuple[Glob, ...], Field(max_length=500)] = DEFAULT_PROTECTED
    financial_risk: Annotated[tuple[Glob, ...], Field(max_length=500)] = ()
    publish: Literal["auto", "approval", "risky"] = "risky"
    ci: Annotated[tuple[Name, ...], Field(max_length=100)] = ()
    sandbox: Sandbox = Sandbox()
    retention_days: Annotated[int, Field(ge=1, le=3_650)] = 90

    def canonical(self) -> dict[str, Any]:
        """The effective configuration, defaults included, as plain data for hashing (what an approval covers)."""
        return self.model_dump(mode="json")


def _strict_shapes(data: object) -> object:
    """Lists as tuples, which strict validation wants; nothing else changes."""
    if isinstance(data, dict):
        return {key: _strict_shapes(value) for key, value in data.items()}
    if isinstance(data, list):
        return tuple(_strict_shapes(item) for item in data)
    return data


def parse_config(text: str | None) -> RepoConfig:
    """Reads the file's text; None and an empty file are all defaults. Raises ConfigError with every problem and its place."""
    if text is None:
        return RepoConfig()
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        sentence = f"The file has {size:,} bytes, and {MAX_BYTES:,} are the most."
        raise ConfigError.of((ConfigProblem(1, 1, "", sentence),))
    try:
        document = read_yaml(text.removeprefix("\ufeff"), max_nodes=MAX_NODES)
    except YamlProblem as problem:
        at = problem.position
        found = ConfigProblem(at.line, at.column, dotted(problem.path), problem.sentence)
        raise ConfigError.of((found,)) from problem
    if document.data is None:
        return RepoConfig()
    if not isinstance(document.data, dict):
        raise ConfigError.of((ConfigProblem(1, 1, "", "The file must be a mapping of keys to values."),))
    return _checked(document)


def _checked(document: Document) -> RepoConfig:
    try:
        config = RepoConfig.model_validate(_strict_shapes(document.data))
    except ValidationError as error:
        raise ConfigError.of(_located(error, document)) from error
    problems = [*_disagreements(config, document)]
    if problems:
        raise ConfigError.of(tuple(problems))
    return config


def _located(error: ValidationError, document: Document) -> tuple[ConfigProblem, ...]:
    found: dict[tuple[str, Position], ConfigProblem] = {}
    for path, sentence in problems_of(error, RepoConfig):
        # Members of a union add their own names to the path; what the file does not have is cut off.
        real = path
        while real and real not in document.places:
            real = real[:-1]
        at = document.key_place(real) if "not known here" in sentence else document.place(real)
        key = dotted(real)
        found.setdefault((key, at), ConfigProblem(at.line, at.column, key, sentence))
    return tuple(found.values())


def _disagreements(config: RepoConfig, document: Document) -> list[ConfigProblem]:
    """What each key allows alone and the keys together do not."""
    found: list[ConfigProblem] = []
    named = config.models.reviewer or ()
    if len(named) > config.reviewers:
        at = document.place(("models", "reviewer"))
        sentence = f"There are {len(named)} models for {config.reviewers} reviewers: name one for each seat."
        found.append(ConfigProblem(at.line, at.column, "models.reviewer", sentence))
    if config.budget.run > config.budget.day:
        at = document.place(("budget",))
        sentence = (
            f"A run may cost ${config.budget.run:g} and a whole day ${config.budget.day:g}: raise `day` or lower `run`."
        )
        found.append(ConfigProblem(at.line, at.column, "budget", sentence))
    return found


def check_config_report(text: str) -> list[str]:
    """One line per problem, ``path:line:column: key: sentence``; empty when the configuration can be used."""
    try:
        parse_config(text)
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return []
