"""What counts as a command in a comment, and what never does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import commands as c
from bot.domain.commands import Command, Misread, parse_commands


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("/conductor plan", c.Plan()),
        ("/conductor approve", c.Approve(None)),
        ("/conductor Approve", c.Approve(None)),
        ("/conductor approve 0123abcd", c.Approve("0123abcd")),
        ("/conductor approve 0123ABCD  ", c.Approve("0123abcd")),
        ("/conductor revise use a set", c.Revise("use a set")),
        ("/conductor revise\nuse a set\n\n- and a list", c.Revise("use a set\n\n- and a list")),
        ("/conductor status", c.Status()),
        ("/conductor pause", c.Pause()),
        ("/conductor resume", c.Resume("run")),
        ("/conductor resume run", c.Resume("run")),
        ("/conductor resume repository", c.Resume("repository")),
        ("/conductor cancel", c.Cancel()),
        ("/conductor stop", c.Stop("repository")),
        ("/conductor stop repository", c.Stop("repository")),
        ("/conductor retry", c.Retry()),
        ("/conductor ledger", c.Ledger()),
        ("/conductor justify f3 we ship it so", c.Justify("F3", "we ship it so")),
        ("/conductor withdraw F12 my mistake", c.Withdraw("F12", "my mistake")),
        ("/conductor cost", c.Cost()),
        ("/conductor why F3", c.Why("F3")),
        ("/conductor help", c.Help()),
        ("/conductor", c.Help()),
        ("Looks good to me.\n/conductor approve", c.Approve(None)),
        ("Looks good.\r\n\r\n/conductor approve\r\n", c.Approve(None)),
        ("/conductor approve\nthank you", c.Approve(None)),
        ("> a quote\n\n/conductor stop", c.Stop("repository")),
        ("```\ncode\n```\n/conductor stop", c.Stop("repository")),
        ("# Heading\n/conductor stop", c.Stop("repository")),
        ("<details><summary>log</summary>\n\nx\n\n</details>\n\n/conductor stop", c.Stop("repository")),
        ("a <!-- note --> b\n/conductor stop", c.Stop("repository")),
        ("hard break  \n/conductor stop", c.Stop("repository")),
    ],
)
def test_a_command(body: str, expected: Command) -> None:
    assert parse_commands(body) == [expected]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "please /conductor approve",
        " /conductor approve",
        "   /conductor approve",
        "\t/conductor approve",
        "    /conductor approve",
        "/conductor\tapprove",
        "/conductor\u00a0approve",
        "\u200b/conductor approve",
        "\ufeff/conductor approve",
        "\uff0fconductor approve",
        "/c\u200bonductor approve",
        "/\u0441onductor approve",
        "\\/conductor approve",
        "&#47;conductor approve",
        "&sol;conductor approve",
        "/Conductor approve",
        "/conductors approve",
        "/conductor-approve",
        "//conductor approve",
        "x\u2028/conductor approve",
        "x\x0b/conductor approve",
        "x\x85/conductor approve",
        "> /conductor approve",
        "> quoted\n/conductor approve",
        "> - quoted\n/conductor approve",
        "- item\n/conductor approve",
        "- item\n\n  /conductor approve",
        "1. item\n/conductor approve",
        "- /conductor approve",
        "* > deep\n/conductor approve",
        "```\n/conductor approve\n```",
        "```\n/conductor approve",
        "~~~\n/conductor approve\n```\n~~~",
        "````\n```\n/conductor approve\n````",
        "`\n/conductor approve\n`",
        "a ``b\n/conductor approve\n``",
        "<!--\n/conductor approve\n-->",
        "<!--\n/conductor approve",
        "<!--\n\n/conductor approve\n\n-->",
        "hi <!--\n/conductor approve\n-->",
        'hi <a title="\n/conductor approve\n">x</a>',
        "<div>\n/conductor approve\n</div>",
        "<div>\n\n/conductor approve\n\n</div>",
        "<div><!--\n\n/conductor approve\n\n-->",
        "<details>\n\n/conductor approve\n\n</details>",
        "<details>\n<summary>log</summary>\n\n/conductor approve\n</details>",
        '<details title="</details>">\n\n/conductor approve',
        "text <details>\n\n/conductor approve",
        "<pre>\n\n/conductor approve\n</pre>",
        "<script>\n\n/conductor approve",
        "<?x\n\n/conductor approve\n?>",
        "<![CDATA[\n\n/conductor approve\n]]>",
        "# /conductor approve",
        "/conductor approve\n===",
        "/conductor approve\n---",
        "text\n/conductor approve\n---",
        "a | b\n--|--\n/conductor approve",
        "/conductor approve | x\n--|--\n1 | 2",
        '[a]: /url "\n/conductor approve\n"',
        "[a](/url '\n/conductor approve\n')",
        "[\n/conductor approve\n](/url)",
        "[^1]: note\n/conductor approve",
        "text\n[^1]: note\n/conductor approve",
        "[^1]: note\n\n    more\n/conductor approve",
        "$$\n/conductor approve\n$$",
        "**bold\n/conductor approve**",
    ],
)
def test_no_command(body: str) -> None:
    assert parse_commands(body) == []


@pytest.mark.parametrize(
    "body",
    [
        "/conductor aprove",
        "/conductor approve!",
        "/conductor approve now",
        "/conductor approve 0123abc",
        "/conductor approve 0123abcde",
        "/conductor approve\u00a0",
        "/conductor approve \u200b0123abcd",
        "/conductor \u200bapprove",
        "/conductor revise",
        "/conductor revise   \n\n",
        "/conductor stop run",
        "/conductor resume everything",
        "/conductor status please",
        "/conductor justify",
        "/conductor justify F3",
        "/conductor justify F0 reason",
        "/conductor withdraw it reason",
        "/conductor why",
        "/conductor why a b",
        "/conductor \u212aost",
    ],
)
def test_a_misread_says_how_to_mend_it(body: str) -> None:
    (found,) = parse_commands(body)
    assert isinstance(found, Misread)
    assert found.line == body.split("\n", maxsplit=1)[0]
    assert found.problem.endswith(".")
    assert found.hint.endswith(".")


def test_approve_is_alone_and_others_still_count() -> None:
    found = parse_commands("/conductor approve\n\n/conductor stop")
    assert isinstance(found[0], Misread)
    assert found[1] == c.Stop("repository")
    twice = parse_commands("/conductor approve\n/conductor approve")
    assert [type(f) for f in twice] == [Misread, Misread]
    assert isinstance(parse_commands("/conductor approve\n/conductor aprove")[0], Misread)


def test_revise_ends_at_the_next_command_and_keeps_code() -> None:
    body = "/conductor revise this:\n```\n/conductor approve\n```\nand that\n\n/conductor status"
    assert parse_commands(body) == [c.Revise("this:\n```\n/conductor approve\n```\nand that"), c.Status()]


def test_a_mark_in_the_text_deceives_nobody() -> None:
    assert parse_commands("`\n/conductor approve\n`\n/conductorx0q1z approve") == []


words = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=30).map(lambda t: t.replace("\n", " "))
verbs = st.sampled_from(["approve", "stop", "plan", "cancel", "revise all of it", "approve 0123abcd"])
commands = st.builds(lambda verb, tail: f"/conductor {verb}{tail}", verbs, st.sampled_from(["", " "]))


@given(before=words, command=commands, after=words)
def test_wrapped_text_never_orders(before: str, command: str, after: str) -> None:
    lines = [before or "x", command, after or "y"]
    quoted = "\n".join(f"> {line}" for line in lines)
    listed = "\n".join(f"- {line}" for line in lines)
    fence = "`" * 40
    fenced = "\n".join([fence, *lines, fence])
    commented = "\n".join(["<!--", *(line.replace("-->", "") for line in lines), "-->"])
    indented = "\n".join(f"    {line}" for line in lines)
    folded = f"<details>\n\n{command}\n\n</details>"
    for body in (quoted, listed, fenced, commented, indented, folded, f"> {before}\n> x\n{command}"):
        assert parse_commands(body) == []


@given(st.text())
def test_any_text_is_read(body: str) -> None:
    for found in parse_commands(body):
        assert body.count("/conductor") >= 1, found


@given(before=st.text(st.sampled_from("ab `*_[]()<>!-#>\n$~|\\\"'&"), max_size=40))
def test_a_command_in_its_own_paragraph_is_shown_as_a_line(before: str) -> None:
    for found in parse_commands(f"{before}\n\n/conductor stop"):
        assert found == c.Stop("repository")
