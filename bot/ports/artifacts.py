"""Byte-exact files named by hash, in a place all workers share (DESIGN section 3)."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from bot.domain.errors import InternalError


class ArtifactMissing(InternalError):
    """No such artifact for this installation. ``fields``: ``installation_id``, ``sha256``."""


class ArtifactDamaged(InternalError):
    """A file's bytes do not have the hash it is named by. ``fields``: ``installation_id``, ``sha256``."""


class Artifacts(Protocol):
    """Keyed by installation and sha256; never shared between installations."""

    def put(self, installation_id: int, data: bytes) -> str:
        """Store and return the hex sha256. Durable when it returns: temporary name, synced, renamed."""

    def put_file(self, installation_id: int, path: Path) -> str:
        """The same for a file on this machine, which is copied."""

    def get(self, installation_id: int, sha256: str) -> bytes:
        """The bytes, checked against their name. Raises ``ArtifactMissing`` or ``ArtifactDamaged``."""

    def path(self, installation_id: int, sha256: str) -> Path:
        """A read-only path to the checked file."""

    def drop(self, installation_id: int, sha256: str) -> bool:
        """Remove what nobody needs any more; False when it is not there, or was put again within the last hour."""

    def has(self, installation_id: int, sha256: str) -> bool:
        """Whether it is there."""
