"""The only way into a process whose GitHub and model are on loopback: the simulator starts it as a child (DESIGN section 11).

`python -m bot.cli.simulated PROCESS SETTINGS.json`; the `conductor` command never leads here.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from bot.cli.serving import run
from bot.settings import Process, Settings, checked


def main(arguments: list[str]) -> None:
    """Start one process with the settings of a file that only its owner can read."""
    process, file, port = Process(arguments[0]), Path(arguments[1]), int(arguments[2])
    if file.stat().st_mode & 0o077:
        raise SystemExit(f"{file} holds secrets and can be read by others: chmod 600 it")
    given = json.loads(file.read_text("utf-8"))
    run(checked(Settings(**given, process=process, simulation=True)), port=port)


if __name__ == "__main__":
    main(sys.argv[1:])
