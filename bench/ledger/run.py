#!/usr/bin/env python
"""What one finding costs in a ledger of ten thousand: admission, re-raise checks, fixes, and one more round on top of all.

Usage: run.py [RESULT.json] [--findings 10000] [--rounds 3]

The law (`bot.domain.ledger_round`), the evidence checks (`bot.gates.evidence`) and the redaction are the real ones; the tree
is in memory. The last part is a round of fifty findings on top of all, by the findings that it looks through. Each figure is milliseconds of processor time a finding, the best of the rounds, at a tenth of the findings and at all of them;
their ratio is 1 where the work is linear. The peer of the same run compares each finding with every earlier one, as a
ledger without indices does (at a tenth only: it is quadratic). Exits 1 when a finding costs 1 ms or more, or a ratio is
above 2.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bot.domain.citation import Citation
from bot.domain.ledger import Ledger
from bot.domain.ledger_round import settle
from bot.domain.ledger_submissions import AdmissionRound, SeatSubmissions
from bot.domain.review import Category, Finding, Resolution, Review, Severity
from bot.gates.evidence import Proofs
from bot.redaction import Redactor

ONE, TWO = "code_reviewer.1", "code_reviewer.2"
RAISED, MENDED = "a" * 64, "b" * 64
LINES_A_FILE = 500
FINDINGS_A_REVIEW, RESOLUTIONS_A_REVIEW = 25, 200
MOST_MS, MOST_RATIO = 1.0, 2.0


def line(number: int, *, mended: bool = False) -> str:
    """A line of code of its own, longer than the texts that a redactor remembers: that would flatter the smaller ledger."""
    return f"    total_{number} = rate_{number} {'+' if mended else '-'} offset_{number}  # of the day and the hour, by line {number}"


@dataclass(frozen=True)
class Tree:
    """Files of a revision: each finding has a line."""

    files: dict[str, list[str]]

    @classmethod
    def of(cls, findings: int, *, mended: bool) -> Tree:
        """``findings`` lines in files of 500."""
        files: dict[str, list[str]] = {}
        for number in range(findings):
            files.setdefault(f"src/part_{number // LINES_A_FILE}.py", []).append(line(number, mended=mended))
        return cls(files)


def cited(number: int, *, mended: bool = False, right: bool = True) -> Citation:
    """The line of a finding, verbatim or with one character more."""
    at = number % LINES_A_FILE + 1
    quote = line(number, mended=mended) + ("" if right else "x")
    return Citation(path=f"src/part_{number // LINES_A_FILE}.py", start_line=at, end_line=at, quote=quote)


def raised(number: int, *pieces: Citation) -> Finding:
    """A minor finding, so that its own seat may settle it."""
    return Finding(
        title=f"Wrong sign {number}",
        severity=Severity.MINOR,
        category=Category.CORRECTNESS,
        claim=f"The sign of total_{number} is wrong.",
        evidence=pieces,
    )


def fixed(number: int) -> Resolution:
    """It is mended, shown by its line."""
    return Resolution(finding=f"F{number + 1}", status="fixed", reason="mended", evidence=(cited(number, mended=True),))


def reviews(findings: list[Finding]) -> list[Review]:
    """As many reviews as the findings need."""
    parts = range(0, len(findings), FINDINGS_A_REVIEW)
    return [Review(verdict="changes_requested", findings=tuple(findings[at : at + FINDINGS_A_REVIEW])) for at in parts]


def answers(count: int) -> list[Review]:
    """As many reviews as the resolutions need."""
    parts = range(0, count, RESOLUTIONS_A_REVIEW)
    every = [fixed(number) for number in range(count)]
    return [Review(verdict="approve", resolutions=tuple(every[at : at + RESOLUTIONS_A_REVIEW])) for at in parts]


def round_of(number: int, revision: str, seat: str, said: list[Review]) -> AdmissionRound:
    """One round; one seat stands for as many contexts as it takes."""
    submissions = tuple(SeatSubmissions(seat, one) for one in said)
    return AdmissionRound("code", number, revision, submissions, (ONE, TWO))


class Bench:
    """A ledger's life with ``count`` findings, each part timed."""

    def __init__(self, count: int) -> None:
        self.count = count
        redactor = Redactor()
        before, after = Tree.of(count + 50, mended=False), Tree.of(count + 50, mended=True)
        earlier = {RAISED: before.files.get, MENDED: after.files.get}
        self.redact: Callable[[str], str] = lambda text: redactor.redact(text).text
        self.first = lambda: Proofs(before.files.get, None, self.redact, earlier, {})
        self.second = lambda: Proofs(after.files.get, None, self.redact, earlier, {})
        # A second piece that all findings share is the worst for an index by piece.
        shared = cited(0)
        self.plain = reviews([raised(number, cited(number)) for number in range(count)])
        self.sharing = reviews([raised(number, cited(number), shared) for number in range(count)])
        self.wrong = reviews([raised(number, cited(number, right=False)) for number in range(count)])
        self.fixes = answers(count)
        self.fifty = reviews([raised(number, cited(number, mended=True)) for number in range(count, count + 50)])
        self.found: dict[str, float] = {}

    def run(self) -> dict[str, float]:
        """Milliseconds a finding, by part."""
        full = self._timed("admitted", lambda: self._settle(Ledger(), 1, RAISED, ONE, self.plain, self.first))
        assert [one.status for one in full.findings] == ["open"] * self.count
        twice = self._timed("raised again, open", lambda: self._settle(full, 1, RAISED, TWO, self.plain, self.first))
        assert len(twice.findings) == self.count
        unproven = self._timed("unproven", lambda: self._settle(Ledger(), 1, RAISED, ONE, self.wrong, self.first))
        assert all(one.is_unproven for one in unproven.findings)
        sharing = self._timed(
            "one piece in all", lambda: self._settle(Ledger(), 1, RAISED, ONE, self.sharing, self.first)
        )
        assert len(sharing.findings) == self.count
        mended = self._timed("fixed", lambda: self._settle(full, 2, MENDED, ONE, self.fixes, self.second))
        assert [one.status for one in mended.findings] == ["fixed"] * self.count
        again = self._timed("raised again, fixed", lambda: self._settle(mended, 3, RAISED, TWO, self.plain, self.first))
        assert [one.status for one in again.findings] == ["open"] * self.count
        more = self._timed("next round, a known", lambda: self._settle(mended, 3, MENDED, ONE, self.fifty, self.second))
        assert len(more.findings) == self.count + 50
        return self.found

    def _settle(
        self,
        ledger: Ledger,
        number: int,
        revision: str,
        seat: str,
        said: list[Review],
        proofs: Callable[[], Proofs],
    ) -> Ledger:
        return settle(ledger, round_of(number, revision, seat, said), proofs()).ledger

    def _timed(self, name: str, work: Callable[[], Ledger]) -> Ledger:
        gc.collect()
        start = time.process_time()
        made = work()
        self.found[name] = (time.process_time() - start) * 1000 / self.count
        return made


def without_index(count: int) -> float:
    """The peer: each finding is compared with every earlier one."""
    pieces = [{"path": one.path, "quote": one.quote} for one in (cited(number) for number in range(count))]
    start = time.process_time()
    kept: list[dict[str, str]] = []
    for piece in pieces:
        if not any(" ".join(one["quote"].split()) == " ".join(piece["quote"].split()) for one in kept):
            kept.append(piece)
    return (time.process_time() - start) * 1000 / count


def best(count: int, rounds: int) -> dict[str, float]:
    """The best of some rounds."""
    every = [Bench(count).run() for _ in range(rounds)]
    return {name: min(one[name] for one in every) for name in every[0]}


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", nargs="?", type=Path)
    parser.add_argument("--findings", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    tenth = asked.findings // 10
    few, many = best(tenth, asked.rounds), best(asked.findings, asked.rounds)
    print(f"{'ms a finding':>20} {tenth:>9,} {asked.findings:>9,} {'ratio':>7}")
    bad = []
    for name, value in many.items():
        ratio = value / few[name]
        print(f"{name:>20} {few[name]:9.4f} {value:9.4f} {ratio:7.2f}")
        if value >= MOST_MS or ratio > MOST_RATIO:
            bad.append(f"{name}: {value:.4f} ms, ratio {ratio:.2f}")
    print(f"{'peer without index':>20} {without_index(tenth):9.4f} {'-':>9} {'-':>7}")
    if asked.result is not None:
        asked.result.write_text(json.dumps({"few": few, "many": many}, indent=2) + "\n", "utf-8")
    if bad:
        sys.exit(f"bench/ledger: over {MOST_MS} ms a finding, or not linear: {'; '.join(bad)}")


if __name__ == "__main__":
    main()
