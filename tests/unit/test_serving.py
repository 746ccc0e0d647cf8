"""What a process does with itself before it serves."""

from __future__ import annotations

import gc
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
