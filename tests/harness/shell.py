"""Runs `conductor` in this process, as a shell would: arguments in, exit code and both streams out."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from unittest import mock

from bot.cli.main import main


@dataclass(frozen=True, slots=True)
class Answered:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


def conductor(*arguments: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None) -> Answered:
    """Runs a command with nothing of Conductor's in the environment but what is given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CONDUCTOR_", "ANTHROPIC_"))}
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True), io.StringIO()
    given = io.TextIOWrapper(io.BytesIO(stdin), "utf-8")
    code = 0
    with (
        mock.patch.dict(os.environ, kept | dict(environment or {}), clear=True),
        mock.patch.object(sys, "argv", ["conductor", *arguments]),
        mock.patch.object(sys, "stdin", given),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    raw = out.buffer
    assert isinstance(raw, io.BytesIO)
    return Answered(code, raw.getvalue().decode("utf-8", "backslashreplace"), err.getvalue())
