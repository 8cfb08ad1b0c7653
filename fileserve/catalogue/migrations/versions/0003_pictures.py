"""
The tables of what was seen in pictures, and of uploads that are just taken in.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "pictures",
        sa.Column("album", sa.Text, nullable=False),
        sa.Column("path", sa.LargeBinary, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("width", sa.BigInteger),
        sa.Column("height", sa.BigInteger),
        sa.Column("orientation", sa.Integer),
        sa.Column("maker", sa.Text),
        sa.Column("model", sa.Text),
        sa.Column("taken", sa.Text),
        sa.Column("located", sa.Boolean),
        sa.PrimaryKeyConstraint("album", "path"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "claims",
        sa.Column("album", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("since_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("album", "sha256"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop them: pictures are looked at again where it is needed, and claims last a moment."""
    op.drop_table("claims")
    op.drop_table("pictures")
