"""The order of steps, and a verifier's name in the reason when it breaks."""

from __future__ import annotations

from bot.domain.gate import Gate, Reason, Verdict
from bot.domain.plan import Plan, Step, waves


def test_a_later_wave_remembers_every_earlier_one() -> None:
    steps = [
        Step(id=name, title=name, intent="x", depends_on=needs)
        for name, needs in (("S1", ()), ("S2", ("S1",)), ("S3", ("S1", "S2")), ("S4", ("S1", "S3")))
    ]
    assert waves(Plan(summary="x", steps=tuple(steps))) == (("S1",), ("S2",), ("S3",), ("S4",))


def test_a_verifier_that_breaks_is_named() -> None:
    def broken(_facts: int) -> Reason:
        raise KeyError("gone")

    gate: Gate[int] = Gate("g", [("the one", broken)])
    (reason,) = gate.evaluate(1).reasons
    assert reason == Reason("the one", Verdict.UNKNOWN, "the one could not be checked: KeyError: 'gone'")
