"""What reading Markdown may cost, at its edges."""

from __future__ import annotations

from typing import Any

import pytest
from markdown_it import MarkdownIt

from bot.domain.markdown_work import DEEPEST, LEAST_WORK, Tangled, bounded, work_for


def _read(text: str, allowed: int = LEAST_WORK) -> int:
    work: dict[str, Any] = {**work_for(text), "allowed": allowed}
    bounded(MarkdownIt("commonmark").enable("table")).parse(text, work)
    return int(work["steps"])


def test_each_line_is_a_step_wherever_it_stands() -> None:
    for many in ("a\n" * 40, "> a\n" * 40, "- a\n" * 40, "[a]: b\n" * 40):
        assert _read(many) >= 40


def test_steps_and_tokens_together_are_bounded() -> None:
    text = "a\n\n" * 40
    steps, tokens = _read(text), 3 * 40
    _read(text, steps + tokens)
    with pytest.raises(Tangled):
        _read(text, steps + tokens - 4)


def test_a_long_text_may_take_a_step_for_each_character() -> None:
    assert work_for("") == {"steps": 0, "allowed": LEAST_WORK}
    assert work_for("a" * (LEAST_WORK + 1)) == {"steps": 0, "allowed": LEAST_WORK + 1}


def test_quotes_are_read_to_a_depth() -> None:
    _read(">" * DEEPEST + "a")
    with pytest.raises(Tangled):
        _read(">" * (DEEPEST + 1) + "a")


def test_a_parser_reads_as_deep_inside_of_paragraphs() -> None:
    assert bounded(MarkdownIt("commonmark").enable("table")).options["maxNesting"] == 2 * DEEPEST
