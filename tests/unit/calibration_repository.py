"""A small repository with a history, as somebody would calibrate on."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

STORE: Final = """\
import os


async def load(items, limit):
    if limit > 0 and len(items) > limit:
        raise ValueError("too many items")
    return await items.fetch(limit)


def save(user, path, items):
    if not user.is_admin:
        raise PermissionError(path)
    try:
        items.write(path)
    except OSError as error:
        items.undo()
        raise RuntimeError(path) from error
    os.chmod(path, 0o600)
    return len(items)
"""
TESTS: Final = """\
from store import save


def test_save():
    assert save(admin(), "path", items()) == 2


def test_save_of_nothing():
    assert save(admin(), "path", []) == 0
"""
SCRIPT: Final = """\
export function page(items, start, size) {
  if (size < 1 || start < 0) {
    return [];
  }
  return items.slice(start, start + size);
}
"""
COMMITS: Final[tuple[tuple[str, dict[str, str]], ...]] = (
    ("Begin", {"README.md": "store\n", "store.py": "import os\n"}),
    ("Load and save items\n\nOnly an admin may save.", {"store.py": STORE, "tests/test_store.py": TESTS}),
    ("Show items by page", {"page.js": SCRIPT}),
    ("Say what it is", {"README.md": "A store of items.\n"}),
    (
        "Test one more",
        {"tests/test_store.py": TESTS + "\n\ndef test_more():\n    assert save(admin(), 'p', items()) == 2\n"},
    ),
)


def git(folder: Path, *arguments: str) -> str:
    """One git command with nothing of this machine's configuration."""
    surroundings = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in _PERSON.items()},
    }
    done = subprocess.run(["git", *arguments], check=True, capture_output=True, cwd=folder, env=surroundings)
    return done.stdout.decode().strip()


_PERSON: Final = {"NAME": "ana", "EMAIL": "ana@example.org", "DATE": "1700000000 +0000"}


def made(folder: Path, commits: tuple[tuple[str, dict[str, str]], ...] = COMMITS) -> Path:
    """The repository, with a commit for each entry."""
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    for message, files in commits:
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "-m", message)
    return folder


def fingerprint(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below, with its time of change and bytes."""
    return {
        str(one.relative_to(folder)): (one.stat().st_mtime_ns, one.read_bytes())
        for one in sorted(folder.rglob("*"))
        if one.is_file()
    }
