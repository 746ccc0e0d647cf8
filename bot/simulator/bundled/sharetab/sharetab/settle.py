"""Turning balances into few payments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Transfer:
    """``debtor`` pays ``creditor`` this many cents."""

    debtor: str
    creditor: str
    cents: int


def settle(balances: Mapping[str, int]) -> list[Transfer]:
    """Pays the largest debts to the largest claims first, until one side is used up."""
    claims = sorted(((cents, name) for name, cents in balances.items() if cents > 0), reverse=True)
    debts = sorted(((-cents, name) for name, cents in balances.items() if cents < 0), reverse=True)
    transfers: list[Transfer] = []
    while claims and debts:
        claim, creditor = claims.pop(0)
        debt, debtor = debts.pop(0)
        paid = min(claim, debt)
        transfers.append(Transfer(debtor, creditor, paid))
        if claim > paid:
            claims.insert(0, (claim - paid, creditor))
        if debt > paid:
            debts.insert(0, (debt - paid, debtor))
    return transfers
