"""Conductor's web process as production runs it: settings from the environment, all parts, the real server."""

from __future__ import annotations

import os

from bot import telemetry
from bot.bootstrap import build
from bot.settings import Process, from_environment
from bot.web.app import make_app, serve


def main() -> None:
    parts = build(from_environment(Process.WEB))
    telemetry.configure(parts.desk.redactor)
    serve(make_app(parts), "127.0.0.1", int(os.environ["BENCH_PORT"]))


if __name__ == "__main__":
    main()
