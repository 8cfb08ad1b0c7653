"""
Pictures in the catalogue: what was seen at the heads of members, so that none is looked at twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import cache
from itertools import islice
from typing import Any

from attrs import asdict
from sqlalchemy import Connection, bindparam, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from fileserve.catalogue.database import Catalogue
from fileserve.catalogue.facts import BATCH, LONGEST_PATH, PORTION
from fileserve.catalogue.pictureinterfaces import IPictures, Seen
from fileserve.catalogue.schema import pictures
from fileserve.pictures.facts import PictureFacts
from fileserve.pictures.formats import OPTIONAL

_KEY = ("album", "path")
_COLUMNS = [column for column in pictures.c if column.name not in _KEY]
_KNOWN = select(pictures.c.path, pictures.c.version).where(
    pictures.c.album == bindparam("of"),
    or_(pictures.c.width.is_not(None), pictures.c.media_type.not_in(OPTIONAL)),
)
_DESCRIBE = select(pictures.c.path, *_COLUMNS).where(
    pictures.c.album == bindparam("of"), pictures.c.path.in_(bindparam("paths", expanding=True))
)

# The largest number that a column holds, and that SQLite takes at all.
_LARGEST = 2**63 - 1


@implementer(IPictures)
class Pictures:
    """
    An `IPictures` in the SQL database.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def note(self, album: str, seen: Iterable[tuple[bytes, str, PictureFacts]]) -> Deferred[None]:
        """
        See `IPictures.note`.  It shares a transaction with others that come at the same time; paths over
        `LONGEST_PATH` are left out.
        """
        # By path: of two about one path the last one counts.
        rows = {path: _row(album, path, version, facts) for path, version, facts in seen}
        kept = [row for path, row in rows.items() if len(path) <= LONGEST_PATH]
        return self._catalogue.together_rows(_note, kept) if kept else succeed(None)

    def describe(self, album: str, paths: Collection[bytes]) -> Deferred[Seen]:
        """
        See `IPictures.describe`.  One query.
        """
        return self._catalogue.read(_describe, album, list(paths)) if paths else succeed({})

    def known(self, album: str) -> Deferred[Collection[tuple[bytes, str]]]:
        """
        See `IPictures.known`.  One query; it does not wait for writers.
        """
        return self._catalogue.read(_known, album)


def _row(album: str, path: bytes, version: str, facts: PictureFacts) -> dict[str, Any]:
    # What a file says of itself may be anything; one value that a database refuses would fail the others too.
    told = {name: _storable(value) for name, value in asdict(facts).items()}
    return {"album": album, "path": path, "version": version, **told}


def _storable(value: Any) -> Any:
    """
    A value as any database takes it: a text without NUL and lone surrogates, a number of 64 bits.
    """
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    return None if isinstance(value, int) and abs(value) > _LARGEST else value


def _note(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    upsert = _upsert(connection.dialect.name)
    # Sorted, so that two processes that write the same album take the rows' locks in one order.
    ordered = iter(sorted(rows, key=lambda row: (row["album"], row["path"])))
    while batch := list(islice(ordered, BATCH)):
        connection.execute(upsert, batch)


@cache
def _upsert(dialect: str) -> sqlite.Insert | postgresql.Insert:
    statement = sqlite.insert(pictures) if dialect == "sqlite" else postgresql.insert(pictures)
    return statement.on_conflict_do_update(
        index_elements=[pictures.c[name] for name in _KEY],
        set_={column.name: statement.excluded[column.name] for column in _COLUMNS},
    )


def _describe(connection: Connection, album: str, paths: Collection[bytes]) -> Seen:
    rows = connection.execute(_DESCRIBE, {"of": album, "paths": paths})
    return {(path, version): PictureFacts(*facts) for path, version, *facts in rows}


def _known(connection: Connection, album: str) -> Collection[tuple[bytes, str]]:
    portions = connection.execute(_KNOWN, {"of": album}).partitions(PORTION)
    return {(path, version) for portion in portions for path, version in portion}
