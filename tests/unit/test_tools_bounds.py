"""Tools' answers are bounded, exact about what they show, and safe with every name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.redaction import Redactor
from workers.compress import bounded, tokens
from workers.tools.contracts import ListFiles, ReadFile
from workers.tools.lines import lines_of
from workers.tools.reading import MOST_BYTES, DeliveryLog, Reading
from workers.tools.said import shown_name
from workers.tools.sources import FolderSource


def reading(root: Path) -> Reading:
    return Reading({"head": FolderSource(root)}, "head", Redactor(), DeliveryLog())


def test_a_long_file_comes_in_parts_of_whole_lines(tmp_path: Path) -> None:
    (tmp_path / "long").write_text("".join(f"{number} {'x' * 90}\n" for number in range(1, 3_001)))
    tool = reading(tmp_path)
    first = tool.read_file(ReadFile(path="long"))
    assert len(first.text.encode()) <= MOST_BYTES + 100
    reached = tool.log.entries[0].end_line
    assert f"read_file with start_line {reached + 1} shows more" in first.text
    while reached < 3_000:
        tool.read_file(ReadFile(path="long", start_line=reached + 1))
        reached = tool.log.entries[-1].end_line
    assert tool.log.entries[0].start_line == 1
    assert reached == 3_000


def test_a_line_is_delivered_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "wide").write_text("short\n" + "y" * 100_000 + "\n" + "z" * 300_000 + "\n")
    tool = reading(tmp_path)
    assert "start_line 2 shows more" in tool.read_file(ReadFile(path="wide")).text
    assert "y" * 100_000 in tool.read_file(ReadFile(path="wide", start_line=2)).text
    assert tool.read_file(ReadFile(path="wide", start_line=3)).is_error
    assert [(one.start_line, one.end_line) for one in tool.log.entries] == [(1, 1), (2, 2)]


def test_many_files_are_told_by_folder(tmp_path: Path) -> None:
    for number in range(1_200):
        path = tmp_path / f"d{number % 3}" / f"f{number}"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    said = reading(tmp_path).list_files(ListFiles()).text
    assert said.splitlines() == [
        "1200 files; list a folder to see what is in it:",
        "d0/ (400 files)",
        "d1/ (400 files)",
        "d2/ (400 files)",
    ]
    assert len(reading(tmp_path).list_files(ListFiles(path="d1")).text.splitlines()) == 400


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain name.py", "plain name.py"),
        ("a\nb", '"a\\nb"'),
        ('say "hi"', '"say \\"hi\\""'),
        ("\u202eevil", '"\\u202eevil"'),
        ("caf\u00e9", "caf\u00e9"),
        ("bad\udcff", '"bad\\\\xff"'),
    ],
)
def test_names_are_shown_so_that_they_can_be_given_back(name: str, shown: str) -> None:
    assert shown_name(name) == shown


def test_binary_and_missing_files_are_refused_in_words(tmp_path: Path) -> None:
    from workers.tools.said import Refused

    (tmp_path / "b").write_bytes(b"a\0b")
    (tmp_path / "link").symlink_to("/etc/passwd")
    tool = reading(tmp_path)
    with pytest.raises(Refused, match="binary"):
        tool.read_file(ReadFile(path="b"))
    with pytest.raises(Refused, match="not in the workspace"):
        tool.read_file(ReadFile(path="c"))
    assert "link" in tool.list_files(ListFiles()).text
    with pytest.raises(Exception, match="link"):
        tool.read_file(ReadFile(path="link"))


@given(st.text(alphabet="ab\n", max_size=60), st.text(alphabet="xy\n", max_size=60))
def test_every_line_knows_where_it_stands(before: str, after: str) -> None:
    held = "held-value-one\nheld-value-two"
    redactor = Redactor({"held": held})
    raw = f"{before}|{held}|{after}"
    found = lines_of(raw.encode(), redactor)
    assert found is not None
    lines = raw.split("\n")
    for number, text in enumerate(found.text, 1):
        first, last = found.raw[number - 1]
        joined = "\n".join(lines[first - 1 : last])
        assert redactor.redact(joined).text == text
    assert [number for first, last in found.raw for number in range(first, last + 1)] == list(
        range(1, len(lines) - (raw.endswith("\n")) + 1)
    )


def test_short_output_stays_and_long_output_keeps_its_ends() -> None:
    assert bounded("a\nb", "more").text == "a\nb"
    text = "\n".join(f"line {number}" for number in range(5_000))
    short = bounded(text, "ask for it")
    assert short.text.startswith("line 0\n")
    assert short.text.endswith("line 4999")
    assert "lines left out; ask for it" in short.text
    assert tokens(short.text) < tokens(text)
    assert not short.whole
