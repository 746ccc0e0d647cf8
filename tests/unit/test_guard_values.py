"""What variables can hold, and that a line passes only when it may whatever they hold."""

from __future__ import annotations

import pytest

from workers.guard import Profile, judge
from workers.guard.values import Values, choices
from workers.guard.words import ANYTHING, HOME, NOTHING, UNKNOWN, Word

REVIEWER = Profile.REVIEWER


@pytest.mark.parametrize("name", ["_", "REPLY", "BASH_COMMAND", "BASH_REMATCH", "PWD", "OLDPWD", "DIRSTACK", "-", "!"])
def test_what_the_shell_sets_itself_may_be_anything(name: str) -> None:
    assert Values(settled=True).variable(name) == ANYTHING


def test_a_variable_that_nothing_sets_holds_nothing_of_the_lines_choice() -> None:
    assert Values(settled=True).variable("BRANCH") == NOTHING
    assert Values().variable("BRANCH") == ANYTHING


def test_the_home_is_where_it_is_whatever_is_known_of_the_rest() -> None:
    assert Values().variable("HOME") == HOME == Values({"HOME": Word("x")}, settled=True).variable("HOME")


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("date +%Y-%m-%d", Word(UNKNOWN, bare=True)),
        ("date -u '+%F'", Word(UNKNOWN, bare=True)),
        ("nproc", Word(UNKNOWN, bare=True)),
        ("git rev-parse --short HEAD", NOTHING),
        ("git merge-base main HEAD", NOTHING),
        ("date", ANYTHING),
        ("date +-%F", ANYTHING),
        ("date '+ %F'", ANYTHING),
        ("date +%Z", ANYTHING),
        ("date +%F x", ANYTHING),
        ("git rev-parse -x", ANYTHING),
        ("git log -1 --format=%B", ANYTHING),
        ("git log -2 --format=%H", ANYTHING),
        ("echo a", ANYTHING),
        ("pwd", ANYTHING),
    ],
)
def test_some_commands_print_one_plain_word(command: str, word: Word) -> None:
    assert Values().printed(command) == word


def test_the_folder_is_known_while_nothing_leaves_it() -> None:
    assert Values(stays=True).printed("pwd").prefix == "/"
    assert judge("find $(pwd)", REVIEWER).allowed
    assert not judge("find $(pwd); cd x", REVIEWER).allowed
    assert not judge("sh -c 'find $(pwd)'", REVIEWER).allowed


def test_every_value_is_tried_and_none_at_all() -> None:
    tried = [values.variable("x") for values in choices({"x": [Word("a"), Word("b")]}, stays=False)]
    assert tried == [Word("a"), Word("b"), NOTHING]


def test_one_unknown_value_makes_all_unknown() -> None:
    assert [values.variable("x") for values in choices({"x": [Word("a"), None]}, stays=False)] == [ANYTHING]


def test_too_many_choices_are_none() -> None:
    assert len(list(choices({name: [Word("a")] for name in "abcd"}, stays=False))) == 16
    assert list(choices({name: [Word("a")] for name in "abcde"}, stays=False)) == []
    line = "; ".join(f"{name}=src" for name in "abcd") + "; find $a"
    assert judge(line, REVIEWER).allowed
    assert not judge("e=src; " + line, REVIEWER).allowed


@pytest.mark.parametrize(
    ("command", "allowed"),
    [
        ("d=src; find $d", True),
        ("d=src; find $d; d=-delete", False),
        ("for d in a b; do find $d; done", True),
        ("for d in a $(ls); do find $d; done", False),
        ("for d in src/*; do find $d; done", False),
        ("d=src; d+=/x; find $d", False),
        ("d='a b'; find $d", False),
        ("d='a b'; find \"$d\"", True),
        ("source x.sh; find $d", False),
        ("f=a.py; sort -o $f b", False),
        ("f=p; sed -n $f a", False),
        ("f=p; sed -n 1$f a", False),
        ("x=rm; $x a", False),
    ],
)
def test_a_line_passes_when_it_may_whatever_its_variables_hold(command: str, allowed: bool) -> None:
    assert judge(command, REVIEWER).allowed is allowed


def test_what_a_file_sets_is_not_known() -> None:
    assert judge("find $d -name a", Profile.IMPLEMENTER).allowed
    assert not judge(". ./x.sh; find $d -name a", Profile.IMPLEMENTER).allowed


def test_paths_that_find_separates_by_nul_are_no_options() -> None:
    assert judge("find . -print0 | xargs -0 rg x", REVIEWER).allowed
    for other in (
        "find . -print | xargs -0 rg x",
        "find . -print0 | xargs rg x",
        "find . -print0 | cat | xargs -0 rg x",
    ):
        assert not judge(other, REVIEWER).allowed, other
