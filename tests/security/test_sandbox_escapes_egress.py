"""Ways past the egress proxy, each asked by a program inside the real sandbox; the control changes the one thing that is wrong.

`pytest` counts these cases with those of `test_sandbox_escapes` and prints their number (`tests/conftest.py`).
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.security.escape_probes import DOOR
from workers.sandbox import egress as egress_module
from workers.sandbox.box import Limits, Sandbox
from workers.sandbox.egress import EgressDecision, EgressProxy, resolve_name
from workers.sandbox.egress_http import checked_request
from workers.sandbox.toolchain import Toolchain

MINUTE = Limits(wall_s=60)
PORT = 8080
OPEN = "open"


def client_hello(name: str | None) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    return outgoing.read().hex()


@dataclass(frozen=True)
class Case:
    """A request; `reason` stands in the decision. `host` and `port` go into a CONNECT line unless `line` says all."""

    name: str
    reason: str
    host: str = "ok.example.com"
    port: int | str = PORT
    line: str = ""
    token: str = "own"
    hello: str = b"x\n".hex()

    @property
    def request(self) -> list[str]:
        return [
            self.name,
            self.line or f"CONNECT {self.host}:{self.port} HTTP/1.1",
            self.token,
            self.hello,
        ]


GOOD = Case("good", "")
WRONG = base64.b64encode(b"sandbox:guess").decode()
NO_ENTRY, MALFORMED, ONLY_CONNECT = "no entry", "malformed", "only CONNECT"
REQUESTS = (
    Case("suffix-of-another", NO_ENTRY, host="ok.example.com.evil.example"),
    Case("suffix-without-dot", NO_ENTRY, host="evil-ok.example.com.x"),
    Case("name-without-its-dot", NO_ENTRY, host="xexample.com"),
    Case("wildcard-itself", NO_ENTRY, host="example.com"),
    Case("another-port", NO_ENTRY, port=22),
    Case("port-of-tls", NO_ENTRY, port=443),
    Case("trailing-dot", MALFORMED, host="ok.example.com."),
    Case("trailing-dots", MALFORMED, host="ok.example.com.."),
    Case("leading-dot", MALFORMED, host=".ok.example.com"),
    Case("nul", MALFORMED, host="evil.example\0.example.com"),
    Case("escaped-nul", MALFORMED, host="evil.example%00.example.com"),
    Case("fragment", MALFORMED, host="evil.example#.example.com"),
    Case("query", MALFORMED, host="evil.example?.example.com"),
    Case("path", MALFORMED, host="evil.example/.example.com"),
    Case("backslash", MALFORMED, host="evil.example\\.example.com"),
    Case("userinfo", MALFORMED, host="user@ok.example.com"),
    Case("host-as-userinfo", MALFORMED, host="ok.example.com@evil.example"),
    Case("password-as-host", MALFORMED, host="ok.example.com:80@evil.example"),
    Case("letter-of-another-alphabet", MALFORMED, host="\u043ek.example.com"),
    Case("tab", MALFORMED, host="ok.example.com\t"),
    Case("carriage-return", MALFORMED, host="evil.example\r.example.com"),
    Case("scheme", MALFORMED, host="http://ok.example.com"),
    Case("star", MALFORMED, host="*.example.com"),
    Case("long-name", MALFORMED, host="a" * 60 + ".a" * 100 + ".example.com"),
    Case("port-0", MALFORMED, port=0),
    Case("port-too-high", MALFORMED, port=99999),
    Case("port-negative", MALFORMED, port=-1),
    Case("port-plus", MALFORMED, port="+8080"),
    Case("port-wraps", MALFORMED, port=PORT + 65536),
    Case("port-of-other-digits", MALFORMED, port="\u0668\u0660"),
    Case("no-port", MALFORMED, line="CONNECT ok.example.com HTTP/1.1"),
    Case("get", ONLY_CONNECT, line=f"GET http://ok.example.com:{PORT}/ HTTP/1.1"),
    Case("post", ONLY_CONNECT, line=f"POST http://ok.example.com:{PORT}/ HTTP/1.1"),
    Case("lower-case-method", ONLY_CONNECT, line=f"connect ok.example.com:{PORT} HTTP/1.1"),
    Case("another-protocol", ONLY_CONNECT, line=f"CONNECT ok.example.com:{PORT} SSH/9"),
    Case("socks", ONLY_CONNECT, line="\x05\x01\x00"),
    Case("no-token", "token", token="none"),
    Case("wrong-token", "token", token=WRONG),
    Case("token-of-another-sandbox", "token", token="other"),
    Case("two-tokens", "token", line=f"CONNECT ok.example.com:{PORT} HTTP/1.1\r\nProxy-Authorization: Basic {WRONG}"),
)  # fmt: skip
# Not names: the control is a list that names them, and a proxy that may reach loopback.
ADDRESSES = {
    "loopback": "127.0.0.1", "loopback-short": "127.1", "loopback-decimal": "2130706433",
    "loopback-hexadecimal": "0x7f000001", "loopback-octal": "0177.0.0.1", "localhost": "localhost",
}  # fmt: skip
BRACKETS = {"ipv6": "[::1]", "mapped": "[::ffff:127.0.0.1]", "ipv6-bare": "::1", "zone": "[fe80::1%25lo]"}
INWARD = {
    "127-0-0-1": ["127.0.0.1"], "ipv6-loopback": ["::1"], "metadata": ["169.254.169.254"], "private": ["10.0.0.5"],
    "mapped-loopback": ["::ffff:127.0.0.1"], "mapped-metadata": ["::ffff:169.254.169.254"], "unspecified": ["0.0.0.0"],
    "metadata-ipv6": ["fd00:ec2::254"], "host-agent": ["168.63.129.16"], "translated": ["64:ff9b::a00:1"],
    "one-of-two": ["93.184.215.14", "127.0.0.1"], "carrier-grade": ["100.64.0.1"], "link-local": ["fe80::1"],
}  # fmt: skip
GREETINGS = {
    "another-name": (443, client_hello("evil.example.org")), "no-name": (443, client_hello(None)),
    "name-below": (443, client_hello("x.ok.example.com")), "no-tls": (443, b"GET / HTTP/1.1\r\n\r\n".hex()),
    "another-name-on-another-port": (PORT, client_hello("evil.example.org")),
    "no-name-on-another-port": (PORT, client_hello(None)),
    "name-and-dot-on-another-port": (PORT, client_hello("evil.ok.example.com")),
}  # fmt: skip


def plain(*lines: str, then: str = "") -> str:
    return ("\r\n".join((*lines, "", "")) + then).encode("latin-1").hex()


HOST, GET = "Host: ok.example.com", "GET / HTTP/1.1"
REQUESTS_INSIDE = {
    "another-host": plain(GET, "Host: evil.example"),
    "another-port": plain(GET, "Host: ok.example.com:81"),
    "name-below": plain(GET, "Host: x.ok.example.com"),
    "trailing-dot": plain(GET, "Host: ok.example.com."),
    "userinfo": plain(GET, "Host: ok.example.com@evil.example"),
    "no-host": plain(GET),
    "two-hosts": plain(GET, HOST, "Host: evil.example"),
    "two-equal-hosts": plain(GET, HOST, HOST),
    "folded": plain(GET, HOST, " .evil.example"),
    "space-before-colon": plain(GET, HOST, "Host : evil.example"),
    "bare-return": plain(GET, "X: y\rHost: evil.example", HOST),
    "nul": plain(GET, "Host: ok.example.com\0.evil.example"),
    "absolute-target": plain("GET http://evil.example/ HTTP/1.1", HOST),
    "tunnel-in-tunnel": plain("CONNECT evil.example:443 HTTP/1.1", HOST),
    "no-version": plain("GET /", "Host: evil.example"),
    "version-2": plain("PRI * HTTP/2.0", "", "SM"),
    "lower-case": plain("get / http/1.1", "Host: evil.example"),
    "empty-line-first": plain("", GET, "Host: evil.example"),
    "space-first": plain(f" {GET}", "Host: evil.example"),
    "bare-line-feeds": f"{GET}\nHost: evil.example\n\n".encode().hex(),
    "own-method": plain("x / HTTP/1.1", "Host: evil.example"),
}  # fmt: skip


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    scratch = tmp_path_factory.mktemp("scratch")
    return Sandbox(toolchain=Toolchain.build(scratch.parent / "toolchains"), scratch=scratch)


@dataclass
class Outside:
    """A server that answers whoever says something, and proxies whose connections all lead to it."""

    sandbox: Sandbox
    tree: Path
    port: int
    decisions: list[EgressDecision] = field(default_factory=list)
    dialled: list[tuple[str, int]] = field(default_factory=list)

    def dial(self, address: str, port: int) -> socket.socket:
        self.dialled.append((address, port))
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def proxy(self, hosts: Sequence[str], names: Mapping[str, list[str]] | None = None) -> EgressProxy:
        def resolve(host: str, port: int) -> list[str]:
            return ["93.184.215.14"] if names is None else names[host]

        self.decisions, self.dialled = [], []
        return EgressProxy(hosts, on_decision=self.decisions.append, resolve=resolve, dial=self.dial)

    def ask(self, proxy: EgressProxy, cases: Sequence[Case]) -> dict[str, str]:
        with proxy.open() as other, proxy.open() as door:
            password = str(other.environment()["HTTPS_PROXY"])[7:].split("@")[0].encode()
            requests = [case.request for case in cases]
            for request in requests:
                request[2] = base64.b64encode(password).decode() if request[2] == "other" else request[2]
            given = json.dumps({"requests": requests})
            argv = ("python", "-c", DOOR, given)
            ran = self.sandbox.run_argv(argv, tree=self.tree, writable=False, egress=door, limits=MINUTE)
        found: dict[str, str] = json.loads(ran.output.splitlines()[-1])
        return found


@pytest.fixture(scope="module")
def outside(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        stopped = threading.Event()

        def serve() -> None:
            while True:
                try:
                    one, _ = server.accept()
                    with one:
                        one.settimeout(20)
                        if one.recv(1 << 16):
                            one.sendall(b"outside")
                except OSError:
                    if stopped.is_set():
                        return

        thread = threading.Thread(target=serve)
        thread.start()
        yield Outside(sandbox, tmp_path_factory.mktemp("tree"), server.getsockname()[1])
        stopped.set()
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@dataclass(frozen=True)
class Told:
    """What the client met and what was decided, by case, and where connections went."""

    met: dict[str, str]
    decided: dict[str, EgressDecision]
    control: dict[str, str]
    dialled: list[tuple[str, int]]


def told(outside: Outside, proxy: EgressProxy, cases: Sequence[Case], control: dict[str, str] | None = None) -> Told:
    met = outside.ask(proxy, [*cases, GOOD])
    decided = dict(zip([*(case.name for case in cases), "good"], outside.decisions, strict=True))
    return Told(met, decided, control or {}, list(outside.dialled))


@pytest.fixture(scope="module")
def requests(outside: Outside) -> Told:
    return told(outside, outside.proxy([f"*.example.com:{PORT}"]), REQUESTS)


@pytest.mark.parametrize("case", REQUESTS, ids=lambda case: case.name)
def test_only_what_the_list_names_is_connected(requests: Told, case: Case) -> None:
    assert requests.met[case.name].startswith("HTTP/1.1 4")
    assert not requests.decided[case.name].allowed
    assert case.reason in requests.decided[case.name].reason
    assert (requests.met["good"], requests.dialled) == (OPEN, [("93.184.215.14", PORT)])


@pytest.fixture(scope="module")
def addresses(outside: Outside) -> Told:
    cases = [Case(name, "", host=host) for name, host in {**ADDRESSES, **BRACKETS}.items()]
    names = {host: resolve_name(host, PORT) for host in ADDRESSES.values()}
    weak = EgressProxy(
        [f"{host}:{PORT}" for host in names],
        on_decision=lambda decision: None,
        allow_private=True,
        resolve=lambda host, port: names[host],
        dial=outside.dial,
    )
    control = outside.ask(weak, cases)
    return told(outside, outside.proxy([f"*.example.com:{PORT}"]), cases, control)


@pytest.mark.parametrize("name", [*ADDRESSES, *BRACKETS])
def test_no_address_stands_for_a_name(addresses: Told, name: str) -> None:
    assert addresses.met[name].startswith("HTTP/1.1 4")
    assert not addresses.decided[name].allowed
    # In brackets nothing is understood as a host, whatever the list says.
    assert addresses.control[name] == ("HTTP/1.1 400 Refused" if name in BRACKETS else OPEN)
    assert addresses.met["good"] == OPEN


@pytest.fixture(scope="module")
def inward(outside: Outside) -> Told:
    cases = [Case(name, "not a public address", host=f"{name}.example.com") for name in INWARD]
    names = {f"{name}.example.com": found for name, found in INWARD.items()} | {"ok.example.com": ["93.184.215.14"]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(egress_module, "refused_address", lambda address, *, allow_private: "")
        control = outside.ask(outside.proxy([f"*.example.com:{PORT}"], names), cases)
    return told(outside, outside.proxy([f"*.example.com:{PORT}"], names), cases, control)


@pytest.mark.parametrize("name", INWARD)
def test_no_name_leads_inside(inward: Told, name: str) -> None:
    assert inward.met[name] == "HTTP/1.1 403 Refused"
    assert not inward.decided[name].allowed
    assert "not a public address" in inward.decided[name].reason or "inside" in inward.decided[name].reason
    assert (inward.control[name], inward.met["good"]) == (OPEN, OPEN)
    assert inward.dialled == [("93.184.215.14", PORT)]


@pytest.fixture(scope="module")
def greetings(outside: Outside) -> Told:
    """The control greets with the name that was connected to."""
    cases = [Case(name, "TLS", port=port, hello=hello) for name, (port, hello) in GREETINGS.items()]
    right = [Case(case.name, "", port=case.port, hello=client_hello("ok.example.com")) for case in cases]
    hosts = ["ok.example.com", f"ok.example.com:{PORT}"]
    control = outside.ask(outside.proxy(hosts), right)
    return told(outside, outside.proxy(hosts), cases, control)


@pytest.mark.parametrize("name", GREETINGS)
def test_the_tls_name_is_the_connected_one_on_every_port(greetings: Told, name: str) -> None:
    assert greetings.met[name] == "shut"
    assert not greetings.decided[name].allowed
    assert "TLS" in greetings.decided[name].reason
    assert (greetings.control[name], greetings.met["good"]) == (OPEN, OPEN)


@pytest.fixture(scope="module")
def requests_inside(outside: Outside) -> Told:
    """The control asks for the host that was connected to, as clients spell it."""
    cases = [Case(name, "HTTP", hello=hello) for name, hello in REQUESTS_INSIDE.items()]
    hosts = itertools.cycle((HOST, f"HOST:ok.EXAMPLE.com:{PORT} "))
    right = [Case(case.name, "", hello=plain(GET, next(hosts), "Accept: */*")) for case in cases]
    proxy = outside.proxy([f"ok.example.com:{PORT}"])
    control = outside.ask(proxy, right)
    outside.decisions.clear()
    return told(outside, proxy, cases, control)


@pytest.mark.parametrize("name", REQUESTS_INSIDE)
def test_the_host_of_plain_http_is_the_connected_one(requests_inside: Told, name: str) -> None:
    assert requests_inside.met[name] == "shut"
    assert not requests_inside.decided[name].allowed
    assert "HTTP" in requests_inside.decided[name].reason
    assert (requests_inside.control[name], requests_inside.met["good"]) == (OPEN, OPEN)


@pytest.mark.parametrize(
    "said",
    [b"*1\r\n$4\r\nPING\r\n", b"\0\0\0\x08\x04\xd2\x16\x2f", b"003agit-upload-pack /p\0host=x\0", b"SSH-2.0-x\r\n"],
)
def test_what_is_no_http_is_passed_on_as_it_is(said: bytes) -> None:
    assert checked_request(said, "ok.example.com", PORT) == said


def test_a_request_is_read_in_pieces_and_no_other_follows_it() -> None:
    head = "POST /a HTTP/1.1\r\nConnection: keep-alive, X\r\nHost: ok.example.com\r\nUpgrade: h2c\r\nContent-Length: 4\r\n\r\n"
    whole = f"{head}body".encode()
    assert [checked_request(whole[:cut], "ok.example.com", PORT) for cut in range(len(head))] == [None] * len(head)
    sent = b"POST /a HTTP/1.1\r\nHost: ok.example.com\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody"
    assert checked_request(whole, "ok.example.com", PORT) == sent


URL = f"http://ok.example.com:{PORT}/"
CURL = "curl -sS --http0.9 -m 10 -p"
SIDEWAYS = {
    "variable-no-proxy": f"NO_PROXY='*' no_proxy='*' {CURL} {URL}",
    "option-no-proxy": f"{CURL} --noproxy '*' {URL}",
    "variables-unset": f"env -u http_proxy -u https_proxy -u HTTP_PROXY -u HTTPS_PROXY -u ALL_PROXY {CURL} {URL}",
    "variables-elsewhere": f"http_proxy=http://10.0.0.1:3128 {CURL} {URL}",
    "variable-without-token": f"http_proxy=http://127.0.0.1:3128 {CURL} {URL}",
    "another-port-of-loopback": f"{CURL} -x http://127.0.0.1:9 {URL}",
    "socks": f"{CURL} -m 1 -x socks5h://127.0.0.1:3128 {URL}",
    "forwarded-not-tunnelled": f"curl -sS --http0.9 -m 10 {URL}",
    "resolved-by-hand": f"{CURL} --noproxy '*' --resolve ok.example.com:{PORT}:127.0.0.1 {URL}",
    "connected-elsewhere": f"{CURL} --connect-to ok.example.com:{PORT}:evil.example:{PORT} {URL}",
    "host-header": f"{CURL} -H 'Host: ok.example.com' http://evil.example:{PORT}/",
    "name-server-over-https": f"{CURL} --noproxy '*' --doh-url https://1.1.1.1/dns-query {URL}",
}


@pytest.fixture(scope="module")
def sideways(outside: Outside) -> dict[str, str]:
    lines = "\n".join(f'echo "{name} $({command} 2>/dev/null)"' for name, command in SIDEWAYS.items())
    with outside.proxy([f"ok.example.com:{PORT}"]).open() as door:
        command = f'{lines}\necho "good $({CURL} {URL})"'
        ran = outside.sandbox.run(command, tree=outside.tree, writable=False, egress=door, limits=MINUTE)
    pairs = (line.partition(" ") for line in ran.output.decode().splitlines())
    return {name: said for name, _, said in pairs}


@pytest.mark.parametrize("name", SIDEWAYS)
def test_no_setting_of_a_program_leads_past_the_proxy(sideways: dict[str, str], name: str) -> None:
    assert "outside" not in sideways[name]
    assert sideways["good"] == "outside"


def test_an_empty_list_means_none(outside: Outside) -> None:
    assert outside.ask(outside.proxy([]), [GOOD]) == {"good": "HTTP/1.1 403 Refused"}
    assert [(one.allowed, one.reason) for one in outside.decisions] == [(False, "no entry of sandbox.egress names it")]
    assert outside.ask(outside.proxy([f"ok.example.com:{PORT}"]), [GOOD]) == {"good": OPEN}


def test_no_egress_means_no_proxy(outside: Outside) -> None:
    command = f"echo ${{HTTPS_PROXY-none}}; exec 3<>/dev/tcp/127.0.0.1/3128 && echo connected; {CURL} {URL}"
    ran = outside.sandbox.run(command, tree=outside.tree, writable=False, limits=MINUTE)
    assert ran.output.startswith(b"none\n")
    assert b"connected" not in ran.output
    assert b"outside" not in ran.output


def test_a_proxy_that_is_gone_means_none(outside: Outside) -> None:
    """The proxy ends while the command runs: what worked before finds nobody, and nothing else."""
    tree = outside.tree / "gone"
    tree.mkdir()
    command = (
        f"{CURL} {URL} >first; while [ ! -e ended ]; do sleep 0.02; done; {CURL} {URL} >second 2>&1; echo $? >code"
    )
    door = outside.proxy([f"ok.example.com:{PORT}"]).open()

    def end() -> None:
        while not ((tree / "first").exists() and (tree / "first").read_text()):
            time.sleep(0.02)
        door.__exit__(None, None, None)
        (tree / "ended").touch()

    ending = threading.Thread(target=end)
    ending.start()
    ran = outside.sandbox.run(command, tree=tree, writable=True, egress=door, limits=MINUTE)
    ending.join()
    assert (ran.exit_code, (tree / "first").read_text()) == (0, "outside")
    assert "outside" not in (tree / "second").read_text()
    assert (tree / "code").read_text() != "0\n"


def test_a_proxy_that_never_came_means_no_run(outside: Outside, tmp_path: Path) -> None:
    """A door that is shut before the sandbox hands out its socket: the command does not start."""
    door = outside.proxy([f"ok.example.com:{PORT}"]).open()
    door.__exit__(None, None, None)
    ran = outside.sandbox.run("touch ran", tree=tmp_path, writable=True, egress=door, limits=MINUTE)
    assert ran.exit_code != 0
    assert not (tmp_path / "ran").exists()
