"""`docs/security.md` names what there is: its tests, its files, and the classes of hidden text that a run reports."""

from __future__ import annotations

import re
from pathlib import Path

from bot.wording.reading import CLASSES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")


def test_every_promise_names_tests_that_there_are() -> None:
    rows = [line for line in PAGE.partition("## Promises")[2].partition("\n## ")[0].splitlines() if line[:1] == "|"][2:]
    assert len(rows) >= 16
    for row in rows:
        tested = row.rstrip(" |").rpartition("|")[2]
        named = re.findall(r"`((?:tests/[a-z/]+/)?test_[a-z_]+\.py)`", tested)
        assert named, row
        folder = ""
        for name in named:
            folder = name.rpartition("/")[0] or folder
            assert (ROOT / folder / name.rpartition("/")[2]).is_file(), name


def test_every_file_it_names_is_there() -> None:
    named = re.findall(r"`((?:bot|workers|tests|docs|deploy)/[\w/.-]+)`", PAGE)
    assert len(named) > 20
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_classes_of_hidden_text_are_those_that_a_run_reports() -> None:
    table = PAGE.partition("## Hidden text")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)) == sorted(CLASSES)
