"""The audit chain's arithmetic: each link hashes the one before it (I14).

It shows edits, cuts in the middle and reordering. That the tail is there, only a head kept elsewhere can show.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final, Protocol

import rfc8785

GENESIS: Final = "0" * 64
"""What the first link has in place of the hash before it."""


class ChainLink(Protocol):
    """One stored link."""

    @property
    def seq(self) -> int: ...
    @property
    def at(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def body(self) -> dict[str, Any]: ...
    @property
    def body_sha256(self) -> str: ...
    @property
    def prev(self) -> str: ...
    @property
    def hash(self) -> str: ...


def body_hash(body: dict[str, Any]) -> str:
    """Hex sha256 of the body's RFC 8785 bytes; ``rfc8785.CanonicalizationError`` for what the rule has no bytes for."""
    return hashlib.sha256(rfc8785.dumps(body)).hexdigest()


def link_hash(*, prev: str, seq: int, at: int, kind: str, subject: str, body_sha256: str) -> str:
    """Hex sha256 of the RFC 8785 bytes of these six."""
    fields: dict[str, Any] = {"prev": prev, "seq": seq, "at": at, "kind": kind, "subject": subject}
    return hashlib.sha256(rfc8785.dumps(fields | {"body_sha256": body_sha256})).hexdigest()


def verify_chain(rows: Sequence[ChainLink], *, prev: str = GENESIS, first: int = 1) -> str:
    """What is wrong, and at which link; empty when they follow each other from ``prev`` and number ``first`` on."""
    for number, row in enumerate(rows, first):
        if row.seq != number:
            return f"Link {number} is missing: link {row.seq} stands in its place."
        if row.prev != prev:
            return f"Link {row.seq} does not follow the one before it."
        try:
            body_sha256 = body_hash(row.body)
        except rfc8785.CanonicalizationError as error:
            return f"The body of link {row.seq} has no canonical form: {error}."
        if row.body_sha256 != body_sha256:
            return f"The body of link {row.seq} was changed."
        expected = link_hash(
            prev=row.prev, seq=row.seq, at=row.at, kind=row.kind, subject=row.subject, body_sha256=row.body_sha256
        )
        if row.hash != expected:
            return f"Link {row.seq} was changed: its hash does not fit its fields."
        prev = row.hash
    return ""
