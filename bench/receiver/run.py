#!/usr/bin/env python
"""Durable acknowledgements per second, and their latency, beside Probot 14: same machine, same load, same run.

Usage: run.py [RESULT.json] [--rounds 3] [--seconds 10]

Conductor runs as its real web process (Redis as broker) and commits every delivery with full synchronisation before its
202, once on SQLite (synchronous=FULL) and once on PostgreSQL (fsync and synchronous_commit on). Probot checks the
signature and runs an empty handler; it stores nothing. The servers run one after the other in turns, so that a slow
minute of the machine meets all of them; the load is wrk's: 64 connections, 4 KB payloads, a delivery id for each.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import hmac
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa

from bot.simulator.services import PostgresServer, RedisServer, end_process, free_port

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SECRET = "a bench's webhook secret"
CONNECTIONS = 64
PAYLOAD_BYTES = 4096
START_SECONDS = 60.0
PEER = "probot"


@dataclass(frozen=True)
class Contender:
    """A server to measure. ``database_url`` is empty for the peer, which stores nothing."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    path: str
    ready: str
    accepted: int
    database_url: str = ""


@dataclass(frozen=True)
class Round:
    """One run of wrk. Latencies in milliseconds."""

    answers: int
    failed: int
    per_second: float
    p50_ms: float
    p99_ms: float
    max_ms: float


def payload() -> bytes:
    """An `issues.labeled` delivery of exactly PAYLOAD_BYTES."""
    content: dict[str, Any] = {
        "action": "labeled",
        "issue": {
            "id": 1,
            "number": 7,
            "title": "Totals are wrong",
            "labels": [{"id": 3, "name": "conductor"}],
            "body": "",
        },
        "label": {"id": 3, "name": "conductor"},
        "repository": {"id": 21, "full_name": "octo/calc", "default_branch": "main", "private": False},
        "installation": {"id": 11},
        "sender": {"id": 5, "login": "ana", "type": "User"},
    }
    # Structure like GitHub's own payloads, whose bulk is addresses: one long string would flatter every parser.
    links = {f"field_{index}_url": f"https://api.github.com/repos/octo/calc/field{{/{index}}}" for index in range(36)}
    content["repository"].update(links)
    content["issue"]["body"] = "x" * (PAYLOAD_BYTES - len(json.dumps(content)))
    body = json.dumps(content).encode()
    assert len(body) == PAYLOAD_BYTES
    return body


def install_peer() -> None:
    if (HERE / "peer" / "node_modules" / "probot" / "package.json").is_file():
        return
    arguments = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]
    subprocess.run(arguments, check=True, cwd=HERE / "peer", stdin=subprocess.DEVNULL, stdout=sys.stderr)


def conductor(name: str, database_url: str, broker_url: str, data: Path) -> Contender:
    environment = {
        "CONDUCTOR_WEBHOOK_SECRET": SECRET,
        "CONDUCTOR_DATABASE_URL": database_url,
        "CONDUCTOR_BROKER_URL": broker_url,
        "CONDUCTOR_DATA": str(data / name),
        "PYTHONPATH": str(ROOT),
    }
    command = (sys.executable, str(HERE / "web_process.py"))
    return Contender(f"conductor on {name}", command, environment, "/webhooks/github", "/readyz", 202, database_url)


def probot() -> Contender:
    node = shutil.which("node")
    assert node is not None, "node was not found on PATH: install the package nodejs"
    environment = {"BENCH_SECRET": SECRET, "NODE_ENV": "production"}
    command = (node, str(HERE / "peer" / "server.js"))
    return Contender(PEER, command, environment, "/api/github/webhooks", "/ping", 200)


@contextlib.contextmanager
def running(contender: Contender, port: int) -> Iterator[None]:
    environment = {"PATH": os.environ["PATH"], **contender.environment, "BENCH_PORT": str(port)}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            contender.command, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
        try:
            _await_ready(contender, process, port, said)
            yield
        finally:
            end_process(process)


def _await_ready(contender: Contender, process: subprocess.Popen[bytes], port: int, said: IO[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(f"http://127.0.0.1:{port}{contender.ready}"):
        if process.poll() is not None or time.monotonic() > deadline:
            said.seek(0)
            words = said.read().decode("utf-8", "replace")
            raise SystemExit(f"bench: {contender.name} did not start:\n{words[-2000:]}")
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def first_answer(contender: Contender, port: int, body: bytes, signature: str, name: str) -> int:
    """The status of one delivery, good or forged: a server that does not check would be measured for nothing."""
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "issues",
        "X-GitHub-Delivery": name,
        "X-Hub-Signature-256": signature,
    }
    request = urllib.request.Request(f"http://127.0.0.1:{port}{contender.path}", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def measure(contender: Contender, body_file: Path, signature: str, mark: str, seconds: int) -> Round:
    port = free_port()
    body = body_file.read_bytes()
    with running(contender, port):
        good = first_answer(contender, port, body, signature, f"{mark}-first")
        forged = first_answer(contender, port, body, "sha256=" + "0" * 64, f"{mark}-forged")
        if good != contender.accepted or forged < 400:
            raise SystemExit(f"bench: {contender.name} answers {good} to a good delivery and {forged} to a forged one")
        address = f"http://127.0.0.1:{port}{contender.path}"
        # A second of the same load first: both servers start with cold code.
        _wrk(address, body_file, signature, f"{mark}-warm", 1)
        found = _wrk(address, body_file, signature, mark, seconds)
    return Round(
        answers=found["answers"],
        failed=found["failed"],
        per_second=found["answers"] / (found["microseconds"] / 1e6),
        p50_ms=found["p50_us"] / 1000,
        p99_ms=found["p99_us"] / 1000,
        max_ms=found["max_us"] / 1000,
    )


def _wrk(address: str, body_file: Path, signature: str, mark: str, seconds: int) -> dict[str, int]:
    arguments = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s", "-s", str(HERE / "load.lua")]
    arguments += [address, "--", str(body_file), signature, mark]
    done = subprocess.run(arguments, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    return dict(json.loads(line.removeprefix("RESULT ")))


def stored(contender: Contender, mark: str) -> int:
    """Rows of one round's measured deliveries, counted after its server has ended."""
    engine = sa.create_engine(contender.database_url)
    try:
        with engine.connect() as link:
            query = sa.text("SELECT count(*) FROM deliveries WHERE id LIKE :pattern")
            return int(link.execute(query, {"pattern": f"{mark}-1-%"}).scalar_one())
    finally:
        engine.dispose()


def compare(contenders: list[Contender], rounds: int, seconds: int, directory: Path) -> dict[str, Any]:
    body = payload()
    body_file = directory / "payload.json"
    body_file.write_bytes(body)
    signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    found: dict[str, list[Round]] = {contender.name: [] for contender in contenders}
    durable: dict[str, list[int]] = {contender.name: [] for contender in contenders if contender.database_url}
    for number in range(rounds):
        for index, contender in enumerate(contenders):
            mark = f"r{number}c{index}"
            result = measure(contender, body_file, signature, mark, seconds)
            found[contender.name].append(result)
            print(f"round {number + 1}: {_line(contender.name, result)}", file=sys.stderr)
            if result.failed:
                raise SystemExit(f"bench: {contender.name} failed {result.failed} of {result.answers} requests")
            if contender.database_url:
                rows = stored(contender, mark)
                durable[contender.name].append(rows)
                if rows < result.answers:
                    raise SystemExit(
                        f"bench: {contender.name} acknowledged {result.answers} deliveries and stored {rows}"
                    )
    return _summary(found, durable)


def _summary(found: dict[str, list[Round]], durable: dict[str, list[int]]) -> dict[str, Any]:
    servers: dict[str, Any] = {}
    for name, results in found.items():
        servers[name] = {
            "acks_per_second": round(statistics.median(result.per_second for result in results), 1),
            "p50_ms": round(statistics.median(result.p50_ms for result in results), 3),
            "p99_ms": round(statistics.median(result.p99_ms for result in results), 3),
            "rounds": [asdict(result) for result in results],
        }
        if name in durable:
            servers[name]["rows_stored"] = durable[name]
    peer = servers[PEER]
    for name in durable:
        servers[name]["rate_over_probot"] = round(servers[name]["acks_per_second"] / peer["acks_per_second"], 3)
        servers[name]["p99_over_probot"] = round(servers[name]["p99_ms"] / peer["p99_ms"], 3)
    return servers


def _line(name: str, result: Round) -> str:
    return f"{name:<24} {result.per_second:8.0f}/s  p50 {result.p50_ms:7.2f} ms  p99 {result.p99_ms:7.2f} ms"


def table(servers: dict[str, Any]) -> str:
    lines = [f"{'server':<24} {'acks/s':>8} {'p50 ms':>8} {'p99 ms':>8} {'rate/probot':>12} {'p99/probot':>11}"]
    for name, one in servers.items():
        rate, tail = one.get("rate_over_probot", 1.0), one.get("p99_over_probot", 1.0)
        lines.append(
            f"{name:<24} {one['acks_per_second']:8.0f} {one['p50_ms']:8.2f} {one['p99_ms']:8.2f} {rate:12.2f} {tail:11.2f}"
        )
    return "\n".join(lines)


def peer_version() -> str:
    manifest = json.loads((HERE / "peer" / "node_modules" / "probot" / "package.json").read_text("utf-8"))
    return str(manifest["version"])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("result", nargs="?", type=Path, help="where the figures go as JSON")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=10)
    chosen = parser.parse_args()
    install_peer()
    with contextlib.ExitStack() as stack:
        # In the tree, not in a temporary file system that may live in memory, where a sync costs nothing.
        room = ROOT / ".conductor"
        room.mkdir(exist_ok=True)
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-receiver-", dir=room)))
        redis, postgres = stack.enter_context(RedisServer()), stack.enter_context(PostgresServer())
        contenders = [
            probot(),
            conductor("sqlite", f"sqlite:///{directory / 'bench.db'}", redis.url, directory),
            conductor("postgres", postgres.url, redis.url, directory),
        ]
        servers = compare(contenders, chosen.rounds, chosen.seconds, directory)
    print(table(servers))
    report = {
        "load": {"connections": CONNECTIONS, "payload_bytes": PAYLOAD_BYTES, "seconds": chosen.seconds},
        "probot": peer_version(),
        "processors": os.cpu_count(),
        "servers": servers,
    }
    if chosen.result is not None:
        chosen.result.write_text(json.dumps(report, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
