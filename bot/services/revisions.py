"""The revisions that evidence is looked up in: trees and documents by the hash that was reviewed (I6; DESIGN section 6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

from bot.domain.citation import Citation
from bot.domain.hidden_characters import veiled
from bot.domain.ledger import Ledger
from bot.domain.snapshot import Snapshot
from bot.domain.work import REGULAR_MODES, CodeSubject, Patch
from bot.domain.workflow import Drafting, Stage
from bot.gates.evidence import Proofs, contains, lines_in, lines_with
from bot.gates.renames import first_names, renames
from bot.ports import records as r
from bot.services.desk import Desk
from bot.wording.view import FindingView


@dataclass(frozen=True, slots=True)
class Revisions:
    """Looks into what was reviewed, then and now."""

    desk: Desk

    def commented(self, run: r.Run, subject: r.ArtifactRow | None, said: Mapping[str, Any]) -> tuple[Citation, ...]:
        """The line that a person's comment stands on, as it is in the published tree; nothing when it is not there."""
        path, line = str(said.get("path") or ""), said.get("line")
        if subject is None or not path or not isinstance(line, int):
            return ()
        code = CodeSubject.model_validate(self.desk.load(run, subject.sha256))
        self.load_trees(run, code)
        lines = self._lines_of(run, code.tree)(path) or []
        if not 1 <= line <= len(lines) or not lines[line - 1].strip():
            return ()
        return (Citation(path=path, start_line=line, end_line=line, quote=lines[line - 1][:8_000]),)

    def placed(
        self, run: r.Run, code: CodeSubject, findings: Sequence[FindingView]
    ) -> tuple[list[FindingView], dict[str, int]]:
        """Findings where their quotes stand in the published tree, and its cited files with their number of lines.

        A line that moved since its finding was raised is followed; a quote that is gone leaves the finding at its place.
        """
        self.load_trees(run, code)
        lines_of = self._lines_of(run, code.tree)
        placed: list[FindingView] = []
        paths: dict[str, int] = {}
        for one in findings:
            lines = lines_of(one.path) if one.path else None
            if lines is not None:
                paths[one.path] = len(lines)
                placed.append(_moved(one, lines))
        return placed, paths

    def proofs(self, run: r.Run, stage: Stage, subject: str, ledger: Ledger) -> Proofs:
        """Evidence is looked up in the very tree and document under review; older revisions by their own artifacts."""
        mine = {one.id: one for one in ledger.findings if one.stage == stage.name}
        redact = self._redact(run)
        # In the order in which they were reviewed, so that a file can be followed through its names.
        seen = dict.fromkeys(one.revision for one in ledger.events if one.finding in mine and one.revision)
        if stage.drafting is Drafting.DOCUMENT:
            lines = self._lines_of(run, self.desk.tree(run, self.desk.snapshot(run)))
            earlier = {one: self._plan_json(run, one) for one in seen if self._is_plan(run, one)}
            return Proofs(lines, self._plan_json(run, subject), redact, dict.fromkeys(earlier, lines), earlier)
        trees = {one: self._tree_of(run, one) for one in seen if not self._is_plan(run, one)}
        now = self._tree_of(run, subject)
        names: dict[str, str] = {}
        for before, after in pairwise((*trees.values(), now)):
            names = first_names(names, self._renames(run, before, after))
        earlier_lines = {one: self._lines_of(run, tree) for one, tree in trees.items()}
        return Proofs(self._lines_of(run, now), None, redact, earlier_lines, {}, names)

    def _is_plan(self, run: r.Run, subject: str) -> bool:
        """People may settle a plan's finding while code is under review, and the other way round."""
        return "plan" in self.desk.load(run, subject)

    def _tree_of(self, run: r.Run, subject: str) -> str:
        code = CodeSubject.model_validate(self.desk.load(run, subject))
        self.load_trees(run, code)
        return code.tree

    def _renames(self, run: r.Run, before: str, after: str) -> dict[str, str]:
        if before == after:
            return {}
        diff = self.desk.trees.diff(before, after)
        old, new = self._lines_of(run, before), self._lines_of(run, after)
        gone = {one.path: old(one.path) for one in diff if one.kind == "deleted" and not one.binary}
        added = {one.path: new(one.path) for one in diff if one.kind == "added" and not one.binary}
        if not gone or not added:
            return {}
        return renames(
            {path: lines for path, lines in gone.items() if lines is not None},
            {path: lines for path, lines in added.items() if lines is not None},
        )

    def _redact(self, run: r.Run) -> Callable[[str], str]:
        """As the run's models are shown it, with the placeholders of this run."""
        redactor = self.desk.redactor.of_run(run.id)
        return lambda text: veiled(redactor.redact(text).text)

    def _plan_json(self, run: r.Run, subject: str) -> Any:
        found: dict[str, Any] = self.desk.load(run, subject)
        return found["plan"]

    def _lines_of(self, run: r.Run, tree: str) -> Callable[[str], list[str] | None]:
        entries, redact = self.desk.trees.entries(tree), self._redact(run)

        @lru_cache(maxsize=256)
        def lines(path: str) -> list[str] | None:
            # A link's target is no text that anybody reviewed, and following it could lead anywhere.
            if path not in entries or entries[path].mode not in REGULAR_MODES:
                return None
            data = self.desk.trees.read(tree, path)
            if data is None or b"\0" in data:
                return None
            # Secrets span lines, so the file is redacted whole, as the model saw it.
            return lines_in(redact(data.decode("utf-8", "surrogateescape")))

        return lines

    def load_trees(self, run: r.Run, code: CodeSubject) -> None:
        """Base and head of a code subject into the tree store, which may have lost them; base may be an earlier snapshot's."""
        name = str(run.known.get("bases", {}).get(code.base_tree, run.snapshot_sha256))
        self.desk.tree(run, Snapshot.model_validate_json(self.desk.artifacts.get(run.installation_id, name)))
        patch = Patch.model_validate_json(self.desk.artifacts.get(run.installation_id, code.patch_sha256))
        self.desk.trees.apply(patch)


def _moved(one: FindingView, lines: Sequence[str]) -> FindingView:
    if not one.quote or contains("\n".join(lines[one.start_line - 1 : one.end_line]), one.quote):
        return one
    found = lines_with("\n".join(lines), one.quote)
    if not found:
        return one
    first = min(found)
    return replace(one, start_line=first, end_line=first + one.quote.rstrip("\n").count("\n"))
