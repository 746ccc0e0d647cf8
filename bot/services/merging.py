"""Merges the patches of steps that ran side by side, in a repository of our own, never in a workspace."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.outcome import Done, Outcome
from bot.domain.snapshot import Snapshot
from bot.domain.subject import canonical
from bot.domain.work import Patch
from bot.ports import records as r
from bot.services.desk import Desk


@dataclass(frozen=True, slots=True)
class Merging:
    """Handler of `JobKind.MERGE`; runs in the control process."""

    desk: Desk

    def merge(self, job: r.Job) -> Outcome:
        """From the wave's start tree and its steps' patches to one patch against base. Conflicting paths are named, and the gate judges."""
        desk = self.desk
        installation = job.installation_id
        snapshot = Snapshot.model_validate_json(desk.artifacts.get(installation, str(job.payload["snapshot"])))
        desk.trees.load(desk.artifacts.path(installation, snapshot.bundle_sha256), snapshot.base_tree)
        start = str(job.payload["start"])
        start_tree = snapshot.base_tree if not start else desk.trees.apply(self._patch(installation, start))
        patches = [self._patch(installation, str(name)) for name in job.payload["patches"]]
        merged = desk.trees.merge(start_tree, patches)
        patch = desk.trees.patch(snapshot.base_tree, merged.tree)
        data = canonical(patch.model_dump(mode="json"))
        name = desk.artifacts.put(installation, data)
        row = r.ArtifactRow(installation, name, "patch", len(data), desk.clock.now(), job.run_id, job.stage)
        with desk.storage.begin() as tx:
            tx.journal.add_artifact(row)
        return Done({"patch": name, "tree": merged.tree, "conflicts": list(merged.conflicts)})

    def _patch(self, installation: int, sha256: str) -> Patch:
        return Patch.model_validate_json(self.desk.artifacts.get(installation, sha256))
