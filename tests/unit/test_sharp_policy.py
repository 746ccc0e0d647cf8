"""What a decision and a refused policy say, and the exposure of workflows at its edges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.domain.errors import SettingsError
from bot.policy.decide import PolicySet
from bot.policy.exposure import exposures

SCHEMA = """
entity Process;
entity Target;
action "look" appliesTo { principal: Process, resource: Target, context: { n: Long } };
"""
PERMIT = '@id("may") @because("all may") permit(principal, action, resource);\n'
FORBID = '@id("not") @because("nobody may") forbid(principal, action, resource) when { context.n > 1 };\n'
ONE = {"uid": {"type": "Process", "id": "p"}, "attrs": {}, "parents": []}
TWO = {"uid": {"type": "Target", "id": "t"}, "attrs": {}, "parents": []}


def _refused(texts: dict[str, str], schema: str = SCHEMA) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        PolicySet(texts, schema)
    return caught.value


def test_a_sentence_says_what_was_decided_and_by_what() -> None:
    policies = PolicySet({"a": PERMIT + FORBID}, SCHEMA)
    assert policies.ask(ONE, "look", TWO, {"n": 1}).sentence == "look is allowed: all may (may)"
    assert policies.ask(ONE, "look", TWO, {"n": 2}).sentence == "look is denied: nobody may (not)"
    wrong = policies.ask(ONE, "look", TWO, {"n": "x"})
    assert not wrong.allowed
    assert "None" not in wrong.sentence
    assert wrong.sentence == f"look is denied because the policies could not be evaluated: {wrong.errors[0]}"


def test_an_overflow_in_a_condition_is_told_in_cedars_words() -> None:
    policies = PolicySet(
        {"a": PERMIT + '@id("o") forbid(principal, action, resource) when { context.n + 1 > 2 };'}, SCHEMA
    )
    decision = policies.ask(ONE, "look", TWO, {"n": 2**63 - 1})
    assert not decision.allowed
    assert "overflow" in decision.sentence


def test_a_set_is_named_by_all_that_decides() -> None:
    first = PolicySet({"a": PERMIT}, SCHEMA).sha256
    assert len(first) == 64
    assert first == PolicySet({"a": PERMIT}, SCHEMA).sha256
    others = {
        PolicySet({"b": PERMIT}, SCHEMA).sha256,
        PolicySet({"a": PERMIT + FORBID}, SCHEMA).sha256,
        PolicySet({"a": PERMIT}, SCHEMA + "entity More;").sha256,
    }
    assert len(others | {first}) == 4


def test_a_refused_set_names_the_file_and_the_cause() -> None:
    schema = _refused({"a": PERMIT}, "entity")
    assert schema.fields == {"file": "conductor.cedarschema"}
    syntax = _refused({"a.cedar": "permit("})
    assert syntax.fields["file"] == "a.cedar"
    assert syntax.fields["why"] not in {"", "None", None}
    assert syntax.sentence == f"The policy file a.cedar cannot be used: {syntax.fields['why']}"
    twice = _refused({"a": PERMIT, "b": PERMIT})
    assert twice.fields == {"file": "b", "why": "the id 'may' is used twice; give each policy its own"}


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        PolicySet.load(tmp_path / "gone")
    assert caught.value.fields == {"path": str(tmp_path / "gone")}


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "odd.cedar").write_bytes(b"\xff")
    with pytest.raises(SettingsError) as caught:
        PolicySet.load(tmp_path)
    assert caught.value.fields["file"] == "odd.cedar"
    assert caught.value.fields["why"].startswith("it cannot be read (")


def _reasons(text: str) -> tuple[str, ...]:
    return tuple(reason for found in exposures({".github/workflows/a.yml": text}) for reason in found.reasons)


@pytest.mark.parametrize(
    ("jobs", "reasons"),
    [
        ("{odd: 1, next: {environment: e, uses: u}}", ("job odd cannot be read", "it names an environment")),
        (f"{{{'j' * 50}: 1}}", (f"job {'j' * 40} cannot be read",)),
    ],
)
def test_every_job_is_looked_at(jobs: str, reasons: tuple[str, ...]) -> None:
    assert _reasons(f"on: push\njobs: {jobs}") == reasons


def test_a_workflow_of_the_largest_size_is_read() -> None:
    text = "on: push\njobs: {a: {uses: u}}\n"
    padded: dict[str, Any] = {str(more): text + " " * (1_000_000 - len(text) + more) for more in (0, 1)}
    assert _reasons(padded["0"]) == ()
    assert _reasons(padded["1"]) == ("it is longer than 1000000 characters and was not read",)
