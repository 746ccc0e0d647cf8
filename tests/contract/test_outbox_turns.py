"""Whose turn it is in the outbox, on both databases: answers to people, then the rest, labels last; order within an issue holds."""

from __future__ import annotations

import pytest

from bot.adapters.storage import SqlStorage
from bot.ports.storage import Transaction
from tests.contract.databases import INSTALLATION, NOW
from tests.contract.test_storage_outbox import ready, storage

__all__ = ["storage"]


def _turns(tx: Transaction, *, content: bool = True) -> list[int]:
    """Every row as it would go, each confirmed at once."""
    found = []
    while (row := tx.outbox.next(INSTALLATION, NOW, content=content)) is not None:
        claimed = tx.outbox.claim(row.id, owner="w", now=NOW, lease_ms=10, answers_stop=False)
        assert claimed is not None
        tx.outbox.settle(row.id, fence=claimed.fence, state="confirmed", now=NOW)
        found.append(row.id)
    return found


def test_answers_go_first_with_what_must_go_before_them_and_labels_last(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        label = ready(tx, "l1", kind="label.add", order_key="issue:1")
        edit = ready(tx, "e1", kind="comment.update", order_key="issue:2")
        before = ready(tx, "l2", kind="label.remove", order_key="issue:3")
        check = ready(tx, "c1", kind="check_run.create", order_key="branch:b")
        answer = ready(tx, "reply:d1:status", kind="comment.create", order_key="issue:3")
        ask = ready(tx, "R1:comment:mention:3", kind="comment.create", order_key="issue:4")
        assert [tx.outbox.is_awaited(one) for one in (label, before, answer)] == [False, True, True]
        assert _turns(tx) == [before, answer, ask, edit, check, label]


def test_what_is_no_content_goes_on_alone(storage: SqlStorage) -> None:
    with storage.begin() as tx:
        ready(tx, "reply:d1:help", kind="comment.create", order_key="issue:1")
        ready(tx, "behind", kind="label.add", order_key="issue:1")
        free = ready(tx, "l1", kind="label.add", order_key="issue:2")
        eyes = ready(tx, "R1:eyes", kind="reaction.add", order_key="issue:3")
        assert _turns(tx, content=False) == [free, eyes]


@pytest.mark.parametrize("key", ["replyX", "xreply:1", "R1:comments:1"])
def test_only_keys_of_answers_are_answers(storage: SqlStorage, key: str) -> None:
    with storage.begin() as tx:
        first = ready(tx, "e1", kind="comment.update", order_key="issue:1")
        other = ready(tx, key, kind="comment.create", order_key="issue:2")
        assert not tx.outbox.is_awaited(other)
        assert _turns(tx) == [first, other]
