"""The ledger's check as people read it, and what code looks up to decide: how often a quote stands, and on which lines."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.citation import Citation
from bot.gates.evidence import MOST_FOUND, Proofs, contains, lines_with, occurrences
from bot.wording import checks
from bot.wording.view import FindingView

VIEW = FindingView(
    id="F1",
    status="open",
    severity="blocker",
    category="security",
    title="Leaks",
    claim="It leaks.",
    reason="proven",
    raised_by=("code_reviewer.1",),
    source="reviewer",
    round=2,
    path="a.py",
    start_line=3,
    end_line=4,
    quote="print(password)",
)


def test_one_line_with_the_verdict_then_a_row_a_finding_by_status() -> None:
    settled = replace(VIEW, id="F2", status="justified", reason="it may", severity="minor")
    unproven = replace(VIEW, id="F3", status="withdrawn", reason="unproven", unproven=True)
    findings = [settled, unproven, VIEW]
    fields = checks.ledger(findings, over="")
    notes = [checks.annotation(one) for one in checks.annotatable(findings, {"a.py": 4})]
    assert (fields["status"], fields["conclusion"]) == ("completed", "failure")
    lines = fields["output"]["summary"].splitlines()
    assert lines[0] == "**1 open finding; each blocks until it is settled. Settled: 1 justified.**"
    first, second = [line for line in lines if line.startswith(("| F1 ", "| F2 "))]
    for part in ("F1", "open", "blocker (security)", "`a.py:3-4`", "`print(password)`", "`code_reviewer.1`", "| 2 |"):
        assert part in first
    assert "F2" in second
    assert "F3" not in fields["output"]["summary"]
    assert "1 claim could not be proved" in lines[-1]
    assert [(one["title"], one["annotation_level"]) for one in notes] == [
        ("F1 (open): Leaks", "failure"),
        ("F2 (justified): Leaks", "notice"),
    ]


def test_places_that_do_not_exist_are_not_annotated() -> None:
    for paths in ({}, {"a.py": 3}, {"b.py": 9}):
        assert checks.annotatable([VIEW], paths) == []
    assert checks.annotatable([VIEW], {"a.py": 4}) == [VIEW]
    assert checks.annotatable([replace(VIEW, start_line=0, end_line=0)], {"a.py": 4}) == []


def test_a_refusal_is_shown_as_a_failed_review_and_hostile_names_stay_words() -> None:
    note = checks.review_refused("code_reviewer.2", 1, "evil</table>\n@ana", "")
    assert "nobody reviewed in its place yet" in note
    assert "b-1 reviewed in its place" in checks.review_refused("code_reviewer.2", 1, "a-1", "b-1")
    many = [replace(VIEW, id=f"F{number + 1}", claim="x" * 4_000) for number in range(300)]
    fields = checks.ledger(many, over="", notes=[note] * 50)
    summary = fields["output"]["summary"]
    assert len(summary) <= checks.LIMIT
    assert "</table>" not in summary
    assert "more finding" in summary
    assert summary.count("a failed review") == 20


def test_a_quote_stands_on_its_own_lines_however_wide_the_place() -> None:
    text = "one = 1\ntwo = 2  \nthree = 3\ntwo = 2\nthree = 3"
    assert lines_with(text, "two = 2\nthree") == {2, 3, 4, 5}
    assert lines_with(text, "one = 1") == {1}
    assert lines_with(text, "four") == frozenset()
    assert lines_with(text, "\n") == frozenset()
    assert occurrences(text, "two = 2") == 2
    assert occurrences(text, "  \n") == 0


@given(st.text("ab \n", max_size=30), st.text("ab \n", min_size=1, max_size=6))
def test_lines_agree_with_containing(text: str, quote: str) -> None:
    if quote.strip():
        assert bool(lines_with(text, quote)) == contains(text, quote)


def test_what_was_compared_is_looked_up_and_cut() -> None:
    wide = "x" * (MOST_FOUND + 1)
    files = {"a.py": ["first = 1", wide], "b.py": ["moved = 1"]}
    document = {"summary": "sum all", "steps": [1]}
    earlier = {"r" * 40: {"a.py": ["first = 1", "first = 1"], "old.py": ["moved = 1"]}.get}
    proofs = Proofs(files.get, document, str.upper, earlier, {"r" * 40: {}}, {"b.py": "old.py"})

    def cited(path: str, start: int, end: int, quote: str = "first = 1") -> dict[str, object]:
        return Citation(path=path, start_line=start, end_line=end, quote=quote).model_dump()

    assert proofs.found(cited("a.py", 1, 1)) == "FIRST = 1"
    assert proofs.found(cited("a.py", 2, 9)) == "X" * MOST_FOUND
    assert proofs.found(cited("../a.py", 1, 1)) == ""
    assert proofs.found(cited("c.py", 1, 1)) == ""
    assert proofs.found({"pointer": "/summary", "quote": "x"}) == "SUM ALL"
    assert proofs.found({"pointer": "/steps", "quote": "x"}) == "[1]"
    assert proofs.found({"pointer": "/nothing", "quote": "x"}) == ""
    assert proofs.times(cited("a.py", 1, 1), None) == 1
    assert proofs.times(cited("a.py", 1, 1), "r" * 40) == 2
    assert proofs.times(cited("a.py", 1, 1), "s" * 40) is None
    assert proofs.times(cited("old.py", 1, 1, "moved = 1"), None) == 1, "by its new name"
    assert proofs.times(cited("b.py", 1, 1, "moved = 1"), "r" * 40) == 1, "by its old name"
    assert proofs.times(cited("c.py", 1, 1), None) == 0
    assert proofs.times({"pointer": "/summary", "quote": "sum all"}, None) == 1
    assert proofs.times({"pointer": "/summary", "quote": "sum all"}, "r" * 40) == 0
    assert proofs.times({"pointer": "/summary", "quote": "sum all"}, "s" * 40) is None
    assert not proofs.is_gone("old.py")
    assert proofs.is_gone("c.py")
