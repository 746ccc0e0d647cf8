"""Names of leases' holders: dead is only who surely is, also where numbers come back and where `/proc` hides others."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.adapters import lease_owner
from bot.adapters.lease_owner import is_dead, owner_name

SAY = "import bot.adapters.lease_owner as o; print(o.owner_name('agents'), flush=True); input()"


@pytest.fixture
def other() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that says what it is called and waits."""
    with subprocess.Popen(
        [sys.executable, "-c", SAY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
        process.kill()


def with_part(owner: str, index: int, value: str) -> str:
    parts = owner.split(":")
    parts[index] = value
    return ":".join(parts)


def test_who_lives_is_not_dead(other: tuple[subprocess.Popen[str], str]) -> None:
    assert not is_dead(owner_name("control"))
    assert not is_dead(other[1])
    assert f":agents:{other[0].pid}:" in other[1]


def test_who_was_killed_is_dead_before_and_after_its_burial(other: tuple[subprocess.Popen[str], str]) -> None:
    process, owner = other
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert is_dead(owner)
    process.wait()
    assert is_dead(owner)


def test_a_number_that_came_back_is_another_process() -> None:
    mine = owner_name("control")
    assert is_dead(with_part(mine, 5, "1"))


@pytest.mark.parametrize("index", [0, 1, 2])
def test_of_other_machines_boots_and_containers_nothing_is_known(index: int) -> None:
    gone = with_part(owner_name("control"), 5, "1")
    assert is_dead(gone)
    assert not is_dead(with_part(gone, index, "other"))


@pytest.mark.parametrize("owner", ["", "host", "a:b:c:d:e:f:", "host:boot:control:17:"])
def test_names_of_another_form_are_nobody_we_know(owner: str) -> None:
    assert not is_dead(owner)


def test_where_proc_hides_others_only_the_kernel_says_who_is_gone(
    other: tuple[subprocess.Popen[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, owner = other
    for name in ("sys/kernel/random/boot_id", "self/ns/pid"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).symlink_to(Path("/proc") / name)
    monkeypatch.setattr(lease_owner, "_PROC", tmp_path)
    assert not is_dead(owner)
    process.kill()
    process.wait()
    assert is_dead(owner)
