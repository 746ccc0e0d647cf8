"""The Celery application of every worker: `celery --app workers.app` finds it, `conductor worker` runs it."""

from __future__ import annotations

from bot.bootstrap import Parts
from workers.tasks import register

_PARTS: dict[str, Parts] = {}


def serve(parts: Parts) -> None:
    """Bind the tasks to this process's parts."""
    _PARTS["parts"] = parts
    register(parts.celery, parts)
