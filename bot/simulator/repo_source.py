"""The repository of a scenario: a folder, or files written in the scenario itself (DESIGN section 11, ``repo``)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError

from bot.domain.positioned_yaml import Path as KeyPath
from bot.domain.schema_problems import Problem, problems_of
from bot.simulator.script import Part

FileMode = Literal["100644", "100755", "120000", "160000"]
_MODES: Final[dict[str, FileMode]] = {
    "644": "100644",
    "755": "100755",
    "100644": "100644",
    "100755": "100755",
    "120000": "120000",
    "160000": "160000",
}
_REFUSED_COMPONENTS: Final = frozenset({"", ".", ".."})


@dataclass(frozen=True, slots=True)
class RepoFile:
    """One file of the simulated repository: git mode and bytes (a link's target, a submodule's commit id in hex)."""

    mode: FileMode
    content: bytes


@dataclass(frozen=True, slots=True)
class RepoFolder:
    """A folder, or a git repository whose history is kept."""

    path: Path


@dataclass(frozen=True, slots=True)
class RepoFiles:
    """Files by path; none at all is a repository without commits."""

    files: dict[str, RepoFile]


class RepoFacts(Part):
    """What else is known of the repository. ``drafts``: whether its plan allows draft pull requests."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,39}/[A-Za-z0-9_.-]{1,100}$")] = "acme/project"
    private: bool = False
    drafts: bool = True
    required_checks: tuple[str, ...] = ()


def read_repo(raw: object, path: Path, problems: list[Problem]) -> tuple[RepoFolder | RepoFiles | None, RepoFacts]:
    """Reads a scenario's ``repo``; ``path`` is the scenario file's. What is wrong goes to ``problems``."""
    at: KeyPath = ("repo",)
    facts = RepoFacts()
    if not isinstance(raw, dict) or ("path" in raw) == ("files" in raw):
        problems.append((at, "A scenario needs a repository: `repo: {path: ./folder}` or `repo: {files: {...}}`."))
        return None, facts
    rest = {key: value for key, value in raw.items() if key not in {"path", "files"}}
    try:
        facts = RepoFacts.model_validate(rest)
    except ValidationError as error:
        problems += problems_of(error, RepoFacts, at)
    if "files" in raw:
        return RepoFiles(read_files(raw["files"], (*at, "files"), problems)), facts
    return _folder(raw["path"], path, problems), facts


def _folder(raw: object, path: Path, problems: list[Problem]) -> RepoFolder | None:
    if not isinstance(raw, str) or not raw or "\0" in raw:
        problems.append((("repo", "path"), "This must be the path of a folder, relative to the scenario file."))
        return None
    folder = path.parent / raw
    if not folder.is_dir():
        problems.append((("repo", "path"), f"There is no folder {raw!r} beside the scenario file."))
        return None
    return RepoFolder(folder.resolve())


def read_files(raw: object, at: KeyPath, problems: list[Problem]) -> dict[str, RepoFile]:
    """Reads ``{path: text | {base64} | {link} | {mode, text}}``; what is wrong goes to ``problems``."""
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        problems.append((at, "This must be a mapping of paths to texts."))
        return {}
    files: dict[str, RepoFile] = {}
    for name, value in raw.items():
        if "\0" in name or not _REFUSED_COMPONENTS.isdisjoint(name.split("/")):
            problems.append(((*at, name), f"{name[:80]!r} is no path inside a repository."))
            continue
        file = _file(value, (*at, name), problems)
        if file is not None:
            files[name] = file
    return files


def _file(raw: object, at: KeyPath, problems: list[Problem]) -> RepoFile | None:
    if isinstance(raw, str):
        return RepoFile("100644", raw.encode())
    forms = "a text, {text}, {base64} or {link}, perhaps with {mode}"
    contents = [key for key in ("text", "base64", "link") if isinstance(raw, dict) and isinstance(raw.get(key), str)]
    if not isinstance(raw, dict) or len(contents) != 1 or not raw.keys() <= {"mode", *contents}:
        problems.append((at, f"A file is {forms}; quote what is not meant as a number or null."))
        return None
    kind, content = contents[0], str(raw[contents[0]])
    given = str(raw.get("mode", "120000" if kind == "link" else "100644"))
    mode = _MODES.get(given)
    if mode is None or (kind == "link" and mode != "120000"):
        problems.append((at, f"The mode {given[:20]!r} does not fit: 100644, 100755, 160000, or 120000 for a link."))
        return None
    try:
        return RepoFile(mode, base64.b64decode(content, validate=True) if kind == "base64" else content.encode())
    except (binascii.Error, ValueError) as error:
        problems.append(((*at, kind), f"This is not base64: {error}."))
        return None
