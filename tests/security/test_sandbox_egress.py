"""The way out of a sandbox: an allowlist that nothing inside, and no name server outside, can stretch."""

from __future__ import annotations

import contextlib
import http.server
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from workers.sandbox.box import Limits, Ran, Sandbox
from workers.sandbox.egress import EgressDecision, EgressProxy, Resolve, dial_address
from workers.sandbox.egress_rules import (
    EgressRuleInvalid,
    greeted_name,
    greeting_length,
    is_plain_host,
    parse_rules,
    refused_address,
)
from workers.sandbox.toolchain import Toolchain

MINUTE = Limits(wall_s=60)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    scratch = tmp_path_factory.mktemp("scratch")
    return Sandbox(toolchain=Toolchain.build(scratch.parent / "toolchains"), scratch=scratch)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree").mkdir()
    return tmp_path / "tree"


class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello from outside")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hello) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running.server_address[1]
        running.shutdown()
        thread.join()


def loopback(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


class Outside:
    """A proxy with its decisions, and one way to run commands behind it."""

    def __init__(
        self, sandbox: Sandbox, tree: Path, hosts: list[str], *, resolve: Resolve = loopback, private: bool = True
    ) -> None:
        self.decisions: list[EgressDecision] = []
        self.dialled: list[tuple[str, int]] = []
        self.served: int | None = None
        self.sandbox = sandbox
        self.tree = tree
        self.proxy = EgressProxy(
            hosts, on_decision=self.decisions.append, allow_private=private, resolve=resolve, dial=self.dial
        )

    def dial(self, address: str, port: int) -> socket.socket:
        self.dialled.append((address, port))
        return dial_address("127.0.0.1", self.served or port)

    def run(self, command: str) -> Ran:
        with self.proxy.open() as door:
            return self.sandbox.run(command, tree=self.tree, writable=False, egress=door, limits=MINUTE)


def test_an_allowed_host_is_reached(sandbox: Sandbox, tree: Path, server: int) -> None:
    outside = Outside(sandbox, tree, [f"files.example.com:{server}"])
    ran = outside.run(f"curl -sS -p http://Files.Example.com:{server}/")
    assert ran.output == b"hello from outside"
    assert outside.decisions == [
        EgressDecision("files.example.com", server, allowed=True, rule=f"files.example.com:{server}", reason="")
    ]


def test_one_door_serves_several_commands(sandbox: Sandbox, tree: Path, server: int) -> None:
    outside = Outside(sandbox, tree, [f"*.example.com:{server}"])
    with outside.proxy.open() as door:
        for name in ("a", "b.c"):
            command = (
                f"curl -sS -p http://{name}.example.com:{server}/ & curl -sS -p http://x.example.com:{server}/; wait"
            )
            ran = sandbox.run(command, tree=tree, writable=True, egress=door, limits=MINUTE)
            assert ran.output == b"hello from outside" * 2


def test_nothing_of_the_door_stays_in_the_sandbox(sandbox: Sandbox, tree: Path) -> None:
    outside = Outside(sandbox, tree, [])
    ran = outside.run("ls /proc/self/fd; cat /proc/[0-9]*/comm")
    assert ran.output.split()[:4] == [b"0", b"1", b"2", b"3"]
    assert sorted(set(ran.output.split()[4:])) == [b"bwrap", b"cat"]


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"], ["::1"], ["0.0.0.0"], ["::"], ["10.0.0.5"], ["172.16.0.1"], ["192.168.1.1"], ["169.254.169.254"],
        ["100.64.0.1"], ["224.0.0.1"], ["255.255.255.255"], ["fe80::1"], ["fe80::1%eth0"], ["fd00:ec2::254"], ["ff02::1"],
        ["::ffff:127.0.0.1"], ["::ffff:169.254.169.254"], ["64:ff9b::a00:1"], ["2002:7f00:1::"], ["168.63.129.16"],
        ["93.184.215.14", "127.0.0.1"], [],
    ],
)  # fmt: skip
def test_a_name_that_leads_inside_is_refused(addresses: list[str]) -> None:
    decisions: list[EgressDecision] = []
    dialled: list[str] = []

    def dial(address: str, port: int) -> socket.socket:
        dialled.append(address)
        raise OSError("not here")

    proxy = EgressProxy(
        ["ok.example.com"], on_decision=decisions.append, resolve=lambda host, port: addresses, dial=dial
    )
    assert proxy.connect("ok.example.com", 443) is None
    assert dialled == []
    assert [decision.allowed for decision in decisions] == [False]


def test_a_name_is_resolved_once_and_its_address_dialled() -> None:
    answers = iter([["93.184.215.14"], ["127.0.0.1"]])
    asked: list[str] = []
    dialled: list[str] = []
    left, right = socket.socketpair()

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return next(answers)

    def dial(address: str, port: int) -> socket.socket:
        dialled.append(address)
        return left

    with left, right:
        proxy = EgressProxy(["rebind.example.com"], on_decision=lambda decision: None, resolve=resolve, dial=dial)
        assert proxy.connect("rebind.example.com", 443) == (left, "rebind.example.com")
    assert (asked, dialled) == (["rebind.example.com"], ["93.184.215.14"])


def test_names_that_do_not_resolve_or_answer_are_reported() -> None:
    decisions: list[EgressDecision] = []

    def fails(host: str, port: int) -> list[str]:
        raise socket.gaierror("unknown")

    def refuses(address: str, port: int) -> socket.socket:
        raise ConnectionRefusedError("closed")

    EgressProxy(["a.example"], on_decision=decisions.append, resolve=fails).connect("a.example", 443)
    public = ["93.184.215.14"]
    EgressProxy(["a.example"], on_decision=decisions.append, resolve=lambda h, p: public, dial=refuses).connect(
        "a.example", 443
    )
    assert ["does not resolve" in decisions[0].reason, "failed" in decisions[1].reason] == [True, True]


def client_hello(name: str | None) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


def test_a_greeting_in_pieces_is_read_whole() -> None:
    hello = client_hello("ok.example.com")
    assert [greeting_length(hello[:cut]) for cut in range(len(hello))] == [None] * len(hello)
    assert greeting_length(hello + b"more") == len(hello)
    body = hello[5:]
    split = b"".join(b"\x16\x03\x01" + len(p).to_bytes(2, "big") + p for p in (body[:7], body[7:50], body[50:]))
    length = greeting_length(split)
    assert length == len(split)
    assert greeted_name(split) == "ok.example.com"


def test_no_mangled_greeting_is_read_as_another_name() -> None:
    hello = client_hello("ok.example.com")
    for at in range(5, len(hello)):
        mangled = hello[:at] + bytes([hello[at] ^ 0xFF]) + hello[at + 1 :]
        try:
            length = greeting_length(mangled)
            name = greeted_name(mangled[:length]) if length else ""
        except ValueError:
            continue
        assert name in {"", "ok.example.com"} or len(name) == len("ok.example.com")


def test_two_names_and_encrypted_greetings_are_refused() -> None:
    def hello(*extensions: tuple[int, bytes]) -> bytes:
        packed = b"".join(k.to_bytes(2, "big") + len(v).to_bytes(2, "big") + v for k, v in extensions)
        body = b"\3\3" + bytes(32) + b"\0" + b"\0\2\x13\1" + b"\1\0" + len(packed).to_bytes(2, "big") + packed
        message = b"\1" + len(body).to_bytes(3, "big") + body
        return b"\x16\3\1" + len(message).to_bytes(2, "big") + message

    def name(text: bytes) -> bytes:
        return b"\0" + len(text).to_bytes(2, "big") + text

    def sni(*names: bytes) -> tuple[int, bytes]:
        joined = b"".join(map(name, names))
        return 0, len(joined).to_bytes(2, "big") + joined

    assert greeted_name(hello(sni(b"OK.example.com"))) == "ok.example.com"
    for bad in (
        hello(sni(b"a", b"b")),
        hello(sni(b"a"), sni(b"b")),
        hello(sni(b"a"), (0xFE0D, b"x")),
        hello(sni(b"\xff")),
    ):
        with pytest.raises(ValueError, match=r".+"):
            greeted_name(bad)


@pytest.mark.parametrize(
    "entry",
    [
        "*",
        "*.com",
        "",
        "a b",
        "https://x.example",
        "x.example/",
        "x.*",
        "x:0",
        "x:70000",
        "x\0y",
        "[::1]:1",
        "-x",
        "x\n",
    ],
)
def test_entries_that_cannot_be_read_are_errors(entry: str) -> None:
    with pytest.raises(EgressRuleInvalid, match=r"sandbox\.egress"):
        parse_rules([entry])


def test_entries() -> None:
    exact, below = parse_rules(["Files.example.com", "*.example.org:8443"])
    assert exact.matches("files.example.com", 443)
    assert not exact.matches("files.example.com", 80)
    assert not exact.matches("x.files.example.com", 443)
    assert below.matches("a.b.example.org", 8443)
    assert not below.matches("example.org", 8443)
    assert not below.matches("aexample.org", 8443)
    assert parse_rules([]) == ()


def test_only_loopback_is_opened_for_tests() -> None:
    assert refused_address("127.0.0.1", allow_private=True) == ""
    assert refused_address("93.184.215.14") == ""
    assert refused_address("2606:2800:21f:cb07:6820:80da:af6b:8b2c") == ""
    for private in ("10.0.0.1", "169.254.169.254", "fd00::1", "0.0.0.0"):
        assert refused_address(private, allow_private=True)
    assert not is_plain_host("a" * 254)
    assert not is_plain_host("a..b")
