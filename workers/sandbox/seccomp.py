"""The system calls that nothing inside a sandbox may make, as a classic BPF program for bubblewrap's `--seccomp`.

Rules: Linux `Documentation/userspace-api/seccomp_filter.rst`; numbers: the kernel's syscall tables (x86-64 and the generic
one that aarch64 uses). Compared words are the low 32 bits, as the kernel itself reads them (CVE-2019-10063).
"""

from __future__ import annotations

import errno
import platform
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from workers.sandbox.errors import SandboxUnavailable

_LOAD, _JEQ, _JGE, _JSET, _RET = 0x20, 0x15, 0x35, 0x45, 0x06
_KILL, _ERRNO, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16
_X32_BIT = 0x40000000

# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
_NEW_NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
_TERMINAL_INPUT = (0x5412, 0x541C)  # TIOCSTI and TIOCLINUX type into the terminal of whoever started us
_FAMILIES = (
    int(socket.AF_INET),
    int(socket.AF_INET6),
)  # AF_UNIX, AF_NETLINK, AF_PACKET, AF_VSOCK, AF_ALG reach the host
_UNIX = 1
_DATAGRAM_BIT = 2  # set in SOCK_DGRAM and SOCK_RAW, not in SOCK_STREAM and SOCK_SEQPACKET

# From number 424 on, one number per name on both architectures.
_DENIED_EVERYWHERE = {
    "pidfd_getfd": 438, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428,
    "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "mount_setattr": 442,
    "quotactl_fd": 443, "memfd_secret": 447, "process_madvise": 440, "process_mrelease": 448, "open_tree_attr": 467,
}  # fmt: skip

# memfd_create, shmget and msgget hold memory that no process's resident set shows, so the watchdog could not bound it.
_DENIED_X86_64 = {
    "ptrace": 101, "syslog": 103, "uselib": 134, "sysfs": 139, "modify_ldt": 154, "pivot_root": 155,
    "_sysctl": 156, "adjtimex": 159, "chroot": 161, "acct": 163, "settimeofday": 164, "mount": 165, "umount2": 166,
    "swapon": 167, "swapoff": 168, "reboot": 169, "sethostname": 170, "setdomainname": 171, "iopl": 172, "ioperm": 173,
    "create_module": 174, "init_module": 175, "delete_module": 176, "get_kernel_syms": 177, "query_module": 178,
    "quotactl": 179, "nfsservctl": 180, "lookup_dcookie": 212, "clock_settime": 227, "kexec_load": 246, "add_key": 248,
    "request_key": 249, "keyctl": 250, "unshare": 272, "perf_event_open": 298, "fanotify_init": 300,
    "name_to_handle_at": 303, "open_by_handle_at": 304, "clock_adjtime": 305, "setns": 308, "process_vm_readv": 310,
    "process_vm_writev": 311, "kcmp": 312, "finit_module": 313, "memfd_create": 319, "kexec_file_load": 320, "bpf": 321,
    "userfaultfd": 323, "shmget": 29, "msgget": 68,
}  # fmt: skip
_DENIED_AARCH64 = {
    "lookup_dcookie": 18, "umount2": 39, "mount": 40, "pivot_root": 41, "nfsservctl": 42, "chroot": 51, "quotactl": 60,
    "acct": 89, "unshare": 97, "kexec_load": 104, "init_module": 105, "delete_module": 106, "clock_settime": 112,
    "syslog": 116, "ptrace": 117, "reboot": 142, "sethostname": 161, "setdomainname": 162, "settimeofday": 170,
    "adjtimex": 171, "msgget": 186, "shmget": 194, "add_key": 217, "request_key": 218, "keyctl": 219, "swapon": 224,
    "swapoff": 225, "perf_event_open": 241, "fanotify_init": 262, "name_to_handle_at": 264, "open_by_handle_at": 265,
    "clock_adjtime": 266, "setns": 268, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272,
    "finit_module": 273, "memfd_create": 279, "bpf": 280, "userfaultfd": 282, "kexec_file_load": 294,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Architecture:
    """One machine's audit number and its own syscall numbers."""

    audit: int
    denied: Mapping[str, int]
    socket: int
    socketpair: int
    clone: int
    ioctl: int
    clone3: int = 435
    has_x32: bool = False


ARCHITECTURES: Mapping[str, Architecture] = {
    "x86_64": Architecture(0xC000003E, _DENIED_X86_64, socket=41, socketpair=53, clone=56, ioctl=16, has_x32=True),
    "aarch64": Architecture(0xC00000B7, _DENIED_AARCH64, socket=198, socketpair=199, clone=220, ioctl=29),
}


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """Pack one `struct sock_filter`."""
    return struct.pack("<HBBI", code, if_true, if_false, value)


def _argument(index: int) -> bytes:
    """Load the low word of an argument (both architectures are little-endian)."""
    return _op(_LOAD, _ARGUMENTS + 8 * index)


def program(machine: str | None = None) -> bytes:
    """Build the filter for `machine` (default: this one), as the bytes that bubblewrap reads.

    Raises `SandboxUnavailable` on a machine whose numbers are not known: no filter, no sandbox.
    """
    name = machine or platform.machine()
    arch = ARCHITECTURES.get(name)
    if arch is None:
        raise SandboxUnavailable(f"no system call filter is known for machine {name!r}; run on x86_64 or aarch64")
    refuse = _op(_RET, _ERRNO | errno.EPERM)
    allow = _op(_RET, _ALLOW)
    ops = [_op(_LOAD, _ARCH), _op(_JEQ, arch.audit, 1, 0), _op(_RET, _KILL), _op(_LOAD, _NUMBER)]
    if arch.has_x32:
        ops += [_op(_JGE, _X32_BIT, 0, 1), _op(_RET, _KILL)]
    for number in sorted({*arch.denied.values(), *_DENIED_EVERYWHERE.values()}):
        ops += [_op(_JEQ, number, 0, 1), refuse]
    # The C library falls back to clone(), whose flags a filter can read; clone3's are behind a pointer.
    ops += [_op(_JEQ, arch.clone3, 0, 1), _op(_RET, _ERRNO | errno.ENOSYS)]
    ops += [_op(_JEQ, arch.clone, 0, 4), _argument(0), _op(_JSET, _NEW_NAMESPACES, 0, 1), refuse, allow]
    checks = [_op(_JEQ, family, len(_FAMILIES) - index, 0) for index, family in enumerate(_FAMILIES)]
    ops += [_op(_JEQ, arch.socket, 0, len(checks) + 3), _argument(0), *checks, refuse, allow]
    # A pair of datagram sockets could still send to any path: only pairs that stay connected are left.
    ops += [_op(_JEQ, arch.socketpair, 0, 6), _argument(0), _op(_JEQ, _UNIX, 0, 3), _argument(1)]
    ops += [_op(_JSET, _DATAGRAM_BIT, 1, 0), allow, refuse]
    inputs = [_op(_JEQ, request, len(_TERMINAL_INPUT) - index, 0) for index, request in enumerate(_TERMINAL_INPUT)]
    ops += [_op(_JEQ, arch.ioctl, 0, len(inputs) + 3), _argument(1), *inputs, allow, refuse]
    ops.append(allow)
    return b"".join(ops)
