"""What GitHub should show of a run, derived from its state: branch and pull request, and with the two modules beside it checks and issue.

``stage_wanted`` compares what is wanted with what was staged and stages the rest; a row is staged only when all its values
are known, so confirming one makes the next possible. The sender is `bot.services.dispatch`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from bot.domain.snapshot import Snapshot
from bot.domain.work import CodeSubject, Patch
from bot.domain.workflow import NEEDS_HUMAN, PUBLISHING, Drafting, Stage
from bot.domain.writes import (
    REQUIRED_KINDS,
    BranchCreate,
    BranchUpdate,
    PullCreate,
    PullReady,
    PullUpdate,
    ReviewRequest,
    Write,
)
from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.services.backups import token_of
from bot.services.desk import Desk, halt, is_over, workflow_of
from bot.services.documents import document
from bot.services.ledgers import Ledgers
from bot.services.outbox import Outboxes, payload_of
from bot.services.publishing_checks import PublishedChecks, later_notes, may_show_plan, review_notes
from bot.services.publishing_issue import PublishedIssue
from bot.services.revisions import Revisions
from bot.services.surfaces import Surfaces, confirmed, is_wanted_again, repository_name, surface
from bot.wording import titles
from bot.wording.bodies import plan_body, result_body


@dataclass(frozen=True, slots=True)
class Publishing:
    """Stages what is wanted and knows what is shown."""

    desk: Desk
    outboxes: Outboxes
    surfaces: Surfaces
    ledgers: Ledgers
    checks: PublishedChecks
    issue: PublishedIssue

    def learn(self, tx: Transaction, run: r.Run) -> r.Run:
        """Take in what confirmed rows tell: ids, heads. A required row that is dead or denied stops the run."""
        known = dict(run.known)
        status = confirmed(tx, run, f"{run.id}:status:1")
        if status is not None and status.github_id:
            known["status_comment"] = int(status.github_id)
        for row in tx.outbox.of_run(run.id):
            if row.state in {"dead", "denied"} and row.kind in REQUIRED_KINDS and not is_over(run):
                if row.id in known.get("mourned", []):
                    continue
                if self._plain_instead(tx, run, row):
                    _stand_in(known, row.dedupe_key, _plain_key(run))
                    continue
                known["mourned"] = [*known.get("mourned", []), row.id]
                if run.state == NEEDS_HUMAN:
                    # A person is asked already; a retry must not halt for what ended before it.
                    continue
                return halt(
                    self.desk,
                    tx,
                    replace(run, known=known),
                    f"GitHub did not take {row.kind} on {row.target}: {row.reason}",
                )
            if row.state == "confirmed":
                _learn_row(known, row)
        return replace(run, known=known)

    def _plain_instead(self, tx: Transaction, run: r.Run, row: r.OutboxRow) -> bool:
        """A repository without drafts gets a plain pull request with ``[plan]`` in its title."""
        if row.kind != "pull.create" or row.response.get("drafts") != "unsupported":
            return False
        payload = payload_of(row)
        repository = repository_name(tx, run)
        write = PullCreate(
            repository, payload["head"], payload["base"], f"[plan] {payload['title']}", payload["body"], draft=False
        )
        self.outboxes.stage(tx, run, write, _plain_key(run))
        return True

    def shown(self, tx: Transaction, run: r.Run, stage: Stage, subject: str) -> bool:
        """Whether every row that shows this subject is confirmed."""
        if run.mode == "dry-run":
            return True
        head = run.known.get("head", "")
        if not head or not run.known.get("pull"):
            return False
        mark = subject[:16]
        body = self.surfaces.holds(tx, run, "body", f"plan:{mark}") if stage.drafting is Drafting.DOCUMENT else True
        check = surface(run, f"check:plan:{head[:12]}")
        ledger = surface(run, f"check:ledger:{head[:12]}")
        rows = (confirmed(tx, run, check.key), confirmed(tx, run, ledger.key))
        return bool(body) and mark in check.content and all(row is not None for row in rows)

    def what_was_shown(self, tx: Transaction, run: r.Run, stage: Stage, subject: str) -> dict[str, Any]:
        """For the read-back: the very bytes that were shown, where, and when they were confirmed (whole seconds, as GitHub counts)."""
        mark = subject[:16]
        if stage.drafting is Drafting.DOCUMENT:
            row = self.surfaces.holds(tx, run, "body", f"plan:{mark}")
            found: dict[str, Any] = {"body": payload_of(row)["body"] if row is not None else ""}
        else:
            head = run.known.get("head", "")
            row = confirmed(tx, run, surface(run, f"check:plan:{head[:12]}").key)
            output = payload_of(row).get("output", {}) if row is not None else {}
            found = {
                "check_run": run.known.get("checks", {}).get(f"plan:{head[:12]}", 0),
                "summary": output.get("summary", ""),
                "text": output.get("text", ""),
            }
        at = 0 if row is None else row.confirmed_at or row.created_at
        # The approved plan is settled: only another plan can be mistaken for this one.
        plans = run.known.get("shown", []) if stage.drafting is Drafting.DOCUMENT else []
        others = [one["at"] // 1000 * 1000 for one in plans if one["subject"] != mark]
        return {
            **found,
            "shown_at": at // 1000 * 1000,
            "other_shown_at": max(others) if others else None,
            "revised_by": run.known.get("revised_by", ""),
        }

    def published(self, tx: Transaction, run: r.Run) -> list[str]:
        """Keys of the publication's rows when all are confirmed, else nothing."""
        if run.mode == "dry-run":
            return ["dry-run"]
        subject = tx.journal.subject(run.id, workflow_of(run).stages[-1].name)
        head = run.known.get("head", "")
        if subject is None or run.known.get("published") != subject.sha256 or not head:
            return []
        mark = subject.sha256[:16]
        keys = [
            _code_key(tx, run, mark),
            surface(run, f"check:plan:{head[:12]}").key,
            surface(run, f"check:ledger:{head[:12]}").key,
        ]
        keys.append(surface(run, "body").key)
        keys += [
            key
            for key in (f"{run.id}:ready", f"{run.id}:request:{run.known.get('approver', '')}")
            if tx.outbox.by_key(key) is not None
        ]
        keys += [
            row.dedupe_key
            for row in tx.outbox.of_run(run.id)
            if row.dedupe_key.startswith(f"{run.id}:annotations:{head[:12]}:")
        ]
        needed = surface(run, "body").content == f"result:{mark}" and (
            run.known.get("plain") or tx.outbox.by_key(f"{run.id}:ready") is not None
        )
        rows = [tx.outbox.by_key(key) for key in keys]
        done = all(
            row is not None
            and (row.state == "confirmed" or (row.state in {"dead", "denied"} and row.kind == "review.request"))
            for row in rows
        )
        return keys if needed and done else []

    def at_rest(self, tx: Transaction, run: r.Run) -> bool:
        """Whether every row of the run has ended (in a dry run none is ever sent)."""
        ends = {"confirmed", "dead", "denied"} | ({"allowed"} if run.mode == "dry-run" else set())
        return all(row.state in ends for row in tx.outbox.of_run(run.id))

    def stage_wanted(self, tx: Transaction, run: r.Run) -> r.Run:
        """Stage whatever is wanted and not staged yet."""
        run = self.issue.labels(tx, run)
        if run.snapshot_sha256:
            run = self._on_branch(tx, run)
        run = self.issue.mention(tx, run)
        return self.issue.status(tx, run)

    def _on_branch(self, tx: Transaction, run: r.Run) -> r.Run:
        judged = str(run.known.get("judged", {}).get("gate", ""))
        if not run.known.get("branch_wanted") and not judged.endswith(".review"):
            return run
        run = replace(run, known={**run.known, "branch_wanted": True})
        run = self.outboxes.again(tx, run, partial(is_wanted_again, run))
        run = self._branch(tx, run)
        run = self._code(tx, run)
        run = self._pull(tx, run)
        run = self.checks.keep(tx, run)
        return self._ready(tx, run)

    def _branch(self, tx: Transaction, run: r.Run) -> r.Run:
        """The run's own branch: one commit whose tree equals base's."""
        if tx.outbox.by_key(f"{run.id}:branch") is not None or is_over(run):
            return run
        snapshot, key = self.desk.snapshot(run), f"{run.id}:branch"
        token = token_of(run.delivery_id, key)
        write = BranchCreate(
            repository=snapshot.repository,
            branch=run.branch,
            parent=snapshot.base_commit,
            base_tree=snapshot.base_tree,
            tree=snapshot.base_tree,
            message=titles.plan_commit(run.issue_number, str(run.known.get("title", "")), token),
        )
        self.outboxes.stage(tx, run, write, key)
        return replace(run, known={**run.known, "branch_snapshot": run.snapshot_sha256})

    def _code(self, tx: Transaction, run: r.Run) -> r.Run:
        """In ``publishing`` the branch gets the reviewed tree as one more commit."""
        if run.state != PUBLISHING or not run.known.get("head"):
            return run
        subject = tx.journal.subject(run.id, workflow_of(run).stages[-1].name)
        assert subject is not None
        key = _code_key(tx, run, subject.sha256[:16])
        row = tx.outbox.by_key(key)
        if row is not None:
            if row.state != "confirmed":
                return self.outboxes.again(tx, run, lambda one: one.dedupe_key == key)
            return replace(run, known={**run.known, "published": subject.sha256})
        code = CodeSubject.model_validate(self.desk.load(run, subject.sha256))
        patch = self._patch_onto(run, code, str(run.known["head_tree"]))
        patch_sha256 = self.desk.keep(
            tx, run, "patch", patch.model_dump(mode="json"), stage=workflow_of(run).stages[-1].name
        )
        token = token_of(run.delivery_id, key)
        entries = tuple(self._entries(patch, code.tree))
        snapshot = self.desk.snapshot(run)
        write = BranchUpdate(
            repository=snapshot.repository,
            branch=run.branch,
            parent=str(run.known["head"]),
            base_tree=str(run.known["head_tree"]),
            tree=code.tree,
            message=titles.code_commit(
                run.issue_number,
                str(run.known.get("title", "")),
                token,
                str(run.known.get("approver", "")),
                str(run.known.get("approver_id", "")),
            ),
            patch_sha256=patch_sha256,
            entries=entries,
        )
        self.outboxes.stage(tx, run, write, key)
        return run

    def _patch_onto(self, run: r.Run, code: CodeSubject, parent_tree: str) -> Patch:
        """The commit's content: from what the branch holds, which may rest on an earlier snapshot, to the reviewed tree."""
        Revisions(self.desk).load_trees(run, code)
        if parent_tree != code.base_tree:
            first = Snapshot.model_validate_json(
                self.desk.artifacts.get(run.installation_id, str(run.known["branch_snapshot"]))
            )
            self.desk.tree(run, first)
            earlier = run.known.get("published")
            if earlier:
                Revisions(self.desk).load_trees(run, CodeSubject.model_validate(self.desk.load(run, str(earlier))))
        return self.desk.trees.patch(parent_tree, code.tree)

    def _entries(self, patch: Patch, tree: str) -> list[dict[str, Any]]:
        after = self.desk.trees.entries(tree)
        return [
            {
                "path": change.path,
                "mode": after[change.path].mode if change.path in after else change.mode,
                "blob": after[change.path].blob if change.path in after else None,
            }
            for change in patch.changes
        ]

    def _pull(self, tx: Transaction, run: r.Run) -> r.Run:
        plan = document(self.desk, tx, run)
        if plan is None or not run.known.get("head") or is_over(run):
            return run
        repository, mark = repository_name(tx, run), plan[0][:16]
        wanted = f"plan:{mark}"
        stage = workflow_of(run).stages[-1]
        subject = tx.journal.subject(run.id, stage.name)
        findings = self.ledgers.views(tx, run)
        snapshot = self.desk.snapshot(run)
        if subject is not None and self._shows_result(run, subject.sha256, plan[0]):
            wanted = f"result:{subject.sha256[:16]}"
        elif not may_show_plan(tx, run, plan[0]):
            return run
        if surface(run, "body").content == wanted:
            return run
        if wanted.startswith("result:"):
            text = result_body(
                plan[1],
                issue=run.issue_number,
                run_id=run.id,
                findings=findings,
                summaries=self.ledgers.summaries(tx, run),
                notes=(*snapshot.notes, *later_notes(run), *review_notes(run)),
                approver=str(run.known.get("approver", "")),
            )
        else:
            text = plan_body(
                plan[1],
                issue=run.issue_number,
                run_id=run.id,
                findings=findings,
                spent=run.spent_micro_dollars,
                notes=(*snapshot.notes, *later_notes(run), *review_notes(run)),
            )
        write: Write
        if run.known.get("pull"):
            title = (
                titles.pull(run.issue_number, str(run.known.get("title", "")))
                if run.known.get("plain") and wanted.startswith("result")
                else None
            )
            write = PullUpdate(repository, int(run.known["pull"]), run.branch, text, title)
        else:
            write = PullCreate(
                repository,
                run.branch,
                snapshot.default_branch,
                titles.pull(run.issue_number, str(run.known.get("title", ""))),
                text,
            )
        return self.surfaces.keep(tx, run, "body", wanted, write)

    def _shows_result(self, run: r.Run, subject: str, plan: str) -> bool:
        """Whether the branch holds this code, and it was made under this plan: after a revise the plan is what is shown."""
        if run.known.get("published") != subject:
            return False
        return CodeSubject.model_validate(self.desk.load(run, subject)).plan_sha256 == plan

    def _ready(self, tx: Transaction, run: r.Run) -> r.Run:
        """At the end of publishing the pull request becomes ready, and the approver is asked to review it."""
        if (
            run.state != PUBLISHING
            or not run.known.get("published")
            or run.known.get("head") != run.known.get("code_head")
        ):
            return run
        if not surface(run, "body").content.startswith("result:"):
            return run
        repository, pull = repository_name(tx, run), int(run.known["pull"])
        if not run.known.get("plain"):
            self.outboxes.stage(
                tx, run, PullReady(repository, pull, run.branch, str(run.known["pull_node"])), f"{run.id}:ready"
            )
            run = self.outboxes.again(tx, run, lambda row: row.kind == "pull.ready")
        approver = str(run.known.get("approver", ""))
        if approver:
            self.outboxes.stage(
                tx, run, ReviewRequest(repository, pull, run.branch, approver), f"{run.id}:request:{approver}"
            )
        return run


def _code_key(tx: Transaction, run: r.Run, mark: str) -> str:
    """The key of the row that publishes this code now: another one where the branch has gone on since the last."""
    key, count = f"{run.id}:code:{mark}", 1
    while (row := tx.outbox.by_key(key)) is not None and row.state == "confirmed" and row.id < run.known["head_row"]:
        count += 1
        key = f"{run.id}:code:{mark}:{count}"
    return key


def _plain_key(run: r.Run) -> str:
    return f"{run.id}:pull:plain"


def _stand_in(known: dict[str, Any], old: str, new: str) -> None:
    """The surface that was to be set by one row is set by another."""
    for name, kept in known.get("surfaces", {}).items():
        if kept["key"] == old:
            known["surfaces"] = {**known["surfaces"], name: {**kept, "key": new}}
            return


def _learn_row(known: dict[str, Any], row: r.OutboxRow) -> None:
    """What one confirmed row tells of GitHub's side."""
    match row.kind:
        case "comment.create" if ":status:" in row.dedupe_key:
            known["status_comment"] = int(row.github_id)
        case "branch.create" | "branch.update":
            sha = str(row.response["sha"])
            if row.id >= int(known.get("head_row", 0)):
                tree = str(payload_of(row)["tree"])
                known.update({"head": sha, "head_tree": tree, "head_row": row.id})
                if row.kind == "branch.update":
                    known["code_head"] = sha
            if sha not in known.get("heads", []):
                known["heads"] = [*known.get("heads", []), sha]
        case "pull.create":
            known["pull"] = int(row.github_id)
            known["pull_node"] = str(row.response.get("node_id", ""))
            known["plain"] = row.dedupe_key.endswith(":plain")
            _learn_shown(known, row)
        case "pull.update":
            _learn_shown(known, row)
        case "check_run.create":
            parts = row.dedupe_key.split(":")
            if len(parts) >= 5 and parts[1] == "check":
                known["checks"] = {**known.get("checks", {}), f"{parts[2]}:{parts[3]}": int(row.github_id)}
        case _:
            return


def _learn_shown(known: dict[str, Any], row: r.OutboxRow) -> None:
    """Remember when which plan stood in the body."""
    for name, kept in known.get("surfaces", {}).items():
        if name == "body" and kept["key"] == row.dedupe_key and kept["content"].startswith("plan:"):
            mark = kept["content"].removeprefix("plan:")
            shown = [one for one in known.get("shown", []) if one["subject"][:16] != mark]
            known["shown"] = [*shown, {"subject": mark, "at": row.confirmed_at}]
