"""What there is in a house: records and the simulated GitHub, read for assertions."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from bot.adapters.tables import deliveries
from bot.bootstrap import Parts
from bot.ports import records as r
from bot.simulator.github.server import SimulatedGitHub


class HouseView:
    """Reads; nothing here changes anything."""

    github: SimulatedGitHub
    parts: Parts

    @property
    def run(self) -> r.Run:
        """The newest run."""
        return self.runs()[-1]

    def runs(self) -> list[r.Run]:
        """All runs, oldest first."""
        with self.parts.storage.read() as tx:
            return sorted(tx.runs.recent(), key=lambda run: (run.created_at, run.issue_number))

    @property
    def state(self) -> str:
        """The newest run's state."""
        return self.run.state

    def path(self, run: r.Run | None = None) -> list[str]:
        """The states a run went through, with the gates between them: ``["start plan.draft", ...]``."""
        with self.parts.storage.read() as tx:
            return [f"{one.gate} {one.to_state}" for one in tx.runs.transitions((run or self.run).id)]

    def rows(self, kind: str = "") -> list[r.OutboxRow]:
        """Outbox rows of all runs and of none, in order."""
        with self.parts.storage.read() as tx:
            found = [row for row in tx.outbox.recent(limit=10_000) if kind in {"", row.kind}]
        return sorted(found, key=lambda row: row.id)

    def jobs(self, kind: str = "") -> list[r.Job]:
        """The newest run's jobs."""
        with self.parts.storage.read() as tx:
            return [job for job in tx.jobs.of_run(self.run.id) if kind in {"", job.kind}]

    def deliveries(self) -> list[r.Delivery]:
        """Every stored delivery."""
        with self.parts.storage.read() as tx:
            found = (tx.deliveries.get(str(one)) for one in tx.runs._link.column(sa.select(deliveries.c.id)))
            return [one for one in found if one is not None]

    def approvals(self) -> list[r.ApprovalRow]:
        """Granted approvals of the newest run."""
        with self.parts.storage.read() as tx:
            return tx.runs.approvals(self.run.id)

    def findings(self) -> dict[str, r.FindingRow]:
        """The newest run's ledger."""
        with self.parts.storage.read() as tx:
            return {row.id: row for row in tx.ledger.findings(self.run.id)}

    def audit(self, kind: str = "") -> list[r.AuditRow]:
        """Links of the chain."""
        with self.parts.storage.read() as tx:
            return [row for row in tx.journal.audit_rows(limit=100_000) if kind in {"", row.kind}]

    def comments(self, contains: str = "", by: str = "conductor[bot]") -> list[str]:
        """Bodies of comments by somebody, oldest first within each issue."""
        shown = self.github.snapshot()["comments"]
        return [one["body"] for one in shown if one["author"] == by and contains in one["body"]]

    @property
    def labels(self) -> list[str]:
        """Labels of the first issue."""
        found: list[str] = self.github.snapshot()["labels"]
        return found

    @property
    def pull(self) -> dict[str, Any]:
        """The newest pull request."""
        found: dict[str, Any] = self.github.snapshot()["pulls"][-1]
        return found

    def checks(self, name: str) -> list[dict[str, Any]]:
        """Check runs of a name, oldest first."""
        return [one for one in self.github.snapshot()["check_runs"] if one["name"] == name]

    def branch(self, name: str = "") -> dict[str, str]:
        """Path to hash of the run's branch."""
        found: dict[str, str] = self.github.snapshot()["branches"][name or self.run.branch]
        return found

    def reactions(self) -> list[str]:
        """Contents of confirmed reactions, in order."""
        return [json.loads(row.payload)["content"] for row in self.rows("reaction.add") if row.state == "confirmed"]

    def effects(self) -> dict[str, Any]:
        """What stands on GitHub in the end, without the names that chance gave; equal for runs that differ in trouble alone."""
        shown, known, run = self.github.snapshot(), self.run.known.get("heads", []), self.run.id
        return {
            "comments": [
                (one["where"], one["author"], one["body"].replace(run, "RUN").splitlines()[0])
                for one in shown["comments"]
            ],
            "labels": shown["labels"],
            "pulls": [(one["head"], one["draft"], one["state"], one["title"]) for one in shown["pulls"]],
            "checks": sorted(
                (one["name"], known.index(one["head_sha"]), str(one["conclusion"])) for one in shown["check_runs"]
            ),
            "branches": shown["branches"],
            "commits": len(known),
            "reactions": self.reactions(),
        }

    def story(self) -> str:
        """What happened, for a failing test."""
        rows = [f"{row.id} {row.kind} {row.state} {row.dedupe_key} {row.reason}" for row in self.rows()]
        made = [f"{job.key} {job.state} {job.reason}" for job in (self.jobs() if self.runs() else [])]
        heard = [f"{one.event} {one.state} {one.reason}" for one in self.deliveries()]
        ways = [line for run in self.runs() for line in (f"{run.id} {run.state} {run.halt_reason}", *self.path(run))]
        return "\n".join(["", *ways, *rows, *made, *heard, *self.github.violations, *self.github.refused])
