"""Ways out of the sandbox, each tried inside the real one and, as a control, where nothing or less holds it.

A case is held when the probe fails inside and, but for what the kernel itself refuses (`KERNEL_RULES`), succeeds or gets
further in its control. Every program runs once for all its cases. `pytest` prints their number (`tests/conftest.py`).
"""

from __future__ import annotations

import json
import os
import platform
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.security.escape_probes import KERNEL, MACHINE
from workers.sandbox.box import Limits, Sandbox
from workers.sandbox.seccomp import _DENIED_EVERYWHERE, ARCHITECTURES
from workers.sandbox.toolchain import Toolchain

MINUTE = Limits(wall_s=60)
ARCH = ARCHITECTURES[platform.machine()]
CALLS = {**ARCH.denied, **_DENIED_EVERYWHERE}
NEW_USER, NEW_NET, NEW_MOUNT, NEW_PID = 0x10000000, 0x40000000, 0x00020000, 0x20000000
CHILD_SIGNAL = 17
FLAGS = {
    "unshare-user": (CALLS["unshare"], [NEW_USER]),
    "unshare-net": (CALLS["unshare"], [NEW_NET]),
    "unshare-mount": (CALLS["unshare"], [NEW_MOUNT]),
    "unshare-pid": (CALLS["unshare"], [NEW_PID]),
    "clone-user": (ARCH.clone, [NEW_USER | CHILD_SIGNAL]),
    "clone-net": (ARCH.clone, [NEW_NET | CHILD_SIGNAL]),
    "clone3": (ARCH.clone3, [0, 0]),
    "unshare-with-high-bits": (CALLS["unshare"], [NEW_USER | 1 << 32]),
    "socket-unix-with-high-bits": (ARCH.socket, [1 | 1 << 32, 1, 0]),
    "ioctl-TIOCSTI-with-high-bits": (ARCH.ioctl, [0, 0x5412 | 1 << 32, 0]),
}
# Whatever else the filter refuses: these stay in it.
NEVER = {
    "add_key", "bpf", "chroot", "fanotify_init", "finit_module", "fsconfig", "fsmount", "fsopen", "init_module",
    "io_uring_enter", "io_uring_register", "io_uring_setup", "kcmp", "kexec_load", "keyctl", "memfd_create", "mount",
    "mount_setattr", "move_mount", "name_to_handle_at", "open_by_handle_at", "open_tree", "perf_event_open", "pidfd_getfd",
    "pivot_root", "process_vm_readv", "process_vm_writev", "ptrace", "request_key", "setns", "swapon", "syslog", "umount2",
    "unshare", "userfaultfd",
}  # fmt: skip
STREAM, DATAGRAM, RAW, PACKET = 1, 2, 3, 5
FAMILIES = {
    "unix": (1, STREAM), "unix-datagram": (1, DATAGRAM), "ax25": (3, DATAGRAM), "ipx": (4, DATAGRAM),
    "appletalk": (5, DATAGRAM), "x25": (9, PACKET), "key": (15, RAW), "netlink": (16, RAW), "packet": (17, RAW),
    "rds": (21, PACKET), "pppox": (24, STREAM), "ib": (27, RAW), "can": (29, RAW), "tipc": (30, DATAGRAM),
    "bluetooth": (31, RAW), "rxrpc": (33, DATAGRAM), "phonet": (35, DATAGRAM), "ieee802154": (36, RAW),
    "alg": (38, PACKET), "nfc": (39, PACKET), "vsock": (40, STREAM), "kcm": (41, PACKET), "qipcrtr": (42, DATAGRAM),
    "smc": (43, STREAM), "xdp": (44, RAW), "mctp": (45, DATAGRAM),
}  # fmt: skip
PAIRS = {"unix-datagram": (1, DATAGRAM), "unix-raw": (1, RAW), "tipc": (30, PACKET)}
OTHERS = (
    "ioctl-TIOCSTI", "ioctl-TIOCLINUX", "setuid", "setuid-program-of-another", "mknod-character", "mknod-block",
    "raw-packets", "priority",
)  # fmt: skip
KERNEL_CASES = (
    *(f"call-{name}" for name in CALLS), *FLAGS, *(f"socket-{name}" for name in FAMILIES),
    *(f"pair-{name}" for name in PAIRS), *OTHERS,
)  # fmt: skip
FIRST_NAMESPACE = "wants the capability in the first user namespace"
# Where the control may be refused with the same error, by whom.
KERNEL_RULES = {
    **dict.fromkeys(
        (
            "call-syslog", "call-acct", "call-settimeofday", "call-swapon", "call-swapoff", "call-fanotify_init",
            "call-init_module", "call-finit_module", "call-delete_module", "call-kexec_load", "call-kexec_file_load",
            "call-lookup_dcookie", "call-iopl", "call-ioperm", "call-perf_event_open", "priority",
        ),
        FIRST_NAMESPACE,
    ),
    "call-bpf": "kernel.unprivileged_bpf_disabled",
    "call-userfaultfd": "vm.unprivileged_userfaultfd",
    "mknod-character": "a user namespace that is not the first makes no devices",
    "mknod-block": "a user namespace that is not the first makes no devices",
    "setuid": "the user namespace maps one id",
    "setuid-program-of-another": "the user namespace maps one id",
}  # fmt: skip
# The kernel's own errors for what no filter has to stop.
KERNEL_ERRORS = {"clone3": "ENOSYS", "setuid": "EINVAL", "setuid-program-of-another": "EINVAL", "priority": "EACCES"}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    scratch = tmp_path_factory.mktemp("scratch")
    return Sandbox(toolchain=Toolchain.build(scratch.parent / "toolchains"), scratch=scratch)


@dataclass(frozen=True)
class Tried:
    """What each probe met inside the real sandbox, and in its control."""

    inside: dict[str, str]
    control: dict[str, str]


def inside(sandbox: Sandbox, tree: Path, code: str, given: dict[str, Any]) -> dict[str, str]:
    ran = sandbox.run_argv(("python", "-c", code, json.dumps(given)), tree=tree, writable=True, limits=MINUTE)
    found: dict[str, str] = json.loads(ran.output.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def kernel(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Tried:
    """The control has namespaces of its own, every capability in them, and no filter."""
    given = {"calls": CALLS, "flags": FLAGS, "families": FAMILIES, "pairs": PAIRS}
    # Not the virtual environment's: a check-out may lie below the /tmp that is covered here.
    python = os.path.realpath(sys.executable)
    weakened = [
        "bwrap", "--unshare-all", "--uid", "0", "--gid", "0", "--cap-add", "ALL", "--die-with-parent", "--ro-bind", "/", "/",
        "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", python, "-c", KERNEL, json.dumps(given),
    ]  # fmt: skip
    said = subprocess.run(weakened, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=60).stdout
    tree = tmp_path_factory.mktemp("kernel")
    return Tried(inside(sandbox, tree, KERNEL, given), json.loads(said.splitlines()[-1]))


@pytest.mark.parametrize("name", KERNEL_CASES)
def test_the_kernel_is_not_asked(kernel: Tried, name: str) -> None:
    assert kernel.inside[name] == KERNEL_ERRORS.get(name, "EPERM")
    assert kernel.control[name] != kernel.inside[name] or name in KERNEL_RULES, "the control shows nothing"


def test_the_filter_loses_none_of_the_calls() -> None:
    assert set(CALLS) >= NEVER


NAMES = {
    "ipv4": "127.0.0.1", "short": "127.1", "decimal": "2130706433", "hexadecimal": "0x7f000001", "octal": "0177.0.0.1",
    "unspecified": "0.0.0.0", "name": "localhost", "ipv6": "::1", "ipv6-long": "0:0:0:0:0:0:0:1",
    "mapped": "::ffff:127.0.0.1", "mapped-hexadecimal": "::ffff:7f00:1", "ipv6-unspecified": "::",
}  # fmt: skip
ROUTES = {
    "public": (socket.AF_INET, "1.1.1.1"), "name-server": (socket.AF_INET, "8.8.8.8"),
    "metadata": (socket.AF_INET, "169.254.169.254"), "private": (socket.AF_INET, "10.0.0.1"),
    "multicast": (socket.AF_INET, "224.0.0.251"), "public-ipv6": (socket.AF_INET6, "2606:4700:4700::1111"),
    "metadata-ipv6": (socket.AF_INET6, "fd00:ec2::254"),
}  # fmt: skip
# A machine may have no IPv6, or no route at all; then its own routing table is what refuses.
UNROUTED = {"ENETUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT", "EHOSTUNREACH", "EACCES"}
MACHINE_CASES = (
    "read-absolute", "read-through-link", "read-parent", "read-proc-self-root", "read-proc-self-cwd", "read-proc-victim-root",
    "read-proc-victim-cwd", "read-proc-victim-environ", "read-boot-command-line", "open-proc-victim-mem", "hard-link-out",
    "write-absolute", "write-through-link", "create-beside-the-tree", "read-temporary-of-the-machine",
    "signal-process-outside", "signal-group-outside", "pidfd-of-process-outside", "priority-of-process-outside",
    "limits-of-process-outside", "inherited-descriptor", "inherited-environment", "dev-tcp", "dev-udp-and-answer", "curl",
    "dns-udp", "unix-path", "unix-path-in-tree", "unix-abstract", "unix-datagram-by-pair",
    *(f"connect-{name}" for name in NAMES),
)  # fmt: skip


class Machine:
    """What stands outside: a secret, a process, servers on loopback and on paths."""

    def __init__(self, place: Path, held: ExitStack) -> None:
        self.tree = place / "tree"
        self.tree.mkdir()
        self.secret = place / "secret"
        self.temporary = Path(f"/tmp/conductor-escape-{os.getpid()}")
        self.temporary.write_text("planted")
        self._held = held
        self._stop = threading.Event()
        held.callback(lambda: self.temporary.unlink(missing_ok=True))
        self.victim = held.enter_context(
            subprocess.Popen(["sleep", "600"], cwd=place, env={"PLANTED": "planted"}, start_new_session=True)
        )
        held.callback(self.victim.kill)
        reader, writer = os.pipe()
        os.write(writer, b"planted" * 2)
        os.set_inheritable(reader, True)
        held.callback(os.close, reader)
        held.callback(os.close, writer)
        dual = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        self.given = {
            "secret": str(self.secret), "temporary": str(self.temporary), "victim": self.victim.pid, "descriptor": reader,
            "port": dual.getsockname()[1], "dns": self._datagrams(socket.AF_INET, ("127.0.0.1", 0))[1],
            "unix": str(place / "s"), "unix_in_tree": str(self.tree / "s"), "abstract": f"conductor-{os.getpid()}",
            "datagram_in_tree": str(self.tree / "d"), "names": NAMES,
            "routes": [(name, int(family), address) for name, (family, address) in ROUTES.items()],
        }  # fmt: skip
        self._serve(dual)
        for address in (self.given["unix"], self.given["unix_in_tree"], f"\0{self.given['abstract']}"):
            self._serve(self._bound(address))
        self._datagrams(socket.AF_UNIX, self.given["datagram_in_tree"])
        self.plant()

    def plant(self) -> None:
        self.secret.write_text("planted")
        (self.tree / "link-to-secret").unlink(missing_ok=True)
        (self.tree / "link-to-secret").symlink_to(self.secret)

    def _bound(self, address: str) -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        made.bind(address)
        made.listen()
        return made

    def _serve(self, server: socket.socket) -> None:
        """Answer every connection that says something."""

        def accept() -> None:
            while True:
                try:
                    one, _ = server.accept()
                    with one:
                        one.settimeout(5)
                        if one.recv(1000):
                            one.sendall(b"outside")
                except OSError:
                    if self._stop.is_set():
                        return

        self._run(accept, server)

    def _datagrams(self, family: int, address: Any) -> Any:
        server = socket.socket(family, socket.SOCK_DGRAM)
        server.bind(address)

        def answer() -> None:
            while not self._stop.is_set():
                try:
                    _, sender = server.recvfrom(100)
                    if sender:
                        server.sendto(b"answer", sender)
                except OSError:
                    return

        self._run(answer, server)
        return server.getsockname()

    def _run(self, work: Any, server: socket.socket) -> None:
        thread = threading.Thread(target=work)
        thread.start()

        def end() -> None:
            self._stop.set()
            with ExitStack() as ending:
                ending.callback(thread.join)
                ending.callback(server.close)
                ending.callback(_shut, server)

        self._held.callback(end)


def _shut(server: socket.socket) -> None:
    try:
        server.shutdown(socket.SHUT_RDWR)
    except OSError:  # a datagram socket is not connected: this wakes it all the same
        return


@pytest.fixture(scope="module")
def machine(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tried]:
    """The control is the same program beside the sandbox, as whoever runs the tests."""
    with ExitStack() as held, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLANTED", "planted-in-the-environment")
        outside = Machine(tmp_path_factory.mktemp("machine"), held)
        tried = inside(sandbox, outside.tree, MACHINE, outside.given)
        assert outside.secret.read_text() == "planted"
        assert sorted(path.name for path in outside.secret.parent.iterdir()) == ["s", "secret", "tree"]
        plain = [sys.executable, "-c", MACHINE, json.dumps(outside.given)]
        said = subprocess.run(
            plain, cwd=outside.tree, capture_output=True, check=True, timeout=60, pass_fds=[outside.given["descriptor"]]
        )
        yield Tried(tried, json.loads(said.stdout.splitlines()[-1]))


@pytest.mark.parametrize("name", MACHINE_CASES)
def test_the_machine_is_out_of_reach(machine: Tried, name: str) -> None:
    assert machine.inside[name] != "open"
    assert machine.control[name] == "open"


@pytest.mark.parametrize("name", [f"route-{name}" for name in ROUTES])
def test_there_is_no_route(machine: Tried, name: str) -> None:
    assert machine.inside[name] in {"ENETUNREACH", "EADDRNOTAVAIL"}
    assert machine.control[name] == "open" or machine.control[name] in UNROUTED
