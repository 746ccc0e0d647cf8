"""The machine's clock and its random generator, behind the ports that make decisions repeatable."""

from __future__ import annotations

import base64
import secrets
import time


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
        """12 lower-case base32 characters, 60 bits."""
        return base64.b32encode(secrets.token_bytes(8)).decode("ascii").lower()[:12]

    def jitter(self, span: int) -> int:
        """A whole number from 0 to ``span`` inclusive."""
        return secrets.randbelow(span + 1)
