"""`write_file` and `edit_file` leave protected paths alone that are not the step's own, however they are spelled."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.redaction import Redactor
from workers.sandbox.errors import UnsafePath
from workers.sandbox.masks import HELD
from workers.tools.contracts import EditFile, WriteFile
from workers.tools.said import Refused
from workers.tools.writing import Writing


def writing(root: Path, *own: str) -> Writing:
    return Writing(root, Redactor(), frozenset(own), (*HELD, "package-lock.json", "migrations/**"))


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("AGENTS.md", "AGENTS.md"),
        ("agents.MD", "AGENTS.md"),
        ("./AGENTS.md", "AGENTS.md"),
        ("AGENTS.md.", "AGENTS.md"),
        ("AGENTS.md ", "AGENTS.md"),
        ("A\u200dGENTS.md", "AGENTS.md"),
        ("\uff21GENTS.md", "AGENTS.md"),
        ("sub//CLAUDE.md", "CLAUDE.md"),
        (".claude/settings.json", "**/.claude/**"),
        ("sub/.Claude./settings.json", "**/.claude/**"),
        (".github/workflows/ci.yml", ".github/**"),
        (".husky/pre-commit", "**/.husky/**"),
        ("sub/.gitattributes", ".gitattributes"),
        ("package-lock.json", "package-lock.json"),
        ("migrations/0002.sql", "migrations/**"),
    ],
)
def test_a_protected_path_is_refused_in_one_sentence(tmp_path: Path, path: str, pattern: str) -> None:
    tools = writing(tmp_path, "calc.py")
    said = re.escape(f"is protected by {pattern} and not among this step's paths")
    with pytest.raises(Refused, match=said):
        tools.write_file(WriteFile(path=path, content="evil"))
    with pytest.raises(Refused, match=said):
        tools.edit_file(EditFile(path=path, old="a", new="b"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "path", [".git/config", "sub/.GIT/hooks/x", "GIT~1/config", ".git./x", ".git::$INDEX_ALLOCATION/x"]
)
def test_what_is_like_git_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(UnsafePath, match=r"has a component that is like \.git"):
        writing(tmp_path, path).write_file(WriteFile(path=path, content="evil"))
    assert list(tmp_path.iterdir()) == []


def test_the_steps_own_protected_path_is_written(tmp_path: Path) -> None:
    tools = writing(tmp_path, "AGENTS.md", ".github/dependabot.yml")
    assert tools.write_file(WriteFile(path="AGENTS.md", content="one\n")).text == "Wrote AGENTS.md, 1 lines."
    assert tools.edit_file(EditFile(path="./AGENTS.md", old="one", new="two")).text.startswith("Edited ./AGENTS.md.")
    tools.write_file(WriteFile(path=".github/dependabot.yml", content="version: 2\n"))
    assert (tmp_path / "AGENTS.md").read_text() == "two\n"
    with pytest.raises(Refused, match="protected"):
        tools.write_file(WriteFile(path="agents.md", content="another file on this disk"))
    assert tools.write_file(WriteFile(path="other.py", content="")).text.startswith(
        "Wrote other.py, 0 lines. Note that"
    )
