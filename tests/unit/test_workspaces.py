"""Trees on disk: copied exactly, compared by content, and never a way out of their directory."""

from __future__ import annotations

import os
import pickle
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from workers.sandbox.errors import Problem, SandboxError, UnsafePath
from workers.sandbox.paths import is_git_like
from workers.sandbox.trees import MAX_DEPTH, remove_tree
from workers.sandbox.workspaces import (
    Change,
    TreeCache,
    TreeLimits,
    Workspace,
    changes,
    list_dir,
    read_bytes,
    scan,
    write_bytes,
)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    root = tmp_path / "base"
    (root / "src").mkdir(parents=True)
    (root / "src" / "a b.py").write_bytes(b"one\r\n\0two")
    (root / "run.sh").write_bytes(b"#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "link").symlink_to("src/a b.py")
    (root / "empty").mkdir()
    (root / "empty" / "none").touch()
    return root


def test_scan_agrees_with_git(base: Path) -> None:
    for path, entry in scan(base).items():
        is_link = entry.mode == "120000"
        data = os.fsencode((base / path).readlink()) if is_link else (base / path).read_bytes()
        wanted = subprocess.run(["git", "hash-object", "--stdin"], input=data, capture_output=True, check=True)
        assert entry.sha1 == wanted.stdout.decode().strip()
        assert entry.size == len(data)
    assert {path: entry.mode for path, entry in scan(base).items()} == {
        "empty/none": "100644",
        "link": "120000",
        "run.sh": "100755",
        "src/a b.py": "100644",
    }


def test_a_workspace_is_an_exact_and_separate_copy(base: Path, tmp_path: Path) -> None:
    (base / "outside").symlink_to("/etc/passwd")
    (base / "dangling").symlink_to("nowhere")
    workspace = Workspace.create(base, tmp_path / "work")
    assert scan(workspace.root) == scan(base)
    assert (workspace.root / "outside").readlink() == Path("/etc/passwd")
    write_bytes(workspace.root, "src/a b.py", b"changed")
    assert (base / "src" / "a b.py").read_bytes() == b"one\r\n\0two"
    with pytest.raises(FileExistsError):
        Workspace.create(base, tmp_path / "work")


def test_changes(base: Path, tmp_path: Path) -> None:
    before = scan(base)
    root = Workspace.create(base, tmp_path / "work").root
    assert changes(before, root) == []
    (root / "src" / "a b.py").write_bytes(b"new")
    (root / "run.sh").chmod(0o644)
    (root / "link").unlink()
    (root / "link").symlink_to("/etc/shadow")
    (root / "empty" / "none").unlink()
    write_bytes(root, "deep/er/file", b"\xff")
    assert changes(before, root) == [
        Change("deep/er/file", "added", "100644", b"\xff"),
        Change("empty/none", "deleted", None, None),
        Change("link", "modified", "120000", b"/etc/shadow"),
        Change("run.sh", "modified", "100644", b"#!/bin/sh\n"),
        Change("src/a b.py", "modified", "100644", b"new"),
    ]


def test_a_file_that_becomes_a_directory_or_a_link(base: Path) -> None:
    before = scan(base)
    (base / "run.sh").unlink()
    (base / "run.sh").mkdir()
    (base / "run.sh" / "inner").write_bytes(b"")
    (base / "empty" / "none").unlink()
    (base / "empty").rmdir()
    (base / "empty").symlink_to("src")
    assert [(c.path, c.kind) for c in changes(before, base)] == [
        ("empty", "added"),
        ("empty/none", "deleted"),
        ("run.sh", "deleted"),
        ("run.sh/inner", "added"),
    ]


@pytest.mark.parametrize(
    "name", [b"a\nb", b"quote\"'`$(x)", b"\xff\xfe", "naïve ☃".encode(), b"-rf", b"* ?", b"back\\slash"]
)
def test_odd_names_survive(base: Path, tmp_path: Path, name: bytes) -> None:
    Path(os.fsdecode(os.fsencode(base) + b"/" + name)).write_bytes(b"x")
    work = Workspace.create(base, tmp_path / "work").root
    assert os.fsdecode(name) in scan(work)
    assert read_bytes(work, os.fsdecode(name)) == b"x"


def test_special_files_are_refused(base: Path, tmp_path: Path) -> None:
    os.mkfifo(base / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        where = Path.cwd()
        os.chdir(base)
        try:
            listener.bind("sock")
        finally:
            os.chdir(where)
        with pytest.raises(UnsafePath) as refused:
            scan(base)
        assert refused.value.problems == (Problem("pipe", "is a fifo"), Problem("sock", "is a socket"))
        with pytest.raises(UnsafePath):
            Workspace.create(base, tmp_path / "work")
        with pytest.raises(UnsafePath, match="fifo"):
            read_bytes(base, "pipe")
        with pytest.raises(UnsafePath, match="fifo"):
            write_bytes(base, "pipe", b"")


GIT_LIKE = [
    ".git", ".GIT", ".Git", ".git ", ".git.", ".git. .", ".git::$INDEX_ALLOCATION", ".git:x", "git~1", "GIT~1", "git~2",
    ".g\u200cit", "\ufeff.git", ".gi\u200dt", ".git\u2060", ".g\u00adit", ".\ufe0fgit",
    "a\\.git\\b", ".git\\hooks", "\uff0egit", ".ｇｉｔ",
]  # fmt: skip


@pytest.mark.parametrize("name", GIT_LIKE)
def test_names_like_git_are_refused_everywhere(base: Path, name: str) -> None:
    assert is_git_like(name)
    (base / "src" / name).mkdir()
    (base / "src" / name / "config").touch()
    with pytest.raises(UnsafePath, match=r"like \.git"):
        scan(base)
    with pytest.raises(UnsafePath):
        read_bytes(base, f"src/{name}/config")
    with pytest.raises(UnsafePath):
        write_bytes(base, f"src/{name}/hook", b"")
    assert [found for found, _ in list_dir(base, "src")] == ["a b.py"]


@pytest.mark.parametrize(
    "name", [".gitignore", ".github", "git", "agit~1", ".gitattributes", "x.git", "git~", ".git-x"]
)
def test_names_that_only_begin_like_it_are_fine(name: str) -> None:
    assert not is_git_like(name)


def test_names_that_collide_without_case_are_refused(base: Path) -> None:
    (base / "SRC").mkdir()
    (base / "SRC" / "x").touch()
    (base / "Stra\u00dfe").touch()
    (base / "STRASSE").touch()
    with pytest.raises(UnsafePath) as refused:
        scan(base)
    assert [problem.path for problem in refused.value.problems] == ["Stra\u00dfe", "src"]
    assert "collides with 'SRC'" in str(refused.value)


def test_limits_of_a_tree(base: Path) -> None:
    with pytest.raises(UnsafePath, match="3 files"):
        scan(base, TreeLimits(files=3))
    with (base / "sparse").open("wb") as file:
        file.truncate(5 << 30)
    with pytest.raises(UnsafePath, match="1024 MiB"):
        scan(base)


def make_deep(root: Path, levels: int) -> None:
    descriptor = os.open(root, os.O_DIRECTORY)
    for _ in range(levels):
        os.mkdir("d" * 100, dir_fd=descriptor)
        inner = os.open("d" * 100, os.O_DIRECTORY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.mkfifo("bottom", dir_fd=descriptor)
    os.close(descriptor)


def test_a_tree_deeper_than_any_path_is_refused_and_removed(base: Path, tmp_path: Path) -> None:
    make_deep(base, sys.getrecursionlimit() * 2)
    with pytest.raises(UnsafePath, match=f"{MAX_DEPTH} directories deep"):
        scan(base)
    with pytest.raises(UnsafePath, match="directories deep"):
        Workspace.create(base, tmp_path / "work")
    remove_tree(tmp_path / "work")
    remove_tree(base)
    assert list(tmp_path.iterdir()) == []


def test_remove_ignores_permissions_and_follows_no_link(base: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    work = Workspace.create(base, tmp_path / "work")
    (work.root / "to-kept").symlink_to(kept)
    (work.root / "locked" / "inner").mkdir(parents=True)
    (work.root / "locked" / "inner" / "file").touch()
    (work.root / "locked" / "inner").chmod(0)
    (work.root / "locked").chmod(0o500)
    work.remove()
    assert not work.root.exists()
    assert (kept / "file").exists()


@pytest.mark.parametrize("path", ["../x", "src/../../x", "/etc/passwd", "a\0b", "src/.git/x", "", ".", "src/.."])
def test_paths_that_leave_are_refused(base: Path, path: str) -> None:
    with pytest.raises(UnsafePath):
        read_bytes(base, path)
    with pytest.raises(UnsafePath):
        write_bytes(base, path, b"x")
    if path not in {"", "."}:
        with pytest.raises(UnsafePath):
            list_dir(base, path)


def test_links_are_never_passed(base: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"planted")
    (base / "out").symlink_to(outside)
    (base / "file").symlink_to(outside / "secret")
    (base / "new").symlink_to(outside / "made")
    for path in ("out/secret", "file", "link"):
        with pytest.raises(UnsafePath, match="through a link to"):
            read_bytes(base, path)
    for path in ("out/secret", "out/made", "out/deeper/made", "file", "new"):
        with pytest.raises(UnsafePath, match="through a link to"):
            write_bytes(base, path, b"overwritten")
    with pytest.raises(UnsafePath):
        list_dir(base, "out")
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_bytes() == b"planted"
    assert [p for p in scan(base) if p.startswith("out")] == ["out"]


def test_the_root_itself_may_not_be_a_link(base: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(base)
    with pytest.raises(OSError, match="alias"):
        scan(tmp_path / "alias")
    with pytest.raises(OSError, match="alias"):
        read_bytes(tmp_path / "alias", "run.sh")


def test_files_for_tools(base: Path) -> None:
    write_bytes(base, "src/./new/deep.txt", b"text")
    assert read_bytes(base, "src/new/deep.txt") == b"text"
    assert read_bytes(base, "src/new/deep.txt", limit=2) == b"te"
    write_bytes(base, "run.sh", b"exit\n")
    assert stat.S_IMODE((base / "run.sh").stat().st_mode) == 0o755
    assert list_dir(base) == [("empty", "directory"), ("link", "link"), ("run.sh", "file"), ("src", "directory")]
    assert list_dir(base, "src") == [("a b.py", "file"), ("new", "directory")]
    with pytest.raises(UnsafePath, match="is a directory"):
        read_bytes(base, "src")
    with pytest.raises(UnsafePath, match="is a directory"):
        write_bytes(base, "src", b"")
    with pytest.raises(FileNotFoundError):
        read_bytes(base, "absent")
    with pytest.raises(NotADirectoryError):
        write_bytes(base, "run.sh/x", b"")
    assert not [name for name, _ in list_dir(base) if name.startswith(".writing")]


def test_trees_are_unpacked_once_and_the_oldest_dropped(tmp_path: Path) -> None:
    made: list[str] = []

    def unpack(dest: Path) -> None:
        made.append(dest.name)
        (dest / "file").write_bytes(b"x" * 100)

    cache = TreeCache(tmp_path / "trees", max_bytes=250)
    for key in ("one", "one", "two"):
        with cache.lease(key, unpack) as tree:
            assert (tree / "file").stat().st_size == 100
    assert len(made) == 2
    os.utime(tmp_path / "trees" / "one.lock", (1, 1))
    with cache.lease("two", unpack), cache.lease("three", unpack):
        assert not (tmp_path / "trees" / "one").exists()
        assert (tmp_path / "trees" / "two").exists()
    with cache.lease("one", unpack) as tree:
        assert (tree / "file").exists()


def test_a_tree_in_use_is_not_dropped(tmp_path: Path) -> None:
    def unpack(dest: Path) -> None:
        (dest / "file").write_bytes(b"x" * 100)

    cache = TreeCache(tmp_path / "trees", max_bytes=50)
    with cache.lease("one", unpack) as tree:
        os.utime(tmp_path / "trees" / "one.lock", (1, 1))
        with cache.lease("two", unpack):
            assert tree.exists()


def test_an_unpack_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(dest: Path) -> None:
        (dest / "half").touch()
        raise RuntimeError("cut")

    cache = TreeCache(tmp_path / "trees", max_bytes=50)
    with pytest.raises(RuntimeError, match="cut"), cache.lease("one", fail):
        pass
    assert [path.name for path in (tmp_path / "trees").iterdir()] == ["one.lock"]
    for key in ("../x", ".", "a/b", "", ".hidden"):
        with pytest.raises(SandboxError), cache.lease(key, fail):
            pass


def test_refusals_can_be_sent_between_processes() -> None:
    error = UnsafePath((Problem("a", "is a fifo"),))
    assert str(pickle.loads(pickle.dumps(error))) == str(error) == "refused: 'a' is a fifo"
