"""Sharp cases of hidden text: each tells the reading from one that is wrong in one place."""

from __future__ import annotations

import pytest

from bot.domain import markdown_work
from bot.domain.hidden_markup import as_people_see, words_as_people_see

READINGS = [
    # HTML in blocks.
    ("<div>\n--> <!-- evil --> b", "<div>\n-->  b", {"html-comment": 1}),
    ("<div>\n\\<details>evil</details>", "<div>\n\\", {"details": 1}),
    ("<div>\n<!-- a --> b <!-- c -->", "<div>\n b ", {"html-comment": 2}),
    ("<div>\n<!--> seen", "<div>\n seen", {"html-comment": 1}),
    ("<div>\n< seen", "<div>\n< seen", {}),
    ("<div title='x'>\n<b", "<div>\n", {"html-attribute": 2}),
    ("<div title='x'>\n<b evil\n\nseen", "<div>\n\n\nseen", {"html-attribute": 2}),
    ("<p title='>evil\n\n<!-- evil -->\n\nevil </p>", "\n", {"html-attribute": 1, "html-comment": 1}),
    ("<b hidden>x</b><b hidden>x</b>", "", {"hidden-element": 2}),
    ("<div>\n<p title=evil/title2>seen</p>", "<div>\n<p>seen</p>", {"html-attribute": 1}),
    # Comments that end elsewhere for others, and those that do not.
    ("a <!-- > <details> --> seen", "a  seen", {"html-comment": 1}),
    ("a <!-- <details> --> seen", "a  seen", {"html-comment": 1}),
    ("a <!-- <details> ----> evil", "a ", {"details": 1, "html-comment": 1}),
    ("a <!---- <details> --> evil", "a ", {"details": 1, "html-comment": 1}),
    ("a <?x></b></details>?> seen", "a  seen", {"html-comment": 1}),
    ("a <?x><img hidden></img>?> seen", "a  seen", {"html-comment": 1}),
    ("a <! b> seen", "a <! b> seen", {}),
    ("a <!x b <!y", "a <!x b <!y", {}),
    # References.
    ("see [x]: it is\n\n[x]: http://b", "see [x]: it is\n\n[x]: http://b", {}),
    ("\\a ![p](q) [x]\n\n[x]: /u", "\\a ![](q) [x]\n\n[x]: /u", {"alt-text": 1}),
    ("![evil][x] [x]\n\n[x]: y", "![][x] [x]\n\n[x]: y", {"alt-text": 1}),
    ("[a][x y] [b][x y]\n\n[x y]: z", "[a] [b]\n", {"reference": 3}),
    ("[[a][x y]](c 'shown')\n\n[x y]: z", "[[a]](c 'shown')\n", {"reference": 2}),
    ("[x]:\n/u\n\n[x]", "[x]:\n\n[x]", {"link-title": 1}),
    ("[x]: /u\n'evil'\n\n[x]", "[x]: /u\n\n[x]", {"link-title": 1}),
    ("[x]: /u 'evil'\n[y]: /v 'evil'\n\n[x][y]", "[x]: /u\n[y]: /v\n\n[x][y]", {"link-title": 2}),
    ("[x]: /u\n[y]: /v\n'evil'\n\n[x]", "[x]: /u\n\n[x]", {"reference": 2}),
    ("[evil\nevil]: /u\n\n---\n[evil\nevil]: /u", "\n---", {"reference": 4}),
    ("[^1]: a b\n\n[^2]: c d\n\ne", "\n\n\n\ne", {"reference": 2}),
    ("[^1]: shown words\n\nword[^1]", "[^1]: shown words\n\nword[^1]", {}),
    # Links and pictures.
    ("[a](b[c) [d](e 'evil')", "[a](b[c) [d](e)", {"link-title": 1}),
    ("[[a](b)](c 'shown')", "[[a](b)](c 'shown')", {}),
    ("![x](a) ![y](b)", "![](a) ![](b)", {"alt-text": 2}),
    ("[](evil) [ ](evil)", " ", {"empty-link": 2}),
    ("![ ](a)", "![](a)", {}),
    ("![evil](a b)", "![](a b)", {"alt-text": 1}),
    ("(![shown]", "(![shown]", {}),
    ("x" * 1000 + " ![evil]\n\n[evil]: y", "x" * 1000 + " ![]\n", {"alt-text": 1, "reference": 1}),
    (f"![{'e' * 999}]\n\n[{'e' * 999}]: y", "![]\n", {"alt-text": 1, "reference": 1}),
    ("[a](b c) d [a](b 'c' d) e", "[a](b c) d [a](b 'c' d) e", {}),
    ("< [a](b 'evil')", "< [a](b)", {"link-title": 1}),
    ("[a](<b) [a](  ", "[a](<b) [a](  ", {}),
    ("[](evil(c)) d", " d", {"empty-link": 1}),
    ("[](evil\\)a) d", " d", {"empty-link": 1}),
    ("[](" + "(" * 32 + ")" * 32 + ")", "", {"empty-link": 1}),
    ("[](" + "(" * 33 + ")" * 33 + ")", "[](" + "(" * 33 + ")" * 33 + ")", {}),
    # Formulas, drawings, fences.
    ("$x % y$5 z", "$x % y$5 z", {}),
    ("a $5 and 20 % of $ b", "a $5 and 20 % of $ b", {}),
    ("$\\tiny x$ and $\\tiny x$", " and ", {"formula": 2}),
    ("```math\nx % evil\ny\n```", "```math\n```", {"formula": 2}),
    ("```math\n5\\% x\n```", "```math\n5\\% x\n```", {}),
    ("```math\n%a\n```\n```math\n%a\n```", "```math\n```\n```math\n```", {"formula": 2}),
    ("```sh a\n```\n```sh b\n```", "```sh\n```\n```sh\n```", {"fence-info": 2}),
    # Words.
    ("a &amp; b &lt;c", "a &amp; b &lt;c", {}),
    ("# a\nb\n- c", "# a\nb\n- c", {}),
]


@pytest.mark.parametrize(("text", "seen", "hidden"), READINGS)
def test_readings(text: str, seen: str, hidden: dict[str, int]) -> None:
    found = as_people_see(text)
    assert (found.text, dict(found.hidden)) == (seen, hidden)


@pytest.mark.parametrize(
    ("text", "seen", "comments"),
    [
        ("<!-- evil -->a<!-- evil -->b --> <!--c", "ab --> <!--c", 2),
        ("--> <!-- evil --> c", "-->  c", 1),
        ("-->a<!-- evil -->", "-->a", 1),
        ("a<!----> b", "a b", 1),
    ],
)
def test_comments_of_a_log(text: str, seen: str, comments: int) -> None:
    found = words_as_people_see(text)
    assert (found.text, found.hidden) == (seen, {"html-comment": comments})


def test_sixty_levels_are_read() -> None:
    assert as_people_see("> " * 60 + "`x`").text == "> " * 60 + "`x`"
    assert as_people_see("> " * 61 + "`x`").hidden == {"reference": 1}
    assert as_people_see(" a\n\n" + "> " * 61 + "[x]\n\n evil").text == " a"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("`", True),
        (">" * 20 + "`" + "\na" * 50, False),
        ("- `\n" * 9, False),
        ("`" + "a" * 50 + "\n\nb", True),
    ],
)
def test_a_text_has_a_step_or_token_for_each_of_its_characters(
    text: str, read: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(markdown_work, "LEAST_WORK", 0)
    found = as_people_see(text)
    assert (found.text, found.hidden) == ((text, {}) if read else ("", {"reference": 1}))
