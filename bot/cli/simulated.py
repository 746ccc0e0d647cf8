"""The only way into a process whose GitHub and model are on loopback: the simulator starts it as a child (DESIGN section 11).

`python -m bot.cli.simulated PROCESS SETTINGS.json PORT`; the `conductor` command never leads here.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from bot.cli.serving import one_heap, run
from bot.domain.errors import ConductorError, SettingsError
from bot.settings import Process, Settings, checked

HOST: Final = "127.0.0.1"


def main(arguments: list[str]) -> None:
    """Start one process with the settings of a file that only its owner can read."""
    try:
        process, file, port = Process(arguments[0]), Path(arguments[1]), int(arguments[2])
    except (ValueError, IndexError):
        raise SystemExit("usage: python -m bot.cli.simulated PROCESS SETTINGS.json PORT") from None
    try:
        settings = read(process, file)
        # Before there is a second thread, whose heap would be there to stay.
        one_heap()
        _end_with_parent()
        run(settings, host=HOST, port=port)
    except ConductorError as error:
        raise SystemExit(error.sentence) from error


def read(process: Process, file: Path) -> Settings:
    """The settings, ``simulation`` among them. Raises ``SettingsError``: readable by others, or an address elsewhere."""
    handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as opened:
        about = os.fstat(opened.fileno())
        if about.st_mode & 0o077 or about.st_uid != os.geteuid():
            raise SettingsError(f"{file} holds secrets and can be read by others: chmod 600 it")
        given = json.loads(opened.read())
    settings = checked(Settings(**{**given, "process": process, "simulation": True}))
    for url in (settings.github_url, settings.model_url):
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname != HOST:
            raise SettingsError(f"{url!r} is neither https nor on {HOST}: a simulation speaks to no other host")
    return settings


def _end_with_parent() -> None:
    """Standard input is a pipe that the simulator holds: at its end nobody is there any more, however it went."""

    def wait() -> None:
        while os.read(0, 4096):
            continue
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent-watch", daemon=True).start()


if __name__ == "__main__":
    main(sys.argv[1:])
