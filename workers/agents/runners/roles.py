"""Which files are tests and which configure a test runner, told from their paths."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from bot.domain.paths import matches_any
from bot.domain.protected_paths import RUNNERS
from workers.agents.runners.languages import language_of

Role: TypeAlias = Literal["test", "configuration"]

FOLDERS: Final = frozenset({"test", "tests", "__tests__", "spec", "specs", "testing", "testdata", "e2e"})
_FIXTURES: Final = frozenset({"testdata", "fixtures", "__fixtures__", "__snapshots__"})
_SPECIFICATIONS: Final = frozenset({"spec", "specs", "testing"})
_DOCUMENTS: Final = frozenset({"doc", "docs", "documentation"})
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
    if _NAMES.fullmatch(name) or _holds_tests([folder.lower() for folder in folders], path):
        return "test"
    return None


def _holds_tests(folders: Sequence[str], path: str) -> bool:
    """Whether a file without a test's name is one of what tests use, by the folders around it."""
    # A package may be called testing and be the product; at the root it is a suite's folder.
    around = [
        folder for depth, folder in enumerate(folders) if folder in FOLDERS and not (depth and folder == "testing")
    ]
    if not around or language_of(path).runner != "none":
        return bool(around)
    # Prose is called specification, too; data that a suite reads lies in its own folders, and never among documents.
    if _FIXTURES & set(folders):
        return True
    return folders[0] not in _DOCUMENTS and not set(around) <= _SPECIFICATIONS
