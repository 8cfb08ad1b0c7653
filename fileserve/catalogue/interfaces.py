"""
What the rest of the program may ask of the catalogue, and what can go wrong when it does.

Nothing of SQLAlchemy is imported here, so that whoever needs only the promise does not load the database.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TypeAlias

from twisted.internet.defer import Deferred
from zope.interface import Interface

Crcs: TypeAlias = dict[tuple[bytes, str], int]
"""The CRC-32 (0 to 2**32 - 1) of each (path, version) of an album."""


class CatalogueUnavailable(Exception):
    """
    The catalogue does not answer: it is locked, damaged, out of reach or out of space.

    What SQLAlchemy raised is the ``__cause__``.  Neither text holds a password or a statement's parameters.

    :ivar catalogue: which one: the file of SQLite, or host and name of a PostgreSQL database.
    :ivar reason: the first line of what the database said.
    """

    def __init__(self, catalogue: str, reason: str) -> None:
        super().__init__(catalogue, reason)
        self.catalogue = catalogue
        self.reason = reason

    def __str__(self) -> str:
        return f"The catalogue {self.catalogue} cannot be used: {self.reason}"


class CatalogueIsNewer(Exception):
    """
    The catalogue was written by a newer fileserve; this one does not know its schema and leaves it alone.

    :ivar catalogue: which one, as in `CatalogueUnavailable`.
    :ivar revision: the migration that is not known here.
    """

    def __init__(self, catalogue: str, revision: str) -> None:
        super().__init__(catalogue, revision)
        self.catalogue = catalogue
        self.revision = revision

    def __str__(self) -> str:
        return (
            f"The catalogue {self.catalogue} was written by a newer version of fileserve (its revision "
            f"{self.revision} is not known here): install that version or choose another database"
        )


class IFacts(Interface):
    """
    A memory for what was computed from the bytes of an album's members.

    A path is the member's path relative to the album, as the raw bytes the file system has.  A version is an
    opaque text that changes whenever the bytes may have changed.  One version is remembered for a path.

    Facts are a cache of the truth.  They may be forgotten at any time, and a caller whom one of these methods
    answers with `CatalogueUnavailable` goes on as if nothing were known, and logs it.
    """

    def recall(album: str) -> Deferred[Crcs]:
        """
        Learn all that is remembered of an album, with one look.

        :return: a ``Deferred`` firing with a ``dict`` that the caller owns, from (path, version) to CRC-32;
            empty for an album never heard of.  Fails with `CatalogueUnavailable`.
        """

    def remember(album: str, crcs: Iterable[tuple[bytes, str, int]]) -> Deferred[None]:
        """
        Keep CRCs for later, all of them or, when it fails, none.

        :param crcs: (path, version, CRC-32) of any number of members; read before this returns.  It takes the
            place of what was remembered of the same paths; the last of two for one path counts.  A path
            longer than 2048 bytes may be left out.
        :return: a ``Deferred`` firing with ``None`` when they are kept.  Fails with `CatalogueUnavailable`.
        """

    def forget(album: str, keep: Collection[bytes]) -> Deferred[int]:
        """
        Drop what is remembered of members that are no longer there.

        :param keep: the paths that are still there; read before this returns.
        :return: a ``Deferred`` firing with the number of paths forgotten.  Fails with `CatalogueUnavailable`.
        """
