"""The configuration's reports at their edges: places, counts, and values that only just agree."""

from __future__ import annotations

import pytest

from bot.domain.repo_config import MAX_BYTES, ConfigError, RepoConfig, check_config_report, parse_config

HEAD = ".github/conductor.yml"


def _said(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    return str(caught.value)


def test_a_problem_of_a_key_names_it_and_one_of_the_file_does_not() -> None:
    assert check_config_report("wip: 0") == [f"{HEAD}:1:6: wip: Input should be greater than or equal to 1."]
    assert check_config_report("[1]") == [f"{HEAD}:1:1: The file must be a mapping of keys to values."]
    large = "#" * (MAX_BYTES + 1)
    assert check_config_report(large) == [f"{HEAD}:1:1: The file has 65,537 bytes, and 65,536 are the most."]


def test_further_problems_are_counted() -> None:
    one, two, three = "wip: 0\n", "rounds: 0\n", "reviewers: 0\n"
    assert " more)" not in _said(one)
    assert _said(one + two).endswith("equal to 1. (and 1 more)")
    assert _said(one + two + three).endswith("equal to 1. (and 2 more)")


def test_a_long_host_is_shown_up_to_80_characters() -> None:
    (said,) = check_config_report(f"sandbox: {{egress: ['{'h' * 90}']}}")
    assert f" {'h' * 80!r} is no host name" in said


def test_reviewers_models_are_one_or_a_list() -> None:
    assert RepoConfig.model_validate({"models": {"reviewer": ["a", "b"]}}).models.reviewer == ("a", "b")
    assert RepoConfig.model_validate({"models": {"reviewer": "a"}}).models.reviewer == ("a",)
    assert check_config_report("models: {reviewer: 3}") == [
        f"{HEAD}:1:20: models.reviewer: This must be a list, not '3'."
    ]


def test_a_wrong_model_is_placed_where_it_stands() -> None:
    (said,) = check_config_report("wip: 2\nmodels:\n  reviewer: 'a b'\n")
    assert said.startswith(f"{HEAD}:3:13: models.reviewer: The value 'a b' does not have the form ")


def test_a_configuration_has_few_values() -> None:
    (said,) = check_config_report(f"ci: [{'a,' * 5_000}]")
    assert said.endswith(": There are more than 5,000 values, aliases counted in full.")


def test_a_byte_order_mark_counts_at_the_start_alone() -> None:
    assert check_config_report("\ufeffwip: 2") == []
    assert check_config_report("wip: 2\ufeff") != []


def test_a_run_may_cost_what_a_day_may() -> None:
    assert check_config_report("budget: {run: 10, day: 10}") == []
    assert check_config_report("budget: {run: 11, day: 10}") == [
        f"{HEAD}:1:9: budget: A run may cost $11 and a whole day $10: raise `day` or lower `run`."
    ]
