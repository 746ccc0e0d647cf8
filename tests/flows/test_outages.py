"""Outages as people meet them: nobody takes deliveries for a while, and every process dies at once. What it took is printed at the end."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any, Final

from tests.harness.scenarios import MODEL
from tests.harness.standing import standing

LOST: Final = 200
HANGS: Final[dict[str, Any]] = {"planner": [{"error": 500, "delay_s": 300}, *MODEL["planner"]]}
"""The planner's call is in hand for longer than a test takes; a repeated one is answered at once."""
Tell = Callable[[str, object], None]


def test_what_nobody_took_is_taken_once_when_the_web_process_is_back(record_property: Tell) -> None:
    with standing(HANGS) as place:
        # The hour's looks have begun, and the next one is not due for a minute.
        place.until("SELECT count(*) FROM jobs WHERE kind = 'recovery' AND not_before > 0", 1)
        place.kill()
        place.github.label("conductor", by="ana")
        for number in range(LOST - 1):
            place.github.comment("issue", f"word {number}", by="mallory")
        assert place.github.wait_delivered()
        lost = {one.guid for one in place.github.deliveries if not one.delivered}
        assert len(lost) == LOST
        # Our own writes are told of as well.
        named = ", ".join(f"'{one}'" for one in sorted(lost))
        settled = f"SELECT count(*) FROM deliveries WHERE id IN ({named}) AND state IN ('done', 'ignored', 'dead')"
        began = time.monotonic()
        place.start()
        took = place.until(settled, LOST)
        whole = time.monotonic() - began
        assert place.rows("SELECT count(*) FROM runs") == [(1,)]
        record_property(
            "told",
            f"web down for {LOST} deliveries, then up: all taken, once, in {took:.1f} s ({whole:.1f} s with its start)",
        )


def test_everything_is_killed_at_once_and_the_run_goes_on(record_property: Tell) -> None:
    with standing(HANGS) as place:
        place.github.label("conductor", by="ana")
        place.asked()
        time.sleep(secrets.randbelow(1_000) / 1_000)
        place.kill()
        held = place.rows("SELECT kind FROM jobs WHERE state = 'running' AND lease_until > 0")
        assert ("draft",) in held
        began = time.monotonic()
        place.start()
        took = place.until("SELECT count(*) FROM model_calls WHERE state = 'done'", 1)
        whole = time.monotonic() - began
        record_property(
            "told", f"SIGKILL of everything, then up: the run went on in {took:.1f} s ({whole:.1f} s with its start)"
        )
