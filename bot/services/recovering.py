"""Deliveries that never came in: GitHub sends none again by itself, so what it lists and the inbox lacks is asked for again.

GitHub lists attempts of three days, and the inbox says which deliveries were taken; that alone decides, since an inbox from a
backup lacks deliveries that once were answered. While nothing gets through, one delivery is asked for as a probe.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import structlog

from bot.domain.jobs import QUEUE_OF, JobKind
from bot.domain.outcome import Done, Outcome, Snooze
from bot.ports import records as r
from bot.ports.github import GitHubBusy, GitHubReader, GitHubRefused, ListedDelivery
from bot.ports.queue import Nudge
from bot.ports.storage import Transaction
from bot.services.desk import HOUR_MS, Desk, ask

log = structlog.get_logger()

WINDOW_MS: Final = 72 * HOUR_MS
"""How long GitHub lists and repeats a delivery."""
EVERY_MS: Final = 60_000
SOONEST_MS: Final = 2_000
PROBED_MS: Final = 1_000
"""When the receiver has just begun to listen: how long until it is asked whether the probe came in."""
LAG_MS: Final = 300_000
"""How long an attempt may take to show in the list."""
MOST_REFUSED: Final = 3
"""After so many attempts that our receiver answered and did not store, all but the first of them asked for by the process that
judges, a delivery is one that it never will.
"""


def key_of(hour: int) -> str:
    """One job an hour looks again and again; its end is the checkpoint for those after it."""
    return f"recovery:{hour}"


def is_asked_for(desk: Desk, tx: Transaction) -> bool:
    """Whether this hour has its job."""
    return tx.jobs.by_key(key_of(desk.clock.now() // HOUR_MS)) is not None


def ask_for_recovery(desk: Desk, tx: Transaction) -> None:
    """Ask for this hour's looks; nothing happens when somebody has."""
    now = desk.clock.now()
    hour, kind = now // HOUR_MS, JobKind.RECOVERY
    payload = {"hour": hour, "since": _checkpoint(tx, now)}
    job = r.Job(desk.chance.name(), key_of(hour), kind, QUEUE_OF[kind], now, installation_id=0, payload=payload)
    ask(tx, job)


def hurry(desk: Desk, tx: Transaction) -> None:
    """Look now: the receiver has begun to listen."""
    ask_for_recovery(desk, tx)
    job = tx.jobs.by_key(key_of(desk.clock.now() // HOUR_MS))
    assert job is not None
    tx.jobs.hurry(job.id)
    tx.nudge(Nudge.PERFORM, job.id, queue=job.queue)


def _checkpoint(tx: Transaction, now: int) -> int:
    """Up to when an earlier look found nothing missing; three days ago when there is none."""
    for hour in range(now // HOUR_MS - 1, (now - WINDOW_MS) // HOUR_MS, -1):
        job = tx.jobs.by_key(key_of(hour))
        if job is not None and job.state == "done":
            return min(int(job.result["clear_until"]), now) - LAG_MS
    return now - WINDOW_MS


@dataclass(slots=True)
class Recovering:
    """The handler. ``_clear_until``: this process saw that nothing older is missing, so that it need not be listed again."""

    desk: Desk
    reader: GitHubReader
    _clear_until: int = 0
    _given_up: set[str] = field(default_factory=set)
    _met: dict[str, int] = field(default_factory=dict)
    """How many attempts each missing one had when this process first met it: those were for an inbox that may be gone."""

    def look(self, job: r.Job) -> Outcome:
        """Ask for what is missing; done when the hour is over and nothing is."""
        now = self.desk.clock.now()
        try:
            # A clock may have been set back since either was stored.
            since = min(max(int(job.payload["since"]), self._clear_until - LAG_MS), now - LAG_MS)
            listed = self.reader.deliveries(since)
            missing = self._missing(listed)
            self._ask_for(missing, open_=bool(listed) and max(listed, key=lambda one: one.id).answered)
        except (GitHubBusy, GitHubRefused) as error:
            return Snooze(now + EVERY_MS, error.sentence)
        if missing:
            down_ms = now - missing[0].first_at
            # A job that was hurried, or never ran, waits for nothing.
            pause = PROBED_MS if job.not_before == 0 else min(max(down_ms // 10, SOONEST_MS), EVERY_MS)
            return Snooze(now + pause, f"{len(missing)} deliveries are missing")
        self._clear_until = now
        if now // HOUR_MS > int(job.payload["hour"]):
            return Done({"clear_until": now})
        return Snooze(now + EVERY_MS, "no delivery is missing")

    def _missing(self, listed: tuple[ListedDelivery, ...]) -> list[ListedDelivery]:
        """What the inbox lacks, oldest first, without what the receiver refuses."""
        with self.desk.storage.read() as tx:
            known = tx.deliveries.known([one.guid for one in listed])
        missing = [one for one in listed if one.guid not in known]
        self._met = {one.guid: self._met.get(one.guid, one.attempts) for one in missing}
        hopeless = {
            one.guid
            for one in missing
            if one.answered and one.attempts >= MOST_REFUSED and one.attempts - self._met[one.guid] >= MOST_REFUSED - 1
        }
        for guid in sorted(hopeless - self._given_up):
            log.warning("delivery_given_up", delivery=guid, why="the receiver answered and did not store it")
        self._given_up |= hopeless
        return [one for one in missing if one.guid not in self._given_up]

    def _ask_for(self, missing: list[ListedDelivery], *, open_: bool) -> None:
        for one in missing if open_ else missing[:1]:
            log.info("delivery_missing", delivery=one.guid, deliveries_event=one.event)
            self.reader.redeliver(one.id)
