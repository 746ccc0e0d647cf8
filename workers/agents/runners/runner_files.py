"""Which changed files concern the test runner, told from paths, verify commands and content (DESIGN section 5, *Work gate*).

A file is a runner's configuration when its change can decide which tests run or what their outcome is called: settings,
hooks, modules that stand in for the runner's own or the standard library's, scripts that verify commands start, and code
that reaches for the runner it is tested by.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from bot.domain.paths import matches_any
from workers.agents.runners.python_reach import RUNNER_MODULES, meddled, reached
from workers.agents.runners.roles import FOLDERS, Role, is_test_name, role_of
from workers.agents.runners.rust_tests import tests_changed

MORE_RUNNERS: Final = (
    *("pytest.toml", ".pytest.toml", ".coveragerc", ".coveragerc.toml", "coverage.ini", "setup.py", "*.mk", ".env", ".env.test"),
    *("*.pyc", "*.pyo", "*.pth", "*.egg-link", "**/__pycache__/**", "**/*.dist-info/**", "**/*.egg-info/**"),
    *("jest.setup.*", "setupTests.*", "vitest.setup.*", "vite.config.*", "babel.config.*", ".babelrc", ".babelrc.*", ".swcrc"),
    *(".c8rc", ".c8rc.json", "nyc.config.*", ".taprc", "bunfig.toml", "deno.json", "deno.jsonc", "wtr.config.*", "web-test-runner.config.*"),
    *("tsconfig.json", "tsconfig.*.json", "**/node_modules/**", "**/__mocks__/**"),
    *("go.mod", "go.work", "**/vendor/**/testify/**", "**/vendor/modules.txt"),
    *("junit-platform.properties", "testng*.xml", "**/META-INF/services/org.junit*", "lombok.config"),
    *("Cargo.toml", "nextest.toml", "rust-toolchain", "rust-toolchain.toml", "CMakeLists.txt", "CTestTestfile.cmake", "meson.build"),
    *("phpunit*.xml", ".rspec-local", "spec_helper.rb", "rails_helper.rb", "test_helper.rb", "*.runsettings", "Justfile", "Taskfile.*"),
)  # fmt: skip
_TEXT_REACHES: Final[Mapping[str, re.Pattern[str]]] = {
    "js": re.compile(
        r"""['"`](?:node:test(?:/\w+)?|jest|@jest/[\w-]+|vitest(?:/\w+)?|mocha|ava|tap|@playwright/test|node:child_process/test)['"`]"""
        r"|JEST_WORKER_ID|VITEST|NODE_TEST_CONTEXT|\b(?:globalThis|global|window)\.(?:expect|it|test|describe|jest|vi)\b"
        r"|\bassert\.\w+\s*=(?!=)|process\.reallyExit"
    ),
    "go": re.compile(
        r"""\"testing\"|["`][^"`\s]*?(?<![\w./])-{0,2}test\.\w+|testing\.Testing\(\)|\bflag\.(?:CommandLine\.)?VisitAll\("""
        r"""|\bos\.Args\[[^\]\n]*\]\s*=(?!=)|\bos\.Args\[0\]|\bos\.Args\s*=(?!=)|^\s*os\.Args\s*,[^\n]*=|&os\.Args\b"""
        r"""|append\(\s*os\.Args|copy\(\s*os\.Args|flag\.(?:Set|Lookup)\(\s*[^"\s]"""
        # Under another name the two could not be told.
        r"""|^\s*(?:import\s+)?(?!case\b|return\b|import\b)[\w.]+\s+"(?:os|flag)\"""",
        re.MULTILINE,
    ),
    "java": re.compile(r"org\.(?:junit|testng|mockito|apache\.maven\.surefire)\b|Runtime\.getRuntime\(\)\.halt"),
}
_JS_AT_EXIT: Final = re.compile(
    r"process\.(?:on|once|(?:prepend(?:Once)?|add)Listener)\(\s*['\"`](?:exit|beforeExit)['\"`]"
)
_JS_ENDS: Final = re.compile(r"\b(?:exit|exitCode|reallyExit|abort|kill)\b")
_GO_MAIN: Final = re.compile(rb"(?m)^func\s+TestMain\s*\(")
_SAFE_TOOLS: Final = frozenset(
    {
        "ruff",
        "mypy",
        "black",
        "isort",
        "pyright",
        "basedpyright",
        "pylint",
        "flake8",
        "bandit",
        "codespell",
        "towncrier",
    }
)
_SAFE_PROJECT: Final = frozenset({"entry-points", "name", "dynamic"})
_SAFE_PACKAGE: Final = frozenset(
    {
        *("version", "description", "keywords", "author", "license", "homepage", "repository", "bugs", "contributors"),
        *("dependencies", "devDependencies", "peerDependencies", "optionalDependencies", "eslintConfig", "prettier"),
        *("browserslist", "funding", "files"),
    }
)
_STARTS: Final = (
    r"(?:^|[\s;&|(])(?:\./|(?:ba|da|z)?sh\s+(?:-\w+\s+)*(?:\./)?|python[\d.]*\s+(?:-\w+\s+)*(?:\./)?|node\s+(?:\./)?)"
)


@dataclass(frozen=True, slots=True)
class Concern:
    """``why``: what makes the file the runner's, in words; "" where its name says it. ``tests``: it holds tests, too."""

    role: Role
    why: str = ""
    tests: bool = False


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What stood at base. ``places``: files and folders; ``test_folders``: folders that hold tests; ``started``: text of
    verify commands and of what they start.
    """

    places: frozenset[str]
    test_folders: frozenset[str]
    started: str

    @staticmethod
    def of(base: Iterable[str], commands: Sequence[str], scripts: Sequence[str] = ()) -> Surroundings:
        """``base``: paths of the tree. ``scripts``: contents of makefiles and package manifests, whose recipes start more."""
        places: set[str] = set()
        tested: set[str] = set()
        for path in base:
            if is_test_name(path):
                tested.add(path.rpartition("/")[0])
            place = path
            while place and place not in places:
                places.add(place)
                place = place.rpartition("/")[0]
        return Surroundings(frozenset(places), frozenset(tested), "\n".join((*commands, *scripts)))


def concern_of(path: str, before: bytes | None, after: bytes | None, around: Surroundings) -> Concern | None:
    """What a change of ``path`` touches; None where it is neither a test nor the runner's."""
    role = role_of(path)
    if role == "configuration" or matches_any(MORE_RUNNERS, path) is not None:
        return Concern("configuration") if _concerns_tests(path, before, after) else _as_test(role)
    if (told := _stands_in(path, before, around)) or (told := _is_started(path, around)):
        return Concern("configuration", told)
    if role is None and (told := _reaches(path, before, after)):
        return Concern("configuration", told)
    if role == "test" and (told := _meddles(path, before, after)):
        return Concern("configuration", told, tests=True)
    if role is None and path.endswith(".rs") and tests_changed(before, after):
        return Concern("test")
    return _as_test(role)


def _as_test(role: Role | None) -> Concern | None:
    return Concern("test") if role == "test" else None


def _stands_in(path: str, before: bytes | None, around: Surroundings) -> str:
    """A module that is found before the runner's or the standard library's of the same name."""
    parts = PurePosixPath(path)
    if before is not None or parts.suffix not in {".py", ".so", ".pyd"}:
        return ""
    stem = parts.name.partition(".")[0]
    for depth, name in enumerate((*parts.parts[:-1], stem)):
        folder = "/".join(parts.parts[:depth])
        if name in RUNNER_MODULES and not _is_package(f"{folder}/{name}".lstrip("/"), around):
            return f"is found before the module {name}"
        importable = folder in {"", "src", "lib", "python"} or folder.rpartition("/")[2].lower() in FOLDERS
        importable = importable or folder in around.test_folders
        plain = name in sys.stdlib_module_names and not _is_package(f"{folder}/{name}".lstrip("/"), around)
        if plain and importable and name not in {"test", "this", "__main__"}:
            return f"is found before the standard module {name}"
    return ""


def _is_package(path: str, around: Surroundings) -> bool:
    """Whether base has such a module already, so that nothing new stands in for another."""
    return f"{path}.py" in around.places or path in around.places


def _is_started(path: str, around: Surroundings) -> str:
    if role_of(path) is not None:
        return ""
    found = re.search(_STARTS + re.escape(path) + r"(?=$|[\s;&|)'\"])", around.started, re.MULTILINE)
    return "" if found is None else "is started by what verifies"


def _reaches(path: str, before: bytes | None, after: bytes | None) -> str:
    """What of the runner the new version names and the old did not."""
    if after is None:
        return ""
    new = Counter(_reached(path, after))
    old = Counter(() if before is None else _reached(path, before))
    more = sorted(new - old)
    return f"reaches for {', '.join(more[:3])}" if more else ""


def _reached(path: str, data: bytes) -> Iterator[str]:
    ending = path.rpartition(".")[2].lower()
    if ending == "py":
        yield from reached(data)
        return
    family = "js" if re.fullmatch(r"[cm]?[jt]sx?", ending) else ending
    pattern = _TEXT_REACHES.get(family)
    if pattern is not None:
        text = data.decode("utf-8", "replace")
        yield from (found.strip("'\"` \t\n(") for found in pattern.findall(text))
        if family == "js":
            yield from _ending_listeners(text)


def _ending_listeners(text: str) -> Iterator[str]:
    """Listeners for a process's end that can change how it ends; one that is only named may be any of the file's."""
    for found in _JS_AT_EXIT.finditer(text):
        rest = _up_to_close(text[found.end() : found.end() + 10_000])
        inline = "=>" in rest or "function" in rest
        if _JS_ENDS.search(rest) or (not inline and _JS_ENDS.search(_JS_AT_EXIT.sub("", text))):
            yield re.sub(r"\s", "", found[0])


def _up_to_close(text: str) -> str:
    depth = 1
    for at, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if not depth:
            return text[:at]
    return text


def _meddles(path: str, before: bytes | None, after: bytes | None) -> str:
    """What of the runner, or of what it imports, the new version of a test file changes and the old did not."""
    if after is None:
        return ""
    if path.endswith("_test.go"):
        main = _GO_MAIN.search(after) is not None and (before is None or _GO_MAIN.search(before) is None)
        return "runs its package's tests by a TestMain" if main else ""
    if not path.endswith(".py"):
        return ""
    more = sorted(Counter(meddled(after)) - Counter(() if before is None else meddled(before)))
    return f"changes or reaches into {', '.join(more[:3])}" if more else ""


def _concerns_tests(path: str, before: bytes | None, after: bytes | None) -> bool:
    """Whether the part of a shared configuration file that runners read has changed; when in doubt it has."""
    name = path.rpartition("/")[2]
    try:
        match name:
            case "pyproject.toml":
                return _pyproject(_toml(before)) != _pyproject(_toml(after))
            case "package.json":
                return _without(_json(before), _SAFE_PACKAGE) != _without(_json(after), _SAFE_PACKAGE)
            case "Cargo.toml":
                safe = frozenset({"dependencies", "dev-dependencies", "features"})
                return _cargo(_without(_toml(before), safe)) != _cargo(_without(_toml(after), safe))
            case "go.mod":
                return _go_mod(before) != _go_mod(after)
            case _:
                return True
    except (ValueError, RecursionError, AttributeError, TypeError):
        return True


def _toml(data: bytes | None) -> dict[str, Any]:
    return {} if data is None else tomllib.loads(data.decode("utf-8"))


def _json(data: bytes | None) -> dict[str, Any]:
    found = {} if data is None else json.loads(data)
    if not isinstance(found, dict):
        raise TypeError(type(found).__name__)
    return found


def _without(found: Mapping[str, Any], safe: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name not in safe}


def _pyproject(found: dict[str, Any]) -> dict[str, Any]:
    project = {name: value for name, value in found.get("project", {}).items() if name in _SAFE_PROJECT}
    tool = _without(found.get("tool", {}), _SAFE_TOOLS)
    return {**_without(found, frozenset({"project", "tool"})), "project": project, "tool": tool}


def _cargo(found: dict[str, Any]) -> dict[str, Any]:
    package = _without(
        found.get("package", {}), frozenset({"version", "description", "authors", "license", "keywords"})
    )
    return {**found, "package": package}


def _go_mod(data: bytes | None) -> list[str]:
    """Lines that decide which code a module is made of, the versions it asks for aside."""
    text = "" if data is None else data.decode("utf-8")
    return [
        line.strip()
        for line in text.splitlines()
        if re.match(r"\s*(?:module|go|toolchain|replace|exclude|retract|.*=>)", line)
    ]
