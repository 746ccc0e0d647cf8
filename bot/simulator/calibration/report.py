"""A calibration as JSON for programs and as lines for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot.domain.money import dollars, micro_dollars
from bot.simulator.calibration.figures import Figures, Judged, Rate, figures
from bot.simulator.calibration.measuring import Calibration


def as_data(done: Calibration) -> dict[str, Any]:
    """The whole report."""
    found = figures(done.results, done.seats)
    return {
        "range": {
            "asked": done.asked.span,
            "from": done.history.first,
            "to": done.history.last,
            "commits": done.history.in_range,
            "reviewable": len(done.history.commits),
        },
        "seed": done.asked.seed,
        "defects": {"wanted": done.asked.defects, "seeded": done.seeded},
        "clean_diffs": done.clean,
        "complete": not done.ended,
        "ended": done.ended,
        "reviewers": dict(zip(done.seats, done.models, strict=True)),
        "catch": _rate(found.catch)
        | {"by_defect": _rates(found.catch_by_defect), "by_seat": _rates(found.catch_by_seat)},
        "false_alarm": _rate(found.alarm)
        | {
            "findings": found.false_findings,
            "by_category": _rates(found.alarm_by_category),
            "by_seat": _rates(found.alarm_by_seat),
        },
        "not_reviewed": found.not_reviewed,
        "cost": {"micro_dollars": done.spent, "budget_micro_dollars": micro_dollars(done.asked.budget)},
        "diffs": [_diff(one) for one in done.results],
    }


def _rates(rates: Sequence[tuple[str, Rate]]) -> dict[str, Any]:
    return {name: _rate(one) for name, one in rates}


def _rate(rate: Rate) -> dict[str, Any]:
    """``low`` and ``high``: the 95 % Wilson interval. Null where nothing was measured."""
    return {"hits": rate.hits, "of": rate.trials, "rate": rate.value, "low": rate.low, "high": rate.high}


def _diff(one: Judged) -> dict[str, Any]:
    seeded = one.defect is not None
    return {
        "number": one.number,
        "commit": one.commit,
        "defect": one.defect.value if one.defect is not None else None,
        "place": {"path": one.path, "start_line": one.lines[0], "end_line": one.lines[1]} if seeded else None,
        "before": one.before,
        "after": one.after,
        "caught": one.caught if seeded and not one.problem else None,
        "problem": one.problem,
        "micro_dollars": one.micro_dollars,
        "findings": [
            {
                "id": finding.id,
                "seats": list(finding.seats),
                "severity": finding.severity,
                "category": finding.category,
                "title": finding.title,
                "places": [
                    {"path": path, "start_line": first, "end_line": last} for path, first, last in finding.places
                ],
                "touches": finding.touches,
            }
            for finding in one.findings
        ],
    }


def as_lines(done: Calibration) -> str:
    """The figures, one a line."""
    found: Figures = figures(done.results, done.seats)
    rows = [
        ("caught", found.catch),
        *((f"  {name}", one) for name, one in found.catch_by_defect),
        *((f"  by {name}", one) for name, one in found.catch_by_seat),
        ("false alarms", found.alarm),
        *((f"  {name}", one) for name, one in found.alarm_by_category),
        *((f"  by {name}", one) for name, one in found.alarm_by_seat),
    ]
    width = max(len(name) for name, _ in rows) + 2
    commits = f" from {len(done.history.commits)} of {done.history.in_range} commits"
    lines = [
        f"{done.asked.span}: {done.seeded} seeded and {done.clean} clean diffs{commits}, seed {done.asked.seed}",
        *(f"{name:<{width}}{_told(rate)}" for name, rate in rows),
        f"{found.false_findings} findings on clean diffs; {found.not_reviewed} diffs without a counting review, which no rate holds",
        f"{dollars(done.spent)} of {dollars(micro_dollars(done.asked.budget))} spent with {', '.join(dict.fromkeys(done.models))}",
    ]
    if done.seeded < done.asked.defects:
        lines.append(f"only {done.seeded} of {done.asked.defects} defects found a place: name a longer range for more")
    if done.ended:
        lines.append(f"It ended early: {done.ended}.")
    return "\n".join(lines)


def _told(rate: Rate) -> str:
    if rate.value is None or rate.low is None or rate.high is None:
        return "0 of 0"
    return f"{rate.hits} of {rate.trials} = {rate.value:.0%} (95 %: {rate.low:.0%} to {rate.high:.0%})"


def progress(one: Judged, total: int) -> str:
    """One diff as it is done, without what the others were."""
    what = "clean" if one.defect is None else f"{one.defect.value} in {one.path}:{one.lines[0]}"
    if one.problem:
        said = f"not reviewed: {one.problem}"
    elif one.defect is None:
        said = f"{len(one.findings)} findings"
    else:
        said = "caught" if one.caught else "missed"
    return f"{one.number}/{total} {one.commit[:10]} {what}: {said} ({dollars(one.micro_dollars)})"
