"""Attacks on git's internals, hooks and agents' files in a writable workspace; the control is the same command in a plain shell.

`pytest` counts these cases with those of `test_sandbox_escapes` and prints their number (`tests/conftest.py`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from workers.sandbox.box import Limits, Ran, Sandbox
from workers.sandbox.masks import Protection
from workers.sandbox.toolchain import Toolchain

MINUTE = Limits(wall_s=60)
FILES = {
    "calc.py": "one\n",
    "AGENTS.md": "be kind\n",
    ".github/workflows/ci.yml": "on: push\n",
    ".github/dependabot.yml": "version: 2\n",
    ".gitattributes": "*.bin binary\n",
    ".claude/settings.json": "{}\n",
    "sub/CLAUDE.md": "be kind\n",
    "sub/code.py": "two\n",
    "packages/a/.vscode/settings.json": "{}\n",
    "packages/a/code.py": "three\n",
}
# Each is tried by itself in the control, and all together inside, where none changes anything.
ATTACKS = {
    "git-hook": "mkdir -p .git/hooks && echo x > .git/hooks/pre-commit",
    "git-config": "mkdir -p .git && echo '[core]' > .git/config",
    "git-init": "git init -q .",
    "git-replaced": "rm -rf .git; mkdir -p .git/hooks",
    "git-link": "rmdir .git; ln -sT /tmp .git",
    "git-moved-in": "mkdir made-git && touch made-git/x && mv -T made-git .git",
    "git-chmod": "mkdir -p .git; chmod 777 .git && touch .git/x",
    "git-below": "git init -q inner",
    "git-other-case": "mkdir -p .GIT/hooks",
    "git-short-name": "mkdir -p GIT~1/hooks",
    "git-trailing-dot": "mkdir -p '.git./hooks'",
    "git-ignorable": "mkdir -p \"$(printf '.g\\342\\200\\214it')/hooks\"",
    "new-claude-file": "echo x > CLAUDE.md",
    "new-gemini-file": "echo x > GEMINI.md",
    "new-other-case": "echo x > claude.md",
    "new-trailing-space": "echo x > 'CLAUDE.md '",
    "new-cursor-rules": "echo x > .cursorrules",
    "new-cursor-folder": "mkdir -p .cursor/rules && echo x > .cursor/rules/x.mdc",
    "new-mcp-file": "echo '{}' > .mcp.json",
    "new-editor-settings": "mkdir -p .vscode && echo '{}' > .vscode/settings.json",
    "new-submodules": "echo '[submodule]' > .gitmodules",
    "new-codeowners": "echo '* @evil' > CODEOWNERS",
    "new-hooks-folder": "mkdir -p .husky && echo x > .husky/pre-commit",
    "new-hook-configuration": "echo 'repos: []' > .pre-commit-config.yaml",
    "new-environment": "echo 'export X=1' > .envrc",
    "new-aider-file": "echo x > .aider.conf.yml",
    "new-folder-and-file": "mkdir -p fresh/deep && echo x > fresh/deep/AGENTS.md",
    "new-folder-and-folder": "mkdir -p fresh/deep2/.claude/commands && echo x > fresh/deep2/.claude/commands/x.md",
    "new-link": "ln -s calc.py fresh-link && ln -s /etc/passwd docs-link && mkdir -p docs && ln -s ../calc.py docs/AGENTS.md",
    "new-by-rename": "mkdir -p moved && touch moved/x.md && mv moved/x.md moved/GEMINI.md",
    "new-file-in-held-folder": "echo '{}' > .claude/settings.local.json",
    "new-workflow": "echo 'on: push' > .github/workflows/evil.yml",
    "changed": "echo evil > AGENTS.md",
    "appended": "echo evil >> .gitattributes",
    "edited-in-place": "sed -i s/kind/evil/ AGENTS.md",
    "truncated": "truncate -s 0 .claude/settings.json",
    "removed": "rm -f AGENTS.md",
    "removed-folder": "rm -rf .github",
    "moved-away": "mv AGENTS.md old.md",
    "moved-folder-away": "mv .claude old-claude && mkdir .claude",
    "replaced-by-rename": "echo evil > evil.md && mv -f evil.md AGENTS.md",
    "replaced-by-link": "ln -sf calc.py AGENTS.md",
    "hard-link": "ln AGENTS.md hard && echo evil >> hard",
    "exchanged-by-python": "python3 -c \"import os; os.replace('calc.py', 'AGENTS.md')\"",
    "mode": "chmod 777 AGENTS.md && chmod 755 AGENTS.md",
    "time": "touch -d @1 AGENTS.md",
    "below-changed": "echo evil > sub/CLAUDE.md",
    "below-removed": "rm -f sub/CLAUDE.md",
    "parent-moved": "mv sub other && mkdir sub && echo evil > sub/CLAUDE.md",
    "grandparent-moved": "mv packages others && mkdir -p packages/a/.vscode && echo evil > packages/a/.vscode/settings.json",
    "parent-removed": "rm -rf packages/a",
    "deep-folder-changed": "echo evil > packages/a/.vscode/tasks.json",
    "unmounted": "umount AGENTS.md .git .github 2>/dev/null; echo evil > AGENTS.md",
    "unmounted-lazily": "umount -l .claude 2>/dev/null; echo evil > .claude/settings.json",
    "through-proc-root": "echo evil > /proc/self/root$PWD/AGENTS.md",
    "through-descriptor": "exec 5<AGENTS.md && echo evil > /proc/self/fd/5",
}  # fmt: skip


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    scratch = tmp_path_factory.mktemp("scratch")
    return Sandbox(toolchain=Toolchain.build(scratch.parent / "toolchains"), scratch=scratch)


def fresh(place: Path) -> Path:
    for name, text in FILES.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    return place


def held(tree: Path, allowed: frozenset[str] = frozenset()) -> dict[str, str]:
    """Every path that is not the model's to choose, with what it is; folders too, since git is not asked here."""
    found = {}
    for path in sorted(tree.rglob("*")):
        name = str(path.relative_to(tree))
        if Protection().holds(name) or any(Protection().holds(str(one)) for one in Path(name).parents):
            status = path.lstat()
            text = str(path.readlink()) if path.is_symlink() else path.read_text() if path.is_file() else "folder"
            found[name] = f"{status.st_mode:o} {int(status.st_mtime) if path.is_file() else 0} {text}"
    return {name: text for name, text in found.items() if name not in allowed}


@dataclass(frozen=True)
class Attacked:
    before: dict[str, str]
    after: dict[str, str]
    ran: Ran
    names: list[str]


@pytest.fixture(scope="module")
def attacked(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Attacked:
    tree = fresh(tmp_path_factory.mktemp("tree"))
    before = held(tree)
    script = "\n".join(f"( {attack} ) </dev/null >/dev/null 2>&1" for attack in ATTACKS.values())
    ran = sandbox.run(f"{script}\ntouch after", tree=tree, writable=True, limits=MINUTE)
    return Attacked(before, held(tree), ran, sorted(path.name for path in tree.iterdir()))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fresh(tmp_path_factory.mktemp("plain") / "tree")


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_held_is_made_or_changed(attacked: Attacked, plain: Path, tmp_path: Path, name: str) -> None:
    copy = Path(shutil.copytree(plain, tmp_path / "tree"))
    before = held(copy)
    done = subprocess.run(["bash", "-c", ATTACKS[name]], cwd=copy, capture_output=True, timeout=60, check=False)
    assert held(copy) != before, f"the control changed nothing: {done.stderr!r}"
    differing = {
        path for path in attacked.before | attacked.after if attacked.before.get(path) != attacked.after.get(path)
    }
    assert differing == set()


def test_the_rest_of_the_workspace_is_written_and_nothing_is_left(attacked: Attacked) -> None:
    assert attacked.ran.exit_code == 0
    left = {"after", "calc.py", "docs", "docs-link", "evil.md", "fresh", "fresh-link", "inner", "made-git", "moved"}
    assert set(attacked.names) == left | {name.split("/")[0] for name in FILES}
    assert attacked.ran.note.startswith("taken away: ")


def test_what_the_step_may_change_is_changed(sandbox: Sandbox, tmp_path: Path) -> None:
    tree = fresh(tmp_path)
    own = frozenset({"AGENTS.md", ".github/dependabot.yml", "CLAUDE.md", ".cursor/rules/style.mdc", "sub/CLAUDE.md"})
    before = held(tree, own)
    command = (
        "echo new > AGENTS.md; echo new > .github/dependabot.yml; echo new > CLAUDE.md; echo new > sub/CLAUDE.md;"
        "mkdir -p .cursor/rules && echo new > .cursor/rules/style.mdc;"
        "echo x > .github/workflows/ci.yml; echo x > .github/other.yml; echo x > .cursor/rules/other.mdc; echo x > GEMINI.md"
    )
    ran = sandbox.run(command, tree=tree, writable=True, limits=MINUTE, protection=Protection(own))
    assert {name: (tree / name).read_text() for name in own} == dict.fromkeys(own, "new\n")
    after = held(tree, own)
    # The folders of a path that the step creates are the step's, too.
    assert {name for name in after if name not in before} == {".cursor", ".cursor/rules"}
    assert {name: after[name] for name in before} == before
    assert "taken away: .cursor/rules/other.mdc, .github/other.yml, protected" in ran.note


def test_more_held_names_than_mounts_leave_a_workspace_that_works(sandbox: Sandbox, tmp_path: Path) -> None:
    for number in range(80):
        folder = tmp_path / f"p{number}"
        folder.mkdir()
        (folder / "CLAUDE.md").write_text("be kind\n")
    ran = sandbox.run("echo x > p0/CLAUDE.md; echo y > p1/new; echo z > p1/AGENTS.md", tree=tmp_path, writable=True)
    assert b"Read-only file system" in ran.output
    assert (tmp_path / "p0" / "CLAUDE.md").read_text() == "be kind\n"
    assert sorted(path.name for path in (tmp_path / "p1").iterdir()) == ["CLAUDE.md", "new"]


def test_a_link_of_that_name_is_kept_or_taken_away(sandbox: Sandbox, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("planted")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "CLAUDE.md").write_text("be kind\n")
    (tree / "AGENTS.md").symlink_to("CLAUDE.md")
    (tree / "GEMINI.md").symlink_to(secret)
    ran = sandbox.run("cat GEMINI.md; echo x > AGENTS.md; ln -sfn /etc GEMINI.md", tree=tree, writable=True)
    assert b"planted" not in ran.output
    assert (tree / "CLAUDE.md").read_text() == "be kind\n"
    assert str((tree / "AGENTS.md").readlink()) == "CLAUDE.md"
    assert not os.path.lexists(tree / "GEMINI.md")
    assert secret.read_text() == "planted"
