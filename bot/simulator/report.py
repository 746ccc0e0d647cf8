"""A scenario's report, in the form and order of DESIGN section 11, so that topologies can be compared."""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass, field
from typing import Any, Final

from bot.domain.audit_chain import verify_chain
from bot.ports import records as r
from bot.ports.artifacts import Artifacts
from bot.ports.storage import Transaction
from bot.simulator.github.git_objects import SUBMODULE, GitRepository
from bot.simulator.github.server import SimulatedGitHub
from bot.simulator.matching import unmatched
from bot.simulator.model import ScriptedModel
from bot.simulator.scenario import Scenario

OUTBOX_COLUMNS: Final = (
    "id", "run_id", "seq", "kind", "target", "payload", "payload_sha256", "dedupe_key", "decision", "decision_sha256", "policy_ids",
    "policy_set_sha256", "state", "attempts", "not_before", "lease", "fence", "response", "github_id", "github_url", "created_at", "confirmed_at",
)  # fmt: skip


@dataclass(slots=True)
class Outcome:
    """What the runner saw beside the records. ``problem``: why the scenario did not come to its end, or ""."""

    scenario: Scenario
    github: SimulatedGitHub
    model: ScriptedModel | None
    reached: bool = False
    problem: str = ""
    artifacts: Artifacts | None = None
    faults: list[dict[str, Any]] = field(default_factory=list)


def build_report(tx: Transaction | None, outcome: Outcome) -> dict[str, Any]:
    """The report; without a transaction (the App never started) its record parts are empty."""
    runs = tx.runs.recent(limit=50) if tx is not None else []
    run = runs[0] if runs else None
    rows = _rows(tx)
    shown = outcome.github.snapshot(outcome.scenario.repo_facts.name)
    calls = [call for one in reversed(runs) for call in tx.journal.model_calls(one.id)] if tx is not None else []
    violations = [*outcome.github.violations, *(outcome.model.violations if outcome.model is not None else ())]
    return {
        "state": "none" if run is None else run.state,
        "reached": outcome.reached,
        "problem": outcome.problem or (run.halt_reason if run is not None else ""),
        "transitions": _transitions(tx, run),
        "github": shown,
        "outbox": [_outbox_row(row) for row in rows],
        "ledger": _ledger(tx, run),
        "approvals": _approvals(tx, runs),
        "cost": _cost(calls),
        "tool_calls": _tool_calls(tx, runs),
        "model_requests": _requests(outcome, calls, runs),
        "violations": violations,
        "unmatched_writes": len(unmatched(outcome.github.writes, rows, outcome.github.world.only_repository().git)),
        "audit": {"verified": tx is not None and not _chain_problem(tx)},
        "faults": outcome.faults,
        "deliveries": _deliveries(tx),
    }


def refused(problem: str) -> dict[str, Any]:
    """The report of a scenario that cannot be played: every key, and what is wrong."""
    shown: dict[str, Any] = {"writes": [], "comments": [], "labels": [], "pulls": [], "check_runs": [], "branches": {}}
    return {
        "state": "none",
        "reached": False,
        "problem": problem,
        "transitions": [],
        "github": shown,
        "outbox": [],
        "ledger": [],
        "approvals": [],
        "cost": _cost([]),
        "tool_calls": [],
        "model_requests": [],
        "violations": [],
        "unmatched_writes": 0,
        "audit": {"verified": False},
        "faults": [],
        "deliveries": [],
    }


def pull_diff(github: SimulatedGitHub) -> str:
    """What the newest pull request changes, as a unified diff; files that are no text are named only."""
    within = github.world.only_repository()
    pulls = list(within.pulls())
    base, head = within.git.ref(f"refs/heads/{within.default_branch}"), pulls[-1][1].head_sha if pulls else None
    if base is None or head is None:
        return ""
    old, new = _tree(within.git, base), _tree(within.git, head)
    found: list[str] = []
    for path in sorted(old.keys() | new.keys()):
        before, after = old.get(path, b""), new.get(path, b"")
        if before == after:
            continue
        name = path.decode("utf-8", "backslashreplace")
        try:
            first, second = (_lines(data.decode("utf-8")) for data in (before, after))
        except UnicodeDecodeError:
            found.append(f"{name}: {hashlib.sha256(after).hexdigest()} (no text)\n")
            continue
        found += difflib.unified_diff(first, second, f"a/{name}", f"b/{name}")
    return "".join(found)


def _lines(text: str) -> list[str]:
    return [f"{line}\n" for line in text.removesuffix("\n").split("\n")] if text else []


def _tree(git: GitRepository, sha: str) -> dict[bytes, bytes]:
    files = git.files(git.commit(sha).tree)
    return {
        path: each.encode() if mode == SUBMODULE else git.read(each, "blob").data
        for path, (mode, each) in files.items()
    }


def _rows(tx: Transaction | None) -> list[r.OutboxRow]:
    if tx is None:
        return []
    return sorted(tx.outbox.recent(limit=100_000), key=lambda row: row.id)


def _transitions(tx: Transaction | None, run: r.Run | None) -> list[dict[str, Any]]:
    if tx is None or run is None:
        return []
    kinds = {(one.gate, one.attempt): one.kinds for one in tx.runs.evidence(run.id) if one.verdict == "open"}
    return [
        {"from": one.from_state, "to": one.to_state, "evidence": kinds.get((one.gate, one.attempt), [])}
        for one in tx.runs.transitions(run.id)
    ]


def _outbox_row(row: r.OutboxRow) -> dict[str, Any]:
    lease = {"owner": row.lease_owner, "until": row.lease_until} if row.lease_owner else None
    values = {name: getattr(row, name, None) for name in OUTBOX_COLUMNS}
    return values | {"payload": row.payload.decode("utf-8", "replace"), "lease": lease, "reason": row.reason}


def _ledger(tx: Transaction | None, run: r.Run | None) -> list[dict[str, Any]]:
    if tx is None or run is None:
        return []
    names = ("id", "status", "reason", "severity", "category", "title", "evidence", "round", "raised_by", "source")
    found = []
    for row in sorted(tx.ledger.findings(run.id), key=lambda one: one.seq):
        values = {name: getattr(row, name) for name in names}
        values["evidence"] = [{key: value for key, value in piece.items() if key != "key"} for piece in row.evidence]
        found.append(values)
    return found


def _approvals(tx: Transaction | None, runs: list[r.Run]) -> list[dict[str, Any]]:
    if tx is None:
        return []
    rows = [row for run in reversed(runs) for row in tx.runs.approvals(run.id)]
    return [
        {
            "by": row.by_login,
            "plan_sha256": row.subject_sha256,
            "permission": row.permission,
            "used": row.used_at > 0,
            "stage": row.stage,
        }
        for row in rows
    ]


def _cost(calls: list[r.ModelCall]) -> dict[str, Any]:
    by_role: dict[str, int] = {}
    for call in sorted(calls, key=lambda one: one.role):
        by_role[call.role] = by_role.get(call.role, 0) + call.cost_micro_dollars
    return {
        "micro_dollars": sum(call.cost_micro_dollars for call in calls),
        "calls": len(calls),
        "input_tokens": sum(call.input_tokens + call.cache_read_tokens + call.cache_write_tokens for call in calls),
        "output_tokens": sum(call.output_tokens for call in calls),
        "by_role": by_role,
    }


def _order(role: str, round_: int, step: str) -> tuple[int, int, int, str, str]:
    stage = 0 if role.startswith("plan") else 1
    kind = 0 if role in {"planner", "implementer"} else 1
    return stage, round_, kind, role, step


def _tool_calls(tx: Transaction | None, runs: list[r.Run]) -> list[dict[str, Any]]:
    if tx is None:
        return []
    calls = [call for run in reversed(runs) for call in tx.journal.tool_calls(run.id)]
    calls.sort(key=lambda call: (*_order(call.role, call.round, call.step), call.at, call.seq))
    names = (
        "role",
        "round",
        "step",
        "tool",
        "input",
        "output",
        "decision",
        "rule",
        "exit_code",
        "raw_tokens",
        "compressed_tokens",
    )
    return [{name: getattr(call, name) for name in names} for call in calls]


def _requests(outcome: Outcome, calls: list[r.ModelCall], runs: list[r.Run]) -> list[dict[str, Any]]:
    """As the scripted model saw them; of a live one, as they were stored before they were sent."""
    if outcome.model is not None:
        seen = sorted(outcome.model.requests, key=lambda one: (*_order(one.role, one.round, one.step), one.turn))
        return [one.report() for one in seen]
    installation = {run.id: run.installation_id for run in runs}
    found = []
    for call in sorted(calls, key=lambda one: (*_order(one.role, one.round, one.step), one.turn)):
        data = b""
        if outcome.artifacts is not None and outcome.artifacts.has(installation[call.run_id], call.request_sha256):
            data = outcome.artifacts.get(installation[call.run_id], call.request_sha256)
        found.append(
            {
                "role": call.role,
                "round": call.round,
                "step": call.step,
                "sha256": call.request_sha256,
                "text": data.decode("utf-8", "replace"),
            }
        )
    return found


def _chain_problem(tx: Transaction) -> str:
    rows: list[r.AuditRow] = []
    while True:
        page = tx.journal.audit_rows(after=rows[-1].seq if rows else 0)
        if not page:
            return verify_chain(rows)
        rows += page


def _deliveries(tx: Transaction | None) -> list[dict[str, Any]]:
    """How deliveries that did not simply end came out: dead ones with their reason."""
    if tx is None:
        return []
    return [
        {"id": one.id, "event": one.event, "state": one.state, "reason": one.reason}
        for one in tx.deliveries.recent(states=("dead", "received", "waiting"))
    ]
