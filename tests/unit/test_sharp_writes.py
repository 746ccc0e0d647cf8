"""Answers to people by their rows' keys."""

from __future__ import annotations

import pytest

from bot.domain.writes import is_answer


@pytest.mark.parametrize(
    ("dedupe_key", "answers"),
    [
        ("reply:70", True),
        ("ack:70", True),
        ("stop:70", True),
        ("decline:7:70", True),
        ("r1:comment:plan", True),
        ("r1:label:planning", False),
        ("r1:reply:70", False),
        ("r1:comment", False),
    ],
)
def test_an_answer_is_known_by_its_key(dedupe_key: str, answers: bool) -> None:
    assert is_answer(dedupe_key) is answers
