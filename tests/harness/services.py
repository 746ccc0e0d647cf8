"""The servers that tests start for themselves: the same ones the simulator's topologies use."""

from __future__ import annotations

from bot.simulator.services import (
    PostgresServer,
    RedisServer,
    ServiceError,
    end_process,
    free_port,
    postgres_binaries,
)

__all__ = ["PostgresServer", "RedisServer", "ServiceError", "end_process", "free_port", "postgres_binaries"]
