"""What a path says of a file: its language, and whether tests use it."""

from __future__ import annotations

import pytest

from bot.domain.facts import CommandRun, TestFileFact, VerifyRun
from bot.simulator.calibration.syntax import read_source
from workers.agents.runners.following import follows
from workers.agents.runners.languages import Language, language_of
from workers.agents.runners.roles import role_of


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("docs/specs/a.md", None),
        ("specs/a.md", None),
        ("docs/tests/a.md", None),
        ("testing/notes.md", None),
        ("spec/fixtures/a.json", "test"),
        ("docs/specs/testdata/a.json", "test"),
        ("pkg/testdata/a.golden", "test"),
        ("tests/data.json", "test"),
        ("src/test/resources/a.xml", "test"),
        ("src/app/testing/client.py", None),
        ("src/app/testing/data.json", None),
        ("src/app/testing/test_client.py", "test"),
        ("src/app/testing/tests/client.py", "test"),
        ("testing/tools.py", "test"),
        ("spec/spec_helper.rb", "test"),
        ("Tests/Tools.swift", "test"),
        ("fixtures/a.json", None),
    ],
)
def test_roles_of_data_prose_and_product_code(path: str, role: str | None) -> None:
    assert role_of(path) == role


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("a.py", Language("python", "python")),
        ("a.pyi", Language(None, "python")),
        ("src/A.TS", Language("typescript", "node")),
        ("a.test.tsx", Language("tsx", "node")),
        ("a.cjs", Language("javascript", "node")),
        ("a.go", Language("go", "go")),
        ("A.java", Language("java", "unknown")),
        ("a.rs", Language(None, "unknown")),
        ("a.json", Language(None, "none")),
        ("py", Language(None, "none")),
        ("a.py/b", Language(None, "none")),
    ],
)
def test_languages_of_paths(path: str, language: Language) -> None:
    assert language_of(path) == language


def test_calibration_and_the_runners_go_by_the_same_table() -> None:
    source = read_source("A.TSX", b"const a = <b/>;\n")
    assert source is not None
    assert (source.language, source.family) == ("tsx", "javascript")
    assert read_source("a.rb", b"a = 1\n") is None
    ran = CommandRun(command="go test ./...", exit_code=0, timed_out=False, seconds=1.0, output_tail="", tests={})
    files = [
        TestFileFact(path=path, role="test", kind="modified") for path in ("a_test.go", "a.test.TSX", "tests/a.json")
    ]
    assert [one.followed for one in follows(files, VerifyRun(runs=(ran,)))] == [True, False, True]
