"""Verify commands of a repository that configures none, read from its files at base (DESIGN section 5)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Final

from bot.domain.facts import BaseEntry

PYTEST: Final = "python -m pytest -q"
_MAKE_TEST: Final = re.compile(r"(?m)^test\s*:(?!=)")
_PYTEST_FILES: Final = ("pytest.ini", ".pytest.ini", "conftest.py", "tests/conftest.py")
_TEST_FILE: Final = re.compile(r"(?:^|/)(?:test_[^/]*|[^/]*_test)\.py$")
_NO_TESTS: Final = "no test specified"

ReadText = Callable[[str], str]


def detected(entries: Mapping[str, BaseEntry], read: ReadText) -> tuple[str, ...]:
    """The commands that run this repository's tests; ``read`` gives a file's text. Empty when nothing is recognised."""
    found = [_python(entries, read), _node(entries, read)]
    for file, command in (("go.mod", "go test ./..."), ("Cargo.toml", "cargo test"), ("pom.xml", "mvn -q test")):
        if file in entries:
            found.append(command)
    if "build.gradle" in entries or "build.gradle.kts" in entries:
        found.append("./gradlew test" if "gradlew" in entries else "gradle test")
    commands = tuple(one for one in found if one)
    if commands:
        return commands
    makefile = next((name for name in ("GNUmakefile", "makefile", "Makefile") if name in entries), None)
    return ("make test",) if makefile is not None and _MAKE_TEST.search(read(makefile)) else ()


def _python(entries: Mapping[str, BaseEntry], read: ReadText) -> str:
    if any(name in entries for name in _PYTEST_FILES):
        return PYTEST
    for name, section in (("pyproject.toml", "[tool.pytest"), ("tox.ini", "[pytest]"), ("setup.cfg", "[tool:pytest]")):
        if name in entries and section in read(name):
            return PYTEST
    return PYTEST if any(_TEST_FILE.search(path) for path in entries) else ""


def _node(entries: Mapping[str, BaseEntry], read: ReadText) -> str:
    if "package.json" not in entries:
        return ""
    try:
        package = json.loads(read("package.json"))
    except (ValueError, RecursionError):
        return ""
    scripts = package.get("scripts") if isinstance(package, dict) else None
    script = scripts.get("test") if isinstance(scripts, dict) else None
    if not isinstance(script, str) or not script.strip() or _NO_TESTS in script:
        return ""
    # What npm would run, without npm around it, so that the runner's own ids can be read.
    return script.strip() if re.fullmatch(r"node\s+--test(?:\s+[\w./-]+)*", script.strip()) else "npm test"
