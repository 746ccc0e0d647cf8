"""What was spent, by whom and for whom, and what that means for each person."""

from __future__ import annotations

from dataclasses import dataclass, field

from sharetab.amounts import parse_amount
from sharetab.split import split_evenly


@dataclass(frozen=True)
class Expense:
    """One payment: ``cents`` paid by ``payer``, shared by ``sharers``."""

    payer: str
    cents: int
    what: str
    sharers: tuple[str, ...]


@dataclass
class Ledger:
    """All expenses of a group, in the order in which they were made."""

    expenses: list[Expense] = field(default_factory=list)

    @classmethod
    def from_lines(cls, lines: list[str]) -> Ledger:
        """Reads lines of ``payer,amount,what,sharers``; sharers are separated by blanks."""
        ledger = cls()
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            parts = [part.strip() for part in line.split(",")]
            if len(parts) != 4:
                raise ValueError(f"line {number}: expected payer,amount,what,sharers")
            payer, amount, what, sharers = parts
            ledger.expenses.append(Expense(payer, parse_amount(amount), what, tuple(sharers.split())))
        return ledger

    def balances(self) -> dict[str, int]:
        """Cents that each person gets back (positive) or owes (negative), by name."""
        found: dict[str, int] = {}
        for expense in self.expenses:
            found[expense.payer] = found.get(expense.payer, 0) + expense.cents
            for person, share in zip(expense.sharers, split_evenly(expense.cents, len(expense.sharers)), strict=True):
                found[person] = found.get(person, 0) - share
        return dict(sorted(found.items()))
