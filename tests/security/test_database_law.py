"""A raw connection tries to get past I2, I3 and I14 on both databases; the database itself refuses."""

from __future__ import annotations

import sqlite3
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bot.adapters import tables
from bot.domain.errors import InternalError
from bot.ports import records as r
from tests.contract.databases import (
    KINDS,
    NOW,
    allow,
    approval,
    call,
    delivery,
    fresh_url,
    furnished,
    job,
    open_gate,
    plain,
    run,
    step,
    subject,
    to_plan_approval,
    write,
)

PLAN, OTHER_PLAN = "aa" * 32, "bb" * 32


class RawDatabase:
    """A connection that owes our code nothing; one statement, one transaction."""

    def __init__(self, kind: str, url: str) -> None:
        self.kind = kind
        self._url = url

    def run(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        if self.kind == "sqlite":
            with closing(sqlite3.connect(self._url.removeprefix("sqlite:///"))) as link, link:
                link.execute("PRAGMA foreign_keys = ON")
                return link.execute(statement, values).fetchall()
        with psycopg.connect(plain(self._url)) as server:
            done = server.execute(statement.replace("?", "%s").encode(), values)
            return done.fetchall() if done.description else []

    def refuses(self, statement: str, *values: Any, because: str) -> None:
        with pytest.raises((sqlite3.IntegrityError, psycopg.errors.IntegrityError), match=because):
            self.run(statement, *values)

    def insert(self, table: str, row: dict[str, Any], verb: str = "INSERT") -> tuple[str, list[Any]]:
        names, marks = ", ".join(row), ", ".join("?" for _ in row)
        return f"{verb} INTO {table} ({names}) VALUES ({marks})", list(row.values())

    def refuses_row(self, table: str, row: dict[str, Any], *, because: str, verb: str = "INSERT") -> None:
        statement, values = self.insert(table, row, verb)
        self.refuses(statement, *values, because=because)


@pytest.fixture(params=KINDS)
def raw(request: pytest.FixtureRequest, tmp_path: Path) -> RawDatabase:
    """A database with run R1, an approval asked for plan PLAN, and R2 in queued."""
    url = fresh_url(request.param, tmp_path)
    storage = furnished(url)
    with storage.begin() as tx:
        tx.runs.add(run(1))
        tx.runs.add(run(2))
        to_plan_approval(tx, PLAN)
        tx.journal.audit(at=NOW, kind="test", subject="R1", body={"n": 1})
        tx.journal.add_tool_call(
            r.ToolCall("R1", "J1", 1, "planner", 1, "", "run", {}, "out", "", "allow", "", 0, 1, 1, NOW)
        )
        finding = r.FindingRow(
            "R1", "F1", 1, "plan", 1, "open", "", "major", "plan", "t", "c", [], "", "f", ["plan_reviewer.1"], "m", PLAN
        )
        event = r.FindingEventRow("R1", 1, "F1", NOW, "plan_reviewer.1", 1, PLAN, "", "open", "", [])
        tx.ledger.put([finding], [event])
        row_id = tx.outbox.add(write("w1"))
        assert row_id is not None
        allow(tx, row_id)
    storage.close()
    return RawDatabase(request.param, url)


def transition(**more: Any) -> dict[str, Any]:
    row = {
        "run_id": "R1",
        "seq": 4,
        "workflow": "software",
        "from_state": "plan.approval",
        "to_state": "code.draft",
        "gate": "plan.approval",
        "attempt": 1,
        "subject_sha256": PLAN,
        "at": NOW,
        "verdict": "open",
        "approval_id": None,
        "co_approval_id": None,
    }
    return row | more


def grant(raw: RawDatabase, sha256: str = PLAN, **more: Any) -> int:
    """Open evidence for the approval's gate once, and an approval."""
    storage = furnished(raw._url)
    with storage.begin() as tx:
        row = approval(sha256, **more)
        approval_id = tx.runs.add_approval(row)
        if not tx.runs.evidence("R1", "plan.approval"):
            open_gate(tx, "R1", "plan.approval", PLAN)
    storage.close()
    return approval_id


def state_of(raw: RawDatabase, run_id: str = "R1") -> tuple[Any, ...]:
    return raw.run("SELECT state, state_seq FROM runs WHERE id = ?", run_id)[0]


def test_the_way_that_is_allowed_is_open(raw: RawDatabase) -> None:
    statement, values = raw.insert("transitions", transition(approval_id=grant(raw)))
    raw.run(statement, *values)
    assert state_of(raw) == ("code.draft", 4)


def test_no_transition_without_an_edge(raw: RawDatabase) -> None:
    granted = grant(raw)
    for more in ({"to_state": "publishing"}, {"gate": "start"}, {"to_state": "done", "gate": "merged"}):
        raw.refuses_row("transitions", transition(approval_id=granted, **more), because="no edge")
    raw.refuses_row("transitions", transition(approval_id=granted, workflow="mine"), because="its workflow")


def test_no_transition_without_open_evidence(raw: RawDatabase) -> None:
    granted = grant(raw)
    raw.refuses_row("transitions", transition(approval_id=granted, attempt=2), because="no open evidence")
    raw.refuses_row("transitions", transition(approval_id=granted, verdict="closed"), because="no open evidence")
    raw.run(
        "INSERT INTO evidence (run_id, gate, attempt, subject_sha256, verdict, kinds, body, created_at)"
        " VALUES ('R1', 'plan.approval', 2, ?, 'closed', '[]', '{}', 1)",
        PLAN,
    )
    raw.refuses_row("transitions", transition(approval_id=granted, attempt=2), because="no open evidence")
    raw.refuses_row(
        "transitions", transition(approval_id=granted, attempt=2, verdict="closed"), because="no open evidence"
    )


def test_evidence_of_another_run_opens_nothing(raw: RawDatabase) -> None:
    row = transition(run_id="R2", seq=1, from_state="queued", to_state="plan.draft", gate="start", subject_sha256="")
    raw.refuses_row("transitions", row, because="no open evidence")


def test_evidence_opens_one_edge_once(raw: RawDatabase) -> None:
    storage = furnished(raw._url)
    with storage.begin() as tx:
        tx.runs.move(step(tx, "R1", "plan.draft", "revise"))
        tx.runs.move(step(tx, "R1", "plan.draft", "plan.redraft"))
    storage.close()
    again = transition(seq=6, from_state="plan.draft", to_state="plan.draft", gate="plan.redraft", subject_sha256="")
    raw.refuses_row("transitions", again, because="opened its edge already")


def test_a_transition_starts_in_the_latest_state_with_the_next_number(raw: RawDatabase) -> None:
    granted = grant(raw)
    raw.refuses_row("transitions", transition(from_state="plan.review", approval_id=granted), because="latest state")
    for seq in (3, 5, 1, 0):
        raw.refuses_row("transitions", transition(seq=seq, approval_id=granted), because="next number")


def test_no_code_without_an_approval(raw: RawDatabase) -> None:
    grant(raw)
    raw.refuses_row("transitions", transition(), because="needs an approval")
    raw.refuses_row("transitions", transition(approval_id=999), because="needs an approval")


def test_somebody_elses_approval_opens_nothing(raw: RawDatabase) -> None:
    storage = furnished(raw._url)
    with storage.begin() as tx:
        to_plan_approval(tx, PLAN, "R2")
    storage.close()
    other = grant(raw, run_id="R2")
    raw.refuses_row("transitions", transition(approval_id=other), because="needs an approval")


def test_an_approval_of_another_plan_or_stage_opens_nothing(raw: RawDatabase) -> None:
    for more in ({"sha256": OTHER_PLAN}, {"stage": "code"}):
        raw.refuses_row("transitions", transition(approval_id=grant(raw, **more)), because="needs an approval")


def test_a_used_approval_opens_nothing_again(raw: RawDatabase) -> None:
    granted = grant(raw)
    statement, values = raw.insert("transitions", transition(approval_id=granted))
    raw.run(statement, *values)
    storage = furnished(raw._url)
    with storage.begin() as tx:
        tx.runs.move(step(tx, "R1", "needs_human", "halt"))
        tx.runs.move(step(tx, "R1", "plan.draft", "revise"))
        tx.runs.move(step(tx, "R1", "plan.review", "plan.draft", PLAN))
        tx.runs.move(step(tx, "R1", "plan.approval", "plan.review", PLAN))
        open_gate(tx, "R1", "plan.approval", PLAN)
    storage.close()
    again = transition(seq=9, attempt=2, approval_id=granted)
    raw.refuses_row("transitions", again, because="opens its edge once")
    fresh = grant(raw, by_id=6, by_login="bo", source_id=901)
    raw.refuses_row("transitions", again | {"approval_id": fresh, "co_approval_id": granted}, because="once")


def test_two_approvals_are_by_two_people(raw: RawDatabase) -> None:
    first = grant(raw)
    raw.refuses_row("transitions", transition(approval_id=first, co_approval_id=first), because="another person")
    raw.run("UPDATE approvals SET used_at = 1 WHERE id = ?", first)
    same_person = grant(raw, source_id=902)
    assert same_person != first
    raw.refuses_row("transitions", transition(approval_id=first, co_approval_id=same_person), because="another person")
    raw.refuses_row("transitions", transition(co_approval_id=first), because="needs an approval")
    other_plan = grant(raw, OTHER_PLAN, by_id=6)
    raw.refuses_row("transitions", transition(approval_id=first, co_approval_id=other_plan), because="another person")


def test_an_approval_is_spent_only_where_one_is_needed(raw: RawDatabase) -> None:
    granted = grant(raw)
    storage = furnished(raw._url)
    with storage.begin() as tx:
        open_gate(tx, "R1", "revise")
    storage.close()
    row = transition(to_state="plan.draft", gate="revise", subject_sha256="", approval_id=granted)
    raw.refuses_row("transitions", row, because="only an edge that needs")


def test_a_stale_subject_opens_nothing(raw: RawDatabase) -> None:
    granted = grant(raw)
    storage = furnished(raw._url)
    with storage.begin() as tx:
        assert subject(tx, OTHER_PLAN) == 2
    storage.close()
    raw.refuses_row("transitions", transition(approval_id=granted), because="latest subject")


def test_a_stage_without_any_subject_opens_nothing(raw: RawDatabase) -> None:
    storage = furnished(raw._url)
    with storage.begin() as tx:
        tx.runs.move(step(tx, "R2", "plan.draft", "start"))
        open_gate(tx, "R2", "plan.draft", PLAN)
    storage.close()
    row = transition(run_id="R2", seq=2, from_state="plan.draft", to_state="plan.review", gate="plan.draft")
    raw.refuses_row("transitions", row, because="latest subject")


@pytest.mark.parametrize(
    "table", ["transitions", "evidence", "finding_events", "audit", "edges", "tool_calls", "artifacts"]
)
def test_what_is_appended_stays(raw: RawDatabase, table: str) -> None:
    column = raw.run(f"SELECT * FROM {table}") and {
        "transitions": "at",
        "evidence": "created_at",
        "finding_events": "at",
        "audit": "at",
        "edges": "subject",
        "tool_calls": "at",
        "artifacts": "size",
    }.get(table)
    assert column, f"the test needs a row in {table}"
    raw.refuses(f"UPDATE {table} SET {column} = {column}", because="never change")
    raw.refuses(f"DELETE FROM {table}", because="never")


@pytest.mark.parametrize("table", ["runs", "approvals", "outbox", "transitions", "evidence", "audit"])
def test_records_are_never_deleted(raw: RawDatabase, table: str) -> None:
    grant(raw)
    raw.refuses(f"DELETE FROM {table}", because="never")
    if raw.kind == "postgres":
        raw.refuses(f"TRUNCATE {table} CASCADE", because="never")


def test_an_approval_is_used_once_and_never_changes(raw: RawDatabase) -> None:
    granted = grant(raw)
    for column, value in (("subject_sha256", OTHER_PLAN), ("run_id", "R2"), ("by_id", 6), ("evidence", "{}")):
        raw.refuses(f"UPDATE approvals SET {column} = ?, used_at = 1 WHERE id = ?", value, granted, because="once")
    raw.refuses("UPDATE approvals SET used_at = 0 WHERE id = ?", granted, because="once")
    raw.run("UPDATE approvals SET used_at = 7 WHERE id = ?", granted)
    for value in (0, 8):
        raw.refuses("UPDATE approvals SET used_at = ? WHERE id = ?", value, granted, because="once")


@pytest.mark.parametrize(
    "change",
    ["state = 'code.draft'", "state_seq = 9", "state_at = 1", "state = 'done', state_seq = 3", "workflow = 'mine'"],
)
def test_a_state_is_never_set_by_hand(raw: RawDatabase, change: str) -> None:
    for run_id in ("R1", "R2"):
        raw.refuses(f"UPDATE runs SET {change} WHERE id = ?", run_id, because="a run (enters|keeps)")
    assert (state_of(raw), state_of(raw, "R2")) == (("plan.approval", 3), ("queued", 0))


def test_a_run_begins_in_queued(raw: RawDatabase) -> None:
    names = "installation_id, repository_id, workflow, branch, requester_id, requester_login, delivery_id, created_at,"
    names += " updated_at, paused, mode, risk, snapshot_sha256, budget_micro_dollars, spent_micro_dollars,"
    names += " reserved_micro_dollars, halted_from, halt_reason, rounds, known, wakes_at, version"
    copy = f"INTO runs (id, issue_number, state, state_seq, state_at, {names}) SELECT ?, ?, ?, ?, 0, {names} FROM runs"
    for state, seq in (("code.draft", 0), ("queued", 3)):
        raw.refuses(f"INSERT {copy} WHERE id = 'R1'", "R3", 3, state, seq, because="begins in queued")
    raw.refuses(f"INSERT {copy} WHERE id = 'R1'", "R3", 1, "queued", 0, because="(?i)unique|has that row")
    raw.run(f"INSERT {copy} WHERE id = 'R1'", "R3", 3, "queued", 0)


def test_what_an_outbox_row_intends_never_changes(raw: RawDatabase) -> None:
    for column in ("target", "payload_sha256", "kind", "dedupe_key", "order_key", "token"):
        raw.refuses(f"UPDATE outbox SET {column} = 'x'", because="intends")
    raw.refuses("UPDATE outbox SET repository_id = 22", because="intends")
    for payload in (b"{}", b""):
        raw.refuses("UPDATE outbox SET payload = ?", payload, because="intends")
    raw.run("UPDATE outbox SET state = 'confirmed'")
    for payload in (b"{}", b""):
        raw.refuses("UPDATE outbox SET payload = ?", payload, because="intends")


def test_bodies_are_emptied_when_their_run_is_over_and_nothing_else_of_them_changes(raw: RawDatabase) -> None:
    raw.run("UPDATE outbox SET state = 'confirmed'")
    empty_call = "UPDATE tool_calls SET input = '{}', output = ''"
    raw.refuses(empty_call, because="never change")
    storage = furnished(raw._url)
    with storage.begin() as tx:
        tx.runs.move(step(tx, "R1", "cancelled", "cancel"))
    storage.close()
    for change in ("output = 'x'", "input = '[]'", "input = '{}', output = '', output_sha256 = 'x'"):
        raw.refuses(f"UPDATE tool_calls SET {change}", because="never change")
    raw.run(empty_call)
    for change in ("payload = '{}'", "payload = '', payload_sha256 = 'x'"):
        raw.refuses(f"UPDATE outbox SET {change}", because="intends")
    raw.run("UPDATE outbox SET payload = ?", b"")
    raw.refuses("UPDATE outbox SET payload = ?", b"{}", because="intends")


def test_a_delivery_stays_what_came_in(raw: RawDatabase) -> None:
    storage = furnished(raw._url)
    with storage.begin() as tx:
        tx.deliveries.add(delivery("d1"))
    storage.close()
    for change in ("id = 'd2'", "event = 'x'", "body_sha256 = 'x'", "received_at = 1"):
        raw.refuses(f"UPDATE deliveries SET {change}", because="stays what came in")
    for body in (b"{}", b""):
        raw.refuses("UPDATE deliveries SET body = ?", body, because="stays what came in")
    raw.run("UPDATE deliveries SET state = 'done'")
    raw.refuses("UPDATE deliveries SET body = ?", b"{}", because="stays what came in")
    raw.run("UPDATE deliveries SET body = ?", b"")


def test_sqlites_insert_or_replace_replaces_nothing(raw: RawDatabase) -> None:
    if raw.kind == "postgres":
        statement, values = raw.insert("switches", {"scope": "system", "key": "", "stopped": True})
        with pytest.raises(psycopg.errors.SyntaxError):
            raw.run(statement.replace("INSERT", "INSERT OR REPLACE"), *values)
        return
    granted = grant(raw)
    for table in ("runs", "transitions", "evidence", "approvals", "audit", "edges", "finding_events"):
        with pytest.raises(sqlite3.IntegrityError):
            raw.run(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")
    for table in ("tool_calls", "artifacts", "outbox"):
        before = raw.run(f"SELECT * FROM {table}")
        with nullcontext() if table == "tool_calls" else pytest.raises(sqlite3.IntegrityError):
            raw.run(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")
        assert raw.run(f"SELECT * FROM {table}") == before
    assert raw.run("SELECT used_at FROM approvals WHERE id = ?", granted) == [(0,)]
    assert state_of(raw) == ("plan.approval", 3)


def test_services_hear_the_law_in_one_sentence(raw: RawDatabase) -> None:
    storage = furnished(raw._url)
    with pytest.raises(InternalError, match=r"Run R1 cannot go plan.approval -> code.draft .*needs an approval"):  # noqa: SIM117
        with storage.begin() as tx:
            tx.runs.move(step(tx, "R1", "code.draft", "plan.approval", PLAN))
    with storage.read() as tx:
        assert len(tx.runs.transitions("R1")) == 3
        assert tx.runs.evidence("R1", "plan.approval") == []
    storage.close()


def to_needs_human_from_code(raw: RawDatabase) -> None:
    """R1's plan was approved, its code is under way, and the run was halted."""
    statement, values = raw.insert("transitions", transition(approval_id=grant(raw)))
    raw.run(statement, *values)
    storage = furnished(raw._url)
    with storage.begin() as tx:
        tx.runs.move(step(tx, "R1", "needs_human", "halt"))
    storage.close()


def retry(raw: RawDatabase, end: str, run_id: str = "R1", seq: int = 6) -> dict[str, Any]:
    """An attempt to come back, with open evidence of its own."""
    storage = furnished(raw._url)
    with storage.begin() as tx:
        attempt = open_gate(tx, run_id, "retry")
    storage.close()
    row = {"run_id": run_id, "seq": seq, "from_state": "needs_human", "to_state": end, "gate": "retry"}
    return transition(**row, attempt=attempt, subject_sha256="")


def test_code_that_was_approved_is_taken_up_again(raw: RawDatabase) -> None:
    to_needs_human_from_code(raw)
    statement, values = raw.insert("transitions", retry(raw, "code.draft"))
    raw.run(statement, *values)
    assert state_of(raw) == ("code.draft", 6)


@pytest.mark.parametrize("end", ["code.draft", "code.review"])
def test_no_retry_into_code_that_nobody_approved(raw: RawDatabase, end: str) -> None:
    storage = furnished(raw._url)
    with storage.begin() as tx:
        tx.runs.move(step(tx, "R1", "needs_human", "halt"))
        tx.runs.move(step(tx, "R2", "needs_human", "halt"))
    storage.close()
    grant(raw)
    raw.refuses_row("transitions", retry(raw, end, seq=5), because="behind an approval")
    raw.refuses_row("transitions", retry(raw, end, "R2", seq=2), because="behind an approval")
    raw.run("UPDATE approvals SET used_at = 7")
    raw.refuses_row("transitions", retry(raw, end, seq=5), because="behind an approval")
    statement, values = raw.insert("transitions", retry(raw, "plan.draft", seq=5))
    raw.run(statement, *values)


def test_no_retry_into_code_behind_the_approval_of_an_earlier_plan(raw: RawDatabase) -> None:
    to_needs_human_from_code(raw)
    storage = furnished(raw._url)
    with storage.begin() as tx:
        subject(tx, OTHER_PLAN)
    storage.close()
    raw.refuses_row("transitions", retry(raw, "code.draft"), because="behind an approval")


def test_feedback_drafts_code_only_behind_the_approval(raw: RawDatabase) -> None:
    to_needs_human_from_code(raw)
    code = "cc" * 32
    storage = furnished(raw._url)
    with storage.begin() as tx:
        tx.runs.move(step(tx, "R1", "code.draft", "retry"))
        subject(tx, code, stage="code")
        tx.runs.move(step(tx, "R1", "code.review", "code.draft", code))
        tx.runs.move(step(tx, "R1", "publishing", "code.unattended", code))
        tx.runs.move(step(tx, "R1", "in_review", "published", code))
        subject(tx, OTHER_PLAN)
        attempt = open_gate(tx, "R1", "feedback")
    storage.close()
    row = transition(seq=10, from_state="in_review", gate="feedback", attempt=attempt, subject_sha256="")
    raw.refuses_row("transitions", row, because="behind an approval")


def test_an_edge_of_no_workflow_or_of_another_one_leads_nowhere(raw: RawDatabase) -> None:
    granted = grant(raw)
    raw.run("INSERT INTO edges VALUES ('mine', 'plan.approval', 'publishing', 'plan.approval', ?, 'plan', '')", False)
    raw.refuses_row("transitions", transition(to_state="publishing", approval_id=granted), because="no edge")
    raw.refuses_row("transitions", transition(workflow="mine", to_state="publishing"), because="its workflow")


def stage(raw: RawDatabase, key: str) -> int:
    storage = furnished(raw._url)
    with storage.begin() as tx:
        row_id = tx.outbox.add(write(key))
    storage.close()
    assert row_id is not None
    return row_id


@pytest.mark.parametrize("state", ["allowed", "sending", "confirmed"])
def test_no_row_goes_out_without_a_decision_that_allows_it(raw: RawDatabase, state: str) -> None:
    row_id = stage(raw, "w2")
    for decision in ("", "deny", "denied", "Allow"):
        for name in ("", "cd" * 32):
            change = "UPDATE outbox SET state = ?, decision = ?, decision_sha256 = ? WHERE id = ?"
            if decision or name:
                raw.refuses(change, state, decision, name, row_id, because="one decision")
    raw.refuses("UPDATE outbox SET state = ?, decision = 'allow' WHERE id = ?", state, row_id, because="one decision")
    raw.refuses("UPDATE outbox SET state = ? WHERE id = ?", state, row_id, because="one decision")


def test_a_decision_is_made_once(raw: RawDatabase) -> None:
    row_id = stage(raw, "w2")
    raw.run("UPDATE outbox SET state = 'denied', decision = 'deny', decision_sha256 = 'aa' WHERE id = ?", row_id)
    for change in (
        "decision = 'allow'",
        "decision = ''",
        "decision_sha256 = 'bb'",
        "decision = 'allow', state = 'allowed'",
    ):
        raw.refuses(f"UPDATE outbox SET {change} WHERE id = ?", row_id, because="one decision")


def test_a_row_begins_as_staged_and_undecided(raw: RawDatabase) -> None:
    names = [row[0] for row in raw.run(_columns(raw.kind, "outbox"))]
    values = ", ".join({"id": "77", "seq": "9", "dedupe_key": "'w9'", "state": "?"}.get(name, name) for name in names)
    copy = f"INSERT INTO outbox ({', '.join(names)}) SELECT {values} FROM outbox WHERE dedupe_key = 'w1'"
    for state in ("sending", "confirmed", "allowed", "staged"):
        raw.refuses(copy, state, because="begins as staged")


def _columns(kind: str, table: str) -> str:
    if kind == "sqlite":
        return f"SELECT name FROM pragma_table_info('{table}')"
    return (
        f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}' AND table_schema = 'public'"
    )


@pytest.mark.parametrize(
    "table", ["findings", "model_calls", "deliveries", "jobs", "finding_events", "artifacts", "tool_calls"]
)
def test_what_was_said_paid_heard_or_done_is_never_deleted(raw: RawDatabase, table: str) -> None:
    storage = furnished(raw._url)
    with storage.begin() as tx:
        tx.deliveries.add(delivery("d9"))
        tx.jobs.add(job("J9"))
        tx.journal.reserve(call(), run_cap=10_000_000, day_cap=10_000_000, day_start=0)
    storage.close()
    assert raw.run(f"SELECT * FROM {table}"), f"the test needs a row in {table}"
    raw.refuses(f"DELETE FROM {table}", because="never")
    if raw.kind == "postgres":
        raw.refuses(f"TRUNCATE {table} CASCADE", because="never")


def test_without_foreign_keys_sqlite_refuses_all_the_same(raw: RawDatabase) -> None:
    """The pragma is the connection's own to switch off; the triggers are not."""
    if raw.kind != "sqlite":
        assert raw.run("SHOW session_replication_role") == [("origin",)]
        return
    granted = grant(raw)
    for row in (
        transition(),
        transition(approval_id=999),
        transition(approval_id=granted, attempt=7),
        transition(approval_id=granted, to_state="publishing"),
        transition(approval_id=granted, run_id="R9"),
    ):
        statement, values = raw.insert("transitions", row)
        with closing(sqlite3.connect(raw._url.removeprefix("sqlite:///"))) as link, link:
            link.execute("PRAGMA foreign_keys = OFF")
            with pytest.raises(sqlite3.IntegrityError):
                link.execute(statement, values)


def test_upserts_and_update_or_replace_change_nothing_that_stays(raw: RawDatabase) -> None:
    granted = grant(raw)
    upserts = {
        "transitions": ("run_id, seq", "to_state = 'done'"),
        "evidence": ("run_id, gate, attempt", "verdict = 'open'"),
        "edges": ("workflow, from_state, to_state, gate", "approval = EXCLUDED.approval, subject = ''"),
        "audit": ("seq", "kind = 'x'"),
        "finding_events": ("run_id, seq", "to_status = 'fixed'"),
        "approvals": ("id", "by_login = 'mallory'"),
        "runs": ("id", "state = 'done'"),
    }
    for table, (key, change) in upserts.items():
        before = raw.run(f"SELECT * FROM {table}")
        clash = f"INSERT INTO {table} SELECT * FROM {table} WHERE true ON CONFLICT ({key}) DO UPDATE SET {change}"
        raw.refuses(clash, because="never|begins|once|has that row|enters|next number|latest state|its edge already")
        assert raw.run(f"SELECT * FROM {table}") == before
    if raw.kind == "sqlite":
        raw.refuses("UPDATE OR REPLACE approvals SET by_id = 1 WHERE id = ?", granted, because="once")
        raw.refuses("UPDATE OR REPLACE runs SET id = 'R1' WHERE id = 'R2'", because="keeps")
        raw.refuses("UPDATE OR REPLACE outbox SET dedupe_key = 'w0'", because="intends")


def test_no_table_is_forgotten() -> None:
    """Whoever adds a table says here what the law over it is."""
    appended = {"transitions", "evidence", "finding_events", "audit", "edges", "tool_calls", "artifacts"}
    kept = {"approvals", "runs", "outbox", "findings", "model_calls", "deliveries", "jobs"}
    free = {"installations", "repositories", "switches"}
    assert set(tables.metadata.tables) == appended | kept | free
