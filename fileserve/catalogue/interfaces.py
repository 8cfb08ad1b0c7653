"""
What the rest of the program may ask of the catalogue, and what can go wrong when it does.

Nothing of SQLAlchemy is imported here, so that whoever needs only the promise does not load the database.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from attrs import field, frozen
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
            place of what was remembered of the same paths, but what else is known of the same version stays;
            the last of two for one path counts.  A path longer than 2048 bytes may be left out.
        :return: a ``Deferred`` firing with ``None`` when they are kept.  Fails with `CatalogueUnavailable`.
        """

    def know(album: str, path: bytes, version: str, facts: MemberFacts) -> Deferred[None]:
        """
        Keep all that was found out about one member while it came in.

        :param facts: what is ``None`` here and known of the same version already stays as it is known.
        :return: as `remember`.
        """

    def describe(album: str, paths: Collection[bytes]) -> Deferred[Mapping[tuple[bytes, str], MemberFacts]]:
        """
        Learn what is remembered of some members, with one look.

        :param paths: at most a page of them (1,000).
        :return: a ``Deferred`` firing with the facts by (path, version).  Fails with `CatalogueUnavailable`.
        """

    def albums() -> Deferred[Sequence[str]]:
        """
        Learn of which albums anything is remembered, here or in
        `fileserve.catalogue.pictureinterfaces.IPictures`.

        :return: a ``Deferred`` firing with their names.  Fails with `CatalogueUnavailable`.
        """

    def forget(album: str, keep: Collection[bytes]) -> Deferred[int]:
        """
        Drop what is remembered of members that are no longer there, also in
        `fileserve.catalogue.pictureinterfaces.IPictures`.

        :param keep: the paths that are still there; read before this returns.
        :return: a ``Deferred`` firing with the number of paths forgotten.  Fails with `CatalogueUnavailable`.
        """

    def discard(album: str, path: bytes) -> Deferred[None]:
        """
        Drop what is remembered of one member, as `forget` does; nothing happens where nothing is.

        :return: fails with `CatalogueUnavailable`.
        """


@frozen
class MemberFacts:
    """
    All that is remembered of one version of a member; what is not known is ``None``.
    """

    crc32: int
    sha256: str | None = None
    media_type: str | None = None


@frozen(kw_only=True)
class StoredFile:
    """
    A file that the file API took in, as the catalogue knows it.
    """

    #: A UUID as text.
    id: str
    #: 22 characters; also the album in which it lies.
    short_name: str
    #: As it was sent.
    filename: str
    #: Relative to the album.
    path: bytes
    #: Bytes.
    size: int
    media_type: str
    #: In hexadecimal digits.
    sha256: str
    crc32: int
    #: Microseconds since 1970-01-01 UTC.
    created_us: int
    #: ``stored``, ``processing``, ``processed`` or ``failed``.
    status: str = "stored"
    #: What went wrong in processing it.
    error: str | None = None
    #: What processing found out; JSON.
    metadata: Mapping[str, Any] = field(factory=dict)


@frozen
class Page:
    """
    Some stored files, the newest first.
    """

    files: Sequence[StoredFile]
    #: Asks for those that come after; ``None`` at the end.
    next: str | None


class BadCursor(ValueError):
    """
    What was sent as a cursor was never given out as one.
    """


class NoSuchRecord(LookupError):
    """
    The catalogue knows no stored file of that short name, or of that id.
    """


class RecordExists(Exception):
    """
    The catalogue knows a stored file of that short name or id already; they are drawn so that this does not
    happen.
    """


class IFiles(Interface):
    """
    The stored files, and what is unsettled: places in the store where bytes may lie that belong to no file.

    A place is unsettled from before the first byte may lie there until a row names it, and from the moment
    that its row goes until the bytes are gone.  So whatever a crash leaves between the two is found.
    """

    def expect(album: str, path: bytes) -> Deferred[None]:
        """
        Note a place as unsettled, durably: bytes are about to come to lie there.

        :return: fails with `CatalogueUnavailable`.
        """

    def add(*files: StoredFile) -> Deferred[None]:
        """
        Keep files whose bytes are in the store, all of them or none; their places are settled in the same
        transaction.

        :return: fires when they are durable.  Fails with `RecordExists` or `CatalogueUnavailable`.
        """

    def get(short_name: str) -> Deferred[StoredFile]:
        """
        :return: fails with `NoSuchRecord` or `CatalogueUnavailable`.
        """

    def find(identity: str) -> Deferred[StoredFile]:
        """
        Get a file by its id.

        :return: as `get`.
        """

    def page(limit: int, after: str | None = None, processed: bool | None = None) -> Deferred[Page]:
        """
        List files, the newest first.  Pages stay exact while files come and go: each file that is there all
        the while comes exactly once.

        :param limit: the most of them.
        :param after: a `Page.next`.
        :param processed: only those whose status is ``processed``, or only the others.
        :return: fails with `BadCursor` or `CatalogueUnavailable`.
        """

    def remove(short_name: str) -> Deferred[StoredFile]:
        """
        Forget a file; its place is unsettled from then on.

        :return: fires with what it was, when that is durable.  Fails with `NoSuchRecord` or
            `CatalogueUnavailable`.
        """

    def settle(album: str, path: bytes) -> Deferred[None]:
        """
        Note that nothing lies at a place any more.
        """

    def unsettled() -> Deferred[Sequence[tuple[str, bytes]]]:
        """
        Learn which places were left unsettled by processes that are known to be dead, or more than a day ago.
        To be called at start.
        """
