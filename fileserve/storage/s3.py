"""
The store in S3: albums are prefixes in one bucket.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from .abilities import IGivesLinks
from .errors import FileExists, MemberChanged, NoSuchFile, StoreUnavailable
from .held import InThread
from .interfaces import IFileStore, IIncoming, Listing, Member
from .s3body import SILENCE
from .s3bucket import Bucket
from .s3client import Refused, S3Client, quoted
from .s3listing import Contents, may_be_member, member_of
from .s3location import DEFAULT_REGION, S3Location
from .s3parts import side_by_side
from .s3place import Place, mark_of
from .s3reader import S3Reader
from .s3upload import S3Incoming

#: So many albums are looked for at once.
_AT_ONCE = 8

#: The headers of a response that a link may set (Amazon S3 API Reference, "GetObject").
_SETTABLE = frozenset(
    {
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-type",
        "expires",
    }
)


@implementer(IFileStore, IGivesLinks)
class S3Store:
    """
    Serves the albums below one prefix of a bucket.

    To read, the credentials need ``s3:GetObject`` and ``s3:ListBucket``; to write,
    ``s3:PutObject``, ``s3:DeleteObject``, ``s3:AbortMultipartUpload`` and
    ``s3:ListBucketMultipartUploads`` too.

    :param in_thread: runs what computes for some milliseconds, or waits.
    :param find_credentials: gives botocore's credentials; ``None`` for those that
        every AWS tool finds.
    :param policy: how certificates are checked; ``None`` for what the system trusts.
    :param silence: seconds after which an exchange in which nothing happens is given up.
    :raise ValueError: botocore or treq is not installed.
    """

    def __init__(
        self,
        location: S3Location,
        reactor: Any,
        in_thread: InThread,
        *,
        find_credentials: Callable[[], Any] | None = None,
        policy: IPolicyForHTTPS | None = None,
        now: Callable[[], float] = time.time,
        silence: float = SILENCE,
    ) -> None:
        try:
            from . import s3signing, s3wire  # noqa: PLC0415 - extras
        except ImportError:
            raise ValueError("S3 needs botocore and treq: pip install 'fileserve[s3]'") from None
        region = location.region or (DEFAULT_REGION if location.endpoint else s3signing.find_region())
        signer = s3signing.Signer(region, in_thread, find_credentials or s3signing.find_credentials)
        self._wire = s3wire.Wire(reactor, policy, silence)
        self._client = S3Client(location, self._wire, signer, reactor)
        self._bucket = Bucket(self._client, location, region)
        self._location = location
        self._in_thread = in_thread
        self._now = now

    def _key(self, album: str, path: bytes) -> bytes:
        return self._location.key(album.encode(), path)

    def list(self, album: str) -> Deferred[Listing]:
        """
        List an album, page by page.
        """
        return Deferred.fromCoroutine(self._list(album))

    async def _list(self, album: str) -> Listing:
        prefix = self._key(album, b"")
        contents = Contents(prefix)
        token: str | None = ""
        while token is not None:
            page, token = await self._bucket.page(prefix, token)
            for found in page:
                if found.key.startswith(prefix):
                    contents.add(found)
        return contents.listing()

    def reader(self, album: str) -> S3Reader:
        """
        Read an album.
        """
        return S3Reader(self._client, partial(self._key, album))

    def exist(self, albums: Sequence[str]) -> Deferred[Collection[str]]:
        """
        Ask for one object of each album.
        """
        return Deferred.fromCoroutine(self._exist(albums))

    async def _exist(self, albums: Sequence[str]) -> Collection[str]:
        there = set()

        async def look(album: str) -> None:
            found, _ = await self._bucket.page(self._key(album, b""), most=1)
            if found:
                there.add(album)

        await side_by_side(_AT_ONCE, look, albums)
        return there

    def stat(self, album: str, path: bytes) -> Deferred[Member]:
        """
        Ask for the headers of an object.
        """
        return Deferred.fromCoroutine(self._stat(album, path))

    async def _stat(self, album: str, path: bytes) -> Member:
        found = await self._look(self._key(album, path), path) if may_be_member(path) else None
        if found is None:
            raise NoSuchFile("no such file")
        return found[0]

    async def _look(self, key: bytes, path: bytes) -> tuple[Member, str] | None:
        """
        :return: what lies there, and by which upload it came; ``None`` for nothing.
        """
        try:
            answer = await self._client.call("HEAD", key)
        except Refused as error:
            if error.status == 404:
                return None
            raise
        return member_of(path, answer.header), mark_of(answer.header)

    def receive(self, album: str, path: bytes, replaces: str | None = None) -> Deferred[IIncoming]:
        """
        Begin to take a file in.
        """
        return Deferred.fromCoroutine(self._receive(album, path, replaces))

    async def _receive(self, album: str, path: bytes, replaces: str | None) -> IIncoming:
        key = self._key(album, path)
        if not may_be_member(path):
            raise StoreUnavailable("S3 keeps no file whose name is hidden, or not UTF-8")
        found = await self._look(key, path)
        member = found and found[0]
        if replaces is None and member is not None:
            raise FileExists("there is a file of that name")
        if replaces is not None and (member is None or member.version != replaces):
            raise MemberChanged(path, "it is not the version to be replaced")
        place = Place(key, path, member, partial(self._look, key, path))
        return S3Incoming(self._client, place, self._in_thread)

    def delete(self, album: str, path: bytes, version: str | None = None) -> Deferred[None]:
        """
        Remove an object. Folders that others marked stay.
        """
        return Deferred.fromCoroutine(self._delete(album, path, version))

    async def _delete(self, album: str, path: bytes, version: str | None) -> None:
        member = await self._stat(album, path)
        if version is not None and member.version != version:
            raise MemberChanged(path, "it is not the version to be removed")
        key, dialect = self._key(album, path), self._client.dialect
        condition = (
            {"If-Match": quoted(str(member.stamp))} if version and dialect.deletes_on_condition else {}
        )
        try:
            await self._client.call("DELETE", key, headers=condition)
        except Refused as error:
            if error.status == 412:
                raise MemberChanged(path, "it was replaced") from None
            if error.status == 404:
                raise NoSuchFile("no such file") from None
            if not (condition and error.not_known):
                raise
            await self._client.call("DELETE", key)
            dialect.deletes_on_condition = False

    def free(self) -> Deferred[int | None]:
        """
        S3 has no bound that it tells of.
        """
        return succeed(None)

    def clean(self) -> Deferred[None]:
        """
        Abort uploads in parts that began more than a day ago: younger ones may be another process's.
        """
        return Deferred.fromCoroutine(self._bucket.clean(self._now()))

    def close(self) -> Deferred[None]:
        """
        Close the connections that nobody uses; who reads or writes closes his own.
        """
        return self._wire.close()

    def check(self) -> Deferred[None]:
        """
        See that the bucket can be listed. One that is missing the first time is made.
        """
        return Deferred.fromCoroutine(self._bucket.check())

    def link(self, album: str, path: bytes, expires: int, headers: Mapping[str, str]) -> str:
        """
        Sign a link to an object. Waits once where nothing was asked of S3 before.
        """
        query = {
            f"response-{name.lower()}": value for name, value in headers.items() if name.lower() in _SETTABLE
        }
        return self._client.link(self._key(album, path), query, expires)
