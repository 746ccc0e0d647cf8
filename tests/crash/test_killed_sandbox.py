"""A sandbox that somebody kills gives no result: the job is tried again, and no person is told that none can be made."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from bot.domain.errors import InternalError
from workers.sandbox.box import Sandbox
from workers.sandbox.toolchain import Toolchain


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    room = tmp_path_factory.mktemp("killed")
    return Sandbox(toolchain=Toolchain.build(room / "toolchain"), scratch=room / "scratch")


def _bubblewraps() -> list[int]:
    children = (
        child for task in Path("/proc/self/task").iterdir() for child in (task / "children").read_text().split()
    )
    return [int(child) for child in children if Path(f"/proc/{child}/comm").read_text().strip() == "bwrap"]


def test_a_sandbox_that_is_killed_in_mid_command_has_no_result(sandbox: Sandbox, tmp_path: Path) -> None:
    ended = threading.Event()

    def kill() -> None:
        # The command says that it runs by the file it makes.
        while not ended.wait(0.01):
            if (tmp_path / "runs").exists():
                for one in _bubblewraps():
                    os.kill(one, signal.SIGKILL)
                return

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with pytest.raises(InternalError, match="killed from outside"):
            sandbox.run("touch runs; sleep 30", tree=tmp_path, writable=True)
    finally:
        ended.set()
        killer.join()


@pytest.mark.parametrize("end", ["kill -9 $$", "exit 137", "exit 1"], ids=["itself", "its child", "its child's child"])
def test_a_sandbox_that_is_killed_while_it_begins_has_no_result(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    dying = tmp_path / "bwrap"
    dying.write_text(f"#!/bin/sh\n{end}\n")
    dying.chmod(0o700)
    monkeypatch.setattr("workers.sandbox.box.shutil.which", lambda _name: str(dying))
    tree = tmp_path / "tree"
    tree.mkdir()
    with pytest.raises(InternalError, match="killed from outside"):
        sandbox.run("true", tree=tree, writable=False)
