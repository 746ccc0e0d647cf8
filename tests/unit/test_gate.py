"""A gate is closed unless every verifier proved it open."""

from __future__ import annotations

import pytest

from bot.domain.gate import Gate, Reason, Verdict
from bot.gates.reasons import MAX_TOLD, failed, judged, passed, together, unknown


def _yes(_facts: int) -> Reason:
    return passed("yes", "Fine.", seen=1)


def _no(_facts: int) -> Reason:
    return failed("no", "Bad.")


def _perhaps(_facts: int) -> Reason:
    return unknown("perhaps", "Unclear.")


def _raises(facts: int) -> Reason:
    raise ZeroDivisionError(f"{facts} broke it")


@pytest.mark.parametrize(
    ("verifiers", "is_open"),
    [
        ((_yes, _yes), True),
        ((), False),
        ((_yes, _no), False),
        ((_yes, _perhaps), False),
        ((_raises, _yes), False),
    ],
)
def test_open_only_when_all_pass(verifiers: tuple[object, ...], is_open: bool) -> None:
    gate: Gate[int] = Gate("g", [(f"v{number}", one) for number, one in enumerate(verifiers)])  # type: ignore[misc]
    result = gate.evaluate(7)
    assert result.is_open is is_open
    assert len(result.reasons) == len(verifiers), "all are asked, also after a failure"


def test_an_exception_is_a_reason() -> None:
    result = Gate("g", [("v", _raises)]).evaluate(7)
    assert result.closed_by == ("v could not be checked: ZeroDivisionError: 7 broke it",)
    assert result.reasons[0].verdict is Verdict.UNKNOWN


def test_as_json() -> None:
    inner = Reason("outer", Verdict.PASS, "Both.", {}, (passed("yes", "Fine.", seen=1),))
    gate: Gate[int] = Gate("g", [("outer", lambda _facts: inner)])
    result = gate.evaluate(1)
    assert result.as_json() == {
        "gate": "g",
        "open": True,
        "reasons": [
            {
                "verifier": "outer",
                "verdict": "pass",
                "sentence": "Both.",
                "below": [{"verifier": "yes", "verdict": "pass", "sentence": "Fine.", "values": {"seen": 1}}],
            }
        ],
    }


def test_problems_come_before_what_is_missing() -> None:
    assert judged("v", ["a", "b."], "ok", missing=["c"]).sentence == "a; b."
    assert judged("v", [], "ok", missing=["c"]).verdict is Verdict.UNKNOWN
    assert judged("v", [], "ok", x=1).values == {"x": 1}
    many = [f"p{number}" for number in range(MAX_TOLD + 3)]
    assert together(many).endswith("p9; and 3 more.")
    assert judged("v", many, "ok").values["problems"] == many
