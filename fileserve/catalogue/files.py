"""
The stored files in the SQL database, and the places in the store that are unsettled.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from attrs import asdict
from sqlalchemy import (
    Connection,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    insert,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure
from zope.interface import implementer

from fileserve.catalogue.batches import Batches
from fileserve.catalogue.database import Catalogue
from fileserve.catalogue.interfaces import (
    BadCursor,
    IFiles,
    NoSuchRecord,
    Page,
    RecordExists,
    StoredFile,
)
from fileserve.catalogue.schema import files, unsettled

OLD_US = 24 * 60 * 60 * 1_000_000
"""Microseconds after which nobody is at work any more at a place that is unsettled."""

_NOT_PROCESSED = ("stored", "processing", "failed")

_COLUMNS = [column for column in files.c if column.name != "seq"]
_NAMES = [column.name for column in _COLUMNS]
_OF_NAME = select(*_COLUMNS).where(files.c.short_name == bindparam("name"))
_OF_ID = select(*_COLUMNS).where(files.c.id == bindparam("identity"))
_OF_NAMES = select(*_COLUMNS).where(files.c.short_name.in_(bindparam("names", expanding=True)))
_ADD = insert(files)
_REMOVE = delete(files).where(files.c.short_name == bindparam("name"))
_SETTLE = delete(unsettled).where(
    unsettled.c.album == bindparam("at_album"), unsettled.c.path == bindparam("at_path")
)
# A process that is given an owner's name is the only one of that name, and calls this before all else.
_LEFT = or_(unsettled.c.owner == bindparam("by"), unsettled.c.since_us < bindparam("before_us"))
_SETTLE_NAMED = delete(unsettled).where(
    _LEFT, exists().where(and_(files.c.short_name == unsettled.c.album, files.c.path == unsettled.c.path))
)
_UNSETTLED = select(unsettled.c.album, unsettled.c.path).where(_LEFT)


@implementer(IFiles)
class Files:
    """
    An `IFiles` in the SQL database.

    :param owner: the name of this process (`fileserve.identity`), which no other living process has.
    :param now_us: tells microseconds since 1970-01-01 UTC.
    """

    def __init__(self, catalogue: Catalogue, owner: str, now_us: Callable[[], int]) -> None:
        self._catalogue = catalogue
        self._owner = owner
        self._now_us = now_us
        self._wanted: Batches[str, StoredFile] = Batches(lambda names: catalogue.read(_get, names))

    def expect(self, album: str, path: bytes) -> Deferred[None]:
        """
        See `IFiles.expect`.
        """
        return self._catalogue.together_rows(_expect, [self._place(album, path)])

    def add(self, *files: StoredFile) -> Deferred[None]:
        """
        See `IFiles.add`.
        """
        return self._catalogue.together_rows(_add, [_row(file) for file in files])

    def get(self, short_name: str) -> Deferred[StoredFile]:
        """
        See `IFiles.get`.  Those that are asked for at the same time are looked up in one query.
        """
        if not _may_be_a_name(short_name):
            return fail(NoSuchRecord(short_name))
        return self._wanted.put(short_name)

    def find(self, identity: str) -> Deferred[StoredFile]:
        """
        See `IFiles.find`.
        """
        if not _may_be_a_name(identity):
            return fail(NoSuchRecord(identity))
        return self._catalogue.read(_find, identity)

    def page(self, limit: int, after: str | None = None, processed: bool | None = None) -> Deferred[Page]:
        """
        See `IFiles.page`.

        A file's number does not change and is not given again, so that what lies beyond a cursor is the same
        files whatever comes and goes.  In PostgreSQL a smaller number may become visible after a larger one,
        and may so be missed by who is past it; but then it was not there all the while.
        """
        try:
            before = None if after is None else sequence_of(after)
        except BadCursor:
            return fail()
        return self._catalogue.read(_page, limit, before, processed)

    def remove(self, short_name: str) -> Deferred[StoredFile]:
        """
        See `IFiles.remove`.
        """
        if not _may_be_a_name(short_name):
            return fail(NoSuchRecord(short_name))

        def known(file: StoredFile | None) -> StoredFile:
            if file is None:
                raise NoSuchRecord(short_name)
            return file

        place = self._place(short_name, b"")
        return self._catalogue.together(_remove, place).addCallback(known)

    def settle(self, album: str, path: bytes) -> Deferred[None]:
        """
        See `IFiles.settle`.
        """
        return self._catalogue.together(_settle, album, path)

    def unsettled(self) -> Deferred[Sequence[tuple[str, bytes]]]:
        """
        See `IFiles.unsettled`.  A place that a file names is none of them: it is settled.
        """
        left = {"by": self._owner, "before_us": self._now_us() - OLD_US}
        return self._catalogue.together(_unsettled, left)

    def _place(self, album: str, path: bytes) -> dict[str, Any]:
        return {"album": album, "path": path, "owner": self._owner, "since_us": self._now_us()}


def cursor_of(sequence: int) -> str:
    """
    What `sequence_of` takes: 16 characters that mean nothing to whoever is given them.
    """
    return f"{sequence:016x}"


def sequence_of(cursor: str) -> int:
    """
    The number of the file that a cursor names.

    :raise BadCursor: no cursor looks like that.
    """
    # At most the largest number that the column holds.
    if re.fullmatch("[0-7][0-9a-f]{15}", cursor) is None:
        raise BadCursor(cursor)
    return int(cursor, 16)


def _may_be_a_name(text: str) -> bool:
    # PostgreSQL refuses a NUL, and all that was to be looked up together with it.
    return text.isascii() and text.isprintable()


def _expect(connection: Connection, places: Sequence[dict[str, Any]]) -> None:
    connection.execute(_note(connection.dialect.name), places)


@cache
def _note(dialect: str) -> sqlite.Insert | postgresql.Insert:
    statement = sqlite.insert(unsettled) if dialect == "sqlite" else postgresql.insert(unsettled)
    return statement.on_conflict_do_update(
        index_elements=[unsettled.c.album, unsettled.c.path],
        set_={"owner": statement.excluded.owner, "since_us": statement.excluded.since_us},
    )


def _settle(connection: Connection, album: str, path: bytes) -> None:
    connection.execute(_SETTLE, {"at_album": album, "at_path": path})


def _row(file: StoredFile) -> dict[str, Any]:
    row = asdict(file, recurse=False)
    row["metadata"] = json.dumps(dict(file.metadata), allow_nan=False)
    return row


def _add(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    try:
        connection.execute(_ADD, rows)
    except IntegrityError:
        raise RecordExists(rows[0]["short_name"]) from None
    connection.execute(_SETTLE, [{"at_album": row["short_name"], "at_path": row["path"]} for row in rows])


def _get(connection: Connection, names: Sequence[str]) -> Sequence[StoredFile | Failure]:
    found = {file.short_name: file for file in map(_file, connection.execute(_OF_NAMES, {"names": names}))}
    return [found.get(name) or Failure(NoSuchRecord(name)) for name in names]


def _find(connection: Connection, identity: str) -> StoredFile:
    row = connection.execute(_OF_ID, {"identity": identity}).one_or_none()
    if row is None:
        raise NoSuchRecord(identity)
    return _file(row)


def _remove(connection: Connection, place: dict[str, Any]) -> StoredFile | None:
    # Of two processes that remove it at once, the second waits here and then finds nothing.
    name = {"name": place["album"]}
    row = connection.execute(_OF_NAME.with_for_update(), name).one_or_none()
    if row is None:
        return None
    file = _file(row)
    connection.execute(_REMOVE, name)
    _expect(connection, [place | {"path": file.path}])
    return file


def _unsettled(connection: Connection, left: dict[str, Any]) -> Sequence[tuple[str, bytes]]:
    connection.execute(_SETTLE_NAMED, left)
    return [(album, path) for album, path in connection.execute(_UNSETTLED, left)]


def _page(connection: Connection, limit: int, before: int | None, processed: bool | None) -> Page:
    # One more than wanted tells whether that is all.
    rows = connection.execute(_newest(limit + 1, before, processed)).all()
    found = [_file(row) for _, *row in rows[:limit]]
    return Page(found, cursor_of(rows[limit - 1][0]) if len(rows) > limit else None)


def _newest(limit: int, before: int | None, processed: bool | None) -> Select[Any]:
    wanted = select(files.c.seq, *_COLUMNS).order_by(files.c.seq.desc()).limit(limit)
    if processed is False:
        # One after the other along the index; a "not" would read all files until it has found enough.
        each = [_of_status(status, limit, before).subquery() for status in _NOT_PROCESSED]
        return wanted.where(files.c.seq.in_(union_all(*(select(one) for one in each))))
    if processed:
        return wanted.where(files.c.seq.in_(_of_status("processed", limit, before)))
    return wanted if before is None else wanted.where(files.c.seq < before)


def _of_status(status: str, limit: int, before: int | None) -> Select[Any]:
    wanted = select(files.c.seq).where(files.c.status == status)
    if before is not None:
        wanted = wanted.where(files.c.seq < before)
    return wanted.order_by(files.c.seq.desc()).limit(limit)


def _file(row: Sequence[Any]) -> StoredFile:
    values = dict(zip(_NAMES, row, strict=True))
    values["metadata"] = json.loads(values["metadata"])
    return StoredFile(**values)
