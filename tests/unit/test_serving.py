"""What a process does with itself before it serves."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from bot.cli import serving
from bot.settings import Process, Settings


def test_what_is_loaded_is_no_longer_counted_among_what_may_become_garbage(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With it, all cycles would be collected only when there are a quarter as many objects again."""
    settings = Settings(
        process=Process.SHELL,
        data=tmp_path,
        artifacts=tmp_path,
        database_url="sqlite:///x",
        broker_url="memory://",
        app_id=1,
    )
    monkeypatch.setattr(serving, "build", lambda _settings: None)
    monkeypatch.setattr("bot.telemetry.configure", lambda _redactor: None)
    assert gc.get_freeze_count() == 0
    try:
        with pytest.raises(AssertionError, match="serves nothing"):
            serving.run(settings)
        assert gc.get_freeze_count() > 10 * len(gc.get_objects())
    finally:
        gc.unfreeze()


HEAPS = """
import ctypes, sys, threading
from bot.cli.serving import one_heap
if sys.argv[1] == "one":
    one_heap()
together = threading.Barrier(4)
def work():
    together.wait()
    kept = [bytes(2_000) for _ in range(1_000)]
    together.wait()
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
stream = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b"w"))
libc.malloc_info(0, stream)
libc.fclose(stream)
"""


def test_threads_share_one_heap(tmp_path: Path) -> None:
    heaps = {}
    for how in ("one", "many"):
        told = tmp_path / how
        subprocess.run([sys.executable, "-c", HEAPS, how, str(told)], check=True, timeout=60)
        heaps[how] = told.read_text("ascii").count("<heap nr=")
    assert heaps["one"] == 1
    assert heaps["many"] > 1
