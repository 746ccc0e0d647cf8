"""Commands at their edges: what is shown of a misread line, which blanks count, which HTML hides a line."""

from __future__ import annotations

import pytest

from bot.domain.commands import Command, Justify, Misread, Plan, Revise, Stop, parse_commands
from bot.domain.markdown import LONGEST


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


@pytest.mark.parametrize("below", ["|a\n|-\n" * 4_000, "> " * 400 + "x\n", "a" * LONGEST])
def test_a_comment_that_costs_too_much_to_read_is_answered_and_orders_nothing(below: str) -> None:
    (found,) = parse_commands(f"/conductor stop\n\n{below}")
    assert isinstance(found, Misread)
    assert found.hint == "Send the command in a comment of its own."
    assert parse_commands(below) == []


def test_a_comment_of_the_greatest_length_is_read() -> None:
    text = "/conductor revise " + "a" * (LONGEST - 18)
    (found,) = parse_commands(text)
    assert isinstance(found, Revise)
    assert isinstance(parse_commands(text + "a")[0], Misread)


@pytest.mark.parametrize(
    "line", ["![x\n/conductor stop](y)", "![![a](b)\n/conductor stop](y)", "![x]\n(/conductor stop)"]
)
def test_no_command_stands_in_an_image(line: str) -> None:
    assert parse_commands(line) == []


def test_a_footnote_reaches_over_the_lines_below_it_and_no_further() -> None:
    assert parse_commands("[^a]: note\n/conductor stop") == []
    assert len(parse_commands("/conductor stop\n[^a]: note")) == 1
    assert len(parse_commands("[^a]: note\n\n/conductor stop")) == 1
