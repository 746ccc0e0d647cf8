from __future__ import annotations

import pytest

from sharetab import Ledger, settle
from sharetab.__main__ import main, report

TRIP = ["ana,90.00,hotel,ana ben cleo", "ben,24.00,dinner,ana ben", "", "cleo,15.00,museum,ana ben cleo"]


def test_balances_say_who_gets_and_who_owes() -> None:
    assert Ledger.from_lines(TRIP).balances() == {"ana": 4300, "ben": -2300, "cleo": -2000}


def test_payments_settle_every_balance() -> None:
    balances = Ledger.from_lines(TRIP).balances()
    for transfer in settle(balances):
        balances[transfer.debtor] += transfer.cents
        balances[transfer.creditor] -= transfer.cents
    assert set(balances.values()) == {0}


def test_the_report_lists_balances_and_payments() -> None:
    text = report(Ledger.from_lines(TRIP))
    assert text.splitlines()[0] == "ana      gets   43.00"
    assert text.endswith("ben pays ana 23.00\ncleo pays ana 20.00")


def test_a_broken_line_is_named() -> None:
    with pytest.raises(ValueError, match="line 2: expected payer,amount,what,sharers"):
        Ledger.from_lines(["ana,1.00,tea,ana", "ben,2.00"])


def test_the_command_asks_for_one_file() -> None:
    assert main([]) == 2
