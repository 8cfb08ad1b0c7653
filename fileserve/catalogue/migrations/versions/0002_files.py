"""
The tables of stored files and of unsettled places; more facts about members.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_SEQUENCE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables and the columns; what is remembered stays."""
    op.add_column("facts", sa.Column("sha256", sa.Text))
    op.add_column("facts", sa.Column("media_type", sa.Text))
    op.create_table(
        "files",
        sa.Column("seq", _SEQUENCE, sa.Identity(), primary_key=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("short_name", sa.Text, nullable=False),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("path", sa.LargeBinary, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("crc32", sa.BigInteger, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("metadata", sa.Text, nullable=False),
        sa.UniqueConstraint("id"),
        sa.UniqueConstraint("short_name"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_files_status_seq", "files", ["status", "seq"])
    op.create_table(
        "unsettled",
        sa.Column("album", sa.Text, nullable=False),
        sa.Column("path", sa.LargeBinary, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("since_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("album", "path"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop them, and with them the knowledge of what the stored files are called."""
    op.drop_table("unsettled")
    op.drop_table("files")
    op.drop_column("facts", "media_type")
    op.drop_column("facts", "sha256")
