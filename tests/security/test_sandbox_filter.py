"""The system call filter, run by a small interpreter: so that it is checked for machines that the tests do not run on."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from workers.sandbox.capture import Output
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.seccomp import ARCHITECTURES, program
from workers.sandbox.watch import Cgroup, Limits

KILL, EPERM, ENOSYS, ALLOW = 0x80000000, 0x00050001, 0x00050026, 0x7FFF0000


def answer(code: bytes, audit: int, number: int, *arguments: int) -> int:
    data = struct.pack("<IIQ6Q", number, audit, 0, *(arguments + (0,) * 6)[:6])
    ops = list(struct.iter_unpack("<HBBI", code))
    at = loaded = 0
    while True:
        kind, if_true, if_false, value = ops[at]
        at += 1
        if kind == 0x20:
            loaded = struct.unpack_from("<I", data, value)[0]
        elif kind == 0x06:
            return int(value)
        else:
            holds = {0x15: loaded == value, 0x35: loaded >= value, 0x45: bool(loaded & value)}[kind]
            at += if_true if holds else if_false


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_of_each_machine(machine: str) -> None:
    arch = ARCHITECTURES[machine]
    code = program(machine)

    def ask(number: int, *arguments: int) -> int:
        return answer(code, arch.audit, number, *arguments)

    for other in {0x40000003, 0xC000003E, 0xC00000B7} - {arch.audit}:
        assert answer(code, other, 1) == KILL
    for number in arch.denied.values():
        assert ask(number) == EPERM
    assert ask(arch.clone3) == ENOSYS
    assert ask(arch.clone, 0x10000000 | 17) == EPERM
    assert ask(arch.clone, 0x3D0F00) == ALLOW  # what pthread_create passes
    for family in range(64):
        wanted = ALLOW if family in {2, 10} else EPERM
        assert ask(arch.socket, family) == wanted
        assert ask(arch.socket, family | 1 << 32) == wanted
    for request in (0x5412, 0x541C, 0x5412 | 1 << 32):
        assert ask(arch.ioctl, 0, request) == EPERM
    assert ask(arch.ioctl, 0, 0x5401) == ALLOW
    for kind in (1, 5, 1 | 0x80000 | 0x800):
        assert ask(arch.socketpair, 1, kind) == ALLOW
        assert ask(arch.socketpair, 30, kind) == EPERM
    for kind in (2, 3, 2 | 0x80000):
        assert ask(arch.socketpair, 1, kind) == EPERM
    assert ask(0x40000000) == (KILL if machine == "x86_64" else ALLOW)
    assert len(code) // 8 < 4096


def test_an_unknown_machine_has_no_sandbox() -> None:
    with pytest.raises(SandboxUnavailable, match="riscv64"):
        program("riscv64")


def test_a_delegated_cgroup_gets_the_limits(tmp_path: Path) -> None:
    group = Cgroup(tmp_path, Limits(memory_bytes=1 << 20, processes=7))
    group.add(4242)
    written = {path.name: path.read_text() for path in group.path.iterdir()}
    assert written == {"memory.max": "1048576", "memory.swap.max": "0", "pids.max": "8", "cgroup.procs": "4242"}
    assert group.verdict() == ""
    (group.path / "memory.events").write_text("low 0\noom 1\noom_kill 1\n")
    assert group.verdict() == "killed: memory exceeds the limit"


@pytest.mark.parametrize("chunk", [1, 3, 7, 10, 1000])
def test_output_keeps_both_ends(chunk: int) -> None:
    data = bytes(range(100))
    for limit, whole in ((100, True), (200, True), (98, False), (20, False), (2, False)):
        output = Output(limit)
        for at in range(0, len(data), chunk):
            output.add(data[at : at + chunk])
        kept, truncated = output.result()
        assert truncated is not whole
        if whole:
            assert kept == data
        else:
            half = limit // 2
            assert kept.startswith(data[:half])
            assert kept.endswith(data[-half:])
            assert b"[... %d bytes left out ...]" % (100 - 2 * half) in kept
