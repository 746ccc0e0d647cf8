"""Findings as they stand, and the events that made them so (append-only)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import sqlalchemy as sa

from bot.adapters.storage.rows import Link, Query, values_of
from bot.adapters.tables import finding_events, findings
from bot.ports.records import FindingEventRow, FindingRow

_FINDINGS = Query(FindingRow, findings, "run_id", order=(findings.c.seq,))
_EVENTS = Query(FindingEventRow, finding_events, "run_id", order=(finding_events.c.seq,))
_KEY = ("run_id", "id")
_CHANGING = [field.name for field in dataclasses.fields(FindingRow) if field.name not in _KEY]


class SqlLedgerBook:
    """`bot.ports.storage.LedgerBook`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def findings(self, run_id: str) -> list[FindingRow]:
        """By number."""
        return self._link.every(_FINDINGS, run_id=run_id)

    def events(self, run_id: str) -> list[FindingEventRow]:
        """In order."""
        return self._link.every(_EVENTS, run_id=run_id)

    def put(self, findings: Iterable[FindingRow], events: Iterable[FindingEventRow]) -> None:
        """Findings first: an event names a stored one. An event number that is taken is an ``InternalError``."""
        for finding in findings:
            self._upsert(finding)
        rows = [values_of(event) for event in events]
        if rows:
            self._link.run(sa.insert(finding_events), rows)

    def _upsert(self, finding: FindingRow) -> None:
        self._link.upsert(findings, values_of(finding), key=_KEY, update=_CHANGING)
