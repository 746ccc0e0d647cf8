"""A repository that holds what repositories hold: ten thousand files, odd names and bytes, a submodule."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path
from typing import Final

from tests.harness.flow import HAPPY, flow
from tests.harness.scenarios import APPROVE, FILES, MODEL, calc

POINTED_AT: Final = "5f" * 20
ODD: Final[dict[bytes, bytes]] = {
    b"docs/with space.txt": b"spaced\n",
    b"docs/quo\"te's.txt": b"quoted\n",
    b"docs/new\nline.txt": b"two lines of a name\n",
    b"docs/caf\xe9.txt": "caf\u00e9\n".encode("latin-1"),
    b"docs/caf\xc3\xa9 \xe2\x80\xae.txt": "caf\u00e9\n".encode("utf-16"),
    b"docs/blob.bin": bytes(range(256)) * 40,
    b"docs/empty": b"",
    b"-rf": b"a name like an option\n",
}
MANY: Final = 10_000


def _strange(folder: Path) -> Path:
    """A git repository with the calculator, odd names and contents, a submodule, and ten thousand files more."""
    files = {os.fsencode(name): text.encode() for name, text in FILES.items()} | ODD
    files |= {f"many/{number % 100:02}/{number}.txt".encode(): b"%d\n" % number for number in range(MANY)}
    files[b".gitmodules"] = b'[submodule "vendor/lib"]\n\tpath = vendor/lib\n\turl = https://example.org/lib.git\n'
    for name, data in files.items():
        path = folder / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    _git(folder, "init", "--quiet", "--initial-branch=main")
    _git(folder, "add", "--all")
    _git(folder, "update-index", "--add", "--cacheinfo", f"160000,{POINTED_AT},vendor/lib")
    _git(folder, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "--message=Base")
    return folder


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)


def test_a_repository_of_many_files_odd_names_and_bytes_and_a_submodule_goes_the_whole_way(tmp_path: Path) -> None:
    looks = [
        {"tool": "list_files", "input": {"path": "docs"}},
        {"tool": "read_file", "input": {"path": "docs/new\nline.txt"}},
        {"tool": "read_file", "input": {"path": "docs/quo\"te's.txt"}},
        {"tool": "read_file", "input": {"path": "docs/blob.bin"}},
        {"tool": "read_file", "input": {"path": "vendor/lib"}},
        {"tool": "run", "input": {"command": "ls docs"}},
    ]
    scenario = calc(APPROVE, model={"planner": [*looks, *MODEL["planner"]]})
    scenario["repo"] = {"name": "acme/calc", "path": str(_strange(tmp_path))}
    with flow(scenario) as seen:
        assert seen.path == HAPPY
        seen.published()
        (pull,) = seen.report["github"]["pulls"]
        assert "submodule" in pull["body"]
        branch, base = (seen.report["github"]["branches"][name] for name in (pull["head"], "main"))
        assert len(base) == MANY + len(ODD) + len(FILES) + 2
        # Nothing but the plan's files differs, byte for byte, whatever the others are called or hold.
        assert {path for path in base.keys() | branch.keys() if base.get(path) != branch.get(path)} == {
            "calc.py",
            "tests/test_add.py",
        }
        for name, data in ODD.items():
            assert branch[name.decode("utf-8", "backslashreplace")] == hashlib.sha256(data).hexdigest()
        assert branch["vendor/lib"] == hashlib.sha256(POINTED_AT.encode()).hexdigest()
        said = {str(one["input"]): one["output"] for one in seen.report["tool_calls"] if one["role"] == "planner"}
        assert "two lines of a name" in said[str(looks[1]["input"])]
        assert "quoted" in said[str(looks[2]["input"])]
        assert "binary" in said[str(looks[3]["input"])]
        assert "submodule" in said[str(looks[4]["input"])]
