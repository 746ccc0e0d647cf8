"""Tasks of three lines: each takes one id, hands it to a use case, and returns nothing. The row it names is the truth."""

from __future__ import annotations

from typing import Any

from celery import Celery

from bot.bootstrap import Parts
from bot.ports.queue import Nudge
from bot.settings import Process

TASKS: dict[Process, frozenset[Nudge]] = {
    Process.UP: frozenset(Nudge),
    Process.CONTROL: frozenset({Nudge.ROUTE, Nudge.ADVANCE, Nudge.SWEEP, Nudge.RECOVER, Nudge.PERFORM}),
    Process.AGENTS: frozenset({Nudge.PERFORM}),
    Process.GITHUB: frozenset({Nudge.PERFORM, Nudge.DISPATCH}),
}
"""What each process is asked to do; a message for anything else is refused as unknown, on whatever queue it comes."""


def register(app: Celery, parts: Parts) -> None:
    """Register the tasks of this process, and no other: not those that Celery brings either, such as `celery.map`."""
    app.finalize(auto=True)
    for name in [one for one in app.tasks if one.startswith("celery.")]:
        app.tasks.unregister(name)
    ours = TASKS[parts.settings.process]

    def task(what: Nudge) -> Any:
        return app.task(name=f"conductor.{what.value}", ignore_result=True) if what in ours else lambda call: call

    @task(Nudge.ROUTE)  # type: ignore[untyped-decorator]
    def route(delivery_id: str) -> None:
        parts.intake.route(delivery_id)

    @task(Nudge.ADVANCE)  # type: ignore[untyped-decorator]
    def advance(run_id: str) -> None:
        parts.progress.advance(run_id)

    @task(Nudge.SWEEP)  # type: ignore[untyped-decorator]
    def sweep(_: str) -> None:
        parts.sweeper.sweep()

    @task(Nudge.RECOVER)  # type: ignore[untyped-decorator]
    def recover(_: str) -> None:
        parts.sweeper.recover()

    @task(Nudge.PERFORM)  # type: ignore[untyped-decorator]
    def perform(job_id: str) -> None:
        parts.performer.perform(job_id)

    dispatch = parts.dispatch
    if dispatch is not None:

        @task(Nudge.DISPATCH)  # type: ignore[untyped-decorator]
        def send(installation_id: str) -> None:
            dispatch.dispatch(int(installation_id))
