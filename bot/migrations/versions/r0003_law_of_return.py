"""More of the law in the database: what a run comes back behind is approved (I3), and no row is sent undecided (I1).

- ``edges.rests_on``: coming back behind an approval (`retry`, `feedback`) needs that approval, used, of the latest subject;
- an outbox row begins as staged, is allowed, sent and confirmed only with a decision to allow, and a decision never changes;
- findings, model calls, deliveries and jobs are never deleted: what they say was said, paid, heard or done.
"""

# ruff: noqa: S608 - every piece of these statements is a constant of this file

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None

KEEP = ("findings", "model_calls", "deliveries", "jobs")
EDGE = (
    "FROM edges e WHERE e.workflow = NEW.workflow AND e.from_state = NEW.from_state"
    " AND e.to_state = NEW.to_state AND e.gate = NEW.gate"
)
BASIS = f"(SELECT e.rests_on {EDGE})"
LATEST = (
    "(SELECT s.sha256 FROM artifacts s WHERE s.kind = 'subject' AND s.run_id = NEW.run_id AND s.stage = a.stage"
    " ORDER BY s.seq DESC LIMIT 1)"
)
RETURN_LAW = (
    (
        f"EXISTS (SELECT 1 {EDGE} AND e.rests_on <> '') AND NOT EXISTS (SELECT 1 FROM approvals a JOIN transitions t"
        f" ON t.approval_id = a.id WHERE t.run_id = NEW.run_id AND a.run_id = NEW.run_id AND a.stage = {BASIS}"
        f" AND a.subject_sha256 = {LATEST})"
    ),
    "this edge leads behind an approval that does not cover the latest subject",
)
DECISION_LAW = (
    (
        "(NEW.state IN ('allowed', 'sending', 'confirmed') AND (NEW.decision NOT IN ('allow', 'allowed')"
        " OR NEW.decision_sha256 = ''))"
        " OR (OLD.decision <> '' AND (NEW.decision <> OLD.decision OR NEW.decision_sha256 <> OLD.decision_sha256))"
    ),
    "an outbox row goes out with one decision that allows it",
)
BIRTH_OF_ROW = ("NEW.state <> 'staged' OR NEW.decision <> ''", "an outbox row begins as staged")
FILL = (
    "UPDATE edges SET rests_on = 'plan' WHERE workflow = 'software' AND gate IN ('retry', 'feedback')"
    " AND to_state IN ('code.draft', 'code.review')"
)


def upgrade() -> None:
    """Add the column, fill it for the workflow that stored runs follow, and lay down the law."""
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    op.execute("DROP TRIGGER edges_no_update" + ("" if on_sqlite else " ON edges"))
    op.add_column("edges", sa.Column("rests_on", sa.Text(), nullable=False, server_default=""))
    op.execute(FILL)
    if on_sqlite:
        _sqlite()
    else:
        _postgres()


def downgrade() -> None:
    """The law stays."""
    raise NotImplementedError("revision 0003 is law over the records; restore a backup in place of a downgrade")


def _sqlite() -> None:
    _sqlite_trigger("edges_no_update", "BEFORE UPDATE ON edges", ("1", "edges rows never change"))
    _sqlite_trigger("transitions_return", "BEFORE INSERT ON transitions", RETURN_LAW)
    _sqlite_trigger("outbox_birth", "BEFORE INSERT ON outbox", BIRTH_OF_ROW)
    _sqlite_trigger("outbox_decided", "BEFORE UPDATE ON outbox", DECISION_LAW)
    for table in KEEP:
        _sqlite_trigger(f"{table}_no_delete", f"BEFORE DELETE ON {table}", ("1", f"{table} rows are never deleted"))


def _sqlite_trigger(name: str, when: str, law: tuple[str, str]) -> None:
    broken, words = law
    op.execute(f"CREATE TRIGGER {name} {when} FOR EACH ROW BEGIN SELECT RAISE(ABORT, '{words}') WHERE {broken}; END")


def _postgres() -> None:
    op.execute("CREATE TRIGGER edges_no_update BEFORE UPDATE ON edges FOR EACH ROW EXECUTE FUNCTION refuse()")
    _postgres_trigger("transitions_return", "BEFORE INSERT ON transitions", RETURN_LAW)
    _postgres_trigger("outbox_birth", "BEFORE INSERT ON outbox", BIRTH_OF_ROW)
    _postgres_trigger("outbox_decided", "BEFORE UPDATE ON outbox", DECISION_LAW)
    for table in KEEP:
        op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse()")
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse()"
        )


def _postgres_trigger(name: str, when: str, law: tuple[str, str]) -> None:
    broken, words = law
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $law$ BEGIN IF {broken} THEN RAISE EXCEPTION "
        f"'{words}' USING ERRCODE = 'check_violation'; END IF; RETURN NEW; END $law$"
    )
    op.execute(f"CREATE TRIGGER {name} {when} FOR EACH ROW EXECUTE FUNCTION {name}()")
