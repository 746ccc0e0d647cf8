"""Commands at their edges: what is shown of a misread line, which blanks count, which HTML hides a line."""

from __future__ import annotations

import pytest

from bot.domain.commands import Command, Justify, Misread, Plan, Stop, parse_commands


@pytest.mark.parametrize(
    ("body", "line", "problem"),
    [
        ("/conductor plan now", "/conductor plan now", "`plan` takes no words after it."),
        ("/conductor justify", "/conductor justify", "`justify` needs the finding it is about."),
        ("/conductor withdraw x", "/conductor withdraw x", "`withdraw` needs the finding it is about."),
        ("/conductor justify F2", "/conductor justify F2", "`justify` needs a reason in the same line."),
        ("/conductor withdraw F2", "/conductor withdraw F2", "`withdraw` needs a reason in the same line."),
        (
            "/conductor stop all",
            "/conductor stop all",
            "`stop` stops the whole repository and takes no other word than `repository`.",
        ),
        ("/conductor resume all", "/conductor resume all", "`resume` takes no other word than `run` or `repository`."),
    ],
)
def test_a_misread_line_is_named_with_its_word(body: str, line: str, problem: str) -> None:
    (found,) = parse_commands(body)
    assert isinstance(found, Misread)
    assert (found.line, found.problem) == (line, problem)


def test_an_approval_beside_another_command_keeps_its_line() -> None:
    first, second = parse_commands("/conductor approve 0123abcd\n/conductor stop")
    assert isinstance(first, Misread)
    assert (first.line, second) == ("/conductor approve 0123abcd", Stop("repository"))


def test_only_blanks_of_ascii_are_cut_off_a_word() -> None:
    (found,) = parse_commands("/conductor plan \u00a0")
    assert isinstance(found, Misread)


def test_a_reason_that_nobody_can_see_is_none() -> None:
    (found,) = parse_commands("/conductor justify F1 \u00a0\u2003")
    assert isinstance(found, Misread)
    assert parse_commands("/conductor justify F1 \u00a0it is fine\t") == [Justify("F1", "it is fine")]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("one <BR> two\n\n/conductor plan", [Plan()]),
        ('<div class="a\n\n/conductor plan', []),
        ("<details>\n<div>\n\n</details>\n\n/conductor plan", [Plan()]),
        ("<details>\n<div>\n\n</div>\n\n/conductor plan", []),
        ("<div>\n<div>\n\n</div>\n\n/conductor plan", []),
        ("/conductor plan\n$$ x", [Plan()]),
        ("[^1]: a note\n\n/conductor plan", [Plan()]),
        ("[^1]: a note\n/conductor plan", []),
    ],
)
def test_what_hides_a_line_and_what_does_not(body: str, found: list[Command]) -> None:
    assert parse_commands(body) == found
