"""What reading hidden text costs: its work grows with the text's length, whatever the text is made of."""

from __future__ import annotations

import sys

import pytest

from bot.domain.hidden_markup import Seen, as_people_see, words_as_people_see


def _repeated(piece: str, size: int) -> str:
    return (piece * (size // len(piece) + 1))[:size]


TABLE = "|" + "a|" * 100 + "\n|" + "-|" * 100 + "\n" + "|\n" * 1000
# Each was, or could be, read in more than linear time. Of the slow ones whole bodies are read, too.
SLOW = ["\\` ", "](  ", "<a ` ", "<!-- ` ", "![", "[a](b '", "[x]:\n", "[^1]: a\n", "`` ``` ", "$`a "]
PATHOLOGICAL = [
    *SLOW,
    *("` `` ``` ", "<!--", "<? ` ", "<![CDATA[", "<a b='\"", "<a b=\"<a b='", "<a  ", "<", "> ", ">a\n", "> - "),
    *("[", "[]", "![](", "[a](b ", "[a](b (", "[a](<b", "[a](((", "[[a](b)", "![[a]", "[a]: b\n\n", "[[a]]"),
    *("![a]", "[a][b c]", "$", "$$", "$ $a", "&#8203;", "&#", "*a_", "|", "|a\n|-\n", "- ", "1. ", "- a\n"),
    *(
        "<details>",
        "<details><b></b>",
        "</details>",
        "<p hidden></p>",
        "<summary>",
        "\u200ba",
        "#\n",
        "```\n",
        "a\n=\n",
    ),
]


def _calls(text: str) -> int:
    """How many functions, ours and those written in C, the reading of ``text`` calls."""
    count = 0

    def profile(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        as_people_see(text)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("piece", PATHOLOGICAL)
def test_work_grows_with_a_texts_length_and_no_faster(piece: str) -> None:
    once, twice = _calls(_repeated(piece, 700)), _calls(_repeated(piece, 1400))
    assert twice < 2.3 * once + 200


@pytest.mark.parametrize("piece", SLOW)
def test_the_longest_body_is_read_to_its_end(piece: str) -> None:
    found = as_people_see(f"seen\n\n{_repeated(piece, 65_000)}\n\n<!-- evil -->")
    assert found.text.startswith("seen")
    assert "evil" not in found.text


@pytest.mark.parametrize("body", ["> " * 70 + "a", (">" * 50 + "a\n" + "a\n" * 9_000), TABLE * 27])
def test_a_text_that_costs_more_than_its_length_is_read_as_plain_text(body: str) -> None:
    found = as_people_see(
        f"seen\n\n[evil](evil 'evil')\nevil\n\n  evil\n\nseen &#8203;too\n\n{body}\n\n<b>evil\n\nevil"
    )
    assert found.text.startswith("seen\n\nseen too")
    assert "evil" not in found.text
    assert found.hidden == {"hidden-element": 1, "reference": 2, "zero-width": 1}


def test_a_log_of_comments_that_never_end_is_words() -> None:
    log = "<!--" * 20_000
    assert words_as_people_see(f"<!-- evil -->{log}") == Seen(log, {"html-comment": 1})
