"""The machine's clock and its random generator, behind the ports that make decisions repeatable."""

from __future__ import annotations

import secrets
import time

from bot.domain.ids import short_id


class SystemClock:
    """The ``Clock`` port."""

    def now(self) -> int:
        """Milliseconds since the epoch, UTC."""
        return time.time_ns() // 1_000_000


class SystemChance:
    """The ``Chance`` port, from the operating system's generator."""

    def token(self) -> str:
        """32 lower-case hex digits, 128 bits."""
        return secrets.token_hex(16)

    def name(self) -> str:
        """As `bot.domain.ids.short_id`."""
        return short_id(secrets.token_bytes(8))

    def jitter(self, span: int) -> int:
        """A whole number from 0 to ``span`` inclusive."""
        return secrets.randbelow(span + 1)
