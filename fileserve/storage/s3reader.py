"""
Reading members from S3: small ones several at once, large ones as a stream.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence

from isal import isal_zlib
from twisted.internet.defer import Deferred
from zope.interface import implementer

from .errors import MemberChanged, StoreUnavailable, Unreadable
from .interfaces import Buffer, Data, IAlbumReader, IOpenMember, Member, Part
from .s3body import Lost, Reply
from .s3client import Answer, Refused, S3Client, quoted
from .s3parts import side_by_side

#: So many small reads are under way at once for one transfer.
_AT_ONCE = 8

#: How often reading goes on after a connection was lost, without a byte between.
_TRIES = 3

#: Reads for a checksum, in bytes: some 20 microseconds of computing on the reactor thread.
_STRIDE = 256 * 1024


@implementer(IAlbumReader)
class S3Reader:
    """
    Reads members of one album for one transfer.

    :param key_of: gives the key of a member's path.
    """

    def __init__(self, client: S3Client, key_of: Callable[[bytes], bytes]) -> None:
        self._client = client
        self._key_of = key_of
        self._busy: set[Deferred[None]] = set()

    async def read_into(self, buffers: Sequence[Buffer], parts: Sequence[Part]) -> None:
        """
        Read some parts, several at once, so that many small members don't cost a way there and back each.
        """
        pairs = list(zip(buffers, parts, strict=True))
        reading = Deferred.fromCoroutine(side_by_side(min(_AT_ONCE, len(pairs)), self._fill, pairs))
        self._busy.add(reading)
        try:
            await reading
        finally:
            self._busy.discard(reading)

    async def _fill(self, pair: tuple[Buffer, Part]) -> None:
        buffer, part = pair
        if not part.length:
            return
        opened = self._opened(part.member, part.offset + part.length)
        try:
            buffer[:] = await opened.read(part.offset, part.length)
        finally:
            opened.close()

    async def open(self, member: Member) -> S3Object:
        """
        Begin to read a member from its start, where nearly all reading begins; that shows whether it is
        still as it was listed.
        """
        opened = self._opened(member, member.size)
        await opened.begin(0)
        return opened

    def _opened(self, member: Member, stop: int) -> S3Object:
        return S3Object(self._client, self._key_of(member.path), member, stop)

    async def crc32(self, member: Member) -> int:
        """
        Ask S3 for a member's CRC-32; read the member where it does not know.
        """
        crc = await self._told(member)
        return await self._computed(member) if crc is None else crc

    async def _told(self, member: Member) -> int | None:
        key = self._key_of(member.path)
        try:
            answer = await self._client.call("HEAD", key, headers={"x-amz-checksum-mode": "ENABLED"})
        except Refused as error:
            raise _told_of(member, error) from None
        _require_version(member, answer)
        return checksum_of(answer)

    async def _computed(self, member: Member) -> int:
        opened = await self.open(member)
        crc = 0
        try:
            for offset in range(0, member.size, _STRIDE):
                data = await opened.read(offset, min(_STRIDE, member.size - offset))
                crc = isal_zlib.crc32(data, crc)
        finally:
            opened.close()
        return crc

    def close(self) -> None:
        """
        End what is being read; members held open stay open.
        """
        for reading in list(self._busy):
            reading.cancel()


@implementer(IOpenMember)
class S3Object:
    """
    One member as a stream: what is read in order comes by one request, of which some MiB is held at most.
    A leap begins another.

    :param stop: nothing is read from there on.
    """

    def __init__(self, client: S3Client, key: bytes, member: Member, stop: int) -> None:
        self.member = member
        self._client = client
        self._key = key
        self._stop = stop
        self._reply: Reply | None = None
        self._at = 0

    async def begin(self, offset: int) -> None:
        """
        Ask for the bytes from there on. All are of the version that was listed: S3 sees
        to that by ``If-Match``.

        :raise MemberChanged: the member is another by now.
        """
        self._end()
        headers = {"If-Match": quoted(str(self.member.stamp))}
        if (offset, self._stop) != (0, self.member.size):
            headers["Range"] = f"bytes={offset}-{self._stop - 1}"
        try:
            reply = await self._client.fetch(self._key, headers)
        except Refused as error:
            raise _told_of(self.member, error) from None
        try:
            self._require(reply, offset)
        except BaseException:
            reply.body.close()
            raise
        self._reply, self._at = reply, offset

    def _require(self, reply: Reply, offset: int) -> None:
        """
        Not all servers heed conditions and ranges.
        """
        if _etag(reply) != self.member.stamp:
            raise _changed(self.member)
        ranged = reply.status == 206
        begins = reply.header("Content-Range").startswith(f"bytes {offset}-") if ranged else offset == 0
        if reply.length != self._stop - offset or not begins:
            raise Unreadable(self.member.path, "S3 gives other bytes than were asked for")

    async def prepare(self, offset: int, length: int) -> None:
        """
        Nothing: what comes next is on its way already.
        """

    async def read(self, offset: int, length: int) -> Data:
        """
        Read exactly so many bytes, going on by another request where the connection is lost.
        """
        if not length:
            return b""
        for tries_left in reversed(range(_TRIES)):
            if self._reply is None or self._at != offset:
                await self.begin(offset)
            assert self._reply is not None, "it has just begun"
            try:
                data = await self._reply.body.read(length)
            except EOFError:
                raise Unreadable(self.member.path, "S3 sent less than it promised") from None
            except Lost as error:
                self._end()
                if not tries_left or error.waited:
                    raise StoreUnavailable(f"S3 does not answer: {error}") from None
                continue
            self._at += length
            return data
        raise AssertionError("the last try returns or raises")

    def check(self) -> None:
        """
        Nothing: all that was read is of the version that was listed.
        """

    def close(self) -> None:
        """
        Close the connection, unless all was read.
        """
        self._end()

    def _end(self) -> None:
        reply, self._reply = self._reply, None
        if reply is not None:
            reply.body.close()


def _etag(answer: Answer | Reply) -> str:
    return answer.header("ETag").strip('"')


def _require_version(member: Member, answer: Answer) -> None:
    if _etag(answer) != member.stamp or answer.header("Content-Length") != str(member.size):
        raise _changed(member)


def _changed(member: Member) -> MemberChanged:
    return MemberChanged(member.path, "it was replaced")


def _told_of(member: Member, error: Refused) -> Exception:
    """
    What it means for a member that S3 won't give it.
    """
    if error.status == 404 and error.code != "NoSuchBucket":
        return MemberChanged(member.path, "it is gone")
    if error.status in (412, 416):
        return _changed(member)
    return error


def checksum_of(answer: Answer) -> int | None:
    """
    The CRC-32 that S3 knows of a whole object. That of one uploaded in parts may be a checksum of their
    checksums, which says so, or has the number of parts behind it.
    """
    if answer.header("x-amz-checksum-type") not in ("", "FULL_OBJECT"):
        return None
    try:
        crc = base64.b64decode(answer.header("x-amz-checksum-crc32"), validate=True)
    except ValueError:
        return None
    return int.from_bytes(crc, "big") if len(crc) == 4 else None
