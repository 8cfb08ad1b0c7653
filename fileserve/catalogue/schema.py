"""
The tables of the catalogue as the newest migration leaves them.

A change here needs a new migration beside ``migrations/versions/0001_facts.py``; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, PrimaryKeyConstraint, Table, Text

# Constraints need names that do not depend on the database, so that a later migration can drop them by name.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

facts = Table(
    "facts",
    metadata,
    Column("album", Text, nullable=False),
    # Raw file-system bytes relative to the album: names need not be UTF-8.
    Column("path", LargeBinary, nullable=False),
    # Opaque here; on disk "size-mtime_ns-ctime_ns-inode", in S3 the ETag.
    Column("version", Text, nullable=False),
    # Unsigned 32 bits, which PostgreSQL's INTEGER cannot hold.
    Column("crc32", BigInteger, nullable=False),
    PrimaryKeyConstraint("album", "path"),
    # Rows lie in the order of the key, so that an album is read from neighbouring pages.
    sqlite_with_rowid=False,
)
