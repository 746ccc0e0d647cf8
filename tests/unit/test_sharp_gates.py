"""What gates hand on as evidence: the values they saw, and the sentences at their edges."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from bot.domain.facts import ApprovalClaim, ApprovalFacts, Delivered, PlanFacts, ReviewRound, SeatReview
from bot.domain.gate import Gate, Reason, Verdict
from bot.domain.plan import Plan
from bot.domain.work import FileDiff
from bot.gates.approval_gate import APPROVAL_GATE, QUIET_MS
from bot.gates.coverage import uncovered, uncovered_citations
from bot.gates.evidence import MIN_QUOTE_CHARACTERS
from bot.gates.plan_commands import test_id_problem as id_problem
from bot.gates.plan_gate import MAX_BODY_BYTES, MAX_DOCUMENT_BYTES, MAX_PLAN_PATHS, PLAN_GATE
from bot.gates.reasons import MAX_TOLD, judged, together, unknown
from bot.gates.renames import MOST_COMPARED, renames
from bot.gates.review_gate import REVIEW_GATE
from tests.unit.test_gates_plan import GOOD

SHA = "abcdef01" + "2" * 56
SHOWN = 1_700_000_000_000
LATER = SHOWN + 10 * QUIET_MS


def _reasons(gate: Gate[Any], facts: Any) -> dict[str, Reason]:
    return {reason.verifier: reason for reason in gate.evaluate(facts).reasons}


def _claim(login: str = "ana", user_id: int = 1, **changes: Any) -> ApprovalClaim:
    plain = {"source": "comment", "source_id": 7, "user_id": user_id, "login": login, "is_person": True}
    more = {"same_person": True, "permission": "write", "role_name": "write", "created_at": LATER}
    return ApprovalClaim.model_validate(plain | more | changes)


def _approval(*claims: ApprovalClaim, **changes: Any) -> dict[str, Reason]:
    plain = {"subject_sha256": SHA, "shown_at": SHOWN, "claims": claims, "issue_author_id": 99}
    return _reasons(APPROVAL_GATE, ApprovalFacts.model_validate(plain | changes))


def test_an_approvals_evidence_holds_what_was_seen() -> None:
    found = _approval(_claim(), _claim("bo", 2, permission="admin"))
    assert {name: reason.verdict for name, reason in found.items()} == dict.fromkeys(found, Verdict.PASS)
    assert found["shown"] == Reason("shown", Verdict.PASS, "It was shown on GitHub.", {"shown_at": SHOWN})
    assert found["issue"].values == {"changed": []}
    assert found["base"].values == {"changed": []}
    assert found["people"].sentence == "Approved by @ana, @bo."
    assert found["people"].values == {"high_risk": False, "user_ids": ["1", "2"], "maintainers": ["bo"]}
    assert found["people"].below[0] == Reason(
        "claim of @ana",
        Verdict.PASS,
        "@ana's approval counts.",
        {"source": "comment 7", "user_id": "1", "permission": "write", "role": "write"},
    )


def test_a_refused_approvals_evidence_holds_what_was_seen() -> None:
    found = _approval(
        _claim(), issue_changed=("title",), base_changed=("a.py",), high_risk=True, body_problem="...a line differs."
    )
    assert found["issue"].values["changed"] == ["title"]
    assert found["base"].values["changed"] == ["a.py"]
    assert found["body"].sentence == (
        "The text shown on GitHub differs: ...a line differs; /conductor revise shows it anew."
    )
    values = {"high_risk": True, "user_ids": ["1"], "maintainers": []}
    assert (found["people"].verdict, found["people"].values) == (Verdict.FAIL, values)
    assert [reason.verifier for reason in found["people"].below] == ["claim of @ana"]
    assert found["people"].sentence.startswith("High risk needs one person with maintain or admin, or a second person")
    nobody = _approval()["people"]
    assert nobody == Reason(
        "people",
        Verdict.FAIL,
        "Nobody approved yet; /conductor approve does.",
        {"high_risk": False, "user_ids": [], "maintainers": []},
    )


@pytest.mark.parametrize(
    ("changes", "more", "sentence"),
    [
        ({}, {"shown_at": None}, "@ana approved what was not shown yet; approve it once it is."),
        (
            {"created_at": SHOWN - 1},
            {},
            "@ana approved before abcdef01 was shown; /conductor approve abcdef01 approves it.",
        ),
        (
            {},
            {"other_shown_at": LATER - 1},
            "@ana approved abcdef01 after another one was shown; read that one, then approve it.",
        ),
        (
            {"created_at": LATER + 1},
            {"other_shown_at": LATER + 1},
            "@ana approved abcdef01 after another one was shown; read that one, then approve it.",
        ),
        (
            {"created_at": SHOWN + 1},
            {"other_shown_at": SHOWN},
            "Another one was shown within the 120 s before @ana's comment; /conductor approve abcdef01 says that this one is meant.",
        ),
    ],
)
def test_times_at_their_edges(changes: dict[str, Any], more: dict[str, Any], sentence: str) -> None:
    assert _approval(_claim(**changes), **more)["people"].sentence == sentence


def _seat(number: int, **changes: Any) -> SeatReview:
    return SeatReview.model_validate({"seat": f"r.{number}", "subject_sha256": SHA, "verdict": "approve"} | changes)


def _round(*reviews: SeatReview, **changes: Any) -> dict[str, Reason]:
    plain = {"subject_sha256": SHA, "seats": ("r.1", "r.2"), "reviews": reviews}
    return _reasons(REVIEW_GATE, ReviewRound.model_validate(plain | changes))


def test_a_rounds_evidence_holds_what_was_seen() -> None:
    found = _round(_seat(1), _seat(2))
    assert found["seats"].values == {"seats": ["r.1", "r.2"]}
    assert found["answers"].values == {"reviews": {"r.1": 1, "r.2": 1}}
    assert found["subject"] == Reason("subject", Verdict.PASS, "All reviews judge abcdef01.", {"subject": SHA})
    assert found["findings"].values == {"open": []}
    other = _round(_seat(1), _seat(2, subject_sha256="b" * 64), open_findings=("F1",))
    assert other["subject"].sentence == "r.2 judged bbbbbbbb, under review is abcdef01."
    assert other["findings"].values["open"] == ["F1"]


def test_no_review_at_all_is_unknown_to_each_that_asks() -> None:
    found = _round()
    for name in ("approvals", "coverage"):
        assert found[name] == Reason(name, Verdict.UNKNOWN, "there is no review.", {"missing": ["there is no review"]})


def _delivered(*ranges: tuple[int, int], side: str = "head") -> list[Delivered]:
    return [Delivered.model_validate({"side": side, "path": "a", "start_line": s, "end_line": e}) for s, e in ranges]


def _diff(path: str, *hunks: tuple[int, int], binary: bool = False) -> FileDiff:
    told = [{"base_start": s, "base_count": 0, "head_start": s, "head_count": n} for s, n in hunks]
    plain = {"path": path, "kind": "modified", "old_mode": "100644", "new_mode": "100644", "hunks": told}
    return FileDiff.model_validate(plain | {"old_blob": "a" * 40, "new_blob": "b" * 40, "binary": binary})


def test_a_binary_file_hides_no_later_one() -> None:
    assert uncovered([_diff("x", binary=True), _diff("b", (1, 1))], []) == ("b line 1 (head)",)


@pytest.mark.parametrize("ranges", [((1, 3), (4, 6)), ((1, 4), (4, 6)), ((1, 5), (2, 3), (6, 6)), ((1, 1), (2, 6))])
def test_touching_deliveries_are_one(ranges: tuple[tuple[int, int], ...]) -> None:
    assert uncovered([_diff("a", (1, 6))], _delivered(*ranges)) == ()


def test_every_citation_that_was_not_opened_is_told() -> None:
    cited = [{"path": "a", "start_line": n, "end_line": n, "quote": "x" * 20} for n in (1, 3)]
    plan = Plan.model_validate({"summary": "x", "grounds": cited})
    assert uncovered_citations(plan, []) == ("a line 1 (base)", "a line 3 (base)")


def _plan(**changes: Any) -> dict[str, Reason]:
    return _reasons(PLAN_GATE, PlanFacts.model_validate(copy.deepcopy(GOOD) | changes))


def test_a_plans_evidence_holds_what_was_seen() -> None:
    found = _plan()
    assert found["criteria"].values == {"criteria": ["A1", "A2"]}
    assert found["steps"].values == {"waves": [["S1"], ["S2"]]}
    assert found["size"].values == {"document_bytes": 2_000, "body_bytes": 3_000}
    assert found["verify"].values == {"verify": ["python -m pytest", "python -m mypy calc.py"]}
    codes = {"python -m pytest": 1, "python -m mypy calc.py": 0}
    assert found["runs"].values == {"exit_codes": codes}


def test_sizes_at_their_limits() -> None:
    assert _plan(document_bytes=MAX_DOCUMENT_BYTES, body_bytes=MAX_BODY_BYTES)["size"].verdict is Verdict.PASS
    assert _plan(document_bytes=1, body_bytes=1)["size"].verdict is Verdict.PASS
    assert _plan(document_bytes=0)["size"].verdict is Verdict.UNKNOWN
    assert _plan(body_bytes=MAX_BODY_BYTES + 1)["size"].verdict is Verdict.FAIL
    plan = copy.deepcopy(GOOD["plan"])
    room = MAX_PLAN_PATHS - sum(len(step["paths"]) for step in plan["steps"])
    plan["steps"][1]["paths"] += [{"path": f"n/{n}", "use": "create"} for n in range(room)]
    assert _plan(plan=plan)["size"].verdict is Verdict.PASS


def test_every_path_is_looked_at() -> None:
    plan = copy.deepcopy(GOOD["plan"])
    plan["steps"][0]["paths"] = [{"path": "../a", "use": "edit"}, {"path": "b", "use": "edit"}]
    found = _plan(plan=plan, entries={"b": None})
    assert found["paths"].values["problems"] == ["the path '../a' has the component '..'"]
    assert (
        found["base"].values["problems"][0]
        == "b is not at base; edit needs a path that is there, a new file is created"
    )


@pytest.mark.parametrize(
    ("size", "verdict"), [(MIN_QUOTE_CHARACTERS - 1, Verdict.PASS), (MIN_QUOTE_CHARACTERS, Verdict.FAIL)]
)
def test_only_a_file_too_short_for_a_quote_needs_none(size: int, verdict: Verdict) -> None:
    entries = GOOD["entries"] | {"calc.py": {"mode": "100644", "blob": "b" * 40, "size": size}}
    plan = copy.deepcopy(GOOD["plan"]) | {"grounds": []}
    assert _plan(plan=plan, entries=entries, cited=[])["grounds"].verdict is verdict


def test_characters_in_lists_of_prose_and_outside_quotes() -> None:
    plan = copy.deepcopy(GOOD["plan"])
    plan["out_of_scope"] = ["two\nlines"]
    assert _plan(plan=plan)["characters"].verdict is Verdict.PASS
    plan["summary"] = "a\r\nb"
    assert _plan(plan=plan)["characters"].values["problems"] == ["/summary has characters that cannot be seen: U+000D"]


def test_a_refused_command_is_told_with_the_guards_words() -> None:
    guard = [{"command": "python -m pytest", "allowed": False, "rule": "r", "reason": "...no."}, GOOD["guard"][1]]
    assert _plan(guard=guard)["guard"].sentence == "python -m pytest may not run: ...no (r)."


def test_a_test_ids_file_is_the_part_before_the_first_colons() -> None:
    assert id_problem("a.py::K::t") == ""
    assert id_problem("../a.py::t") == "names a file that has the component '..'"
    assert id_problem("a.py::K::") == ""


def test_reasons_keep_values_in_every_verdict() -> None:
    assert unknown("v", "s", n=1) == Reason("v", Verdict.UNKNOWN, "s", {"n": 1})
    assert judged("v", ["p"], "fine", n=1) == Reason("v", Verdict.FAIL, "p.", {"problems": ["p"], "n": 1})
    assert judged("v", [], "fine", missing=["m"], n=1) == Reason("v", Verdict.UNKNOWN, "m.", {"missing": ["m"], "n": 1})
    assert judged("v", [], "fine", n=1) == Reason("v", Verdict.PASS, "fine", {"n": 1})
    assert together(["p"] * MAX_TOLD) == "; ".join(["p"] * MAX_TOLD) + "."
    assert together(["p"] * (MAX_TOLD + 1)).endswith("; p; and 1 more.")


def test_ties_among_renames_go_by_path() -> None:
    lines = ["one", "two", "three", "four"]
    gone = {"old": lines}
    new = {"b": [*lines[:3], "x"], "a": [*lines[:3], "y"]}
    assert renames(gone, new) == {"a": "old"}


def test_as_many_pairs_are_compared_as_allowed() -> None:
    side = int(MOST_COMPARED**0.5)
    gone = {f"g{n:03}": [f"w{n}", "x"] for n in range(side)}
    new = {f"n{n:03}": [f"w{n}", "y"] for n in range(side)}
    assert renames(gone, new) == {f"n{n:03}": f"g{n:03}" for n in range(side)}
