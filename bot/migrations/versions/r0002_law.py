"""The law in the database (I2, I3, I14): triggers that no service, script or person at a prompt gets past by mistake.

- a transition starts in the run's latest state, takes the next number and the run's workflow, has edge and open evidence
  (foreign keys say it again), the approval its edge asks for, and is about the latest subject of its edge's stage;
- a run's state is written by its transitions alone;
- transitions, evidence, finding events, audit, edges, tool calls and artifacts never change; an approval is used once;
- what an outbox row intends never changes; its payload may be emptied once it is at its end (retention).

``INSERT OR REPLACE`` deletes without delete triggers in SQLite, hence the guards before insert there.
"""

# ruff: noqa: S608 - every piece of these statements is a constant of this file

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None

APPEND_ONLY = ("transitions", "evidence", "finding_events", "audit", "edges", "tool_calls", "artifacts")
KEEP = (*APPEND_ONLY, "approvals", "runs", "outbox")
INTENT = (
    "id", "installation_id", "repository_id", "run_id", "seq", "kind", "target", "order_key",
    "payload_sha256", "dedupe_key", "token", "created_at",
)  # fmt: skip
GRANT = (
    "id", "run_id", "stage", "subject_sha256", "by_id", "by_login", "permission", "source", "source_id",
    "granted_at", "evidence",
)  # fmt: skip
KEYS = {
    "evidence": "run_id = NEW.run_id AND gate = NEW.gate AND attempt = NEW.attempt",
    "finding_events": "run_id = NEW.run_id AND seq = NEW.seq",
    "audit": "seq = NEW.seq OR prev = NEW.prev",
    "edges": "workflow = NEW.workflow AND from_state = NEW.from_state AND to_state = NEW.to_state AND gate = NEW.gate",
    "artifacts": (
        "id = NEW.id OR (kind = 'subject' AND NEW.kind = 'subject' AND run_id = NEW.run_id AND stage = NEW.stage"
        " AND seq = NEW.seq)"
    ),
    "runs": (
        "id = NEW.id OR (repository_id = NEW.repository_id AND issue_number = NEW.issue_number"
        " AND state NOT IN ('done', 'cancelled'))"
    ),
    "outbox": "id = NEW.id OR (run_id = NEW.run_id AND seq = NEW.seq)",
    "approvals": "id = NEW.id OR (run_id = NEW.run_id AND stage = NEW.stage AND subject_sha256 = NEW.subject_sha256"
    " AND by_id = NEW.by_id AND (used_at = 0 OR (source = NEW.source AND source_id = NEW.source_id)))",
}
# What comes again replaces nothing and is no error.
REPEATED = {
    "tool_calls": "job_id = NEW.job_id AND seq = NEW.seq",
    "outbox": "dedupe_key = NEW.dedupe_key",
    "artifacts": (
        "kind <> 'subject' AND kind = NEW.kind AND sha256 = NEW.sha256 AND run_id IS NEW.run_id"
        " AND installation_id = NEW.installation_id"
    ),
}

# (what must not be, the sentence). Both databases read these; NEW is the transition.
LATEST = "SELECT to_state FROM transitions WHERE run_id = NEW.run_id ORDER BY seq DESC LIMIT 1"
EDGE = (
    "FROM edges e WHERE e.workflow = NEW.workflow AND e.from_state = NEW.from_state"
    " AND e.to_state = NEW.to_state AND e.gate = NEW.gate"
)
GRANTED = (
    "SELECT 1 FROM approvals a WHERE a.run_id = NEW.run_id AND a.subject_sha256 = NEW.subject_sha256"
    f" AND a.stage = (SELECT e.subject {EDGE})"
)
USED = "SELECT 1 FROM transitions t WHERE t.approval_id = {0} OR t.co_approval_id = {0}"
TRANSITION_LAW = (
    (
        "NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = NEW.run_id AND r.workflow = NEW.workflow)",
        "a transition belongs to a stored run and to its workflow",
    ),
    (
        f"NEW.from_state IS DISTINCT FROM COALESCE(({LATEST}), 'queued')",
        "a transition starts in the latest state of its run",
    ),
    (
        "NEW.seq IS DISTINCT FROM COALESCE((SELECT max(seq) FROM transitions WHERE run_id = NEW.run_id), 0) + 1",
        "a transition takes the next number of its run",
    ),
    (f"NOT EXISTS (SELECT 1 {EDGE})", "no edge of the workflow leads there by that gate"),
    (
        (
            "NOT EXISTS (SELECT 1 FROM evidence v WHERE v.run_id = NEW.run_id AND v.gate = NEW.gate"
            " AND v.attempt = NEW.attempt AND v.subject_sha256 = NEW.subject_sha256 AND v.verdict = 'open')"
            " OR NEW.verdict IS DISTINCT FROM 'open'"
        ),
        "no open evidence of that gate, attempt and subject is stored",
    ),
    (
        (
            "EXISTS (SELECT 1 FROM transitions t WHERE t.run_id = NEW.run_id AND t.gate = NEW.gate"
            " AND t.attempt = NEW.attempt)"
        ),
        "that evidence has opened its edge already",
    ),
    (
        (
            f"EXISTS (SELECT 1 {EDGE} AND e.subject <> '') AND NEW.subject_sha256 IS DISTINCT FROM"
            " (SELECT sha256 FROM artifacts WHERE kind = 'subject' AND run_id = NEW.run_id"
            f" AND stage = (SELECT e.subject {EDGE}) ORDER BY seq DESC LIMIT 1)"
        ),
        "the evidence is not about the latest subject of its stage",
    ),
    (
        f"EXISTS (SELECT 1 {EDGE} AND e.approval) AND NOT EXISTS ({GRANTED} AND a.id = NEW.approval_id)",
        "this edge needs an approval of exactly this subject in this run",
    ),
    (
        (
            f"NEW.co_approval_id IS NOT NULL AND NOT EXISTS ({GRANTED} AND a.id = NEW.co_approval_id AND a.by_id <>"
            " (SELECT b.by_id FROM approvals b WHERE b.id = NEW.approval_id))"
        ),
        "a second approval is of the same subject and by another person",
    ),
    (
        f"(NEW.approval_id IS NOT NULL OR NEW.co_approval_id IS NOT NULL) AND NOT EXISTS (SELECT 1 {EDGE} AND e.approval)",
        "only an edge that needs an approval uses one up",
    ),
    (
        f"EXISTS ({USED.format('NEW.approval_id')}) OR EXISTS ({USED.format('NEW.co_approval_id')})",
        "an approval opens its edge once",
    ),
)
NEWEST = "SELECT 1 FROM transitions t WHERE t.run_id = NEW.id AND t.seq = NEW.state_seq"
STATE_LAW = (
    (
        f"NOT EXISTS ({NEWEST} AND t.to_state = NEW.state AND t.at = NEW.state_at"
        " AND NOT EXISTS (SELECT 1 FROM transitions l WHERE l.run_id = t.run_id AND l.seq > t.seq))"
    ),
    "a run enters a state by a transition alone",
)
BIRTH_LAW = ("NEW.state <> 'queued' OR NEW.state_seq <> 0 OR NEW.state_at <> 0", "a run begins in queued")
SAME_INTENT = " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in INTENT)
INTENT_LAW = (
    (
        f"{SAME_INTENT} OR (NEW.payload IS DISTINCT FROM OLD.payload AND NOT"
        " (length(NEW.payload) = 0 AND OLD.state IN ('denied', 'confirmed', 'dead')))"
    ),
    "what an outbox row intends never changes",
)
SAME_GRANT = " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in GRANT)
GRANT_LAW = (f"{SAME_GRANT} OR OLD.used_at <> 0 OR NEW.used_at <= 0", "an approval is used once and never changes")
BIRTH_OF_GRANT = ("NEW.used_at <> 0", "an approval begins unused")
IDENTITY_LAW = (
    (
        "NEW.id IS DISTINCT FROM OLD.id OR NEW.workflow IS DISTINCT FROM OLD.workflow"
        " OR NEW.repository_id IS DISTINCT FROM OLD.repository_id"
    ),
    "a run keeps its id, workflow and repository",
)


def upgrade() -> None:
    """Lay down the law in the words of the database at hand."""
    if op.get_bind().dialect.name == "sqlite":
        _sqlite()
    else:
        _postgres()


def downgrade() -> None:
    """The law stays."""
    raise NotImplementedError("revision 0002 is the law over the records; restore a backup in place of a downgrade")


def _for_sqlite(condition: str) -> str:
    # SQLite before 3.39 does not know IS DISTINCT FROM; its IS NOT means the same.
    return condition.replace("IS DISTINCT FROM", "IS NOT")


def _sqlite_trigger(name: str, when: str, table: str, *laws: tuple[str, str]) -> None:
    body = " ".join(f"SELECT RAISE(ABORT, '{words}') WHERE {_for_sqlite(broken)};" for broken, words in laws)
    op.execute(f"CREATE TRIGGER {name} {when} ON {table} FOR EACH ROW BEGIN {body} END")


def _sqlite() -> None:
    for table in APPEND_ONLY:
        _sqlite_trigger(f"{table}_no_update", "BEFORE UPDATE", table, ("1", f"{table} rows never change"))
    for table in KEEP:
        _sqlite_trigger(f"{table}_no_delete", "BEFORE DELETE", table, ("1", f"{table} rows are never deleted"))
    for table, key in KEYS.items():
        taken = (f"EXISTS (SELECT 1 FROM {table} WHERE {key})", f"{table} has that row already")
        _sqlite_trigger(f"{table}_no_replace", "BEFORE INSERT", table, taken)
    _sqlite_trigger("runs_birth", "BEFORE INSERT", "runs", BIRTH_LAW)
    _sqlite_trigger("runs_state", "BEFORE UPDATE OF state, state_seq, state_at", "runs", STATE_LAW)
    _sqlite_trigger("runs_identity", "BEFORE UPDATE OF id, workflow, repository_id", "runs", IDENTITY_LAW)
    _sqlite_trigger("approvals_birth", "BEFORE INSERT", "approvals", BIRTH_OF_GRANT)
    _sqlite_trigger("approvals_once", "BEFORE UPDATE", "approvals", GRANT_LAW)
    _sqlite_trigger("outbox_intent", "BEFORE UPDATE", "outbox", INTENT_LAW)
    _sqlite_trigger("transitions_law", "BEFORE INSERT", "transitions", *TRANSITION_LAW)
    op.execute(
        "CREATE TRIGGER transitions_move AFTER INSERT ON transitions FOR EACH ROW BEGIN "
        "UPDATE runs SET state = NEW.to_state, state_seq = NEW.seq, state_at = NEW.at WHERE id = NEW.run_id; END"
    )
    for table, key in REPEATED.items():
        op.execute(
            f"CREATE TRIGGER {table}_no_repeat BEFORE INSERT ON {table} FOR EACH ROW BEGIN "
            f"SELECT RAISE(IGNORE) WHERE EXISTS (SELECT 1 FROM {table} WHERE {key}); END"
        )


def _postgres_trigger(name: str, when: str, table: str, body: str) -> None:
    op.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $law$ BEGIN {body} RETURN NEW; END $law$")
    op.execute(f"CREATE TRIGGER {name} {when} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")


def _raise(*laws: tuple[str, str]) -> str:
    return " ".join(
        f"IF {broken} THEN RAISE EXCEPTION '{words}' USING ERRCODE = 'check_violation'; END IF;"
        for broken, words in laws
    )


def _postgres() -> None:
    op.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $law$ BEGIN RAISE EXCEPTION '% rows never change"
        " (% refused)', TG_TABLE_NAME, TG_OP USING ERRCODE = 'check_violation'; END $law$"
    )
    for table in APPEND_ONLY:
        op.execute(f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse()")
    for table in KEEP:
        op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse()")
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse()"
        )
    _postgres_trigger("runs_birth", "BEFORE INSERT", "runs", _raise(BIRTH_LAW))
    _postgres_trigger("runs_state", "BEFORE UPDATE OF state, state_seq, state_at", "runs", _raise(STATE_LAW))
    _postgres_trigger("runs_identity", "BEFORE UPDATE OF id, workflow, repository_id", "runs", _raise(IDENTITY_LAW))
    _postgres_trigger("approvals_birth", "BEFORE INSERT", "approvals", _raise(BIRTH_OF_GRANT))
    _postgres_trigger("approvals_once", "BEFORE UPDATE", "approvals", _raise(GRANT_LAW))
    _postgres_trigger("outbox_intent", "BEFORE UPDATE", "outbox", _raise(INTENT_LAW))
    # Locking the run first makes two transitions of one run wait for each other, so that each sees the latest.
    locked = "PERFORM 1 FROM runs r WHERE r.id = NEW.run_id FOR UPDATE;"
    _postgres_trigger("transitions_law", "BEFORE INSERT", "transitions", f"{locked} {_raise(*TRANSITION_LAW)}")
    _postgres_trigger(
        "transitions_move",
        "AFTER INSERT",
        "transitions",
        "UPDATE runs SET state = NEW.to_state, state_seq = NEW.seq, state_at = NEW.at WHERE id = NEW.run_id;",
    )
