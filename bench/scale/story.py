"""Runs told through the App's own storage, with the law in force: what `filling` then multiplies.

Its tables are those of the demo's run, thinned (`sizing` says what that one holds): whole, 100,000 would be 100 GB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from bot.domain.subject import sha256_of
from bot.domain.workflow import SOFTWARE
from bot.ports import records as r
from bot.ports.storage import Transaction

NOW: Final = 1_790_000_000_000
"""When the last of the runs is told to have happened."""
INSTALLATION: Final = 1
REPOSITORY: Final = 1
PLAN, CODE = "a1" * 32, "b2" * 32
NOTHING = "0" * 64
MODEL_CALLS, TOOL_CALLS, ARTIFACTS, DELIVERIES, WRITES = 6, 6, 8, 5, 8

WAY: Final = (
    ("plan.draft", "start", ""),
    ("plan.review", "plan.draft", PLAN),
    ("plan.approval", "plan.review", PLAN),
    ("code.draft", "plan.approval", PLAN),
    ("code.review", "code.draft", CODE),
    ("code.draft", "code.rework", CODE),
    ("code.review", "code.draft", CODE),
    ("publishing", "code.unattended", CODE),
    ("in_review", "published", CODE),
    ("done", "merged", ""),
)


@dataclass(frozen=True, slots=True)
class Story:
    """A kind of run: how many of its way's edges it took, its further end, its share of all runs in per cent, and what is due."""

    name: str
    edges: int
    share: int
    leaves: str = ""
    due: bool = False


STORIES: Final = (
    Story("tmpl-done", 10, 80),
    Story("tmpl-cancelled", 3, 8, leaves="cancelled"),
    Story("tmpl-review", 9, 4),
    Story("tmpl-waits", 3, 6),
    Story("tmpl-halted", 5, 2, leaves="needs_human"),
    Story("tmpl-due", 1, 0, due=True),
)
"""Most runs are over, some wait for people; those with work due have no share: their number is asked for."""


def tell(tx: Transaction) -> None:
    """Store one run of each kind, a row of each table, in an empty database."""
    tx.places.put_installation(r.Installation(INSTALLATION, "octo-1", suspended=False, created_at=NOW))
    tx.places.put_repository(r.Repository(REPOSITORY, INSTALLATION, "octo-1/calc-1", "main", private=False))
    tx.runs.add_edges(SOFTWARE)
    for number, story in enumerate(STORIES, 1):
        tx.runs.add(_run(story, number))
        _walk(tx, story)
        _rows(tx, story)


def _run(story: Story, number: int) -> r.Run:
    known = {
        "title": "Splitting a bill loses cents, and 12.5 % is read as 12",
        "pull": number,
        "status_comment": 900_000 + number,
        "head": "c3" * 20,
        "checks": {"Conductor: plan": 1, "Conductor: review ledger": 2},
        "start_label": "conductor",
        "by_label": True,
        "shown": ["d4" * 32] * 12,
        "author_id": "5",
    }
    return r.Run(
        id=story.name,
        installation_id=INSTALLATION,
        repository_id=REPOSITORY,
        issue_number=number,
        workflow=SOFTWARE.name,
        branch=f"conductor/{number}-splitting-a-bill",
        requester_id=5,
        requester_login="ana",
        delivery_id=f"{story.name}-d0",
        created_at=NOW,
        updated_at=NOW,
        budget_micro_dollars=10_000_000,
        rounds={"plan": 1, "code": 2},
        known=known,
        wakes_at=NOW if story.due else 0,
    )


def _walk(tx: Transaction, story: Story) -> None:
    """Over its edges, each with stored open evidence; subjects and the approval before the edges that ask for them."""
    approved = None
    way = [*WAY[: story.edges]]
    if story.leaves:
        way.append((story.leaves, "cancel" if story.leaves == "cancelled" else "halt", ""))
    for end, gate, subject in way:
        if gate in {"plan.draft", "code.draft"}:
            stage = gate.partition(".")[0]
            tx.journal.add_artifact(r.ArtifactRow(INSTALLATION, subject, "subject", 4_000, NOW, story.name, stage))
        if gate == "plan.approval":
            granted = r.ApprovalRow(
                0, story.name, "plan", PLAN, 5, "ana", "maintain", "comment", 1, NOW, {"read_back": True}
            )
            approved = tx.runs.add_approval(granted)
        _step(tx, story.name, end, gate, subject, approved if gate == "plan.approval" else None)
        if gate == "plan.approval" and approved is not None:
            tx.runs.use_approval(approved, NOW)


def _step(tx: Transaction, run_id: str, end: str, gate: str, subject: str, approval: int | None) -> None:
    run = tx.runs.get(run_id)
    assert run is not None
    attempt = tx.runs.next_attempt(run_id, gate)
    reasons = [{"verifier": f"{gate}.{n}", "open": True, "why": "every value was as it must be"} for n in range(3)]
    tx.runs.add_evidence(
        r.EvidenceRow(
            run_id, gate, attempt, subject or NOTHING, "open", ["cited", "covered"], {"reasons": reasons}, NOW
        )
    )
    tx.runs.move(
        r.Transition(
            run_id=run_id,
            seq=run.state_seq + 1,
            workflow=run.workflow,
            from_state=run.state,
            to_state=end,
            gate=gate,
            attempt=attempt,
            subject_sha256=subject or NOTHING,
            at=NOW,
            approval_id=approval,
        )
    )


def _rows(tx: Transaction, story: Story) -> None:
    run = story.name
    for number in range(DELIVERIES):
        # GitHub's own bodies are thirty times as long.
        event = ("check_run", "pull_request", "issues", "issue_comment")[number % 4]
        body = b'{"action":"created","filler":"' + b"x" * 400 + b'"}'
        state = "received" if story.due and number < 2 else "ignored"
        one = r.Delivery(f"{run}-d{number}", event, body, sha256_of(body), NOW, state=state, attempts=1)
        tx.deliveries.add(one)
    _jobs(tx, story)
    _calls(tx, run)
    _findings(tx, run)
    for number in range(ARTIFACTS):
        tx.journal.add_artifact(r.ArtifactRow(INSTALLATION, f"{number:064x}", "request", 9_000, NOW, run))
    for number in range(WRITES):
        _write(tx, story, number)


def _jobs(tx: Transaction, story: Story) -> None:
    kinds = ("permission", "snapshot", "draft", "review", "review", "approval", "step", "merge", "verify", "pull_state")
    for number, kind in enumerate(kinds):
        due = story.due and number == 2
        name = f"{story.name}-j{number}"
        ends: dict[str, Any] = (
            {} if due else {"state": "done", "attempts": 1, "done_at": NOW, "result": {"ok": "e" * 200}}
        )
        payload = {"artifact": "f" * 64, "paths": ["calc.py", "tests/test_calc.py"], "why": "y" * 160}
        queue = "agents.plan" if due else "github"
        tx.jobs.add(
            r.Job(
                name,
                f"{story.name}:{kind}:{number}",
                kind,
                queue,
                NOW,
                INSTALLATION,
                story.name,
                payload=payload,
                **ends,
            )
        )


def _calls(tx: Transaction, run: str) -> None:
    for number in range(MODEL_CALLS):
        call = r.ModelCall(0, run, f"{run}-j2", "planner", 1, "", number, "model", f"{number:064x}", 9_000, NOW)
        reserved = tx.journal.reserve(call, run_cap=10**9, day_cap=10**12, day_start=NOW)
        done = r.ModelCall(
            reserved, run, f"{run}-j2", "planner", 1, "", number, "model", f"{number:064x}", 9_000, NOW, "done",
            f"{number:064x}", "tool_use", 4_000, 300, 3_000, 0, 8_000,
        )  # fmt: skip
        tx.journal.settle_call(done)
    for number in range(TOOL_CALLS):
        output = "def split(total, people):\n    return total / people\n" * 5
        tx.journal.add_tool_call(
            r.ToolCall(
                run, f"{run}-j2", number, "planner", 1, "", "read_file", {"path": "calc.py"}, output, sha256_of(output.encode()),
                "allow", "tool", None, 260, 260, NOW,
            )
        )  # fmt: skip


def _findings(tx: Transaction, run: str) -> None:
    quote = [{"path": "calc.py", "start_line": 3, "end_line": 4, "quote": "return total / people"}]
    found = [
        r.FindingRow(
            run, f"F{n}", n, "code", 1, "fixed", "the quote is gone", "major", "correctness", "Cents are lost",
            "The rest of the division is dropped " * 4, quote, "Give the rest to the first", "9" * 64,
            ["code_reviewer.1"], "reviewer", CODE,
        )
        for n in (1, 2)
    ]  # fmt: skip
    events = [
        r.FindingEventRow(
            run, n, f"F{1 + n % 2}", NOW, "code_reviewer.1", 1, CODE, "open", "fixed", "it is gone", quote
        )
        for n in (1, 2, 3)
    ]
    tx.ledger.put(found, events)


def _write(tx: Transaction, story: Story, number: int) -> None:
    run = story.name
    payload = b'{"body":"' + b"z" * 200 + b'"}'
    key = ("issue:1", "branch:conductor/1")[number % 2]
    row = r.OutboxRow(
        0, INSTALLATION, REPOSITORY, run, 0, "comment.update", "/repos/octo-1/calc-1/issues/comments/1", f"{run}:{key}",
        payload, sha256_of(payload), f"{run}:write:{number}", "0" * 32, NOW,
    )  # fmt: skip
    stored = tx.outbox.add(row)
    assert stored is not None
    tx.outbox.decide(
        stored,
        decision="allow",
        decision_sha256="1" * 64,
        policy_ids=["write-as-decided"],
        policy_set_sha256="2" * 64,
        reason="",
    )
    if story.due and number >= WRITES - 2:
        return
    claimed = tx.outbox.claim(stored, owner="bench", now=NOW, lease_ms=60_000, answers_stop=False)
    assert claimed is not None
    url = "https://github.com/octo-1/calc-1/issues/1#issuecomment-1"
    tx.outbox.settle(
        stored, fence=claimed.fence, state="confirmed", now=NOW, response={"status": 200}, github_id="1", github_url=url
    )
