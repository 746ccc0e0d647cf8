"""When GitHub last told of an installation itself, so that news of it that come late do not count.

The previous release writes no such time, which stands for "not known": it runs on meanwhile.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.adapters.storage.authority import lay_down

revision = "0008"
down_revision: str | None = "0007"
branch_labels: str | None = None
depends_on: str | None = None

RIGHTS = "3f4d22310fc3a411"
"""What `authority.fingerprint` answers for the rights that this revision lays down."""


def upgrade() -> None:
    """A column, and the right to write it."""
    op.add_column("installations", sa.Column("changed_at", sa.BigInteger(), nullable=False, server_default="0"))
    bind = op.get_bind()
    if bind.dialect.name == "postgresql":
        lay_down(bind)


def downgrade() -> None:
    """The law before it has no way back."""
    raise NotImplementedError("revision 0008 adds a column; the release before it runs on it as it is")
