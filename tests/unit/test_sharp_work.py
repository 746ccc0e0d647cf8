"""The work gate's evidence and edges: values, several steps and commands, cases of parametrised tests."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from bot.domain.citation import Citation, Pointed
from bot.domain.facts import WorkFacts
from bot.domain.gate import Reason, Verdict
from bot.gates.evidence import Proofs, contains, lines_with, occurrences
from bot.gates.work_gate import WORK_GATE
from tests.unit.test_gates_work import GOOD, PASSING, TEST, run


def _reasons(**changes: Any) -> dict[str, Reason]:
    facts = WorkFacts.model_validate(copy.deepcopy(GOOD) | changes)
    return {reason.verifier: reason for reason in WORK_GATE.evaluate(facts).reasons}


def test_the_evidence_holds_what_was_seen() -> None:
    found = _reasons()
    assert found["diff"].values == {"paths": ["calc.py", "new.py", "old.py"]}
    assert found["as it is"].values == {"exit_codes": {"pytest": 0, "lint": 0}}
    assert "None" not in found["as it is"].sentence
    assert found["planted test"].values == {"planted": "test_x1"}
    assert found["runner"] == Reason(
        "runner", Verdict.PASS, "The test runner's ids can be read.", {"ids_readable": True}
    )
    files = [{"path": TEST, "kind": "added", "role": "test"}]
    assert _reasons(test_files=files)["tests"].values == {"files": [TEST]}


def test_without_readable_ids_both_that_ask_say_so() -> None:
    blind = {"runs": [run(), run("lint")]}
    found = _reasons(base=blind, as_is=blind, base_tests=blind, planted={"runs": []})
    assert found["runner"].sentence == "The test runner's ids cannot be read; no existing test file changed."
    assert found["planted test"] == Reason(
        "planted test",
        Verdict.PASS,
        "The test runner's ids cannot be read, so no test could be planted; this raises risk.",
        {"marked": True},
    )


def test_an_unknown_step_hides_no_later_one() -> None:
    problems = _reasons(steps={"S9": ["x"], "S1": ["y"]})["steps"].values["problems"]
    assert problems == ["S9 is no step of the plan", "S1 changed y, which is not one of its paths"]


def test_what_was_refused_is_shown_escaped_only_where_it_must_be() -> None:
    refused = ["a\\b", "caf\u00e9", "a\tb"]
    assert _reasons(refused=refused)["refused"].values["problems"] == ["a\\b", "caf\\u00e9", "a\\x09b"]


def test_every_run_of_a_command_counts() -> None:
    twice = {"runs": [run(tests=PASSING), run(exit_code=3), run("lint")]}
    assert _reasons(as_is=twice)["as it is"].values["problems"] == ["pytest failed with exit code 3"]
    split = {"runs": [run(tests={name: "passed"}) for name in PASSING] + [run("lint")]}
    assert _reasons(as_is=split)["as it is"].verdict is Verdict.PASS


def test_at_most_five_broken_tests_are_named() -> None:
    broken = {"runs": [run(tests={f"t{n}": "failed" for n in range(7)}), run("lint")]}
    assert _reasons(as_is=broken)["as it is"].values["problems"][0] == (
        "pytest answered 0 and reports t0, t1, t2, t3, t4 as failed"
    )


def test_a_command_not_run_at_base_hides_no_later_one() -> None:
    base = {"runs": [run("lint", tests={"l": "passed"})]}
    problems = _reasons(base=base)["as it is"].values["problems"]
    assert problems == ["l passed at base and is gone now (as it is)"]


def test_a_refuted_proof_is_told_with_its_detail() -> None:
    proof = {"criterion": "A1", "proof": "p", "held": False, "detail": "d"}
    held = {"criterion": "A1", "proof": "q", "held": True, "detail": ""}
    assert _reasons(proofs=[proof])["proofs"].values["problems"] == ["A1 does not hold: d"]
    assert _reasons(proofs=[proof | {"detail": ""}])["proofs"].values["problems"] == ["A1 does not hold: p"]
    assert _reasons(proofs=[proof, held])["proofs"].values["problems"] == ["A1 does not hold: d"]
    assert _reasons(proofs=[held, held])["proofs"].verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("change", "file", "now", "verdict"),
    [
        ("delete", {"deleted": ["test_a"]}, "gone", Verdict.PASS),
        ("skip", {"deleted": ["test_a"]}, "gone", Verdict.FAIL),
        ("skip", {"skipped": ["test_a"]}, "skipped", Verdict.PASS),
        ("delete", {"skipped": ["test_a"]}, "skipped", Verdict.FAIL),
    ],
)
def test_only_what_was_announced_may_go(change: str, file: dict[str, Any], now: str, verdict: Verdict) -> None:
    plan = copy.deepcopy(GOOD["plan"]) | {"tests": [{"path": TEST, "change": change, "why": "w"}]}
    after = {name: outcome for name, outcome in PASSING.items() if not name.endswith("::test_a")}
    if now != "gone":
        after[f"{TEST}::test_a"] = now
    found = _reasons(
        plan=plan,
        test_files=[{"path": TEST, "kind": "modified", "role": "test"} | file],
        as_is={"runs": [run(tests=after), run("lint")]},
    )
    assert found["as it is"].verdict is verdict


def test_a_go_test_that_was_announced_covers_no_other() -> None:
    plan = copy.deepcopy(GOOD["plan"]) | {"tests": [{"path": "a_test.go", "change": "delete", "why": "w"}]}
    files = [{"path": "a_test.go", "kind": "modified", "role": "test", "deleted": ["TestA"]}]
    base = {"runs": [run(tests={"TestA": "passed", "m/TestB": "passed", "TestC": "passed"}), run("lint")]}
    found = _reasons(plan=plan, test_files=files, base=base, as_is={"runs": [run(tests={}), run("lint")]})
    assert found["as it is"].values["problems"] == [
        "TestC passed at base and is gone now (as it is)",
        "m/TestB passed at base and is gone now (as it is)",
    ]


def test_cases_may_change_their_brackets() -> None:
    plan = copy.deepcopy(GOOD["plan"]) | {"tests": [{"path": TEST, "change": "edit", "why": "w"}]}
    before = {f"{TEST}::test_b[x[1]]": "passed"}
    after = {f"{TEST}::test_b[y[2]]": "passed"}
    found = _reasons(
        plan=plan,
        test_files=[{"path": TEST, "kind": "modified", "role": "test"}],
        base={"runs": [run(tests=before), run("lint")]},
        as_is={"runs": [run(tests=after), run("lint")]},
    )
    assert found["as it is"].verdict is Verdict.PASS


# Evidence


def test_every_line_on_which_a_quote_stands() -> None:
    assert lines_with("x\naa\nb\naa\naa", "aa") == {2, 4, 5}
    assert lines_with("aaa", "aa") == {1}
    assert lines_with("ab\nab\nab", "ab\nab") == {1, 2, 3}
    assert lines_with("\n\nx", "x") == {3}
    assert lines_with("\nx", "x") == {2}
    assert lines_with("abc", "\n") == frozenset()


def test_only_plain_white_space_at_line_ends_is_tolerated() -> None:
    assert not contains("a long line\u00a0\nb", "a long line\nb")
    assert contains("a long line\t \r\nb", "a long line\nb")
    assert occurrences("b", "b\n\n") == 1
    assert occurrences("b", "\nb") == 0


SECRET = "hunter2-hunter2"


def test_both_sides_are_redacted_in_every_proof() -> None:
    hide = lambda text: text.replace(SECRET, "[hidden-1]")  # noqa: E731
    proofs = Proofs({"a.py": [f"key = {SECRET}"]}.get, {"key": f"key = {SECRET}"}, hide)
    quote = "key = [hidden-1]"
    assert proofs.problem(Citation(path="a.py", start_line=1, end_line=1, quote=quote)) == ""
    assert proofs.problem(Pointed(pointer="/key", quote=quote)) == ""


def test_a_problem_names_the_place() -> None:
    proofs = Proofs({"a.py": ["one long line"]}.get, {"a": "one long text"})
    cited = proofs.problem(Citation(path="a.py", start_line=1, end_line=1, quote="another line"))
    assert cited == "a.py:1-1 is not proven: the quote does not stand in these lines"
    pointed = proofs.problem(Pointed(pointer="/a", quote="another text"))
    assert pointed == "the pointer '/a' is not proven: the quote does not stand in that value"


def test_a_revision_that_is_not_at_hand_is_named_by_eight_digits() -> None:
    proofs = Proofs(lambda _path: None, {"a": 1})
    since = "0123456789"
    assert (
        proofs.untouched(Pointed(pointer="/a", quote="1"), since) == "the document of revision 01234567 is not at hand"
    )
    piece = Citation(path="a.py", start_line=1, end_line=1, quote="one long line")
    assert proofs.untouched(piece, since) == "the files of revision 01234567 are not at hand"


def test_what_changed_is_kept_by_path_and_revision() -> None:
    proofs = Proofs({"a": ["new line one"], "b": ["same line two"]}.get, earlier_lines={
        "1": {"a": ["old line one"], "b": ["same line two"]}.get,
        "2": {"a": ["new line one"], "b": ["was a line two"]}.get,
    })  # fmt: skip
    one = Citation(path="a", start_line=1, end_line=1, quote="new line one")
    two = Citation(path="b", start_line=1, end_line=1, quote="same line two")
    assert [proofs.untouched(piece, at) == "" for piece in (one, two) for at in ("1", "2")] == [
        True,
        False,
        False,
        True,
    ]


def test_a_path_that_leaves_the_repository_is_never_asked_for() -> None:
    asked: list[str] = []

    def lines(path: str) -> list[str]:
        asked.append(path)
        return ["a long enough line"]

    proofs = Proofs(lines, renamed_from={"ok": "../up"})
    assert proofs.found({"path": "../up", "start_line": 1, "end_line": 1}) == ""
    assert proofs.is_gone("../up") is False
    assert asked == ["ok"]
