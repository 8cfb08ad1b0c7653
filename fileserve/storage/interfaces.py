"""
What every store of files promises: listing an album in one pass, and reading its members.
"""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Sequence
from typing import NamedTuple

from attrs import field, frozen
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

#: Bytes that were read; not all stores make ``bytes`` of them.
Data = bytes | bytearray

#: What is read into.
Buffer = bytearray | memoryview


class Member(NamedTuple):
    """
    One version of one file inside an album.

    A tuple and not an attrs class, because an album's listing is made at every
    request and compared with the remembered one: 10,000 of them compare in
    under a millisecond.
    """

    #: Relative to the album, segments joined by ``/``; raw bytes of the file system.
    path: bytes
    #: Bytes.
    size: int
    #: Nanoseconds since 1970-01-01 UTC.
    mtime_ns: int
    #: What tells this version from others of the same size and time: change time
    #: in nanoseconds and inode on a disk, the entity-tag in S3.
    stamp: tuple[int, ...] | str

    @property
    def version(self) -> str:
        """
        The version as one opaque text, equal only for equal versions.
        """
        stamp = self.stamp if isinstance(self.stamp, str) else "-".join(map(str, self.stamp))
        return f"{self.size}-{self.mtime_ns}-{stamp}"


class Folder(NamedTuple):
    """
    A sub-folder that holds no member.
    """

    path: bytes
    mtime_ns: int


@frozen
class Listing:
    """
    All that an album holds at one moment, in the store's own order.
    """

    members: list[Member]
    #: Only the sub-folders that hold no member at any depth.
    empty_folders: list[Folder]
    #: When anything in the album last changed: nanoseconds since 1970 UTC, by
    #: the store's own clock, which no upload can set.
    changed_ns: int
    #: The folders that were looked through, with what tells whether entries came or went
    #: since; for `ITellsChanges`, and no part of what the album holds.
    folders: tuple[tuple[bytes, tuple[int, ...]], ...] = field(default=(), eq=False)


class Part(NamedTuple):
    """
    Some bytes of a member.
    """

    member: Member
    #: Bytes from the start of the member.
    offset: int
    #: Bytes; the part lies wholly inside the member.
    length: int


class IFileStore(Interface):
    """
    A place where files are kept in albums: a disk, a bucket.
    """

    def list(album: str) -> Deferred[Listing]:
        """
        List an album.

        :return: a ``Deferred`` that fires with a `Listing`; fails with
            `NoSuchAlbum`, or with `Unreadable` for a folder that can't be read.
        """

    def reader(album: str) -> IAlbumReader:
        """
        Get what reads members of this album.

        :return: an `IAlbumReader` that the caller closes.
        """

    def exist(albums: Sequence[str]) -> Deferred[Collection[str]]:
        """
        Find out which of some albums there are, at little cost; hidden files may count as one.

        :return: fires with those that are there; fails with `StoreUnavailable`.
        """

    def stat(album: str, path: bytes) -> Deferred[Member]:
        """
        Look at one member.

        :return: fires with a `Member` equal to the one in the album's listing;
            fails with `NoSuchFile`, also where the album is gone, or
            `StoreUnavailable`.
        """

    def receive(album: str, path: bytes, replaces: str | None = None) -> Deferred[IIncoming]:
        """
        Begin to take a file in. Nothing of it is visible until it is kept.

        :param path: as `fileserve.storage.keys.member_path` made it; folders are
            made as needed.
        :param replaces: the version (`Member.version`) whose place it takes;
            ``None`` for a file that must not exist.
        :return: fires with an `IIncoming`; fails with `FileExists` where that is
            seen already, `MemberChanged` where another version (or none) is
            there than the one to be replaced, `fileserve.storage.keys.BadKey`
            where it can't have a file of that name, `NoSpace` or `StoreUnavailable`.
        """

    def delete(album: str, path: bytes, version: str | None = None) -> Deferred[None]:
        """
        Remove a member for good, and folders that it leaves empty, the album's too.

        :param version: remove it only if it is still this one.
        :return: fires when it is gone; fails with `NoSuchFile`, `MemberChanged`
            or `StoreUnavailable`.
        """

    def free() -> Deferred[int | None]:
        """
        Ask how many more bytes find room.

        :return: fires with a number, or ``None`` where there is no bound to speak of.
        """

    def clean() -> Deferred[None]:
        """
        Remove what processes that are known to be dead, or uploads older than a
        day, left unfinished. To be called at start; others may be at work.
        """

    def close() -> Deferred[None]:
        """
        Give back what the store itself holds, such as connections.
        """

    def check() -> Deferred[None]:
        """
        Find out whether the store can serve at all.

        :return: a ``Deferred`` that fires with ``None``, or fails saying why not.
        """


class IIncoming(Interface):
    """
    A file on its way into a store. Its owner calls `keep` or `drop`.
    """

    def write(pieces: Sequence[bytes]) -> Deferred[None]:
        """
        Take the next bytes; not to be called again before the result has fired.

        :param pieces: in order, together some 1 MiB at most.
        :return: fires when more may come; fails with `NoSpace` or
            `StoreUnavailable`, and then only `drop` makes sense.
        """

    def keep() -> Deferred[Member]:
        """
        Make the file durable, and then visible, whole, under its path.

        The last step can't be taken back: what has to be told of the file is
        told after it. Cancelling the result does nothing.

        :return: fires with the new `Member`; fails with `FileExists` or
            `MemberChanged` where meanwhile something else is there, `NoSpace`
            or `StoreUnavailable`; the file is dropped then.
        """

    def drop() -> Deferred[None]:
        """
        Forget it: nothing of it stays. May be called at any time, also twice,
        while a `write` is under way, and after `keep`, when it does nothing.

        :return: fires when nothing is left; never fails.
        """


class IAlbumReader(Interface):
    """
    Reads members of one album, for one transfer.

    All reading checks the version: what is read is of the member as listed, or
    it fails with `MemberChanged`; `Unreadable` where permission is missing or
    the disk fails.
    """

    def read_into(buffers: Sequence[Buffer], parts: Sequence[Part]) -> Awaitable[None]:
        """
        Read some parts, together no more than one chunk.

        :param buffers: one for each part, of its length; filled when the result
            is there, and written to until the reader is done even after the
            waiting for it was cancelled.
        :return: an awaitable ``None``.
        """

    def open(member: Member) -> Awaitable[IOpenMember]:
        """
        Hold one member open for reading it in windows.

        :return: an awaitable `IOpenMember` that the caller closes.
        """

    def crc32(member: Member) -> Awaitable[int]:
        """
        Read a whole member and compute its CRC-32.

        :return: an awaitable ``int``; cancelling it ends the reading.
        """

    def close() -> None:
        """
        Give back everything held. May be called at any time, also twice.
        """


class IOpenMember(Interface):
    """
    One member held open.
    """

    member: Member = Attribute("The version that was opened.")

    def prepare(offset: int, length: int) -> Awaitable[None]:
        """
        Bring some bytes near, so that handing them on will not wait.

        :return: an awaitable ``None``.
        """

    def read(offset: int, length: int) -> Awaitable[Data]:
        """
        Read exactly so many bytes.

        :return: awaitable ``bytes``.
        """

    def check() -> None:
        """
        :raise MemberChanged: the open file is no longer the version that was listed.
        """

    def close() -> None:
        """
        Give the member back. May be called at any time, also twice.
        """
