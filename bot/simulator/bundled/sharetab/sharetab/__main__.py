"""``python -m sharetab FILE``: balances and payments of one file of expenses."""

from __future__ import annotations

import sys
from pathlib import Path

from sharetab.amounts import format_amount
from sharetab.ledger import Ledger
from sharetab.settle import settle


def report(ledger: Ledger) -> str:
    """The balances, a blank line, and the payments that settle them."""
    balances = ledger.balances()
    lines = [
        f"{name:<8} {'gets' if cents > 0 else 'owes'} {format_amount(abs(cents)):>7}"
        for name, cents in balances.items()
        if cents
    ]
    payments = [f"{item.debtor} pays {item.creditor} {format_amount(item.cents)}" for item in settle(balances)]
    return "\n".join([*lines, "", *payments])


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m sharetab FILE\n")
        return 2
    ledger = Ledger.from_lines(Path(arguments[0]).read_text("utf-8").splitlines())
    sys.stdout.write(report(ledger) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
