"""The Redis and PostgreSQL of the tests and topologies: real, private, and gone afterwards."""

from __future__ import annotations

import os
from pathlib import Path

import psycopg
import pytest
import redis

from bot.simulator import services
from tests.harness.services import PostgresServer, RedisServer, ServiceError, free_port, postgres_binaries


def _gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://")


def test_redis_serves_keeps_nothing_on_disk_and_is_gone_afterwards() -> None:
    with RedisServer() as server:
        client = redis.Redis.from_url(server.url)
        client.set("key", "value")
        assert client.get("key") == b"value"
        assert client.config_get("save") == {"save": ""}
        assert client.config_get("appendonly") == {"appendonly": "no"}
        server.flush()
        assert client.get("key") is None
        client.close()
        pid = server.pid
    assert _gone(pid)
    server.close()


def test_two_redis_servers_do_not_share_keys() -> None:
    with RedisServer() as one, RedisServer() as two:
        first, second = redis.Redis.from_url(one.url), redis.Redis.from_url(two.url)
        first.set("key", "value")
        assert second.get("key") is None
        first.close()
        second.close()


def test_postgres_is_durable_private_and_gone_afterwards() -> None:
    with PostgresServer() as server:
        with psycopg.connect(_plain(server.url)) as link:
            assert link.execute("show fsync").fetchone() == ("on",)
            assert link.execute("show synchronous_commit").fetchone() == ("on",)
            assert link.execute("show server_encoding").fetchone() == ("UTF8",)
            assert link.execute("show listen_addresses").fetchone() == ("127.0.0.1",)
            link.execute("create table t (n integer)")
        other = server.new_database()
        assert other != server.url
        with psycopg.connect(_plain(other)) as link:
            assert link.execute("select to_regclass('t')").fetchone() == (None,)
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(_plain(server.url).replace(f":{server._password}@", ":wrong@"))
        pid = server.pid
        assert os.geteuid() != 0 or Path(f"/proc/{pid}").stat().st_uid != 0
    assert _gone(pid)


def test_a_caller_environment_does_not_steer_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGDATA", "/nonexistent")
    monkeypatch.setenv("PGHOST", "192.0.2.1")
    monkeypatch.setenv("PGPORT", "1")
    with PostgresServer() as server, psycopg.connect(_plain(server.url), host="127.0.0.1") as link:
        assert link.execute("select 1").fetchone() == (1,)


def test_a_missing_program_is_one_sentence_with_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(services, "POSTGRES_BINARIES", tmp_path)
    with pytest.raises(ServiceError, match="install the package redis-server"), RedisServer():
        pass
    with pytest.raises(ServiceError, match="install the package postgresql"):
        postgres_binaries()


def test_a_server_that_cannot_start_says_why_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = tmp_path / "redis-server"
    fake.write_text("#!/bin/sh\necho the disk is full\nexit 3\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(ServiceError, match="code 3: the disk is full"), RedisServer():
        pass
    assert list(tmp_path.glob("conductor-redis-*")) == []


def test_properties_before_the_start_are_refused() -> None:
    with pytest.raises(ServiceError, match="enter the context first"):
        _ = RedisServer().pid
    with pytest.raises(ServiceError, match="enter the context first"):
        _ = PostgresServer().pid
    assert 1024 <= free_port() <= 65535
