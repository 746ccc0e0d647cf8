"""The audit chain finds edits, cuts and reordering."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.audit_chain import GENESIS, body_hash, link_hash, verify_chain
from bot.ports.records import AuditRow


def chain(length: int) -> list[AuditRow]:
    rows: list[AuditRow] = []
    prev = GENESIS
    for seq in range(1, length + 1):
        body = {"n": seq}
        digest = link_hash(prev=prev, seq=seq, at=seq, kind="k", subject="s", body_sha256=body_hash(body))
        rows.append(AuditRow(seq, seq, "k", "s", body, body_hash(body), prev, digest))
        prev = digest
    return rows


def test_the_hashes_stand_as_published() -> None:
    """Whoever verifies with other tools gets the same: sha256 over these very bytes."""
    import hashlib

    body = hashlib.sha256(b'{"n":1}').hexdigest()
    text = f'{{"at":1,"body_sha256":"{body}","kind":"k","prev":"{GENESIS}","seq":1,"subject":"s"}}'
    assert chain(1)[0].hash == hashlib.sha256(text.encode()).hexdigest()


def test_a_whole_chain_and_its_tail_verify() -> None:
    rows = chain(5)
    assert verify_chain(rows) == ""
    assert verify_chain([]) == ""
    assert verify_chain(rows[2:], prev=rows[1].hash, first=3) == ""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"at": 9}, "Link 3 was changed"),
        ({"kind": "x"}, "Link 3 was changed"),
        ({"subject": "x"}, "Link 3 was changed"),
        ({"body": {"n": 4}}, "body of link 3 was changed"),
        ({"body": {"n": 2**60}}, "body of link 3 has no canonical form"),
        ({"body": {"n": 4}, "body_sha256": body_hash({"n": 4})}, "Link 3 was changed"),
        ({"prev": GENESIS}, "Link 3 does not follow"),
        ({"hash": GENESIS}, "Link 3 was changed"),
        ({"seq": 4}, "Link 3 is missing"),
    ],
)
def test_an_edit_is_found_at_its_link(change: dict[str, object], says: str) -> None:
    rows = chain(5)
    rows[2] = replace(rows[2], **change)  # type: ignore[arg-type]
    assert says in verify_chain(rows)


def test_cuts_and_reordering_are_found() -> None:
    rows = chain(5)
    assert verify_chain(rows[:2] + rows[3:]) == "Link 3 is missing: link 4 stands in its place."
    assert verify_chain([rows[1], rows[0], *rows[2:]]).startswith("Link 1 is missing")
    assert verify_chain(rows[1:]).startswith("Link 1 is missing")


def test_a_rehashed_link_breaks_the_next_one() -> None:
    rows = chain(3)
    body = {"n": 99}
    digest = link_hash(prev=rows[0].hash, seq=2, at=2, kind="k", subject="s", body_sha256=body_hash(body))
    rows[1] = replace(rows[1], body=body, body_sha256=body_hash(body), hash=digest)
    assert verify_chain(rows) == "Link 3 does not follow the one before it."
