"""Repository paths: hostile spellings are refused, patterns cover what they should, and nothing is shown raw."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.paths import (
    collisions,
    hidden_characters,
    is_git_component,
    matches,
    matches_any,
    path_problem,
    shown,
)

WORDS = st.text(string.ascii_letters + string.digits + "_-é中", min_size=1, max_size=8)


@pytest.mark.parametrize(
    "path",
    [
        "a",
        "src/a.py",
        "name with space",
        "quote'\"",
        ".github/x",
        "gitx",
        "a.git",
        ".gitignore",
        ".gitx/a",
        "日本.txt",
        "a~1",
    ],
)
def test_ordinary_paths_are_fine(path: str) -> None:
    assert path_problem(path) == ""


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("", "empty"),
        ("/etc/passwd", "absolute"),
        ("../x", "'..'"),
        ("a/../../x", "'..'"),
        ("a/./b", "'.'"),
        ("a//b", "empty component"),
        ("a/", "empty component"),
        ("a\\b", "backslash"),
        ("a\x00b", "U+0000"),
        ("a\nb", "U+000A"),
        ("a\x7fb", "U+007F"),
        ("a\u202eb", "U+202E"),
        ("a\u200bb", "U+200B"),
        ("a\ue000b", "U+E000"),
        ("a\U000e0041b", "U+E0041"),
        ("a\U000e0100b", "U+E0100"),
        ("a\ufe0fb", "U+FE0F"),
        ("a\u3164b", "U+3164"),
        ("a\u2028b", "U+2028"),
        ("a\udcffb", "U+DCFF"),
        ("a./b", "dot or a space"),
        ("a /b", "dot or a space"),
        ("a/b ", "dot or a space"),
        ("x" * 1025, "1024 bytes"),
        ("é" * 513, "1024 bytes"),
    ],
)
def test_hostile_paths_are_refused_with_the_reason(path: str, says: str) -> None:
    assert says in path_problem(path)


@pytest.mark.parametrize(
    "component",
    [
        ".git",
        ".GIT",
        ".Git",
        ".g\u200cit",
        ".gi\ufefft",
        "\u200d.git",
        ".git.",
        ".git ",
        ".git. .",
        "git~1",
        "GIT~1",
        "git~12",
        ".git::$INDEX_ALLOCATION",
        ".git:x",
        "\uff0egit",
        ".gi\ufe0ft",
        ".gıt".replace("ı", "I"),
    ],
)
def test_every_spelling_of_git_is_taken_for_git(component: str) -> None:
    assert is_git_component(component)
    assert path_problem(component)
    assert path_problem(f"sub/{component}/hooks/x")


@pytest.mark.parametrize("component", ["git", ".gitignore", "x.git", "git~", "git~x", ".git1"])
def test_names_like_git_are_not_git(component: str) -> None:
    assert not is_git_component(component)


@given(st.lists(WORDS, min_size=1, max_size=5))
def test_plain_words_make_safe_paths(parts: list[str]) -> None:
    assert path_problem("/".join(parts)) == ""


@given(st.text(max_size=30))
def test_a_path_without_a_problem_has_no_way_out(path: str) -> None:
    if path_problem(path) == "":
        parts = path.split("/")
        assert not path.startswith("/")
        assert not {"", ".", ".."} & set(parts)
        assert all(part.lower() != ".git" for part in parts)
        assert hidden_characters(path) == ()


@given(st.text(st.characters(), max_size=40))
def test_shown_is_plain_and_tells_texts_apart(text: str) -> None:
    out = shown(text)
    assert out.isascii()
    assert out.isprintable() or out == ""
    assert shown(text + "x") != out


def test_shown_escapes() -> None:
    assert shown("a b'\"") == "a b'\""
    assert shown("é\u202e\n\\\udcff\U0001f600\x7f") == r"\u00e9\u202e\x0a\\\xff\U0001f600\x7f"


def test_hidden_characters_are_named_once_in_order() -> None:
    assert hidden_characters("a\tb\nc", allowed="\t\n") == ()
    assert hidden_characters("\u202e\x00\u202e") == ("U+202E", "U+0000")
    assert hidden_characters("❤\ufe0f é 中") == ()


@pytest.mark.parametrize(
    ("paths", "existing", "found"),
    [
        (["a"], ["b"], ()),
        (["A"], ["a"], ("A",)),
        (["a"], ["a"], ()),
        (["Src/new"], ["src/old"], ("Src/new",)),
        (["a/b"], ["a"], ("a/b",)),
        (["a"], ["a/b"], ("a",)),
        (["x", "X"], [], ("x", "X")),
        (["e\u0301"], ["\u00e9"], ("e\u0301",)),
        (["STRASSE"], ["straße"], ("STRASSE",)),
        (["a/b", "a/c"], ["a/d"], ()),
    ],
)
def test_collisions(paths: list[str], existing: list[str], found: tuple[str, ...]) -> None:
    assert collisions(paths, existing) == found


@pytest.mark.parametrize(
    ("pattern", "path", "covered"),
    [
        (".github/**", ".github/workflows/ci.yml", True),
        (".github/**", ".GitHub/x", True),
        (".github/**", "sub/.github/x", False),
        ("**/.github/**", "sub/.github/x", True),
        ("CODEOWNERS", "docs/CODEOWNERS", True),
        ("CODEOWNERS", "codeowners", True),
        ("/CODEOWNERS", "docs/CODEOWNERS", False),
        ("/CODEOWNERS", "CODEOWNERS", True),
        ("*.lock", "a/b/c.lock", True),
        ("*.lock", "c.lock.txt", False),
        ("a/*.py", "a/b.py", True),
        ("a/*.py", "a/b/c.py", False),
        ("a/**/c.py", "a/c.py", True),
        ("a/**/c.py", "a/x/y/c.py", True),
        ("a/**/c.py", "b/c.py", False),
        ("a/?.py", "a/b.py", True),
        ("a/?.py", "a/bb.py", False),
        ("secrets", "secrets/prod.env", True),
        ("secrets/", "x/secrets/prod.env", True),
        ("a/b", "a/b/c", True),
        ("a/b", "a/bc", False),
        ("**", "anything/at/all", True),
        ("", "a", False),
        ("/", "a", True),
        ("   ", "a", False),
        ("key[0-9].pem", "a/key7.pem", True),
        ("key[0-9].pem", "a/keyx.pem", False),
        ("ops/**", "\uff2fPS/x", True),
        ("ops/**", "o\u200bps/x", True),
        ("a**b", "axxb", True),
        ("é", "e\u0301", True),
    ],
)
def test_patterns(pattern: str, path: str, covered: bool) -> None:
    assert matches([pattern], path) is covered
    assert matches_any(["zzz", pattern], path) == (pattern if covered else None)


def test_the_first_pattern_that_covers_is_named() -> None:
    assert matches_any(["b", "a/", "a", "a/x"], "a/x") == "a/"
    assert matches_any(["a", "a/", "*"], "a/x") == "a"
    assert matches_any([], "a") is None


def test_a_hostile_pattern_cannot_hang() -> None:
    assert not matches(["*a" * 200 + "b"], "a" * 1_000)
    assert not matches(["**/a/" * 50 + "b"], "/".join("a" * 300))


@given(st.lists(WORDS, min_size=1, max_size=4), st.lists(WORDS, min_size=1, max_size=4))
def test_a_folder_pattern_covers_exactly_what_is_below(folder: list[str], rest: list[str]) -> None:
    pattern = "/" + "/".join(folder) + "/**"
    assert matches([pattern], "/".join([*folder, *rest]))
    assert not matches([pattern], "/".join(["zzz" * 4, *folder, *rest]))
