"""What a hostile project tries from inside a sandbox, and what a machine without one gets."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from workers.sandbox import box
from workers.sandbox.box import Limits, Ran, Sandbox
from workers.sandbox.errors import SandboxError, SandboxUnavailable
from workers.sandbox.toolchain import Toolchain

MINUTE = Limits(wall_s=60)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


@pytest.fixture(scope="module")
def sandbox(scratch: Path) -> Sandbox:
    return Sandbox(toolchain=Toolchain.build(scratch.parent / "toolchains"), scratch=scratch)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    (root / "calc.py").write_text("def add(a, b):\n    return a + b\n")
    (root / "sub").mkdir()
    return root


def python(sandbox: Sandbox, tree: Path, code: str, *, limits: Limits = MINUTE) -> Ran:
    return sandbox.run_argv(("python", "-c", code), tree=tree, writable=True, limits=limits)


def shell(sandbox: Sandbox, tree: Path, command: str, *, writable: bool = True, limits: Limits = MINUTE) -> Ran:
    return sandbox.run(command, tree=tree, writable=writable, limits=limits)


def test_probe_accepts_a_machine_that_can(sandbox: Sandbox) -> None:
    sandbox.probe()


def test_output_exit_code_and_directory(sandbox: Sandbox, tree: Path) -> None:
    ran = sandbox.run("pwd; echo out; echo err >&2; exit 7", tree=tree, writable=False, cwd="sub")
    assert ran.output == b"/workspace/sub\nout\nerr\n"
    assert (ran.exit_code, ran.truncated, ran.timed_out, ran.note) == (7, False, False, "")


def test_pytest_runs_the_project_without_conductors_packages(sandbox: Sandbox, tree: Path) -> None:
    (tree / "test_calc.py").write_text(
        "import pytest, calc\n"
        "def test_add():\n    assert calc.add(1, 2) == 3\n"
        "@pytest.mark.parametrize('name', ['anthropic', 'githubkit', 'celery', 'bot', 'workers', 'sqlalchemy'])\n"
        "def test_absent(name):\n    with pytest.raises(ImportError):\n        __import__(name)\n"
    )
    ran = shell(sandbox, tree, "pytest -q -p no:cacheprovider", writable=False)
    assert b"7 passed" in ran.output
    assert ran.exit_code == 0
    assert shell(sandbox, tree, "python -V; python3 -V; python -m pytest --version").exit_code == 0


def test_environment_is_built_from_nothing(sandbox: Sandbox, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_KEY", "planted-secret-value")
    ran = shell(sandbox, tree, "env; cat /proc/*/environ; cat /proc/*/cmdline")
    assert b"planted-secret-value" not in ran.output
    assert b"HOME=/home/agent\n" in ran.output
    assert str(tree).encode() not in ran.output
    names = {line.split(b"=")[0] for line in shell(sandbox, tree, "env").output.splitlines()}
    assert not names & {b"PYTHONPATH", b"VIRTUAL_ENV", b"SSH_AUTH_SOCK", b"HTTPS_PROXY"}


def test_chosen_variables_are_set_and_checked(sandbox: Sandbox, tree: Path) -> None:
    ran = sandbox.run('echo "$SEED"', tree=tree, writable=False, env={"SEED": "a b"})
    assert ran.output == b"a b\n"
    with pytest.raises(SandboxError, match="cannot be set"):
        sandbox.run("true", tree=tree, writable=False, env={"A=B": "x"})
    with pytest.raises(SandboxError, match="NUL"):
        sandbox.run("tr\0ue", tree=tree, writable=False)


def test_no_descriptor_is_inherited(sandbox: Sandbox, tree: Path) -> None:
    reader, writer = os.pipe()
    os.set_inheritable(reader, True)
    try:
        ran = python(sandbox, tree, "import os; print(sorted(os.listdir('/proc/self/fd')))")
    finally:
        os.close(reader)
        os.close(writer)
    # 0 to 2, and the one that reads the directory itself.
    assert ran.output == b"['0', '1', '2', '3']\n"


def test_socketpairs_and_loopback_still_work(sandbox: Sandbox, tree: Path) -> None:
    code = """
import socket
left, right = socket.socketpair()
left.sendall(b"pair")
print(right.recv(4).decode())
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname()).close()
print("loopback")
"""
    ran = python(sandbox, tree, code)
    assert ran.output == b"pair\nloopback\n"


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="x32 numbers exist on x86-64 only")
def test_another_numbering_of_system_calls_kills(sandbox: Sandbox, tree: Path) -> None:
    code = "import ctypes; ctypes.CDLL(None).syscall(ctypes.c_long(0x40000000 | 39)); print('alive')"
    ran = python(sandbox, tree, code)
    assert (ran.exit_code, ran.output) == (159, b"")


def test_threads_and_subprocesses_still_work(sandbox: Sandbox, tree: Path) -> None:
    code = """
import subprocess, threading
from concurrent.futures import ProcessPoolExecutor
thread = threading.Thread(target=lambda: print(subprocess.check_output(["echo", "child"]).decode().strip()))
thread.start(); thread.join()
with ProcessPoolExecutor(2) as pool:
    print(sum(pool.map(abs, [-1, -2])))
"""
    assert python(sandbox, tree, code).output == b"child\n3\n"


def test_privileges_are_gone(sandbox: Sandbox, tree: Path) -> None:
    ran = shell(sandbox, tree, "id -u; grep -E '^(Cap(Eff|Prm|Bnd|Amb)|NoNewPrivs|Seccomp):' /proc/self/status")
    assert ran.output.split() == [
        b"1000", b"CapPrm:", b"0" * 16, b"CapEff:", b"0" * 16, b"CapBnd:", b"0" * 16, b"CapAmb:", b"0" * 16,
        b"NoNewPrivs:", b"1", b"Seccomp:", b"2",
    ]  # fmt: skip


def test_nothing_outside_is_written_or_seen(sandbox: Sandbox, tree: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("planted")
    (tree / "link").symlink_to(secret)
    places = "/ /usr /usr/local /etc /dev /opt /opt/toolchain /opt/toolchain/bin /var /proc /home"
    command = f"""
cat link {secret} ../secret 2>/dev/null && echo read
(echo x > link) 2>/dev/null && echo wrote through
for d in {places}; do touch $d/planted 2>/dev/null && echo "wrote $d"; done
ls /etc/shadow /etc/ssl/private /sys /run 2>/dev/null
touch /tmp/fine ~/fine fine && echo done
"""
    ran = shell(sandbox, tree, command)
    assert ran.output == b"done\n"
    assert secret.read_text() == "planted"
    assert (tree / "fine").exists()
    assert not Path("/tmp/fine").exists()


def test_nothing_of_the_machine_in_proc_can_be_opened_for_writing(sandbox: Sandbox, tree: Path) -> None:
    """A worker that is root owns these files inside as well; the test opens and never writes, lest it harm its machine."""
    code = """
import os
seen = 0
for where, directories, files in os.walk("/proc"):
    if where == "/proc":
        directories[:] = [d for d in directories if not d.isdigit() and d not in ("self", "thread-self")]
    for name in files:
        path = os.path.join(where, name)
        if os.path.islink(path):
            continue
        seen += 1
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
            print("writable", path)
        except OSError:
            pass
print(seen > 100, os.path.exists("/proc/sys/kernel/core_pattern"))
print([d for d in ("bus", "fs", "irq", "pressure") if os.path.isdir("/proc/" + d) and os.listdir("/proc/" + d)])
for name in ("kmsg", "kcore", "keys", "timer_list"):
    try:
        data = open("/proc/" + name, "rb").read(1)
        print(name, data) if data else None
    except OSError:
        pass
"""
    assert python(sandbox, tree, code).output == b"True True\n[]\n"


def test_private_directories_do_not_survive(sandbox: Sandbox, tree: Path) -> None:
    shell(sandbox, tree, "touch /tmp/note ~/note /dev/shm/note /var/tmp/note")
    assert shell(sandbox, tree, "ls /tmp ~ /dev/shm /var/tmp | grep note").output == b""


def test_a_reviewers_tree_is_read_only(sandbox: Sandbox, tree: Path) -> None:
    command = (
        "touch new; echo x >> calc.py; rm -f calc.py; mkdir d; mv calc.py e; chmod 777 calc.py; ln calc.py l; true"
    )
    ran = shell(sandbox, tree, command, writable=False)
    assert ran.output.count(b"Read-only file system") == 7
    assert sorted(path.name for path in tree.iterdir()) == ["calc.py", "sub"]


def test_a_tree_that_brings_git_along_is_refused(sandbox: Sandbox, tree: Path) -> None:
    (tree / ".git").symlink_to("/tmp")
    with pytest.raises(SandboxError, match="not a directory"):
        shell(sandbox, tree, "true")
    (tree / ".git").unlink()
    (tree / ".git" / "hooks").mkdir(parents=True)
    with pytest.raises(SandboxError, match=r"holds a \.git directory"):
        shell(sandbox, tree, "true")


@pytest.mark.parametrize("cwd", ["..", "sub/../..", "/etc", "a\0b"])
def test_working_directories_outside_are_refused(sandbox: Sandbox, tree: Path, cwd: str) -> None:
    with pytest.raises(SandboxError, match="not inside the workspace"):
        sandbox.run("true", tree=tree, writable=False, cwd=cwd)


def alive(marker: str) -> list[str]:
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                line = (process / "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if marker.encode() in line:
                found.append(process.name)
    return found


def test_everything_is_dead_when_the_command_ends(sandbox: Sandbox, tree: Path) -> None:
    ran = shell(sandbox, tree, "setsid sleep 86371 & (nohup sleep 86371 >/dev/null 2>&1 &) ; disown -a; echo over")
    assert ran.output == b"over\n"
    assert alive("86371") == []


def test_a_process_that_ignores_signals_ends_with_its_time(sandbox: Sandbox, tree: Path) -> None:
    code = """
import os, signal, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGXCPU): signal.signal(number, signal.SIG_IGN)
os.fork()
print("marker-86372", flush=True)
while True: time.sleep(1)
"""
    ran = sandbox.run_argv(("python", "-c", code), tree=tree, writable=True, limits=Limits(wall_s=1.5))
    assert (ran.timed_out, ran.exit_code) == (True, 124)
    assert ran.output.count(b"marker-86372") == 2
    assert "1.5 s" in ran.note
    assert alive("marker-86372") == []


def test_closed_streams_do_not_end_the_watch(sandbox: Sandbox, tree: Path) -> None:
    ran = shell(sandbox, tree, "exec >&- 2>&-; sleep 60", limits=Limits(wall_s=1))
    assert ran.timed_out


@pytest.mark.parametrize("counts", [True, False])
def test_a_fork_bomb_is_bounded(sandbox: Sandbox, tree: Path, monkeypatch: pytest.MonkeyPatch, counts: bool) -> None:
    if not counts:  # as on a machine whose kernel counts for nobody, whose watch is all there is for root
        monkeypatch.setattr(box, "counters_usable", lambda: False)
    ran = shell(sandbox, tree, "bomb() { bomb | bomb & }; bomb; sleep 50", limits=Limits(wall_s=40, processes=60))
    assert (ran.exit_code, ran.timed_out) == (137, False)
    assert ran.note == "killed: more than 60 processes at once"


def test_memory_is_bounded(sandbox: Sandbox, tree: Path) -> None:
    code = "import time\nheld = []\nwhile True: held.append(bytearray(b'x') * (8 << 20)); time.sleep(0.002)"
    ran = python(sandbox, tree, code, limits=Limits(wall_s=40, memory_bytes=256 << 20))
    assert ran.exit_code == 137
    assert "memory" in ran.note


def test_memory_shared_by_a_fork_counts_once(sandbox: Sandbox, tree: Path) -> None:
    code = """
import os, time
held = bytearray(b"x") * (120 << 20)
children = []
for _ in range(4):
    pid = os.fork()
    if pid == 0:
        time.sleep(1); os._exit(0)
    children.append(pid)
for pid in children: os.waitpid(pid, 0)
print("done")
"""
    ran = python(sandbox, tree, code, limits=Limits(wall_s=40, memory_bytes=300 << 20))
    assert (ran.output, ran.note) == (b"done\n", "")


def test_memory_in_files_is_bounded(sandbox: Sandbox, tree: Path) -> None:
    command = "for d in /tmp /dev/shm ~ /workspace/.git; do head -c 400000000 /dev/zero > $d/f; stat -c %s $d/f; done"
    ran = shell(sandbox, tree, command)
    sizes = [int(line) for line in ran.output.split(b"\n") if line.isdigit()]
    assert len(sizes) == 3
    assert max(sizes) <= 256 << 20


def test_one_file_is_bounded(sandbox: Sandbox, tree: Path) -> None:
    ran = shell(sandbox, tree, "head -c 9000000 /dev/zero > big; stat -c %s big", limits=Limits(file_bytes=1 << 20))
    assert ran.output.endswith(b"1048576\n")


def test_processor_time_is_bounded(sandbox: Sandbox, tree: Path) -> None:
    ran = shell(sandbox, tree, "while :; do :; done", limits=Limits(cpu_s=1, wall_s=60))
    assert not ran.timed_out
    assert ran.exit_code in {128 + 24, 137}


def test_a_flood_of_output_is_bounded(sandbox: Sandbox, tree: Path) -> None:
    command = "echo first; head -c 300000000 /dev/zero | tr '\\0' x; echo; echo last; exit 4"
    ran = shell(sandbox, tree, command, limits=Limits(output_bytes=10_000, wall_s=120))
    assert ran.truncated
    assert ran.exit_code == 4
    assert len(ran.output) < 10_100
    assert ran.output.startswith(b"first\nxxx")
    assert ran.output.endswith(b"xxx\nlast\n")
    assert b"bytes left out" in ran.output


def test_two_commands_on_one_tree_wait_for_each_other(sandbox: Sandbox, tree: Path) -> None:
    command = "mkdir held || exit 9; sleep 0.3; touch .git/x 2>/dev/null && exit 8; rmdir held"
    codes: list[int] = []
    threads = [threading.Thread(target=lambda: codes.append(shell(sandbox, tree, command).exit_code)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [0, 0, 0]


def test_no_bubblewrap_no_run(sandbox: Sandbox, tree: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxUnavailable, match="install it"):
        sandbox.probe()
    with pytest.raises(SandboxUnavailable):
        shell(sandbox, tree, "touch ran")
    assert not (tree / "ran").exists()
    assert not (tree / ".git").exists()


@pytest.mark.parametrize(
    ("said", "mend"),
    [
        ("bwrap: Creating new namespace failed: Operation not permitted", "user namespaces are off"),
        ("bwrap: setting up uid map: Permission denied", "AppArmor"),
        ("bwrap: Can't mount proc on /newroot/proc: Operation not permitted", "mounting /proc is refused"),
    ],
)
def test_a_machine_that_refuses_says_how_to_mend_it(
    sandbox: Sandbox, tree: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str, mend: str
) -> None:
    fake = tmp_path / "bwrap"
    fake.write_text(f'#!/bin/sh\necho "{said}" >&2\nexit 1\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxUnavailable, match=mend):
        sandbox.probe()
    with pytest.raises(SandboxUnavailable):
        shell(sandbox, tree, "touch ran")


def test_a_cgroup_that_cannot_bound_is_no_sandbox(scratch: Path, sandbox: Sandbox, tree: Path, tmp_path: Path) -> None:
    strict = Sandbox(toolchain=sandbox.toolchain, scratch=scratch, cgroup=tmp_path / "absent")
    with pytest.raises(SandboxUnavailable, match="does not delegate"):
        shell(strict, tree, "touch ran")
    assert not (tree / "ran").exists()


def test_the_sandbox_dies_with_its_worker(scratch: Path, tree: Path) -> None:
    program = f"""
from pathlib import Path
from workers.sandbox.box import Sandbox
from workers.sandbox.toolchain import Toolchain
scratch = Path({str(scratch)!r})
Sandbox(toolchain=Toolchain.build(scratch), scratch=scratch).run(
    "touch started; sleep 86373", tree=Path({str(tree)!r}), writable=True)
"""
    root = Path(__file__).resolve().parents[2]
    worker = subprocess.Popen([sys.executable, "-c", program], cwd=root)
    deadline = time.monotonic() + 60
    while not (tree / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    worker.kill()
    worker.wait()
    while alive("86373") and time.monotonic() < deadline:
        time.sleep(0.02)
    assert alive("86373") == []


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="becoming an ordinary user needs root")
def test_an_ordinary_user_can_run_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The other tests run as whoever runs them; this one drops to nobody, with a system interpreter's bare toolchain."""
    base = Path("/var/tmp") / f"sandbox-user-{os.getpid()}"
    base.mkdir(mode=0o755)
    try:
        for name in ("scratch", "tree", "toolchain"):
            (base / name).mkdir()
            os.chown(base / name, 65534, 65534)
        package = base / "workers" / "sandbox"
        root = Path(__file__).resolve().parents[2]
        shutil.copytree(root / "workers" / "sandbox", package)
        shutil.copytree(root / "bot" / "domain", base / "bot" / "domain")
        (base / "bot" / "__init__.py").touch()
        (package.parent / "__init__.py").touch()
        program = f"""
import os
from pathlib import Path
from workers.sandbox.box import Sandbox, Limits
from workers.sandbox.toolchain import Toolchain
base = Path({str(base)!r})
toolchain = Toolchain(base / "toolchain", Path("/usr/bin/python3"), Path("/usr"), (), "0")
sandbox = Sandbox(toolchain=toolchain, scratch=base / "scratch")
sandbox.probe()
ran = sandbox.run("id -u; touch made; (bomb() {{ bomb | bomb & }}; bomb) ; sleep 1; echo over",
                  tree=base / "tree", writable=True, limits=Limits(wall_s=60, processes=50))
print(ran.output[:5], ran.exit_code, ran.note)
print(os.stat(base / "tree" / "made").st_uid, os.listdir(base / "tree"))
"""
        system_python = shutil.which("python3", path="/usr/bin")
        assert system_python is not None
        argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", system_python, "-B", "-c", program]
        done = subprocess.run(
            argv, cwd=base, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[1] == "65534 ['made']"
        assert done.stdout.startswith(r"b'1000\n'")
    finally:
        shutil.rmtree(base)
