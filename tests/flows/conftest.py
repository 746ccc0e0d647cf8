"""Flows work in memory where the machine offers enough: a run makes thousands of small files, and disks are slow at that."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

MEMORY: Final = Path("/dev/shm")
ENOUGH_BYTES: Final = 2 << 30


@pytest.fixture(scope="session", autouse=True)
def _in_memory() -> Iterator[None]:
    before = tempfile.tempdir
    if os.access(MEMORY, os.W_OK | os.X_OK) and shutil.disk_usage(MEMORY).free > ENOUGH_BYTES:
        tempfile.tempdir = str(MEMORY)
    yield
    tempfile.tempdir = before
