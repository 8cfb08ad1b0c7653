"""
The table of facts, with the CRC-32 of members.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "facts",
        sa.Column("album", sa.Text, nullable=False),
        sa.Column("path", sa.LargeBinary, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("crc32", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("album", "path"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop it: facts are computed again where they are needed."""
    op.drop_table("facts")
