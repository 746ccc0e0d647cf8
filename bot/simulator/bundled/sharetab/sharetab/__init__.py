"""Splits what a group spent together and says who pays whom."""

from sharetab.amounts import AmountError, format_amount, parse_amount
from sharetab.ledger import Expense, Ledger
from sharetab.settle import Transfer, settle
from sharetab.split import split_by_weight, split_evenly

__all__ = [
    "AmountError",
    "Expense",
    "Ledger",
    "Transfer",
    "format_amount",
    "parse_amount",
    "settle",
    "split_by_weight",
    "split_evenly",
]
