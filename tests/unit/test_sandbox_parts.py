"""Parts of the sandbox by themselves: its cgroup, its counters, its places for mounts, and which names it holds."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from bot.cli import doctor
from bot.domain.paths import matches_any
from bot.settings import Process, from_environment
from tests.unit.test_agents_world import sandbox, world
from workers.sandbox import counter, holding
from workers.sandbox.box import Sandbox
from workers.sandbox.counter import counted
from workers.sandbox.holding import Places
from workers.sandbox.masks import HELD, HOLD_ALL, Protection, _may_be_held, mounts
from workers.sandbox.watch import Limits

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
    places = Places(tmp_path)
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


def test_directories_of_ended_processes_are_swept(tmp_path: Path, sandbox: Sandbox) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    for name in (f"root-{ended.pid}-a", f"places-{ended.pid}-a", f"root-{os.getppid()}-a", "toolchain-1-2", "empty"):
        (tmp_path / name / "inner").mkdir(parents=True)
    Sandbox(toolchain=sandbox.toolchain, scratch=tmp_path)
    kept = {path.name for path in tmp_path.iterdir() if f"-{os.getpid()}-" not in path.name}
    assert kept == {f"root-{os.getppid()}-a", "toolchain-1-2", "empty"}
