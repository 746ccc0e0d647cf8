"""Stop switches from the shell: asked before each model call, tool call and write; unreadable means stopped (I10)."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.errors import ConductorError, Stopped, UserError
from bot.ports import records as r
from bot.ports.queue import Nudge
from bot.services.desk import Desk, end, is_over


@dataclass(frozen=True, slots=True)
class Stopping:
    """Sets and reads switches."""

    desk: Desk

    def set(self, scope: str, key: str, *, stopped: bool, by: str, reason: str) -> None:
        """Commit a switch. After this returns nothing enters ``sending`` or ``running`` in its scope."""
        now = self.desk.clock.now()
        with self.desk.storage.begin() as tx:
            tx.journal.set_switch(r.Switch(scope, key, stopped, by, reason, now))
            tx.journal.audit(
                at=now,
                kind="stop" if stopped else "resume",
                subject=f"{scope}:{key}",
                body={"by": by, "reason": reason},
            )
            if not stopped:
                tx.nudge(Nudge.SWEEP, "")

    def check(self, *, repository_id: int | None, run_id: str | None) -> None:
        """Raise ``Stopped`` when a switch stands, or none can be read."""
        try:
            with self.desk.storage.read() as tx:
                why = tx.journal.stopped(repository_id=repository_id, run_id=run_id)
        except ConductorError as error:
            raise Stopped(f"the stop switches cannot be read, so nothing goes on: {error}") from error
        if why:
            raise Stopped(why)

    def cancel(self, run_id: str, by: str) -> None:
        """End a run from the shell. Raises ``UserError`` when there is none, or it is over."""
        with self.desk.storage.begin() as tx:
            run = tx.runs.lock(run_id)
            if run is None:
                raise UserError(f"there is no run {run_id}; `conductor runs` lists them")
            if is_over(run):
                raise UserError(f"run {run_id} is {run.state} already")
            tx.runs.save(end(self.desk, tx, run, f"{by} cancelled it from the shell", facts={"kind": "shell"}))
