"""Least authority in PostgreSQL: each process's user gets the rights of its process and no other (DESIGN section 3).

The rights are those of `bot.adapters.storage.authority`; SQLite knows no users, so nothing changes there. The tables'
owner keeps every right: the previous release, whose processes all connect as the owner, runs on.
"""

from __future__ import annotations

from alembic import op

from bot.adapters.storage.authority import lay_down

revision = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None

RIGHTS = "65343a525dd5f05f"
"""What `authority.fingerprint` answers for the rights that this revision lays down."""


def upgrade() -> None:
    """Make the roles and grant them their rights."""
    bind = op.get_bind()
    if bind.dialect.name == "postgresql":
        lay_down(bind)


def downgrade() -> None:
    """The law stays."""
    raise NotImplementedError("revision 0004 is law over the records; restore a backup in place of a downgrade")
