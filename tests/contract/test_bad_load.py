"""Too much at once: the largest payload that GitHub sends, ten thousand deliveries in the same moment, one that never ends."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import signal
import socket
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any, Final

from bot.adapters.storage import InboxWriter
from bot.ports.queue import Nudge
from bot.services.rescue import BATCH, Sweeper
from bot.web.group_commit import CAPACITY, GroupCommit
from bot.web.receiver import PATH, Receiver
from tests.contract.databases import fresh_url
from tests.contract.test_receiver_server import web_on
from tests.harness.house import SECRET, House
from tests.harness.services import end_process, free_port
from tests.unit.receiver_calls import headers_of

LARGEST: Final = 25 * 1024 * 1024
"""Bytes; GitHub's cap on payloads."""
CROWD: Final = 10_000
BODY: Final = json.dumps({"action": "created", "filler": "x" * 5_000}).encode()
SIGNATURE: Final = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest().encode()


def test_the_largest_payload_is_taken_and_one_byte_more_is_refused_with_a_sentence(tmp_path: Path) -> None:
    whole = b'{"a": "' + b"x" * (LARGEST - len(b'{"a": ""}')) + b'"}'
    with web_on(fresh_url("sqlite", tmp_path)) as web:
        assert web.deliver(whole) == 202
        with web.storage.read() as tx:
            stored = tx.deliveries.get("d1")
        assert stored is not None
        assert (len(stored.body), stored.body_sha256) == (LARGEST, hashlib.sha256(whole).hexdigest())
        over = whole.replace(b'"}', b'x"}')
        headers = {name.decode(): value.decode() for name, value in headers_of(over, {"x-github-delivery": "d2"})}
        status, _, said = web.request("POST", PATH, over, headers)
        assert (status, "more than GitHub ever sends" in said) == (413, True)


class Crowd:
    """Posts to the receiver as many senders at once would, and counts the answers."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver

    async def post(self, number: int) -> int:
        answered: list[dict[str, Any]] = []
        headers = (
            (b"content-type", b"application/json"),
            (b"x-github-event", b"star"),
            (b"x-github-delivery", b"d-%d" % number),
            (b"x-hub-signature-256", b"sha256=" + SIGNATURE),
        )

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": BODY}

        async def send(message: dict[str, Any]) -> None:
            answered.append(message)

        scope = {"type": "http", "method": "POST", "path": PATH, "headers": headers}
        await self.receiver(scope, receive, send)  # type: ignore[arg-type]  # Starlette's types are of any message
        return int(answered[0]["status"])


def test_ten_thousand_deliveries_at_once_are_all_stored_and_routed_piece_by_piece() -> None:
    with House(messy=True) as house:
        inbox = GroupCommit(lambda: InboxWriter(house.settings.database_url), house.queue)

        async def all_at_once() -> list[int]:
            inbox.start()
            crowd, refused, rounds = Crowd(Receiver(SECRET, inbox, house.clock)), list(range(CROWD)), []
            while refused:
                # Who is refused is asked for again, as recovery does.
                codes = await asyncio.gather(*map(crowd.post, refused))
                assert set(codes) <= {202, 503}
                refused = [number for number, code in zip(refused, codes, strict=True) if code == 503]
                rounds.append(len(refused))
            await inbox.close()
            return rounds

        rounds = asyncio.run(all_at_once())
        assert rounds[0] == CROWD - CAPACITY, "no more may wait; those that do are stored"
        with house.parts.storage.read() as tx:
            assert tx.deliveries.unsettled() == CROWD
        house.queue.flush()
        sweeper = Sweeper(house.parts.desk, house.queue)
        tracemalloc.start()
        sweeper.sweep()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < CROWD * len(BODY) / 10, "a sweep reads ids, not payloads"
        woken = 0
        while (item := house.queue.take()) is not None:
            woken += item[0] is Nudge.ROUTE
            house._work(*item)
        assert woken == BATCH, "so many are in hand at once, whatever waits"
        with house.parts.storage.read() as tx:
            assert tx.deliveries.unsettled() == CROWD - BATCH
        sweeper.sweep()
        assert house.queue.take() is not None, "the next ones"
        assert {one.state for one in house.deliveries() if one.id.startswith("d-")} <= {"ignored", "received"}


PROCESS: Final = """
import sys
from pathlib import Path
from bot.cli.serving import run
from tests.contract.test_receiver_server import settings
run(settings(Path(sys.argv[1])), port=int(sys.argv[2]))
"""


def test_a_sender_that_does_not_finish_holds_up_no_end(tmp_path: Path) -> None:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(tmp_path), str(port)],
        cwd=Path(__file__).parents[2],
        env={"PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
    )
    try:
        with _connected(port, process) as link:
            link.sendall(f"POST {PATH} HTTP/1.1\r\nhost: here\r\ncontent-length: 100\r\n".encode())
            link.sendall(b"expect: 100-continue\r\n")
            for name, value in headers_of(BODY, {}):
                if name != b"content-length":
                    link.sendall(name + b": " + value + b"\r\n")
            link.sendall(b'\r\n{"a": ')
            assert link.recv(100).startswith(b"HTTP/1.1 100"), "it waits for the rest"
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
    finally:
        end_process(process)


def _connected(port: int, process: subprocess.Popen[bytes]) -> socket.socket:
    while process.poll() is None:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise AssertionError("the web process ended at its start")
