"""Commands that write, print or start too much: each ends within its limits, with its reason, and Conductor reads on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from workers.sandbox import watch
from workers.sandbox.box import Limits, Ran, Sandbox
from workers.sandbox.errors import SandboxError
from workers.sandbox.growth import measure
from workers.sandbox.layers import Layer
from workers.sandbox.toolchain import Toolchain
from workers.sandbox.workspaces import changes

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    scratch = tmp_path_factory.mktemp("scratch")
    return Sandbox(toolchain=Toolchain.build(scratch.parent / "toolchains"), scratch=scratch)


def written(sandbox: Sandbox, tree: Path, code: str, limits: Limits, *, writable: bool = True) -> Ran:
    return sandbox.run_argv(("python", "-c", code), tree=tree, writable=writable, limits=limits)


def test_the_bytes_of_a_tree_are_bounded(sandbox: Sandbox, tmp_path: Path) -> None:
    code = """
import time
for number in range(1_000):
    with open(f"f{number}", "wb") as file: file.write(bytes(1 << 20))
    time.sleep(0.01)
print("all of it")
"""
    ran = written(sandbox, tmp_path, code, Limits(wall_s=60, tree_bytes=16 << 20))
    assert (ran.exit_code, ran.timed_out, ran.output) == (137, False, b"")
    assert ran.note == "killed: its tree takes more than 16 MiB of disk"
    assert measure(tmp_path, Limits()).files < 1_000


def test_the_files_of_a_tree_are_bounded(sandbox: Sandbox, tmp_path: Path) -> None:
    code = """
import os, time
for number in range(40_000):
    os.mkdir(f"d{number}") if number % 2 else os.symlink("nowhere", f"l{number}")
    if number % 50 == 0: time.sleep(0.01)
print("all of them")
"""
    ran = written(sandbox, tmp_path, code, Limits(wall_s=60, tree_files=1_000))
    assert (ran.exit_code, ran.output) == (137, b"")
    assert ran.note == "killed: its tree holds more than 1000 files"


def test_what_setup_installs_is_bounded_as_the_tree_is(sandbox: Sandbox, tmp_path: Path) -> None:
    for name in ("tree", "layer", "captured"):
        (tmp_path / name).mkdir()
    code = """
import time
for number in range(300):
    with open(f"/layer/f{number}", "wb") as file: file.write(bytes(1 << 20))
    time.sleep(0.01)
print("all of it")
"""
    ran = sandbox.run_argv(
        ("python", "-c", code),
        tree=tmp_path / "tree",
        writable=True,
        layer=Layer(tmp_path / "layer", tmp_path / "captured", (), None),
        layer_writable=True,
        limits=Limits(wall_s=60, tree_bytes=16 << 20),
    )
    assert (ran.exit_code, ran.output) == (137, b"")
    assert ran.note == "killed: what it installs takes more than 16 MiB of disk"


def test_files_without_a_name_count(sandbox: Sandbox, tmp_path: Path) -> None:
    code = """
import os, time
held = []
for number in range(1_000):
    held.append(open("f", "wb")); os.unlink("f")
    held[-1].write(bytes(1 << 20)); held[-1].flush(); os.fsync(held[-1].fileno())
    time.sleep(0.01)
print("all of it")
"""
    ran = written(sandbox, tmp_path, code, Limits(wall_s=60, tree_bytes=16 << 20))
    assert (ran.exit_code, ran.output) == (137, b"")
    assert ran.note == "killed: its tree takes more than 16 MiB of disk"


def test_a_tree_is_measured_by_what_it_takes(tmp_path: Path) -> None:
    """Names of one file count its bytes once, holes count nothing, and a link is not followed."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "full").write_bytes(b"x" * (1 << 20))
    (tmp_path / "again").hardlink_to(tmp_path / "inner" / "full")
    with (tmp_path / "hole").open("wb") as file:
        file.truncate(1 << 30)
    (tmp_path / "link").symlink_to("/usr")
    found = measure(tmp_path, Limits())
    assert (found.files, found.too_deep) == (5, False)
    assert 1 << 20 <= found.bytes < 3 << 19


def test_a_tree_too_deep_to_walk_is_excess(sandbox: Sandbox, tmp_path: Path) -> None:
    """Where no walk can follow, nothing can be hidden from the count."""
    code = """
import os, time
for number in range(300): os.mkdir("d"); os.chdir("d")
open("big", "wb").write(bytes(4 << 20)); os.sync(); time.sleep(30); print("alive")
"""
    ran = written(sandbox, tmp_path, code, Limits(wall_s=60, tree_bytes=16 << 20))
    assert (ran.exit_code, ran.output) == (137, b"")
    assert ran.note == "killed: its tree is more than 200 directories deep"


def test_ten_thousand_files_are_written_and_read_back(sandbox: Sandbox, tmp_path: Path) -> None:
    code = "for n in range(10_000): open(f'f{n}', 'w').write(str(n))\nopen('--help', 'w').close(); open('-rf', 'w').close()"
    ran = written(sandbox, tmp_path, code, Limits(wall_s=60))
    assert (ran.exit_code, ran.note) == (0, "")
    found = {change.path: change.content for change in changes({}, tmp_path)}
    assert len(found) == 10_002
    assert (found["f9999"], found["--help"], found["-rf"]) == (b"9999", b"", b"")


def test_a_full_disk_ends_the_command_with_its_reason(tmp_path: Path) -> None:
    """The workspace is a file system of 8 MiB, in a mount namespace of the test's own."""
    program = f"""
import subprocess
from pathlib import Path
from workers.sandbox import watch
from workers.sandbox.box import Limits, Sandbox
from workers.sandbox.toolchain import Toolchain
from workers.sandbox.workspaces import changes
scratch, tree = Path({str(tmp_path)!r}) / "scratch", Path({str(tmp_path)!r}) / "tree"
tree.mkdir()
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", tree], check=True)
sandbox = Sandbox(toolchain=Toolchain.build(scratch), scratch=scratch)
floor, watch.DISK_FLOOR_BYTES = watch.DISK_FLOOR_BYTES, 0
filled = sandbox.run("head -c 20000000 /dev/zero > full", tree=tree, writable=True, limits=Limits(wall_s=60))
watch.DISK_FLOOR_BYTES = floor
ran = sandbox.run("sleep 30; echo alive", tree=tree, writable=True, limits=Limits(wall_s=60))
print(ran.exit_code, ran.note)
print(filled.exit_code, (filled.output + ran.output).decode())
print([len(change.content) for change in changes({{}}, tree)])
"""
    argv = ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-c", program]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True, timeout=100)
    lines = done.stdout.splitlines()
    assert lines[0] == "137 killed: less than 512 MiB are free on the disk of its tree"
    assert lines[1].startswith("1 ")
    assert "No space left on device" in lines[1]
    assert lines[-1].startswith("[8")


def test_what_little_is_free_stays_free(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "DISK_FLOOR_BYTES", 1 << 60)
    ran = sandbox.run("sleep 30; echo alive", tree=tmp_path, writable=False, limits=Limits(wall_s=60))
    assert (ran.exit_code, ran.output) == (137, b"")
    assert "are free on the disk of its tree" in ran.note


def test_what_little_memory_is_left_stays(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What sockets hold is the kernel's, and counts for no process."""
    left = watch.available_memory()
    monkeypatch.setattr(watch, "MEMORY_FLOOR_BYTES", left - (256 << 20))
    code = """
import socket, time
held = []
for number in range(3_000):
    held.append(socket.socketpair())
    for one in held[-1]:
        one.setblocking(False)
        try:
            while one.send(bytes(1 << 20)): pass
        except BlockingIOError: pass
time.sleep(30)
print("alive")
"""
    ran = written(sandbox, tmp_path, code, Limits(wall_s=60))
    assert (ran.exit_code, ran.output) == (137, b"")
    assert "of memory are left on its machine" in ran.note


def test_output_is_kept_byte_for_byte(sandbox: Sandbox, tmp_path: Path) -> None:
    code = "import sys; sys.stdout.buffer.write(bytes(range(256)) + b'\\x1b]0;title\\x07\\x1b[2J\\r\\n')"
    ran = written(sandbox, tmp_path, code, Limits(wall_s=60))
    assert ran.output == bytes(range(256)) + b"\x1b]0;title\x07\x1b[2J\r\n"


@pytest.mark.parametrize(
    "argv",
    [
        ("/bin/bash", "-c", "true " + "x" * (1 << 20)),
        ("/bin/bash", "-c", "true " + "x" * (128 << 10)),
        ("true", *["x" * 1_000] * 1_100),
    ],
)
def test_a_command_of_a_megabyte_is_refused_in_one_sentence(
    sandbox: Sandbox, tmp_path: Path, argv: tuple[str, ...]
) -> None:
    with pytest.raises(SandboxError, match="cannot be started, 131071 are the most; write it to a file"):
        sandbox.run_argv(argv, tree=tmp_path, writable=True)


def test_a_command_just_short_enough_runs(sandbox: Sandbox, tmp_path: Path) -> None:
    ran = sandbox.run("echo done #" + "x" * ((128 << 10) - 12), tree=tmp_path, writable=True)
    assert ran.output == b"done\n"
