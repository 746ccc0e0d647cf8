"""The work gate: what was changed where, which tests were touched, and whether a green run means anything."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from bot.domain.facts import WorkFacts
from bot.domain.gate import GateResult, Verdict
from bot.gates.work_gate import WORK_GATE

TEST = "tests/test_calc.py"
PASSING = {f"{TEST}::test_a": "passed", f"{TEST}::test_b[1]": "passed"}


def run(command: str = "pytest", exit_code: int = 0, tests: Any = None, **changes: Any) -> dict[str, Any]:
    plain = {"command": command, "exit_code": exit_code, "timed_out": False, "seconds": 1.0, "output_tail": ""}
    return plain | {"tests": tests} | changes


def changed(path: str, kind: str = "modified", **changes: Any) -> dict[str, Any]:
    modes = {
        "added": {"new_mode": "100644"},
        "deleted": {"old_mode": "100644"},
        "modified": {"old_mode": "100644", "new_mode": "100644"},
    }
    return {"path": path, "kind": kind} | modes[kind] | changes


def in_diff(path: str, kind: str = "modified") -> dict[str, Any]:
    return {"path": path, "kind": kind, "old_mode": None, "new_mode": None, "old_blob": None, "new_blob": None}


GOOD: dict[str, Any] = {
    "plan": {
        "summary": "s",
        "acceptance": [{"id": "A1", "text": "t", "proof": {"test": f"{TEST}::test_a"}}],
        "steps": [
            {"id": "S1", "title": "t", "intent": "i", "paths": [{"path": "calc.py", "use": "edit"}], "covers": ["A1"]},
            {
                "id": "S2",
                "title": "t",
                "intent": "i",
                "paths": [
                    {"path": "new.py", "use": "create"},
                    {"path": "old.py", "use": "delete"},
                    {"path": TEST, "use": "edit"},
                ],
            },
        ],
    },
    "verify": ["pytest", "lint"],
    "steps": {"S1": ["calc.py"], "S2": ["new.py", "old.py"]},
    "changes": [changed("calc.py"), changed("new.py", "added"), changed("old.py", "deleted")],
    "diff": [in_diff("calc.py"), in_diff("new.py", "added"), in_diff("old.py", "deleted")],
    "protected": ["ops/**"],
    "base": {"runs": [run(tests=PASSING | {f"{TEST}::test_c": "failed"}, exit_code=1), run("lint")]},
    "as_is": {"runs": [run(tests=PASSING | {f"{TEST}::test_c": "passed"}), run("lint")]},
    "base_tests": {"runs": [run(tests=PASSING), run("lint")]},
    "planted": {
        "runs": [run(exit_code=1, tests={"test_x1": "failed"}), run("lint")],
        "planted": "test_x1",
        "planted_failed": True,
    },
    "proofs": [{"criterion": "A1", "proof": f"{TEST}::test_a", "held": True, "detail": ""}],
}

Change = Callable[[dict[str, Any]], None]


def ask(*changes: Change) -> GateResult:
    data = copy.deepcopy(GOOD)
    for change in changes:
        change(data)
    return WORK_GATE.evaluate(WorkFacts.model_validate(data))


def put(*way: str | int, value: Any) -> Change:
    def change(data: dict[str, Any]) -> None:
        at: Any = data
        for name in way[:-1]:
            at = at[name]
        at[way[-1]] = value

    return change


def also(path: str, kind: str = "modified", step: str | None = "S2", use: str | None = None, **more: Any) -> Change:
    """One more changed path, planned as ``use`` when that is given."""

    def change(data: dict[str, Any]) -> None:
        data["changes"].append(changed(path, kind, **more))
        data["diff"].append(in_diff(path, kind))
        if step:
            data["steps"].setdefault(step, []).append(path)
        if use:
            data["plan"]["steps"][1]["paths"].append({"path": path, "use": use})

    return change


def touch_tests(*, said: tuple[str, ...] = (), **fact: Any) -> Change:
    def change(data: dict[str, Any]) -> None:
        file = {"path": TEST, "role": "test", "kind": "modified"} | fact
        data["test_files"] = [file]
        data["plan"]["tests"] = [{"path": file["path"], "change": one, "why": "w"} for one in said]

    return change


def refused_by(result: GateResult, verifier: str, says: str, verdict: Verdict = Verdict.FAIL) -> None:
    assert not result.is_open
    reasons = [reason for reason in result.reasons if reason.verifier == verifier and reason.verdict is verdict]
    assert any(says in reason.sentence for reason in reasons), result.closed_by


def test_good_work_passes() -> None:
    result = ask()
    assert result.is_open, result.closed_by
    assert len(result.reasons) == 16


@pytest.mark.parametrize(
    ("verifier", "says", "change"),
    [
        ("merge", "calc.py did not merge", put("conflicts", value=["calc.py"])),
        ("diff", "nothing was changed", put("changes", value=[])),
        ("diff", "calc.py changed and is not in the diff", put("diff", value=[])),
        ("diff", "x.py is in the diff and did not change", lambda data: data["diff"].append(in_diff("x.py"))),
        ("steps", "S1 changed new.py", put("steps", "S1", value=["new.py"])),
        ("steps", "S9 is no step", put("steps", "S9", value=["calc.py"])),
        ("steps", "extra.py was added and no step names it", also("extra.py", "added", None)),
        (
            "steps",
            "calc.py was deleted; the plan allows modified",
            put("changes", 0, value=changed("calc.py", "deleted")),
        ),
        ("steps", "new.py was modified; the plan allows added", put("changes", 1, value=changed("new.py"))),
        ("paths", "may take for .git", also("a/.Git/config", "added")),
        ("paths", "absolute", also("/etc/x", "added")),
        ("paths", "collides", also("New.py", "added")),
        ("modes", "calc.py is a link", put("changes", 0, "new_mode", value="120000")),
        ("modes", "calc.py is a submodule", put("changes", 0, "old_mode", value="160000")),
        ("modes", "from 100644 to 100755", put("changes", 0, "new_mode", value="100755")),
        ("modes", "is not known", put("changes", 0, value={"path": "calc.py", "kind": "modified"})),
        ("modes", "calc.py: too large", put("changes", 0, "problem", value="too large")),
        ("refused", "S1: .git/config", put("refused", value=["S1: .git/config"])),
        ("refused", "\\u202e", put("refused", value=["S1: a\u202eb"])),
        ("secrets", "calc.py adds what looks like a secret (aws-key)", put("changes", 0, "secrets", value=["aws-key"])),
        ("workflows", "CI workflow", also(".github/workflows/x.yml", "added", use="create")),
        ("protected", "ops/x is protected", also("ops/x", use="edit")),
        ("canaries", "canary", put("canaries", value=["decoy file read"])),
    ],
)
def test_bad_work_is_refused_with_the_reason(verifier: str, says: str, change: Change) -> None:
    refused_by(ask(change), verifier, says)


def test_a_protected_path_that_the_plan_names_is_fine() -> None:
    assert ask(also("ops/x", use="edit"), put("plan", "risks", value=[{"text": "ops/x", "mitigation": "m"}])).is_open


def test_a_new_executable_is_no_trick() -> None:
    assert ask(put("changes", 1, "new_mode", value="100755")).is_open


# Tests


@pytest.mark.parametrize(
    ("fact", "needed"),
    [
        ({"kind": "deleted"}, "delete"),
        ({"deleted": ["test_a"]}, "delete"),
        ({"skipped": ["test_a"]}, "skip"),
        ({"emptied": ["test_a"]}, "delete"),
        ({"weakened": ["test_a"]}, "edit"),
        ({"readable": False}, "edit"),
        ({"path": "conftest.py", "role": "configuration", "kind": "added"}, "add"),
        ({"path": "pytest.ini", "role": "configuration", "kind": "modified"}, "edit"),
        ({"path": "pytest.ini", "role": "configuration", "kind": "deleted"}, "delete"),
    ],
)
def test_tampering_with_tests_must_be_announced(fact: dict[str, Any], needed: str) -> None:
    refused_by(ask(touch_tests(**fact)), "tests", f"must say {needed}")
    wrong = "add" if needed != "add" else "edit"
    if fact != {"readable": False}:
        refused_by(ask(touch_tests(said=(wrong,), **fact)), "tests", f"must say {needed}")
    assert ask(touch_tests(said=(needed,), **fact)).is_open


def test_why_a_file_is_the_runner_s_is_said() -> None:
    reaching = touch_tests(path="calc.py", role="configuration", why="reaches for os._exit")
    refused_by(ask(reaching), "tests", "calc.py reaches for os._exit and was modified; the plan's tests must say edit")


def test_a_file_whose_own_runner_cannot_be_read_stays_as_it_is() -> None:
    other = touch_tests(path="web/a.test.ts", weakened=["adds"], followed=False, said=("edit",))
    refused_by(ask(other), "runner", "web/a.test.ts was modified, and the test runner's ids cannot be read")
    assert ask(touch_tests(path="web/b.test.ts", kind="added", followed=False)).is_open


@pytest.mark.parametrize(
    ("hollow", "proof", "open_"),
    [
        ("test_a", f"{TEST}::test_a", False),
        ("test_a", TEST, False),
        ("TestX::test_a", f"{TEST}::TestX", False),
        ("test_a", f"{TEST}::test_a[1]", False),
        ("test_z", f"{TEST}::test_a", True),
        ("test_a", "tests/test_other.py::test_a", True),
        ("test_a", "lint", True),
    ],
)
def test_a_proof_that_asserts_nothing_proves_nothing(hollow: str, proof: str, open_: bool) -> None:
    def change(data: dict[str, Any]) -> None:
        data["plan"]["acceptance"][0]["proof"] = {"command": proof} if proof == "lint" else {"test": proof}

    result = ask(touch_tests(hollow=[hollow]), change)
    assert result.is_open is open_
    if not open_:
        refused_by(result, "proofs", "asserts nothing that can fail")


def test_every_kind_of_loss_is_told() -> None:
    result = ask(touch_tests(said=("edit",), deleted=["a"], skipped=["b"], emptied=["c"], weakened=["d"]))
    for says in ("deletes a", "skips b", "empties c"):
        refused_by(result, "tests", says)
    assert "weakens" not in " ".join(result.closed_by)


def test_new_tests_and_harmless_edits_need_no_word() -> None:
    assert ask(touch_tests()).is_open
    assert ask(touch_tests(path="tests/test_more.py", kind="added")).is_open


def _unreadable(data: dict[str, Any]) -> None:
    for name in ("base", "as_is", "base_tests"):
        for one in data[name]["runs"]:
            one["tests"] = None
            one["exit_code"] = 0
    data["planted"] = {"planted_failed": None}


def test_a_runner_without_ids_is_marked_and_leaves_existing_tests_alone() -> None:
    result = ask(_unreadable)
    assert result.is_open, result.closed_by
    assert any(reason.values.get("marked") for reason in result.reasons)
    assert any(reason.values.get("ids_readable") is False for reason in result.reasons)
    for kind, said in (("modified", "edit"), ("deleted", "delete")):
        refused_by(ask(_unreadable, touch_tests(kind=kind, said=(said,))), "runner", "cannot be read to follow")
    assert ask(_unreadable, touch_tests(path="tests/more.sh", kind="added")).is_open
    assert ask(_unreadable, touch_tests(path="run.cfg", role="configuration", said=("edit",))).is_open


# Runs


@pytest.mark.parametrize(("name", "verifier"), [("as_is", "as it is"), ("base_tests", "base's tests")])
@pytest.mark.parametrize(
    ("runs", "says"),
    [
        ([run(exit_code=1, tests=PASSING), run("lint")], "pytest failed with exit code 1"),
        ([run(tests=PASSING), run("lint", 2)], "lint failed with exit code 2"),
        ([run(tests=PASSING, timed_out=True), run("lint")], "did not end in time"),
        ([run(tests=PASSING | {"t": "failed"}), run("lint")], "answered 0 and reports t as failed"),
        ([run(tests=PASSING | {"t": "error"}), run("lint")], "reports t"),
        (
            [run(tests=PASSING | {f"{TEST}::test_a": "skipped"}), run("lint")],
            "test_a passed at base and is skipped now",
        ),
        ([run(tests={f"{TEST}::test_a": "passed"}), run("lint")], "test_b[1] passed at base and is gone now"),
        ([run(tests=None), run("lint")], "is gone now"),
        ([run(tests=PASSING), run("lint"), run("lint", 1)], "lint failed"),
    ],
)
def test_runs_that_do_not_pass(name: str, verifier: str, runs: list[Any], says: str) -> None:
    refused_by(ask(put(name, "runs", value=runs)), verifier, says)


@pytest.mark.parametrize(
    ("verifier", "says", "change"),
    [
        ("as it is", "lint was not run", put("as_is", "runs", value=[run(tests=PASSING)])),
        ("base's tests", "lint was not run", put("base_tests", "runs", value=[run(tests=PASSING)])),
        ("as it is", "pytest was not run at base", put("base", "runs", value=[run("lint")])),
        ("as it is", "no verify command", put("verify", value=[])),
        ("proofs", "A1 was not proved", put("proofs", value=[])),
        (
            "proofs",
            "not known: no such test",
            put("proofs", 0, value=GOOD["proofs"][0] | {"held": None, "detail": "no such test"}),
        ),
        ("planted test", "No failing test was planted", put("planted", value={})),
        ("planted test", "no run shows it", put("planted", "runs", value=[])),
        ("planted test", "no run shows it", put("planted", "planted", value="")),
    ],
)
def test_what_is_not_known_closes_it(verifier: str, says: str, change: Change) -> None:
    refused_by(ask(change), verifier, says, Verdict.UNKNOWN)


def test_a_proof_that_does_not_hold() -> None:
    refused_by(ask(put("proofs", 0, "held", value=False)), "proofs", "A1 does not hold")
    twice = [GOOD["proofs"][0] | {"held": False, "detail": "it failed"}, GOOD["proofs"][0]]
    refused_by(ask(put("proofs", value=twice)), "proofs", "A1 does not hold: it failed")


def test_forged_green_runs_are_found_by_the_planted_test() -> None:
    refused_by(ask(put("planted", "planted_failed", value=False)), "planted test", "means nothing")
    said = put(
        "planted",
        value={**GOOD["planted"], "planted_failed": False, "planted_problem": "test_a was reported as passed"},
    )
    refused_by(ask(said), "planted test", "A failing test was planted, and test_a was reported as passed; a green run")
    one_silent = [run(exit_code=1, tests={"test_x1": "failed"}), run("more", tests={"test_x1": "failed"})]
    refused_by(
        ask(put("planted", "runs", value=one_silent)), "planted test", "more reported a failed test and answered 0"
    )
    all_green = [run(tests={"test_x1": "failed"}), run("lint")]
    refused_by(ask(put("planted", "runs", value=all_green)), "planted test", "still answered 0")


def test_a_runner_that_lost_its_ids_is_not_excused_from_the_planted_test() -> None:
    def change(data: dict[str, Any]) -> None:
        data["as_is"]["runs"] = [run(), run("lint")]
        data["planted"] = {}

    refused_by(ask(change), "planted test", "No failing test", Verdict.UNKNOWN)


# Tests that go as announced


def lose(*tests: str, outcome: str | None = None) -> Change:
    def change(data: dict[str, Any]) -> None:
        for name in ("as_is", "base_tests"):
            found = data[name]["runs"][0]["tests"]
            for test in tests:
                found.pop(test)
                if outcome:
                    found[test] = outcome

    return change


@pytest.mark.parametrize(
    ("lost", "outcome", "fact", "open_"),
    [
        (f"{TEST}::test_a", None, {"kind": "deleted", "said": ("delete",)}, True),
        (f"{TEST}::test_a", None, {"deleted": ["test_a"], "said": ("delete",)}, True),
        (f"{TEST}::test_b[1]", None, {"deleted": ["test_b"], "said": ("delete",)}, True),
        (f"{TEST}::test_a", None, {"deleted": [f"{TEST}::test_a"], "said": ("delete",)}, True),
        (f"{TEST}::test_a", "skipped", {"skipped": ["test_a"], "said": ("skip",)}, True),
        (f"{TEST}::test_a", None, {"deleted": ["test_z"], "said": ("delete",)}, False),
        (f"{TEST}::test_a", None, {"said": ("edit",)}, False),
        (f"{TEST}::test_b[1]", None, {"said": ("edit",)}, False),
        (f"{TEST}::test_a", "skipped", {"said": ("skip",)}, False),
    ],
)
def test_tests_go_only_as_announced(lost: str, outcome: str | None, fact: dict[str, Any], open_: bool) -> None:
    result = ask(lose(lost, outcome=outcome), touch_tests(**fact))
    assert result.is_open is open_, result.closed_by


@pytest.mark.parametrize(
    ("path", "test", "excused"),
    [
        ("a/a_test.go", "m/a/TestX", True),
        ("a/a_test.go", "m/a/TestX/case_1", True),
        ("a/a_test.go", "m/b/TestX", False),
        ("a/a_test.go", "m/a/TestXY", False),
        ("a_test.go", "m/TestX", True),
    ],
)
def test_go_s_tests_of_one_name_in_two_packages(path: str, test: str, excused: bool) -> None:
    def goes(data: dict[str, Any]) -> None:
        data["base"]["runs"][0]["tests"] = {test: "passed"}
        for name in ("as_is", "base_tests"):
            data[name]["runs"][0]["tests"] = {"other": "passed"}

    assert ask(goes, touch_tests(path=path, said=("delete",), deleted=["TestX"])).is_open is excused


def test_a_parametrised_test_may_change_its_cases_when_an_edit_is_announced() -> None:
    def other_case(data: dict[str, Any]) -> None:
        for name in ("as_is", "base_tests"):
            data[name]["runs"][0]["tests"][f"{TEST}::test_b[2]"] = "passed"

    lost = lose(f"{TEST}::test_b[1]")
    assert ask(lost, other_case, touch_tests(said=("edit",))).is_open
    assert not ask(lost, other_case, touch_tests()).is_open
    failing = lose(f"{TEST}::test_b[1]", outcome="skipped")
    assert not ask(failing, other_case, touch_tests(said=("edit",))).is_open


def gone(test: str) -> Change:
    def change(data: dict[str, Any]) -> None:
        data["base"]["runs"][0]["tests"] = {test: "passed"}
        for name in ("as_is", "base_tests"):
            data[name]["runs"][0]["tests"] = {"other": "passed"}

    return change


@pytest.mark.parametrize(
    ("path", "name", "test", "excused"),
    [
        (TEST, "TestX.test_q", f"{TEST}::TestX::test_q", True),
        (TEST, "TestX::test_q", f"{TEST}::TestX::test_q[1]", True),
        (TEST, "test_q", f"{TEST}::TestX::test_q", False),
        (TEST, "test_q", "test_q", False),
        # unittest: the module as it is told from the root, from src/ or from the tests' own folder
        (TEST, "TestX::test_q", "tests.test_calc.TestX.test_q", True),
        (f"src/{TEST}", "TestX::test_q", "tests.test_calc.TestX.test_q", True),
        (TEST, "TestX::test_q", "test_calc.TestX.test_q", True),
        ("tests/__init__.py", "TestX::test_q", "tests.TestX.test_q", True),
        (TEST, "TestX::test_q", "TestX.test_q", False),
        (TEST, "TestX::test_q", "more.tests.test_calc.TestX.test_q", False),
        (TEST, "TestX::test_q", "tests.test_other.TestX.test_q", False),
        (TEST, "TestX::test_q", "tests.test_calc.TestX.test_qq", False),
        (TEST, "TestX::test_q", "my_test_calc.TestX.test_q", False),
        # Node: a title from the outermost group on, before it at most the file
        ("a.test.js", "adds", "adds", True),
        ("a.test.js", "group > adds", "group > adds", True),
        ("a.test.js", "adds", "never adds", False),
        ("a.test.js", "adds", "group > adds", False),
        ("a.test.js", "a::b", "a::b", True),
        ("web/a.test.js", "adds", "web/a.test.js > adds", True),
        ("web/a.test.js", "group > adds", "web/a.test.js > group > adds", True),
        ("web/a.test.js", "adds", "/w/web/a.test.js > adds", True),
        ("web/a.test.js", "adds", "/w/myweb/a.test.js > adds", False),
        ("web/a.test.js", "adds", "web/a.test.js > adds more", False),
    ],
)
def test_what_is_announced_is_found_by_its_id_and_nothing_else_is(
    path: str, name: str, test: str, excused: bool
) -> None:
    assert ask(gone(test), touch_tests(path=path, said=("delete",), deleted=[name])).is_open is excused


def test_another_test_of_the_file_is_still_missed() -> None:
    lost = gone("tests.test_calc.TestX.test_r")
    announced = touch_tests(said=("delete",), deleted=["TestX::test_q"])
    refused_by(ask(lost, announced), "as it is", "tests.test_calc.TestX.test_r passed at base and is gone now")


@pytest.mark.parametrize(
    ("path", "hollow", "proof", "says"),
    [
        ("a.test.js", "adds 1.5", "adds 1.5", "a.test.js::adds 1.5"),
        ("a.test.js", "adds", "never adds", ""),
        ("a_test.go", "TestAdd", "m/TestAdd", "a_test.go::TestAdd"),
        ("a_test.go", "TestAdd", "m/TestAddMore", ""),
        ("tests/test_x.py", "TestX::test_a", "tests.test_x.TestX.test_a", "tests/test_x.py::TestX::test_a"),
        ("tests/test_x.py", "TestX::test_a", "tests.test_x.TestX.test_b", ""),
    ],
)
def test_a_proof_of_any_runner_that_asserts_nothing_proves_nothing(
    path: str, hollow: str, proof: str, says: str
) -> None:
    def change(data: dict[str, Any]) -> None:
        data["plan"]["acceptance"][0]["proof"] = {"test": proof}

    result = ask(touch_tests(path=path, hollow=[hollow]), change)
    assert result.is_open is (not says)
    if says:
        refused_by(result, "proofs", f"A1 is not proved: {says} asserts nothing that can fail")
