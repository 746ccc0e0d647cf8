"""Untrusted text, rendered: it shows its words and does nothing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.domain.commands import parse_commands
from bot.domain.hidden_characters import hidden_characters, strip_hidden
from bot.wording import neutral

GFM = MarkdownIt("commonmark").enable(["table", "strikethrough"])
ALLOWED = {"paragraph_open", "paragraph_close", "inline", "text", "softbreak", "code_inline"}
MENTION = re.compile(r"@[A-Za-z0-9_-]")
REFERENCE = re.compile(r"#\d|\bgh-\d|://|\bwww\.|(?<![0-9a-z])[0-9a-f]{7,40}(?![0-9a-z])", re.IGNORECASE | re.ASCII)

markup = st.lists(
    st.sampled_from(
        [
            *"@#`*_[]()<>!-+=:/\\|~$&;.1a \n\t{}^'\"",
            "@ana",
            "@acme/team",
            "fixes #1",
            "closes acme/calc#2",
            "GH-3",
            "https://x.example/a?b",
            "www.x.example",
            "mailto:a@x.example",
            "0123abcd",
            "```",
            "~~~",
            "<!--",
            "-->",
            "<b>",
            "<img src=x>",
            "![a](b)",
            "[a](https://x.example)",
            "[a]: b",
            "/conductor approve",
            "&lt;",
            "&#64;ana",
            "---",
            "| a |\n|---|",
            "# h",
            "- [ ] x",
            "1. x",
            "1) x",
            "    code",
            "\u200b",
            "\u202e",
            "\U000e0041",
            "\ue000",
            "\x1b",
            "\r",
            "\u2028",
            "é",
            "日本",
        ]
    ),
    max_size=14,
).map("".join)


def parts(markdown: str) -> list[Token]:
    flat: list[Token] = []
    for token in GFM.parse(markdown):
        flat.append(token)
        flat += token.children or []
    return flat


def words(markdown: str) -> str:
    """The rendered text, with one blank for each break."""
    tokens = parts(markdown)
    return " ".join(
        "".join(t.content if t.type in {"text", "code_inline"} else " " for t in tokens if t.type != "inline").split()
    )


@given(st.one_of(markup, st.text()))
def test_plain_shows_its_words_and_nothing_acts(text: str) -> None:
    shown = neutral.plain(text)
    for token in parts(shown):
        assert token.type in ALLOWED, (token.type, shown)
        if token.type == "text":
            assert not MENTION.search(token.content), shown
            assert not REFERENCE.search(token.content), shown
    assert words(shown) == " ".join(strip_hidden(text).split())
    assert hidden_characters(shown) == []
    assert parse_commands(shown) == []
    assert not re.search(r"^/", shown, re.MULTILINE)


@given(st.one_of(markup, st.text()))
def test_plain_after_our_own_words_stays_inline_safe(text: str) -> None:
    for token in parts("**Said:** " + neutral.plain(text)):
        assert token.type in ALLOWED | {"strong_open", "strong_close"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("hello", "hello"),
        ("ask @ana", "ask `@`ana"),
        ("ask @acme/team", "ask `@`acme/team"),
        ("fixes #1", "fixes `#`1"),
        ("closes acme/calc#2", "closes acme/calc`#`2"),
        ("GH-3", "GH`-`3"),
        ("see https://x.example/a_b.", "see `https://x.example/a_b.`"),
        ("at 0123abcd", "at `0123abcd`"),
        ("a_b * c", r"a\_b \* c"),
        ("<b>x</b>", "&lt;b&gt;x&lt;/b&gt;"),
        ("![a](b)", r"!\[a\](b)"),
        ("/conductor approve", r"\/conductor approve"),
        ("# title", r"\# title"),
        ("1. one", "1\\. one"),
        ("a\r\n\n\n\nb", "a\n\nb"),
        ("&#64;ana", "&amp;`#`64;ana"),
        ("a\u200bb\u202ec", "abc"),
    ],
)
def test_plain_examples(text: str, shown: str) -> None:
    assert neutral.plain(text) == shown


def test_plain_is_cut_where_people_would_see_it() -> None:
    assert neutral.plain("<<<<<<", limit=4) == "&lt;&lt;&lt;…"
    assert neutral.plain("abcd", limit=4) == "abcd"
    assert words(neutral.plain("a" * 100, limit=10)) == "a" * 9 + "…"


@given(st.one_of(markup, st.text()))
def test_code_is_one_span(text: str) -> None:
    tokens = parts("x " + neutral.code(text) + " y")
    assert [t.type for t in tokens] == ["paragraph_open", "inline", "text", "code_inline", "text", "paragraph_close"]
    assert tokens[3].content.split() == strip_hidden(text).split()
    assert [t.type for t in parts(neutral.code(text))][2] == "code_inline"


@given(st.one_of(markup, st.text()), st.sampled_from(["", "python", "suggestion", "a b", "`", "x\n```"]))
def test_fence_is_one_block(text: str, lang: str) -> None:
    tokens = GFM.parse(neutral.fence(text, lang) + "\n\nafter")
    assert [t.type for t in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    assert tokens[0].content.rstrip("\n") == strip_hidden(text).rstrip("\n")
    assert tokens[0].info in {"", "python"}


@given(st.one_of(markup, st.text()))
def test_titles_and_slugs_keep_their_letters(text: str) -> None:
    title = neutral.safe_title(text)
    assert re.fullmatch(r"[A-Za-z0-9 .,:()/_-]{1,72}", title)
    assert not re.search(r"gh-\d|://|^/", title, re.IGNORECASE)
    assert re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", neutral.slug(text))


def test_title_and_slug_examples() -> None:
    assert (
        neutral.safe_title("Fix `add()` for négative @ana numbers, closes #3")
        == "Fix add() for negative ana numbers, closes 3"
    )
    assert neutral.safe_title("日本") == "untitled"
    assert neutral.slug("Fix `add()` for négative numbers!") == "fix-add-for-negative-numbers"
    assert neutral.slug("../../x.lock") == "x-lock"
    assert neutral.slug("日本") == "issue"
    assert len(neutral.slug("a" * 100)) == 40


@pytest.mark.parametrize(
    ("character", "name"),
    [
        ("\x00", "control"),
        ("\x1b", "control"),
        ("\x85", "control"),
        ("\u200b", "zero-width"),
        ("\ufeff", "zero-width"),
        ("\u00ad", "zero-width"),
        ("\u202e", "bidi"),
        ("\u2066", "bidi"),
        ("\U000e0041", "tag"),
        ("\ufe0f", "variation-selector"),
        ("\U000e0100", "variation-selector"),
        ("\ue000", "private-use"),
        ("\U0010fffd", "private-use"),
        ("\uffff", "private-use"),
        ("\u2028", "separator"),
        ("\ud800", "surrogate"),
        ("\u0600", "format"),
    ],
)
def test_hidden_characters_are_named_and_removed(character: str, name: str) -> None:
    assert hidden_characters(f"a{character}b") == [name]
    assert hidden_characters(strip_hidden(f"a{character}b")) == []
    assert hidden_characters("a\r\n\tb é 日本 😀") == []


@pytest.mark.parametrize(
    "word", ["close", "Closes", "CLOSED", "fix", "Fixes:", "fixed", "resolve", "resolves:", "Resolved"]
)
@pytest.mark.parametrize(
    "place", ["#12", "GH-12", "gh-12", "acme/calc#12", "https://github.com/acme/calc/issues/12", "acme/calc@0123abcd"]
)
@pytest.mark.parametrize(
    "frame", ["{}", "a {} b", "- {}", "> {}", "**{}**", "a\n{}\nb", "({})", "\uff20ana {}", "x.{}"]
)
def test_closing_words_close_nothing_wherever_they_stand(word: str, place: str, frame: str) -> None:
    shown = neutral.plain(frame.format(f"{word} {place}"))
    for token in parts(shown):
        assert token.type in ALLOWED, shown
        if token.type == "text":
            assert not MENTION.search(token.content), shown
            assert not REFERENCE.search(token.content), shown


@pytest.mark.parametrize(
    "text",
    [
        "@ana\u0301",
        "\u00e9@ana",
        "(@acme/te\u00e4m)",
        "mail ana@example.org now",
        "HTTPS://EVIL.EXAMPLE/x",
        "//evil.example @x",
        "WwW.evil.example",
        "[x](//evil.example)",
        "<https://evil.example>",
        "<img src=//evil.example/x>",
        "[skip ci] ***NO_CI***",
        "a\n\nCo-authored-by: x <x@evil.example>",
    ],
)
def test_no_mention_link_or_mark_is_left(text: str) -> None:
    shown = neutral.plain(text)
    assert "[skip ci]" not in shown
    for token in parts(shown):
        assert token.type in ALLOWED, shown
        if token.type == "text":
            assert not MENTION.search(token.content), shown
            assert not REFERENCE.search(token.content), shown
