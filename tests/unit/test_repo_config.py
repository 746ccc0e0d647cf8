"""A repository's configuration: every mistake has a line, a column and a sentence, and no text of a stranger does harm."""

from __future__ import annotations

import pickle
import re

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.path_globs import glob_problem, matches, matching
from bot.domain.protected_paths import DEFAULT_PROTECTED
from bot.domain.repo_config import ConfigError, ConfigProblem, RepoConfig, check_config_report, parse_config

FULL = """
mode: dry-run
start_label: on
approvers: [ana, ben-2]
approvals: {not_author: true}
wip: 2
models:
  planner: claude-opus-5-5
  reviewer: [claude-sonnet-5-5, claude-haiku-5-5]
  implementer: claude-sonnet-5-5
reviewers: 2
rounds: 4
budget: {run: 2.5, day: 20}
setup: ["pip install -e ."]
verify:
  - make test
protected: ["migrations/**"]
financial_risk: [billing/]
publish: auto
ci: [lint, "build (3.11)"]
sandbox: {egress: [Packages.Example.com, "*.example.org"], toolchain: python3.12}
retention_days: 30
"""


def only(text: str) -> ConfigProblem:
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    assert len(caught.value.problems) == 1, caught.value.problems
    return caught.value.problems[0]


def test_every_key() -> None:
    config = parse_config(FULL)
    assert (config.mode, config.start_label, config.wip, config.rounds, config.publish) == (
        "dry-run",
        "on",
        2,
        4,
        "auto",
    )
    assert [config.models.for_seat(seat) for seat in (1, 2, 3)] == [
        "claude-sonnet-5-5",
        "claude-haiku-5-5",
        "claude-haiku-5-5",
    ]
    assert (config.budget.run, config.budget.day) == (2.5, 20)
    assert config.sandbox.egress == ("packages.example.com", "*.example.org")
    assert config.protected == ("migrations/**",)
    assert check_config_report(FULL) == []


@pytest.mark.parametrize("text", [None, "", "# nothing\n", "---\n", "\ufeff"])
def test_nothing_is_all_defaults(text: str | None) -> None:
    config = parse_config(text)
    assert config == RepoConfig()
    assert (config.mode, config.start_label, config.wip, config.reviewers, config.rounds) == (
        "active",
        "conductor",
        1,
        2,
        3,
    )
    assert (config.budget.run, config.budget.day, config.retention_days, config.publish) == (10, 50, 90, "risky")
    assert config.protected == DEFAULT_PROTECTED
    assert config.models.for_seat(1) is None


def test_one_model_serves_all_seats() -> None:
    config = parse_config("models: {reviewer: m-1}\nreviewers: 3")
    assert [config.models.for_seat(seat) for seat in (1, 2, 3)] == ["m-1"] * 3


@pytest.mark.parametrize(
    ("text", "line", "column", "key", "words"),
    [
        ("wip: 1\nmodel:\n  planner: x\n", 2, 1, "model", "did you mean 'models'"),
        ("wip: 1\nzzz: 2\n", 2, 1, "zzz", "known are: approvals, approvers, budget"),
        ("budget:\n  run: 1\n  dya: 2\n", 3, 3, "budget.dya", "did you mean 'day'"),
        ("wip: many\n", 1, 6, "wip", "a whole number, not 'many'"),
        ("wip: 0\n", 1, 6, "wip", "greater than or equal to 1"),
        ("wip: true\n", 1, 6, "wip", "a whole number"),
        ("rounds: '3'\n", 1, 9, "rounds", "a whole number"),
        ("verify: make test\n", 1, 9, "verify", "a list"),
        ("verify: [make, 3]\n", 1, 16, "verify[1]", "text, not '3'"),
        ("verify: [' ']\n", 1, 10, "verify[0]", "cannot be empty"),
        ('verify: ["a\\u202eb"]\n', 1, 10, "verify[0]", "U+202E"),
        ("mode: paused\n", 1, 7, "mode", "'active' or 'dry-run'"),
        ("approvals: [x]\n", 1, 12, "approvals", "a mapping"),
        ("approvers: ['a b']\n", 1, 13, "approvers[0]", "does not have the form"),
        ("models: {reviewer: [a, 3]}\n", 1, 24, "models.reviewer[1]", "text, not '3'"),
        ("models: {reviewer: []}\n", 1, 20, "models.reviewer", "at least 1 item"),
        ("models: {reviewer: [a, b, c]}\n", 1, 20, "models.reviewer", "3 models for 2 reviewers"),
        ("budget: {run: 60}\n", 1, 9, "budget", "raise `day`"),
        ("budget: {run: 0}\n", 1, 15, "budget.run", "greater than 0"),
        ("budget: {run: .inf}\n", 1, 15, "budget.run", "a number"),
        ("protected: ['!a']\n", 1, 13, "protected[0]", "exceptions are not supported"),
        ("protected: [../a]\n", 1, 13, "protected[0]", "from the top"),
        ("sandbox: {egress: ['http://x.org']}\n", 1, 20, "sandbox.egress[0]", "no host name"),
        ("sandbox: {egress: [169.254.169.254]}\n", 1, 20, "sandbox.egress[0]", "no host name"),
        ("sandbox: {egress: ['*']}\n", 1, 20, "sandbox.egress[0]", "no host name"),
        ("reviewers: 1\n", 1, 12, "reviewers", "greater than or equal to 2"),
        ("publish: always\n", 1, 10, "publish", "'auto', 'approval' or 'risky'"),
        ("wip: 1\nwip: 2\n", 2, 1, "wip", "a second time (first in line 1)"),
        ("verify: [a\nwip: 1\n", 2, 4, "", "expected ',' or ']'"),
        ("a:\n\tb: 1\n", 2, 1, "", "cannot start any token"),
        ("- a\n", 1, 1, "", "a mapping"),
        ("wip: &a [*a]\n", 1, 10, "wip[0]", "inside what it names"),
        ("wip: !!python/name:os.system x\n", 1, 6, "wip", "The tag"),
        ("<<: {wip: 1}\n", 1, 1, "", "Merge keys"),
    ],
)
def test_a_mistake_has_a_place_and_a_sentence(text: str, line: int, column: int, key: str, words: str) -> None:
    problem = only(text)
    assert (problem.line, problem.column, problem.key) == (line, column, key)
    assert words in problem.sentence
    assert check_config_report(text) == [str(problem)]
    assert str(problem).startswith(f".github/conductor.yml:{line}:{column}: ")


def test_all_mistakes_are_told_in_the_order_of_the_file() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config("rounds: x\nbudget: {day: y}\nwop: 1\nmode: z\n")
    assert [problem.key for problem in caught.value.problems] == ["rounds", "budget.day", "wop", "mode"]
    assert "(and 3 more)" in caught.value.sentence
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.problems == caught.value.problems


@pytest.mark.parametrize(
    "text",
    [
        "verify: [" + "x," * 40_000 + "]",
        "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"{n}: &{n} [{','.join(['*' + m] * 9)}]\n" for m, n in zip("abcdef", "bcdefg", strict=True)),
        "a: " + "[" * 30_000,
        "a: " + "{a: " * 10_000,
        "wip: 1\n" * 5_000,
        "a: \x00",
        "a: \ud800",
        "? " * 20_000,
        "- " * 30_000,
        "&" + "a" * 60_000 + " x",
        "!" * 60_000,
        "a: " + "9" * 60_000,
        "%YAML 9.9\n---\na",
        "--- a\n--- b\n",
    ],
)  # fmt: skip
def test_hostile_texts_are_refused_with_a_short_sentence(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    assert len(caught.value.sentence) < 1_000


def test_64_kib_are_the_most() -> None:
    parse_config("#" * 65_536)
    assert only("#" * 65_537).sentence == "The file has 65,537 bytes, and 65,536 are the most."
    assert "65,538 bytes" in only("#" + "\u00e9" * 32_768 + "#").sentence


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    for line in check_config_report(text):
        assert re.match(r"\.github/conductor\.yml:[1-9]\d*:[1-9]\d*: ", line)


def test_the_canonical_form_covers_the_defaults_and_nothing_else() -> None:
    assert rfc8785.dumps(parse_config("wip: 1").canonical()) == rfc8785.dumps(parse_config(None).canonical())
    assert rfc8785.dumps(parse_config("wip: 2").canonical()) != rfc8785.dumps(parse_config(None).canonical())
    assert set(RepoConfig().canonical()) == set(RepoConfig.model_fields)


@pytest.mark.parametrize(
    ("glob", "path", "expected"),
    [
        (".github/**", ".github/workflows/ci.yml", True),
        (".github/**", ".GitHub/x", True),
        (".github/**", "docs/.github/x", False),
        (".github/**", ".github", True),
        ("CODEOWNERS", "docs/codeowners", True),
        ("CODEOWNERS", "CODEOWNERS2", False),
        ("*.lock", "a/b/Cargo.LOCK", True),
        ("a/*.py", "a/b/c.py", False),
        ("a/**/c.py", "a/c.py", True),
        ("a/**/c.py", "a/x/y/c.py", True),
        ("**/a/**", "x/a/b", True),
        ("a/**/**/b", "a/b", True),
        ("docs/", "docs/x/y", True),
        ("docs/", "x/docs/y", True),
        ("/docs", "x/docs", False),
        ("/docs", "docs", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[ab].txt", "b.txt", True),
        ("[!ab].txt", "b.txt", False),
        ("[!ab].txt", "c.txt", True),
        ("[a", "[a", True),
        ("[z-a]", "[z-a]", True),
        ("a+b(c)", "a+b(c)", True),
        ("CLAUDE.md", "CLAU\u200bDE.md", True),
        ("CLAUDE.md", "\uff23LAUDE.md", True),
        ("CODEOWNERS", "CODEOWNERS. ", True),
        ("docs/*", "docs/a\uff0fb", True),
        ("caf\u00e9", "cafe\u0301", True),
        ("x\ny", "x\ny", True),
    ],
)
def test_patterns(glob: str, path: str, expected: bool) -> None:
    assert matches([glob], path) is expected
    assert matching(["nothing", glob], path) == (glob if expected else None)


@pytest.mark.parametrize(
    "path",
    [
        ".github/conductor.yml", "sub/package-lock.json", "uv.lock", "a/.gitattributes", ".gitmodules", ".circleci/config.yml",
        "pkg/conftest.py", "AGENTS.md", "sub/CLAUDE.md", "sub/.claude/settings.json", ".cursor/rules/a.mdc", "Jenkinsfile", "jest.config.mjs",
    ],
)  # fmt: skip
def test_what_is_protected_by_default(path: str) -> None:
    assert matches(DEFAULT_PROTECTED, path)


def test_code_is_not_protected_by_default() -> None:
    assert not any(
        matches(DEFAULT_PROTECTED, path) for path in ("src/calc.py", "README.md", "tests/test_a.py", "lock.py")
    )
    assert all(glob_problem(glob) == "" for glob in DEFAULT_PROTECTED)


def test_many_stars_take_no_time_to_speak_of() -> None:
    assert not matches(["**/" * 9 + "b"], "a/" * 5_000)
    assert not matches(["*a" * 20 + "b"], "a" * 250)


@pytest.mark.parametrize("glob", ["", " ", "!a", "a\\b", "../a", "a/./b", "*" * 21])
def test_patterns_that_are_refused(glob: str) -> None:
    assert glob_problem(glob)
