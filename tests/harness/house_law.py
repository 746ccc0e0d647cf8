"""What must hold in a house's records and on its GitHub after everything that anybody does; broken, it says where."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, Final

from bot.domain.audit_chain import verify_chain
from bot.domain.jobs import JobKind
from bot.domain.subject import sha256_of
from bot.domain.workflow import SOFTWARE
from bot.ports import records as r
from bot.simulator.matching import unmatched
from tests.harness.house import PEOPLE, House

LEDGER: Final = "Conductor: review ledger"
SENT: Final = frozenset({"allowed", "sending", "confirmed"})
WRITERS: Final = frozenset(login for login, level in PEOPLE.items() if level in {"write", "maintain", "admin"})


def check_all(house: House) -> None:
    """Every invariant that can be read from rows and from what GitHub shows, at any moment at which nobody works."""
    check_rows(house.rows())
    check_github(house)
    for run in house.runs():
        check_run(house, run)
    living = Counter(run.issue_number for run in house.runs() if run.state not in {"done", "cancelled"})
    assert all(count == 1 for count in living.values()), living
    assert verify_chain(house.audit()) == ""


def check_rows(rows: list[r.OutboxRow]) -> None:
    """I1: what went out, or may, was decided, and is the very bytes that were hashed."""
    assert max(Counter(row.dedupe_key for row in rows).values(), default=1) == 1
    for row in rows:
        if row.payload:
            assert row.payload_sha256 == sha256_of(row.payload), row
        if row.state in SENT:
            assert row.decision == "allow", row
            assert row.decision_sha256, row
            assert row.policy_ids, row


def check_github(house: House) -> None:
    """I1, I11: each change of GitHub is a row of the outbox, once; nothing was asked that GitHub's own description forbids."""
    assert unmatched(house.github.writes, house.rows(), house.github._within().git) == []
    assert house.github.violations == []
    marks = Counter(row.github_id for row in house.rows("comment.create") if row.state == "confirmed")
    assert max(marks.values(), default=1) == 1


def check_run(house: House, run: r.Run) -> None:
    """I2 to I4 of one run."""
    with house.parts.storage.read() as tx:
        steps, seen, granted = tx.runs.transitions(run.id), tx.runs.evidence(run.id), tx.runs.approvals(run.id)
        jobs, findings = tx.jobs.of_run(run.id), tx.ledger.findings(run.id)
    evidence = {(one.gate, one.attempt): one for one in seen}
    approvals = {one.id: one for one in granted}
    edges = {(edge.start, edge.end, edge.gate): edge for edge in SOFTWARE.edges}
    state, used = "queued", []
    for number, step in enumerate(steps, 1):
        assert (step.seq, step.from_state) == (number, state), house.story()
        edge, rests = edges[step.from_state, step.to_state, step.gate], evidence[step.gate, step.attempt]
        assert (rests.verdict, rests.subject_sha256) == ("open", step.subject_sha256), step
        _check_verifiers(rests)
        given = [one for one in (step.approval_id, step.co_approval_id) if one is not None]
        assert bool(given) is edge.approval, step
        for one in given:
            row = approvals[one]
            assert (row.stage, row.subject_sha256, row.used_at > 0) == (edge.subject, step.subject_sha256, True), row
        used += given
        state = step.to_state
    assert run.state == state
    assert len(used) == len(set(used)), "an approval opened two edges"
    assert {one.id for one in granted if one.used_at} == set(used), "an approval is used by the edge that it opens"
    assert {one.by_login for one in granted} <= WRITERS
    spent = [(step.gate, step.attempt) for step in steps]
    assert len(spent) == len(set(spent)), "evidence opened two edges"
    _check_code(house, run, granted, jobs)
    _check_ledger(house, run, findings)


def _check_verifiers(row: r.EvidenceRow) -> None:
    """I4: what a gate recorded as open has reasons, and each of them passed (a redraft and a rework rest on a closed one)."""
    if row.gate.endswith((".draft", ".review", ".unattended", ".approval")):
        assert row.body["open"] is True
        assert row.body["reasons"], row
        assert {one["verdict"] for one in row.body["reasons"]} == {"pass"}, row


def _check_code(house: House, run: r.Run, granted: list[r.ApprovalRow], jobs: list[r.Job]) -> None:
    """I3: no step was asked for, and no other tree than base's was put on the branch, but under a used approval."""
    plans = {one.subject_sha256 for one in granted if one.stage == "plan" and one.used_at}
    for job in jobs:
        if job.kind == JobKind.STEP:
            assert job.payload["plan"] in plans, job
    for row in house.rows("branch.update"):
        if row.run_id == run.id and row.state in SENT and row.payload:
            payload = json.loads(row.payload)
            trees = {job.payload["subject"] for job in jobs if job.kind == JobKind.REVIEW and job.stage == "code"}
            made = [_subject(house, run, name) for name in trees]
            assert any(one["tree"] == payload["tree"] and one["plan_sha256"] in plans for one in made), row
            assert {one["path"] for one in payload["entries"]} <= {"calc.py", "tests/test_add.py"}, row


def _subject(house: House, run: r.Run, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(house.parts.desk.artifacts.get(run.installation_id, name))
    return found


def _check_ledger(house: House, run: r.Run, findings: list[r.FindingRow]) -> None:
    """The check says success only with none open, and findings are what their last event made them."""
    head = run.known.get("code_head") or run.known.get("head")
    shown = [one for one in house.checks(LEDGER) if one["head_sha"] == head]
    still_open = [one.id for one in findings if one.status == "open"]
    newest = [row for row in house.rows() if row.run_id == run.id][-1:]
    at_rest = bool(newest) and all(
        row.state in {"confirmed", "dead", "denied"} for row in house.rows() if row.run_id == run.id
    )
    if shown and at_rest and not run.paused and shown[-1]["conclusion"] == "success":
        assert still_open == [], house.story()
    with house.parts.storage.read() as tx:
        last = {event.finding_id: event.to_status for event in tx.ledger.events(run.id)}
    assert {one.id: one.status for one in findings} == last


def check_end(house: House) -> None:
    """Once all runs are over, nothing dangles: no check of ours waits, every row and every delivery has come to its end."""
    for one in house.github.snapshot()["check_runs"]:
        if one["name"].startswith("Conductor"):
            assert one["status"] == "completed", one
    for row in house.rows():
        assert row.state in {"confirmed", "dead", "denied"}, f"{row.kind} {row.state} {row.reason}{house.story()}"
    for heard in house.deliveries():
        assert heard.state in {"done", "ignored", "dead"}, f"{heard.event} {heard.state} {heard.reason}"
    for run in house.runs():
        with house.parts.storage.read() as tx:
            left = [job for job in tx.jobs.of_run(run.id) if job.state in {"queued", "running", "waiting"}]
        assert left == [], left
