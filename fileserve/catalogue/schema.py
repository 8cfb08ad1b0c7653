"""
The tables of the catalogue as the newest migration leaves them.

A change here needs a new migration in ``migrations/versions``; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

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
    # In hexadecimal digits.
    Column("sha256", Text),
    Column("media_type", Text),
    PrimaryKeyConstraint("album", "path"),
    # Rows lie in the order of the key, so that an album is read from neighbouring pages.
    sqlite_with_rowid=False,
)

files = Table(
    "files",
    metadata,
    # Grows with every file and is never used again: the order of listings.  SQLite counts only in an INTEGER.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True),
    # A UUID.
    Column("id", Text, nullable=False),
    Column("short_name", Text, nullable=False),
    Column("filename", Text, nullable=False),
    Column("path", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("crc32", BigInteger, nullable=False),
    # Microseconds since 1970-01-01 UTC.
    Column("created_us", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("error", Text),
    # JSON.
    Column("metadata", Text, nullable=False),
    UniqueConstraint("id"),
    UniqueConstraint("short_name"),
    Index(None, "status", "seq"),
    sqlite_autoincrement=True,
)

# What was seen at the heads of members: of pictures, and that others are none.
pictures = Table(
    "pictures",
    metadata,
    Column("album", Text, nullable=False),
    Column("path", LargeBinary, nullable=False),
    Column("version", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    # Some formats have room for more than 32 bits.
    Column("width", BigInteger),
    Column("height", BigInteger),
    Column("orientation", Integer),
    Column("maker", Text),
    Column("model", Text),
    # As in `fileserve.pictures.facts.PictureFacts`.
    Column("taken", Text),
    Column("located", Boolean),
    PrimaryKeyConstraint("album", "path"),
    sqlite_with_rowid=False,
)

# Uploads into albums that may hold the same bytes only once.
claims = Table(
    "claims",
    metadata,
    Column("album", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    # The process (`fileserve.identity`) that takes them in.
    Column("owner", Text, nullable=False),
    # Microseconds since 1970-01-01 UTC.
    Column("since_us", BigInteger, nullable=False),
    PrimaryKeyConstraint("album", "sha256"),
    sqlite_with_rowid=False,
)

# Places in the store where bytes may lie that belong to no file.
unsettled = Table(
    "unsettled",
    metadata,
    Column("album", Text, nullable=False),
    Column("path", LargeBinary, nullable=False),
    # The process (`fileserve.identity`) that noted it.
    Column("owner", Text, nullable=False),
    # Microseconds since 1970-01-01 UTC.
    Column("since_us", BigInteger, nullable=False),
    PrimaryKeyConstraint("album", "path"),
    sqlite_with_rowid=False,
)
