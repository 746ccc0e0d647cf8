"""The review ledger as a table: open findings first, unproven ones counted and never shown (DESIGN section 6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bot.wording.layout import ROOM_BYTES, brief_code, cell, code_cell, counted, sections, size
from bot.wording.view import FindingView

_STATUS_ORDER: Final = ("open", "withdrawn", "justified", "fixed")
_SEVERITY_ORDER: Final = ("blocker", "major", "minor")
_SIGNS: Final = {"blocker": "🔴", "major": "🟠", "minor": "🟡"}
_HEAD: Final = (
    "| Finding | Status | Severity | Place | What | Quote | Raised by | Round |\n|---|---|---|---|---|---|---|---|"
)


def shown(findings: Sequence[FindingView]) -> list[FindingView]:
    """What people see, the most pressing first."""
    return sorted((one for one in findings if not one.unproven), key=_rank)


def is_open(finding: FindingView) -> bool:
    """Whatever is not surely settled is open."""
    return finding.status not in _STATUS_ORDER[1:]


def verdict(findings: Sequence[FindingView]) -> str:
    """One line: how many are open, and what became of the others."""
    seen = shown(findings)
    opened = sum(1 for one in seen if is_open(one))
    if not seen:
        return "No findings."
    settled = [
        f"{number} {status}"
        for status in _STATUS_ORDER[1:]
        if (number := sum(1 for one in seen if one.status == status))
    ]
    rest = f"Settled: {', '.join(settled)}." if settled else "Nothing is settled yet."
    if opened:
        return f"{counted(opened, 'open finding')}; each blocks until it is settled. {rest}"
    return f"No open findings. {rest}"


def unproven_line(findings: Sequence[FindingView]) -> str:
    """How many claims were withdrawn because their evidence did not hold, "" for none."""
    number = sum(1 for one in findings if one.unproven)
    if not number:
        return ""
    return (
        f"{counted(number, 'claim')} could not be proved and {'was' if number == 1 else 'were'} withdrawn; not shown."
    )


def place(finding: FindingView) -> str:
    """Where a finding stands, as people look for it."""
    if finding.path:
        return f"{finding.path}:{lines(finding)}" if finding.start_line else finding.path
    return f"plan {finding.pointer}" if finding.pointer else ""


def lines(finding: FindingView) -> str:
    """``3`` or ``3-5``."""
    single = finding.end_line in {0, finding.start_line}
    return f"{finding.start_line}" if single else f"{finding.start_line}-{finding.end_line}"


def ledger_table(findings: Sequence[FindingView], *, limit: int = ROOM_BYTES) -> str:
    """The ledger in at most ``limit`` UTF-8 bytes: the verdict, a row a finding, and what was left out, counted."""
    seen = shown(findings)
    top = f"**{verdict(findings)}**"
    below = unproven_line(findings)
    room = limit - size(sections(top, _HEAD, below)) - 200
    rows: list[str] = []
    for one in seen:
        row = _row(one)
        room -= size(row) + 1
        if room < 0:
            break
        rows.append(row)
    left = len(seen) - len(rows)
    cut = f"*{counted(left, 'more finding')} left out: the text would be too long for GitHub. `conductor ledger` lists all.*"
    return sections(top, "\n".join([_HEAD, *rows]) if rows else "", cut if left else "", below)


def severity(finding: FindingView) -> str:
    """Severity with its sign and category."""
    return f"{_SIGNS.get(finding.severity, '⚪')} {cell(finding.severity)} ({cell(finding.category)})"


def _row(one: FindingView) -> str:
    where = place(one)
    said = one.claim if is_open(one) else one.reason
    mark = " (a concern about money, not proved)" if one.concern else ""
    what = f"{cell(one.title, limit=120)}{mark}"
    if said:
        what += f"<br>{cell(said, limit=400)}"
    return (
        f"| {cell(one.id)} | {cell(one.status)} | {severity(one)} | {code_cell(where) if where else '-'} | {what} "
        f"| {code_cell(one.quote) if one.quote else '-'} | {_people(one)} | {one.round} |"
    )


def _people(one: FindingView) -> str:
    names = ", ".join(brief_code(name.replace("|", "¦"), 60) for name in one.raised_by[:6])
    return names or cell(one.source)


def _rank(finding: FindingView) -> tuple[int, int, int]:
    return (
        _STATUS_ORDER.index(finding.status) if finding.status in _STATUS_ORDER else 0,
        _SEVERITY_ORDER.index(finding.severity) if finding.severity in _SEVERITY_ORDER else 0,
        int(finding.id[1:]) if finding.id[1:].isdigit() else 0,
    )
