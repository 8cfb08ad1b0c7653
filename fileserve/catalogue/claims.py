"""
Claims in the catalogue: who takes certain bytes into an album just now.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, or_
from sqlalchemy.dialects import postgresql, sqlite
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure
from zope.interface import implementer

from fileserve.catalogue.database import Catalogue
from fileserve.catalogue.pictureinterfaces import IClaims
from fileserve.catalogue.schema import claims

OLD_US = 5 * 60 * 1_000_000
"""Microseconds after which a claim counts no more."""

_OURS = and_(
    claims.c.album == bindparam("of"),
    claims.c.sha256 == bindparam("bytes"),
    claims.c.owner == bindparam("by"),
)
_RELEASE = delete(claims).where(_OURS)
# There are only as many rows as there are uploads: whatever is old goes, of whichever album.
_CLEAR = delete(claims).where(or_(claims.c.since_us < bindparam("before_us"), _OURS))


@implementer(IClaims)
class Claims:
    """
    An `IClaims` in the SQL database.

    :param owner: the name of this process (`fileserve.identity`), which no other living process has; of those
        with that name there is one object in a process.
    :param now_us: tells microseconds since 1970-01-01 UTC.
    """

    def __init__(self, catalogue: Catalogue, owner: str, now_us: Callable[[], int]) -> None:
        self._catalogue = catalogue
        self._owner = owner
        self._now_us = now_us
        # What this process has claimed, and when.  A row under our name that is not in here was left by a
        # process that is dead, or by a release that did not reach the database.
        self._held: dict[tuple[str, str], int] = {}

    def claim(self, album: str, sha256: str) -> Deferred[bool]:
        """
        See `IClaims.claim`.
        """
        now_us = self._now_us()
        held = self._held.get((album, sha256))
        if held is not None and held >= now_us - OLD_US:
            return succeed(False)
        self._held[album, sha256] = now_us
        row = {"album": album, "sha256": sha256, "owner": self._owner, "since_us": now_us}
        claimed = self._catalogue.together(_claim, self._ours(album, sha256), row)
        return claimed.addBoth(self._claimed, (album, sha256))

    def _claimed(self, result: bool | Failure, what: tuple[str, str]) -> bool | Failure:
        if result is not True:
            self._held.pop(what, None)
        return result

    def release(self, album: str, sha256: str) -> Deferred[None]:
        """
        See `IClaims.release`.
        """
        # At once: a claim that comes now is done after this, because what is done together keeps its order.
        self._held.pop((album, sha256), None)
        return self._catalogue.together(_release, self._ours(album, sha256))

    def _ours(self, album: str, sha256: str) -> dict[str, Any]:
        return {"of": album, "bytes": sha256, "by": self._owner}


def _claim(connection: Connection, ours: dict[str, Any], row: dict[str, Any]) -> bool:
    connection.execute(_CLEAR, {**ours, "before_us": row["since_us"] - OLD_US})
    # Of two processes the second one waits here for the end of the first one's transaction.
    return connection.execute(_insert(connection.dialect.name), row).rowcount == 1


@cache
def _insert(dialect: str) -> sqlite.Insert | postgresql.Insert:
    statement = sqlite.insert(claims) if dialect == "sqlite" else postgresql.insert(claims)
    return statement.on_conflict_do_nothing().execution_options(preserve_rowcount=True)


def _release(connection: Connection, ours: dict[str, Any]) -> None:
    connection.execute(_RELEASE, ours)
