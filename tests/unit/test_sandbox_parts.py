"""Parts of the sandbox by themselves: its cgroup, its counters, its places for mounts, and which names it holds."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bot.cli import doctor
from bot.domain.paths import matches_any
from bot.settings import Process, from_environment
from tests.unit.test_agents_implementing import step_job
from tests.unit.test_agents_world import sandbox, world
from workers.agents.room import open_room
from workers.sandbox import counter, growth, holding, watch
from workers.sandbox.box import Sandbox
from workers.sandbox.counter import counted
from workers.sandbox.errors import SandboxUnavailable, UnsafePath
from workers.sandbox.growth import Growth, measure
from workers.sandbox.holding import Places
from workers.sandbox.masks import HELD, HOLD_ALL, Protection, _may_be_held, mounts
from workers.sandbox.skeleton import Claimed
from workers.sandbox.watch import Limits, members_of
from workers.sandbox.workspaces import changes

__all__ = ["sandbox"]


def test_the_environment_names_the_cgroup_of_sandboxes() -> None:
    given = {"ANTHROPIC_API_KEY": "k", "CONDUCTOR_BROKER_URL": "redis://127.0.0.1:1/0"}
    assert from_environment(Process.AGENTS, given).cgroup is None
    named = given | {"CONDUCTOR_CGROUP": "/sys/fs/cgroup/agents"}
    assert from_environment(Process.AGENTS, named).cgroup == Path("/sys/fs/cgroup/agents")


def test_a_repositorys_own_toolchain_is_bounded_by_the_same_cgroup(tmp_path: Path, sandbox: Sandbox) -> None:
    bounded = Sandbox(toolchain=sandbox.toolchain, scratch=tmp_path / "bounded", cgroup=tmp_path / "group")
    with world(tmp_path, bounded) as here:
        assert here.desk.sandbox_with("/usr/local").cgroup == tmp_path / "group"


def test_the_doctor_says_whether_there_is_a_cgroup(tmp_path: Path) -> None:
    without = doctor._asked("cgroup", lambda: doctor._cgroup(None))
    assert without.state == "warning"
    assert "name a delegated cgroup" in without.said
    absent = doctor._asked("cgroup", lambda: doctor._cgroup(tmp_path / "absent"))
    assert absent.state == "missing"
    assert "enable both in its cgroup.subtree_control" in absent.said


@pytest.fixture
def hierarchy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in place of the kernel's, where what is written can be read."""
    monkeypatch.setattr(counter, "PIDS_V1", tmp_path)
    counter._forget()
    return tmp_path


def test_a_counter_is_used_by_one_sandbox_at_a_time_and_again_after_it(hierarchy: Path) -> None:
    with counted(Limits(processes=7)) as first, counted(Limits(processes=9)) as second:
        assert (first.path / "pids.max").read_text() == "25"
        assert (second.path / "pids.max").read_text() == "27"
        assert first.path != second.path
        with pytest.raises(ZeroDivisionError):
            first.start(lambda: 1 // 0)
    with counted(Limits(processes=8)) as third:
        assert third in {first, second}
        assert third.start(threading.get_native_id) == int((third.path / "tasks").read_text())
    assert len(list(hierarchy.iterdir())) == 2
    counter._forget()


def test_what_dead_workers_left_is_taken_away_and_what_live_ones_hold_is_not(hierarchy: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    kept = [hierarchy / f"conductor-{os.getppid()}-a", hierarchy / f"conductor-{ended.pid}-busy"]
    left = hierarchy / f"conductor-{ended.pid}-b"
    for one in (*kept, left):
        one.mkdir()
    (kept[1] / "cgroup.procs").write_text("42\n")
    with counted(Limits()):
        assert not left.exists()
        assert all(one.exists() for one in kept)
    counter._forget()


def test_a_sandbox_is_born_in_its_counter(sandbox: Sandbox, tmp_path: Path) -> None:
    """Where the kernel's hierarchy is ours; elsewhere nothing is made in it."""
    counting: set[str] = set()

    def look() -> None:
        while not (tmp_path / "started").exists():
            time.sleep(0.01)
        for group in counter.PIDS_V1.glob(f"conductor-{os.getpid()}-*"):
            counting.update((group / "cgroup.procs").read_text().split())
        (tmp_path / "seen").touch()

    looking = threading.Thread(target=look)
    looking.start()
    command = "touch started; while [ ! -e seen ]; do sleep 0.01; done"
    assert sandbox.run(command, tree=tmp_path, writable=True, limits=Limits(wall_s=60)).exit_code == 0
    looking.join()
    counting.discard(str(os.getpid()))
    assert bool(counting) is counter.counters_usable()


@pytest.mark.parametrize("elsewhere", [False, True])
def test_places_come_and_go_and_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: bool) -> None:
    if elsewhere:  # the tree is on another file system than the places
        monkeypatch.setattr(holding, "_moved", lambda source, target: False)
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "AGENTS.md").write_text("be kind\n")
    (tree / "node_modules").mkdir()
    places = Places(tmp_path / "places")
    for _ in range(3):
        with places.held(tree, ("node_modules",), HOLD_ALL) as held:
            assert {".git", "CLAUDE.md", ".claude"} <= set(held.taken)
            assert "AGENTS.md" not in held.taken
            assert all((tree / name).is_dir() for name in held.taken)
            (tree / ".claude" / "written-by-a-tool").touch()
        assert held.undone == [".claude"]
        assert [path.name for path in tree.iterdir()] == ["AGENTS.md"]
        (tree / "node_modules").mkdir()
    with places.held(tree, (), None) as held:
        assert (held.taken, dict(held.found)) == ((".git",), {})
    assert sorted(path.name for path in tree.iterdir()) == ["AGENTS.md", "node_modules"]


SPELLINGS = ("{}", "{}.", "{} ", "\u200d{}", "x{}", "{}x", "{}.md", "{}/inner", "deep/er/{}", "{}~1")


def test_the_quick_look_lets_nothing_through() -> None:
    names = {part for pattern in HELD for part in pattern.split("/") if part != "**"} | {"code.py", ".gitx", "agents"}
    seen = 0
    for name in sorted(names):
        for plain in (name, name.upper(), name.replace("*", "conf.yml"), name.replace("e", "\uff45")):
            for spelling in SPELLINGS:
                path = spelling.format(plain)
                if matches_any(HELD, path) is not None:
                    seen += 1
                    assert any(_may_be_held(part) for part in path.split("/")), path
                    folders = [path[:at] for at, char in enumerate(path) if char == "/"]
                    assert any(HOLD_ALL.holds(one) for one in (path, *folders)), path
    assert seen > 500
    assert not any(map(_may_be_held, ("code.py", "test_agents.py", "README.md", "github", "settings.json")))


def test_what_is_found_is_mounted_in_order_and_links_are_not(tmp_path: Path) -> None:
    for path in ("AGENTS.md", "a/b/CLAUDE.md", "a/.claude/x"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "GEMINI.md").symlink_to("AGENTS.md")
    os.mkfifo(tmp_path / "a" / "AGENTS.md")
    found = Protection().find(tmp_path)
    assert found == {
        "AGENTS.md": "file",
        "GEMINI.md": "link to AGENTS.md",
        "a/.claude": "folder",
        "a/AGENTS.md": "special",
        "a/b/CLAUDE.md": "file",
    }
    words = list(mounts(Path("/tree"), "/inside", found))
    assert words == [
        *("--bind", "/tree/a", "/inside/a", "--bind", "/tree/a/b", "/inside/a/b"),
        *("--ro-bind", "/tree/AGENTS.md", "/inside/AGENTS.md", "--ro-bind", "/tree/a/.claude", "/inside/a/.claude"),
        *("--ro-bind", "/tree/a/b/CLAUDE.md", "/inside/a/b/CLAUDE.md"),
    ]
    assert Protection(frozenset({"a/.claude/x", "AGENTS.md"})).find(tmp_path).keys() == {
        "GEMINI.md",
        "a/AGENTS.md",
        "a/b/CLAUDE.md",
    }


def test_a_folder_that_a_command_closed_is_cleared_all_the_same(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    (inner / ".claude").mkdir(parents=True)
    (inner / ".claude").chmod(0)
    inner.chmod(0o555)
    assert Protection().undo(tmp_path, {}) == ["inner/.claude"]
    assert list(inner.iterdir()) == []


@pytest.fixture
def ordinary(tmp_path: Path) -> Iterator[Path]:
    """A directory in which this thread is refused what any owner is: without CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH."""
    libc = ctypes.CDLL(None)
    header, before = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(header, before) == 0
    effective, *others = before
    assert libc.capset(header, (ctypes.c_uint32 * 6)(effective & ~0b110, *others)) == 0
    yield tmp_path
    assert libc.capset(header, before) == 0


@pytest.mark.parametrize("mode", [0o555, 0o444, 0o000])
def test_a_tree_that_a_command_closed_is_opened_again(ordinary: Path, mode: int) -> None:
    tree = ordinary / "tree"
    inner = tree / "inner"
    inner.mkdir(parents=True)
    (inner / "AGENTS.md").symlink_to("kept")
    places = Places(ordinary / "places")
    for _ in range(2):
        with places.held(tree, (), HOLD_ALL) as held:
            (inner / "GEMINI.md").symlink_to("made")
            inner.chmod(mode)
            tree.chmod(mode)
        assert held.undone == ["inner/GEMINI.md"]
        assert sorted(str(path.relative_to(tree)) for path in tree.rglob("*")) == ["inner", "inner/AGENTS.md"]


def test_what_a_killed_worker_left_in_a_tree_is_no_change(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    left = [".git", *HOLD_ALL.taken(tree)]
    for name in left:
        (tree / name).mkdir(parents=True)
    with pytest.raises(UnsafePath, match=r"is like \.git"):
        changes({}, tree)
    with Places(tmp_path / "places").held(tree, (), HOLD_ALL) as held:
        (tree / "code.py").touch()
    assert held.undone == []
    assert [change.path for change in changes({}, tree)] == ["code.py"]


@dataclass
class Disk:
    """Free blocks of a byte and free files, as `statvfs` says."""

    f_bavail: int = 1_000
    f_favail: int = 1_000
    f_frsize: int = 1


def test_who_hides_something_again_and_again_is_charged_for_what_the_disk_lost(
    ordinary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = ordinary / "inner"
    inner.mkdir()
    disk = Disk()
    monkeypatch.setattr(os, "statvfs", lambda _: replace(disk))
    monkeypatch.setattr(growth, "_REST", 0)
    growing = Growth(ordinary, Limits(tree_bytes=100_000, tree_files=100), "its place")
    said = []
    # Not this process: what other tests have open in it would count.
    with subprocess.Popen(["sleep", "60"]) as top:
        for mode in (0o300, 0o300, 0o700, 0o300, 0o300, 0o300):
            disk.f_favail -= 50
            inner.chmod(mode)
            assert measure(ordinary, Limits()).hidden is (mode == 0o300)
            said.append(growing.excess(top.pid))
        top.kill()
    assert said == ["", "", "", "", "", "killed: its place holds more than 100 files"]


def test_a_place_where_nothing_may_be_executed_is_said(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    flagged = [*os.statvfs("/")]
    flagged[8] |= os.ST_NOEXEC
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(flagged))
    with pytest.raises(SandboxUnavailable, match="is mounted noexec, and programs are built there; set CONDUCTOR_DATA"):
        sandbox.probe()


def test_memory_is_what_the_machine_or_its_container_has_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = tmp_path / "meminfo"
    machine.write_text("MemTotal: 900 kB\nMemAvailable: 500 kB\nSwapFree: 20 kB\nHugePages_Total: 0\n")
    monkeypatch.setattr(watch, "_MEMORY_OF_MACHINE", machine)
    monkeypatch.setattr(watch, "_OWN_CGROUP", tmp_path)
    assert watch.available_memory() == 520 << 10
    (tmp_path / "memory.current").write_text("350000\n")
    (tmp_path / "memory.stat").write_text("active_file 1\ninactive_file 20\nshmem 7\nslab_reclaimable 300\n")
    for most, left in (("max", 520 << 10), ("400000", 50_321), ("900000000", 520 << 10)):
        (tmp_path / "memory.max").write_text(f"{most}\n")
        assert watch.available_memory() == left


def test_a_workspace_that_a_killed_worker_left_is_gone_and_one_in_use_is_not(tmp_path: Path, sandbox: Sandbox) -> None:
    with world(tmp_path, sandbox) as here:
        left = here.desk.workroom / "job-1" / "tree" / ".git"
        left.mkdir(parents=True)
        job = step_job(here)
        with open_room(here.desk, job) as first, open_room(here.desk, job) as second:
            assert not left.exists()
            assert first.place.is_dir()
            assert first.place != second.place


def test_directories_of_ended_processes_are_swept(tmp_path: Path, sandbox: Sandbox) -> None:
    program = f"""
import time
from pathlib import Path
from workers.sandbox.skeleton import Claimed
one = Claimed(Path({str(tmp_path)!r}))
(one.path / "root" / "etc").mkdir(parents=True)
print(one.path.name, flush=True)
time.sleep(600)
"""
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen([sys.executable, "-c", program], cwd=root, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        its = other.stdout.readline().strip()
        for name in ("toolchain-1-2", "empty"):
            (tmp_path / name / "inner").mkdir(parents=True)
        first = Claimed(tmp_path)
        second = Claimed(tmp_path)
        assert {its, first.path.name, second.path.name} <= {path.name for path in tmp_path.iterdir()}
        other.kill()
    (first.path / "root").mkdir()
    of_another_kind = Claimed(tmp_path, "job").path
    gone = first.path
    del first
    Sandbox(toolchain=sandbox.toolchain, scratch=tmp_path)
    kept = {path.name for path in tmp_path.iterdir()} - {its, gone.name}
    assert not (tmp_path / its).exists()
    assert not gone.exists()
    assert {second.path.name, of_another_kind.name} <= kept
    assert {"toolchain-1-2", "empty", "sandbox.lock"} <= kept


@pytest.mark.parametrize("gone", [FileNotFoundError, ProcessLookupError])
def test_a_process_that_ends_while_its_children_are_listed_is_passed_over(
    gone: type[OSError], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second is what the kernel says of a folder that was opened before its process ended."""
    with subprocess.Popen(["sleep", "60"]) as child:
        listed = Path.iterdir

        def ending(path: Path) -> Iterator[Path]:
            if path == Path(f"/proc/{child.pid}/task"):
                raise gone
            return listed(path)

        monkeypatch.setattr(Path, "iterdir", ending)
        try:
            assert child.pid in list(members_of(os.getpid()))
        finally:
            child.kill()
