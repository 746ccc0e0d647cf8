"""Facts about one write, from the records alone: collected when a row is staged, and again when it is sent (DESIGN section 7)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from bot.domain.paths import matches_any
from bot.domain.snapshot import Snapshot
from bot.domain.subject import PlanSubject
from bot.domain.work import CodeSubject
from bot.policy.facts import WriteFacts, changes_workflows, is_in_repository, is_own_ref, sizes
from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.services.desk import Desk, asks_person, is_over, workflow_of
from bot.services.slots import valid_approval
from bot.wording import labels


def facts_at_staging(
    desk: Desk, tx: Transaction, run: r.Run | None, repository: r.Repository, row: r.OutboxRow
) -> WriteFacts:
    """Facts when a row is staged. Switches are left for the send: a row that waits out a stop is not denied for it."""
    return _facts(desk, tx, run, repository, row, role="control")


def facts_at_sending(
    desk: Desk,
    tx: Transaction,
    run: r.Run | None,
    repository: r.Repository,
    row: r.OutboxRow,
    *,
    mode: str,
    protected: tuple[str, ...],
) -> WriteFacts:
    """Fresh facts when a row is sent: switches as they stand, mode and protected paths also of the default branch now."""
    facts = _facts(desk, tx, run, repository, row, role="github", protected=protected)
    stricter = "dry-run" if "dry-run" in {mode, facts.mode} else facts.mode
    return replace(
        facts,
        mode=stricter,
        stopped_system=_stopped(tx, "system", ""),
        stopped_repository=_stopped(tx, "repository", str(repository.id)),
        stopped_run=False,
        paused=run is not None and run.paused and not is_over(run),
    )


def _stopped(tx: Transaction, scope: str, key: str) -> bool:
    switch = tx.journal.switch(scope, key)
    return switch is not None and switch.stopped


def _facts(
    desk: Desk,
    tx: Transaction,
    run: r.Run | None,
    repository: r.Repository,
    row: r.OutboxRow,
    *,
    role: str,
    protected: tuple[str, ...] = (),
) -> WriteFacts:
    payload: dict[str, Any] = json.loads(row.payload)
    size = sizes(payload)
    base = WriteFacts(
        role=role,
        stage="" if run is None else run.state,
        kind=row.kind,
        installation_id=row.installation_id,
        repository_id=row.repository_id,
        repository=repository.full_name,
        mode="active" if run is None else run.mode,
        stopped_system=False,
        stopped_repository=False,
        stopped_run=False,
        secret_found=_holds_secret(desk, row, payload),
        risk="normal" if run is None else run.risk,
        answers_stop=row.kind == "reaction.add" and row.dedupe_key.startswith("stop:"),
        own_repository=repository.id == row.repository_id
        and is_in_repository(row.target, repository.full_name)
        and (run is None or run.repository_id == row.repository_id),
        payload_bytes=len(row.payload),
        body_bytes=size["body_bytes"],
        summary_chars=size["summary_chars"],
        annotations=size["annotations"],
    )
    base = _place(run, row, payload, base)
    if run is not None and row.kind == "label.remove" and _is_set_anew(tx, run, _last_segment(row.target)):
        base = replace(base, own_label=False)
    if run is None or not run.snapshot_sha256:
        return base
    if row.kind in {"branch.create", "pull.create"}:
        return _planned(desk, run, row, payload, base)
    if row.kind in {"branch.update", "pull.ready", "review.request"}:
        return _code(desk, tx, run, row, payload, base, protected)
    return base


def _is_set_anew(tx: Transaction, run: r.Run, label: str) -> bool:
    """Whether another run of the issue lives by now and has the label: it is no longer this run's to take off."""
    others = [
        one for one in tx.runs.of_issue(run.repository_id, run.issue_number) if one.id != run.id and not is_over(one)
    ]
    starts = [one.known.get("start_label", labels.START) for one in others if one.known.get("by_label", True)]
    return label in {*starts, *(one.known.get("label", "") for one in others)}


def _planned(desk: Desk, run: r.Run, row: r.OutboxRow, payload: dict[str, Any], facts: WriteFacts) -> WriteFacts:
    """Before approval: the branch's one commit stands on base and holds base's very tree; the pull request goes to the default branch."""
    first = str(run.known.get("branch_snapshot", run.snapshot_sha256))
    snapshot = Snapshot.model_validate_json(desk.artifacts.get(run.installation_id, first))
    if row.kind == "pull.create":
        return replace(facts, default_base=payload.get("base") == snapshot.default_branch)
    same = payload.get("tree") == payload.get("base_tree") == snapshot.base_tree
    return replace(
        facts,
        tree_equals_base=same and payload.get("parent") == snapshot.base_commit and not payload.get("entries"),
        approved_paths_only=True,
    )


def _holds_secret(desk: Desk, row: r.OutboxRow, payload: dict[str, Any]) -> bool:
    """Texts were redacted when they were staged; a branch's message is all the text that its row holds."""
    text = str(payload.get("message", "")) if row.kind.startswith("branch.") else row.payload.decode()
    return bool(desk.redactor.find(text))


def _place(run: r.Run | None, row: r.OutboxRow, payload: dict[str, Any], facts: WriteFacts) -> WriteFacts:
    """Whether issue, pull request, comment, check, label and branch are the run's own."""
    label = str(payload.get("name") or (payload.get("labels") or [""])[0])
    if row.kind == "label.remove":
        label = _last_segment(row.target)
    order_kind, _, order_name = row.order_key.partition(":")
    if run is None:
        return replace(facts, own_issue=order_kind == "issue", own_label=label in labels.PHASES)
    pull = str(run.known.get("pull", "") or "")
    checks = {str(one) for one in run.known.get("checks", {}).values()}
    branch = order_name if order_kind == "branch" else ""
    start = str(run.known.get("start_label", labels.START))
    return replace(
        facts,
        branch=branch,
        own_issue=order_kind == "issue"
        and order_name in {str(run.issue_number), pull}
        and _names(row, "issues", order_name),
        own_comment=_last_segment(row.target) == str(run.known.get("status_comment", "")) != "",
        own_label=label in labels.PHASES or (row.kind == "label.remove" and label == start),
        start_label=label == start,
        own_pull=bool(pull) and _names_pull(row, pull, branch == run.branch),
        own_check=_last_segment(row.target) in checks,
        own_branch=branch == run.branch,
        own_ref=is_own_ref(branch),
    )


def _names_pull(row: r.OutboxRow, pull: str, on_own_branch: bool) -> bool:
    """Whether the target is below our pull request; a check names none and stands on our branch."""
    if "/pulls/" in row.target:
        return _names(row, "pulls", pull)
    return row.kind == "check_run.create" and on_own_branch


def _names(row: r.OutboxRow, kind: str, number: str) -> bool:
    """Whether the target is below that issue or pull request; comments and labels of a repository name none."""
    segments = row.target.split("/")
    position = segments.index(kind) + 1 if kind in segments else len(segments)
    return position >= len(segments) or segments[position] in {number, "comments"}


def _last_segment(target: str) -> str:
    return unquote(target.rpartition("/")[2])


def _code(
    desk: Desk,
    tx: Transaction,
    run: r.Run,
    row: r.OutboxRow,
    payload: dict[str, Any],
    facts: WriteFacts,
    protected: tuple[str, ...],
) -> WriteFacts:
    """What publishing code rests on: the plan's approval, its paths, protected paths, and the diff's approval where needed."""
    workflow = workflow_of(run)
    code_stage = workflow.stages[-1]
    plan_stage = workflow.plan_of(code_stage)
    approval = valid_approval(tx, run, plan_stage.name)
    plan_row = tx.journal.subject(run.id, plan_stage.name)
    code_row = tx.journal.subject(run.id, code_stage.name)
    if plan_row is None:
        return facts
    plan = PlanSubject.model_validate(desk.load(run, plan_row.sha256))
    snapshot = desk.snapshot(run)
    code = None if code_row is None else CodeSubject.model_validate(desk.load(run, code_row.sha256))
    changed = _changed(payload)
    patterns = (*snapshot.config.protected, *protected)
    named = plan.plan.paths
    unnamed = tuple(path for path in changed if matches_any(patterns, path) is not None and path not in named)
    needs = asks_person(desk, run, code_stage)
    covers = approval is not None and code is not None and code.plan_sha256 == plan_row.sha256
    right_tree = row.kind != "branch.update" or (code is not None and payload.get("tree") == code.tree)
    return replace(
        facts,
        approved=covers and right_tree,
        approved_paths_only=code is not None and _only_named(desk, run, snapshot, code, named),
        protected_changed=unnamed,
        workflows_changed=changes_workflows(changed),
        diff_approval_needed=needs,
        diff_approved=needs and valid_approval(tx, run, code_stage.name) is not None,
    )


def _changed(payload: dict[str, Any]) -> list[str]:
    return [str(one["path"]) for one in payload.get("entries", [])]


def _only_named(desk: Desk, run: r.Run, snapshot: Snapshot, code: CodeSubject, named: frozenset[str]) -> bool:
    """Whether every path of the tree to be published that differs from base is approved, whatever the branch's last commit held."""
    patch = json.loads(desk.artifacts.get(run.installation_id, code.patch_sha256))
    return patch["base_tree"] == code.base_tree == snapshot.base_tree and all(
        one["path"] in named for one in patch["changes"]
    )
