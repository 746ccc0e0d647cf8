"""A workspace made to run programs or hide changes when git looks at it: Conductor's own reading runs nothing and hides nothing.

The controls ask plain git in the same place, which does run what is planted, and does hide.
"""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path

import pytest

from bot.adapters.git_process import EMPTY_TREE
from bot.adapters.git_trees import GitTrees
from bot.domain.work import Change, Patch
from workers.sandbox.box import Sandbox
from workers.sandbox.errors import SandboxError, UnsafePath
from workers.sandbox.toolchain import Toolchain
from workers.sandbox.workspaces import Entry, changes

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
ATTRIBUTES = """\
*.txt filter=evil diff=evil merge=evil
*.py -diff
*.bin filter=lfs diff=lfs merge=lfs -text
*.md ident working-tree-encoding=UTF-16 eol=crlf
"""
BASE = {
    ".gitattributes": ATTRIBUTES,
    "notes.txt": "first\n",
    "app.py": "one\n",
    "large.bin": POINTER,
    "README.md": "plain $Id$ text\n",
    "--output=planted": "an option\n",
}
CHANGED = {
    "notes.txt": "second\n",
    "app.py": "import os; os.system('evil')\n",
    "large.bin": POINTER.replace("12345", "54321"),
    "README.md": "other $Id$ text\n",
    "--output=planted": "another option\n",
}


class Traps:
    """Programs that leave a mark when they run, and the settings that name them."""

    def __init__(self, place: Path) -> None:
        self.marks = place / "marks"
        self.programs = place / "programs"
        self.home = place / "home"
        for one in (self.marks, self.programs, self.home):
            one.mkdir()
        self.settings = "".join(
            [
                f"[core]\n\tfsmonitor = {self.program('fsmonitor')}\n\tpager = {self.program('pager')}\n",
                f"\tsshCommand = {self.program('ssh')}\n\teditor = {self.program('editor')}\n\thooksPath = {self.hooks()}\n",
                *(
                    f'[filter "{name}"]\n\tclean = {self.program(f"{name}-clean", "cat")}\n'
                    f"\tsmudge = {self.program(f'{name}-smudge', 'cat')}\n\trequired = false\n"
                    for name in ("evil", "lfs")
                ),
                f'[diff "evil"]\n\ttextconv = {self.program("textconv", "echo same #")}\n',
                f'[merge "evil"]\n\tdriver = {self.program("merge")} %A\n',
            ]
        )
        (self.home / ".gitconfig").write_text(self.settings)

    def program(self, name: str, then: str = "exit 1 #") -> str:
        path = self.programs / name
        path.write_text(f'#!/bin/sh\ntouch "{self.marks}/{name}"\n{then} "$@"\n')
        path.chmod(0o755)
        return str(path)

    def hooks(self) -> Path:
        folder = self.programs / "hooks"
        folder.mkdir()
        for name in ("pre-commit", "post-checkout", "post-index-change", "reference-transaction"):
            path = folder / name
            path.write_text(f'#!/bin/sh\ntouch "{self.marks}/hook-{name}"\n')
            path.chmod(0o755)
        return folder

    def sprung(self) -> set[str]:
        found = {path.name for path in self.marks.iterdir()}
        for path in self.marks.iterdir():
            path.unlink()
        return found


@pytest.fixture
def traps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Traps:
    """The user's own configuration is hostile as well: nothing of it may count."""
    made = Traps(tmp_path)
    monkeypatch.setenv("HOME", str(made.home))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", made.program("external-diff"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.fsmonitor")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", made.program("fsmonitor"))
    monkeypatch.setenv("LESSOPEN", f"|{made.program('lessopen')} %s")
    return made


def fill(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).write_bytes(text.encode())


def plain(root: Path, *arguments: str, external: bool = False) -> str:
    """Git as anybody runs it, with the name and the first branch that it needs."""
    environment = {
        **os.environ,
        **{f"GIT_{who}_{what}": "x@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }
    if not external:
        del environment["GIT_EXTERNAL_DIFF"]
    argv = ["git", "-c", "init.defaultBranch=main", *arguments]
    done = subprocess.run(argv, cwd=root, env=environment, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = tmp_path / "workspace"
    root.mkdir()
    fill(root, BASE)
    return root


def test_the_controls_plain_git_runs_and_hides_all_of_it(traps: Traps, workspace: Path) -> None:
    plain(workspace, "init", "-q")
    plain(workspace, "add", "--", ".gitattributes", "notes.txt", "app.py", "large.bin")
    assert {"evil-clean", "lfs-clean", "fsmonitor"} <= traps.sprung()
    plain(workspace, "commit", "-qm", "base")
    assert "hook-pre-commit" in traps.sprung()
    fill(workspace, CHANGED)
    plain(workspace, "status")
    assert "fsmonitor" in traps.sprung()
    shown = plain(workspace, "diff")
    assert "textconv" in traps.sprung()
    assert "evil" not in shown
    assert "second" not in shown
    plain(workspace, "diff", external=True)
    assert "external-diff" in traps.sprung()
    plain(workspace, "checkout", "-q", "--", "notes.txt")
    assert "evil-smudge" in traps.sprung()


def to_patch(base_tree: str, trees: GitTrees, root: Path) -> Patch:
    """As a step's workspace is read back."""
    entries = trees.entries(base_tree)
    found = []
    before_all = {path: Entry(one.mode, one.blob, one.size) for path, one in entries.items() if one.mode != "160000"}
    for one in changes(before_all, root):
        old = entries.get(one.path)
        content = None if one.content is None else base64.b64encode(one.content).decode()
        mode = one.mode or (old.mode if old is not None else "100644")
        before, before_mode = (None, None) if old is None else (old.blob, old.mode)
        found.append(Change(path=one.path, mode=mode, content=content, before=before, before_mode=before_mode))
    return Patch(base_tree=base_tree, changes=tuple(found))


def test_conductors_reading_runs_nothing_and_hides_nothing(traps: Traps, workspace: Path, tmp_path: Path) -> None:
    trees = GitTrees(tmp_path / "trees.git")
    base = trees.apply(to_patch(EMPTY_TREE, trees, workspace))
    fill(workspace, CHANGED)
    (workspace / "out").symlink_to("/etc/passwd")
    (workspace / "submodule.gitmodules").write_text("[submodule]\n\tupdate = !evil\n")
    after = trees.apply(to_patch(base, trees, workspace))
    for name, text in CHANGED.items():
        assert trees.read(after, name) == text.encode()
    assert trees.read(after, "out") == b"/etc/passwd"
    text = trees.diff_text(base, after)
    for name, changed in CHANGED.items():
        assert f"-{BASE[name].splitlines()[-1]}\n" in text
        assert f"+{changed.splitlines()[-1]}\n" in text
    files = {one.path: one for one in trees.diff(base, after)}
    assert set(files) == {*CHANGED, "out", "submodule.gitmodules"}
    assert all(one.hunks and not one.binary for one in files.values())
    again = tmp_path / "again"
    again.mkdir()
    trees.unpack(after, again)
    assert {path.name: path.read_bytes() for path in again.iterdir() if not path.is_symlink()} == {
        path.name: path.read_bytes() for path in workspace.iterdir() if not path.is_symlink()
    }
    assert str((again / "out").readlink()) == "/etc/passwd"
    assert traps.sprung() == set()


def test_a_workspace_with_a_repository_of_its_own_is_refused_unread(
    traps: Traps, workspace: Path, tmp_path: Path
) -> None:
    plain(workspace, "init", "-q")
    (workspace / ".git" / "config").write_text(traps.settings)
    traps.sprung()
    with pytest.raises(UnsafePath, match=r"'\.git' has a component that is like \.git"):
        changes({}, workspace)
    scratch = tmp_path / "scratch"
    sandbox = Sandbox(toolchain=Toolchain.build(scratch), scratch=scratch)
    with pytest.raises(SandboxError, match=r"holds a \.git directory"):
        sandbox.run("true", tree=workspace, writable=True)
    assert traps.sprung() == set()
    plain(workspace, "status")
    assert "fsmonitor" in traps.sprung()
