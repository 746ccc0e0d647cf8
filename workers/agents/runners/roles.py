"""Which files are tests and which configure a test runner, told from their paths."""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias

from bot.domain.paths import matches_any
from bot.domain.protected_paths import RUNNERS

Role: TypeAlias = Literal["test", "configuration"]

FOLDERS: Final = frozenset({"test", "tests", "__tests__", "spec", "specs", "testing", "testdata", "e2e"})
_NAMES: Final = re.compile(
    r"test_.*\.py|.*_test\.(?:py|go|rb|exs|dart|cc|cpp|c)|.*\.(?:test|spec|cy)\.[cm]?[jt]sx?|.*(?:Test|Tests|IT|Spec)\.(?:java|kt|scala|groovy|cs|php)"
    r"|.*_spec\.rb",
)


def is_test_name(path: str) -> bool:
    """Whether runners take the file for tests by its name."""
    return _NAMES.fullmatch(path.rpartition("/")[2]) is not None


def role_of(path: str) -> Role | None:
    """What a change of ``path`` touches: a runner's configuration, a test (or what tests use), or neither."""
    if matches_any(RUNNERS, path) is not None:
        return "configuration"
    *folders, name = path.split("/")
    if _NAMES.fullmatch(name) or any(folder.lower() in FOLDERS for folder in folders):
        return "test"
    return None
